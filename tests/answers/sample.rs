//! The sample story's senders and gaps, against the figures worked out by hand.

use super::plant::Plant;
use super::story;

fn story_plant() -> Plant {
    let mut plant = Plant::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_reports");
    plant.config(&std::fs::read_to_string(format!("{samples}/dmarcase.toml")).unwrap());
    plant.json(&["import", &format!("{samples}/rua")]);
    plant
}

#[test]
fn senders_of_the_story() {
    let plant = story_plant();
    let answer = plant.json(&["senders", "--as-of", story::AS_OF]);
    assert_eq!((&answer["since"], &answer["until"]), (&story::SINCE.into(), &story::UNTIL.into()));
    let rows = answer["rows"].as_array().unwrap();
    for expected in story::SENDERS {
        let found: Vec<_> = rows.iter().filter(|row| row["sender"] == expected.sender).collect();
        let [row] = found.as_slice() else { panic!("{} rows of {}", found.len(), expected.sender) };
        assert_eq!(row["status"], expected.status, "{row}");
        assert!(expected.class.iter().any(|class| row["class"] == *class), "{row}");
        for (key, value) in [
            ("sources", expected.sources),
            ("messages", expected.messages),
            ("dmarc_pass", expected.dmarc_pass),
            ("dkim_aligned", expected.dkim_aligned),
            ("spf_aligned", expected.spf_aligned),
        ] {
            assert_eq!(row[key], value, "{key} of {row}");
        }
        assert_eq!((&row["first_day"], &row["last_day"]), (&expected.first_day.into(), &expected.last_day.into()));
    }
    let spoofing: Vec<_> = rows.iter().filter(|row| row["class"] == "spoofing").collect();
    assert_eq!(spoofing.len() as u64, story::SPOOFING_SOURCES, "each source of the burst is a row");
    let messages: u64 = spoofing.iter().map(|row| row["messages"].as_u64().unwrap()).sum();
    assert_eq!(messages, story::SPOOFING_MESSAGES);
    assert_eq!(rows.len(), story::SENDERS.len() + spoofing.len(), "and nobody else");
    let unknown = rows.iter().filter(|row| row["status"] == "unknown");
    assert_eq!(answer["unknown"]["senders"], unknown.count());
}

#[test]
fn gaps_of_the_story() {
    let plant = story_plant();
    let answer = plant.json(&["gaps", "--as-of", story::AS_OF]);
    let rows = answer["rows"].as_array().unwrap();
    for (gap, domain, messages) in story::GAPS {
        let found = rows.iter().find(|row| row["gap"] == gap && row["domain"] == domain);
        let row = found.unwrap_or_else(|| panic!("{gap} of {domain} is missing"));
        if messages > 0 {
            assert_eq!(row["messages"], messages, "{row}");
        }
    }
    for gap in story::NO_GAPS {
        assert!(!rows.iter().any(|row| row["gap"] == gap), "{gap} must not fire: {rows:?}");
    }
    let severities: Vec<&str> = rows.iter().map(|row| row["severity"].as_str().unwrap()).collect();
    let rank = |word: &&str| ["high", "warn", "notice"].iter().position(|w| w == word);
    assert!(severities.is_sorted_by_key(rank), "worst first: {severities:?}");
    plant.agrees(&["--as-of", story::AS_OF]);
    plant.agrees(&["--as-of", story::AS_OF, "--since", "2026-10-12", "--until", "2026-10-25"]);
}
