//! Logs whose stamps have no year and no zone, by what they hold: a copy with another file time is the same log of the same year, and
//! one that was read otherwise before would count twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How the stamps of a log were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// The file.
    pub path: String,
    /// Year of the first stamp.
    pub year: i32,
    /// The zone, as [`super::Zone`] is written.
    pub zone: String,
}

/// The year that the stamps of a log were read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YearRead {
    /// Year of the first stamp.
    pub year: i32,
    /// The file's time said so, not the operator.
    pub by_file_time: bool,
    /// Digest of what the log holds; `None` of a stream, which is read only once.
    pub content: Option<String>,
    /// How the same log was read before.
    pub before: Option<LogRead>,
}

/// The logs that were read before, by the digest of what they hold.
#[derive(Debug, Default)]
pub struct Logs {
    known: Mutex<BTreeMap<String, LogRead>>,
}

impl Logs {
    /// Starts with the logs that a store remembers.
    pub fn with(stored: impl IntoIterator<Item = (String, LogRead)>) -> Self {
        Self { known: Mutex::new(stored.into_iter().collect()) }
    }

    /// Takes a log, read as `now` says. Where the file's time alone says the year and the log was read before, the year is the one of
    /// that time, so that each of its lines is known again.
    ///
    /// # Errors
    /// It was read in another year or zone before: each of its lines would be stored a second time.
    pub(super) fn year(&self, content: Option<String>, now: LogRead, by_file_time: bool) -> Result<YearRead, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = content.as_ref().and_then(|content| known.get(content).cloned());
        let LogRead { year, zone, .. } = &now;
        let Some(LogRead { path, year: then, zone: zone_then }) = &before else {
            let year = *year;
            if let Some(content) = &content {
                known.insert(content.clone(), now);
            }
            return Ok(YearRead { year, by_file_time, content, before });
        };
        if zone != zone_then || !by_file_time && year != then {
            return Err(format!(
                "the same log is stored from {path}, read as of {then} in {zone_then}: read as of {year} in {zone} too, each of its \
                 lines would count twice; to read it otherwise, import the logs into a new store (--db)"
            ));
        }
        Ok(YearRead { year: *then, by_file_time, content, before })
    }
}
