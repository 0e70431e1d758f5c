//! Questions to the store. Each answer is one typed value; nothing here formats.

mod export;
mod flow;
mod gaps;
mod ledger_entry;
mod policy;
mod quote;
mod rates;
mod report;
mod scope;
mod senders;
mod simulate;
mod sql;
mod status;
mod tenant;
mod trend;

pub use export::export;
pub use flow::Mail;
pub use gaps::{DEFINITIONS, Definition, Expected, GapRow, Gaps, definition, gaps};
pub use ledger_entry::{LedgerEntry, ledger_entry};
pub(crate) use quote::{begin_of, quoted, quoted_name};
pub use rates::{RateBy, RateRow, Rates, Totals, rates};
pub use report::{ReportView, report};
pub use scope::{DayArg, DayArgs, Days, PeriodArgs, QueryError, Scope, Span, Undated, date};
pub use senders::{
    NamedSender, SenderRow, Senders, TakenOver, Unknown, named_sender, remember_senders, senders, taken_over,
};
pub use simulate::{
    AskedPolicy, Effect, Judged, ReadinessWeek, SimulatedDomain, SimulatedSender, Simulation, simulate,
};
pub use sql::{Files, Rows, SqlError, lock_down, sql, sql_to_parquet};
pub use status::{Status, status};
pub use tenant::{NARROWED, narrow};
pub use trend::{Backdrop, Change, ChangeKind, Day, Departure, Trend, TrendRow, episodes, failing, trend, volume};

/// Divides messages by messages; `None` where there are none, since a share of nothing is no share.
pub fn share(part: u64, whole: u64) -> Option<f64> {
    // Six digits tell one message in a million, and spare programs the noise of binary fractions. What is not all is never 1, and
    // what is not nothing never 0.
    let rounded = |of: f64| (of * 1e6).round() / 1e6;
    (whole > 0).then(|| match rounded(part as f64 / whole as f64) {
        1.0 if part < whole => 0.999_999,
        0.0 if part > 0 => 0.000_001,
        share => share,
    })
}
