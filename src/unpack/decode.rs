//! Base64 and quoted-printable as they arrive: nothing in them stops the decoding, oddities are counted.

use std::io::{self, Read};

const INVALID: u32 = 0x8000_0000;

static VALUES: [u32; 256] = {
    let mut table = [INVALID; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u32;
        value += 1;
    }
    // RFC 4648 section 5, which some senders use in mail.
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

/// Looks up one character; the index is a byte, so the table always has it.
fn value(character: u8) -> u32 {
    VALUES.get(character as usize).copied().unwrap_or(INVALID)
}

/// A streaming base64 decoder (RFC 2045 section 6.8) that skips what is no base64.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    bits: u32,
    held: u8,
    /// Characters skipped that are neither base64, padding nor blanks.
    pub(super) junk: u64,
}

impl Base64 {
    /// Decodes `input` behind what came before and appends to `out`.
    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        out.reserve(input.len() / 4 * 3 + 3);
        let mut rest = input;
        while !rest.is_empty() {
            if self.held == 0 {
                let taken = decode_run(rest, out);
                rest = rest.get(taken..).unwrap_or_default();
            }
            // One character by hand: a line end, padding, junk, or a group that a line end splits.
            let Some((&character, tail)) = rest.split_first() else { break };
            rest = tail;
            let value = value(character);
            if value != INVALID {
                self.bits = self.bits << 6 | value;
                self.held += 1;
                if self.held == 4 {
                    out.extend_from_slice(self.bits.to_be_bytes().get(1..).unwrap_or_default());
                    (self.bits, self.held) = (0, 0);
                }
            } else if character == b'=' {
                self.finish(out);
            } else if !character.is_ascii_whitespace() {
                self.junk += 1;
            }
        }
    }

    /// Writes the bytes of an unfinished group: padding may be missing.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self.held {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&[(self.bits >> 10) as u8, (self.bits >> 2) as u8]),
            _ => {}
        }
        (self.bits, self.held) = (0, 0);
    }
}

/// Decodes whole groups until the first character that is no base64; returns how many characters it took.
fn decode_run(input: &[u8], out: &mut Vec<u8>) -> usize {
    let mut taken = 0;
    // A line at a time, so that the writes need no bounds check each.
    for block in input.chunks(76) {
        let at = out.len();
        out.resize(at + 57, 0);
        let mut groups = 0;
        for (group, bytes) in block.chunks_exact(4).zip(out.get_mut(at..).unwrap_or_default().chunks_exact_mut(3)) {
            let &[a, b, c, d] = group else { break };
            let word = value(a) << 18 | value(b) << 12 | value(c) << 6 | value(d);
            if (value(a) | value(b) | value(c) | value(d)) & INVALID != 0 {
                break;
            }
            bytes.copy_from_slice(word.to_be_bytes().get(1..).unwrap_or_default());
            groups += 1;
        }
        out.truncate(at + groups * 3);
        taken += groups * 4;
        if groups < 19 {
            break;
        }
    }
    taken
}

/// Reads base64 text as bytes.
pub(super) struct Base64Reader<'a> {
    text: &'a [u8],
    decoder: Base64,
    ready: Vec<u8>,
    at: usize,
}

impl<'a> Base64Reader<'a> {
    /// Text decoded at a time, a whole number of usual lines.
    const STEP: usize = 78 * 1024;

    pub(super) fn new(text: &'a [u8], buffer: Vec<u8>) -> Self {
        Self { text, decoder: Base64::default(), ready: buffer, at: 0 }
    }

    /// Characters skipped so far that are no base64.
    pub(super) fn junk(&self) -> u64 {
        self.decoder.junk
    }

    /// Gives the buffer back.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.ready
    }
}

impl Read for Base64Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.ready.len() {
            if self.text.is_empty() {
                return Ok(0);
            }
            self.ready.clear();
            self.at = 0;
            let (now, later) = self.text.split_at(self.text.len().min(Self::STEP));
            self.decoder.decode(now, &mut self.ready);
            self.text = later;
            if later.is_empty() {
                self.decoder.finish(&mut self.ready);
            }
        }
        let taken = self.ready.get(self.at..).unwrap_or_default().read(out)?;
        self.at += taken;
        Ok(taken)
    }
}

/// Decodes quoted-printable (RFC 2045 section 6.7). What is no valid escape stays as it is.
pub(super) fn quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'=', b'\n', rest) {
        let (before, tail) = rest.split_at(at);
        match tail {
            [b'\n', after @ ..] => {
                // Blanks at a line's end were added on the way.
                let line = before.strip_suffix(b"\r").unwrap_or(before);
                out.extend_from_slice(trim_blanks_end(line));
                out.extend_from_slice(if line.len() < before.len() { b"\r\n" } else { b"\n" });
                rest = after;
            }
            [b'=', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.extend_from_slice(before);
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            [_, after @ ..] => {
                out.extend_from_slice(before);
                let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
                match after.get(blanks..) {
                    Some([b'\n', next @ ..]) => rest = next,
                    Some([]) => rest = &[],
                    _ => {
                        out.push(b'=');
                        rest = after;
                    }
                }
            }
            [] => break,
        }
    }
    out.extend_from_slice(rest);
}

fn trim_blanks_end(line: &[u8]) -> &[u8] {
    let kept = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    line.get(..kept).unwrap_or_default()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// What plain base64 of a gzip, a zip or an XML starts with.
pub(super) fn looks_encoded(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    [b"H4sI".as_slice(), b"UEsD", b"PD94bWwg", b"PGZlZWRiYWNr", b"77u/PD94bWwg"]
        .iter()
        .any(|start| text.starts_with(start))
}
