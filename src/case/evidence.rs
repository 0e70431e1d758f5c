//! Parts 2 to 4 from delivery logs: the exact responses, retries and days, and samples with their history.

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::{Connection, Row};

use super::types::{DayRow, HistoryRow, ResponseRow, Retries, Sample, SamplePart, SmtpPart};
use crate::evidence::{DeliveryScope, unfold};
use crate::query::quoted;

/// Responses of one kind that a case shows.
const RESPONSES: usize = 12;
/// Samples that an escalation asks for.
pub(super) const SAMPLES: usize = 5;
/// Lines of one sample's history that are kept; the ends say the most.
const HISTORY: usize = 60;

/// Reads a time that a statement gives as microseconds.
pub(super) fn time(row: &Row<'_>, column: usize) -> duckdb::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(DateTime::from_timestamp_micros))
}

/// The sending addresses that logs and responses name for the affected mail of a scope.
pub(super) fn sources_of(connection: &Connection, scope: &DeliveryScope) -> duckdb::Result<Vec<String>> {
    let sql = format!(
        "SELECT t.\"text\" FROM delivery_life l JOIN delivery_text t ON t.text_no = l.source
         WHERE l.reputation_deferrals > 0 AND {} GROUP BY 1 ORDER BY count(*) DESC, 1",
        scope.looked_up(connection)?
    );
    connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Part 2. `within` is the scope, looked up.
pub(super) fn smtp(connection: &Connection, scope: &DeliveryScope, within: &str) -> duckdb::Result<SmtpPart> {
    // A case is about one gateway, so its answers are judged once, not at every line.
    let gateway = scope.gateway.as_deref().unwrap_or_default();
    let family = gateway.split('-').next().unwrap_or_default();
    let statement = |within: &str| {
        format!(
            "SELECT coalesce(r.shape, '(no response)'), r.smtp_code, r.enhanced_code, r.stage, r.template, g.* EXCLUDE (response),
                coalesce(list_has_any(r.reputation_of, [{}, {}]), false)
             FROM (SELECT x.response, arg_min(x.vars, x.attempt_at), count(*) AS attempts, count(DISTINCT x.recipient_key),
                    count(DISTINCT x.recipient_domain), epoch_us(min(x.attempt_at)), epoch_us(max(x.attempt_at))
                FROM delivery_line x WHERE x.status = 1 AND (x.message_key, x.recipient_key) IN (
                    SELECT (l.message_key, l.recipient_key) FROM delivery_life l WHERE l.deferrals > 0 AND {within})
                GROUP BY x.response) g
             LEFT JOIN delivery_response r ON r.response_no = g.response ORDER BY g.attempts DESC, 1",
            quoted(gateway),
            quoted(family)
        )
    };
    let sql = statement(within);
    let mut part = SmtpPart { sql: one_line(&statement(&scope.condition())), ..SmtpPart::default() };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let template: Option<String> = row.get(4)?;
        let vars: Option<String> = row.get(5)?;
        let (Some(first_at), Some(last_at)) = (time(row, 9)?, time(row, 10)?) else { continue };
        let one = ResponseRow {
            response: template
                .as_deref()
                .map_or_else(|| "(no response)".to_owned(), |template| unfold(template, vars.as_deref())),
            shape: row.get(0)?,
            smtp_code: row.get(1)?,
            enhanced_code: row.get(2)?,
            stage: row.get(3)?,
            attempts: row.get(6)?,
            recipients: row.get(7)?,
            recipient_domains: row.get(8)?,
            first_at,
            last_at,
        };
        let list = if row.get::<_, Option<bool>>(11)?.unwrap_or(false) {
            part.deferrals += one.attempts;
            part.first_at = Some(part.first_at.map_or(first_at, |before| before.min(first_at)));
            part.last_at = Some(part.last_at.map_or(last_at, |before| before.max(last_at)));
            &mut part.responses
        } else {
            &mut part.other_responses
        };
        if list.len() < RESPONSES {
            list.push(one);
        }
    }
    let senders = format!(
        "SELECT CASE t.\"text\" WHEN '' THEN '<>' ELSE t.\"text\" END FROM (SELECT DISTINCT l.envelope_from AS number FROM delivery_life l
         WHERE {within}) f JOIN delivery_text t ON t.text_no = f.number ORDER BY 1"
    );
    part.envelope_from = connection.prepare(&senders)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let counts = format!(
        "SELECT coalesce(sum(l.suspended), 0)::UBIGINT, coalesce(sum(l.attempts) FILTER (WHERE l.source IS NULL), 0)::UBIGINT
         FROM delivery_life l WHERE {within}"
    );
    (part.suspended, part.unknown_source) = connection.query_row(&counts, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(part)
}

/// Retries of the affected pairs.
pub(super) fn retries(connection: &Connection, within: &str) -> duckdb::Result<Retries> {
    let sql = format!(
        "SELECT count(*), min(l.attempts)::UBIGINT, quantile_disc(l.attempts, 0.5)::UBIGINT, max(l.attempts)::UBIGINT,
            count(*) FILTER (WHERE l.outcome = 1), count(*) FILTER (WHERE l.outcome = 2), count(*) FILTER (WHERE l.outcome = 3),
            count(*) FILTER (WHERE l.outcome = 5), count(DISTINCT l.recipient_domain),
            min(d) FILTER (WHERE l.outcome = 1), quantile_disc(d, 0.5) FILTER (WHERE l.outcome = 1), max(d) FILTER (WHERE l.outcome = 1)
         FROM (SELECT l.attempts, l.outcome, l.recipient_domain, epoch_us(l.final_at) // 1000000 - epoch_us(l.first_at) // 1000000 AS d
            FROM delivery_life l WHERE l.reputation_deferrals > 0 AND {within}) l"
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
pub(super) fn days(connection: &Connection, within: &str) -> duckdb::Result<Vec<DayRow>> {
    let sql = format!(
        "SELECT DATE '1970-01-01' + (epoch_us(l.first_at) // 86400000000)::INTEGER AS day, coalesce(sum(l.reputation_deferrals), 0)::UBIGINT,
            count(*) FILTER (WHERE l.outcome = 0), count(*) FILTER (WHERE l.outcome = 1), count(*) FILTER (WHERE l.outcome = 2),
            count(*) FILTER (WHERE l.outcome = 3), count(*) FILTER (WHERE l.outcome = 5)
         FROM delivery_life l WHERE {within} GROUP BY 1 ORDER BY 1"
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

/// A pair that could stand for its recipient domain.
struct Candidate {
    message_key: u64,
    recipient_key: u64,
    domain: u32,
    outcome: u8,
    deferrals: u64,
}

/// Part 4: at most five pairs of different recipient domains; an expired one and one delivered late where both exist, the most
/// deferred first.
pub(super) fn samples(
    connection: &Connection,
    scope: &DeliveryScope,
    within: &str,
    show_recipients: bool,
) -> duckdb::Result<SamplePart> {
    let statement = |within: &str| {
        format!(
            "SELECT recipient_domain, outcome, worst.m, worst.r, worst.n FROM (SELECT l.recipient_domain, l.outcome,
                arg_max(struct_pack(m := l.message_key, r := l.recipient_key, n := l.reputation_deferrals),
                    (l.reputation_deferrals, -epoch_us(l.first_at), l.message_key, l.recipient_key)) AS worst
             FROM delivery_life l WHERE l.reputation_deferrals > 0 AND {within} GROUP BY 1, 2) ORDER BY 5 DESC, 3, 4"
        )
    };
    let mut query = connection.prepare(&statement(within))?;
    let candidates = query
        .query_map([], |row| {
            Ok(Candidate {
                domain: row.get(0)?,
                outcome: row.get(1)?,
                message_key: row.get(2)?,
                recipient_key: row.get(3)?,
                deferrals: row.get(4)?,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let mut part = SamplePart { samples: Vec::new(), sql: one_line(&statement(&scope.condition())) };
    let chosen = choose(candidates);
    if chosen.is_empty() {
        return Ok(part);
    }
    for one in &chosen {
        part.samples.push(sample(connection, one, show_recipients)?);
    }
    Ok(part)
}

/// Picks the samples: outcomes in turn (expired, late, then the others), never two of one domain.
fn choose(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut chosen: Vec<Candidate> = Vec::new();
    let mut rest = candidates;
    for wanted in [Some(2), Some(1), Some(3), Some(5), None, None, None, None, None] {
        if chosen.len() >= SAMPLES {
            break;
        }
        let free = |one: &Candidate| chosen.iter().all(|taken| taken.domain != one.domain);
        let fits = |one: &Candidate| wanted.is_none_or(|outcome| one.outcome == outcome) && free(one);
        if let Some(place) = rest.iter().position(fits) {
            chosen.push(rest.remove(place));
        }
    }
    chosen.sort_by_key(|one| std::cmp::Reverse(one.deferrals));
    chosen
}

fn sample(connection: &Connection, one: &Candidate, show_recipients: bool) -> duckdb::Result<Sample> {
    let mut sample = connection.query_row(
        "SELECT message_id, id_kind, queue_id, recipient_domain, recipient, envelope_from, outcome, delay_s, reputation_deferrals
         FROM delivery_message WHERE message_key = ? AND recipient_key = ?",
        [one.message_key, one.recipient_key],
        |row| {
            Ok(Sample {
                message_id: row.get(0)?,
                id_kind: row.get(1)?,
                queue_id: row.get(2)?,
                recipient_domain: row.get(3)?,
                recipient: Some(row.get(4)?).filter(|_| show_recipients),
                envelope_from: row.get(5)?,
                outcome: row.get(6)?,
                delay_s: row.get(7)?,
                reputation_deferrals: row.get(8)?,
                history: Vec::new(),
            })
        },
    )?;
    let mut statement = connection.prepare(
        "SELECT epoch_us(attempt_time), status, relay_host, response, CASE WHEN \"file\" IS NOT NULL THEN \"file\" || ':' || line END
         FROM delivery_attempt WHERE message_key = ? AND recipient_key = ? ORDER BY attempt_time, status",
    )?;
    let mut rows = statement.query([one.message_key, one.recipient_key])?;
    while let Some(row) = rows.next()? {
        let Some(at) = time(row, 0)? else { continue };
        sample.history.push(HistoryRow {
            at,
            status: row.get(1)?,
            relay_host: row.get(2)?,
            response: row.get(3)?,
            place: row.get(4)?,
        });
    }
    if sample.history.len() > HISTORY {
        let tail = sample.history.split_off(sample.history.len() - HISTORY / 2);
        sample.history.truncate(HISTORY / 2);
        sample.history.extend(tail);
    }
    Ok(sample)
}

/// A statement on one line, for people to copy.
pub(super) fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
