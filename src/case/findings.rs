//! Part 6: what the newest check of each subject found. What was not checked is said so, with the command that checks it.

use std::net::IpAddr;

use duckdb::Connection;

use super::evidence::{one_line, time};
use super::types::{Case, DnsPart, FindingRow, LookupRow, Missing};
use super::{CaseError, Facts, list_of};
use crate::parse::is_domain;
use crate::query::quoted;
use crate::words::shell_word;

/// Days after which a check is too old to speak for today.
const FRESH_DAYS: i64 = 14;

/// Asks the findings on the domain, the addresses and the domains of the envelope sender.
pub(super) fn findings(
    connection: &Connection,
    domain: &str,
    ips: &[String],
    envelope_from: &[String],
    facts: &Facts,
    cut: Option<chrono::NaiveDate>,
) -> Result<DnsPart, CaseError> {
    let mut domains: Vec<String> = vec![domain.to_owned()];
    domains.extend(envelope_from.iter().filter(|name| *name != "<>").cloned());
    domains.sort();
    domains.dedup();
    let subjects: Vec<String> = domains.iter().chain(ips).cloned().collect();
    // A subject's own check says most of it, then the check of the case's domain, then the newest that touched it. One
    // check counts whole: a defect that a later one does not name any more is mended.
    let sql = format!(
        "SELECT kind, subject, name, state, severity, gap, remedy, detail, epoch_us(found_at) FROM finding
         WHERE kind IN ('dns', 'blocklist') AND subject IN ({}) AND {}
         QUALIFY rank() OVER (PARTITION BY kind, subject ORDER BY coalesce(\"domain\" = subject, false) DESC,
            coalesce(\"domain\" = {}, false) DESC, found_at DESC) = 1
         ORDER BY kind DESC, subject, CASE state WHEN 'defect' THEN 0 WHEN 'could-not-check' THEN 1 ELSE 2 END, name",
        list_of(&subjects),
        cut.map_or_else(|| "true".to_owned(), |cut| format!("found_at < DATE '{cut}' + 1")),
        quoted(domain)
    );
    let mut part = DnsPart { sql: one_line(&sql), helo: facts.helo.clone(), ..DnsPart::default() };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        part.findings.push(FindingRow {
            kind: row.get(0)?,
            subject: row.get(1)?,
            name: row.get(2)?,
            state: row.get(3)?,
            severity: row.get(4)?,
            gap: row.get(5)?,
            remedy: row.get(6)?,
            detail: row.get(7)?,
            found_at: time(row, 8)?,
        });
    }
    let looked = |part: &DnsPart, kind: &str, subject: &str| {
        part.findings.iter().any(|finding| finding.kind == kind && finding.subject == *subject)
    };
    for subject in &subjects {
        if !looked(&part, "dns", subject) {
            part.findings.push(not_checked("dns", subject, "DNS"));
        }
    }
    for subject in ips {
        if !looked(&part, "blocklist", subject) {
            part.findings.push(not_checked("blocklist", subject, "blocklists"));
        }
        if let Some(helo) = &facts.helo {
            let name = format!("HELO {helo}");
            if !part.findings.iter().any(|finding| finding.subject == *subject && finding.name == name) {
                part.findings.push(not_checked("dns", subject, &name));
            }
        }
    }
    part.lookups = facts
        .lookup
        .iter()
        .map(|(gateway, lookup)| LookupRow {
            gateway: gateway.clone(),
            result: lookup.result.clone(),
            checked_at: super::facts::when(&lookup.checked_at),
            listed: lookup.is_listed(),
        })
        .collect();
    Ok(part)
}

fn not_checked(kind: &str, subject: &str, name: &str) -> FindingRow {
    FindingRow {
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        name: name.to_owned(),
        state: "not-checked".to_owned(),
        ..FindingRow::default()
    }
}

/// Said in place of a command about what DNS cannot hold: logs write anything where a domain or an address should stand.
pub(super) const NO_NAME: &str = "no command: it is neither a domain nor an address, and DNS cannot hold it";

/// The command that checks a subject of the case; `None` where the subject is no domain and no address.
pub(super) fn command(case: &Case, subject: &str) -> Option<String> {
    let (request, program) = (&case.request, case.program());
    let address = |text: &str| text.parse::<IpAddr>().is_ok();
    if subject != request.domain && !request.ips.iter().any(|ip| ip == subject) {
        return is_domain(subject).then(|| format!("{program} check {} --no-blocklists", shell_word(subject)));
    }
    if !is_domain(&request.domain) || subject != request.domain && !address(subject) {
        return None;
    }
    let ips: String = request.ips.iter().filter(|ip| address(ip)).map(|ip| format!(" --ip {ip}")).collect();
    let helo = request.helo.as_ref().map_or_else(String::new, |helo| format!(" --helo {}", shell_word(helo)));
    Some(format!("{program} check {}{ips}{helo}", request.domain))
}

/// The checks that are missing, too old or without an answer, and the commands that make them.
pub(super) fn missing(case: &Case) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    let as_of = case.method.as_of;
    let age = |one: &FindingRow| one.found_at.map(|at| (as_of - at.date_naive()).num_days());
    for (state, words) in
        [("not-checked", "not checked"), ("could-not-check", "could not be checked"), ("", "checked long ago")]
    {
        let wanted = case.dns.findings.iter().filter(|one| match state {
            "" => !one.state.contains("check") && age(one).is_some_and(|days| days > FRESH_DAYS),
            state => one.state == state,
        });
        // One line a command.
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        for one in wanted {
            let what = match one.found_at.filter(|_| state.is_empty()) {
                Some(at) => format!("{} ({})", one.subject, at.format("%Y-%m-%d")),
                None => format!("{} of {}", one.name, one.subject),
            };
            let how = command(case, &one.subject).map_or_else(|| NO_NAME.to_owned(), |command| format!("`{command}`"));
            match commands.iter_mut().find(|(other, _)| *other == how) {
                Some((_, list)) if list.contains(&what) => {}
                Some((_, list)) => list.push(what),
                None => commands.push((how, vec![what])),
            }
        }
        let line = |(how, list): (String, Vec<String>)| Missing { what: format!("{words}: {}", list.join(", ")), how };
        missing.extend(commands.into_iter().map(line));
    }
    missing
}
