//! Reports and their records on the way into their tables.

use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{BooleanArray, Int64Array, UInt8Array, UInt32Array};

use super::dimensions::{Dimensions, ResultNumbers, Stream};
use super::{Columns, StoreError};
use crate::parse::{Policy, PolicyWord, Record, Report, Results, org_domain};

/// Seconds above which a report's period is marked as long.
const LONG_PERIOD: i64 = 36 * 3600;

/// Records that go to the engine at once: a row group of its own.
const SLICE: usize = 122_880;

/// The rows of `report` and `record_row` that one commit adds.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    reports: Vec<ReportRow<'a>>,
    /// In slices, each handed over and freed before the next: one report may have millions of records.
    records: Vec<RecordColumns>,
}

#[derive(Debug)]
struct ReportRow<'a> {
    report_no: u32,
    report_key: u128,
    content_key: u128,
    domain_no: Option<u32>,
    day: Option<i32>,
    received_at: Option<i64>,
    places: Vec<String>,
    messages: i64,
    pass_messages: i64,
    records: u32,
    report: &'a Report,
}

#[derive(Debug, Default)]
struct RecordColumns {
    report_no: Vec<u32>,
    record_no: Vec<u32>,
    policy_domain: Vec<Option<u32>>,
    report_day: Vec<Option<i32>>,
    source: Vec<Option<u32>>,
    messages: Vec<Option<i64>>,
    envelope_from: Vec<Option<u32>>,
    envelope_to: Vec<Option<u32>>,
    stream: Vec<u32>,
}

/// What is the same for every record of a report that has the same results.
struct Shared {
    policy_domain: Option<u32>,
    envelope_from: Option<u32>,
    envelope_to: Option<u32>,
    stream: u32,
}

/// What a stored report adds to the counts.
pub(super) struct Added {
    pub(super) records: u64,
    pub(super) messages: u64,
    pub(super) dmarc_pass: u64,
}

impl<'a> Rows<'a> {
    /// Takes a report under a number.
    pub(super) fn push(
        &mut self,
        dimensions: &mut Dimensions,
        report_no: u32,
        (report_key, content_key): (u128, u128),
        received_at: Option<i64>,
        report: &'a Report,
    ) -> Result<Added, StoreError> {
        let day = report_day(report.metadata.begin, report.metadata.end);
        let domain_no = report.policy.domain.as_ref().map(|name| dimensions.domain(name)).transpose()?;
        let shared = report
            .results
            .iter()
            .map(|results| Shared::of(results, dimensions, &report.policy, domain_no))
            .collect::<Result<Vec<_>, _>>()?;
        let (messages, dmarc_pass) = (report.messages(), report.pass_messages());
        let count = u32::try_from(report.records.len()).map_err(|_| StoreError::Full { table: "record" })?;
        for (record_no, record) in (1..).zip(&report.records) {
            let Some(shared) = shared.get(record.results as usize) else { continue };
            let source = record.source.map(|ip| dimensions.source(ip)).transpose()?;
            self.slice().push((report_no, record_no), day, record, source, shared);
        }
        let places = report.warnings.iter().map(|w| place(w.line, w.column)).collect();
        self.reports.push(ReportRow {
            report_no,
            report_key,
            content_key,
            domain_no,
            day,
            received_at,
            places,
            messages: i64::try_from(messages).unwrap_or(i64::MAX),
            pass_messages: i64::try_from(dmarc_pass).unwrap_or(i64::MAX),
            records: count,
            report,
        });
        Ok(Added { records: u64::from(count), messages, dmarc_pass })
    }

    /// Appends all rows, inside the connection's transaction.
    pub(super) fn append(self, connection: &Connection, run_no: u32) -> duckdb::Result<()> {
        append_reports(connection, run_no, &self.reports)?;
        self.records.into_iter().try_for_each(|slice| slice.append(connection))
    }

    /// Returns the slice that takes the next record.
    fn slice(&mut self) -> &mut RecordColumns {
        if self.records.last().is_none_or(|slice| slice.report_no.len() >= SLICE) {
            self.records.push(RecordColumns::default());
        }
        let last = self.records.len() - 1;
        &mut self.records[last]
    }
}

impl Shared {
    fn of(
        results: &Arc<Results>,
        dimensions: &mut Dimensions,
        policy: &Policy,
        policy_domain: Option<u32>,
    ) -> Result<Self, StoreError> {
        // RFC 7489 section 6.3: without sp, p is the policy of subdomains too.
        let subdomain = results.header_from.is_some() && results.header_from != policy.domain;
        let word = if subdomain { policy.sp.or(policy.p) } else { policy.p };
        let numbers = dimensions.results(results)?;
        let stream = dimensions.stream(Stream {
            header_from: numbers.header_from,
            auth: numbers.auth,
            policy_domain,
            policy: word.map(PolicyWord::number),
            disposition: results.disposition.map(|word| word.number()),
            dkim_aligned: results.dkim_aligned,
            spf_aligned: results.spf_aligned,
            dmarc_pass: results.dmarc_pass(),
            dkim_raw_pass: numbers.dkim_raw_pass,
            spf_raw_pass: numbers.spf_raw_pass,
            dkim_recomputed: numbers.dkim_recomputed.under(policy.adkim),
            spf_recomputed: numbers.spf_recomputed.under(policy.aspf),
            reason: numbers.reason,
        })?;
        let ResultNumbers { envelope_from, envelope_to, .. } = numbers;
        Ok(Self { policy_domain, envelope_from, envelope_to, stream })
    }
}

impl RecordColumns {
    fn push(
        &mut self,
        (report_no, record_no): (u32, u32),
        day: Option<i32>,
        record: &Record,
        source: Option<u32>,
        shared: &Shared,
    ) {
        self.report_no.push(report_no);
        self.record_no.push(record_no);
        self.policy_domain.push(shared.policy_domain);
        self.report_day.push(day);
        self.source.push(source);
        self.messages.push(record.messages.and_then(|n| i64::try_from(n).ok()));
        self.envelope_from.push(shared.envelope_from);
        self.envelope_to.push(shared.envelope_to);
        self.stream.push(shared.stream);
    }

    fn append(self, connection: &Connection) -> duckdb::Result<()> {
        let mut columns = Columns::new();
        columns
            .push("report_no", UInt32Array::from(self.report_no))
            .push("record_no", UInt32Array::from(self.record_no))
            .push("policy_domain", UInt32Array::from(self.policy_domain))
            .days("report_day", self.report_day)
            .push("source", UInt32Array::from(self.source))
            .push("messages", Int64Array::from(self.messages))
            .push("envelope_from", UInt32Array::from(self.envelope_from))
            .push("envelope_to", UInt32Array::from(self.envelope_to))
            .push("stream", UInt32Array::from(self.stream));
        columns.append(connection, "record_row")
    }
}

fn append_reports(connection: &Connection, run_no: u32, rows: &[ReportRow<'_>]) -> duckdb::Result<()> {
    let meta = || rows.iter().map(|row| &row.report.metadata);
    let policy = || rows.iter().map(|row| &row.report.policy);
    let long = |begin: Option<i64>, end: Option<i64>| {
        begin.zip(end).and_then(|(begin, end)| end.checked_sub(begin)).is_some_and(|length| length > LONG_PERIOD)
    };
    let errors: Vec<&[String]> = meta().map(|m| m.errors.as_slice()).collect();
    let warnings: Vec<Vec<[Option<&str>; 3]>> = rows
        .iter()
        .map(|row| {
            let each = row.report.warnings.iter().zip(&row.places);
            each.map(|(w, place)| [Some(w.code), Some(place.as_str()), Some(w.text.as_str())]).collect()
        })
        .collect();
    let mut columns = Columns::new();
    columns
        .push("report_no", UInt32Array::from_iter_values(rows.iter().map(|row| row.report_no)))
        .keys("report_key", rows.iter().map(|row| Some(row.report_key)))
        .keys("content_key", rows.iter().map(|row| Some(row.content_key)))
        .push("run_no", UInt32Array::from_value(run_no, rows.len()))
        .text("reporter", meta().map(|m| m.reporter.as_deref()))
        .text("reporter_email", meta().map(|m| m.email.as_deref()))
        .text("extra_contact", meta().map(|m| m.extra_contact.as_deref()))
        .text("generator", meta().map(|m| m.generator.as_deref()))
        .text("report_id", meta().map(|m| m.report_id.as_deref()))
        .times("begin_at", meta().map(|m| m.begin))
        .times("end_at", meta().map(|m| m.end))
        .days("report_day", rows.iter().map(|row| row.day).collect())
        .flags("long_period", meta().map(|m| long(m.begin, m.end)).collect())
        .text("schema_variant", rows.iter().map(|row| Some(row.report.variant.word())))
        .text("policy_domain", policy().map(|p| p.domain.as_deref()))
        .text("policy_domain_org", policy().map(|p| p.domain.as_deref().map(org_domain)))
        .push("policy_domain_no", UInt32Array::from_iter(rows.iter().map(|row| row.domain_no)))
        .text("adkim", policy().map(|p| p.adkim.map(|word| word.word())))
        .text("aspf", policy().map(|p| p.aspf.map(|word| word.word())))
        .text("p", policy().map(|p| p.p.map(|word| word.word())))
        .text("sp", policy().map(|p| p.sp.map(|word| word.word())))
        .text("np", policy().map(|p| p.np.map(|word| word.word())))
        .push("pct", UInt8Array::from_iter(policy().map(|p| p.pct)))
        .text("fo", policy().map(|p| p.fo.as_deref()))
        .push("testing", BooleanArray::from_iter(policy().map(|p| p.testing)))
        .text("psd", policy().map(|p| p.psd.as_deref()))
        .text("discovery_method", policy().map(|p| p.discovery_method.as_deref()))
        .texts("errors", &errors)
        .structs("warnings", ["code", "place", "text"], &warnings)
        .times("received_at", rows.iter().map(|row| row.received_at))
        .push("records", UInt32Array::from_iter_values(rows.iter().map(|row| row.records)))
        .push("messages", Int64Array::from_iter_values(rows.iter().map(|row| row.messages)))
        .push("pass_messages", Int64Array::from_iter_values(rows.iter().map(|row| row.pass_messages)));
    columns.append(connection, "report")
}

fn place(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!("{line}:{column}") }
}

/// The UTC date of the middle of the period, in days since 1970-01-01. Reporters cut days at their own midnight; the
/// middle puts a 22:00 to 22:00 report on the day that it is about.
fn report_day(begin: Option<i64>, end: Option<i64>) -> Option<i32> {
    let middle = match (begin, end) {
        (Some(begin), Some(end)) => i64::midpoint(begin, end),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return None,
    };
    // Years 1970 to 9999: anything else is no date that a person can use, and stays in begin_at and end_at.
    (0..=253_402_300_799).contains(&middle).then(|| i32::try_from(middle.div_euclid(86_400)).ok()).flatten()
}
