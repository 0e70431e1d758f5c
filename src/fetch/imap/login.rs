//! Logs in: PLAIN or LOGIN with a password, XOAUTH2 or OAUTHBEARER with a token. No secret leaves this file but to the
//! server.

use std::time::Duration;

use async_imap::imap_proto::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::connect::{Connector, Greeting};
use super::connection::{Answer, Connection, Done, Pulse, done_of};
use super::error::Fault;
use super::oauth2::Tokens;
use crate::config::{Login, MailboxConfig};

/// Connects and logs in.
pub(super) async fn session<'p>(
    mailbox: &MailboxConfig,
    connector: &Connector<'_>,
    tokens: &Tokens,
    pulse: Pulse<'p>,
) -> Result<Connection<'p>, Fault> {
    let first = open(mailbox, connector, tokens, pulse).await;
    // A cached token may have been revoked before its time: once more with a new one.
    if matches!(first, Err(Fault::TokenRefused { .. })) && tokens.forget(&mailbox.name) {
        return open(mailbox, connector, tokens, pulse).await;
    }
    first
}

async fn open<'p>(
    mailbox: &MailboxConfig,
    connector: &Connector<'_>,
    tokens: &Tokens,
    pulse: Pulse<'p>,
) -> Result<Connection<'p>, Fault> {
    // The secret first: without it there is no need to bother the server.
    let secret = match &mailbox.login {
        Login::Password(secret) => secret.read()?,
        Login::OAuth2(oauth2) => {
            tokens.token(&mailbox.name, oauth2, Duration::from_secs(u64::from(mailbox.timeout.login)))?
        }
    };
    let (mut connection, greeting) = connector.connect(pulse).await?;
    if greeting == Greeting::Hello {
        let limit = Duration::from_secs(u64::from(mailbox.timeout.login));
        timeout(limit, log_in(mailbox, &mut connection, &secret))
            .await
            .map_err(|_| Fault::Stalled { step: "login", seconds: mailbox.timeout.login })?
            .map_err(|fault| fault.veiled(&sent(mailbox, &secret)))?;
    }
    connection.learn_capabilities().await?;
    Ok(connection)
}

async fn log_in(mailbox: &MailboxConfig, connection: &mut Connection<'_>, secret: &SecretString) -> Result<(), Fault> {
    connection.learn_capabilities().await?;
    let user = &mailbox.user;
    let secret_text = secret.expose_secret();
    let done = match &mailbox.login {
        Login::Password(_) if connection.can("AUTH=PLAIN") => {
            authenticate(connection, "PLAIN", &plain(user, secret_text)).await?
        }
        Login::Password(_) if connection.can("LOGINDISABLED") => {
            let remedy = "the server takes no password here: use tls = \"implicit\" or \"starttls\", or oauth2";
            return Err(Fault::NoMechanism { offered: connection.logins(), remedy });
        }
        Login::Password(_) => {
            connection.run(&format!("LOGIN {} {}", quoted(user), quoted(secret_text)), "LOGIN", |_| {}).await?
        }
        Login::OAuth2(_) if connection.can("AUTH=XOAUTH2") || !connection.can("AUTH=OAUTHBEARER") => {
            if !connection.can("AUTH=XOAUTH2") {
                let remedy = "oauth2 needs XOAUTH2 or OAUTHBEARER: use a password";
                return Err(Fault::NoMechanism { offered: connection.logins(), remedy });
            }
            authenticate(connection, "XOAUTH2", &xoauth2(user, secret_text)).await?
        }
        Login::OAuth2(_) => authenticate(connection, "OAUTHBEARER", &oauthbearer(mailbox, secret_text)).await?,
    };
    let Done::No(Answer { text, .. }) = done else { return Ok(()) };
    let user = user.clone();
    Err(match mailbox.login {
        Login::Password(_) => Fault::LoginRefused { user, text },
        Login::OAuth2(_) => Fault::TokenRefused { user, text },
    })
}

/// RFC 4616: no authorisation identity, user, password.
fn plain(user: &str, password: &str) -> String {
    format!("\0{user}\0{password}")
}

fn xoauth2(user: &str, token: &str) -> String {
    format!("user={user}\x01auth=Bearer {token}\x01\x01")
}

/// RFC 7628 section 3.1; in the name `,` and `=` are escaped (RFC 5801 section 4).
fn oauthbearer(mailbox: &MailboxConfig, token: &str) -> String {
    let name = mailbox.user.replace('=', "=3D").replace(',', "=2C");
    let (host, port) = (&mailbox.host, mailbox.port);
    format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
}

/// Every form in which the secret is sent: a server may say back what it was sent.
fn sent(mailbox: &MailboxConfig, secret: &SecretString) -> Vec<String> {
    let secret = secret.expose_secret();
    let messages = [plain(&mailbox.user, secret), xoauth2(&mailbox.user, secret), oauthbearer(mailbox, secret)];
    let mut forms: Vec<String> = messages.iter().map(|message| STANDARD.encode(message)).collect();
    forms.push(quoted(secret).trim_matches('"').to_owned());
    forms.push(secret.to_owned());
    forms
}

/// AUTHENTICATE with one message, in the command itself where the server allows (SASL-IR, RFC 4959).
async fn authenticate(connection: &mut Connection<'_>, mechanism: &str, message: &str) -> Result<Done, Fault> {
    let mut message = Some(STANDARD.encode(message));
    let command = if connection.can("SASL-IR") {
        format!("AUTHENTICATE {mechanism} {}", message.take().unwrap_or_default())
    } else {
        format!("AUTHENTICATE {mechanism}")
    };
    // What the server can do may differ after the login; it says so in the answer, or is asked.
    connection.forget_capabilities();
    let tag = connection.send(&command).await?;
    let mut challenge = None;
    loop {
        enum Next {
            Done(Done),
            Challenge(String),
            Other,
        }
        let next = connection
            .next("login", |response| match (done_of(&tag, response), response) {
                (Some(done), _) => Next::Done(done),
                (None, Response::Continue(outcome)) => {
                    Next::Challenge(outcome.information.as_deref().unwrap_or_default().to_owned())
                }
                _ => Next::Other,
            })
            .await?;
        match next {
            Next::Done(Done::No(mut answer)) => {
                if let Some(why) = challenge {
                    answer.text = format!("{} {why}", answer.text);
                }
                return Ok(Done::No(answer));
            }
            Next::Done(done) => return Ok(done),
            Next::Challenge(text) => match message.take() {
                Some(message) => connection.send_line(&message).await?,
                None => {
                    // A refused token: the challenge is JSON that says why. The answer to it is empty, but for OAUTHBEARER,
                    // where it is one control-A (RFC 7628 section 3.2.3).
                    let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
                    challenge = Some(super::error::said(&String::from_utf8_lossy(&bytes)));
                    connection.send_line(if mechanism == "OAUTHBEARER" { "AQ==" } else { "" }).await?;
                }
            },
            Next::Other => {}
        }
    }
}

/// A quoted string (RFC 9051 section 9). Line breaks cannot be in a secret.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
