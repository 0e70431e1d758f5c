//! What the operator says: the request (part 1), actions and consent (part 9).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Part 1: the request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Request {
    /// Subject line.
    pub subject: String,
    /// Gateway id.
    pub gateway: String,
    /// Its name.
    pub gateway_name: String,
    /// Sender domain.
    pub domain: String,
    /// Sending addresses.
    pub ips: Vec<String>,
    /// Who says so.
    pub ips_from: IpsFrom,
    /// Account at the platform; null where not stated.
    pub account: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// dedicated or shared.
    pub ip_kind: Option<String>,
    /// HELO name.
    pub helo: Option<String>,
    /// Campaigns affected.
    pub campaigns: Vec<String>,
    /// Who answers questions.
    pub contact: Option<String>,
    /// First reputation deferral, UTC.
    pub first_observed: Option<DateTime<Utc>>,
    /// What is asked.
    pub ask: String,
}

/// Who names the sending addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpsFrom {
    /// The operator.
    Facts,
    /// Logs and responses.
    Logs,
}

/// Part 9: actions and consent.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct ActionsPart {
    /// What was done.
    pub actions: Vec<DatedAction>,
    /// Where addresses come from; null where not stated.
    pub consent_source: Option<String>,
    /// How they are confirmed.
    pub confirmation: Option<String>,
    /// How soon suppression works.
    pub suppression_delay: Option<String>,
    /// What happens with complaints.
    pub complaints: Option<String>,
    /// When the signup form was seen to work.
    pub signup_form_checked_at: Option<String>,
}

/// One action.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DatedAction {
    /// When.
    pub date: String,
    /// What.
    pub what: String,
}
