//! Text kept once: the numbers of domains, sources, results, reasons and streams.
//!
//! Dimension tables only ever grow at the end, so that a writer that held no lock for a while needs just the new rows.

use std::net::IpAddr;
use std::sync::Arc;

use duckdb::arrow::array::{BooleanArray, UInt8Array, UInt32Array};
use duckdb::{Connection, params};
use rustc_hash::FxHashMap;

use super::columns::{hash_key, ip_sort, key_of};
use super::{Columns, StoreError};
use crate::parse::{Alignment, DkimResult, Reason, Results, SpfResult, org_domain};

/// What a stream is: the header from and the results, the policy, what the receiver made of them and what we do. Domains, results
/// and reasons by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    pub(super) header_from: Option<u32>,
    pub(super) auth: u32,
    pub(super) policy_domain: Option<u32>,
    pub(super) policy: Option<u8>,
    pub(super) disposition: Option<u8>,
    pub(super) dkim_aligned: Option<bool>,
    pub(super) spf_aligned: Option<bool>,
    pub(super) dmarc_pass: bool,
    pub(super) dkim_raw_pass: bool,
    pub(super) spf_raw_pass: bool,
    pub(super) dkim_recomputed: bool,
    pub(super) spf_recomputed: bool,
    pub(super) reason: Option<u32>,
}

/// The numbers of one distinct [`Results`] in this store, and what follows from it whatever report it is in: worked out once, since
/// most reports repeat it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResultNumbers {
    pub(super) header_from: Option<u32>,
    pub(super) envelope_from: Option<u32>,
    pub(super) envelope_to: Option<u32>,
    pub(super) auth: u32,
    pub(super) reason: Option<u32>,
    pub(super) dkim_raw_pass: bool,
    pub(super) spf_raw_pass: bool,
    /// Our own verdicts.
    pub(super) dkim_recomputed: ByMode,
    pub(super) spf_recomputed: ByMode,
}

/// A verdict under each alignment mode.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByMode {
    relaxed: bool,
    strict: bool,
}

impl ByMode {
    fn of(verdict: impl Fn(Option<Alignment>) -> bool) -> Self {
        Self { relaxed: verdict(Some(Alignment::Relaxed)), strict: verdict(Some(Alignment::Strict)) }
    }

    /// Returns the verdict under the mode of a policy; relaxed where it says none.
    pub(super) fn under(self, mode: Option<Alignment>) -> bool {
        if mode == Some(Alignment::Strict) { self.strict } else { self.relaxed }
    }
}

/// Every dimension table: what is numbered already, and the rows that the next commit must add.
#[derive(Debug, Default)]
pub(super) struct Dimensions {
    domains: FxHashMap<Arc<str>, u32>,
    sources: FxHashMap<IpAddr, u32>,
    auths: FxHashMap<u128, u32>,
    reasons: FxHashMap<u128, u32>,
    streams: FxHashMap<Stream, u32>,
    results: FxHashMap<u128, ResultNumbers>,
    new: New,
}

/// Rows not yet in the store, in the order of their numbers.
#[derive(Debug, Default)]
struct New {
    domains: Vec<(u32, Arc<str>)>,
    sources: Vec<(u32, IpAddr)>,
    auths: Vec<(u32, u128, Arc<Results>)>,
    reasons: Vec<(u32, u128, Arc<Results>)>,
    streams: Vec<(u32, Stream)>,
}

/// Rows with texts of their own that go to the engine at once: a vector of its.
const SLICE: usize = 2048;

const STREAMS: &str = "
    SELECT stream_no, header_from, auth, policy_domain, policy, disposition, dkim_aligned, spf_aligned, dmarc_pass,
        dkim_raw_pass, spf_raw_pass, dkim_recomputed, spf_recomputed, reason
    FROM stream WHERE stream_no >= ?";

impl Dimensions {
    /// Reads the rows that other writers have added since.
    pub(super) fn refresh(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let doing = "reading the dimension tables";
        self.read(connection).map_err(StoreError::query(doing))
    }

    fn read(&mut self, connection: &Connection) -> duckdb::Result<()> {
        let each = |sql: &str, from: usize, take: &mut dyn FnMut(&duckdb::Row<'_>) -> duckdb::Result<()>| {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([from as u64])?;
            while let Some(row) = rows.next()? {
                take(row)?;
            }
            Ok::<(), duckdb::Error>(())
        };
        let known = self.domains.len();
        each("SELECT domain_no, name FROM domain WHERE domain_no >= ?", known, &mut |row| {
            self.domains.insert(Arc::from(row.get::<_, String>(1)?), row.get(0)?);
            Ok(())
        })?;
        let known = self.sources.len();
        each("SELECT source_no, source_ip FROM source WHERE source_no >= ?", known, &mut |row| {
            if let Ok(ip) = row.get::<_, String>(1)?.parse() {
                self.sources.insert(ip, row.get(0)?);
            }
            Ok(())
        })?;
        let known = self.auths.len();
        each("SELECT auth_no, auth_key::VARCHAR FROM auth WHERE auth_no >= ?", known, &mut |row| {
            self.auths.insert(key_of(&row.get::<_, String>(1)?), row.get(0)?);
            Ok(())
        })?;
        let known = self.reasons.len();
        each("SELECT reason_no, reason_key::VARCHAR FROM reason WHERE reason_no >= ?", known, &mut |row| {
            self.reasons.insert(key_of(&row.get::<_, String>(1)?), row.get(0)?);
            Ok(())
        })?;
        let known = self.streams.len();
        each(STREAMS, known, &mut |row| {
            let stream = Stream {
                header_from: row.get(1)?,
                auth: row.get(2)?,
                policy_domain: row.get(3)?,
                policy: row.get(4)?,
                disposition: row.get(5)?,
                dkim_aligned: row.get(6)?,
                spf_aligned: row.get(7)?,
                dmarc_pass: row.get(8)?,
                dkim_raw_pass: row.get(9)?,
                spf_raw_pass: row.get(10)?,
                dkim_recomputed: row.get(11)?,
                spf_recomputed: row.get(12)?,
                reason: row.get(13)?,
            };
            self.streams.insert(stream, row.get(0)?);
            Ok(())
        })
    }

    /// Returns the number of a domain.
    pub(super) fn domain(&mut self, name: &Arc<str>) -> Result<u32, StoreError> {
        if let Some(number) = self.domains.get(name) {
            return Ok(*number);
        }
        let number = next(self.domains.len(), "domain")?;
        self.domains.insert(Arc::clone(name), number);
        self.new.domains.push((number, Arc::clone(name)));
        Ok(number)
    }

    /// Returns the number of a source.
    pub(super) fn source(&mut self, ip: IpAddr) -> Result<u32, StoreError> {
        if let Some(number) = self.sources.get(&ip) {
            return Ok(*number);
        }
        let number = next(self.sources.len(), "source")?;
        self.sources.insert(ip, number);
        self.new.sources.push((number, ip));
        Ok(number)
    }

    /// Returns the numbers of a distinct value of results.
    pub(super) fn results(&mut self, results: &Arc<Results>) -> Result<ResultNumbers, StoreError> {
        if let Some(numbers) = self.results.get(&results.key) {
            return Ok(*numbers);
        }
        let numbers = ResultNumbers {
            header_from: results.header_from.as_ref().map(|name| self.domain(name)).transpose()?,
            envelope_from: results.envelope_from.as_ref().map(|name| self.domain(name)).transpose()?,
            envelope_to: results.envelope_to.as_ref().map(|name| self.domain(name)).transpose()?,
            auth: self.auth(results)?,
            reason: self.reason(results)?,
            dkim_raw_pass: results.dkim_raw_pass(),
            spf_raw_pass: results.spf_raw_pass(),
            dkim_recomputed: ByMode::of(|mode| results.dkim_recomputed(mode)),
            spf_recomputed: ByMode::of(|mode| results.spf_recomputed(mode)),
        };
        self.results.insert(results.key, numbers);
        Ok(numbers)
    }

    fn auth(&mut self, results: &Arc<Results>) -> Result<u32, StoreError> {
        let key = auth_key(&results.dkim, &results.spf);
        if let Some(number) = self.auths.get(&key) {
            return Ok(*number);
        }
        let number = next(self.auths.len(), "auth")?;
        self.auths.insert(key, number);
        self.new.auths.push((number, key, Arc::clone(results)));
        Ok(number)
    }

    fn reason(&mut self, results: &Arc<Results>) -> Result<Option<u32>, StoreError> {
        if results.reasons.is_empty() {
            return Ok(None);
        }
        let key = reason_key(&results.reasons);
        if let Some(number) = self.reasons.get(&key) {
            return Ok(Some(*number));
        }
        let number = next(self.reasons.len(), "reason")?;
        self.reasons.insert(key, number);
        self.new.reasons.push((number, key, Arc::clone(results)));
        Ok(Some(number))
    }

    /// Returns the number of a stream.
    pub(super) fn stream(&mut self, stream: Stream) -> Result<u32, StoreError> {
        if let Some(number) = self.streams.get(&stream) {
            return Ok(*number);
        }
        let number = next(self.streams.len(), "stream")?;
        self.streams.insert(stream, number);
        self.new.streams.push((number, stream));
        Ok(number)
    }

    /// Appends the new rows, inside the connection's transaction.
    pub(super) fn append(&mut self, connection: &Connection) -> duckdb::Result<()> {
        let new = std::mem::take(&mut self.new);
        append_domains(connection, &new.domains)?;
        append_sources(connection, &new.sources)?;
        // In slices: on their way into the engine all texts are there once more, and a hostile report has megabytes of them.
        new.auths.chunks(SLICE).try_for_each(|slice| append_auths(connection, slice))?;
        new.reasons.chunks(SLICE).try_for_each(|slice| append_reasons(connection, slice))?;
        append_streams(connection, &new.streams)
    }
}

fn append_streams(connection: &Connection, new: &[(u32, Stream)]) -> duckdb::Result<()> {
    let streams = || new.iter().map(|(_, stream)| stream);
    let mut columns = Columns::new();
    columns
        .push("stream_no", UInt32Array::from_iter_values(new.iter().map(|(number, _)| *number)))
        .push("header_from", UInt32Array::from_iter(streams().map(|s| s.header_from)))
        .push("auth", UInt32Array::from_iter_values(streams().map(|s| s.auth)))
        .push("policy_domain", UInt32Array::from_iter(streams().map(|s| s.policy_domain)))
        .push("policy", UInt8Array::from_iter(streams().map(|s| s.policy)))
        .push("disposition", UInt8Array::from_iter(streams().map(|s| s.disposition)))
        .push("dkim_aligned", BooleanArray::from_iter(streams().map(|s| s.dkim_aligned)))
        .push("spf_aligned", BooleanArray::from_iter(streams().map(|s| s.spf_aligned)))
        .flags("dmarc_pass", streams().map(|s| s.dmarc_pass).collect())
        .flags("dkim_raw_pass", streams().map(|s| s.dkim_raw_pass).collect())
        .flags("spf_raw_pass", streams().map(|s| s.spf_raw_pass).collect())
        .flags("dkim_recomputed", streams().map(|s| s.dkim_recomputed).collect())
        .flags("spf_recomputed", streams().map(|s| s.spf_recomputed).collect())
        .push("reason", UInt32Array::from_iter(streams().map(|s| s.reason)));
    columns.append(connection, "stream")
}

fn append_domains(connection: &Connection, new: &[(u32, Arc<str>)]) -> duckdb::Result<()> {
    let mut columns = Columns::new();
    columns
        .push("domain_no", UInt32Array::from_iter_values(new.iter().map(|d| d.0)))
        .text("name", new.iter().map(|d| Some(&d.1)))
        .text("domain_org", new.iter().map(|d| Some(org_domain(&d.1))))
        .push("is_org", BooleanArray::from_iter(new.iter().map(|d| Some(org_domain(&d.1) == &*d.1))));
    columns.append(connection, "domain")
}

fn append_sources(connection: &Connection, new: &[(u32, IpAddr)]) -> duckdb::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    // Row by row: Arrow has no 128-bit numbers without a sign.
    let mut rows = connection.appender_with_columns("source", &["source_no", "source_ip", "ip_sort"])?;
    for (number, ip) in new {
        rows.append_row(params![number, ip.to_string(), ip_sort(*ip)])?;
    }
    rows.flush()
}

fn append_auths(connection: &Connection, new: &[(u32, u128, Arc<Results>)]) -> duckdb::Result<()> {
    let dkim = |d: &'_ DkimResult| -> [Option<String>; 5] {
        let text = |value: &Option<Arc<str>>| value.as_deref().map(str::to_owned);
        let org = d.domain.as_deref().map(|name| org_domain(name).to_owned());
        [text(&d.domain), org, text(&d.selector), d.result.map(|r| r.word().to_owned()), text(&d.human_result)]
    };
    let spf = |s: &'_ SpfResult| -> [Option<String>; 5] {
        let text = |value: &Option<Arc<str>>| value.as_deref().map(str::to_owned);
        let org = s.domain.as_deref().map(|name| org_domain(name).to_owned());
        [text(&s.domain), org, text(&s.scope), s.result.map(|r| r.word().to_owned()), text(&s.human_result)]
    };
    let dkims: Vec<Vec<_>> = new.iter().map(|a| a.2.dkim.iter().map(dkim).collect()).collect();
    let spfs: Vec<Vec<_>> = new.iter().map(|a| a.2.spf.iter().map(spf).collect()).collect();
    let mut columns = Columns::new();
    columns
        .push("auth_no", UInt32Array::from_iter_values(new.iter().map(|a| a.0)))
        .keys("auth_key", new.iter().map(|a| Some(a.1)))
        .structs("dkim", ["domain", "domain_org", "selector", "result", "human_result"], &borrowed(&dkims))
        .structs("spf", ["domain", "domain_org", "scope", "result", "human_result"], &borrowed(&spfs));
    columns.append(connection, "auth")
}

fn append_reasons(connection: &Connection, new: &[(u32, u128, Arc<Results>)]) -> duckdb::Result<()> {
    let rows: Vec<Vec<[Option<&str>; 2]>> = new
        .iter()
        .map(|r| r.2.reasons.iter().map(|one| [one.kind.as_deref(), one.comment.as_deref()]).collect())
        .collect();
    let mut columns = Columns::new();
    columns
        .push("reason_no", UInt32Array::from_iter_values(new.iter().map(|r| r.0)))
        .keys("reason_key", new.iter().map(|r| Some(r.1)))
        .structs("reasons", ["type", "comment"], &rows);
    columns.append(connection, "reason")
}

fn borrowed<const N: usize>(rows: &[Vec<[Option<String>; N]>]) -> Vec<Vec<[Option<&str>; N]>> {
    rows.iter().map(|list| list.iter().map(|one| one.each_ref().map(Option::as_deref)).collect()).collect()
}

fn next(count: usize, table: &'static str) -> Result<u32, StoreError> {
    u32::try_from(count).map_err(|_| StoreError::Full { table })
}

/// Feeds a text or its absence so that no two different lists of texts feed the same bytes.
fn feed(hasher: &mut blake3::Hasher, text: Option<&str>) {
    match text {
        None => hasher.update(&[0]),
        Some(text) => hasher.update(&[1]).update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes()),
    };
}

fn auth_key(dkim: &[DkimResult], spf: &[SpfResult]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(dkim.len() as u64).to_le_bytes());
    for d in dkim {
        for text in [d.domain.as_deref(), d.selector.as_deref(), d.result.map(|r| r.word()), d.human_result.as_deref()]
        {
            feed(&mut hasher, text);
        }
    }
    for s in spf {
        for text in [s.domain.as_deref(), s.scope.as_deref(), s.result.map(|r| r.word()), s.human_result.as_deref()] {
            feed(&mut hasher, text);
        }
    }
    hash_key(&hasher)
}

fn reason_key(reasons: &[Reason]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for reason in reasons {
        feed(&mut hasher, reason.kind.as_deref());
        feed(&mut hasher, reason.comment.as_deref());
    }
    hash_key(&hasher)
}
