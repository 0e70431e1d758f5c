//! `[[sender]]` and `[[domain]]`: what the operator approves and expects.

use chrono::NaiveDate;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use crate::parse::{domain_name, has_labels};

/// One approved sender. A record is its mail when any of `ips`, `dkim`, `spf` or `ptr` matches and `from` allows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderRule {
    /// Its name in every answer.
    pub name: String,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// The public service behind it: a name of the catalogue.
    #[serde(default)]
    pub service: Option<String>,
    /// Free text.
    #[serde(default)]
    pub note: Option<String>,
    /// Networks and addresses.
    #[serde(default)]
    pub ips: Vec<Network>,
    /// Signing domains, optionally with their selectors; only a passing result matches.
    #[serde(default)]
    pub dkim: Vec<DkimRule>,
    /// MAIL FROM domains; only a passing result matches.
    #[serde(default)]
    pub spf: Vec<DomainPattern>,
    /// Host name suffixes of its sources; they count only where forward-confirmed.
    #[serde(default)]
    pub ptr: Vec<String>,
    /// From domains that it may use; empty means any.
    #[serde(default)]
    pub from: Vec<DomainPattern>,
    /// First day that the approval holds. Rules are judged on the day that attribution runs for (`--as-of`, default today).
    #[serde(default, deserialize_with = "day")]
    pub since: Option<NaiveDate>,
    /// Last day that the approval holds; after it, the rule approves nothing.
    #[serde(default, deserialize_with = "day")]
    pub approved_until: Option<NaiveDate>,
}

impl SenderRule {
    /// Returns whether the approval holds on this day.
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.since.is_none_or(|first| first <= day) && self.approved_until.is_none_or(|last| day <= last)
    }

    /// Returns what both this rule and another match, in words; `None` where they share nothing.
    pub fn shares(&self, other: &Self) -> Option<String> {
        let theirs: Vec<String> = claims_of(other).collect();
        claims_of(self).find(|claim| theirs.contains(claim))
    }

    /// Returns whether the rule may use this From domain.
    pub fn allows_from(&self, header_from: &str) -> bool {
        self.from.is_empty() || self.from.iter().any(|pattern| pattern.matches(header_from))
    }
}

/// A signing domain of an approved sender.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimRule {
    /// `d=`.
    pub domain: DomainPattern,
    /// `s=`; empty means any.
    #[serde(default)]
    pub selectors: Vec<String>,
}

/// A domain, `a.example`, or all domains below one, `*.a.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct DomainPattern {
    /// The domain: lower case, no trailing dot, A-labels.
    pub domain: String,
    /// All domains below it, but not itself.
    pub below: bool,
}

impl DomainPattern {
    /// Returns whether a normalised domain name matches.
    pub fn matches(&self, name: &str) -> bool {
        if self.below {
            name.strip_suffix(self.domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        } else {
            name == self.domain
        }
    }
}

impl TryFrom<String> for DomainPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.trim();
        let (name, below) = name.strip_prefix("*.").map_or((name, false), |rest| (rest, true));
        let domain = domain_name(name).into_owned();
        if !is_name(&domain) {
            return Err(format!("`{text}` is no domain: write a.example, or *.a.example for all domains below it"));
        }
        Ok(Self { domain, below })
    }
}

/// Returns whether a normalised text can be a domain name, and is no address, which ends with a number (RFC 3696 section 2).
fn is_name(domain: &str) -> bool {
    let last = domain.rsplit('.').next();
    has_labels(domain) && last.is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

impl std::fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.below {
            f.write_str("*.")?;
        }
        f.write_str(&self.domain)
    }
}

/// A network or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

impl Network {
    /// Returns whether it is a single address.
    pub fn is_one(&self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_one() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let single = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        let net = text.parse::<IpNet>().ok().or_else(single).ok_or_else(|| {
            format!("`{text}` is no network: write 192.0.2.0/28, 2001:db8:1::/48 or a single address")
        })?;
        if net.prefix_len() == 0 {
            return Err(format!("`{text}` is every address there is: name the sender's own networks"));
        }
        if net.trunc() != net {
            return Err(format!("`{text}` has an address inside its network: write {} or {}", net.trunc(), net.addr()));
        }
        Ok(Self(net))
    }
}

/// What is expected of a domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRule {
    /// The domain.
    pub name: String,
    /// False for a parked domain, which sends no mail.
    #[serde(default = "yes")]
    pub sends: bool,
    /// Reporters that are expected to report on it, as their reports name them, in any case: the gap G16 names those that do not.
    #[serde(default)]
    pub reporters: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Reads a day, written as a TOML date (`2026-01-15`) or as text (`"2026-01-15"`).
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("{value} is no day: write 2026-01-15"));
    match &value {
        toml::Value::Datetime(toml::value::Datetime { date: Some(date), time: None, offset: None }) => {
            let (year, month, day) = (i32::from(date.year), u32::from(date.month), u32::from(date.day));
            NaiveDate::from_ymd_opt(year, month, day).map(Some).ok_or_else(wrong)
        }
        toml::Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// Checks the rules against one another: two that claim the same mail with equal right are an error naming both.
///
/// # Errors
/// The two rules, what both claim, and the remedy.
pub(super) fn check(rules: &[SenderRule]) -> Result<(), String> {
    let mut claims: std::collections::HashMap<String, Vec<&SenderRule>> = std::collections::HashMap::new();
    let mut names: std::collections::HashSet<&str> = std::collections::HashSet::new();
    for rule in rules {
        if rule.name.trim().is_empty() {
            return Err("a [[sender]] has an empty name".into());
        }
        if let (Some(since), Some(until)) = (rule.since, rule.approved_until)
            && until < since
        {
            return Err(format!(
                "the approval of the sender `{}` ends on {until}, before it begins on {since}",
                rule.name
            ));
        }
        if !names.insert(rule.name.as_str()) {
            return Err(format!("two senders are named `{}`: put what they match into one", rule.name));
        }
        if rule.ips.is_empty() && rule.dkim.is_empty() && rule.spf.is_empty() && rule.ptr.is_empty() {
            return Err(format!("the sender `{}` matches nothing: give it ips, dkim, spf or ptr", rule.name));
        }
        for claim in claims_of(rule) {
            let others = claims.entry(claim.clone()).or_default();
            if let Some(other) = others.iter().find(|other| clash(other, rule)) {
                return Err(format!(
                    "the senders `{}` and `{}` both claim {claim}; bind them to different From domains with `from`, \
                     or make one more specific",
                    other.name, rule.name
                ));
            }
            others.push(rule);
        }
    }
    Ok(())
}

/// Checks what is expected of domains: each is a domain, and named once.
pub(super) fn check_domains(rules: &[DomainRule]) -> Result<(), String> {
    let mut names: std::collections::HashSet<String> = std::collections::HashSet::new();
    for rule in rules {
        let name = domain_name(&rule.name).into_owned();
        if !is_name(&name) {
            return Err(format!("[[domain]] `{}` is no domain: write a.example", rule.name));
        }
        if !names.insert(name) {
            return Err(format!("[[domain]] `{}` is there twice", rule.name));
        }
    }
    Ok(())
}

/// Everything that a rule matches by, in words that are the same for equal evidence.
fn claims_of(rule: &SenderRule) -> impl Iterator<Item = String> + '_ {
    let networks = rule
        .ips
        .iter()
        .map(|network| format!("{} {network}", if network.is_one() { "the address" } else { "the network" }));
    let spf = rule.spf.iter().map(|domain| format!("the SPF domain {domain}"));
    let ptr = rule.ptr.iter().map(|host| format!("hosts below {}", host.to_ascii_lowercase()));
    let dkim = rule.dkim.iter().flat_map(|dkim| {
        let any = dkim.selectors.is_empty().then(|| format!("the DKIM domain {}", dkim.domain));
        let each = |s: &String| format!("the DKIM selector {} of {}", s.to_ascii_lowercase(), dkim.domain);
        any.into_iter().chain(dkim.selectors.iter().map(each))
    });
    networks.chain(spf).chain(ptr).chain(dkim)
}

/// Whether two rules with equal evidence may both apply to one record: same days, and From domains no telling apart.
fn clash(one: &SenderRule, other: &SenderRule) -> bool {
    let starts_after = |a: &SenderRule, b: &SenderRule| a.since.zip(b.approved_until).is_some_and(|(s, e)| s > e);
    if std::ptr::eq(one, other) || starts_after(one, other) || starts_after(other, one) {
        return false;
    }
    // A rule bound to From domains beats one for any; two bound ones must not share a From domain.
    match (one.from.is_empty(), other.from.is_empty()) {
        (true, true) => true,
        (false, false) => one.from.iter().any(|a| other.from.iter().any(|b| overlap(a, b))),
        _ => false,
    }
}

pub(super) fn overlap(a: &DomainPattern, b: &DomainPattern) -> bool {
    match (a.below, b.below) {
        (false, false) => a == b,
        (true, false) => a.matches(&b.domain),
        (false, true) => b.matches(&a.domain),
        (true, true) => a.domain == b.domain || a.matches(&b.domain) || b.matches(&a.domain),
    }
}
