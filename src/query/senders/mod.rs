//! Who sends as you: one row a sender, with its status, its class and the evidence for both.

mod approval;
mod sums;

use chrono::NaiveDate;
use duckdb::Connection;
use rustc_hash::FxHashSet;
use schemars::JsonSchema;
use serde::Serialize;

use super::flow::{self, Mail};
use super::{QueryError, Scope, share};
use crate::senders::Class;
pub use approval::{NamedSender, TakenOver, named_sender, remember_senders, taken_over};
pub(super) use sums::{Sums, sums};

/// The senders of a period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Senders {
    /// First report day.
    pub since: NaiveDate,
    /// Last report day, inclusive.
    pub until: NaiveDate,
    /// Most messages first; where only unknown ones were asked for, most failing messages first.
    pub rows: Vec<SenderRow>,
    /// All unknown senders of the period together, whether shown or not.
    pub unknown: Unknown,
}

/// One sender.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SenderRow {
    /// Its name: of the config, of the catalogue, the domain that evidence names, or the source itself.
    pub sender: String,
    /// approved, recognised or unknown.
    pub status: String,
    /// own, service, misaligned-service, broken-own, forwarding, mailing-list, spoofing or undetermined.
    pub class: Class,
    /// What names it.
    pub evidence: String,
    /// Distinct sources.
    pub sources: u64,
    /// Messages.
    pub messages: u64,
    /// `messages` over all messages of the period.
    pub share: Option<f64>,
    /// Messages that pass DMARC.
    pub dmarc_pass: u64,
    /// `dmarc_pass` over `messages`.
    pub pass_rate: Option<f64>,
    /// Messages that are DKIM aligned.
    pub dkim_aligned: u64,
    /// Messages that are SPF aligned.
    pub spf_aligned: u64,
    /// First report day in the period.
    pub first_day: Option<NaiveDate>,
    /// Last report day in the period.
    pub last_day: Option<NaiveDate>,
    /// From domains that it uses.
    pub header_from: Vec<String>,
    /// Who answers for it, by the config.
    pub owner: Option<String>,
    /// The public service behind it.
    pub service: Option<String>,
    /// The kind of that service.
    pub category: Option<String>,
    /// Why it has its class.
    pub because: String,
    /// Messages with a passing DKIM result, aligned or not.
    pub dkim_raw_pass: u64,
    /// Messages with a passing SPF result, aligned or not.
    pub spf_raw_pass: u64,
    /// Messages for which the receiver gave a reason, or did less than the policy asks.
    pub overridden: u64,
    /// `overridden` over `messages`.
    pub override_share: Option<f64>,
    /// Messages that were quarantined.
    pub quarantined: u64,
    /// Messages that were rejected.
    pub rejected: u64,
    /// No report of an earlier day shows it. False where the store holds no earlier day.
    pub new_in_period: bool,
}

/// Unknown senders together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Unknown {
    /// How many; a source that nothing names counts as one.
    pub senders: u64,
    /// Their messages.
    pub messages: u64,
    /// Their share of all messages.
    pub share: Option<f64>,
}

/// Answers who sends. `unknown_only` leaves out approved and recognised senders; `limit` keeps the first rows.
///
/// # Errors
/// The store cannot be asked.
pub fn senders(
    connection: &Connection,
    scope: &Scope,
    unknown_only: bool,
    limit: Option<usize>,
) -> Result<Senders, QueryError> {
    Mail::of(connection, scope)?.senders(unknown_only, limit)
}

impl Mail<'_> {
    /// Answers who sends, as [`senders`] does.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn senders(self, unknown_only: bool, limit: Option<usize>) -> Result<Senders, QueryError> {
        let Self { connection, scope, senders: sums } = self;
        let total: u64 = sums.iter().map(|one| one.shape.messages).sum();
        let before = earlier(connection, scope)?;
        let of_unknown = || sums.iter().filter(|one| one.status == "unknown");
        let messages = of_unknown().map(|one| one.shape.messages).sum();
        let unknown = Unknown { senders: of_unknown().count() as u64, messages, share: share(messages, total) };
        let mut rows: Vec<SenderRow> = sums
            .into_iter()
            .filter(|one| !unknown_only || one.status == "unknown")
            .map(|one| {
                let new = before.as_ref().is_some_and(|known| !known.contains(&one.key));
                row(one, total, new)
            })
            .collect();
        if unknown_only {
            rows.sort_by_key(|row| std::cmp::Reverse(row.messages - row.dmarc_pass));
        }
        rows.truncate(limit.unwrap_or(usize::MAX));
        Ok(Senders { since: scope.span.since, until: scope.span.until, rows, unknown })
    }
}

fn row(one: Sums, total: u64, new_in_period: bool) -> SenderRow {
    let Sums { shape, .. } = one;
    SenderRow {
        sender: one.name,
        status: one.status,
        class: one.class,
        evidence: one.evidence,
        sources: shape.sources,
        messages: shape.messages,
        share: share(shape.messages, total),
        dmarc_pass: shape.dmarc_pass,
        pass_rate: share(shape.dmarc_pass, shape.messages),
        dkim_aligned: one.dkim_aligned,
        spf_aligned: shape.spf_aligned,
        first_day: one.first_day,
        last_day: one.last_day,
        header_from: one.header_from,
        owner: one.owner,
        service: one.service,
        category: shape.category,
        because: one.because,
        dkim_raw_pass: one.dkim_raw_pass,
        spf_raw_pass: one.spf_raw_pass,
        overridden: one.overridden,
        override_share: share(one.overridden, shape.messages),
        quarantined: one.quarantined,
        rejected: one.rejected,
        new_in_period,
    }
}

/// The senders that days before the scope show; `None` where the store holds no such days, since then all would be new.
fn earlier(connection: &Connection, scope: &Scope) -> Result<Option<FxHashSet<i64>>, QueryError> {
    let Some(since) = scope.since else { return Ok(None) };
    let before = Scope { since: None, until: since.pred_opt(), ..scope.clone() };
    let any: bool = connection.query_row(
        &format!("SELECT count(*) > 0 FROM report p WHERE {}", before.of_reports("p.")),
        [],
        |row| row.get(0),
    )?;
    if !any {
        return Ok(None);
    }
    // In place of the flow of the scope, which has been summed.
    flow::flow(connection, &before)?;
    let mut statement = connection.prepare("SELECT DISTINCT sender_key FROM flow_source")?;
    let known = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(known))
}
