//! The one writer: batches of read items become rows of every table in one transaction, or nothing at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use duckdb::{Connection, params};

use super::dimensions::Dimensions;
use super::known;
use super::ledger::{Ledger, Said};
use super::mailbox::forget_refused;
use super::open::LEAN;
use super::records::Rows;
use super::{Access, Batch, Counts, Found, MailboxPosition, Outcome, Run, Store, StoreError, Wait};
use crate::fetch::{Content, Origin};

/// Writes one run. It holds the store only from the first batch of a transaction to its commit, so that readers get
/// their turn between transactions.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    wait: Wait,
    dimensions: Dimensions,
    run: Run,
    /// What is committed.
    counts: Counts,
    open: Option<Transaction>,
    /// Still open from the beginning of the run, or from its last commit.
    store: Option<Store>,
}

/// A transaction under way.
#[derive(Debug)]
struct Transaction {
    store: Store,
    since: Instant,
    /// What will be committed, with all before.
    counts: Counts,
    told: Vec<Committed>,
    /// Number of the last report.
    report_no: u32,
    /// Number of the last ledger entry.
    entry_no: u64,
}

/// Beside [`LEAN`], as the cores are busy reading items and the engine's own threads would only take turns with them. Rows that fill
/// a row group are written while others are read, so that less is left for the commit.
const SETTINGS: &str = "SET write_buffer_row_group_count = 1";

const LAST_NUMBERS: &str = "
    SELECT (SELECT coalesce(max(report_no), 0) FROM report), (SELECT coalesce(max(entry_no), 0) FROM ledger)";

/// What became of an item, told once it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The item.
    pub origin: Origin,
    /// The outcome that matters most for it, as [`Outcome::weight`] orders them.
    pub outcome: Outcome,
    /// Its bytes were never taken.
    pub refused: bool,
}

impl Writer {
    /// Opens the store, making it where it is absent, and begins a run. The store stays open for the first batch, which
    /// must follow soon, or a commit, which closes it.
    ///
    /// # Errors
    /// The store cannot be opened or written; nothing is changed then.
    pub fn begin(path: &Path, wait: impl Into<Wait>, command: &str) -> Result<Self, StoreError> {
        let wait = wait.into();
        let store = Store::open(path, Access::Write, wait.clone())?;
        let run = Run::begin(&store, command)?;
        let (path, dimensions) = (path.to_owned(), Dimensions::default());
        Ok(Self { path, wait, dimensions, run, counts: Counts::default(), open: None, store: Some(store) })
    }

    /// Returns what the run has committed so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns whether the store is open, and no transaction under way.
    pub const fn is_waiting(&self) -> bool {
        self.store.is_some()
    }

    /// Returns how long the store has been held for the transaction under way, and the records that wait in it.
    pub fn held(&self) -> Option<(Duration, u64)> {
        let open = self.open.as_ref()?;
        Some((open.since.elapsed(), open.counts.records - self.counts.records))
    }

    /// Takes a batch into the transaction under way, or into a new one: reports, records, ledger and mailbox positions.
    ///
    /// # Errors
    /// Nothing since the last commit is stored then, and the writer must not be used again but to end the run.
    pub fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin_transaction()?,
        };
        match self.write(&mut open, batch) {
            Ok(()) => {
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                open.store.connection().execute_batch("ROLLBACK").ok();
                Err(error)
            }
        }
    }

    /// Commits what was taken since the last commit, with the run's counts; tells what became of its items. After the
    /// last one the store stays open for [`Writer::end`], which must follow at once.
    ///
    /// # Errors
    /// Nothing since the last commit is stored then, and the writer must not be used again but to end the run.
    pub fn commit(&mut self, last: bool) -> Result<Vec<Committed>, StoreError> {
        let Some(Transaction { store, counts, told, .. }) = self.open.take() else {
            self.store = self.store.take().filter(|_| last);
            return Ok(Vec::new());
        };
        let connection = store.connection();
        let failed = |error: duckdb::Error| unwritten(&self.path, &error);
        let committed = update_run(connection, self.run.number, &counts).and_then(|()| store.commit());
        if let Err(error) = committed {
            // A failed COMMIT has rolled back already; the first error is the one to tell.
            connection.execute_batch("ROLLBACK").ok();
            return Err(failed(error));
        }
        if !store.is_in_place() {
            // Nothing is told: no mail may be moved or deleted for what is in no store.
            return Err(StoreError::Replaced { path: self.path.clone() });
        }
        self.counts = counts;
        self.store = last.then_some(store);
        Ok(told)
    }

    fn begin_transaction(&mut self) -> Result<Transaction, StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => self.run.store(&self.path, self.wait.clone(), self.counts.items)?,
        };
        let since = Instant::now();
        let connection = store.connection();
        let doing = "preparing the commit";
        connection
            .execute_batch(LEAN)
            .and_then(|()| connection.execute_batch(SETTINGS))
            .and_then(|()| known::prepare(connection))
            .map_err(StoreError::query(doing))?;
        self.dimensions.refresh(connection)?;
        let (report_no, entry_no) = connection
            .query_row(LAST_NUMBERS, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(StoreError::query(doing))?;
        connection.execute_batch("BEGIN").map_err(|error| unwritten(&self.path, &error))?;
        Ok(Transaction { store, since, counts: self.counts, told: Vec::new(), report_no, entry_no })
    }

    /// Ends the run: its counts and its error, if it had one. Returns the store, still open for writing, for what must
    /// be done after a run.
    ///
    /// # Errors
    /// The store cannot be written. What was committed stays.
    pub fn end(self, error: Option<&str>) -> Result<(Counts, Store), StoreError> {
        let store = match self.store {
            Some(store) => store,
            None => self.run.store(&self.path, self.wait.clone(), self.counts.items)?,
        };
        // The batches are in. One thread stays enough for what follows, and starting another costs more than it saves.
        store.allow_more_memory(0).map_err(|error| unwritten(&self.path, &error))?;
        store
            .connection()
            .execute(
                "UPDATE run SET ended_at = current_timestamp, error = ? WHERE run_no = ?",
                params![error, self.run.number],
            )
            .map_err(|error| unwritten(&self.path, &error))?;
        if store.is_in_place() { Ok((self.counts, store)) } else { Err(StoreError::Replaced { path: self.path }) }
    }

    fn write(&mut self, open: &mut Transaction, batch: &Batch) -> Result<(), StoreError> {
        let connection = open.store.connection();
        let failed = |error: duckdb::Error| unwritten(&self.path, &error);
        let mut known = known::reports(connection, &batch.items).map_err(failed)?;
        let prior = known::entries(connection, &batch.items).map_err(failed)?;
        let mut ledger = Ledger::new(prior, open.entry_no);
        let report_no = &mut open.report_no;
        let counts = &mut open.counts;
        let mut rows = Rows::default();
        for (at, item) in batch.items.iter().enumerate() {
            counts.items += 1;
            counts.bytes_read += item.size;
            counts.xml_bytes += item.xml_bytes;
            let mut said = Vec::with_capacity(item.documents.len());
            for document in &item.documents {
                let mut one = say(&document.place, &document.found);
                if let Found::Report { report, report_key, content_key } = &document.found {
                    one.outcome = match known.get(report_key) {
                        Some(content) if content == content_key => Outcome::Duplicate,
                        Some(_) => Outcome::Conflict,
                        None => Outcome::Stored,
                    };
                    if one.outcome == Outcome::Stored {
                        *report_no = report_no.checked_add(1).ok_or(StoreError::Full { table: "report" })?;
                        known.insert(*report_key, *content_key);
                        let keys = (*report_key, *content_key);
                        let added = rows.push(&mut self.dimensions, *report_no, keys, item.received_at, report)?;
                        counts.records += added.records;
                        counts.messages += added.messages;
                        counts.dmarc_pass += added.dmarc_pass;
                    }
                    if one.outcome == Outcome::Conflict {
                        one.reason = Some(
                            "the store holds a report of the same identity with other content; the first stays"
                                .to_owned(),
                        );
                    }
                }
                counts.count(one.outcome);
                said.push(one);
            }
            let outcome = said.iter().map(|one| one.outcome).min_by_key(|outcome| outcome.weight());
            open.told.push(Committed {
                origin: item.origin.clone(),
                outcome: outcome.unwrap_or(Outcome::NotAReport),
                refused: matches!(item.content, Content::Refused(_)),
            });
            ledger.say(at, item, said);
        }
        self.dimensions.append(connection).map_err(|error| unwritten(&self.path, &error))?;
        let failed = |error: duckdb::Error| unwritten(&self.path, &error);
        rows.append(connection, self.run.number).map_err(failed)?;
        open.entry_no = ledger.append(connection, self.run.number).map_err(failed)?;
        forget_refused(connection, &batch.items).map_err(failed)?;
        move_positions(connection, &batch.positions).map_err(failed)
    }
}

/// What the ledger says of a document before the store has been asked about its report.
fn say<'a>(document: &'a str, found: &'a Found) -> Said<'a> {
    let mut said =
        Said { document, outcome: Outcome::Stored, code: None, reason: None, subject_domain: None, report_key: None };
    match found {
        Found::Report { report_key, .. } => said.report_key = Some(*report_key),
        Found::FailureReport { domain } => {
            said.outcome = Outcome::FailureReport;
            said.subject_domain = domain.as_deref();
        }
        Found::TlsReport { domain } => {
            said.outcome = Outcome::TlsReport;
            said.subject_domain = domain.as_deref();
        }
        Found::NotAReport { reason } => {
            said.outcome = Outcome::NotAReport;
            said.reason = Some(reason.clone());
        }
        Found::Rejected { code, reason } => {
            said.outcome = Outcome::Rejected;
            said.code = Some(code);
            said.reason = Some(reason.clone());
        }
    }
    said
}

fn move_positions(connection: &Connection, positions: &[MailboxPosition]) -> duckdb::Result<()> {
    for position in positions {
        let MailboxPosition { account, folder, uid_validity, last_uid } = position;
        let moved = connection.execute(
            "UPDATE mailbox SET uid_validity = ?, last_uid = ? WHERE account = ? AND folder = ?",
            params![uid_validity, last_uid, account, folder],
        )?;
        if moved == 0 {
            connection.execute(
                "INSERT INTO mailbox (account, folder, uid_validity, last_uid) VALUES (?, ?, ?, ?)",
                params![account, folder, uid_validity, last_uid],
            )?;
        }
    }
    Ok(())
}

fn update_run(connection: &Connection, run_no: u32, counts: &Counts) -> duckdb::Result<()> {
    connection.execute(
        "UPDATE run SET items = ?, reports_stored = ?, duplicates = ?, conflicts = ?, not_reports = ?,
             failure_reports = ?, tls_reports = ?, rejected = ?, records = ?, messages = ?, bytes_read = ?
         WHERE run_no = ?",
        params![
            counts.items,
            counts.reports_stored,
            counts.duplicates,
            counts.conflicts,
            counts.not_reports,
            counts.failure_reports,
            counts.tls_reports,
            counts.rejected,
            counts.records,
            counts.messages,
            counts.bytes_read,
            run_no
        ],
    )?;
    Ok(())
}

fn unwritten(path: &Path, error: &duckdb::Error) -> StoreError {
    StoreError::Unwritten { path: path.to_owned(), text: error.to_string() }
}
