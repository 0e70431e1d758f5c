//! What can go wrong with the store, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

/// Who holds the store where it is no other process.
pub(super) const OURSELVES: &str = "another part of this process";

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store yet.
    #[error(
        "there is no store at {path}: `dmarcase import PATH` or `dmarcase fetch` makes one, or name another with --db"
    )]
    Absent {
        /// The file looked for.
        path: PathBuf,
    },
    /// Another process holds the file.
    #[error(
        "the store {path} is locked by {holder} after waiting {waited:.1?}: wait longer with --wait SECONDS{}",
        or_end(holder)
    )]
    Locked {
        /// The store.
        path: PathBuf,
        /// The process, as the system knows it.
        holder: String,
        /// How long it was tried.
        waited: Duration,
    },
    /// A newer program made it.
    #[error(
        "the store {path} has schema version {found}, and this dmarcase knows up to {known}: use the newer dmarcase that wrote it"
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// An older program made it and it was opened for reading only.
    #[error(
        "the store {path} has schema version {found}, this dmarcase needs {known}: run a command that writes, such as `dmarcase retry`, to upgrade it"
    )]
    Older {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version needed.
        known: u32,
    },
    /// The file is a DuckDB database, but no store, or no DuckDB database at all.
    #[error("{path} is no dmarcase store: {text}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        text: String,
    },
    /// The process that wrote the store last was killed inside a checkpoint, and this one cannot put the store right.
    #[error(
        "the process that wrote the store {path} last was killed while it wrote, and {path}.undo cannot be put back: {text}; run `dmarcase status` once as a user who may write both files"
    )]
    Unsettled {
        /// The store.
        path: PathBuf,
        /// What the system says.
        text: String,
    },
    /// A folder for the store cannot be made, or the file cannot be opened.
    #[error("cannot open the store {path}: {text}")]
    Unopened {
        /// The store.
        path: PathBuf,
        /// What the system says.
        text: String,
    },
    /// The file is not the one that the run began with, or not as the run left it.
    #[error(
        "the store {path} was removed or replaced while dmarcase was at work on it: nothing since the last commit was stored; run the command again"
    )]
    Replaced {
        /// The store.
        path: PathBuf,
    },
    /// Another import of delivery logs has begun.
    #[error(
        "another delivery import has begun on the store {path}: nothing since the last commit was stored; import these files again when it has ended, what is stored is recognised"
    )]
    Overtaken {
        /// The store.
        path: PathBuf,
    },
    /// The file is damaged: the engine's checksums say so.
    #[error(
        "the store {path} is damaged: {text}; keep the file aside, and import or fetch the same mail into a new store: each report is stored once"
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What DuckDB says.
        text: String,
    },
    /// What was read could not be written; nothing since the last commit is in the store.
    #[error(
        "cannot write to the store {path}: {text}; nothing since the last commit was stored: mend the cause (disk space, permissions) and run the command again"
    )]
    Unwritten {
        /// The store.
        path: PathBuf,
        /// What DuckDB says.
        text: String,
    },
    /// A statement failed.
    #[error("{what}: {source}")]
    Query {
        /// What was being done.
        what: &'static str,
        /// What DuckDB says.
        source: duckdb::Error,
    },
    /// A number ran over what the store's columns hold.
    #[error("the store is full: more than 4 billion rows in table {table}")]
    Full {
        /// The table.
        table: &'static str,
    },
}

impl StoreError {
    /// Adds what was being done to a DuckDB error.
    pub fn query(what: &'static str) -> impl FnOnce(duckdb::Error) -> Self {
        move |source| Self::Query { what, source }
    }
}

/// The other remedy, where another process holds the store.
fn or_end(holder: &str) -> &'static str {
    if holder == OURSELVES { "" } else { ", or end that process" }
}
