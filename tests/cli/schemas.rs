//! The JSON contracts: the committed schemas are those of the types, and real answers keep to them.

use std::path::Path;

use crate::schema::{kept, schema_of};
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

/// `World::json` holds every answer of these tests to its schema; these are the commands that no other of them runs.
#[test]
fn answers_keep_to_their_schemas() {
    let world = World::new();
    world.import(&samples().join("rua"));
    let id = world.json(&["sql", "SELECT report_id FROM report WHERE records > 1 LIMIT 1"]);
    world.json(&["rates"]);
    world.json(&["rates", "--by", "selector"]);
    world.json(&["status", "--rejected"]);
    world.json(&["report", id[0]["report_id"].as_str().unwrap()]);
    world.json(&["senders"]);
    world.json(&["senders", "approve", "crm-suite.example"]);
    world.json(&["gaps"]);
    world.json(&["gaps", "--explain", "G06"]);
    world.json(&["simulate", "--p", "reject", "--pct", "50"]);
    world.json(&["trend"]);
}

/// Every answer is one that the tests know the schema of: a new one cannot be left out.
#[test]
fn every_schema_is_that_of_a_command() {
    let of = |command: &str| schema_of(&command.split(' ').collect::<Vec<_>>());
    for (name, _) in dmarcase::commands::schemas() {
        let command = match name {
            "gap" => "gaps --explain G06".to_owned(),
            name => name.replace('-', " "),
        };
        assert_eq!(of(&command), Some(name));
    }
    assert_eq!(of("sql case"), None);
    assert_eq!(of("--tenant north check case.example"), Some("check"));
}

/// What an answer must not say is found inside it too.
#[test]
fn an_answer_that_says_more_is_found_at_any_depth() {
    let world = World::new();
    world.import(&samples().join("rua"));
    let answer = world.json(&["gaps"]);
    let broken = |place: &str, key: &str, value: serde_json::Value| {
        let mut answer = answer.clone();
        answer.pointer_mut(place).unwrap()[key] = value;
        std::panic::catch_unwind(|| kept(&["gaps"], answer)).is_err()
    };
    assert!(!broken("/rows/0", "domain", "other.example".into()));
    assert!(broken("", "more", 1.into()));
    assert!(broken("/rows/0", "more", 1.into()));
    assert!(broken("/rows/0", "messages", (-1).into()));
    assert!(broken("/rows/0", "severity", "dreadful".into()));
    assert!(broken("", "since", "last week".into()));
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
