//! Lists of `tag=value` parted by semicolons, as DKIM (RFC 6376 section 3.2) and DMARC (RFC 9989 section 4.7) write them.

/// Reads a list: tags in lower case, values without the space around them. A part that is none is a fault, in words.
pub(super) fn tags(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut faults = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((tag, value)) = part.split_once('=') else {
            faults.push(format!("`{part}` is no tag with a value"));
            continue;
        };
        let tag = tag.trim().to_ascii_lowercase();
        if found.iter().any(|(before, _)| *before == tag) {
            faults.push(format!("`{tag}` stands twice; the first counts"));
            continue;
        }
        found.push((tag, value.trim().to_owned()));
    }
    (found, faults)
}

/// Returns the value of a tag.
pub(super) fn value<'a>(tags: &'a [(String, String)], tag: &str) -> Option<&'a str> {
    tags.iter().find(|(name, _)| name == tag).map(|(_, value)| value.as_str())
}
