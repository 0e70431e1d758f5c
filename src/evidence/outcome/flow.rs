//! The one scan of the lives behind most figures: a temporary table `delivery_flow` that they all sum from.

use chrono::NaiveDate;
use duckdb::Connection;

use super::DeliveryScope;
use crate::evidence::{MEMORY, end_with};
use crate::query::quoted;

const FLOW: &str = include_str!("../../../schemas/query/delivery_flow.sql");

/// The mail of a scope, scanned once: `delivery_flow` stands on the connection.
#[derive(Debug)]
pub struct DeliveryFlow<'a> {
    pub(super) connection: &'a Connection,
}

impl<'a> DeliveryFlow<'a> {
    /// Scans the lives of a scope, from whatever addresses: how much mail of unknown ones there is, an answer must say. Where the
    /// scope ends with a day that counts as today, what came later is hidden from the connection.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn of(connection: &'a Connection, scope: &DeliveryScope) -> duckdb::Result<Self> {
        connection.execute_batch(MEMORY)?;
        if let Some(day) = scope.cut {
            end_with(connection, day)?;
        }
        let gateways: Vec<String> = connection
            .prepare("SELECT DISTINCT gateway FROM delivery_route ORDER BY 1")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let words: Vec<String> = gateways.iter().map(|gateway| quoted(gateway)).collect();
        // An enum of no words cannot be written; a store without routes has no lives either.
        let words = if words.is_empty() { "''".to_owned() } else { words.join(", ") };
        let sql =
            FLOW.replace("{gateways}", &words).replace("{lives}", &scope.of_any_source().within(connection)?.lives);
        connection.execute_batch(&sql)?;
        Ok(Self { connection })
    }

    /// Returns the first and last UTC day of a part of what was scanned; a day that the scope names is its own. `None` where
    /// nothing is in it.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn span(&self, scope: &DeliveryScope) -> duckdb::Result<Option<(NaiveDate, NaiveDate)>> {
        let sql =
            format!("SELECT min(l.day), max(l.day) FROM delivery_flow l WHERE {}", scope.within(self.connection)?.flow);
        let (first, last): (Option<NaiveDate>, Option<NaiveDate>) =
            self.connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let until = scope.until.map(|until| scope.cut.map_or(until, |cut| cut.min(until)));
        Ok(first.zip(last).map(|(first, last)| (scope.since.unwrap_or(first), until.unwrap_or(last))))
    }
}
