//! What a case holds, part by part: the JSON of `case --format json`.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{DeliverySummary, Outcomes};
use crate::query::{Rates, SenderRow};

/// The evidence file of one escalation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Case {
    /// How well the case stands.
    pub grade: Grade,
    /// Why.
    pub grade_reasons: Vec<String>,
    /// The five steps before an escalation.
    pub readiness: Vec<Step>,
    /// The days that the figures are of.
    pub period: Period,
    /// Part 1.
    pub request: Request,
    /// Part 2.
    pub smtp: SmtpPart,
    /// Part 3.
    pub outcomes: OutcomePart,
    /// Part 4.
    pub samples: SamplePart,
    /// Part 5.
    pub authentication: AuthenticationPart,
    /// Part 6.
    pub dns: DnsPart,
    /// Part 7.
    pub senders: SendersPart,
    /// Part 8, worst first.
    pub weak_points: Vec<WeakPoint>,
    /// Part 9.
    pub actions: ActionsPart,
    /// Part 10.
    pub method: MethodPart,
    /// Evidence that is not there, and how to get it.
    pub missing: Vec<Missing>,
}

/// How well a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Should not be sent yet.
    Weak,
    /// Can be sent; the other side will ask about its weak points.
    Arguable,
    /// Stands.
    Strong,
}

impl Grade {
    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Arguable => "arguable",
            Self::Strong => "strong",
        }
    }
}

/// One step before an escalation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Step {
    /// The step.
    pub step: &'static str,
    /// proven, defect or missing.
    pub state: StepState,
    /// What it rests on, or what is wrong.
    pub because: String,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Shown by the evidence.
    Proven,
    /// Shown to be wrong.
    Defect,
    /// Not shown.
    Missing,
}

impl StepState {
    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Defect => "defect",
            Self::Missing => "missing",
        }
    }
}

/// The days that the figures are of.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Period {
    /// First UTC day of first attempts.
    pub since: Option<NaiveDate>,
    /// Last UTC day of first attempts.
    pub until: Option<NaiveDate>,
    /// First report day.
    pub reports_since: Option<NaiveDate>,
    /// Last report day.
    pub reports_until: Option<NaiveDate>,
}

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

/// Part 5: authentication, from DMARC reports.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct AuthenticationPart {
    /// The domain and those under it, by policy domain.
    pub domains: Option<Rates>,
    /// By reporter.
    pub by_reporter: Option<Rates>,
    /// By week.
    pub by_week: Option<Rates>,
    /// The sending addresses of the case.
    pub ips: Vec<IpAuthentication>,
    /// The statement behind `ips`.
    pub sql: String,
}

/// What reports say of one sending address with the case's domain.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IpAuthentication {
    /// The address.
    pub ip: String,
    /// Messages.
    pub messages: u64,
    /// Messages that pass DMARC.
    pub dmarc_pass: u64,
    /// `dmarc_pass` over `messages`.
    pub pass_rate: Option<f64>,
    /// DKIM aligned.
    pub dkim_aligned: u64,
    /// `dkim_aligned` over `messages`.
    pub dkim_rate: Option<f64>,
    /// SPF aligned.
    pub spf_aligned: u64,
    /// `spf_aligned` over `messages`.
    pub spf_rate: Option<f64>,
    /// Reporters.
    pub reporters: u64,
}

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
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingRow {
    /// dns or blocklist.
    pub kind: String,
    /// Domain or address.
    pub subject: String,
    /// The check.
    pub name: String,
    /// ok, defect, could-not-check, or not-checked where the store has no finding.
    pub state: String,
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
    /// When.
    pub checked_at: String,
    /// It named the address as listed.
    pub listed: bool,
}

/// Part 7: senders, volume, streams.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct SendersPart {
    /// Senders on the domain.
    pub senders: Vec<SenderRow>,
    /// Unknown ones: senders, messages, share.
    pub unknown: Option<crate::query::Unknown>,
    /// Volume of each address.
    pub volume: Vec<VolumeRow>,
    /// Streams that share each address.
    pub streams: Vec<StreamRow>,
}

/// The volume of one address, day by day.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VolumeRow {
    /// The address; `unknown` where no log says it.
    pub ip: String,
    /// delivery logs or DMARC reports.
    pub source: &'static str,
    /// Days from first to last.
    pub days: u64,
    /// Days without mail in between.
    pub empty_days: u64,
    /// Messages in all.
    pub messages: u64,
    /// Median of the days with mail.
    pub median: u64,
    /// Busiest day.
    pub most: u64,
    /// When.
    pub most_day: NaiveDate,
    /// Largest growth from one day to the next day with mail.
    pub largest_step: Option<f64>,
    /// When.
    pub largest_step_day: Option<NaiveDate>,
    /// steady, jumps, gaps, warming or too-short.
    pub shape: &'static str,
    /// Messages by day.
    pub by_day: Vec<(NaiveDate, u64)>,
}

/// One stream on one address.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StreamRow {
    /// The address.
    pub ip: String,
    /// delivery logs or DMARC reports.
    pub source: &'static str,
    /// Header from of reports; envelope sender domain of logs.
    pub from: String,
    /// DKIM domain and selector of reports; campaign of logs.
    pub by: Option<String>,
    /// Messages.
    pub messages: u64,
    /// Of the address's messages.
    pub share: Option<f64>,
}

/// Part 8: what the other side could raise.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WeakPoint {
    /// Id: `G…` of the gaps, `C…` of the case.
    pub id: String,
    /// Name.
    pub name: String,
    /// notice, warn or high.
    pub severity: crate::query::Severity,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
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

/// Part 10: method.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct MethodPart {
    /// Version of the program.
    pub version: String,
    /// When the case was written, UTC.
    pub written_at: DateTime<Utc>,
    /// The day that counts as today.
    pub as_of: NaiveDate,
    /// Log and event files.
    pub files: Vec<MethodFile>,
    /// Reports on the domain in the period.
    pub reports: u64,
    /// Their reporters.
    pub reporters: u64,
    /// Their messages.
    pub messages: u64,
    /// Version of the public suffix list.
    pub suffix_list: String,
    /// What should be known of the figures.
    pub notes: Vec<String>,
}

/// One file of evidence.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MethodFile {
    /// Path.
    pub path: String,
    /// Format.
    pub format: String,
    /// Lines.
    pub lines: u64,
    /// Attempts.
    pub attempts: u64,
    /// Lines not understood.
    pub unknown: u64,
    /// First attempt.
    pub first_at: Option<DateTime<Utc>>,
    /// Last attempt.
    pub last_at: Option<DateTime<Utc>>,
    /// Zone that stamps without one were read in.
    pub zone: Option<String>,
    /// What is wrong with it.
    pub note: Option<String>,
}

/// Evidence that is not there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Missing {
    /// What.
    pub what: String,
    /// How to get it.
    pub how: String,
}
