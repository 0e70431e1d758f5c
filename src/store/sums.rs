//! Sums of the records by stream and source, kept so that a question about the whole of a large store need not read every record.
//!
//! Records are only ever added, so a sum stays right for all reports up to the one that was the last when it was made; what came
//! since is read beside it. It is made anew once that has grown by a quarter: on the whole a record is summed a few times only.

use duckdb::Connection;

use super::open::LEAN;
use super::{Store, in_transaction, set_setting, setting};

/// Records not summed yet that are worth summing: fewer are read in no time.
const WORTH: u64 = 500_000;

/// Records in one sum below which reading the sums is hardly faster than reading the records.
const FOLD: u64 = 4;

/// Number of the last report that is in the sums; absent or 0 where there are none.
const SUMMED_UP_TO: &str = "summed_up_to";

/// Records there were when summing was last tried, whether the sums were kept or not.
const SUMMED_RECORDS: &str = "summed_records";

const HELD: &str = "SELECT coalesce(max(report_no), 0), coalesce(sum(records), 0)::UBIGINT FROM report";

const RENEW: &str = "
    CREATE OR REPLACE TEMP TABLE summed AS
    SELECT stream, source, coalesce(sum(messages), 0)::BIGINT AS messages, sum(records)::BIGINT AS records,
        min(first_day) AS first_day, max(last_day) AS last_day
    FROM (
        FROM stream_source
        UNION ALL
        SELECT stream, source, messages, 1, report_day, report_day FROM record_row WHERE report_no > {summed}
    ) GROUP BY stream, source;
    DELETE FROM stream_source;
    INSERT INTO stream_source FROM summed WHERE {records} >= {fold} * (SELECT count(*) FROM summed) ORDER BY stream, source;
    DROP TABLE summed;";

/// Returns the number of the last report whose records are in `stream_source`, 0 where none are.
///
/// # Errors
/// Whatever the engine says.
pub fn summed_up_to(connection: &Connection) -> duckdb::Result<u32> {
    number(connection, SUMMED_UP_TO)
}

/// Sums the records anew where enough have come since the last time. To be done when a run has ended, which it takes nothing from:
/// where it fails, that is logged, the sums are what they were, and the next run tries again.
pub fn sum_records(store: &Store) {
    if let Err(error) = sum(store) {
        tracing::warn!("the records could not be summed, so questions take longer until a later run can: {error}");
    }
}

fn sum(store: &Store) -> duckdb::Result<()> {
    let connection = store.connection();
    let (last, records): (u32, u64) = connection.query_row(HELD, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let before: u64 = number(connection, SUMMED_RECORDS)?;
    if records.saturating_sub(before) < WORTH.max(before / 4) {
        return Ok(());
    }
    connection.execute_batch(LEAN)?;
    in_transaction(store, || renew(connection, last, records))
}

fn renew(connection: &Connection, last: u32, records: u64) -> duckdb::Result<()> {
    let summed = summed_up_to(connection)?;
    let renew = RENEW.replace("{summed}", &summed.to_string()).replace("{fold}", &FOLD.to_string());
    connection.execute_batch(&renew.replace("{records}", &records.to_string()))?;
    let kept: bool = connection.query_row("SELECT count(*) > 0 FROM stream_source", [], |row| row.get(0))?;
    set_setting(connection, SUMMED_UP_TO, &if kept { last } else { 0 }.to_string())?;
    set_setting(connection, SUMMED_RECORDS, &records.to_string())
}

fn number<T: std::str::FromStr + Default>(connection: &Connection, name: &str) -> duckdb::Result<T> {
    Ok(setting(connection, name)?.and_then(|text| text.parse().ok()).unwrap_or_default())
}
