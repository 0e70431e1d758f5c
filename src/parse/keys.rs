//! The keys that name reports, contents and results: 128 bits of BLAKE3 over an unambiguous encoding.

use std::net::IpAddr;

use super::{AuthResult, Policy, Report, Results};

/// Collects fields, each marked or length-prefixed, so that no two different values share an encoding.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: Option<&str>) {
        // The length one up; 0 is no text. Lengths under 255 take one byte, since these encodings are many.
        let Some(text) = text else { return self.byte(0) };
        match u8::try_from(text.len().saturating_add(1)) {
            Ok(length) if length < u8::MAX => self.byte(length),
            _ => {
                self.byte(u8::MAX);
                self.number(text.len() as u64);
            }
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn time(&mut self, time: Option<i64>) {
        match time {
            None => self.byte(0),
            Some(time) => {
                self.byte(1);
                self.bytes.extend_from_slice(&time.to_le_bytes());
            }
        }
    }

    /// A word's number, one up, so that 0 is the unknown.
    pub(super) fn word(&mut self, number: Option<u8>) {
        self.byte(number.map_or(0, |n| n.saturating_add(1)));
    }

    pub(super) fn result(&mut self, result: Option<AuthResult>) {
        self.word(result.map(AuthResult::number));
    }

    pub(super) fn key(&self) -> u128 {
        truncated(blake3::hash(&self.bytes))
    }
}

fn truncated(hash: blake3::Hash) -> u128 {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    u128::from_le_bytes(first)
}

impl Report {
    /// Returns the identity of the report: reporter, report id, policy domain, begin and end (DESIGN "Identity").
    ///
    /// Reporters compare case-insensitively. A report without one takes the domain of its email instead, marked, so
    /// that two nameless reporters do not share their keys.
    pub fn report_key(&self) -> u128 {
        let mut e = Encoder::default();
        self.encode_reporter(&mut e);
        e.text(self.metadata.report_id.as_deref());
        e.text(self.policy.domain.as_deref());
        e.time(self.metadata.begin);
        e.time(self.metadata.end);
        e.key()
    }

    /// Returns the content of the report as one number: equal for two documents that say the same.
    ///
    /// Everything read counts; warnings, layout, encoding and the case of the reporter do not.
    pub fn content_key(&self) -> u128 {
        let meta = &self.metadata;
        let mut e = Encoder::default();
        self.encode_reporter(&mut e);
        e.text(meta.email.as_deref());
        e.text(meta.extra_contact.as_deref());
        e.text(meta.generator.as_deref());
        e.text(meta.report_id.as_deref());
        e.time(meta.begin);
        e.time(meta.end);
        e.number(meta.errors.len() as u64);
        for error in &meta.errors {
            e.text(Some(error));
        }
        encode_policy(&self.policy, &mut e);
        e.number(self.records.len() as u64);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&e.bytes);
        let mut block = Vec::with_capacity(48 * 256);
        for records in self.records.chunks(256) {
            block.clear();
            for record in records {
                match record.source {
                    None => block.push(0),
                    Some(IpAddr::V4(v4)) => {
                        block.push(4);
                        block.extend_from_slice(&v4.octets());
                    }
                    Some(IpAddr::V6(v6)) => {
                        block.push(6);
                        block.extend_from_slice(&v6.octets());
                    }
                }
                match record.messages {
                    None => block.push(0),
                    Some(n) => {
                        block.push(1);
                        block.extend_from_slice(&n.to_le_bytes());
                    }
                }
                let key = self.results.get(record.results as usize).map_or(0, |r| r.key);
                block.extend_from_slice(&key.to_le_bytes());
            }
            hasher.update(&block);
        }
        truncated(hasher.finalize())
    }

    fn encode_reporter(&self, e: &mut Encoder) {
        if let Some(reporter) = &self.metadata.reporter {
            e.byte(1);
            e.text(Some(&reporter.to_lowercase()));
        } else {
            let domain = self.metadata.email.as_deref().and_then(|m| m.rsplit_once('@')).map(|(_, d)| d.to_lowercase());
            e.byte(2);
            e.text(domain.as_deref());
        }
    }
}

fn encode_policy(policy: &Policy, e: &mut Encoder) {
    e.text(policy.domain.as_deref());
    e.word(policy.adkim.map(super::Alignment::number));
    e.word(policy.aspf.map(super::Alignment::number));
    for word in [policy.p, policy.sp, policy.np] {
        e.word(word.map(super::PolicyWord::number));
    }
    e.word(policy.pct);
    e.text(policy.fo.as_deref());
    e.word(policy.testing.map(u8::from));
    e.text(policy.psd.as_deref());
    e.text(policy.discovery_method.as_deref());
}

/// The parts of a record's results as they are encoded, borrowed from wherever they are.
pub(super) struct Parts<'a, D, S, R> {
    pub(super) disposition: Option<super::Disposition>,
    pub(super) dkim_aligned: Option<bool>,
    pub(super) spf_aligned: Option<bool>,
    pub(super) domains: [Option<&'a str>; 3],
    pub(super) dkim: D,
    pub(super) spf: S,
    pub(super) reasons: R,
}

/// One `auth_results` entry: domain, selector or scope, result, human result.
pub(super) type AuthParts<'a> = (Option<&'a str>, Option<&'a str>, Option<AuthResult>, Option<&'a str>);

impl<'a, D, S, R> Parts<'a, D, S, R>
where
    D: ExactSizeIterator<Item = AuthParts<'a>>,
    S: ExactSizeIterator<Item = AuthParts<'a>>,
    R: ExactSizeIterator<Item = (Option<&'a str>, Option<&'a str>)>,
{
    /// Returns the key that names these results, using `e` as scratch.
    pub(super) fn key(self, e: &mut Encoder) -> u128 {
        e.clear();
        e.word(self.disposition.map(super::Disposition::number));
        e.word(self.dkim_aligned.map(u8::from));
        e.word(self.spf_aligned.map(u8::from));
        for domain in self.domains {
            e.text(domain);
        }
        encode_auth(self.dkim, e);
        encode_auth(self.spf, e);
        e.number(self.reasons.len() as u64);
        for (kind, comment) in self.reasons {
            e.text(kind);
            e.text(comment);
        }
        e.key()
    }
}

fn encode_auth<'a>(entries: impl ExactSizeIterator<Item = AuthParts<'a>>, e: &mut Encoder) {
    e.number(entries.len() as u64);
    for (domain, second, result, human) in entries {
        e.text(domain);
        e.text(second);
        e.result(result);
        e.text(human);
    }
}

impl Results {
    /// Returns the key that belongs to the values: what [`Results::key`] must be.
    pub fn computed_key(&self) -> u128 {
        let parts = Parts {
            disposition: self.disposition,
            dkim_aligned: self.dkim_aligned,
            spf_aligned: self.spf_aligned,
            domains: [self.header_from.as_deref(), self.envelope_from.as_deref(), self.envelope_to.as_deref()],
            dkim: self
                .dkim
                .iter()
                .map(|d| (d.domain.as_deref(), d.selector.as_deref(), d.result, d.human_result.as_deref())),
            spf: self
                .spf
                .iter()
                .map(|s| (s.domain.as_deref(), s.scope.as_deref(), s.result, s.human_result.as_deref())),
            reasons: self.reasons.iter().map(|r| (r.kind.as_deref(), r.comment.as_deref())),
        };
        parts.key(&mut Encoder::default())
    }
}
