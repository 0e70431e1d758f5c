//! One cycle over mailboxes: every mailbox polled side by side into one run of the pipeline. `fetch` does one, `watch` many.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use crossbeam_channel::{Receiver, Sender};

use crate::config::{Config, MailboxConfig};
use crate::fetch::imap::{self, CommittedKind, MailboxPoll, Poll, Position, Pulse, Remembered, SinkClosed, Tokens};
use crate::fetch::{Item, Origin};
use crate::pipeline::{self, Feeder, Options, PipelineError, Progress};
use crate::senders;
use crate::store::{
    Access, Committed, Counts, MailboxMemory, MailboxPosition, Outcome, PollEnd, Store, StoreError, Wait, Writer,
    record_polls, sum_records,
};

/// What a cycle needs.
pub(super) struct Cycle<'a> {
    pub(super) config: &'a Config,
    pub(super) db: &'a Path,
    pub(super) wait: Wait,
    /// The command, for the run's row.
    pub(super) command: &'static str,
    pub(super) tokens: &'a Tokens,
    pub(super) progress: &'a Progress,
    /// Ends the cycle after what is under way.
    pub(super) stop: &'a AtomicBool,
    /// Signs of life, for a watchdog.
    pub(super) beat: &'a AtomicU64,
    /// Asks only for mails that were refused before.
    pub(super) only_again: bool,
    /// Cycles that may run at once in this process, and share the memory of one.
    pub(super) at_once: usize,
}

/// What a cycle did.
pub(super) struct Cycled {
    pub(super) counts: Counts,
    pub(super) polls: Vec<MailboxPoll>,
}

impl Cycle<'_> {
    /// Polls the mailboxes, and writes down how each poll ended.
    pub(super) fn run(&self, mailboxes: &[&MailboxConfig]) -> anyhow::Result<Cycled> {
        let begun = Utc::now();
        let mail_bytes = |account: &str| self.config.mail_bytes(account);
        let memory = Memory(MailboxMemory::read(self.db, self.wait.clone(), mail_bytes)?);
        let mut told: HashMap<&str, Sender<imap::Committed>> = HashMap::new();
        let mut lines: Vec<(&MailboxConfig, Receiver<imap::Committed>)> = Vec::new();
        for mailbox in mailboxes {
            let (sender, receiver) = crossbeam_channel::unbounded();
            if mailbox.tidies() {
                told.insert(&mailbox.name, sender);
            }
            lines.push((mailbox, receiver));
        }
        let mut polls = Vec::new();
        let feed = |feeder: &mut Feeder<'_>| {
            polls = self.polls(feeder, &memory, &lines);
            Ok::<(), Infallible>(())
        };
        let options = Options::new(&self.config.limits).share(self.at_once);
        let mut tell = |batch: &[Committed]| {
            for one in batch {
                tell(&told, one);
            }
        };
        // Logging in and beginning the run take their time side by side.
        let begun_run = AtomicBool::new(false);
        let begin = || {
            let writer = Writer::begin(self.db, self.wait.clone(), self.command)?;
            begun_run.store(true, Ordering::Relaxed);
            Ok(writer)
        };
        let run = pipeline::run(begin, &options, self.progress, feed, &mut tell);
        let (counts, store) = match run {
            Ok((counts, store)) => (Ok(counts), store),
            // Where no run could begin, the end of a poll cannot be written down either.
            Err(error) if !begun_run.load(Ordering::Relaxed) => return Err(error.into()),
            // Nor in another store than the one of the run, nor in one made for it.
            Err(error @ PipelineError::Store(StoreError::Replaced { .. })) => return Err(error.into()),
            Err(error) => match Store::open(self.db, Access::Write, self.wait.clone()) {
                Ok(store) => (Err(error), store),
                // The first error is the one to tell.
                Err(_) => return Err(error.into()),
            },
        };
        let ends = ends(mailboxes, &polls, &memory, begun, counts.as_ref().err());
        let whole: Vec<&str> = polls
            .iter()
            .filter(|poll| poll.error.is_none() && !poll.stopped && !poll.folders.is_empty())
            .map(|poll| poll.mailbox.as_str())
            .collect();
        record_polls(&store, &ends, if counts.is_ok() { &whole } else { &[] })?;
        let counts = counts?;
        if counts.reports_stored > 0 {
            senders::attribute(&store, self.config, Utc::now().date_naive())?;
            sum_records(&store);
        }
        Ok(Cycled { counts, polls })
    }

    /// Polls the mailboxes side by side, each on a thread of its own.
    fn polls(
        &self,
        feeder: &mut Feeder<'_>,
        memory: &Memory,
        lines: &[(&MailboxConfig, Receiver<imap::Committed>)],
    ) -> Vec<MailboxPoll> {
        let feeder = Mutex::new(feeder);
        let poll = |mailbox: &MailboxConfig, commits: &Receiver<imap::Committed>| {
            let mut sink = Sink(&feeder);
            let pulse = Pulse { stop: self.stop, beat: self.beat };
            let (limits, tokens, only_again) = (&self.config.limits, self.tokens, self.only_again);
            Poll { mailbox, limits, tokens, remembered: memory, sink: &mut sink, commits, pulse, only_again }.run()
        };
        std::thread::scope(|scope| {
            let poll = &poll;
            let threads: Vec<_> =
                lines.iter().map(|(mailbox, commits)| scope.spawn(move || poll(mailbox, commits))).collect();
            // A poll catches its own panics; what is left would be a defect of this program, and is told as such.
            let ends = threads.into_iter().zip(lines);
            ends.map(|(thread, (mailbox, _))| thread.join().unwrap_or_else(|_| MailboxPoll::lost(&mailbox.name)))
                .collect()
        })
    }

    /// Asks servers again for the mails that they refused before, into a pipeline that runs already; for `retry`.
    pub(super) fn ask_again(&self, feeder: &mut Feeder<'_>, memory: MailboxMemory) -> Vec<MailboxPoll> {
        let asked = self.config.mailbox.iter().filter(|mailbox| memory.has_refused(&mailbox.name));
        let lines: Vec<_> = asked.map(|mailbox| (mailbox, crossbeam_channel::never())).collect();
        self.polls(feeder, &Memory(memory), &lines)
    }
}

fn tell(told: &HashMap<&str, Sender<imap::Committed>>, one: &Committed) {
    let Origin::Mailbox { account, folder, uid_validity, uid } = &one.origin else { return };
    let Some(sender) = told.get(account.as_str()) else { return };
    // A poll that has ended does not listen any more; what it would have done is left to the next one.
    let _ = sender.send(imap::Committed {
        account: account.clone(),
        folder: folder.clone(),
        uid_validity: *uid_validity,
        uid: *uid,
        kind: kind(one.outcome, one.refused),
    });
}

fn kind(outcome: Outcome, refused: bool) -> CommittedKind {
    match outcome {
        _ if refused => CommittedKind::Refused,
        Outcome::Stored => CommittedKind::Report,
        Outcome::Duplicate => CommittedKind::Duplicate,
        Outcome::FailureReport | Outcome::TlsReport | Outcome::NotAReport => CommittedKind::NoReport,
        Outcome::Rejected | Outcome::Conflict => CommittedKind::Rejected,
    }
}

/// How each folder's poll ended. A mailbox that could not be polled at all says so for each of its folders, known or
/// configured.
fn ends(
    mailboxes: &[&MailboxConfig],
    polls: &[MailboxPoll],
    memory: &Memory,
    at: DateTime<Utc>,
    failed: Option<&PipelineError<Infallible>>,
) -> Vec<PollEnd> {
    let mut ends = Vec::new();
    for (mailbox, poll) in mailboxes.iter().zip(polls) {
        let whole = failed.map(ToString::to_string).or_else(|| poll.error.clone());
        if poll.stopped && whole.is_none() {
            continue;
        }
        let end = |folder: &str, error: Option<String>| PollEnd {
            account: mailbox.name.clone(),
            folder: folder.to_owned(),
            at,
            error,
        };
        if poll.folders.is_empty() {
            let known = memory.0.folders(&mailbox.name);
            let all = if known.is_empty() { mailbox.folders.iter().map(String::as_str).collect() } else { known };
            ends.extend(all.into_iter().map(|folder| end(folder, whole.clone())));
        }
        ends.extend(poll.folders.iter().map(|folder| {
            // Refusals of single messages are in the ledger; the poll itself went through.
            let error = folder.failed.then(|| folder.errors.last().cloned()).flatten();
            end(&folder.folder, whole.clone().or(error))
        }));
    }
    ends
}

/// The pipeline, as mailboxes see it.
struct Sink<'m, 'f, 'b>(&'m Mutex<&'f mut Feeder<'b>>);

impl imap::Sink for Sink<'_, '_, '_> {
    fn item(&mut self, item: Item) -> Result<(), SinkClosed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).item(item).map_err(|_| SinkClosed)
    }

    fn position(&mut self, position: Position) {
        let Position { account, folder, uid_validity, last_uid } = position;
        let position = MailboxPosition { account, folder, uid_validity, last_uid };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).position(position);
    }

    fn flush(&mut self) -> Result<(), SinkClosed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).commit().map_err(|_| SinkClosed)
    }
}

/// The store's memory, as mailboxes see it.
pub(super) struct Memory(pub(super) MailboxMemory);

impl Remembered for Memory {
    fn position(&self, account: &str, folder: &str) -> Option<Position> {
        let MailboxPosition { account, folder, uid_validity, last_uid } = self.0.position(account, folder)?.clone();
        Some(Position { account, folder, uid_validity, last_uid })
    }

    fn kinds(
        &self,
        account: &str,
        folder: &str,
        uid_validity: u32,
        uids: &[u32],
    ) -> Result<Vec<(u32, CommittedKind)>, String> {
        let outcomes = self.0.outcomes(account, folder, uid_validity, uids).map_err(|error| error.to_string())?;
        let mut kinds: HashMap<u32, (Outcome, bool)> = HashMap::new();
        for (uid, outcome, refused) in outcomes {
            let (worst, never_taken) = kinds.entry(uid).or_insert((outcome, false));
            if outcome.weight() < worst.weight() {
                *worst = outcome;
            }
            *never_taken |= refused;
        }
        Ok(kinds.into_iter().map(|(uid, (outcome, refused))| (uid, kind(outcome, refused))).collect())
    }

    fn refused(&self, account: &str, folder: &str, uid_validity: u32) -> Vec<u32> {
        self.0.refused(account, folder, uid_validity).to_vec()
    }
}
