//! The published policy of each domain, as most of its newest reports say.

use duckdb::Connection;

use super::{QueryError, Scope};
use crate::parse::PolicyWord;

// The view `policy_latest`, within a scope, and not by reports from after the day that counts as today: one with a wrong date must not
// speak for the domain. The newest report of each reporter in the domain's last two days has one vote, value by value, since
// schemas differ (RFC 9990 has no pct, RFC 7489 no t and np) and one reporter may have a stale record. Of values with as many votes
// the one of the newest report counts.
const POLICIES: &str = "
WITH last AS (
    SELECT policy_domain_no, coalesce(max(report_day) FILTER (WHERE report_day <= {today} + 1), max(report_day)) AS day
    FROM report p WHERE {reports} GROUP BY policy_domain_no
), newest AS (
    SELECT r.policy_domain, r.policy_domain_no, r.end_at, lower(r.reporter) AS reporter, r.p, coalesce(r.sp, r.p) AS sp, r.np,
        -- What a schema knows and a report does not say has its default.
        CASE WHEN r.schema_variant = 'rfc9990' THEN r.pct ELSE coalesce(r.pct, 100) END::VARCHAR AS pct,
        CASE WHEN r.schema_variant = 'rfc9990' THEN coalesce(r.testing, false) ELSE r.testing END::VARCHAR AS testing,
        coalesce(r.adkim, 'r') AS adkim, coalesce(r.aspf, 'r') AS aspf
    FROM report r JOIN last ON last.policy_domain_no = r.policy_domain_no AND r.report_day BETWEEN last.day - 1 AND last.day
    WHERE {reports_r} AND r.policy_domain IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY r.policy_domain_no, lower(r.reporter) ORDER BY r.end_at DESC, r.report_key DESC) = 1
), votes AS (
    SELECT policy_domain, policy_domain_no, field, vote, count(*) AS votes, max(end_at) AS end_at
    FROM newest UNPIVOT (vote FOR field IN (p, sp, np, pct, testing, adkim, aspf)) GROUP BY ALL
), chosen AS (
    SELECT policy_domain, policy_domain_no, field, arg_max(vote, (votes, end_at, vote)) AS vote, max(votes) AS votes
    FROM votes GROUP BY ALL
)
SELECT c.policy_domain, c.policy_domain_no, max(vote) FILTER (WHERE field = 'p'), max(vote) FILTER (WHERE field = 'sp'),
    max(vote) FILTER (WHERE field = 'np'), max(vote) FILTER (WHERE field = 'pct')::UTINYINT,
    coalesce(max(vote) FILTER (WHERE field = 'testing'), 'false') = 'true', max(vote) FILTER (WHERE field = 'adkim'),
    max(vote) FILTER (WHERE field = 'aspf'), (SELECT count(*) FROM newest n WHERE n.policy_domain_no = c.policy_domain_no)::UBIGINT,
    coalesce(max(votes) FILTER (WHERE field = 'pct'), 0)::UBIGINT, coalesce(max(votes) FILTER (WHERE field = 'testing'), 0)::UBIGINT
FROM chosen c GROUP BY c.policy_domain, c.policy_domain_no ORDER BY c.policy_domain";

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
    /// Reporters whose newest reports were looked at.
    pub(super) reporters: u64,
    /// Those of them that say this `pct`.
    pub(super) pct_reporters: u64,
    /// Those of them that say this `testing`.
    pub(super) testing_reporters: u64,
}

impl Policy {
    /// Returns whether the domain asks for rejection.
    pub(super) fn rejects(&self) -> bool {
        self.p == Some(PolicyWord::Reject)
    }
}

/// Reads the policy of each domain of the scope.
pub(super) fn policies(connection: &Connection, scope: &Scope) -> Result<Vec<Policy>, QueryError> {
    let sql = POLICIES
        .replace("{reports_r}", &scope.of_reports("r."))
        .replace("{reports}", &scope.of_reports("p."))
        .replace("{today}", &format!("DATE '{}'", scope.as_of));
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
            pct_reporters: row.get(10)?,
            testing_reporters: row.get(11)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
