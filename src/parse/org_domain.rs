//! Domain names as reports write them, and their organisational domains.

use std::borrow::Cow;

/// Returns a domain name in the one form that the store knows: trimmed, lower case, no trailing dot, A-labels.
///
/// Names that IDNA refuses (underscores, stray characters) are kept, in lower case: nothing that a reporter wrote is lost.
pub fn domain_name(written: &str) -> Cow<'_, str> {
    let name = written.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_ascii() {
        return if name.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
    }
    match idna::domain_to_ascii(name) {
        Ok(ascii) => Cow::Owned(ascii),
        Err(_) => Cow::Owned(name.to_lowercase()),
    }
}

/// Says whether a normalised name is made of labels that DNS can hold: letters, digits, `-` and `_` (which names of services have),
/// none longer than 63 octets and together at most 253 (RFC 1035 section 2.3.4).
pub fn has_labels(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Says whether a normalised name can be a domain in DNS: two labels or more, none of which begins like a flag.
pub fn is_domain(name: &str) -> bool {
    has_labels(name) && name.contains('.') && !name.split('.').any(|label| label.starts_with('-'))
}

/// Returns the organisational domain of a normalised name by the public suffix list (RFC 7489 section 3.2).
///
/// A name that is itself a public suffix, or has no dot, is its own organisational domain.
pub fn org_domain(name: &str) -> &str {
    psl::domain_str(name).unwrap_or(name)
}

/// Returns the crate and the version whose public suffix list is compiled in, for the method section of a case. Where the build
/// had no lock file, the version is not known.
pub const fn suffix_list() -> &'static str {
    match option_env!("DMARCASE_SUFFIX_LIST") {
        Some(version) => version,
        None => "psl, version unknown",
    }
}
