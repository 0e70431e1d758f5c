//! One transaction around some work.

use duckdb::Connection;

use super::Store;

/// Runs work on the store's connection in one transaction: all of it is kept, or nothing.
///
/// # Errors
/// The first thing that failed: the work, or its commit.
pub fn in_transaction<T, E: From<duckdb::Error>>(store: &Store, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    within(store.connection(), E::from, work, || store.commit())
}

/// As [`in_transaction`], on a connection that is no store yet; `failed` makes an error of what the engine says.
pub(super) fn within<T, E>(
    connection: &Connection,
    failed: impl Fn(duckdb::Error) -> E,
    work: impl FnOnce() -> Result<T, E>,
    commit: impl FnOnce() -> duckdb::Result<()>,
) -> Result<T, E> {
    connection.execute_batch("BEGIN").map_err(&failed)?;
    let done = work().and_then(|done| commit().map(|()| done).map_err(&failed));
    if done.is_err() {
        // A failed COMMIT has rolled back already; the first error is the one to tell.
        connection.execute_batch("ROLLBACK").ok();
    }
    done
}
