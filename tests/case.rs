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
    let deferrals = rows.as_array().unwrap().iter().filter(|row| row["status"] == "deferred");
    let all: u64 = deferrals.map(|row| row["attempts"].as_u64().unwrap()).sum();
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
        let start = text.find(&format!(" {command} --domain ")).unwrap_or_else(|| panic!("{command}: {text}"));
        let line = text[start + 1..].split('`').next().unwrap().trim();
        // The store and the config of the case, which `run` names as well.
        assert!(text[..start].ends_with(&format!("--db {}", store().display())), "{command}: {text}");
        let words: Vec<&str> = line.split(' ').map(|word| word.trim_matches('\'')).collect();
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
    assert!(text.contains(" check northwind.example --ip 192.0.2.10 |"));
    assert!(text.contains("not stated"));
    let (_, template, _) = run(store(), &["case", "--facts-template"]);
    let folder = tempfile::tempdir().unwrap();
    let facts = folder.path().join("facts.toml");
    // As it is printed it says nothing: no example becomes a fact.
    std::fs::write(&facts, &template).unwrap();
    let (as_printed, without) = (case(&["--facts", facts.to_str().unwrap()]), case(&[]));
    for part in ["request", "readiness", "dns", "actions", "missing"] {
        assert_eq!(as_printed[part], without[part], "{part}");
    }
    let filled = |line: &str| {
        let shown = line.strip_prefix("# ").filter(|key| key.contains(" = ") || key.starts_with("[["));
        format!("{}\n", shown.unwrap_or(line))
    };
    let whole = template.lines().map(filled).collect::<String>();
    std::fs::write(&facts, &whole).unwrap();
    let (status, _, error) = run(store(), &[&SCOPE[..], &["--facts", facts.to_str().unwrap()]].concat());
    assert_eq!(status, 1);
    assert!(error.contains("about a.example, and the case is about northwind.example"), "{error}");
    std::fs::write(&facts, whole.replace("domain = \"a.example\"", "domain = \"northwind.example\"")).unwrap();
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

/// Domains and addresses of a log are anybody's text: a command that the case quotes runs nothing but dmarcase in a shell.
#[test]
fn commands_of_a_case_run_nothing_of_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("s.duckdb");
    let mut table = "attempt_time,message_id,recipient,source_ip,status,response,relay_host,envelope_from\n".to_owned();
    for (n, sender) in [
        "b@$(touch pwned).x.example",
        "b@`touch pwned`.x.example",
        "b@x.example;touch pwned",
        "b@-o.x.example",
        "b@m_1.x.example",
    ]
    .iter()
    .enumerate()
    {
        let source = if n == 0 { "$(touch pwned)" } else { "192.0.2.10" };
        table += &format!(
            "2026-11-24T09:40:01Z,<m{n}@x.example>,r{n}@corp.test,{source},deferred,421 IP_REPUTATION,mx0a-0011aa01.pphosted.com,{sender}\n"
        );
    }
    let path = folder.path().join("a.csv");
    std::fs::write(&path, table).unwrap();
    let (status, _, error) = run(&db, &["delivery", "import", path.to_str().unwrap()]);
    assert_eq!(status, 0, "{error}");
    let (status, markdown, error) = run(&db, &["case", "--domain", "x.example", "--gateway", "proofpoint"]);
    assert_eq!(status, 0, "{error}");
    let unescaped = markdown.replace('\\', "");
    assert!(unescaped.contains(" check m_1.x.example --no-blocklists`"), "{unescaped}");
    let checks = unescaped.lines().filter(|line| line.contains("| `dmarcase ") && line.contains(" check ")).count();
    assert_eq!(checks, 2, "the case's domain and the one name: {unescaped}");
    assert!(unescaped.contains("no command: it is neither a domain nor an address"));
    // Every command, run by a shell that has a dmarcase which only shows its words.
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    let stub = folder.path().join("bin/dmarcase");
    std::fs::write(&stub, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    std::fs::set_permissions(&stub, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut shown = String::new();
    for line in markdown.lines() {
        let command = match (line.strip_prefix("Reproduce: "), line.split_once("run: dmarcase ")) {
            // A fence longer than any run of backticks inside.
            (Some(fenced), _) => fenced.trim_start_matches('`').trim_end_matches('`').trim().to_owned(),
            (_, Some((_, rest))) => format!("dmarcase {}", rest.split(" |").next().unwrap().replace('\\', "")),
            _ => continue,
        };
        if !command.starts_with("dmarcase ") {
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display()))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        shown += &String::from_utf8(output.stdout).unwrap();
    }
    assert!(shown.contains("\n--ip\n$(touch pwned)\n"), "one word, as the log has it: {shown}");
    assert!(!folder.path().join("pwned").exists());
    let (status, _, error) = run(&db, &["check", "$(id).x.example"]);
    assert_eq!(status, 2);
    assert!(error.contains("is no domain"), "{error}");
}

/// A case is written whole in place of the one before, or not at all.
#[test]
fn a_case_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("case.md"), folder.path().join("link.md"));
    std::fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let held = std::fs::File::open(&file).unwrap();
    let (status, _, error) = run(store(), &[&SCOPE[..], &["-o", link.to_str().unwrap()]].concat());
    assert_eq!(status, 0, "{error}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("# Case"));
    assert!(link.is_symlink());
    assert_eq!(std::io::read_to_string(held).unwrap(), "old", "what a reader has open stays whole");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    let missing = folder.path().join("none/case.md");
    let (status, _, error) = run(store(), &[&SCOPE[..], &["-o", missing.to_str().unwrap()]].concat());
    assert_eq!(status, 1);
    assert!(error.contains("none/case.md"), "{error}");
}

/// The method names the list that is compiled in: the version of the lock file.
#[test]
fn the_method_names_the_suffix_list() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let packages: toml::Table = lock.parse().unwrap();
    let psl = packages["package"].as_array().unwrap().iter().find(|one| one["name"].as_str() == Some("psl")).unwrap();
    let case = case(&["--gateway", "proofpoint"]);
    assert_eq!(case["method"]["suffix_list"], format!("psl {}", psl["version"].as_str().unwrap()));
}
