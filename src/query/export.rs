//! Tables and views to files, by the engine itself.

use std::path::Path;

use duckdb::Connection;

use super::quote::{quoted, quoted_name};
use super::{QueryError, Scope};

/// Writes a table or view to a file in a form of the engine's COPY. Returns the rows written.
///
/// A period or domain narrows it where it has the columns `report_day` and `policy_domain_no`.
///
/// # Errors
/// No such table or view, it cannot be narrowed, or the file cannot be written.
pub fn export(
    connection: &Connection,
    scope: &Scope,
    from: &str,
    form: &str,
    partition_by: &[String],
    path: &Path,
) -> Result<usize, QueryError> {
    let columns = columns(connection, from)?;
    if let Some(unknown) = partition_by.iter().find(|column| !columns.contains(column)) {
        return Err(QueryError::NotFound(format!("{from} has no column `{unknown}`; it has {}", columns.join(", "))));
    }
    let narrow = ["report_day", "policy_domain_no"].iter().all(|column| columns.iter().any(|c| c == column));
    let within = if narrow {
        scope.of_reports("")
    } else if !scope.is_asked {
        "true".to_owned()
    } else {
        return Err(QueryError::NotFound(format!(
            "{from} has no report days and policy domains to narrow by: leave out --since, --until, --as-of and --domain"
        )));
    };
    let parts: Vec<String> = partition_by.iter().map(|column| quoted_name(column)).collect();
    let partition = if parts.is_empty() { String::new() } else { format!(", PARTITION_BY ({})", parts.join(", ")) };
    let path = quoted(&path.display().to_string());
    let sql = format!("COPY (SELECT * FROM {} WHERE {within}) TO {path} ({form}{partition})", quoted_name(from));
    Ok(connection.execute(&sql, [])?)
}

fn columns(connection: &Connection, from: &str) -> Result<Vec<String>, QueryError> {
    let mut statement = connection.prepare(
        // A temporary view comes before what it hides.
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND NOT internal
         QUALIFY rank() OVER (ORDER BY database_name = 'temp' DESC) = 1 ORDER BY column_index",
    )?;
    let rows = statement.query_map([from], |row| row.get(0))?;
    let columns: Vec<String> = rows.collect::<Result<_, _>>()?;
    if columns.is_empty() {
        let text = format!("the store has no table or view `{from}`; `dmarcase sql \"SHOW TABLES\"` lists them");
        return Err(QueryError::NotFound(text));
    }
    Ok(columns)
}
