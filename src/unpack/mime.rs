//! The outer form of a mail: header fields, their parameters, and the parts between boundaries. Decodes no body.
//!
//! The mail library decodes every part and nests what is nested before it returns, so that limits would come too late;
//! here it reads single field values (addresses, dates, encoded words), and parts are cut without being read.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use memchr::memmem;

/// Longest field value that is looked at; longer ones are cut. No limit of RFC 5322 reaches this far.
const VALUE: usize = 8 << 10;

/// How a body is encoded (RFC 2045 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit, binary, or a word that is not known.
    #[default]
    Identity,
    /// Base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
}

/// The fields of one header that matter here, as raw values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) content_type: &'a [u8],
    disposition: &'a [u8],
    encoding: &'a [u8],
    pub(super) from: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) date: &'a [u8],
    pub(super) auto_submitted: &'a [u8],
    pub(super) return_path: &'a [u8],
    pub(super) precedence: &'a [u8],
    /// Whether one of the fields that only autoresponders write is there.
    pub(super) autoreply: bool,
    /// How many fields there are.
    pub(super) count: usize,
}

/// Splits a header from its body. Lines that are no field end the header: some senders forget the empty line.
pub(super) fn header(raw: &[u8]) -> (Fields<'_>, &[u8]) {
    let mut fields = Fields::default();
    let mut rest = raw;
    let mut first = true;
    loop {
        let (line, mut after) = split_line(rest);
        if line.is_empty() {
            // The empty line, or the end.
            return (fields, after);
        }
        if first && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            rest = after;
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return (fields, rest) };
        let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
        if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic()) {
            return (fields, rest);
        }
        first = false;
        // The value goes on in every line that starts with a blank.
        let value_start = rest.get(colon + 1..).unwrap_or_default();
        while matches!(after.first(), Some(b' ' | b'\t')) {
            (_, after) = split_line(after);
        }
        let length = value_start.len() - after.len();
        let value = value_start.get(..length.min(VALUE)).unwrap_or_default();
        fields.take(name, value);
        rest = after;
    }
}

/// Splits off the first line, without its end.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', text) {
        Some(end) => {
            let line = text.get(..end).unwrap_or_default();
            (line.strip_suffix(b"\r").unwrap_or(line), text.get(end + 1..).unwrap_or_default())
        }
        None => (text, &[]),
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        self.count += 1;
        let slot = match name.len() {
            4 if name.eq_ignore_ascii_case(b"from") => &mut self.from,
            4 if name.eq_ignore_ascii_case(b"date") => &mut self.date,
            7 if name.eq_ignore_ascii_case(b"subject") => &mut self.subject,
            10 if name.eq_ignore_ascii_case(b"precedence") => &mut self.precedence,
            11 if name.eq_ignore_ascii_case(b"return-path") => &mut self.return_path,
            12 if name.eq_ignore_ascii_case(b"content-type") => &mut self.content_type,
            14 if name.eq_ignore_ascii_case(b"auto-submitted") => &mut self.auto_submitted,
            19 if name.eq_ignore_ascii_case(b"content-disposition") => &mut self.disposition,
            25 if name.eq_ignore_ascii_case(b"content-transfer-encoding") => &mut self.encoding,
            11 if name.eq_ignore_ascii_case(b"x-autoreply") => {
                self.autoreply = true;
                return;
            }
            13 if name.eq_ignore_ascii_case(b"x-autorespond") => {
                self.autoreply = true;
                return;
            }
            _ => return,
        };
        // The first one counts, as everywhere.
        if slot.is_empty() {
            *slot = value;
        }
    }

    /// The media type in lower case without parameters; empty where there is none.
    pub(super) fn media(&self) -> String {
        let value = self.content_type;
        let end = memchr::memchr2(b';', b'\n', value.trim_ascii_start())
            .map_or(value.len(), |end| end + (value.len() - value.trim_ascii_start().len()));
        let word = value.get(..end).unwrap_or_default().trim_ascii();
        let mut media = String::from_utf8_lossy(word).into_owned();
        media.retain(|character| !character.is_whitespace() && character != '"');
        media.make_ascii_lowercase();
        media
    }

    /// How the body is encoded.
    pub(super) fn encoding(&self) -> Encoding {
        let word = self.encoding.trim_ascii();
        if word.eq_ignore_ascii_case(b"base64") {
            Encoding::Base64
        } else if word.eq_ignore_ascii_case(b"quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Identity
        }
    }

    /// The file name, from the disposition or else the type.
    pub(super) fn file_name(&self) -> Option<String> {
        parameter(self.disposition, "filename").or_else(|| parameter(self.content_type, "name"))
    }
}

/// Returns one parameter of a structured field, put together (RFC 2231) and decoded (also the encoded words that
/// RFC 2047 forbids here and senders write all the same).
pub(super) fn parameter(field: &[u8], wanted: &str) -> Option<String> {
    let mut plain: Option<Cow<'_, [u8]>> = None;
    let mut pieces: Vec<(u32, bool, Cow<'_, [u8]>)> = Vec::new();
    let mut rest = after_semicolon(field)?;
    while let Some(equals) = memchr::memchr2(b'=', b';', rest) {
        let name = rest.get(..equals).unwrap_or_default().trim_ascii();
        let tail = rest.get(equals..).unwrap_or_default();
        let [b'=', tail @ ..] = tail else {
            rest = tail.get(1..).unwrap_or_default();
            continue;
        };
        let (value, after) = parameter_value(tail);
        let length = wanted.len();
        if name.get(..length).is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes())) {
            match name.get(length..).unwrap_or_default() {
                [] => plain = plain.or(Some(value)),
                [b'*'] => pieces.push((0, true, value)),
                [b'*', number @ ..] => {
                    let (number, encoded) = match number.strip_suffix(b"*") {
                        Some(number) => (number, true),
                        None => (number, false),
                    };
                    if let Some(number) = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()) {
                        pieces.push((number, encoded, value));
                    }
                }
                _ => {}
            }
        }
        match after_semicolon(after) {
            Some(next) => rest = next,
            None => break,
        }
    }
    if !pieces.is_empty() {
        return Some(join_pieces(&mut pieces));
    }
    let plain = plain?;
    if memmem::find(&plain, b"=?").is_some() {
        return Some(words(&plain));
    }
    Some(String::from_utf8_lossy(&plain).into_owned())
}

fn after_semicolon(text: &[u8]) -> Option<&[u8]> {
    let at = memchr::memchr(b';', text)?;
    text.get(at + 1..)
}

/// Reads a value, quoted or not; returns it and what follows.
fn parameter_value(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let text = text.trim_ascii_start();
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (Cow::Borrowed(value.trim_ascii()), after);
    };
    let mut value = Vec::new();
    let mut escaped = false;
    for (at, &byte) in quoted.iter().enumerate() {
        match byte {
            _ if escaped => {
                value.push(byte);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => return (Cow::Owned(value), quoted.get(at + 1..).unwrap_or_default()),
            // Folding inside quotes adds nothing to the value.
            b'\r' | b'\n' => {}
            _ => value.push(byte),
        }
    }
    (Cow::Owned(value), &[])
}

/// Puts the pieces of RFC 2231 section 3 together; the first one names the charset.
fn join_pieces(pieces: &mut [(u32, bool, Cow<'_, [u8]>)]) -> String {
    pieces.sort_by_key(|(number, ..)| *number);
    let mut charset = None;
    let mut bytes = Vec::new();
    for (at, (_, encoded, value)) in pieces.iter().enumerate() {
        let mut value: &[u8] = value;
        if *encoded && at == 0 {
            let mut fields = value.splitn(3, |&byte| byte == b'\'');
            if let (Some(label), Some(_language), Some(text)) = (fields.next(), fields.next(), fields.next()) {
                charset = encoding_rs::Encoding::for_label(label);
                value = text;
            }
        }
        if *encoded {
            percent_decode(value, &mut bytes);
        } else {
            bytes.extend_from_slice(value);
        }
    }
    charset.unwrap_or(encoding_rs::UTF_8).decode_without_bom_handling(&bytes).0.into_owned()
}

fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                out.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
}

/// Decodes an unstructured value with its encoded words (RFC 2047).
pub(super) fn words(value: &[u8]) -> String {
    let line = terminated(value);
    let text = MessageStream::new(&line).parse_unstructured();
    text.as_text().unwrap_or_default().trim().to_owned()
}

/// Returns the first address of an address field.
pub(super) fn address(value: &[u8]) -> Option<String> {
    let line = terminated(value);
    let parsed = MessageStream::new(&line).parse_address();
    let address = parsed.as_address()?.first()?.address.as_deref()?.trim();
    (!address.is_empty()).then(|| address.to_owned())
}

/// Returns a date field as seconds since 1970-01-01 UTC.
pub(super) fn date(value: &[u8]) -> Option<i64> {
    let line = terminated(value);
    let parsed = MessageStream::new(&line).parse_date();
    let date = parsed.as_datetime()?;
    date.is_valid().then(|| date.to_timestamp())
}

/// The library reads a value up to its line end.
fn terminated(value: &[u8]) -> Cow<'_, [u8]> {
    if value.ends_with(b"\n") {
        return Cow::Borrowed(value);
    }
    let mut line = value.to_vec();
    line.push(b'\n');
    Cow::Owned(line)
}

/// Cuts a multipart body at its boundary (RFC 2046 section 5.1.1).
pub(super) struct Parts<'a> {
    body: &'a [u8],
    finder: memmem::Finder<'static>,
    /// Where the next part starts; nothing behind the closing boundary.
    next: Option<usize>,
    /// Whether a closing boundary was met.
    pub(super) closed: bool,
}

impl<'a> Parts<'a> {
    /// Looks for the first delimiter. Nothing where the body has none.
    pub(super) fn new(body: &'a [u8], boundary: &[u8]) -> Option<Self> {
        let delimiter = [b"--", boundary].concat();
        let mut parts = Self { body, finder: memmem::Finder::new(&delimiter).into_owned(), next: None, closed: false };
        let (_, start, closing) = parts.delimiter(0)?;
        parts.closed = closing;
        parts.next = (!closing).then_some(start);
        Some(parts)
    }

    /// Finds the next delimiter from `from` on: where the part before it ends, where the next one starts, whether it
    /// is the closing one.
    fn delimiter(&self, mut from: usize) -> Option<(usize, usize, bool)> {
        let length = self.finder.needle().len();
        loop {
            let found = from + self.finder.find(self.body.get(from..)?)?;
            let behind = self.body.get(found + length..)?;
            let closing = behind.starts_with(b"--");
            let tail = if closing { behind.get(2..).unwrap_or_default() } else { behind };
            let blanks = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
            let ends = matches!(tail.get(blanks), None | Some(b'\n'));
            // A delimiter starts its line; some senders forget the line end before it, so that it need not here.
            if ends || closing && blanks > 0 {
                let before = self.body.get(..found).unwrap_or_default();
                let before = before.strip_suffix(b"\n").map_or(before, |line| line.strip_suffix(b"\r").unwrap_or(line));
                let start = found + length + if closing { 2 } else { 0 } + blanks + 1;
                return Some((before.len(), start.min(self.body.len()), closing));
            }
            from = found + length;
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.next?;
        match self.delimiter(start) {
            Some((end, next, closing)) => {
                self.closed = closing;
                self.next = (!closing).then_some(next);
                // A delimiter straight behind another leaves a part that ends before it starts.
                Some(self.body.get(start..end.max(start)).unwrap_or_default())
            }
            None => {
                self.next = None;
                self.body.get(start..)
            }
        }
    }
}

/// Guesses a boundary that the type does not name: the first line that starts with two dashes and comes twice.
pub(super) fn guess_boundary(body: &[u8]) -> Option<&[u8]> {
    let head = body.get(..body.len().min(64 << 10)).unwrap_or_default();
    let start = if head.starts_with(b"--") { 0 } else { memmem::find(head, b"\n--")? + 1 };
    let (line, after) = split_line(body.get(start..)?);
    let boundary = line.get(2..)?.trim_ascii_end();
    (boundary.len() >= 3 && memmem::find(after, line.trim_ascii_end()).is_some()).then_some(boundary)
}
