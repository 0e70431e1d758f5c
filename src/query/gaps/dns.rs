//! What live DNS adds to the gaps: the defects of the newest `check` of each domain, while they are recent.

use duckdb::Connection;

use super::super::{QueryError, Scope};
use super::Finding;
use crate::severity::Severity;
use crate::words::short;

/// Days for which a check speaks.
const DAYS: i32 = 30;
/// Characters of an answer that a gap quotes.
const QUOTED: usize = 160;

// The domain's own check before one that only touched it; one check counts whole, so that what it does not name any more
// is mended.
const DEFECTS: &str = "
WITH newest AS (
    SELECT * FROM finding
    WHERE kind = 'dns' AND found_at::TIMESTAMP::DATE <= ?1::DATE AND found_at::TIMESTAMP::DATE > ?1::DATE - ?2::INTEGER
    QUALIFY rank() OVER (PARTITION BY subject ORDER BY coalesce(\"domain\" = subject, false) DESC, found_at DESC) = 1
)
SELECT gap, subject, severity, name, coalesce(detail, ''), strftime(found_at, '%Y-%m-%d')
FROM newest
WHERE state = 'defect' AND gap IS NOT NULL AND subject IN (SELECT policy_domain FROM report WHERE {reports})
ORDER BY gap, subject, name";

/// Adds what the newest checks found: to a gap that reports show too its live evidence, else a gap of its own.
pub(super) fn add(connection: &Connection, scope: &Scope, found: &mut Vec<Finding>) -> Result<(), QueryError> {
    let mut statement = connection.prepare(&DEFECTS.replace("{reports}", &scope.of_reports("")))?;
    let mut rows = statement.query(duckdb::params![scope.as_of.to_string(), DAYS])?;
    while let Some(row) = rows.next()? {
        let (gap, domain, severity): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (check, detail, day): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
        // Written by another version of this program, perhaps.
        let Some(definition) = super::definition(&gap) else { continue };
        let severity = severity.as_deref().and_then(Severity::from_word).unwrap_or(Severity::Notice);
        let detail = short(&detail, QUOTED);
        let text = format!("live DNS on {day}: {check}: {detail}");
        match found.iter_mut().find(|one| one.gap == definition.gap && one.domain == domain) {
            Some(one) => {
                one.evidence = format!("{}; {text}", one.evidence);
                one.severity = one.severity.max(severity);
            }
            None => found.push(Finding::new(definition.gap, domain, severity, text)),
        }
    }
    Ok(())
}
