//! Lines of Exim's main log → what they say about a message id (Exim specification, "Log files").
//!
//! `DATE TIME[.mmm][ ZONE][ [pid]] ID FLAG ADDRESS FIELDS`; a failing host has a line of its own, without flag and recipient,
//! before the lines of the recipients that it was asked for (`transports/smtp.c`, `write_logs`).

use memchr::{memchr, memchr_iter, memmem};

use super::Reader;
use super::answers::HostAnswer;
use super::attempt::Status;
use super::fold::{Folder, shape};
use super::joiner::{Event, Events, QueueId, What};
use super::reply::{Reply, stage_of};
use super::stamp::{SECOND, Stamps, YearMonth};
use super::worker::{Said, Worker, own_hop};

/// Exim gives a message id once.
pub(crate) fn reusable(_: &QueueId) -> bool {
    false
}

/// Reads one run of lines.
pub(crate) fn read(reader: &Reader, bytes: &[u8]) -> Events {
    let start = YearMonth { year: 1970, month: 1 };
    let mut run = Run {
        worker: Worker::new(reader),
        stamps: Stamps::new(reader.options.zone, start),
        out: Events::default(),
        system: reader.texts.number("exim"),
        line: 0,
        folder: Folder::default(),
    };
    let mut from = 0;
    for newline in memchr_iter(b'\n', bytes) {
        run.line(bytes.get(from..newline).unwrap_or_default(), false);
        from = newline + 1;
    }
    if let Some(line) = bytes.get(from..).filter(|line| !line.is_empty()) {
        run.line(line, true);
    }
    run.out.counts.bytes = bytes.len() as u64;
    run.out.counts.lines = u64::from(run.line);
    run.out.counts.ambiguous_times = run.stamps.ambiguous;
    run.out.counts.bad_utf8 = run.worker.bad_utf8;
    run.out.addresses = std::mem::take(&mut run.worker.addresses);
    run.out
}

struct Run<'a> {
    worker: Worker<'a>,
    stamps: Stamps,
    out: Events,
    system: u32,
    line: u32,
    folder: Folder,
}

impl Run<'_> {
    fn line(&mut self, line: &[u8], last: bool) {
        self.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.out.counts.ignored += 1;
            return;
        }
        let Some((at, length, offset)) = self.stamps.iso(line, b' ') else { return self.unknown(line, last) };
        match offset {
            Some(offset) => *self.out.counts.offsets.entry(offset).or_default() += 1,
            None => self.out.counts.zoneless += 1,
        }
        let mut rest = line.get(length..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix(b"[") {
            // The process id, with the `pid` log selector.
            rest = after.get(memchr(b' ', after).map_or(after.len(), |space| space + 1)..).unwrap_or_default();
        }
        let Some((queue, rest)) = message_id(rest) else {
            // Lines that belong to no message: rejections, connections, the daemon.
            self.out.counts.ignored += 1;
            return;
        };
        match self.event_of(at, queue, rest) {
            Verdict::Read => self.out.counts.understood += 1,
            Verdict::Ignored => self.out.counts.ignored += 1,
            Verdict::Unknown => self.unknown(rest, last),
        }
        if let Some((_, _, before)) = self.out.clocks.first_mut() {
            self.out.counts.clock_steps += u64::from(at < *before - 60 * SECOND);
            *before = at;
        } else {
            self.out.clocks.push((self.system, at, at));
        }
    }

    fn event_of(&mut self, at: i64, queue: QueueId, rest: &[u8]) -> Verdict {
        if rest.starts_with(b"Completed") {
            return self.push(at, queue, What::Removed);
        }
        if rest.starts_with(b"H=") {
            // A host that failed; other hosts may follow. What the own side says of whoever handed the mail in looks alike
            // (`H=(helo) [ip] Warning: …`), so only a reply or an error of the connection counts.
            let fields = Fields::read(rest);
            let said = fields.said(b"", fields.text);
            let refused = said.reply.code / 100 == 4;
            let errors = [&b"Connection "[..], b"No route to host", b"Network is unreachable", b"Host is down"];
            if !refused && !errors.iter().any(|error| fields.text.starts_with(error)) {
                return Verdict::Ignored;
            }
            let attempt = self.worker.attempt(at, self.line, Status::Deferred, &said);
            return self.push(at, queue, What::Host(Box::new(HostAnswer { attempt, refused, explains_skips: true })));
        }
        let (flag, rest) = match rest.split_first_chunk::<2>() {
            Some((flag, [b' ', rest @ ..])) => (flag, rest),
            _ => return passed_over(rest),
        };
        match flag {
            b"<=" => self.arrival(at, queue, rest),
            b"=>" | b"->" | b">>" => {
                let (recipient, fields) = recipient(rest);
                let text = unescaped(fields.reply);
                let mut said = fields.said(recipient, &text);
                // Without a host the message went to a mailbox or a pipe here.
                said.internal |= fields.host.is_empty();
                self.attempt(at, queue, Status::Delivered, &said)
            }
            b"==" => {
                let (recipient, fields) = recipient(rest);
                let said = fields.said(recipient, fields.text);
                let skipped = memmem::find(fields.text, b"retry time not reached").is_some() && said.reply.code == 0;
                let status = if skipped { Status::Suspended } else { Status::Deferred };
                self.attempt(at, queue, status, &said)
            }
            b"**" => {
                let (recipient, fields) = recipient(rest);
                let given_up = [&b": retry timeout exceeded"[..], b"retry timeout exceeded"];
                let expired = given_up.iter().find_map(|end| fields.text.strip_suffix(*end));
                let text = expired.filter(|text| !text.is_empty()).unwrap_or(fields.text);
                let said = fields.said(recipient, text);
                if expired.is_none() {
                    return self.attempt(at, queue, Status::Bounced, &said);
                }
                // What stands before these words is the answer to the last try, which has no line of its own (`retry.c`).
                if said.reply.code / 100 == 4 || !fields.host.is_empty() {
                    self.attempt(at, queue, Status::Deferred, &said);
                }
                self.attempt(at, queue, Status::Expired, &said)
            }
            b"*>" => Verdict::Ignored,
            _ => passed_over(rest),
        }
    }

    fn arrival(&mut self, at: i64, queue: QueueId, rest: &[u8]) -> Verdict {
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        let (sender, fields) = rest.split_at(end);
        let sender = sender.strip_prefix(b"<").and_then(|s| s.strip_suffix(b">")).unwrap_or(sender);
        let domain = self.worker.domain_of(sender);
        self.push(at, queue, What::Sender(domain));
        if let Some(id) = words(fields).find_map(|word| word.strip_prefix(b"id=")).filter(|id| !id.is_empty()) {
            let id = super::worker::printable(id, &mut self.worker.bad_utf8).into_owned().into_boxed_str();
            self.push(at, queue, What::MessageId(id));
        }
        Verdict::Read
    }

    fn attempt(&mut self, at: i64, queue: QueueId, status: Status, said: &Said<'_>) -> Verdict {
        if said.recipient.is_empty() {
            return Verdict::Unknown;
        }
        let attempt = self.worker.attempt(at, self.line, status, said);
        self.push(at, queue, What::Attempt(attempt))
    }

    fn push(&mut self, at: i64, queue: QueueId, what: What) -> Verdict {
        // One process delivers, another one writes the recipients' lines: its number says nothing.
        self.out.events.push(Event { system: self.system, queue, at, line: self.line, process: 0, what });
        Verdict::Read
    }

    fn unknown(&mut self, line: &[u8], last: bool) {
        if last {
            self.out.counts.cut += 1;
            return;
        }
        let text = line.get(..300).unwrap_or(line);
        self.folder.fold(text, 0, [&[], &[]], &self.worker.reader.recipients);
        let text = shape(&self.folder.template_text());
        self.out.counts.unknown_shape(text, u64::from(self.line));
    }
}

/// What became of a line.
enum Verdict {
    Read,
    Ignored,
    Unknown,
}

/// Talk about a message that says nothing of its delivery.
fn passed_over(rest: &[u8]) -> Verdict {
    let known = [
        &b"no immediate delivery"[..],
        b"Frozen",
        b"Unfrozen",
        b"Message is frozen",
        b"removed by",
        b"cancelled",
        b"SMTP connection",
        b"no host name",
        b"Spool file",
        b"defer",
        b"Warning:",
        b"DKIM:",
        b"TLS ",
        b"[",
        b"SA:",
        b"remote host address is the local host",
        b"error ignored",
        b"Remote host",
        b"rejected",
        b"Sender",
        b"routing",
        b"lowest numbered MX",
        b"mail for ",
    ];
    if known.iter().any(|start| rest.starts_with(start)) { Verdict::Ignored } else { Verdict::Unknown }
}

/// `6-6-2` (older releases) or `6-11-4` digits in base 62.
pub(crate) fn message_id(rest: &[u8]) -> Option<(QueueId, &[u8])> {
    for lengths in [[6, 11, 4], [6, 6, 2]] {
        let [a, b, c] = lengths;
        let length = a + b + c + 2;
        let Some((id, after)) = rest.split_at_checked(length) else { continue };
        let shaped = id.iter().enumerate().all(|(place, byte)| {
            if place == a || place == a + b + 1 { *byte == b'-' } else { byte.is_ascii_alphanumeric() }
        });
        if shaped && let Some(after) = after.strip_prefix(b" ") {
            return Some((QueueId::new(id)?, after));
        }
    }
    None
}

/// The recipient at the start of a line and the fields after it. A local part without a domain has the address after it in
/// angle brackets.
fn recipient(rest: &[u8]) -> (&[u8], Fields<'_>) {
    let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
    let (first, mut fields) = rest.split_at(end);
    // `addr: text` where there is no field at all.
    let mut recipient = first.strip_suffix(b":").unwrap_or(first);
    if let Some(after) = fields.strip_prefix(b" <")
        && let Some(close) = memchr(b'>', after)
    {
        if memchr(b'@', recipient).is_none() {
            recipient = after.get(..close).unwrap_or_default();
        }
        fields = after.get(close + 1..).unwrap_or_default();
    }
    let fields = if first.ends_with(b":") {
        Fields { text: fields.trim_ascii(), ..Fields::default() }
    } else {
        Fields::read(fields)
    };
    (recipient, fields)
}

/// `F=<…> R=… T=… H=… [ip] I=[ip] C="…"`, then `: text`, or ` defer (N): text`.
#[derive(Default)]
struct Fields<'a> {
    host: &'a [u8],
    address: &'a [u8],
    source: &'a [u8],
    reply: &'a [u8],
    text: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(fields: &'a [u8]) -> Self {
        let mut out = Self::default();
        let mut rest = fields;
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return out;
            }
            // The text begins where the fields end: after a field that ends in a colon.
            if let Some(text) = rest.strip_prefix(b": ").or_else(|| rest.strip_prefix(b":")) {
                out.text = text.trim_ascii();
                return out;
            }
            if rest.starts_with(b"defer (") {
                let close = memchr(b')', rest).map_or(rest.len(), |close| close + 1);
                rest = rest.get(close..).unwrap_or_default();
                continue;
            }
            // A name has at most three letters; a flag before the next field (`K C="…"`) is none.
            let name = rest.iter().take(4).position(|b| matches!(b, b'=' | b' '));
            let value = name.filter(|end| rest.get(*end) == Some(&b'=')).map_or(0, |equals| equals + 1);
            let quoted = value > 0 && rest.get(value) == Some(&b'"');
            let end = if quoted { quoted_end(rest, value + 1) } else { memchr(b' ', rest).unwrap_or(rest.len()) };
            let (field, after) = rest.split_at(end);
            let (field, ended) = match field.strip_suffix(b":") {
                Some(field) if !quoted => (field, true),
                _ => (field, false),
            };
            match field {
                [b'H', b'=', host @ ..] => out.host = host,
                [b'I', b'=', source @ ..] => out.source = bracketed(source),
                [b'C', b'=', b'"', reply @ ..] => out.reply = reply.strip_suffix(b"\"").unwrap_or(reply),
                [b'[', ..] if out.address.is_empty() && !out.host.is_empty() => out.address = bracketed(field),
                [b'(', ..] => {}
                [_, b'=', ..] | [_, _, b'=', ..] | [_, _, _, b'=', ..] => {}
                // Flags without a value: K, L, TFO, PRDR.
                flag if flag.iter().all(u8::is_ascii_uppercase) => {}
                // Not a field: the text begins here without a colon.
                _ => {
                    out.text = rest;
                    return out;
                }
            }
            if ended {
                out.text = after.trim_ascii();
                return out;
            }
            rest = after;
        }
    }

    fn said<'s>(&self, recipient: &'s [u8], text: &'s [u8]) -> Said<'s>
    where
        'a: 's,
    {
        let mut reply = Reply::bare(text);
        let marks = [
            &b"SMTP error from remote mail server after "[..],
            b"LMTP error after ",
            b"SMTP error from remote mailer after ",
        ];
        for mark in marks {
            let Some(place) = memmem::find(text, mark) else { continue };
            let after = text.get(place + mark.len()..).unwrap_or_default();
            let stage = stage_of(after);
            if let Some(colon) = reply_start(after) {
                reply = Reply { stage, ..Reply::bare(after.get(colon..).unwrap_or_default()) };
            }
        }
        reply.host = self.host;
        Said { recipient, relay: self.host, internal: own_hop(self.address), source: self.source, reply, dsn: 0 }
    }
}

/// Where the code stands after `RCPT TO:<kim@corp.test>: 451 …` or `initial connection: 421 …`.
fn reply_start(text: &[u8]) -> Option<usize> {
    memmem::find_iter(text, b": ")
        .map(|place| place + 2)
        .find(|place| matches!(text.get(*place..), Some([b'2' | b'4' | b'5', b'0'..=b'9', b'0'..=b'9', ..])))
}

fn bracketed(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"[").unwrap_or(text);
    text.get(..memchr(b']', text).unwrap_or(text.len())).unwrap_or_default()
}

/// A quoted value as it was before Exim put a backslash before each quote and backslash in it (`deliver.c`, `delivery_log`).
fn unescaped(text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr(b'\\', text).is_none() {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if *byte == b'\\' { bytes.next_if(|next| matches!(next, b'"' | b'\\')) } else { None };
        out.push(*escaped.unwrap_or(byte));
    }
    out.into()
}

/// The end of a quoted value that begins at `from`, the quote included; Exim escapes quotes with a backslash.
fn quoted_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// The fields of an arrival, each whole: a quoted value (`T="Mail id=77 bounced"`) may hold spaces.
fn words(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = fields;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|b| matches!(b, b' ' | b'"')).unwrap_or(rest.len());
        let end = if rest.get(end) == Some(&b'"') { quoted_end(rest, end + 1) } else { end };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Says whether a line is of Exim's main log, for recognising the format.
pub(crate) fn looks_like(line: &[u8]) -> bool {
    let mut stamps = Stamps::new(super::stamp::Zone::Utc, YearMonth { year: 1970, month: 1 });
    let Some((_, length, _)) = stamps.iso(line, b' ') else { return false };
    let rest = line.get(length..).unwrap_or_default();
    let rest = match rest.strip_prefix(b"[") {
        Some(after) => after.get(memchr(b' ', after).map_or(after.len(), |space| space + 1)..).unwrap_or_default(),
        None => rest,
    };
    message_id(rest).is_some()
}
