//! Part 5: what DMARC reports say of the domain, and of the very addresses of the case.

use duckdb::Connection;

use super::evidence::one_line;
use super::types::{AuthenticationPart, IpAuthentication};
use super::{CaseError, list_of};
use crate::query::{Mail, Scope, share};

/// Asks the reports; an empty part where there are none.
pub(super) fn authentication(
    connection: &Connection,
    reports: Option<(&Scope, &Mail<'_>)>,
    ips: &[String],
) -> Result<AuthenticationPart, CaseError> {
    let Some((scope, mail)) = reports else { return Ok(AuthenticationPart::default()) };
    let [domains, by_reporter, by_week] = mail.rates()?.map(Some);
    let mut part = AuthenticationPart { domains, by_reporter, by_week, ..AuthenticationPart::default() };
    if ips.is_empty() {
        return Ok(part);
    }
    // One row an address, also for one that no report names: that is evidence too.
    let sql = format!(
        "SELECT coalesce(sum(r.messages), 0)::UBIGINT AS messages,
            coalesce(sum(r.messages) FILTER (WHERE r.dmarc_pass), 0)::UBIGINT AS dmarc_pass,
            coalesce(sum(r.messages) FILTER (WHERE r.dkim_aligned), 0)::UBIGINT AS dkim_aligned,
            coalesce(sum(r.messages) FILTER (WHERE r.spf_aligned), 0)::UBIGINT AS spf_aligned,
            count(DISTINCT lower(p.reporter)) AS reporters, s.source_ip
         FROM record r JOIN source s ON s.source_no = r.source JOIN report p USING (report_no)
         WHERE r.source IN (SELECT source_no FROM source WHERE source_ip IN ({})) AND {} GROUP BY s.source_ip",
        list_of(ips),
        scope.of_records("r.")
    );
    part.sql = one_line(&sql);
    let mut statement = connection.prepare(&sql)?;
    let found = statement
        .query_map([], |row| {
            let (messages, dmarc_pass): (u64, u64) = (row.get(0)?, row.get(1)?);
            let (dkim_aligned, spf_aligned): (u64, u64) = (row.get(2)?, row.get(3)?);
            Ok(IpAuthentication {
                ip: row.get(5)?,
                messages,
                dmarc_pass,
                pass_rate: share(dmarc_pass, messages),
                dkim_aligned,
                dkim_rate: share(dkim_aligned, messages),
                spf_aligned,
                spf_rate: share(spf_aligned, messages),
                reporters: row.get(4)?,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for ip in ips {
        let none = || IpAuthentication { ip: ip.clone(), ..IpAuthentication::default() };
        part.ips.push(found.iter().find(|one| one.ip == *ip).cloned().unwrap_or_else(none));
    }
    Ok(part)
}
