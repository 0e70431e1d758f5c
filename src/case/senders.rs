//! Part 7: who else sends on the domain, and which streams share the addresses of the case.

use duckdb::Connection;

use super::types::{SendersPart, StreamRow};
use super::volume::Volume;
use super::{CaseError, list_of};
use crate::query::{Mail, share};

/// Streams of one address that a case shows.
const STREAMS: usize = 20;
/// Senders that a case shows.
const SENDERS: usize = 25;

/// Asks senders and streams; reports may be absent.
pub(super) fn senders_of(
    connection: &Connection,
    mail: Option<Mail<'_>>,
    ips: &[String],
    volume: Volume,
) -> Result<SendersPart, CaseError> {
    let Volume { rows, streams } = volume;
    let mut part = SendersPart { volume: rows, streams, ..SendersPart::default() };
    let Some(mail) = mail else { return Ok(part) };
    let found = mail.senders(false, Some(SENDERS))?;
    part.senders = found.rows;
    part.unknown = Some(found.unknown);
    if !ips.is_empty() {
        part.streams.extend(report_streams(connection, ips)?);
    }
    Ok(part)
}

/// From and passing signatures of an address, whatever the policy domain: mail of other domains on it counts as well.
fn report_streams(connection: &Connection, ips: &[String]) -> duckdb::Result<Vec<StreamRow>> {
    let sql = format!(
        "WITH used AS (SELECT r.source, r.header_from, r.auth, sum(r.messages) AS n FROM record r
            WHERE r.source IN (SELECT source_no FROM source WHERE source_ip IN ({})) GROUP BY ALL),
         named AS (SELECT u.source, coalesce(h.name, 'unknown') AS from_domain,
            array_to_string(list_sort(list_distinct(list_transform(list_filter(a.dkim, lambda d: d.result = 'pass'),
                lambda d: coalesce(d.selector, '?') || '._domainkey.' || coalesce(d.\"domain\", '?')))), ' + ') AS signed, sum(u.n) AS n
            FROM used u LEFT JOIN domain h ON h.domain_no = u.header_from LEFT JOIN auth a ON a.auth_no = u.auth GROUP BY ALL)
         SELECT s.source_ip, n.from_domain, nullif(n.signed, ''), n.n::UBIGINT, (sum(n.n) OVER (PARTITION BY n.source))::UBIGINT
         FROM named n JOIN source s ON s.source_no = n.source ORDER BY 1, 4 DESC, 2, 3",
        list_of(ips)
    );
    let mut statement = connection.prepare(&sql)?;
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
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(shortened(rows))
}

/// Keeps the largest streams of each address.
pub(super) fn shortened(rows: Vec<StreamRow>) -> Vec<StreamRow> {
    let mut kept: Vec<StreamRow> = Vec::new();
    for row in rows {
        if kept.iter().filter(|one| one.ip == row.ip).count() < STREAMS {
            kept.push(row);
        }
    }
    kept
}
