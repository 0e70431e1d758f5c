//! Part 6: the newest finding of each check that the store holds. What was not checked is said so, never made up.

use duckdb::Connection;

use super::evidence::{one_line, time};
use super::types::{DnsPart, FindingRow, LookupRow};
use super::{CaseError, Facts, list_of};

/// Asks the findings on the domain, the addresses and the domains of the envelope sender.
pub(super) fn findings(
    connection: &Connection,
    domain: &str,
    ips: &[String],
    envelope_from: &[String],
    facts: &Facts,
) -> Result<DnsPart, CaseError> {
    let mut subjects: Vec<String> = vec![domain.to_owned()];
    subjects.extend(ips.iter().cloned());
    subjects.extend(envelope_from.iter().filter(|name| *name != "<>").cloned());
    subjects.extend(facts.helo.clone());
    subjects.sort();
    subjects.dedup();
    let sql = format!(
        "SELECT kind, subject, name, arg_max(state, found_at), arg_max(detail, found_at), epoch_us(max(found_at))
         FROM finding WHERE subject IN ({}) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        list_of(&subjects)
    );
    let mut part = DnsPart { sql: one_line(&sql), helo: facts.helo.clone(), ..DnsPart::default() };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        part.findings.push(FindingRow {
            kind: row.get(0)?,
            subject: row.get(1)?,
            name: row.get(2)?,
            state: row.get(3)?,
            detail: row.get(4)?,
            found_at: time(row, 5)?,
        });
    }
    // Subjects that nobody looked at.
    for subject in &subjects {
        if !part.findings.iter().any(|finding| finding.subject == *subject) {
            part.findings.push(FindingRow {
                kind: "dns".to_owned(),
                subject: subject.clone(),
                name: "all checks".to_owned(),
                state: "not-checked".to_owned(),
                detail: None,
                found_at: None,
            });
        }
    }
    part.lookups = facts
        .lookup
        .iter()
        .map(|(gateway, lookup)| LookupRow {
            gateway: gateway.clone(),
            result: lookup.result.clone(),
            checked_at: lookup.checked_at.to_string(),
            listed: lookup.is_listed(),
        })
        .collect();
    Ok(part)
}
