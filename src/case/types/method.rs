//! Where the figures come from: part 10.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Part 10: method.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct MethodPart {
    /// Version of the program.
    pub version: String,
    /// When the case was written, UTC.
    pub written_at: DateTime<Utc>,
    /// The day that counts as today.
    pub as_of: NaiveDate,
    /// Log and event files.
    pub files: Vec<MethodFile>,
    /// Reports on the domain in the period.
    pub reports: u64,
    /// Their reporters.
    pub reporters: u64,
    /// Their messages.
    pub messages: u64,
    /// Crate and version whose public suffix list is compiled in.
    pub suffix_list: String,
    /// What should be known of the figures.
    pub notes: Vec<String>,
}

/// One file of evidence.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MethodFile {
    /// Path.
    pub path: String,
    /// Format.
    pub format: String,
    /// Lines.
    pub lines: u64,
    /// Attempts.
    pub attempts: u64,
    /// Lines not understood.
    pub unknown: u64,
    /// First attempt.
    pub first_at: Option<DateTime<Utc>>,
    /// Last attempt.
    pub last_at: Option<DateTime<Utc>>,
    /// Zone that stamps without one were read in.
    pub zone: Option<String>,
    /// What is wrong with it.
    pub note: Option<String>,
}
