//! What can go wrong between this program and a mail server, each with the place and what to do.

use std::fmt;
use std::path::PathBuf;

use crate::config::SecretError;

/// A fault with its place: mailbox, folder, UID as far as they are known.
#[derive(Debug)]
pub struct ImapError {
    /// The config's name of the mailbox.
    pub mailbox: String,
    /// The folder, decoded.
    pub folder: Option<String>,
    /// The message.
    pub uid: Option<u32>,
    /// What went wrong.
    pub fault: Fault,
}

impl fmt::Display for ImapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mailbox `{}`", self.mailbox)?;
        if let Some(folder) = &self.folder {
            write!(f, ", folder `{folder}`")?;
        }
        if let Some(uid) = self.uid {
            write!(f, ", UID {uid}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for ImapError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

/// What went wrong. What a server says is shown without control characters, cut at 300.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No address for the name.
    #[error("the name {host} has no address: {text}; check `host`, and the DNS of this machine")]
    NoAddress {
        /// Host as configured.
        host: String,
        /// What the system says.
        text: String,
    },
    /// No TCP connection.
    #[error("cannot connect to {host} port {port}: {text}; check `port`, firewalls, and that IMAP is on")]
    Unreachable {
        /// Host as configured.
        host: String,
        /// Port.
        port: u16,
        /// What the system says.
        text: String,
    },
    /// A step before the login took too long.
    #[error(
        "{host} port {port} did not answer within {seconds} s while connecting ({step}); raise timeout.connect if the line is slow"
    )]
    ConnectTimeout {
        /// Host as configured.
        host: String,
        /// Port.
        port: u16,
        /// What was waited for.
        step: &'static str,
        /// Limit.
        seconds: u16,
    },
    /// The certificate is signed by nobody that is trusted.
    #[error(
        "the certificate of {host} is signed by nobody that this machine trusts; give the CA's certificate as `ca_file`"
    )]
    UntrustedCertificate {
        /// Host as configured.
        host: String,
    },
    /// A CA certificate stands as the server's own.
    #[error(
        "{host} shows a CA certificate as its own, which TLS does not allow; \
         make it again without CA:TRUE (openssl: basicConstraints=critical,CA:FALSE), or sign one with it"
    )]
    CaAsServer {
        /// Host as configured.
        host: String,
    },
    /// The certificate is for other names.
    #[error("the certificate of {host} is for {presented}, not for {host}; set `host` to a name in it")]
    NameMismatch {
        /// Host as configured.
        host: String,
        /// The names in it.
        presented: String,
    },
    /// The certificate's time is over, or not yet there.
    #[error(
        "the certificate of {host} has expired or is not valid yet; the server's operator must renew it (is this machine's clock right?)"
    )]
    CertificateTime {
        /// Host as configured.
        host: String,
    },
    /// Any other fault of TLS.
    #[error("no TLS with {host} port {port}: {text}; is `tls` right? implicit TLS is port 993, starttls port 143")]
    Tls {
        /// Host as configured.
        host: String,
        /// Port.
        port: u16,
        /// What the library says.
        text: String,
    },
    /// `ca_file` cannot be used.
    #[error("cannot use ca_file {path}: {text}; it must hold certificates in PEM form")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// The server has no STARTTLS.
    #[error("{host} does not offer STARTTLS ({text}); use tls = \"implicit\", port 993")]
    NoStartTls {
        /// Host as configured.
        host: String,
        /// What the server says.
        text: String,
    },
    /// No protection on the way to another machine.
    #[error(
        "tls = \"none\" would send the login to {host} in the clear; use implicit or starttls, or set allow_plaintext = true"
    )]
    Plaintext {
        /// Host as configured.
        host: String,
    },
    /// The secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Name or password is wrong.
    #[error(
        "the server refuses the login of `{user}`: {text}; check user and password (some services want an app password, or have ended passwords: oauth2)"
    )]
    LoginRefused {
        /// Login name.
        user: String,
        /// What the server says.
        text: String,
    },
    /// The access token is expired or not for this mailbox.
    #[error(
        "the server refuses the access token for `{user}`: {text}; expired, or without the right to IMAP or to this mailbox"
    )]
    TokenRefused {
        /// Login name.
        user: String,
        /// What the server says.
        text: String,
    },
    /// The server offers no way to log in that is configured.
    #[error("the server offers no login for this config (it has {offered}); {remedy}")]
    NoMechanism {
        /// What it offers.
        offered: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The token endpoint gives no token.
    #[error("no access token from {url}: {text}; check client_id, client_secret, refresh token and scope")]
    TokenEndpoint {
        /// The endpoint.
        url: String,
        /// Its `error` and `error_description`, or what failed.
        text: String,
    },
    /// No such folder.
    #[error("no such folder; {hint}")]
    UnknownFolder {
        /// Folders that are there.
        hint: String,
    },
    /// The folder is there but cannot be opened.
    #[error("the server does not open the folder: {text}; check its access rights")]
    FolderRefused {
        /// What the server says.
        text: String,
    },
    /// The folder has no lasting UIDs.
    #[error("the server gives no UIDVALIDITY, so nothing could be resumed; this folder cannot be polled")]
    NoUidValidity,
    /// The server says goodbye.
    #[error("the server ended the session: {text}; polled again later")]
    Bye {
        /// What it says.
        text: String,
    },
    /// The connection is gone between two answers.
    #[error("the server closed the connection during {step}; polled again later")]
    Closed {
        /// What was going on.
        step: &'static str,
    },
    /// The connection is gone in the middle of a message.
    #[error(
        "the server closed the connection in the middle of a message ({missing} bytes missing); polled again later"
    )]
    ClosedInMessage {
        /// Bytes that it had announced and did not send.
        missing: u64,
    },
    /// The system's own network error.
    #[error("the connection failed during {step}: {text}; polled again later")]
    Network {
        /// What was going on.
        step: &'static str,
        /// What the system says.
        text: String,
    },
    /// Nothing comes any more.
    #[error(
        "the server sent nothing for {seconds} s during {step}; polled again later (raise timeout.answer for a slow server)"
    )]
    Stalled {
        /// What was going on.
        step: &'static str,
        /// Limit.
        seconds: u16,
    },
    /// Something keeps coming, but nothing that is wanted.
    #[error(
        "the server's answer during {step} comes to no end: {text}; polled again later (raise timeout.answer for a slow server)"
    )]
    Endless {
        /// What was going on.
        step: &'static str,
        /// What came.
        text: String,
    },
    /// The message was not given.
    #[error(
        "the server refuses to give the message: {text}; look at it with a mail program; `dmarcase retry` asks again"
    )]
    FetchRefused {
        /// What the server says.
        text: String,
    },
    /// A size announced does not fit what came.
    #[error(
        "the server announced a wrong size: {text}; the server's index may need a rebuild (Dovecot: doveadm force-resync)"
    )]
    WrongSize {
        /// What does not fit.
        text: String,
    },
    /// More announced than allowed.
    #[error("the server announces {bytes} bytes, above the limit mail_bytes = {limit}; raise the limit to read it")]
    TooLarge {
        /// Announced.
        bytes: u64,
        /// Allowed.
        limit: u64,
        /// The message, where the server named it.
        uid: Option<u32>,
    },
    /// What came is no IMAP.
    #[error("the server's answer during {step} cannot be read as IMAP: {text}{}", at_first(step))]
    Protocol {
        /// What was going on.
        step: &'static str,
        /// The beginning of what came, or what the parser says.
        text: String,
    },
    /// A command was refused.
    #[error("the server refuses {command}: {text}")]
    Refused {
        /// The command, without its arguments.
        command: &'static str,
        /// What the server says.
        text: String,
    },
    /// Mail could not be moved, deleted or flagged.
    #[error(
        "the mail is stored, but could not be {what}: {text}; it stays where it is and is tried again at the next poll"
    )]
    After {
        /// `moved to X`, `deleted`, `flagged`.
        what: String,
        /// What the server says, and what to do.
        text: String,
    },
    /// The store could not say how far the folder was read, or did not take what was read.
    #[error("the store is not available: {text}")]
    Store {
        /// Why.
        text: String,
    },
    /// The program was asked to stop.
    #[error("stopped")]
    Stopped,
    /// A defect of ours or of a library.
    #[error("internal error while talking to the server: {text}; please report it")]
    Internal {
        /// What is known.
        text: String,
    },
}

impl Fault {
    /// Adds the place.
    pub(super) fn at(self, mailbox: &str, folder: Option<&str>, uid: Option<u32>) -> ImapError {
        ImapError { mailbox: mailbox.to_owned(), folder: folder.map(str::to_owned), uid, fault: self }
    }

    /// Returns the same fault again. One that holds what cannot be copied becomes its text.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Bye { text } => Self::Bye { text: text.clone() },
            Self::Closed { step } => Self::Closed { step },
            Self::ClosedInMessage { missing } => Self::ClosedInMessage { missing: *missing },
            Self::Network { step, text } => Self::Network { step, text: text.clone() },
            Self::Stalled { step, seconds } => Self::Stalled { step, seconds: *seconds },
            Self::Endless { step, text } => Self::Endless { step, text: text.clone() },
            Self::WrongSize { text } => Self::WrongSize { text: text.clone() },
            Self::TooLarge { bytes, limit, uid } => Self::TooLarge { bytes: *bytes, limit: *limit, uid: *uid },
            Self::Protocol { step, text } => Self::Protocol { step, text: text.clone() },
            Self::Stopped => Self::Stopped,
            other => Self::Internal { text: other.to_string() },
        }
    }

    /// The folder's UIDVALIDITY changed while it was polled.
    pub(super) fn numbered_anew() -> Self {
        let text = "the server numbered its mails anew; polled again later".to_owned();
        Self::Refused { command: "SELECT", text }
    }

    /// Hides secrets in what the server says, also one that is cut at the end.
    pub(super) fn veiled(mut self, secrets: &[String]) -> Self {
        if let Self::Refused { text, .. }
        | Self::LoginRefused { text, .. }
        | Self::TokenRefused { text, .. }
        | Self::Bye { text }
        | Self::Network { text, .. }
        | Self::Protocol { text, .. } = &mut self
        {
            for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
                *text = text.replace(secret.as_str(), "…");
                let cut = secret.char_indices().map(|(at, _)| at).skip(4).filter(|at| text.ends_with(&secret[..*at]));
                if let Some(at) = cut.max() {
                    text.truncate(text.len() - at);
                    text.push('…');
                }
            }
        }
        self
    }

    /// Returns whether the connection is of no more use.
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Bye { .. }
                | Self::Closed { .. }
                | Self::ClosedInMessage { .. }
                | Self::Network { .. }
                | Self::Stalled { .. }
                | Self::Endless { .. }
                | Self::WrongSize { .. }
                | Self::TooLarge { .. }
                | Self::Protocol { .. }
        )
    }

    /// Returns whether trying again soon could lock the account or is of no use before someone acts.
    pub fn needs_operator(&self) -> bool {
        matches!(
            self,
            Self::UntrustedCertificate { .. }
                | Self::CaAsServer { .. }
                | Self::NameMismatch { .. }
                | Self::CaFile { .. }
                | Self::NoStartTls { .. }
                | Self::Plaintext { .. }
                | Self::Secret(_)
                | Self::LoginRefused { .. }
                | Self::TokenRefused { .. }
                | Self::NoMechanism { .. }
                | Self::TokenEndpoint { .. }
        )
    }
}

/// What may be wrong where the very first answer is none of a mail server.
fn at_first(step: &str) -> &'static str {
    if step == "greeting" { "; is this an IMAP port?" } else { "" }
}

/// Makes what a stranger says fit for a log: no control characters, 300 at most.
pub(super) fn said(text: &str) -> String {
    let mut out: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    let end = out.trim_end().len();
    out.truncate(end);
    if out.is_empty() { "(no reason given)".to_owned() } else { out }
}
