//! What to look at, from the store's reports: the heaviest sources of the domain's own mail, and its DKIM selectors.

use std::net::IpAddr;

use duckdb::{Connection, params};

use super::{CheckedIp, CheckedKey, Subject};
use crate::parse::org_domain;

/// Days of reports that are looked at, up to the newest on the domain.
pub const DAYS: i32 = 30;
/// Selectors that are looked at.
const SELECTORS: u32 = 20;
/// MAIL FROM domains of one source that are looked at.
const MAIL_FROM: usize = 3;

// Mail with the domain, or a domain below it, as header from.
const OWN: &str = "
    own AS (SELECT domain_no FROM domain WHERE name = ?1 OR ends_with(name, '.' || ?1)),
    newest AS (SELECT max(report_day) AS day FROM record WHERE header_from IN (SELECT domain_no FROM own)),
    mail AS (SELECT r.*, s.source_ip, n.status FROM attributed r JOIN source s ON s.source_no = r.source
        LEFT JOIN sender n ON n.sender_no = r.sender_no
        WHERE r.header_from IN (SELECT domain_no FROM own) AND r.report_day > (SELECT day FROM newest) - ?2::INTEGER)";

// A source that only DKIM carries may be a forwarder: it counts where nothing better is known.
const SOURCES: &str = "
    SELECT source_ip, sum(messages)::UBIGINT, bool_or(coalesce(spf_aligned, false) OR status = 'approved') AS sure
    FROM mail WHERE dmarc_pass OR status = 'approved' GROUP BY 1 HAVING sum(messages) > 0 ORDER BY sure DESC, 2 DESC, 1 LIMIT ?3";

const MAIL_FROMS: &str = "
    SELECT u.d.\"domain\", sum(m.messages) FROM mail m JOIN auth a ON a.auth_no = m.auth, unnest(a.spf) AS u(d)
    WHERE m.source_ip = ?3 AND (m.dmarc_pass OR m.status = 'approved') AND u.d.domain_org = ?4
        AND coalesce(u.d.\"scope\", 'mfrom') <> 'helo'
    GROUP BY 1 ORDER BY 2 DESC, 1";

const KEYS: &str = "
    SELECT u.d.\"domain\", u.d.selector, coalesce(sum(m.messages), 0)::UBIGINT, bool_or(u.d.result = 'pass') AS passing
    FROM mail m JOIN auth a ON a.auth_no = m.auth, unnest(a.dkim) AS u(d)
    WHERE u.d.domain_org = ?3 AND u.d.selector <> '' GROUP BY 1, 2 ORDER BY passing DESC, 3 DESC, 1, 2 LIMIT ?4";

/// Reads what the reports say of a domain's mail: at most `most` sources, and its selectors.
///
/// # Errors
/// The store cannot be asked.
pub fn subject_of(connection: &Connection, domain: &str, most: u32) -> duckdb::Result<Subject> {
    let with = |statement: &str| connection.prepare(&format!("WITH {OWN} {statement}"));
    let org = org_domain(domain);
    let mut statement = with(SOURCES)?;
    let sources: Vec<(String, u64)> = statement
        .query_map(params![domain, DAYS, most], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut statement = with(MAIL_FROMS)?;
    let mut ips = Vec::new();
    for (source, messages) in sources {
        // The store's own text: always an address.
        let Ok(ip) = source.parse::<IpAddr>() else { continue };
        let rows = statement.query_map(params![domain, DAYS, source, org], |row| row.get(0))?;
        let mail_from = rows.take(MAIL_FROM).collect::<Result<_, _>>()?;
        ips.push(CheckedIp { ip, messages: Some(messages), mail_from });
    }
    let mut statement = with(KEYS)?;
    let rows = statement.query_map(params![domain, DAYS, org, SELECTORS], |row| {
        Ok(CheckedKey {
            domain: row.get(0)?,
            selector: row.get(1)?,
            messages: Some(row.get(2)?),
            passing: row.get::<_, Option<bool>>(3)?.unwrap_or(false),
            key: None,
        })
    })?;
    let selectors = rows.collect::<Result<_, _>>()?;
    Ok(Subject { domain: domain.to_owned(), ips, selectors, ..Subject::default() })
}
