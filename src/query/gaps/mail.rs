//! Gaps in how the mail authenticates and what receivers make of it: G06 to G09, G12 to G14.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::super::{QueryError, Scope};
use super::names::{Names, Tally};
use super::{Finding, some};
use crate::parse::PolicyWord;
use crate::query::policy::Policy;
use crate::query::share;
use crate::severity::Severity;
use crate::words::{count, percent};

const UNALIGNED: &str = "
SELECT policy_domain, sender_key,
    coalesce(sum(messages) FILTER (WHERE NOT dmarc_pass), 0)::UBIGINT AS failing,
    coalesce(sum(messages) FILTER (WHERE (own_spf = 'pass' OR foreign_spf) AND NOT coalesce(spf_aligned, false)), 0)::UBIGINT AS spf,
    coalesce(sum(messages) FILTER (WHERE (own_spf = 'pass' OR foreign_spf) AND NOT coalesce(spf_aligned, false)
        AND NOT coalesce(dkim_aligned, false)), 0)::UBIGINT AS spf_alone,
    coalesce(sum(messages) FILTER (WHERE (own_dkim = 'pass' OR foreign_dkim) AND NOT coalesce(dkim_aligned, false)), 0)::UBIGINT AS dkim
FROM flow
WHERE own_dkim = 'pass' OR foreign_dkim OR own_spf = 'pass' OR foreign_spf
GROUP BY policy_domain, sender_key HAVING failing + spf + dkim > 0";

// A source may send as several: one with a name (a key of 0 or more) before one without.
const SPF_ALONE: &str = "
SELECT policy_domain, max(sender_key), sum(messages)::UBIGINT AS all_messages
FROM flow_source WHERE source IS NOT NULL
GROUP BY policy_domain, header_from, source
HAVING coalesce(sum(messages) FILTER (WHERE spf_aligned), 0) > 0
    AND coalesce(sum(messages) FILTER (WHERE dkim_aligned), 0) = 0";

const INHERITED: &str = "
SELECT policy_domain, header_from, sender_key, sum(messages)::UBIGINT
FROM flow
WHERE header_from <> policy_domain
    AND header_from NOT IN (SELECT DISTINCT policy_domain_no FROM report p WHERE policy_domain_no IS NOT NULL AND {ever})
GROUP BY policy_domain, header_from, sender_key";

// `sampled_out` follows from G04 and `policy_test_mode` from G05; the evidence names every type with its messages.
const OVERRIDES: &str = "
WITH kinds AS (
    SELECT reason_no, list_sort(list_distinct(list_transform(reasons, lambda o: coalesce(o.\"type\", 'unnamed')))) AS kinds
    FROM reason
)
SELECT f.policy_domain, array_to_string(k.kinds, ' + '), f.sender_key, sum(f.messages)::UBIGINT
FROM flow f JOIN kinds k ON k.reason_no = f.reason
WHERE NOT f.dmarc_pass AND len(k.kinds) > 0
GROUP BY ALL";

const SOFTER: &str = "SELECT DISTINCT policy_domain FROM flow WHERE softer > 0 AND policy_domain IS NOT NULL";

// Sampling (pct) and testing (t) explain a softer disposition: those reports are left out.
const SOFTER_REPORTERS: &str = "
SELECT r.policy_domain, min(p.reporter), sum(r.messages)::UBIGINT AS messages
FROM record_row r JOIN report p ON p.report_no = r.report_no
WHERE coalesce(p.pct, 100) >= 100 AND NOT coalesce(p.testing, false)
    AND r.stream IN (SELECT stream FROM flow WHERE softer > 0)
    AND {records}
GROUP BY r.policy_domain, lower(p.reporter) HAVING sum(r.messages) > 0 ORDER BY sum(r.messages) DESC, 2";

/// Finds the gaps that sums of `flow` show.
pub(super) fn findings(
    connection: &Connection,
    scope: &Scope,
    names: &Names,
    policies: &[Policy],
) -> Result<Vec<Finding>, QueryError> {
    let mut found = unaligned(connection, names)?;
    found.extend(spf_alone(connection, names, policies)?);
    found.extend(inherited(connection, scope, names, policies)?);
    found.extend(overrides(connection, names)?);
    Ok(found)
}

/// Makes a finding from a tally.
pub(super) fn tallied(
    gap: &'static str,
    domain: &str,
    severity: Severity,
    text: String,
    tally: &Tally,
    names: &Names,
) -> Finding {
    let mut senders = tally.senders(names);
    senders.truncate(5);
    Finding { messages: tally.messages, senders, ..Finding::new(gap, domain, severity, text) }
}

fn unaligned(connection: &Connection, names: &Names) -> Result<Vec<Finding>, QueryError> {
    #[derive(Default)]
    struct Sums {
        failing: Tally,
        spf: Tally,
        spf_alone: u64,
        dkim: Tally,
    }
    let mut by_domain: BTreeMap<u32, Sums> = BTreeMap::new();
    let mut statement = connection.prepare(UNALIGNED)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(domain) = row.get::<_, Option<u32>>(0)? else { continue };
        let sums = by_domain.entry(domain).or_default();
        let sender = row.get(1)?;
        sums.failing.add(sender, row.get(2)?);
        sums.spf.add(sender, row.get(3)?);
        sums.spf_alone += row.get::<_, u64>(4)?;
        sums.dkim.add(sender, row.get(5)?);
    }
    let mut found = Vec::new();
    for (number, sums) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let by = |tally: &Tally| some(&tally.senders(names), 4);
        let mut add = |gap, severity, text: String, tally: &Tally| {
            if tally.messages > 0 {
                found.push(tallied(gap, domain, severity, text, tally, names));
            }
        };
        let text = format!("fails DMARC though DKIM or SPF passes for another domain: {}", by(&sums.failing));
        add("G06", Severity::High, text, &sums.failing);
        let alone = share(sums.spf_alone, sums.spf.messages);
        let severity = if alone > Some(0.5) { Severity::High } else { Severity::Notice };
        let text = format!(
            "SPF passes for another domain, and DKIM does not make up for it on {} of it: {}",
            percent(alone),
            by(&sums.spf)
        );
        add("G07", severity, text, &sums.spf);
        let text = format!("DKIM passes, yet does not align: {}", by(&sums.dkim));
        add("G08", Severity::Warn, text, &sums.dkim);
    }
    Ok(found)
}

fn spf_alone(connection: &Connection, names: &Names, policies: &[Policy]) -> Result<Vec<Finding>, QueryError> {
    let mut by_domain: BTreeMap<u32, (Tally, u64)> = BTreeMap::new();
    let mut statement = connection.prepare(SPF_ALONE)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(domain) = row.get::<_, Option<u32>>(0)? else { continue };
        let (tally, sources) = by_domain.entry(domain).or_default();
        tally.add(row.get(1)?, row.get(2)?);
        *sources += 1;
    }
    let mut found = Vec::new();
    for (number, (tally, sources)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let rejects = policies.iter().any(|policy| policy.number == number && policy.rejects());
        let severity = if rejects { Severity::High } else { Severity::Warn };
        let text = format!(
            "{} source{} on which only SPF ever aligns: {}",
            count(sources),
            crate::words::plural(sources),
            some(&tally.senders(names), 4)
        );
        found.push(tallied("G09", domain, severity, text, &tally, names));
    }
    Ok(found)
}

fn inherited(
    connection: &Connection,
    scope: &Scope,
    names: &Names,
    policies: &[Policy],
) -> Result<Vec<Finding>, QueryError> {
    let ever = scope.ever().of_any_domain();
    let mut by_domain: BTreeMap<u32, (Tally, BTreeMap<u32, u64>)> = BTreeMap::new();
    let mut statement = connection.prepare(&INHERITED.replace("{ever}", &ever.of_reports("p.")))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Some(domain), header_from): (Option<u32>, u32) = (row.get(0)?, row.get(1)?) else { continue };
        let (tally, subdomains) = by_domain.entry(domain).or_default();
        let messages = row.get(3)?;
        tally.add(row.get(2)?, messages);
        *subdomains.entry(header_from).or_default() += messages;
    }
    let mut found = Vec::new();
    for (number, (tally, subdomains)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let sp = policies.iter().find(|policy| policy.number == number).and_then(|policy| policy.sp);
        let severity = if sp == Some(PolicyWord::None) { Severity::Warn } else { Severity::Notice };
        let mut order: Vec<(u32, u64)> = subdomains.into_iter().collect();
        order.sort_by_key(|(_, messages)| std::cmp::Reverse(*messages));
        let listed: Vec<String> = order
            .iter()
            .filter_map(|(number, messages)| Some(format!("{} {}", names.domain(Some(*number))?, count(*messages))))
            .collect();
        let text = format!("under the inherited sp={}: {}", sp.map_or("unknown", PolicyWord::word), some(&listed, 5));
        found.push(tallied("G12", domain, severity, text, &tally, names));
    }
    Ok(found)
}

fn overrides(connection: &Connection, names: &Names) -> Result<Vec<Finding>, QueryError> {
    let mut by_domain: BTreeMap<u32, (Tally, BTreeMap<String, u64>)> = BTreeMap::new();
    let mut statement = connection.prepare(OVERRIDES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(domain) = row.get::<_, Option<u32>>(0)? else { continue };
        let (tally, kinds) = by_domain.entry(domain).or_default();
        let messages = row.get(3)?;
        tally.add(row.get(2)?, messages);
        *kinds.entry(row.get(1)?).or_default() += messages;
    }
    let mut found = Vec::new();
    for (number, (tally, kinds)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let mut order: Vec<(String, u64)> = kinds.into_iter().collect();
        order.sort_by_key(|(_, messages)| std::cmp::Reverse(*messages));
        let listed: Vec<String> = order.iter().map(|(kind, n)| format!("{kind} {}", count(*n))).collect();
        let text = format!("failing mail let through for a reason: {}", some(&listed, 6));
        found.push(tallied("G13", domain, Severity::Notice, text, &tally, names));
    }
    Ok(found)
}

/// Finds reporters that did less than the policy asks without a reason.
pub(super) fn softer(connection: &Connection, records: &str, names: &Names) -> Result<Vec<Finding>, QueryError> {
    let any = connection.prepare(SOFTER)?.exists([])?;
    if !any {
        return Ok(Vec::new());
    }
    let mut by_domain: BTreeMap<u32, (u64, Vec<String>)> = BTreeMap::new();
    let mut statement = connection.prepare(&SOFTER_REPORTERS.replace("{records}", records))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(domain) = row.get::<_, Option<u32>>(0)? else { continue };
        let (sum, reporters) = by_domain.entry(domain).or_default();
        let messages: u64 = row.get(2)?;
        *sum += messages;
        let reporter = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| "a nameless reporter".to_owned());
        reporters.push(format!("{reporter} {}", count(messages)));
    }
    let mut found = Vec::new();
    for (number, (messages, reporters)) in by_domain {
        let Some(domain) = names.domain(Some(number)) else { continue };
        let text = format!("milder than the policy, without a reason: {}", some(&reporters, 5));
        found.push(Finding { messages, ..Finding::new("G14", domain, Severity::Notice, text) });
    }
    Ok(found)
}
