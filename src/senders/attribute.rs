//! Who is behind a stream or a source: the best evidence, its sender and its words. Pure; no store, no clock, no network.
//!
//! Approved beats recognised beats unknown-by-name. Within one status: DKIM selector, DKIM domain, SPF domain, network,
//! host name. Only a *passing* result names anyone; for recognised and unknown senders it must be of another
//! organisation than the From domain, since mail that authenticates as the From domain says nothing of the service.
//! Mail that authenticates as its own From domain and that no rule or catalogue row claims is named by that domain and
//! its selector, so that the operator sees which key or server is meant.

use super::catalogue::{Catalogue, Confidence, Fact};
use super::clue::{Clue, LOW_CONFIDENCE};
use super::rules::Rules;

/// How specific evidence is; a higher score wins. Kept in `stream.score`, `source.score` and `source_from.score`.
pub mod score {
    /// Looked at, nothing found.
    pub const NONE: u8 = 0;
    /// Signed by the From domain's own organisation, but not sent from where its SPF record allows.
    pub const OWN_SIGNED: u8 = 15;
    /// Unknown, named by a forward-confirmed host name.
    pub const UNKNOWN_PTR: u8 = 20;
    /// The From domain's own organisation authenticates it by SPF.
    pub const OWN: u8 = 30;
    /// Unknown, named by a passing SPF domain.
    pub const UNKNOWN_SPF: u8 = 40;
    /// Unknown, named by a passing DKIM domain.
    pub const UNKNOWN_DKIM: u8 = 50;
    /// Catalogue, host name.
    pub const RECOGNISED_PTR: u8 = 120;
    /// Catalogue, network.
    pub const RECOGNISED_NETWORK: u8 = 130;
    /// Catalogue, SPF domain.
    pub const RECOGNISED_SPF: u8 = 140;
    /// Catalogue, DKIM domain.
    pub const RECOGNISED_DKIM: u8 = 150;
    /// Config, host name.
    pub const APPROVED_PTR: u8 = 210;
    /// Config, network.
    pub const APPROVED_NETWORK: u8 = 220;
    /// Config, SPF domain.
    pub const APPROVED_SPF: u8 = 230;
    /// Config, DKIM domain.
    pub const APPROVED_DKIM: u8 = 240;
    /// Config, DKIM domain and selector.
    pub const APPROVED_SELECTOR: u8 = 250;
}

/// A sender as the evidence names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Named {
    /// The config's rule of this number among those that hold.
    Approved(usize),
    /// A service of the catalogue.
    Recognised {
        /// Its name.
        service: String,
        /// Its kind.
        category: String,
    },
    /// Neither: the organisational domain that the evidence names, or the From domain's own stream.
    Unknown(String),
}

/// The sender of a stream or source, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who.
    pub sender: Named,
    /// How specific the evidence is: see [`score`].
    pub score: u8,
    /// The evidence in words: `DKIM d=crm.example s=s1`.
    pub evidence: String,
}

/// A passing DKIM result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `d=`.
    pub domain: String,
    /// Its organisational domain.
    pub org: String,
    /// `s=`.
    pub selector: Option<String>,
}

/// A passing SPF result of the MAIL FROM identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFrom {
    /// The domain.
    pub domain: String,
    /// Its organisational domain.
    pub org: String,
}

/// The passing results of a stream, and the From domain that they came with.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamFacts<'a> {
    /// RFC 5322 From domain.
    pub header_from: Option<&'a str>,
    /// Its organisational domain.
    pub header_from_org: Option<&'a str>,
    /// Passing DKIM results.
    pub dkim: &'a [Signature],
    /// Passing SPF results.
    pub spf: &'a [MailFrom],
}

/// What is known of a source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceFacts<'a> {
    /// The address as in `source.ip_sort`.
    pub address: u128,
    /// Its forward-confirmed host name.
    pub host: Option<&'a str>,
}

/// The rules and the catalogue together.
#[derive(Debug)]
pub struct Attribution<'a> {
    /// The rules that hold.
    pub rules: &'a Rules,
    /// The services that are known.
    pub catalogue: &'a Catalogue,
}

impl Attribution<'_> {
    /// Returns the sender that a stream's passing results name.
    pub fn stream(&self, facts: StreamFacts<'_>) -> Option<Verdict> {
        self.approved_stream(facts).or_else(|| self.recognised_stream(facts)).or_else(|| unknown_stream(facts))
    }

    fn approved_stream(&self, facts: StreamFacts<'_>) -> Option<Verdict> {
        let from = facts.header_from;
        let selector = facts.dkim.iter().filter_map(|signature| {
            let selector = signature.selector.as_deref()?;
            let sender = self.rules.by_selector(&signature.domain, selector, from)?;
            Some(approved(sender, score::APPROVED_SELECTOR, signature.words()))
        });
        let dkim = facts.dkim.iter().filter_map(|signature| {
            let sender = self.rules.by_dkim(&signature.domain, from)?;
            Some(approved(sender, score::APPROVED_DKIM, signature.words()))
        });
        let spf = facts.spf.iter().filter_map(|result| {
            let sender = self.rules.by_spf(&result.domain, from)?;
            Some(approved(sender, score::APPROVED_SPF, result.words()))
        });
        selector.min_by(better).or_else(|| dkim.min_by(better)).or_else(|| spf.min_by(better))
    }

    fn recognised_stream(&self, facts: StreamFacts<'_>) -> Option<Verdict> {
        let dkim = facts.foreign_dkim().filter_map(|signature| {
            let fact = self.catalogue.dkim(&signature.domain)?;
            Some(recognised(fact, score::RECOGNISED_DKIM, signature.domain_words()))
        });
        let spf = facts.foreign_spf().filter_map(|result| {
            let fact = self.catalogue.spf(&result.domain)?;
            Some(recognised(fact, score::RECOGNISED_SPF, result.words()))
        });
        dkim.min_by(better).or_else(|| spf.min_by(better))
    }

    /// Returns the sender that a source names for every From domain.
    pub fn source(&self, facts: SourceFacts<'_>) -> Option<Verdict> {
        self.approved_source(facts, None).or_else(|| self.recognised_source(facts)).or_else(|| {
            let host = facts.host?;
            let org = crate::parse::org_domain(host);
            // A host named by a bare public suffix names nobody.
            org.contains('.')
                .then(|| unknown(org.to_owned(), score::UNKNOWN_PTR, Clue::Ptr(host.to_owned()).to_string()))
        })
    }

    /// Returns the sender that a source names for mail of one From domain, where that differs from [`Self::source`].
    pub fn source_for(&self, facts: SourceFacts<'_>, header_from: &str) -> Option<Verdict> {
        let bound = self.approved_source(facts, Some(header_from))?;
        (self.approved_source(facts, None).as_ref() != Some(&bound)).then_some(bound)
    }

    fn approved_source(&self, facts: SourceFacts<'_>, header_from: Option<&str>) -> Option<Verdict> {
        if let Some((sender, network)) = self.rules.by_network(facts.address, header_from) {
            return Some(approved(sender, score::APPROVED_NETWORK, Clue::Network(network).to_string()));
        }
        let host = facts.host?;
        let sender = self.rules.by_ptr(host, header_from)?;
        Some(approved(sender, score::APPROVED_PTR, Clue::Ptr(host.to_owned()).to_string()))
    }

    fn recognised_source(&self, facts: SourceFacts<'_>) -> Option<Verdict> {
        if let Some((fact, network)) = self.catalogue.network(facts.address) {
            return Some(recognised(fact, score::RECOGNISED_NETWORK, Clue::Network(network).to_string()));
        }
        let host = facts.host?;
        let fact = self.catalogue.ptr(host)?;
        Some(recognised(fact, score::RECOGNISED_PTR, Clue::Ptr(host.to_owned()).to_string()))
    }
}

/// The strongest evidence that names a sender which neither the config nor the catalogue knows.
fn unknown_stream(facts: StreamFacts<'_>) -> Option<Verdict> {
    // Where several organisations sign, the one that also owns the MAIL FROM domain is the sender rather than a relay.
    let mails = |org: &str| facts.spf.iter().any(|result| result.org == org);
    let dkim = facts.foreign_dkim().min_by_key(|signature| (!mails(&signature.org), &signature.domain));
    if let Some(signature) = dkim {
        return Some(unknown(signature.org.clone(), score::UNKNOWN_DKIM, signature.domain_words()));
    }
    if let Some(result) = facts.foreign_spf().min_by_key(|result| &result.domain) {
        return Some(unknown(result.org.clone(), score::UNKNOWN_SPF, result.words()));
    }
    let org = facts.header_from_org?;
    let own_spf = facts.spf.iter().filter(|result| result.org == org).min_by_key(|result| &result.domain);
    let own_dkim = facts.dkim.iter().filter(|s| s.org == org).min_by_key(|s| (&s.selector, &s.domain));
    match (own_dkim, own_spf) {
        (Some(signature), Some(spf)) => {
            let evidence = format!("{}, {}", signature.words(), spf.words());
            Some(unknown(format!("{org} ({})", signature.key()), score::OWN, evidence))
        }
        (Some(signature), None) => {
            let name = format!("{org} ({}, no SPF)", signature.key());
            Some(unknown(name, score::OWN_SIGNED, signature.words()))
        }
        (None, Some(spf)) => Some(unknown(format!("{org} (SPF)"), score::OWN, spf.words())),
        (None, None) => None,
    }
}

impl<'a> StreamFacts<'a> {
    fn foreign_dkim(self) -> impl Iterator<Item = &'a Signature> {
        self.dkim.iter().filter(move |s| Some(s.org.as_str()) != self.header_from_org && !s.domain.is_empty())
    }

    fn foreign_spf(self) -> impl Iterator<Item = &'a MailFrom> {
        self.spf.iter().filter(move |r| Some(r.org.as_str()) != self.header_from_org && !r.domain.is_empty())
    }
}

impl Signature {
    fn words(&self) -> String {
        Clue::Dkim { domain: self.domain.clone(), selector: self.selector.clone() }.to_string()
    }

    fn domain_words(&self) -> String {
        Clue::Dkim { domain: self.domain.clone(), selector: None }.to_string()
    }

    fn key(&self) -> String {
        self.selector.as_ref().map_or_else(|| "signed".to_owned(), |selector| format!("selector {selector}"))
    }
}

impl MailFrom {
    fn words(&self) -> String {
        Clue::Spf(self.domain.clone()).to_string()
    }
}

/// The better of two verdicts first. Reporters list results in their own order; the names break ties the same for all.
fn better(a: &Verdict, b: &Verdict) -> std::cmp::Ordering {
    let key = |v: &Verdict| (std::cmp::Reverse(v.score), v.sender.clone(), v.evidence.clone());
    key(a).cmp(&key(b))
}

fn approved(sender: usize, score: u8, evidence: String) -> Verdict {
    Verdict { sender: Named::Approved(sender), score, evidence }
}

fn recognised(fact: &Fact, score: u8, mut evidence: String) -> Verdict {
    // A row that rests on public tables alone still recognises, but not against a sure row of the same kind.
    let score = if fact.confidence == Confidence::Low { score - 1 } else { score };
    if fact.confidence == Confidence::Low {
        evidence.push_str(LOW_CONFIDENCE);
    }
    let sender = Named::Recognised { service: fact.service.clone(), category: fact.category.clone() };
    Verdict { sender, score, evidence }
}

fn unknown(name: String, score: u8, evidence: String) -> Verdict {
    Verdict { sender: Named::Unknown(name), score, evidence }
}
