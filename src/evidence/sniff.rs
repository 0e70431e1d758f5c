//! Which format a file is of, by its first lines.

use std::str::FromStr;

use super::{exim, table};

/// Lines that are looked at.
const LINES: usize = 200;
/// One line in so many has to match.
const SHARE: usize = 20;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// Postfix, syslog or RFC 3339 stamps.
    Postfix,
    /// Postfix out of the journal: `journalctl -o json`.
    Journald,
    /// Exim main log.
    Exim,
    /// SendGrid event webhook.
    SendGrid,
    /// Amazon SES event publishing, bare or in its SNS envelope.
    Ses,
    /// Mailgun webhooks and events.
    Mailgun,
    /// Postmark webhooks.
    Postmark,
    /// SparkPost webhooks and events.
    SparkPost,
    /// The documented table as comma-separated values.
    Csv,
    /// The documented table as JSON lines.
    JsonLines,
}

impl LogFormat {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Postfix,
        Self::Journald,
        Self::Exim,
        Self::SendGrid,
        Self::Ses,
        Self::Mailgun,
        Self::Postmark,
        Self::SparkPost,
        Self::Csv,
        Self::JsonLines,
    ];

    /// Returns its word on the command line and in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Postfix => "postfix",
            Self::Journald => "journald",
            Self::Exim => "exim",
            Self::SendGrid => "sendgrid",
            Self::Ses => "ses",
            Self::Mailgun => "mailgun",
            Self::Postmark => "postmark",
            Self::SparkPost => "sparkpost",
            Self::Csv => "csv",
            Self::JsonLines => "json-lines",
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("`{text}` is no log format; known are {words}")
        })
    }
}

/// Recognises the format of a file by its first bytes.
pub(crate) fn recognise(head: &[u8]) -> Option<LogFormat> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let start = head.trim_ascii_start();
    if matches!(start.first(), Some(b'{' | b'[')) {
        return json(start);
    }
    let first = start.split(|b| *b == b'\n').next().unwrap_or_default();
    if table::is_header(first) {
        return Some(LogFormat::Csv);
    }
    let lines: Vec<&[u8]> = head.split(|b| *b == b'\n').filter(|line| !line.is_empty()).take(LINES).collect();
    let count = |test: fn(&[u8]) -> bool| lines.iter().filter(|line| test(line)).count();
    let (postfix, exim) = (count(is_postfix), count(exim::looks_like));
    let (best, format) = if exim > postfix { (exim, LogFormat::Exim) } else { (postfix, LogFormat::Postfix) };
    (best > 0 && best * SHARE >= lines.len()).then_some(format)
}

/// ` postfix/smtp[913]: `, or another name before the slash with one of Postfix's programs after it.
fn is_postfix(line: &[u8]) -> bool {
    let window = line.get(..200.min(line.len())).unwrap_or(line);
    let Some(end) = window.windows(2).skip(15).position(|pair| pair == b": ") else { return false };
    let Some(before) = window.get(..end + 15) else { return false };
    let tag = before.rsplit(|b| *b == b' ').next().unwrap_or_default();
    let name = tag.split(|b| *b == b'[').next().unwrap_or_default();
    let mut parts = name.rsplit(|b| *b == b'/');
    let program = parts.next().unwrap_or_default();
    let Some(instance) = parts.next_back() else { return false };
    instance.starts_with(b"postfix")
        || matches!(
            program,
            b"smtp"
                | b"lmtp"
                | b"qmgr"
                | b"cleanup"
                | b"smtpd"
                | b"local"
                | b"virtual"
                | b"pipe"
                | b"error"
                | b"bounce"
        )
}

/// The format of JSON by the names in it. The head may be cut anywhere, so names are searched, not parsed.
fn json(head: &[u8]) -> Option<LogFormat> {
    let has = |name: &str| {
        let quoted = format!("\"{name}\"");
        memchr::memmem::find(head, quoted.as_bytes()).is_some()
    };
    // An SNS envelope holds its message as JSON text: the quotes are escaped.
    let inner = |name: &str| {
        let quoted = format!("\\\"{name}\\\"");
        has(name) || memchr::memmem::find(head, quoted.as_bytes()).is_some()
    };
    if has("__REALTIME_TIMESTAMP") || has("SYSLOG_IDENTIFIER") {
        Some(LogFormat::Journald)
    } else if has("msys") || has("rcpt_to") && has("type") && !has("attempt_time") {
        Some(LogFormat::SparkPost)
    } else if has("RecordType") {
        Some(LogFormat::Postmark)
    } else if has("event-data") || has("delivery-status") || has("log-level") && has("event") {
        Some(LogFormat::Mailgun)
    } else if has("sg_event_id") || has("sg_message_id") || has("smtp-id") {
        Some(LogFormat::SendGrid)
    } else if (inner("eventType") || inner("notificationType")) && inner("mail") {
        Some(LogFormat::Ses)
    } else if has("attempt_time") {
        Some(LogFormat::JsonLines)
    } else if has("event") && has("email") && has("timestamp") {
        Some(LogFormat::SendGrid)
    } else {
        None
    }
}

/// What the first lines look like, for the error that names no format.
pub(crate) fn describe(head: &[u8]) -> String {
    if head.trim_ascii().is_empty() {
        return "it is empty".to_owned();
    }
    let first = head.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let first = first.get(..120.min(first.len())).unwrap_or_default();
    let text: String = String::from_utf8_lossy(first).chars().filter(|letter| !letter.is_control()).take(80).collect();
    format!("it begins `{text}`")
}
