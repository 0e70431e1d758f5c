//! Which records a question is about: days and policy domains.

use std::str::FromStr;

use chrono::{Datelike as _, Months, NaiveDate};
use duckdb::Connection;
use globset::{GlobBuilder, GlobSetBuilder};
use schemars::JsonSchema;
use serde::Serialize;

use crate::parse::domain_name;
use crate::store::StoreError;

/// The flags of a period, as every command that has them takes them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DayArgs {
    /// First day (UTC): a date, or 7d, 4w, 3mo: the last 7 days and so on, --as-of counted in
    #[arg(long, value_name = "DAY")]
    pub since: Option<DayArg>,
    /// Last day, inclusive: a date, or 7d, 4w, 3mo back from --as-of: up to where --since 7d begins
    #[arg(long, value_name = "DAY")]
    pub until: Option<DayArg>,
    /// The day that counts as today; what is later does not count
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub as_of: Option<NaiveDate>,
}

/// Farthest distance back, in any unit. Nobody's reports are older.
const FARTHEST: u32 = 100_000;

/// A day as flags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayArg {
    /// A date.
    On(NaiveDate),
    /// So many days that end with today: `7d`, `4w`.
    Days(u32),
    /// So many months that end with today: `3mo`.
    Months(u32),
}

impl FromStr for DayArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(date) = date(text) {
            return Ok(Self::On(date));
        }
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number = number.parse().ok().filter(|number: &u32| *number <= FARTHEST);
        let day = match unit {
            "d" => number.map(Self::Days),
            "w" => number.and_then(|weeks| weeks.checked_mul(7)).map(Self::Days),
            "mo" => number.map(Self::Months),
            _ => None,
        };
        day.ok_or_else(|| "write a date such as 2026-11-24, or a distance back such as 7d, 4w or 3mo".to_owned())
    }
}

/// Reads a date of the years that people and the engine write, 1 to 9999.
///
/// # Errors
/// It is none, or of another year.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    let date: NaiveDate = text.parse().map_err(|_| "write a date such as 2026-11-24".to_owned())?;
    if (1..=9999).contains(&date.year()) { Ok(date) } else { Err("the year is not one of 1 to 9999".to_owned()) }
}

/// The first day that there is.
const FIRST: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

impl DayArg {
    /// Returns the date on which a period begins. A distance counts `as_of` in: seven days end with it.
    pub fn before(self, as_of: NaiveDate) -> NaiveDate {
        let first = if let Self::On(date) = self { Some(date) } else { self.up_to(as_of).succ_opt() };
        first.map_or(FIRST, |first| if let Self::On(_) = self { first } else { first.min(as_of) })
    }

    /// Returns the date with which a period ends: the last day before the one on which the period of that distance begins, so that
    /// two periods side by side share no day.
    pub fn up_to(self, as_of: NaiveDate) -> NaiveDate {
        let day = match self {
            Self::On(date) => Some(date),
            Self::Days(days) => as_of.checked_sub_days(chrono::Days::new(days.into())),
            Self::Months(months) => as_of.checked_sub_months(Months::new(months)),
        };
        day.unwrap_or(FIRST).max(FIRST)
    }
}

/// The days that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// First day, inclusive.
    pub since: Option<NaiveDate>,
    /// Last day, inclusive.
    pub until: Option<NaiveDate>,
    /// The day that counts as today.
    pub as_of: NaiveDate,
    /// The same where it was asked for: nothing later counts.
    pub cut: Option<NaiveDate>,
}

impl DayArgs {
    /// Reads the flags. `today` is used where `--as-of` is not given.
    ///
    /// # Errors
    /// A period that ends before it begins.
    pub fn days(&self, today: NaiveDate) -> Result<Days, QueryError> {
        let as_of = self.as_of.unwrap_or(today);
        let since = self.since.map(|day| day.before(as_of));
        let until = self.until.map(|day| day.up_to(as_of));
        match (since, until) {
            (Some(since), Some(until)) if until < since => Err(QueryError::Backwards { since, until }),
            _ => Ok(Days { since, until, as_of, cut: self.as_of }),
        }
    }
}

/// The period and domain flags of questions about reports.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PeriodArgs {
    /// The days.
    #[command(flatten)]
    pub days: DayArgs,
    /// Policy domain; may be given again, and may be a pattern such as '*.example.com'
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A period that ends before it begins.
    #[error("the period ends on {until}, before it begins on {since}")]
    Backwards {
        /// First day.
        since: NaiveDate,
        /// Last day.
        until: NaiveDate,
    },
    /// A pattern that is none.
    #[error("`{given}` is no domain pattern: {text}")]
    Pattern {
        /// As given.
        given: String,
        /// What is wrong.
        text: String,
    },
    /// No policy domain of the store matches.
    #[error("no report in the store has the policy domain {given}; it has {known}")]
    NoDomain {
        /// As given.
        given: String,
        /// Some that the store does have.
        known: String,
    },
    /// The period holds nothing.
    #[error("no report from {since} to {until}; the store holds report days from {first} to {last}")]
    EmptyPeriod {
        /// First day asked for.
        since: String,
        /// Last day asked for.
        until: String,
        /// First day held.
        first: NaiveDate,
        /// Last day held.
        last: NaiveDate,
    },
    /// The store holds nothing.
    #[error("the store holds no reports yet: `dmarcase import PATH` or `dmarcase fetch` brings some")]
    EmptyStore,
    /// No report says its period.
    #[error(
        "none of the {reports} reports in the store has a date range that can be read, so that no period can be asked about; `dmarcase sql \"FROM report\"` shows them"
    )]
    Undated {
        /// Reports held.
        reports: u64,
    },
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A statement failed.
    #[error("asking the store: {0}")]
    Sql(#[from] duckdb::Error),
}

impl QueryError {
    /// Returns whether the question itself is wrong, whatever the store holds.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Backwards { .. } | Self::Pattern { .. })
    }
}

/// The records that a question is about, resolved against the store.
#[derive(Clone, Debug)]
pub struct Scope {
    /// First report day asked for.
    pub since: Option<NaiveDate>,
    /// Last report day asked for.
    pub until: Option<NaiveDate>,
    /// The day that counts as today.
    pub as_of: NaiveDate,
    /// Nothing later counts, though the store holds it.
    pub cut: Option<NaiveDate>,
    /// Numbers of the policy domains asked for; `None` for all.
    pub domains: Option<Vec<u32>>,
    /// A period, or a day that counts as today, was asked for.
    pub asks_days: bool,
    /// The days that the answer covers: those asked for, else those that the store holds for these domains.
    pub span: Span,
    /// What belongs to no day.
    pub undated: Undated,
}

/// Reports of the domains asked for that have no readable day. They belong to no period: where one is asked for they are left out,
/// else they count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Undated {
    /// Reports.
    pub reports: u64,
    /// Their messages.
    pub messages: u64,
    /// They are part of the answer.
    pub counted: bool,
}

/// First and last report day of an answer, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// First report day.
    pub since: NaiveDate,
    /// Last report day.
    pub until: NaiveDate,
}

impl Scope {
    /// Resolves the flags against the store. `today` is used where `--as-of` is not given.
    ///
    /// # Errors
    /// A flag that cannot be read, a domain or period that the store holds nothing of.
    pub fn resolve(connection: &Connection, args: &PeriodArgs, today: NaiveDate) -> Result<Self, QueryError> {
        let Days { since, until, as_of, cut } = args.days.days(today)?;
        let held: (u64, Option<NaiveDate>, Option<NaiveDate>) =
            connection.query_row("SELECT count(*), min(report_day), max(report_day) FROM report", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let (first, last) = match held {
            (0, ..) => return Err(QueryError::EmptyStore),
            (_, Some(first), Some(last)) => (first, last),
            (reports, ..) => return Err(QueryError::Undated { reports }),
        };
        let domains = domains(connection, &args.domains)?;
        let asks_days = since.is_some() || until.is_some() || cut.is_some();
        // A condition that leaves nothing out would cost all the same.
        let cut = cut.filter(|cut| *cut < last);
        let mut scope = Self {
            since,
            until,
            as_of,
            cut,
            domains,
            asks_days,
            span: Span { since: first, until: last },
            undated: Undated::default(),
        };
        let found: (Option<NaiveDate>, Option<NaiveDate>) = connection.query_row(
            &format!("SELECT min(report_day), max(report_day) FROM report WHERE {}", scope.of_reports("")),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (Some(from), Some(to)) = found else {
            let open = |day: Option<NaiveDate>, word: &str| day.map_or_else(|| word.to_owned(), |d| d.to_string());
            return Err(QueryError::EmptyPeriod {
                since: open(since, "the first day"),
                until: open(until.or(cut), "the last day"),
                first,
                last,
            });
        };
        let counted = scope.since.is_none() && scope.until.is_none();
        let ever = Self { since: None, until: None, cut: None, ..scope.clone() };
        scope.undated = connection.query_row(
            &format!(
                "SELECT count(*), coalesce(sum(messages), 0)::UBIGINT FROM report WHERE report_day IS NULL AND {}",
                ever.of_reports("")
            ),
            [],
            |row| Ok(Undated { reports: row.get(0)?, messages: row.get(1)?, counted }),
        )?;
        let asked = until.map(|until| cut.map_or(until, |cut| cut.min(until)));
        scope.span = Span { since: since.unwrap_or(from), until: asked.unwrap_or(to) };
        Ok(scope)
    }

    /// Returns whether no day is left out, nor what has none.
    pub(super) const fn is_of_all_days(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.cut.is_none()
    }

    /// Returns the SQL condition on rows with the columns `report_day` and `policy_domain`, such as those of `record`; `alias` is
    /// empty or ends with a dot.
    pub fn of_records(&self, alias: &str) -> String {
        self.condition(alias, "policy_domain")
    }

    /// Returns the SQL condition on rows of `report`; `alias` is empty or ends with a dot.
    pub fn of_reports(&self, alias: &str) -> String {
        self.condition(alias, "policy_domain_no")
    }

    /// Returns the scope of days alone, of whatever the store may hold.
    pub fn of_days(days: Days) -> Self {
        let Days { since, until, as_of, cut } = days;
        let asks_days = since.is_some() || until.is_some() || cut.is_some();
        let span = Span { since: since.unwrap_or(as_of), until: until.unwrap_or(as_of) };
        Self { since, until, as_of, cut, domains: None, asks_days, span, undated: Undated::default() }
    }

    /// Returns the scope of all that the store holds of the same domains, up to the day that counts as today.
    pub(super) fn ever(&self) -> Self {
        Self { since: None, until: None, ..self.clone() }
    }

    /// Returns the scope without its domains.
    pub(super) fn of_any_domain(&self) -> Self {
        Self { domains: None, ..self.clone() }
    }

    /// Returns the last day whose reports count: reporters ahead of UTC are on the day after today, and a later date is wrong.
    pub(super) fn newest(&self) -> NaiveDate {
        // The engine reads years of four digits.
        self.as_of.succ_opt().filter(|day| day.year() <= 9999).unwrap_or(self.as_of)
    }

    /// Ends the span with the last day that reports may be of, so that one with a wrong date does not stretch it.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn end_by_today(&mut self, connection: &Connection) -> Result<(), QueryError> {
        let newest = self.newest();
        if self.span.until <= newest {
            return Ok(());
        }
        let held: Option<NaiveDate> = connection.query_row(
            &format!(
                "SELECT max(report_day) FROM report WHERE report_day <= DATE '{newest}' AND {}",
                self.of_reports("")
            ),
            [],
            |row| row.get(0),
        )?;
        // Where the store holds nothing else, what it holds is what is shown.
        if let Some(held) = held {
            self.span.until = if self.until.is_some() { newest } else { held };
        }
        Ok(())
    }

    /// Returns the SQL of the published policies within the scope: the macro `policy_on`, for a FROM.
    pub(super) fn policies(&self) -> String {
        let mut parts = vec![format!("DATE '{}'", self.as_of)];
        parts.extend(self.since.map(|day| format!("since := DATE '{day}'")));
        parts.extend(self.until.into_iter().chain(self.cut).min().map(|day| format!("until := DATE '{day}'")));
        parts.extend(self.domains.as_ref().map(|numbers| format!("domains := [{}]", joined(numbers))));
        format!("policy_on({})", parts.join(", "))
    }

    // Days and numbers only ever come from parsed values, so that they may stand in the text of a statement.
    pub(super) fn condition(&self, alias: &str, domain_column: &str) -> String {
        let mut parts = Vec::new();
        if let Some(since) = self.since {
            parts.push(format!("{alias}report_day >= DATE '{since}'"));
        }
        if let Some(until) = self.until {
            parts.push(format!("{alias}report_day <= DATE '{until}'"));
        }
        if let Some(cut) = self.cut {
            // What has no date is part of all that the store holds, also of what it held then.
            parts.push(format!("({alias}report_day IS NULL OR {alias}report_day <= DATE '{cut}')"));
        }
        if let Some(domains) = &self.domains {
            parts.push(format!("{alias}{domain_column} IN ({})", joined(domains)));
        }
        if parts.is_empty() { "true".to_owned() } else { parts.join(" AND ") }
    }
}

fn joined(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    numbers.join(", ")
}

/// Finds the numbers of the policy domains that match the names and patterns.
fn domains(connection: &Connection, given: &[String]) -> Result<Option<Vec<u32>>, QueryError> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut statement = connection.prepare(
        "SELECT DISTINCT policy_domain_no, policy_domain FROM report WHERE policy_domain IS NOT NULL ORDER BY policy_domain",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
    let known: Vec<(u32, String)> = rows.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for one in given {
        let mut set = GlobSetBuilder::new();
        let glob = GlobBuilder::new(&domain_name(one)).literal_separator(false).build();
        set.add(glob.map_err(|error| QueryError::Pattern { given: one.clone(), text: error.to_string() })?);
        let set = set.build().map_err(|error| QueryError::Pattern { given: one.clone(), text: error.to_string() })?;
        let before = found.len();
        found.extend(known.iter().filter(|(_, name)| set.is_match(name)).map(|(number, _)| *number));
        // A pattern may match nothing beside what others match; a name is of a domain that should be there.
        if found.len() == before && !one.contains(['*', '?', '[', '{']) {
            return Err(QueryError::NoDomain { given: one.clone(), known: some_of(&known) });
        }
    }
    if found.is_empty() {
        return Err(QueryError::NoDomain { given: given.join(", "), known: some_of(&known) });
    }
    found.sort_unstable();
    found.dedup();
    Ok(Some(found))
}

fn some_of(known: &[(u32, String)]) -> String {
    let names: Vec<&str> = known.iter().take(5).map(|(_, name)| name.as_str()).collect();
    let more = known.len().saturating_sub(names.len());
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
