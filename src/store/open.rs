//! Opening the store: locks, waiting, settings of the engine, and which schema version it holds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use duckdb::{AccessMode, Config, Connection};

use super::create::create;
use super::turn::Turn;
use super::undo::{Settled, Undo, settle};
use super::{StoreError, Wait, migrate};

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
    // In this order: the engine closes the file, then its other handle is closed, then the next one gets its turn.
    connection: Connection,
    path: PathBuf,
    /// The file that was opened, as the system knows it.
    file: Option<FileId>,
    undo: Option<Undo>,
    _turn: Turn,
}

/// Device and number of a file.
type FileId = (u64, u64);

/// Returns which file a path leads to. `None` where there is none, or where the system has no such numbers.
fn file_at(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Memory that the engine may use while it writes, millions of bytes; a batch needs far less.
pub(super) const WRITE_MEGABYTES: u64 = 160;

/// For work beside a run's own memory: what does not fit is put aside in temporary files. Each thread takes memory that it does
/// not put aside, so that many would not fit at all.
pub(super) const LEAN: &str = "SET threads = 1; SET memory_limit = '80MB'";

/// A commit of more than this goes straight into the file, not through the log first.
const DIRECT: &str = "256KB";

/// A size that no log reaches.
const NEVER: &str = "1TB";

/// What the engine says where another process has the file.
const BUSY: &str = "Could not set lock on file";

impl Store {
    /// Opens the store, waiting up to `wait` for other processes to let go of it. A writer makes the file where there
    /// is none, and brings the schema and the views up to date.
    ///
    /// # Errors
    /// Absent (readers), locked, of a newer version, or no store at all; each names the path and the remedy.
    pub fn open(path: &Path, access: Access, wait: impl Into<Wait>) -> Result<Self, StoreError> {
        let wait = wait.into();
        if path.to_str().is_none() {
            // Some of its functions fail on it, in the middle of a commit.
            let text = "its name is not UTF-8, which the engine cannot take; name another with --db".to_owned();
            return Err(StoreError::Unopened { path: path.to_owned(), text });
        }
        match (super::is_there(path)?, access) {
            (true, _) => {}
            (false, Access::Read) => return Err(StoreError::Absent { path: path.to_owned() }),
            (false, Access::Write) => create(path)?,
        }
        let started = Instant::now();
        let Some(turn) = Turn::take(path, access, || wait.left_for_own(started)) else {
            let holder = super::error::OURSELVES.to_owned();
            return Err(StoreError::Locked { path: path.to_owned(), holder, waited: started.elapsed() });
        };
        let connection = connect(path, access, &wait)?;
        // Sessions differ in their time zone, answers must not. An engine without ICU (DuckDB's source package has none) knows
        // no zones and takes UTC anyway; so no statement of ours may need ICU.
        connection.execute_batch("SET TimeZone = 'UTC'").ok();
        let (path_of, file) = (path.to_owned(), file_at(path));
        let mut store = Self { connection, path: path_of, file, undo: None, _turn: turn };
        match access {
            Access::Read => migrate::check(&store.connection, path)?,
            Access::Write => {
                // What a process that was killed had put aside; nobody else has the store now. Where taking in its log needed such
                // files itself, they wait for the next time.
                if !uses_files(&store.connection) {
                    std::fs::remove_dir_all(path.with_added_extension("tmp")).ok();
                }
                let undo = Undo::new(path);
                store.undo = Some(undo.map_err(|error| unopened(path, error.to_string()))?);
                migrate::upgrade(&store.connection, path)?;
            }
        }
        Ok(store)
    }

    /// Returns the connection. A transaction on it must be ended by its beginner.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Gives the engine so many bytes of memory beside those that a writer has, until the store is closed.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub(crate) fn allow_more_memory(&self, bytes: u64) -> duckdb::Result<()> {
        let all = WRITE_MEGABYTES + bytes.div_ceil(1_000_000);
        self.connection.execute_batch(&format!("SET memory_limit = '{all}MB'"))
    }

    /// Ends the transaction under way, and takes what it wrote into the file at once where that saves the detour through the
    /// log.
    ///
    /// # Errors
    /// Whatever the engine says; nothing of the transaction is kept then.
    pub(super) fn commit(&self) -> duckdb::Result<()> {
        // After a statement that failed the engine takes COMMIT for ROLLBACK, and calls that a success. This one fails then.
        self.connection.execute_batch("SELECT 1")?;
        let undo = self.undo.as_ref().filter(|undo| undo.save(&self.connection).is_ok());
        // Without a copy the log takes it, which is slower and as safe.
        let Some(undo) = undo else { return self.connection.execute_batch("COMMIT") };
        self.connection.execute_batch(&format!("SET checkpoint_threshold = '{DIRECT}'"))?;
        let done = self.connection.execute_batch("COMMIT");
        self.connection.execute_batch(&format!("SET checkpoint_threshold = '{NEVER}'")).ok();
        // Where it went through the log all the same, the copy is still good for the checkpoint at the end.
        if done.is_ok() && self.log_bytes() == 0 {
            undo.discard();
        }
        done
    }

    /// Bytes in the log, which the file does not have yet.
    fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.path.with_added_extension("wal")).map_or(0, |meta| meta.len())
    }

    /// Returns whether the open file is still the one that its path leads to: a file that was moved away or removed takes commits
    /// that nobody will find.
    pub fn is_in_place(&self) -> bool {
        file_at(&self.path) == self.file
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Store {
    /// Takes what is in the log into the file, so that one file is the store. Where that fails, the log stays and holds it.
    fn drop(&mut self) {
        let Some(undo) = &self.undo else { return };
        let waits = self.log_bytes() > 0;
        if waits && undo.save(&self.connection).is_ok() && self.connection.execute_batch("CHECKPOINT").is_ok() {
            undo.discard();
        }
    }
}

/// Opens the file, trying again while another process holds it.
fn connect(path: &Path, access: Access, wait: &Wait) -> Result<Connection, StoreError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let text = match settle(path) {
            Ok(Settled::Whole) => match open(path, access) {
                Ok(connection) => return Ok(connection),
                Err(error) => error.to_string(),
            },
            Ok(Settled::Busy) => BUSY.to_owned(),
            Err(error) => return Err(StoreError::Unsettled { path: path.to_owned(), text: error.to_string() }),
        };
        if !text.contains(BUSY) {
            return Err(unopened(path, text));
        }
        let left = wait.left(started);
        if left.is_zero() {
            return Err(StoreError::Locked { path: path.to_owned(), holder: holder(&text), waited: started.elapsed() });
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

fn open(path: &Path, access: Access) -> duckdb::Result<Connection> {
    let config = Config::default().enable_autoload_extension(false)?;
    match access {
        Access::Read => Connection::open_with_flags(path, config.access_mode(AccessMode::ReadOnly)?),
        // Checkpoints only where a copy of what they write over was made: `Store::commit` and the end.
        Access::Write => {
            let config = config.access_mode(AccessMode::ReadWrite)?.max_memory(&format!("{WRITE_MEGABYTES}MB"))?;
            let connection = Connection::open_with_flags(path, config.with("checkpoint_threshold", NEVER)?)?;
            connection.execute_batch("PRAGMA disable_checkpoint_on_shutdown")?;
            Ok(connection)
        }
    }
}

/// Returns whether the engine has put something aside.
fn uses_files(connection: &Connection) -> bool {
    connection.query_row("SELECT count(*) > 0 FROM duckdb_temporary_files()", [], |row| row.get(0)).unwrap_or(true)
}

fn unopened(path: &Path, text: String) -> StoreError {
    let path = path.to_owned();
    if text.contains("not a valid DuckDB database file") {
        return StoreError::Foreign { path, text: "it is not a DuckDB file; name another with --db".to_owned() };
    }
    if text.contains("Corrupt database file") {
        return StoreError::Damaged { path, text };
    }
    StoreError::Unopened { path, text }
}

/// The engine says "Conflicting lock is held in PROGRAM (PID n)"; that part is what a person needs.
fn holder(text: &str) -> String {
    let held = text.split_once("Conflicting lock is held in ").map(|(_, rest)| rest);
    held.and_then(|rest| rest.split_inclusive(')').next()).unwrap_or("another process").to_owned()
}
