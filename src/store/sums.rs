//! Sums of the records by stream and source, kept so that a question about the whole of a large store need not read every record.
//!
//! Records are only ever added, so a sum stays right for all reports up to the one that was the last when it was made; what came
//! since is read beside it. It is made anew once that has grown by a quarter: on the whole a record is summed a few times only.

use duckdb::{Connection, params};

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

const OF_RECORDS: &str = "
    SELECT r.stream, r.source, coalesce(sum(r.messages), 0)::BIGINT AS messages, count(*) AS records,
        min(r.report_day) AS first_day, max(r.report_day) AS last_day
    FROM record_row r WHERE {records} GROUP BY ALL";

const KEPT: &str = "SELECT stream, source, messages, records, first_day, last_day FROM stream_source r WHERE {streams}";

const TOGETHER: &str = "
    SELECT stream, source, sum(messages)::BIGINT AS messages, sum(records)::BIGINT AS records,
        min(first_day) AS first_day, max(last_day) AS last_day
    FROM ({kept} UNION ALL {fresh}) GROUP BY ALL";

const KEEP: &str =
    "INSERT INTO stream_source FROM summed WHERE ? >= ? * (SELECT count(*) FROM summed) ORDER BY stream, source";

/// Returns the statement that sums records by stream and source: those that a condition on `record_row r` chooses.
pub fn sums_of_records(records: &str) -> String {
    OF_RECORDS.replace("{records}", records)
}

/// The same for records of all days, of which those that are summed already are read as they are. The conditions choose the same
/// records, one on `record_row r`, the other on `stream_source r`.
///
/// # Errors
/// Whatever the engine says.
pub fn sums_of_all_days(connection: &Connection, records: &str, streams: &str) -> duckdb::Result<String> {
    let summed: u32 = number(connection, SUMMED_UP_TO)?;
    if summed == 0 {
        return Ok(sums_of_records(records));
    }
    let kept = KEPT.replace("{streams}", streams);
    let came: bool =
        connection.query_row("SELECT coalesce(max(report_no), 0) > ? FROM report", [summed], |row| row.get(0))?;
    if !came {
        return Ok(kept);
    }
    let fresh = sums_of_records(&format!("r.report_no > {summed} AND {records}"));
    Ok(TOGETHER.replace("{kept}", &kept).replace("{fresh}", &fresh))
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
    let sums = sums_of_all_days(connection, "true", "true")?;
    connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE summed AS {sums}; DELETE FROM stream_source"))?;
    let kept = connection.execute(KEEP, params![records, FOLD])? > 0;
    connection.execute_batch("DROP TABLE summed")?;
    set_setting(connection, SUMMED_UP_TO, &if kept { last } else { 0 }.to_string())?;
    set_setting(connection, SUMMED_RECORDS, &records.to_string())
}

fn number<T: std::str::FromStr + Default>(connection: &Connection, name: &str) -> duckdb::Result<T> {
    Ok(setting(connection, name)?.and_then(|text| text.parse().ok()).unwrap_or_default())
}
