//! `check`: the live DNS of a domain and of the addresses that send for it, each result dated and of three values.
//!
//! [`subject_of`] says what to look at, from the store's reports; [`check`] looks, through [`crate::dns`], and judges;
//! [`remember`] keeps the findings, so that the case and the gaps can name them with their time.

mod hosts;
mod keys;
mod lists;
mod policy;
mod senders;
mod store;
mod subject;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::DnsConfig;
use crate::dns::{DkimKey, DmarcRecord, Resolver, SpfTree};
use crate::evidence::Gateways;
use crate::severity::Severity;

pub use store::remember;
pub use subject::{DAYS, subject_of};

/// What `check` found of a domain.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// The domain.
    pub domain: String,
    /// When.
    pub checked_at: DateTime<Utc>,
    /// The name servers that were asked.
    pub name_servers: String,
    /// Addresses that were looked at: those given, then the heaviest sources of the domain's mail.
    pub ips: Vec<CheckedIp>,
    /// Domain whose DMARC record holds; null where there is none, or nobody could say.
    pub policy_domain: Option<String>,
    /// That record.
    pub dmarc: Option<DmarcRecord>,
    /// Organisational domain by the DNS tree walk (RFC 9989).
    pub org_domain: String,
    /// SPF records of the domain and of the MAIL FROM domains of its mail.
    pub spf: Vec<SpfTree>,
    /// DKIM keys of the selectors seen or given.
    pub keys: Vec<CheckedKey>,
    /// Gateway or provider that receives the domain's mail; null where unknown.
    pub gateway: Option<String>,
    /// Every check, worst first.
    pub findings: Vec<Finding>,
}

/// One address.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckedIp {
    /// The address.
    pub ip: IpAddr,
    /// Messages of the domain from it in the days looked at; null where it was only given.
    pub messages: Option<u64>,
    /// MAIL FROM domains that it uses, of the domain's own organisation.
    pub mail_from: Vec<String>,
}

/// One DKIM selector.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckedKey {
    /// `d=`.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// Messages that it signed in the days looked at, passing or not; null where it was only given.
    pub messages: Option<u64>,
    /// Some of these signatures pass.
    pub passing: bool,
    /// The key; null where there is none, or nobody could say.
    pub key: Option<DkimKey>,
}

/// What is to be checked.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The domain.
    pub domain: String,
    /// The config says that it sends nothing.
    pub parked: bool,
    /// Addresses.
    pub ips: Vec<CheckedIp>,
    /// Selectors, without their keys.
    pub selectors: Vec<CheckedKey>,
    /// HELO names that hosts give, where the operator states them.
    pub helo: Vec<(IpAddr, String)>,
    /// Whether blocklists are asked.
    pub blocklists: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Defect,
    /// Nobody could say.
    CouldNotCheck,
}

impl State {
    /// Returns the word of the answers and of the store.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Defect => "defect",
            Self::CouldNotCheck => "could-not-check",
        }
    }
}

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// dns or blocklist.
    pub kind: &'static str,
    /// The domain or address looked at.
    pub subject: String,
    /// What was checked.
    pub check: String,
    /// ok, defect or could-not-check.
    pub state: State,
    /// How much a defect weighs: notice, warn or high.
    pub severity: Option<Severity>,
    /// The gap that a defect shows; null where no gap is defined for it.
    pub gap: Option<&'static str>,
    /// What was found: the record or answer, or why nobody could say.
    pub found: String,
    /// What to do about a defect.
    pub remedy: Option<&'static str>,
}

impl Finding {
    fn new(subject: &str, check: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        let (check, found) = (check.into(), found.into());
        Self { kind: "dns", subject: subject.to_owned(), check, state, severity: None, gap: None, found, remedy: None }
    }

    fn ok(subject: &str, check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(subject, check, State::Ok, found)
    }

    fn unchecked(subject: &str, check: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(subject, check, State::CouldNotCheck, why)
    }

    fn defect(
        subject: &str,
        check: impl Into<String>,
        severity: Severity,
        found: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self { severity: Some(severity), remedy: Some(remedy), ..Self::new(subject, check, State::Defect, found) }
    }

    fn gap(self, gap: impl Into<Option<&'static str>>) -> Self {
        Self { gap: gap.into(), ..self }
    }
}

/// Looks at everything. Never fails: what could not be checked is a finding of its own.
pub async fn check(
    resolver: &Resolver,
    subject: Subject,
    config: &DnsConfig,
    gateways: &Gateways,
    now: DateTime<Utc>,
) -> Checked {
    let domain = subject.domain.as_str();
    let (policy, spf, keys, hosts, lists) = tokio::join!(
        policy::policy(resolver, &subject),
        senders::senders(resolver, &subject),
        keys::keys(resolver, &subject),
        hosts::hosts(resolver, &subject, gateways),
        lists::lists(resolver, &subject, config),
    );
    let mut findings = policy.findings;
    findings.extend(spf.findings);
    findings.extend(keys.findings);
    findings.extend(hosts.findings);
    findings.extend(lists);
    // Worst first, else in the order of the checks: the sort is stable.
    findings.sort_by_key(|finding| match finding.state {
        State::Defect => (0, std::cmp::Reverse(finding.severity)),
        State::CouldNotCheck => (1, std::cmp::Reverse(None)),
        State::Ok => (2, std::cmp::Reverse(None)),
    });
    Checked {
        domain: domain.to_owned(),
        checked_at: now,
        name_servers: resolver.servers().to_owned(),
        policy_domain: policy.domain,
        dmarc: policy.record,
        org_domain: policy.org,
        spf: spf.trees,
        keys: keys.keys,
        gateway: hosts.gateway,
        findings,
        ips: subject.ips,
    }
}
