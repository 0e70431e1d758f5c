//! One transaction around some work.

use duckdb::Connection;

/// Runs work in one transaction: all of it is kept, or nothing.
///
/// # Errors
/// The first thing that failed: the work, or its commit.
pub fn in_transaction<T, E: From<duckdb::Error>>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    connection.execute_batch("BEGIN")?;
    let done = work().and_then(|done| {
        connection.execute_batch("COMMIT")?;
        Ok(done)
    });
    if done.is_err() {
        // A failed COMMIT has rolled back already; the first error is the one to tell.
        connection.execute_batch("ROLLBACK").ok();
    }
    done
}
