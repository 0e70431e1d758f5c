//! What the store knows already of a batch: its reports by identity, its items by content and origin.

use duckdb::Connection;
use duckdb::arrow::array::UInt32Array;
use rustc_hash::{FxHashMap, FxHashSet};

use super::columns::key_of;
use super::{Columns, Found, ReadItem};
use crate::fetch::Origin;

/// Where a batch's keys are put to be looked up. Made once, so that the statements stay prepared.
const STAGES: &str = "
    CREATE TEMP TABLE IF NOT EXISTS batch_report (report_key UUID);
    CREATE TEMP TABLE IF NOT EXISTS batch_item (item UINTEGER, content_hash UUID)";

const REPORTS: &str = "
    SELECT report_key::VARCHAR, content_key::VARCHAR FROM report WHERE report_key IN (FROM batch_report)";

const ENTRIES: &str = "
    SELECT b.item, l.entry_no, l.document, l.outcome, l.account, l.folder, l.uid_validity, l.uid, l.path, l.member
    FROM ledger l JOIN batch_item b USING (content_hash)";

const KEPT: &str = "SELECT DISTINCT content_hash::VARCHAR FROM kept SEMI JOIN batch_item USING (content_hash)";

/// Must be done on a connection before anything is looked up, outside a transaction.
pub(super) fn prepare(connection: &Connection) -> duckdb::Result<()> {
    connection.execute_batch(STAGES)
}

/// Returns the content of each of the batch's reports that the store knows, by identity.
pub(super) fn reports(connection: &Connection, items: &[ReadItem]) -> duckdb::Result<FxHashMap<u128, u128>> {
    let keys = items.iter().flat_map(|item| &item.documents).filter_map(|document| match &document.found {
        Found::Report { report_key, .. } => Some(Some(*report_key)),
        _ => None,
    });
    let mut columns = Columns::new();
    columns.keys("report_key", keys);
    columns.replace(connection, "batch_report")?;
    let mut statement = connection.prepare_cached(REPORTS)?;
    let mut rows = statement.query([])?;
    let mut known: FxHashMap<u128, u128> = FxHashMap::default();
    while let Some(row) = rows.next()? {
        known.insert(key_of(&row.get::<_, String>(0)?), key_of(&row.get::<_, String>(1)?));
    }
    Ok(known)
}

/// A row that the ledger holds already for an item of the batch.
#[derive(Debug)]
pub(super) struct Prior {
    pub(super) entry_no: u64,
    pub(super) document: Option<String>,
    pub(super) outcome: String,
}

/// Returns what the ledger says of each of the batch's items, from the same origin, by its place in the batch.
pub(super) fn entries(connection: &Connection, items: &[ReadItem]) -> duckdb::Result<FxHashMap<usize, Vec<Prior>>> {
    // One for all that have the same bytes: of many of those each would else meet the rows of every other.
    let mut hashes: FxHashSet<u128> = FxHashSet::default();
    let one: Vec<(u32, u128)> = (0..)
        .zip(items.iter().map(|item| item.content_hash))
        .filter(|(_, content_hash)| hashes.insert(*content_hash))
        .collect();
    let mut places: FxHashMap<(u128, &Origin), usize> = FxHashMap::default();
    for (at, item) in items.iter().enumerate() {
        places.entry((item.content_hash, &item.origin)).or_insert(at);
    }
    let mut columns = Columns::new();
    columns
        .push("item", UInt32Array::from_iter_values(one.iter().map(|(at, _)| *at)))
        .keys("content_hash", one.iter().map(|(_, content_hash)| Some(*content_hash)));
    columns.replace(connection, "batch_item")?;
    let mut statement = connection.prepare_cached(ENTRIES)?;
    let mut rows = statement.query([])?;
    let mut prior: FxHashMap<usize, Vec<Prior>> = FxHashMap::default();
    while let Some(row) = rows.next()? {
        let Some(item) = items.get(row.get::<_, u32>(0)? as usize) else { continue };
        let origin = origin_of(row, 4)?;
        if let Some(at) = places.get(&(item.content_hash, &origin)) {
            let known = Prior { entry_no: row.get(1)?, document: row.get(2)?, outcome: row.get(3)? };
            prior.entry(*at).or_default().push(known);
        }
    }
    Ok(prior)
}

/// Returns those of the batch's items whose bytes are kept already, by content; [`entries`] must have been asked for the batch.
pub(super) fn kept(connection: &Connection) -> duckdb::Result<FxHashSet<u128>> {
    let mut statement = connection.prepare_cached(KEPT)?;
    statement.query_map([], |row| Ok(key_of(&row.get::<_, String>(0)?)))?.collect()
}

/// Reads an origin from the ledger's columns account, folder, uid_validity, uid, path and member, which stand side by side
/// in a row from column `first` on.
pub(crate) fn origin_of(row: &duckdb::Row<'_>, first: usize) -> duckdb::Result<Origin> {
    Ok(match row.get::<_, Option<String>>(first)? {
        Some(account) => Origin::Mailbox {
            account,
            folder: row.get::<_, Option<String>>(first + 1)?.unwrap_or_default(),
            uid_validity: row.get::<_, Option<u32>>(first + 2)?.unwrap_or_default(),
            uid: row.get::<_, Option<u32>>(first + 3)?.unwrap_or_default(),
        },
        None => Origin::File {
            path: row.get::<_, Option<String>>(first + 4)?.unwrap_or_default(),
            member: row.get(first + 5)?,
        },
    })
}
