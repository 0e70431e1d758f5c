//! A large store keeps sums of its records. What it answers must not depend on them.

use crate::support::{World, samples};

/// Many times the reports that are there, each under a number and a key of its own.
const MULTIPLY: &str = "
    CREATE TEMP TABLE held AS SELECT max(report_no) AS reports FROM report;
    CREATE TEMP TABLE times AS SELECT range::UINTEGER AS n FROM range(1, (600000 // (SELECT count(*) FROM record_row)) + 2);
    INSERT INTO report SELECT r.* REPLACE (r.report_no + h.reports * t.n AS report_no, uuid() AS report_key, r.report_id || t.n AS report_id)
        FROM report r, held h, times t;
    INSERT INTO record_row SELECT r.* REPLACE (r.report_no + h.reports * t.n AS report_no) FROM record_row r, held h, times t;";

const QUESTIONS: &[&[&str]] = &[
    &["senders"],
    &["gaps", "--as-of", "2026-11-02"],
    &["gaps"],
    &["simulate", "--p", "reject"],
    &["senders", "--domain", "northwind.example"],
    &["--tenant", "one", "senders"],
    &["--tenant", "other", "senders"],
];

#[test]
fn answers_of_a_large_store_do_not_depend_on_its_sums() {
    let world = World::new();
    let own = std::fs::read_to_string(samples().join("dmarcase.toml")).unwrap();
    let tenants = "\n[[tenant]]\nname = 'one'\ndomains = ['northwind.example']\n[[tenant]]\nname = 'other'\ndomains = ['northwind-parked.example']\n";
    std::fs::write(world.path("dmarcase.toml"), own + tenants).unwrap();
    let open = || duckdb::Connection::open(world.db()).unwrap();
    let ask = |sql| world.number(sql);
    let import =
        |name: &str| assert!(world.import(&samples().join("rua").join(name))["reports_stored"].as_u64() > Some(0));

    import("mails");
    assert_eq!(ask("SELECT count(*) FROM stream_source"), 0, "a small store keeps none");
    open().execute_batch(MULTIPLY).unwrap();
    import("big-search.mbox");
    let in_sums = "SELECT sum(records)::UBIGINT FROM stream_source";
    assert_eq!(ask(in_sums), ask("SELECT count(*) FROM record"));
    // Too few to sum anew: they are read beside the sums.
    import("maildir");
    assert!(ask(in_sums) < ask("SELECT count(*) FROM record"));

    let answers = || QUESTIONS.iter().map(|question| world.json(question)).collect::<Vec<_>>();
    let with = answers();
    let senders = with[0]["rows"].as_array().unwrap();
    let messages: u64 = senders.iter().map(|sender| sender["messages"].as_u64().unwrap()).sum();
    assert_eq!(messages, ask("SELECT sum(messages)::UBIGINT FROM report"));
    let period = &["senders", "--since", "2000-01-01"];
    let rows = |answer: &serde_json::Value| answer["rows"].clone();
    assert_eq!(rows(&world.json(period)), rows(&with[0]), "a period is read record by record");

    open().execute_batch("DELETE FROM setting WHERE name = 'summed_up_to'").unwrap();
    for ((question, with), without) in QUESTIONS.iter().zip(with).zip(answers()) {
        assert_eq!(with, without, "{question:?}");
    }
}
