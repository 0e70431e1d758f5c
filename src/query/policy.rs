//! The published policy of each domain, as most of its newest reports say.

use duckdb::Connection;

use super::{QueryError, Scope};
use crate::parse::PolicyWord;

// The view `policy_latest`, within a scope: what most reports of a domain's last two days say, value by value: one reporter with a stale record or of another
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

/// The policy of one domain, with the defaults of the standards filled in but for `np` and `pct`.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) domain: String,
    pub(super) number: u32,
    pub(super) p: Option<PolicyWord>,
    pub(super) sp: Option<PolicyWord>,
    pub(super) np: Option<PolicyWord>,
    pub(super) pct: Option<u8>,
    pub(super) testing: bool,
    pub(super) strict_dkim: bool,
    pub(super) strict_spf: bool,
    pub(super) reporters: u64,
}

impl Policy {
    /// Returns whether the domain asks for rejection.
    pub(super) fn rejects(&self) -> bool {
        self.p == Some(PolicyWord::Reject)
    }
}

/// Reads the policy of each domain of the scope.
pub(super) fn policies(connection: &Connection, scope: &Scope) -> Result<Vec<Policy>, QueryError> {
    let sql = POLICIES.replace("{reports_r}", &scope.of_reports("r.")).replace("{reports}", &scope.of_reports("p."));
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let policy = |column| -> duckdb::Result<Option<PolicyWord>> {
            Ok(row.get::<_, Option<String>>(column)?.and_then(|word| PolicyWord::from_word(&word)))
        };
        let strict = |column| row.get::<_, String>(column).map(|word| word == "s");
        Ok(Policy {
            domain: row.get(0)?,
            number: row.get(1)?,
            p: policy(2)?,
            sp: policy(3)?,
            np: policy(4)?,
            pct: row.get(5)?,
            testing: row.get(6)?,
            strict_dkim: strict(7)?,
            strict_spf: strict(8)?,
            reporters: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
