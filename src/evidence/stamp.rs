//! Time stamps of log lines → microseconds since 1970, UTC.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Local, NaiveDate, TimeZone, Utc};

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// The first microsecond of the year 10000.
const CALENDAR_END: i64 = 253_402_300_800 * SECOND;

/// Passes on what a log can be dated: 1970 to the end of the year 9999. Other stamps are faults of their writer, and neither
/// RFC 3339 nor the dates of most programs can say them.
pub(crate) fn dated(at: i64) -> Option<i64> {
    (0..CALENDAR_END).contains(&at).then_some(at)
}

/// The zone that stamps without one are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// A fixed offset east of Greenwich, seconds.
    Offset(i32),
    /// The zone of this machine (or of `$TZ`), with its summer time.
    Local,
    /// A zone of the IANA database, with its summer time.
    Named(chrono_tz::Tz),
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "utc" | "z" => return Ok(Self::Utc),
            "local" => return Ok(Self::Local),
            _ => {}
        }
        match offset(text.as_bytes()) {
            Some((seconds, length)) if length == text.len() => Ok(Self::Offset(seconds)),
            _ => text.parse().map(Self::Named).map_err(|_| {
                format!(
                    "`{text}` is no zone: write utc, an offset as +02:00, a name as Europe/Berlin, or local (the zone of this machine)"
                )
            }),
        }
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Local => f.write_str("local time"),
            Self::Named(zone) => f.write_str(zone.name()),
            Self::Offset(seconds) => {
                let minutes = seconds.abs() / 60;
                let sign = if *seconds < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// The month of a stamp that has no year, and the year that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct YearMonth {
    pub(crate) year: i32,
    pub(crate) month: u32,
}

impl YearMonth {
    /// Gives `month` the year that lies nearest to the stamp before it: December to January steps forward, and back
    /// again where a clock was corrected.
    pub(crate) fn step(self, month: u32) -> Self {
        let year = match i64::from(month) - i64::from(self.month) {
            ..-6 => self.year + 1,
            7.. => self.year - 1,
            _ => self.year,
        };
        Self { year, month }
    }
}

/// Reads the stamps of one run of lines; remembers the day so that most lines cost a comparison.
#[derive(Debug)]
pub(crate) struct Stamps {
    zone: Zone,
    last: YearMonth,
    /// `Nov 24 09`, or `2026-11-24T09`, and the start of that hour in microseconds UTC.
    hour: [u8; 13],
    hour_at: i64,
    /// Local stamps in the hour that a clock change repeats or skips.
    pub(crate) ambiguous: u64,
    hour_ambiguous: bool,
}

impl Stamps {
    pub(crate) fn new(zone: Zone, last: YearMonth) -> Self {
        Self { zone, last, hour: [0; 13], hour_at: 0, ambiguous: 0, hour_ambiguous: false }
    }

    /// Reads `Mmm dd hh:mm:ss `; returns the time and the number of bytes read, the space included.
    pub(crate) fn bsd(&mut self, line: &[u8]) -> Option<(i64, usize)> {
        let stamp = line.first_chunk::<16>()?;
        let [_, _, _, b' ', _, _, b' ', _, _, b':', m1, m2, b':', s1, s2, b' '] = *stamp else { return None };
        let minute = two(m1, m2)?;
        let second = two(s1, s2)?;
        let (prefix, _) = stamp.split_at(9);
        if self.hour.get(..9) != Some(prefix) {
            let month = month_number(prefix)?;
            let [_, _, _, _, d1, d2, _, h1, h2] = *prefix else { return None };
            let day = if d1 == b' ' { two(b'0', d2)? } else { two(d1, d2)? };
            let hour = two(h1, h2)?;
            self.last = self.last.step(month);
            self.start_hour(self.last.year, month, day, hour)?;
            let (head, _) = self.hour.split_at_mut(9);
            head.copy_from_slice(prefix);
        }
        self.ambiguous += u64::from(self.hour_ambiguous);
        Some((dated(self.hour_at + i64::from(minute * 60 + second.min(60)) * SECOND)?, 16))
    }

    /// Reads `YYYY-MM-DD hh:mm:ss`, an optional fraction and an optional zone (` +0200` as Exim writes it, or joined),
    /// and the space after it; returns the time, the bytes read, and the offset where there was one.
    pub(crate) fn iso(&mut self, line: &[u8], separator: u8) -> Option<(i64, usize, Option<i32>)> {
        let stamp = line.first_chunk::<19>()?;
        let [y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, t, h1, h2, b':', m1, m2, b':', s1, s2] = *stamp else {
            return None;
        };
        if t != separator {
            return None;
        }
        let year = i32::try_from(two(y1, y2)? * 100 + two(y3, y4)?).ok()?;
        let (month, day, hour) = (two(o1, o2)?, two(d1, d2)?, two(h1, h2)?);
        let within = i64::from(two(m1, m2)? * 60 + two(s1, s2)?.min(60)) * SECOND;
        let mut at = 19;
        let mut fraction = 0;
        if line.get(at) == Some(&b'.') {
            at += 1;
            let mut scale = SECOND / 10;
            while let Some(digit) = line.get(at).filter(|b| b.is_ascii_digit()) {
                fraction += i64::from(digit - b'0') * scale;
                scale /= 10;
                at += 1;
            }
        }
        let joined = line.get(at..)?;
        let spaced = joined.strip_prefix(b" ").unwrap_or_default();
        let zone = match offset(joined) {
            Some((seconds, length)) => Some((seconds, length)),
            None => offset(spaced).filter(|(_, n)| *n == 5).map(|(seconds, length)| (seconds, length + 1)),
        };
        let start = match zone {
            Some((seconds, _)) => {
                civil_days(year, month, day)? * DAY + (i64::from(hour) * 3600 - i64::from(seconds)) * SECOND
            }
            None => {
                let (prefix, _) = stamp.split_at(13);
                if self.hour != *prefix {
                    self.start_hour(year, month, day, hour)?;
                    self.hour.copy_from_slice(prefix);
                }
                self.ambiguous += u64::from(self.hour_ambiguous);
                self.hour_at
            }
        };
        at += zone.map_or(0, |(_, length)| length);
        let at = at + usize::from(line.get(at) == Some(&b' '));
        Some((dated(start + within + fraction)?, at, zone.map(|(seconds, _)| seconds)))
    }

    fn start_hour(&mut self, year: i32, month: u32, day: u32, hour: u32) -> Option<()> {
        if hour > 23 {
            return None;
        }
        let start = civil_days(year, month, day)? * DAY + i64::from(hour) * 3600 * SECOND;
        self.hour_ambiguous = false;
        self.hour_at = match self.zone {
            Zone::Utc => start,
            Zone::Offset(seconds) => start - i64::from(seconds) * SECOND,
            Zone::Local => self.civil(&Local, start)?,
            Zone::Named(zone) => self.civil(&zone, start)?,
        };
        Some(())
    }

    /// The time of an hour on the clocks of a zone. An hour that comes twice is taken as its first time, one that is left out
    /// as the one after it; both are counted, since no stamp says which it was.
    fn civil<T: TimeZone>(&mut self, zone: &T, start: i64) -> Option<i64> {
        let naive = |at: i64| Some(DateTime::<Utc>::from_timestamp_micros(at)?.naive_utc());
        Some(match zone.from_local_datetime(&naive(start)?) {
            chrono::LocalResult::Single(time) => time.timestamp_micros(),
            chrono::LocalResult::Ambiguous(early, _) => {
                self.hour_ambiguous = true;
                early.timestamp_micros()
            }
            chrono::LocalResult::None => {
                self.hour_ambiguous = true;
                let before = naive(start - 3600 * SECOND)?;
                zone.from_local_datetime(&before).earliest()?.timestamp_micros() + 3600 * SECOND
            }
        })
    }
}

/// Returns the month of a line that begins with `Mmm dd`, priority and year aside.
pub(crate) fn month_of(line: &[u8]) -> Option<u32> {
    let stamp = line.get(..7)?;
    if *stamp.get(3)? != b' ' || *stamp.get(6)? != b' ' {
        return None;
    }
    month_number(stamp)
}

/// Reads an RFC 3339 time, whole, that a log can be dated.
pub(crate) fn rfc3339(text: &str) -> Option<i64> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .ok()
        .and_then(|time| dated(time.timestamp_micros()))
}

/// Returns the year and month of a time in a zone.
pub(crate) fn year_month(at: DateTime<Utc>, zone: Zone) -> (i32, u32, u32) {
    let date: NaiveDate = match zone {
        Zone::Utc => at.date_naive(),
        Zone::Offset(seconds) => (at + chrono::Duration::seconds(i64::from(seconds))).date_naive(),
        Zone::Local => at.with_timezone(&Local).date_naive(),
        Zone::Named(zone) => at.with_timezone(&zone).date_naive(),
    };
    (date.year(), date.month(), date.day())
}

/// `Z`, `+hh:mm`, `+hhmm`: seconds east, and the bytes read.
fn offset(text: &[u8]) -> Option<(i32, usize)> {
    match text {
        [b'Z' | b'z', ..] => Some((0, 1)),
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] => {
            let (m1, m2, length) = match rest {
                [b':', m1, m2, ..] => (*m1, *m2, 6),
                [m1, m2, ..] => (*m1, *m2, 5),
                _ => return None,
            };
            let seconds = i32::try_from(two(*h1, *h2)? * 3600 + two(m1, m2)? * 60).ok()?;
            Some((if *sign == b'-' { -seconds } else { seconds }, length))
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

fn month_number(text: &[u8]) -> Option<u32> {
    Some(match text.get(..3)? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Days since 1970-01-01; `None` for a date that does not exist.
fn civil_days(year: i32, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    Some(i64::from(date.num_days_from_ce()) - 719_163)
}
