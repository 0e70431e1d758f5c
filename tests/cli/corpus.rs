//! A generated corpus against its truth, in every layout, to the message.

use serde_json::Value;

use crate::support::{World, corpus};

fn check(world: &World, answer: &Value, truth: &Value) {
    for (ours, theirs) in [
        ("reports_stored", "reports"),
        ("duplicates", "duplicates"),
        ("records", "records"),
        ("messages", "messages"),
        ("xml_bytes", ""),
    ] {
        if !theirs.is_empty() {
            assert_eq!(answer[ours], truth[theirs], "{ours}");
        }
    }
    assert_eq!(answer["rejected"], 0);
    assert_eq!(answer["rates"]["dmarc_pass"], truth["pass_messages"]);
    let rates = world.json(&["rates"]);
    let domains = truth["by_domain"].as_object().unwrap();
    assert_eq!(rates["rows"].as_array().unwrap().len(), domains.len());
    for row in rates["rows"].as_array().unwrap() {
        let plan = &domains[row["domain"].as_str().unwrap()];
        for (ours, theirs) in [
            ("reports", "reports"),
            ("messages", "messages"),
            ("dmarc_pass", "pass"),
            ("dkim_aligned", "dkim_aligned"),
            ("spf_aligned", "spf_aligned"),
            ("quarantined", "quarantined"),
            ("rejected", "rejected"),
            ("sources", "sources"),
        ] {
            assert_eq!(row[ours], plan[theirs], "{}: {ours}", row["domain"]);
        }
    }
}

#[test]
fn every_layout_gives_the_truth() {
    let mut contents = Vec::new();
    for layout in ["files", "maildir", "mbox"] {
        let world = World::new();
        let folder = world.path("corpus");
        let truth = corpus(&folder, &["--reports", "600", "--layout", layout, "--dup", "5"]);
        // The truth lies beside the reports.
        std::fs::remove_file(folder.join("truth.json")).unwrap();
        check(&world, &world.import(&folder), &truth);
        contents.push(world.contents());
    }
    assert_eq!(contents[0], contents[1], "files and maildir");
    assert_eq!(contents[0], contents[2], "files and mbox");
}

/// Every verdict recomputed from the results is the reporter's own: the generator's reporters are honest.
#[test]
fn recomputed_alignment_agrees_with_honest_reporters() {
    let world = World::new();
    let folder = world.path("corpus");
    corpus(&folder, &["--reports", "300"]);
    world.import(&folder);
    let all = world.number("SELECT count(*) FROM record");
    let same = world
        .number("SELECT count(*) FROM record WHERE dkim_aligned = dkim_recomputed AND spf_aligned = spf_recomputed");
    assert_eq!(all, same);
}
