//! The ledger's rows: what became of every item and document, once per origin; and the bytes kept of the rejected.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use duckdb::Connection;
use duckdb::arrow::array::{BinaryBuilder, UInt32Array, UInt64Array};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustc_hash::{FxHashMap, FxHashSet};

use super::known::{self, Prior};
use super::{Columns, Outcome, ReadItem};
use crate::fetch::{Content, Origin};

/// Largest file whose bytes are kept when it is rejected; a larger one stays where it lies, and the reason says so.
const KEEP_AT_MOST: u64 = 64 << 20;

/// Bytes of one row of kept bytes: the engine has 2,048 values of a column in memory whenever it writes that part of a table again.
const PART_BYTES: usize = 16 << 10;
/// Rows of kept bytes that go to the engine at once.
const PARTS_AT_ONCE: usize = 256;

/// One new row.
#[derive(Debug)]
struct Entry<'a> {
    entry_no: u64,
    item: &'a ReadItem,
    document: &'a str,
    outcome: Outcome,
    code: Option<&'a str>,
    reason: Option<String>,
    subject_domain: Option<&'a str>,
    report_key: Option<u128>,
}

/// The ledger's part of one commit.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    next: u64,
    prior: FxHashMap<usize, Vec<Prior>>,
    /// Items of this batch that something was said of.
    seen: FxHashSet<(u128, &'a Origin)>,
    entries: Vec<Entry<'a>>,
    gone: Vec<u64>,
    keep: Vec<&'a ReadItem>,
}

/// What is to be said of one document.
pub(super) struct Said<'a> {
    pub(super) document: &'a str,
    pub(super) outcome: Outcome,
    pub(super) code: Option<&'a str>,
    pub(super) reason: Option<String>,
    pub(super) subject_domain: Option<&'a str>,
    pub(super) report_key: Option<u128>,
}

impl<'a> Ledger<'a> {
    /// Starts behind the last entry, with what the ledger says already of the batch's items.
    pub(super) fn new(prior: FxHashMap<usize, Vec<Prior>>, last: u64) -> Self {
        Self {
            next: last + 1,
            prior,
            seen: FxHashSet::default(),
            entries: Vec::new(),
            gone: Vec::new(),
            keep: Vec::new(),
        }
    }

    /// Says what became of an item. What the ledger already says of it stays; what is no longer true goes.
    pub(super) fn say(&mut self, at: usize, item: &'a ReadItem, documents: Vec<Said<'a>>) {
        // The same item twice, as when a retry finds it in the store and on the server: it is said already.
        if !self.seen.insert((item.content_hash, &item.origin)) {
            return;
        }
        // Members of an archive may share a name, so that each row stands for one document only; and there may be many of them.
        let mut prior: FxHashMap<(String, String), Vec<u64>> = FxHashMap::default();
        for Prior { entry_no, document, outcome } in self.prior.remove(&at).unwrap_or_default() {
            prior.entry((document.unwrap_or_default(), outcome)).or_default().push(entry_no);
        }
        let mut take = |document: &str, outcome: Outcome| {
            let rows = prior.get_mut(&(document.to_owned(), outcome.word().to_owned()));
            rows.and_then(Vec::pop).is_some()
        };
        let mut keep = false;
        for said in documents {
            // A stored report that comes again from the same origin is no news.
            if take(said.document, said.outcome)
                || (said.outcome == Outcome::Duplicate && take(said.document, Outcome::Stored))
            {
                continue;
            }
            keep |= matches!(said.outcome, Outcome::Rejected | Outcome::Conflict);
            self.entries.push(Entry {
                entry_no: self.next,
                item,
                document: said.document,
                outcome: said.outcome,
                code: said.code,
                reason: said.reason,
                subject_domain: said.subject_domain,
                report_key: said.report_key,
            });
            self.next += 1;
        }
        self.gone.extend(prior.into_values().flatten());
        if keep {
            self.keep.push(item);
        }
    }

    /// Writes the rows, inside the connection's transaction. Returns the number of the last entry.
    pub(super) fn append(mut self, connection: &Connection, run_no: u32) -> duckdb::Result<u64> {
        let kept = self.append_kept(connection)?;
        for entry in &mut self.entries {
            if entry.outcome == Outcome::Rejected && !kept.contains(&entry.item.content_hash) {
                let told = entry.reason.get_or_insert_default();
                let origin = &entry.item.origin;
                told.push_str(if matches!(origin, Origin::Mailbox { .. }) || origin.file().is_some() {
                    "; its bytes are not kept here, retry reads it where it lies"
                } else {
                    "; its bytes are not kept: give it again"
                });
            }
        }
        append_entries(connection, run_no, &self.entries)?;
        // Last: bytes are kept for as long as some row of the ledger, a new one too, is about them.
        self.delete_gone(connection)?;
        Ok(self.next - 1)
    }

    /// Keeps the bytes of the items that need it. Returns those whose bytes the store has now.
    fn append_kept(&self, connection: &Connection) -> duckdb::Result<FxHashSet<u128>> {
        if self.keep.is_empty() {
            return Ok(FxHashSet::default());
        }
        let mut kept = known::kept(connection)?;
        let mut parts = Parts::default();
        for item in &self.keep {
            if !kept.contains(&item.content_hash)
                && let Some(gzip) = compressed(&item.content)
            {
                kept.insert(item.content_hash);
                for (part, bytes) in (0..).zip(gzip.chunks(PART_BYTES)) {
                    parts.push(connection, (item.content_hash, item.size, part), bytes)?;
                }
            }
        }
        parts.append(connection)?;
        Ok(kept)
    }

    fn delete_gone(&self, connection: &Connection) -> duckdb::Result<()> {
        if self.gone.is_empty() {
            return Ok(());
        }
        connection.execute_batch("CREATE OR REPLACE TEMP TABLE batch_gone (entry_no UBIGINT)")?;
        let mut columns = Columns::new();
        columns.push("entry_no", UInt64Array::from(self.gone.clone()));
        columns.append(connection, "batch_gone")?;
        connection.execute_batch(
            "DELETE FROM ledger WHERE entry_no IN (SELECT entry_no FROM batch_gone);
             DELETE FROM kept WHERE content_hash NOT IN
                 (SELECT content_hash FROM ledger WHERE outcome IN ('rejected', 'conflict') AND content_hash IS NOT NULL)",
        )
    }
}

/// Rows of `kept` on their way into it.
#[derive(Default)]
struct Parts {
    hashes: Vec<Option<u128>>,
    sizes: Vec<u64>,
    parts: Vec<u32>,
    gzip: BinaryBuilder,
}

impl Parts {
    /// Takes a part, and appends what has gathered where that is much.
    fn push(
        &mut self,
        connection: &Connection,
        (hash, size, part): (u128, u64, u32),
        bytes: &[u8],
    ) -> duckdb::Result<()> {
        self.hashes.push(Some(hash));
        self.sizes.push(size);
        self.parts.push(part);
        self.gzip.append_value(bytes);
        if self.hashes.len() < PARTS_AT_ONCE { Ok(()) } else { std::mem::take(self).append(connection) }
    }

    fn append(mut self, connection: &Connection) -> duckdb::Result<()> {
        let mut columns = Columns::new();
        columns
            .keys("content_hash", self.hashes)
            .push("size", UInt64Array::from(self.sizes))
            .push("gzip", self.gzip.finish())
            .push("part", UInt32Array::from(self.parts));
        columns.append(connection, "kept")
    }
}

fn append_entries(connection: &Connection, run_no: u32, entries: &[Entry<'_>]) -> duckdb::Result<()> {
    let items = || entries.iter().map(|entry| entry.item);
    let heads = || items().map(|item| item.mail.as_ref());
    let file = |origin: &'_ Origin| match origin {
        Origin::File { path, member } => (Some(path.clone()), *member),
        Origin::Mailbox { .. } => (None, None),
    };
    let mailbox = |origin: &'_ Origin| match origin {
        Origin::Mailbox { account, folder, uid_validity, uid } => {
            (Some(account.clone()), Some(folder.clone()), Some(*uid_validity), Some(*uid))
        }
        Origin::File { .. } => (None, None, None, None),
    };
    let mut columns = Columns::new();
    columns
        .push("entry_no", UInt64Array::from_iter_values(entries.iter().map(|e| e.entry_no)))
        .push("run_no", UInt32Array::from_value(run_no, entries.len()))
        .text("account", items().map(|item| mailbox(&item.origin).0))
        .text("folder", items().map(|item| mailbox(&item.origin).1))
        .push("uid_validity", UInt32Array::from_iter(items().map(|item| mailbox(&item.origin).2)))
        .push("uid", UInt32Array::from_iter(items().map(|item| mailbox(&item.origin).3)))
        .text("path", items().map(|item| file(&item.origin).0))
        .push("member", UInt64Array::from_iter(items().map(|item| file(&item.origin).1)))
        .text("document", entries.iter().map(|e| Some(e.document).filter(|d| !d.is_empty())))
        .keys("content_hash", items().map(|item| Some(item.content_hash)))
        .push("size", UInt64Array::from_iter_values(items().map(|item| item.size)))
        .text("mail_from", heads().map(|head| head.and_then(|h| h.from.as_deref())))
        .text("mail_subject", heads().map(|head| head.and_then(|h| h.subject.as_deref())))
        .times("mail_date", heads().map(|head| head.and_then(|h| h.date)))
        .times("received_at", items().map(|item| item.received_at))
        .text("outcome", entries.iter().map(|e| Some(e.outcome.word())))
        .text("code", entries.iter().map(|e| e.code))
        .text("reason", entries.iter().map(|e| e.reason.as_deref()))
        .text("subject_domain", entries.iter().map(|e| e.subject_domain))
        .keys("report_key", entries.iter().map(|e| e.report_key));
    columns.append(connection, "ledger")
}

/// Returns the bytes of an item, gzip; `None` where there are none or too many.
fn compressed(content: &Content) -> Option<Vec<u8>> {
    match content {
        Content::Bytes(bytes) => gzip(bytes.as_slice()).ok(),
        Content::File { path, size } if *size <= KEEP_AT_MOST => gzip_file(path).ok(),
        Content::File { .. } | Content::Refused(_) => None,
    }
}

fn gzip_file(path: &Path) -> std::io::Result<Vec<u8>> {
    gzip(File::open(path)?)
}

fn gzip(mut bytes: impl Read) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::copy(&mut bytes, &mut encoder)?;
    encoder.flush()?;
    encoder.finish()
}
