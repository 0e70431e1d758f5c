//! The figures of responses: a response's are of the pairs that got it at least once, its attempts of those that it answered.

use duckdb::Connection;

use super::figures::{DELAY, Groups, Sums, median, parts};

/// Lines weigh more than lives: a part of them is smaller.
const WEIGHT: u64 = 3;

/// Returns the figures of each response (by its number) of the lives within a condition, which are so many pairs.
pub(super) fn groups(connection: &Connection, within: &str, pairs: u64) -> duckdb::Result<Groups> {
    let mut groups = Groups::new();
    for part in parts(pairs * WEIGHT) {
        let sql = format!(
            "WITH x AS (SELECT l.message_key, l.recipient_key, l.response, count(*) FILTER (WHERE l.status <= 2) AS attempts,
                count(*) FILTER (WHERE l.status = 1) AS deferrals
                FROM delivery_line l WHERE l.status <> 5 AND l.status <> 3{part} GROUP BY ALL),
             p AS (SELECT x.response, x.recipient_key, l.outcome, x.attempts, x.deferrals,
                CASE WHEN l.reputation_deferrals > 0 AND len(coalesce(q.reputation_of, [])) > 0 THEN x.deferrals ELSE 0 END AS reputation
                FROM x JOIN delivery_life l USING (message_key, recipient_key)
                LEFT JOIN delivery_response q ON q.response_no = x.response WHERE {within}{part}),
             r AS (SELECT response, recipient_key, sum(attempts) AS attempts, sum(deferrals) AS deferrals, sum(reputation) AS reputation,
                count(*) FILTER (WHERE outcome = 2 AND reputation > 0) AS given_up, count(*) FILTER (WHERE outcome = 0) AS o0,
                count(*) FILTER (WHERE outcome = 1) AS o1, count(*) FILTER (WHERE outcome = 2) AS o2,
                count(*) FILTER (WHERE outcome = 3) AS o3, count(*) FILTER (WHERE outcome = 4) AS o4,
                count(*) FILTER (WHERE outcome = 5) AS o5 FROM p GROUP BY 1, 2)
             SELECT response::VARCHAR, count(*) FILTER (WHERE attempts > 0), count(*) FILTER (WHERE reputation > 0),
                sum(given_up)::UBIGINT, sum(attempts)::UBIGINT, sum(deferrals)::UBIGINT, sum(reputation)::UBIGINT, sum(o0)::UBIGINT,
                sum(o1)::UBIGINT, sum(o2)::UBIGINT, sum(o3)::UBIGINT, sum(o4)::UBIGINT, sum(o5)::UBIGINT FROM r GROUP BY 1"
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut sums = Sums {
                recipients: row.get(1)?,
                affected: row.get(2)?,
                expired_affected: row.get(3)?,
                attempts: row.get(4)?,
                deferrals: row.get(5)?,
                reputation_deferrals: row.get(6)?,
                ..Sums::default()
            };
            for (number, outcome) in sums.outcomes.iter_mut().enumerate() {
                *outcome = row.get(7 + number)?;
            }
            groups.entry(row.get(0)?).or_default().add(&sums);
        }
    }
    let sql = format!(
        "SELECT response::VARCHAR, {} FROM (
            SELECT DISTINCT x.message_key, x.recipient_key, x.response, l.delay FROM delivery_line x JOIN (
                SELECT l.message_key, l.recipient_key, {DELAY} AS delay FROM delivery_life l WHERE l.outcome = 1 AND {within}) l
            USING (message_key, recipient_key) WHERE x.status <> 5 AND x.status <> 3) GROUP BY 1",
        median("delay")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let delay: Option<i64> = row.get(1)?;
        groups.entry(row.get(0)?).or_default().median_delay = delay.and_then(|seconds| u64::try_from(seconds).ok());
    }
    Ok(groups)
}
