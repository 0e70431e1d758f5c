//! Gaps in the single DKIM and SPF results of the own domain: G10, G11, G19; and G14, which needs the reporters.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;

use super::super::{QueryError, Scope};
use super::names::Names;
use super::{Finding, mail, some};
use crate::query::policy::Policy;
use crate::query::share;
use crate::severity::Severity;
use crate::words::{count, percent};

// A message with two signatures that fail is one message of each selector, and one of the gap. Selectors are DNS labels: their case
// says nothing.
const SIGNATURES: &str = r#"
WITH s AS (SELECT policy_domain, stream, sum(messages) AS messages FROM flow WHERE own_dkim IS NOT NULL GROUP BY ALL),
each AS (
    SELECT DISTINCT s.policy_domain, s.stream, s.messages, a.d."domain" AS signer, lower(coalesce(a.d.selector, '?')) AS selector,
        a.d.result, a.d.result IN ('fail', 'permerror', 'temperror', 'neutral', 'policy') AS fails
    FROM s
    JOIN stream t ON t.stream_no = s.stream
    JOIN domain h ON h.domain_no = t.header_from
    JOIN (SELECT auth_no, unnest(dkim) AS d FROM auth) a ON a.auth_no = t.auth
    WHERE a.d.domain_org = h.domain_org AND a.d.result <> 'none'
), selectors AS (
    SELECT policy_domain, stream, messages, signer, selector, bool_or(fails) AS fails FROM each GROUP BY ALL
)
SELECT policy_domain, signer, selector, result, sum(messages)::UBIGINT, 0::UBIGINT FROM each WHERE fails GROUP BY ALL
UNION ALL
SELECT policy_domain, signer, selector, NULL, sum(messages)::UBIGINT, coalesce(sum(messages) FILTER (WHERE fails), 0)::UBIGINT
FROM selectors GROUP BY ALL
UNION ALL
SELECT policy_domain, NULL, NULL, NULL, sum(messages)::UBIGINT, 0::UBIGINT
FROM (SELECT DISTINCT policy_domain, stream, messages FROM each WHERE fails) GROUP BY ALL
ORDER BY ALL"#;

const SPF_ERRORS: &str = r#"
CREATE OR REPLACE TEMP TABLE spf_error AS
SELECT DISTINCT t.stream_no AS stream, a.d."domain" AS spf_domain, a.d.result
FROM (SELECT DISTINCT stream FROM flow WHERE own_spf = 'fail') f
JOIN stream t ON t.stream_no = f.stream
JOIN domain h ON h.domain_no = t.header_from
JOIN (SELECT auth_no, unnest(spf) AS d FROM auth) a ON a.auth_no = t.auth
WHERE a.d.domain_org = h.domain_org AND a.d.result IN ('permerror', 'temperror') AND coalesce(a.d."scope", 'mfrom') <> 'helo'"#;

const SPF_ERROR_REPORTERS: &str = "
SELECT r.policy_domain, e.spf_domain, e.result, count(DISTINCT lower(p.reporter))::UBIGINT,
    sum(r.messages)::UBIGINT AS messages, min(r.report_day)::VARCHAR, max(r.report_day)::VARCHAR,
    min(lower(coalesce(p.reporter, ''))), max(lower(coalesce(p.reporter, '')))
FROM record_row r
JOIN spf_error e ON e.stream = r.stream
JOIN report p ON p.report_no = r.report_no
WHERE {records}
GROUP BY ALL HAVING sum(r.messages) > 0 ORDER BY sum(r.messages) DESC, 1, 2, 3";

// {dkim} and {spf} are the numbers of the domains whose alignment is strict. A message that both refuse is one message of the gap.
const STRICT: &str = r#"
WITH s AS (
    SELECT f.policy_domain, f.stream, sum(f.messages) AS messages, t.auth, t.dkim_aligned, t.spf_aligned, h.name, h.domain_org
    FROM flow f JOIN stream t ON t.stream_no = f.stream JOIN domain h ON h.domain_no = t.header_from
    WHERE f.own_dkim = 'pass' OR f.own_spf = 'pass' GROUP BY ALL
), hit AS (
    SELECT DISTINCT s.policy_domain, s.stream, s.messages, 'DKIM' AS kind, a.d."domain" AS authenticated, s.name
    FROM s JOIN (SELECT auth_no, unnest(dkim) AS d FROM auth) a ON a.auth_no = s.auth
    WHERE s.policy_domain IN ({dkim}) AND NOT coalesce(s.dkim_aligned, false)
        AND a.d.result = 'pass' AND a.d.domain_org = s.domain_org AND a.d."domain" <> s.name
    UNION ALL
    SELECT DISTINCT s.policy_domain, s.stream, s.messages, 'SPF', a.d."domain", s.name
    FROM s JOIN (SELECT auth_no, unnest(spf) AS d FROM auth) a ON a.auth_no = s.auth
    WHERE s.policy_domain IN ({spf}) AND NOT coalesce(s.spf_aligned, false) AND coalesce(a.d."scope", 'mfrom') <> 'helo'
        AND a.d.result = 'pass' AND a.d.domain_org = s.domain_org AND a.d."domain" <> s.name
)
SELECT policy_domain, kind, authenticated, name, sum(messages)::UBIGINT AS messages FROM hit GROUP BY ALL HAVING messages > 0
UNION ALL
SELECT policy_domain, NULL, NULL, NULL, sum(messages)::UBIGINT AS messages
FROM (SELECT DISTINCT policy_domain, stream, messages FROM hit) GROUP BY ALL HAVING messages > 0
ORDER BY messages DESC, 1, 2, 3, 4"#;

/// A selector that fails on more than this is broken rather than forwarded.
const BROKEN_SELECTOR: f64 = 0.01;

/// Finds the gaps that single results show.
pub(super) fn findings(
    connection: &Connection,
    scope: &Scope,
    names: &Names,
    policies: &[Policy],
) -> Result<Vec<Finding>, QueryError> {
    let records = scope.of_records("r.");
    let mut found = signatures(connection, names)?;
    found.extend(spf_errors(connection, &records, names)?);
    found.extend(strict(connection, names, policies)?);
    found.extend(mail::softer(connection, &records, names)?);
    Ok(found)
}

/// Results of one selector of one signing domain.
#[derive(Default)]
struct Selector {
    messages: u64,
    failing: u64,
    words: Vec<String>,
}

/// Own signatures of one policy domain.
#[derive(Default)]
struct Signatures {
    /// Messages with one that fails.
    failing: u64,
    /// By signing domain and selector.
    selectors: BTreeMap<(String, String), Selector>,
}

fn signatures(connection: &Connection, names: &Names) -> Result<Vec<Finding>, QueryError> {
    let mut by_domain: BTreeMap<u32, Signatures> = BTreeMap::new();
    let mut statement = connection.prepare(SIGNATURES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(number) = row.get::<_, Option<u32>>(0)? else { continue };
        let of_domain = by_domain.entry(number).or_default();
        let (signer, name): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        let (result, messages): (Option<String>, u64) = (row.get(3)?, row.get(4)?);
        let Some(key) = signer.zip(name) else {
            of_domain.failing = messages;
            continue;
        };
        let selector = of_domain.selectors.entry(key).or_default();
        match result {
            Some(result) => selector.words.push(format!("{result} {}", count(messages))),
            None => (selector.messages, selector.failing) = (messages, row.get(5)?),
        }
    }
    let mut found = Vec::new();
    for (number, Signatures { failing: messages, selectors }) in by_domain {
        let Some(domain) = names.domain(Some(number)).filter(|_| messages > 0) else { continue };
        let mut failing: Vec<(&(String, String), &Selector)> = selectors.iter().filter(|s| s.1.failing > 0).collect();
        failing.sort_by_key(|(_, selector)| std::cmp::Reverse(selector.failing));
        let broken = |s: &Selector| share(s.failing, s.messages) > Some(BROKEN_SELECTOR);
        let severity = if failing.iter().any(|(_, s)| broken(s)) { Severity::High } else { Severity::Notice };
        let listed: Vec<String> = failing
            .iter()
            .map(|((domain, name), s)| {
                let part = percent(share(s.failing, s.messages));
                format!("{name}._domainkey.{domain} {} ({part} of its mail)", s.words.join(", "))
            })
            .collect();
        let text = format!("own signatures that do not verify: {}", some(&listed, 4));
        found.push(Finding { messages, ..Finding::new("G10", domain, severity, text) });
    }
    Ok(found)
}

fn spf_errors(connection: &Connection, records: &str, names: &Names) -> Result<Vec<Finding>, QueryError> {
    connection.execute_batch(SPF_ERRORS)?;
    if !connection.prepare("SELECT 1 FROM spf_error")?.exists([])? {
        return Ok(Vec::new());
    }
    let mut by_domain: BTreeMap<u32, (u64, BTreeSet<String>, Vec<String>)> = BTreeMap::new();
    let mut statement = connection.prepare(&SPF_ERROR_REPORTERS.replace("{records}", records))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(domain) = row.get::<_, Option<u32>>(0)? else { continue };
        let (sum, seen_by, listed) = by_domain.entry(domain).or_default();
        let (name, result, reporters, messages): (String, String, u64, u64) =
            (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        let (first, last): (String, String) = (row.get(5)?, row.get(6)?);
        *sum += messages;
        // The first and the last by name tell one from several.
        seen_by.extend([row.get(7)?, row.get(8)?]);
        listed.push(format!(
            "{result} for {name} at {reporters} reporter{}, {first} to {last}, {} messages",
            crate::words::plural(reporters),
            count(messages)
        ));
    }
    let mut found = Vec::new();
    for (number, (messages, seen_by, listed)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let (severity, whose) = if seen_by.len() == 1 {
            (Severity::Warn, "; one reporter alone, so the fault may be its own")
        } else {
            (Severity::High, "")
        };
        let text = format!("{}{whose}", some(&listed, 4));
        found.push(Finding { messages, ..Finding::new("G11", domain, severity, text) });
    }
    Ok(found)
}

fn strict(connection: &Connection, names: &Names, policies: &[Policy]) -> Result<Vec<Finding>, QueryError> {
    let numbers = |strict: fn(&Policy) -> bool| {
        let some: Vec<String> = policies.iter().filter(|policy| strict(policy)).map(|p| p.number.to_string()).collect();
        if some.is_empty() { "NULL".to_owned() } else { some.join(", ") }
    };
    if !policies.iter().any(|policy| policy.strict_dkim || policy.strict_spf) {
        return Ok(Vec::new());
    }
    let sql = STRICT
        .replace("{dkim}", &numbers(|policy| policy.strict_dkim))
        .replace("{spf}", &numbers(|policy| policy.strict_spf));
    let mut by_domain: BTreeMap<u32, (u64, Vec<String>)> = BTreeMap::new();
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (sum, listed) = by_domain.entry(row.get(0)?).or_default();
        let messages: u64 = row.get(4)?;
        match row.get::<_, Option<String>>(1)? {
            Some(kind) => {
                let (domain, from): (String, String) = (row.get(2)?, row.get(3)?);
                listed.push(format!("{kind} of {domain} for {from} {}", count(messages)));
            }
            None => *sum = messages,
        }
    }
    let mut found = Vec::new();
    for (number, (messages, listed)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let text = format!("passes and is refused by strict alignment: {}", some(&listed, 4));
        found.push(Finding { messages, ..Finding::new("G19", domain, Severity::High, text) });
    }
    Ok(found)
}
