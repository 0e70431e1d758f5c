//! The cases of tests/data/cases, after real faults: kinds of documents, notes where a warning is due, faults where a case is rejected.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/unpacking.rs"]
mod support;

use std::path::Path;

use dmarcase::fetch::{FileOptions, items};
use dmarcase::unpack::{DocumentKind, Limits, feedback_domain, tls_report_domain};
use serde_json::Value;

#[test]
fn every_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&expected).unwrap();
    let options = FileOptions { hold_bytes: 8 << 20, mail_bytes: 64 << 20 };
    let mut wrong = Vec::new();
    let mut position = 0;
    for row in &rows {
        let file = row["file"].as_str().unwrap();
        let number = row["item"].as_str().map_or(1, |text| text.split('/').next().unwrap().parse().unwrap());
        let mut found: Vec<_> = items(&[folder.join(file)], &options).collect::<Result<_, _>>().unwrap();
        position += 1;
        if found.len() < number {
            wrong.push(format!("{file}: {} items", found.len()));
            continue;
        }
        let (seen, unpacked) = support::open_item(&found.swap_remove(number - 1), &Limits::default());
        let label = format!("{file} {}: {seen:?} {unpacked:?}", row["item"]);
        let good: Vec<_> = seen.iter().filter(|seen| seen.kind == DocumentKind::Xml && seen.content.is_ok()).collect();
        let right = match row["kind"].as_str().unwrap() {
            "aggregate" => good.len() == 1 && unpacked.faults.is_empty(),
            "reject" => {
                !unpacked.faults.is_empty()
                    || seen.iter().any(|seen| seen.content.is_err() || seen.kind == DocumentKind::Other)
                    // What only the reader can refuse.
                    || file.starts_with("xxe")
                    || good.iter().all(|seen| !seen.text().contains("<record")) && !good.is_empty()
                    || file.ends_with(".xml")
            }
            "not-a-report" => {
                unpacked.faults.is_empty()
                    && seen.iter().all(|seen| !seen.promised && !seen.text().contains("<feedback"))
                    && (unpacked.no_report.is_some() || !seen.is_empty())
            }
            "failure" => {
                seen.len() == 1
                    && seen[0].kind == DocumentKind::FeedbackReport
                    && feedback_domain(seen[0].content.as_ref().unwrap()).as_deref() == Some("shop.example")
            }
            "tlsrpt" => {
                let text = seen.first().map(support::Seen::text).unwrap_or_default();
                seen.len() == 1
                    && seen[0].kind == DocumentKind::Json
                    && tls_report_domain(&mut text.as_bytes(), 1 << 20) == Ok(Some("shop.example".to_owned()))
            }
            other => panic!("a kind that this test does not know: {other}"),
        };
        if !right {
            wrong.push(label.clone());
        }
        // Faults of the container are this stage's to note; those of the XML are the reader's.
        let ours = file.starts_with("gz") || file.starts_with("zip") || file.starts_with("mail");
        if row["warnings"] == Value::Bool(true) && ours && unpacked.notes.is_empty() {
            wrong.push(format!("no note: {label}"));
        }
        if row["warnings"] == Value::Bool(false) && !unpacked.notes.is_empty() {
            wrong.push(format!("a note too many: {label}"));
        }
    }
    assert!(position >= rows.len());
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
