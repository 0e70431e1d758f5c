//! The one scan of the records behind senders, gaps and simulate: temporary tables that they all sum from. `flow_source` has a
//! row for each stream and source, `flow` one for each sender and stream.

use duckdb::Connection;

use super::senders::{Sums, sums as by_sender};
use super::{QueryError, Scope};
use crate::store::{sums_of_all_days, sums_of_records};

const FLOW: &str = include_str!("../../schemas/query/flow.sql");

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

/// Returns the statement that sums the records of a scope by stream and source.
fn sums(connection: &Connection, scope: &Scope) -> Result<String, QueryError> {
    let of_records = scope.of_records("r.");
    if !scope.is_of_all_days() {
        return Ok(sums_of_records(&of_records));
    }
    let of_streams = match &scope.domains {
        None => of_records.clone(),
        Some(_) => format!("r.stream IN (SELECT t.stream_no FROM stream t WHERE {})", scope.of_records("t.")),
    };
    Ok(sums_of_all_days(connection, &of_records, &of_streams)?)
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
