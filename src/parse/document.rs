//! One document while it is read: where the reader stands in it, and the way of each start tag, end tag and text.
//!
//! The stack holds known elements only, so its depth is that of the schema. Everything unknown is skipped by name: its
//! nesting is a counter, and ten million open elements cost no more than one.

use quick_xml::events::BytesStart;

use super::draft::Draft;
use super::memo::Known;
use super::namespaces::Namespaces;
use super::notes::{At, excerpt};
use super::tags::{Place, Tag};

/// Unclosed unknown elements beside records that are tracked at a time.
const SUSPECTS: usize = 4;

/// Bytes before the root element that may be something else than XML.
const JUNK_BYTES: usize = 64 << 10;

/// Unknown elements around records, closed after all, until which the next ones are given the benefit of the doubt.
const UNDONE: u32 = 64;

/// Broken tags in one document. Each may cost a look through the whole window.
const BROKEN_TAGS: u32 = 10_000;

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

/// An element that is passed over with all that is in it.
#[derive(Debug, Default)]
struct Skip {
    name: String,
    /// Elements of the same name open inside it.
    same: u64,
    /// Whether it may be an element that was never closed, so that parts of the report follow inside it.
    suspect: bool,
}

/// An unknown element that seems never to be closed: parts of the report were found inside it, and are read. If its end
/// comes after all, they were its own, and everything read since is undone.
#[derive(Debug)]
struct Suspect {
    name: String,
    same: u64,
    at: At,
    saved: super::draft::Saved,
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
}

impl Document {
    pub(super) fn new(draft: Draft, text_bytes: usize) -> Self {
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
        (self.undone, self.broken) = (0, 0);
        (self.has_tail, self.tail) = (false, super::trailer::Tail::default());
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

    // ---- markup -----------------------------------------------------------------------------------------------------

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

    // ---- what is skipped --------------------------------------------------------------------------------------------

    /// Passes over an element. `suspect`: it may turn out never to be closed.
    fn skip(&mut self, name: &str, empty: bool, suspect: bool) {
        if !empty {
            for frame in &mut self.frames {
                frame.skipped = 0;
            }
            let beside_records = self.top().is_some_and(|f| f.place == Place::Feedback);
            let suspect = suspect && beside_records && self.suspects.len() < SUSPECTS && self.undone < UNDONE;
            self.skip = Some(Skip { name: name.to_owned(), same: 0, suspect });
        }
    }

    /// Takes a start tag inside a skipped element. `true`: it is a part of the report, and the element is over.
    fn start_skipped(&mut self, tag: &BytesStart<'_>, prefix: &str, local: &str, empty: bool, at: u64) -> bool {
        let Some(skip) = &mut self.skip else { return true };
        let qname = tag.name();
        if skip.name == qname.as_ref() {
            skip.same += u64::from(!empty);
            return false;
        }
        let Some((known, _)) = Tag::read(local) else { return false };
        if !self.names.has(prefix, tag) {
            return false;
        }
        let part = matches!(known, Tag::ReportMetadata | Tag::PolicyPublished | Tag::Record);
        if skip.suspect && part {
            let saved = self.draft.save();
            if let Some(skip) = self.skip.take() {
                self.suspects.push(Suspect { name: skip.name, same: skip.same, at: At::Byte(at), saved });
            }
            return true;
        }
        if !empty && let Some(frame) = self.frames.iter_mut().rev().find(|f| f.tag == known) {
            frame.skipped += 1;
        }
        false
    }

    /// Takes an end tag inside a skipped element: its own, one of its children's, or that of an element around it.
    fn end_skipped(&mut self, name: &str, prefix: &str, local: &str, at: u64, behind: u64) -> Result<(), Stop> {
        let Some(skip) = &mut self.skip else { return Ok(()) };
        if skip.name == name {
            match skip.same.checked_sub(1) {
                Some(same) => skip.same = same,
                None => self.skip = None,
            }
            return Ok(());
        }
        let Some((tag, _)) = Tag::read(local) else { return Ok(()) };
        if !self.names.has_prefix(prefix) {
            return Ok(());
        }
        let Some(index) = self.frames.iter().rposition(|f| f.tag == tag) else { return Ok(()) };
        if let Some(frame) = self.frames.get_mut(index)
            && frame.skipped > 0
        {
            frame.skipped -= 1;
            return Ok(());
        }
        let name = std::mem::take(&mut skip.name);
        self.skip = None;
        self.draft.notes.warn("unclosed-element", At::Byte(at), "unclosed", &name, || {
            format!("<{}> is not closed before this", excerpt(&name))
        });
        while self.frames.len() > index + 1 {
            self.close_unclosed(at)?;
        }
        self.close(at, behind)
    }

    /// Undoes what was read inside an unknown element that is closed after all.
    fn undo(&mut self, index: usize) {
        let Some(suspect) = self.suspects.drain(index..).next() else { return };
        self.undone += 1;
        self.frames.truncate(1);
        self.draft.undo(suspect.saved);
        if let Some(same) = suspect.same.checked_sub(1) {
            self.skip = Some(Skip { name: suspect.name, same, suspect: true });
        }
    }

    // ---- text -------------------------------------------------------------------------------------------------------

    /// Takes text at byte `at`. `range`: where it stands in the window, if it is plain text and nothing else.
    pub(super) fn text(&mut self, text: &str, at: u64, range: Option<(u64, u64)>) -> Result<(), Stop> {
        match self.stage {
            Stage::Before => return self.junk(text, at),
            Stage::After => return Ok(()),
            Stage::Inside => {}
        }
        if self.skip.is_some() {
            return Ok(());
        }
        match self.top().map(|f| f.place) {
            Some(place @ (Place::Leaf | Place::Reason)) => {
                self.draft.push_text(place, text, range, self.text_bytes, at)
            }
            _ => {
                if !text.trim_ascii().is_empty() {
                    self.draft.notes.warn("stray-text", At::Byte(at), "text", "", || {
                        format!("\"{}\" stands between elements; ignored", excerpt(text.trim()))
                    });
                }
                Ok(())
            }
        }
    }

    /// Takes a reference, without its `&` and `;`. None but the five of XML and character references is expanded.
    pub(super) fn reference(&mut self, name: &str, character: Option<char>, at: u64) -> Result<(), Stop> {
        if self.skip.is_some() && self.stage == Stage::Inside {
            return Ok(());
        }
        if let Some(character) = character {
            return self.text(character.encode_utf8(&mut [0; 4]), at, None);
        }
        if let Some(text) = quick_xml::escape::resolve_xml_entity(name) {
            return self.text(text, at, None);
        }
        if self.stage == Stage::Inside {
            self.draft.notes.warn("unknown-entity", At::Byte(at), "entity", name, || {
                format!("&{}; is no entity of XML; kept as written", excerpt(name))
            });
        }
        self.text("&", at, None)?;
        self.text(name, at, None)?;
        self.text(";", at, None)
    }

    /// Takes markup that is none: read as text inside an element that holds text, else ignored.
    pub(super) fn bad_markup(&mut self, raw: &str, at: u64) -> Result<(), Stop> {
        self.count_broken(at)?;
        if self.stage == Stage::Inside && self.skip.is_none() {
            self.draft
                .notes
                .warn("bad-markup", At::Byte(at), "markup", raw, || format!("\"{}\" is no markup", excerpt(raw)));
            if !matches!(self.top().map(|f| f.place), Some(Place::Leaf | Place::Reason)) {
                return Ok(());
            }
        }
        self.text(raw, at, None)
    }

    /// Notes a tag whose quote or end is missing; it is read up to where it must be over.
    pub(super) fn broken_tag(&mut self, raw: &str, at: u64) -> Result<(), Stop> {
        self.count_broken(at)?;
        self.draft
            .notes
            .warn("broken-tag", At::Byte(at), "tag", raw, || format!("\"{}\" is not closed properly", excerpt(raw)));
        Ok(())
    }

    fn count_broken(&mut self, at: u64) -> Result<(), Stop> {
        self.broken += 1;
        if self.broken <= BROKEN_TAGS {
            return Ok(());
        }
        if self.stage == Stage::Before {
            return Err(self.no_xml());
        }
        Err(Stop::rejected("broken_tags", at, format!("more than {BROKEN_TAGS} broken tags: this is hardly XML")))
    }

    /// Takes a DOCTYPE. Nothing in it is ever processed.
    pub(super) fn doctype(&mut self, content: &str, at: u64) -> Result<(), Stop> {
        let entities =
            content.to_ascii_lowercase().find("<!entity").map(|from| excerpt(content.get(from..).unwrap_or_default()));
        match self.stage {
            Stage::Before if self.doctype.as_ref().is_some_and(|(_, entities)| entities.is_some()) => {}
            Stage::Before => self.doctype = Some((At::Byte(at), entities)),
            Stage::Inside => self.judge_doctype(At::Byte(at), entities)?,
            Stage::After => {}
        }
        Ok(())
    }

    fn judge_doctype(&mut self, at: At, entities: Option<String>) -> Result<(), Stop> {
        if let Some(first) = entities {
            let text = format!("the DOCTYPE declares entities ({first}); no report needs them, and none is expanded");
            return Err(Stop::Rejected { code: "entities", at, text });
        }
        self.draft.notes.warn("doctype", at, "doctype", "", || {
            "a DOCTYPE, which no report needs; nothing in it was looked at".to_owned()
        });
        Ok(())
    }

    // ---- before and after -------------------------------------------------------------------------------------------

    fn root(&mut self, tag: &BytesStart<'_>, name: &str, empty: bool, raw: &str, at: u64) -> Result<(), Stop> {
        if !is_name(name) {
            return self.junk(raw, at);
        }
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let Some((Tag::Feedback, odd_case)) = Tag::read(local) else {
            return Err(Stop::NotAReport(format!("XML whose root is <{}>, not <feedback>", excerpt(name))));
        };
        self.names.read_root(prefix, tag);
        self.draft.namespace = self.names.root;
        self.stage = Stage::Inside;
        if let Some((at, entities)) = self.doctype.take() {
            self.judge_doctype(at, entities)?;
        }
        if let Some((at, text)) = self.junk.take() {
            self.draft
                .notes
                .warn("junk-before", at, "junk", "", || format!("text before the XML (\"{}\"); ignored", text.trim()));
        }
        if odd_case {
            self.draft.notes.warn("tag-case", At::Byte(at), "case", "", || {
                format!("<{}> is not in lower case, as the standards write it", excerpt(name))
            });
        }
        self.frames.push(Frame { tag: Tag::Feedback, place: Place::Feedback, skipped: 0 });
        if empty {
            self.close(at, at + raw.len() as u64)?;
        }
        Ok(())
    }

    /// Takes text before the root.
    pub(super) fn junk(&mut self, text: &str, at: u64) -> Result<(), Stop> {
        let shown = text.trim_ascii();
        if !shown.is_empty() && self.junk.is_none() {
            let blank = text.len() - text.trim_ascii_start().len();
            self.junk = Some((At::Byte(at + blank as u64), excerpt(shown)));
        }
        // Blanks are bounded too: no honest document begins with a mile of them.
        self.junk_bytes = self.junk_bytes.saturating_add(text.len());
        if self.junk_bytes > JUNK_BYTES {
            return Err(self.no_xml());
        }
        Ok(())
    }

    /// Notes blanks before an XML declaration, which must be the very first thing.
    pub(super) fn declaration(&mut self, at: u64) {
        if self.stage == Stage::Before && at > 0 && self.junk.is_none() {
            self.draft.notes.warn("junk-before", At::Byte(at), "junk", "", || {
                "the XML declaration is not at the very start; read all the same".to_owned()
            });
        }
    }

    /// Returns why a document without a root element is no report.
    pub(super) fn no_xml(&self) -> Stop {
        Stop::NotAReport(match &self.junk {
            Some((_, text)) => format!("no XML: starts with \"{text}\""),
            None => "no XML: nothing but blanks".to_owned(),
        })
    }

    /// Returns why a document with a second report is refused: the one behind would be lost without a word.
    pub(super) fn second_report(at: u64) -> Stop {
        Stop::rejected("second-report", at, "a second <feedback> follows the first; each needs a document of its own")
    }

    /// Returns why a document is refused whose root ends before its parts do: what was read is not all of it.
    pub(super) fn part_behind(at: u64) -> Stop {
        Stop::rejected("part-behind", at, "parts of the report follow its </feedback>")
    }

    /// Notes what follows the root, once.
    pub(super) fn junk_after(&mut self, at: u64) {
        if std::mem::replace(&mut self.has_tail, true) {
            return;
        }
        self.draft
            .notes
            .warn("junk-after", At::Byte(at), "junk", "after", || "something follows </feedback>; ignored".to_owned());
    }

    /// Returns why a document that ends here is not whole.
    pub(super) fn truncated(&self, at: u64) -> Stop {
        if self.stage == Stage::Before {
            return self.no_xml();
        }
        let open = self.frames.iter().map(|f| f.tag.name()).collect::<Vec<_>>().join("/");
        let records = self.draft.records.len();
        let text = format!("the document ends inside {open}, after {records} whole records: it is cut off");
        Stop::rejected("truncated", at, text)
    }
}

/// Returns whether a tag's name could be one: what is none was a `<` that nobody escaped.
pub(super) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '\u{b7}'))
}
