//! What the delivery logs say: the SMTP evidence (part 2), outcomes (part 3), message samples (part 4).

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{DeliverySummary, Outcomes};

/// Part 2: the SMTP evidence.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct SmtpPart {
    /// Reputation deferrals.
    pub deferrals: u64,
    /// First one, UTC.
    pub first_at: Option<DateTime<Utc>>,
    /// Last one, UTC.
    pub last_at: Option<DateTime<Utc>>,
    /// Responses that are the gateway's reputation answer, most frequent first.
    pub responses: Vec<ResponseRow>,
    /// Other deferrals of the same mail: not reputation.
    pub other_responses: Vec<ResponseRow>,
    /// Domains of the envelope sender.
    pub envelope_from: Vec<String>,
    /// Lines where the queue put the mail off without trying.
    pub suspended: u64,
    /// Attempts of the case whose log does not say the sending address.
    pub unknown_source: u64,
    /// The statement behind the rows.
    pub sql: String,
}

/// One response.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ResponseRow {
    /// The first one of its shape, verbatim (addresses of recipients masked).
    pub response: String,
    /// Its shape.
    pub shape: String,
    /// SMTP code.
    pub smtp_code: Option<u16>,
    /// Enhanced code.
    pub enhanced_code: Option<String>,
    /// Where in the conversation.
    pub stage: Option<String>,
    /// Attempts answered so.
    pub attempts: u64,
    /// Recipients answered so.
    pub recipients: u64,
    /// Recipient domains.
    pub recipient_domains: u64,
    /// First time, UTC.
    pub first_at: DateTime<Utc>,
    /// Last time, UTC.
    pub last_at: DateTime<Utc>,
}

/// Part 3: outcomes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OutcomePart {
    /// Behind the gateway, of the case's addresses.
    pub totals: Outcomes,
    /// The same mail by gateway: one gateway only, or general?
    pub gateways: Option<DeliverySummary>,
    /// Retries and delays.
    pub retries: Retries,
    /// Day by day.
    pub days: Vec<DayRow>,
}

/// Retries of the affected message and recipient pairs.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Retries {
    /// Pairs with at least one reputation deferral.
    pub pairs: u64,
    /// Real attempts of a pair: fewest.
    pub attempts_min: Option<u64>,
    /// Half of the pairs had so many or more.
    pub attempts_median: Option<u64>,
    /// Most.
    pub attempts_max: Option<u64>,
    /// Of those pairs, delivered later.
    pub delivered_late: u64,
    /// Of those, given up.
    pub expired: u64,
    /// Of those, refused for good.
    pub bounced: u64,
    /// Of those, without an end yet.
    pub pending: u64,
    /// Recipient domains of the pairs.
    pub recipient_domains: u64,
    /// Delay of those delivered late, seconds: shortest, median, longest.
    pub delay_min_s: Option<u64>,
    /// Median.
    pub delay_median_s: Option<u64>,
    /// Longest.
    pub delay_max_s: Option<u64>,
}

/// One day of the case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DayRow {
    /// UTC day of the first attempt.
    pub day: NaiveDate,
    /// Reputation deferrals of the pairs of that day.
    pub reputation_deferrals: u64,
    /// Pairs delivered at once.
    pub delivered_first: u64,
    /// Pairs delivered late.
    pub delivered_late: u64,
    /// Pairs expired.
    pub expired: u64,
    /// Pairs bounced.
    pub bounced: u64,
    /// Pairs open.
    pub pending: u64,
}

/// Part 4: samples.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct SamplePart {
    /// Samples, each of another recipient domain.
    pub samples: Vec<Sample>,
    /// The statement that chose them.
    pub sql: String,
}

/// One message to one recipient, with its history.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sample {
    /// Message-ID, queue id or the platform's id.
    pub message_id: String,
    /// Which of them.
    pub id_kind: String,
    /// Queue id.
    pub queue_id: String,
    /// Recipient domain.
    pub recipient_domain: String,
    /// The recipient as the store has it; null unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Envelope sender domain.
    pub envelope_from: Option<String>,
    /// What became of it.
    pub outcome: String,
    /// Seconds from first attempt to delivery.
    pub delay_s: Option<i64>,
    /// Reputation deferrals.
    pub reputation_deferrals: u64,
    /// Its lines, in order of time.
    pub history: Vec<HistoryRow>,
}

/// One line of a sample's history.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HistoryRow {
    /// UTC.
    pub at: DateTime<Utc>,
    /// deferred, delivered, …
    pub status: String,
    /// Host asked.
    pub relay_host: Option<String>,
    /// The response, verbatim.
    pub response: Option<String>,
    /// File and line.
    pub place: Option<String>,
}
