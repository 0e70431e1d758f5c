//! Journal entries as `journalctl -o json` writes them, one object a line → the same messages that syslog would hold.

use std::borrow::Cow;

use memchr::memchr_iter;
use serde::Deserialize;

use super::Reader;
use super::joiner::Events;
use super::postfix::Run;
use super::stamp::{YearMonth, dated};

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "__REALTIME_TIMESTAMP", borrow, default)]
    realtime: Option<Cow<'a, str>>,
    #[serde(rename = "_SOURCE_REALTIME_TIMESTAMP", borrow, default)]
    source: Option<Cow<'a, str>>,
    #[serde(rename = "_HOSTNAME", borrow, default)]
    host: Option<Cow<'a, str>>,
    #[serde(rename = "SYSLOG_IDENTIFIER", borrow, default)]
    identifier: Option<Cow<'a, str>>,
    #[serde(rename = "_PID", borrow, default)]
    process: Option<Cow<'a, str>>,
    #[serde(rename = "MESSAGE", borrow, default)]
    message: Option<Message<'a>>,
}

/// Text, or a list of bytes where the message is not UTF-8 (systemd.journal-fields, JSON format).
#[derive(Deserialize)]
#[serde(untagged)]
enum Message<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
}

/// Reads one run of lines.
pub(crate) fn read(reader: &Reader, bytes: &[u8]) -> Events {
    let mut run = Run::new(reader, YearMonth { year: 1970, month: 1 });
    let mut from = 0;
    let ends = memchr_iter(b'\n', bytes).chain((!bytes.ends_with(b"\n")).then_some(bytes.len()));
    for end in ends {
        let line = bytes.get(from..end).unwrap_or_default();
        from = end + 1;
        run.next_line();
        entry(&mut run, line, end == bytes.len());
    }
    run.finish(bytes.len() as u64)
}

fn entry(run: &mut Run<'_>, line: &[u8], last: bool) {
    // Bad bytes inside a string would make the whole entry unreadable.
    let text = String::from_utf8_lossy(line);
    let Ok(entry) = serde_json::from_str::<Entry<'_>>(&text) else { return run.unknown(line, last) };
    let stamp = entry.source.or(entry.realtime).and_then(|micros| dated(micros.parse().ok()?));
    let (Some(at), Some(host), Some(tag), Some(message)) = (stamp, entry.host, entry.identifier, entry.message) else {
        return run.unknown(line, last);
    };
    let message = match &message {
        Message::Text(text) => text.as_bytes(),
        Message::Bytes(bytes) => bytes,
    };
    let process = entry.process.unwrap_or_default();
    run.message(at, host.as_bytes(), tag.as_bytes(), process.as_bytes(), message, false);
}
