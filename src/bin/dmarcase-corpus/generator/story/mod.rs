//! The sample story: `northwind.example`, six weeks of reports up to the day of its escalation.

mod mailbox;
mod other;
mod plan;

use anyhow::Result;

use super::report::{Dkim, Head, Policy, Record, Reporter, Shape, Spf, write_report};
use super::reporters::{BEHOERDENPOST, CABLE_ISP, ENTERPRISE_POST, QUICK_MAIL};
use super::rng::Rng;

use plan::{LAST, NEWS, NORTHWIND, PARKED, PLAN, REPORTERS, START, Stream, oct};

/// One file of the story.
pub(crate) struct StoryFile {
    /// Path below `sample_reports`, with `/`.
    pub(crate) path: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

const DAY: i64 = 86_400;

/// Returns every generated file of `sample_reports`, in the order of paths.
pub(crate) fn files() -> Result<Vec<StoryFile>> {
    let mut files = super::delivery::files()?;
    files.extend(mailbox::files()?);
    Ok(files)
}

/// One report of the story, ready to be packed.
struct Planned {
    reporter: &'static Reporter,
    day: u8,
    domain: &'static str,
    id: String,
    begin: i64,
    end: i64,
    records: Vec<Record<'static>>,
}

impl Planned {
    fn head(&self) -> Head<'_> {
        let told = self.reporter.submitter == BEHOERDENPOST.submitter && self.day == oct(11);
        Head {
            reporter: self.reporter,
            id: &self.id,
            begin: self.begin,
            end: self.end,
            policy: published(self.reporter, self.domain, self.day),
            error: told.then_some("DNS timeout while looking up the SPF record of northwind.example, retried"),
        }
    }

    fn xml(&self) -> Vec<u8> {
        let mut xml = Vec::new();
        write_report(&mut xml, &self.head(), &self.records);
        xml
    }
}

/// Every report of the plan, by reporter, day and domain.
fn reports() -> Vec<Planned> {
    let mut reports = Vec::new();
    for reporter in &REPORTERS {
        for day in 0..=LAST {
            for domain in [NORTHWIND, NEWS, PARKED] {
                let records = records(reporter, domain, day);
                if !records.is_empty() {
                    reports.push(planned(reporter, domain, day, records));
                }
            }
        }
    }
    // A report without records: nobody wrote to it as us that day.
    reports.push(planned(&REPORTERS[7], NORTHWIND, oct(19), Vec::new()));
    reports
}

fn planned(reporter: &'static Reporter, domain: &'static str, day: u8, records: Vec<Record<'static>>) -> Planned {
    let begin = START + i64::from(day) * DAY + reporter.cut;
    let number = REPORTERS.iter().position(|r| r.submitter == reporter.submitter).unwrap_or(0) as u64;
    let mut rng = Rng::new(2026, (number * 100 + u64::from(day)) * 10 + domain.len() as u64 % 10);
    let id = match number % 4 {
        0 => format!("{:019}", rng.bits() >> 2),
        1 => format!("{:016x}{:016x}", rng.bits(), rng.bits()),
        2 => format!("{domain}.{begin}.{}", 1 + rng.below(9_999)),
        _ => format!("{begin}.{:06}", rng.below(1_000_000)),
    };
    Planned { reporter, day, domain, id, begin, end: begin + DAY - i64::from(reporter.closed), records }
}

fn records(reporter: &'static Reporter, domain: &'static str, day: u8) -> Vec<Record<'static>> {
    let mut records = Vec::new();
    for row in PLAN {
        if row.by.submitter != reporter.submitter || row.stream.policy_domain != domain || !row.days.includes(day) {
            continue;
        }
        let shape = on_day(&row.stream, reporter, day);
        let disposition = disposition(&shape, reporter, domain, day);
        let sources = row.source.addresses().into_iter();
        records.extend(sources.map(|source| Record { source, count: row.count, disposition, shape }));
    }
    records
}

/// The shape of a stream on a day: two things broke in these weeks.
fn on_day(stream: &Stream, reporter: &Reporter, day: u8) -> Shape<'static> {
    let mut shape = stream.shape;
    // One reporter could not read the key for two days.
    if stream.own_dkim && reporter.submitter == ENTERPRISE_POST.submitter && (day == oct(5) || day == oct(6)) {
        shape.dkim = false;
        shape.dkim_results[0] = Some(Dkim {
            domain: NORTHWIND,
            selector: "s2026",
            result: "permerror",
            human: Some("no key for signature"),
        });
    }
    // An eleventh lookup in the SPF record, taken out again on the third day.
    if stream.own_spf && (oct(14)..=oct(16)).contains(&day) {
        shape.spf = false;
        shape.spf_result = Spf { domain: NORTHWIND, result: "permerror" };
    }
    shape
}

/// The policy as a reporter found it on a day.
fn published(reporter: &Reporter, domain: &'static str, day: u8) -> Policy<'static> {
    // p=quarantine since 2026-10-12; one reporter's resolver still held the old record that day.
    let since = if reporter.submitter == ENTERPRISE_POST.submitter { oct(13) } else { oct(12) };
    let base = Policy { domain, mode: "r", p: "none", sp: Some("none"), np: Some("reject"), testing: false };
    match domain {
        NEWS => Policy { p: "reject", sp: Some("reject"), testing: day < oct(6), ..base },
        NORTHWIND if day >= since => Policy { p: "quarantine", ..base },
        _ => base,
    }
}

fn disposition(shape: &Shape<'_>, reporter: &Reporter, domain: &'static str, day: u8) -> &'static str {
    let policy = published(reporter, domain, day);
    let asked = if shape.header_from == domain { policy.p } else { policy.sp.unwrap_or(policy.p) };
    match shape.reason {
        _ if shape.dkim || shape.spf => "none",
        // RFC 9989: t=y asks for one level less.
        Some(("policy_test_mode", _)) => "quarantine",
        Some(_) => "none",
        // It lets through what should be quarantined, and does not say why.
        None if reporter.submitter == CABLE_ISP.submitter => "none",
        None => asked,
    }
}

/// The report of the story that arrives cut off.
fn damaged() -> Planned {
    let day = oct(5);
    let reporter = &REPORTERS[7];
    debug_assert_eq!(reporter.submitter, QUICK_MAIL.submitter);
    let record = |last, count| Record {
        source: [192, 0, 2, last].into(),
        count,
        disposition: "none",
        shape: on_day(&plan::OWN, reporter, day),
    };
    planned(reporter, NORTHWIND, day, vec![record(10, 4), record(11, 3)])
}
