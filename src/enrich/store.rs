//! Which sources are waiting, and what was found of them, written a batch at a time.

use chrono::{DateTime, Utc};
use duckdb::{Connection, params};

use super::{Enriched, Named, Waiting};
use crate::senders::{self, AttributeError};
use crate::store::{Store, in_transaction};

// Heaviest first: the messages of a source over all reports.
const WAITING: &str = "
    WITH weight AS (SELECT source, sum(messages) AS messages FROM record_row WHERE source IS NOT NULL GROUP BY source)
    SELECT s.source_no, s.source_ip, ?1 AND (s.enriched_at IS NULL OR s.enriched_at < ?2::TIMESTAMPTZ) AS wants_name
    FROM source s LEFT JOIN weight w ON w.source = s.source_no
    WHERE wants_name OR (?3 AND s.network IS NULL AND s.as_number IS NULL AND s.country IS NULL
        OR ?3 AND s.enriched_at < ?2::TIMESTAMPTZ)
    ORDER BY w.messages DESC NULLS LAST, s.source_no";

/// Reads the sources that lack a name (where `by_name`), or a network (where `by_database`), heaviest first. What was
/// looked up before `older_than` counts as lacking.
///
/// # Errors
/// The store cannot be asked.
pub fn waiting(
    connection: &Connection,
    by_name: bool,
    by_database: bool,
    older_than: DateTime<Utc>,
) -> duckdb::Result<Vec<Waiting>> {
    let mut statement = connection.prepare(WAITING)?;
    let rows = statement.query_map(params![by_name, older_than.to_rfc3339(), by_database], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (source, ip, wants_name) = row?;
        // The store's own text: always an address.
        if let Ok(ip) = ip.parse() {
            found.push(Waiting { source, ip, wants_name });
        }
    }
    Ok(found)
}

/// Counts the sources that the store knows.
///
/// # Errors
/// The store cannot be asked.
pub fn sources(connection: &Connection) -> duckdb::Result<u64> {
    connection.query_row("SELECT count(*) FROM source", [], |row| row.get(0))
}

/// Counts the sources that are attributed by their host name.
///
/// # Errors
/// The store cannot be asked.
pub fn attributed_by_name(connection: &Connection) -> duckdb::Result<u64> {
    connection.query_row("SELECT count(*) FROM source WHERE starts_with(evidence, 'PTR ')", [], |row| row.get(0))
}

const TABLE: &str = "
    CREATE OR REPLACE TEMP TABLE enriched (source_no UINTEGER, asked BOOLEAN, ptr VARCHAR, ptr_confirmed BOOLEAN,
        network VARCHAR, as_number UINTEGER, as_name VARCHAR, country VARCHAR)";

// What could not be checked stays as it was, also in time: the next run asks again. So does what no database knows.
const UPDATE: &str = "
    UPDATE source SET
        ptr = CASE WHEN e.asked THEN e.ptr ELSE source.ptr END,
        ptr_confirmed = CASE WHEN e.asked THEN e.ptr_confirmed ELSE source.ptr_confirmed END,
        enriched_at = CASE WHEN e.asked THEN ?::TIMESTAMPTZ ELSE source.enriched_at END,
        network = coalesce(e.network, source.network),
        as_number = coalesce(e.as_number, source.as_number),
        as_name = coalesce(e.as_name, source.as_name),
        country = coalesce(e.country, source.country)
    FROM enriched e WHERE source.source_no = e.source_no";

const RENAMED: &str = "
    SELECT count(*) > 0 FROM enriched e JOIN source s USING (source_no)
    WHERE e.asked AND (CASE WHEN e.ptr_confirmed THEN e.ptr END) IS DISTINCT FROM (CASE WHEN s.ptr_confirmed THEN s.ptr END)";

/// Writes one batch, in one transaction. Where it changes a name that may attribute a source, the senders are to be
/// attributed afresh, by whoever asks next.
///
/// # Errors
/// The store cannot be written; nothing of the batch is kept then.
pub fn keep(store: &Store, batch: &[Enriched], at: DateTime<Utc>) -> Result<(), AttributeError> {
    in_transaction(store, || write(store.connection(), batch, at))
}

fn write(connection: &Connection, batch: &[Enriched], at: DateTime<Utc>) -> Result<(), AttributeError> {
    connection.execute_batch(TABLE)?;
    let mut rows = connection.appender_to_catalog_and_db("enriched", "temp", "main")?;
    for one in batch {
        let (asked, ptr, confirmed) = match &one.named {
            Some(Named::Confirmed(host)) => (true, Some(host.as_str()), Some(true)),
            Some(Named::Unconfirmed(host)) => (true, Some(host.as_str()), Some(false)),
            Some(Named::Nameless) => (true, None, Some(false)),
            Some(Named::Unchecked(_)) | None => (false, None, None),
        };
        let place = one.place.clone().unwrap_or_default();
        rows.append_row(params![
            one.source,
            asked,
            ptr,
            confirmed,
            place.network,
            place.as_number,
            place.as_name,
            place.country
        ])?;
    }
    rows.flush()?;
    drop(rows);
    if connection.query_row(RENAMED, [], |row| row.get(0))? {
        senders::forget(connection)?;
    }
    connection.execute(UPDATE, [at.to_rfc3339()])?;
    connection.execute_batch("DROP TABLE enriched")?;
    Ok(())
}
