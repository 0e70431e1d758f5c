//! Text, names and days as SQL writes them.

use chrono::NaiveDate;

/// Returns a string as SQL text.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns a name as a SQL identifier.
pub(crate) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the moment at which a UTC day begins.
pub(crate) fn begin_of(day: NaiveDate) -> String {
    format!("TIMESTAMPTZ '{day} 00:00:00+00'")
}
