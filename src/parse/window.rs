//! The part of a document that is in memory: decoded text, refilled as it is read, and the places in it.

use std::io::{ErrorKind, Read};

use super::decode::{Decoding, SNIFF_BYTES};
use super::notes::At;

/// Bytes asked of the content at once.
const STEP: usize = 64 << 10;

/// A moving window over the text of one document.
#[derive(Debug)]
pub(super) struct Window {
    /// The decoded text; what was read already is dropped at the next refill.
    text: String,
    /// Bytes of `text` that were read already.
    read: usize,
    /// Bytes of the document's text before `text`.
    dropped: u64,
    /// Whether the content has ended.
    ended: bool,
    /// Bytes of text that a refill aims at.
    aim: usize,
    smallest: usize,
    bytes: Vec<u8>,
    decoding: Option<Decoding>,
    /// The first byte that is not of the encoding.
    fault: At,
    /// A place whose line and column are known, not behind the place that is read.
    known: Known,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    at: u64,
    line: u64,
    column: u64,
}

impl Known {
    const START: Self = Self { at: 0, line: 1, column: 1 };

    /// Moves over `text`.
    fn advance(&mut self, text: &[u8]) {
        self.at += text.len() as u64;
        let line = match memchr::memrchr(b'\n', text) {
            Some(last) => {
                self.line += memchr::memchr_iter(b'\n', text).count() as u64;
                self.column = 1;
                text.get(last + 1..).unwrap_or_default()
            }
            None => text,
        };
        // Every character has one byte that does not continue another.
        self.column += line.iter().filter(|b| **b & 0xc0 != 0x80).count() as u64;
    }
}

impl Window {
    /// Returns a window that holds `smallest` bytes, and more only where one token needs it.
    pub(super) const fn new(smallest: usize) -> Self {
        Self {
            text: String::new(),
            read: 0,
            dropped: 0,
            ended: false,
            aim: smallest,
            smallest,
            bytes: Vec::new(),
            decoding: None,
            fault: At::Whole,
            known: Known::START,
        }
    }

    /// Forgets the last document and lets go of a buffer that one large token made grow.
    pub(super) fn restart(&mut self) {
        self.text.clear();
        self.text.shrink_to(self.smallest.saturating_mul(4));
        (self.read, self.dropped, self.ended, self.aim) = (0, 0, false, self.smallest);
        (self.decoding, self.fault) = (None, At::Whole);
        self.known = Known::START;
    }

    /// Returns the text that is still to be read.
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.read..).unwrap_or_default()
    }

    /// Returns whether nothing comes after [`Window::rest`].
    pub(super) const fn is_last(&self) -> bool {
        self.ended
    }

    /// Returns where [`Window::rest`] begins, in bytes of the document's text.
    pub(super) const fn offset(&self) -> u64 {
        self.dropped + self.read as u64
    }

    /// Returns what was odd about the bytes.
    pub(super) const fn decoding(&self) -> Option<&Decoding> {
        self.decoding.as_ref()
    }

    /// Returns the place of the first byte that is not of the encoding.
    pub(super) fn fault(&self) -> At {
        match (self.fault, self.decoding.as_ref().and_then(|d| d.first_fault)) {
            (At::Whole, Some(byte)) => At::Byte(byte),
            (at, _) => at,
        }
    }

    /// Marks `bytes` of the rest as read.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.read += bytes;
    }

    /// Drops what was read and reads on until there is more text than before, or the content ends.
    pub(super) fn refill(&mut self, content: &mut dyn Read) -> std::io::Result<()> {
        let left = self.rest().len();
        if left >= self.aim {
            // One token fills the window: widen it. The limit on tokens bounds this.
            self.aim = self.aim.saturating_mul(2);
        }
        self.place_fault();
        let mut known = self.known;
        known.advance(self.ahead(self.offset()));
        self.known = known;
        self.text.drain(..self.read);
        self.dropped += self.read as u64;
        self.read = 0;
        while !self.ended && (self.text.len() < self.aim || self.text.len() == left) {
            self.step(content)?;
        }
        Ok(())
    }

    fn step(&mut self, content: &mut dyn Read) -> std::io::Result<()> {
        let first = self.decoding.is_none();
        let want = if first { SNIFF_BYTES } else { 1 };
        self.bytes.resize(STEP, 0);
        let mut have = 0;
        while have < want {
            let Some(free) = self.bytes.get_mut(have..).filter(|f| !f.is_empty()) else { break };
            match content.read(free) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(n) => have += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut bytes = self.bytes.get(..have).unwrap_or_default();
        let decoding = self.decoding.get_or_insert_with(|| {
            let (decoding, mark) = Decoding::choose(bytes);
            bytes = bytes.get(mark..).unwrap_or_default();
            decoding
        });
        decoding.push(bytes, self.ended, &mut self.text);
        Ok(())
    }

    /// Returns the text from the known place to byte `at`.
    fn ahead(&self, at: u64) -> &[u8] {
        let index = |at: u64| usize::try_from(at.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        self.text.as_bytes().get(index(self.known.at)..index(at)).unwrap_or_default()
    }

    /// Gives the first bad byte its line and column, before the known place moves past it. It lies ahead of what was read.
    fn place_fault(&mut self) {
        if let At::Byte(byte) = self.fault() {
            let mut known = self.known;
            known.advance(self.ahead(byte));
            self.fault = At::Place(byte, known.line, known.column);
        }
    }

    /// Gives places their line and column. They must come in rising order and none before the window.
    pub(super) fn resolve<'a>(&mut self, places: impl IntoIterator<Item = &'a mut At>) {
        self.place_fault();
        for at in places {
            if let At::Byte(byte) = *at {
                let mut known = self.known;
                known.advance(self.ahead(byte));
                self.known = known;
                *at = At::Place(byte, known.line, known.column);
            }
        }
    }
}
