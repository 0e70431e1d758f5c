//! The keys that name reports, contents and results: 128 bits of BLAKE3 over an unambiguous encoding.

use std::net::IpAddr;

use super::{AuthResult, Policy, Report, Results};

/// Collects fields, each marked or length-prefixed, so that no two different values share an encoding.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    #[allow(dead_code)]
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: Option<&str>) {
        match text {
            None => self.byte(0),
            Some(text) => {
                self.byte(1);
                self.number(text.len() as u64);
                self.bytes.extend_from_slice(text.as_bytes());
            }
        }
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

impl Results {
    /// Returns the key that belongs to the values: what [`Results::key`] must be.
    pub fn computed_key(&self) -> u128 {
        let mut e = Encoder::default();
        e.word(self.disposition.map(super::Disposition::number));
        e.word(self.dkim_aligned.map(u8::from));
        e.word(self.spf_aligned.map(u8::from));
        e.text(self.header_from.as_deref());
        e.text(self.envelope_from.as_deref());
        e.text(self.envelope_to.as_deref());
        e.number(self.dkim.len() as u64);
        for dkim in &self.dkim {
            e.text(dkim.domain.as_deref());
            e.text(dkim.selector.as_deref());
            e.result(dkim.result);
            e.text(dkim.human_result.as_deref());
        }
        e.number(self.spf.len() as u64);
        for spf in &self.spf {
            e.text(spf.domain.as_deref());
            e.text(spf.scope.as_deref());
            e.result(spf.result);
            e.text(spf.human_result.as_deref());
        }
        e.number(self.reasons.len() as u64);
        for reason in &self.reasons {
            e.text(reason.kind.as_deref());
            e.text(reason.comment.as_deref());
        }
        e.key()
    }
}
