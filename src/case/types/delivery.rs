//! What the delivery logs say: the SMTP evidence (part 2), outcomes (part 3), message samples (part 4).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{DeliverySummary, LeftOut, Outcomes};
use crate::words::{count, counted};

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
    /// Permanent refusals that are the gateway's reputation answer: another kind of case, and in no figure of deferrals.
    pub refusals: u64,
    /// Recipients that got one.
    pub refused_recipients: u64,
    /// Message and recipient pairs that got one.
    pub refused_messages: u64,
    /// Their responses, most frequent first.
    pub refusal_responses: Vec<ResponseRow>,
    /// What `responses` leaves out.
    pub more_responses: MoreResponses,
    /// What `other_responses` leaves out.
    pub more_other_responses: MoreResponses,
    /// What `refusal_responses` leaves out.
    pub more_refusal_responses: MoreResponses,
    /// Domains of the envelope sender.
    pub envelope_from: Vec<String>,
    /// Lines where the queue put the mail off without trying.
    pub suspended: u64,
    /// Attempts of the case whose log does not say the sending address.
    pub unknown_source: u64,
    /// Whether such attempts count as sent from the case's addresses: no log that leaves the address out names another.
    pub unknown_source_counts: bool,
    /// Where they do not: those behind the gateway, in no figure.
    pub left_out: LeftOut,
    /// The statement behind the rows.
    pub sql: String,
}

/// Responses that a list leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MoreResponses {
    /// Their shapes.
    pub shapes: u64,
    /// Attempts answered so.
    pub attempts: u64,
}

/// One response.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ResponseRow {
    /// The first one of its shape, verbatim (local parts of addresses hashed, unless recipients are asked for).
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
    /// Median, without its fraction.
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
    /// Median, without its fraction.
    pub delay_median_s: Option<u64>,
    /// Longest.
    pub delay_max_s: Option<u64>,
}

impl Retries {
    /// Says how many real attempts a pair took; `None` where there is no pair.
    pub(in crate::case) fn attempts(&self) -> Option<String> {
        let (least, most) = (self.attempts_min?, self.attempts_max?);
        Some(if least == most {
            counted(most, "attempt")
        } else {
            format!("{} to {}", count(least), counted(most, "attempt"))
        })
    }

    /// Says what became of the pairs.
    pub(in crate::case) fn outcomes(&self) -> String {
        format!(
            "{} delivered late, {} expired, {} bounced, {} still open",
            count(self.delivered_late),
            count(self.expired),
            count(self.bounced),
            count(self.pending)
        )
    }
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
    /// Lines of the middle of its history that `history` leaves out, by status.
    pub left_out: BTreeMap<String, u64>,
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
