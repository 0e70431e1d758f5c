//! The values of a report as reporters write them → values as we keep them, with what was odd about each.

use std::net::{IpAddr, SocketAddr};

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::AuthResult;

/// The largest count that is believed. No reporter sees more mail from one source in one period.
pub(super) const LARGEST_COUNT: u64 = 1_000_000_000_000;

/// The first second of the year 10000. Larger numbers are milliseconds, or noise.
const LAST_TIME: i64 = 253_402_300_800;

/// A value as read, and in words what was odd about the way it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<T> {
    pub(super) value: Option<T>,
    pub(super) odd: Option<Odd>,
}

/// What was odd: a stable code, and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

impl<T> Value<T> {
    const fn good(value: T) -> Self {
        Self { value: Some(value), odd: None }
    }

    const fn odd(value: T, code: &'static str, text: &'static str) -> Self {
        Self { value: Some(value), odd: Some(Odd { code, text }) }
    }

    const fn bad(code: &'static str, text: &'static str) -> Self {
        Self { value: None, odd: Some(Odd { code, text }) }
    }
}

/// Reads a source address that is written plainly: the only form that needs no second look.
pub(super) fn plain_source(text: &[u8]) -> Option<IpAddr> {
    match std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()? {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => None,
        address => Some(address),
    }
}

/// Reads a count that is written plainly.
pub(super) fn plain_count(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() || digits.len() > 13 {
        return None;
    }
    let mut count = 0_u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        count = count * 10 + u64::from(digit - b'0');
    }
    (count <= LARGEST_COUNT).then_some(count)
}

/// Reads a source address in every form that reporters write. IPv4 mapped into IPv6 is the IPv4 host.
pub(super) fn source(text: &str) -> Value<IpAddr> {
    let text = text.trim();
    if let Some(address) = plain_source(text.as_bytes()) {
        return Value::good(address);
    }
    let first = text.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let inner = first.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(first);
    let inner = match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => inner.get(5..).unwrap_or_default(),
        _ => inner,
    };
    let inner = inner.strip_suffix("/32").or_else(|| inner.strip_suffix("/128")).unwrap_or(inner);
    let inner = inner.split_once('%').map_or(inner, |(address, _zone)| address);
    let address = inner.parse::<IpAddr>().ok().or_else(|| first.parse::<SocketAddr>().ok().map(|s| s.ip()));
    match address.map(|a| a.to_canonical()) {
        Some(address) if inner == text => {
            Value::odd(address, "odd-address", "an IPv4 address mapped into IPv6; kept as the IPv4 address")
        }
        Some(address) => Value::odd(address, "odd-address", "more than an address; the address was kept"),
        None => Value::bad("bad-address", "no IP address; the source stays unknown"),
    }
}

/// Reads a count. Nothing is guessed: no 1 for a missing count, no sign dropped.
pub(super) fn count(text: &str) -> Value<u64> {
    let text = text.trim();
    if let Some(count) = plain_count(text.as_bytes()) {
        return Value::good(count);
    }
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    // An integer may have a sign (XML Schema 1.0 part 2, section 3.3.13).
    let text = text.strip_prefix('+').unwrap_or(text);
    if digits(text) {
        // Leading zeros can make a small number long.
        return match plain_count(text.trim_start_matches('0').as_bytes()) {
            Some(count) => Value::good(count),
            None if text.bytes().all(|b| b == b'0') => Value::good(0),
            None => Value::bad("bad-count", "more than a million million; the count stays unknown"),
        };
    }
    if let Some((whole, zeros)) = text.split_once('.')
        && !zeros.is_empty()
        && zeros.bytes().all(|b| b == b'0')
        && let Some(count) = plain_count(whole.as_bytes())
    {
        return Value::odd(count, "odd-count", "a count with a fraction of zero; the whole number was kept");
    }
    if text.strip_prefix('-').is_some_and(digits) {
        return Value::bad("bad-count", "negative; the count stays unknown");
    }
    Value::bad("bad-count", "no number; the count stays unknown")
}

/// Reads `begin` or `end`: seconds since 1970 (RFC 7489 and 9990), or what reporters write in their place.
pub(super) fn time(text: &str) -> Value<i64> {
    let text = text.trim();
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let fraction = text.get(whole.len()..).unwrap_or_default();
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if !whole.is_empty() && digits(whole) && digits(fraction.trim_start_matches('.')) {
        return match whole.parse::<i64>() {
            Ok(seconds) if seconds < LAST_TIME && fraction.is_empty() => Value::good(seconds),
            Ok(seconds) if seconds < LAST_TIME => {
                Value::odd(seconds, "odd-date", "seconds with a fraction; the whole seconds were kept")
            }
            _ => Value::bad("bad-date", "beyond the year 9999 (milliseconds?); the time stays unknown"),
        };
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)) {
        return Value::odd(time.timestamp(), "odd-date", "a date in place of seconds since 1970");
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z"] {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Value::odd(time.timestamp(), "odd-date", "a date in place of seconds since 1970");
        }
    }
    let no_zone = "a date without a zone in place of seconds since 1970; read as UTC";
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f UTC", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Value::odd(time.and_utc().timestamp(), "odd-date", no_zone);
        }
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|d| d.and_hms_opt(0, 0, 0)) {
        Some(time) => Value::odd(
            time.and_utc().timestamp(),
            "odd-date",
            "a date without a time in place of seconds since 1970; read as its midnight, UTC",
        ),
        None => Value::bad("bad-date", "no time; it stays unknown"),
    }
}

/// Reads one of a closed list of words.
pub(super) fn word<T: Copy>(
    text: &str,
    read: impl Fn(&str) -> Option<T>,
    name: impl Fn(T) -> &'static str,
) -> Value<T> {
    let text = text.trim();
    match read(text) {
        Some(word) if name(word) == text => Value::good(word),
        Some(word) => Value::odd(word, "word-case", "not in lower case, as the standards write it"),
        None => Value::bad("unknown-word", "no word of its list; it stays unknown"),
    }
}

/// Which mechanism a result belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Dkim,
    Spf,
}

/// Reads a result of `auth_results`, with the old and misspelt words that have one known meaning.
pub(super) fn auth_result(text: &str, mechanism: Mechanism) -> Value<AuthResult> {
    let text = text.trim();
    let read = |t: &str| {
        // RFC 8601 section 2.7.1: DKIM has no softfail.
        AuthResult::from_word(t).filter(|r| mechanism == Mechanism::Spf || *r != AuthResult::Softfail)
    };
    let plain = word(text, read, AuthResult::word);
    if plain.value.is_some() {
        return plain;
    }
    if text.eq_ignore_ascii_case("hardfail") {
        return Value::odd(AuthResult::Fail, "old-word", "an old word for fail");
    }
    // RFC 7489 appendix C: "unknown" and "error" are the old names of SPF's temperror and permerror.
    if mechanism == Mechanism::Spf && text.eq_ignore_ascii_case("unknown") {
        return Value::odd(AuthResult::Temperror, "old-word", "the old word for temperror");
    }
    if mechanism == Mechanism::Spf && text.eq_ignore_ascii_case("error") {
        return Value::odd(AuthResult::Permerror, "old-word", "the old word for permerror");
    }
    plain
}

/// Reads `policy_evaluated/dkim` or `spf`: pass or fail, nothing else. Unknown is not pass.
pub(super) fn evaluated(text: &str) -> Value<bool> {
    let text = text.trim();
    match text {
        "pass" => Value::good(true),
        "fail" => Value::good(false),
        _ if text.eq_ignore_ascii_case("hardfail") => Value::odd(false, "old-word", "an old word for fail"),
        _ => word(text, verdict, |v| if v { "pass" } else { "fail" }),
    }
}

fn verdict(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("pass") {
        Some(true)
    } else if text.eq_ignore_ascii_case("fail") {
        Some(false)
    } else {
        None
    }
}
