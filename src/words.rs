//! Numbers, errors and strangers' text as words: what evidence is written with, and what tables show. Nothing here prints.

use std::borrow::Cow;

/// Returns a count with its thousands set apart: 1,234,567.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a fraction as a percentage with two digits, or a dash where there was nothing to divide by.
///
/// What is not all is never shown as 100.00%, and what is not nothing never as 0.00%.
pub fn percent(rate: Option<f64>) -> String {
    let Some(rate) = rate else { return "–".to_owned() };
    let shown = rate * 100.0;
    if rate < 1.0 && shown > 99.99 {
        return "99.99%".to_owned();
    }
    if rate > 0.0 && shown < 0.01 {
        return "<0.01%".to_owned();
    }
    format!("{shown:.2}%")
}

/// Returns a size in the unit that keeps it short.
pub fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number as f64 / 1e6),
        _ => format!("{:.2} GB", number as f64 / 1e9),
    }
}

/// Returns a duration in seconds, as precise as it is worth.
pub fn seconds(number: f64) -> String {
    if number < 10.0 { format!("{number:.2} s") } else { format!("{number:.0} s") }
}

/// Returns the ending of a noun that is counted.
pub const fn plural(number: u64) -> &'static str {
    if number == 1 { "" } else { "s" }
}

/// Returns a counted noun: 1 report, 2 reports.
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), plural(number))
}

/// Returns an error with its causes, each told once: most errors tell their cause in words of their own already.
pub fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // The engine's number for every error, which says nothing.
        if !told.contains(&cause) && !cause.ends_with("Unknown error code") {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

/// Returns the first `most` characters of a text, and a mark where more followed.
pub fn short(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// Returns text without what could steer a terminal: control characters and bidirectional overrides.
///
/// Reporters' names, comments and SMTP replies come from strangers.
pub fn plain(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if text.contains(harmful) {
        Cow::Owned(text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns a text as one word of a POSIX shell's command line, quoted where it must be: what a command that people copy is
/// written with. Its names come from strangers' logs.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '@' | '%' | '+' | ',');
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    // Inside double quotes these keep their meaning (POSIX.1 section 2.2.3), and `!` does at a prompt.
    let double = text.contains('\'') && !text.contains(['"', '$', '`', '\\', '!']);
    Cow::Owned(if double { format!("\"{text}\"") } else { format!("'{}'", text.replace('\'', r"'\''")) })
}
