//! The end of each element: its text becomes the value that it stands for, and what should have been in it is missed.

use super::document::Stop;
use super::draft::Draft;
use super::memo::Facts;
use super::notes::{At, excerpt};
use super::record::Span;
use super::tags::{Place, Tag};
use super::values::{self, Mechanism};
use super::{Alignment, Disposition, PolicyWord, domain_name};

/// Bytes of one text that are kept. The engine has 2,048 values of a column in memory whenever it writes that part of a table again,
/// so that a few thousand records with longer texts would fail every later import.
const TEXT_KEPT: usize = 4 << 10;

/// `error` texts of one report that are kept, and their bytes.
const ERRORS: usize = 100;
const ERRORS_BYTES: usize = 16 << 10;

/// Types of `reason` in RFC 7489 and RFC 9990.
const REASONS: [&str; 7] =
    ["forwarded", "sampled_out", "trusted_forwarder", "mailing_list", "local_policy", "other", "policy_test_mode"];

impl Draft {
    /// Ends an element at byte `at`; the document goes on at `behind`.
    pub(super) fn close(&mut self, place: Place, tag: Tag, parent: Place, at: u64, behind: u64) -> Result<(), Stop> {
        match place {
            Place::Leaf => {
                let text = std::mem::take(&mut self.leaf);
                if text.contains('\r') {
                    // Line ends of the transport are not part of what a reporter says.
                    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
                    self.leaf(parent, tag, unix.trim(), at);
                } else {
                    self.leaf(parent, tag, text.trim(), at);
                }
                self.leaf = text;
                self.weigh_record()?;
            }
            Place::Metadata => self.end_metadata(at),
            Place::Policy => self.end_policy(at),
            Place::Dkim | Place::Spf => self.end_auth(place, at),
            Place::Reason => self.end_reason(at),
            Place::Record => {
                self.miss_in_record();
                self.end_record(behind)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn leaf(&mut self, parent: Place, tag: Tag, text: &str, at: u64) {
        let text = self.cut(text, tag.name(), at);
        match parent {
            Place::Feedback => self.version(text, at),
            Place::Metadata | Place::DateRange => self.metadata_leaf(tag, text, at),
            Place::Policy => self.policy_leaf(tag, text, at),
            Place::Row => self.row_leaf(tag, text, at),
            Place::Evaluated => self.evaluated_leaf(tag, text, at),
            Place::Reason => self.reason_leaf(tag, text, at),
            Place::Identifiers => self.identifier_leaf(tag, text, at),
            Place::Dkim | Place::Spf => self.auth_leaf(parent, tag, text, at),
            _ => {}
        }
    }

    // ---- words of the reader ----------------------------------------------------------------------------------------

    /// Returns whether an element is empty that should not be, and notes it.
    fn is_blank(&mut self, tag: Tag, text: &str, at: u64) -> bool {
        if text.is_empty() && !self.leaf_nil {
            self.notes.warn("empty-value", At::Byte(at), "empty", tag.name(), || {
                format!("<{}> is empty; its value stays unknown", tag.name())
            });
        }
        text.is_empty()
    }

    /// Returns what is kept of a text.
    fn cut<'t>(&mut self, text: &'t str, name: &str, at: u64) -> &'t str {
        if text.len() <= TEXT_KEPT {
            return text;
        }
        self.notes.warn("long-text", At::Byte(at), "long", name, || {
            format!("<{name}> holds {} bytes of text; the first {TEXT_KEPT} are kept", text.len())
        });
        text.get(..text.floor_char_boundary(TEXT_KEPT)).unwrap_or_default()
    }

    fn missing(&mut self, at: At, tag: Tag, within: &'static str) {
        self.notes.warn("missing-element", at, within, tag.name(), || {
            format!("no <{}> in <{within}>; its value stays unknown", tag.name())
        });
    }

    /// Notes a value that came before; the first one counts.
    fn value_again(&mut self, again: bool, tag: Tag, at: u64) -> bool {
        if again {
            self.notes.warn("repeated-element", At::Byte(at), "repeated", tag.name(), || {
                format!("<{}> comes more than once; the first one counts", tag.name())
            });
        }
        again
    }

    /// Puts a value where none is yet.
    fn put<T>(&mut self, slot: fn(&mut Self) -> &mut Option<T>, value: Option<T>, tag: Tag, at: u64) {
        let again = slot(self).is_some();
        if !self.value_again(again, tag, at)
            && let Some(value) = value
        {
            *slot(self) = Some(value);
        }
    }

    // ---- the report -------------------------------------------------------------------------------------------------

    fn version(&mut self, text: &str, at: u64) {
        self.seen.again(Tag::Version);
        if text.parse::<f64>().is_err() {
            self.notes.warn("odd-version", At::Byte(at), "version", text, || {
                format!("version \"{}\" is no number; it changes nothing", excerpt(text))
            });
        }
    }

    fn metadata_leaf(&mut self, tag: Tag, text: &str, at: u64) {
        self.seen.again(tag);
        let needed = matches!(tag, Tag::OrgName | Tag::Email | Tag::ReportId | Tag::Begin | Tag::End);
        if needed && self.is_blank(tag, text, at) {
            return;
        }
        let some = (!text.is_empty()).then(|| text.to_owned());
        match tag {
            Tag::OrgName => self.put(|d| &mut d.metadata.reporter, some, tag, at),
            Tag::Email => {
                let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).filter(|t| t.contains('@'));
                let bare = bare.map(|t| t.trim().to_owned());
                self.put(|d| &mut d.metadata.email, bare.or(some), tag, at);
            }
            Tag::ExtraContactInfo => self.put(|d| &mut d.metadata.extra_contact, some, tag, at),
            Tag::ReportId => self.put(|d| &mut d.metadata.report_id, some, tag, at),
            Tag::Generator => {
                self.new_schema = true;
                self.put(|d| &mut d.metadata.generator, some, tag, at);
            }
            Tag::Error => match some {
                Some(error) if self.has_room_for(&error) => self.metadata.errors.push(error),
                Some(_) => self.notes.warn("more-errors", At::Byte(at), "error", "", || {
                    format!("more than {ERRORS} <error>, or {ERRORS_BYTES} bytes of them, in the report; the others were not kept")
                }),
                None => {}
            },
            Tag::Begin | Tag::End => {
                let time = self.judge(values::time(text), at, tag.name(), text);
                if tag == Tag::Begin {
                    self.put(|d| &mut d.metadata.begin, time, tag, at);
                } else {
                    self.put(|d| &mut d.metadata.end, time, tag, at);
                }
            }
            _ => {}
        }
    }

    fn has_room_for(&self, error: &str) -> bool {
        self.metadata.errors.len() < ERRORS && self.error_bytes() + error.len() <= ERRORS_BYTES
    }

    fn end_metadata(&mut self, at: u64) {
        let at_byte = At::Byte(at);
        for tag in [Tag::OrgName, Tag::Email, Tag::ReportId, Tag::Begin, Tag::End] {
            if !self.seen.has(tag) {
                self.missing(at_byte, tag, "report_metadata");
            }
        }
        if let (Some(begin), Some(end)) = (self.metadata.begin, self.metadata.end)
            && begin > end
        {
            self.notes.warn("begin-after-end", at_byte, "begin", "", || {
                format!("begin {begin} is later than end {end}; both were kept as written")
            });
        }
    }

    fn policy_leaf(&mut self, tag: Tag, text: &str, at: u64) {
        self.policy_seen.again(tag);
        self.new_schema |= matches!(tag, Tag::Np | Tag::Testing | Tag::DiscoveryMethod);
        if self.is_blank(tag, text, at) {
            return;
        }
        match tag {
            Tag::Domain => {
                let domain = domain_name(text);
                self.put(|d| &mut d.policy.domain, (!domain.is_empty()).then(|| domain.as_ref().into()), tag, at);
            }
            Tag::Adkim | Tag::Aspf => {
                let value = self.alignment(tag, text, at);
                if tag == Tag::Adkim {
                    self.put(|d| &mut d.policy.adkim, value, tag, at);
                } else {
                    self.put(|d| &mut d.policy.aspf, value, tag, at);
                }
            }
            Tag::P | Tag::Sp | Tag::Np => {
                let read = values::word(text, PolicyWord::from_word, PolicyWord::word);
                let value = self.judge(read, at, tag.name(), text);
                match tag {
                    Tag::P => self.put(|d| &mut d.policy.p, value, tag, at),
                    Tag::Sp => self.put(|d| &mut d.policy.sp, value, tag, at),
                    _ => self.put(|d| &mut d.policy.np, value, tag, at),
                }
            }
            Tag::Pct => {
                let value = text.parse::<u8>().ok().filter(|p| *p <= 100);
                if value.is_none() {
                    self.unknown_word(tag, text, "no number from 0 to 100; it stays unknown", at);
                }
                self.put(|d| &mut d.policy.pct, value, tag, at);
            }
            Tag::Testing => {
                let read = |t: &str| match t {
                    "y" | "Y" => Some(true),
                    "n" | "N" => Some(false),
                    _ => None,
                };
                let value = self.judge(values::word(text, read, |v| if v { "y" } else { "n" }), at, tag.name(), text);
                self.put(|d| &mut d.policy.testing, value, tag, at);
            }
            Tag::Fo => self.put(|d| &mut d.policy.fo, Some(text.to_owned()), tag, at),
            Tag::Psd => self.put(|d| &mut d.policy.psd, Some(text.to_ascii_lowercase()), tag, at),
            Tag::DiscoveryMethod => {
                let word = text.to_ascii_lowercase();
                if word != "psl" && word != "treewalk" {
                    self.unknown_word(tag, text, "neither psl nor treewalk; kept as written", at);
                }
                self.put(|d| &mut d.policy.discovery_method, Some(word), tag, at);
            }
            _ => {}
        }
    }

    fn unknown_word(&mut self, tag: Tag, text: &str, made: &str, at: u64) {
        self.notes.warn("unknown-word", At::Byte(at), tag.name(), text, || {
            format!("{} \"{}\": {made}", tag.name(), excerpt(text))
        });
    }

    fn alignment(&mut self, tag: Tag, text: &str, at: u64) -> Option<Alignment> {
        let bare = text.trim_end_matches(';').trim_end();
        let mode = match () {
            () if bare.eq_ignore_ascii_case("relaxed") => Some(Alignment::Relaxed),
            () if bare.eq_ignore_ascii_case("strict") => Some(Alignment::Strict),
            () => Alignment::from_word(bare),
        };
        match mode {
            None => self.unknown_word(tag, text, "neither r nor s; it stays unknown", at),
            Some(mode) if mode.word() != text => {
                self.notes.warn("odd-word", At::Byte(at), tag.name(), text, || {
                    format!("{} \"{}\": read as {mode}", tag.name(), excerpt(text))
                });
            }
            Some(_) => {}
        }
        mode
    }

    fn end_policy(&mut self, at: u64) {
        for tag in [Tag::Domain, Tag::P] {
            if !self.policy_seen.has(tag) {
                self.missing(At::Byte(at), tag, "policy_published");
            }
        }
    }

    // ---- the record -------------------------------------------------------------------------------------------------

    fn row_leaf(&mut self, tag: Tag, text: &str, at: u64) {
        let again = self.record.seen.again(tag);
        if again {
            self.learn_not();
        } else {
            self.learn_range(tag);
        }
        if self.is_blank(tag, text, at) {
            return;
        }
        if tag == Tag::SourceIp {
            let source = self.judge(values::source(text), at, "source_ip", text);
            self.put(|d| &mut d.record.source, source, tag, at);
        } else {
            let count = self.judge(values::count(text), at, "count", text);
            self.put(|d| &mut d.record.messages, count, tag, at);
        }
    }

    fn evaluated_leaf(&mut self, tag: Tag, text: &str, at: u64) {
        self.record.seen.again(tag);
        if self.is_blank(tag, text, at) {
            return;
        }
        if tag == Tag::Disposition {
            let read = values::word(text, Disposition::from_word, Disposition::word);
            let value = self.judge(read, at, "disposition", text);
            if value == Some(Disposition::Pass) {
                self.record_facts.add(Facts::DISPOSITION_PASS);
            }
            self.put(|d| &mut d.record.disposition, value, tag, at);
            return;
        }
        let name = if tag == Tag::Dkim { "policy_evaluated/dkim" } else { "policy_evaluated/spf" };
        let value = self.judge(values::evaluated(text), at, name, text);
        if tag == Tag::Dkim {
            self.put(|d| &mut d.record.dkim_aligned, value, tag, at);
        } else {
            self.put(|d| &mut d.record.spf_aligned, value, tag, at);
        }
    }

    fn reason_leaf(&mut self, tag: Tag, text: &str, at: u64) {
        if text.is_empty() {
            return;
        }
        let span = if tag == Tag::Type { self.reason_kind(text, at) } else { self.record.keep(text) };
        let Some(reason) = self.record.reasons.last_mut() else { return };
        let slot = if tag == Tag::Type { &mut reason.kind } else { &mut reason.comment };
        let again = slot.is_some();
        slot.get_or_insert(span);
        self.value_again(again, tag, at);
    }

    fn reason_kind(&mut self, text: &str, at: u64) -> Span {
        if let Some(kind) = REASONS.iter().find(|r| r.eq_ignore_ascii_case(text)) {
            if *kind != text {
                self.judge(values::word(text, |_| Some(()), |()| ""), at, "reason", text);
            }
            if *kind == "policy_test_mode" {
                self.record_facts.add(Facts::TEST_MODE);
            }
            return self.record.keep(kind);
        }
        self.unknown_word(Tag::Reason, text, "no type of reason that the standards know; kept as written", at);
        self.record.keep(text)
    }

    fn end_reason(&mut self, at: u64) {
        let text = std::mem::take(&mut self.reason_text);
        let bare = self.cut(text.trim(), "reason", at);
        let has = self.record.reasons.last().map(|r| (r.kind.is_some(), r.comment.is_some()));
        if let Some((has_kind, has_comment)) = has {
            if !bare.is_empty() {
                self.notes.warn("reason-as-text", At::Byte(at), "reason", bare, || {
                    format!("reason \"{}\" as bare text; read as its type", excerpt(bare))
                });
                if !has_kind {
                    let kind = self.reason_kind(bare, at);
                    if let Some(reason) = self.record.reasons.last_mut() {
                        reason.kind = Some(kind);
                    }
                }
            } else if !has_kind && !has_comment {
                self.notes.warn("empty-value", At::Byte(at), "empty", "reason", || {
                    "<reason> is empty; it says nothing, and is left out".to_owned()
                });
                self.record.reasons.pop();
            } else if !has_kind {
                self.missing(At::Byte(at), Tag::Type, "reason");
            }
        }
        self.reason_text = text;
        self.reason_text.clear();
    }

    fn identifier_leaf(&mut self, tag: Tag, text: &str, at: u64) {
        self.record.seen.again(tag);
        let name = domain_name(text);
        let span = match tag {
            Tag::HeaderFrom if self.is_blank(tag, text, at) => None,
            // The null sender, as SMTP writes it or as RFC 9990 does.
            Tag::EnvelopeFrom if text.is_empty() || text == "<>" => (!self.leaf_nil).then(|| self.record.keep("")),
            Tag::EnvelopeTo if text.is_empty() => None,
            _ => Some(self.record.keep(&name)),
        };
        match tag {
            Tag::HeaderFrom => self.put(|d| &mut d.record.header_from, span, tag, at),
            Tag::EnvelopeFrom => self.put(|d| &mut d.record.envelope_from, span, tag, at),
            _ => self.put(|d| &mut d.record.envelope_to, span, tag, at),
        }
    }

    fn auth_leaf(&mut self, place: Place, tag: Tag, text: &str, at: u64) {
        let (mechanism, name) = match place {
            Place::Dkim => (Mechanism::Dkim, "dkim/result"),
            _ => (Mechanism::Spf, "spf/result"),
        };
        let last = |d: &mut Self| match place {
            Place::Dkim => d.record.dkim.last_mut().copied(),
            _ => d.record.spf.last_mut().copied(),
        };
        let Some(mut entry) = last(self) else { return };
        let again = match tag {
            Tag::Domain => {
                let again = entry.domain.is_some();
                let text = domain_name(text);
                // An empty element is not missing: its name is there, and says nothing.
                if !self.is_blank(tag, &text, at) && !again {
                    entry.domain = Some(self.record.keep(&text));
                }
                entry.has_domain = true;
                again
            }
            Tag::Selector | Tag::Scope => {
                let again = entry.second.is_some();
                if !text.is_empty() && !again {
                    let lower = if tag == Tag::Scope { Some(text.to_ascii_lowercase()) } else { None };
                    entry.second = Some(self.record.keep(lower.as_deref().unwrap_or(text)));
                }
                again
            }
            Tag::HumanResult => {
                let again = entry.human.is_some();
                if !text.is_empty() && !again {
                    entry.human = Some(self.record.keep(text));
                }
                again
            }
            _ => {
                let again = entry.result.is_some();
                entry.has_result = true;
                if !self.is_blank(tag, text, at) && !again {
                    entry.result = self.judge(values::auth_result(text, mechanism), at, name, text);
                }
                again
            }
        };
        let list = if place == Place::Dkim { &mut self.record.dkim } else { &mut self.record.spf };
        if let Some(to) = list.last_mut() {
            *to = entry;
        }
        self.value_again(again, tag, at);
    }

    fn end_auth(&mut self, place: Place, at: u64) {
        let (entry, within) = match place {
            Place::Dkim => (self.record.dkim.last(), "auth_results/dkim"),
            _ => (self.record.spf.last(), "auth_results/spf"),
        };
        let Some(entry) = entry.copied() else { return };
        if !entry.has_domain {
            self.missing(At::Byte(at), Tag::Domain, within);
        }
        if !entry.has_result {
            self.missing(At::Byte(at), Tag::Result, within);
        }
    }

    /// Notes what a record should have had.
    fn miss_in_record(&mut self) {
        let (at, seen) = (self.record_at, self.record.seen);
        for (outer, inner) in [
            (Tag::Row, [Some(Tag::SourceIp), Some(Tag::Count), None]),
            (Tag::PolicyEvaluated, [Some(Tag::Disposition), Some(Tag::Dkim), Some(Tag::Spf)]),
            (Tag::Identifiers, [Some(Tag::HeaderFrom), None, None]),
        ] {
            if !seen.has(outer) {
                self.missing(at, outer, "record");
                continue;
            }
            for tag in inner.into_iter().flatten() {
                if !seen.has(tag) {
                    self.missing(at, tag, outer.name());
                }
            }
        }
        if !seen.has(Tag::AuthResults) {
            self.missing(at, Tag::AuthResults, "record");
        } else if self.record.dkim.is_empty() && self.record.spf.is_empty() {
            self.notes
                .warn("no-results", at, "auth_results", "", || "<auth_results> holds neither dkim nor spf".to_owned());
        }
    }
}
