//! Puts what workers give back into order, hands it to the writer in batches, and decides when to commit.
//!
//! Batches are small, so that bytes are given back soon; transactions are large, since each commit writes the ends of
//! the tables again. The store is held no longer than [`HOLD`], and never while nothing comes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::budget::Budget;
use super::{Done, Options, READ_BYTES, records};
use crate::store::{Batch, Committed, HOLD, StoreError, Writer};

/// Records that make a batch.
const BATCH_RECORDS: usize = 50_000;
/// Records that make a transaction.
const TRANSACTION_RECORDS: u64 = 400_000;
/// Longest time that a transaction stays open while none come.
const IDLE: Duration = Duration::from_millis(200);
/// The writer's side of a run.
pub(super) struct Assembly<'a> {
    writer: &'a mut Writer,
    options: &'a Options,
    budget: &'a Budget,
    room: &'a Budget,
    committed: &'a mut (dyn FnMut(&[Committed]) + Send),
    /// Jobs that came before their turn.
    early: BTreeMap<u64, Done>,
    next: u64,
    batch: Batch,
    bytes: u64,
    weight: u64,
    records: usize,
    /// Since when something waits for its commit.
    since: Option<Instant>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(
        writer: &'a mut Writer,
        options: &'a Options,
        budget: &'a Budget,
        room: &'a Budget,
        committed: &'a mut (dyn FnMut(&[Committed]) + Send),
    ) -> Self {
        Self {
            writer,
            options,
            budget,
            room,
            committed,
            early: BTreeMap::new(),
            next: 0,
            batch: Batch::default(),
            bytes: 0,
            weight: 0,
            records: 0,
            since: None,
        }
    }

    /// Takes everything that workers give, until they are done, and commits it.
    pub(super) fn run(mut self, done: &Receiver<Done>) -> Result<(), StoreError> {
        loop {
            if !self.early.contains_key(&self.next) {
                match done.recv_timeout(self.patience()) {
                    Ok(given) => {
                        self.early.insert(given.number, given);
                    }
                    Err(RecvTimeoutError::Timeout) => self.commit(false)?,
                    Err(RecvTimeoutError::Disconnected) => return self.commit(true),
                }
            }
            while let Some(given) = self.early.remove(&self.next) {
                self.take(given)?;
            }
        }
    }

    /// How long to wait for more before what waits is committed.
    fn patience(&self) -> Duration {
        match (self.since, self.writer.held()) {
            (None, _) if self.writer.is_waiting() => IDLE,
            (None, _) => Duration::from_secs(3600),
            (Some(_), Some((held, _))) => IDLE.min(HOLD.saturating_sub(held)),
            // The store is open from the beginning of the run: it is not kept from others for a batch that is slow to come.
            (Some(since), None) if self.writer.is_waiting() => IDLE.saturating_sub(since.elapsed()),
            (Some(since), None) => self.options.commit_every.saturating_sub(since.elapsed()),
        }
    }

    fn take(&mut self, given: Done) -> Result<(), StoreError> {
        self.since.get_or_insert_with(Instant::now);
        self.next += 1;
        self.room.turn_to(self.next);
        self.bytes += given.bytes;
        self.weight += given.weight;
        self.records += given.items.iter().map(records).sum::<usize>();
        self.batch.items.extend(given.items);
        self.batch.positions.extend(given.positions);
        if given.commit {
            return self.commit(false);
        }
        let full = self.bytes >= self.options.batch_bytes() || self.weight >= READ_BYTES;
        if full || self.records >= BATCH_RECORDS {
            self.append()?;
        }
        match self.writer.held() {
            Some((held, records)) if held >= HOLD || records >= TRANSACTION_RECORDS => self.commit(false),
            _ => Ok(()),
        }
    }

    fn append(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.items.is_empty() && batch.positions.is_empty() {
            return Ok(());
        }
        self.writer.append(&batch)?;
        drop(batch);
        self.budget.give(self.bytes);
        self.room.give(self.weight);
        (self.bytes, self.weight, self.records) = (0, 0, 0);
        Ok(())
    }

    fn commit(&mut self, last: bool) -> Result<(), StoreError> {
        self.append()?;
        let told = self.writer.commit(last)?;
        (self.committed)(&told);
        self.since = None;
        Ok(())
    }
}
