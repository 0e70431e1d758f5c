//! The bookkeeping of one folder's download: what is still wanted, what arrived, what is refused, how far the position may
//! move. Shared by the connections that download the folder; knows nothing of the wire.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Utc};

use super::error::{Fault, ImapError};
use super::{Position, Sink};
use crate::fetch::{Content, Item, Origin, Refusal};

/// Messages of one FETCH. More gains nothing (measured), fewer cost round trips.
const BATCH_MAILS: usize = 200;
/// Bytes of one FETCH.
const BATCH_BYTES: u64 = 2 << 20;
/// What a message of unknown size counts for: some of them make a batch.
const UNKNOWN_BYTES: u64 = 128 << 10;
/// How often a connection may break at a message before the message counts as refused.
const STRIKES: u8 = 2;

/// A message that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// UID.
    pub(super) uid: u32,
    /// RFC822.SIZE, bytes; `None` where the server says none.
    pub(super) size: Option<u32>,
}

impl Wanted {
    /// Returns the bytes that it is counted with.
    fn bytes(&self) -> u64 {
        self.size.map_or(UNKNOWN_BYTES, u64::from)
    }
}

/// The messages of one FETCH, ascending.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// The messages.
    pub(super) wanted: Vec<Wanted>,
    /// Asked again after an earlier poll recorded them as refused.
    pub(super) again: bool,
}

impl Batch {
    /// Returns the announced bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.wanted.iter().map(Wanted::bytes).sum()
    }
}

/// Counts of one folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Messages that arrived.
    pub(super) mails: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Messages over the limit, recorded without their bytes.
    pub(super) over_limit: u64,
    /// Messages that the server refuses to give, recorded.
    pub(super) refused: u64,
    /// Messages whose size was announced wrongly.
    pub(super) wrong_sizes: u64,
}

/// One folder's download.
pub(super) struct Haul<'s> {
    account: &'s str,
    folder: &'s str,
    uid_validity: u32,
    mail_bytes: u64,
    sink: &'s mut dyn Sink,
    queue: VecDeque<Wanted>,
    singles: VecDeque<Wanted>,
    again: VecDeque<Wanted>,
    /// Did not come with others, though the server says OK: looked for when nothing else is under way.
    doubtful: Vec<Wanted>,
    /// Did not come although asked for alone; asked for once more when nothing else is under way.
    late: VecDeque<Wanted>,
    tracker: Tracker,
    strikes: HashMap<u32, u8>,
    /// Refused, but not yet told to the store.
    held: Vec<(Wanted, String)>,
    /// Every refusal and oddity of this poll, for the answer.
    pub(super) errors: Vec<ImapError>,
    /// Refused in an earlier poll, and in this one again.
    pub(super) still: Vec<ImapError>,
    pub(super) counts: Counts,
    /// UIDs handed over, whose commits are to be waited for.
    pub(super) handed: Vec<u32>,
}

impl<'s> Haul<'s> {
    /// `list`: everything above the position, ascending. `span`: the position, and the highest UID given out when the list
    /// was made.
    pub(super) fn new(
        place: (&'s str, &'s str, u32),
        list: Vec<Wanted>,
        span: (u32, u32),
        mail_bytes: u64,
        sink: &'s mut dyn Sink,
    ) -> Self {
        let (account, folder, uid_validity) = place;
        let tracker = Tracker::new(list.iter().map(|wanted| wanted.uid).collect(), span);
        Self {
            account,
            folder,
            uid_validity,
            mail_bytes,
            sink,
            queue: list.into(),
            singles: VecDeque::new(),
            again: VecDeque::new(),
            doubtful: Vec::new(),
            late: VecDeque::new(),
            tracker,
            strikes: HashMap::new(),
            held: Vec::new(),
            errors: Vec::new(),
            still: Vec::new(),
            counts: Counts::default(),
            handed: Vec::new(),
        }
    }

    /// Adds messages that earlier polls recorded as refused; they are asked for last, and only once.
    pub(super) fn ask_again(&mut self, uids: Vec<u32>) {
        self.again.extend(uids.into_iter().map(|uid| Wanted { uid, size: None }));
    }

    /// Records the messages over the limit, so that they are never asked for.
    pub(super) fn take_out_large(&mut self) -> Result<(), Fault> {
        let limit = self.mail_bytes;
        let (large, queue): (VecDeque<Wanted>, _) =
            self.queue.iter().partition(|wanted| wanted.size.is_some_and(|size| u64::from(size) > limit));
        self.queue = queue;
        for wanted in large {
            self.over_limit(wanted.uid, wanted.bytes())?;
        }
        self.advance();
        Ok(())
    }

    /// Records one message over the limit.
    fn over_limit(&mut self, uid: u32, bytes: u64) -> Result<(), Fault> {
        let fault = Fault::TooLarge { bytes, limit: self.mail_bytes, uid: None };
        let reason = fault.to_string();
        self.errors.push(fault.at(self.account, Some(self.folder), Some(uid)));
        self.counts.over_limit += 1;
        self.hand(uid, Content::Refused(Refusal { size: bytes, code: "mail_bytes", reason }), None)
    }

    /// Returns the next messages to ask for, none where nothing is left. `quiet`: nothing else is under way.
    pub(super) fn next_batch(&mut self, quiet: bool) -> Option<Batch> {
        if let Some(wanted) = self.singles.pop_front() {
            return Some(Batch { wanted: vec![wanted], again: false });
        }
        let mut batch = Batch::default();
        let mut bytes = 0;
        while let Some(next) = self.queue.front() {
            bytes += next.bytes();
            if batch.wanted.len() >= BATCH_MAILS || (bytes > BATCH_BYTES && !batch.wanted.is_empty()) {
                break;
            }
            batch.wanted.extend(self.queue.pop_front());
        }
        if batch.wanted.is_empty() && !self.late.is_empty() {
            if quiet {
                batch.wanted.extend(self.late.pop_front());
            }
            return quiet.then_some(batch);
        }
        if batch.wanted.is_empty() {
            let wanted = self.again.pop_front()?;
            batch = Batch { wanted: vec![wanted], again: true };
        }
        Some(batch)
    }

    /// Returns whether refused messages keep the position from moving.
    pub(super) fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }

    /// Returns whether anything is still to be asked for.
    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty()
            && self.singles.is_empty()
            && self.again.is_empty()
            && self.late.is_empty()
            && self.doubtful.is_empty()
    }

    /// Returns whether there is work for more than one connection.
    pub(super) fn is_large(&self) -> bool {
        self.queue.len() > 2 * BATCH_MAILS || self.queue.iter().map(Wanted::bytes).sum::<u64>() > 4 * BATCH_BYTES
    }

    /// Takes a message that arrived. Returns false for one that is not (or no more) wanted.
    pub(super) fn arrived(
        &mut self,
        batch: &mut Batch,
        uid: u32,
        received_at: Option<DateTime<Utc>>,
        bytes: Vec<u8>,
    ) -> Result<bool, Fault> {
        let Some(at) = batch.wanted.iter().position(|wanted| wanted.uid == uid) else { return Ok(false) };
        let wanted = batch.wanted.remove(at);
        let length = bytes.len() as u64;
        if let Some(size) = wanted.size.filter(|size| length != u64::from(*size)) {
            self.counts.wrong_sizes += 1;
            if self.counts.wrong_sizes == 1 {
                let text = format!("{size} bytes announced, {length} came (stored as they came)");
                self.errors.push(Fault::WrongSize { text }.at(self.account, Some(self.folder), Some(uid)));
            }
        }
        self.counts.mails += 1;
        self.counts.bytes += length;
        self.hand(uid, Content::Bytes(bytes), received_at)?;
        if !self.held.is_empty() {
            self.tell_refused()?;
        }
        Ok(true)
    }

    /// Takes back a message that was asked for alone and did not come, though the server says OK.
    pub(super) fn put_back(&mut self, batch: Batch) {
        self.late.extend(batch.wanted);
    }

    /// Takes what did not come with others: many may be gone, and one question tells.
    pub(super) fn doubt(&mut self, batch: Batch) {
        self.doubtful.extend(batch.wanted);
    }

    /// Gives what is doubtful, to be looked for.
    pub(super) fn doubted(&mut self) -> Vec<Wanted> {
        std::mem::take(&mut self.doubtful)
    }

    /// Crosses out messages that are not in the folder any more.
    pub(super) fn gone(&mut self, uids: &[u32]) {
        for &uid in uids {
            self.tracker.done(uid);
        }
        self.advance();
    }

    /// Takes back a batch that the server refused as a whole: each message is asked for alone. One that was alone already
    /// is refused.
    pub(super) fn refused_batch(&mut self, batch: Batch, alone: bool, text: &str) -> Result<(), Fault> {
        if batch.again {
            self.still_refused(&batch, &Fault::FetchRefused { text: text.to_owned() });
            return Ok(());
        }
        if !alone {
            self.singles.extend(batch.wanted);
            return Ok(());
        }
        for wanted in batch.wanted {
            let fault = Fault::FetchRefused { text: text.to_owned() };
            self.refuse(wanted, fault)?;
        }
        Ok(())
    }

    /// Mails that were refused before, and are again: the ledger has them; who asked for just these wants to know.
    fn still_refused(&mut self, batch: &Batch, fault: &Fault) {
        for wanted in &batch.wanted {
            self.still.push(fault.copy().at(self.account, Some(self.folder), Some(wanted.uid)));
        }
    }

    fn refuse(&mut self, wanted: Wanted, fault: Fault) -> Result<(), Fault> {
        self.held.push((wanted, fault.to_string()));
        self.errors.push(fault.at(self.account, Some(self.folder), Some(wanted.uid)));
        // One message that is not given while others are is that message's fault, and gets its ledger row. While nothing
        // at all is given it may be the server's hour: then nothing is recorded and the position stays.
        if self.counts.mails > 0 { self.tell_refused() } else { Ok(()) }
    }

    fn tell_refused(&mut self) -> Result<(), Fault> {
        for (wanted, reason) in std::mem::take(&mut self.held) {
            self.counts.refused += 1;
            let refusal = Refusal { size: wanted.size.unwrap_or(0).into(), code: "fetch-refused", reason };
            self.hand(wanted.uid, Content::Refused(refusal), None)?;
        }
        self.advance();
        Ok(())
    }

    /// Takes back what was under way when a connection broke, oldest batch first. The first message that had not come is
    /// suspected: it is asked for alone, and when the connection breaks at it again it counts as refused.
    pub(super) fn broke(&mut self, under_way: Vec<Batch>, fault: &Fault) -> Result<(), Fault> {
        for batch in under_way.iter().filter(|batch| batch.again) {
            self.still_refused(batch, fault);
        }
        let mut rest: Vec<Wanted> =
            under_way.into_iter().filter(|batch| !batch.again).flat_map(|batch| batch.wanted).collect();
        let suspect = match fault {
            Fault::TooLarge { uid: Some(uid), .. } => rest.iter().position(|wanted| wanted.uid == *uid),
            // Nobody's fault: the program was asked to stop, or the store is closed.
            Fault::Stopped | Fault::Store { .. } => None,
            _ => (!rest.is_empty()).then_some(0),
        };
        let suspect = suspect.map(|at| rest.remove(at));
        rest.sort_by_key(|wanted| wanted.uid);
        for wanted in rest.into_iter().rev() {
            self.queue.push_front(wanted);
        }
        let Some(suspect) = suspect else { return Ok(()) };
        // Where it does not say whose bytes they are, it may be none of the messages: asked for alone like after any break.
        if let Fault::TooLarge { bytes, uid: Some(_), .. } = fault {
            self.over_limit(suspect.uid, *bytes)?;
            self.advance();
            return Ok(());
        }
        let strikes = self.strikes.entry(suspect.uid).or_default();
        *strikes += 1;
        if *strikes >= STRIKES {
            return self.refuse(suspect, fault.copy());
        }
        tracing::warn!("{}", fault.copy().at(self.account, Some(self.folder), Some(suspect.uid)));
        self.singles.push_front(suspect);
        Ok(())
    }

    fn hand(&mut self, uid: u32, content: Content, received_at: Option<DateTime<Utc>>) -> Result<(), Fault> {
        let origin = Origin::Mailbox {
            account: self.account.to_owned(),
            folder: self.folder.to_owned(),
            uid_validity: self.uid_validity,
            uid,
        };
        self.sink
            .item(Item { origin, content, received_at })
            .map_err(|_| Fault::Store { text: "it takes nothing more; see its own error".to_owned() })?;
        self.handed.push(uid);
        self.tracker.done(uid);
        Ok(())
    }

    /// Tells the sink how far the position may move.
    pub(super) fn advance(&mut self) {
        if let Some(last_uid) = self.tracker.advance() {
            self.sink.position(Position {
                account: self.account.to_owned(),
                folder: self.folder.to_owned(),
                uid_validity: self.uid_validity,
                last_uid,
            });
        }
    }
}

/// Which messages of the list are handed over, and up to where without a hole.
struct Tracker {
    uids: Vec<u32>,
    done: Vec<bool>,
    next: usize,
    end: u32,
    told: u32,
}

impl Tracker {
    fn new(uids: Vec<u32>, (told, end): (u32, u32)) -> Self {
        let done = vec![false; uids.len()];
        Self { uids, done, next: 0, end, told }
    }

    fn done(&mut self, uid: u32) {
        if let Ok(at) = self.uids.binary_search(&uid)
            && let Some(done) = self.done.get_mut(at)
        {
            *done = true;
        }
    }

    /// Returns the highest UID below which everything is handed over, if it moved.
    fn advance(&mut self) -> Option<u32> {
        while self.done.get(self.next) == Some(&true) {
            self.next += 1;
        }
        let reached = match self.next.checked_sub(1).and_then(|last| self.uids.get(last)) {
            _ if self.next == self.uids.len() => self.end.max(self.uids.last().copied().unwrap_or_default()),
            Some(uid) => *uid,
            None => 0,
        };
        (reached > self.told).then(|| {
            self.told = reached;
            reached
        })
    }
}
