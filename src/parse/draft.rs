//! The report while it is read: what was collected so far, and the report that it becomes.

use std::sync::Arc;

use quick_xml::events::BytesStart;
use rustc_hash::FxHashMap;

use super::document::Stop;
use super::keys::Encoder;
use super::memo::{Facts, Known, Learnt, Memo};
use super::namespaces::RootNamespace;
use super::notes::{At, Notes, excerpt};
use super::record::{AuthDraft, LIST_ENTRIES, ReasonDraft, RecordDraft, Seen};
use super::tags::{Place, Tag};
use super::{Metadata, Policy, Record, Report, Results, SchemaVariant, values};

/// Memory for the distinct results of one report. Honest reports repeat theirs; this holds hundreds of thousands.
const RESULTS_BYTES: usize = 128 << 20;

/// Bytes of text of one record. A hundred signatures (RFC 9990 allows no more) with their selectors fit.
const RECORD_BYTES: usize = 16 << 10;

/// Results that are worth remembering for other documents.
const WORTH_KEEPING: usize = 4 << 10;

/// Room for the index of a report's results that is kept between documents.
const INDEX_KEPT: usize = 4 << 10;

/// What an unclosed element may turn out to have wrongly added: the state to go back to.
#[derive(Debug)]
pub(super) struct Saved {
    metadata: Metadata,
    policy: Policy,
    seen: Seen,
    policy_seen: Seen,
    records: usize,
    results: usize,
}

/// Where a record that was read in full stands in the text, if it may be remembered by it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learning {
    pub(super) start: u64,
    pub(super) source: Option<(u64, u64)>,
    pub(super) count: Option<(u64, u64)>,
    pub(super) end: u64,
    /// Warnings noted before it.
    notes: u64,
}

/// What was collected of one document, and what one reader has learnt from all of them.
#[derive(Debug)]
pub(super) struct Draft {
    limit: u32,
    memo: Option<Box<Memo>>,
    encoder: Encoder,
    document: u64,

    pub(super) notes: Notes,
    pub(super) namespace: RootNamespace,
    pub(super) metadata: Metadata,
    pub(super) policy: Policy,
    pub(super) records: Vec<Record>,
    results: Vec<Arc<Results>>,
    index: FxHashMap<u128, u32>,
    weight: usize,

    /// Elements of the report and of its metadata that came.
    pub(super) seen: Seen,
    pub(super) policy_seen: Seen,
    /// An element or word that only RFC 9990 has.
    pub(super) new_schema: bool,
    has_identities: bool,
    facts: Facts,
    /// The first record whose disposition is pass.
    pass_at: At,

    pub(super) record: RecordDraft,
    pub(super) record_at: At,
    pub(super) record_facts: Facts,
    learning: Option<Learning>,
    /// A record just read that may be remembered: its place, facts and results.
    pub(super) learnt: Option<(Learning, Learnt)>,

    /// The text of the innermost element.
    pub(super) leaf: String,
    pub(super) leaf_nil: bool,
    /// Where the text is, while it is one plain piece.
    pub(super) leaf_range: Option<(u64, u64)>,
    /// Text of a `reason` outside its elements.
    pub(super) reason_text: String,
}

impl Draft {
    pub(super) fn new(limit: u32, memo: bool) -> Self {
        Self {
            limit,
            memo: memo.then(|| Box::new(Memo::new())),
            encoder: Encoder::default(),
            document: 0,
            notes: Notes::default(),
            namespace: RootNamespace::Silent,
            metadata: Metadata::default(),
            policy: Policy::default(),
            records: Vec::new(),
            results: Vec::new(),
            index: FxHashMap::default(),
            weight: 0,
            seen: Seen::default(),
            policy_seen: Seen::default(),
            new_schema: false,
            has_identities: false,
            facts: Facts::default(),
            pass_at: At::Whole,
            record: RecordDraft::default(),
            record_at: At::Whole,
            record_facts: Facts::default(),
            learning: None,
            learnt: None,
            leaf: String::new(),
            leaf_nil: false,
            leaf_range: None,
            reason_text: String::new(),
        }
    }

    /// Forgets the last document, and keeps what was learnt from it.
    pub(super) fn restart(&mut self) {
        self.document += 1;
        self.notes = Notes::default();
        self.namespace = RootNamespace::Silent;
        self.metadata = Metadata::default();
        self.policy = Policy::default();
        self.records = Vec::new();
        self.results = Vec::new();
        self.index.clear();
        self.index.shrink_to(INDEX_KEPT);
        self.weight = 0;
        (self.seen, self.policy_seen) = (Seen::default(), Seen::default());
        (self.new_schema, self.has_identities) = (false, false);
        (self.facts, self.pass_at) = (Facts::default(), At::Whole);
        self.record.clear();
        (self.learning, self.learnt) = (None, None);
        self.leaf.clear();
        self.reason_text.clear();
    }

    /// Returns the places that may need a line and a column.
    pub(super) fn places(&mut self) -> impl Iterator<Item = &mut At> {
        [&mut self.pass_at, &mut self.record_at].into_iter().chain(self.notes.places())
    }

    /// Returns about how many bytes of memory the report takes so far: results that are new to it, records, texts of errors.
    pub(super) fn weight(&self) -> u64 {
        (self.weight + self.records.len() * size_of::<Record>() + self.error_bytes()) as u64
    }

    /// Returns the bytes of all texts of errors.
    pub(super) fn error_bytes(&self) -> usize {
        self.metadata.errors.iter().map(String::len).sum()
    }

    pub(super) fn memo(&mut self) -> Option<&mut Memo> {
        self.memo.as_deref_mut()
    }

    /// Lends the memory out, so that what it finds can be put into this draft.
    pub(super) const fn take_memo(&mut self) -> Option<Box<Memo>> {
        self.memo.take()
    }

    pub(super) fn return_memo(&mut self, memo: Option<Box<Memo>>) {
        self.memo = memo;
    }

    /// The record that is being read depends on more than its text.
    pub(super) const fn learn_not(&mut self) {
        self.learning = None;
    }

    /// Notes `identities`, the name that drafts before RFC 7489 had for `identifiers`.
    pub(super) fn identities(&mut self, at: u64) {
        self.has_identities = true;
        self.notes.warn("old-element", At::Byte(at), "identities", "", || {
            "<identities> is the old name of <identifiers>; read as that".to_owned()
        });
    }

    // ---- elements ---------------------------------------------------------------------------------------------------

    /// Returns whether an element came before that may come once: the first one counts.
    pub(super) fn repeated(&mut self, place: Place, tag: Tag, at: u64) -> bool {
        let again = match place {
            Place::Metadata | Place::Policy | Place::DateRange => self.seen.again(tag),
            Place::Row | Place::Evaluated | Place::Identifiers | Place::Auth => self.record.seen.again(tag),
            _ => false,
        };
        let merged = place == Place::Auth;
        if again {
            self.notes.warn("repeated-element", At::Byte(at), "repeated", tag.name(), || {
                let made = if merged { "all were read" } else { "the first one counts" };
                format!("<{}> comes more than once; {made}", tag.name())
            });
        }
        again && !merged
    }

    /// Begins an element.
    pub(super) fn open(&mut self, place: Place, tag: &BytesStart<'_>, at: u64) -> Result<(), Stop> {
        match place {
            Place::Record => self.begin_record(at)?,
            Place::Dkim => push_entry(&mut self.record.dkim, AuthDraft::default(), "dkim", at)?,
            Place::Spf => push_entry(&mut self.record.spf, AuthDraft::default(), "spf", at)?,
            Place::Reason => {
                push_entry(&mut self.record.reasons, ReasonDraft::default(), "reason", at)?;
                self.reason_text.clear();
            }
            Place::Leaf => {
                self.leaf.clear();
                self.leaf_range = None;
                let attributes = tag.attributes_raw();
                self.leaf_nil = !attributes.is_empty() && attributes.contains("nil=") && attributes.contains("true");
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a piece of an element's text. `range`: its bytes, if it stands in the document as it is.
    pub(super) fn push_text(
        &mut self,
        place: Place,
        text: &str,
        range: Option<(u64, u64)>,
        limit: usize,
        at: u64,
    ) -> Result<(), Stop> {
        let to = if place == Place::Reason { &mut self.reason_text } else { &mut self.leaf };
        if to.len().saturating_add(text.len()) > limit {
            return Err(Stop::rejected("text_bytes", at, too_long("a text", limit)));
        }
        self.leaf_range = if to.is_empty() { range } else { None };
        to.push_str(text);
        Ok(())
    }

    // ---- records ----------------------------------------------------------------------------------------------------

    fn begin_record(&mut self, at: u64) -> Result<(), Stop> {
        self.admit_record(at)?;
        self.record.clear();
        self.record_at = At::Byte(at);
        self.record_facts = Facts::default();
        self.learning =
            self.memo.is_some().then(|| Learning { start: at, notes: self.notes.total(), ..Learning::default() });
        Ok(())
    }

    fn admit_record(&self, at: u64) -> Result<(), Stop> {
        if self.records.len() < self.limit as usize {
            return Ok(());
        }
        let text = format!("more than {} records; raise limits.records to read it", self.limit);
        Err(Stop::rejected("records", at, text))
    }

    /// Notes where the text of `source_ip` or `count` stands.
    pub(super) fn learn_range(&mut self, tag: Tag) {
        let range = self.leaf_range;
        if let Some(learning) = &mut self.learning {
            match tag {
                Tag::SourceIp => learning.source = range,
                Tag::Count => learning.count = range,
                _ => {}
            }
        }
    }

    /// Takes a record that is known by its text. `false`: it must be read in full.
    pub(super) fn known_record(&mut self, source: &[u8], count: &[u8], known: &mut Known, at: u64) -> bool {
        let (Some(source), Some(messages)) = (values::plain_source(source), values::plain_count(count)) else {
            return false;
        };
        if self.records.len() >= self.limit as usize {
            return false;
        }
        if known.document != self.document {
            known.document = self.document;
            known.index = self.place_results(&known.results);
        }
        self.add_facts(known.facts, At::Byte(at));
        self.records.push(Record { source: Some(source), messages: Some(messages), results: known.index });
        true
    }

    fn add_facts(&mut self, facts: Facts, at: At) {
        if facts.has(Facts::DISPOSITION_PASS) && !self.facts.has(Facts::DISPOSITION_PASS) {
            self.pass_at = at;
        }
        self.facts.add(facts);
    }

    fn place_results(&mut self, results: &Arc<Results>) -> u32 {
        if let Some(index) = self.index.get(&results.key) {
            return *index;
        }
        let index = u32::try_from(self.results.len()).unwrap_or(u32::MAX);
        self.index.insert(results.key, index);
        self.results.push(Arc::clone(results));
        index
    }

    /// Holds the record that is being read to its limit, which many long texts can pass.
    pub(super) fn weigh_record(&self) -> Result<(), Stop> {
        if self.record.text_bytes() <= RECORD_BYTES {
            return Ok(());
        }
        let text = format!("a record with more than {} KiB of text", RECORD_BYTES >> 10);
        Err(Stop::Rejected { code: "results_bytes", at: self.record_at, text })
    }

    /// Keeps the record that ends before byte `behind`.
    pub(super) fn end_record(&mut self, behind: u64) -> Result<(), Stop> {
        let at = self.record_at;
        let weight = self.record.weight();
        let key = self.record.key(&mut self.encoder);
        let index = match self.index.get(&key) {
            Some(index) => *index,
            None => {
                self.weight += weight;
                if self.weight > RESULTS_BYTES {
                    let text = format!("results of records that take more than {} MiB", RESULTS_BYTES >> 20);
                    return Err(Stop::Rejected { code: "results_bytes", at, text });
                }
                let results = self.find_or_build(key, weight);
                self.place_results(&results)
            }
        };
        self.add_facts(self.record_facts, at);
        self.records.push(Record { source: self.record.source, messages: self.record.messages, results: index });
        if let Some(learning) = self.learning.take()
            && learning.notes == self.notes.total()
            && weight <= WORTH_KEEPING
            && let Some(results) = self.results.get(index as usize)
        {
            let results = Arc::clone(results);
            let learnt = Learnt { results, facts: self.record_facts, document: self.document, index };
            self.learnt = Some((Learning { end: behind, ..learning }, learnt));
        }
        Ok(())
    }

    fn find_or_build(&mut self, key: u128, weight: usize) -> Arc<Results> {
        let Some(memo) = &mut self.memo else {
            return Arc::new(self.record.results(key, |text| text.into()));
        };
        if let Some(results) = memo.results(key) {
            return results;
        }
        let results = Arc::new(self.record.results(key, |text| memo.name(text)));
        if weight <= WORTH_KEEPING {
            memo.keep_results(&results);
        }
        results
    }

    // ---- undoing ----------------------------------------------------------------------------------------------------

    pub(super) fn save(&self) -> Saved {
        Saved {
            metadata: self.metadata.clone(),
            policy: self.policy.clone(),
            seen: self.seen,
            policy_seen: self.policy_seen,
            records: self.records.len(),
            results: self.results.len(),
        }
    }

    pub(super) fn undo(&mut self, saved: Saved) {
        self.metadata = saved.metadata;
        self.policy = saved.policy;
        (self.seen, self.policy_seen) = (saved.seen, saved.policy_seen);
        self.records.truncate(saved.records);
        self.results.truncate(saved.results);
        self.index.retain(|_, index| (*index as usize) < saved.results);
        // Indexes that the memo holds for this document may be gone: it is another document from here on.
        self.document += 1;
        self.learning = None;
    }

    // ---- the end ----------------------------------------------------------------------------------------------------

    /// Returns why the report is refused although it is whole, if it is.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.metadata == Metadata::default() && self.policy == Policy::default()
    }

    /// Notes what can only be told at the end.
    pub(super) fn last_notes(&mut self) {
        for tag in [Tag::ReportMetadata, Tag::PolicyPublished] {
            if !self.seen.has(tag) {
                self.notes.warn("missing-element", At::Whole, "missing", tag.name(), || {
                    format!("no <{}> in the report", tag.name())
                });
            }
        }
        if self.records.is_empty() {
            self.notes.warn("no-records", At::Whole, "records", "", || "a report without records".to_owned());
        }
        if self.facts.has(Facts::DISPOSITION_PASS) && self.namespace != RootNamespace::Rfc9990 {
            self.notes.warn("word-of-rfc9990", self.pass_at, "pass", "", || {
                "disposition \"pass\" is a word of RFC 9990, whose namespace the report does not declare; kept"
                    .to_owned()
            });
        }
    }

    fn variant(&self) -> SchemaVariant {
        let facts = self.facts.has(Facts::DISPOSITION_PASS) || self.facts.has(Facts::TEST_MODE);
        match self.namespace {
            RootNamespace::Rfc9990 => SchemaVariant::Rfc9990,
            _ if self.new_schema || facts => SchemaVariant::Rfc9990,
            RootNamespace::Rfc7489 => SchemaVariant::Rfc7489,
            RootNamespace::Silent if self.has_identities && !self.seen.has(Tag::Version) => SchemaVariant::Draft,
            RootNamespace::Silent => SchemaVariant::Rfc7489,
        }
    }

    /// Returns the report. Every place must be resolved.
    pub(super) fn report(&mut self) -> Report {
        Report {
            variant: self.variant(),
            metadata: std::mem::take(&mut self.metadata),
            policy: std::mem::take(&mut self.policy),
            records: std::mem::take(&mut self.records),
            results: std::mem::take(&mut self.results),
            warnings: std::mem::take(&mut self.notes).finish(),
        }
    }

    /// Notes that a value was odd, and returns what was made of it.
    pub(super) fn judge<T>(&mut self, value: values::Value<T>, at: u64, name: &str, word: &str) -> Option<T> {
        if let Some(odd) = value.odd {
            self.notes
                .warn(odd.code, At::Byte(at), name, word, || format!("{name} \"{}\": {}", excerpt(word), odd.text));
        }
        value.value
    }
}

fn push_entry<T>(list: &mut Vec<T>, entry: T, name: &str, at: u64) -> Result<(), Stop> {
    if list.len() >= LIST_ENTRIES {
        let text = format!("more than {LIST_ENTRIES} <{name}> in one record");
        return Err(Stop::rejected("list_entries", at, text));
    }
    list.push(entry);
    Ok(())
}

/// Returns the words for a token over the limit.
pub(super) fn too_long(what: &str, limit: usize) -> String {
    format!("{what} of more than {limit} bytes; raise limits.text_bytes to read it")
}
