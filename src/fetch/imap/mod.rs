//! IMAP: polls mailboxes for new mail, resumes where the last poll ended, and tidies up after the commit.
//!
//! One poll of one mailbox: log in → resolve folders → STATUS of all at once → per folder with something new: sizes, then
//! bodies in ranges → wait for the commits → move, delete or flag. The position of a folder moves in the store, in the
//! transaction of the rows that it stands for; this module only says how far it may move.
//!
//! A message that the server refuses to give does not block the folder: once another message of the folder was given in the
//! same poll, it gets its ledger row (`rejected`, code `fetch-refused`), the position moves on, and every later poll and
//! `dmarcase retry` ask for it again. While nothing at all is given, nothing is recorded and the position stays.

mod after;
mod answer;
mod connect;
mod connection;
mod crew;
mod download;
mod error;
mod folder_name;
mod folders;
mod haul;
mod idle;
mod login;
mod look;
mod oauth2;
mod poll;
mod resume;
mod survey;
mod wire;

pub use answer::{FolderPoll, MailboxPoll};
pub use connection::Pulse;
pub use error::{Fault, ImapError};
pub use idle::{Idler, Woke};
pub use look::{FolderLook, Look, look};
pub use oauth2::Tokens;
pub use poll::Poll;

use super::Item;

/// How far a folder has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The config's name of the mailbox.
    pub account: String,
    /// The folder, decoded.
    pub folder: String,
    /// RFC 9051 section 2.3.1.1.
    pub uid_validity: u32,
    /// The highest UID below which every item is in the ledger.
    pub last_uid: u32,
}

/// The pipeline takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pipeline is closed")]
pub struct SinkClosed;

/// Where downloaded items go.
pub trait Sink {
    /// Takes an item. Blocks while the pipeline is full.
    ///
    /// # Errors
    /// The pipeline failed; nothing more will be stored.
    fn item(&mut self, item: Item) -> Result<(), SinkClosed>;

    /// Says that all items of the folder up to this UID were handed over: the position may move there in the transaction
    /// that commits the last of them.
    fn position(&mut self, position: Position);

    /// Asks for a commit of what was handed over, without waiting for a full batch.
    ///
    /// # Errors
    /// The pipeline failed; nothing more will be stored.
    fn flush(&mut self) -> Result<(), SinkClosed>;
}

/// What the store remembers of mailboxes. Positions and refusals are those from before the poll.
pub trait Remembered: Sync {
    /// Returns how far the folder was read.
    fn position(&self, account: &str, folder: &str) -> Option<Position>;

    /// Returns what became of these mails, as far as the ledger knows them.
    ///
    /// # Errors
    /// The store cannot be read; the text says why.
    fn kinds(
        &self,
        account: &str,
        folder: &str,
        uid_validity: u32,
        uids: &[u32],
    ) -> Result<Vec<(u32, CommittedKind)>, String>;

    /// Returns mails to ask for again: refused by the server, or over a limit that is higher now.
    fn refused(&self, account: &str, folder: &str, uid_validity: u32) -> Vec<u32>;
}

/// What became of a mail, told after its commit. One per item, whatever it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The config's name of the mailbox.
    pub account: String,
    /// The folder, decoded.
    pub folder: String,
    /// RFC 9051 section 2.3.1.1.
    pub uid_validity: u32,
    /// RFC 9051 section 2.3.1.1.
    pub uid: u32,
    /// What became of it.
    pub kind: CommittedKind,
}

/// What became of a mail: the worst of what it held decides, then the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommittedKind {
    /// Every report in it is stored, one at least by this mail.
    Report,
    /// Every report in it was stored before.
    Duplicate,
    /// It held no aggregate report.
    NoReport,
    /// Something of it was rejected, or contradicts a stored report.
    Rejected,
    /// It was never taken: over the limit, or the server did not give it. It stays as it is, and is asked for again.
    Refused,
}

/// UIDs of one command: keeps its line below the 8,000 bytes that servers take at least.
const UIDS_OF_LINE: usize = 400;

/// Writes UIDs as a sequence set (RFC 9051 section 9). Only UIDs that are given are in it: a range never spans others.
fn uid_set(uids: &[u32]) -> String {
    use std::fmt::Write;

    let mut out = String::new();
    let mut rest = uids.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while rest.peek().copied() == last.checked_add(1) && rest.peek().is_some() {
            last = rest.next().unwrap_or(last);
        }
        let comma = if out.is_empty() { "" } else { "," };
        let _ = if first == last { write!(out, "{comma}{first}") } else { write!(out, "{comma}{first}:{last}") };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::uid_set;

    #[test]
    fn a_set_spans_only_what_is_given() {
        assert_eq!(uid_set(&[]), "");
        assert_eq!(uid_set(&[7]), "7");
        assert_eq!(uid_set(&[1, 2, 3, 5, 7, 8]), "1:3,5,7:8");
        assert_eq!(uid_set(&[u32::MAX - 1, u32::MAX]), "4294967294:4294967295");
    }
}
