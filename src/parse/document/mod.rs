//! One document while it is read: where the reader stands in it, and the way of each start tag, end tag and text.
//!
//! The stack holds known elements only, so its depth is that of the schema. Everything unknown is skipped by name: its
//! nesting is a counter, and ten million open elements cost no more than one.

mod edges;
mod skipped;
mod text;

use quick_xml::events::BytesStart;

use self::skipped::{Skip, Suspect};
use super::draft::Draft;
use super::memo::Known;
use super::namespaces::Namespaces;
use super::notes::{At, excerpt};
use super::tags::{Place, Tag};

/// Why reading ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The document is something else.
    NotAReport(String),
    /// The document is refused.
    Rejected { code: &'static str, at: At, text: String },
}

impl Stop {
    pub(super) fn rejected(code: &'static str, at: u64, text: impl Into<String>) -> Self {
        Self::Rejected { code, at: At::Byte(at), text: text.into() }
    }
}

/// A known element that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    tag: Tag,
    place: Place,
    /// Elements of this name that are open inside a skipped element.
    skipped: u64,
}

/// Where the document stands as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Before,
    Inside,
    After,
}

/// The state of one document. Reused for the next one.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) draft: Draft,
    pub(super) stage: Stage,
    names: Namespaces,
    frames: Vec<Frame>,
    skip: Option<Skip>,
    suspects: Vec<Suspect>,
    /// The first text that is no XML, and how much there was before the root.
    junk: Option<(At, String)>,
    junk_bytes: usize,
    /// A DOCTYPE before the root, and the entities that it declares.
    doctype: Option<(At, Option<String>)>,
    undone: u32,
    broken: u32,
    /// Whether something follows the root that should not, and what the text there stands in.
    has_tail: bool,
    pub(super) tail: super::trailer::Tail,
    text_bytes: usize,
    /// Markup that was read one by one, and how much of it a document may have.
    markup: u32,
    markup_limit: u32,
}

impl Document {
    pub(super) fn new(draft: Draft, text_bytes: usize, markup_limit: u32) -> Self {
        Self {
            draft,
            stage: Stage::Before,
            names: Namespaces::default(),
            frames: Vec::with_capacity(8),
            skip: None,
            suspects: Vec::new(),
            junk: None,
            junk_bytes: 0,
            doctype: None,
            undone: 0,
            broken: 0,
            has_tail: false,
            tail: super::trailer::Tail::default(),
            text_bytes,
            markup: 0,
            markup_limit,
        }
    }

    /// Forgets the last document.
    pub(super) fn restart(&mut self) {
        self.draft.restart();
        self.stage = Stage::Before;
        self.names.clear();
        self.frames.clear();
        self.skip = None;
        self.suspects.clear();
        (self.junk, self.junk_bytes, self.doctype) = (None, 0, None);
        (self.undone, self.broken, self.markup) = (0, 0, 0);
        (self.has_tail, self.tail) = (false, super::trailer::Tail::default());
    }

    /// Counts markup. What means nothing costs as much time as what does, and packs far better: a mail of a few megabytes
    /// could keep a core busy for a minute.
    pub(super) fn weigh(&mut self, weight: u32, at: u64) -> Result<(), Stop> {
        self.markup = self.markup.saturating_add(weight);
        if self.markup > self.markup_limit {
            let text = format!(
                "more than {} tags, comments and references; raise limits.markup to read it",
                self.markup_limit
            );
            return Err(Stop::rejected("markup", at, text));
        }
        Ok(())
    }

    /// Returns every place that is kept for later and has no line and column yet, in their order in the document: they
    /// must get them before the text that they count in is let go.
    pub(super) fn unplaced(&mut self) -> Vec<&mut At> {
        let junk = self.junk.iter_mut().map(|(at, _)| at);
        let doctype = self.doctype.iter_mut().map(|(at, _)| at);
        let suspects = self.suspects.iter_mut().map(|s| &mut s.at);
        let mut places: Vec<_> = junk.chain(doctype).chain(suspects).chain(self.draft.places()).collect();
        places.retain(|at| at.byte().is_some());
        places.sort_by_key(|at| at.byte());
        places
    }

    /// Returns whether a record may start here, read by nothing but its text.
    pub(super) fn expects_record(&self) -> bool {
        matches!(self.frames.as_slice(), [Frame { place: Place::Feedback, .. }])
            && self.skip.is_none()
            && self.names.has_prefix("")
    }

    fn top(&self) -> Option<Frame> {
        self.frames.last().copied()
    }

    /// Takes a record that is known by its text. `false`: it must be read in full.
    pub(super) fn known_record(&mut self, source: &[u8], count: &[u8], known: &mut Known, at: u64) -> bool {
        self.draft.known_record(source, count, known, at)
    }

    /// Takes a start tag at byte `at`; `raw` is all of it, `empty` says that it is its own end.
    pub(super) fn start(&mut self, tag: &BytesStart<'_>, raw: &str, empty: bool, at: u64) -> Result<(), Stop> {
        let qname = tag.name();
        let name: &str = qname.as_ref();
        match self.stage {
            Stage::Before => return self.root(tag, name, empty, raw, at),
            Stage::After => return Ok(()),
            Stage::Inside => {}
        }
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if !prefix.is_empty() || name.len() + 2 + usize::from(empty) != raw.len() {
            self.draft.learn_not();
        }
        if self.skip.is_some() && !self.start_skipped(tag, prefix, local, empty, at) {
            return Ok(());
        }
        let ours = self.names.has(prefix, tag);
        let known = if ours { Tag::read(local) } else { None };
        let Some(top) = self.top() else { return Ok(()) };
        if top.place == Place::Leaf && !self.leave_leaf(known.map(|(tag, _)| tag), name, raw, at)? {
            if is_name(name) {
                self.skip(name, empty, false);
            }
            return Ok(());
        }
        let Some((tag_read, odd_case)) = known else {
            if ours {
                self.unknown(name, at);
            }
            self.skip(name, empty, true);
            return Ok(());
        };
        if odd_case {
            self.draft.notes.warn("tag-case", At::Byte(at), "case", "", || {
                format!("<{}> is not in lower case, as the standards write it", excerpt(name))
            });
        }
        if local == "identities" {
            self.draft.identities(at);
        }
        let place = match self.place_for(tag_read, at)? {
            Some(place) if !self.draft.repeated(place, tag_read, at) => place,
            Some(_) => {
                self.skip(name, empty, false);
                return Ok(());
            }
            None if tag_read == Tag::Extension => {
                // RFC 9990 section 3.1.1: extensions are anyone's, and none of them is ours.
                self.draft.new_schema = true;
                self.skip(name, empty, false);
                return Ok(());
            }
            None => {
                self.unknown(name, at);
                self.skip(name, empty, true);
                return Ok(());
            }
        };
        self.draft.open(place, tag, at)?;
        self.frames.push(Frame { tag: tag_read, place, skipped: 0 });
        if empty {
            self.close(at, at + raw.len() as u64)?;
        }
        Ok(())
    }

    /// Returns the place inside an element, where it may stand here. A part of the report that may only stand further
    /// out shows that the elements between were never closed, and closes them.
    fn place_for(&mut self, tag: Tag, at: u64) -> Result<Option<Place>, Stop> {
        let Some(top) = self.top() else { return Ok(None) };
        if let Some(place) = top.place.inside(tag) {
            return Ok(Some(place));
        }
        if !tag.is_structural() {
            return Ok(None);
        }
        let Some(outer) = self.frames.iter().rposition(|f| f.place.inside(tag).is_some()) else { return Ok(None) };
        while self.frames.len() > outer + 1 {
            self.close_unclosed(at)?;
        }
        Ok(self.top().and_then(|f| f.place.inside(tag)))
    }

    /// Decides on a start tag inside an element that holds text only. `true`: the element is over, and the tag is one
    /// of the elements behind it.
    fn leave_leaf(&mut self, known: Option<Tag>, name: &str, raw: &str, at: u64) -> Result<bool, Stop> {
        if !is_name(name) {
            // An address in angle brackets, or a lone "<": text that nobody escaped.
            self.draft.notes.warn("markup-in-text", At::Byte(at), "markup", name, || {
                format!("\"{}\" is no element; read as text", excerpt(raw))
            });
            self.draft.push_text(Place::Leaf, raw, None, self.text_bytes, at)?;
            return Ok(false);
        }
        let parent = self.frames.len().checked_sub(2).and_then(|p| self.frames.get(p)).map(|f| f.place);
        let fits = |tag: Tag| {
            parent.is_some_and(|p| p.inside(tag).is_some() && self.top().is_some_and(|f| f.tag != tag))
                || (tag.is_structural() && self.frames.iter().any(|f| f.place.inside(tag).is_some()))
        };
        if known.is_some_and(fits) {
            self.close_unclosed(at)?;
            return Ok(true);
        }
        self.draft.notes.warn("element-in-text", At::Byte(at), "element", name, || {
            format!("<{}> inside an element that holds text only; skipped", excerpt(name))
        });
        Ok(false)
    }

    /// Takes an end tag.
    pub(super) fn end(&mut self, name: &str, at: u64, behind: u64) -> Result<(), Stop> {
        match self.stage {
            Stage::Before => return self.junk(name, at),
            Stage::After => return Ok(()),
            Stage::Inside => {}
        }
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if self.skip.is_some() {
            return self.end_skipped(name, prefix, local, at, behind);
        }
        if !prefix.is_empty() {
            self.draft.learn_not();
        }
        // The name is nearly always that of the innermost element, as the standards write it.
        if self.top().is_some_and(|top| top.tag.is(local)) {
            return self.close(at, behind);
        }
        let tag = Tag::read(local).map(|(tag, _)| tag);
        if let Some(outer) = self.frames.iter().rposition(|f| Some(f.tag) == tag) {
            while self.frames.len() > outer + 1 {
                self.close_unclosed(at)?;
            }
            return self.close(at, behind);
        }
        if let Some(index) = self.suspects.iter().rposition(|s| s.name == name) {
            self.undo(index);
            return Ok(());
        }
        // A note costs more than a tag.
        self.weigh(2, at)?;
        self.draft
            .notes
            .warn("stray-end", At::Byte(at), "end", name, || format!("</{}> closes nothing; ignored", excerpt(name)));
        Ok(())
    }

    /// Closes the innermost element at its end tag.
    fn close(&mut self, at: u64, behind: u64) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if frame.place == Place::Feedback {
            self.stage = Stage::After;
            for suspect in &self.suspects {
                self.draft.notes.warn("unclosed-element", suspect.at, "unclosed", &suspect.name, || {
                    format!("<{}> is never closed; the parts of the report behind it were read", excerpt(&suspect.name))
                });
            }
            return Ok(());
        }
        let parent = self.top().map_or(Place::Feedback, |f| f.place);
        self.draft.close(frame.place, frame.tag, parent, at, behind)
    }

    /// Closes the innermost element where its end tag is missing.
    fn close_unclosed(&mut self, at: u64) -> Result<(), Stop> {
        if let Some(top) = self.top() {
            self.draft.notes.warn("unclosed-element", At::Byte(at), "unclosed", top.tag.name(), || {
                format!("<{}> is not closed before this", top.tag.name())
            });
        }
        self.close(at, at)
    }

    fn unknown(&mut self, name: &str, at: u64) {
        self.draft.notes.warn("unknown-element", At::Byte(at), "element", name, || {
            format!("<{}> is unknown here; skipped", excerpt(name))
        });
    }
}

/// Returns whether a tag's name could be one: what is none was a `<` that nobody escaped.
pub(super) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '\u{b7}'))
}
