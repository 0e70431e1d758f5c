//! Logs whose stamps have no year, by what they hold: a copy with another file time is the same log of the same year.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The year that the stamps of a log were read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YearRead {
    /// Year of the first stamp.
    pub year: i32,
    /// The file's time said so, not the operator.
    pub by_file_time: bool,
    /// Digest of what the log holds; `None` of a stream, which is read only once.
    pub content: Option<String>,
    /// The file that the same log was read from before, and the year that it was read in then.
    pub before: Option<(String, i32)>,
}

/// The logs that were read before: path and year, by the digest of what they hold.
#[derive(Debug, Default)]
pub struct Logs {
    known: Mutex<BTreeMap<String, (String, i32)>>,
}

impl Logs {
    /// Starts with the logs that a store remembers.
    pub fn with(stored: impl IntoIterator<Item = (String, (String, i32))>) -> Self {
        Self { known: Mutex::new(stored.into_iter().collect()) }
    }

    /// Takes a log, read in `year` unless `by_file_time` and it was read before: then the year is the one of that time, so that
    /// each of its lines is known again.
    pub(super) fn year(&self, content: Option<String>, path: &str, year: i32, by_file_time: bool) -> YearRead {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = content.as_ref().and_then(|content| known.get(content).cloned());
        if let (Some(content), None) = (&content, &before) {
            known.insert(content.clone(), (path.to_owned(), year));
        }
        let year = before.as_ref().filter(|_| by_file_time).map_or(year, |(_, year)| *year);
        YearRead { year, by_file_time, content, before }
    }
}
