//! Volume of each sending address, day by day: from delivery logs where there are any, else from reports, each named as such.

use chrono::NaiveDate;
use duckdb::Connection;

use super::evidence::one_line;
use super::types::{StreamRow, VolumeRow};
use super::{CaseError, list_of};
use crate::evidence::DeliveryScope;
use crate::query::{Scope, share};

/// One day over another that counts as a jump.
const JUMP: f64 = 3.0;
/// Days from first to last that a shape can be seen in.
const SHORT: u64 = 7;
/// Share of empty days that makes a stop-start pattern. Weekends alone are 2 in 7.
const GAPS: f64 = 0.4;

/// Volume and streams out of delivery logs, or volume out of reports.
pub(super) struct Volume {
    pub(super) rows: Vec<VolumeRow>,
    pub(super) streams: Vec<StreamRow>,
    /// The statement that gives both out of logs, to people.
    pub(super) logs_sql: String,
}

/// Asks the volume of the case's addresses.
pub(super) fn volume(
    connection: &Connection,
    scope: &DeliveryScope,
    reports: Option<&Scope>,
    ips: &[String],
) -> Result<Volume, CaseError> {
    let within = scope.within(connection)?.flow;
    let logs_sql = one_line(&format!(
        "SELECT coalesce(m.source_ip, 'unknown') AS address, m.first_attempt::DATE AS day, coalesce(m.envelope_from, 'not said') AS envelope_from,
            m.campaign, count(*) AS messages
         FROM delivery_message m SEMI JOIN (SELECT l.message_key, l.recipient_key FROM delivery_life l WHERE {}) l
            USING (message_key, recipient_key) GROUP BY ALL ORDER BY ALL",
        scope.condition()
    ));
    let mut volume = Volume { rows: Vec::new(), streams: Vec::new(), logs_sql };
    let by_day = format!(
        "SELECT coalesce(t.\"text\", 'unknown'), day, n::UBIGINT FROM (
            SELECT l.source, l.day, sum(l.pairs) AS n FROM delivery_flow l WHERE {within} GROUP BY 1, 2) d
         LEFT JOIN delivery_text t ON t.text_no = d.source ORDER BY 1, 2"
    );
    volume.rows = rows(connection, &by_day, "delivery logs")?;
    let streams = format!(
        "SELECT coalesce(t.\"text\", 'unknown'), coalesce(CASE f.\"text\" WHEN '' THEN '<>' ELSE f.\"text\" END, 'not said'), c.\"text\",
            n::UBIGINT, (sum(n) OVER (PARTITION BY d.source))::UBIGINT
         FROM (SELECT l.source, l.envelope_from, l.campaign, sum(l.pairs) AS n FROM delivery_flow l WHERE {within} GROUP BY ALL) d
         LEFT JOIN delivery_text t ON t.text_no = d.source LEFT JOIN delivery_text f ON f.text_no = d.envelope_from
         LEFT JOIN delivery_text c ON c.text_no = d.campaign ORDER BY 1, 4 DESC, 2, 3"
    );
    let mut statement = connection.prepare(&streams)?;
    volume.streams = statement
        .query_map([], |row| {
            let (messages, all): (u64, u64) = (row.get(3)?, row.get(4)?);
            Ok(StreamRow {
                ip: row.get(0)?,
                source: "delivery logs",
                from: row.get(1)?,
                by: row.get(2)?,
                messages,
                share: share(messages, all),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    if volume.rows.is_empty()
        && !ips.is_empty()
        && let Some(reports) = reports
    {
        let by_day = format!(
            "SELECT s.source_ip, r.report_day, sum(r.messages)::UBIGINT FROM record_row r JOIN source s ON s.source_no = r.source
             WHERE s.source_ip IN ({}) AND r.report_day IS NOT NULL AND r.messages IS NOT NULL AND {} GROUP BY 1, 2 ORDER BY 1, 2",
            list_of(ips),
            reports.of_records("r.")
        );
        volume.rows = rows(connection, &by_day, "DMARC reports")?;
    }
    Ok(volume)
}

fn rows(connection: &Connection, sql: &str, source: &'static str) -> duckdb::Result<Vec<VolumeRow>> {
    let mut by_ip: Vec<(String, Vec<(NaiveDate, u64)>)> = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (ip, day, messages): (String, NaiveDate, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match by_ip.last_mut() {
            Some((last, days)) if *last == ip => days.push((day, messages)),
            _ => by_ip.push((ip, vec![(day, messages)])),
        }
    }
    Ok(by_ip.into_iter().filter_map(|(ip, days)| shape(ip, source, days)).collect())
}

/// Describes the days of one address: its first and last day, jumps and gaps, and whether it looks like a warm-up.
fn shape(ip: String, source: &'static str, by_day: Vec<(NaiveDate, u64)>) -> Option<VolumeRow> {
    let (first, last) = (by_day.first()?.0, by_day.last()?.0);
    let days = u64::try_from((last - first).num_days()).ok()? + 1;
    let empty_days = days - by_day.len() as u64;
    let mut sorted: Vec<u64> = by_day.iter().map(|(_, messages)| *messages).collect();
    sorted.sort_unstable();
    let median = (sorted.get((sorted.len() - 1) / 2)? + sorted.get(sorted.len() / 2)?) / 2;
    let (most_day, most) = *by_day.iter().rev().max_by_key(|(_, messages)| *messages)?;
    let mut largest: Option<(f64, NaiveDate)> = None;
    for (before, after) in by_day.iter().zip(by_day.iter().skip(1)) {
        let step = after.1 as f64 / before.1.max(1) as f64;
        if largest.is_none_or(|(most, _)| step > most) {
            largest = Some((step, after.0));
        }
    }
    let jump = largest.map_or(0.0, |(step, _)| step);
    let shape = if days < SHORT {
        "too-short"
    } else if empty_days as f64 > days as f64 * GAPS {
        "gaps"
    } else if jump >= JUMP {
        "jumps"
    } else if warming(&by_day) {
        "warming"
    } else {
        "steady"
    };
    Some(VolumeRow {
        ip,
        source,
        days,
        empty_days,
        messages: sorted.iter().sum(),
        median,
        most,
        most_day,
        largest_step: largest.map(|(step, _)| (step * 100.0).round() / 100.0),
        largest_step_day: largest.map(|(_, day)| day),
        shape,
        by_day,
    })
}

/// The last third carries at least twice the first third, and growth is spread over the days.
fn warming(by_day: &[(NaiveDate, u64)]) -> bool {
    let third = by_day.len() / 3;
    let sum = |part: &[(NaiveDate, u64)]| part.iter().map(|(_, messages)| messages).sum::<u64>();
    let (Some(head), Some(tail)) = (by_day.get(..third), by_day.get(by_day.len() - third..)) else { return false };
    let grown = by_day.iter().zip(by_day.iter().skip(1)).filter(|(before, after)| after.1 >= before.1).count();
    third > 0 && sum(tail) >= 2 * sum(head) && grown * 3 >= by_day.len() * 2
}

impl VolumeRow {
    /// Says whether the volume is steady enough not to be raised.
    pub(super) fn is_steady(&self) -> bool {
        matches!(self.shape, "steady" | "warming" | "too-short")
    }
}
