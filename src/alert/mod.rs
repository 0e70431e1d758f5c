//! Tells of what broke: a webhook or a mail, once for each change.
//!
//! What was told stands in `finding` (kind `alert`, its channel before the name of the change), so that the same change is
//! not told again. It is written after the sending: a crash in between tells twice rather than never.

mod mail;
mod webhook;

use chrono::NaiveDate;
use duckdb::{Connection, params};
use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::config::{Alerts, SecretError};
use crate::query::Change;

pub use webhook::signature;

/// Why an alert could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// The secret cannot be read.
    #[error("the secret for alerts: {0}")]
    Secret(#[from] SecretError),
    /// The webhook did not take it.
    #[error("the webhook {url} did not take the alert after {tries} {}: {text}; it will be sent by the next `trend --alert`", if *.tries == 1 { "try" } else { "tries" })]
    Webhook {
        /// The URL, without its query.
        url: String,
        /// How often it was tried.
        tries: usize,
        /// The last answer.
        text: String,
    },
    /// The mail server did not take it.
    #[error("the mail server {host} did not take the alert: {text}; it will be sent by the next `trend --alert`")]
    Mail {
        /// The server.
        host: String,
        /// What it said.
        text: String,
    },
    /// The store failed.
    #[error("what was told already, the store says: {0}")]
    Store(#[from] duckdb::Error),
}

/// Where an alert goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// `[alerts.webhook]`.
    Webhook,
    /// `[alerts.mail]`.
    Mail,
}

impl Channel {
    /// Returns the channels that are configured.
    pub fn of(alerts: &Alerts) -> Vec<Self> {
        let webhook = alerts.webhook.is_some().then_some(Self::Webhook);
        webhook.into_iter().chain(alerts.mail.is_some().then_some(Self::Mail)).collect()
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }
}

/// What is posted: one document for all changes that were not told yet.
#[derive(Clone, Debug, Serialize)]
pub struct Payload<'a> {
    /// `dmarcase`.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The day that counted as today.
    pub as_of: NaiveDate,
    /// The changes.
    pub alerts: &'a [Change],
}

/// The name under which a change is remembered: the channel, what changed, where, and when it began.
fn key(channel: Channel, change: &Change) -> String {
    let sender = change.sender.as_deref().unwrap_or("*");
    format!("{} {} {} {sender}", channel.word(), change.day, change.kind.word())
}

/// Returns the changes that a channel was not told yet.
///
/// # Errors
/// The store cannot be read.
pub fn untold(connection: &Connection, changes: &[Change], channel: Channel) -> Result<Vec<Change>, AlertError> {
    let mut statement = connection.prepare("SELECT DISTINCT subject, name FROM finding WHERE kind = 'alert'")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let told: FxHashSet<(String, String)> = rows.collect::<Result<_, _>>()?;
    Ok(changes.iter().filter(|one| !told.contains(&(one.domain.clone(), key(channel, one)))).cloned().collect())
}

/// Remembers that a channel was told of changes.
///
/// # Errors
/// The store cannot be written.
pub fn remember(connection: &Connection, changes: &[Change], channel: Channel) -> Result<(), AlertError> {
    for change in changes {
        connection.execute(
            "INSERT INTO finding (found_at, kind, subject, name, state, detail)
             VALUES (current_timestamp, 'alert', ?, ?, 'defect', ?)",
            params![change.domain, key(channel, change), change.text],
        )?;
    }
    Ok(())
}

/// Sends changes to one channel.
///
/// # Errors
/// It did not take them.
pub fn send(alerts: &Alerts, channel: Channel, changes: &[Change], as_of: NaiveDate) -> Result<(), AlertError> {
    let payload = Payload { program: "dmarcase", version: env!("CARGO_PKG_VERSION"), as_of, alerts: changes };
    match channel {
        Channel::Webhook => alerts.webhook.as_ref().map_or(Ok(()), |config| webhook::post(config, &payload)),
        Channel::Mail => alerts.mail.as_ref().map_or(Ok(()), |config| mail::send(config, &payload)),
    }
}
