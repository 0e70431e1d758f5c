//! The bundled catalogue of public sending services: which domain, host name or network belongs to which service.
//!
//! `schemas/senders.csv` holds one fact a row. A domain or host name matches a row when it is the row's value or lies
//! below it, on whole labels; the longest value wins.

use std::sync::LazyLock;

use ipnet::IpNet;
use rustc_hash::FxHashMap;

use super::clue::Clue;
use super::networks::Networks;

/// The catalogue as text; part of the fingerprint of an attribution.
pub(crate) const TEXT: &str = include_str!("../../schemas/senders.csv");

static BUNDLED: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = Catalogue::default();
    // A test holds the bundled text to this; a bad row would be skipped here, never a panic at an operator's desk.
    let _ = catalogue.add(TEXT);
    catalogue
});

/// How sure a catalogue row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Stands in public tables only.
    Low,
    /// Seen in the headers of real mail, in the vendor's documentation, or in several independent places.
    High,
}

/// What a catalogue row says of the service behind a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Name of the service.
    pub service: String,
    /// Its kind: marketing, transactional, mailbox, forwarder, gateway, …
    pub category: String,
    /// How sure the row is.
    pub confidence: Confidence,
}

/// The rows, ready for lookups.
#[derive(Debug, Default)]
pub struct Catalogue {
    facts: Vec<Fact>,
    dkim: FxHashMap<String, usize>,
    spf: FxHashMap<String, usize>,
    ptr: FxHashMap<String, usize>,
    networks: Vec<(IpNet, usize)>,
    lookup: Networks,
}

/// A row of a catalogue that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("catalogue line {line}: {fault}")]
pub struct CatalogueError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: String,
}

impl Catalogue {
    /// Returns the catalogue that is compiled in.
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    /// Reads a whole catalogue.
    ///
    /// # Errors
    /// The first line that is not `service,category,match_kind,value,confidence`.
    pub fn read(text: &str) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        catalogue.add(text)?;
        Ok(catalogue)
    }

    fn add(&mut self, text: &str) -> Result<(), CatalogueError> {
        for (index, row) in text.lines().enumerate().skip(1) {
            let fault = |fault: String| CatalogueError { line: index + 1, fault };
            let cells: Vec<&str> = row.split(',').collect();
            let [service, category, kind, value, confidence] = cells.as_slice() else {
                return Err(fault(format!("{} cells instead of 5", cells.len())));
            };
            let confidence = match *confidence {
                "high" => Confidence::High,
                "low" => Confidence::Low,
                other => return Err(fault(format!("confidence `{other}` is neither high nor low"))),
            };
            let number = self.facts.len();
            let key = value.to_ascii_lowercase();
            let map = match *kind {
                "dkim_domain" => &mut self.dkim,
                "spf_domain" => &mut self.spf,
                "ptr_suffix" => &mut self.ptr,
                "network" => {
                    let network = value.parse().map_err(|_| fault(format!("`{value}` is no network")))?;
                    self.networks.push((network, number));
                    self.facts.push(Fact { service: (*service).into(), category: (*category).into(), confidence });
                    continue;
                }
                other => return Err(fault(format!("match kind `{other}` is not known"))),
            };
            if map.insert(key, number).is_some() {
                return Err(fault(format!("{kind} {value} stands twice")));
            }
            self.facts.push(Fact { service: (*service).into(), category: (*category).into(), confidence });
        }
        self.lookup = Networks::new(self.networks.iter().map(|(network, _)| *network));
        Ok(())
    }

    /// Returns the service that signs with this DKIM domain.
    pub fn dkim(&self, domain: &str) -> Option<&Fact> {
        self.by_suffix(&self.dkim, domain)
    }

    /// Returns the service that uses this MAIL FROM domain.
    pub fn spf(&self, domain: &str) -> Option<&Fact> {
        self.by_suffix(&self.spf, domain)
    }

    /// Returns the service whose hosts are named like this.
    pub fn ptr(&self, host: &str) -> Option<&Fact> {
        self.by_suffix(&self.ptr, host)
    }

    /// Returns the service that sends from the network of this address, given as in `source.ip_sort`.
    pub fn network(&self, address: u128) -> Option<(&Fact, IpNet)> {
        let innermost = self.lookup.innermost(address)?;
        let (network, fact) = self.networks.get(innermost)?;
        Some((self.facts.get(*fact)?, *network))
    }

    /// Returns the service of this name, in any case.
    pub fn service(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.service.eq_ignore_ascii_case(name))
    }

    /// Returns everything that the catalogue knows a service by, in order.
    pub fn clues(&self, service: &str) -> Vec<Clue> {
        let of =
            |number: &usize| self.facts.get(*number).is_some_and(|fact| fact.service.eq_ignore_ascii_case(service));
        let names = |map: &FxHashMap<String, usize>| {
            let mut names: Vec<String> =
                map.iter().filter(|(_, fact)| of(fact)).map(|(name, _)| name.clone()).collect();
            names.sort_unstable();
            names
        };
        let dkim = names(&self.dkim).into_iter().map(|domain| Clue::Dkim { domain, selector: None });
        let networks = self.networks.iter().filter(|(_, fact)| of(fact)).map(|(network, _)| Clue::Network(*network));
        dkim.chain(names(&self.spf).into_iter().map(Clue::Spf))
            .chain(networks)
            .chain(names(&self.ptr).into_iter().map(Clue::Ptr))
            .collect()
    }

    /// Returns the names of all services, once each.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.facts.iter().map(|fact| fact.service.as_str()).filter(move |name| last.replace(*name) != Some(*name))
    }

    fn by_suffix(&self, map: &FxHashMap<String, usize>, name: &str) -> Option<&Fact> {
        super::suffixes(name).find_map(|suffix| map.get(suffix)).and_then(|number| self.facts.get(*number))
    }
}
