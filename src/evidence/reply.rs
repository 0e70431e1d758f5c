//! What the other side said, out of the text that a mail system wraps around it.

use memchr::{memchr, memmem};

use super::names::{Stage, enhanced_number};

/// A reply, or the reason why there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    /// First `[245]dd`; 0 where there was no reply.
    pub(crate) code: u16,
    /// Enhanced code; 0 where the reply has none.
    pub(crate) enhanced: u32,
    /// The reply from its code on, verbatim, or the whole text where there was no reply.
    pub(crate) text: &'a [u8],
    /// Bytes of `text` that hold the codes.
    pub(crate) codes: usize,
    /// Where in the conversation.
    pub(crate) stage: Stage,
    /// Host that the text names.
    pub(crate) host: &'a [u8],
    /// The address of that host.
    pub(crate) address: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads a bare reply: `421 4.7.0 text`, `421-4.7.0 text`, or text without a code.
    pub(crate) fn bare(text: &'a [u8]) -> Self {
        let (code, enhanced, codes) = codes(text);
        Self { code, enhanced, codes, text, ..Self::default() }
    }

    /// Reads the text of a Postfix delivery line (postfix `src/smtp/smtp_trouble.c`, `smtp_connect.c`, `dsn_util.c`).
    pub(crate) fn postfix(text: &'a [u8]) -> Self {
        if let Some(rest) = text.strip_prefix(b"host ") {
            let Some(close) = memchr(b']', rest) else { return Self { text, ..Self::default() } };
            let (peer, after) = rest.split_at(close + 1);
            let (host, address) = split_peer(peer);
            // A port stands after the bracket when it is not 25.
            let after = match after.strip_prefix(b":") {
                Some(port) => port.get(memchr(b' ', port).unwrap_or(0)..).unwrap_or_default(),
                None => after,
            };
            if let Some(said) = after.strip_prefix(b" said: ") {
                let (said, stage) = in_reply_to(said);
                return Self { stage, host, address, ..Self::bare(said) };
            }
            if let Some(said) = after.strip_prefix(b" refused to talk to me: ") {
                let (said, stage) = in_reply_to(said);
                let stage = if stage == Stage::Unknown { Stage::Greeting } else { stage };
                return Self { stage, host, address, ..Self::bare(said) };
            }
            return Self { text, host, address, ..Self::default() };
        }
        for start in [&b"connect to "[..], b"lost connection with ", b"conversation with "] {
            if let Some(rest) = text.strip_prefix(start)
                && let Some(close) = memchr(b']', rest)
            {
                let (host, address) = split_peer(rest.get(..=close).unwrap_or_default());
                return Self { text, host, address, ..Self::default() };
            }
        }
        Self::bare(text)
    }
}

/// `name[address]`.
fn split_peer(peer: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'[', peer) {
        Some(open) => {
            let (host, address) = peer.split_at(open);
            (host, address.strip_prefix(b"[").and_then(|a| a.strip_suffix(b"]")).unwrap_or_default())
        }
        None => (peer, &[]),
    }
}

/// Takes ` (in reply to RCPT TO command)` off the end.
fn in_reply_to(text: &[u8]) -> (&[u8], Stage) {
    let Some(place) = memmem::rfind(text, b" (in reply to ") else { return (text, Stage::Unknown) };
    let (reply, note) = text.split_at(place);
    if !note.ends_with(b")") {
        return (text, Stage::Unknown);
    }
    let note = note.get(14..).unwrap_or_default();
    (reply, stage_of(note))
}

/// Reads the start of a command's name, as Postfix and Exim write it.
pub(crate) fn stage_of(words: &[u8]) -> Stage {
    let starts = |word: &[u8]| words.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts(b"end of DATA") || starts(b"pipelined end of DATA") || starts(b"end of data") {
        Stage::EndOfData
    } else if starts(b"RCPT") || starts(b"pipelined RCPT") {
        Stage::Rcpt
    } else if starts(b"MAIL") || starts(b"pipelined MAIL") {
        Stage::Mail
    } else if starts(b"DATA") || starts(b"pipelined DATA") || starts(b"BDAT") {
        Stage::Data
    } else if starts(b"EHLO") || starts(b"HELO") || starts(b"LHLO") {
        Stage::Hello
    } else if starts(b"initial connection") {
        Stage::Greeting
    } else {
        Stage::Unknown
    }
}

/// Returns the code, the enhanced code, and the bytes that they take.
fn codes(text: &[u8]) -> (u16, u32, usize) {
    let [class @ (b'2' | b'4' | b'5'), d2 @ b'0'..=b'9', d3 @ b'0'..=b'9', rest @ ..] = text else {
        return (0, 0, 0);
    };
    if !matches!(rest.first(), None | Some(b' ' | b'-')) {
        return (0, 0, 0);
    }
    let code = u16::from(class - b'0') * 100 + u16::from(d2 - b'0') * 10 + u16::from(d3 - b'0');
    let Some(after) = rest.get(1..) else { return (code, 0, 3) };
    let end = after.iter().take(12).position(|b| !(b.is_ascii_digit() || *b == b'.')).unwrap_or(after.len().min(12));
    let word = after.get(..end).unwrap_or_default();
    match enhanced_number(word) {
        Some(enhanced) => (code, enhanced, 4 + end),
        None => (code, 0, 3),
    }
}
