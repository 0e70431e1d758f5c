//! The one scan of the records behind senders, gaps and simulate: temporary tables that they all sum from. `flow_source` has a
//! row for each stream and source, `flow` one for each sender and stream.

use duckdb::Connection;

use super::senders::{Sums, sums};
use super::{QueryError, Scope};

const FLOW: &str = include_str!("../../schemas/query/flow.sql");

/// Makes the temporary tables for the records of a scope.
///
/// # Errors
/// The store cannot be asked.
pub(super) fn flow(connection: &Connection, scope: &Scope) -> Result<(), QueryError> {
    // Order means nothing here, and keeping it costs.
    connection.execute_batch("SET preserve_insertion_order = false")?;
    connection.execute_batch(&FLOW.replace("{records}", &scope.of_records("r.")))?;
    Ok(())
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
        Ok(Self { connection, scope, senders: sums(connection)? })
    }
}
