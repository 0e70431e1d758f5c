//! Tells of what broke: a webhook or a mail, once for each change.
//!
//! What was told stands in `finding` (kind `alert`), so that the same change is not told again. It is written after the
//! sending: a crash in between tells twice rather than never.

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
    #[error("the webhook {url} did not take the alert after {tries} tries: {text}")]
    Webhook {
        /// The URL, without its query.
        url: String,
        /// How often it was tried.
        tries: usize,
        /// The last answer.
        text: String,
    },
    /// The mail server did not take it.
    #[error("the mail server {host} did not take the alert: {text}")]
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

/// The name under which a change is remembered: what changed, where, and when it began.
fn key(change: &Change) -> String {
    format!("{} {} {}", change.day, change.kind.word(), change.sender.as_deref().unwrap_or("*"))
}

/// Returns the changes that were not told yet.
///
/// # Errors
/// The store cannot be read.
pub fn untold(connection: &Connection, changes: &[Change]) -> Result<Vec<Change>, AlertError> {
    let mut statement = connection.prepare("SELECT DISTINCT subject, name FROM finding WHERE kind = 'alert'")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let told: FxHashSet<(String, String)> = rows.collect::<Result<_, _>>()?;
    Ok(changes.iter().filter(|one| !told.contains(&(one.domain.clone(), key(one)))).cloned().collect())
}

/// Remembers that changes were told.
///
/// # Errors
/// The store cannot be written.
pub fn remember(connection: &Connection, changes: &[Change]) -> Result<(), AlertError> {
    for change in changes {
        connection.execute(
            "INSERT INTO finding (found_at, kind, subject, name, state, detail)
             VALUES (current_timestamp, 'alert', ?, ?, 'defect', ?)",
            params![change.domain, key(change), change.text],
        )?;
    }
    Ok(())
}

/// Sends changes to everything that is configured. Returns whether anything is.
///
/// # Errors
/// The first that did not take them.
pub fn send(alerts: &Alerts, changes: &[Change], as_of: NaiveDate) -> Result<bool, AlertError> {
    let payload = Payload { program: "dmarcase", version: env!("CARGO_PKG_VERSION"), as_of, alerts: changes };
    if let Some(config) = &alerts.webhook {
        webhook::post(config, &payload)?;
    }
    if let Some(config) = &alerts.mail {
        mail::send(config, &payload)?;
    }
    Ok(alerts.webhook.is_some() || alerts.mail.is_some())
}
