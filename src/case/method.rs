//! Part 10: where the figures come from, so that the other side can check them.

use duckdb::Connection;

use super::evidence::time;
use super::types::{MethodFile, MethodPart, SmtpPart};
use super::{CaseError, Question};
use crate::evidence::DeliveryScope;
use crate::query::Scope;

/// Describes the sources of the case.
pub(super) fn method(
    connection: &Connection,
    scope: &DeliveryScope,
    reports: Option<&Scope>,
    smtp: &SmtpPart,
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
    let newest = "SELECT path, format, lines, attempts, \"unknown\", first_at, last_at, zone, note FROM delivery_file
         WHERE format IS NOT NULL QUALIFY row_number() OVER (PARTITION BY path ORDER BY file_no DESC) = 1";
    // Where a day ends it all, a file gives what its lines up to then give.
    let files = if scope.cut.is_some() {
        format!(
            "SELECT f.* REPLACE (u.attempts AS attempts, u.first_at AS first_at, u.last_at AS last_at) FROM ({newest}) f
             JOIN (SELECT n.path, count(*) AS attempts, min(l.attempt_at) AS first_at, max(l.attempt_at) AS last_at
                FROM delivery_line l JOIN delivery_file n ON n.file_no = l.\"file\" GROUP BY 1) u USING (path)"
        )
    } else {
        newest.to_owned()
    };
    let sql = format!(
        "SELECT path, format, lines, attempts, \"unknown\", epoch_us(first_at), epoch_us(last_at), zone, note FROM ({files})
         ORDER BY first_at, path"
    );
    let mut statement = connection.prepare(&sql)?;
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
    part.notes = notes(scope, smtp, question.show_recipients);
    Ok(part)
}

/// What should be known of the figures.
fn notes(scope: &DeliveryScope, smtp: &SmtpPart, show_recipients: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if smtp.unknown_source_counts && smtp.unknown_source > 0 && !scope.sources.is_empty() {
        notes.push(
            "Attempts whose log does not say the sending address count as sent from the case's addresses: no log that leaves it out names another."
                .to_owned(),
        );
    }
    notes.extend(smtp.left_out.text());
    let later = match scope.cut {
        Some(day) => {
            notes.push(format!(
                "Nothing after {day} counts: later lines of logs are left out, with the outcomes that they brought. Lines of a log file, and those not understood, are of the whole file."
            ));
            format!("up to {day}")
        }
        None => "later".to_owned(),
    };
    notes.push(format!(
        "A message to one recipient counts on the UTC day of its first attempt, with everything that became of it {later}."
    ));
    notes.push(
        "Recipients are distinct recipient addresses with at least one real attempt; affected ones got at least one deferral that is the gateway's reputation answer. Deferrals and final non-delivery are two figures and never added."
            .to_owned(),
    );
    notes.push(if show_recipients {
        "Recipients, and the addresses inside responses, are shown as the store has them: that was asked for."
            .to_owned()
    } else {
        "Local parts of addresses are keyed hashes, also inside responses.".to_owned()
    });
    notes
}
