//! The normal form of delivery evidence: attempts, the messages they belong to, and what a log could not say.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::logs::YearRead;
use super::names::NONE;

/// What one line says about one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// The other side took the message.
    Delivered = 0,
    /// Temporary refusal, or no connection; the message stays in the queue.
    Deferred = 1,
    /// Permanent refusal.
    Bounced = 2,
    /// Given up after the retries.
    Expired = 3,
    /// Refused by the own side before any attempt (suppression list, policy).
    Dropped = 4,
    /// Put off without trying: the queue repeats the last error. No attempt.
    Suspended = 5,
}

impl Status {
    /// Returns its word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::Suspended => "suspended",
        }
    }

    /// Reads the word of the documented table, and the usual other words for it.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "delivered" | "delivery" | "sent" | "success" => Self::Delivered,
            "deferred" | "deferral" | "delayed" | "delay" => Self::Deferred,
            "bounced" | "bounce" | "rejected" => Self::Bounced,
            "expired" => Self::Expired,
            "dropped" | "suppressed" => Self::Dropped,
            "suspended" => Self::Suspended,
            _ => return None,
        })
    }
}

/// How the source address of an attempt is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SourceFrom {
    /// It is not.
    #[default]
    Unknown = 0,
    /// A field of the log.
    Log = 1,
    /// The response names it.
    Response = 2,
    /// The operator said so.
    Operator = 3,
}

/// One attempt (or expiry, or drop) of one message to one recipient. Numbers name rows of [`super::Texts`] and
/// [`super::Responses`].
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Identity: the same line read twice has the same.
    pub key: u64,
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// The recipient: keyed hash of the address.
    pub recipient: u64,
    /// Its domain: number of a text.
    pub recipient_domain: u32,
    /// What happened.
    pub status: Status,
    /// The response: number of a response; [`NONE`] where there was none.
    pub response: u32,
    /// What varies in the response.
    pub vars: Option<Box<str>>,
    /// Host that answered: number of a text; [`NONE`] where unknown.
    pub relay: u32,
    /// The next hop is one's own: a local mailbox, a content filter, a smarthost on a private address.
    pub internal: bool,
    /// Sending address: number of a text; [`NONE`] where unknown.
    pub source: u32,
    /// How it is known.
    pub source_from: SourceFrom,
    /// Retry number as given by the log, from 1; 0 where not given.
    pub retry_no: u16,
    /// Line (or event) in the file, from 1.
    pub line: u32,
}

/// What kind of id a message is known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum IdKind {
    /// Only the queue id is known.
    #[default]
    Queue = 0,
    /// The Message-ID header field.
    Header = 1,
    /// An id of the sending platform.
    Provider = 2,
}

impl IdKind {
    /// Returns its word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Header => "header",
            Self::Provider => "provider",
        }
    }
}

/// One message as the sending system knew it, with the attempts that were read for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Identity of the queue id at its host, or of the platform's message id.
    pub queue_key: u64,
    /// The queue id may be given to another message later (Postfix's short ids).
    pub reusable: bool,
    /// Log host and instance, or the format: number of a text.
    pub system: u32,
    /// Queue id, or the platform's id.
    pub queue_id: Box<str>,
    /// Message-ID without brackets, where it is known.
    pub message_id: Option<Box<str>>,
    /// Kind of the id that people should quote.
    pub id_kind: IdKind,
    /// Domain of the envelope sender: number of a text; [`NONE`] where unknown. Empty for the null sender.
    pub envelope_from: u32,
    /// Campaign, category or tag: number of a text; [`NONE`] where there is none.
    pub campaign: u32,
    /// First line read for it, microseconds UTC.
    pub first_at: i64,
    /// Last line read for it, microseconds UTC.
    pub last_at: i64,
    /// When it left the queue.
    pub removed_at: Option<i64>,
    /// When the queue gave up on the recipients that had no answer yet.
    pub expired_at: Option<i64>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
}

impl Envelope {
    /// An envelope of which nothing but its place is known.
    pub fn new(queue_key: u64, reusable: bool, system: u32, queue_id: Box<str>, at: i64) -> Self {
        Self {
            queue_key,
            reusable,
            system,
            queue_id,
            message_id: None,
            id_kind: IdKind::Queue,
            envelope_from: NONE,
            campaign: NONE,
            first_at: at,
            last_at: at,
            removed_at: None,
            expired_at: None,
            attempts: Vec::new(),
        }
    }

    /// Widens the time that it was seen in.
    pub(crate) fn seen(&mut self, at: i64) {
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
    }
}

/// What a reader hands on, many messages at a time.
#[derive(Debug, Default)]
pub struct Batch {
    /// Messages, each with attempts. A message may come in parts.
    pub envelopes: Vec<Envelope>,
    /// Addresses of recipients, where the operator keeps them.
    pub addresses: Vec<(u64, Box<str>)>,
}

impl Batch {
    /// Returns the number of attempts in it.
    pub fn attempts(&self) -> usize {
        self.envelopes.iter().map(|envelope| envelope.attempts.len()).sum()
    }
}

/// Most shapes of lines that are told apart; the rest are counted together.
const MAX_SHAPES: usize = 500;

/// What became of the lines of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Lines or events looked at.
    pub lines: u64,
    /// Lines that carry evidence and were read.
    pub understood: u64,
    /// Lines of known kinds that carry no evidence.
    pub ignored: u64,
    /// Lines of other programs, by program.
    pub other_programs: BTreeMap<String, u64>,
    /// Lines not understood, by shape, with the number of the first one.
    pub unknown: FxHashMap<String, (u64, u64)>,
    /// Lines that end too early: the syslog limit, or the end of a file.
    pub cut: u64,
    /// Address probes: no mail was sent.
    pub probes: u64,
    /// Complaint events.
    pub complaints: u64,
    /// Stamps that lie more than a minute before the one before them, on the same host.
    pub clock_steps: u64,
    /// Stamps without a zone in the hour that a change of summer time repeats or skips.
    pub ambiguous_times: u64,
    /// Offsets (seconds east) of the stamps that have one, with their number.
    pub offsets: BTreeMap<i32, u64>,
    /// Stamps that have none.
    pub zoneless: u64,
    /// Stamps of 29 February in a year that has no such day.
    pub no_such_day: u64,
    /// The year that stamps without one were read in, where there are any.
    pub year: Option<YearRead>,
    /// Attempts at one's own next hop.
    pub internal: u64,
    /// Bytes that are not UTF-8 were replaced in this many texts.
    pub bad_utf8: u64,
    /// Expiries of messages none of whose recipients were seen in the same file.
    pub expired_unseen: u64,
    /// Damage that ended the file early.
    pub damage: Option<String>,
    /// Attempts read.
    pub attempts: u64,
    /// First and last attempt, microseconds UTC.
    pub span: Option<(i64, i64)>,
}

impl Counts {
    /// Counts a line that was not understood.
    pub(crate) fn unknown_shape(&mut self, shape: String, line: u64) {
        let full = self.unknown.len() >= MAX_SHAPES;
        let shape = if full && !self.unknown.contains_key(&shape) { "other".to_owned() } else { shape };
        let entry = self.unknown.entry(shape).or_insert((0, line));
        entry.0 += 1;
        entry.1 = entry.1.min(line);
    }

    /// Returns the number of lines not understood.
    pub fn unknown_lines(&self) -> u64 {
        self.unknown.values().map(|(count, _)| count).sum()
    }

    /// Counts a program whose lines were passed over.
    pub(crate) fn other_program(&mut self, program: &str, lines: u64) {
        let full = self.other_programs.len() >= MAX_SHAPES;
        let name = if full && !self.other_programs.contains_key(program) { "other" } else { program };
        *self.other_programs.entry(name.to_owned()).or_default() += lines;
    }

    /// Notes an attempt.
    pub(crate) fn attempt(&mut self, attempt: &Attempt) {
        let at = attempt.at;
        self.attempts += 1;
        self.internal += u64::from(attempt.internal);
        self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }

    /// Adds the counts of the lines after these; their line numbers begin after `self.lines`.
    pub fn append(&mut self, next: Self) {
        let before = self.lines;
        for (shape, (count, line)) in next.unknown {
            let full = self.unknown.len() >= MAX_SHAPES && !self.unknown.contains_key(&shape);
            let entry = self.unknown.entry(if full { "other".to_owned() } else { shape }).or_insert((0, before + line));
            entry.0 += count;
        }
        for (program, lines) in next.other_programs {
            self.other_program(&program, lines);
        }
        for (offset, lines) in next.offsets {
            *self.offsets.entry(offset).or_default() += lines;
        }
        self.bytes += next.bytes;
        self.lines += next.lines;
        self.understood += next.understood;
        self.ignored += next.ignored;
        self.cut += next.cut;
        self.probes += next.probes;
        self.complaints += next.complaints;
        self.clock_steps += next.clock_steps;
        self.ambiguous_times += next.ambiguous_times;
        self.zoneless += next.zoneless;
        self.no_such_day += next.no_such_day;
        self.internal += next.internal;
        self.year = self.year.take().or(next.year);
        self.bad_utf8 += next.bad_utf8;
        self.expired_unseen += next.expired_unseen;
        self.attempts += next.attempts;
        self.damage = self.damage.take().or(next.damage);
        self.span = match (self.span, next.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }
}
