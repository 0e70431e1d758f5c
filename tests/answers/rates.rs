//! Pass rates of planted reports.

use crate::plant::{AS_OF, Plant, STRICT, aligned, spoofed};

/// A reporter that changes the spelling of its name is one reporter, under the name that came first.
#[test]
fn a_reporter_is_one_however_it_spells_itself() {
    let mut plant = Plant::new();
    let records = [aligned("own.example", "192.0.2.1", 90), spoofed("own.example", "203.0.113.9", 10)];
    plant.report("Alpha Mail", "own.example", "2026-06-01", STRICT, &records);
    plant.report("alpha mail", "own.example", "2026-06-02", STRICT, &records);
    plant.report("Bravo", "own.example", "2026-06-02", STRICT, &records[..1]);
    let answer = plant.import().json(&["rates", "--by", "reporter", "--as-of", AS_OF]);
    let rows = answer["rows"].as_array().unwrap();
    let row = |at: usize| (&rows[at]["reporter"], &rows[at]["reports"], &rows[at]["messages"], &rows[at]["dmarc_pass"]);
    assert_eq!(rows.len(), 2, "{answer:#}");
    assert_eq!(row(0), (&"Alpha Mail".into(), &2.into(), &200.into(), &180.into()));
    assert_eq!(row(1), (&"Bravo".into(), &1.into(), &90.into(), &90.into()));
}
