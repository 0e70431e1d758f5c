//! Items from files: single ones, folders, maildirs, mboxes and standard input.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::mbox::{Mail, Splitter, is_mbox};
use super::walk::{Found, Walk};
use super::{Content, Item, Origin, Refusal};
use crate::unpack::Limits;

/// What the file reader may hold in memory.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// Files larger than this, bytes, are not held but handed on as [`Content::File`].
    pub hold_bytes: u64,
    /// Mails of an mbox larger than this, bytes, are refused: [`crate::unpack::Limits::mail_bytes`].
    pub mail_bytes: u64,
}

impl FileOptions {
    /// Files larger than this are streamed, not held.
    const HOLD_BYTES: u64 = 8 << 20;

    /// Returns the options of commands. They are the same for all, so that a member's number means the same item to each.
    pub const fn new(limits: &Limits) -> Self {
        Self { hold_bytes: Self::HOLD_BYTES, mail_bytes: limits.mail_bytes }
    }
}

/// Why a path that the user gave cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing is there.
    #[error("{}: no such file or folder; check the path", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// It is there, but cannot be opened.
    #[error("{}: cannot read: {source}; check its permissions", path.display())]
    Unreadable {
        /// As given or found.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// How much there is to read, for a progress display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Files found; an mbox counts as one.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl FetchError {
    fn new(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            // Below a file there is nothing either.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path },
            _ => Self::Unreadable { path, source },
        }
    }
}

/// Checks that every path that the user gave exists and can be opened, before anything is read.
///
/// # Errors
/// The first path that does not exist or cannot be opened.
pub fn check_paths(paths: &[PathBuf]) -> Result<(), FetchError> {
    for path in paths.iter().filter(|path| path.as_os_str() != "-") {
        let opened = std::fs::metadata(path).and_then(|found| {
            if found.is_dir() {
                std::fs::read_dir(path).map(|_| ())
            } else if found.is_file() {
                File::open(path).map(|_| ())
            } else {
                // Opening a pipe would wait for its writer.
                Ok(())
            }
        });
        opened.map_err(|source| FetchError::new(path.clone(), source))?;
    }
    Ok(())
}

/// Counts what [`items`] would read. It opens no file; run it beside the reading where the answer may be late.
pub fn survey(paths: &[PathBuf]) -> Survey {
    let mut survey = Survey::default();
    for found in Walk::new(paths) {
        if let Found::File { path, .. } = found {
            survey.files += 1;
            survey.bytes += std::fs::metadata(path).map_or(0, |found| found.len());
        }
    }
    survey
}

/// Yields every item under `paths`, one by one, in a fixed order. `-` is standard input.
///
/// A file that cannot be read becomes an item that says so. An error is a path or a folder that cannot be looked into; what
/// comes behind it is read all the same.
pub fn items(
    paths: &[PathBuf],
    options: &FileOptions,
) -> impl Iterator<Item = Result<Item, FetchError>> + Send + use<> {
    Items { walk: Walk::new(paths), options: *options, mbox: None }
}

struct Items {
    walk: Walk,
    options: FileOptions,
    /// The mbox that is being read.
    mbox: Option<Mbox>,
}

struct Mbox {
    path: String,
    splitter: Splitter<Box<dyn Read + Send>>,
    members: u64,
}

impl Iterator for Items {
    type Item = Result<Item, FetchError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(mbox) = &mut self.mbox {
                match mbox.next_item(self.options.mail_bytes) {
                    Some(item) => return Some(Ok(item)),
                    None => self.mbox = None,
                }
            }
            let (path, read) = match self.walk.next()? {
                Found::Unreadable(path, error) => return Some(Err(FetchError::new(path, error))),
                Found::StandardInput => ("-".to_owned(), self.stream("-", Box::new(io::stdin()))),
                Found::File { path, mail } => (path.to_string_lossy().into_owned(), self.file(&path, mail)),
            };
            match read {
                Ok(Some((content, received_at))) => {
                    return Some(Ok(Item { origin: Origin::File { path, member: None }, content, received_at }));
                }
                // An mbox, opened.
                Ok(None) => {}
                Err(error) => {
                    return Some(Ok(unreadable(Origin::File { path, member: None }, &error)));
                }
            }
        }
    }
}

type Taken = Option<(Content, Option<DateTime<Utc>>)>;

/// Enough of a file to know an mbox by.
const HEAD: usize = 1024;

impl Items {
    /// Reads one file, unless it is an mbox: that is opened instead.
    fn file(&mut self, path: &Path, mail: bool) -> io::Result<Taken> {
        let mut file = File::open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return self.stream(&path.to_string_lossy(), Box::new(file));
        }
        let size = found.len();
        let received_at = if mail { found.modified().ok().map(DateTime::from) } else { None };
        if size <= self.options.hold_bytes {
            let bytes = read_held(&mut file, size)?;
            let content = if mail { Some(bytes) } else { self.held(&path.to_string_lossy(), bytes) };
            return Ok(content.map(|bytes| (Content::Bytes(bytes), received_at)));
        }
        if mail && size > self.options.mail_bytes {
            return Ok(Some((too_long(size, self.options.mail_bytes), received_at)));
        }
        let mut head = Vec::with_capacity(HEAD);
        Read::by_ref(&mut file).take(HEAD as u64).read_to_end(&mut head)?;
        let path_text = path.to_string_lossy();
        let mbox: Option<Box<dyn Read + Send>> = if mail {
            None
        } else if is_mbox(&head) {
            Some(Box::new(Cursor::new(head).chain(file)))
        } else if is_gzip_of_mbox(&path_text, &head) {
            Some(gunzip(Cursor::new(head).chain(file)))
        } else {
            None
        };
        match mbox {
            Some(input) => {
                let splitter = Splitter::new(input, self.options.mail_bytes);
                self.mbox = Some(Mbox { path: path_text.into_owned(), splitter, members: 0 });
                Ok(None)
            }
            None => Ok(Some((Content::File { path: path.to_owned(), size }, received_at))),
        }
    }

    /// Gives bytes back, unless they are an mbox, plain or as a whole in gzip: that is opened.
    fn held(&mut self, path: &str, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let longest = self.options.mail_bytes;
        let splitter = if is_mbox(head_of(&bytes)) {
            Splitter::whole(bytes, Box::new(io::empty()) as Box<dyn Read + Send>, longest)
        } else if is_gzip_of_mbox(path, &bytes) {
            Splitter::new(gunzip(Cursor::new(bytes)), longest)
        } else {
            return Some(bytes);
        };
        self.mbox = Some(Mbox { path: path.to_owned(), splitter, members: 0 });
        None
    }

    /// Reads something that has no size and cannot be read twice: standard input, a pipe.
    fn stream(&mut self, path: &str, mut input: Box<dyn Read + Send>) -> io::Result<Taken> {
        let mut head = Vec::with_capacity(HEAD);
        Read::by_ref(&mut input).take(HEAD as u64).read_to_end(&mut head)?;
        let mut whole: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(input));
        if is_mbox(&head) {
            let splitter = Splitter::new(whole, self.options.mail_bytes);
            self.mbox = Some(Mbox { path: path.to_owned(), splitter, members: 0 });
            return Ok(None);
        }
        let limit = self.options.mail_bytes.max(self.options.hold_bytes);
        let mut bytes = Vec::new();
        Read::by_ref(&mut whole).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let reason = format!("longer than {limit} bytes from a pipe; save it to a file and import that");
            return Ok(Some((
                Content::Refused(Refusal { size: bytes.len() as u64, code: "mail_bytes", reason }),
                None,
            )));
        }
        Ok(self.held(path, bytes).map(|bytes| (Content::Bytes(bytes), None)))
    }
}

impl Mbox {
    fn next_item(&mut self, mail_bytes: u64) -> Option<Item> {
        let mail = self.splitter.next_mail().transpose()?;
        self.members += 1;
        let origin = Origin::File { path: self.path.clone(), member: Some(self.members) };
        match mail {
            Ok(Mail::Whole(bytes)) => Some(Item { origin, content: Content::Bytes(bytes), received_at: None }),
            Ok(Mail::TooLong(size)) => Some(Item { origin, content: too_long(size, mail_bytes), received_at: None }),
            Err(error) => Some(unreadable(origin, &error)),
        }
    }
}

fn too_long(size: u64, limit: u64) -> Content {
    let reason = format!("the mail is {size} bytes, longer than {limit}; raise limits.mail_bytes to read it");
    Content::Refused(Refusal { size, code: "mail_bytes", reason })
}

fn unreadable(origin: Origin, error: &io::Error) -> Item {
    let reason = format!("cannot be read: {error}; check its permissions and import it again");
    Item { origin, content: Content::Refused(Refusal { size: 0, code: "unreadable", reason }), received_at: None }
}

/// Reads a file whose size is known with as few calls as it takes.
fn read_held(file: &mut File, size: u64) -> io::Result<Vec<u8>> {
    // Room to spare keeps the reader from asking once more whether that was all.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 64);
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn head_of(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len().min(HEAD)).unwrap_or_default()
}

fn gunzip(packed: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(flate2::read::MultiGzDecoder::new(packed))
}

/// Whether gzip data starts an mbox. A look inside costs an inflater, so the usual name of a report spares it.
fn is_gzip_of_mbox(path: &str, bytes: &[u8]) -> bool {
    if !bytes.starts_with(&[0x1f, 0x8b]) || path.ends_with(".xml.gz") {
        return false;
    }
    let mut inflated = Vec::with_capacity(HEAD);
    // The head may be cut off anywhere; what came out of it before counts.
    flate2::read::GzDecoder::new(head_of(bytes)).take(HEAD as u64).read_to_end(&mut inflated).ok();
    is_mbox(&inflated)
}
