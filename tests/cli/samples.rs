//! The sample story: what `make demo` shows, against the figures of `tests/story`.

use serde_json::Value;

use crate::story::{self, outcomes};
use crate::support::{World, samples};

fn story() -> (World, Value) {
    let world = World::new();
    let answer = world.import(&samples().join("rua"));
    (world, answer)
}

#[test]
fn every_item_has_its_outcome() {
    let (_, answer) = story();
    let expected = [
        ("items", outcomes::ITEMS),
        ("reports_stored", outcomes::STORED),
        ("duplicates", outcomes::DUPLICATES),
        ("conflicts", outcomes::CONFLICTS),
        ("rejected", outcomes::REJECTED),
        ("not_reports", outcomes::NOT_REPORTS),
        ("failure_reports", outcomes::FAILURE_REPORTS),
        ("tls_reports", outcomes::TLS_REPORTS),
        ("records", story::DOMAINS.iter().map(|d| d.records).sum()),
        ("messages", story::DOMAINS.iter().map(|d| d.messages).sum()),
    ];
    for (key, number) in expected {
        assert_eq!(answer[key], number, "{key}");
    }
}

#[test]
fn rates_by_domain_are_those_of_the_plan() {
    let (world, _) = story();
    let answer = world.json(&["rates"]);
    assert_eq!(answer["since"], story::SINCE);
    assert_eq!(answer["until"], story::UNTIL);
    assert_eq!(answer["rows"].as_array().unwrap().len(), story::DOMAINS.len());
    for (row, plan) in answer["rows"].as_array().unwrap().iter().zip(story::DOMAINS) {
        assert_eq!(row["domain"], plan.domain);
        let counts = [
            ("reports", plan.reports),
            ("messages", plan.messages),
            ("dmarc_pass", plan.dmarc_pass),
            ("dkim_aligned", plan.dkim_aligned),
            ("spf_aligned", plan.spf_aligned),
            ("quarantined", plan.quarantined),
            ("rejected", plan.rejected),
            ("sources", plan.sources),
        ];
        for (key, number) in counts {
            assert_eq!(row[key], number, "{} {key}", plan.domain);
        }
        let rate = plan.dmarc_pass as f64 / plan.messages as f64;
        assert!((row["pass_rate"].as_f64().unwrap() - rate).abs() < 1e-6, "{}", plan.domain);
    }
    assert_eq!(answer["total"]["messages"], story::DOMAINS.iter().map(|d| d.messages).sum::<u64>());
}

#[test]
fn rates_by_week_are_those_of_the_plan() {
    let (world, _) = story();
    let answer = world.json(&["rates", "--by", "week", "--domain", "northwind.example"]);
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), story::NORTHWIND_WEEKS.len());
    for (row, (monday, messages, pass)) in rows.iter().zip(story::NORTHWIND_WEEKS) {
        assert_eq!(
            (&row["week"], &row["messages"], &row["dmarc_pass"]),
            (&monday.into(), &messages.into(), &pass.into())
        );
    }
}

/// Whatever the rows are, the total is that of the records, counted without this program's questions.
#[test]
fn every_grouping_has_the_total_of_the_records() {
    let (world, _) = story();
    let scopes = [
        ("", &[][..]),
        ("WHERE policy_domain = 'northwind.example'", &["--domain", "northwind.example"]),
        ("WHERE report_day >= '2026-10-10'", &["--since", "2026-10-10"]),
    ];
    for (condition, flags) in scopes {
        let records = world.json(&[
            "sql",
            &format!(
                "SELECT sum(messages)::BIGINT AS messages, (sum(messages) FILTER (dmarc_pass))::BIGINT AS dmarc_pass,
                    (sum(messages) FILTER (dkim_aligned))::BIGINT AS dkim_aligned,
                    (sum(messages) FILTER (spf_aligned))::BIGINT AS spf_aligned,
                    (sum(messages) FILTER (disposition = 'quarantine'))::BIGINT AS quarantined,
                    (sum(messages) FILTER (disposition = 'reject'))::BIGINT AS rejected,
                    count(DISTINCT source_ip) AS sources, (SELECT count(*) FROM report {condition}) AS reports
                 FROM record_full {condition}"
            ),
        ]);
        for by in ["domain", "day", "week", "month", "reporter", "sender", "header-from", "source", "selector"] {
            let answer = world.json(&[&["rates", "--by", by], flags].concat());
            let total = &answer["total"];
            for (key, number) in records[0].as_object().unwrap() {
                assert_eq!(total[key], number.as_u64().unwrap_or(0), "by {by} {condition}: {key}");
            }
            let rate = total["dmarc_pass"].as_f64().unwrap() / total["messages"].as_f64().unwrap();
            assert!((total["pass_rate"].as_f64().unwrap() - rate).abs() < 1e-6, "by {by} {condition}");
        }
    }
}

#[test]
fn a_table_fits_a_hundred_columns() {
    let (world, _) = story();
    for by in ["domain", "day", "reporter", "sender", "header-from", "source", "selector"] {
        for line in world.text(&["rates", "--by", by]).lines() {
            assert!(line.chars().count() <= 100, "rates --by {by}: {line}");
        }
    }
}

/// The names that a config gives are longer than those that reports show.
#[test]
fn tables_with_the_names_of_a_config_fit_too() {
    let (world, _) = story();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_reports/dmarcase.toml");
    for command in
        ["senders", "senders --unknown", "rates --by sender", "gaps", "trend", "simulate --p reject", "status"]
    {
        let args: Vec<&str> = ["--config", config].into_iter().chain(command.split(' ')).collect();
        for line in world.text(&args).lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
}

#[test]
fn a_long_name_is_broken_behind_its_punctuation() {
    let (world, _) = story();
    let text = world.text(&["senders"]);
    let ends = |end: &str| text.lines().any(|line| line.ends_with(end));
    assert!(ends("d=northwind.") || ends("d=northwind.example"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        let last = line.rsplit(' ').next().unwrap();
        assert!(!last.contains("northwind.e") || last.contains("northwind.example"), "{line}");
        assert!(!line.contains('\u{200b}'), "{line}");
    }
}

#[test]
fn a_table_of_delivery_fits_and_keeps_its_words() {
    let (world, _) = story();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_reports/delivery");
    let mut answers = vec![world.text(&["delivery", "import", samples])];
    for by in ["gateway", "recipient-domain", "source", "response", "day", "campaign"] {
        answers.push(world.text(&["delivery", "summary", "--by", by]));
    }
    for line in answers.iter().flat_map(|answer| answer.lines()).filter(|line| line.starts_with(' ')) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    // Long text beside many numbers is folded between its words, never letter by letter.
    let by_response = &answers[4];
    assert_eq!(by_response.matches(" 421 Deferred - see").count(), 4, "{by_response}");
    assert_eq!(by_response.matches(" 550 5.1.1 User unknown ").count(), 4, "{by_response}");
}

#[test]
fn a_second_import_changes_nothing() {
    let (world, _) = story();
    let (before, ledger) = (world.contents(), world.number("SELECT count(*) FROM ledger"));
    let again = world.import(&samples().join("rua"));
    assert_eq!(again["reports_stored"], 0);
    assert_eq!(again["duplicates"], outcomes::STORED + outcomes::DUPLICATES);
    assert_eq!(world.contents(), before);
    assert_eq!(world.number("SELECT count(*) FROM ledger"), ledger);
}

#[test]
fn the_rejected_are_kept_and_read_again() {
    let (world, _) = story();
    let status = world.json(&["status", "--rejected"]);
    let entries = status["rejected"].as_array().unwrap();
    assert_eq!(entries.len() as u64, outcomes::REJECTED + outcomes::CONFLICTS);
    assert!(entries.iter().all(|entry| entry["reason"].as_str().is_some_and(|reason| reason.len() > 10)));
    assert_eq!(world.number("SELECT count(*) FROM kept"), outcomes::REJECTED + outcomes::CONFLICTS);
    let retried = world.json(&["retry"]);
    assert_eq!(retried["rejected"], outcomes::REJECTED, "a damaged gzip stays damaged");
    assert_eq!(world.number("SELECT count(*) FROM kept"), outcomes::REJECTED + outcomes::CONFLICTS);
}

#[test]
fn a_report_is_shown_whole() {
    let (world, _) = story();
    let id = world.json(&["sql", "SELECT report_id, records FROM report WHERE records > 3 ORDER BY report_no LIMIT 1"]);
    let shown = world.json(&["report", id[0]["report_id"].as_str().unwrap()]);
    assert_eq!(shown["records"].as_array().unwrap().len() as u64, id[0]["records"].as_u64().unwrap());
    assert_eq!(shown["report"]["report_id"], id[0]["report_id"]);
}

/// An empty period is an error that says which days there are, not a table of nothing.
#[test]
fn an_empty_period_says_which_days_the_store_holds() {
    let (world, _) = story();
    let output = world.run(&["rates", "--since", "2020-01-01", "--until", "2020-02-01"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(story::SINCE) && told.contains(story::UNTIL), "{told}");
}

/// What the store got later than --as-of does not count: the answer of that day, asked again.
#[test]
fn what_is_later_than_as_of_does_not_count() {
    let (world, _) = story();
    for command in ["rates", "senders", "gaps", "trend", "simulate"] {
        let mut args = vec![command, "--as-of", "2026-10-11"];
        if command == "simulate" {
            args.extend(["--p", "reject"]);
        }
        let cut = world.json(&args);
        assert_eq!((&cut["since"], &cut["until"]), (&story::SINCE.into(), &"2026-10-11".into()), "{command}");
        args.extend(["--until", "2026-10-11"]);
        assert_eq!(cut, world.json(&args), "{command}");
    }
    let last = world.json(&["rates", "--by", "day", "--since", "7d", "--as-of", "2026-10-11"]);
    assert_eq!(last["rows"].as_array().unwrap().len(), 7);
    // A day before the first report has no answer, and says so.
    let told = String::from_utf8(world.run(&["rates", "--as-of", "2026-01-01"]).stderr).unwrap();
    assert!(told.contains("to 2026-01-01") && told.contains(story::SINCE), "{told}");
}

/// A day counts back from --as-of: seven days that end with it.
#[test]
fn a_period_counts_back_from_as_of() {
    let (world, _) = story();
    let answer = world.json(&["rates", "--by", "day", "--since", "7d", "--as-of", story::UNTIL]);
    assert_eq!(answer["rows"].as_array().unwrap().len(), 7);
    assert_eq!(answer["since"], "2026-10-26");
}
