//! The row of a run, and whether a store is still the one that the run began in.

use std::path::Path;

use chrono::Utc;
use duckdb::params;

use super::{Access, Store, StoreError, Wait, is_there};

/// A run under way.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Its number.
    pub number: u32,
    /// When it began, microseconds: what tells its store from another that was put in its place.
    started: i64,
}

impl Run {
    /// Writes the row of a run that begins.
    ///
    /// # Errors
    /// The store cannot be written; nothing is changed then.
    pub fn begin(store: &Store, command: &str) -> Result<Self, StoreError> {
        let connection = store.connection();
        let number: u32 = connection
            .query_row("SELECT coalesce(max(run_no), 0) + 1 FROM run", [], |row| row.get(0))
            .map_err(StoreError::query("beginning a run"))?;
        let started = Utc::now().timestamp_micros();
        connection
            .execute(
                "INSERT INTO run (run_no, command, version, started_at) VALUES (?, ?, ?, make_timestamp(?)::TIMESTAMPTZ)",
                params![number, command, env!("CARGO_PKG_VERSION"), started],
            )
            .map_err(|error| StoreError::Unwritten { path: store.path().to_owned(), text: error.to_string() })?;
        Ok(Self { number, started })
    }

    /// Opens the store again. It must hold the run, with so many items committed: the numbers of texts that a writer knows mean other
    /// texts in another store, a backup of this one too. None is made where there is none.
    ///
    /// # Errors
    /// Removed or replaced, or as for opening any store.
    pub fn store(&self, path: &Path, wait: impl Into<Wait>, items: u64) -> Result<Store, StoreError> {
        let replaced = || StoreError::Replaced { path: path.to_owned() };
        if !is_there(path)? {
            return Err(replaced());
        }
        let store = Store::open(path, Access::Write, wait)?;
        let ours: u64 = store
            .connection()
            .query_row(
                "SELECT count(*) FROM run WHERE run_no = ? AND epoch_us(started_at) = ? AND items = ?",
                params![self.number, self.started, items],
                |row| row.get(0),
            )
            .map_err(StoreError::query("looking for the run"))?;
        if ours == 1 { Ok(store) } else { Err(replaced()) }
    }
}
