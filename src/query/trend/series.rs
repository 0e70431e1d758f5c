//! The daily series of each policy domain and its senders, with eight weeks of history before the first day asked for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use duckdb::Connection;
use rustc_hash::FxHashMap;

use super::super::{QueryError, Scope};
use super::axis::Axis;
use super::detect::{Backdrop, Day, WEEKS};

// All sources that nothing names make one series: each alone is too small to have a rhythm.
const SERIES: &str = "
SELECT r.policy_domain, r.report_day, coalesce(r.sender_no::BIGINT, -1) AS sender,
    coalesce(sum(r.messages), 0)::UBIGINT, coalesce(sum(r.messages) FILTER (WHERE r.dmarc_pass), 0)::UBIGINT
FROM attributed r
WHERE {records} AND r.policy_domain IS NOT NULL AND r.report_day IS NOT NULL
GROUP BY 1, 2, 3";

const DAYS: &str = "SELECT DISTINCT report_day FROM report WHERE {reports} AND report_day IS NOT NULL";

const REPORTERS: &str = "
SELECT policy_domain_no, report_day, lower(coalesce(reporter, '')), coalesce(sum(messages), 0)::UBIGINT
FROM report
WHERE {reports} AND policy_domain_no IS NOT NULL AND report_day IS NOT NULL
GROUP BY 1, 2, 3";

/// The series of one policy domain; [`Series::day`] tells the days.
#[derive(Debug, Default)]
pub(super) struct DomainSeries {
    /// All its mail, for the senders to be weighed against.
    pub(super) backdrop: Vec<Backdrop>,
    /// All its mail.
    pub(super) all: Vec<Day>,
    /// Each sender; -1 for all sources that nothing names.
    pub(super) senders: BTreeMap<i64, Vec<Day>>,
}

/// Every series of a scope.
#[derive(Debug)]
pub(super) struct Series {
    axis: Axis,
    /// The index of the first day asked for.
    pub(super) from: usize,
    /// By number of the policy domain.
    pub(super) domains: BTreeMap<u32, DomainSeries>,
}

impl Series {
    /// Returns the day of an index.
    pub(super) fn day(&self, index: usize) -> NaiveDate {
        self.axis.day(index).unwrap_or_default()
    }

    /// Reads the series.
    pub(super) fn read(connection: &Connection, scope: &Scope) -> Result<Self, QueryError> {
        let history = Days::new(7 * WEEKS as u64 + 6);
        let first = scope.span.since.checked_sub_days(history).unwrap_or(scope.span.since);
        let wide = Scope { since: Some(first), until: Some(scope.span.until), ..scope.clone() };
        let mut statement = connection.prepare(&DAYS.replace("{reports}", &wide.of_reports("")))?;
        let held = statement.query_map([], |row| row.get(0))?;
        // Of the store's days: history may not reach that far back. What was asked for has its days in any case.
        let mut held: BTreeSet<NaiveDate> = held.collect::<Result<_, _>>()?;
        held.extend([scope.span.since, scope.span.until]);
        let axis = Axis::through(held);
        let length = axis.length();
        let from = axis.index(scope.span.since).unwrap_or(0);
        let mut series = Self { axis, from, domains: BTreeMap::new() };
        let mut statement = connection.prepare(&SERIES.replace("{records}", &wide.of_records("r.")))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let domain = series.domains.entry(row.get(0)?).or_insert_with(|| DomainSeries {
                backdrop: Vec::new(),
                all: vec![Day::default(); length],
                senders: BTreeMap::new(),
            });
            let Some(at) = series.axis.index(row.get(1)?) else { continue };
            let (messages, pass): (u64, u64) = (row.get(3)?, row.get(4)?);
            let of_sender = domain.senders.entry(row.get(2)?).or_insert_with(|| vec![Day::default(); length]);
            for days in [of_sender, &mut domain.all] {
                if let Some(day) = days.get_mut(at) {
                    day.messages += messages;
                    day.pass += pass;
                }
            }
        }
        series.cover(connection, &wide, length)?;
        Ok(series)
    }

    /// Works out which part of each domain's usual mail the reporters of each day stand for.
    fn cover(&mut self, connection: &Connection, wide: &Scope, length: usize) -> Result<(), QueryError> {
        let mut by_domain: FxHashMap<u32, FxHashMap<String, Vec<Option<u64>>>> = FxHashMap::default();
        let mut statement = connection.prepare(&REPORTERS.replace("{reports}", &wide.of_reports("")))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let reporters = by_domain.entry(row.get(0)?).or_default();
            let days = reporters.entry(row.get(2)?).or_insert_with(|| vec![None; length]);
            let day: NaiveDate = row.get(1)?;
            if let Some(day) = self.axis.index(day).and_then(|at| days.get_mut(at)) {
                *day = Some(day.unwrap_or(0) + row.get::<_, u64>(3)?);
            }
        }
        for (number, domain) in &mut self.domains {
            let reporters = by_domain.remove(number).unwrap_or_default();
            domain.backdrop = (0..length)
                .map(|at| {
                    // A reporter's weight is what it brought in the two weeks before; one that is new counts as there.
                    let past = at.saturating_sub(14)..at;
                    let (mut usual, mut present) = (0_u64, 0_u64);
                    for days in reporters.values() {
                        let weight: u64 = days.get(past.clone()).into_iter().flatten().flatten().sum();
                        usual += weight;
                        present += if days.get(at).is_some_and(Option::is_some) { weight } else { 0 };
                    }
                    let coverage = if usual == 0 { 1.0 } else { present as f64 / usual as f64 };
                    Backdrop { messages: domain.all.get(at).map_or(0, |day| day.messages), coverage }
                })
                .collect();
        }
        Ok(())
    }
}
