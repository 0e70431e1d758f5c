//! Making a store where there is none: whole, or not at all.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use duckdb::{Config, Connection};

use super::{StoreError, folder_of, migrate};

/// Makes a store with its schema, unless another process makes one meanwhile. It grows under a name of its own, so that a process
/// killed here leaves no half a store.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |text: String| StoreError::Unopened { path: path.to_owned(), text };
    std::fs::create_dir_all(folder_of(path)).map_err(|error| failed(error.to_string()))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let new = path.with_added_extension(format!("{}-{now}.new", std::process::id()));
    let made = make(&new, path).and_then(|()| match publish(&new, path) {
        // The other process's store is as good.
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !path.exists() => Err(failed(error.to_string())),
        _ => Ok(()),
    });
    std::fs::remove_file(&new).ok();
    std::fs::remove_file(new.with_added_extension("wal")).ok();
    if made.is_ok() {
        tidy(path);
    }
    made
}

/// Removes what processes left that were killed while they made the store. One that still makes it does no harm either: it will find
/// that the store is there.
fn tidy(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    for entry in std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        let left = entry.file_name();
        let begun = left.to_str().and_then(|left| left.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new"));
        if begun.is_some_and(|begun| begun.chars().all(|character| character.is_ascii_digit() || character == '-')) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

/// Gives the store its name, unless another has it.
fn publish(new: &Path, path: &Path) -> io::Result<()> {
    // One process at a time: another may publish here and be at work already, and what lies beside is its log then. Where a folder
    // cannot be locked, what is left of that chance stays.
    let folder = std::fs::File::open(folder_of(path)).ok();
    if let Some(folder) = &folder {
        folder.lock().ok();
    }
    if !path.exists() {
        // Of a store that was here before and was removed without them: the new one must not be mended with these.
        for left in ["wal", "wal.checkpoint", "undo"] {
            std::fs::remove_file(path.with_added_extension(left)).ok();
        }
    }
    match std::fs::hard_link(new, path) {
        // A file system without links. Still under the lock: another's store must not be written over.
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !path.exists() => std::fs::rename(new, path),
        published => published,
    }
}

fn make(new: &Path, path: &Path) -> Result<(), StoreError> {
    let failed = |error: duckdb::Error| StoreError::Unopened { path: path.to_owned(), text: error.to_string() };
    // Into the file itself; nothing of it may lie in the log. Hundreds of small statements run faster without a second thread to
    // wake for each.
    let config = Config::default()
        .threads(1)
        .and_then(|config| config.with("checkpoint_threshold", "1KB"))
        .and_then(|config| config.with("auto_checkpoint_skip_wal_threshold", "0"))
        .map_err(failed)?;
    let connection = Connection::open_with_flags(new, config).map_err(failed)?;
    // There is nothing to optimise in them either, which took as long as doing them.
    connection.execute_batch("PRAGMA disable_optimizer").map_err(failed)?;
    migrate::upgrade(&connection, path)?;
    connection.execute_batch("CHECKPOINT").map_err(failed)
}
