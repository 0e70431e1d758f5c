//! The life of each message to each recipient, worked out anew for the messages that got new lines. Of lines of one moment, the later
//! line of the log is the later one.

use chrono::NaiveDate;
use duckdb::Connection;

use super::messages::stage;
use crate::query::{begin_of, quoted_name};
use crate::store::lay_views_over;

/// The order of lines: by time, and of one moment as they stand in the log. A last try comes before the end that the same line tells.
pub(crate) const MOMENT: &str = "attempt_at, line, status = 3, attempt_key";

/// Expiries that the queue states for a message, not for a recipient, become lines of the recipients that had no answer:
/// neither delivered nor refused for good nor given up already. Their response is the last one that they got.
const EXPIRE: &str = "
INSERT INTO delivery_line
SELECT xor(xor(l.message_key, l.recipient_key), 11400714819323198485::UBIGINT), l.message_key, l.recipient_key,
    any_value(l.recipient_domain), any_value(e.expired_at), 3, false, arg_max(l.response, l.moment), arg_max(l.vars, l.moment),
    arg_max(l.relay, l.moment), arg_max(l.route, l.moment), arg_max(l.source, l.moment),
    arg_max(l.source_from, l.moment), NULL, NULL, NULL
FROM (SELECT *, (MOMENT) AS moment FROM delivery_line) l
JOIN delivery_envelope e ON e.message_key = l.message_key AND e.expired_at IS NOT NULL
WHERE l.attempt_at >= make_timestamp(FIRST::BIGINT)::TIMESTAMPTZ AND l.message_key IN (SELECT key FROM delivery_stage_life)
GROUP BY l.message_key, l.recipient_key
HAVING NOT bool_or(l.status IN (0, 2, 3, 4))";

/// A deferral that later delivers is not a loss; an expiry is not a deferral; what has no end yet is open.
const LIVES: &str = "
SELECT l.message_key, l.recipient_key, any_value(l.recipient_domain),
    coalesce(arg_max(l.route, l.moment) FILTER (WHERE l.status <= 2 AND l.relay IS NOT NULL AND NOT l.internal),
        arg_max(l.route, l.moment)),
    bool_and(l.internal),
    arg_max(l.source, l.moment) FILTER (WHERE l.source IS NOT NULL),
    any_value(e.envelope_from), any_value(e.campaign),
    coalesce(min(l.attempt_at) FILTER (WHERE l.status <= 2), min(l.attempt_at)), max(l.attempt_at),
    count(*) FILTER (WHERE l.status <= 2),
    count(*) FILTER (WHERE l.status = 1),
    count(*) FILTER (WHERE l.status = 1 AND (list_contains(r.reputation_of, o.gateway)
        OR list_contains(r.reputation_of, split_part(o.gateway, '-', 1)))),
    count(*) FILTER (WHERE l.status = 5),
    CASE WHEN bool_or(l.status = 0) THEN CASE WHEN coalesce(min(l.attempt_at) FILTER (WHERE l.status = 1)
                <= min(l.attempt_at) FILTER (WHERE l.status = 0), false) THEN 1 ELSE 0 END
         WHEN bool_or(l.status = 3) THEN 2
         WHEN bool_or(l.status = 2) THEN 3
         WHEN bool_or(l.status = 4) THEN 4
         ELSE 5 END,
    min(l.attempt_at) FILTER (WHERE l.status = 1),
    arg_min(l.response, l.moment) FILTER (WHERE l.status = 1),
    coalesce(min(l.attempt_at) FILTER (WHERE l.status = 0), min(l.attempt_at) FILTER (WHERE l.status = 3),
        min(l.attempt_at) FILTER (WHERE l.status = 2), min(l.attempt_at) FILTER (WHERE l.status = 4))
FROM (SELECT *, (MOMENT) AS moment FROM delivery_line) l
LEFT JOIN delivery_envelope e ON e.message_key = l.message_key
LEFT JOIN delivery_response r ON r.response_no = l.response
LEFT JOIN delivery_route o ON o.route_no = l.route
WHERE l.attempt_at >= make_timestamp(FIRST::BIGINT)::TIMESTAMPTZ AND l.message_key IN (SELECT key FROM delivery_stage_life)
GROUP BY l.message_key, l.recipient_key";

/// Before every line: a route may be as old as the store.
const ALL_TIME: i64 = -62_135_596_800_000_000;
/// Lines whose lives are worked out together where all are.
const AT_ONCE: u64 = 500_000;

/// Works the lives of messages out; their first line is not before `first` (microseconds UTC).
pub(super) fn again(connection: &Connection, (messages, first): &(Vec<u64>, i64)) -> duckdb::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    stage(connection, "delivery_stage_life", messages)?;
    work_out(connection, *first)
}

/// Works the lives of all messages on some routes out: their gateway changed.
pub(super) fn again_for_routes(connection: &Connection, routes: &[u32]) -> duckdb::Result<()> {
    if routes.is_empty() {
        return Ok(());
    }
    let keys: Vec<u64> = routes.iter().map(|route| u64::from(*route)).collect();
    stage(connection, "delivery_stage_route", &keys)?;
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE delivery_stage_life AS
         SELECT DISTINCT message_key AS key FROM delivery_line WHERE route IN (SELECT key FROM delivery_stage_route)",
    )?;
    work_out(connection, ALL_TIME)
}

/// Works all lives of the store out, some at a time: message keys are hashes, so their ranges are of even size.
pub(super) fn again_for_all(connection: &Connection) -> duckdb::Result<()> {
    let lines: u64 = connection.query_row("SELECT count(*) FROM delivery_line", [], |row| row.get(0))?;
    let parts = lines.div_ceil(AT_ONCE).max(1);
    let width = u64::MAX / parts;
    for part in 0..parts {
        let last = if part + 1 == parts { u64::MAX } else { (part + 1) * width - 1 };
        connection.execute_batch(&format!(
            "CREATE OR REPLACE TEMP TABLE delivery_stage_life AS SELECT DISTINCT message_key AS key FROM delivery_line
             WHERE message_key BETWEEN {} AND {last}",
            part * width
        ))?;
        work_out(connection, ALL_TIME)?;
    }
    Ok(())
}

fn work_out(connection: &Connection, first: i64) -> duckdb::Result<()> {
    connection.execute_batch(&whole(EXPIRE, first))?;
    connection.execute_batch("DELETE FROM delivery_life WHERE message_key IN (SELECT key FROM delivery_stage_life)")?;
    connection.execute_batch(&format!("INSERT INTO delivery_life {}", whole(LIVES, first)))
}

/// A statement with its first line's time and the order of lines in it.
fn whole(text: &str, first: i64) -> String {
    text.replace("FIRST", &first.to_string()).replace("MOMENT", MOMENT)
}

/// Hides from a connection whatever came after a day: lines, and with them every outcome that they brought. Like the rows of
/// other tenants it is hidden behind temporary views of the same names, so that no question needs to know of it.
///
/// # Errors
/// The store cannot be asked.
pub(crate) fn end_with(connection: &Connection, day: NaiveDate) -> duckdb::Result<()> {
    let Some(next) = day.succ_opt() else { return Ok(()) };
    let end = begin_of(next);
    // What leaves nothing out would cost all the same.
    let later = format!("SELECT count(*) > 0 FROM delivery_life WHERE last_at >= {end}");
    if !connection.query_row(&later, [], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    let store: String = connection.query_row("SELECT current_database()", [], |row| row.get(0))?;
    let store = format!("{}.main", quoted_name(&store));
    let whole_of = |name: &str| format!("{name}_before_{}", next.format("%Y%m%d"));
    for name in ["delivery_line", "delivery_life"] {
        // The connection may be narrowed to a tenant already: what it sees is what is cut.
        let hidden: bool = connection.query_row(
            "SELECT count(*) > 0 FROM duckdb_views() WHERE temporary AND view_name = ?",
            [name],
            |row| row.get(0),
        )?;
        let whole = whole_of(name);
        connection.execute_batch(&if hidden {
            format!("ALTER VIEW {name} RENAME TO {whole}")
        } else {
            format!("CREATE TEMP VIEW {whole} AS SELECT * FROM {store}.{name}")
        })?;
    }
    let (lines, lives) = (whole_of("delivery_line"), whole_of("delivery_life"));
    // A life whose last line came before is what it was; the others are worked out from the lines that there were.
    let again = format!("{}_again", lives);
    connection.execute_batch(&format!(
        "CREATE TEMP VIEW delivery_line AS SELECT * FROM {lines} WHERE attempt_at < {end};
         CREATE OR REPLACE TEMP TABLE delivery_stage_life AS
            SELECT DISTINCT message_key AS key FROM {lives} WHERE last_at >= {end};
         CREATE TEMP TABLE {again} AS SELECT * FROM {lives} LIMIT 0;
         INSERT INTO {again} {};
         DELETE FROM {again} WHERE (message_key, recipient_key) IN (SELECT (message_key, recipient_key) FROM {lives}
            WHERE last_at < {end} AND message_key IN (SELECT key FROM delivery_stage_life));
         CREATE TEMP VIEW delivery_life AS SELECT * FROM {lives} WHERE last_at < {end} UNION ALL SELECT * FROM {again}",
        whole(LIVES, ALL_TIME)
    ))?;
    // The store's own views are bound to its tables; the same text, bound here, reads what is left.
    lay_views_over(connection)
}
