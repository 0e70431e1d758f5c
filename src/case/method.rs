//! Part 10: where the figures come from, so that the other side can check them.

use duckdb::Connection;

use super::evidence::time;
use super::types::{MethodFile, MethodPart};
use super::{CaseError, Question};
use crate::evidence::DeliveryScope;
use crate::query::Scope;

/// Describes the sources of the case.
pub(super) fn method(
    connection: &Connection,
    scope: &DeliveryScope,
    reports: Option<&Scope>,
    question: &Question<'_>,
) -> Result<MethodPart, CaseError> {
    let mut part = MethodPart {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        written_at: question.now,
        as_of: question.days.as_of,
        suffix_list: crate::parse::suffix_list().to_owned(),
        ..MethodPart::default()
    };
    // A file that was read again says nothing new: the latest reading of each path.
    let mut statement = connection.prepare(
        "SELECT path, format, lines, attempts, \"unknown\", epoch_us(first_at), epoch_us(last_at), zone, note FROM delivery_file
         WHERE format IS NOT NULL QUALIFY row_number() OVER (PARTITION BY path ORDER BY file_no DESC) = 1 ORDER BY first_at, path",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        part.files.push(MethodFile {
            path: row.get(0)?,
            format: row.get(1)?,
            lines: row.get(2)?,
            attempts: row.get(3)?,
            unknown: row.get(4)?,
            first_at: time(row, 5)?,
            last_at: time(row, 6)?,
            zone: row.get(7)?,
            note: row.get(8)?,
        });
    }
    if let Some(reports) = reports {
        let sql = format!(
            "SELECT count(*), count(DISTINCT lower(reporter)), coalesce(sum(messages), 0)::UBIGINT FROM report WHERE {}",
            reports.of_reports("")
        );
        (part.reports, part.reporters, part.messages) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    }
    if scope.or_unknown_source {
        part.notes.push(
            "Attempts whose log does not say the sending address count as sent from the case's address: the operator names it."
                .to_owned(),
        );
    }
    part.notes.push(
        "A message to one recipient counts on the UTC day of its first attempt, with everything that became of it later.".to_owned(),
    );
    part.notes.push(
        "Recipients are distinct recipient addresses with at least one real attempt; affected ones got at least one deferral that is the gateway's reputation answer. Deferrals and final non-delivery are two figures and never added."
            .to_owned(),
    );
    part.notes.push("Local parts of addresses are keyed hashes, also inside responses.".to_owned());
    Ok(part)
}
