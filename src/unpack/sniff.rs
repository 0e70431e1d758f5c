//! What first bytes say that they are: containers, markup, JSON, mail, or something that this program does not open.

use memchr::memmem;

/// How many bytes a decision may need.
pub(super) const HEAD: usize = 1024;

/// What a run of bytes looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// RFC 1952. The number of bytes before the magic.
    Gzip(usize),
    /// A zip archive; other blanks before it are the archive reader's business.
    Zip,
    /// Markup of any kind.
    Xml,
    /// JSON.
    Json,
    /// RFC 5322 heads.
    Mail,
    /// A container that is known and not opened: its name, and how to open it by hand.
    Foreign(&'static str, &'static str),
    /// An Outlook TNEF container (`winmail.dat`).
    Tnef,
    /// A macOS resource fork, which carries another file's name.
    ResourceFork,
    /// Nothing at all.
    Empty,
    /// Anything else.
    Other,
}

/// Containers that no known reporter uses, so that no decompressor for them is linked.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"\xfd7zXZ\0", "xz", "xz -d"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -d"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "7z x"),
    (b"Rar!\x1a\x07", "rar", "unrar x"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -d"),
    (b"\x1f\x9d", "compress (.Z)", "uncompress"),
    (b"LZIP", "lzip", "lzip -d"),
    (b"MSCF", "cab", "cabextract"),
];

/// Heads that nearly every mail has; one of them makes a block of `Name: value` lines a mail.
const MAIL_FIELDS: &[&[u8]] = &[
    b"from",
    b"to",
    b"subject",
    b"date",
    b"received",
    b"return-path",
    b"delivered-to",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"dkim-signature",
    b"authentication-results",
    b"x-original-to",
    b"x-mozilla-status",
    b"arc-seal",
];

/// Says what `head`, the first bytes of something ([`HEAD`] of them, or all), looks like.
pub(super) fn sniff(head: &[u8]) -> Looks {
    match head {
        [] => return Looks::Empty,
        [0x1f, 0x8b, 8, ..] => return Looks::Gzip(0),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => return Looks::Zip,
        [0x00, 0x05, 0x16, 0x07, ..] => return Looks::ResourceFork,
        [0x78, 0x9f, 0x3e, 0x22, ..] => return Looks::Tnef,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => return Looks::Foreign("bzip2", "bzip2 -d"),
        _ => {}
    }
    if let Some((_, name, tool)) = FOREIGN.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Looks::Foreign(name, tool);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Looks::Foreign("tar", "tar -x");
    }
    if is_utf16_markup(head) {
        return Looks::Xml;
    }
    let start = blanks(head);
    match head.get(start..).unwrap_or_default() {
        [] => Looks::Empty,
        [0x1f, 0x8b, 8, ..] => Looks::Gzip(start),
        [b'P', b'K', 3, 4, ..] => Looks::Zip,
        [b'{' | b'[', ..] => Looks::Json,
        rest if opens_markup(rest) => Looks::Xml,
        rest if looks_like_mail(rest) => Looks::Mail,
        // Stray characters before the declaration or the root are a known fault, and the reader skips them.
        rest if find_report_start(rest).is_some() => Looks::Xml,
        _ => Looks::Other,
    }
}

/// Finds where an aggregate report may start inside text: at its XML declaration, else at its root tag.
pub(super) fn find_report_start(text: &[u8]) -> Option<usize> {
    if let Some(declaration) = memmem::find(text, b"<?xml") {
        return Some(declaration);
    }
    let mut from = 0;
    while let Some(found) = memmem::find(text.get(from..)?, b"feedback") {
        let name = from + found;
        // The root, perhaps with a namespace prefix: `<feedback`, `<ns0:feedback`.
        let before = text.get(name.saturating_sub(24)..name).unwrap_or_default();
        if let Some(open) = before.iter().rposition(|&byte| byte == b'<') {
            let prefix = before.get(open + 1..).unwrap_or_default();
            if prefix.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.')) {
                return Some(name - prefix.len() - 1);
            }
        }
        from = name + 8;
    }
    None
}

/// Whether text holds a whole report: its root tag opens and closes.
pub(super) fn holds_report(text: &[u8]) -> bool {
    memmem::rfind(text, b"feedback>").is_some_and(|end| {
        let before = text.get(end.saturating_sub(24)..end).unwrap_or_default();
        memmem::find(before, b"</").is_some()
    })
}

/// The length of a byte order mark and blanks at the start.
fn blanks(head: &[u8]) -> usize {
    let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let rest = head.get(mark..).unwrap_or_default();
    mark + rest.iter().take_while(|&&byte| byte.is_ascii_whitespace() || byte == 0).count()
}

fn is_utf16_markup(head: &[u8]) -> bool {
    matches!(
        head,
        [0xff, 0xfe, b'<', 0, ..]
            | [0xfe, 0xff, 0, b'<', ..]
            | [b'<', 0, b'?' | b'f', 0, ..]
            | [0, b'<', 0, b'?' | b'f', ..]
    )
}

fn opens_markup(rest: &[u8]) -> bool {
    matches!(rest, [b'<', next, ..] if next.is_ascii_alphabetic() || matches!(next, b'?' | b'!' | b'_' | b':'))
}

/// Whether the lines at the start are `Name: value` pairs with at least one name that mails have.
fn looks_like_mail(rest: &[u8]) -> bool {
    let mut known = false;
    for (number, line) in rest.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.first() {
            None => break,
            Some(b' ' | b'\t') => continue,
            Some(_) if number == 0 && (line.starts_with(b"From ") || line.starts_with(b">From ")) => continue,
            Some(_) => {}
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            // The last line may be cut off by the end of the head.
            return known;
        };
        let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic()) {
            return known && number > 2;
        }
        known = known || MAIL_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
        if known && number > 1 {
            // Whatever follows, it is a mail.
            return true;
        }
    }
    known
}
