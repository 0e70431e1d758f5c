//! Parts 2 and 3 from delivery logs: the exact responses, retries and days.

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, Row};

use super::shown::Shown;
use super::types::{DayRow, ResponseRow, Retries, SmtpPart};
use crate::evidence::{DELAY, DeliveryScope, MOMENT, Within, pairs_of};
use crate::query::{begin_of, quoted};

/// Responses of one kind that a case shows.
const RESPONSES: usize = 12;

/// Reads a time that a statement gives as microseconds.
pub(super) fn time(row: &Row<'_>, column: usize) -> duckdb::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(DateTime::from_timestamp_micros))
}

/// The lives that a case is about: a part of the flow, and of the lives themselves.
pub(super) struct Affected<'a> {
    pub(super) connection: &'a Connection,
    pub(super) scope: &'a DeliveryScope,
    pub(super) within: Within,
}

impl<'a> Affected<'a> {
    pub(super) fn of(connection: &'a Connection, scope: &'a DeliveryScope) -> duckdb::Result<Self> {
        Ok(Self { connection, scope, within: scope.within(connection)? })
    }
}

/// The sending addresses that logs and responses name for the affected mail of a scope, of which `delivery_flow` stands, and after
/// them those of mail that was refused for good.
pub(super) fn sources_of(connection: &Connection, scope: &DeliveryScope) -> duckdb::Result<Vec<String>> {
    let within = scope.within(connection)?;
    let deferred = format!(
        "SELECT t.\"text\" FROM delivery_flow l JOIN delivery_text t ON t.text_no = l.source
         WHERE l.affected AND {} GROUP BY 1 ORDER BY sum(l.pairs) DESC, 1",
        within.flow
    );
    let refused = format!(
        "SELECT t.\"text\" FROM delivery_line x
         SEMI JOIN (SELECT l.message_key, l.recipient_key FROM delivery_life l WHERE l.outcome IN (2, 3) AND {}) l
            USING (message_key, recipient_key)
         JOIN delivery_text t ON t.text_no = x.source JOIN delivery_response r ON r.response_no = x.response
         WHERE x.status = 2 AND {} GROUP BY 1 ORDER BY count(*) DESC, 1",
        within.lives,
        reputation(scope)
    );
    let mut sources: Vec<String> = Vec::new();
    for sql in [deferred, refused] {
        let mut statement = connection.prepare(&sql)?;
        for source in statement.query_map([], |row| row.get(0))? {
            let source = source?;
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    Ok(sources)
}

/// The condition that a response `r` is the reputation answer of the scope's gateway. A case is about one, so its answers are judged
/// once, not at every line.
fn reputation(scope: &DeliveryScope) -> String {
    let gateway = scope.gateway.as_deref().unwrap_or_default();
    let family = gateway.split('-').next().unwrap_or_default();
    format!("coalesce(list_has_any(r.reputation_of, [{}, {}]), false)", quoted(gateway), quoted(family))
}

/// Part 2.
pub(super) fn smtp(affected: &Affected<'_>, shown: &Shown) -> duckdb::Result<SmtpPart> {
    let Affected { connection, scope, .. } = affected;
    let reputation = reputation(scope);
    let lives = &affected.within.lives;
    // Only a life with a deferral, or without a good end, can hold a refusal.
    let refused = format!(
        "SELECT l.message_key, l.recipient_key FROM delivery_life l WHERE (l.deferrals > 0 OR l.outcome IN (2, 3)) AND {lives}"
    );
    let sql = format!(
        "SELECT coalesce(r.shape, '(no response)'), r.smtp_code, r.enhanced_code, r.stage, r.template, g.*, {reputation}
         FROM (SELECT x.response, x.status, arg_min(x.attempt_key, ({MOMENT})) AS example, count(*) AS attempts,
                count(DISTINCT x.recipient_key), count(DISTINCT x.recipient_domain), epoch_us(min(x.attempt_at)), epoch_us(max(x.attempt_at))
            FROM delivery_line x SEMI JOIN ({refused}) l USING (message_key, recipient_key)
            WHERE x.status IN (1, 2) GROUP BY x.response, x.status) g
         LEFT JOIN delivery_response r ON r.response_no = g.response ORDER BY g.attempts DESC, 1, g.example",
    );
    let mut part = SmtpPart { sql: responses_sql(scope), ..SmtpPart::default() };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Some(first_at), Some(last_at)) = (time(row, 11)?, time(row, 12)?) else { continue };
        let (template, attempts): (Option<String>, u64) = (row.get(4)?, row.get(8)?);
        let (list, more) = match (row.get::<_, u8>(6)?, row.get::<_, Option<bool>>(13)?.unwrap_or(false)) {
            (1, true) => {
                part.deferrals += attempts;
                part.first_at = Some(part.first_at.map_or(first_at, |before| before.min(first_at)));
                part.last_at = Some(part.last_at.map_or(last_at, |before| before.max(last_at)));
                (&mut part.responses, &mut part.more_responses)
            }
            (1, false) => (&mut part.other_responses, &mut part.more_other_responses),
            (_, true) => {
                part.refusals += attempts;
                (&mut part.refusal_responses, &mut part.more_refusal_responses)
            }
            // A recipient who does not exist is nobody's reputation.
            (_, false) => continue,
        };
        if list.len() >= RESPONSES {
            more.shapes += 1;
            more.attempts += attempts;
            continue;
        }
        list.push(ResponseRow {
            response: match template {
                Some(template) => shown.response(&template, first_words(connection, row.get(7)?, first_at)?.as_deref()),
                None => "(no response)".to_owned(),
            },
            shape: row.get(0)?,
            smtp_code: row.get(1)?,
            enhanced_code: row.get(2)?,
            stage: row.get(3)?,
            attempts,
            recipients: row.get(9)?,
            recipient_domains: row.get(10)?,
            first_at,
            last_at,
        });
    }
    if part.refusals > 0 {
        let counts = format!(
            "SELECT count(DISTINCT x.recipient_key), count(DISTINCT (x.message_key, x.recipient_key))
             FROM delivery_line x SEMI JOIN ({refused}) l USING (message_key, recipient_key)
             JOIN delivery_response r ON r.response_no = x.response WHERE x.status = 2 AND {reputation}"
        );
        (part.refused_recipients, part.refused_messages) =
            connection.query_row(&counts, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    let within = &affected.within.flow;
    let senders = format!(
        "SELECT CASE t.\"text\" WHEN '' THEN '<>' ELSE t.\"text\" END FROM (SELECT DISTINCT l.envelope_from AS number FROM delivery_flow l
         WHERE {within}) f JOIN delivery_text t ON t.text_no = f.number ORDER BY 1"
    );
    part.envelope_from = connection.prepare(&senders)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let counts = format!(
        "SELECT coalesce(sum(l.suspended), 0)::UBIGINT, coalesce(sum(l.attempts) FILTER (WHERE l.source IS NULL), 0)::UBIGINT
         FROM delivery_flow l WHERE {within}"
    );
    (part.suspended, part.unknown_source) = connection.query_row(&counts, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    part.unknown_source_counts = scope.or_unknown_source;
    Ok(part)
}

/// The statement that gives part 2 to people, in words.
fn responses_sql(scope: &DeliveryScope) -> String {
    one_line(&format!(
        "SELECT a.status, a.smtp_code, a.enhanced_code, a.stage, a.response_shape, count(*) AS attempts,
            count(DISTINCT a.recipient_key) AS recipients, count(DISTINCT a.recipient_domain) AS recipient_domains,
            min(a.attempt_time) AS first_at, max(a.attempt_time) AS last_at,
            arg_min(a.response, (a.attempt_time, a.line, a.attempt_key)) AS first_response
         FROM delivery_attempt a SEMI JOIN (SELECT l.message_key, l.recipient_key FROM delivery_life l WHERE {}) l
            USING (message_key, recipient_key)
         WHERE a.status IN ('deferred', 'bounced'){} GROUP BY ALL ORDER BY a.status DESC, attempts DESC, a.response_shape",
        scope.condition(),
        cut(scope)
    ))
}

/// The condition that no attempt of a statement came after the day that counts as today.
pub(super) fn cut(scope: &DeliveryScope) -> String {
    let next = scope.cut.and_then(|day| day.succ_opt());
    next.map_or_else(String::new, |next| format!(" AND a.attempt_time < {}", begin_of(next)))
}

/// The words in which the first answer of its kind varies. Its time is asked for as well: the engine skips the days around it.
fn first_words(connection: &Connection, key: u64, at: DateTime<Utc>) -> duckdb::Result<Option<String>> {
    let sql = format!(
        "SELECT vars FROM delivery_line WHERE attempt_at = make_timestamp({})::TIMESTAMPTZ AND attempt_key = {key}",
        at.timestamp_micros()
    );
    connection.query_row(&sql, [], |row| row.get(0))
}

/// Retries of the affected pairs.
pub(super) fn retries(Affected { connection, within, .. }: &Affected<'_>) -> duckdb::Result<Retries> {
    let sql = format!(
        "SELECT count(*), min(l.attempts)::UBIGINT, floor(quantile_cont(l.attempts, 0.5))::UBIGINT, max(l.attempts)::UBIGINT,
            count(*) FILTER (WHERE l.outcome = 1), count(*) FILTER (WHERE l.outcome = 2), count(*) FILTER (WHERE l.outcome = 3),
            count(*) FILTER (WHERE l.outcome = 5), count(DISTINCT l.recipient_domain),
            min(d) FILTER (WHERE l.outcome = 1), floor(quantile_cont(d, 0.5) FILTER (WHERE l.outcome = 1))::BIGINT, max(d) FILTER (WHERE l.outcome = 1)
         FROM (SELECT l.attempts, l.outcome, l.recipient_domain, {DELAY} AS d
            FROM delivery_life l WHERE l.reputation_deferrals > 0 AND {}) l",
        within.lives
    );
    connection.query_row(&sql, [], |row| {
        let seconds = |column: usize| -> duckdb::Result<Option<u64>> {
            Ok(row.get::<_, Option<i64>>(column)?.and_then(|seconds| u64::try_from(seconds).ok()))
        };
        Ok(Retries {
            pairs: row.get(0)?,
            attempts_min: row.get(1)?,
            attempts_median: row.get(2)?,
            attempts_max: row.get(3)?,
            delivered_late: row.get(4)?,
            expired: row.get(5)?,
            bounced: row.get(6)?,
            pending: row.get(7)?,
            recipient_domains: row.get(8)?,
            delay_min_s: seconds(9)?,
            delay_median_s: seconds(10)?,
            delay_max_s: seconds(11)?,
        })
    })
}

/// Outcomes by day of the first attempt.
pub(super) fn days(Affected { connection, within, .. }: &Affected<'_>) -> duckdb::Result<Vec<DayRow>> {
    let outcomes: Vec<String> = [0, 1, 2, 3, 5].into_iter().map(pairs_of).collect();
    let sql = format!(
        "SELECT l.day, sum(l.reputation_deferrals)::UBIGINT, {} FROM delivery_flow l WHERE {} GROUP BY 1 ORDER BY 1",
        outcomes.join(", "),
        within.flow
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(DayRow {
            day: row.get::<_, NaiveDate>(0)?,
            reputation_deferrals: row.get(1)?,
            delivered_first: row.get(2)?,
            delivered_late: row.get(3)?,
            expired: row.get(4)?,
            bounced: row.get(5)?,
            pending: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// A statement on one line, for people to copy.
pub(super) fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
