//! One transaction around some work.

use super::Store;

/// Runs work on the store's connection in one transaction: all of it is kept, or nothing.
///
/// # Errors
/// The first thing that failed: the work, or its commit.
pub fn in_transaction<T, E: From<duckdb::Error>>(store: &Store, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let connection = store.connection();
    connection.execute_batch("BEGIN")?;
    let done = work().and_then(|done| {
        store.commit()?;
        Ok(done)
    });
    if done.is_err() {
        // A failed COMMIT has rolled back already; the first error is the one to tell.
        connection.execute_batch("ROLLBACK").ok();
    }
    done
}
