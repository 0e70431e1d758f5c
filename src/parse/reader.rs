//! The reader: the bytes of one document → a report, or the reason why there is none.

use std::io::Read;

use super::Report;

/// The reader's own limits; each has its name in the rejection that it causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Records of one report.
    pub records: u32,
    /// Bytes of one text node, tag or comment.
    pub text_bytes: u32,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self { records: 2_000_000, text_bytes: 64 << 10 }
    }
}

/// What became of one document.
#[derive(Debug)]
pub enum Reading {
    /// A report, whole.
    Report(Box<Report>),
    /// Something else; why, in words: "XML whose root is <html>, not <feedback>".
    NotAReport(String),
    /// Meant as a report, and refused.
    Rejected(Rejection),
    /// The content failed: the error is the content's own (a limit or damage of its container).
    Unreadable(std::io::Error),
}

/// Why a document that means to be a report was refused, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}, at line {line}, column {column} (byte {byte})")]
pub struct Rejection {
    /// A fixed word for the kind: a limit's name (`records`, `text_bytes`) or the fault (`truncated`, `entities`).
    pub code: &'static str,
    /// Line in the document, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Bytes before the place, in the document as UTF-8.
    pub byte: u64,
    /// What was found, and the remedy where there is one.
    pub text: String,
}

/// Reads documents, one after another. Keep one per worker thread: it reuses its buffers and what it has learnt.
#[derive(Debug)]
pub struct Reader {
    limits: ReaderLimits,
}

impl Reader {
    /// Returns a reader that holds to the limits.
    pub fn new(limits: ReaderLimits) -> Self {
        Self { limits }
    }

    /// Reads one document to its end. Never panics, whatever the bytes; memory is bounded by the limits.
    pub fn read(&mut self, content: &mut dyn Read) -> Reading {
        let mut start = Vec::new();
        if let Err(error) = content.take(u64::from(self.limits.text_bytes)).read_to_end(&mut start) {
            return Reading::Unreadable(error);
        }
        Reading::NotAReport("the reader is not built yet".to_owned())
    }
}
