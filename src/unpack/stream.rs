//! Streams between containers: a look at the head, buffers used again, and the limits on what comes out of them.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read};
use std::path::Path;

use super::place::Place;
use super::sniff::HEAD;
use super::{Fault, Limits};

/// Bytes on their way through a container.
pub(super) trait Source: BufRead {
    /// Returns the first bytes, [`HEAD`] of them unless there are fewer, and takes none.
    fn head(&mut self) -> io::Result<&[u8]>;

    /// Returns everything, where it lies in memory anyway.
    fn whole(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the file whose whole content this is.
    fn file(&self) -> Option<&Path> {
        None
    }
}

/// Bytes that lie in memory.
pub(super) struct Memory<'a>(pub(super) &'a [u8]);

impl Read for Memory<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl BufRead for Memory<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.0)
    }

    fn consume(&mut self, amount: usize) {
        self.0 = self.0.get(amount..).unwrap_or_default();
    }
}

impl Source for Memory<'_> {
    fn head(&mut self) -> io::Result<&[u8]> {
        Ok(self.0)
    }

    fn whole(&self) -> Option<&[u8]> {
        Some(self.0)
    }
}

/// A piece of memory that goes back to its thread's shelf after use.
pub(super) struct Scratch(Vec<u8>);

thread_local! {
    static SHELF: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Scratch {
    /// Larger ones are freed rather than kept.
    const KEEP: usize = 256 << 10;

    /// An empty vector, perhaps with room.
    pub(super) fn empty() -> Self {
        let mut scratch = Self(SHELF.with_borrow_mut(Vec::pop).unwrap_or_default());
        scratch.0.clear();
        scratch
    }

    /// A vector of `length` bytes of any value.
    fn sized(length: usize) -> Self {
        let mut scratch = Self(SHELF.with_borrow_mut(Vec::pop).unwrap_or_default());
        scratch.0.resize(length, 0);
        scratch
    }

    /// The vector itself.
    pub(super) fn get(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.capacity() <= Self::KEEP {
            let vector = std::mem::take(&mut self.0);
            let _ = SHELF.try_with(|shelf| {
                if let Ok(mut shelf) = shelf.try_borrow_mut()
                    && shelf.len() < 8
                {
                    shelf.push(vector);
                }
            });
        }
    }
}

/// Bytes that are produced as they are read.
pub(super) struct Stream<R> {
    /// What produces them.
    pub(super) inner: R,
    buffer: Scratch,
    start: usize,
    end: usize,
    done: bool,
    failed: Option<Fault>,
}

impl<R: Read> Stream<R> {
    /// As much as is inflated at a time.
    const STEP: usize = 64 << 10;

    pub(super) fn new(inner: R) -> Self {
        Self { inner, buffer: Scratch::sized(Self::STEP), start: 0, end: 0, done: false, failed: None }
    }

    /// Reads more behind what is there. An error is kept for the time when everything before it has been read.
    fn fill(&mut self) {
        let Some(room) = self.buffer.0.get_mut(self.end..) else { return };
        match self.inner.read(room) {
            Ok(0) => self.done = true,
            Ok(count) => self.end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.failed = Some(Fault::of(&error).cloned().unwrap_or_else(|| Fault::unreadable(&error))),
        }
    }

    /// Gives back what produces the bytes.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    fn stopped(&self) -> bool {
        self.done || self.failed.is_some()
    }

    fn held(&self) -> &[u8] {
        self.buffer.0.get(self.start..self.end).unwrap_or_default()
    }
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut held = self.fill_buf()?;
        let count = held.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Stream<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start >= self.end {
            if let Some(fault) = &self.failed {
                return Err(fault.clone().into_io());
            }
            if self.done {
                return Ok(&[]);
            }
            (self.start, self.end) = (0, 0);
            self.fill();
        }
        Ok(self.held())
    }

    fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }
}

impl<R: Read> Source for Stream<R> {
    fn head(&mut self) -> io::Result<&[u8]> {
        if self.end - self.start < HEAD && self.start > 0 {
            self.buffer.0.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < HEAD && !self.stopped() {
            self.fill();
        }
        self.fill_buf()
    }
}

/// A file that is read as a stream, and opened again where a reader must seek.
pub(super) struct FileSource<'a> {
    stream: Stream<std::fs::File>,
    path: &'a Path,
}

impl<'a> FileSource<'a> {
    pub(super) fn open(path: &'a Path) -> io::Result<Self> {
        Ok(Self { stream: Stream::new(std::fs::File::open(path)?), path })
    }
}

impl Read for FileSource<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.read(out)
    }
}

impl BufRead for FileSource<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.stream.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.stream.consume(amount);
    }
}

impl Source for FileSource<'_> {
    fn head(&mut self) -> io::Result<&[u8]> {
        self.stream.head()
    }

    fn file(&self) -> Option<&Path> {
        Some(self.path)
    }
}

/// A reader that knows how many packed bytes went into what it has given out.
pub(super) trait Unpacker: Read {
    /// Packed bytes taken so far.
    fn packed(&self) -> u64;
}

/// What one item has cost so far.
pub(super) struct Budget {
    /// The item's own size, bytes.
    pub(super) item: u64,
    /// Bytes inflated so far, in all its containers together.
    pub(super) inflated: Cell<u64>,
}

/// Watches the ratio of an unpacker's output to its input, for it alone and for the whole item.
pub(super) struct Meter<'a, U> {
    /// The unpacker.
    pub(super) inner: U,
    inflated: u64,
    limits: &'a Limits,
    budget: &'a Budget,
    at: &'a Place<'a>,
}

impl<'a, U> Meter<'a, U> {
    pub(super) fn new(inner: U, limits: &'a Limits, budget: &'a Budget, at: &'a Place<'a>) -> Self {
        Self { inner, inflated: 0, limits, budget, at }
    }
}

impl<U: Unpacker> Read for Meter<'_, U> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.inflated += count as u64;
        let total = self.budget.inflated.get() + count as u64;
        self.budget.inflated.set(total);
        let over = |inflated: u64, packed: u64| {
            inflated > Limits::RATIO_FROM && inflated > packed.saturating_mul(self.limits.ratio)
        };
        let packed = self.inner.packed();
        if over(self.inflated, packed) {
            return Err(Fault::ratio(self.at, self.limits, self.inflated, packed, "").into_io());
        }
        if over(total, self.budget.item) {
            return Err(Fault::ratio(self.at, self.limits, total, self.budget.item, " of the whole item").into_io());
        }
        Ok(count)
    }
}

/// Holds a document to [`Limits::document_bytes`].
pub(super) struct Capped<'a> {
    source: &'a mut dyn Source,
    left: u64,
    limits: &'a Limits,
    at: &'a Place<'a>,
}

impl<'a> Capped<'a> {
    pub(super) fn new(source: &'a mut dyn Source, limits: &'a Limits, at: &'a Place<'a>) -> Self {
        Self { source, left: limits.document_bytes, limits, at }
    }
}

impl Read for Capped<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let held = self.source.fill_buf()?;
        if held.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return Err(Fault::document_bytes(self.at, self.limits).into_io());
        }
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(held.len());
        let count = held.get(..allowed).unwrap_or_default().read(out)?;
        self.source.consume(count);
        self.left -= count as u64;
        Ok(count)
    }
}
