//! Part 7: who else sends on the domain, and which streams share the addresses of the case.

use duckdb::Connection;

use super::evidence::one_line;
use super::types::{MoreStreams, SendersPart, StreamRow};
use super::volume::Volume;
use super::{CaseError, list_of};
use crate::query::{Mail, Scope, share};

/// Streams of one address that a case shows.
const STREAMS: usize = 20;
/// Senders that a case shows.
const SENDERS: usize = 25;

/// Asks senders and streams; reports may be absent.
pub(super) fn senders_of(
    connection: &Connection,
    reports: Option<(&Scope, Mail<'_>)>,
    ips: &[String],
    volume: Volume,
) -> Result<SendersPart, CaseError> {
    let Volume { rows, mut streams, logs_sql } = volume;
    let mut part = SendersPart { volume: rows, logs_sql, ..SendersPart::default() };
    if let Some((scope, mail)) = reports {
        let mut found = mail.senders(false, None)?;
        part.more_senders = found.rows.len().saturating_sub(SENDERS) as u64;
        found.rows.truncate(SENDERS);
        part.senders = found.rows;
        part.unknown = Some(found.unknown);
        if !ips.is_empty() {
            let sql = report_streams(scope, ips);
            streams.extend(of_reports(connection, &sql)?);
            part.streams_sql = one_line(&sql);
        }
    }
    (part.streams, part.more_streams) = shortened(streams);
    Ok(part)
}

/// From and passing signatures of an address in the days of the case, whatever the policy domain: mail of other domains on it counts
/// as well.
fn report_streams(scope: &Scope, ips: &[String]) -> String {
    let days = Scope { domains: None, ..scope.clone() };
    format!(
        "WITH used AS (SELECT r.source, r.header_from, r.auth, sum(r.messages) AS n FROM record r
            WHERE r.source IN (SELECT source_no FROM source WHERE source_ip IN ({})) AND {} GROUP BY ALL),
         named AS (SELECT u.source, coalesce(h.name, 'unknown') AS from_domain,
            array_to_string(list_sort(list_distinct(list_transform(list_filter(a.dkim, lambda d: d.result = 'pass'),
                lambda d: coalesce(d.selector, '?') || '._domainkey.' || coalesce(d.\"domain\", '?')))), ' + ') AS signed, sum(u.n) AS n
            FROM used u LEFT JOIN domain h ON h.domain_no = u.header_from LEFT JOIN auth a ON a.auth_no = u.auth GROUP BY ALL)
         SELECT s.source_ip AS address, n.from_domain, nullif(n.signed, '') AS signed_by, n.n::UBIGINT AS messages,
            (sum(n.n) OVER (PARTITION BY n.source))::UBIGINT AS messages_of_address
         FROM named n JOIN source s ON s.source_no = n.source ORDER BY 1, 4 DESC, 2, 3",
        list_of(ips),
        days.of_records("r.")
    )
}

fn of_reports(connection: &Connection, sql: &str) -> duckdb::Result<Vec<StreamRow>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let (messages, all): (Option<u64>, Option<u64>) = (row.get(3)?, row.get(4)?);
        let messages = messages.unwrap_or(0);
        Ok(StreamRow {
            ip: row.get(0)?,
            source: "DMARC reports",
            from: row.get(1)?,
            by: row.get(2)?,
            messages,
            share: share(messages, all.unwrap_or(0)),
        })
    })?;
    rows.collect()
}

/// Keeps the largest streams of each address, and counts the others.
fn shortened(rows: Vec<StreamRow>) -> (Vec<StreamRow>, Vec<MoreStreams>) {
    let (mut kept, mut more): (Vec<StreamRow>, Vec<MoreStreams>) = (Vec::new(), Vec::new());
    for row in rows {
        if kept.iter().filter(|one| one.ip == row.ip && one.source == row.source).count() < STREAMS {
            kept.push(row);
        } else if let Some(one) = more.iter_mut().find(|one| one.ip == row.ip && one.source == row.source) {
            one.streams += 1;
            one.messages += row.messages;
        } else {
            more.push(MoreStreams { ip: row.ip, source: row.source, streams: 1, messages: row.messages });
        }
    }
    (kept, more)
}
