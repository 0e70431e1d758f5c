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

/// The line that says which days an answer covers.
pub(super) fn days(span: Span) -> String {
    if span.since == span.until { format!("{}", span.since) } else { format!("{} to {}", span.since, span.until) }
}

/// Returns a counted noun: 1 report, 2 reports.
pub(super) fn counted(number: u64, one: &str) -> String {
    let noun = if number == 1 { one.to_owned() } else { format!("{one}s") };
    format!("{} {noun}", super::count(number))
}
