//! What the store remembers of mailboxes: how far each folder was read, what became of single mails, how polls ended.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use duckdb::{Connection, params};

use super::columns::key_of;
use super::{Access, MailboxPosition, Outcome, ReadItem, Store, StoreError, Wait, in_transaction};
use crate::fetch::{Content, Origin};

/// Refused mails of one folder that are asked for again at each poll: the latest ones.
const AGAIN: usize = 100;

/// What the store remembered of every mailbox when a poll began.
#[derive(Debug, Default)]
pub struct MailboxMemory {
    path: PathBuf,
    wait: Wait,
    positions: HashMap<(String, String), MailboxPosition>,
    refused: HashMap<(String, String, u32), Vec<u32>>,
}

/// How a poll of a folder ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollEnd {
    /// The config's name of the mailbox.
    pub account: String,
    /// The folder.
    pub folder: String,
    /// When the poll began.
    pub at: DateTime<Utc>,
    /// Why it failed.
    pub error: Option<String>,
}

const POSITIONS: &str = "SELECT account, folder, uid_validity, last_uid FROM mailbox WHERE uid_validity IS NOT NULL AND last_uid IS NOT NULL";
const REFUSED: &str = "
    SELECT account, folder, uid_validity, uid, max(code), max(size) FROM ledger
    WHERE outcome = 'rejected' AND code IN ('fetch-refused', 'mail_bytes')
        AND account IS NOT NULL AND folder IS NOT NULL AND uid_validity IS NOT NULL AND uid IS NOT NULL
    GROUP BY ALL ORDER BY uid DESC";
/// What the ledger says of a mail that was never taken, and of one that is over the limit as a whole.
const NOT_TAKEN: &str = "outcome = 'rejected' AND code IN ('fetch-refused', 'mail_bytes') AND document IS NULL";

impl MailboxMemory {
    /// Reads positions, and the mails that servers refused or that were over the limit `mail_bytes` gives for their
    /// account and are not any more. A store that is not there yet remembers nothing.
    ///
    /// # Errors
    /// The store cannot be opened or read.
    pub fn read(path: &Path, wait: impl Into<Wait>, mail_bytes: impl Fn(&str) -> u64) -> Result<Self, StoreError> {
        let mut memory = Self { path: path.to_owned(), wait: wait.into(), ..Self::default() };
        if !super::is_there(path)? {
            return Ok(memory);
        }
        let store = Store::open(path, Access::Read, memory.wait.clone())?;
        let connection = store.connection();
        let doing = StoreError::query("reading the positions of mailboxes");
        memory.load(connection, mail_bytes).map_err(doing)?;
        Ok(memory)
    }

    fn load(&mut self, connection: &Connection, mail_bytes: impl Fn(&str) -> u64) -> duckdb::Result<()> {
        let mut statement = connection.prepare(POSITIONS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (account, folder): (String, String) = (row.get(0)?, row.get(1)?);
            let key = (account.clone(), folder.clone());
            let position = MailboxPosition { account, folder, uid_validity: row.get(2)?, last_uid: row.get(3)? };
            self.positions.insert(key, position);
        }
        let mut statement = connection.prepare(REFUSED)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (account, code, size): (String, String, u64) = (row.get(0)?, row.get(4)?, row.get(5)?);
            if code == "mail_bytes" && size > mail_bytes(&account) {
                continue;
            }
            let uids = self.refused.entry((account, row.get(1)?, row.get(2)?)).or_default();
            if uids.len() < AGAIN {
                uids.push(row.get(3)?);
            }
        }
        Ok(())
    }

    /// Returns how far the folder was read.
    pub fn position(&self, account: &str, folder: &str) -> Option<&MailboxPosition> {
        self.positions.get(&(account.to_owned(), folder.to_owned()))
    }

    /// Returns the mails to be asked for again.
    pub fn refused(&self, account: &str, folder: &str, uid_validity: u32) -> &[u32] {
        self.refused.get(&(account.to_owned(), folder.to_owned(), uid_validity)).map_or(&[], Vec::as_slice)
    }

    /// Returns the folders of a mailbox that were read before.
    pub fn folders(&self, account: &str) -> Vec<&str> {
        let of = self.positions.keys().filter(|(name, _)| name == account);
        of.map(|(_, folder)| folder.as_str()).collect()
    }

    /// Returns whether any mail of the mailbox is to be asked for again.
    pub fn has_refused(&self, account: &str) -> bool {
        self.refused.keys().any(|(of, _, _)| of == account)
    }

    /// Returns the outcomes of these mails, one for each document, as far as the ledger knows them, and whether the mail was never
    /// taken.
    ///
    /// # Errors
    /// The store cannot be opened or read.
    pub fn outcomes(
        &self,
        account: &str,
        folder: &str,
        uid_validity: u32,
        uids: &[u32],
    ) -> Result<Vec<(u32, Outcome, bool)>, StoreError> {
        let wanted: HashSet<u32> = uids.iter().copied().collect();
        let Some(last) = uids.iter().max() else { return Ok(Vec::new()) };
        let store = Store::open(&self.path, Access::Read, self.wait.clone())?;
        let doing = "reading what became of mails";
        let kinds = format!(
            "SELECT uid, outcome, {NOT_TAKEN} FROM ledger WHERE account = ? AND folder = ? AND uid_validity = ? AND uid <= ?"
        );
        let mut statement = store.connection().prepare(&kinds).map_err(StoreError::query(doing))?;
        let mut rows =
            statement.query(params![account, folder, uid_validity, last]).map_err(StoreError::query(doing))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(StoreError::query(doing))? {
            let uid: u32 = row.get(0).map_err(StoreError::query(doing))?;
            let word: String = row.get(1).map_err(StoreError::query(doing))?;
            if wanted.contains(&uid)
                && let Some(outcome) = Outcome::of(&word)
            {
                let refused: Option<bool> = row.get(2).map_err(StoreError::query(doing))?;
                found.push((uid, outcome, refused.unwrap_or(false)));
            }
        }
        Ok(found)
    }
}

/// Writes how polls ended: last poll, last success, last error of each folder. Folders of the `whole` accounts that were
/// not polled are not the mailbox's any more, and are forgotten: read again, they are recognised.
///
/// # Errors
/// The store cannot be written; nothing is written then.
pub fn record_polls(store: &Store, polls: &[PollEnd], whole: &[&str]) -> Result<(), StoreError> {
    let connection = store.connection();
    let forget = |account: &&str| {
        let polled = |folder: &String| polls.iter().any(|poll| poll.account == *account && poll.folder == *folder);
        let mut statement = connection.prepare("SELECT folder FROM mailbox WHERE account = ?")?;
        let known = statement.query_map([account], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        known.iter().filter(|folder| !polled(folder)).try_for_each(|folder| {
            connection.execute("DELETE FROM mailbox WHERE account = ? AND folder = ?", params![account, folder])?;
            Ok(())
        })
    };
    let work =
        || polls.iter().try_for_each(|poll| record(connection, poll)).and_then(|()| whole.iter().try_for_each(forget));
    in_transaction(store, work).map_err(|error: duckdb::Error| StoreError::Unwritten {
        path: store.path().to_owned(),
        text: error.to_string(),
    })
}

fn record(connection: &Connection, poll: &PollEnd) -> duckdb::Result<()> {
    let PollEnd { account, folder, at, error } = poll;
    let at = at.to_rfc3339();
    let known: u64 = connection.query_row(
        "SELECT count(*) FROM mailbox WHERE account = ? AND folder = ?",
        params![account, folder],
        |row| row.get(0),
    )?;
    if known == 0 {
        connection.execute("INSERT INTO mailbox (account, folder) VALUES (?, ?)", params![account, folder])?;
    }
    // An error stays to be seen after the next success, without its text: last_error is NULL then.
    connection.execute(
        "UPDATE mailbox SET last_poll_at = ?::TIMESTAMPTZ, last_error = ?,
             last_error_at = CASE WHEN ? THEN ?::TIMESTAMPTZ ELSE last_error_at END,
             last_success_at = CASE WHEN ? THEN last_success_at ELSE ?::TIMESTAMPTZ END
         WHERE account = ? AND folder = ?",
        params![at, error, error.is_some(), at, error.is_some(), at, account, folder],
    )?;
    Ok(())
}

/// Deletes the rows that say that a mail was refused, where the mail came after all. Inside the batch's transaction.
pub(super) fn forget_refused(connection: &Connection, items: &[ReadItem]) -> duckdb::Result<()> {
    let came = items.iter().filter(|item| !matches!(item.content, Content::Refused(_)));
    let mails: HashMap<(&str, &str, u32), HashMap<u32, u128>> = came.fold(HashMap::new(), |mut all, item| {
        if let Origin::Mailbox { account, folder, uid_validity, uid } = &item.origin {
            all.entry((account.as_str(), folder.as_str(), *uid_validity)).or_default().insert(*uid, item.content_hash);
        }
        all
    });
    let not_taken = format!(
        "SELECT entry_no, uid, content_hash::VARCHAR FROM ledger
         WHERE {NOT_TAKEN} AND account = ? AND folder = ? AND uid_validity = ?"
    );
    for ((account, folder, uid_validity), mails) in mails {
        let mut statement = connection.prepare(&not_taken)?;
        let mut rows = statement.query(params![account, folder, uid_validity])?;
        while let Some(row) = rows.next()? {
            let (entry_no, uid): (u64, u32) = (row.get(0)?, row.get(1)?);
            let about = row.get::<_, Option<String>>(2)?.as_deref().map(key_of);
            // Not what is said of the mail itself, now that it came.
            if mails.get(&uid).is_some_and(|content_hash| about != Some(*content_hash)) {
                connection.execute("DELETE FROM ledger WHERE entry_no = ?", [entry_no])?;
            }
        }
    }
    Ok(())
}
