//! Live DNS: names in, answers of three values out. Nothing here knows the store.
//!
//! [`Resolver`] asks; everything else judges what it says. A question that got no answer is never taken for a "no":
//! [`Looked::Unchecked`] carries the reason all the way to the page.

mod address;
mod blocklist;
mod dkim;
mod dmarc;
mod resolver;
mod spf;
mod tags;

pub use address::{Reverse, leads_to, reverse};
pub use blocklist::{Listing, Zone, ZoneKind, zones};
pub use dkim::{DkimKey, key};
pub use dmarc::{AtName, Destination, Discovery, DmarcRecord, destination, discover, published};
pub use resolver::{Resolver, ResolverError};
pub use spf::{Directive, Mechanism, Qualifier, SpfNode, SpfRecord, SpfResult, SpfTerm, SpfTree, spf};

/// What a lookup gave: yes, no, or could not check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked<T> {
    /// There is something, and this is it.
    Found(T),
    /// There is nothing, as the name servers themselves say.
    Absent(Absence),
    /// Nobody could say, and why: a timeout, SERVFAIL, no network.
    Unchecked(String),
}

/// Why there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The name exists, without records of this type.
    NoData,
}

impl Absence {
    /// Returns the absence in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoName => "no such name (NXDOMAIN)",
            Self::NoData => "no record of this type",
        }
    }
}

impl<T> Looked<T> {
    /// Returns what was found.
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Absent(_) | Self::Unchecked(_) => None,
        }
    }

    /// Returns why nobody could say.
    pub fn unchecked(&self) -> Option<&str> {
        match self {
            Self::Unchecked(why) => Some(why),
            Self::Found(_) | Self::Absent(_) => None,
        }
    }

    /// Returns what was found, or else the same answer to a question for something else.
    pub fn or_none<U>(self) -> Result<T, Looked<U>> {
        match self {
            Self::Found(value) => Ok(value),
            Self::Absent(absence) => Err(Looked::Absent(absence)),
            Self::Unchecked(why) => Err(Looked::Unchecked(why)),
        }
    }

    /// Changes what was found, or takes it for absent where nothing is left of it.
    pub fn and_then<U>(self, change: impl FnOnce(T) -> Option<U>) -> Looked<U> {
        match self.or_none() {
            Ok(value) => change(value).map_or(Looked::Absent(Absence::NoData), Looked::Found),
            Err(none) => none,
        }
    }
}
