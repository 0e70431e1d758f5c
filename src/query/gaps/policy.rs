//! Gaps in the published policy: G01 to G05, G17, G18.

use duckdb::Connection;

use super::super::policy::Policy;
use super::super::{QueryError, Scope};
use super::definitions::statement;
use super::{Expected, Finding};
use crate::config::DomainRule;
use crate::parse::{PolicyWord, domain_name};
use crate::severity::Severity;
use crate::words::plural;

/// Finds the gaps that the policies themselves show.
pub(super) fn findings(policies: &[Policy], expected: &[DomainRule]) -> Vec<Finding> {
    policies.iter().flat_map(|policy| of_domain(policy, expected)).collect()
}

fn of_domain(policy: &Policy, expected: &[DomainRule]) -> Vec<Finding> {
    let mut found = Vec::new();
    let by = |reporters: u64| format!("in the newest reports of {reporters} reporter{}", plural(reporters));
    let seen = by(policy.reporters);
    let mut add = |gap, severity, text: String| found.push(Finding::new(gap, &policy.domain, severity, text));
    // An absent np is sp (RFC 9989), so that only a published one can be weaker.
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
    if policy.pct < 100 && asks(p) {
        add("G04", Severity::Warn, format!("p={}, pct={} {}", word(p), policy.pct, by(policy.pct_reporters)));
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
pub(super) fn flapping(
    connection: &Connection,
    scope: &Scope,
    expected: Expected<'_>,
) -> Result<Vec<Finding>, QueryError> {
    let mut statement = connection.prepare(&statement("G17", scope, expected))?;
    let rows = statement.query_map([], |row| {
        let (domain, changes, policies): (String, u64, String) =
            (row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get(2)?);
        let text = format!("the policy (p/sp/pct) that most reports of a day name changed {changes} times: {policies}");
        Ok(Finding::new("G17", domain, Severity::Warn, text))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
