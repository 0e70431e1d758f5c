//! The reader: the bytes of one document → a report, or the reason why there is none.
//!
//! A document is read through a moving window of text. A record whose text is known but for its address and count is
//! taken whole; everything else goes event by event, from quick-xml, to the [`Document`].

use std::io::Read;

use quick_xml::Reader as XmlReader;
use quick_xml::events::Event;

use super::Report;
use super::document::{Document, Stage, Stop, is_name};
use super::draft::{Draft, too_long};
use super::memo::Found;
use super::notes::{At, excerpt};
use super::trailer::trailer;
use super::values::LARGEST_COUNT;
use super::window::Window;

/// Bytes of text in memory at a time; more only where one token needs it.
const WINDOW_BYTES: usize = 256 << 10;

/// A record that does not end in the window is worth a refill while the window holds less than this.
const RECORD_AHEAD: usize = 32 << 10;

/// The reader's own limits; each has its name in the rejection that it causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Records of one report.
    pub records: u32,
    /// Bytes of one text node, tag or comment.
    pub text_bytes: u32,
    /// Tags, comments, references and the like of one document; what is whole in itself counts as two.
    pub markup: u32,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self { records: 2_000_000, text_bytes: 64 << 10, markup: 60_000_000 }
    }
}

/// What became of one document.
#[derive(Debug)]
pub enum Reading {
    /// A report, whole.
    Report(Box<Report>),
    /// Something else; why, in words: "XML whose root is <html>, not <feedback>".
    NotAReport(String),
    /// Meant as a report, and refused.
    Rejected(Rejection),
    /// The content failed: the error is the content's own (a limit or damage of its container).
    Unreadable(std::io::Error),
}

/// Why a document that means to be a report was refused, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}, at line {line}, column {column} (byte {byte})")]
pub struct Rejection {
    /// A fixed word for the kind: a limit's name (`records`, `text_bytes`) or the fault (`truncated`, `entities`).
    pub code: &'static str,
    /// Line in the document, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Bytes before the place, in the document as UTF-8.
    pub byte: u64,
    /// What was found, and the remedy where there is one.
    pub text: String,
}

/// Reads documents, one after another. Keep one per worker thread: it reuses its buffers and what it has learnt.
#[derive(Debug)]
pub struct Reader {
    window: Window,
    document: Document,
    text_bytes: usize,
}

/// What ends a walk through the window.
enum Step {
    /// So much of the text is done with; more is needed.
    More(usize),
    Done,
}

impl Reader {
    /// Returns a reader that holds to the limits.
    pub fn new(limits: ReaderLimits) -> Self {
        Self::with_window(limits, WINDOW_BYTES, true)
    }

    /// Returns a reader with a window of its own size, and with or without the memory of records. Neither changes what
    /// is read: tests show that with this.
    #[doc(hidden)]
    pub fn with_window(limits: ReaderLimits, window: usize, memo: bool) -> Self {
        let text_bytes = limits.text_bytes as usize;
        Self {
            window: Window::new(window.max(1)),
            document: Document::new(Draft::new(limits.records, memo), text_bytes, limits.markup),
            text_bytes,
        }
    }

    /// Reads one document to its end. Never panics, whatever the bytes; memory is bounded by the limits.
    pub fn read(&mut self, content: &mut dyn Read) -> Reading {
        self.read_watched(content, &mut |_| {})
    }

    /// Like [`Reader::read`]; tells `grown`, behind each piece of the content, about how many bytes of memory the
    /// report takes so far, beside what it shares with other reports of this reader. `grown` may wait until there is room.
    pub fn read_watched(&mut self, content: &mut dyn Read, grown: &mut dyn FnMut(u64)) -> Reading {
        self.window.restart();
        self.document.restart();
        loop {
            if let Err(error) = self.window.refill(content) {
                return Reading::Unreadable(error);
            }
            let step = walk(
                &mut self.document,
                self.window.rest(),
                self.window.is_last(),
                self.window.offset(),
                self.text_bytes,
            );
            grown(self.document.draft.weight());
            match step {
                Ok(Step::More(done)) => {
                    self.window.resolve(self.document.unplaced());
                    self.window.consume(done);
                }
                Ok(Step::Done) => return self.finish(),
                Err(Stop::NotAReport(why)) => return Reading::NotAReport(why),
                Err(Stop::Rejected { code, at, text }) => return Reading::Rejected(self.rejection(code, at, text)),
            }
        }
    }

    fn finish(&mut self) -> Reading {
        let end = self.window.offset() + self.window.rest().len() as u64;
        if self.document.stage != Stage::After {
            return match self.document.truncated(end) {
                Stop::NotAReport(why) => Reading::NotAReport(why),
                Stop::Rejected { code, at, text } => Reading::Rejected(self.rejection(code, at, text)),
            };
        }
        let draft = &mut self.document.draft;
        if draft.is_empty() {
            let text = "a <feedback> without anything that a report has".to_owned();
            return Reading::Rejected(self.rejection("empty-report", At::Byte(end), text));
        }
        let messages = draft.records.iter().filter_map(|record| record.messages).fold(0, u64::saturating_add);
        if messages > LARGEST_COUNT {
            // Sums over a store must stay sums; and no reporter sees more than all the mail of the world.
            let text = "its records claim more than a million million messages together".to_owned();
            return Reading::Rejected(self.rejection("messages", At::Whole, text));
        }
        draft.last_notes();
        if let Some(decoding) = self.window.decoding() {
            let faults = decoding.faults;
            if faults > 0 {
                draft.notes.warn("bad-bytes", self.window.fault(), "bytes", "", || {
                    format!("{faults} bytes are not of the document's encoding; read as windows-1252 or as U+FFFD")
                });
            }
            if let Some(label) = &decoding.unknown_label {
                draft.notes.warn("unknown-encoding", At::Whole, "encoding", label, || {
                    format!("the declared encoding \"{}\" is unknown; read as UTF-8", excerpt(label))
                });
            }
        }
        self.window.resolve(self.document.unplaced());
        Reading::Report(Box::new(self.document.draft.report()))
    }

    fn rejection(&mut self, code: &'static str, mut at: At, text: String) -> Rejection {
        self.window.resolve([&mut at]);
        let (byte, line, column) = match at {
            At::Place(byte, line, column) => (byte, line, column),
            At::Byte(_) | At::Whole => (0, 0, 0),
        };
        Rejection { code, line, column, byte, text }
    }
}

/// Walks through the text of the window. `offset` is where it begins in the document; `last` says that it ends it.
fn walk(document: &mut Document, text: &str, last: bool, offset: u64, limit: usize) -> Result<Step, Stop> {
    let mut from = 0;
    loop {
        let Some(rest) = text.get(from..) else { return Ok(Step::More(from.min(text.len()))) };
        if document.stage == Stage::After {
            let done = trailer(document, rest, last, offset + from as u64)?;
            return Ok(if last { Step::Done } else { Step::More(from + done) });
        }
        match events(document, text, from, last, offset, limit)? {
            Events::Step(step) => return Ok(step),
            Events::Again(at) => from = at,
        }
    }
}

enum Events {
    Step(Step),
    /// Go on at this byte, with a fresh tokenizer.
    Again(usize),
}

/// Reads events from byte `from` of the text on.
fn events(
    document: &mut Document,
    text: &str,
    from: usize,
    last: bool,
    offset: u64,
    limit: usize,
) -> Result<Events, Stop> {
    let rest = text.get(from..).unwrap_or_default();
    // quick-xml drops a U+FEFF at its very start; here it may be in the middle of the document.
    let mark = rest.starts_with('\u{feff}');
    let mut xml = XmlReader::from_str(if mark { "<?mark?>" } else { rest });
    if mark {
        let _ = xml.read_event();
        *xml.get_mut() = rest.as_bytes();
    }
    let config = xml.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    let (mut unknown, mut after_text) = (None, false);
    loop {
        let mut start = text.len() - xml.get_ref().len();
        if document.expects_record() && unknown != Some(start) {
            match known_records(document, text.as_bytes(), start, last, offset) {
                // Behind a text, quick-xml has seen the "<" that follows: it cannot be moved past that.
                Known::Until(done, _) if done > start && after_text => return Ok(Events::Again(done)),
                Known::Until(done, next) => {
                    *xml.get_mut() = xml.get_ref().get(done - start..).unwrap_or_default();
                    (start, unknown) = (done, Some(next));
                }
                Known::Unfinished(start) => return Ok(Events::Step(Step::More(start))),
            }
        }
        let at = offset + start as u64;
        let event = xml.read_event();
        after_text = matches!(event, Ok(Event::Text(_)));
        let end = text.len() - xml.get_ref().len();
        let raw = text.get(start..end).unwrap_or_default();
        // Text before the root is junk, and has its own bound.
        if raw.len() > limit && !(matches!(event, Ok(Event::Text(_))) && document.stage == Stage::Before) {
            return Err(Stop::rejected("text_bytes", at, too_long("a text, tag or comment", limit)));
        }
        match &event {
            Ok(Event::Text(_) | Event::Eof) => {}
            Ok(Event::Start(_) | Event::End(_)) => document.weigh(1, at)?,
            Err(_) if end == start => {}
            _ => document.weigh(2, at)?,
        }
        match event {
            Ok(Event::Text(piece)) => {
                if end == text.len() && !last && (document.stage == Stage::Inside || raw.len() < limit) {
                    return Ok(Events::Step(Step::More(start)));
                }
                document.text(&piece.into_inner(), at, Some((at, offset + end as u64)))?;
            }
            Ok(Event::Start(tag) | Event::Empty(tag)) if raw.get(1..).is_some_and(|r| r.contains('<')) => {
                let _ = tag;
                return Ok(Events::Again(mend(document, text, start, offset)?));
            }
            Ok(Event::Start(tag)) => document.start(&tag, raw, false, at)?,
            Ok(Event::Empty(tag)) => {
                document.start(&tag, raw, true, at)?;
                if document.stage == Stage::After {
                    return Ok(Events::Again(end));
                }
            }
            Ok(Event::End(tag)) => {
                if raw.get(1..).is_some_and(|r| r.contains('<')) {
                    return Ok(Events::Again(mend(document, text, start, offset)?));
                }
                document.end(tag.name().as_ref(), at, offset + end as u64)?;
                if document.stage == Stage::After {
                    return Ok(Events::Again(end));
                }
                learn(document, text, offset);
            }
            Ok(Event::CData(data)) => document.text(&data.into_inner(), at, None)?,
            Ok(Event::GeneralRef(reference)) => {
                let character = reference.resolve_char_ref().ok().flatten();
                document.reference(&reference, character, at)?;
            }
            Ok(Event::DocType(content)) => document.doctype(&content.into_inner(), at)?,
            Ok(Event::Decl(_)) => {
                if raw.get(1..).is_some_and(|r| r.contains('<')) {
                    return Ok(Events::Again(mend(document, text, start, offset)?));
                }
                document.declaration(at);
            }
            Ok(Event::PI(_) | Event::Comment(_)) => {}
            Ok(Event::Eof) => {
                return Ok(Events::Step(if last { Step::Done } else { Step::More(text.len()) }));
            }
            Err(_) if end > start => {
                document.bad_markup(raw, at)?;
                return Ok(Events::Again(end));
            }
            Err(_) => return unfinished(document, text, start, last, offset, limit),
        }
    }
}

/// How a run of known records ended.
enum Known {
    /// At byte `.0`, before which everything is read; at byte `.1` begins something that is not known.
    Until(usize, usize),
    /// At this byte begins a record whose end may lie behind the window.
    Unfinished(usize),
}

/// Takes the known records from byte `at` of the text on.
fn known_records(document: &mut Document, text: &[u8], at: usize, last: bool, offset: u64) -> Known {
    let Some(mut memo) = document.draft.take_memo() else { return Known::Until(at, at) };
    let mut done = at;
    let end = loop {
        let rest = text.get(done..).unwrap_or_default();
        let start = done + rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = text.get(start..).unwrap_or_default();
        match memo.find(rest) {
            Found::Hit(hit) => {
                if !document.known_record(hit.source, hit.count, hit.known, offset + start as u64) {
                    break Known::Until(done, start);
                }
                done = start + hit.length;
            }
            Found::Unfinished if !last && rest.len() < RECORD_AHEAD => break Known::Unfinished(start),
            Found::Miss | Found::Unfinished => break Known::Until(done, start),
        }
    };
    document.draft.return_memo(Some(memo));
    end
}

/// Remembers the record that was just read in full, if its text says all about it.
fn learn(document: &mut Document, text: &str, offset: u64) {
    let Some((learning, learnt)) = document.draft.learnt.take() else { return };
    let (Some(source), Some(count)) = (learning.source, learning.count) else { return };
    if source.1 > count.0 {
        return;
    }
    let index = |at: u64| at.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
    let (Some(start), Some(end)) = (index(learning.start), index(learning.end)) else { return };
    let Some(record) = text.as_bytes().get(start..end) else { return };
    let within = |range: (u64, u64)| {
        let at = |at: u64| usize::try_from(at.saturating_sub(learning.start)).unwrap_or(usize::MAX);
        (at(range.0), at(range.1))
    };
    if let Some(memo) = document.draft.memo() {
        memo.learn(record, within(source), within(count), learnt);
    }
}

/// Decides on markup whose end is not in the window.
fn unfinished(
    document: &mut Document,
    text: &str,
    start: usize,
    last: bool,
    offset: u64,
    limit: usize,
) -> Result<Events, Stop> {
    let at = offset + start as u64;
    let rest = text.get(start..).unwrap_or_default();
    let mut bytes = rest.bytes().skip(1);
    let (first, second) = (bytes.next(), bytes.next());
    match (first, second) {
        // "<!" that begins no comment, CDATA or DOCTYPE.
        (Some(b'!'), Some(c)) if !matches!(c, b'[' | b'-' | b'D' | b'd') => {
            document.bad_markup("<!", at)?;
            return Ok(Events::Again(start + 2));
        }
        // A tag with a "<" in it is over, wherever its ">" may be.
        (Some(c), _)
            if c != b'!' && (c != b'?' || is_declaration(rest)) && rest.get(1..).is_some_and(|r| r.contains('<')) =>
        {
            return Ok(Events::Again(mend(document, text, start, offset)?));
        }
        _ if rest.len() > limit && document.stage == Stage::Before => return Err(document.no_xml()),
        _ if rest.len() > limit => {
            return Err(Stop::rejected("text_bytes", at, too_long("a text, tag or comment", limit)));
        }
        _ if !last => return Ok(Events::Step(Step::More(start))),
        _ => {}
    }
    if document.stage == Stage::Before {
        document.junk(rest, at)?;
        return Ok(Events::Step(Step::Done));
    }
    Err(document.truncated(offset + text.len() as u64))
}

fn is_declaration(rest: &str) -> bool {
    rest.starts_with("<?xml") && !rest.starts_with("<?xml-")
}

/// Mends a tag that has a `<` in it: a quote or its `>` is missing, or its own `<` is text that nobody escaped. Returns
/// where to go on.
fn mend(document: &mut Document, text: &str, start: usize, offset: u64) -> Result<usize, Stop> {
    let rest = text.get(start..).unwrap_or_default();
    let next = memchr::memchr(b'<', rest.get(1..).unwrap_or_default().as_bytes()).map_or(rest.len(), |n| n + 1);
    let head = rest.get(..next).unwrap_or_default();
    // The tag ends at its first ">", or right before the next "<".
    let (raw, end) = match memchr::memchr(b'>', head.as_bytes()) {
        Some(end) => (head.get(..end + 1).unwrap_or_default(), end + 1),
        None => (head, head.len()),
    };
    let at = offset + start as u64;
    let inner = raw.get(1..).unwrap_or_default().trim_end_matches('>').trim_end();
    let (inner, closing) = inner.strip_prefix('/').map_or((inner, false), |i| (i, true));
    let (inner, empty) = inner.strip_suffix('/').map_or((inner, false), |i| (i, true));
    let name = inner.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
    document.draft.learn_not();
    if is_declaration(raw) {
        document.broken_tag(raw, at)?;
        document.declaration(at);
    } else if !is_name(name) {
        document.bad_markup("<", at)?;
        return Ok(start + 1);
    } else if closing {
        document.broken_tag(raw, at)?;
        document.end(name, at, at + raw.len() as u64)?;
    } else {
        document.broken_tag(raw, at)?;
        let tag = quick_xml::events::BytesStart::from_content(inner, name.len());
        document.start(&tag, raw, empty, at)?;
    }
    Ok(start + end)
}
