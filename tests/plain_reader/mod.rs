//! A second reader for tests: plain text search over what the generator writes, sharing no code with the program.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

/// One record, as far as figures need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) source: String,
    pub(crate) count: u64,
    pub(crate) disposition: String,
    pub(crate) dkim: bool,
    pub(crate) spf: bool,
    pub(crate) header_from: String,
    pub(crate) reasons: Vec<String>,
    /// Domain, selector, result.
    pub(crate) dkim_results: Vec<[String; 3]>,
    /// Domain, result.
    pub(crate) spf_results: Vec<[String; 2]>,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) reporter: String,
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) begin: i64,
    pub(crate) end: i64,
    pub(crate) p: String,
    pub(crate) sp: String,
    pub(crate) testing: String,
    pub(crate) error: String,
    pub(crate) records: Vec<Record>,
}

impl Report {
    /// Reporter, id, domain and period: what makes two copies one report.
    pub(crate) fn identity(&self) -> (String, String, String, i64, i64) {
        (self.reporter.clone(), self.id.clone(), self.domain.clone(), self.begin, self.end)
    }

    /// Days from 1970 to the UTC day of the middle of the period.
    pub(crate) fn day(&self) -> i64 {
        (self.begin + self.end) / 2 / 86_400
    }
}

/// Every file below a folder in the order of paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The documents in the bytes of a file, containers open; a damaged container is an error.
pub(crate) fn documents(bytes: &[u8]) -> Vec<Result<Vec<u8>, String>> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut out = Vec::new();
        return match flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out) {
            Ok(_) => documents(&out),
            Err(error) => vec![Err(error.to_string())],
        };
    }
    if bytes.starts_with(b"PK") {
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        return (0..zip.len())
            .flat_map(|number| {
                let mut out = Vec::new();
                zip.by_index(number).unwrap().read_to_end(&mut out).unwrap();
                documents(&out)
            })
            .collect();
    }
    if bytes.starts_with(b"From ") {
        let text = std::str::from_utf8(bytes).unwrap();
        return text.split("\nFrom MAILER-DAEMON").flat_map(|mail| documents(&encoded(mail))).collect();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("Content-Transfer-Encoding: base64") => documents(&encoded(text)),
        _ => vec![Ok(bytes.to_vec())],
    }
}

/// The first base64 part of a mail, decoded.
fn encoded(mail: &str) -> Vec<u8> {
    let Some((_, part)) = mail.split_once("Content-Transfer-Encoding: base64") else { return Vec::new() };
    let lines = part.lines().skip_while(|line| line.is_empty());
    let block: String = lines.take_while(|line| !line.is_empty() && !line.starts_with("--")).collect();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0u32;
    let mut held = 0;
    let mut out = Vec::new();
    for letter in block.trim_end_matches('=').chars() {
        bits = bits << 6 | alphabet.find(letter).unwrap() as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

/// Every aggregate report in some files, first copy of each identity, with how many came again.
pub(crate) fn reports(paths: &[PathBuf]) -> (Vec<Report>, u64) {
    let mut seen = BTreeMap::new();
    let mut reports = Vec::new();
    let mut again = 0;
    for path in paths {
        for document in documents(&std::fs::read(path).unwrap()).into_iter().flatten() {
            let Ok(text) = String::from_utf8(document) else { continue };
            if !text.contains("<feedback") {
                continue;
            }
            let report = read(&text);
            if seen.insert(report.identity(), ()).is_some() {
                again += 1;
            } else {
                reports.push(report);
            }
        }
    }
    (reports, again)
}

/// The text of the first element of a name, entities resolved; empty where there is none.
fn text(within: &str, name: &str) -> String {
    let inside = between(within, name).first().copied().unwrap_or_default();
    inside.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn between<'a>(within: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    within.split(open.as_str()).skip(1).filter_map(|rest| rest.split(close.as_str()).next()).collect()
}

fn read(xml: &str) -> Report {
    let number = |name| text(xml, name).parse().unwrap();
    let policy = between(xml, "policy_published")[0];
    Report {
        reporter: text(xml, "org_name"),
        id: text(xml, "report_id"),
        domain: text(policy, "domain"),
        begin: number("begin"),
        end: number("end"),
        p: text(policy, "p"),
        sp: text(policy, "sp"),
        testing: text(policy, "testing"),
        error: text(xml, "error"),
        records: between(xml, "record").into_iter().map(record).collect(),
    }
}

fn record(xml: &str) -> Record {
    let evaluated = between(xml, "policy_evaluated")[0];
    let results = between(xml, "auth_results")[0];
    Record {
        source: text(xml, "source_ip"),
        count: text(xml, "count").parse().unwrap(),
        disposition: text(evaluated, "disposition"),
        dkim: text(evaluated, "dkim") == "pass",
        spf: text(evaluated, "spf") == "pass",
        header_from: text(xml, "header_from"),
        reasons: between(evaluated, "type").into_iter().map(str::to_owned).collect(),
        dkim_results: between(results, "dkim")
            .into_iter()
            .map(|d| [text(d, "domain"), text(d, "selector"), text(d, "result")])
            .collect(),
        spf_results: between(results, "spf").into_iter().map(|s| [text(s, "domain"), text(s, "result")]).collect(),
    }
}

/// The figures of a policy domain, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) reports: u64,
    pub(crate) records: u64,
    pub(crate) messages: u64,
    pub(crate) dmarc_pass: u64,
    pub(crate) dkim_aligned: u64,
    pub(crate) spf_aligned: u64,
    pub(crate) quarantined: u64,
    pub(crate) rejected: u64,
    pub(crate) sources: std::collections::BTreeSet<String>,
}

/// Counts reports by policy domain.
pub(crate) fn by_domain(reports: &[Report]) -> BTreeMap<String, Counted> {
    let mut domains: BTreeMap<String, Counted> = BTreeMap::new();
    for report in reports {
        let row = domains.entry(report.domain.clone()).or_default();
        row.reports += 1;
        for record in &report.records {
            let n = |wanted: bool| if wanted { record.count } else { 0 };
            row.records += 1;
            row.messages += record.count;
            row.dmarc_pass += n(record.dkim || record.spf);
            row.dkim_aligned += n(record.dkim);
            row.spf_aligned += n(record.spf);
            row.quarantined += n(record.disposition == "quarantine");
            row.rejected += n(record.disposition == "reject");
            row.sources.insert(record.source.clone());
        }
    }
    domains
}
