//! Lines of Postfix → what they say about a queue id. One hand-written pass over the bytes; no regular expressions.
//!
//! Delivery lines come from one function (postfix `src/global/log_adhoc.c`):
//! `QID: to=<A>[, orig_to=<A>], relay=R[, conn_use=N], delay=S, delays=a/b/c/d[, tls=WORD], dsn=X.Y.Z, status=WORD (TEXT)`.

use memchr::{memchr, memchr_iter, memmem};

use super::Reader;
use super::answers::HostAnswer;
use super::attempt::Status;
use super::fold::{Folder, shape};
use super::joiner::{Event, Events, QueueId, What};
use super::names::{NONE, enhanced_number};
use super::reply::Reply;
use super::stamp::{SECOND, Stamps, YearMonth};
use super::worker::{Said, Worker, own_hop};

/// Reads one run of lines.
pub(crate) fn read(reader: &Reader, bytes: &[u8], start: YearMonth) -> Events {
    let mut run = Run::new(reader, start);
    let mut from = 0;
    for newline in memchr_iter(b'\n', bytes) {
        if let Some(line) = bytes.get(from..newline) {
            run.line(line, false);
        }
        from = newline + 1;
    }
    if let Some(line) = bytes.get(from..).filter(|line| !line.is_empty()) {
        run.line(line, true);
    }
    run.finish(bytes.len() as u64)
}

/// Says which queue ids Postfix may give again: short ones are digits in base 16, long ones have a `z` and no vowels.
pub(crate) fn reusable(queue: &QueueId) -> bool {
    queue.bytes().iter().all(u8::is_ascii_hexdigit)
}

/// The state of one run.
pub(crate) struct Run<'a> {
    worker: Worker<'a>,
    stamps: Stamps,
    out: Events,
    line: u32,
    process: u32,
    /// Host and instance of the line before, as bytes, with its number: nearly always the same again.
    last: (Vec<u8>, u32, usize),
    others: Vec<(Box<[u8]>, u64)>,
    folder: Folder,
}

impl<'a> Run<'a> {
    pub(crate) fn new(reader: &'a Reader, start: YearMonth) -> Self {
        Self {
            worker: Worker::new(reader),
            stamps: Stamps::new(reader.options.zone, start),
            out: Events::default(),
            line: 0,
            process: 0,
            last: (Vec::new(), NONE, 0),
            others: Vec::new(),
            folder: Folder::default(),
        }
    }

    pub(crate) fn finish(mut self, bytes: u64) -> Events {
        for (program, lines) in std::mem::take(&mut self.others) {
            self.out.counts.other_program(&String::from_utf8_lossy(&program), lines);
        }
        self.out.counts.bytes = bytes;
        self.out.counts.lines = u64::from(self.line);
        self.out.counts.ambiguous_times = self.stamps.ambiguous;
        self.out.counts.bad_utf8 = self.worker.bad_utf8;
        self.out.addresses = std::mem::take(&mut self.worker.addresses);
        self.out
    }

    fn line(&mut self, line: &[u8], last: bool) {
        self.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // `<22>`: the priority, where a syslog wrote the raw packet.
        let line = match line {
            [b'<', rest @ ..] => rest.get(memchr(b'>', rest).map_or(0, |end| end + 1)..).unwrap_or_default(),
            _ => line,
        };
        if line.is_empty() {
            self.out.counts.ignored += 1;
            return;
        }
        let stamp = if line.first().is_some_and(u8::is_ascii_digit) {
            self.stamps.iso(line, b'T').map(|(at, length, offset)| {
                match offset {
                    Some(offset) => *self.out.counts.offsets.entry(offset).or_default() += 1,
                    None => self.out.counts.zoneless += 1,
                }
                (at, length)
            })
        } else {
            self.out.counts.zoneless += 1;
            let stamp = self.stamps.bsd(line);
            self.out.counts.no_such_day += u64::from(stamp.is_none() && line.starts_with(b"Feb 29 "));
            stamp
        };
        let Some((at, length)) = stamp else { return self.unknown(line, last) };
        let rest = line.get(length..).unwrap_or_default();
        let Some(space) = memchr(b' ', rest) else { return self.unknown(line, last) };
        let (host, rest) = rest.split_at(space);
        let rest = rest.get(1..).unwrap_or_default();
        let Some(colon) = memmem_colon(rest) else { return self.unknown(line, last) };
        let (tag, message) = rest.split_at(colon);
        let message = message.get(2..).unwrap_or_default();
        let (tag, process) = tag.split_at(memchr(b'[', tag).unwrap_or(tag.len()));
        let process = process.strip_prefix(b"[").and_then(|p| p.strip_suffix(b"]")).unwrap_or_default();
        self.message(at, host, tag, process, message, last);
    }

    /// One message of a program: the part that syslog and the journal share.
    pub(crate) fn message(&mut self, at: i64, host: &[u8], tag: &[u8], process: &[u8], message: &[u8], last: bool) {
        self.process = std::str::from_utf8(process).ok().and_then(|number| number.parse().ok()).unwrap_or(0);
        let Some(slash) = memchr::memrchr(b'/', tag) else { return self.other(tag) };
        let (instance, program) = tag.split_at(slash);
        let program = program.get(1..).unwrap_or_default();
        // `postfix/submission/smtpd`: the instance is the first part.
        let instance = instance.get(..memchr(b'/', instance).unwrap_or(instance.len())).unwrap_or_default();
        let verdict = match program {
            b"smtp" | b"lmtp" | b"relay" | b"error" | b"local" | b"virtual" | b"pipe" | b"retry" | b"discard" => {
                self.agent(at, host, instance, message)
            }
            b"qmgr" | b"nqmgr" | b"oqmgr" => self.queue_manager(at, host, instance, message),
            b"cleanup" => self.cleanup(at, host, instance, message),
            b"postsuper" => match queue_id(message) {
                Some((queue, b"removed")) => self.event(at, host, instance, queue, What::Removed),
                _ => Verdict::Ignored,
            },
            b"smtpd" | b"postscreen" | b"dnsblog" | b"tlsproxy" | b"anvil" | b"scache" | b"pickup" | b"bounce"
            | b"trivial-rewrite" | b"verify" | b"master" | b"postfix-script" | b"proxymap" | b"tlsmgr" | b"flush"
            | b"showq" | b"sendmail" | b"postdrop" | b"local_only" | b"defer" | b"trace" | b"spawn" | b"policy"
            | b"smtps" | b"postmulti" | b"postlog" | b"postlogd" | b"postqueue" | b"postalias" | b"postmap"
            | b"postkick" | b"postlock" | b"qmqpd" | b"submission" => Verdict::Ignored,
            _ if instance.starts_with(b"postfix") => Verdict::Unknown,
            _ => return self.other(tag),
        };
        match verdict {
            Verdict::Read => self.out.counts.understood += 1,
            Verdict::Ignored => self.out.counts.ignored += 1,
            Verdict::Cut => self.out.counts.cut += 1,
            Verdict::Unknown => {
                // Diagnostics of any program are no evidence.
                let ignored = [&b"warning: "[..], b"error: ", b"fatal: ", b"panic: ", b"statistics: "];
                if ignored.iter().any(|start| message.starts_with(start)) {
                    self.out.counts.ignored += 1;
                } else if last {
                    self.out.counts.cut += 1;
                } else {
                    let mut named = Vec::with_capacity(program.len() + message.len() + 2);
                    named.extend_from_slice(program);
                    named.extend_from_slice(b": ");
                    named.extend_from_slice(message);
                    self.count_shape(&named);
                }
            }
        }
    }

    /// A delivery agent: `QID: to=<…`, or talk about connections.
    fn agent(&mut self, at: i64, host: &[u8], instance: &[u8], message: &[u8]) -> Verdict {
        let Some((queue, rest)) = queue_id(message) else {
            let known = [
                &b"connect to "[..],
                b"Trusted TLS",
                b"Untrusted TLS",
                b"Verified TLS",
                b"Anonymous TLS",
                b"SSL_connect",
                b"warning:",
                b"certificate verification",
                b"server certificate",
                b"setting up TLS",
                b"Host offered",
                b"lost connection",
                b"Server certificate",
                b"using backwards-compatible",
                b"fatal:",
                b"process generation",
            ];
            return if known.iter().any(|start| message.starts_with(start)) {
                Verdict::Ignored
            } else {
                Verdict::Unknown
            };
        };
        let Some(rest) = rest.strip_prefix(b"to=<") else {
            if rest.starts_with(b"host ") {
                return self.host(at, host, instance, queue, rest);
            }
            // `QID: enabling PIX workarounds`, …
            let known = [
                &b"enabling PIX"[..],
                b"breaking",
                b"lost connection",
                b"conversation with",
                b"Cannot start TLS",
                b"TLS is required",
                b"replace: ",
                b"warning: ",
                b"SASL",
                b"passing ",
                b"uid=",
                b"connect to ",
            ];
            return if known.iter().any(|start| rest.starts_with(start)) { Verdict::Ignored } else { Verdict::Unknown };
        };
        let delivery = match Delivery::read(rest) {
            Ok(delivery) => delivery,
            Err(verdict) => return verdict,
        };
        let (status, text) = match delivery.status {
            b"sent" => (Status::Delivered, delivery.text),
            // A refusal for good that `soft_bounce` keeps in the queue.
            b"SOFTBOUNCE" => (Status::Deferred, delivery.text),
            b"bounced" => (Status::Bounced, delivery.text),
            b"deferred" => match delivery.text.strip_prefix(b"delivery temporarily suspended: ") {
                Some(text) => (Status::Suspended, text),
                None => (Status::Deferred, delivery.text),
            },
            b"deliverable" | b"undeliverable" => {
                self.out.counts.probes += 1;
                return Verdict::Ignored;
            }
            _ => return Verdict::Unknown,
        };
        self.out.counts.cut += u64::from(delivery.cut);
        let said = Said {
            recipient: delivery.to,
            relay: delivery.relay,
            internal: delivery.internal,
            source: &[],
            reply: Reply::postfix(text),
            dsn: delivery.dsn,
        };
        let attempt = self.worker.attempt(at, self.line, status, &said);
        self.event(at, host, instance, queue, What::Attempt(attempt))
    }

    /// `QID: host H[ip] said: 4xx …` before the next host is tried.
    fn host(&mut self, at: i64, host: &[u8], instance: &[u8], queue: QueueId, text: &[u8]) -> Verdict {
        let reply = Reply::postfix(text);
        if reply.code / 100 != 4 {
            return Verdict::Ignored;
        }
        let said = Said { internal: own_hop(reply.address), reply, ..Said::default() };
        let attempt = self.worker.attempt(at, self.line, Status::Deferred, &said);
        // A recipient's line that says that nothing was tried is of the queue manager, never of this run.
        let answer = HostAnswer { attempt, refused: true, explains_skips: false };
        self.event(at, host, instance, queue, What::Host(Box::new(answer)))
    }

    /// `QID: from=<…>, size=…`, `QID: from=<…>, status=expired, returned to sender`, `QID: removed`.
    fn queue_manager(&mut self, at: i64, host: &[u8], instance: &[u8], message: &[u8]) -> Verdict {
        let Some((queue, rest)) = queue_id(message) else { return Verdict::Unknown };
        if rest == b"removed" {
            return self.event(at, host, instance, queue, What::Removed);
        }
        let Some(rest) = rest.strip_prefix(b"from=<") else {
            let known = [&b"skipped, "[..], b"to=<", b"active queue", b"warning"];
            return if known.iter().any(|start| rest.starts_with(start)) { Verdict::Ignored } else { Verdict::Unknown };
        };
        let Some(end) = memmem::find(rest, b">, ").or_else(|| rest.strip_suffix(b">").map(<[u8]>::len)) else {
            return Verdict::Cut;
        };
        let (from, rest) = rest.split_at(end);
        let sender = self.worker.domain_of(from);
        let rest = rest.get(3..).unwrap_or_default();
        if let Some(status) = rest.strip_prefix(b"status=") {
            if !(status.starts_with(b"expired") || status.starts_with(b"force-expired")) {
                return Verdict::Unknown;
            }
            self.event(at, host, instance, queue, What::Sender(sender));
            return self.event(at, host, instance, queue, What::Expired);
        }
        self.event(at, host, instance, queue, What::Sender(sender))
    }

    /// `QID: message-id=<…>`.
    fn cleanup(&mut self, at: i64, host: &[u8], instance: &[u8], message: &[u8]) -> Verdict {
        let Some((queue, rest)) = queue_id(message) else { return Verdict::Ignored };
        let Some(id) = rest.strip_prefix(b"message-id=") else { return Verdict::Ignored };
        let id = id.strip_prefix(b"<").unwrap_or(id);
        let id = id.strip_suffix(b">").unwrap_or(id);
        if id.is_empty() {
            return Verdict::Read;
        }
        let id = super::worker::printable(id, &mut self.worker.bad_utf8).into_owned().into_boxed_str();
        self.event(at, host, instance, queue, What::MessageId(id))
    }

    fn event(&mut self, at: i64, host: &[u8], instance: &[u8], queue: QueueId, what: What) -> Verdict {
        let same = self.last.0.get(..host.len()) == Some(host) && self.last.0.get(host.len()..) == Some(instance);
        if !same {
            // `postfix` is the instance that needs no name.
            let number = if instance == b"postfix" {
                self.worker.text(host)
            } else {
                let named = [host, b"/", instance].concat();
                self.worker.text(&named)
            };
            self.last.0.clear();
            self.last.0.extend_from_slice(host);
            self.last.0.extend_from_slice(instance);
            let place = self.out.clocks.iter().position(|(system, ..)| *system == number);
            let place = place.unwrap_or_else(|| {
                self.out.clocks.push((number, at, at));
                self.out.clocks.len() - 1
            });
            (self.last.1, self.last.2) = (number, place);
        }
        if let Some((_, _, before)) = self.out.clocks.get_mut(self.last.2) {
            self.out.counts.clock_steps += u64::from(at < *before - 60 * SECOND);
            *before = at;
        }
        self.out.events.push(Event { system: self.last.1, queue, at, line: self.line, process: self.process, what });
        Verdict::Read
    }

    fn other(&mut self, program: &[u8]) {
        if let Some((_, lines)) = self.others.iter_mut().find(|(name, _)| **name == *program) {
            *lines += 1;
        } else if self.others.len() < 100 {
            self.others.push((program.into(), 1));
        } else {
            self.out.counts.other_program("other", 1);
        }
    }

    pub(crate) fn unknown(&mut self, line: &[u8], last: bool) {
        if last {
            self.out.counts.cut += 1;
        } else {
            self.count_shape(line);
        }
    }

    fn count_shape(&mut self, text: &[u8]) {
        let text = text.get(..300).unwrap_or(text);
        self.folder.fold(text, 0, [&[], &[]], &self.worker.reader.recipients);
        let text = shape(&self.folder.template_text());
        self.out.counts.unknown_shape(text, u64::from(self.line));
    }

    /// Sets the number of the line that [`Run::message`] reads (journal entries are lines too).
    pub(crate) fn next_line(&mut self) {
        self.line += 1;
    }
}

/// What became of a line.
enum Verdict {
    Read,
    Ignored,
    Cut,
    Unknown,
}

/// The fields of a delivery line, after `to=<`.
struct Delivery<'a> {
    to: &'a [u8],
    relay: &'a [u8],
    internal: bool,
    dsn: u32,
    status: &'a [u8],
    text: &'a [u8],
    cut: bool,
}

impl<'a> Delivery<'a> {
    fn read(rest: &'a [u8]) -> Result<Self, Verdict> {
        let mut ends = memchr_iter(b'>', rest);
        let (end, mut fields) = loop {
            let Some(end) = ends.next() else { return Err(Verdict::Cut) };
            let after = rest.get(end + 1..).unwrap_or_default();
            if after.starts_with(b", relay=") || after.starts_with(b", orig_to=<") {
                break (end, after);
            }
        };
        let to = rest.get(..end).unwrap_or_default();
        if fields.starts_with(b", orig_to=<") {
            fields = fields.get(memmem::find(fields, b">, relay=").ok_or(Verdict::Cut)? + 1..).unwrap_or_default();
        }
        let mut delivery = Self { to, relay: &[], internal: false, dsn: 0, status: &[], text: &[], cut: false };
        // Each field is `, name=value`; none of their values before `status` holds a comma.
        while let Some(field) = fields.strip_prefix(b", ") {
            let Some(equals) = memchr(b'=', field) else { return Err(Verdict::Cut) };
            let (name, value) = field.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            if name == b"status" {
                let Some(space) = memchr(b' ', value) else { return Err(Verdict::Cut) };
                let (status, text) = value.split_at(space);
                delivery.status = status;
                let Some(text) = text.strip_prefix(b" (") else { return Err(Verdict::Cut) };
                // The text may hold brackets of its own: up to the last one. Without it, the line was cut.
                match text.strip_suffix(b")") {
                    Some(text) => delivery.text = text,
                    None => {
                        delivery.text = text;
                        delivery.cut = true;
                    }
                }
                return Ok(delivery);
            }
            let Some(comma) = memchr(b',', value) else { return Err(Verdict::Cut) };
            let (value, next) = value.split_at(comma);
            match name {
                b"relay" => {
                    // `none` is no host; a name without an address is a mailbox or the service of a pipe.
                    let open = memchr(b'[', value);
                    let address = open.and_then(|open| value.get(open + 1..memchr(b']', value)?));
                    let host = value.get(..open.unwrap_or(value.len())).unwrap_or_default();
                    delivery.relay = if host == b"none" { &[] } else { host };
                    delivery.internal = match address {
                        Some(address) => own_hop(address),
                        None => host != b"none",
                    };
                }
                // X.0.0 says no more than the class (RFC 3463 section 2): not worth calling a code.
                b"dsn" => delivery.dsn = enhanced_number(value).filter(|code| code % 1_000_000 != 0).unwrap_or(0),
                _ => {}
            }
            fields = next;
        }
        Err(Verdict::Cut)
    }
}

/// `QID: rest`.
fn queue_id(message: &[u8]) -> Option<(QueueId, &[u8])> {
    let colon = message.iter().take(24).position(|b| !b.is_ascii_alphanumeric())?;
    if colon < 6 || message.get(colon) != Some(&b':') || message.get(colon + 1) != Some(&b' ') {
        return None;
    }
    let (id, rest) = message.split_at(colon);
    // Words such as `warning: ` are no ids: an id has a digit.
    id.iter().any(u8::is_ascii_digit).then_some(())?;
    Some((QueueId::new(id)?, rest.get(2..)?))
}

/// The `: ` that ends a tag; tags have no spaces.
fn memmem_colon(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().position(|b| *b == b':' || *b == b' ')?;
    (rest.get(end) == Some(&b':') && rest.get(end + 1) == Some(&b' ')).then_some(end)
}
