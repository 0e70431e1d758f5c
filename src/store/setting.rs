//! What the store remembers under a name: fingerprints of rules, how far something was looked at.

use duckdb::Connection;

/// Returns the value of a name.
///
/// # Errors
/// Whatever the engine says.
pub fn setting(connection: &Connection, name: &str) -> duckdb::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT \"value\" FROM setting WHERE name = ?")?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// Remembers a value under a name, in place of the one before.
///
/// # Errors
/// Whatever the engine says.
pub fn set_setting(connection: &Connection, name: &str, value: &str) -> duckdb::Result<()> {
    connection.execute("DELETE FROM setting WHERE name = ?", [name])?;
    connection.execute("INSERT INTO setting VALUES (?, ?)", [name, value])?;
    Ok(())
}
