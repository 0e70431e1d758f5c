//! Events of sending platforms and rows of the documented table, as JSON objects → messages with attempts.

mod mailgun;
mod postmark;
mod sendgrid;
mod ses;
mod sparkpost;

use serde_json::Value;

use super::attempt::{Envelope, IdKind, Status};
use super::element::Found;
use super::fold::{Folder, shape};
use super::joiner::{attempt_key, first_64};
use super::names::{NONE, enhanced_number};
use super::reply::Reply;
use super::stamp::{SECOND, dated, rfc3339};
use super::worker::{Said, Worker, printable};
use super::{LogFormat, Reader, table};

/// One event, as its platform words it.
#[derive(Debug, Default)]
pub(crate) struct Event {
    /// The platform's id of the message, the same for all its events.
    pub(crate) id: String,
    /// The Message-ID header field, where the platform shows it.
    pub(crate) message_id: Option<String>,
    /// Microseconds UTC.
    pub(crate) at: i64,
    pub(crate) recipients: Vec<To>,
    pub(crate) status: Option<Status>,
    /// The other side's words.
    pub(crate) response: String,
    /// The code where the response does not begin with one.
    pub(crate) code: u16,
    /// The enhanced code where the response has none.
    pub(crate) enhanced: String,
    pub(crate) relay: String,
    pub(crate) source: String,
    pub(crate) campaign: String,
    /// Envelope sender, or its domain; `None` where not said.
    pub(crate) sender: Option<String>,
    pub(crate) retry_no: u16,
    /// The platform's id of the event.
    pub(crate) event_id: String,
}

/// A recipient of an event.
#[derive(Debug, Default)]
pub(crate) struct To {
    pub(crate) address: String,
    /// The answer to it alone, where the event tells the recipients' answers apart.
    pub(crate) answer: Option<Answer>,
}

/// The other side's words, and the enhanced code where they have none.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) response: String,
    pub(crate) enhanced: String,
}

/// The one recipient of an event; none where its address is empty.
pub(crate) fn to(address: String) -> Vec<To> {
    if address.is_empty() { Vec::new() } else { vec![To { address, answer: None }] }
}

/// What became of an object.
pub(crate) enum Outcome {
    /// Evidence.
    Event(Box<Event>),
    /// Of a known kind that carries none.
    Ignored,
    /// A complaint of a recipient.
    Complaint,
    /// Not understood: what is missing or new.
    Unknown(String),
}

/// Reads one run of objects.
pub(crate) fn read(reader: &Reader, format: LogFormat, bytes: &[u8], places: &[Option<(usize, usize)>]) -> Found {
    let mut run = Run::new(reader, format);
    run.found.counts.bytes = bytes.len() as u64;
    for place in places {
        run.line += 1;
        let text = place.and_then(|(start, end)| bytes.get(start..end));
        let value = text.and_then(|text| {
            // Bad bytes inside a string would make the whole object unreadable.
            serde_json::from_str::<Value>(&String::from_utf8_lossy(text)).ok()
        });
        match value {
            Some(value) => run.object(&value),
            None => run.found.counts.cut += 1,
        }
    }
    run.finish()
}

pub(crate) struct Run<'a> {
    worker: Worker<'a>,
    format: LogFormat,
    system: u32,
    pub(crate) line: u32,
    pub(crate) found: Found,
    folder: Folder,
}

impl<'a> Run<'a> {
    pub(crate) fn new(reader: &'a Reader, format: LogFormat) -> Self {
        // One table, two ways to write it down.
        let format = if format == LogFormat::Csv { LogFormat::JsonLines } else { format };
        let system = if format == LogFormat::JsonLines { "table" } else { format.word() };
        let system = reader.texts.number(system);
        Self {
            worker: Worker::new(reader),
            format,
            system,
            line: 0,
            found: Found::default(),
            folder: Folder::default(),
        }
    }

    pub(crate) fn finish(mut self) -> Found {
        self.found.counts.lines = u64::from(self.line);
        self.found.counts.bad_utf8 = self.worker.bad_utf8;
        self.found.addresses = std::mem::take(&mut self.worker.addresses);
        self.found
    }

    fn object(&mut self, value: &Value) {
        let mut outcomes = Vec::new();
        match self.format {
            LogFormat::SendGrid => outcomes.push(sendgrid::read(value)),
            LogFormat::Ses => ses::read(value, &mut outcomes),
            LogFormat::Mailgun => mailgun::read(value, &mut outcomes),
            LogFormat::Postmark => outcomes.push(postmark::read(value)),
            LogFormat::SparkPost => sparkpost::read(value, &mut outcomes),
            _ => outcomes.push(table::read_object(value)),
        }
        for outcome in outcomes {
            self.outcome(outcome);
        }
    }

    pub(crate) fn outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Event(event) => self.event(&event),
            Outcome::Ignored => self.found.counts.ignored += 1,
            Outcome::Complaint => self.found.counts.complaints += 1,
            Outcome::Unknown(what) => {
                self.folder.fold(what.as_bytes(), 0, [&[], &[]], &self.worker.reader.recipients);
                let text = shape(&self.folder.template_text());
                self.found.counts.unknown_shape(text, u64::from(self.line));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let Some(status) = event.status else { return };
        if event.id.is_empty() && event.message_id.is_none() || event.recipients.is_empty() {
            return self.outcome(Outcome::Unknown("event without a message id or a recipient".to_owned()));
        }
        let header = event.message_id.as_deref().map(|id| id.trim().trim_start_matches('<').trim_end_matches('>'));
        let header = header.filter(|id| !id.is_empty());
        let bare = event.id.trim().trim_start_matches('<').trim_end_matches('>');
        let id = if bare.is_empty() { header.unwrap_or_default() } else { bare };
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"event\0");
        hasher.update(self.format.word().as_bytes());
        hasher.update(b"\0");
        hasher.update(id.as_bytes());
        let queue_key = first_64(&hasher);
        let id = printable(id.as_bytes(), &mut self.worker.bad_utf8).into_owned().into_boxed_str();
        let mut envelope = Envelope::new(queue_key, false, self.system, id, event.at);
        envelope.message_id = header.map(|id| printable(id.as_bytes(), &mut self.worker.bad_utf8).into());
        envelope.id_kind = match (&envelope.message_id, self.format) {
            (Some(_), _) => IdKind::Header,
            (None, LogFormat::JsonLines) => IdKind::Queue,
            (None, _) => IdKind::Provider,
        };
        if let Some(sender) = &event.sender {
            let sender = sender.trim().trim_start_matches('<').trim_end_matches('>').trim_end();
            let domain = sender.rsplit_once('@').map_or(sender, |(_, domain)| domain);
            envelope.envelope_from = self.worker.domain(domain.as_bytes());
        }
        envelope.campaign = self.worker.text(event.campaign.as_bytes());
        for to in &event.recipients {
            let answer = to.answer.as_ref();
            let response = answer.map_or(&event.response, |answer| &answer.response).trim();
            let enhanced = answer.map_or(&event.enhanced, |answer| &answer.enhanced).trim();
            let mut reply = Reply::bare(response.as_bytes());
            if reply.code == 0 {
                reply.code = event.code;
            }
            let said = Said {
                recipient: to.address.trim().trim_start_matches('<').trim_end_matches('>').as_bytes(),
                relay: event.relay.as_bytes(),
                internal: false,
                source: event.source.as_bytes(),
                reply,
                dsn: enhanced_number(enhanced.as_bytes()).filter(|code| code % 1_000_000 != 0).unwrap_or(0),
            };
            // The answer to the last try may have no event but that of giving up.
            if status == Status::Expired
                && let Some(reply) = last_answer(reply)
            {
                self.attempt(event, &mut envelope, Status::Deferred, &Said { reply, ..said });
            }
            self.attempt(event, &mut envelope, status, &said);
        }
        debug_assert!(envelope.campaign == NONE || !event.campaign.is_empty());
        self.found.counts.understood += 1;
        self.found.envelopes.push(envelope);
    }

    fn attempt(&mut self, event: &Event, envelope: &mut Envelope, status: Status, said: &Said<'_>) {
        let mut attempt = self.worker.attempt(event.at, self.line, status, said);
        attempt.retry_no = event.retry_no;
        attempt.key = if event.event_id.is_empty() {
            attempt_key(envelope.queue_key, &attempt)
        } else {
            let mut hasher = blake3::Hasher::new();
            hasher.update(b"event id\0");
            hasher.update(self.format.word().as_bytes());
            hasher.update(&attempt.recipient.to_le_bytes());
            hasher.update(event.event_id.as_bytes());
            if Some(status) != event.status {
                hasher.update(b"\0last try");
            }
            first_64(&hasher)
        };
        self.found.counts.attempt(&attempt);
        envelope.attempts.push(attempt);
    }
}

/// The temporary refusal that an event of giving up tells of: its words begin with it, or end with it in angle brackets (SES:
/// `550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.7.0 …>`).
fn last_answer(reply: Reply<'_>) -> Option<Reply<'_>> {
    if reply.code / 100 == 4 {
        return Some(reply);
    }
    let inside = reply.text.strip_suffix(b">")?;
    let quoted = Reply::bare(inside.get(memchr::memmem::find(inside, b"<4")? + 1..)?);
    (quoted.code / 100 == 4).then_some(quoted)
}

/// The text at a path (`/mail/messageId`), numbers as text, empty where absent.
pub(crate) fn text(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The first text that is there.
pub(crate) fn first(value: &Value, paths: &[&str]) -> String {
    paths.iter().map(|path| text(value, path)).find(|text| !text.is_empty()).unwrap_or_default()
}

/// A text, or the first of a list of texts.
pub(crate) fn one_of(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::Array(list)) => list.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => text(value, path),
    }
}

/// An RFC 3339 time, or seconds since 1970 as number or text, with or without a fraction; `None` also for one that no log can
/// be dated.
pub(crate) fn time(value: &Value, path: &str) -> Option<i64> {
    let text = text(value, path);
    let text = text.trim();
    if let Some(at) = rfc3339(text) {
        return Some(at);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    // Milliseconds are told from seconds by their size: seconds of that size lie beyond the year 5000.
    if seconds > 100_000_000_000 {
        return seconds.checked_mul(1000).and_then(dated);
    }
    let mut micros = 0;
    let mut scale = SECOND / 10;
    for digit in fraction.bytes().take(6).filter(u8::is_ascii_digit) {
        micros += i64::from(digit - b'0') * scale;
        scale /= 10;
    }
    seconds.checked_mul(SECOND)?.checked_add(micros).and_then(dated)
}

/// `smtp; 421 4.7.0 …`: the words behind the type (RFC 3464 section 2.3.6).
pub(crate) fn diagnostic(code: String) -> String {
    match code.split_once(';') {
        Some((kind, words)) if kind.trim().eq_ignore_ascii_case("smtp") => words.trim().to_owned(),
        _ => code,
    }
}

/// A small number written as number or text.
pub(crate) fn small(value: &Value, path: &str) -> u16 {
    text(value, path).trim().parse().unwrap_or(0)
}

/// An SMTP code written as number or text; platforms' own codes outside 200–599 are none.
pub(crate) fn smtp_code(value: &Value, path: &str) -> u16 {
    Some(small(value, path)).filter(|code| (200..600).contains(code) && code / 100 != 3).unwrap_or(0)
}
