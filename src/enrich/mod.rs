//! `enrich`: what can be known of a source beyond the reports: its host name, confirmed forwards, and its network.
//!
//! Opt-in and bounded. [`waiting`] reads which sources lack it, heaviest first; [`names`] asks DNS; [`Databases`] reads
//! networks and countries from files of the operator; [`keep`] writes one batch. Between batches nobody holds the store.

mod database;
mod names;
mod store;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

pub use database::{DatabaseError, Databases, Place};
pub use names::{Named, names};
pub use store::{attributed_by_name, keep, sources, waiting};

/// A source that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number in the store.
    pub source: u32,
    /// The address.
    pub ip: IpAddr,
    /// Its host name is not known yet, or too old.
    pub wants_name: bool,
}

/// What was found of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enriched {
    /// Its number in the store.
    pub source: u32,
    /// What DNS says of its name; `None` where it was not asked.
    pub named: Option<Named>,
    /// What the databases say; `None` where there are none, or they do not know it.
    pub place: Option<Place>,
}

/// What `enrich` did.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct EnrichAnswer {
    /// Sources in the store.
    pub sources: u64,
    /// Sources looked at in this run, heaviest first.
    pub looked_at: u64,
    /// Sources that are still waiting: beyond the limit, or could not be checked.
    pub waiting: u64,
    /// Host name found, and confirmed by its forward lookup.
    pub confirmed: u64,
    /// Host name found that does not resolve back to the address.
    pub unconfirmed: u64,
    /// No host name, as the name servers say.
    pub without_name: u64,
    /// Could not be checked; they keep what was known, and are asked again by the next run.
    pub could_not_check: u64,
    /// Why, of the first of them.
    pub why: Option<String>,
    /// Network or country found in a database.
    pub located: u64,
    /// Sources of a host name that a rule or the catalogue names now, or did.
    pub attributed: u64,
    /// Name servers asked; null where none was.
    pub name_servers: Option<String>,
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub seconds: f64,
}
