//! What a case holds, part by part: the JSON of `case --format json`.

mod delivery;
mod dns;
mod method;
mod reports;
mod request;
mod weak;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

pub use delivery::{
    DayRow, HistoryRow, MoreResponses, OutcomePart, ResponseRow, Retries, Sample, SamplePart, SmtpPart,
};
pub use dns::{DnsPart, FindingRow, LookupRow};
pub use method::{MethodFile, MethodPart};
pub use reports::{AuthenticationPart, IpAuthentication, MoreStreams, SendersPart, StreamRow, VolumeRow};
pub use request::{ActionsPart, DatedAction, IpsFrom, Request};
pub use weak::WeakPoint;

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
    /// The flags of every command as they were given, for commands to copy.
    #[serde(skip)]
    pub flags: String,
}

impl Case {
    /// Returns how the commands begin that a case quotes: the program, and the store and the config where they were named.
    pub(super) fn program(&self) -> String {
        format!("dmarcase{}", self.flags)
    }
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
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Period {
    /// First UTC day of first attempts.
    pub since: Option<NaiveDate>,
    /// Last UTC day of first attempts.
    pub until: Option<NaiveDate>,
    /// First report day.
    pub reports_since: Option<NaiveDate>,
    /// Last report day.
    pub reports_until: Option<NaiveDate>,
    /// The day after which nothing counts; null where none was asked for.
    pub cut: Option<NaiveDate>,
    /// Why there is no delivery evidence; null where there is some.
    pub no_delivery: Option<String>,
    /// Why there are no reports; null where there are some.
    pub no_reports: Option<String>,
}

/// Evidence that is not there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Missing {
    /// What.
    pub what: String,
    /// How to get it.
    pub how: String,
}
