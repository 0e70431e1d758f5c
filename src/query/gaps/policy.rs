//! Gaps in the published policy: G01 to G05, G17, G18.

use duckdb::Connection;

use super::super::{QueryError, Scope};
use super::{Finding, Severity};
use crate::config::DomainRule;
use crate::parse::domain_name;

// What most reports of a domain's last two days say, value by value: one reporter with a stale record or of another
// schema (RFC 9990 has no pct, RFC 7489 no t and np) does not speak for the domain.
const POLICIES: &str = "
WITH last AS (
    SELECT policy_domain_no, max(report_day) AS day FROM report p WHERE {reports} GROUP BY policy_domain_no
)
SELECT r.policy_domain, r.policy_domain_no, mode(r.p), coalesce(mode(coalesce(r.sp, r.p)), mode(r.p)), mode(r.np), mode(r.pct),
    coalesce(mode(r.testing), false), coalesce(mode(r.adkim), 'r'), coalesce(mode(r.aspf), 'r'),
    count(DISTINCT lower(r.reporter))::UBIGINT
FROM report r JOIN last ON last.policy_domain_no = r.policy_domain_no AND r.report_day >= last.day - 1
WHERE {reports_r} AND r.policy_domain IS NOT NULL
GROUP BY r.policy_domain, r.policy_domain_no ORDER BY r.policy_domain";

const FLAPPING: &str = "
WITH modal AS (
    SELECT policy_domain, report_day, concat_ws('/', mode(p), mode(coalesce(sp, p)), coalesce(mode(pct), 100)) AS policy
    FROM report WHERE {reports} AND policy_domain IS NOT NULL AND p IS NOT NULL GROUP BY policy_domain, report_day
), step AS (
    SELECT policy_domain, policy, lag(policy) OVER (PARTITION BY policy_domain ORDER BY report_day) AS previous FROM modal
)
SELECT policy_domain, (count(*) FILTER (WHERE policy <> previous))::UBIGINT AS changes,
    array_to_string(list_sort(list(DISTINCT policy)), ', ')
FROM step GROUP BY policy_domain HAVING changes >= 3 ORDER BY policy_domain";

/// The policy of one domain, as most of its newest reports say.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) domain: String,
    pub(super) number: u32,
    p: Option<String>,
    pub(super) sp: Option<String>,
    np: Option<String>,
    pct: Option<u8>,
    testing: bool,
    pub(super) strict_dkim: bool,
    pub(super) strict_spf: bool,
    reporters: u64,
}

impl Policy {
    /// Returns whether the domain asks for rejection.
    pub(super) fn rejects(&self) -> bool {
        self.p.as_deref() == Some("reject")
    }
}

fn rank(word: Option<&str>) -> Option<u8> {
    crate::parse::PolicyWord::from_word(word?).map(crate::parse::PolicyWord::number)
}

/// Reads the policy of each domain of the scope.
pub(super) fn policies(connection: &Connection, scope: &Scope) -> Result<Vec<Policy>, QueryError> {
    let sql = POLICIES.replace("{reports_r}", &scope.of_reports("r.")).replace("{reports}", &scope.of_reports("p."));
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let strict = |column| row.get::<_, String>(column).map(|word| word == "s");
        Ok(Policy {
            domain: row.get(0)?,
            number: row.get(1)?,
            p: row.get(2)?,
            sp: row.get(3)?,
            np: row.get(4)?,
            pct: row.get(5)?,
            testing: row.get(6)?,
            strict_dkim: strict(7)?,
            strict_spf: strict(8)?,
            reporters: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Finds the gaps that the policies themselves show.
pub(super) fn findings(policies: &[Policy], expected: &[DomainRule]) -> Vec<Finding> {
    policies.iter().flat_map(|policy| of_domain(policy, expected)).collect()
}

fn of_domain(policy: &Policy, expected: &[DomainRule]) -> Vec<Finding> {
    let mut found = Vec::new();
    let seen = format!("in the newest reports of {} reporter{}", policy.reporters, plural(policy.reporters));
    let mut add = |gap, severity, text: String| found.push(Finding::new(gap, &policy.domain, severity, text));
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let (p, sp) = (rank(policy.p.as_deref()), rank(policy.sp.as_deref()));
    // An absent np is sp (RFC 9989): only a published one can be weaker.
    let np = rank(policy.np.as_deref());
    if p == Some(0) {
        add("G01", Severity::Notice, format!("p=none {seen}"));
    }
    if sp < p && sp.is_some() {
        add("G02", Severity::Warn, format!("p={}, sp={} {seen}", word(&policy.p), word(&policy.sp)));
    }
    if np < sp && np.is_some() {
        add("G03", Severity::Notice, format!("sp={}, np={} {seen}", word(&policy.sp), word(&policy.np)));
    }
    if let Some(pct) = policy.pct.filter(|pct| *pct < 100)
        && p > Some(0)
    {
        add("G04", Severity::Warn, format!("p={}, pct={pct} {seen}", word(&policy.p)));
    }
    if policy.testing && [p, sp, np].iter().any(|rank| *rank > Some(0)) {
        add("G05", Severity::Warn, format!("t=y with p={}, sp={} {seen}", word(&policy.p), word(&policy.sp)));
    }
    let parked = expected.iter().any(|rule| !rule.sends && domain_name(&rule.name) == policy.domain.as_str());
    if parked && (p != Some(2) || sp != Some(2)) {
        let text = format!("marked as sending nothing, yet p={}, sp={} {seen}", word(&policy.p), word(&policy.sp));
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

pub(super) fn plural(number: u64) -> &'static str {
    if number == 1 { "" } else { "s" }
}
