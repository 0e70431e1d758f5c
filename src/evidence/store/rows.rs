//! Attempts on their way into the store: which it holds already, and the rows of the others.

use duckdb::arrow::array::{BooleanArray, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array};
use duckdb::{Connection, params};
use rustc_hash::FxHashSet;

use super::messages::stage;
use super::{FileKept, FileRead};
use crate::evidence::LogFormat;
use crate::evidence::attempt::{Attempt, Envelope};
use crate::evidence::names::NONE;
use crate::store::Columns;

/// Returns which of the attempts the store holds.
pub(super) fn held<'a>(
    connection: &Connection,
    envelopes: impl Iterator<Item = &'a Envelope>,
) -> duckdb::Result<FxHashSet<u64>> {
    let mut keys = Vec::new();
    let mut span: Option<(i64, i64)> = None;
    for attempt in envelopes.flat_map(|envelope| &envelope.attempts) {
        keys.push(attempt.key);
        span = Some(span.map_or((attempt.at, attempt.at), |(a, b)| (a.min(attempt.at), b.max(attempt.at))));
    }
    let Some((first, last)) = span else { return Ok(FxHashSet::default()) };
    stage(connection, "delivery_stage_attempt", &keys)?;
    // The same attempt has the same second: times far from these need not be read.
    let mut statement = connection.prepare(
        "SELECT l.attempt_key FROM delivery_line l
         WHERE l.attempt_at BETWEEN make_timestamp(?::BIGINT)::TIMESTAMPTZ AND make_timestamp(?::BIGINT)::TIMESTAMPTZ
           AND l.attempt_key IN (SELECT key FROM delivery_stage_attempt)",
    )?;
    let rows = statement
        .query_map(params![first.saturating_sub(1_000_000), last.saturating_add(1_000_000)], |row| {
            row.get::<_, u64>(0)
        })?;
    rows.collect()
}

/// New rows of `delivery_line`.
#[derive(Debug, Default)]
pub(super) struct Rows {
    list: Vec<(u64, u32, u32, Attempt)>,
}

impl Rows {
    /// Adds an attempt of a message out of a file.
    pub(super) fn push(&mut self, message_key: u64, file: u32, route: u32, attempt: Attempt) {
        self.list.push((message_key, file, route, attempt));
    }

    /// Appends the rows.
    pub(super) fn append(mut self, connection: &Connection) -> duckdb::Result<()> {
        // By time, so that a period is read without reading the rest.
        self.list.sort_by_key(|(_, _, _, attempt)| attempt.at);
        let some = |number: u32| (number != NONE).then_some(number);
        let rows = &self.list;
        let mut columns = Columns::new();
        columns
            .push("attempt_key", UInt64Array::from_iter_values(rows.iter().map(|r| r.3.key)))
            .push("message_key", UInt64Array::from_iter_values(rows.iter().map(|r| r.0)))
            .push("recipient_key", UInt64Array::from_iter_values(rows.iter().map(|r| r.3.recipient)))
            .push("recipient_domain", UInt32Array::from_iter_values(rows.iter().map(|r| r.3.recipient_domain)))
            .micros("attempt_at", rows.iter().map(|r| Some(r.3.at)))
            .push("status", UInt8Array::from_iter_values(rows.iter().map(|r| r.3.status as u8)))
            .push("internal", BooleanArray::from_iter(rows.iter().map(|r| Some(r.3.internal))))
            .push("response", UInt32Array::from_iter(rows.iter().map(|r| some(r.3.response))))
            .push("vars", StringArray::from_iter(rows.iter().map(|r| r.3.vars.as_deref())))
            .push("relay", UInt32Array::from_iter(rows.iter().map(|r| some(r.3.relay))))
            .push("route", UInt32Array::from_iter_values(rows.iter().map(|r| r.2)))
            .push("source", UInt32Array::from_iter(rows.iter().map(|r| some(r.3.source))))
            .push("source_from", UInt8Array::from_iter_values(rows.iter().map(|r| r.3.source_from as u8)))
            .push("retry_no", UInt16Array::from_iter(rows.iter().map(|r| Some(r.3.retry_no).filter(|n| *n > 0))))
            .push("file", UInt32Array::from_iter_values(rows.iter().map(|r| r.1)))
            .push("line", UInt32Array::from_iter_values(rows.iter().map(|r| r.3.line)));
        columns.append(connection, "delivery_line")
    }
}

/// Keeps addresses that are new.
pub(super) fn addresses(connection: &Connection, addresses: Vec<(u64, Box<str>)>) -> duckdb::Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE delivery_stage_address (key UBIGINT, address VARCHAR)")?;
    let mut columns = Columns::new();
    columns
        .push("key", UInt64Array::from_iter_values(addresses.iter().map(|(key, _)| *key)))
        .text("address", addresses.iter().map(|(_, address)| Some(address)));
    columns.append(connection, "delivery_stage_address")?;
    connection.execute_batch(
        "INSERT INTO delivery_recipient SELECT key, min(address) FROM delivery_stage_address
         WHERE key NOT IN (SELECT recipient_key FROM delivery_recipient) GROUP BY key;
         DROP TABLE delivery_stage_address",
    )
}

/// Writes what became of a file.
pub(super) fn file(
    connection: &Connection,
    run_no: u32,
    kept: &FileKept,
    read: &FileRead,
    zone: &str,
) -> duckdb::Result<()> {
    let counts = &read.counts;
    connection.execute(
        "INSERT INTO delivery_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamp(?)::TIMESTAMPTZ, make_timestamp(?)::TIMESTAMPTZ, ?, ?)",
        params![
            kept.file_no,
            run_no,
            read.path,
            read.format.map(LogFormat::word),
            counts.bytes,
            counts.lines,
            counts.understood,
            counts.ignored,
            counts.other_programs.values().sum::<u64>(),
            counts.unknown_lines(),
            counts.cut,
            counts.complaints,
            counts.attempts,
            kept.stored,
            kept.duplicates,
            counts.span.map(|span| span.0),
            counts.span.map(|span| span.1),
            Some(zone).filter(|_| counts.zoneless > 0),
            read.note,
        ],
    )?;
    let mut shapes: Vec<_> = counts.unknown.iter().collect();
    shapes.sort();
    for (shape, (lines, first)) in shapes {
        connection
            .execute("INSERT INTO delivery_unknown VALUES (?, ?, ?, ?)", params![kept.file_no, shape, lines, first])?;
    }
    Ok(())
}
