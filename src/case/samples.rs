//! Part 4 from delivery logs: samples, each with its whole history.

use duckdb::Connection;

use super::evidence::{Affected, one_line, time};
use super::types::{HistoryRow, Sample, SamplePart};

/// Samples that an escalation asks for.
pub(super) const SAMPLES: usize = 5;
/// Lines of one sample's history that are kept; the ends say the most.
const HISTORY: usize = 60;

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
    Affected { connection, scope, lives, .. }: &Affected<'_>,
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
    let mut query = connection.prepare(&statement(lives))?;
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
    // Keys stand in the text: the engine skips whatever cannot hold them, which it does not for a list or a parameter.
    let pair = format!("message_key = {} AND recipient_key = {}", one.message_key, one.recipient_key);
    let life = format!(
        "SELECT message_id, id_kind, queue_id, recipient_domain, recipient, envelope_from, outcome, delay_s, reputation_deferrals
         FROM delivery_message WHERE {pair}"
    );
    let mut sample = connection.query_row(&life, [], |row| {
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
    })?;
    let lines = format!(
        "SELECT epoch_us(attempt_time), status, relay_host, response, CASE WHEN \"file\" IS NOT NULL THEN \"file\" || ':' || line END
         FROM delivery_attempt WHERE {pair} ORDER BY attempt_time, status"
    );
    let mut statement = connection.prepare(&lines)?;
    let mut rows = statement.query([])?;
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
