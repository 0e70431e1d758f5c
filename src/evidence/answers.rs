//! Answers of hosts that a log gives in a line of their own, without a recipient: whose attempt each of them was.
//!
//! Exim writes such a line for each host that failed, Postfix for each that failed before another one was tried. The lines of
//! the recipients follow when the run is over, and those of one run are written together. A line here makes an attempt only where
//! both belong to one run; where that cannot be told, the answer is nobody's: too few attempts are better than one that never was.

use rustc_hash::FxHashSet;

use super::attempt::{Attempt, Status};
use super::joiner::{attempt_key, mix};
use super::names::{NONE, Texts};
use super::stamp::SECOND;
use crate::parse::org_domain;

/// Longest run: a host's answer is that much older than the line of its recipient at most (connection time-outs of other hosts
/// lie in between).
const LONGEST_RUN: i64 = 600 * SECOND;
/// The recipients' lines of one run are written by one loop: no more than this apart.
const TOGETHER: i64 = SECOND;
/// Hosts of different owners that wait for their recipients at once, for one message.
const MOST: usize = 16;

/// What a host said, in a line of its own.
#[derive(Debug)]
pub(super) struct HostAnswer {
    /// The attempt that it was, of no recipient yet.
    pub(super) attempt: Attempt,
    /// It refused for now, in words of its own; otherwise there was no conversation.
    pub(super) refused: bool,
    /// A recipient's line that says only that nothing is left to try may be of the same run (Exim).
    pub(super) explains_skips: bool,
}

/// Answers of hosts that wait for the lines of their recipients.
#[derive(Default)]
pub(super) struct Answers {
    waiting: Vec<Waiting>,
}

struct Waiting {
    answer: HostAnswer,
    process: u32,
    /// Organisational domain of the host.
    owner: Box<str>,
    /// Domain and time of the first recipient's line of its run.
    run: Option<(u32, i64)>,
    /// Recipients that had a line since: what comes after it is of a later run.
    had: FxHashSet<u64>,
}

impl Answers {
    /// Takes the answer of a host, by the process that wrote it (0 where that says nothing). Of hosts of one owner that were tried
    /// one after another the last counts.
    pub(super) fn host(&mut self, answer: HostAnswer, process: u32, texts: &Texts) {
        let owner = owner(answer.attempt.relay, texts);
        self.waiting.retain(|other| other.owner != owner || other.process != process);
        if self.waiting.len() >= MOST {
            self.waiting.remove(0);
        }
        self.waiting.push(Waiting { answer, process, owner, run: None, had: FxHashSet::default() });
    }

    /// Takes a recipient's line. Where the line says only that nothing is left to try, the host's answer becomes what it says;
    /// where it says how the recipient ended, the attempt before it is returned. Each recipient has one deferral a run, however
    /// many hosts put it off.
    pub(super) fn recipient(
        &mut self,
        line: &mut Attempt,
        process: u32,
        queue_key: u64,
        texts: &Texts,
    ) -> Option<Attempt> {
        if self.waiting.is_empty() {
            return None;
        }
        self.waiting.retain(|one| (0..=LONGEST_RUN).contains(&(line.at - one.answer.attempt.at)));
        let place = self.of_run(line, process, texts);
        for one in &mut self.waiting {
            one.had.insert(line.recipient);
        }
        let one = self.waiting.get_mut(place?)?;
        one.run.get_or_insert((line.recipient_domain, line.at));
        let attempt = &one.answer.attempt;
        match line.status {
            Status::Suspended => {
                line.status = Status::Deferred;
                line.response = attempt.response;
                line.vars.clone_from(&attempt.vars);
                line.relay = attempt.relay;
                line.internal = attempt.internal;
                if line.source == NONE {
                    (line.source, line.source_from) = (attempt.source, attempt.source_from);
                }
                None
            }
            // The deferral of this run is the line itself, in the words of the last host.
            Status::Deferred | Status::Dropped => None,
            Status::Delivered | Status::Bounced if !one.answer.refused => None,
            Status::Delivered | Status::Bounced | Status::Expired => {
                let mut attempt = attempt.clone();
                attempt.recipient = line.recipient;
                attempt.recipient_domain = line.recipient_domain;
                // Apart from a deferral that another line of the same second states.
                let host = blake3::hash(texts.text(attempt.relay).unwrap_or_default().as_bytes());
                let host = host.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
                attempt.key = mix(attempt_key(queue_key, &attempt), host);
                Some(attempt)
            }
        }
    }

    /// The answer whose run a recipient's line ends. A line that names a host is of the run that asked a host of the same owner.
    /// One that names none says nothing of its own: it is of a run only as the first line behind it, where one owner's hosts alone
    /// had answered, or the recipient's own; and with it the other recipients of that domain in the same moment.
    fn of_run(&self, line: &Attempt, process: u32, texts: &Texts) -> Option<usize> {
        let asked = (line.relay != NONE).then(|| owner(line.relay, texts));
        let fits = |one: &Waiting| {
            one.process == process
                && !one.had.contains(&line.recipient)
                && asked.as_ref().map_or(one.answer.explains_skips, |asked| one.owner == *asked)
        };
        let begun = |one: &Waiting| {
            one.run.is_some_and(|(domain, at)| domain == line.recipient_domain && line.at - at <= TOGETHER)
        };
        if let Some(place) = self.waiting.iter().position(|one| fits(one) && begun(one)) {
            return Some(place);
        }
        let free = |one: &Waiting| fits(one) && one.run.is_none();
        if self.waiting.iter().filter(|one| free(one)).count() < 2 {
            return self.waiting.iter().position(free);
        }
        let own = owner(line.recipient_domain, texts);
        self.waiting.iter().position(|one| free(one) && one.owner == own)
    }
}

/// The organisational domain of a host.
fn owner(host: u32, texts: &Texts) -> Box<str> {
    org_domain(&texts.text(host).unwrap_or_default()).into()
}
