//! Warnings while they are collected: places, repetitions, and a bound on how many are kept.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use super::Warning;

/// Different warnings kept per report: enough to see what is wrong, whatever the size of the report.
pub(super) const WARNINGS: usize = 100;

/// Characters of a reporter's own words that a warning shows.
const EXCERPT_CHARS: usize = 60;

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// So many bytes into the text; becomes a line and a column before the text is let go.
    Byte(u64),
    /// The same with its line and column.
    Place(u64, u64, u64),
    /// No single place.
    Whole,
}

impl At {
    /// Returns the byte, where that is all that is known.
    pub(super) const fn byte(self) -> Option<u64> {
        match self {
            Self::Byte(byte) => Some(byte),
            Self::Place(..) | Self::Whole => None,
        }
    }
}

#[derive(Debug)]
struct Note {
    code: &'static str,
    at: At,
    text: String,
    times: u64,
}

/// The warnings of one document.
#[derive(Debug, Default)]
pub(super) struct Notes {
    notes: Vec<Note>,
    /// What names each note: a hash of its code, subject and the words found.
    names: Vec<u64>,
    /// How many notes at the start have a line and a column already.
    placed: usize,
    /// Different notes beyond the bound.
    more: u64,
    /// Everything noted, repetitions included.
    total: u64,
}

impl Notes {
    /// Notes a warning about `subject`, where `word` was found. Its text is made only for the first of its kind.
    pub(super) fn warn(
        &mut self,
        code: &'static str,
        at: At,
        subject: &str,
        word: &str,
        text: impl FnOnce() -> String,
    ) {
        self.total += 1;
        let mut hasher = FxHasher::default();
        (code, subject, word).hash(&mut hasher);
        let name = hasher.finish();
        if let Some(note) = self.names.iter().position(|n| *n == name).and_then(|i| self.notes.get_mut(i)) {
            note.times += 1;
        } else if self.notes.len() < WARNINGS {
            self.names.push(name);
            self.notes.push(Note { code, at, text: text(), times: 1 });
        } else {
            self.more += 1;
        }
    }

    /// Returns how often anything was noted: unchanged means that nothing was.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Returns the places of the notes made since the last call.
    pub(super) fn places(&mut self) -> impl Iterator<Item = &mut At> {
        let placed = std::mem::replace(&mut self.placed, self.notes.len());
        self.notes.iter_mut().skip(placed).map(|note| &mut note.at)
    }

    /// Returns the warnings; every place must be resolved.
    pub(super) fn finish(self) -> Vec<Warning> {
        let mut warnings: Vec<_> = self.notes.into_iter().map(Note::finish).collect();
        if self.more > 0 {
            let text = format!("{} further warnings are not shown", self.more);
            warnings.push(Warning { code: "more-warnings", line: 0, column: 0, text });
        }
        warnings
    }
}

impl Note {
    fn finish(self) -> Warning {
        let (line, column) = match self.at {
            At::Place(_, line, column) => (line, column),
            At::Byte(_) | At::Whole => (0, 0),
        };
        let text = if self.times > 1 { format!("{} ({} times)", self.text, self.times) } else { self.text };
        Warning { code: self.code, line, column, text }
    }
}

/// Returns the start of a reporter's own words, safe to show.
pub(super) fn excerpt(words: &str) -> String {
    let mut out = String::new();
    for (n, c) in words.chars().enumerate() {
        if n == EXCERPT_CHARS {
            out.push('…');
            break;
        }
        out.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    out
}
