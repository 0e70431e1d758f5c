//! Text inside elements: plain, referenced, or markup that is none.

use super::super::notes::{At, excerpt};
use super::super::tags::Place;
use super::{Document, Stage, Stop};

/// Broken tags in one document. Each may cost a look through the whole window.
const BROKEN_TAGS: u32 = 10_000;

impl Document {
    /// Takes text at byte `at`. `range`: where it stands in the window, if it is plain text and nothing else.
    pub(in crate::parse) fn text(&mut self, text: &str, at: u64, range: Option<(u64, u64)>) -> Result<(), Stop> {
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
    pub(in crate::parse) fn reference(&mut self, name: &str, character: Option<char>, at: u64) -> Result<(), Stop> {
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
    pub(in crate::parse) fn bad_markup(&mut self, raw: &str, at: u64) -> Result<(), Stop> {
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
    pub(in crate::parse) fn broken_tag(&mut self, raw: &str, at: u64) -> Result<(), Stop> {
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
}
