//! `[[mailbox]]`: an IMAP account that reports arrive at, and what is done with its mail.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::oauth2::OAuth2Config;
use super::schedule::{SHORTEST, Schedule, Span};
use super::secret::{CommandLine, Secret};
use crate::unpack::Limits;

/// One mailbox, checked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct MailboxConfig {
    /// Its name in every answer and in the ledger. Changing it makes it another mailbox.
    pub name: String,
    /// Host name, as its certificate has it.
    pub host: String,
    /// Port: 993 for implicit TLS, else 143, unless given.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Allows an unprotected connection to another machine.
    pub allow_plaintext: bool,
    /// The only certificates trusted, PEM; else the platform's.
    pub ca_file: Option<PathBuf>,
    /// Login name.
    pub user: String,
    /// How it logs in.
    pub login: Login,
    /// Folders, as globs over decoded names. The separator is the server's.
    pub folders: Vec<String>,
    /// What is done with a mail whose reports are all stored (or were already).
    pub after: After,
    /// What is done with a mail that held no report.
    pub after_other: After,
    /// What is done with a mail of which something was rejected, or contradicts a stored report.
    pub after_rejected: After,
    /// Bytes of one mail, below `limits.mail_bytes`.
    pub mail_bytes: Option<u64>,
    /// When `watch` polls it.
    pub schedule: Schedule,
    /// How often `watch` polls besides IDLE.
    pub idle_poll: Duration,
    /// Connections at once, 1 to 8.
    pub connections: u8,
    /// Fetch commands sent ahead of their answers, 0 to 64.
    pub requests_ahead: u8,
    /// How long each step may take.
    pub timeout: Timeouts,
}

/// How a mailbox logs in.
#[derive(Clone, Debug, PartialEq)]
pub enum Login {
    /// With a password.
    Password(Secret),
    /// With an OAuth 2 access token (XOAUTH2, OAUTHBEARER).
    OAuth2(Box<OAuth2Config>),
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// TLS from the first byte (RFC 8314), port 993.
    #[default]
    Implicit,
    /// STARTTLS, port 143. Without TLS nothing is sent.
    Starttls,
    /// None.
    None,
}

/// What is done with a mail once its outcome is committed to the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum After {
    /// It stays as it is, unread.
    #[default]
    Keep,
    /// It is moved to a folder, which is created where it is missing.
    Move(String),
    /// It is deleted.
    Delete,
    /// It gets a keyword or flag.
    Flag(String),
}

/// How long each step may take, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS.
    pub connect: u16,
    /// Until the login is answered, token included.
    pub login: u16,
    /// Without a byte from the server while an answer is due.
    pub answer: u16,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: 20, login: 60, answer: 120 }
    }
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let after = match text.split_once(':') {
            None if text == "keep" => Self::Keep,
            None if text == "delete" => Self::Delete,
            Some(("move", folder)) if !folder.is_empty() => Self::Move(folder.to_owned()),
            Some(("flag", word)) if keyword(word) => Self::Flag(word.to_owned()),
            Some(("flag", word)) => {
                return Err(format!(
                    "`{word}` is no keyword: use letters, digits, `$`, `-`, `_` and `.`, or \\Seen, \\Flagged, \\Answered"
                ));
            }
            _ => return Err(format!("`{text}` is not known: write keep, move:FOLDER, delete or flag:KEYWORD")),
        };
        Ok(after)
    }
}

/// A keyword is an atom (RFC 9051 section 9); of the system flags only the harmless ones are offered.
fn keyword(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_' | '.');
    match word.strip_prefix('\\') {
        Some(system) => ["seen", "flagged", "answered"].contains(&system.to_ascii_lowercase().as_str()),
        None => !word.is_empty() && word.chars().all(plain),
    }
}

impl TryFrom<String> for After {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The section as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    allow_plaintext: bool,
    ca_file: Option<PathBuf>,
    user: String,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    password_command: Option<CommandLine>,
    oauth2: Option<OAuth2Config>,
    #[serde(default = "inbox")]
    folders: Vec<String>,
    #[serde(default)]
    after: After,
    #[serde(default)]
    after_other: After,
    #[serde(default)]
    after_rejected: After,
    mail_bytes: Option<u64>,
    #[serde(default)]
    schedule: Schedule,
    idle_poll: Option<Span>,
    #[serde(default = "one")]
    connections: u8,
    #[serde(default = "ahead")]
    requests_ahead: u8,
    #[serde(default)]
    timeout: Timeouts,
}

fn inbox() -> Vec<String> {
    vec!["INBOX".to_owned()]
}

fn one() -> u8 {
    1
}

fn ahead() -> u8 {
    16
}

impl Written {
    fn idle_poll(&self) -> Duration {
        self.idle_poll.map_or(Duration::from_secs(3600), |span| span.0)
    }

    fn check_names(&self) -> Result<(), String> {
        if self.name.is_empty() || self.host.is_empty() || self.user.is_empty() {
            return Err("name, host and user must not be empty".to_owned());
        }
        let elsewhere = self.host.parse::<std::net::IpAddr>().is_ok_and(|address| !address.is_loopback());
        if self.tls == Tls::None && elsewhere && !self.allow_plaintext {
            let text = "tls = \"none\" would send the login in the clear; use implicit or starttls, or set allow_plaintext = true";
            return Err(text.to_owned());
        }
        if self.user.chars().any(char::is_control) {
            return Err("user has a control character".to_owned());
        }
        Ok(())
    }

    fn check_folders(&self) -> Result<(), String> {
        if self.folders.is_empty() || self.folders.iter().any(String::is_empty) {
            return Err("folders must name at least one folder".to_owned());
        }
        let after = [&self.after, &self.after_other, &self.after_rejected];
        let places = after.into_iter().filter_map(|after| match after {
            After::Move(name) | After::Flag(name) => Some(name),
            After::Keep | After::Delete => None,
        });
        if places.chain(&self.folders).any(|name| name.chars().any(char::is_control)) {
            return Err("the name of a folder or keyword has a control character".to_owned());
        }
        for pattern in &self.folders {
            globset::Glob::new(pattern).map_err(|error| format!("folder pattern {error}"))?;
        }
        for after in after {
            if let After::Move(target) = after
                && self.folders.iter().any(|folder| folder.eq_ignore_ascii_case(target))
            {
                return Err(format!("moves mail to `{target}`, which is polled too: it would be read for ever"));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), String> {
        let timeouts = [self.timeout.connect, self.timeout.login, self.timeout.answer];
        let fault = if self.port == Some(0) {
            "port 0 is none: leave it out for 993, or 143 without implicit TLS"
        } else if self.mail_bytes == Some(0) {
            "mail_bytes = 0 lets no mail through"
        } else if self.idle_poll() < SHORTEST {
            "idle_poll is too often for a mail server: use 10s or more"
        } else if !(1..=8).contains(&self.connections) {
            "connections must be 1 to 8"
        } else if self.requests_ahead > 64 {
            "requests_ahead must be 0 to 64"
        } else if timeouts.contains(&0) {
            "a timeout of 0 s lets nothing through"
        } else {
            return Ok(());
        };
        Err(fault.to_owned())
    }
}

fn login(password: Option<Secret>, oauth2: Option<OAuth2Config>) -> Result<Login, String> {
    match (password, oauth2) {
        (Some(secret), None) => Ok(Login::Password(secret)),
        (None, Some(oauth2)) => Ok(Login::OAuth2(Box::new(oauth2))),
        (Some(_), Some(_)) => Err("give a password or oauth2, not both".to_owned()),
        (None, None) => {
            let text = "no login: give one of password_file, password_env, password_command and [mailbox.oauth2]";
            Err(text.to_owned())
        }
    }
}

impl TryFrom<Written> for MailboxConfig {
    type Error = String;

    fn try_from(w: Written) -> Result<Self, String> {
        let fault = |text: String| format!("mailbox `{}`: {text}", w.name);
        w.check_names().and_then(|()| w.check_folders()).and_then(|()| w.check_numbers()).map_err(fault)?;
        let idle_poll = w.idle_poll();
        let password = Secret::pick("password", w.password_file, w.password_env, w.password_command);
        let name = w.name;
        let login = password.and_then(|password| login(password, w.oauth2));
        let login = login.map_err(|text| format!("mailbox `{name}`: {text}"))?;
        let port = w.port.unwrap_or(if w.tls == Tls::Implicit { 993 } else { 143 });
        Ok(Self {
            name,
            host: w.host,
            port,
            tls: w.tls,
            allow_plaintext: w.allow_plaintext,
            ca_file: w.ca_file,
            user: w.user,
            login,
            folders: w.folders,
            after: w.after,
            after_other: w.after_other,
            after_rejected: w.after_rejected,
            mail_bytes: w.mail_bytes,
            schedule: w.schedule,
            idle_poll,
            connections: w.connections,
            requests_ahead: w.requests_ahead,
            timeout: w.timeout,
        })
    }
}

impl MailboxConfig {
    /// Makes relative paths count from `folder`, the config's.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(path) = &mut self.ca_file
            && path.is_relative()
        {
            *path = folder.join(&*path);
        }
        match &mut self.login {
            Login::Password(secret) => secret.resolve(folder),
            Login::OAuth2(oauth2) => oauth2.resolve(folder),
        }
    }

    /// Returns how many bytes a mail of it may have: its own limit, within that of every mail.
    pub fn limit(&self, limits: &Limits) -> u64 {
        limits.mail_bytes.min(self.mail_bytes.unwrap_or(u64::MAX))
    }

    /// Returns whether anything at all is done with mail after its commit.
    pub fn tidies(&self) -> bool {
        self.wishes().into_iter().any(|after| *after != After::Keep)
    }

    /// Returns all that is done with mail after its commit, of whatever kind the mail is.
    pub const fn wishes(&self) -> [&After; 3] {
        [&self.after, &self.after_other, &self.after_rejected]
    }

    /// Returns the folders that mail is moved to.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.wishes().into_iter().filter_map(|after| match after {
            After::Move(target) => Some(target.as_str()),
            After::Keep | After::Delete | After::Flag(_) => None,
        })
    }

    /// Returns every place that holds a secret of this mailbox.
    pub fn secrets(&self) -> Vec<&Secret> {
        match &self.login {
            Login::Password(secret) => vec![secret],
            Login::OAuth2(oauth2) => oauth2.secrets(),
        }
    }
}
