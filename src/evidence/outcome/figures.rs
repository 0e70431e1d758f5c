//! The figures of lives, group by group: sums of `delivery_flow`; distinct recipients and median delays, each in one pass over
//! narrow columns of the lives themselves.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::scope::Within;
use super::{Outcomes, Severity};
use crate::query::share;

/// Recipients that are told apart at once: what one pass keeps in memory grows with them.
const AT_ONCE: u64 = 4_000_000;

/// What lives are grouped by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The key over `delivery_life l`; its text is the group's name, or its number.
    pub(super) column: &'static str,
    /// The key over `delivery_flow l`; `None` where the flow does not tell it apart.
    pub(super) of_flow: Option<&'static str>,
    /// A join that the key needs.
    pub(super) join: &'static str,
    /// Whether a recipient can be in several groups.
    pub(super) shared: Shared,
}

/// Where a recipient is in several groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    /// Nowhere: the key follows from the recipient.
    Never,
    /// Only where this condition holds.
    InDomains(&'static str),
    /// Anywhere.
    Anywhere,
}

/// Everything is one group.
pub(super) const ALL: Key = Key { column: "NULL", of_flow: Some("NULL"), join: "", shared: Shared::Never };

/// Seconds from the first attempt to the end, as whole seconds of the clock.
pub(crate) const DELAY: &str = "epoch_us(l.final_at) // 1000000 - epoch_us(l.first_at) // 1000000";

/// Returns the median of a column: of an even number of values the mean of the two in the middle, without its fraction.
pub(super) fn median(column: &str) -> String {
    format!("floor(quantile_cont({column}, 0.5))::BIGINT")
}

/// Returns the pairs of an outcome, by its number, over rows `l` of `delivery_flow`.
pub(crate) fn pairs_of(outcome: u8) -> String {
    format!("coalesce(sum(l.pairs) FILTER (WHERE l.outcome = {outcome}), 0)::UBIGINT")
}

/// The sums of some lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) recipients: u64,
    pub(super) affected: u64,
    pub(super) expired_affected: u64,
    pub(super) attempts: u64,
    pub(super) deferrals: u64,
    pub(super) reputation_deferrals: u64,
    /// Pairs by outcome, in the order of `delivery_life.outcome`.
    pub(super) outcomes: [u64; 6],
    pub(super) median_delay: Option<u64>,
}

impl Sums {
    /// Adds what is counted of disjoint lives; recipients too, where they are disjoint as well.
    pub(super) fn add(&mut self, other: &Self) {
        self.recipients += other.recipients;
        self.affected += other.affected;
        self.expired_affected += other.expired_affected;
        self.attempts += other.attempts;
        self.deferrals += other.deferrals;
        self.reputation_deferrals += other.reputation_deferrals;
        for (sum, one) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += one;
        }
    }

    pub(super) fn outcomes(&self) -> Outcomes {
        let [delivered_first, delivered_late, expired, bounced, dropped, pending] = self.outcomes;
        Outcomes {
            recipients: self.recipients,
            affected: self.affected,
            share: share(self.affected, self.recipients),
            severity: Severity::grade(self.affected, self.recipients, self.expired_affected),
            attempts: self.attempts,
            deferrals: self.deferrals,
            reputation_deferrals: self.reputation_deferrals,
            delivered_first,
            delivered_late,
            expired,
            bounced,
            dropped,
            pending,
            median_delay_late_s: self.median_delay,
        }
    }
}

/// Groups by the text of their key.
pub(super) type Groups = BTreeMap<Option<String>, Sums>;

/// Returns the figures of each group of the lives within a condition.
pub(super) fn groups(connection: &Connection, within: &Within, key: Key) -> duckdb::Result<Groups> {
    let mut groups = Groups::new();
    let (lives, flow) = (&within.lives, &within.flow);
    let rows = match key.of_flow {
        Some(column) => format!("SELECT {column} AS g, l.* FROM delivery_flow l WHERE {flow}"),
        None => format!(
            "SELECT {} AS g, l.outcome, l.reputation_deferrals > 0 AS affected, 1 AS pairs, l.attempts, l.deferrals,
                l.reputation_deferrals
             FROM delivery_life l {} WHERE {lives}",
            key.column, key.join
        ),
    };
    let by_outcome: Vec<String> = (0..6).map(pairs_of).collect();
    let sql = format!(
        "SELECT g::VARCHAR, * EXCLUDE (g) FROM (SELECT l.g,
            coalesce(sum(l.pairs) FILTER (WHERE l.outcome = 2 AND l.affected), 0)::UBIGINT,
            coalesce(sum(l.attempts), 0)::UBIGINT, coalesce(sum(l.deferrals), 0)::UBIGINT,
            coalesce(sum(l.reputation_deferrals), 0)::UBIGINT, {}
         FROM ({rows}) l GROUP BY l.g)",
        by_outcome.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut pairs = 0;
    while let Some(row) = rows.next()? {
        let mut sums = Sums {
            expired_affected: row.get(1)?,
            attempts: row.get(2)?,
            deferrals: row.get(3)?,
            reputation_deferrals: row.get(4)?,
            ..Sums::default()
        };
        for (number, outcome) in sums.outcomes.iter_mut().enumerate() {
            *outcome = row.get(5 + number)?;
        }
        pairs += sums.outcomes.iter().sum::<u64>();
        groups.insert(row.get(0)?, sums);
    }
    for (group, recipients, affected) in distinct(connection, lives, key, pairs)? {
        let sums = groups.entry(group).or_default();
        sums.recipients += recipients;
        sums.affected += affected;
    }
    for (group, delay) in median_delays(connection, lives, key)? {
        groups.entry(group).or_default().median_delay = delay;
    }
    Ok(groups)
}

/// What makes a recipient count: 1 for one with an attempt, 2 for one with a reputation deferral.
const STANDING: &str =
    "max(CASE WHEN l.reputation_deferrals > 0 THEN 2 WHEN l.attempts > 0 THEN 1 ELSE 0 END)::UTINYINT";

/// Returns the recipients of each group, and the affected ones; a group comes once a part.
fn distinct(
    connection: &Connection,
    within: &str,
    Key { column, join, .. }: Key,
    pairs: u64,
) -> duckdb::Result<Vec<(Option<String>, u64, u64)>> {
    let mut found = Vec::new();
    for part in parts(pairs) {
        let sql = format!(
            "SELECT g::VARCHAR, count(*) FILTER (WHERE s > 0), count(*) FILTER (WHERE s = 2) FROM (
                SELECT {column} AS g, l.recipient_key, {STANDING} AS s FROM delivery_life l {join} WHERE {within}{part}
                GROUP BY g, l.recipient_key) GROUP BY g"
        );
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

/// Returns the median delay of each group's late pairs.
fn median_delays(
    connection: &Connection,
    within: &str,
    Key { column, join, .. }: Key,
) -> duckdb::Result<Vec<(Option<String>, Option<u64>)>> {
    let sql = format!(
        "SELECT g::VARCHAR, d FROM (SELECT {column} AS g, {} AS d FROM delivery_life l {join}
         WHERE l.outcome = 1 AND {within} GROUP BY g)",
        median(DELAY)
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let delay: Option<i64> = row.get(1)?;
        Ok((row.get(0)?, delay.and_then(|seconds| u64::try_from(seconds).ok())))
    })?;
    rows.collect()
}

/// Returns everything in one group, where the groups that `key` makes of it are known: only what groups cannot say of the
/// whole is asked again.
pub(super) fn total(connection: &Connection, within: &Within, key: Key, groups: &Groups) -> duckdb::Result<Sums> {
    let mut total = Sums::default();
    for sums in groups.values() {
        total.add(sums);
    }
    if groups.len() > 1 && key.shared != Shared::Never {
        let pairs = total.outcomes.iter().sum();
        (total.recipients, total.affected) = match key.shared {
            Shared::InDomains(several) => {
                let (recipients, affected) = counted_again(connection, &within.lives, key, several)?;
                (total.recipients.saturating_sub(recipients), total.affected.saturating_sub(affected))
            }
            _ => {
                let parts = distinct(connection, &within.lives, ALL, pairs)?;
                parts.into_iter().fold((0, 0), |(all, affected), (_, a, b)| (all + a, affected + b))
            }
        };
    }
    total.median_delay = median_delays(connection, &within.lives, ALL)?.into_iter().find_map(|(_, delay)| delay);
    Ok(total)
}

/// Returns how often recipients, and affected ones, are counted in more than their first group.
fn counted_again(
    connection: &Connection,
    within: &str,
    Key { column, join, .. }: Key,
    several: &str,
) -> duckdb::Result<(u64, u64)> {
    let sql = format!(
        "SELECT coalesce(sum(tried - 1) FILTER (WHERE tried > 0), 0)::UBIGINT,
            coalesce(sum(affected - 1) FILTER (WHERE affected > 0), 0)::UBIGINT
         FROM (SELECT count(*) FILTER (WHERE s > 0) AS tried, count(*) FILTER (WHERE s = 2) AS affected FROM (
            SELECT {column} AS g, l.recipient_key AS r, {STANDING} AS s FROM delivery_life l {join}
            WHERE {within} AND {several} GROUP BY g, r) GROUP BY r)"
    );
    connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Conditions on the recipient (a hash, so of even size) that part `pairs` lives so that one part fits in memory.
pub(super) fn parts(pairs: u64) -> impl Iterator<Item = String> {
    let parts = pairs.div_ceil(AT_ONCE).max(1);
    let width = u64::MAX / parts;
    (0..parts).map(move |part| match (part, part + 1 == parts) {
        (0, true) => String::new(),
        (_, true) => format!(" AND l.recipient_key >= {}", part * width),
        _ => format!(" AND l.recipient_key >= {} AND l.recipient_key < {}", part * width, (part + 1) * width),
    })
}
