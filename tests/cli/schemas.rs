//! The JSON contracts: the committed schemas are those of the types, and real answers keep to them.

use std::path::Path;

use crate::schema::keeps_to;
use crate::support::{World, samples};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/json")
}

#[test]
fn committed_schemas_are_those_of_the_types() {
    for (name, schema) in dmarcase::commands::schemas() {
        let path = folder().join(format!("{name}.json"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let generated = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        assert!(
            committed == generated,
            "{}: run `dmarcase schemas schemas/json` and look at the change",
            path.display()
        );
    }
}

#[test]
fn answers_keep_to_their_schemas() {
    let world = World::new();
    let import = world.import(&samples().join("rua"));
    let id = world.json(&["sql", "SELECT report_id FROM report WHERE records > 1 LIMIT 1"]);
    let answers = [
        ("import", import),
        ("rates", world.json(&["rates"])),
        ("rates", world.json(&["rates", "--by", "selector"])),
        ("status", world.json(&["status", "--rejected"])),
        ("report", world.json(&["report", id[0]["report_id"].as_str().unwrap()])),
        ("senders", world.json(&["senders"])),
        ("senders-approve", world.json(&["senders", "approve", "crm-suite.example"])),
        ("gaps", world.json(&["gaps"])),
        ("simulate", world.json(&["simulate", "--p", "reject", "--pct", "50"])),
        ("trend", world.json(&["trend"])),
    ];
    for (name, answer) in answers {
        keeps_to(name, &answer);
    }
}

/// DuckDB's source package has no ICU, so where it is compiled no statement may ask for time zones.
#[test]
fn no_statement_needs_time_zones() {
    let asked = regex::Regex::new(
        r"(?i)\b(date_diff|datediff|datesub|date_sub|make_timestamptz)\s*\(|at time zone|[^_.a-z]timezone\s*\(",
    )
    .unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for folder in ["schemas", "src"] {
        for entry in walkdir::WalkDir::new(root.join(folder)) {
            let entry = entry.unwrap();
            if !entry.path().extension().is_some_and(|kind| kind == "sql" || kind == "rs") {
                continue;
            }
            files += 1;
            for (line, text) in (1..).zip(std::fs::read_to_string(entry.path()).unwrap().lines()) {
                let code = text.trim_start();
                let comment = code.starts_with("//") || code.starts_with("--");
                assert!(comment || !asked.is_match(text), "{}:{line}: {text}", entry.path().display());
            }
        }
    }
    assert!(files > 200, "{files}");
}
