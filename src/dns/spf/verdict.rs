//! What a receiver answers for an address, from the tree of the SPF record that it asks.

use std::net::IpAddr;

use super::parse::Qualifier;
use super::tree::{Kind, LOOKUPS, SpfNode, SpfTerm, SpfTree, VOID};

/// What a record says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfResult {
    /// It may send.
    Pass,
    /// It may not.
    Fail,
    /// It may not, mildly.
    SoftFail,
    /// Nothing is said.
    Neutral,
    /// There is no record.
    None,
    /// The record, or the part of it that speaks of the address, is at fault.
    PermError,
    /// Depends on the mail, or a part could not be checked.
    Open,
}

impl Qualifier {
    const fn result(self) -> SpfResult {
        match self {
            Self::Pass => SpfResult::Pass,
            Self::Fail => SpfResult::Fail,
            Self::SoftFail => SpfResult::SoftFail,
            Self::Neutral => SpfResult::Neutral,
        }
    }

    /// Returns the word of its result.
    pub const fn word(self) -> &'static str {
        self.result().word()
    }
}

impl SpfResult {
    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::PermError => "permerror",
            Self::Open => "could not check",
        }
    }
}

impl SpfTree {
    /// Returns what a receiver answers for an address: it takes the terms in order, and stops at the first that matches, at
    /// a fault, or where the limits of RFC 7208 section 4.6.4 are passed.
    pub fn of(&self, ip: IpAddr) -> SpfResult {
        verdict(&self.root, ip, &mut Cost::default())
    }
}

/// Lookups that a receiver has made on its way through the tree.
#[derive(Default)]
struct Cost {
    lookups: u32,
    void: u32,
}

fn verdict(node: &SpfNode, ip: IpAddr, cost: &mut Cost) -> SpfResult {
    // Section 4.6: a term that is none is a permerror wherever it stands. Section 4.5: so are several records.
    if node.broken {
        return SpfResult::PermError;
    }
    if node.record.is_none() {
        return SpfResult::None;
    }
    // What the terms that stayed open come to where they match.
    let mut open: Vec<SpfResult> = Vec::new();
    let mut found = SpfResult::Neutral;
    for term in &node.terms {
        match step(term, ip, cost) {
            Step::On => continue,
            Step::Perhaps(result) => open.push(result),
            Step::Ends(result) => {
                found = result;
                break;
            }
        }
    }
    // One that stayed open may have matched first: the result is known where it would have been the same.
    if open.iter().all(|other| *other == found) { found } else { SpfResult::Open }
}

/// What a receiver does after a term.
enum Step {
    /// It did not match: the next one.
    On,
    /// It may have matched, with this result.
    Perhaps(SpfResult),
    /// It is done.
    Ends(SpfResult),
}

fn step(term: &SpfTerm, ip: IpAddr, cost: &mut Cost) -> Step {
    cost.lookups += u32::from(term.asks);
    cost.void += u32::from(term.void);
    if cost.lookups > LOOKUPS || cost.void > VOID {
        return Step::Ends(SpfResult::PermError);
    }
    let below = |cost: &mut Cost| term.record.as_ref().map_or(SpfResult::None, |below| verdict(below, ip, cost));
    match &term.kind {
        Kind::Networks(qualifier, networks) if networks.iter().any(|network| network.contains(&ip)) => {
            Step::Ends(qualifier.result())
        }
        Kind::Networks(..) | Kind::Ignored => Step::On,
        // Section 5.2: what the included record says counts as a match or none; its faults are this record's.
        Kind::Include(qualifier) => match below(cost) {
            SpfResult::Pass => Step::Ends(qualifier.result()),
            SpfResult::Open => Step::Perhaps(qualifier.result()),
            SpfResult::PermError | SpfResult::None => Step::Ends(SpfResult::PermError),
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => Step::On,
        },
        // Section 6.1: a redirect to nothing is a permerror.
        Kind::Redirect => Step::Ends(match below(cost) {
            SpfResult::None => SpfResult::PermError,
            result => result,
        }),
        Kind::All(qualifier) => Step::Ends(qualifier.result()),
        Kind::Open(Some(qualifier)) => Step::Perhaps(qualifier.result()),
        Kind::Open(None) => Step::Ends(SpfResult::Open),
        Kind::Broken => Step::Ends(SpfResult::PermError),
    }
}
