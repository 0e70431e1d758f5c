//! Who is behind each source: the operator's rules and the bundled catalogue against the evidence of the reports.

mod approval;
mod attribute;
mod catalogue;
mod class;
mod clue;
mod networks;
mod numbering;
mod results;
mod rules;
mod store;

pub use approval::{hold_evidence, hold_service, nearest_service};
pub use attribute::{Attribution, MailFrom, Named, Signature, SourceFacts, StreamFacts, Verdict, score};
pub use catalogue::{Catalogue, CatalogueError, Confidence, Fact};
pub use class::{Around, Class, Shape, class};
pub use clue::Clue;
pub use networks::{Networks, bounds};
pub use rules::Rules;
pub use store::{AttributeError, Attributed, attribute, forget, is_current, on_trial};

/// Yields a domain name and every name above it: `a.b.example`, `b.example`, `example`.
pub(crate) fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |rest| rest.split_once('.').map(|(_, above)| above))
}
