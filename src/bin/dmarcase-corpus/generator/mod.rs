//! What the corpus program writes: report corpora with their truth, the sample story, a clean domain, a labelled year.

pub(crate) mod clean;
pub(crate) mod corpus;
mod delivery;
mod large;
pub(crate) mod log;
mod mail;
mod pack;
mod report;
mod reporters;
mod rng;
pub(crate) mod story;
pub(crate) mod year;

pub(crate) use large::one_large;
