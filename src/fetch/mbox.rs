//! Mails out of an mbox, one by one, in bounded memory: mboxo, mboxrd, mboxcl and mboxcl2.

use std::io::{self, Read};

use memchr::memmem;

/// One mail of an mbox.
#[derive(Debug)]
pub(super) enum Mail {
    /// Its bytes, without the From line and its quoting.
    Whole(Vec<u8>),
    /// It is longer than allowed: its size in bytes, as it lay in the file.
    TooLong(u64),
}

/// Splits what `input` reads into mails.
pub(super) struct Splitter<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the mail at hand starts in the buffer, with its From line.
    start: usize,
    /// Where the search for the next From line goes on.
    scan: usize,
    /// How far the buffer is filled.
    end: usize,
    ended: bool,
    /// Bytes of the mail at hand that were thrown away because it is too long.
    dropped: u64,
    longest: u64,
    finder: memmem::Finder<'static>,
}

/// As much as is read at a time.
const STEP: usize = 1 << 20;

/// Longest From line that is recognised.
const LINE: usize = 1000;

impl<R: Read> Splitter<R> {
    /// `longest` is the size in bytes above which a mail is not held.
    pub(super) fn new(input: R, longest: u64) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            scan: 0,
            end: 0,
            ended: false,
            dropped: 0,
            longest,
            finder: memmem::Finder::new(b"\nFrom "),
        }
    }

    /// Splits a whole mbox that lies in memory.
    pub(super) fn whole(bytes: Vec<u8>, input: R, longest: u64) -> Self {
        Self { end: bytes.len(), buffer: bytes, ended: true, ..Self::new(input, longest) }
    }

    /// Returns the next mail.
    pub(super) fn next_mail(&mut self) -> io::Result<Option<Mail>> {
        loop {
            if let Some((end, next, quoted)) = self.boundary() {
                let mail = self.take(end, quoted);
                (self.start, self.scan, self.dropped) = (next, next, 0);
                if mail.is_some() {
                    return Ok(mail);
                }
                continue;
            }
            if self.ended {
                let mail = self.take(self.end, true);
                (self.start, self.scan, self.dropped) = (self.end, self.end, 0);
                return Ok(mail);
            }
            self.fill()?;
        }
    }

    fn held(&self) -> &[u8] {
        self.buffer.get(..self.end).unwrap_or_default()
    }

    /// Finds the end of the mail at hand: where it ends, where the next From line starts, and whether its body has its
    /// From lines quoted. Nothing where more must be read first.
    fn boundary(&mut self) -> Option<(usize, usize, bool)> {
        loop {
            let found = self.finder.find(self.held().get(self.scan..)?);
            let Some(found) = found else {
                // The needle may be cut in two by the end of the buffer.
                self.scan = self.scan.max(self.end.saturating_sub(self.finder.needle().len()));
                return None;
            };
            let next = self.scan + found + 1;
            let behind = self.held().get(next..)?;
            let line = match memchr::memchr(b'\n', behind.get(..behind.len().min(LINE))?) {
                Some(end) => behind.get(..end)?,
                None if behind.len() >= LINE => &[],
                None if self.ended => behind,
                None => {
                    self.scan = next - 1;
                    return None;
                }
            };
            if !is_from_line(line) {
                self.scan = next;
                continue;
            }
            if self.dropped == 0
                && let Some(length) = self.announced_end(next)
            {
                match length {
                    Announced::At(end, next) => return Some((end, next, false)),
                    Announced::More => return None,
                    Announced::Wrong => {}
                }
            }
            return Some((next, next, true));
        }
    }

    /// Where the mail ends by its own Content-Length, if that reaches behind the From line at `candidate` and fits.
    fn announced_end(&self, candidate: usize) -> Option<Announced> {
        let mail = self.held().get(self.start..candidate)?;
        let body = memmem::find(mail, b"\n\n")
            .map(|at| at + 2)
            .or_else(|| memmem::find(mail, b"\r\n\r\n").map(|at| at + 4))?;
        let mut length: Option<u64> = None;
        for line in mail.get(..body)?.split(|&byte| byte == b'\n') {
            if let Some((name, value)) = line.split_at_checked(14)
                && name.eq_ignore_ascii_case(b"content-length")
            {
                let value = value.trim_ascii().strip_prefix(b":")?.trim_ascii();
                length = std::str::from_utf8(value).ok()?.parse().ok();
            }
        }
        let length = length.filter(|&length| length <= self.longest)?;
        let end = self.start + body + usize::try_from(length).ok()?;
        if end < candidate {
            return None;
        }
        if end + LINE > self.end && !self.ended {
            return Some(Announced::More);
        }
        let behind = self.held().get(end..).unwrap_or_default();
        let blanks = behind.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let rest = behind.get(blanks..).unwrap_or_default();
        let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let fits = end <= self.end && blanks <= 4 && (rest.is_empty() && self.ended || is_from_line(line));
        Some(if fits { Announced::At(end, end + blanks) } else { Announced::Wrong })
    }

    /// Takes the mail at hand, which ends at `end`. Nothing where there is none.
    fn take(&mut self, end: usize, quoted: bool) -> Option<Mail> {
        let bytes = self.buffer.get(self.start..end.max(self.start))?;
        if self.dropped > 0 {
            return Some(Mail::TooLong(self.dropped + bytes.len() as u64));
        }
        if bytes.trim_ascii().is_empty() {
            return None;
        }
        let line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let mut mail = bytes.get(if is_from_line(bytes.get(..line)?.trim_ascii_end()) { line } else { 0 }..)?;
        // The empty line before the next From line belongs to the mbox.
        for blank in [b"\r\n\r\n".as_slice(), b"\n\n"] {
            if mail.ends_with(blank) {
                mail = mail.get(..mail.len() - blank.len() / 2)?;
                break;
            }
        }
        if mail.len() as u64 > self.longest {
            return Some(Mail::TooLong(mail.len() as u64));
        }
        Some(Mail::Whole(if quoted { unquote(mail) } else { mail.to_vec() }))
    }

    /// Reads on, throwing away what was searched of a mail that is too long to be held.
    fn fill(&mut self) -> io::Result<()> {
        let held = (self.scan - self.start) as u64;
        if self.dropped > 0 || held > self.longest.saturating_add(LINE as u64) {
            self.dropped += held;
            self.start = self.scan;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.scan -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + STEP / 2 {
            let length = (self.buffer.len() * 2).max(self.end + STEP);
            self.buffer.resize(length, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.ended = true;
                    self.start = self.end;
                    return Err(error);
                }
            }
            return Ok(());
        }
    }
}

enum Announced {
    /// The mail ends here, and the next From line starts there.
    At(usize, usize),
    /// More must be read to tell.
    More,
    /// No From line is where the length says.
    Wrong,
}

/// Whether the start of a file is an mbox: a From line, perhaps behind empty lines.
pub(super) fn is_mbox(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    head.starts_with(b"From ") && is_from_line(head.split(|&byte| byte == b'\n').next().unwrap_or_default())
}

/// Whether a line is `From sender date`: an unquoted `From now on` in a text starts no mail.
///
/// The date is that of C's `asctime`, in the variants of mail programs: with a zone before or behind the year, without
/// seconds, or as ISO 8601.
fn is_from_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let mut weekday = false;
    let mut month = false;
    let mut day = false;
    let mut time = false;
    let mut year = false;
    for word in rest.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
        let bare = word.strip_suffix(b",").unwrap_or(word);
        weekday |= DAYS.iter().any(|day| day.eq_ignore_ascii_case(bare));
        month |= MONTHS.iter().any(|month| month.eq_ignore_ascii_case(bare));
        day |= bare.len() <= 2 && bare.iter().all(u8::is_ascii_digit);
        year |= bare.len() == 4
            && matches!(bare, [b'1' | b'2', b'9' | b'0', rest @ ..] if rest.iter().all(u8::is_ascii_digit));
        time |= matches!(bare, [h, b':', m, ..] | [_, h, b':', m, ..] if h.is_ascii_digit() && m.is_ascii_digit());
        if let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = bare
            && [y1, y2, y3, y4, m1, m2, d1, d2].iter().all(|digit| digit.is_ascii_digit())
        {
            (weekday, month, day, year) = (true, true, true, true);
            time |= matches!(rest, [b'T', _, _, b':', ..]);
        }
    }
    weekday && month && day && time && year
}

const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Takes one `>` from each line `>From `, `>>From `, … (mboxrd; mboxo quotes the first of them only, and cannot be told
/// from it).
fn unquote(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len());
    let mut copied = 0;
    for found in memmem::find_iter(mail, b">From ") {
        let before = mail.get(..found).unwrap_or_default();
        let marks = before.iter().rev().take_while(|&&byte| byte == b'>').count();
        let line = found - marks;
        if line == 0 || mail.get(line - 1) == Some(&b'\n') {
            out.extend_from_slice(mail.get(copied..line).unwrap_or_default());
            copied = line + 1;
        }
    }
    out.extend_from_slice(mail.get(copied..).unwrap_or_default());
    out
}
