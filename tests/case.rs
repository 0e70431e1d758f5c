//! The case over the sample story: its figures recomputed independently, its facts, its grade, and text that tries to break out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "support/schema.rs"]
mod schema;
mod story;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use schema::kept;
use serde_json::Value;
use story::delivery;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn run(db: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dmarcase"))
        .args(["--db", db.to_str().unwrap(), "--config"])
        .arg(root().join("sample_reports/dmarcase.toml"))
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The story's reports and logs, stored once for all tests.
fn store() -> &'static Path {
    static STORE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, db) = STORE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("s.duckdb");
        for command in [&["import"][..], &["delivery", "import"]] {
            let path = root().join("sample_reports").join(if command.len() == 1 { "rua" } else { "delivery" });
            let (status, _, error) = run(&db, &[command, &[path.to_str().unwrap()]].concat());
            assert_eq!(status, 0, "{error}");
        }
        (folder, db)
    });
    db
}

const SCOPE: [&str; 5] = ["case", "--domain", "northwind.example", "--ip", "192.0.2.10"];

fn case(flags: &[&str]) -> Value {
    let (status, out, error) = run(store(), &[&SCOPE, flags, &["--format", "json"]].concat());
    assert_eq!(status, 0, "{error}");
    kept(&SCOPE, serde_json::from_str(&out).unwrap())
}

#[test]
fn every_figure_of_delivery_is_the_one_worked_out_by_hand() {
    let case = case(&["--gateway", "proofpoint"]);
    let totals = &case["outcomes"]["totals"];
    let wanted = delivery::PROOFPOINT_MX1;
    assert_eq!(totals["recipients"], wanted.recipients);
    assert_eq!(totals["affected"], wanted.affected);
    assert_eq!(totals["share"], 0.2);
    assert_eq!(totals["severity"], "escalate");
    assert_eq!(totals["attempts"], wanted.attempts);
    assert_eq!(totals["deferrals"], wanted.deferrals);
    assert_eq!(totals["delivered_late"], wanted.delivered_late);
    assert_eq!(totals["expired"], wanted.expired);
    assert_eq!(totals["bounced"], wanted.bounced);
    assert_eq!(totals["pending"], wanted.pending);
    let smtp = &case["smtp"];
    assert_eq!(smtp["deferrals"], delivery::REPUTATION_DEFERRALS);
    let stage = |word: &str| -> u64 {
        let rows = smtp["responses"].as_array().unwrap().iter();
        rows.filter(|row| row["stage"] == word).map(|row| row["attempts"].as_u64().unwrap()).sum()
    };
    assert_eq!((stage("greeting"), stage("mail")), (delivery::AT_GREETING, delivery::AT_MAIL_FROM));
    let seconds = |at: &Value| at.as_str().unwrap().get(..19).unwrap().to_owned();
    assert_eq!(seconds(&smtp["first_at"]), delivery::FIRST_DEFERRED.trim_end_matches('Z'));
    assert_eq!(seconds(&smtp["last_at"]), delivery::LAST_DEFERRED.trim_end_matches('Z'));
    assert_eq!(smtp["suspended"], delivery::SUSPENDED);
    let retries = &case["outcomes"]["retries"];
    assert_eq!(retries["pairs"], 60);
    assert_eq!(
        (&retries["attempts_max"], &retries["expired"], &retries["pending"]),
        (&26.into(), &9.into(), &2.into())
    );
    assert_eq!(retries["recipient_domains"], delivery::AFFECTED_DOMAINS);
    let days = case["outcomes"]["days"].as_array().unwrap();
    let sum: u64 = days.iter().map(|day| day["reputation_deferrals"].as_u64().unwrap()).sum();
    assert_eq!(sum, delivery::REPUTATION_DEFERRALS);
}

#[test]
fn statements_that_the_case_quotes_give_its_figures() {
    let case = case(&["--gateway", "proofpoint"]);
    let (status, out, error) = run(store(), &["sql", case["smtp"]["sql"].as_str().unwrap(), "--format", "json"]);
    assert_eq!(status, 0, "{error}");
    let rows: Value = serde_json::from_str(&out).unwrap();
    let all: u64 = rows.as_array().unwrap().iter().map(|row| row["attempts"].as_u64().unwrap()).sum();
    assert_eq!(all, case["outcomes"]["totals"]["deferrals"].as_u64().unwrap());
    for part in ["authentication", "samples", "dns"] {
        let (status, _, error) = run(store(), &["sql", case[part]["sql"].as_str().unwrap()]);
        assert_eq!(status, 0, "{part}: {error}");
    }
}

/// The commands that the case quotes, run as they stand, answer with the case's own figures: for the same days, as of the same day.
#[test]
fn commands_that_the_case_quotes_give_its_figures() {
    let flags = ["--as-of", "2026-10-26"];
    let case = case(&flags);
    let (_, text, _) = run(store(), &[&["case", "--domain", "northwind.example"], &flags[..]].concat());
    let quoted = |command: &str| -> Value {
        let start =
            text.find(&format!("` dmarcase {command} --domain ")).unwrap_or_else(|| panic!("{command}: {text}"));
        let line = text[start + 2..].split('`').next().unwrap().trim();
        let words: Vec<&str> = line.split(' ').skip(1).map(|word| word.trim_matches('\'')).collect();
        let (status, answer, error) = run(store(), &[&["--format", "json"], &words[..]].concat());
        assert_eq!(status, 0, "{line}: {error}");
        kept(&words, serde_json::from_str(&answer).unwrap())
    };
    let senders = quoted("senders");
    for row in case["senders"]["senders"].as_array().unwrap() {
        let same = senders["rows"].as_array().unwrap().iter().find(|one| one["sender"] == row["sender"]).unwrap();
        assert_eq!((&same["messages"], &same["dmarc_pass"]), (&row["messages"], &row["dmarc_pass"]), "{row}");
    }
    let gaps = quoted("gaps");
    let told: Vec<&Value> = gaps["rows"].as_array().unwrap().iter().map(|row| &row["evidence"]).collect();
    let mut compared = 0;
    for point in
        case["weak_points"].as_array().unwrap().iter().filter(|point| point["id"].as_str().unwrap().starts_with('G'))
    {
        let evidence = point["evidence"].as_str().unwrap();
        assert!(told.iter().any(|one| evidence.contains(one.as_str().unwrap())), "{evidence} is not among {told:?}");
        compared += 1;
    }
    assert!(compared > 2, "{case:#}");
}

#[test]
fn five_samples_of_different_domains_with_their_histories() {
    let case = case(&[]);
    let samples = case["samples"]["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 5);
    let mut domains: Vec<&str> = samples.iter().map(|sample| sample["recipient_domain"].as_str().unwrap()).collect();
    domains.sort_unstable();
    domains.dedup();
    assert_eq!(domains.len(), 5);
    for outcome in ["expired", "delivered-after-deferral"] {
        assert!(samples.iter().any(|sample| sample["outcome"] == outcome), "{outcome}");
    }
    let log = root().join("sample_reports/delivery/mx1.log");
    assert!(log.exists());
    for sample in samples {
        let history = sample["history"].as_array().unwrap();
        let deferred = history.iter().filter(|line| line["status"] == "deferred").count();
        assert_eq!(deferred as u64, sample["reputation_deferrals"].as_u64().unwrap());
        assert!(sample.get("recipient").is_none(), "recipients are shown only where asked for");
    }
}

#[test]
fn what_is_missing_is_listed_never_made_up() {
    let (status, text, error) = run(store(), &SCOPE);
    assert_eq!(status, 0, "{error}");
    for part in 1..=10 {
        assert!(text.contains(&format!("\n## {part}. ")), "part {part}");
    }
    assert!(text.contains("run: dmarcase check northwind.example --ip 192.0.2.10 |"));
    assert!(text.contains("not stated"));
    let (_, template, _) = run(store(), &["case", "--facts-template"]);
    let folder = tempfile::tempdir().unwrap();
    let facts = folder.path().join("facts.toml");
    std::fs::write(&facts, template).unwrap();
    let full = case(&["--facts", facts.to_str().unwrap()]);
    assert_eq!(full["request"]["account"], "acct-4411");
    assert_eq!(full["actions"]["actions"][0]["what"], "paused segments older than 180 days");
    assert!(!full["dns"]["lookups"][0]["listed"].as_bool().unwrap());
    std::fs::write(&facts, "[case]\nacount = \"x\"\n").unwrap();
    let (status, _, error) = run(store(), &[&SCOPE[..], &["--facts", facts.to_str().unwrap()]].concat());
    assert_eq!(status, 1);
    assert!(error.contains("acount") && error.contains("line 2"), "{error}");
}

#[test]
fn a_listing_makes_a_case_weak() {
    let folder = tempfile::tempdir().unwrap();
    let facts = folder.path().join("facts.toml");
    std::fs::write(&facts, "[lookup]\nproofpoint = { result = \"listed\", checked_at = 2026-11-02T08:00:00Z }\n")
        .unwrap();
    let (status, text, _) = run(store(), &[&SCOPE[..], &["--check", "--facts", facts.to_str().unwrap()]].concat());
    assert_eq!(status, 3);
    assert!(text.starts_with("weak\n"), "{text}");
    let (status, text, _) = run(store(), &[&SCOPE[..], &["--check"]].concat());
    assert_eq!((status, text.lines().next()), (0, Some("arguable")), "{text}");
}

#[test]
fn the_ticket_has_the_fields_of_a_form() {
    let (status, text, error) = run(store(), &[&SCOPE[..], &["--ticket"]].concat());
    assert_eq!(status, 0, "{error}");
    for part in [
        "Subject: Proofpoint 421 reputation deferrals on IP 192.0.2.10",
        "Sender domain: northwind.example.",
        "First observed: 2026-10-26 08:00 UTC.",
        "Affected recipients: 60 of 300 (20.00%)",
        "ipcheck.proofpoint.com",
        "9 expired",
        "deliverability",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.trim_end().lines().filter(|line| !line.is_empty()).count(), 2, "a subject and one paragraph");
}

#[test]
fn text_of_strangers_does_not_break_out() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("s.duckdb");
    let evil = "421 IP_REPUTATION <script>alert(1)</script> | `x` ``` [a](javascript:b) \u{1b}[31m";
    let mut log = String::new();
    for n in 0..25 {
        log += &format!(
            "Nov 24 09:00:01 mx1 postfix/smtp[1]: ABCDE1{n:04}: to=<r{n}@corp{n}.test>, relay=mx{n}.pphosted.com[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host mx{n}.pphosted.com[203.0.113.5] said: {evil})\n"
        );
    }
    let path = folder.path().join("a.log");
    std::fs::write(&path, log).unwrap();
    let (status, _, error) = run(&db, &["delivery", "import", "--year", "2026", path.to_str().unwrap()]);
    assert_eq!(status, 0, "{error}");
    let (status, html, error) = run(&db, &["case", "--domain", "a.example", "--html"]);
    assert_eq!(status, 0, "{error}");
    assert!(!html.contains("<script") && html.contains("&#60;script&#62;"), "escaped, not dropped");
    for forbidden in ["http-equiv=\"refresh\"", "<link", "<img", "src=", "\u{1b}"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    let (_, markdown, _) = run(&db, &["case", "--domain", "a.example"]);
    assert!(!markdown.contains('\u{1b}'));
    for line in markdown.lines().filter(|line| line.starts_with('|')) {
        assert!(!line.contains("<script"), "{line}");
    }
}

#[test]
fn the_page_stands_alone() {
    let (status, html, error) = run(store(), &[&SCOPE[..], &["--html"]].concat());
    assert_eq!(status, 0, "{error}");
    assert!(html.starts_with("<!doctype html>") && html.contains("Content-Security-Policy"));
    assert!(html.matches("<svg").count() >= 3, "deferrals by day, pass rate by week, volume");
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    assert_eq!(html.matches("<table").count(), html.matches("</table>").count());
    assert!(!html.contains("<script"));
    assert!(
        html.contains("<code>dmarcase case --facts-template</code>") && !html.contains('`'),
        "commands are set apart"
    );
}

#[test]
fn a_case_needs_a_domain_and_a_gateway() {
    let (status, _, error) = run(store(), &["case"]);
    assert_eq!(status, 1);
    assert!(error.contains("--domain"), "{error}");
    let (status, _, error) = run(store(), &["case", "--domain", "northwind.example", "--gateway", "acme"]);
    assert_eq!(status, 1);
    assert!(error.contains("proofpoint"), "the known ones are named: {error}");
}
