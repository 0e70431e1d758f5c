//! Follows an SPF record through its includes and redirects: what it costs, what is wrong, and which networks it names.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Serialize;

use super::parse::{Directive, Mechanism, Qualifier, SpfRecord};
use crate::dns::{Absence, Looked, Resolver};

/// Terms that cause lookups (RFC 7208 section 4.6.4); more is a permerror.
pub(super) const LOOKUPS: u32 = 10;
/// Lookups without an answer (same section); more is a permerror at many receivers.
pub(super) const VOID: u32 = 2;
/// Hosts of one `mx` term (same section).
const HOSTS: usize = 10;
/// Where following stops: a tree that costs this much is beyond every limit, and strangers wrote it.
const STOP: u32 = 40;

/// The SPF record of a domain, followed to its leaves.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SpfTree {
    /// Lookups that a receiver counts, at most ten.
    pub lookups: u32,
    /// Lookups among them without an answer, at most two.
    pub void_lookups: u32,
    /// What holds for everything else: fail, softfail, neutral or pass; null where no record says it.
    pub all: Option<&'static str>,
    /// What receivers answer permerror for.
    pub faults: Vec<String>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
    /// The record of the domain itself.
    pub root: SpfNode,
}

/// One record of the tree.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct SpfNode {
    /// Where it stands.
    pub domain: String,
    /// The record, verbatim; null where there is none, or nobody could say.
    pub record: Option<String>,
    /// Its mechanisms, then its redirect.
    pub terms: Vec<SpfTerm>,
    /// No receiver can read it: a term that is none, or several records where one may stand.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) broken: bool,
}

/// One term of a record.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SpfTerm {
    /// As written.
    pub term: String,
    /// Lookups that it costs, with all below it.
    pub lookups: u32,
    /// Networks that it names.
    pub networks: Vec<String>,
    /// The record that it leads to.
    pub record: Option<SpfNode>,
    /// What is to be said of it.
    pub note: Option<String>,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) kind: Kind,
    /// Counts as a lookup itself.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) asks: bool,
    /// That lookup has no answer.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) void: bool,
}

/// How a term takes part in the verdict on an address.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Networks(Qualifier, Vec<IpNet>),
    Include(Qualifier),
    Redirect,
    All(Qualifier),
    /// Depends on the mail, or could not be checked; without a qualifier it could come to any result.
    Open(Option<Qualifier>),
    /// Whoever comes to it answers permerror.
    Broken,
    /// Stands after `all`.
    Ignored,
}

impl SpfTerm {
    /// A term of which nothing is known yet.
    fn open(text: &str, qualifier: Option<Qualifier>) -> Self {
        Self {
            term: text.to_owned(),
            lookups: 0,
            networks: Vec::new(),
            record: None,
            note: None,
            kind: Kind::Open(qualifier),
            asks: false,
            void: false,
        }
    }
}

impl SpfTree {
    /// Returns those of the faults that are about the limits of RFC 7208 section 4.6.4.
    pub fn over_limits(&self) -> Vec<String> {
        over_limits(self.lookups, self.void_lookups)
    }

    /// Returns whether no receiver can read the record of the domain itself.
    pub const fn is_broken(&self) -> bool {
        self.root.broken
    }

    /// Returns the terms of the domain's own record that stand after `all`, which receivers ignore.
    pub fn ignored(&self) -> Vec<&str> {
        let after = self.root.terms.iter().filter(|term| matches!(term.kind, Kind::Ignored));
        after.map(|term| term.term.as_str()).collect()
    }
}

/// Looks up the SPF record of a domain and follows it. `Found` also where its tree has faults.
pub async fn spf(resolver: &Resolver, domain: &str) -> Looked<SpfTree> {
    let text = match record_of(resolver, domain).await.or_none() {
        Ok(Ok(text)) => text,
        Ok(Err(several)) => {
            return Looked::Found(SpfTree {
                lookups: 0,
                void_lookups: 0,
                all: None,
                faults: vec![format!("{} records: {}", several.len(), several.join(" | "))],
                unchecked: Vec::new(),
                root: SpfNode { domain: domain.to_owned(), broken: true, ..SpfNode::default() },
            });
        }
        Err(none) => return none,
    };
    let mut walk = Walk { resolver, lookups: 0, void: 0, faults: Vec::new(), unchecked: Vec::new(), path: Vec::new() };
    let (root, all) = walk.follow(domain.to_owned(), text).await;
    let Walk { lookups, void, mut faults, unchecked, .. } = walk;
    faults.extend(over_limits(lookups, void));
    Looked::Found(SpfTree { lookups, void_lookups: void, all: all.map(Qualifier::word), faults, unchecked, root })
}

fn over_limits(lookups: u32, void: u32) -> Vec<String> {
    let mut over = Vec::new();
    if lookups > LOOKUPS {
        let least = if lookups >= STOP { "at least " } else { "" };
        over.push(format!("{least}{lookups} lookups, {LOOKUPS} are allowed"));
    }
    if void > VOID {
        over.push(format!("{void} lookups without an answer, {VOID} are allowed"));
    }
    over
}

/// The one SPF record of a domain, or all of several.
async fn record_of(resolver: &Resolver, domain: &str) -> Looked<Result<String, Vec<String>>> {
    resolver.txt(domain).await.and_then(|texts| {
        let mut records: Vec<String> = texts.into_iter().filter(|text| SpfRecord::is_one(text)).collect();
        match records.len() {
            0 => None,
            1 => records.pop().map(Ok),
            _ => Some(Err(records)),
        }
    })
}

struct Walk<'a> {
    resolver: &'a Resolver,
    lookups: u32,
    void: u32,
    faults: Vec<String>,
    unchecked: Vec<String>,
    path: Vec<String>,
}

type Following<'f> = Pin<Box<dyn Future<Output = (SpfNode, Option<Qualifier>)> + 'f>>;

impl<'a> Walk<'a> {
    /// Follows one record; gives it with what it says of everything else.
    fn follow<'f>(&'f mut self, domain: String, text: String) -> Following<'f>
    where
        'a: 'f,
    {
        Box::pin(async move {
            let mut node = SpfNode { domain: domain.clone(), record: Some(text.clone()), ..SpfNode::default() };
            let record = match SpfRecord::read(&text) {
                Ok(record) => record,
                Err(fault) => {
                    self.faults.push(format!("{domain}: {fault}"));
                    node.broken = true;
                    return (node, None);
                }
            };
            self.path.push(domain.clone());
            // Section 5.1: what stands after `all` is never looked at, so that it costs nothing.
            let end = record.directives.iter().position(|one| one.mechanism == Mechanism::All).map(|at| at + 1);
            let (before_all, after) = record.directives.split_at(end.unwrap_or(record.directives.len()));
            for directive in before_all {
                let before = self.lookups;
                let mut term = self.term(&domain, directive).await;
                term.lookups = self.lookups - before;
                node.terms.push(term);
            }
            node.terms.extend(after.iter().map(|directive| SpfTerm {
                kind: Kind::Ignored,
                note: Some("stands after `all`: receivers ignore it (RFC 7208 section 5.1)".to_owned()),
                ..SpfTerm::open(&directive.text, None)
            }));
            let mut all = record.all();
            if let (None, Some(target)) = (all, &record.redirect) {
                let before = self.lookups;
                let term = SpfTerm::open(&format!("redirect={target}"), None);
                let (mut term, below) = self.below(term, target, Kind::Redirect).await;
                term.lookups = self.lookups - before;
                all = below;
                node.terms.push(term);
            }
            self.path.pop();
            (node, all)
        })
    }

    async fn term(&mut self, domain: &str, directive: &Directive) -> SpfTerm {
        let qualifier = directive.qualifier;
        let mut term = SpfTerm::open(&directive.text, Some(qualifier));
        match &directive.mechanism {
            Mechanism::All => term.kind = Kind::All(qualifier),
            Mechanism::Network(network) => {
                term.networks.push(network.to_string());
                term.kind = Kind::Networks(qualifier, vec![*network]);
            }
            Mechanism::Include(target) => {
                return self.below(term, target, Kind::Include(qualifier)).await.0;
            }
            Mechanism::A(host, v4, v6) => {
                let host = host.as_deref().unwrap_or(domain);
                if self.costs(host, &mut term) {
                    let addresses = self.resolver.addresses(host).await;
                    self.named(addresses, host, (*v4, *v6), qualifier, &mut term);
                }
            }
            Mechanism::Mx(host, v4, v6) => {
                let host = host.as_deref().unwrap_or(domain);
                if self.costs(host, &mut term) {
                    let (addresses, hosts) = self.exchangers(host).await;
                    self.named(addresses, host, (*v4, *v6), qualifier, &mut term);
                    if hosts > HOSTS {
                        self.faults.push(format!("`{}` has {hosts} hosts, {HOSTS} are allowed", term.term));
                        term.kind = Kind::Broken;
                    }
                }
            }
            Mechanism::Ptr(host) => {
                if self.costs(host.as_deref().unwrap_or(domain), &mut term) {
                    term.note = Some("depends on the sending address; RFC 7208 section 5.5 advises against ptr".into());
                }
            }
            Mechanism::Exists(host) => {
                if self.costs(host, &mut term) {
                    match self.resolver.v4(host).await {
                        Looked::Found(_) => term.kind = Kind::All(qualifier),
                        Looked::Absent(_) => {
                            self.has_no_answer(&mut term);
                            term.kind = Kind::Networks(qualifier, Vec::new());
                        }
                        Looked::Unchecked(why) => self.unchecked.push(format!("{host}: {why}")),
                    }
                }
            }
        }
        term
    }

    /// Counts a lookup; false where there is nothing to ask: a macro, or a tree without end.
    fn costs(&mut self, host: &str, term: &mut SpfTerm) -> bool {
        self.lookups += 1;
        term.asks = true;
        if host.contains('%') {
            term.note = Some("a macro: depends on the mail".to_owned());
            return false;
        }
        if self.lookups > STOP {
            term.note = Some("not followed: far too many lookups already".to_owned());
            return false;
        }
        true
    }

    fn has_no_answer(&mut self, term: &mut SpfTerm) {
        self.void += 1;
        term.void = true;
    }

    /// Takes addresses as networks of a term.
    fn named(
        &mut self,
        addresses: Looked<Vec<IpAddr>>,
        host: &str,
        (v4, v6): (u8, u8),
        qualifier: Qualifier,
        term: &mut SpfTerm,
    ) {
        let addresses = match addresses {
            Looked::Found(addresses) => addresses,
            Looked::Absent(absence) => {
                self.has_no_answer(term);
                term.note = Some(format!("{host}: {}", absence.words()));
                Vec::new()
            }
            Looked::Unchecked(why) => {
                self.unchecked.push(format!("{host}: {why}"));
                term.note = Some(why);
                return;
            }
        };
        let network = |ip: IpAddr| IpNet::new(ip, if ip.is_ipv4() { v4 } else { v6 }).ok().map(|net| net.trunc());
        let networks: Vec<IpNet> = addresses.into_iter().filter_map(network).collect();
        term.networks = networks.iter().map(ToString::to_string).collect();
        term.kind = Kind::Networks(qualifier, networks);
    }

    /// The addresses of mail exchangers, and how many hosts those are.
    async fn exchangers(&self, host: &str) -> (Looked<Vec<IpAddr>>, usize) {
        let hosts = match self.resolver.mx(host).await.or_none() {
            Ok(hosts) => hosts,
            Err(none) => return (none, 0),
        };
        let asked = hosts.iter().take(HOSTS).filter(|(_, name)| !name.is_empty());
        let answers = futures::future::join_all(asked.map(|(_, name)| self.resolver.addresses(name))).await;
        let mut addresses = Vec::new();
        for answer in answers {
            match answer {
                Looked::Found(some) => addresses.extend(some),
                Looked::Absent(_) => {}
                Looked::Unchecked(why) => return (Looked::Unchecked(why), hosts.len()),
            }
        }
        let found = if addresses.is_empty() { Looked::Absent(Absence::NoData) } else { Looked::Found(addresses) };
        (found, hosts.len())
    }

    /// Follows an include or redirect.
    async fn below(&mut self, mut term: SpfTerm, target: &str, kind: Kind) -> (SpfTerm, Option<Qualifier>) {
        if !self.costs(target, &mut term) {
            return (term, None);
        }
        let target = crate::parse::domain_name(target).into_owned();
        if self.path.contains(&target) {
            self.faults.push(format!("{target} includes itself"));
            term.note = Some("a circle".to_owned());
            term.kind = Kind::Broken;
            return (term, None);
        }
        match record_of(self.resolver, &target).await {
            Looked::Found(Ok(record)) => {
                term.kind = kind;
                let (below, all) = self.follow(target, record).await;
                term.record = Some(below);
                return (term, all);
            }
            Looked::Found(Err(several)) => {
                self.faults.push(format!("{target} has {} SPF records", several.len()));
                term.kind = Kind::Broken;
            }
            // RFC 7208 section 5.2: an include of nothing is a permerror.
            Looked::Absent(absence) => {
                self.has_no_answer(&mut term);
                term.kind = Kind::Broken;
                self.faults.push(format!("{target} has no SPF record: {}", absence.words()));
                term.note = Some(absence.words().to_owned());
            }
            Looked::Unchecked(why) => {
                self.unchecked.push(format!("{target}: {why}"));
                term.note = Some(why);
            }
        }
        (term, None)
    }
}
