//! XML of one document → [`Report`], with warnings. The only code that knows the XML.

mod decode;
mod document;
mod draft;
mod fields;
mod keys;
mod memo;
mod namespaces;
mod notes;
mod org_domain;
mod reader;
mod record;
mod report;
mod tags;
mod trailer;
mod values;
mod window;
mod words;

pub use org_domain::{domain_name, has_labels, is_domain, org_domain, suffix_list};
pub use reader::{Reader, ReaderLimits, Reading, Rejection};
pub use report::{DkimResult, Metadata, Policy, Reason, Record, Report, Results, SchemaVariant, SpfResult, Warning};
pub use words::{Alignment, AuthResult, Disposition, PolicyWord};
