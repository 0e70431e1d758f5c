//! Attribution in the store: reads streams and sources that nobody looked at yet, writes who is behind them.
//!
//! Numbers of streams and sources only grow, so `setting` remembers how far attribution came. It also remembers a
//! fingerprint of the rules that held and of the catalogue: when that changes, everything is looked at again, and no
//! report is imported again.

use chrono::NaiveDate;
use duckdb::arrow::array::{Array, StringArray, UInt32Array};
use duckdb::{Connection, params};
use rustc_hash::FxHashMap;

use super::attribute::{Attribution, SourceFacts, StreamFacts};
use super::catalogue::{self, Catalogue};
use super::numbering::Senders;
use super::results::{Results, results};
use super::rules::Rules;
use crate::config::Config;
use crate::store::{Store, in_transaction, ip_sort, set_setting, setting};

/// Raised when the way of attributing changes, so that stores are looked at again.
const METHOD: u32 = 1;

const FINGERPRINT: &str = "senders_fingerprint";
const STREAMS_DONE: &str = "senders_streams_done";
const SOURCES_DONE: &str = "senders_sources_done";

const ROWS: &str = "SELECT (SELECT count(*) FROM stream) + (SELECT count(*) FROM source)";

/// Streams and sources that can be attributed at once in the memory that a writer has.
const MANY_ROWS: u64 = 200_000;
/// Memory for each where there are more, bytes: enough for 2 million streams and sources, each stream of a sender of its own.
const ROW_BYTES: u64 = 512;

const SELECT_STREAMS: &str = "
SELECT t.stream_no, t.auth, d.name, d.domain_org
FROM stream t LEFT JOIN domain d ON d.domain_no = t.header_from
WHERE t.stream_no >= ? ORDER BY t.stream_no";

const SELECT_SOURCES: &str = "
SELECT source_no, source_ip, CASE WHEN ptr_confirmed THEN ptr END
FROM source WHERE source_no >= ? ORDER BY source_no";

const CREATE_FOUND: &str = "
CREATE OR REPLACE TEMP TABLE found_stream (stream_no UINTEGER, sender_no UINTEGER, score UTINYINT, evidence VARCHAR,
    own_dkim VARCHAR, own_spf VARCHAR, foreign_dkim BOOLEAN, foreign_spf BOOLEAN);
CREATE OR REPLACE TEMP TABLE found_source (source_no UINTEGER, sender_no UINTEGER, score UTINYINT, evidence VARCHAR);";

const WRITE_STREAMS: &str = "
UPDATE stream SET sender_no = f.sender_no, score = f.score, evidence = f.evidence, own_dkim = f.own_dkim,
    own_spf = f.own_spf, foreign_dkim = f.foreign_dkim, foreign_spf = f.foreign_spf
FROM found_stream f WHERE stream.stream_no = f.stream_no";

const WRITE_SOURCES: &str = "
UPDATE source SET sender_no = f.sender_no, score = f.score, evidence = f.evidence
FROM found_source f WHERE source.source_no = f.source_no";

const SELECT_PAIRS: &str = "
SELECT DISTINCT r.source, t.header_from, d.name
FROM (SELECT DISTINCT source, stream FROM record_row WHERE source IN (SELECT source_no FROM found_source)) r
JOIN stream t ON t.stream_no = r.stream
JOIN domain d ON d.domain_no = t.header_from";

const DROP_FOUND: &str = "DROP TABLE found_stream; DROP TABLE found_source";

/// Why attribution stopped; nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum AttributeError {
    /// The store refused.
    #[error("attributing sources to senders, the store says: {0}")]
    Store(#[from] duckdb::Error),
    /// A column came in another type than asked for.
    #[error("attributing sources to senders, the store gave an unexpected column for {0}")]
    Column(&'static str),
    /// More senders than numbers.
    #[error("the store has more senders than it can number")]
    TooMany,
}

/// What an attribution looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributed {
    /// Streams looked at.
    pub streams: u64,
    /// Sources looked at.
    pub sources: u64,
    /// Everything was looked at again, since the rules or the catalogue changed.
    pub afresh: bool,
}

/// Returns whether every stream and source is attributed by the rules that hold on `as_of`.
///
/// # Errors
/// Where the store cannot be read.
pub fn is_current(connection: &Connection, config: &Config, as_of: NaiveDate) -> Result<bool, AttributeError> {
    if setting(connection, FINGERPRINT)?.as_deref() != Some(fingerprint(config, as_of).as_str()) {
        return Ok(false);
    }
    let next = "SELECT (SELECT coalesce(max(stream_no) + 1, 0) FROM stream)::UBIGINT, \
                (SELECT coalesce(max(source_no) + 1, 0) FROM source)::UBIGINT";
    let (streams, sources): (u64, u64) = connection.query_row(next, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(done(connection, STREAMS_DONE)? >= streams && done(connection, SOURCES_DONE)? >= sources)
}

/// Makes the next attribution look at everything again, as after enrichment.
///
/// # Errors
/// Where the store cannot be written.
pub fn forget(connection: &Connection) -> Result<(), AttributeError> {
    connection.execute("DELETE FROM setting WHERE name = ?", [FINGERPRINT])?;
    Ok(())
}

/// Attributes what no attribution has looked at yet, or everything where the rules that hold on `as_of` or the
/// catalogue changed since. One transaction: all of it is kept, or nothing.
///
/// # Errors
/// Where the store cannot be read or written.
pub fn attribute(store: &Store, config: &Config, as_of: NaiveDate) -> Result<Attributed, AttributeError> {
    in_transaction(store, || attribute_all(store, config, as_of))
}

/// Attributes by a config on trial: `look` is given the store as it would be, then everything is as it was.
///
/// # Errors
/// Where the store cannot be read or written, or what `look` says.
pub fn on_trial<T, E: From<AttributeError> + From<duckdb::Error>>(
    store: &Store,
    config: &Config,
    as_of: NaiveDate,
    look: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let connection = store.connection();
    connection.execute_batch("BEGIN")?;
    let seen = attribute_all(store, config, as_of).map_err(E::from).and_then(|_| look(connection));
    connection.execute_batch("ROLLBACK")?;
    seen
}

fn attribute_all(store: &Store, config: &Config, as_of: NaiveDate) -> Result<Attributed, AttributeError> {
    let connection = store.connection();
    let fingerprint = fingerprint(config, as_of);
    let afresh = setting(connection, FINGERPRINT)?.as_deref() != Some(fingerprint.as_str());
    let rules = Rules::new(&config.sender, as_of);
    let attribution = Attribution { rules: &rules, catalogue: Catalogue::bundled() };
    if afresh {
        connection.execute_batch("DELETE FROM sender; DELETE FROM source_from")?;
        connection.execute_batch(
            "UPDATE source SET sender_no = NULL, score = NULL, evidence = NULL WHERE score IS NOT NULL",
        )?;
    }
    let from = |name| if afresh { Ok(0) } else { done(connection, name) };
    let rows: u64 = connection.query_row(ROWS, [], |row| row.get(0))?;
    let new = rows.saturating_sub(from(STREAMS_DONE)? + from(SOURCES_DONE)?);
    // The engine keeps what a transaction changes in memory.
    if new > MANY_ROWS {
        store.allow_more_memory(new * ROW_BYTES)?;
    }
    connection.execute_batch(CREATE_FOUND)?;
    let mut senders = Senders::read(connection)?;
    let streams = streams(connection, &attribution, &mut senders, from(STREAMS_DONE)?)?;
    let (sources, bound) = sources(connection, &attribution, &mut senders, from(SOURCES_DONE)?)?;
    connection.execute_batch(WRITE_STREAMS)?;
    connection.execute_batch(WRITE_SOURCES)?;
    if rules.binds_sources() {
        let bound = if afresh { bound } else { bound_sources(connection, &rules)? };
        source_from(connection, &attribution, &mut senders, &bound)?;
    }
    senders.write(connection)?;
    connection.execute_batch(DROP_FOUND)?;
    set_setting(connection, FINGERPRINT, &fingerprint)?;
    set_setting(connection, STREAMS_DONE, &(from(STREAMS_DONE)? + streams).to_string())?;
    set_setting(connection, SOURCES_DONE, &(from(SOURCES_DONE)? + sources).to_string())?;
    Ok(Attributed { streams, sources, afresh })
}

/// Names everything that an attribution depends on but the evidence itself.
fn fingerprint(config: &Config, as_of: NaiveDate) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&METHOD.to_le_bytes());
    hasher.update(catalogue::TEXT.as_bytes());
    for rule in config.sender.iter().filter(|rule| rule.holds_on(as_of)) {
        hasher.update(format!("{rule:?}").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn done(connection: &Connection, name: &str) -> Result<u64, AttributeError> {
    Ok(setting(connection, name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn streams(
    connection: &Connection,
    attribution: &Attribution<'_>,
    senders: &mut Senders,
    from: u64,
) -> Result<u64, AttributeError> {
    let by_auth = results(connection, from)?;
    let nothing = Results::default();
    let mut found = connection.appender_to_catalog_and_db("found_stream", "temp", "main")?;
    let mut statement = connection.prepare(SELECT_STREAMS)?;
    let mut rows = statement.query([from])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        let results = by_auth.get(&row.get(1)?).unwrap_or(&nothing);
        let (name, org): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        let facts = StreamFacts {
            header_from: name.as_deref(),
            header_from_org: org.as_deref(),
            dkim: &results.passing_dkim,
            spf: &results.passing_spf,
        };
        let (sender, score, evidence) = senders.cells(attribution.rules, attribution.stream(facts))?;
        let own = |o: &str| org.as_deref() == Some(o);
        let word = |passes: bool, fails: bool| if passes { Some("pass") } else { fails.then_some("fail") };
        found.append_row(params![
            row.get::<_, u32>(0)?,
            sender,
            score,
            evidence,
            word(results.passing_dkim.iter().any(|s| own(&s.org)), results.failing_dkim.iter().any(|o| own(o))),
            word(results.passing_spf.iter().any(|m| own(&m.org)), results.failing_spf.iter().any(|o| own(o))),
            results.passing_dkim.iter().any(|s| !own(&s.org)),
            results.passing_spf.iter().any(|m| !own(&m.org)),
        ])?;
    }
    found.flush()?;
    Ok(seen)
}

/// A source that a rule bound to From domains reaches.
struct Bound {
    address: u128,
    host: Option<String>,
}

fn sources(
    connection: &Connection,
    attribution: &Attribution<'_>,
    senders: &mut Senders,
    from: u64,
) -> Result<(u64, FxHashMap<u32, Bound>), AttributeError> {
    let mut found = connection.appender_to_catalog_and_db("found_source", "temp", "main")?;
    let mut bound = FxHashMap::default();
    let mut seen = 0;
    each_source(connection, from, |number, facts| {
        seen += 1;
        if attribution.rules.bound_reaches(facts.address, facts.host) {
            bound.insert(number, Bound { address: facts.address, host: facts.host.map(str::to_owned) });
        }
        if let Some(verdict) = attribution.source(facts) {
            let (sender, score, evidence) = senders.cells(attribution.rules, Some(verdict))?;
            found.append_row(params![number, sender, score, evidence])?;
        }
        Ok(())
    })?;
    found.flush()?;
    Ok((seen, bound))
}

/// Every source from a number on, in Arrow batches: a store may hold millions.
fn each_source(
    connection: &Connection,
    from: u64,
    mut look: impl FnMut(u32, SourceFacts<'_>) -> Result<(), AttributeError>,
) -> Result<(), AttributeError> {
    let mut statement = connection.prepare(SELECT_SOURCES)?;
    for batch in statement.query_arrow([from])? {
        let column = |place: usize| batch.columns().get(place).map(|array| array.as_any());
        let wrong = AttributeError::Column("source");
        let (Some(numbers), Some(addresses), Some(hosts)) = (
            column(0).and_then(|array| array.downcast_ref::<UInt32Array>()),
            column(1).and_then(|array| array.downcast_ref::<StringArray>()),
            column(2).and_then(|array| array.downcast_ref::<StringArray>()),
        ) else {
            return Err(wrong);
        };
        for place in 0..batch.num_rows() {
            // The store's own text: always an address.
            let Ok(address) = addresses.value(place).parse() else { continue };
            let address = ip_sort(address);
            let host = (!hosts.is_null(place)).then(|| hosts.value(place));
            look(numbers.value(place), SourceFacts { address, host })?;
        }
    }
    Ok(())
}

fn bound_sources(connection: &Connection, rules: &Rules) -> Result<FxHashMap<u32, Bound>, AttributeError> {
    let mut bound = FxHashMap::default();
    each_source(connection, 0, |number, facts| {
        if rules.bound_reaches(facts.address, facts.host) {
            bound.insert(number, Bound { address: facts.address, host: facts.host.map(str::to_owned) });
        }
        Ok(())
    })?;
    Ok(bound)
}

/// Rebuilds `source_from` from the pairs of source and From domain that records hold.
fn source_from(
    connection: &Connection,
    attribution: &Attribution<'_>,
    senders: &mut Senders,
    bound: &FxHashMap<u32, Bound>,
) -> Result<(), AttributeError> {
    connection.execute_batch("DELETE FROM source_from; DELETE FROM found_source")?;
    let mut reached = connection.appender_to_catalog_and_db("found_source", "temp", "main")?;
    for number in bound.keys() {
        reached.append_row(params![*number, None::<u32>, 0_u8, None::<String>])?;
    }
    reached.flush()?;
    let mut found = connection.appender("source_from")?;
    let mut statement = connection.prepare(SELECT_PAIRS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (source, header_from, name): (u32, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(reached) = bound.get(&source) else { continue };
        let facts = SourceFacts { address: reached.address, host: reached.host.as_deref() };
        if let Some(verdict) = attribution.source_for(facts, &name) {
            let (sender, score, evidence) = senders.cells(attribution.rules, Some(verdict))?;
            found.append_row(params![source, header_from, sender, score, evidence])?;
        }
    }
    found.flush()?;
    Ok(())
}
