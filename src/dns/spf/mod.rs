//! SPF: the record of a domain, its whole tree, what it costs, and what it says of an address.

mod parse;
mod tree;
mod verdict;

pub use parse::{Directive, Mechanism, Qualifier, SpfRecord};
pub use tree::{SpfNode, SpfTerm, SpfTree, spf};
pub use verdict::SpfResult;
