//! The one scan of the records behind senders, gaps and simulate: a temporary table `flow` that they all sum from.

use duckdb::Connection;

use super::{QueryError, Scope};

const FLOW: &str = include_str!("../../schemas/query/flow.sql");

/// Makes the temporary table `flow` for the records of a scope.
///
/// # Errors
/// The store cannot be asked.
pub(super) fn flow(connection: &Connection, scope: &Scope) -> Result<(), QueryError> {
    // Order means nothing here, and keeping it costs.
    connection.execute_batch("SET preserve_insertion_order = false")?;
    connection.execute_batch(&FLOW.replace("{records}", &scope.of_records("r.")))?;
    Ok(())
}
