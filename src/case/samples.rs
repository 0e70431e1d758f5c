//! Part 4 from delivery logs: samples, each with its whole history.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::evidence::{Affected, cut, one_line, time};
use super::shown::Shown;
use super::types::{HistoryRow, Sample, SamplePart};
use crate::evidence::MOMENT;

/// Samples that an escalation asks for.
pub(super) const SAMPLES: usize = 5;
/// Lines of one sample's history that are kept; the ends say the most.
pub(super) const HISTORY: usize = 60;

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
    Affected { connection, scope, within }: &Affected<'_>,
    show_recipients: bool,
    shown: &Shown,
) -> duckdb::Result<SamplePart> {
    let sql = format!(
        "SELECT recipient_domain, outcome, worst.m, worst.r, worst.n FROM (SELECT l.recipient_domain, l.outcome,
            arg_max(struct_pack(m := l.message_key, r := l.recipient_key, n := l.reputation_deferrals),
                (l.reputation_deferrals, -epoch_us(l.first_at), l.message_key, l.recipient_key)) AS worst
         FROM delivery_life l WHERE l.reputation_deferrals > 0 AND {} GROUP BY 1, 2) ORDER BY 5 DESC, 3, 4",
        within.lives
    );
    let mut query = connection.prepare(&sql)?;
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
    let mut part = SamplePart::default();
    let chosen = choose(candidates);
    if chosen.is_empty() {
        return Ok(part);
    }
    let rows: Vec<String> = chosen.iter().map(|one| format!("({})", one.rows())).collect();
    part.sql = one_line(&format!(
        "SELECT coalesce(a.message_id, a.queue_id) AS message_id, a.recipient_domain, a.attempt_time, a.status, a.response,
            a.relay_host, a.\"file\", a.line
         FROM delivery_attempt a WHERE ({}){} ORDER BY 1, 2, a.attempt_time, a.line, a.attempt_key",
        rows.join(" OR "),
        cut(scope)
    ));
    for one in &chosen {
        part.samples.push(sample(connection, one, show_recipients)?);
    }
    histories(connection, &chosen, &mut part.samples, shown)?;
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

impl Candidate {
    /// The condition on its rows. Keys stand in the text: the engine skips whatever cannot hold them, which it does neither for
    /// a list of keys nor for a parameter.
    fn rows(&self) -> String {
        format!("message_key = {} AND recipient_key = {}", self.message_key, self.recipient_key)
    }
}

fn sample(connection: &Connection, one: &Candidate, show_recipients: bool) -> duckdb::Result<Sample> {
    let sql = format!(
        "SELECT message_id, id_kind, queue_id, recipient_domain, recipient, envelope_from, outcome, delay_s, reputation_deferrals
         FROM delivery_message WHERE {}",
        one.rows()
    );
    connection.query_row(&sql, [], |row| {
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
            left_out: BTreeMap::new(),
        })
    })
}

/// Adds to each sample the lines of its pair: all of them at once, so that the names they need are looked up once.
fn histories(
    connection: &Connection,
    chosen: &[Candidate],
    samples: &mut [Sample],
    shown: &Shown,
) -> duckdb::Result<()> {
    let lines =
        |(at, one): (usize, &Candidate)| format!("SELECT {at} AS at, * FROM delivery_line WHERE {}", one.rows());
    let lines: Vec<String> = chosen.iter().enumerate().map(lines).collect();
    let sql = format!(
        "SELECT l.at, epoch_us(l.attempt_at), delivery_status(l.status) AS status, h.\"text\", r.template, l.vars,
            n.path || ':' || l.line
         FROM ({}) l LEFT JOIN delivery_response r ON r.response_no = l.response
         LEFT JOIN delivery_text h ON h.text_no = l.relay LEFT JOIN delivery_file n ON n.file_no = l.\"file\"
         ORDER BY {MOMENT}",
        lines.join(" UNION ALL ")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Some(sample), Some(at)) = (samples.get_mut(row.get::<_, usize>(0)?), time(row, 1)?) else { continue };
        let (template, vars): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
        sample.history.push(HistoryRow {
            at,
            status: row.get(2)?,
            relay_host: row.get(3)?,
            response: template.map(|template| shown.response(&template, vars.as_deref())),
            place: row.get(6)?,
        });
    }
    for sample in samples {
        if sample.history.len() > HISTORY {
            let tail = sample.history.split_off(sample.history.len() - HISTORY / 2);
            for line in sample.history.drain(HISTORY / 2..) {
                *sample.left_out.entry(line.status).or_default() += 1;
            }
            sample.history.extend(tail);
        }
    }
    Ok(())
}
