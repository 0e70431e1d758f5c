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

/// What has a day and a domain in it, by whatever column, is narrowed; what has none says so.
#[test]
fn what_has_days_and_domains_is_narrowed() {
    let world = World::new();
    world.import(&samples().join("rua"));
    let rows = |file: &str| std::fs::read_to_string(world.path(file)).unwrap().lines().count() as u64 - 1;
    let held = |condition: &str| world.number(&format!("SELECT count(*) FROM {condition}"));
    world.text(&[
        "export",
        "d.CSV",
        "--from",
        "daily",
        "--since",
        "2026-10-01",
        "--domain",
        "northwind-parked.example",
    ]);
    let wanted = held("daily WHERE report_day >= DATE '2026-10-01' AND policy_domain = 'northwind-parked.example'");
    assert!(wanted > 0);
    assert_eq!(rows("d.CSV"), wanted);
    world.text(&["export", "p.csv", "--from", "policy_latest", "--domain", "northwind.example"]);
    assert_eq!(rows("p.csv"), 1);
    world.text(&["export", "r.csv", "--from", "record", "--domain", "northwind.example"]);
    assert_eq!(rows("r.csv"), held("record_full WHERE policy_domain = 'northwind.example'"));
    for flags in [["--since", "2026-10-01"], ["--as-of", "2026-10-01"], ["--domain", "northwind.example"]] {
        let output = world.run(&[&["export", "l.csv", "--from", "ledger"][..], &flags].concat());
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("ledger has no"), "{output:?}");
    }
}

/// Lists in CSV are JSON, and addresses as numbers are text in JSON: what every reader of the format can read.
#[test]
fn nested_values_and_large_numbers_can_be_read() {
    let world = World::new();
    world.import(&samples().join("rua"));
    world.text(&["export", "r.csv"]);
    let lists = format!(
        "SELECT count(*) FROM read_csv('{}', all_varchar = true) WHERE dkim IS NOT NULL AND json_valid(dkim) AND json_valid(spf)",
        world.path("r.csv").display()
    );
    let valid = world.json(&["sql", "--allow-files", &lists])[0].as_object().unwrap().values().next().unwrap().as_u64();
    assert_eq!(valid, Some(world.number("SELECT count(*) FROM record_full")));
    world.text(&["export", "r.jsonl"]);
    let text = std::fs::read_to_string(world.path("r.jsonl")).unwrap();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(row["ip_sort"].is_string() || row["ip_sort"].is_null(), "{row}");
    }
}

/// What has no report days cannot be cut off at one, and is not taken for the whole either.
#[test]
fn what_cannot_be_narrowed_is_refused() {
    let world = World::new();
    world.import(&samples().join("rua"));
    for flags in [["--as-of", "2026-10-01"], ["--as-of", "2030-01-01"], ["--since", "2026-10-01"], ["--domain", "*"]] {
        let output = world.run(&[&["export", "l.csv", "--from", "ledger"][..], &flags].concat());
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("leave out"), "{output:?}");
        assert!(!world.path("l.csv").exists());
    }
    world.text(&["export", "l.csv", "--from", "ledger"]);
}

/// `--force` replaces what an export made, and nothing else: whatever the path looks like, no file of somebody else goes.
#[test]
fn force_replaces_only_what_an_export_made() {
    let world = World::new();
    world.import(&samples().join("rua"));
    let parts = ["--partition-by", "policy_domain"];
    let run = |args: &[&str]| world.run(&[&["export"], args].concat());
    assert!(run(&[&["new/"][..], &parts].concat()).status.success(), "a slash at the end is none");
    assert!(run(&[&["new/", "--force"][..], &parts].concat()).status.success());
    assert!(world.path("new/policy_domain=northwind.example").is_dir());
    for (folder, file) in [("deep/year=2026", "photo.jpg"), ("deep2", "data_0.parquet")] {
        std::fs::create_dir_all(world.path(folder)).unwrap();
        std::fs::write(world.path(folder).join(file), "mine").unwrap();
        let top = folder.split('/').next().unwrap();
        assert_eq!(run(&[&[top, "--force"][..], &parts].concat()).status.code(), Some(1), "{folder}");
        assert!(world.path(folder).join(file).exists());
    }
    for ending in ["partial", "replaced"] {
        let file = world.path(&format!("q.csv.{ending}"));
        std::fs::write(&file, "mine").unwrap();
        assert!(run(&["q.csv", "--force"]).status.success());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
    std::fs::create_dir_all(world.path("mine/sub")).unwrap();
    std::fs::write(world.path("mine/letter.txt"), "dear").unwrap();
    for args in [
        &[&["mine", "--force"][..], &parts].concat()[..],
        &[&["mine/", "--force"][..], &parts].concat(),
        &["mine.parquet", "--force"],
    ] {
        std::fs::create_dir_all(world.path("mine.parquet")).unwrap();
        let output = run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("another path"), "{output:?}");
    }
    let here = world.command(&["export", ".", "--force", "--partition-by", "policy_domain"]);
    let mut here = here;
    assert_eq!(here.current_dir(world.path("mine")).output().unwrap().status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(world.path("mine/letter.txt")).unwrap(), "dear");
    assert!(world.path("mine/sub").is_dir() && world.path("mine.parquet").is_dir());
    assert_eq!(run(&[&["x.csv"][..], &parts].concat()).status.code(), Some(2));
}
