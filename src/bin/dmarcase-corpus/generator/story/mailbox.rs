//! How the reports of the story lie on disk: an mbox, a maildir, single mails, weekly archives, bare files.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::mail::{ReportMail, report_mail, to_mbox};
use super::super::pack::{gzip, pack, zip_of};
use super::super::report::write_report;
use super::plan::{oct, sep};
use super::{DAY, Planned, StoryFile, damaged, other, reports};

const RUA: &str = "dmarc@northwind.example";

/// Returns every file of `rua/`.
pub(super) fn files() -> Result<Vec<StoryFile>> {
    let mut files = BTreeMap::new();
    let mut mbox = Vec::new();
    let mut weeks: BTreeMap<u8, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for (number, report) in (1..).zip(reports()) {
        let submitter = report.reporter.submitter;
        match submitter {
            "big-search.example" => to_mbox(&mut mbox, &mail(&report, number, 0)?, sent(&report, 0)),
            "enterprise-post.example" => {
                let stem = report.head().stem(None);
                let member = gzip(&format!("{stem}.xml"), &report.xml())?;
                weeks.entry(report.day / 7).or_default().push((format!("{stem}.xml.gz"), member));
            }
            "home-post.example" => {
                // A mail client has seen the older ones.
                let folder = if report.day <= sep(30) { "cur" } else { "new" };
                let name = format!("rua/maildir/{folder}/{}.M{number:06}.mx", sent(&report, 0));
                files.insert(name, mail(&report, number, 0)?);
            }
            "cloud-relay.example" | "freundpost.example" | "behoerdenpost.example" => {
                let name = |again| format!("rua/mails/{}-{}{again}.eml", date(report.day), first_label(submitter));
                files.insert(name(""), mail(&report, number, 0)?);
                if submitter == "cloud-relay.example" && report.day == oct(14) {
                    files.insert(name("-sent-again"), mail(&report, number + 5_000, 7_200)?);
                }
            }
            _ => {
                let packed = pack(&report.head().stem(None), report.reporter.container, &report.xml())?;
                if submitter == "mail-shield.example" && report.day == oct(8) {
                    files.insert(format!("rua/files/other-{}", packed.name), conflicting(&report)?);
                }
                files.insert(format!("rua/files/{}", packed.name), packed.bytes);
            }
        }
    }
    files.insert("rua/big-search.mbox".to_owned(), mbox);
    for (week, members) in weeks {
        files.insert(format!("rua/enterprise-post/2026-w{}.zip", 39 + week), zip_of(&members)?);
    }
    let cut_off = damaged();
    let mut packed = pack(&cut_off.head().stem(None), cut_off.reporter.container, &cut_off.xml())?;
    packed.bytes.truncate(packed.bytes.len() * 3 / 5);
    files.insert(format!("rua/files/{}", packed.name), packed.bytes);
    for (name, bytes) in other::mails(RUA)? {
        files.insert(format!("rua/maildir/new/{name}"), bytes);
    }
    Ok(files.into_iter().map(|(path, bytes)| StoryFile { path, bytes }).collect())
}

fn sent(report: &Planned, later: i64) -> i64 {
    report.end + 3_600 + i64::from(report.day) * 97 % 7_000 + later
}

fn mail(report: &Planned, number: u64, later: i64) -> Result<Vec<u8>> {
    let head = report.head();
    let packed = pack(&head.stem(None), report.reporter.container, &report.xml())?;
    let single = report.reporter.submitter == "big-search.example";
    Ok(report_mail(&ReportMail { head: &head, packed: &packed, to: RUA, sent: sent(report, later), number, single }))
}

/// The same report with one more message in its first record.
fn conflicting(report: &Planned) -> Result<Vec<u8>> {
    let mut records = report.records.clone();
    if let Some(first) = records.first_mut() {
        first.count += 1;
    }
    let mut xml = Vec::new();
    write_report(&mut xml, &report.head(), &records);
    gzip(&format!("{}.xml", report.head().stem(None)), &xml)
}

fn date(day: u8) -> String {
    let at = super::START + i64::from(day) * DAY;
    chrono::DateTime::from_timestamp(at, 0).unwrap_or_default().format("%Y-%m-%d").to_string()
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
