//! How much a gap or a finding weighs: one scale for what reports show and what live DNS shows.

use schemars::JsonSchema;
use serde::Serialize;

/// How much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// The other side may raise it.
    Warn,
    /// The other side will raise it.
    High,
}

impl Severity {
    /// Returns the word of the answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::High => "high",
        }
    }

    /// Reads the word of the answers and of the store.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Notice, Self::Warn, Self::High].into_iter().find(|severity| severity.word() == word)
    }
}
