//! One record while it is read: its values, in a scratch buffer, until its end shows whether they are new.

use std::net::IpAddr;
use std::sync::Arc;

use super::keys::{AuthParts, Encoder, Parts};
use super::{AuthResult, Disposition, DkimResult, Reason, Results, SpfResult};

/// Entries of one list (DKIM, SPF, reasons) of one record. RFC 9990 allows 100.
pub(super) const LIST_ENTRIES: usize = 1000;

/// A text in [`RecordDraft::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    from: usize,
    to: usize,
}

/// One `dkim` or `spf` of `auth_results`; `second` is the selector or the scope.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AuthDraft {
    pub(super) domain: Option<Span>,
    pub(super) second: Option<Span>,
    pub(super) result: Option<AuthResult>,
    pub(super) human: Option<Span>,
    /// Whether a `domain` and a `result` came, readable or not.
    pub(super) has_domain: bool,
    pub(super) has_result: bool,
}

/// One `reason`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReasonDraft {
    pub(super) kind: Option<Span>,
    pub(super) comment: Option<Span>,
}

/// The values of the record that is being read.
#[derive(Debug, Default)]
pub(super) struct RecordDraft {
    text: String,
    pub(super) source: Option<IpAddr>,
    pub(super) messages: Option<u64>,
    pub(super) disposition: Option<Disposition>,
    pub(super) dkim_aligned: Option<bool>,
    pub(super) spf_aligned: Option<bool>,
    pub(super) header_from: Option<Span>,
    pub(super) envelope_from: Option<Span>,
    pub(super) envelope_to: Option<Span>,
    pub(super) dkim: Vec<AuthDraft>,
    pub(super) spf: Vec<AuthDraft>,
    pub(super) reasons: Vec<ReasonDraft>,
    /// Which elements came, readable or not.
    pub(super) seen: Seen,
}

/// Elements that a record, or a report, should have once each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    bits: u64,
}

impl Seen {
    /// Notes an element; returns whether it came before.
    pub(super) const fn again(&mut self, tag: super::tags::Tag) -> bool {
        let bit = 1 << (tag as u64 & 63);
        let again = self.bits & bit != 0;
        self.bits |= bit;
        again
    }

    pub(super) const fn has(self, tag: super::tags::Tag) -> bool {
        self.bits & (1 << (tag as u64 & 63)) != 0
    }
}

impl RecordDraft {
    /// Forgets everything but its buffers.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.dkim.clear();
        self.spf.clear();
        self.reasons.clear();
        (self.source, self.messages, self.disposition) = (None, None, None);
        (self.dkim_aligned, self.spf_aligned) = (None, None);
        (self.header_from, self.envelope_from, self.envelope_to) = (None, None, None);
        self.seen = Seen::default();
    }

    /// Keeps a text for this record.
    pub(super) fn keep(&mut self, text: &str) -> Span {
        let from = self.text.len();
        self.text.push_str(text);
        Span { from, to: self.text.len() }
    }

    /// Returns a text kept before.
    pub(super) fn get(&self, span: Option<Span>) -> Option<&str> {
        span.and_then(|s| self.text.get(s.from..s.to))
    }

    fn auth<'a>(&'a self, entry: &AuthDraft) -> AuthParts<'a> {
        (self.get(entry.domain), self.get(entry.second), entry.result, self.get(entry.human))
    }

    /// Returns the key of the record's results.
    pub(super) fn key(&self, encoder: &mut Encoder) -> u128 {
        let parts = Parts {
            disposition: self.disposition,
            dkim_aligned: self.dkim_aligned,
            spf_aligned: self.spf_aligned,
            domains: [self.get(self.header_from), self.get(self.envelope_from), self.get(self.envelope_to)],
            dkim: self.dkim.iter().map(|d| self.auth(d)),
            spf: self.spf.iter().map(|s| self.auth(s)),
            reasons: self.reasons.iter().map(|r| (self.get(r.kind), self.get(r.comment))),
        };
        parts.key(encoder)
    }

    /// Builds the results; `intern` turns texts into shared ones.
    pub(super) fn results(&self, key: u128, mut intern: impl FnMut(&str) -> Arc<str>) -> Results {
        let mut shared = |span: Option<Span>| self.get(span).map(&mut intern);
        Results {
            key,
            disposition: self.disposition,
            dkim_aligned: self.dkim_aligned,
            spf_aligned: self.spf_aligned,
            header_from: shared(self.header_from),
            envelope_from: shared(self.envelope_from),
            envelope_to: shared(self.envelope_to),
            dkim: self
                .dkim
                .iter()
                .map(|d| DkimResult {
                    domain: shared(d.domain),
                    selector: shared(d.second),
                    result: d.result,
                    human_result: shared(d.human),
                })
                .collect(),
            spf: self
                .spf
                .iter()
                .map(|s| SpfResult {
                    domain: shared(s.domain),
                    scope: shared(s.second),
                    result: s.result,
                    human_result: shared(s.human),
                })
                .collect(),
            reasons: self.reasons.iter().map(|r| Reason { kind: shared(r.kind), comment: shared(r.comment) }).collect(),
        }
    }

    /// Returns the bytes of all its texts.
    pub(super) const fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns about how many bytes of memory [`RecordDraft::results`] takes.
    pub(super) fn weight(&self) -> usize {
        256 + 64 * (self.dkim.len() + self.spf.len() + self.reasons.len()) + self.text_bytes()
    }
}
