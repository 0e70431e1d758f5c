//! One entry of the ledger: where its item came from.

use duckdb::{Connection, OptionalExt as _};

use super::QueryError;
use crate::fetch::Origin;
use crate::store::origin_of;

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Where its item came from.
    pub origin: Origin,
    /// Names the item's bytes in table `kept`, as the engine writes keys.
    pub content_hash: Option<String>,
    /// When the mailbox received it, seconds since 1970-01-01 UTC.
    pub received_at: Option<i64>,
    /// What became of it.
    pub outcome: String,
}

/// Finds an entry by its number.
///
/// # Errors
/// There is none.
pub fn ledger_entry(connection: &Connection, number: u64) -> Result<LedgerEntry, QueryError> {
    let found = connection
        .query_row(
            "SELECT account, folder, uid_validity, uid, path, member, content_hash::VARCHAR, epoch_us(received_at) // 1000000, outcome
             FROM ledger WHERE entry_no = ?",
            [number],
            |row| {
                let origin = origin_of(row, 0)?;
                Ok(LedgerEntry {
                    origin,
                    content_hash: row.get(6)?,
                    received_at: row.get(7)?,
                    outcome: row.get(8)?,
                })
            },
        )
        .optional()?;
    found.ok_or_else(|| {
        QueryError::NotFound(format!(
            "no entry {number} in the ledger; `dmarcase status --rejected` lists those that were rejected"
        ))
    })
}
