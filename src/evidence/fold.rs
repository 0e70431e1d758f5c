//! Folds what varies out of a text (numbers, addresses, hosts, ids): texts of one shape group, and nothing is lost.
//!
//! A template and its variables give the text back ([`unfold`]): a store of ten million responses keeps each shape once.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::{memchr, memchr_iter, memmem};

use super::recipient::Recipients;

/// Stands for a number in a template.
pub const NUMBER: u8 = 1;
/// Stands for an IP address.
pub const ADDRESS: u8 = 2;
/// Stands for a host name.
pub const HOST: u8 = 3;
/// Stands for an id.
pub const ID: u8 = 4;
/// Stands for a mail address.
pub const MAILBOX: u8 = 5;
/// Stands between two variables.
pub const BETWEEN: u8 = 0x1f;

/// A mixed run of letters and digits at least this long is an id; shorter ones are words of a provider (`S3140`, `TSS04`).
const ID_LENGTH: usize = 6;

/// Buffers for folding, reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// The text with a control character for each part that varies.
    pub(crate) template: Vec<u8>,
    /// The parts that vary, in order, [`BETWEEN`] between them.
    pub(crate) vars: Vec<u8>,
    count: usize,
}

impl Folder {
    /// Folds `text`. Its first `literal` bytes stay (the SMTP code), host names in `hosts` fold even where they look
    /// like words, and the local part of each mail address is hashed where `recipients` says so.
    pub(crate) fn fold(&mut self, text: &[u8], literal: usize, hosts: [&[u8]; 2], recipients: &Recipients) {
        self.template.clear();
        self.vars.clear();
        self.count = 0;
        let literal = literal.min(text.len());
        let (head, mut rest) = text.split_at(literal);
        self.plain(head);
        while let Some((place, found)) = at_sign(rest) {
            let Some(Mailbox { start, at, after, end }) = found else {
                let (before, after) = rest.split_at(place + 1);
                self.words(before, hosts);
                rest = after;
                continue;
            };
            let part = |from: usize, to: usize| rest.get(from..to).unwrap_or_default();
            self.words(part(0, start), hosts);
            self.mark(MAILBOX);
            recipients.write_masked(&mut self.vars, part(start, at), part(at, after), part(after, end));
            rest = rest.get(end..).unwrap_or_default();
        }
        self.words(rest, hosts);
    }

    /// Returns the template as text.
    pub(crate) fn template_text(&self) -> Box<str> {
        String::from_utf8_lossy(&self.template).into()
    }

    /// Returns the variables as text, `None` where there are none.
    pub(crate) fn vars_text(&self) -> Option<Box<str>> {
        (self.count > 0).then(|| String::from_utf8_lossy(&self.vars).into())
    }

    fn words(&mut self, text: &[u8], hosts: [&[u8]; 2]) {
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            if !in_word(*byte) {
                self.template.push(clean(*byte));
                at += 1;
                continue;
            }
            let rest = text.get(at..).unwrap_or_default();
            let length = rest.iter().position(|b| !in_word(*b)).unwrap_or(rest.len());
            if let Some(length) = ipv6_length(rest, length) {
                self.variable(ADDRESS, rest.get(..length).unwrap_or_default());
                at += length;
                continue;
            }
            // Dots and dashes at the end are punctuation.
            let whole = rest.get(..length).unwrap_or_default();
            let trimmed = whole.iter().rposition(|b| !matches!(b, b'.' | b'-' | b'_')).map_or(0, |last| last + 1);
            let (word, tail) = whole.split_at(trimmed);
            let after_scheme = text.get(..at).is_some_and(|before| before.ends_with(b"://"));
            match kind(word, hosts) {
                Some(HOST | ID) if after_scheme => self.plain(word),
                Some(kind) => self.variable(kind, word),
                None => self.plain(word),
            }
            self.plain(tail);
            at += length;
        }
    }

    fn plain(&mut self, text: &[u8]) {
        self.template.extend(text.iter().map(|b| clean(*b)));
    }

    fn variable(&mut self, kind: u8, text: &[u8]) {
        self.mark(kind);
        self.vars.extend(text.iter().map(|b| clean(*b)));
    }

    fn mark(&mut self, kind: u8) {
        self.template.push(kind);
        if self.count > 0 {
            self.vars.push(BETWEEN);
        }
        self.count += 1;
    }
}

/// Gives a folded text back.
pub fn unfold(template: &str, vars: Option<&str>) -> String {
    let mut parts = vars.into_iter().flat_map(|vars| vars.split(char::from(BETWEEN)));
    let mut text = String::with_capacity(template.len() + vars.map_or(0, str::len));
    for letter in template.chars() {
        match letter {
            '\u{1}'..='\u{5}' => text.push_str(parts.next().unwrap_or_default()),
            letter => text.push(letter),
        }
    }
    text
}

/// Shows a template to people: `421 Deferred - see https://ipcheck.proofpoint.com/?ip=<ip>`.
pub fn shape(template: &str) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    for letter in template.chars() {
        match letter {
            '\u{1}' => text.push_str("<n>"),
            '\u{2}' => text.push_str("<ip>"),
            '\u{3}' => text.push_str("<host>"),
            '\u{4}' => text.push_str("<id>"),
            '\u{5}' => text.push_str("<address>"),
            letter => text.push(letter),
        }
    }
    text
}

/// Control bytes become spaces: a log line must not move a terminal's cursor, and templates own the low ones.
fn clean(byte: u8) -> u8 {
    if byte < 0x20 || byte == 0x7f { b' ' } else { byte }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || byte >= 0x80
}

/// Says what a word is, where it varies.
fn kind(word: &[u8], hosts: [&[u8]; 2]) -> Option<u8> {
    let mut digits = 0usize;
    let mut letters = 0usize;
    let mut dots = 0usize;
    for byte in word {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => dots += 1,
            b'-' | b'_' => {}
            _ => letters += 1,
        }
    }
    if digits == 0 {
        let named = dots > 0 && hosts.iter().any(|host| !host.is_empty() && word.eq_ignore_ascii_case(host));
        return if named {
            Some(HOST)
        } else if dots == 0 && word.len() >= 20 {
            Some(ID)
        } else {
            None
        };
    }
    if letters == 0 {
        if digits == word.len() {
            return Some(NUMBER);
        }
        if dots == 3 && is_ipv4(word) {
            return Some(ADDRESS);
        }
        if super::names::enhanced_number(word).is_some() {
            return None;
        }
        return Some(if dots > 0 { NUMBER } else { ID });
    }
    if dots > 0 && is_host(word) {
        return Some(HOST);
    }
    (word.len() >= ID_LENGTH && !is_code(word)).then_some(ID)
}

/// Capitals and then a few digits: a provider's code (`IPTS04`), worth keeping apart.
fn is_code(word: &[u8]) -> bool {
    let capitals = word.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let digits = word.get(capitals..).unwrap_or_default();
    capitals >= 2 && word.len() <= 8 && digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit)
}

fn is_ipv4(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// Labels of letters, digits and dashes, the last one of letters.
fn is_host(word: &[u8]) -> bool {
    let mut labels = word.rsplit(|b| *b == b'.');
    let top = labels.next().unwrap_or_default();
    top.len() >= 2 && top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80) && labels.all(|label| !label.is_empty())
}

/// The length of an IPv6 address at the start of `rest`, whose first word is `length` bytes long.
fn ipv6_length(rest: &[u8], length: usize) -> Option<usize> {
    if length > 4 || rest.get(length) != Some(&b':') || !rest.iter().take(length).all(u8::is_ascii_hexdigit) {
        return None;
    }
    let end = rest
        .iter()
        .take(46)
        .position(|b| !(b.is_ascii_hexdigit() || matches!(b, b':' | b'.')))
        .unwrap_or_else(|| rest.len().min(46));
    let run = rest.get(..end)?;
    let run = run.strip_suffix(b".").unwrap_or(run);
    let run = if run.ends_with(b":") && !run.ends_with(b"::") { run.get(..run.len() - 1)? } else { run };
    if memchr_iter(b':', run).count() < 2 {
        return None;
    }
    let text = std::str::from_utf8(run).ok()?;
    text.parse::<Ipv6Addr>().ok().map(|_| run.len())
}

/// Where the parts of a mail address lie: local part, at sign, domain.
struct Mailbox {
    start: usize,
    at: usize,
    after: usize,
    end: usize,
}

/// The next at sign, as a character or as URLs write it (RFC 3986 section 2.1), and the address around it.
fn at_sign(text: &[u8]) -> Option<(usize, Option<Mailbox>)> {
    let plain = memchr(b'@', text);
    let coded = memchr(b'%', text).and_then(|_| memmem::find(text, b"%40"));
    if let Some(coded) = coded.filter(|coded| plain.is_none_or(|plain| *coded < plain)) {
        // `a%40b@c` is an address at c, whose local part holds these three characters.
        let of_plain = plain.and_then(|plain| mailbox(text, plain, 1)).filter(|address| address.start <= coded);
        return match (of_plain, plain) {
            (Some(address), Some(plain)) => Some((plain, Some(address))),
            _ => Some((coded, mailbox(text, coded, 3))),
        };
    }
    plain.map(|place| (place, mailbox(text, place, 1)))
}

/// The mail address around the at sign at `place`, which takes `width` bytes.
fn mailbox(text: &[u8], place: usize, width: usize) -> Option<Mailbox> {
    // An at sign inside a quoted local part is none: the one behind the closing quote is.
    if let Some(address) = quoted(text, place) {
        return Some(address);
    }
    let before = text.get(..place)?;
    let start = local_start(before);
    let end = domain_end(text, place + width)?;
    (start < place).then_some(Mailbox { start, at: place, after: place + width, end })
}

/// The address whose local part is a quoted string (RFC 5322 section 3.2.4) that holds `place` or ends there.
fn quoted(text: &[u8], place: usize) -> Option<Mailbox> {
    let before = text.get(..place)?;
    // The quotes before this one, less those that a backslash makes part of the text.
    let mut quotes =
        memchr_iter(b'"', before).filter(|at| at.checked_sub(1).is_none_or(|b| before.get(b) != Some(&b'\\')));
    let last = quotes.next_back()?;
    let (start, close) = if last + 1 == place {
        (quotes.next_back()?, last)
    } else {
        let mut ends = memchr_iter(b'"', text).filter(|at| *at > place && text.get(at - 1) != Some(&b'\\'));
        (last, ends.next()?)
    };
    if text.get(close + 1) != Some(&b'@') {
        return None;
    }
    Some(Mailbox { start, at: close + 1, after: close + 2, end: domain_end(text, close + 2)? })
}

/// Where the local part at the end of `before` begins: atext of RFC 5322 section 3.2.3 and dots. Of a URL it is the last field of
/// the query, else the last segment of the path.
fn local_start(before: &[u8]) -> usize {
    let start = before.iter().rposition(|b| !in_local(*b)).map_or(0, |last| last + 1);
    let run = before.get(start..).unwrap_or_default();
    let scheme = start > 0 && before.get(start - 1) == Some(&b':') && run.starts_with(b"//");
    if !scheme {
        return start;
    }
    let query = memchr(b'?', run).and_then(|_| memchr::memrchr2(b'?', b'&', run));
    let place = query.or_else(|| memchr::memrchr(b'/', run));
    start + place.map_or(0, |place| place + 1)
}

/// Where the domain that begins at `from` ends: a name, or an address in square brackets.
fn domain_end(text: &[u8], from: usize) -> Option<usize> {
    let after = text.get(from..)?;
    if after.first() == Some(&b'[') {
        let literal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-');
        let close = memchr(b']', after)?;
        return after.get(1..close)?.iter().all(literal).then_some(from + close + 1);
    }
    let length = after.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-') || *b >= 0x80));
    let domain = after.get(..length.unwrap_or(after.len()))?;
    let kept = domain.iter().rposition(|b| !matches!(b, b'.' | b'-')).map_or(0, |last| last + 1);
    (kept > 0).then_some(from + kept)
}

/// RFC 5322 atext, and dots.
fn in_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte) || byte >= 0x80
}
