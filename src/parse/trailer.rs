//! What follows the root element: blanks, comments and processing instructions are fine, the rest is junk.

use super::document::{Document, Stop};
use super::tags::Tag;

/// What the text behind the root stands in, from one window to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tail {
    #[default]
    Between,
    Comment,
    Instruction,
}

/// Bytes that are needed to tell what begins at a place.
const AHEAD: usize = 64;

/// Looks through the text behind the root, once and forward only: there may be a gigabyte of it. Returns how much of it
/// is done with; `last` says that no more follows.
pub(super) fn trailer(document: &mut Document, text: &str, last: bool, offset: u64) -> Result<usize, Stop> {
    let mut from = 0;
    while let Some(rest) = text.get(from..).filter(|r| !r.is_empty()) {
        let bytes = rest.as_bytes();
        from += match document.tail {
            Tail::Comment | Tail::Instruction => {
                let end: &[u8] = if document.tail == Tail::Comment { b"-->" } else { b"?>" };
                match memchr::memmem::find(bytes, end) {
                    Some(at) => {
                        document.tail = Tail::Between;
                        at + end.len()
                    }
                    None if last => bytes.len(),
                    // The window may part the end; a character that it parts is none of the end's.
                    None => return Ok(from + last_boundary(rest, end.len() - 1)),
                }
            }
            Tail::Between => {
                let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
                let at = offset + (from + blank) as u64;
                let rest = rest.get(blank..).unwrap_or_default();
                if rest.is_empty() || (rest.len() < AHEAD && !last) {
                    return Ok(from + blank);
                }
                blank
                    + if rest.starts_with("<!--") {
                        document.tail = Tail::Comment;
                        4
                    } else if rest.starts_with("<?") {
                        document.tail = Tail::Instruction;
                        2
                    } else {
                        match tag(rest) {
                            Some(Tag::Feedback) => return Err(Document::second_report(at)),
                            Some(Tag::ReportMetadata | Tag::PolicyPublished | Tag::Record) => {
                                return Err(Document::part_behind(at));
                            }
                            _ => {}
                        }
                        document.junk_after(at);
                        let next = rest.as_bytes().get(1..).and_then(|r| memchr::memchr(b'<', r));
                        next.map_or(rest.len(), |next| next + 1)
                    }
            }
        };
    }
    Ok(from)
}

/// Returns the last character boundary that leaves at least `keep` bytes.
fn last_boundary(text: &str, keep: usize) -> usize {
    let mut at = text.len().saturating_sub(keep);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the known element that begins here.
fn tag(rest: &str) -> Option<Tag> {
    let name =
        rest.strip_prefix('<')?.split(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/' | '<')).next()?;
    let local = name.split_once(':').map_or(name, |(_, local)| local);
    Tag::read(local).map(|(tag, _)| tag)
}
