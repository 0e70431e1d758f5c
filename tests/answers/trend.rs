//! `trend` on planted reports with dates that cannot be.

use super::plant::{AS_OF, Plant, STRICT, aligned, days_before};

const DOMAIN: &str = "north.example";

/// Reports of two weeks, and those of three days that are none: a series from the first to the last of them would have 2.9
/// million days, for each reporter and sender.
#[test]
fn wrong_dates_stretch_nothing() {
    let mut plant = Plant::new();
    for day in 1..=14 {
        plant.report("Alpha", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", 10)]);
    }
    plant.report("Zulu", DOMAIN, "1971-01-01", STRICT, &[aligned(DOMAIN, "192.0.2.1", 3)]);
    for reporter in 0..60 {
        plant.report(&format!("Reporter {reporter}"), DOMAIN, "9998-12-31", STRICT, &[aligned(DOMAIN, "192.0.2.1", 1)]);
    }
    plant.import();
    let mut expected = vec![("1971-01-01".to_owned(), 3)];
    expected.extend((1..=14).rev().map(|day| (days_before(day), 10)));
    let rows = |args: &[&str]| -> (String, Vec<(String, u64)>) {
        let answer = plant.json(&[&["trend"], args].concat());
        let text = |row: &serde_json::Value| row.as_str().unwrap().to_owned();
        let rows = answer["rows"].as_array().unwrap().iter();
        (text(&answer["until"]), rows.map(|row| (text(&row["day"]), row["messages"].as_u64().unwrap())).collect())
    };
    assert_eq!(rows(&[]), (days_before(1), expected.clone()), "a day after tomorrow is no day of a report");
    assert_eq!(rows(&["--as-of", AS_OF]), (days_before(1), expected.clone()));
    assert_eq!(rows(&["--until", "9999-12-31"]).1, expected);
    // Who takes that day for today has all of it, without the silence between.
    let until = "9999-12-31".to_owned();
    let mut all = expected.clone();
    all.push(("9998-12-31".to_owned(), 60));
    assert_eq!(rows(&["--as-of", "9999-12-31", "--until", "9999-12-31"]), (until, all));
    let alert = plant.run(&["--format", "json", "trend", "--alert"]);
    let found: serde_json::Value = serde_json::from_slice(&alert.stdout).unwrap();
    assert_eq!(found["until"], days_before(1), "{found}");
}

/// A week of silence and more, and then mail again: the days keep their dates, on either side of what is left out.
#[test]
fn a_long_silence_keeps_the_dates() {
    let mut plant = Plant::new();
    let days = [1, 2, 60, 61, 135, 300, 301, 1000].map(days_before);
    for day in &days {
        plant.report("Alpha", DOMAIN, day, STRICT, &[aligned(DOMAIN, "192.0.2.1", 10)]);
    }
    let answer = plant.import().json(&["trend", "--as-of", AS_OF]);
    let rows = answer["rows"].as_array().unwrap().iter().map(|row| row["day"].as_str().unwrap().to_owned());
    assert_eq!(rows.rev().collect::<Vec<_>>(), days);
}
