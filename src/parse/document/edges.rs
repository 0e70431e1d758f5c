//! Before the root and behind it: junk, DOCTYPE, the root itself, and what makes a document no report or half of one.

use quick_xml::events::BytesStart;

use super::super::notes::{At, excerpt};
use super::super::tags::{Place, Tag};
use super::{Document, Frame, Stage, Stop, is_name};

/// Bytes before the root element that may be something else than XML.
const JUNK_BYTES: usize = 64 << 10;

impl Document {
    /// Takes a DOCTYPE. Nothing in it is ever processed.
    pub(in crate::parse) fn doctype(&mut self, content: &str, at: u64) -> Result<(), Stop> {
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

    pub(super) fn root(
        &mut self,
        tag: &BytesStart<'_>,
        name: &str,
        empty: bool,
        raw: &str,
        at: u64,
    ) -> Result<(), Stop> {
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
    pub(in crate::parse) fn junk(&mut self, text: &str, at: u64) -> Result<(), Stop> {
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
    pub(in crate::parse) fn declaration(&mut self, at: u64) {
        if self.stage == Stage::Before && at > 0 && self.junk.is_none() {
            self.draft.notes.warn("junk-before", At::Byte(at), "junk", "", || {
                "the XML declaration is not at the very start; read all the same".to_owned()
            });
        }
    }

    /// Returns why a document without a root element is no report.
    pub(in crate::parse) fn no_xml(&self) -> Stop {
        Stop::NotAReport(match &self.junk {
            Some((_, text)) => format!("no XML: starts with \"{text}\""),
            None => "no XML: nothing but blanks".to_owned(),
        })
    }

    /// Returns why a document with a second report is refused: the one behind would be lost without a word.
    pub(in crate::parse) fn second_report(at: u64) -> Stop {
        Stop::rejected("second-report", at, "a second <feedback> follows the first; each needs a document of its own")
    }

    /// Returns why a document is refused whose root ends before its parts do: what was read is not all of it.
    pub(in crate::parse) fn part_behind(at: u64) -> Stop {
        Stop::rejected("part-behind", at, "parts of the report follow its </feedback>")
    }

    /// Notes what follows the root, once.
    pub(in crate::parse) fn junk_after(&mut self, at: u64) {
        if std::mem::replace(&mut self.has_tail, true) {
            return;
        }
        self.draft
            .notes
            .warn("junk-after", At::Byte(at), "junk", "after", || "something follows </feedback>; ignored".to_owned());
    }

    /// Returns why a document that ends here is not whole.
    pub(in crate::parse) fn truncated(&self, at: u64) -> Stop {
        if self.stage == Stage::Before {
            return self.no_xml();
        }
        let open = self.frames.iter().map(|f| f.tag.name()).collect::<Vec<_>>().join("/");
        let records = self.draft.records.len();
        let text = format!("the document ends inside {open}, after {records} whole records: it is cut off");
        Stop::rejected("truncated", at, text)
    }
}
