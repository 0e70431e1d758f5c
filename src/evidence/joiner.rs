//! Lines of a queue → messages with their attempts: a queue id is held open until its message leaves the queue.

use rustc_hash::FxHashMap;

use super::answers::{Answers, HostAnswer};
use super::attempt::{Attempt, Batch, Counts, Envelope, IdKind};
use super::names::{NONE, Texts};
use super::stamp::SECOND;

/// Attempts that are held for messages still in the queue; above it everything is handed on and the store joins the parts.
const MAX_HELD: usize = 300_000;
/// Attempts of a batch.
const BATCH: usize = 50_000;

/// A queue id, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueueId {
    length: u8,
    bytes: [u8; 23],
}

impl QueueId {
    /// Takes an id of at most 23 bytes (Exim's longest; Postfix's long ids stay below).
    pub(crate) fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; 23];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { length: u8::try_from(id.len()).ok()?, bytes })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// What one line says.
#[derive(Debug)]
pub(crate) enum What {
    /// The Message-ID of the message.
    MessageId(Box<str>),
    /// The domain of the envelope sender.
    Sender(u32),
    /// An attempt for one recipient.
    Attempt(Attempt),
    /// A host's answer to recipients who are named in lines after it.
    Host(Box<HostAnswer>),
    /// The queue gave up.
    Expired,
    /// The message left the queue.
    Removed,
}

/// One line of a queue.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) system: u32,
    pub(crate) queue: QueueId,
    pub(crate) at: i64,
    /// Line in its run, from 1.
    pub(crate) line: u32,
    /// Process that wrote the line, where it writes all lines of a run; else 0.
    pub(crate) process: u32,
    pub(crate) what: What,
}

/// What a worker makes of a run of lines.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
    pub(crate) counts: Counts,
    pub(crate) addresses: Vec<(u64, Box<str>)>,
    /// First and last stamp of each log host.
    pub(crate) clocks: Vec<(u32, i64, i64)>,
}

/// Which queue ids a system may give again.
pub(crate) type Reusable = fn(&QueueId) -> bool;

/// Joins the lines of one file.
pub(crate) struct Joiner<'a> {
    texts: &'a Texts,
    reusable: Reusable,
    open: FxHashMap<(u32, QueueId), Open>,
    systems: FxHashMap<u32, blake3::Hasher>,
    clocks: FxHashMap<u32, i64>,
    held: usize,
    batch: Batch,
    ready: usize,
    pub(crate) counts: Counts,
}

struct Open {
    envelope: Envelope,
    answers: Answers,
}

impl<'a> Joiner<'a> {
    pub(crate) fn new(texts: &'a Texts, reusable: Reusable) -> Self {
        Self {
            texts,
            reusable,
            open: FxHashMap::default(),
            systems: FxHashMap::default(),
            clocks: FxHashMap::default(),
            held: 0,
            batch: Batch::default(),
            ready: 0,
            counts: Counts::default(),
        }
    }

    /// Takes one run of lines, in the order of the file; `sink` gets what is complete.
    pub(crate) fn take<E>(&mut self, run: Events, sink: &mut dyn FnMut(Batch) -> Result<(), E>) -> Result<(), E> {
        let Events { events, counts, mut addresses, clocks } = run;
        let base = u32::try_from(self.counts.lines).unwrap_or(u32::MAX);
        for (host, first, last) in clocks {
            if self.clocks.get(&host).is_some_and(|before| first < before - 60 * SECOND) {
                self.counts.clock_steps += 1;
            }
            self.clocks.insert(host, last);
        }
        for event in events {
            self.event(event, base);
        }
        self.counts.append(counts);
        self.batch.addresses.append(&mut addresses);
        if self.held > MAX_HELD {
            self.close_all();
        }
        if self.ready >= BATCH { self.hand_on(sink) } else { Ok(()) }
    }

    /// Ends the file: what is still in the queue is handed on as it is.
    pub(crate) fn finish<E>(mut self, sink: &mut dyn FnMut(Batch) -> Result<(), E>) -> Result<Counts, E> {
        self.close_all();
        self.hand_on(sink)?;
        Ok(self.counts)
    }

    fn event(&mut self, event: Event, base: u32) {
        let Event { system, queue, at, line, process, what } = event;
        let place = (system, queue);
        if let What::MessageId(id) = &what
            && let Some(open) = self.open.get(&place)
            && (self.reusable)(&queue)
            && open.envelope.message_id.as_ref().is_some_and(|known| known != id)
        {
            // Another Message-ID under the same queue id: the log lost the end of the message before.
            self.close(&place);
        }
        let open = match self.open.entry(place) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let hasher = self.systems.entry(system).or_insert_with(|| {
                    let mut hasher = blake3::Hasher::new();
                    hasher.update(b"queue\0");
                    hasher.update(self.texts.text(system).unwrap_or_default().as_bytes());
                    hasher.update(b"\0");
                    hasher
                });
                let mut hasher = hasher.clone();
                hasher.update(queue.bytes());
                let id = String::from_utf8_lossy(queue.bytes()).into_owned().into_boxed_str();
                free.insert(Open {
                    envelope: Envelope::new(first_64(&hasher), (self.reusable)(&queue), system, id, at),
                    answers: Answers::default(),
                })
            }
        };
        open.envelope.seen(at);
        match what {
            What::MessageId(id) => {
                open.envelope.message_id = Some(id);
                open.envelope.id_kind = IdKind::Header;
            }
            What::Sender(domain) => {
                if open.envelope.envelope_from == NONE {
                    open.envelope.envelope_from = domain;
                }
            }
            What::Host(mut answer) => {
                answer.attempt.line = base.saturating_add(line);
                open.answers.host(*answer, process, self.texts);
            }
            What::Attempt(mut attempt) => {
                attempt.line = base.saturating_add(line);
                let before = open.answers.recipient(&mut attempt, process, open.envelope.queue_key, self.texts);
                attempt.key = attempt_key(open.envelope.queue_key, &attempt);
                for attempt in before.into_iter().chain([attempt]) {
                    self.counts.attempt(&attempt);
                    self.held += 1;
                    open.envelope.attempts.push(attempt);
                }
            }
            What::Expired => {
                open.envelope.expired_at = Some(at);
                self.counts.expired_unseen += u64::from(open.envelope.attempts.is_empty());
            }
            What::Removed => {
                open.envelope.removed_at = Some(at);
                self.close(&place);
            }
        }
    }

    fn close(&mut self, place: &(u32, QueueId)) {
        if let Some(open) = self.open.remove(place) {
            self.ready(open.envelope);
        }
    }

    fn close_all(&mut self) {
        for (_, open) in std::mem::take(&mut self.open) {
            self.ready(open.envelope);
        }
        self.held = 0;
    }

    fn ready(&mut self, envelope: Envelope) {
        self.held = self.held.saturating_sub(envelope.attempts.len());
        // Mail that left without an attempt seen here, or of which nothing is known, tells nothing. An expiry does.
        let tells = !envelope.attempts.is_empty()
            || envelope.expired_at.is_some()
            || envelope.removed_at.is_none() && (envelope.message_id.is_some() || envelope.envelope_from != NONE)
            || envelope.removed_at.is_some() && envelope.reusable && envelope.message_id.is_none();
        if tells {
            self.ready += envelope.attempts.len() + 1;
            self.batch.envelopes.push(envelope);
        }
    }

    fn hand_on<E>(&mut self, sink: &mut dyn FnMut(Batch) -> Result<(), E>) -> Result<(), E> {
        self.ready = 0;
        sink(std::mem::take(&mut self.batch))
    }
}

/// The identity of an attempt: message, recipient, second and status. Fractions are left out, so that the same event is the
/// same whether syslog or the journal wrote it.
pub(crate) fn attempt_key(queue_key: u64, attempt: &Attempt) -> u64 {
    let second = attempt.at.div_euclid(SECOND).cast_unsigned();
    [attempt.recipient, second, attempt.status as u64].into_iter().fold(queue_key, mix)
}

/// A fixed mixing step (the finaliser of SplitMix64): the store keeps its results, so it must never change.
pub(crate) fn mix(state: u64, value: u64) -> u64 {
    let mut z = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(value).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The first 64 bits of a hash.
pub(crate) fn first_64(hasher: &blake3::Hasher) -> u64 {
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_be_bytes(first)
}
