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
