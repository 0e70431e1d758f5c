//! Where in an item something is, and the faults that name it.

use std::borrow::Cow;
use std::io;

use super::{Fault, Limits};

/// The way to something inside an item, innermost step last, written out only where it is needed.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    step: &'p str,
}

impl<'p> Place<'p> {
    /// The item itself.
    pub(super) const ITEM: Place<'static> = Place { parent: None, step: "" };

    /// One step further in. An empty step changes nothing.
    pub(super) fn inside(&'p self, step: &'p str) -> Self {
        Self { parent: Some(self), step }
    }

    /// Writes the way out: `part 2, report.zip, report.xml`.
    pub(super) fn text(&self) -> String {
        let mut steps = Vec::new();
        let mut place = Some(self);
        while let Some(Place { parent, step }) = place {
            if !step.is_empty() {
                steps.push(*step);
            }
            place = *parent;
        }
        steps.reverse();
        steps.join(", ")
    }
}

/// A name as strangers chose it, fit to be shown: no control characters, no endless length.
pub(super) fn shown(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 200;
    let odd = |character: char| {
        character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if name.len() <= LONGEST && !name.contains(odd) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(
        name.chars().take(LONGEST).map(|character| if odd(character) { '\u{fffd}' } else { character }).collect(),
    )
}

impl Fault {
    /// Builds a fault at `at`.
    pub(super) fn new(code: &'static str, at: &Place<'_>, text: impl Into<String>) -> Self {
        Self { code, place: at.text(), text: text.into() }
    }

    /// The system could not read on.
    pub(super) fn unreadable(error: &io::Error) -> Self {
        Self {
            code: "unreadable",
            place: String::new(),
            text: format!("cannot read on: {error}; read it again when it can be"),
        }
    }

    /// [`Limits::document_bytes`] is passed.
    pub(super) fn document_bytes(at: &Place<'_>, limits: &Limits) -> Self {
        let limit = limits.document_bytes;
        Self::new(
            "document_bytes",
            at,
            format!("the document is longer than {limit} bytes when unpacked; raise limits.document_bytes to read it"),
        )
    }

    /// [`Limits::mail_bytes`] is passed.
    pub(super) fn mail_bytes(at: &Place<'_>, limits: &Limits, what: &str) -> Self {
        let limit = limits.mail_bytes;
        Self::new("mail_bytes", at, format!("{what} is longer than {limit} bytes; raise limits.mail_bytes to read it"))
    }

    /// [`Limits::nesting`] is passed.
    pub(super) fn nesting(at: &Place<'_>, limits: &Limits) -> Self {
        let limit = limits.nesting;
        Self::new(
            "nesting",
            at,
            format!("containers inside containers, deeper than {limit}; raise limits.nesting to read it"),
        )
    }

    /// [`Limits::attachments`] is passed.
    pub(super) fn attachments(at: &Place<'_>, limit: u32, what: &str) -> Self {
        Self::new(
            "attachments",
            at,
            format!("more than {limit} {what}, the rest was left unread; raise limits.attachments to read it"),
        )
    }

    /// [`Limits::ratio`] is passed.
    pub(super) fn ratio(at: &Place<'_>, limits: &Limits, inflated: u64, packed: u64, whole: &str) -> Self {
        let limit = limits.ratio;
        Self::new(
            "ratio",
            at,
            format!(
                "{packed} bytes{whole} grew to {inflated} and more, over {limit} times their size; \
                 raise limits.ratio to read it"
            ),
        )
    }
}
