//! The rejected, read again: what the ledger says of them and the bytes kept.

use std::io::Read;

use duckdb::Connection;
use flate2::read::GzDecoder;

use super::StoreError;
use super::known::origin_of;
use crate::fetch::Origin;

/// An item with at least one rejected document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptItem {
    /// The first of its ledger entries.
    pub entry_no: u64,
    /// Where it came from.
    pub origin: Origin,
    /// Names its bytes in table `kept`, as the engine writes keys.
    pub content_hash: String,
    /// When the mailbox received it, seconds since 1970-01-01 UTC.
    pub received_at: Option<i64>,
}

const ITEMS: &str = "
    SELECT min(entry_no), account, folder, uid_validity, uid, path, member, content_hash::VARCHAR,
        any_value(epoch_us(received_at) // 1000000)
    FROM ledger WHERE outcome = 'rejected'
    GROUP BY account, folder, uid_validity, uid, path, member, content_hash
    ORDER BY min(entry_no)";

/// Lists every item with a rejected document, in ledger order.
///
/// # Errors
/// Whatever the engine says.
pub fn rejected_items(connection: &Connection) -> Result<Vec<KeptItem>, StoreError> {
    let doing = "listing the rejected items";
    let mut statement = connection.prepare(ITEMS).map_err(StoreError::query(doing))?;
    let rows = statement
        .query_map([], |row| {
            let origin = origin_of(row, 1)?;
            Ok(KeptItem { entry_no: row.get(0)?, origin, content_hash: row.get(7)?, received_at: row.get(8)? })
        })
        .map_err(StoreError::query(doing))?;
    rows.collect::<Result<_, _>>().map_err(StoreError::query(doing))
}

/// Returns the bytes kept under a content hash; `None` where none are.
///
/// # Errors
/// Whatever the engine says, or damaged kept bytes.
pub fn kept_item(connection: &Connection, content_hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let doing = "reading kept bytes";
    let parts: Vec<(Vec<u8>, u64)> = connection
        .prepare("SELECT gzip, size FROM kept WHERE content_hash = ?::UUID ORDER BY part")
        .and_then(|mut statement| statement.query_map([content_hash], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(StoreError::query(doing))?;
    let Some(&(_, size)) = parts.first() else { return Ok(None) };
    let gzip: Vec<u8> = parts.into_iter().flat_map(|(part, _)| part).collect();
    let mut bytes = Vec::new();
    GzDecoder::new(gzip.as_slice()).take(size).read_to_end(&mut bytes).map_err(|error| StoreError::Query {
        what: doing,
        source: duckdb::Error::ToSqlConversionFailure(Box::new(error)),
    })?;
    Ok(Some(bytes))
}
