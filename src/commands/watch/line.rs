//! One poll of one mailbox on a thread of its own, so that a slow server keeps nobody else waiting.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};

use super::super::poll::{Cycle, Cycled};
use crate::config::{Config, MailboxConfig};
use crate::fetch::imap::Tokens;
use crate::pipeline::Progress;
use crate::store::Wait;

/// Polls at once. They share the memory of one, so more would only make each slower.
pub(super) const LINES: usize = 4;
/// A poll without any sign of life for this long is taken for hung: systemd is not told that all is well any more. Every
/// wait of a poll is limited far below.
const HUNG: Duration = Duration::from_secs(30 * 60);
/// How long a poll may take while others wait for a line.
const SHARE: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// A service waits longer for the store than a person: another command may be at work on it.
const STORE_WAIT: Duration = Duration::from_secs(300);

/// What every poll of the service works with.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) config: Arc<Config>,
    pub(super) db: PathBuf,
    pub(super) wait: Duration,
    pub(super) tokens: Arc<Tokens>,
    /// The service shall end.
    pub(super) stop: Arc<AtomicBool>,
    /// Polls that may run at once.
    pub(super) at_once: usize,
}

/// A poll under way.
pub(super) struct Line {
    /// The mailbox.
    pub(super) mailbox: String,
    /// When it began.
    pub(super) began: DateTime<Local>,
    thread: JoinHandle<anyhow::Result<Cycled>>,
    /// Ends it after what is under way.
    stop: Arc<AtomicBool>,
    life: Arc<Life>,
    /// Signs of life when they last moved.
    seen: (u64, Instant),
}

/// Signs of life.
#[derive(Default)]
struct Life {
    progress: Progress,
    beat: AtomicU64,
}

impl Line {
    /// Begins a poll.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn begin(work: Work, mailbox: MailboxConfig) -> std::io::Result<Self> {
        let life = Arc::<Life>::default();
        let (name, signs) = (mailbox.name.clone(), Arc::clone(&life));
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new().spawn(move || {
            let cycle = Cycle {
                config: &work.config,
                db: &work.db,
                // Who gives way to others still waits for the store: what was read must be committed.
                wait: Wait::or_stop(work.wait.max(STORE_WAIT), Arc::clone(&work.stop)),
                command: "watch",
                tokens: &work.tokens,
                progress: &signs.progress,
                stop: &stopping,
                beat: &signs.beat,
                only_again: false,
                at_once: work.at_once,
            };
            cycle.run(&[&mailbox])
        })?;
        Ok(Self { mailbox: name, began: Local::now(), thread, stop, life, seen: (0, Instant::now()) })
    }

    /// Returns whether it shows signs of life.
    pub(super) fn is_alive(&mut self) -> bool {
        let now = self.life.beat.load(Ordering::Relaxed) + self.life.progress.items.load(Ordering::Relaxed);
        if now != self.seen.0 {
            self.seen = (now, Instant::now());
        }
        self.seen.1.elapsed() < HUNG
    }

    /// Asks it to end after what is under way. What is left is for its next poll. Returns whether it was not asked before.
    pub(super) fn stop(&self) -> bool {
        !self.stop.swap(true, Ordering::Relaxed)
    }

    /// Returns whether it has had its share of time, where others wait.
    pub(super) fn is_long(&self, now: DateTime<Local>) -> bool {
        now - self.began > SHARE
    }

    /// Returns whether it has ended.
    pub(super) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Returns what it did.
    ///
    /// # Errors
    /// The store could not be opened or written.
    pub(super) fn end(self) -> anyhow::Result<Cycled> {
        match self.thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("internal error in a poll of `{}`; please report it", self.mailbox),
        }
    }
}
