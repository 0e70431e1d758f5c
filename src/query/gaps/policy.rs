//! Gaps in the published policy: G01 to G05, G17, G18.

use duckdb::Connection;

use super::super::policy::Policy;
use super::super::{QueryError, Scope};
use super::Finding;
use crate::config::DomainRule;
use crate::parse::{PolicyWord, domain_name};
use crate::severity::Severity;
use crate::words::plural;

// Most domains never change their policy: only those that do are looked at day by day.
const FLAPPING: &str = "
WITH changing AS (
    SELECT policy_domain FROM report WHERE {reports} AND policy_domain IS NOT NULL AND p IS NOT NULL GROUP BY policy_domain
    HAVING min(p) <> max(p) OR min(coalesce(sp, p)) <> max(coalesce(sp, p))
        OR min(coalesce(pct, 100)) <> max(coalesce(pct, 100))
), modal AS (
    SELECT policy_domain, report_day, concat_ws('/', mode(p), mode(coalesce(sp, p)), coalesce(mode(pct), 100)) AS policy
    FROM report WHERE {reports} AND policy_domain IN (FROM changing) AND p IS NOT NULL GROUP BY policy_domain, report_day
), step AS (
    SELECT policy_domain, policy, lag(policy) OVER (PARTITION BY policy_domain ORDER BY report_day) AS previous FROM modal
)
SELECT policy_domain, (count(*) FILTER (WHERE policy <> previous))::UBIGINT AS changes,
    array_to_string(list_sort(list(DISTINCT policy)), ', ')
FROM step GROUP BY policy_domain HAVING changes >= 3 ORDER BY policy_domain";

/// Finds the gaps that the policies themselves show.
pub(super) fn findings(policies: &[Policy], expected: &[DomainRule]) -> Vec<Finding> {
    policies.iter().flat_map(|policy| of_domain(policy, expected)).collect()
}

fn of_domain(policy: &Policy, expected: &[DomainRule]) -> Vec<Finding> {
    let mut found = Vec::new();
    let by = |reporters: u64| format!("in the newest reports of {reporters} reporter{}", plural(reporters));
    let seen = by(policy.reporters);
    let mut add = |gap, severity, text: String| found.push(Finding::new(gap, &policy.domain, severity, text));
    // An absent np is sp (RFC 9989): only a published one can be weaker.
    let (p, sp, np) = (policy.p, policy.sp, policy.np);
    let word = |value: Option<PolicyWord>| value.unwrap_or(PolicyWord::None);
    let asks = |value: Option<PolicyWord>| value > Some(PolicyWord::None);
    if p == Some(PolicyWord::None) {
        add("G01", Severity::Notice, format!("p=none {seen}"));
    }
    if sp < p && sp.is_some() {
        add("G02", Severity::Warn, format!("p={}, sp={} {seen}", word(p), word(sp)));
    }
    if np < sp && np.is_some() {
        add("G03", Severity::Notice, format!("sp={}, np={} {seen}", word(sp), word(np)));
    }
    if let Some(pct) = policy.pct.filter(|pct| *pct < 100)
        && asks(p)
    {
        add("G04", Severity::Warn, format!("p={}, pct={pct} {}", word(p), by(policy.pct_reporters)));
    }
    if policy.testing && [p, sp, np].into_iter().any(asks) {
        add("G05", Severity::Warn, format!("t=y with p={}, sp={} {}", word(p), word(sp), by(policy.testing_reporters)));
    }
    let parked = expected.iter().any(|rule| !rule.sends && domain_name(&rule.name) == policy.domain.as_str());
    if parked && (p != Some(PolicyWord::Reject) || sp != Some(PolicyWord::Reject)) {
        let text = format!("marked as sending nothing, yet p={}, sp={} {seen}", word(p), word(sp));
        add("G18", Severity::Warn, text);
    }
    found
}

/// Finds policies that change to and fro.
pub(super) fn flapping(connection: &Connection, scope: &Scope) -> Result<Vec<Finding>, QueryError> {
    let mut statement = connection.prepare(&FLAPPING.replace("{reports}", &scope.of_reports("")))?;
    let rows = statement.query_map([], |row| {
        let (domain, changes, policies): (String, u64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let text = format!("the policy (p/sp/pct) that most reports of a day name changed {changes} times: {policies}");
        Ok(Finding::new("G17", domain, Severity::Warn, text))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
