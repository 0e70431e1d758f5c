//! Every XML case of tests/data/cases, the collection of reporters' faults, read as its expected answer says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod reader_support;

use std::io::Read as _;
use std::path::PathBuf;

use dmarcase::parse::{Reading, Report};
use reader_support::read;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases")
}

/// The document in a case file: the file itself, or what its gzip holds. Containers proper are `unpack`'s to test.
fn document(name: &str) -> Option<Vec<u8>> {
    if name.starts_with("bomb-") {
        return None;
    }
    let bytes = std::fs::read(folder().join(name)).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return (name.ends_with(".xml")).then_some(bytes);
    }
    let mut xml = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut xml).ok()?;
    Some(xml)
}

fn words<T: std::fmt::Display>(values: impl IntoIterator<Item = Option<T>>) -> Value {
    values.into_iter().map(|v| v.map(|v| v.to_string())).collect()
}

fn results(report: &Report) -> impl Iterator<Item = &dmarcase::parse::Results> + Clone {
    report.records.iter().map(|r| &*report.results[r.results as usize])
}

fn check(row: &Value, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |key: &str, got: Value| {
        if let Some(want) = row.get(key)
            && *want != got
        {
            wrong.push(format!("{key}: want {want}, got {got}"));
        }
    };
    if row.get("org_any_of").is_none() {
        same("org", report.metadata.reporter.clone().into());
    }
    same("report_id", report.metadata.report_id.clone().into());
    same("domain", report.policy.domain.as_deref().into());
    same("begin", report.metadata.begin.into());
    same("end", report.metadata.end.into());
    same("records", report.records.len().into());
    same("messages", report.messages().into());
    same("dmarc_pass_messages", report.pass_messages().into());
    same("dispositions", words(results(report).map(|r| r.disposition)));
    same("dkim_auth", results(report).map(|r| words(r.dkim.iter().map(|d| d.result))).collect());
    same("spf_auth", results(report).map(|r| words(r.spf.iter().map(|s| s.result))).collect());
    same("header_from", words(results(report).map(|r| r.header_from.as_deref())));
    same("reasons", results(report).map(|r| words(r.reasons.iter().map(|r| r.kind.as_deref()))).collect());
    same("source_ips", words(report.records.iter().map(|r| r.source)));
    same("counts", report.records.iter().map(|r| r.messages).collect());
    for (key, want) in row.get("policy").and_then(Value::as_object).into_iter().flatten() {
        let policy = &report.policy;
        let got = match key.as_str() {
            "p" => words([policy.p]),
            "sp" => words([policy.sp]),
            "np" => words([policy.np]),
            "adkim" => words([policy.adkim]),
            "aspf" => words([policy.aspf]),
            "testing" => words([policy.testing.map(|t| if t { "y" } else { "n" })]),
            "discovery_method" => words([policy.discovery_method.as_deref()]),
            "pct" => [policy.pct].into_iter().collect(),
            other => panic!("a policy value that this test does not know: {other}"),
        };
        if got[0] != *want {
            wrong.push(format!("policy {key}: want {want}, got {}", got[0]));
        }
    }
    if let Some(any) = row.get("org_any_of").and_then(Value::as_array)
        && !any.contains(&report.metadata.reporter.clone().into())
    {
        wrong.push(format!("org: want one of {any:?}, got {:?}", report.metadata.reporter));
    }
    match row.get("warnings").and_then(Value::as_bool) {
        Some(true) if report.warnings.is_empty() => wrong.push("no warning".to_owned()),
        Some(false) if !report.warnings.is_empty() => wrong.push(format!("warnings: {:?}", report.warnings)),
        _ => {}
    }
    for warning in &report.warnings {
        if warning.text.is_empty() || warning.code.is_empty() {
            wrong.push(format!("a warning without words: {warning:?}"));
        }
    }
    wrong
}

#[test]
fn every_case_reads_as_expected() {
    let json = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for row in &rows {
        let name = row["file"].as_str().unwrap();
        // Mails, zips and bombs are the unpacker's.
        let Some(content) = document(name) else { continue };
        // Faults of the container alone: the document inside is fine.
        let container = ["gz-trailing-crlf.xml.gz", "gz-inside-xml-name.xml"].contains(&name);
        checked += 1;
        let mut row = row.clone();
        if container {
            row["warnings"] = Value::Null;
        }
        match (row["kind"].as_str().unwrap(), read(&content)) {
            ("aggregate", Reading::Report(report)) => {
                wrong.extend(check(&row, &report).into_iter().map(|w| format!("{name}: {w}")));
            }
            // A container named like a report that holds no XML at all: the pipeline knows its name, the reader says why.
            ("reject", Reading::NotAReport(why)) if name == "gz-says-unused.xml.gz" => {
                assert!(why.contains("unused"), "{why}");
            }
            ("reject", Reading::Rejected(rejection)) => {
                if name.starts_with("xxe") && !rejection.text.contains("ENTITY who") {
                    wrong.push(format!("{name}: the reason does not name the entity: {rejection}"));
                }
            }
            (kind, reading) => wrong.push(format!("{name}: want {kind}, got {reading:?}")),
        }
    }
    assert!(checked > 35, "only {checked} cases checked");
    assert!(wrong.is_empty(), "{} of {checked} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_same_report_sent_again_has_the_same_keys() {
    let [one, again, other] = ["dup-reporter-one.xml", "dup-sent-again.xml.gz", "dup-reporter-two.xml"]
        .map(|name| reader_support::report(&document(name).unwrap()));
    assert_eq!((one.report_key(), one.content_key()), (again.report_key(), again.content_key()));
    assert_ne!(one.report_key(), other.report_key());
}
