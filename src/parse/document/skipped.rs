//! Elements that are passed over, and those of them that were never closed, so that parts of the report follow inside.

use quick_xml::events::BytesStart;

use super::super::notes::{At, excerpt};
use super::super::tags::{Place, Tag};
use super::{Document, Stop};

/// Unclosed unknown elements beside records that are tracked at a time.
const SUSPECTS: usize = 4;

/// Unknown elements around records, closed after all, until which the next ones are given the benefit of the doubt.
const UNDONE: u32 = 64;

/// An element that is passed over with all that is in it.
#[derive(Debug, Default)]
pub(super) struct Skip {
    name: String,
    /// Elements of the same name open inside it.
    same: u64,
    /// Whether it may be an element that was never closed, so that parts of the report follow inside it.
    suspect: bool,
}

/// An unknown element that seems never to be closed: parts of the report were found inside it, and are read. If its end
/// comes after all, they were its own, and everything read since is undone.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) name: String,
    same: u64,
    pub(super) at: At,
    saved: super::super::draft::Saved,
}

impl Document {
    /// Passes over an element. `suspect`: it may turn out never to be closed.
    pub(super) fn skip(&mut self, name: &str, empty: bool, suspect: bool) {
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
    pub(super) fn start_skipped(
        &mut self,
        tag: &BytesStart<'_>,
        prefix: &str,
        local: &str,
        empty: bool,
        at: u64,
    ) -> bool {
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
    pub(super) fn end_skipped(
        &mut self,
        name: &str,
        prefix: &str,
        local: &str,
        at: u64,
        behind: u64,
    ) -> Result<(), Stop> {
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
    pub(super) fn undo(&mut self, index: usize) {
        let Some(suspect) = self.suspects.drain(index..).next() else { return };
        self.undone += 1;
        self.frames.truncate(1);
        self.draft.undo(suspect.saved);
        if let Some(same) = suspect.same.checked_sub(1) {
            self.skip = Some(Skip { name: suspect.name, same, suspect: true });
        }
    }
}
