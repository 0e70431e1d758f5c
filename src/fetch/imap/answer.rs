//! What a poll did, folder by folder, for answers and the log.

use schemars::JsonSchema;
use serde::Serialize;

use super::error::Fault;
use super::haul::Haul;

/// What a poll did with one folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct FolderPoll {
    /// The folder, decoded.
    pub folder: String,
    /// Messages in it, ours and others.
    pub messages: u32,
    /// Messages downloaded.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages over the size limit: recorded, not downloaded.
    pub over_limit: u64,
    /// Messages that the server refuses to give: recorded, asked for again at each poll.
    pub refused: u64,
    /// Mails moved.
    pub moved: u64,
    /// Mails deleted.
    pub deleted: u64,
    /// Mails flagged.
    pub flagged: u64,
    /// The server numbers its mails anew (UIDVALIDITY changed), so everything was looked at again.
    pub renumbered: bool,
    /// What went wrong, each with its place and remedy.
    pub errors: Vec<String>,
    /// The folder could not be polled to its end. False where only single messages were refused.
    pub failed: bool,
}

impl FolderPoll {
    /// Takes in what a download did. `again`: it was only for mails that had been refused before.
    pub(super) fn take_in(&mut self, haul: &Haul<'_>, again: bool) {
        self.fetched = haul.counts.mails;
        self.bytes = haul.counts.bytes;
        self.over_limit = haul.counts.over_limit;
        self.refused = haul.counts.refused;
        let still = if again { haul.still.as_slice() } else { &[] };
        self.errors.extend(haul.errors.iter().chain(still).map(ToString::to_string));
        // Refused, and nothing that was given beside them: the position stays, so the poll has not reached its end.
        self.failed = haul.holds_back();
    }
}

/// What a poll did with one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct MailboxPoll {
    /// The config's name of the mailbox.
    pub mailbox: String,
    /// Why the mailbox could not be polled at all.
    pub error: Option<String>,
    /// The error needs an operator: trying again soon is of no use, or could lock the account.
    #[serde(skip)]
    pub needs_operator: bool,
    /// The program was asked to stop before the poll was through.
    pub stopped: bool,
    /// Each folder.
    pub folders: Vec<FolderPoll>,
    /// Time taken, seconds.
    pub seconds: f64,
}

impl MailboxPoll {
    /// Makes the answer of a poll of which nothing is known.
    pub(crate) fn lost(mailbox: &str) -> Self {
        let error = Fault::Internal { text: "the poll's thread ended".to_owned() }.at(mailbox, None, None);
        Self { mailbox: mailbox.to_owned(), error: Some(error.to_string()), ..Self::default() }
    }

    /// Returns whether the mailbox, or a folder of it, could not be polled to its end.
    pub fn failed(&self) -> bool {
        self.error.is_some() || self.folders.iter().any(|folder| folder.failed)
    }

    /// Returns every error, of the mailbox and of its folders.
    pub fn errors(&self) -> impl Iterator<Item = &String> {
        self.error.iter().chain(self.folders.iter().flat_map(|folder| &folder.errors))
    }

    /// Writes the poll into the log: one line, then what went wrong in its folders.
    pub fn log(&self) {
        if self.failed() {
            tracing::error!("{}", self.line());
        } else {
            tracing::info!("{}", self.line());
        }
        for error in self.folders.iter().flat_map(|folder| &folder.errors) {
            tracing::error!("{error}");
        }
    }

    fn line(&self) -> String {
        let sum = |of: fn(&FolderPoll) -> u64| self.folders.iter().map(of).sum::<u64>();
        // An error names the mailbox itself.
        let mut line = match &self.error {
            Some(error) => error.clone(),
            None => format!("{}: {} new, {} bytes", self.mailbox, sum(|f| f.fetched), sum(|f| f.bytes)),
        };
        for (count, word) in [
            (sum(|f| f.over_limit), "over the limit"),
            (sum(|f| f.refused), "refused by the server"),
            (sum(|f| f.moved), "moved"),
            (sum(|f| f.deleted), "deleted"),
            (sum(|f| f.flagged), "flagged"),
            (sum(|f| f.errors.len() as u64), "errors"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {word}"));
            }
        }
        if self.stopped {
            line.push_str(", stopped");
        }
        line.push_str(&format!(", {:.1} s", self.seconds));
        line
    }
}
