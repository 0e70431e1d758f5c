//! Mail whose log does not say the sending address, where a question names addresses: it may be theirs, and then a share without
//! it is one of the mail that was refused, since refusals often name the address that the log leaves out.

use std::collections::BTreeSet;

use duckdb::Connection;
use schemars::JsonSchema;
use serde::Serialize;

use super::{DeliveryFlow, DeliveryScope};
use crate::words::counted;

/// Mail of unknown sending addresses that no figure of an answer counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// Real attempts.
    pub attempts: u64,
    /// Message and recipient pairs.
    pub messages: u64,
    /// Gateways behind which the same logs say the address of some mail and leave out that of other mail: a share of what they say it of
    /// is no share of the mail, and is not graded.
    pub not_graded: BTreeSet<String>,
}

impl LeftOut {
    /// Says it to people; `None` where nothing was left out.
    pub fn text(&self) -> Option<String> {
        if self.attempts == 0 {
            return None;
        }
        let mut text = format!(
            "{} of {} (one for each recipient) stand in logs that do not say the sending address: in no figure.",
            counted(self.attempts, "attempt"),
            counted(self.messages, "message")
        );
        if !self.not_graded.is_empty() {
            let gateways: Vec<&str> = self.not_graded.iter().map(String::as_str).collect();
            text.push_str(&format!(
                " The same logs do say it of some mail, such as what was refused: a share of that ({}) would be no share of the mail, and is not graded.",
                gateways.join(", ")
            ));
        }
        Some(text)
    }
}

impl DeliveryFlow<'_> {
    /// Says whether mail whose log does not say the sending address can only be from the addresses of a scope: no log that leaves
    /// it out names another one anywhere.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn unknown_is_theirs(&self, scope: &DeliveryScope) -> duckdb::Result<bool> {
        let connection = self.connection;
        let (named, all) = (scope.source_numbers(connection)?, scope.of_any_source().within(connection)?);
        let others =
            format!("SELECT count(*) > 0 FROM delivery_flow l WHERE {} AND l.source NOT IN ({named})", all.flow);
        if !connection.query_row(&others, [], |row| row.get::<_, bool>(0))? {
            return Ok(true);
        }
        let sql = format!(
            "SELECT count(*) = 0 FROM (SELECT e.\"system\" FROM delivery_life l JOIN delivery_envelope e USING (message_key)
             WHERE {} GROUP BY 1 HAVING bool_or(l.source IS NULL AND l.attempts > 0)
                AND coalesce(bool_or(l.source NOT IN ({named})), false))",
            all.lives
        );
        connection.query_row(&sql, [], |row| row.get(0))
    }

    /// Returns the mail of unknown sending addresses that the figures of a scope do not count.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn left_out(&self, scope: &DeliveryScope) -> duckdb::Result<LeftOut> {
        let mut left_out = LeftOut::default();
        if scope.sources.is_empty() || scope.or_unknown_source {
            return Ok(left_out);
        }
        let connection = self.connection;
        let all = scope.of_any_source().within(connection)?;
        let sql = format!(
            "SELECT coalesce(sum(l.attempts), 0)::UBIGINT, coalesce(sum(l.pairs), 0)::UBIGINT FROM delivery_flow l
             WHERE {} AND l.source IS NULL AND l.attempts > 0",
            all.flow
        );
        (left_out.attempts, left_out.messages) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if left_out.attempts > 0 {
            left_out.not_graded = said_of_some(connection, scope, &all.lives)?;
        }
        Ok(left_out)
    }
}

/// The gateways behind which a log says the addresses of a scope for some mail, and none for other mail.
fn said_of_some(connection: &Connection, scope: &DeliveryScope, lives: &str) -> duckdb::Result<BTreeSet<String>> {
    let sql = format!(
        "SELECT DISTINCT gateway FROM (SELECT o.gateway::VARCHAR AS gateway, e.\"system\" FROM delivery_life l
            JOIN delivery_envelope e USING (message_key) JOIN route_gateway o ON o.route_no = l.route
            WHERE {lives} GROUP BY ALL HAVING bool_or(l.source IS NULL AND l.attempts > 0)
                AND coalesce(bool_or(l.source IN ({})), false))",
        scope.source_numbers(connection)?
    );
    connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
}
