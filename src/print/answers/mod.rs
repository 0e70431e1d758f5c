//! How each answer is laid out for people: one file an answer.

mod approve;
mod check;
mod delivery;
mod enrich;
mod fetch;
mod gaps;
mod import;
mod inspect;
mod rates;
mod report;
mod senders;
mod simulate;
mod status;
mod trend;

use crate::query::Span;
use crate::words::counted;

/// The line that says which days an answer covers.
pub(super) fn days(span: Span) -> String {
    if span.since == span.until { format!("{}", span.since) } else { format!("{} to {}", span.since, span.until) }
}
