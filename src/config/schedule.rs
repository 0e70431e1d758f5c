//! When `watch` polls: an interval, a cron expression, or IDLE.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Local, TimeDelta};
use serde::Deserialize;

/// Shortest time between two polls of a mailbox.
pub(super) const SHORTEST: Duration = Duration::from_secs(10);

/// Longest span of time that a setting can name: whoever waits longer than a year has mistyped.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A span of time as people write it: `90s`, `15m`, `1h`, `1d`; at most a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is no span of time: write 90s, 90m, 26h or 2d");
        Self::written(text).ok_or_else(fault)?.bounded(text)
    }
}

impl Span {
    fn written(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let number: u64 = number.parse().ok()?;
        let unit: u64 = match unit.trim() {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => return None,
        };
        Some(Self(Duration::from_secs(number.saturating_mul(unit))))
    }

    fn bounded(self, text: &str) -> Result<Self, String> {
        if self.0 > LONGEST {
            return Err(format!("`{text}` is longer than a year: write at most 366d"));
        }
        Ok(self)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// When `watch` polls a mailbox.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Schedule {
    /// This long after the last poll began.
    Every(Duration),
    /// By a cron expression of five fields (or six, with seconds), local time.
    Cron(Box<croner::Cron>),
    /// When the server says that mail arrived (RFC 2177).
    Idle,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Every(Duration::from_secs(3600))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "idle" {
            return Ok(Self::Idle);
        }
        if text.contains(char::is_whitespace) || text.starts_with('@') {
            let cron: croner::Cron =
                text.parse().map_err(|error| format!("`{text}` is no cron expression: {error}"))?;
            if cron.find_next_occurrence(&Local::now(), false).is_err() {
                return Err(format!("`{text}` never comes: there is no such day"));
            }
            return Ok(Self::Cron(Box::new(cron)));
        }
        let fault = || format!("`{text}` is no schedule: write 15m, 1h, idle, or a cron expression like `5 * * * *`");
        let Span(every) = Span::written(text).ok_or_else(fault)?.bounded(text)?;
        if every < SHORTEST {
            return Err(format!("`{text}` is too often for a mail server: use 10s or more, or idle"));
        }
        Ok(Self::Every(every))
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Schedule {
    /// Returns when to poll next, `last` being when the last poll began. With IDLE that is `idle_poll` later.
    pub fn next(&self, last: DateTime<Local>, idle_poll: Duration) -> DateTime<Local> {
        // No clock is so near the end of time that a year cannot be added.
        let after = |wait: Duration| {
            last.checked_add_signed(TimeDelta::from_std(wait.min(LONGEST)).unwrap_or_default()).unwrap_or(last)
        };
        match self {
            Self::Every(every) => after(*every),
            Self::Idle => after(idle_poll),
            // An expression whose last time has passed (they may name a year): an hour then.
            Self::Cron(cron) => {
                cron.find_next_occurrence(&last, false).unwrap_or_else(|_| after(Duration::from_secs(3600)))
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(every) => write!(f, "every {} s", every.as_secs()),
            Self::Cron(cron) => write!(f, "cron {}", cron.as_str()),
            Self::Idle => f.write_str("idle"),
        }
    }
}
