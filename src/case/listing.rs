//! What the words mean that a person took from a vendor's lookup page: listed, not listed, or neither for sure. Nobody's words are
//! read as clean that do not say so.

/// Words of a listing, unless a negation stands before them.
const LISTED: &[&str] = &[
    "listed",
    "listing",
    "listings",
    "blocked",
    "blocking",
    "blacklisted",
    "blocklisted",
    "denylisted",
    "banned",
    "rejected",
];
/// Words of none, unless a negation stands before them.
const CLEAN: &[&str] = &["unlisted", "delisted", "unblocked", "clean", "ok", "removed"];
/// Words that turn the next or the next but one around.
const NEGATIONS: &[&str] =
    &["not", "no", "never", "isn't", "isnt", "wasn't", "wasnt", "without", "neither", "nor", "cannot"];
/// Words after a listing that turn it around: `listed: no`.
const DENIALS: &[&str] = &["no", "false", "none", "never"];

/// Says whether words of a lookup page name a listing; `None` where they do not say, or say both.
pub(super) fn is_listed(said: &str) -> Option<bool> {
    let said = said.to_lowercase().replace('\u{2019}', "'");
    let (mut listed, mut clean, mut unsure) = (false, false, false);
    // A negation holds within its clause.
    for clause in said.split([',', ';', '.', '(', ')', '!', '\n', '\u{2013}', '\u{2014}']) {
        let words: Vec<&str> = clause
            .split(|letter: char| !(letter.is_alphanumeric() || letter == '\''))
            .filter(|word| !word.is_empty())
            .collect();
        for (place, word) in words.iter().enumerate() {
            let before = words.get(place.saturating_sub(2)..place).unwrap_or_default();
            let negated = before.iter().any(|word| NEGATIONS.contains(word));
            let denied = place + 2 == words.len() && words.last().is_some_and(|word| DENIALS.contains(word));
            match (LISTED.contains(word), CLEAN.contains(word)) {
                (true, _) if negated || denied => clean = true,
                (true, _) => listed = true,
                // `not delisted yet`, `not clean`: no listing is named, and none is denied.
                (_, true) if negated => unsure = true,
                (_, true) => clean = true,
                _ => {}
            }
        }
    }
    match (listed, clean, unsure) {
        (true, false, _) => Some(true),
        (false, true, false) => Some(false),
        _ => None,
    }
}
