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

// Sums are by signature: a message with two broken signatures counts for both.
const SIGNATURES: &str = r#"
WITH s AS (SELECT policy_domain, stream, sum(messages) AS messages FROM flow WHERE own_dkim IS NOT NULL GROUP BY ALL)
SELECT s.policy_domain, a.d."domain", coalesce(a.d.selector, '?'), a.d.result, sum(s.messages)::UBIGINT
FROM s
JOIN stream t ON t.stream_no = s.stream
JOIN domain h ON h.domain_no = t.header_from
JOIN (SELECT auth_no, unnest(dkim) AS d FROM auth) a ON a.auth_no = t.auth
WHERE a.d.domain_org = h.domain_org AND a.d.result <> 'none'
GROUP BY ALL ORDER BY ALL"#;

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
FROM record r
JOIN spf_error e ON e.stream = r.stream
JOIN report p ON p.report_no = r.report_no
WHERE {records}
GROUP BY ALL HAVING sum(r.messages) > 0 ORDER BY sum(r.messages) DESC, 1, 2, 3";

const STRICT: &str = r#"
WITH s AS (
    SELECT policy_domain, stream, sum(messages) FILTER (WHERE NOT coalesce(dkim_aligned, false)) AS dkim,
        sum(messages) FILTER (WHERE NOT coalesce(spf_aligned, false)) AS spf
    FROM flow WHERE own_dkim = 'pass' OR own_spf = 'pass' GROUP BY ALL
), own AS (
    SELECT auth_no, 'DKIM' AS kind, unnest(dkim) AS d FROM auth
), mail AS (
    SELECT auth_no, 'SPF' AS kind, unnest(spf) AS d FROM auth
)
SELECT s.policy_domain, 'DKIM', o.d."domain", h.name, sum(s.dkim)::UBIGINT AS messages
FROM s JOIN stream t ON t.stream_no = s.stream JOIN domain h ON h.domain_no = t.header_from JOIN own o ON o.auth_no = t.auth
WHERE o.d.result = 'pass' AND o.d.domain_org = h.domain_org AND o.d."domain" <> h.name
GROUP BY ALL HAVING messages > 0
UNION ALL
SELECT s.policy_domain, 'SPF', o.d."domain", h.name, sum(s.spf)::UBIGINT AS messages
FROM s JOIN stream t ON t.stream_no = s.stream JOIN domain h ON h.domain_no = t.header_from JOIN mail o ON o.auth_no = t.auth
WHERE o.d.result = 'pass' AND o.d.domain_org = h.domain_org AND o.d."domain" <> h.name AND coalesce(o.d."scope", 'mfrom') <> 'helo'
GROUP BY ALL HAVING messages > 0
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

fn signatures(connection: &Connection, names: &Names) -> Result<Vec<Finding>, QueryError> {
    let mut by_domain: BTreeMap<u32, BTreeMap<(String, String), Selector>> = BTreeMap::new();
    let mut statement = connection.prepare(SIGNATURES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(domain) = row.get::<_, Option<u32>>(0)? else { continue };
        let selector = by_domain.entry(domain).or_default().entry((row.get(1)?, row.get(2)?)).or_default();
        let (result, messages): (String, u64) = (row.get(3)?, row.get(4)?);
        selector.messages += messages;
        if matches!(result.as_str(), "fail" | "permerror" | "temperror" | "neutral" | "policy") {
            selector.failing += messages;
            selector.words.push(format!("{result} {}", count(messages)));
        }
    }
    let mut found = Vec::new();
    for (number, selectors) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let mut failing: Vec<(&(String, String), &Selector)> = selectors.iter().filter(|s| s.1.failing > 0).collect();
        failing.sort_by_key(|(_, selector)| std::cmp::Reverse(selector.failing));
        let messages = failing.iter().map(|(_, selector)| selector.failing).sum();
        if messages == 0 {
            continue;
        }
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
    if !policies.iter().any(|policy| policy.strict_dkim || policy.strict_spf) {
        return Ok(Vec::new());
    }
    let mut by_domain: BTreeMap<u32, (u64, Vec<String>)> = BTreeMap::new();
    let mut statement = connection.prepare(STRICT)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(number) = row.get::<_, Option<u32>>(0)? else { continue };
        let kind: String = row.get(1)?;
        let is_strict = |policy: &Policy| if kind == "DKIM" { policy.strict_dkim } else { policy.strict_spf };
        if !policies.iter().any(|policy| policy.number == number && is_strict(policy)) {
            continue;
        }
        let (domain, from, messages): (String, String, u64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let (sum, listed) = by_domain.entry(number).or_default();
        *sum += messages;
        listed.push(format!("{kind} of {domain} for {from} {}", count(messages)));
    }
    let mut found = Vec::new();
    for (number, (messages, listed)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let text = format!("passes and is refused by strict alignment: {}", some(&listed, 4));
        found.push(Finding { messages, ..Finding::new("G19", domain, Severity::High, text) });
    }
    Ok(found)
}
