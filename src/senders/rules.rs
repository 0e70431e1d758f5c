//! The operator's `[[sender]]` rules, compiled for lookups by DKIM result, SPF result, address and host name.
//!
//! Within one kind of evidence the more specific rule wins: an exact domain over `*.domain`, a longer network over a
//! shorter one, a rule bound to From domains over one for any. Rules that would tie are refused when the config is read.

use chrono::NaiveDate;
use rustc_hash::FxHashMap;

use super::networks::Networks;
use super::suffixes;
use crate::config::{DomainPattern, SenderRule};
use crate::parse::domain_name;

/// Approved senders that hold on one day.
#[derive(Debug, Default)]
pub struct Rules {
    senders: Vec<SenderRule>,
    selectors: FxHashMap<(String, String), Vec<usize>>,
    dkim: Patterns,
    spf: Patterns,
    ptr: FxHashMap<String, Vec<usize>>,
    /// Distinct networks with the senders that name them.
    networks: Vec<(ipnet::IpNet, Vec<usize>)>,
    lookup: Networks,
    bound: bool,
}

/// Domains of rules, exact and `*.domain`.
#[derive(Debug, Default)]
struct Patterns {
    exact: FxHashMap<String, Vec<usize>>,
    below: FxHashMap<String, Vec<usize>>,
}

impl Patterns {
    fn add(&mut self, pattern: &DomainPattern, sender: usize) {
        let map = if pattern.below { &mut self.below } else { &mut self.exact };
        push_once(map.entry(pattern.domain.clone()).or_default(), sender);
    }

    /// Returns the senders of each matching pattern, the most specific pattern first.
    fn matching<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = &'a [usize]> {
        let exact = self.exact.get(domain).into_iter();
        // `*.a.example` does not mean a.example itself, hence the skip.
        let below = suffixes(domain).skip(1).filter_map(|suffix| self.below.get(suffix));
        exact.chain(below).map(Vec::as_slice)
    }
}

fn push_once(list: &mut Vec<usize>, sender: usize) {
    if !list.contains(&sender) {
        list.push(sender);
    }
}

impl Rules {
    /// Compiles the rules that hold on `as_of`: an approval that has not begun or has run out by then approves nothing.
    pub fn new(rules: &[SenderRule], as_of: NaiveDate) -> Self {
        let mut compiled = Self::default();
        let mut networks: FxHashMap<ipnet::IpNet, usize> = FxHashMap::default();
        for rule in rules.iter().filter(|rule| rule.holds_on(as_of)) {
            let sender = compiled.senders.len();
            compiled.bound |= !rule.from.is_empty() && (!rule.ips.is_empty() || !rule.ptr.is_empty());
            for dkim in &rule.dkim {
                if dkim.selectors.is_empty() {
                    compiled.dkim.add(&dkim.domain, sender);
                }
                for selector in &dkim.selectors {
                    let key = (dkim.domain.to_string(), selector.to_ascii_lowercase());
                    push_once(compiled.selectors.entry(key).or_default(), sender);
                }
            }
            for domain in &rule.spf {
                compiled.spf.add(domain, sender);
            }
            for host in &rule.ptr {
                let host = domain_name(host.trim_start_matches("*.").trim_start_matches('.')).into_owned();
                push_once(compiled.ptr.entry(host).or_default(), sender);
            }
            for network in &rule.ips {
                let place = *networks.entry(network.0).or_insert_with(|| {
                    compiled.networks.push((network.0, Vec::new()));
                    compiled.networks.len() - 1
                });
                if let Some((_, senders)) = compiled.networks.get_mut(place) {
                    push_once(senders, sender);
                }
            }
            compiled.senders.push(rule.clone());
        }
        compiled.lookup = Networks::new(compiled.networks.iter().map(|(network, _)| *network));
        compiled
    }

    /// Returns the rule of a number that a lookup gave.
    pub fn sender(&self, number: usize) -> Option<&SenderRule> {
        self.senders.get(number)
    }

    /// Returns all rules that hold.
    pub fn senders(&self) -> &[SenderRule] {
        &self.senders
    }

    /// Returns whether some rule binds a network or a host name to From domains.
    pub fn binds_sources(&self) -> bool {
        self.bound
    }

    /// Returns the sender whose rule names this very selector of this signing domain.
    pub fn by_selector(&self, domain: &str, selector: &str, header_from: Option<&str>) -> Option<usize> {
        let exact = (domain.to_owned(), selector.to_ascii_lowercase());
        let below = suffixes(domain).skip(1).map(|suffix| (format!("*.{suffix}"), exact.1.clone()));
        std::iter::once(exact.clone())
            .chain(below)
            .filter_map(|key| self.selectors.get(&key))
            .find_map(|senders| self.choose(senders, header_from))
    }

    /// Returns the sender whose rule names this signing domain, whatever the selector.
    pub fn by_dkim(&self, domain: &str, header_from: Option<&str>) -> Option<usize> {
        self.dkim.matching(domain).find_map(|senders| self.choose(senders, header_from))
    }

    /// Returns the sender whose rule names this MAIL FROM domain.
    pub fn by_spf(&self, domain: &str, header_from: Option<&str>) -> Option<usize> {
        self.spf.matching(domain).find_map(|senders| self.choose(senders, header_from))
    }

    /// Returns the sender whose rule names the longest network around the address, and the network.
    pub fn by_network(&self, address: u128, header_from: Option<&str>) -> Option<(usize, ipnet::IpNet)> {
        self.lookup.holding(address).find_map(|place| {
            let (network, senders) = self.networks.get(place)?;
            Some((self.choose(senders, header_from)?, *network))
        })
    }

    /// Returns the sender whose rule names this host or a domain above it.
    pub fn by_ptr(&self, host: &str, header_from: Option<&str>) -> Option<usize> {
        suffixes(host).filter_map(|suffix| self.ptr.get(suffix)).find_map(|senders| self.choose(senders, header_from))
    }

    /// Returns whether a rule bound to From domains reaches this source.
    pub fn bound_reaches(&self, address: u128, host: Option<&str>) -> bool {
        let bound = |senders: &Vec<usize>| senders.iter().any(|s| self.sender(*s).is_some_and(|r| !r.from.is_empty()));
        self.bound
            && (self.lookup.holding(address).filter_map(|p| self.networks.get(p)).any(|(_, senders)| bound(senders))
                || host.is_some_and(|host| suffixes(host).filter_map(|s| self.ptr.get(s)).any(bound)))
    }

    /// Among senders with the same evidence, the one bound to this From domain, else the one for any From domain.
    fn choose(&self, senders: &[usize], header_from: Option<&str>) -> Option<usize> {
        let rule = |number: &usize| self.senders.get(*number);
        let bound = senders.iter().find(|n| {
            rule(n).is_some_and(|r| !r.from.is_empty() && header_from.is_some_and(|name| r.allows_from(name)))
        });
        bound.or_else(|| senders.iter().find(|n| rule(n).is_some_and(|r| r.from.is_empty()))).copied()
    }
}
