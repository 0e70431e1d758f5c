//! Records to files for other tools.

use crate::support::{World, samples};

#[test]
fn every_form_holds_every_record() {
    let world = World::new();
    let records = world.import(&samples().join("rua"))["records"].as_u64().unwrap();
    for (file, read) in [("r.parquet", "read_parquet"), ("r.csv", "read_csv"), ("r.jsonl", "read_json")] {
        world.text(&["export", file]);
        let held = format!("SELECT count(*) FROM {read}('{}')", world.path(file).display());
        let rows = world.json(&["sql", "--allow-files", &held]);
        assert_eq!(rows[0].as_object().unwrap().values().next().unwrap().as_u64(), Some(records), "{file}");
        let again = world.run(&["export", file]);
        assert_eq!(again.status.code(), Some(1), "an export replaces nothing without --force");
    }
    assert!(
        std::fs::read_dir(world.path(""))
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().ends_with(".partial") })
    );
}

#[test]
fn an_export_is_narrowed_and_partitioned() {
    let world = World::new();
    world.import(&samples().join("rua"));
    world.text(&["export", "parts", "--partition-by", "policy_domain", "--domain", "*northwind-parked.example"]);
    let folders: Vec<_> =
        std::fs::read_dir(world.path("parts")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(folders, ["policy_domain=northwind-parked.example"]);
}
