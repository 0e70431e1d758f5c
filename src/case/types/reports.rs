//! What DMARC reports say: authentication (part 5), senders, volume and streams (part 7).

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::query::{Rates, SenderRow};

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
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
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

/// Part 7: senders, volume, streams.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct SendersPart {
    /// Senders on the domain, most messages first.
    pub senders: Vec<SenderRow>,
    /// How many more there are.
    pub more_senders: u64,
    /// Unknown ones: senders, messages, share.
    pub unknown: Option<crate::query::Unknown>,
    /// Volume of each address.
    pub volume: Vec<VolumeRow>,
    /// Streams that share each address, in the days of the case.
    pub streams: Vec<StreamRow>,
    /// What `streams` leaves out, by address and source.
    pub more_streams: Vec<MoreStreams>,
    /// The statement behind the streams of DMARC reports.
    pub streams_sql: String,
    /// The statement behind volume and streams of delivery logs.
    pub logs_sql: String,
}

/// Streams that a list leaves out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MoreStreams {
    /// The address.
    pub ip: String,
    /// delivery logs or DMARC reports.
    pub source: &'static str,
    /// How many.
    pub streams: u64,
    /// Their messages.
    pub messages: u64,
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
    /// Median of the days with mail, without its fraction.
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
