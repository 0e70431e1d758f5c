//! How the store is: its size and days, the last runs, mailboxes, and what was rejected or in conflict.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::Connection;
use schemars::JsonSchema;
use serde::Serialize;

use super::QueryError;

/// The state of a store.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Status {
    /// The file.
    pub path: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// Schema version.
    pub schema: u32,
    /// Reports held.
    pub reports: u64,
    /// Records held.
    pub records: u64,
    /// Messages of the records.
    pub messages: u64,
    /// First report day.
    pub first_day: Option<NaiveDate>,
    /// Last report day.
    pub last_day: Option<NaiveDate>,
    /// Messages of the delivery evidence, one to three recipients counted three times.
    pub delivery_messages: u64,
    /// UTC day of its first first attempt.
    pub delivery_first_day: Option<NaiveDate>,
    /// UTC day of its last first attempt.
    pub delivery_last_day: Option<NaiveDate>,
    /// Ledger entries by outcome.
    pub outcomes: Vec<OutcomeCount>,
    /// The last runs, newest first.
    pub runs: Vec<Run>,
    /// Every folder of every mailbox ever polled.
    pub mailboxes: Vec<MailboxState>,
    /// Rejected and conflicting entries, newest first, at most as many as asked for.
    pub rejected: Vec<Entry>,
}

/// How many ledger entries have an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeCount {
    /// The outcome.
    pub outcome: String,
    /// Entries.
    pub entries: u64,
}

/// One run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Run {
    /// Its number.
    pub run: u32,
    /// The command.
    pub command: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended; null while it runs or where it was killed.
    pub ended_at: Option<DateTime<Utc>>,
    /// Items looked at.
    pub items: u64,
    /// Reports stored.
    pub reports_stored: u64,
    /// Documents rejected.
    pub rejected: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// One folder of one mailbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MailboxState {
    /// The config's name of the mailbox.
    pub account: String,
    /// The folder.
    pub folder: String,
    /// Highest UID whose items are all in the ledger.
    pub last_uid: Option<u32>,
    /// Last poll, failed or not.
    pub last_poll_at: Option<DateTime<Utc>>,
    /// Last poll that went through.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Why the last poll failed; null since the next success.
    pub last_error: Option<String>,
}

/// One ledger entry that wants a look.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// Its number: `dmarcase inspect --ledger`.
    pub entry: u64,
    /// rejected or conflict.
    pub outcome: String,
    /// Where it came from.
    pub origin: String,
    /// The way to the document inside the item.
    pub document: Option<String>,
    /// From address of the mail.
    pub mail_from: Option<String>,
    /// Subject of the mail.
    pub mail_subject: Option<String>,
    /// Fixed word for the reason.
    pub code: Option<String>,
    /// The reason in words.
    pub reason: Option<String>,
}

const TOTALS: &str = "
    SELECT (SELECT coalesce(max(number), 0) FROM migration), count(*), coalesce(sum(records), 0)::UBIGINT,
        coalesce(sum(messages), 0)::UBIGINT, min(report_day), max(report_day) FROM report";
const DELIVERY: &str = "
    SELECT count(*), make_timestamp(epoch_us(min(first_at)))::DATE, make_timestamp(epoch_us(max(first_at)))::DATE
    FROM delivery_life";
const OUTCOMES: &str = "SELECT outcome, count(*) FROM ledger GROUP BY 1 ORDER BY 2 DESC, 1";
const RUNS: &str = "
    SELECT run_no, command, started_at, ended_at, items, reports_stored, rejected, error
    FROM run ORDER BY run_no DESC LIMIT ?";
const MAILBOXES: &str = "
    SELECT account, folder, last_uid, last_poll_at, last_success_at, last_error FROM mailbox ORDER BY 1, 2";
const REJECTED: &str = "
    SELECT entry_no, outcome, CASE WHEN account IS NOT NULL THEN concat(account, ', folder ', folder, ', UID ', uid)
        WHEN member IS NOT NULL THEN concat(path, ', mail ', member) ELSE path END,
        document, mail_from, mail_subject, code, reason
    FROM ledger WHERE outcome IN ('rejected', 'conflict') ORDER BY entry_no DESC LIMIT ?";

/// Answers how the store is; lists at most `entries` rejected and conflicting entries and `runs` runs.
///
/// # Errors
/// The store cannot be asked.
pub fn status(connection: &Connection, path: &Path, entries: u32, runs: u32) -> Result<Status, QueryError> {
    let mut status = connection.query_row(TOTALS, [], |row| {
        Ok(Status {
            path: path.display().to_string(),
            bytes: std::fs::metadata(path).map_or(0, |meta| meta.len()),
            schema: row.get(0)?,
            reports: row.get(1)?,
            records: row.get(2)?,
            messages: row.get(3)?,
            first_day: row.get(4)?,
            last_day: row.get(5)?,
            delivery_messages: 0,
            delivery_first_day: None,
            delivery_last_day: None,
            outcomes: Vec::new(),
            runs: Vec::new(),
            mailboxes: Vec::new(),
            rejected: Vec::new(),
        })
    })?;
    (status.delivery_messages, status.delivery_first_day, status.delivery_last_day) =
        connection.query_row(DELIVERY, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    status.outcomes =
        all(connection, OUTCOMES, [], |row| Ok(OutcomeCount { outcome: row.get(0)?, entries: row.get(1)? }))?;
    status.runs = all(connection, RUNS, [runs], |row| {
        Ok(Run {
            run: row.get(0)?,
            command: row.get(1)?,
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            items: row.get(4)?,
            reports_stored: row.get(5)?,
            rejected: row.get(6)?,
            error: row.get(7)?,
        })
    })?;
    status.mailboxes = all(connection, MAILBOXES, [], |row| {
        Ok(MailboxState {
            account: row.get(0)?,
            folder: row.get(1)?,
            last_uid: row.get(2)?,
            last_poll_at: row.get(3)?,
            last_success_at: row.get(4)?,
            last_error: row.get(5)?,
        })
    })?;
    status.rejected = all(connection, REJECTED, [entries], |row| {
        Ok(Entry {
            entry: row.get(0)?,
            outcome: row.get(1)?,
            origin: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            document: row.get(3)?,
            mail_from: row.get(4)?,
            mail_subject: row.get(5)?,
            code: row.get(6)?,
            reason: row.get(7)?,
        })
    })?;
    Ok(status)
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl duckdb::Params,
    read: impl FnMut(&duckdb::Row<'_>) -> duckdb::Result<T>,
) -> Result<Vec<T>, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
