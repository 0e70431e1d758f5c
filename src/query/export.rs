//! Tables and views to files, by the engine itself.

use std::path::Path;

use duckdb::Connection;

use super::quote::{quoted, quoted_name};
use super::{QueryError, Scope};

/// Writes a table or view to a file in a form of the engine's COPY. Returns the rows written.
///
/// A period narrows what has the column `report_day`, a domain what has `policy_domain_no` or the domain's name or number in
/// `policy_domain`. Lists are JSON in CSV, and numbers that few readers can hold are text in JSON, as `sql` gives them.
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
    let named = |name: &str| columns.iter().find(|column| column.name == name);
    if let Some(unknown) = partition_by.iter().find(|column| named(column).is_none()) {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        return Err(QueryError::NotFound(format!("{from} has no column `{unknown}`; it has {}", names.join(", "))));
    }
    let within = within(scope, from, &named)?;
    let written: Vec<String> = columns.iter().filter_map(|column| column.written(form)).collect();
    let replace = if written.is_empty() { String::new() } else { format!(" REPLACE ({})", written.join(", ")) };
    let parts: Vec<String> = partition_by.iter().map(|column| quoted_name(column)).collect();
    let partition = if parts.is_empty() { String::new() } else { format!(", PARTITION_BY ({})", parts.join(", ")) };
    let path = quoted(&path.display().to_string());
    let sql = format!(
        "COPY (SELECT *{replace} FROM {} narrowed WHERE {within}) TO {path} ({form}{partition})",
        quoted_name(from)
    );
    Ok(connection.execute(&sql, [])?)
}

/// Returns the condition on the rows that are in the scope.
fn within<'a>(scope: &Scope, from: &str, named: &dyn Fn(&str) -> Option<&'a Column>) -> Result<String, QueryError> {
    let cannot = |what: &str| {
        QueryError::NotFound(format!("{from} has no {what} to narrow by: leave out the flags that ask for some"))
    };
    if scope.asks_days && named("report_day").is_none() {
        return Err(cannot("report days"));
    }
    let domain = match (named("policy_domain_no"), named("policy_domain")) {
        _ if scope.domains.is_none() => "policy_domain_no",
        (Some(_), _) => "policy_domain_no",
        (None, Some(column)) if column.kind == "VARCHAR" => {
            "(SELECT max(policy_domain_no) FROM report p WHERE p.policy_domain = narrowed.policy_domain)"
        }
        (None, Some(_)) => "policy_domain",
        (None, None) => return Err(cannot("policy domains")),
    };
    Ok(scope.condition("", domain))
}

/// A column of a table or view.
struct Column {
    name: String,
    /// Its type, in the engine's words.
    kind: String,
}

impl Column {
    /// Returns how it is written where it is not written as it is.
    fn written(&self, form: &str) -> Option<String> {
        let name = quoted_name(&self.name);
        let nested = self.kind.ends_with(']') || self.kind.starts_with("STRUCT") || self.kind.starts_with("MAP");
        if form.starts_with("FORMAT csv") && nested {
            return Some(format!("to_json({name})::VARCHAR AS {name}"));
        }
        (form.starts_with("FORMAT json") && self.kind == "UHUGEINT").then(|| format!("{name}::VARCHAR AS {name}"))
    }
}

fn columns(connection: &Connection, from: &str) -> Result<Vec<Column>, QueryError> {
    let mut statement = connection.prepare(
        // A temporary view comes before what it hides.
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND NOT internal
         QUALIFY rank() OVER (ORDER BY database_name = 'temp' DESC) = 1 ORDER BY column_index",
    )?;
    let rows = statement.query_map([from], |row| Ok(Column { name: row.get(0)?, kind: row.get(1)? }))?;
    let columns: Vec<Column> = rows.collect::<Result<_, _>>()?;
    if columns.is_empty() {
        let text = format!("the store has no table or view `{from}`; `dmarcase sql \"SHOW TABLES\"` lists them");
        return Err(QueryError::NotFound(text));
    }
    Ok(columns)
}
