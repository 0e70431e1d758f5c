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

/// What is not all is never 100%, and what is not nothing never 0%, in any form.
#[test]
fn a_rate_is_not_rounded_to_all_or_nothing() {
    for (pass, fail, rate, shown) in [(9_999_999, 1, 0.999_999, "99.99%"), (1, 9_999_999, 0.000_001, "<0.01%")] {
        let mut plant = Plant::new();
        let records = [aligned("own.example", "192.0.2.1", pass), spoofed("own.example", "203.0.113.9", fail)];
        plant.report("Alpha", "own.example", "2026-06-01", STRICT, &records);
        plant.import();
        assert_eq!(plant.json(&["rates", "--as-of", AS_OF])["total"]["pass_rate"], rate);
        assert!(plant.text(&["rates", "--as-of", AS_OF]).contains(shown));
    }
}

/// A report without dates is part of all that the store holds, on whatever day it is asked about.
#[test]
fn an_undated_report_counts_where_no_period_is_asked_for() {
    let mut plant = Plant::new();
    let records = [aligned("own.example", "192.0.2.1", 5)];
    plant.report("Alpha", "own.example", "2026-06-01", STRICT, &records);
    plant.report("Alpha", "own.example", "2026-06-09", STRICT, &records);
    let reports = plant.folder.path().join("reports");
    let first = std::fs::read_dir(&reports).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(first).unwrap();
    let from = text.find("<date_range>").unwrap();
    let to = text.find("</date_range>").unwrap();
    let undated = format!("{}<date_range><begin>x</begin><end>y</end>{}", &text[..from], &text[to..]);
    std::fs::write(reports.join("undated.xml"), undated.replace("<report_id>", "<report_id>u")).unwrap();
    plant.json(&["import", reports.to_str().unwrap()]);
    let messages = |args: &[&str]| plant.json(&[&["rates"], args].concat())["total"]["messages"].as_u64().unwrap();
    assert_eq!(messages(&["--as-of", "2026-06-30"]), 15);
    assert_eq!(messages(&["--as-of", "2026-06-05"]), 10);
    assert_eq!(messages(&["--as-of", "2026-06-05", "--since", "7d"]), 5);
    // Either way that is told.
    for (args, counted, told) in [
        (
            &["rates", "--as-of", "2026-06-30"][..],
            true,
            "Counted, though without a readable day: 1 report, 5 messages.",
        ),
        (&["rates", "--since", "2026-06-01"], false, "Left out, since without a readable day: 1 report, 5 messages."),
    ] {
        let undated = serde_json::json!({"reports": 1, "messages": 5, "counted": counted});
        assert_eq!(plant.json(args)["undated"], undated);
        assert!(plant.text(args).contains(told), "{}", plant.text(args));
    }
}

/// Two periods side by side share no day, and leave none out between them.
#[test]
fn distances_back_lie_side_by_side() {
    let mut plant = Plant::new();
    for day in 1..=30 {
        let records = [aligned("own.example", "192.0.2.1", 1)];
        plant.report("Alpha", "own.example", &format!("2026-06-{day:02}"), STRICT, &records);
    }
    plant.import();
    let period = |args: &[&str]| {
        let answer = plant.json(&[&["rates", "--as-of", AS_OF], args].concat());
        let day = |key: &str| answer[key].as_str().unwrap().to_owned();
        (day("since"), day("until"), answer["total"]["messages"].as_u64().unwrap())
    };
    let days = |since: &str, until: &str, messages| (since.to_owned(), until.to_owned(), messages);
    assert_eq!(period(&["--since", "7d"]), days("2026-06-24", "2026-06-30", 7));
    assert_eq!(period(&["--since", "14d", "--until", "7d"]), days("2026-06-17", "2026-06-23", 7));
    assert_eq!(period(&["--until", "4w"]), days("2026-06-01", "2026-06-02", 2));
    assert_eq!(period(&["--since", "0d"]), days("2026-06-30", "2026-06-30", 1));
}
