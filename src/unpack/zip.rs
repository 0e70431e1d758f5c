//! Zip archives: every member in the order of the directory, within limits, whatever its name.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

// Unstable by name, and the crate is pinned to the patch: it streams the directory and keeps members that share a name.
use ::zip::read::{ArchiveOffset, Config, ZipFile};
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;
use ::zip::{CompressionMethod, ZipReadOptions};

use super::Fault;
use super::place::{Place, shown};
use super::stream::Unpacker;

/// Entries of a directory that are looked at, folders and junk included.
const ENTRIES: usize = 100_000;

/// Counts the bytes that are read through it.
pub(super) struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// One member, as its bytes are inflated.
pub(super) struct Member<'a, R: Read> {
    file: ZipFile<'a, Counted<R>>,
    count: Rc<Cell<u64>>,
    from: u64,
    inflated: u64,
    at: &'a Place<'a>,
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.file.read(out) {
            Ok(count) => {
                self.inflated += count as u64;
                if count == 0 && self.inflated < self.file.size() && !out.is_empty() {
                    return Err(damaged(self.at, self.packed(), self.inflated, "the data is cut off").into_io());
                }
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(damaged(self.at, self.packed(), self.inflated, &error.to_string()).into_io()),
        }
    }
}

impl<R: Read> Unpacker for Member<'_, R> {
    fn packed(&self) -> u64 {
        self.count.get() - self.from
    }
}

fn damaged(at: &Place<'_>, packed: u64, inflated: u64, what: &str) -> Fault {
    Fault::new(
        "zip-damaged",
        at,
        format!(
            "zip: {what}, before byte {packed} of the packed data, {inflated} bytes into the text; \
             ask the reporter to send it again"
        ),
    )
}

/// What a walk over an archive meets.
pub(super) enum Met<'a, R: Read> {
    /// A member: its name as shown, and its bytes.
    Member(&'a str, &'a Place<'a>, Member<'a, R>),
    /// A member that was passed over: why.
    Skipped(&'a str, &'static str),
    /// A member, or the rest of the archive, that could not be opened.
    Fault(Fault),
}

/// Whether a member is something that an operating system left behind.
fn is_junk(name: &str) -> bool {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.starts_with("__MACOSX/") || base.starts_with("._") || matches!(base, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

/// Walks over the archive that two handles on the same bytes give; `visit` returns whether to go on.
///
/// Two handles, because the directory is read between the members: it is never held whole.
pub(super) fn walk<R: Read + Seek>(directory: R, bodies: R, at: &Place<'_>, visit: &mut dyn FnMut(Met<'_, R>) -> bool) {
    let count = Rc::new(Cell::new(0));
    let counted = |inner| Counted { inner, count: Rc::clone(&count) };
    let config = Config { archive_offset: ArchiveOffset::Detect };
    let mut archive = match ZipIterable::try_new(counted(directory), config) {
        Ok(archive) => archive,
        Err(error) => {
            visit(Met::Fault(Fault::new(
                "zip-damaged",
                at,
                format!("zip: {}; ask the reporter to send it again", words(&error)),
            )));
            return;
        }
    };
    let entries = match archive.files() {
        Ok(entries) => entries,
        Err(error) => {
            visit(Met::Fault(Fault::new("zip-damaged", at, format!("zip: {}", words(&error)))));
            return;
        }
    };
    let mut bodies = counted(bodies);
    let mut opened: Vec<(u64, u64)> = Vec::new();
    for (number, entry) in entries.enumerate() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let text = format!("zip: entry {} of the directory: {}", number + 1, words(&error));
                visit(Met::Fault(Fault::new("zip-damaged", at, text)));
                return;
            }
        };
        if number >= ENTRIES {
            let text = format!("a zip with more than {ENTRIES} entries; unpack it by hand and import the files");
            visit(Met::Fault(Fault::new("attachments", at, text)));
            return;
        }
        let raw =
            entry.name().unwrap_or_else(|_| String::from_utf8_lossy(entry.name_raw()).into_owned().into()).into_owned();
        let name = shown(&raw);
        if entry.is_dir() || raw.ends_with(['/', '\\']) {
            continue;
        }
        if is_junk(&raw) {
            if !visit(Met::Skipped(&name, "left behind by an operating system")) {
                return;
            }
            continue;
        }
        let place = at.inside(&name);
        let member = open(entry, &mut bodies, &place, &mut opened);
        let met = match member {
            Ok(file) => {
                let from = count.get();
                Met::Member(&name, &place, Member { file, count: Rc::clone(&count), from, inflated: 0, at: &place })
            }
            Err(fault) => Met::Fault(fault),
        };
        if !visit(met) {
            return;
        }
    }
}

/// Opens one member, unless it is encrypted, packed in an unknown way, or shares bytes with one opened before.
fn open<'a, R: Read + Seek>(
    entry: ::zip::read::ZipFileEntry<'a>,
    bodies: &'a mut Counted<R>,
    at: &Place<'_>,
    opened: &mut Vec<(u64, u64)>,
) -> Result<ZipFile<'a, Counted<R>>, Fault> {
    if entry.encrypted() {
        let text = "zip: the member is encrypted; ask the reporter to send it in the clear";
        return Err(Fault::new("zip-encrypted", at, text));
    }
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        let text = format!(
            "zip: the member is packed with {}, only deflate and stored are read; unpack it by hand",
            entry.compression()
        );
        return Err(Fault::new("zip-method", at, text));
    }
    // Members that share bytes are how a small archive holds petabytes (zip bombs without nesting).
    let start = entry.header_start();
    let end = start.saturating_add(30).saturating_add(entry.compressed_size());
    if opened.iter().any(|&(from, to)| start < to && from < end) {
        return Err(Fault::new(
            "zip-overlap",
            at,
            "zip: the member shares bytes with another one, which only an attack does",
        ));
    }
    opened.push((start, end));
    entry.with_reader(bodies, ZipReadOptions::new()).map_err(|error| {
        let text = format!("zip: the member cannot be opened: {}; ask the reporter to send it again", words(&error));
        Fault::new("zip-damaged", at, text)
    })
}

/// The library's error without its own prefix.
fn words(error: &ZipError) -> String {
    match error {
        ZipError::InvalidArchive(text) => format!("not a sound archive ({text})"),
        ZipError::UnsupportedArchive(text) => format!("an archive of a kind that is not read ({text})"),
        other => other.to_string(),
    }
}
