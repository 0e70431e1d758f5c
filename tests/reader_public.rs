//! Reports that nobody here wrote: every field as their publisher reads it, and known reporters by hand-picked values.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod reader_support;

use std::path::PathBuf;

use dmarcase::parse::{AuthResult, Disposition, PolicyWord, Report, Results, SchemaVariant};
use reader_support::report;
use serde_json::Value;

fn folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/public").join(name);
    if !folder.exists() {
        eprintln!("SKIPPED: {} is not there, reports that others published were not read", folder.display());
        return None;
    }
    Some(folder)
}

fn results(report: &Report, record: usize) -> &Results {
    &report.results[report.records[record].results as usize]
}

/// The publisher's word for a value: `TempError` is our `temperror`; unknown is `Unspecified`.
fn word<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or("unspecified".to_owned(), |v| v.to_string())
}

fn theirs(value: &Value) -> String {
    value.as_str().unwrap_or("unspecified").to_lowercase()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|t| !t.is_empty())
}

fn compare(name: &str, ours: &Report, json: &Value) {
    let meta = &json["report_metadata"];
    assert_eq!(ours.metadata.reporter.as_deref(), text(&meta["org_name"]), "{name}");
    assert_eq!(ours.metadata.email.as_deref(), text(&meta["email"]), "{name}");
    assert_eq!(ours.metadata.extra_contact.as_deref(), text(&meta["extra_contact_info"]), "{name}");
    assert_eq!(ours.metadata.report_id.as_deref(), text(&meta["report_id"]), "{name}");
    assert_eq!(ours.metadata.begin, meta["date_range"]["begin"].as_i64(), "{name}");
    assert_eq!(ours.metadata.end, meta["date_range"]["end"].as_i64(), "{name}");
    let errors: Vec<&str> = meta["error"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(ours.metadata.errors, errors, "{name}");
    let policy = &json["policy_published"];
    assert_eq!(ours.policy.domain.as_deref(), text(&policy["domain"]), "{name}");
    assert_eq!(word(ours.policy.p), theirs(&policy["p"]), "{name}");
    assert_eq!(word(ours.policy.sp), theirs(&policy["sp"]), "{name}");
    let mode = |m: Option<dmarcase::parse::Alignment>| match m.map(|m| m.word()) {
        Some("r") => "relaxed",
        Some(_) => "strict",
        None => "unspecified",
    };
    assert_eq!(mode(ours.policy.adkim), theirs(&policy["adkim"]), "{name}");
    assert_eq!(mode(ours.policy.aspf), theirs(&policy["aspf"]), "{name}");
    assert_eq!(ours.policy.fo.as_deref(), text(&policy["fo"]), "{name}");
    assert_eq!(ours.policy.testing.unwrap_or(false), policy["testing"].as_bool().unwrap_or(false), "{name}");
    let records = json["record"].as_array().unwrap();
    assert_eq!(ours.records.len(), records.len(), "{name}");
    for (n, theirs_record) in records.iter().enumerate() {
        let (record, got) = (ours.records[n], results(ours, n));
        let row = &theirs_record["row"];
        assert_eq!(record.source.map(|s| s.to_string()).as_deref(), text(&row["source_ip"]), "{name}");
        assert_eq!(record.messages, row["count"].as_u64(), "{name}");
        let evaluated = &row["policy_evaluated"];
        assert_eq!(word(got.disposition), theirs(&evaluated["disposition"]), "{name}");
        let verdict = |v: Option<bool>| word(v.map(|v| if v { "pass" } else { "fail" }));
        assert_eq!(verdict(got.dkim_aligned), theirs(&evaluated["dkim"]), "{name}");
        assert_eq!(verdict(got.spf_aligned), theirs(&evaluated["spf"]), "{name}");
        let reasons: Vec<_> = evaluated["reason"].as_array().into_iter().flatten().collect();
        assert_eq!(got.reasons.len(), reasons.len(), "{name}");
        for (ours, reason) in got.reasons.iter().zip(reasons) {
            let kind = ours.kind.as_deref().unwrap_or_default().replace('_', "");
            // Their list is RFC 9990's: the two types that only RFC 7489 has read as "other".
            let kind = if ["sampledout", "forwarded"].contains(&&*kind) { "other" } else { &kind };
            assert_eq!(kind, theirs(&reason["type_"]), "{name}");
            assert_eq!(ours.comment.as_deref(), text(&reason["comment"]), "{name}");
        }
        let names = &theirs_record["identifiers"];
        assert_eq!(got.header_from.as_deref(), text(&names["header_from"]), "{name}");
        assert_eq!(got.envelope_from.as_deref().filter(|e| !e.is_empty()), text(&names["envelope_from"]), "{name}");
        assert_eq!(got.envelope_to.as_deref(), text(&names["envelope_to"]), "{name}");
        let auth = &theirs_record["auth_results"];
        let dkim: Vec<_> = auth["dkim"].as_array().into_iter().flatten().collect();
        assert_eq!(got.dkim.len(), dkim.len(), "{name}");
        for (ours, dkim) in got.dkim.iter().zip(dkim) {
            assert_eq!(ours.domain.as_deref(), text(&dkim["domain"]), "{name}");
            assert_eq!(ours.selector.as_deref(), text(&dkim["selector"]), "{name}");
            assert_eq!(word(ours.result), theirs(&dkim["result"]), "{name}");
            assert_eq!(ours.human_result.as_deref(), text(&dkim["human_result"]), "{name}");
        }
        let spf: Vec<_> = auth["spf"].as_array().into_iter().flatten().collect();
        assert_eq!(got.spf.len(), spf.len(), "{name}");
        for (ours, spf) in got.spf.iter().zip(spf) {
            assert_eq!(ours.domain.as_deref(), text(&spf["domain"]), "{name}");
            let scope = ours.scope.as_deref().map(|s| if s == "mfrom" { "mailfrom" } else { s });
            assert_eq!(word(scope), theirs(&spf["scope"]), "{name}");
            assert_eq!(word(ours.result), theirs(&spf["result"]), "{name}");
        }
    }
}

#[test]
fn every_field_is_as_the_publisher_reads_it() {
    let Some(folder) = folder("feedback-a") else { return };
    for name in ["001", "002", "003", "004", "005"] {
        let xml = std::fs::read(folder.join(name).with_extension("xml")).unwrap();
        let json = std::fs::read(folder.join(name).with_extension("json")).unwrap();
        compare(name, &report(&xml), &serde_json::from_slice(&json).unwrap());
    }
}

#[test]
fn known_reporters_read_well() {
    let Some(folder) = folder("feedback-b") else { return };
    let read = |name: &str| report(&std::fs::read(folder.join(name)).unwrap());
    for name in ["acme", "aol", "gmxnet", "google", "mailru", "outlook", "solamora", "webde", "yahoo"] {
        let report = read(&format!("{name}.xml"));
        assert_eq!(report.warnings, [], "{name}");
    }
    let acme = read("acme.xml");
    assert_eq!(acme.metadata.errors, ["There was a sample error."]);
    assert_eq!(results(&acme, 0).envelope_to.as_deref(), Some("acme.com"));
    assert_eq!(results(&acme, 0).reasons[0].kind.as_deref(), Some("other"));
    let gmx = read("gmxnet.xml");
    assert_eq!((gmx.variant, gmx.policy.testing), (SchemaVariant::Rfc9990, Some(false)));
    assert_eq!(gmx.policy.discovery_method.as_deref(), Some("psl"));
    let google = read("google.xml");
    assert_eq!((google.policy.np, google.policy.pct), (Some(PolicyWord::Reject), Some(100)));
    let mailru = read("mailru.xml");
    assert_eq!(results(&mailru, 0).disposition, Some(Disposition::Reject));
    assert_eq!((results(&mailru, 0).spf[0].result, mailru.pass_messages()), (Some(AuthResult::Softfail), 0));
    let outlook = read("outlook.xml");
    assert_eq!((outlook.messages(), outlook.pass_messages(), outlook.results.len()), (3, 3, 2));
    let hardfail = read("hardfail.xml");
    assert_eq!(results(&hardfail, 0).spf[0].result, Some(AuthResult::Fail));
    assert_eq!(results(&hardfail, 0).dkim[0].domain, None);
    assert!(hardfail.warnings.iter().any(|w| w.text.contains("hardfail")));
}
