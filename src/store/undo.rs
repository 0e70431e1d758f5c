//! What a checkpoint will write over, kept beside the store until the checkpoint is done.
//!
//! The engine (DuckDB 1.5) writes new blocks and then one header, so that a process may die at any moment, with one exception:
//! a metadata block of 256 KB that the old header still needs is written again in its place when some of its 64 parts are free
//! (`MetadataManager::AllocateHandle` and `Flush`). A process killed inside that write leaves a block whose checksum is wrong, in
//! a file that nothing opens any more. So these blocks are copied to `STORE.undo` before each checkpoint, with the headers. Who
//! opens the store next and finds the copy puts it back where the headers are still the same: the checkpoint did not come to its
//! end then, and what it wrote is in the write-ahead log or was never committed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use blake3::Hasher;
use duckdb::Connection;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::folder_of;

/// Begins the copy.
const MARK: &[u8; 16] = b"dmarcase undo 1\n";

/// The main header and the two headers that take turns, before the first block of a DuckDB file.
const HEADERS: usize = 3 * 4096;

/// The blocks that a checkpoint may write over: metadata blocks with a free part.
const BLOCKS: &str = "
    SELECT m.block_id::UBIGINT, s.block_size::UBIGINT
    FROM pragma_metadata_info() m, pragma_database_size() s
    WHERE m.free_blocks > 0 ORDER BY m.block_id";

/// The copies for one open store. Its handle on the file must be closed after the engine's: closing any handle of a process
/// gives up the lock that the process has on the file (fcntl(2)).
#[derive(Debug)]
pub(super) struct Undo {
    path: PathBuf,
    file: File,
    /// The copy is there, and no checkpoint has been since.
    saved: Cell<bool>,
}

/// What was found when a copy was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The store may be opened.
    Whole,
    /// Another process holds the store.
    Busy,
}

impl Undo {
    /// Takes a handle on a store that the engine has opened.
    pub(super) fn new(store: &Path) -> io::Result<Self> {
        Ok(Self { path: beside(store), file: File::open(store)?, saved: Cell::new(false) })
    }

    /// Copies what the next checkpoint may write over. On disk when this returns; otherwise nothing new is.
    pub(super) fn save(&self, connection: &Connection) -> io::Result<()> {
        if self.saved.get() {
            return Ok(());
        }
        let new = self.path.with_added_extension("new");
        let saved = self.write(connection, &new).and_then(|()| std::fs::rename(&new, &self.path));
        if let Err(error) = saved {
            std::fs::remove_file(&new).ok();
            tracing::debug!("{} cannot be written, so the log keeps what was committed: {error}", self.path.display());
            return Err(error);
        }
        // A renamed file's name lasts through a loss of power only then.
        File::open(folder_of(&self.path))?.sync_all()?;
        self.saved.set(true);
        Ok(())
    }

    fn write(&self, connection: &Connection, new: &Path) -> io::Result<()> {
        // Not in the transaction that is about to be committed: one that fails there would take all of it along.
        let aside = connection.try_clone().map_err(io::Error::other)?;
        let mut statement = aside.prepare(BLOCKS).map_err(io::Error::other)?;
        let blocks = statement
            .query_map([], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(io::Error::other)?;
        let mut out = Hashed { inner: BufWriter::new(File::create(new)?), hasher: Hasher::new() };
        out.write_all(MARK)?;
        let mut bytes = vec![0; HEADERS];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut bytes)?;
        out.write_all(&bytes)?;
        out.write_all(&(blocks.len() as u64).to_le_bytes())?;
        for (block, size) in blocks {
            let place = HEADERS as u64 + block * size;
            bytes.resize(usize::try_from(size).map_err(io::Error::other)?, 0);
            file.seek(SeekFrom::Start(place))?;
            // A block that was only taken, never written, may lie behind the end; nothing needs it.
            let read = read_up_to(file, &mut bytes)?;
            out.write_all(&place.to_le_bytes())?;
            out.write_all(&(read as u64).to_le_bytes())?;
            out.write_all(&bytes[..read])?;
        }
        let Hashed { mut inner, hasher } = out;
        inner.write_all(hasher.finalize().as_bytes())?;
        inner.into_inner()?.sync_all()
    }

    /// Removes the copy: the checkpoint is done.
    pub(super) fn discard(&self) {
        self.saved.set(false);
        std::fs::remove_file(&self.path).ok();
    }
}

/// Puts back what a checkpoint that was cut off had begun to write over, where there is a copy; must be done before the engine
/// opens the file. Not while this process has the store open.
///
/// # Errors
/// The store or the copy cannot be read or written; the copy stays then.
pub(super) fn settle(store: &Path) -> io::Result<Settled> {
    let path = beside(store);
    if !path.try_exists()? {
        return Ok(Settled::Whole);
    }
    let mut file = match File::options().read(true).write(true).open(store) {
        Ok(file) => file,
        // A copy without its store says nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settled::Whole),
        // Who may only read needs nobody where the checkpoint came to its end.
        Err(_) if !is_wanted(&File::open(&path)?, &File::open(store)?)? => return Ok(Settled::Whole),
        Err(error) => return Err(error),
    };
    // The engine's own lock on the file, so that no other process is inside.
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::AGAIN | Errno::ACCESS) => return Ok(Settled::Busy),
        Err(error) => return Err(error.into()),
    }
    // Opened under the lock: before, another process may have put it back and made a new one.
    let copy = match File::open(&path) {
        Ok(copy) => copy,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settled::Whole),
        Err(error) => return Err(error),
    };
    if is_wanted(&copy, &file)? {
        put_back(&copy, &mut file)?;
    }
    // Where it cannot be removed it does no harm: no checkpoint begins without a new one.
    std::fs::remove_file(&path).ok();
    Ok(Settled::Whole)
}

/// Returns whether a copy is whole and the store's headers are still those that it was made under.
fn is_wanted(copy: &File, store: &File) -> io::Result<bool> {
    if !is_whole(copy)? {
        return Ok(false);
    }
    let (mut then, mut now) = (vec![0; HEADERS], vec![0; HEADERS]);
    let (mut copy, mut store) = (copy, store);
    copy.seek(SeekFrom::Start(MARK.len() as u64))?;
    copy.read_exact(&mut then)?;
    store.seek(SeekFrom::Start(0))?;
    Ok(read_up_to(store, &mut now)? == HEADERS && then == now)
}

/// Writes the blocks of a copy back.
fn put_back(copy: &File, store: &mut File) -> io::Result<()> {
    let mut copy = BufReader::new(copy);
    copy.seek(SeekFrom::Start((MARK.len() + HEADERS) as u64))?;
    for _ in 0..number(&mut copy)? {
        let place = number(&mut copy)?;
        let size = number(&mut copy)?;
        store.seek(SeekFrom::Start(place))?;
        io::copy(&mut copy.by_ref().take(size), store)?;
    }
    store.sync_all()
}

/// Returns whether a copy ends with the hash of what is before it.
fn is_whole(copy: &File) -> io::Result<bool> {
    let size = copy.metadata()?.len();
    let Some(rest) = size.checked_sub((MARK.len() + HEADERS + blake3::OUT_LEN) as u64) else { return Ok(false) };
    let mut copy = copy;
    copy.seek(SeekFrom::Start(0))?;
    let mut begin = [0; MARK.len() + HEADERS];
    copy.read_exact(&mut begin)?;
    let mut hasher = Hasher::new();
    hasher.update(&begin).update_reader(copy.take(rest))?;
    let mut hash = [0; blake3::OUT_LEN];
    copy.read_exact(&mut hash)?;
    Ok(begin.starts_with(MARK) && hasher.finalize() == blake3::Hash::from_bytes(hash))
}

fn beside(store: &Path) -> PathBuf {
    store.with_added_extension("undo")
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Fills the buffer as far as the file goes.
fn read_up_to(mut file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Hashes what it passes on.
struct Hashed<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
