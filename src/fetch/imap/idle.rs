//! IDLE (RFC 2177): sleeps until the server says that mail arrived.

use std::time::Duration;

use async_imap::imap_proto::{MailboxDatum, Response};
use tokio::time::Instant;

use super::connect::Connector;
use super::connection::{Connection, Done, Pulse, done_of};
use super::error::{Fault, ImapError};
use super::folders;
use super::login::session;
use super::oauth2::Tokens;
use crate::config::MailboxConfig;

/// RFC 2177 section 3: a client that idles longer than 29 minutes may be logged out.
const RENEW: Duration = Duration::from_secs(28 * 60);

/// Between two IDLE commands of which the server ended the first.
const PAUSE: Duration = Duration::from_secs(30);

/// Why [`Idler::watch`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woke {
    /// The program shall stop.
    Stop,
    /// The server has no IDLE.
    NoIdle,
}

/// How one IDLE command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Mail,
    Time,
    Stop,
}

/// Waits for mail in INBOX, or else the first folder of a mailbox, on a connection of its own.
#[derive(Debug)]
pub struct Idler<'a> {
    /// The mailbox.
    pub mailbox: &'a MailboxConfig,
    /// Tokens of this process.
    pub tokens: &'a Tokens,
    /// Stop and watchdog.
    pub pulse: Pulse<'a>,
}

impl Idler<'_> {
    /// Calls `mail` whenever mail arrived, until the program shall stop. It is also called once the server watches: mail
    /// that came before that moment was not announced.
    ///
    /// # Errors
    /// The connection or login failed, or broke; the caller polls by its schedule and tries again.
    pub fn watch(&self, mut mail: impl FnMut()) -> Result<Woke, ImapError> {
        let at = |fault: Fault| fault.at(&self.mailbox.name, None, None);
        let runtime = super::poll::runtime().map_err(at)?;
        runtime.block_on(self.watch_in(&mut mail)).map_err(at)
    }

    async fn watch_in(&self, mail: &mut impl FnMut()) -> Result<Woke, Fault> {
        let connector = Connector::new(self.mailbox, 1 << 20)?;
        let mut connection = session(self.mailbox, &connector, self.tokens, self.pulse).await?;
        if !connection.can("IDLE") {
            connection.leave().await;
            return Ok(Woke::NoIdle);
        }
        let (found, _) = folders::resolve(&mut connection, self.mailbox).await?;
        let inbox = found.iter().find(|folder| folder.name.eq_ignore_ascii_case("INBOX"));
        let Some(folder) = inbox.or(found.first()) else {
            return Err(Fault::UnknownFolder { hint: "no folder matches the patterns".to_owned() });
        };
        if found.len() > 1 {
            let (mailbox, folder) = (&self.mailbox.name, &folder.name);
            tracing::info!(
                "mailbox `{mailbox}`: IDLE waits at the folder `{folder}`; the others are polled by idle_poll"
            );
        }
        let mut known = folders::open(&mut connection, folder, false).await?.exists;
        let mut first = true;
        loop {
            if self.pulse.stopped() {
                connection.leave().await;
                return Ok(Woke::Stop);
            }
            let until = Instant::now() + RENEW;
            let ended = round(&mut connection, until, self.pulse, &mut known, || {
                if std::mem::take(&mut first) {
                    mail();
                }
            })
            .await?;
            match ended {
                Round::Mail => mail(),
                Round::Time => {}
                Round::Stop => {
                    connection.leave().await;
                    return Ok(Woke::Stop);
                }
            }
        }
    }
}

/// Waits a moment: a server that ends each IDLE at once is not asked again and again.
async fn rest(pulse: Pulse<'_>, mail: bool) -> Result<Round, Fault> {
    tracing::debug!("the server has ended IDLE by itself; asked again in {} s", PAUSE.as_secs());
    let until = Instant::now() + PAUSE;
    while !mail && Instant::now() < until && !pulse.stopped() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(if mail { Round::Mail } else { Round::Time })
}

/// One IDLE command, ended with DONE.
async fn round(
    connection: &mut Connection<'_>,
    until: Instant,
    pulse: Pulse<'_>,
    known: &mut u32,
    mut ready: impl FnMut(),
) -> Result<Round, Fault> {
    let tag = connection.send("IDLE").await?;
    // EXISTS tells how many there are; EXPUNGE lowers the count first.
    let mut on = |response: &Response<'_>| match response {
        Response::MailboxData(MailboxDatum::Exists(n)) => std::mem::replace(known, *n) < *n,
        Response::Expunge(_) => {
            *known = known.saturating_sub(1);
            false
        }
        _ => false,
    };
    let mut started = false;
    let mut mail = false;
    while !started {
        let (answer, done) = connection
            .next("IDLE", |response| {
                mail |= on(response);
                (matches!(response, Response::Continue(_)), done_of(&tag, response))
            })
            .await?;
        match done {
            // It offers IDLE, so that it may do it later.
            Some(Done::No(answer)) => return Err(Fault::Refused { command: "IDLE", text: answer.text }),
            Some(Done::Ok(_)) => return rest(pulse, mail).await,
            None => started = answer,
        }
    }
    ready();
    // A server that says now and then that it is still there is right to do so here.
    connection.grant(RENEW);
    while !mail && Instant::now() < until && !pulse.stopped() {
        let left = until.saturating_duration_since(Instant::now());
        let waited = connection.next_within("IDLE", left, |response| (on(response), done_of(&tag, response))).await;
        match waited {
            // The server has ended it.
            Ok((_, Some(_))) => return rest(pulse, mail).await,
            Ok((hit, None)) => mail |= hit,
            Err(Fault::Stalled { .. }) => break,
            Err(Fault::Stopped) => break,
            Err(fault) => return Err(fault),
        }
    }
    connection.send_line("DONE").await?;
    let stopped = pulse.stopped();
    if !stopped {
        connection.finish(&tag, "IDLE", |response| mail |= on(response)).await?.ok("IDLE")?;
    }
    Ok(if stopped {
        Round::Stop
    } else if mail {
        Round::Mail
    } else {
        Round::Time
    })
}
