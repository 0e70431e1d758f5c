//! What the other side could raise: part 8.

use schemars::JsonSchema;
use serde::Serialize;

/// Part 8: what the other side could raise.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WeakPoint {
    /// Id: `G…` of the gaps, `C…` of the case.
    pub id: String,
    /// Name.
    pub name: String,
    /// notice, warn or high.
    pub severity: crate::severity::Severity,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
}
