//! The answer of `delivery summary`: the figures of each group under the names that people know.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use duckdb::Connection;

use super::figures::{ALL, Groups, Key, Shared, Sums};
use super::scope::Within;
use super::{DeliveryBy, DeliveryFlow, DeliveryRow, DeliveryScope, DeliverySummary, Outcomes, figures, responses};
use crate::query::QueryError;
use crate::words::counted;

/// Answers what became of the mail.
///
/// # Errors
/// The store cannot be asked, or holds nothing in the scope.
pub fn summary(connection: &Connection, scope: &DeliveryScope, by: DeliveryBy) -> Result<DeliverySummary, QueryError> {
    DeliveryFlow::of(connection, scope)?.summary(scope, by)
}

impl DeliveryFlow<'_> {
    /// Answers what became of the mail, in a part of what was scanned.
    ///
    /// # Errors
    /// The store cannot be asked, or holds nothing in the scope.
    pub fn summary(&self, scope: &DeliveryScope, by: DeliveryBy) -> Result<DeliverySummary, QueryError> {
        let connection = self.connection;
        let Some((since, until)) = self.span(scope)? else { return Err(nothing(connection, scope)) };
        let within = scope.within(connection)?;
        let (groups, total) = match key(by) {
            Some(key) => {
                let groups = figures::groups(connection, &within, key)?;
                let total = figures::total(connection, &within, key, &groups)?;
                (groups, total)
            }
            None => {
                let total = everything(connection, &within)?;
                let pairs = total.outcomes.iter().sum();
                (responses::groups(connection, &within.lives, pairs)?, total)
            }
        };
        let mut rows = named(connection, by, groups)?;
        match by {
            DeliveryBy::Day => rows.sort_by(|a, b| a.name.cmp(&b.name)),
            _ => rows.sort_by(|a, b| {
                let figures = |row: &DeliveryRow| (row.outcomes.affected, row.outcomes.recipients);
                figures(b).cmp(&figures(a)).then_with(|| absent_last(&a.name, by).cmp(&absent_last(&b.name, by)))
            }),
        }
        let internal =
            connection.query_row("SELECT count(*) FROM delivery_life l WHERE l.internal", [], |row| row.get(0))?;
        let sender_unknown = match scope.domain {
            Some(_) => Some(self.sender_unknown(&within)?),
            None => None,
        };
        let (mut total, left_out) = (total.outcomes(), self.left_out(scope)?);
        if !left_out.not_graded.is_empty() {
            total.not_graded();
        }
        for row in &mut rows {
            let not_graded = match (by, row.name.get(by.key()).and_then(Option::as_ref)) {
                (DeliveryBy::Gateway, Some(gateway)) => left_out.not_graded.contains(gateway),
                // Who got a reputation answer is affected: its share is all of them by definition.
                (DeliveryBy::Response, _) => true,
                _ => !left_out.not_graded.is_empty(),
            };
            if not_graded {
                row.outcomes.not_graded();
            }
        }
        Ok(DeliverySummary { since, until, by, rows, total, internal, sender_unknown, left_out, as_of: scope.cut })
    }

    fn sender_unknown(&self, within: &Within) -> duckdb::Result<u64> {
        let sql = format!(
            "SELECT coalesce(sum(l.pairs), 0)::UBIGINT FROM delivery_flow l WHERE l.envelope_from IS NULL AND {}",
            within.flow
        );
        self.connection.query_row(&sql, [], |row| row.get(0))
    }

    /// Answers for everything in a part of what was scanned.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn outcomes(&self, scope: &DeliveryScope) -> duckdb::Result<Outcomes> {
        let connection = self.connection;
        let mut outcomes = everything(connection, &scope.within(connection)?)?.outcomes();
        if !self.left_out(scope)?.not_graded.is_empty() {
            outcomes.not_graded();
        }
        Ok(outcomes)
    }
}

fn everything(connection: &Connection, within: &Within) -> duckdb::Result<Sums> {
    Ok(figures::groups(connection, within, ALL)?.remove(&None).unwrap_or_default())
}

/// What the rows are grouped by; `None` for responses, which lines have, not lives.
fn key(by: DeliveryBy) -> Option<Key> {
    let column = |column| Key { column, of_flow: Some(column), join: "", shared: Shared::Anywhere };
    Some(match by {
        DeliveryBy::Gateway => {
            // A recipient has one domain, and few domains have routes through more than one gateway.
            let several = "l.recipient_domain IN (SELECT recipient_domain FROM delivery_route GROUP BY 1
                HAVING count(DISTINCT gateway) > 1)";
            Key {
                column: "o.gateway",
                of_flow: Some("l.gateway"),
                join: "JOIN route_gateway o ON o.route_no = l.route",
                shared: Shared::InDomains(several),
            }
        }
        DeliveryBy::RecipientDomain => Key { of_flow: None, shared: Shared::Never, ..column("l.recipient_domain") },
        DeliveryBy::Source => column("l.source"),
        DeliveryBy::Campaign => column("l.campaign"),
        DeliveryBy::Day => Key {
            of_flow: Some("l.day - DATE '1970-01-01'"),
            ..column("(epoch_us(l.first_at) // 86400000000)::INTEGER")
        },
        DeliveryBy::Response => return None,
    })
}

/// What a row is called.
#[derive(Default)]
struct Name {
    text: String,
    smtp_code: Option<u16>,
    enhanced_code: Option<String>,
    stage: Option<String>,
}

/// Gives each group its name.
fn named(connection: &Connection, by: DeliveryBy, groups: Groups) -> duckdb::Result<Vec<DeliveryRow>> {
    let numbers: Vec<&str> = groups.keys().flatten().map(String::as_str).collect();
    // A long list costs more than the whole table.
    let of = |column: &str| match numbers.len() {
        0 => "false".to_owned(),
        1..1000 => format!("{column} IN ({})", numbers.join(", ")),
        _ => "true".to_owned(),
    };
    let names: BTreeMap<String, Name> = match by {
        DeliveryBy::Gateway | DeliveryBy::Day => BTreeMap::new(),
        DeliveryBy::RecipientDomain | DeliveryBy::Source | DeliveryBy::Campaign => {
            let sql = format!("SELECT text_no::VARCHAR, \"text\" FROM delivery_text WHERE {}", of("text_no"));
            let mut statement = connection.prepare(&sql)?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, Name { text: row.get(1)?, ..Name::default() })))?;
            rows.collect::<Result<_, _>>()?
        }
        DeliveryBy::Response => {
            let sql = format!(
                "SELECT response_no::VARCHAR, shape, smtp_code, enhanced_code, stage FROM delivery_response WHERE {}",
                of("response_no")
            );
            let mut statement = connection.prepare(&sql)?;
            let name = |row: &duckdb::Row<'_>| -> duckdb::Result<Name> {
                Ok(Name { text: row.get(1)?, smtp_code: row.get(2)?, enhanced_code: row.get(3)?, stage: row.get(4)? })
            };
            let rows = statement.query_map([], |row| Ok((row.get(0)?, name(row)?)))?;
            rows.collect::<Result<_, _>>()?
        }
    };
    let absent = match by {
        DeliveryBy::Source => Some("unknown"),
        DeliveryBy::Response => Some("(no response)"),
        _ => None,
    };
    let rows = groups.into_iter().map(|(key, sums)| {
        let found = key.as_ref().and_then(|key| names.get(key));
        let name = match by {
            DeliveryBy::Gateway => key,
            DeliveryBy::Day => key.and_then(|days| day(&days)),
            // A recipient of the null address has no domain.
            _ => found
                .map(|name| name.text.clone())
                .filter(|name| !name.is_empty())
                .or_else(|| absent.map(str::to_owned)),
        };
        DeliveryRow {
            name: BTreeMap::from([(by.key(), name)]),
            smtp_code: found.and_then(|name| name.smtp_code),
            enhanced_code: found.and_then(|name| name.enhanced_code.clone()),
            stage: found.and_then(|name| name.stage.clone()),
            outcomes: sums.outcomes(),
        }
    });
    Ok(rows.collect())
}

/// Names in order, none last.
fn absent_last<'a>(name: &'a BTreeMap<&'static str, Option<String>>, by: DeliveryBy) -> (bool, &'a str) {
    let name = name.get(by.key()).and_then(Option::as_deref);
    (name.is_none(), name.unwrap_or_default())
}

/// The date of a number of days since 1970.
fn day(days: &str) -> Option<String> {
    let days: i32 = days.parse().ok()?;
    NaiveDate::from_num_days_from_ce_opt(days + 719_163).map(|date| date.to_string())
}

fn nothing(connection: &Connection, scope: &DeliveryScope) -> QueryError {
    let everything = DeliveryScope::default();
    let held = DeliveryFlow::of(connection, &everything).and_then(|flow| flow.span(&everything));
    let internal: u64 = connection
        .query_row("SELECT count(*) FROM delivery_life l WHERE l.internal", [], |row| row.get(0))
        .unwrap_or_default();
    let text = match (held, scope.cut) {
        (Ok(Some((first, last))), _) => {
            let gateways: Vec<String> = connection
                .prepare("SELECT DISTINCT gateway FROM delivery_route ORDER BY 1")
                .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
                .unwrap_or_default();
            let asked = match &scope.gateway {
                Some(gateway) => format!(" behind the gateway {gateway}"),
                None => String::new(),
            };
            let until = scope.cut.map_or_else(String::new, |day| format!(", up to {day},"));
            format!(
                "no delivery evidence{asked} in that scope; the store holds{until} first attempts from {first} to {last}, gateways {}",
                gateways.join(", ")
            )
        }
        (Ok(None), _) if internal > 0 => format!(
            "all delivery evidence of the store ({}) is of mail to one's own next hop (mailboxes, filters, relays on private addresses), which says nothing of other receivers: the log of the relay that hands the mail to them does",
            counted(internal, "message")
        ),
        (_, Some(day)) => format!("the store holds no delivery evidence up to {day}"),
        _ => "the store holds no delivery evidence yet: `dmarcase delivery import PATH` reads logs of mail systems and events of sending platforms"
            .to_owned(),
    };
    QueryError::NotFound(text)
}
