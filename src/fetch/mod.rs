//! Where items come from: files, folders, maildirs, mboxes, standard input, IMAP. Knows nothing of what items hold.

mod files;
pub mod imap;
mod mbox;
mod walk;

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use files::{FetchError, FileOptions, Survey, check_paths, items, survey};

/// One thing handed in: a mail, or a bare file.
#[derive(Debug)]
pub struct Item {
    /// Where it came from.
    pub origin: Origin,
    /// What it holds.
    pub content: Content,
    /// When the mailbox received it (IMAP INTERNALDATE, maildir file time), where known.
    pub received_at: Option<DateTime<Utc>>,
}

/// The bytes of an item.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// A file too large to hold whole; it is streamed.
    File {
        /// Where it lies.
        path: PathBuf,
        /// Its size, bytes.
        size: u64,
    },
    /// The item is there, but over a limit or unreadable before its bytes were taken; it still gets its ledger row.
    Refused(Refusal),
}

/// Why an item's bytes were not taken.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The size as announced, bytes.
    pub size: u64,
    /// A fixed word: a limit's name, or `unreadable`.
    pub code: &'static str,
    /// What happened and what to do.
    pub reason: String,
}

/// Where an item came from: the ledger's first columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A file, or one mail of an mbox file. `-` is standard input.
    File {
        /// The path as given or found.
        path: String,
        /// The number of the mail in an mbox, from 1.
        member: Option<u64>,
    },
    /// A mail on an IMAP server.
    Mailbox {
        /// The config's name of the mailbox.
        account: String,
        /// The folder, as the server names it, decoded.
        folder: String,
        /// RFC 9051 section 2.3.1.1.
        uid_validity: u32,
        /// RFC 9051 section 2.3.1.1.
        uid: u32,
    },
}

impl Origin {
    /// Returns what lies there now, where it is a file that is the item as a whole: what can be read again without end, a device,
    /// is none.
    pub fn file(&self) -> Option<Content> {
        let Self::File { path, member: None } = self else { return None };
        let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some(Content::File { path: path.into(), size: meta.len() })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, member: None } => f.write_str(path),
            Self::File { path, member: Some(n) } => write!(f, "{path}, mail {n}"),
            Self::Mailbox { account, folder, uid, .. } => write!(f, "{account}, folder {folder}, UID {uid}"),
        }
    }
}

impl Item {
    /// Returns the size of the item in bytes.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File { size, .. } => *size,
            Content::Refused(refusal) => refusal.size,
        }
    }
}
