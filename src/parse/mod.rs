//! XML of one document → [`Report`], with warnings. The only code that knows the XML.

mod keys;
mod org_domain;
mod reader;
mod report;
mod words;

pub use org_domain::{domain_name, org_domain, suffix_list_date};
pub use reader::{Reader, ReaderLimits, Reading, Rejection};
pub use report::{DkimResult, Metadata, Policy, Reason, Record, Report, Results, SchemaVariant, SpfResult, Warning};
pub use words::{Alignment, AuthResult, Disposition, PolicyWord};
