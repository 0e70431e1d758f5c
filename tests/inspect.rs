//! `inspect`: the tree of an item, its documents, and the outcome; without a store, and on the bytes that one kept.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/schema.rs"]
mod schema;
#[path = "support/unpacking.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use schema::kept;
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
    kept(args, serde_json::from_str(&text(folder, &[&["--format", "json"], args].concat())).unwrap())
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
fn a_report_in_brief_and_its_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let report = "<?xml version=\"1.0\"?>\n<feedback>\n <report_metadata><org_name>Receiver</org_name><report_id>7</report_id>\n\
         <date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata>\n\
         <policy_published><domain>shop.example</domain><p>reject</p></policy_published>\n\
         <record><row><source_ip>192.0.2.1</source_ip><count>3</count>\n\
         <policy_evaluated><disposition>none</disposition><dkim>PASS</dkim><spf>fail</spf></policy_evaluated></row>\n\
         <identifiers><header_from>shop.example</header_from></identifiers><auth_results/></record>\n\
         <record><row><source_ip>192.0.2.2</source_ip><count>1</count>\n\
         <policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>\n\
         <identifiers><header_from>shop.example</header_from></identifiers><auth_results/></record></feedback>\n";
    std::fs::write(folder.path().join("r.xml"), gzip(report.as_bytes())).unwrap();
    let shown = text(folder.path(), &["inspect", "r.xml"]);
    for line in [
        "gzip",
        "└─ XML document",
        "     report 7 of Receiver for shop.example",
        "     2024-03-01 00:00:00 to 2024-03-01 23:59:59 UTC, p=reject, rfc7489",
        "     2 records, 4 messages, 3 pass DMARC (75.00%)",
        "     warning type-mismatch: its name says XML, it holds gzip",
        "outcome: stored, where the store has no report of that identity yet",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "no line {line:?} in\n{shown}");
    }
    // The upper-case result, at its place: the seventh line.
    assert!(shown.contains(" at line 7, column "), "{shown}");
    let answer = json(folder.path(), &["inspect", "r.xml"]);
    let document = &answer["items"][0]["documents"][0];
    assert_eq!(document["report"]["dmarc_pass"], 3);
    assert_eq!(document["report"]["pass_rate"], 0.75);
    assert!(document["warnings"].as_array().unwrap().iter().any(|warning| warning["line"] == 7));
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

/// `--ledger N` shows the bytes of entry N, never others: neither what comes from standard input now nor what lies at its path now.
#[test]
fn an_entry_is_shown_as_it_was_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let one = |subject: &str| format!("From a@b Sat Mar  2 00:20:11 2024\nSubject: {subject}\n\nhello\n\n");
    std::fs::write(folder.path().join("box"), one("a") + &one("b")).unwrap();
    std::fs::write(folder.path().join("m.eml"), "Subject: first\n\nhello\n").unwrap();
    text(folder.path(), &["--quiet", "import", "box", "m.eml"]);
    let entry = |condition: &str| {
        let rows = json(folder.path(), &["sql", &format!("SELECT entry_no FROM ledger WHERE {condition}")]);
        rows[0]["entry_no"].as_u64().unwrap().to_string()
    };
    let (mail, second) = (entry("path = 'm.eml'"), entry("path = 'box' AND member = 2"));
    assert_eq!(json(folder.path(), &["inspect", "--ledger", &mail])["items"][0]["subject"], "first");
    assert_eq!(json(folder.path(), &["inspect", "--ledger", &second])["items"][0]["subject"], "b");
    std::fs::write(folder.path().join("m.eml"), "Subject: second\n\nhello\n").unwrap();
    std::fs::write(folder.path().join("box"), one("a") + &one("c")).unwrap();
    for (entry, remedy) in
        [(&mail, "`dmarcase inspect m.eml` shows"), (&second, "`dmarcase inspect box --member 2` shows")]
    {
        let output = run(folder.path(), &["inspect", "--ledger", entry]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("others lie there now") && told.contains(remedy), "{told}");
    }

    let piped = |args: &[&str], bytes: &str| {
        let input = folder.path().join("input");
        std::fs::write(&input, bytes).unwrap();
        Command::new(env!("CARGO_BIN_EXE_dmarcase"))
            .current_dir(folder.path())
            .env_remove("DMARCASE_CONFIG")
            .env("HOME", folder.path())
            .args(["--db", "store.duckdb"])
            .args(args)
            .stdin(std::fs::File::open(input).unwrap())
            .output()
            .unwrap()
    };
    assert!(piped(&["import", "-"], "Subject: third\n\nhello\n").status.success());
    let output = piped(&["inspect", "--ledger", &entry("path = '-'")], "Subject: something else\n\nhello\n");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("standard input") && told.contains("`dmarcase inspect FILE`"), "{told}");
}
