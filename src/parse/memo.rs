//! What a worker has read before: whole records by their text, results by their key, names by themselves.
//!
//! Records of real reports repeat byte for byte but for their address and count. A record whose text, those two cut out,
//! was read before without any warning has the same results: nothing of it needs to be read again.

use std::collections::{HashMap, HashSet};
use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::Results;

/// Bytes of record text remembered; with the results about 12 MiB a worker.
const RECORD_BYTES: usize = 8 << 20;
/// Sets of the record table, a power of two.
const SETS: usize = 4096;
/// Records that share a set. The oldest makes room: no input can make a search long.
const WAYS: usize = 4;
/// Ways of writing a record up to its count that are remembered at a time.
const LAYOUTS: usize = 32;
/// Bytes from the count to the end of a record, of which no longer ones are remembered: whatever stands where an end should be, the
/// search for it is short.
const TAIL: usize = 8 << 10;
/// Distinct results remembered across documents.
const RESULTS: usize = 16 << 10;
/// Names remembered across documents.
const NAMES: usize = 32 << 10;

/// Bits of what a record says about its whole report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts(pub(super) u8);

impl Facts {
    /// A disposition says pass, which only RFC 9990 has.
    pub(super) const DISPOSITION_PASS: Self = Self(1);
    /// A reason says `policy_test_mode`, which only RFC 9990 has.
    pub(super) const TEST_MODE: Self = Self(2);

    pub(super) const fn add(&mut self, facts: Self) {
        self.0 |= facts.0;
    }

    pub(super) const fn has(self, facts: Self) -> bool {
        self.0 & facts.0 == facts.0
    }
}

/// The text of a record before its address, and between its address and its count.
#[derive(Debug)]
struct Layout {
    id: u32,
    before: Box<[u8]>,
    between: Box<[u8]>,
}

/// One remembered record.
#[derive(Debug)]
pub(super) struct Known {
    hash: u64,
    layout: u32,
    /// The text from the end of the count to the end of the record.
    tail: Box<[u8]>,
    pub(super) results: Arc<Results>,
    pub(super) facts: Facts,
    /// The document that used it last, and where its results are in that report.
    pub(super) document: u64,
    pub(super) index: u32,
}

/// A record found again.
pub(super) struct Hit<'a, 'm> {
    pub(super) source: &'a [u8],
    pub(super) count: &'a [u8],
    /// Bytes of the whole record.
    pub(super) length: usize,
    pub(super) known: &'m mut Known,
}

/// What a search for a record found.
pub(super) enum Found<'a, 'm> {
    Hit(Hit<'a, 'm>),
    /// Not known.
    Miss,
    /// Its end is not in the text.
    Unfinished,
}

/// The memory of one reader.
#[derive(Debug)]
pub(super) struct Memo {
    layouts: Vec<Layout>,
    next_layout: u32,
    records: Vec<[Option<Known>; WAYS]>,
    next_way: usize,
    bytes: usize,
    results: HashMap<u128, Arc<Results>>,
    names: HashSet<Arc<str>>,
    record_end: memchr::memmem::Finder<'static>,
}

const RECORD_END: &[u8] = b"</record>";

impl Memo {
    pub(super) fn new() -> Self {
        Self {
            layouts: Vec::new(),
            next_layout: 0,
            records: Vec::new(),
            next_way: 0,
            bytes: 0,
            results: HashMap::new(),
            names: HashSet::new(),
            record_end: memchr::memmem::Finder::new(RECORD_END),
        }
    }

    /// Looks for the record that starts `text`.
    pub(super) fn find<'a>(&mut self, text: &'a [u8]) -> Found<'a, '_> {
        let Some((at, source, count, tail)) = self
            .layouts
            .iter()
            .enumerate()
            .find_map(|(at, layout)| layout.cut(text).map(|(source, count, tail)| (at, source, count, tail)))
        else {
            return Found::Miss;
        };
        // The last layout used is nearly always the next one, too.
        self.layouts.swap(0, at);
        let Some(end) = self.record_end.find(tail.get(..TAIL).unwrap_or(tail)) else {
            return if tail.len() < TAIL { Found::Unfinished } else { Found::Miss };
        };
        let end = end + RECORD_END.len();
        let length = text.len() - tail.len() + end;
        let tail = tail.get(..end).unwrap_or_default();
        let layout = self.layouts.first().map_or(0, |l| l.id);
        let hash = hash(layout, tail);
        let same = |known: &&mut Known| known.hash == hash && known.layout == layout && *known.tail == *tail;
        let set = self.records.get_mut(set(hash));
        match set.and_then(|set| set.iter_mut().flatten().find(same)) {
            Some(known) => Found::Hit(Hit { source, count, length, known }),
            None => Found::Miss,
        }
    }

    /// Remembers a record that was read in full and without a warning. `source` and `count` are the byte ranges of its
    /// two texts; `record` ends at the first `</record>` in it.
    pub(super) fn learn(&mut self, record: &[u8], source: (usize, usize), count: (usize, usize), known: Learnt) {
        let parts = (record.get(..source.0), record.get(source.1..count.0), record.get(count.1..));
        let (Some(before), Some(between), Some(tail)) = parts else { return };
        if tail.len() > TAIL || self.record_end.find(tail).is_none_or(|end| end + RECORD_END.len() != tail.len()) {
            return;
        }
        if self.bytes + tail.len() > RECORD_BYTES {
            self.forget_records();
        }
        let layout = self.layout(before, between);
        let hash = hash(layout, tail);
        if self.records.is_empty() {
            self.records.resize_with(SETS, Default::default);
        }
        self.next_way = (self.next_way + 1) % WAYS;
        let Some(set) = self.records.get_mut(set(hash)) else { return };
        let free = set.iter().position(Option::is_none).unwrap_or(self.next_way);
        let Some(way) = set.get_mut(free) else { return };
        self.bytes += tail.len();
        self.bytes -= way.as_ref().map_or(0, |old| old.tail.len());
        let Learnt { results, facts, document, index } = known;
        *way = Some(Known { hash, layout, tail: tail.into(), results, facts, document, index });
    }

    fn layout(&mut self, before: &[u8], between: &[u8]) -> u32 {
        if let Some(layout) = self.layouts.iter().find(|l| *l.before == *before && *l.between == *between) {
            return layout.id;
        }
        self.layouts.truncate(LAYOUTS - 1);
        self.next_layout = self.next_layout.wrapping_add(1);
        self.layouts.push(Layout { id: self.next_layout, before: before.into(), between: between.into() });
        self.next_layout
    }

    fn forget_records(&mut self) {
        self.records.clear();
        self.layouts.clear();
        self.bytes = 0;
    }

    /// Returns results read before, in any document.
    pub(super) fn results(&self, key: u128) -> Option<Arc<Results>> {
        self.results.get(&key).cloned()
    }

    /// Remembers results for the documents to come.
    pub(super) fn keep_results(&mut self, results: &Arc<Results>) {
        if self.results.len() >= RESULTS {
            self.results.clear();
        }
        self.results.insert(results.key, Arc::clone(results));
    }

    /// Returns the shared form of a text.
    pub(super) fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = text.into();
        // Long texts are comments, and hardly repeat.
        if text.len() <= 256 {
            if self.names.len() >= NAMES {
                self.names.clear();
            }
            self.names.insert(Arc::clone(&name));
        }
        name
    }
}

/// What [`Memo::learn`] keeps of a record.
#[derive(Debug)]
pub(super) struct Learnt {
    pub(super) results: Arc<Results>,
    pub(super) facts: Facts,
    pub(super) document: u64,
    pub(super) index: u32,
}

impl Layout {
    /// Cuts a record that is written this way into its address, its count and the rest of the text.
    fn cut<'a>(&self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let text = text.strip_prefix(&*self.before)?;
        let (source, text) = text.split_at(memchr::memchr(b'<', text)?);
        let text = text.strip_prefix(&*self.between)?;
        let (count, tail) = text.split_at(memchr::memchr(b'<', text)?);
        Some((source, count, tail))
    }
}

fn hash(layout: u32, tail: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(layout);
    hasher.write(tail);
    hasher.finish()
}

/// Returns the set that a hash belongs to.
fn set(hash: u64) -> usize {
    usize::try_from(hash >> 20).unwrap_or(0) & (SETS - 1)
}
