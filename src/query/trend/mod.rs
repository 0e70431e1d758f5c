//! Day by day: messages and pass rate of each policy domain, and what changed beyond rhythm and chance.

mod axis;
mod detect;
mod series;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use duckdb::Connection;
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Serialize;

pub use detect::{Backdrop, Day, Departure, episodes, failing, volume};
use series::{DomainSeries, Series};

use super::{QueryError, Scope, share};

/// The days of a period and what changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Trend {
    /// First report day.
    pub since: NaiveDate,
    /// Last report day, inclusive.
    pub until: NaiveDate,
    /// Every day of every policy domain that a report covers, in order.
    pub rows: Vec<TrendRow>,
    /// What changed, in order of the first day.
    pub changes: Vec<Change>,
}

/// One day of one policy domain.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TrendRow {
    /// The report day.
    pub day: NaiveDate,
    /// The policy domain.
    pub domain: String,
    /// Messages.
    pub messages: u64,
    /// Messages that pass DMARC.
    pub dmarc_pass: u64,
    /// `dmarc_pass` over `messages`.
    pub pass_rate: Option<f64>,
}

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// More of the mail fails.
    PassRate,
    /// Far more mail.
    VolumeUp,
    /// Far less mail, or none.
    VolumeDown,
}

impl ChangeKind {
    /// Returns the word of the answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PassRate => "pass-rate",
            Self::VolumeUp => "volume-up",
            Self::VolumeDown => "volume-down",
        }
    }
}

/// A change: a run of days that depart from what was expected.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// First day.
    pub day: NaiveDate,
    /// Last day.
    pub last_day: NaiveDate,
    /// The policy domain.
    pub domain: String,
    /// The sender; null for the domain as a whole.
    pub sender: Option<String>,
    /// What changed.
    pub kind: ChangeKind,
    /// What the first day was expected to bring: messages, or failing messages.
    pub expected: f64,
    /// What it brought.
    pub observed: u64,
    /// The difference over the domain's messages of that day.
    pub share: Option<f64>,
    /// How many robust deviations apart they are.
    pub deviations: f64,
    /// The change in words.
    pub text: String,
}

/// Name of the series of all sources that nothing names.
const UNNAMED: &str = "sources that nothing names";

/// Answers how the days went.
///
/// # Errors
/// The store cannot be asked.
pub fn trend(connection: &Connection, scope: &Scope) -> Result<Trend, QueryError> {
    let series = Series::read(connection, scope)?;
    let domains = names(
        connection,
        "SELECT domain_no::BIGINT, name FROM domain WHERE domain_no IN (SELECT policy_domain_no FROM report)",
    )?;
    let senders = names(connection, "SELECT sender_no::BIGINT, name FROM sender")?;
    let mut by_name: BTreeMap<&str, &DomainSeries> = BTreeMap::new();
    for (number, domain) in &series.domains {
        if let Some(name) = domains.get(&i64::from(*number)) {
            by_name.insert(name, domain);
        }
    }
    let mut rows = Vec::new();
    let mut changes = Vec::new();
    for (name, domain) in by_name {
        rows.extend(days(&series, name, domain));
        changes.extend(changed(&series, name, domain, &senders));
    }
    rows.sort_by(|a, b| (a.day, &a.domain).cmp(&(b.day, &b.domain)));
    changes.sort_by(|a, b| (a.day, &a.domain, a.kind, &a.sender).cmp(&(b.day, &b.domain, b.kind, &b.sender)));
    Ok(Trend { since: scope.span.since, until: scope.span.until, rows, changes })
}

fn names(connection: &Connection, sql: &str) -> Result<FxHashMap<i64, String>, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn days<'a>(series: &'a Series, name: &'a str, domain: &'a DomainSeries) -> impl Iterator<Item = TrendRow> + 'a {
    let shown = domain.all.iter().enumerate().skip(series.from).filter(|(_, day)| day.messages > 0);
    shown.map(|(at, day)| TrendRow {
        day: series.day(at),
        domain: name.to_owned(),
        messages: day.messages,
        dmarc_pass: day.pass,
        pass_rate: share(day.pass, day.messages),
    })
}

fn changed(series: &Series, name: &str, domain: &DomainSeries, senders: &FxHashMap<i64, String>) -> Vec<Change> {
    let sender = |key: &i64| senders.get(key).map_or(UNNAMED, String::as_str).to_owned();
    let mut found = Vec::new();
    for (key, days) in &domain.senders {
        let first = series.from;
        let mut all = volume(days, &domain.backdrop, first);
        let of_volume = episodes(&all);
        all = failing(days, &domain.backdrop, first);
        let of_rate = episodes(&all);
        let mut add = |kind, episodes: Vec<(Departure, usize)>| {
            found.extend(episodes.into_iter().map(|one| change(series, name, domain, Some(sender(key)), kind, one)));
        };
        let (up, down) = of_volume.into_iter().partition(|(one, _)| one.deviations > 0.0);
        add(ChangeKind::VolumeUp, up);
        add(ChangeKind::VolumeDown, down);
        add(ChangeKind::PassRate, of_rate);
    }
    // The domain as a whole repeats what its senders show; it is told where none of them explains it.
    let whole = episodes(&failing(&domain.all, &domain.backdrop, series.from));
    for one in whole {
        let told = found.iter().any(|change| {
            let near = |day: NaiveDate| (series.day(one.0.day) - day).num_days();
            near(change.day) >= 0 && near(change.last_day) <= 1
        });
        if !told {
            found.push(change(series, name, domain, None, ChangeKind::PassRate, one));
        }
    }
    found
}

fn change(
    series: &Series,
    name: &str,
    domain: &DomainSeries,
    sender: Option<String>,
    kind: ChangeKind,
    (first, last): (Departure, usize),
) -> Change {
    let total = domain.all.get(first.day).map_or(0, |day| day.messages);
    let observed = first.observed.round().max(0.0) as u64;
    let expected = (first.expected * 10.0).round() / 10.0;
    let difference = (first.observed - first.expected).abs().round() as u64;
    let who = sender.as_deref().unwrap_or(name);
    let text = match kind {
        ChangeKind::PassRate => format!("{who}: {observed} messages fail where about {expected:.0} usually do"),
        ChangeKind::VolumeUp if expected < 1.0 => {
            format!("{who}: {observed} messages from a sender not seen on such a day before")
        }
        ChangeKind::VolumeUp | ChangeKind::VolumeDown => {
            format!("{who}: {observed} messages where about {expected:.0} usually come")
        }
    };
    Change {
        day: series.day(first.day),
        last_day: series.day(last),
        domain: name.to_owned(),
        sender,
        kind,
        expected,
        observed,
        share: share(difference, total.max(difference)),
        deviations: (first.deviations.abs() * 10.0).round() / 10.0,
        text,
    }
}
