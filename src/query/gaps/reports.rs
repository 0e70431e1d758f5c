//! Gaps in the reports themselves: G15, G16, G20. They are about the day that counts as today, not about the period.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use duckdb::{Connection, params};

use super::super::{QueryError, Scope};
use super::{Finding, some};
use crate::config::DomainRule;
use crate::parse::domain_name;
use crate::query::share;
use crate::severity::Severity;
use crate::words::percent;

// A domain that reporters mention on some weekdays only is not silent between them: `rhythm` is the gap between its
// report days that nine of ten do not exceed.
const LAST_REPORTS: &str = "
WITH days AS (SELECT DISTINCT policy_domain, report_day FROM report WHERE {domains} AND policy_domain IS NOT NULL AND report_day <= ?),
steps AS (SELECT policy_domain, report_day - lag(report_day) OVER (PARTITION BY policy_domain ORDER BY report_day) AS step FROM days),
rhythm AS (SELECT policy_domain, count(step) AS steps, quantile_disc(step, 0.9) AS step FROM steps GROUP BY policy_domain)
SELECT r.policy_domain, epoch_ms(max(r.end_at)), CASE WHEN h.steps >= 4 THEN h.step ELSE 1 END::BIGINT
FROM report r JOIN rhythm h ON h.policy_domain = r.policy_domain
WHERE {domains_r} AND r.report_day <= ?
GROUP BY r.policy_domain, h.steps, h.step ORDER BY r.policy_domain";

const SILENT: &str = "
SELECT policy_domain, arg_max(reporter, (end_at, reporter)), epoch_ms(max(end_at)), count(DISTINCT report_day)::UBIGINT AS days,
    coalesce(sum(messages), 0)::UBIGINT
FROM report
WHERE {domains} AND policy_domain IS NOT NULL AND report_day > ?::DATE - 30 AND report_day <= ?::DATE
GROUP BY policy_domain, lower(reporter) ORDER BY policy_domain, 5 DESC, 2";

const EXPECTED: &str = "
SELECT lower(reporter), epoch_ms(max(coalesce(end_at, begin_at))) FROM report
WHERE {domains} AND policy_domain = ? AND report_day <= ? GROUP BY 1";

const ERRORS: &str = "
SELECT policy_domain, min(reporter), error, max(report_day)::VARCHAR
FROM (SELECT policy_domain, reporter, report_day, unnest(errors) AS error FROM report
      WHERE {reports} AND policy_domain IS NOT NULL AND len(errors) > 0)
GROUP BY policy_domain, lower(reporter), error ORDER BY policy_domain, 4 DESC, 2, 3";

/// Days without a report that are a gap, and that make it grave.
const SILENT_DAYS: i64 = 3;
/// See [`SILENT_DAYS`].
const SILENT_DAYS_HIGH: i64 = 7;
/// Days of the last 30 on which a reporter must have come to be missed, and days of silence after which it is.
const STEADY_DAYS: u64 = 5;
/// See [`STEADY_DAYS`].
const REPORTER_SILENT_DAYS: i64 = 4;
/// Share of the messages above which a silent reporter changes the rates.
const HEAVY_REPORTER: f64 = 0.2;

/// Finds the gaps that the list of reports shows.
pub(super) fn findings(
    connection: &Connection,
    scope: &Scope,
    expected: &[DomainRule],
) -> Result<Vec<Finding>, QueryError> {
    let mut found = silent_domains(connection, scope, expected)?;
    found.extend(silent_reporters(connection, scope, expected)?);
    found.extend(errors(connection, scope)?);
    Ok(found)
}

fn whole_days(from: i64, as_of: NaiveDate) -> i64 {
    let midnight = as_of.and_time(NaiveTime::MIN).and_utc();
    DateTime::<Utc>::from_timestamp_millis(from).map_or(0, |at| (midnight - at).num_days())
}

fn date(at: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(at).map_or_else(|| "?".to_owned(), |at| at.date_naive().to_string())
}

fn silent_domains(connection: &Connection, scope: &Scope, expected: &[DomainRule]) -> Result<Vec<Finding>, QueryError> {
    let ever = Scope { since: None, until: None, ..scope.clone() };
    let sql = LAST_REPORTS.replace("{domains_r}", &ever.of_reports("r.")).replace("{domains}", &ever.of_reports(""));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([scope.as_of, scope.as_of])?;
    let mut found = Vec::new();
    let mut seen = Vec::new();
    while let Some(row) = rows.next()? {
        let (domain, last, rhythm): (String, Option<i64>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        seen.push(domain.clone());
        let parked = expected.iter().any(|rule| !rule.sends && domain_name(&rule.name) == domain.as_str());
        let Some(last) = last.filter(|_| !parked) else { continue };
        let days = whole_days(last, scope.as_of);
        if days < SILENT_DAYS.max(rhythm + 1) {
            continue;
        }
        let severity = if days >= SILENT_DAYS_HIGH.max(rhythm + 1) { Severity::High } else { Severity::Warn };
        let text = format!("the last report ends on {}, {days} days before {}", date(last), scope.as_of);
        found.push(Finding::new("G15", domain, severity, text));
    }
    // A domain that the config expects and the store has never seen; only where no domain was asked for.
    for rule in expected.iter().filter(|rule| rule.sends && scope.domains.is_none()) {
        let name = domain_name(&rule.name).into_owned();
        if !seen.contains(&name) {
            found.push(Finding::new("G15", name, Severity::High, "the store holds no report on it at all".to_owned()));
        }
    }
    Ok(found)
}

/// A reporter of the last 30 days.
struct Reporter {
    name: String,
    last: i64,
    days: u64,
    messages: u64,
}

fn silent_reporters(
    connection: &Connection,
    scope: &Scope,
    expected: &[DomainRule],
) -> Result<Vec<Finding>, QueryError> {
    let ever = Scope { since: None, until: None, ..scope.clone() };
    let mut statement = connection.prepare(&SILENT.replace("{domains}", &ever.of_reports("")))?;
    let mut rows = statement.query([scope.as_of, scope.as_of])?;
    let mut by_domain: BTreeMap<String, Vec<Reporter>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let Some(last) = row.get::<_, Option<i64>>(2)? else { continue };
        let name = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| "a nameless reporter".to_owned());
        by_domain.entry(row.get(0)?).or_default().push(Reporter {
            name,
            last,
            days: row.get(3)?,
            messages: row.get(4)?,
        });
    }
    let lasts = last_of_expected(connection, &ever, expected)?;
    for domain in lasts.keys() {
        by_domain.entry(domain.clone()).or_default();
    }
    let silent = |last: i64| whole_days(last, scope.as_of) > REPORTER_SILENT_DAYS;
    let mut found = Vec::new();
    for (domain, reporters) in by_domain {
        let total: u64 = reporters.iter().map(|one| one.messages).sum();
        let mut missed: Vec<&Reporter> =
            reporters.iter().filter(|one| one.days >= STEADY_DAYS && silent(one.last)).collect();
        if missed.len() == reporters.len() {
            // All of them silent is G15, not a change of reporters.
            missed.clear();
        }
        let others = reporters.iter().any(|one| !silent(one.last));
        let told = |name: &str| missed.iter().any(|one| one.name.to_lowercase() == name.to_lowercase());
        let absent: Vec<String> = lasts
            .get(&domain)
            .into_iter()
            .flatten()
            .filter(|(name, _)| !told(name))
            .filter_map(|(name, last)| match last {
                None => Some(format!("{name}, which the config expects, never came")),
                Some(last) if others && silent(*last) => {
                    Some(format!("{name}, which the config expects, silent since {}", date(*last)))
                }
                Some(_) => None,
            })
            .collect();
        let heavy = missed.iter().any(|one| share(one.messages, total) > Some(HEAVY_REPORTER));
        // Whom the operator waits for is missed, however little it carried.
        let severity = if heavy || !absent.is_empty() { Severity::Warn } else { Severity::Notice };
        let steady = missed.iter().map(|one| {
            let part = percent(share(one.messages, total));
            format!("{} (on {} of 30 days, {part} of the messages) silent since {}", one.name, one.days, date(one.last))
        });
        // Each of those is named.
        let most = absent.len().max(4);
        let listed: Vec<String> = absent.into_iter().chain(steady).collect();
        if !listed.is_empty() {
            found.push(Finding::new("G16", domain, severity, some(&listed, most)));
        }
    }
    Ok(found)
}

/// A reporter that the config expects, and the end of its last report.
type Awaited = (String, Option<i64>);

/// The reporters that the config expects, by domain. Domains without any report are left out: they are G15.
fn last_of_expected(
    connection: &Connection,
    ever: &Scope,
    expected: &[DomainRule],
) -> Result<BTreeMap<String, Vec<Awaited>>, QueryError> {
    let mut lasts = BTreeMap::new();
    if expected.iter().all(|rule| rule.reporters.is_empty()) {
        return Ok(lasts);
    }
    let sql = EXPECTED.replace("{domains}", &ever.of_reports(""));
    let mut statement = connection.prepare(&sql)?;
    for rule in expected.iter().filter(|rule| !rule.reporters.is_empty()) {
        let domain = domain_name(&rule.name).into_owned();
        let mut rows = statement.query(params![domain, ever.as_of])?;
        let mut ends: BTreeMap<String, Option<i64>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            ends.insert(row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get(1)?);
        }
        if ends.is_empty() {
            continue;
        }
        let named = |name: &String| (name.clone(), ends.get(&name.trim().to_lowercase()).copied().flatten());
        lasts.insert(domain, rule.reporters.iter().map(named).collect());
    }
    Ok(lasts)
}

fn errors(connection: &Connection, scope: &Scope) -> Result<Vec<Finding>, QueryError> {
    let mut statement = connection.prepare(&ERRORS.replace("{reports}", &scope.of_reports("")))?;
    let mut rows = statement.query([])?;
    let mut by_domain: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let reporter = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| "a nameless reporter".to_owned());
        let (error, day): (String, Option<String>) = (row.get(2)?, row.get(3)?);
        let text = format!("{reporter} ({}): \u{201c}{error}\u{201d}", day.unwrap_or_default());
        by_domain.entry(row.get(0)?).or_default().push(text);
    }
    let finding =
        |(domain, listed): (String, Vec<String>)| Finding::new("G20", domain, Severity::Notice, some(&listed, 3));
    Ok(by_domain.into_iter().map(finding).collect())
}
