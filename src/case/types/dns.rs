//! What DNS says: part 6.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Part 6: DNS and identity, from the checks in the store.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct DnsPart {
    /// The newest finding of each check.
    pub findings: Vec<FindingRow>,
    /// What a person saw on the vendor's page.
    pub lookups: Vec<LookupRow>,
    /// HELO as stated.
    pub helo: Option<String>,
    /// The statement behind the findings.
    pub sql: String,
}

/// One check.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct FindingRow {
    /// dns or blocklist.
    pub kind: String,
    /// Domain or address.
    pub subject: String,
    /// The check.
    pub name: String,
    /// ok, defect, could-not-check, or not-checked where the store has no finding.
    pub state: String,
    /// notice, warn or high, for a defect.
    pub severity: Option<String>,
    /// The gap that a defect shows.
    pub gap: Option<String>,
    /// What to do about a defect.
    pub remedy: Option<String>,
    /// The raw answer.
    pub detail: Option<String>,
    /// When.
    pub found_at: Option<DateTime<Utc>>,
}

/// A look at a vendor's page.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LookupRow {
    /// The gateway.
    pub gateway: String,
    /// What the page said.
    pub result: String,
    /// When, in UTC where the facts say the zone.
    pub checked_at: String,
    /// It named the address as listed; null where its words do not say.
    pub listed: Option<bool>,
}
