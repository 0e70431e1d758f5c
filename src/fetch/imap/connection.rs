//! One connection to a server: commands out, answers in, with a limit on every wait.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_imap::imap_proto::{Capability, Response, ResponseCode, Status};
use futures::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::error::{Fault, said};
use super::wire::{Trip, Wire};

/// How often a wait looks whether the program shall stop.
const TICK: Duration = Duration::from_secs(1);
/// Bytes that may come before something that is wanted does: the sizes of more than a million messages.
const ANSWER_BYTES: u64 = 64 << 20;
/// Time for it, however busy the server says that it is, in times of `timeout.answer`: half an hour, unless that is set.
const ANSWER_TIMES: u32 = 15;
/// How long a server that keeps sending may go on once the program shall stop.
const GRACE: Duration = Duration::from_secs(10);
/// A server that sends less than this in the time of `timeout.answer` counts as stalled.
const TRICKLE: u64 = 1024;

/// What every wait looks at and reports to.
#[derive(Clone, Copy, Debug)]
pub struct Pulse<'a> {
    /// Set from outside: end after what is running.
    pub stop: &'a AtomicBool,
    /// Counts signs of life; a watchdog looks whether it moves.
    pub beat: &'a AtomicU64,
}

impl Pulse<'_> {
    /// Returns whether the program shall stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Gives a sign of life.
    pub fn beat(&self) {
        self.beat.fetch_add(1, Ordering::Relaxed);
    }
}

/// A tag of ours: `D` and the number of the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tag(u32);

/// The last answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// OK.
    Ok(Answer),
    /// NO or BAD.
    No(Answer),
}

/// The text of a last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// What it says, fit for a log, with its response code where the library does not know it.
    pub(super) text: String,
    /// TRYCREATE: the folder is missing.
    pub(super) try_create: bool,
    /// READ-ONLY.
    pub(super) read_only: bool,
}

impl Done {
    /// Turns NO and BAD into a fault.
    pub(super) fn ok(self, command: &'static str) -> Result<Answer, Fault> {
        match self {
            Self::Ok(answer) => Ok(answer),
            Self::No(answer) => Err(Fault::Refused { command, text: answer.text }),
        }
    }
}

/// One connection.
pub(super) struct Connection<'a> {
    client: async_imap::Client<Wire>,
    tags: u32,
    answer: Duration,
    pulse: Pulse<'a>,
    /// What the server can do, upper case; empty until known.
    capabilities: Vec<String>,
    leaving: bool,
    /// Since when the program shall stop, as far as this connection has noticed.
    stopping: Option<Instant>,
    /// When something that is wanted was last asked for or came, the time that the next has, and the bytes received until then.
    due: (Instant, Duration, u64),
    /// Last answers that came before an earlier command had its own: a server may answer out of order (RFC 9051 section 5.5).
    early: BTreeMap<u32, Done>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(wire: Wire, answer: u16, pulse: Pulse<'a>) -> Self {
        let answer = Duration::from_secs(u64::from(answer));
        Self {
            client: async_imap::Client::new(wire),
            tags: 0,
            answer,
            pulse,
            capabilities: Vec::new(),
            leaving: false,
            stopping: None,
            due: (Instant::now(), answer * ANSWER_TIMES, 0),
            early: BTreeMap::new(),
        }
    }

    /// Gives the connection back, for STARTTLS. What the server sent ahead of TLS is thrown away.
    pub(super) fn into_wire(self) -> Wire {
        self.client.into_inner()
    }

    /// Returns the signs and orders that this connection looks at.
    pub(super) fn pulse(&self) -> Pulse<'a> {
        self.pulse
    }

    /// Sends one command and returns its tag.
    pub(super) async fn send(&mut self, command: &str) -> Result<Tag, Fault> {
        self.tags += 1;
        self.write(format!("D{} {command}\r\n", self.tags)).await?;
        self.progress();
        Ok(Tag(self.tags))
    }

    /// Something that is wanted came, or was asked for: what is to come next has its full time again.
    pub(super) fn progress(&mut self) {
        self.grant(self.answer * ANSWER_TIMES);
    }

    /// Gives what is to come next this much time.
    pub(super) fn grant(&mut self, time: Duration) {
        self.due = (Instant::now(), time, self.client.get_ref().received);
    }

    /// Says why the server is not listened to any longer: what is kept of an answer is bounded, and one that only says that it is
    /// still there is not waited for. Asked between two responses: a large message on a slow line takes its time.
    fn endless(&self) -> Option<String> {
        let (since, time, before) = self.due;
        if self.client.get_ref().received - before > ANSWER_BYTES {
            return Some(format!("more than {} MB of it", ANSWER_BYTES >> 20));
        }
        (since.elapsed() > time).then(|| format!("not within {} s", time.as_secs()))
    }

    /// Sends a line that belongs to a running command.
    pub(super) async fn send_line(&mut self, line: &str) -> Result<(), Fault> {
        self.write(format!("{line}\r\n")).await
    }

    async fn write(&mut self, line: String) -> Result<(), Fault> {
        let wire = self.client.get_mut();
        let sending = async {
            wire.write_all(line.as_bytes()).await?;
            wire.flush().await
        };
        match timeout(self.answer, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Fault::Network { step: "sending", text: error.to_string() }),
            Err(_) => Err(self.stalled("sending")),
        }
    }

    /// Returns whether the time is over that a server has to bring what is under way to an end, once the program shall stop.
    fn must_stop(&mut self) -> bool {
        if !self.pulse.stopped() || self.leaving {
            return false;
        }
        self.stopping.get_or_insert_with(Instant::now).elapsed() >= GRACE
    }

    fn stalled(&self, step: &'static str) -> Fault {
        let step =
            if self.client.get_ref().literal_left() > 0 { "a message (fewer bytes than announced)" } else { step };
        Fault::Stalled { step, seconds: u16::try_from(self.answer.as_secs()).unwrap_or(u16::MAX) }
    }

    /// Waits for the next response and gives it to `look`.
    pub(super) async fn next<R>(
        &mut self,
        step: &'static str,
        look: impl FnOnce(&Response<'_>) -> R,
    ) -> Result<R, Fault> {
        self.next_within(step, self.answer, look).await
    }

    /// Like [`Self::next`], with another limit.
    pub(super) async fn next_within<R>(
        &mut self,
        step: &'static str,
        limit: Duration,
        look: impl FnOnce(&Response<'_>) -> R,
    ) -> Result<R, Fault> {
        if let Some(text) = self.endless() {
            return Err(Fault::Endless { step, text });
        }
        let mut since = Instant::now();
        let mut seen = self.client.get_ref().received;
        let response = loop {
            if self.must_stop() {
                return Err(Fault::Stopped);
            }
            let tick = limit.min(TICK);
            // The parser below panics at some answers that no server should give (INTERNALDATE NIL, for one).
            let read = AssertUnwindSafe(self.client.read_response()).catch_unwind();
            match timeout(tick, read).await {
                Ok(Ok(Ok(Some(response)))) => break response,
                Ok(Ok(Ok(None))) => return Err(Fault::Closed { step }),
                Ok(Ok(Err(error))) => return Err(self.broken(step, &error)),
                Ok(Err(_)) => return Err(Fault::Protocol { step, text: "no parser understands it".to_owned() }),
                Err(_) => {}
            }
            let received = self.client.get_ref().received;
            if received > seen {
                self.pulse.beat();
            }
            if received >= seen + TRICKLE {
                (since, seen) = (Instant::now(), received);
            } else if since.elapsed() >= limit {
                return Err(self.stalled(step));
            } else if self.pulse.stopped() && received == seen {
                return Err(Fault::Stopped);
            }
        };
        self.pulse.beat();
        let parsed = response.parsed();
        if let Response::Data { status: Status::Bye, outcome } = parsed
            && !self.leaving
        {
            return Err(Fault::Bye { text: said(outcome.information.as_deref().unwrap_or_default()) });
        }
        if let Response::Capabilities(list) = parsed {
            self.capabilities = names(list);
        }
        if let Response::Data { outcome, .. } | Response::Done { outcome, .. } = parsed
            && let Some(ResponseCode::Capabilities(list)) = &outcome.code
        {
            self.capabilities = names(list);
        }
        Ok(look(parsed))
    }

    fn broken(&self, step: &'static str, error: &std::io::Error) -> Fault {
        if let Some(trip) = error.get_ref().and_then(|inner| inner.downcast_ref::<Trip>()) {
            return match trip {
                Trip::Literal { bytes, uid } => {
                    Fault::TooLarge { bytes: *bytes, limit: self.client.get_ref().limit(), uid: *uid }
                }
                Trip::Line => Fault::Protocol { step, text: trip.to_string() },
            };
        }
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            return match self.client.get_ref().literal_left() {
                0 => Fault::Closed { step },
                missing => Fault::ClosedInMessage { missing },
            };
        }
        match error.kind() {
            std::io::ErrorKind::Other => Fault::Protocol { step, text: unparsed(&error.to_string()) },
            std::io::ErrorKind::InvalidData => Fault::Network { step, text: said(&error.to_string()) },
            _ => Fault::Network { step, text: error.to_string() },
        }
    }

    /// Runs one command to its end; `look` sees every other response on the way.
    pub(super) async fn run(
        &mut self,
        command: &str,
        step: &'static str,
        look: impl FnMut(&Response<'_>),
    ) -> Result<Done, Fault> {
        let tag = self.send(command).await?;
        self.finish(&tag, step, look).await
    }

    /// Reads until the command of `tag` ends. Commands that were sent beside it may end first.
    pub(super) async fn finish(
        &mut self,
        tag: &Tag,
        step: &'static str,
        mut look: impl FnMut(&Response<'_>),
    ) -> Result<Done, Fault> {
        self.progress();
        loop {
            if let Some(done) = self.early.remove(&tag.0) {
                return Ok(done);
            }
            let ended = self
                .next(step, |response| {
                    let ended = ended(response);
                    if ended.is_none() {
                        look(response);
                    }
                    ended
                })
                .await?;
            // A number that was never given out is nobody's.
            if let Some((tag, done)) = ended.filter(|(tag, _)| tag.0 <= self.tags) {
                self.early.insert(tag.0, done);
            }
        }
    }

    /// Asks what the server can do, where it has not said so by itself.
    pub(super) async fn learn_capabilities(&mut self) -> Result<(), Fault> {
        if self.capabilities.is_empty() {
            self.run("CAPABILITY", "CAPABILITY", |_| {}).await?.ok("CAPABILITY")?;
        }
        Ok(())
    }

    /// Forgets what the server can do: it changes with TLS and with the login.
    pub(super) fn forget_capabilities(&mut self) {
        self.capabilities.clear();
    }

    /// Returns whether the server can do it (upper case).
    pub(super) fn can(&self, name: &str) -> bool {
        self.capabilities.iter().any(|have| have == name)
    }

    /// Returns the ways to log in that the server offers, for a message.
    pub(super) fn logins(&self) -> String {
        let mut list: Vec<&str> = self
            .capabilities
            .iter()
            .filter(|name| name.starts_with("AUTH=") || *name == "LOGINDISABLED")
            .map(String::as_str)
            .collect();
        if list.is_empty() {
            list.push("no AUTH= capability");
        }
        said(&list.join(" "))
    }

    /// Says goodbye, without waiting long for the answer.
    pub(super) async fn leave(mut self) {
        self.leaving = true;
        if self.send("LOGOUT").await.is_ok() {
            let _ = self.next_within("LOGOUT", Duration::from_millis(500), |_| ()).await;
        }
        let _ = timeout(Duration::from_millis(200), self.client.get_mut().shutdown()).await;
    }
}

/// What could not be parsed, as text: the parser tells it as a list of bytes.
fn unparsed(told: &str) -> String {
    let bytes = told.split_once("input: [").and_then(|(_, rest)| rest.split(']').next());
    let bytes: Option<Vec<u8>> = bytes.and_then(|list| list.split(',').map(|byte| byte.trim().parse().ok()).collect());
    said(&bytes.map_or_else(|| told.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Returns the last answer where `response` is that of `tag`.
pub(super) fn done_of(tag: &Tag, response: &Response<'_>) -> Option<Done> {
    ended(response).filter(|(ended, _)| ended == tag).map(|(_, done)| done)
}

/// Returns which command the answer ends, and how.
pub(super) fn ended(response: &Response<'_>) -> Option<(Tag, Done)> {
    let Response::Done { tag, status, outcome, .. } = response else { return None };
    let tag = Tag(tag.0.strip_prefix('D')?.parse().ok()?);
    let answer = Answer {
        text: said(outcome.information.as_deref().unwrap_or_default()),
        try_create: outcome.code == Some(ResponseCode::TryCreate),
        read_only: outcome.code == Some(ResponseCode::ReadOnly),
    };
    Some((tag, if *status == Status::Ok { Done::Ok(answer) } else { Done::No(answer) }))
}

fn names(list: &[Capability<'_>]) -> Vec<String> {
    list.iter()
        .map(|capability| match capability {
            Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
            Capability::Auth(name) => format!("AUTH={}", name.to_ascii_uppercase()),
            Capability::Atom(name) => name.to_ascii_uppercase(),
        })
        .collect()
}
