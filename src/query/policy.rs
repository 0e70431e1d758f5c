//! The published policy of each domain, as most of its newest reports say.

use duckdb::Connection;

use super::{QueryError, Scope};
use crate::parse::PolicyWord;

const POLICIES: &str = "
SELECT policy_domain, policy_domain_no, p, sp, np, pct::UTINYINT, testing, adkim, aspf, reporters::UBIGINT,
    pct_reporters::UBIGINT, testing_reporters::UBIGINT
FROM {policies} ORDER BY policy_domain";

/// The policy of one domain, with the defaults of the standards filled in.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) domain: String,
    pub(super) number: u32,
    pub(super) p: Option<PolicyWord>,
    pub(super) sp: Option<PolicyWord>,
    pub(super) np: Option<PolicyWord>,
    pub(super) pct: u8,
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
    let sql = POLICIES.replace("{policies}", &scope.policies());
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
