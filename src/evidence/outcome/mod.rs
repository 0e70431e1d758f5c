//! Outcomes of delivery: who was deferred, who got the mail late, who never; by gateway, domain, source, response, day, campaign.

mod figures;
mod flow;
mod responses;
mod scope;
mod summary;
mod unknown_source;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use figures::{DELAY, pairs_of};
pub use flow::DeliveryFlow;
pub use scope::DeliveryScope;
pub(crate) use scope::Within;
pub use summary::summary;
pub use unknown_source::LeftOut;

/// Fewer recipients than this behind a gateway are too few to grade.
pub const FEWEST_RECIPIENTS: u64 = 20;

/// What the rows of a summary are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryBy {
    /// Filtering service or mailbox provider in front of the recipients.
    Gateway,
    /// Recipient domain.
    RecipientDomain,
    /// Sending address.
    Source,
    /// Response, with its numbers, addresses, hosts and ids taken out.
    Response,
    /// UTC day of the first attempt.
    Day,
    /// Campaign, category or tag.
    Campaign,
}

impl DeliveryBy {
    /// Returns the key of the row's name in JSON and CSV.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::RecipientDomain => "recipient_domain",
            Self::Source => "source",
            Self::Response => "response",
            Self::Day => "day",
            Self::Campaign => "campaign",
        }
    }
}

/// How bad a gateway's deferrals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Severity {
    /// The recipients are not all that there were.
    #[serde(rename = "not graded")]
    NotGraded,
    /// Fewer than 20 recipients.
    #[serde(rename = "too few to grade")]
    TooFew,
    /// Below 5% of the recipients.
    #[serde(rename = "watch")]
    Watch,
    /// 5% to 15%.
    #[serde(rename = "investigate")]
    Investigate,
    /// Above 15%.
    #[serde(rename = "escalate")]
    Escalate,
}

impl Severity {
    /// Grades the affected share; messages that expired after the gateway's reputation answer push it one step up.
    pub fn grade(affected: u64, recipients: u64, expired: u64) -> Self {
        if recipients < FEWEST_RECIPIENTS {
            return Self::TooFew;
        }
        let grade = match (affected * 100, recipients) {
            (part, whole) if part > whole * 15 => Self::Escalate,
            (part, whole) if part >= whole * 5 => Self::Investigate,
            _ => Self::Watch,
        };
        match grade {
            Self::Watch if expired > 0 => Self::Investigate,
            Self::Investigate if expired > 0 => Self::Escalate,
            grade => grade,
        }
    }

    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotGraded => "not graded",
            Self::TooFew => "too few to grade",
            Self::Watch => "watch",
            Self::Investigate => "investigate",
            Self::Escalate => "escalate",
        }
    }
}

/// Outcomes of a period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliverySummary {
    /// First UTC day of first attempts.
    pub since: NaiveDate,
    /// Last UTC day of first attempts.
    pub until: NaiveDate,
    /// What the rows are.
    pub by: DeliveryBy,
    /// The rows.
    pub rows: Vec<DeliveryRow>,
    /// Everything together.
    pub total: Outcomes,
    /// Message and recipient pairs whose attempts all went to one's own next hop; in no row and not in the total.
    pub internal: u64,
    /// Message and recipient pairs of the rows whose envelope sender no log says; only where the question was about a domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_unknown: Option<u64>,
    /// Where addresses were asked for: mail whose log does not say its address, in no row and not in the total.
    pub left_out: LeftOut,
    /// The day that counts as today: no later line counts. Null where none was asked for.
    pub as_of: Option<NaiveDate>,
}

impl DeliverySummary {
    /// Returns the row of a name.
    pub fn row(&self, by: DeliveryBy, name: &str) -> Option<&DeliveryRow> {
        self.rows.iter().find(|row| row.name.get(by.key()).and_then(Option::as_deref) == Some(name))
    }
}

/// One row of a summary.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliveryRow {
    /// Its name, under the key of what the rows are.
    #[serde(flatten)]
    pub name: BTreeMap<&'static str, Option<String>>,
    /// SMTP code of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_code: Option<u16>,
    /// Enhanced code of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enhanced_code: Option<String>,
    /// Where in the conversation a response came: greeting, hello, mail, rcpt, data, end-of-data; absent where no log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Its figures.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// The figures of some messages and recipients.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Outcomes {
    /// Distinct recipients with at least one real attempt.
    pub recipients: u64,
    /// Those of them with at least one deferral that is the gateway's reputation answer.
    pub affected: u64,
    /// `affected` over `recipients`; null where there are none, or where they are not all that there were (`not graded`).
    pub share: Option<f64>,
    /// watch below 5%, investigate to 15%, escalate above; expiries after reputation answers push it one step up.
    pub severity: Severity,
    /// Real attempts.
    pub attempts: u64,
    /// Deferrals of any kind.
    pub deferrals: u64,
    /// Deferrals that are the gateway's reputation answer.
    pub reputation_deferrals: u64,
    /// Message and recipient pairs delivered without a deferral before.
    pub delivered_first: u64,
    /// Pairs delivered after at least one deferral.
    pub delivered_late: u64,
    /// Pairs given up after their retries.
    pub expired: u64,
    /// Pairs refused for good.
    pub bounced: u64,
    /// Pairs that the own side dropped before any attempt.
    pub dropped: u64,
    /// Pairs without an end yet: neither success nor loss.
    pub pending: u64,
    /// Median time of the late ones from first attempt to delivery, whole seconds.
    pub median_delay_late_s: Option<u64>,
}

impl Outcomes {
    /// Takes the share and its grade away: not all recipients are known.
    fn not_graded(&mut self) {
        (self.share, self.severity) = (None, Severity::NotGraded);
    }
}
