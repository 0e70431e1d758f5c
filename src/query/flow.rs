//! The one scan of the records behind senders, gaps and simulate: temporary tables that they all sum from. `flow_source` has a
//! row for each stream and source, `flow` one for each sender and stream.

use duckdb::Connection;

use super::senders::{Sums, sums as by_sender};
use super::{QueryError, Scope};
use crate::store::summed_up_to;

const FLOW: &str = include_str!("../../schemas/query/flow.sql");

const SUMS: &str = "
    SELECT r.stream, r.source, coalesce(sum(r.messages), 0)::BIGINT AS messages, count(*) AS records,
        min(r.report_day) AS first_day, max(r.report_day) AS last_day
    FROM record_row r WHERE {records} GROUP BY ALL";

const HELD: &str = "SELECT stream, source, messages, records, first_day, last_day FROM stream_source r WHERE {streams}";

const TOGETHER: &str = "
    SELECT stream, source, sum(messages)::BIGINT AS messages, sum(records)::BIGINT AS records,
        min(first_day) AS first_day, max(last_day) AS last_day
    FROM ({held} UNION ALL {fresh}) GROUP BY ALL";

/// Makes the temporary tables for the records of a scope.
///
/// # Errors
/// The store cannot be asked.
pub(super) fn flow(connection: &Connection, scope: &Scope) -> Result<(), QueryError> {
    // Order means nothing here, and keeping it costs.
    connection.execute_batch("SET preserve_insertion_order = false")?;
    connection.execute_batch(&FLOW.replace("{sums}", &sums(connection, scope)?))?;
    Ok(())
}

/// Returns the statement that sums the records of a scope by stream and source. Of all days, those that the store has summed
/// already are read as they are.
fn sums(connection: &Connection, scope: &Scope) -> Result<String, QueryError> {
    let of_records = scope.of_records("r.");
    let summed = if scope.is_of_all_days() { summed_up_to(connection)? } else { 0 };
    if summed == 0 {
        return Ok(SUMS.replace("{records}", &of_records));
    }
    let of_streams = match &scope.domains {
        None => of_records.clone(),
        Some(_) => format!("r.stream IN (SELECT t.stream_no FROM stream t WHERE {})", scope.of_records("t.")),
    };
    let held = HELD.replace("{streams}", &of_streams);
    let last: u32 = connection.query_row("SELECT coalesce(max(report_no), 0) FROM report", [], |row| row.get(0))?;
    if last <= summed {
        return Ok(held);
    }
    let fresh = SUMS.replace("{records}", &format!("r.report_no > {summed} AND {of_records}"));
    Ok(TOGETHER.replace("{held}", &held).replace("{fresh}", &fresh))
}

/// The mail of a scope, scanned once and summed by sender: the questions of a case share it. `flow` stands on the connection.
#[derive(Debug)]
pub struct Mail<'a> {
    pub(super) connection: &'a Connection,
    pub(super) scope: &'a Scope,
    /// Most messages first.
    pub(super) senders: Vec<Sums>,
}

impl<'a> Mail<'a> {
    /// Scans the mail of a scope.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn of(connection: &'a Connection, scope: &'a Scope) -> Result<Self, QueryError> {
        flow(connection, scope)?;
        Ok(Self { connection, scope, senders: by_sender(connection)? })
    }
}
