//! Joins fetch → unpack → parse → store: a feeder, a pool of workers, one writer, and the order of shutdown.
//!
//! Items are numbered as they are fed, read in parallel, and committed in their order, so that which of two equal
//! reports is the first does not depend on the machine. Bytes in flight are bounded: whoever feeds waits.

mod assembly;
mod budget;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::fetch::Item;
use crate::store::{Committed, Counts, Found, MailboxPosition, ReadItem, Store, StoreError, Writer};
use crate::unpack::Limits;
use assembly::Assembly;
use budget::{Budget, Closing};
pub use read::ItemReader;
pub(crate) use read::{content_hash, refused_hash};

/// How a pipeline is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What strangers may make it do.
    pub limits: Limits,
    /// Threads that read items.
    pub workers: usize,
    /// Longest time that read items wait for their commit.
    pub commit_every: Duration,
    /// Bytes of items fed and not yet taken by the writer.
    in_flight: u64,
}

/// Bytes in flight, unless several runs share them.
const IN_FLIGHT: u64 = 18 << 20;
/// Bytes of memory that reports may take between their reading and their rows, for the whole run and for each worker. Honest mail
/// takes a tenth of it; a report that takes more waits for its turn, and goes on alone.
const READ_BYTES: u64 = 32 << 20;
/// Bytes of that which a worker takes at once.
const READ_STEP: u64 = 256 << 10;
/// Bytes and items of one hand-over to a worker: enough to make waking it worth while.
const JOB_BYTES: u64 = 256 << 10;
const JOB_ITEMS: usize = 64;

impl Options {
    /// Uses every core, and commits at least every ten seconds.
    pub fn new(limits: &Limits) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self { limits: limits.clone(), workers, commit_every: Duration::from_secs(10), in_flight: IN_FLIGHT }
    }

    /// Takes one of `runs` equal shares of the bytes in flight and of the cores, where so many run side by side.
    #[must_use]
    pub fn share(mut self, runs: usize) -> Self {
        let runs = runs.max(1);
        self.in_flight = IN_FLIGHT / runs as u64;
        self.workers = (self.workers / runs).max(1);
        self
    }

    /// Bytes of items that make a batch of the writer: less than half of those in flight, so that reading goes on meanwhile.
    const fn batch_bytes(&self) -> u64 {
        self.in_flight / 9 * 4
    }
}

/// How far a run is, for a progress display. Written by the pipeline, read by anybody.
#[derive(Debug, Default)]
pub struct Progress {
    /// Items read.
    pub items: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    /// Records read.
    pub records: AtomicU64,
    /// Set from outside to end the run after what is in flight.
    pub stop: Arc<AtomicBool>,
}

/// Why a run ended early. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError<E: std::error::Error + 'static> {
    /// Items could not be fetched.
    #[error(transparent)]
    Fetch(E),
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has a limit on threads.
    #[error("the system gives no more threads: raise its limit (TasksMax= of a service, ulimit -u)")]
    Threads,
    /// Somebody asked for the end.
    #[error("interrupted: {items} items are in the store, run the same command again to complete it")]
    Interrupted {
        /// Items committed.
        items: u64,
    },
}

/// What workers are given.
struct Job {
    number: u64,
    items: Vec<Item>,
    positions: Vec<MailboxPosition>,
    bytes: u64,
    /// Whoever fed it waits for its commit.
    commit: bool,
}

/// What workers give back.
struct Done {
    number: u64,
    items: Vec<ReadItem>,
    positions: Vec<MailboxPosition>,
    bytes: u64,
    /// Memory of its reports, bytes.
    weight: u64,
    commit: bool,
}

/// Nothing more is taken: the run is being stopped, or the writer has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run is ending")]
pub struct Ending;

/// Takes items from whoever fetches them.
pub struct Feeder<'a> {
    jobs: Sender<Job>,
    budget: &'a Budget,
    /// Bytes that the largest item takes of the budget.
    most: u64,
    progress: &'a Progress,
    job: Job,
}

impl<'a> Feeder<'a> {
    /// Hands over an item; waits while too much is in flight.
    ///
    /// # Errors
    /// The run is ending: feed no more.
    pub fn item(&mut self, item: Item) -> Result<(), Ending> {
        // An item costs at least its ledger row.
        let cost = item.size().clamp(1 << 10, self.most);
        if !self.job.items.is_empty() && (self.job.bytes + cost > JOB_BYTES || self.job.items.len() == JOB_ITEMS) {
            self.hand_over()?;
        }
        if self.progress.stop.load(Ordering::Relaxed) {
            return Err(Ending);
        }
        self.job.bytes += cost;
        self.job.items.push(item);
        Ok(())
    }

    /// Returns the flag that ends the run when it is set, for those that wait for something before they feed.
    pub fn stop(&self) -> &'a AtomicBool {
        &self.progress.stop
    }

    /// Says that every item of a folder up to a UID has been handed over: the position moves there with their commit.
    pub fn position(&mut self, position: MailboxPosition) {
        self.job.positions.push(position);
    }

    /// Hands over what has gathered and has it committed at once, with all that was handed over before.
    ///
    /// # Errors
    /// The run is ending: feed no more.
    pub fn commit(&mut self) -> Result<(), Ending> {
        self.job.commit = true;
        self.hand_over()
    }

    /// Hands over what has gathered, without waiting for more.
    ///
    /// # Errors
    /// The run is ending: feed no more.
    pub fn hand_over(&mut self) -> Result<(), Ending> {
        if self.job.items.is_empty() && self.job.positions.is_empty() && !self.job.commit {
            return Ok(());
        }
        if !self.budget.take(self.job.bytes) {
            return Err(Ending);
        }
        let next =
            Job { number: self.job.number + 1, items: Vec::new(), positions: Vec::new(), bytes: 0, commit: false };
        let job = std::mem::replace(&mut self.job, next);
        self.jobs.send(job).map_err(|_| Ending)
    }
}

/// Runs one import, fetch or retry to its end: feeds, reads, commits, and ends the run in the store.
///
/// Returns what was done, and the store, still open for writing, for what must be done after a run.
///
/// `begin` opens the store and begins the run, on the writer's thread: reading starts meanwhile. `committed` is told of
/// every item once it is in the store, in order, on the writer's thread.
///
/// # Errors
/// Fetching failed, the store failed, or `progress.stop` was set. All that was committed stays.
pub fn run<E: std::error::Error + Send + 'static>(
    begin: impl FnOnce() -> Result<Writer, StoreError> + Send,
    options: &Options,
    progress: &Progress,
    feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), E> + Send,
    committed: &mut (dyn FnMut(&[Committed]) + Send),
) -> Result<(Counts, Store), PipelineError<E>> {
    let budget = Budget::new(options.in_flight);
    let room = Budget::new(READ_BYTES * (options.workers as u64 + 1));
    let (jobs, taken) = crossbeam_channel::unbounded::<Job>();
    let (given, done) = crossbeam_channel::unbounded::<Done>();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.workers.max(1) + 1).build();
    let Ok(pool) = pool else {
        return Err(PipelineError::Threads);
    };
    let (fed, written) = pool.in_place_scope(|scope| {
        let (result, outcome) = crossbeam_channel::bounded(1);
        let (budget, room) = (&budget, &room);
        scope.spawn(move |_| {
            // However it ends: whoever feeds may be waiting for room that will never come.
            let _closing = [budget, room].map(|budget| budget.closing(Closing::Always));
            let mut writer = begin();
            let written = match &mut writer {
                Ok(writer) => Assembly::new(writer, options, budget, room, committed).run(&done),
                Err(_) => Ok(()),
            };
            result.send((writer, written)).ok();
        });
        for _ in 0..options.workers.max(1) {
            let (taken, given) = (taken.clone(), given.clone());
            scope.spawn(move |_| {
                // The scope passes a panic on once everybody has ended.
                let _closing = [budget, room].map(|budget| budget.closing(Closing::OnPanic));
                work(&options.limits, progress, room, &taken, &given);
            });
        }
        drop((taken, given));
        let job = Job { number: 0, items: Vec::new(), positions: Vec::new(), bytes: 0, commit: false };
        let mut feeder = Feeder { jobs, budget, most: options.in_flight / 2, progress, job };
        let fed = feed(&mut feeder);
        feeder.hand_over().ok();
        drop(feeder);
        (fed, outcome.recv())
    });
    // The writer's thread always sends, unless it panicked; then the scope has passed the panic on.
    let Ok((writer, written)) = written else {
        return Err(PipelineError::Interrupted { items: 0 });
    };
    let writer = writer?;
    let result = match (fed, written) {
        (_, Err(error)) => Err(PipelineError::Store(error)),
        (Err(error), Ok(())) => Err(PipelineError::Fetch(error)),
        (Ok(()), Ok(())) if progress.stop.load(Ordering::Relaxed) => {
            Err(PipelineError::Interrupted { items: writer.counts().items })
        }
        (Ok(()), Ok(())) => Ok(()),
    };
    let said = result.as_ref().err().map(ToString::to_string);
    let ended = writer.end(said.as_deref());
    result?;
    Ok(ended?)
}

fn work(limits: &Limits, progress: &Progress, room: &Budget, jobs: &Receiver<Job>, given: &Sender<Done>) {
    let mut reader = ItemReader::new(limits);
    for job in jobs {
        let mut items = Vec::with_capacity(job.items.len());
        // What the items read so far take, and what was taken of the room for them.
        let (mut weight, mut held) = (0, 0);
        for item in job.items {
            let size = item.size();
            let mut of_item = 0;
            let read = reader.read_watched(item, &mut |now| {
                of_item = now;
                let more = (weight + now).saturating_sub(held).next_multiple_of(READ_STEP);
                // Where the run is ending, nobody waits any more.
                if more > 0 && room.take_in_turn(more, job.number) {
                    held += more;
                }
            });
            weight += of_item;
            progress.items.fetch_add(1, Ordering::Relaxed);
            progress.bytes.fetch_add(size, Ordering::Relaxed);
            progress.records.fetch_add(records(&read) as u64, Ordering::Relaxed);
            items.push(read);
        }
        room.give(held.saturating_sub(weight));
        let Job { number, positions, bytes, commit, .. } = job;
        let done = Done { number, items, positions, bytes, weight: weight.min(held), commit };
        if given.send(done).is_err() {
            return;
        }
    }
}

/// Returns the records of an item's reports.
fn records(item: &ReadItem) -> usize {
    let each = item.documents.iter().map(|document| match &document.found {
        Found::Report { report, .. } => report.records.len(),
        _ => 0,
    });
    each.sum()
}
