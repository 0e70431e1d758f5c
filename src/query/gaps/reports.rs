//! Gaps in the reports themselves: G15, G16, G20. They are about the day that counts as today, not about the period.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::Connection;

use super::super::{QueryError, Scope};
use super::definitions::statement;
use super::{Expected, Finding, some};
use crate::query::share;
use crate::severity::Severity;
use crate::words::percent;

/// Days without a report that make the gap grave.
const SILENT_DAYS_HIGH: i64 = 7;
/// Share of the messages above which a silent reporter changes the rates.
const HEAVY_REPORTER: f64 = 0.2;

/// Finds the gaps that the list of reports shows: the rows of the definitions' own statements, told in words.
pub(super) fn findings(
    connection: &Connection,
    scope: &Scope,
    expected: Expected<'_>,
) -> Result<Vec<Finding>, QueryError> {
    let mut found = silent_domains(connection, scope, &statement("G15", scope, expected))?;
    found.extend(silent_reporters(connection, &statement("G16", scope, expected))?);
    found.extend(errors(connection, &statement("G20", scope, expected))?);
    Ok(found)
}

fn silent_domains(connection: &Connection, scope: &Scope, sql: &str) -> Result<Vec<Finding>, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let domain: String = row.get(0)?;
        let Some(last) = row.get::<_, Option<DateTime<Utc>>>(1)? else {
            found.push(Finding::new(
                "G15",
                domain,
                Severity::High,
                "the store holds no report on it at all".to_owned(),
            ));
            continue;
        };
        let (days, rhythm): (i64, i64) = (row.get(2)?, row.get(3)?);
        let severity = if days >= SILENT_DAYS_HIGH.max(rhythm + 1) { Severity::High } else { Severity::Warn };
        let text = format!("the last report ends on {}, {days} days before {}", last.date_naive(), scope.as_of);
        found.push(Finding::new("G15", domain, severity, text));
    }
    Ok(found)
}

/// What is told of the silent reporters of a domain.
#[derive(Default)]
struct Silent {
    /// Those that the config expects.
    awaited: Vec<String>,
    /// Those that came steadily.
    steady: Vec<String>,
    /// One of these carried so much that the rates change without it.
    heavy: bool,
}

fn silent_reporters(connection: &Connection, sql: &str) -> Result<Vec<Finding>, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut by_domain: BTreeMap<String, Silent> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let name = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| "a nameless reporter".to_owned());
        let since = row.get::<_, Option<DateTime<Utc>>>(3)?.map(|last| format!("silent since {}", last.date_naive()));
        let silent = by_domain.entry(row.get(0)?).or_default();
        let Some(days) = row.get::<_, Option<i64>>(2)? else {
            let since = since.unwrap_or_else(|| "never came".to_owned());
            silent.awaited.push(format!("{name}, which the config expects, {since}"));
            continue;
        };
        let part = share(row.get(4)?, row.get(5)?);
        silent.heavy |= part > Some(HEAVY_REPORTER);
        let (part, since) = (percent(part), since.unwrap_or_default());
        silent.steady.push(format!("{name} (on {days} of 30 days, {part} of the messages) {since}"));
    }
    let finding = |(domain, Silent { awaited, steady, heavy })| {
        // Whom the operator waits for is missed, however little it carried; and each of those is named.
        let severity = if heavy || !awaited.is_empty() { Severity::Warn } else { Severity::Notice };
        let most = awaited.len().max(4);
        let listed: Vec<String> = awaited.into_iter().chain(steady).collect();
        Finding::new("G16", domain, severity, some(&listed, most))
    };
    Ok(by_domain.into_iter().map(finding).collect())
}

fn errors(connection: &Connection, sql: &str) -> Result<Vec<Finding>, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut by_domain: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let reporter = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| "a nameless reporter".to_owned());
        let (error, day): (String, Option<NaiveDate>) = (row.get(2)?, row.get(3)?);
        let day = day.map_or_else(String::new, |day| day.to_string());
        let text = format!("{reporter} ({day}): \u{201c}{error}\u{201d}");
        by_domain.entry(row.get(0)?).or_default().push(text);
    }
    let finding =
        |(domain, listed): (String, Vec<String>)| Finding::new("G20", domain, Severity::Notice, some(&listed, 3));
    Ok(by_domain.into_iter().map(finding).collect())
}
