//! DKIM: the key of every selector that the domain's mail was signed with, or that was given.

use super::{CheckedKey, Finding, Subject};
use crate::dns::{DkimKey, Looked, Resolver, key};
use crate::severity::Severity;

/// RFC 8301 section 3.2: below this many bits a signature must be taken for invalid.
const LEAST: u32 = 1024;
/// The same section: signers should use at least this many.
const GOOD: u32 = 2048;

/// What was found of DKIM.
pub(super) struct KeysFound {
    pub(super) keys: Vec<CheckedKey>,
    pub(super) findings: Vec<Finding>,
}

/// Checks the keys.
pub(super) async fn keys(resolver: &Resolver, subject: &Subject) -> KeysFound {
    let mut found = KeysFound { keys: subject.selectors.clone(), findings: Vec::new() };
    if subject.parked {
        return found;
    }
    if found.keys.is_empty() {
        let why = "no selector is known: reports with DKIM results name them, or --selector NAME";
        found.findings.push(Finding::unchecked(&subject.domain, "DKIM keys", why));
        return found;
    }
    let asked = subject.selectors.iter().map(|one| key(resolver, &one.domain, &one.selector));
    for (place, answer) in futures::future::join_all(asked).await.into_iter().enumerate() {
        let Some(one) = found.keys.get_mut(place) else { continue };
        let finding = of_key(one, &answer);
        one.key = answer.found().cloned();
        found.findings.push(finding);
    }
    found
}

fn of_key(one: &CheckedKey, answer: &Looked<DkimKey>) -> Finding {
    let check = format!("DKIM key {}", one.selector);
    let subject = one.domain.as_str();
    // A selector of which nothing ever passed may be a stranger's invention.
    let gone = if one.passing || one.messages.is_none() { Severity::High } else { Severity::Warn };
    let publish = "Publish the key that signs, or sign with one that is published.";
    let key = match answer {
        Looked::Found(key) => key,
        Looked::Absent(none) => {
            let text = format!("no key at {}._domainkey.{subject}: {}", one.selector, none.words());
            return Finding::defect(subject, check, gone, text, publish).gap("G10");
        }
        Looked::Unchecked(why) => return Finding::unchecked(subject, check, why),
    };
    if key.revoked {
        return Finding::defect(subject, check, gone, format!("revoked: {}", key.text), publish).gap("G10");
    }
    if !key.faults.is_empty() {
        let text = format!("{}: {}", key.faults.join("; "), key.text);
        return Finding::defect(subject, check, Severity::High, text, publish).gap("G10");
    }
    let size = key.bits.map_or_else(|| key.algorithm.clone(), |bits| format!("{} {bits} bits", key.algorithm));
    match key.bits {
        Some(bits) if bits < LEAST => {
            let text = format!("{size}: receivers must not accept it (RFC 8301)");
            Finding::defect(subject, check, Severity::High, text, "Make a key of 2048 bits.").gap("G10")
        }
        Some(bits) if bits < GOOD => {
            let text = format!("{size}: weak, 2048 are recommended (RFC 8301)");
            Finding::defect(subject, check, Severity::Warn, text, "Make a key of 2048 bits.")
        }
        _ if key.testing => {
            let text = format!("{size}, t=y: receivers are asked to ignore it (RFC 6376)");
            Finding::defect(subject, check, Severity::Notice, text, "Remove t=y from the key record.")
        }
        _ => Finding::ok(subject, check, size),
    }
}
