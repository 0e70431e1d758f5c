//! Findings as rows of `finding`: all of one check carry its time, so that a reader takes the newest check whole.

use duckdb::{Connection, params};

use super::Checked;
use crate::store::{Store, in_transaction};

/// Keeps every finding of a check.
///
/// # Errors
/// The store cannot be written; nothing of the check is kept then.
pub fn remember(store: &Store, checked: &Checked) -> duckdb::Result<()> {
    in_transaction(store, || write(store.connection(), checked))
}

fn write(connection: &Connection, checked: &Checked) -> duckdb::Result<()> {
    let at = checked.checked_at.to_rfc3339();
    let mut statement = connection.prepare(
        "INSERT INTO finding (found_at, kind, subject, name, state, detail, severity, gap, remedy, \"domain\")
         VALUES (?::TIMESTAMPTZ, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for one in &checked.findings {
        let severity = one.severity.map(crate::severity::Severity::word);
        let (subject, check, found) = (&one.subject, &one.check, &one.found);
        statement.execute(params![
            at,
            one.kind,
            subject,
            check,
            one.state.word(),
            found,
            severity,
            one.gap,
            one.remedy,
            checked.domain
        ])?;
    }
    Ok(())
}
