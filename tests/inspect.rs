//! `inspect`: the tree of an item, its documents, and the outcome; without a store, and on the bytes that one kept.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/unpacking.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::{NAME, SUBJECT, base64, gzip, gzip_head, mail};

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dmarcase"))
        .current_dir(folder)
        .env_remove("DMARCASE_CONFIG")
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("HOME", folder)
        .args(["--db", "store.duckdb"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn text(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&text(folder, &[&["--format", "json"], args].concat())).unwrap()
}

/// A mail with a gzip that is cut off, a TLS report and a greeting.
fn mixed() -> String {
    let packed = gzip(b"<feedback>".repeat(50).as_slice());
    let tls = br#"{"report-id":"1","policies":[{"policy":{"policy-domain":"shop.example"}}]}"#;
    let tls_head = "Content-Type: application/tlsrpt+json\r\nContent-Transfer-Encoding: base64";
    mail(
        SUBJECT,
        &[
            ("Content-Type: text/plain", "hello"),
            (&gzip_head(), &base64(&packed[..packed.len() - 9])),
            (tls_head, &base64(tls)),
        ],
    )
}

#[test]
fn a_mail_as_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.eml"), mixed()).unwrap();
    let shown = text(folder.path(), &["inspect", "m.eml"]);
    for line in [
        "from: dmarc@receiver.example",
        &format!("subject: {SUBJECT}"),
        "date: 2024-03-02T00:20:00+00:00",
        "mail",
        "└─ multipart/mixed",
        "   ├─ part 1: text/plain, passed over",
        &format!("   ├─ {NAME}: gzip"),
        "   │  └─ XML document",
        "   └─ part 3: JSON document",
        "        tls-report about shop.example",
        "outcome: rejected, tls-report",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "no line {line:?} in\n{shown}");
    }
    assert!(shown.contains("rejected (gzip-damaged): gzip: the data is cut off at byte"), "{shown}");
    assert!(!folder.path().join("store.duckdb").exists(), "inspect made a store");
}

#[test]
fn the_same_as_json_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.eml"), mixed()).unwrap();
    let answer = json(folder.path(), &["inspect", "m.eml"]);
    let item = &answer["items"][0];
    assert_eq!(item["origin"], "m.eml");
    assert_eq!(item["from"], "dmarc@receiver.example");
    assert_eq!(item["date"], "2024-03-02T00:20:00Z");
    assert_eq!(item["outcomes"], json!(["rejected", "tls-report"]));
    assert_eq!(item["documents"][0]["code"], "gzip-damaged");
    assert_eq!(item["documents"][0]["place"], format!("part 2, {NAME}"));
    assert_eq!(item["documents"][1]["subject_domain"], "shop.example");
    assert_eq!(
        item["tree"][2],
        json!({"level": 2, "place": "part 1", "what": "text/plain, passed over", "document": false})
    );
    let table = text(folder.path(), &["--format", "csv", "inspect", "m.eml"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("origin,place,outcome,code,reason,reporter,report_id,"), "{table}");
}

#[test]
fn an_mbox_shows_some_or_one() {
    let folder = tempfile::tempdir().unwrap();
    let one = |subject: &str| format!("From a@b Sat Mar  2 00:20:11 2024\nSubject: {subject}\n\nhello\n\n");
    std::fs::write(folder.path().join("box"), one("a") + &one("b") + &one("c")).unwrap();
    let subjects = |args: &[&str]| {
        let answer = json(folder.path(), &[&["inspect", "box"], args].concat());
        let items = answer["items"].as_array().unwrap();
        (
            items.iter().map(|item| item["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            answer["more"].as_bool().unwrap(),
        )
    };
    assert_eq!(subjects(&[]), (vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], false));
    assert_eq!(subjects(&["--limit", "2"]), (vec!["a".to_owned(), "b".to_owned()], true));
    assert_eq!(subjects(&["--member", "3"]), (vec!["c".to_owned()], false));
    let output = run(folder.path(), &["inspect", "box", "--member", "4"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("box has no item 4"));
    assert!(text(folder.path(), &["inspect", "box"]).contains("not-a-report: no attachment that could be a report"));
}

#[test]
fn what_the_ledger_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.eml");
    std::fs::write(&path, mixed()).unwrap();
    text(folder.path(), &["--quiet", "import", "m.eml"]);
    let before = json(folder.path(), &["inspect", "m.eml"]);
    // The bytes come from the store: the file is gone.
    std::fs::remove_file(&path).unwrap();
    let rows = json(folder.path(), &["sql", "SELECT entry_no FROM ledger WHERE outcome = 'rejected'"]);
    let entry = rows[0]["entry_no"].as_u64().unwrap().to_string();
    assert_eq!(json(folder.path(), &["inspect", "--ledger", &entry]), before);
    for (args, words) in [
        (&["inspect", "--ledger", "999"][..], "no entry 999 in the ledger"),
        (&["inspect", "missing.eml"], "no such file or folder"),
        (&["inspect"], "required"),
    ] {
        let output = run(folder.path(), args);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{args:?} {output:?}");
    }
}
