//! Opening the store: locks, waiting, settings of the engine, and which schema version it holds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use duckdb::{AccessMode, Config, Connection};

use super::turn::Turn;
use super::{StoreError, migrate};

/// What a command wants to do with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only read. Several processes may.
    Read,
    /// Read and write. Only one process may, and none may read meanwhile. Makes the file where it is absent.
    Write,
}

/// An open store. Closing it (dropping) gives the lock back.
#[derive(Debug)]
pub struct Store {
    // Before the turn: the file is closed before the next one gets it.
    connection: Connection,
    path: PathBuf,
    _turn: Turn,
}

/// Memory that the engine may use while it writes; a batch needs far less.
const WRITE_MEMORY: &str = "160MB";

impl Store {
    /// Opens the store, waiting up to `wait` for other processes to let go of it. A writer makes the file where there
    /// is none, and brings the schema and the views up to date.
    ///
    /// # Errors
    /// Absent (readers), locked, of a newer version, or no store at all; each names the path and the remedy.
    pub fn open(path: &Path, access: Access, wait: Duration) -> Result<Self, StoreError> {
        match access {
            Access::Read if !path.exists() => return Err(StoreError::Absent { path: path.to_owned() }),
            Access::Write => make_folder(path)?,
            Access::Read => {}
        }
        let started = Instant::now();
        let Some(turn) = Turn::take(path, access, wait) else {
            let holder = "this very process".to_owned();
            return Err(StoreError::Locked { path: path.to_owned(), holder, waited: started.elapsed() });
        };
        let connection = connect(path, access, wait)?;
        // Sessions differ in their time zone, answers must not. An engine without ICU (DuckDB's source package has none) knows
        // no zones and takes UTC anyway; so no statement of ours may need ICU.
        connection.execute_batch("SET TimeZone = 'UTC'").ok();
        let mut store = Self { connection, path: path.to_owned(), _turn: turn };
        match access {
            Access::Read => migrate::check(&store.connection, path)?,
            Access::Write => migrate::upgrade(&mut store.connection, path)?,
        }
        Ok(store)
    }

    /// Returns the connection. A transaction on it must be ended by its beginner.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the value that the store remembers under a name.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let doing = "reading a setting";
        let mut statement = self
            .connection
            .prepare("SELECT \"value\" FROM setting WHERE name = ?")
            .map_err(StoreError::query(doing))?;
        let mut rows = statement.query([name]).map_err(StoreError::query(doing))?;
        let row = rows.next().map_err(StoreError::query(doing))?;
        row.map(|row| row.get(0)).transpose().map_err(StoreError::query(doing))
    }

    /// Remembers a value under a name.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn set_setting(&self, name: &str, value: &str) -> duckdb::Result<()> {
        self.connection.execute("DELETE FROM setting WHERE name = ?", [name])?;
        self.connection.execute("INSERT INTO setting VALUES (?, ?)", [name, value])?;
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .map_err(|error| StoreError::Unopened { path: path.to_owned(), text: error.to_string() }),
        _ => Ok(()),
    }
}

/// Opens the file, trying again while another process holds it.
fn connect(path: &Path, access: Access, wait: Duration) -> Result<Connection, StoreError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let text = match settings(access).and_then(|config| Connection::open_with_flags(path, config)) {
            Ok(connection) => return Ok(connection),
            Err(error) => error.to_string(),
        };
        if !text.contains("Could not set lock on file") {
            return Err(unopened(path, text));
        }
        let left = wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(StoreError::Locked { path: path.to_owned(), holder: holder(&text), waited: started.elapsed() });
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

fn settings(access: Access) -> duckdb::Result<Config> {
    let config = Config::default().enable_autoload_extension(false)?;
    match access {
        Access::Read => config.access_mode(AccessMode::ReadOnly),
        // A commit of more than this goes straight into the file, not through the log first.
        Access::Write => {
            config.access_mode(AccessMode::ReadWrite)?.max_memory(WRITE_MEMORY)?.with("checkpoint_threshold", "256KB")
        }
    }
}

fn unopened(path: &Path, text: String) -> StoreError {
    let path = path.to_owned();
    if text.contains("not a valid DuckDB database file") {
        return StoreError::Foreign { path, text: "it is not a DuckDB file; name another with --db".to_owned() };
    }
    StoreError::Unopened { path, text }
}

/// The engine says "Conflicting lock is held in PROGRAM (PID n)"; that part is what a person needs.
fn holder(text: &str) -> String {
    let held = text.split_once("Conflicting lock is held in ").map(|(_, rest)| rest);
    held.and_then(|rest| rest.split_inclusive(')').next()).unwrap_or("another process").to_owned()
}
