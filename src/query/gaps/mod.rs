//! The gaps: what in the data weakens a reputation case, worst first, each with its evidence and its remedy.
//!
//! One scan makes `flow`; every gap about mail is summed from it. A gap has one row a policy domain.

mod definitions;
mod dns;
mod mail;
mod names;
mod policy;
mod reports;
mod results;
mod senders;

use chrono::NaiveDate;
use duckdb::Connection;
use schemars::JsonSchema;
use serde::Serialize;

use self::names::Names;
use super::flow::Mail;
use super::policy::policies;
use super::senders::Sums;
use super::{QueryError, Scope, share};
use crate::config::{DomainRule, GapsConfig};
use crate::severity::Severity;
pub use definitions::{DEFINITIONS, Definition, definition};

/// The gaps of a period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Gaps {
    /// First report day.
    pub since: NaiveDate,
    /// Last report day, inclusive.
    pub until: NaiveDate,
    /// Worst first.
    pub rows: Vec<GapRow>,
}

/// One gap of one policy domain.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GapRow {
    /// Id, `G01` to `G22`.
    pub gap: &'static str,
    /// Name.
    pub name: &'static str,
    /// The policy domain.
    pub domain: String,
    /// notice, warn or high.
    pub severity: Severity,
    /// Messages behind it; 0 where it is about a policy or a reporter.
    pub messages: u64,
    /// `messages` over the domain's messages.
    pub share: Option<f64>,
    /// What was seen, in words.
    pub evidence: String,
    /// What to do, in one sentence.
    pub remedy: &'static str,
    /// Senders behind it, most messages first, at most five.
    pub senders: Vec<String>,
}

/// What the operator expects, for the gaps that depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `[[domain]]`.
    pub domains: &'a [DomainRule],
    /// `[gaps]`.
    pub gaps: &'a GapsConfig,
}

/// A gap that was found, before its definition and shares are added.
#[derive(Debug)]
struct Finding {
    gap: &'static str,
    domain: String,
    severity: Severity,
    messages: u64,
    evidence: String,
    senders: Vec<String>,
}

impl Finding {
    fn new(gap: &'static str, domain: impl Into<String>, severity: Severity, evidence: String) -> Self {
        Self { gap, domain: domain.into(), severity, messages: 0, evidence, senders: Vec::new() }
    }
}

/// Finds the gaps of a scope.
///
/// # Errors
/// The store cannot be asked.
pub fn gaps(connection: &Connection, scope: &Scope, expected: Expected<'_>) -> Result<Gaps, QueryError> {
    Mail::of(connection, scope)?.gaps(expected)
}

impl Mail<'_> {
    /// Returns the senders that no gap is about though nobody approved them: own, forwarded and list mail.
    pub fn no_approval(&self) -> Vec<String> {
        let needless = |one: &&Sums| one.status != "approved" && !senders::is_unapproved(one);
        self.senders.iter().filter(needless).map(|one| one.name.clone()).collect()
    }

    /// Finds the gaps, as [`gaps`] does.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn gaps(&self, expected: Expected<'_>) -> Result<Gaps, QueryError> {
        let Self { connection, scope, senders } = self;
        let names = Names::read(connection, senders)?;
        let policies = policies(connection, scope)?;
        let mut found = policy::findings(&policies, expected.domains);
        found.extend(policy::flapping(connection, scope, expected)?);
        found.extend(mail::findings(connection, scope, &names, &policies)?);
        found.extend(results::findings(connection, scope, &names, &policies)?);
        found.extend(reports::findings(connection, scope, expected)?);
        found.extend(senders::findings(connection, &names, senders, expected.gaps)?);
        dns::add(connection, scope, &mut found)?;
        let mut rows: Vec<GapRow> = found.into_iter().filter_map(|finding| row(finding, &names)).collect();
        rows.sort_by(|a, b| {
            let key = |row: &GapRow| (std::cmp::Reverse(row.severity), std::cmp::Reverse(row.messages), row.gap);
            key(a).cmp(&key(b)).then_with(|| a.domain.cmp(&b.domain))
        });
        Ok(Gaps { since: scope.span.since, until: scope.span.until, rows })
    }
}

fn row(finding: Finding, names: &Names) -> Option<GapRow> {
    let definition = definition(finding.gap)?;
    Some(GapRow {
        gap: definition.gap,
        name: definition.name,
        severity: finding.severity,
        messages: finding.messages,
        share: share(finding.messages, names.messages_of(&finding.domain)),
        evidence: finding.evidence,
        remedy: definition.remedy,
        senders: finding.senders,
        domain: finding.domain,
    })
}

/// Joins the first few of a list, and says how many more there are.
fn some<S: AsRef<str>>(items: &[S], most: usize) -> String {
    let first: Vec<&str> = items.iter().take(most).map(AsRef::as_ref).collect();
    let more = items.len().saturating_sub(first.len());
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}
