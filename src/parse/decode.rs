//! Bytes of a document → text: UTF-8, a byte order mark, UTF-16, or the encoding that the declaration names.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes that are looked at to choose the encoding. A declaration stands at the start; junk before it is short.
pub(super) const SNIFF_BYTES: usize = 1024;

/// How the bytes become text.
#[derive(Debug)]
enum Way {
    /// UTF-8. Bytes that are not UTF-8 are read as windows-1252, one by one: what legacy systems send undeclared.
    Utf8,
    /// Another encoding, declared or marked.
    Legacy(Box<Decoder>),
}

/// Turns the bytes of one document into text, piece by piece.
#[derive(Debug)]
pub(super) struct Decoding {
    way: Way,
    /// The start of a character whose end has not come yet.
    pending: Vec<u8>,
    /// Bytes or sequences that were not of the encoding.
    pub(super) faults: u64,
    /// Where the first of them went, in bytes of text decoded.
    pub(super) first_fault: Option<u64>,
    /// The label of a declaration that names no known encoding.
    pub(super) unknown_label: Option<String>,
    /// Bytes of text that came out so far.
    written: u64,
}

impl Decoding {
    /// Chooses the encoding by the first bytes; returns also how many of them are a mark and no text.
    pub(super) fn choose(start: &[u8]) -> (Self, usize) {
        let mut unknown_label = None;
        let (encoding, mark) = match Encoding::for_bom(start) {
            Some((encoding, mark)) => (encoding, mark),
            None => (unmarked(start, &mut unknown_label), 0),
        };
        let way = if encoding == UTF_8 {
            Way::Utf8
        } else {
            Way::Legacy(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        (Self { way, pending: Vec::new(), faults: 0, first_fault: None, unknown_label, written: 0 }, mark)
    }

    /// Decodes the next bytes onto `text`. `last` says that none follow.
    pub(super) fn push(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        let before = text.len();
        match &mut self.way {
            Way::Utf8 if self.pending.is_empty() => self.utf8(bytes, last, text, before),
            Way::Utf8 => {
                let mut joined = std::mem::take(&mut self.pending);
                joined.extend_from_slice(bytes);
                self.utf8(&joined, last, text, before);
            }
            Way::Legacy(decoder) => {
                let mut rest = bytes;
                loop {
                    let needed = decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len().saturating_mul(3));
                    text.reserve(needed);
                    let from = text.len();
                    let (result, read, replaced) = decoder.decode_to_string(rest, text, last);
                    if replaced {
                        let at = text.get(from..).and_then(|t| t.find('\u{fffd}')).unwrap_or(0);
                        self.faults += 1;
                        self.first_fault.get_or_insert(self.written + (from - before + at) as u64);
                    }
                    rest = rest.get(read..).unwrap_or(&[]);
                    if result == CoderResult::InputEmpty {
                        break;
                    }
                }
            }
        }
        self.written += (text.len() - before) as u64;
    }

    fn utf8(&mut self, mut bytes: &[u8], last: bool, text: &mut String, before: usize) {
        loop {
            let error = match simdutf8::compat::from_utf8(bytes) {
                Ok(good) => return text.push_str(good),
                Err(error) => error,
            };
            let (good, rest) = bytes.split_at(error.valid_up_to());
            text.push_str(std::str::from_utf8(good).unwrap_or_default());
            if error.error_len().is_none() && !last {
                self.pending.extend_from_slice(rest);
                return;
            }
            let Some((&bad, rest)) = rest.split_first() else { return };
            self.faults += 1;
            self.first_fault.get_or_insert(self.written + (text.len() - before) as u64);
            // One byte of windows-1252 is one character, always.
            text.push_str(&WINDOWS_1252.decode_without_bom_handling(&[bad]).0);
            bytes = rest;
        }
    }
}

/// Chooses the encoding of a document without a byte order mark.
fn unmarked(start: &[u8], unknown_label: &mut Option<String>) -> &'static Encoding {
    match start {
        [b'<' | b' ' | b'\t' | b'\r' | b'\n', 0, ..] => return UTF_16LE,
        [0, b'<' | b' ' | b'\t' | b'\r' | b'\n', ..] => return UTF_16BE,
        _ => {}
    }
    let start = start.get(..SNIFF_BYTES).unwrap_or(start);
    let Some(label) = declared_label(start) else { return UTF_8 };
    // Pure ASCII is UTF-8, and bytes outside it are better read as that; a UTF-16 label on bytes is a lie.
    if label.eq_ignore_ascii_case(b"us-ascii") || label.eq_ignore_ascii_case(b"ascii") {
        return UTF_8;
    }
    match Encoding::for_label(label) {
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
        Some(encoding) => encoding,
        None => {
            *unknown_label = Some(String::from_utf8_lossy(label).into_owned());
            UTF_8
        }
    }
}

/// Finds the value of `encoding` in an XML declaration.
fn declared_label(start: &[u8]) -> Option<&[u8]> {
    let from = memchr::memmem::find(start, b"<?xml")?;
    let declaration = start.get(from..)?;
    let declaration = declaration.get(..memchr::memchr(b'>', declaration)?)?;
    let from = memchr::memmem::find(declaration, b"encoding")?;
    let value = declaration.get(from + b"encoding".len()..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (&quote, value) = value.split_first()?;
    if quote != b'"' && quote != b'\'' {
        return None;
    }
    let label = value.get(..memchr::memchr(quote, value)?)?.trim_ascii();
    (!label.is_empty()).then_some(label)
}
