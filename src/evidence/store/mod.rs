//! Keeps delivery evidence in the store, each line once: one writer, one transaction a batch.

mod judge;
mod lives;
mod messages;
mod rows;
mod tables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use duckdb::{Connection, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::attempt::{Attempt, Batch, Counts, SourceFrom};
use super::names::NONE;
use super::{LogFormat, LogRead, Logs, MEMORY, Options, Reader, Recipients, YearRead};
use crate::store::{Access, Run, Store, StoreError, in_transaction, set_setting, setting};
pub use judge::{is_judged, judge};
pub(crate) use lives::{MOMENT, end_with};
use messages::Messages;
use tables::Routes;

/// What its runs are called in the table of runs.
const COMMAND: &str = "delivery import";

/// Attempts that are committed together. Larger commits cost less each; all of one must fit in memory.
pub const COMMIT: usize = 200_000;

/// The setting that holds the key of the recipients' hashes.
const SECRET: &str = "delivery secret";

/// What the settings begin with that remember logs without years: the digest of the log follows, and its year and path are the
/// value.
const LOG: &str = "delivery log ";

/// What became of one file.
#[derive(Clone, Debug, Default)]
pub struct FileKept {
    /// Number of the file in the store.
    pub file_no: u32,
    /// Attempts that were new.
    pub stored: u64,
    /// Attempts that the store held already.
    pub duplicates: u64,
}

/// What reading one file gave.
#[derive(Clone, Debug)]
pub struct FileRead {
    /// Its place, as [`DeliveryWriter::file`] gave it.
    pub place: usize,
    /// Its path.
    pub path: String,
    /// The format recognised.
    pub format: Option<LogFormat>,
    /// What became of its lines.
    pub counts: Counts,
    /// What is wrong with it.
    pub note: Option<String>,
}

/// Writes one import of delivery evidence. Holds the store only while it commits.
#[derive(Debug)]
pub struct DeliveryWriter {
    path: PathBuf,
    wait: Duration,
    run: Run,
    files: Vec<FileKept>,
    first_file: u32,
    texts: usize,
    responses: usize,
    routes: Routes,
    /// Sending addresses where logs do not say them: of a log host, or of all others.
    sources: FxHashMap<Option<u32>, u32>,
}

impl DeliveryWriter {
    /// Opens the store, making it where it is absent, begins a run, and makes the reader whose tables go on where the store's
    /// end. `sources` are the sending addresses that the operator names for logs that do not say one: of a log host (and
    /// instance), or of all others.
    ///
    /// # Errors
    /// The store cannot be opened or written.
    pub fn begin(
        path: &Path,
        wait: Duration,
        options: Options,
        gateways: super::Gateways,
        keep_recipients: bool,
        sources: &[(Option<String>, String)],
    ) -> Result<(Self, Reader), StoreError> {
        let store = Store::open(path, Access::Write, wait)?;
        let connection = store.connection();
        connection.execute_batch(MEMORY).map_err(StoreError::query("setting up the store"))?;
        let doing = "beginning a run";
        let run = Run::begin(&store, COMMAND)?;
        let first_file: u32 = connection
            .query_row("SELECT coalesce(max(file_no), 0) + 1 FROM delivery_file", [], |row| row.get(0))
            .map_err(StoreError::query(doing))?;
        let key = secret(&store)?;
        if !judge::says(&store, &gateways)? {
            judge(&store, &gateways)?;
        }
        let texts = tables::texts(connection).map_err(StoreError::query(doing))?;
        let responses = tables::responses(connection).map_err(StoreError::query(doing))?;
        let routes = Routes::load(connection).map_err(StoreError::query(doing))?;
        let logs = logs(connection).map_err(StoreError::query(doing))?;
        let recipients = Recipients::new(key, keep_recipients);
        let reader = Reader { options, recipients, gateways, texts, responses, logs };
        let number = |text: &String| reader.texts.number(text);
        let sources = sources.iter().map(|(host, address)| (host.as_ref().map(number), number(address))).collect();
        let writer = Self {
            path: path.to_owned(),
            wait,
            run,
            files: Vec::new(),
            first_file,
            texts: tables::count(connection, "delivery_text").map_err(StoreError::query(doing))?,
            responses: reader.responses.len(),
            routes,
            sources,
        };
        Ok((writer, reader))
    }

    /// Opens the store again, where it is still the one that the run began with. The numbers of texts, files and routes that this
    /// writer knows hold only as long as no other import gives out its own: the one that began last goes on.
    fn again(&self) -> Result<Store, StoreError> {
        // Its items are counted at the end.
        let store = self.run.store(&self.path, self.wait, 0)?;
        let later: u64 = store
            .connection()
            .query_row(
                "SELECT count(*) FROM run WHERE run_no > ? AND command = ?",
                params![self.run.number, COMMAND],
                |row| row.get(0),
            )
            .map_err(StoreError::query("looking for the run"))?;
        if later == 0 { Ok(store) } else { Err(StoreError::Overtaken { path: self.path.clone() }) }
    }

    /// Gives a file its number.
    pub fn file(&mut self) -> usize {
        let number = self.first_file.saturating_add(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(FileKept { file_no: number, ..FileKept::default() });
        self.files.len() - 1
    }

    /// Commits batches, each with the file that it came from (as [`DeliveryWriter::file`] gave it).
    ///
    /// # Errors
    /// Nothing of the batches is stored then.
    pub fn commit(&mut self, reader: &Reader, batches: Vec<(usize, Batch)>) -> Result<(), StoreError> {
        let store = self.again()?;
        let connection = store.connection();
        let failed = unwritten(&self.path);
        connection.execute_batch(MEMORY).map_err(&failed)?;
        in_transaction(&store, || self.write(connection, reader, batches)).map_err(failed)
    }

    /// Writes the last tables, what became of each file, and the end of the run.
    ///
    /// # Errors
    /// The store cannot be written. What was committed stays.
    pub fn end(mut self, reader: &Reader, files: &[FileRead]) -> Result<Vec<FileKept>, StoreError> {
        let store = self.again()?;
        let connection = store.connection();
        let failed = unwritten(&self.path);
        connection.execute_batch(MEMORY).map_err(&failed)?;
        let zone = reader.options.zone.to_string();
        let written = in_transaction(&store, || {
            let changed = self.routes.settle(connection)?;
            lives::again_for_routes(connection, &changed)?;
            for file in files {
                let Some(kept) = self.files.get(file.place) else { continue };
                rows::file(connection, self.run.number, kept, file, &zone)?;
                if let Some(YearRead { year, content: Some(content), before: None, .. }) = &file.counts.year {
                    set_setting(connection, &format!("{LOG}{content}"), &format!("{year}\t{zone}\t{}", file.path))?;
                }
            }
            let (items, bytes) = files.iter().fold((0, 0), |(n, bytes), file| (n + 1, bytes + file.counts.bytes));
            connection.execute(
                "UPDATE run SET ended_at = current_timestamp, items = ?, bytes_read = ? WHERE run_no = ?",
                params![items, bytes, self.run.number],
            )
        });
        written.map_err(failed)?;
        Ok(self.files)
    }

    fn write(&mut self, connection: &Connection, reader: &Reader, batches: Vec<(usize, Batch)>) -> duckdb::Result<()> {
        let mut messages = Messages::look_up(connection, batches.iter().flat_map(|(_, batch)| &batch.envelopes))?;
        let mut rows = rows::Rows::default();
        let mut addresses = Vec::new();
        let held = rows::held(connection, batches.iter().flat_map(|(_, batch)| &batch.envelopes))?;
        let mut seen: FxHashSet<u64> = FxHashSet::default();
        for (place, batch) in batches {
            let Some(file) = self.files.get_mut(place) else { continue };
            addresses.extend(batch.addresses);
            for mut envelope in batch.envelopes {
                let attempts = std::mem::take(&mut envelope.attempts);
                let source = self.sources.get(&Some(envelope.system)).or_else(|| self.sources.get(&None));
                let source = source.copied().unwrap_or(NONE);
                let Some(message_key) = messages.place(envelope, !attempts.is_empty()) else { continue };
                for attempt in attempts {
                    if held.contains(&attempt.key) || !seen.insert(attempt.key) {
                        file.duplicates += 1;
                        continue;
                    }
                    file.stored += 1;
                    let attempt = with_source(attempt, source);
                    let route = self.routes.number(reader, &attempt);
                    messages.touch(message_key, attempt.at);
                    rows.push(message_key, file.file_no, route, attempt);
                }
            }
        }
        // Dimensions first: a reader that joins must find them.
        self.texts = tables::append_texts(connection, reader, self.texts)?;
        self.responses = tables::append_responses(connection, reader, self.responses)?;
        self.routes.append(connection)?;
        messages.write(connection)?;
        rows.append(connection)?;
        rows::addresses(connection, addresses)?;
        let touched = messages.touched();
        lives::again(connection, &touched)
    }
}

/// Reads the logs without years that the store remembers.
fn logs(connection: &Connection) -> duckdb::Result<Logs> {
    let mut statement = connection.prepare("SELECT name, \"value\" FROM setting WHERE starts_with(name, ?)")?;
    let rows = statement.query_map([LOG], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(Logs::with(rows.into_iter().filter_map(|(name, value)| {
        let [year, zone, path] = value.splitn(3, '\t').collect::<Vec<_>>().try_into().ok()?;
        let read = LogRead { path: path.to_owned(), year: year.parse().ok()?, zone: zone.to_owned() };
        Some((name.strip_prefix(LOG)?.to_owned(), read))
    })))
}

/// Fills the operator's address in where the log does not say one.
fn with_source(mut attempt: Attempt, source: u32) -> Attempt {
    if attempt.source == NONE && source != NONE && !attempt.internal {
        attempt.source = source;
        attempt.source_from = SourceFrom::Operator;
    }
    attempt
}

/// Returns what hashes recipients as the store's imports did; `None` where none was made yet.
///
/// # Errors
/// The store cannot be asked.
pub(crate) fn kept_recipients(connection: &Connection) -> duckdb::Result<Option<Recipients>> {
    let hash = setting(connection, SECRET)?.and_then(|text| blake3::Hash::from_hex(text.as_bytes()).ok());
    Ok(hash.map(|hash| Recipients::new(*hash.as_bytes(), false)))
}

/// Returns the key of the recipients' hashes, made at the first import.
fn secret(store: &Store) -> Result<[u8; 32], StoreError> {
    let read = setting(store.connection(), SECRET).map_err(StoreError::query("reading a setting"))?;
    if let Some(text) = read
        && let Ok(hash) = blake3::Hash::from_hex(text.as_bytes())
    {
        return Ok(*hash.as_bytes());
    }
    let mut key = [0; 32];
    tokio_rustls::rustls::crypto::ring::default_provider().secure_random.fill(&mut key).map_err(|_| {
        StoreError::Unwritten { path: store.path().to_owned(), text: "this machine gives no random numbers".to_owned() }
    })?;
    set_setting(store.connection(), SECRET, blake3::Hash::from_bytes(key).to_hex().as_str())
        .map_err(StoreError::query("writing a setting"))?;
    Ok(key)
}

fn unwritten(path: &Path) -> impl Fn(duckdb::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |error| StoreError::Unwritten { path: path.clone(), text: error.to_string() }
}
