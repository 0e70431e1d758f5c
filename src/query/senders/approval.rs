//! What approving a sender needs to know: the evidence that names it, and what a new rule changed.

use duckdb::Connection;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::{PeriodArgs, QueryError, Scope, flow};

/// A sender that the store knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSender {
    /// Its name, as `senders` shows it.
    pub name: String,
    /// approved, recognised or unknown.
    pub status: String,
    /// The words of all evidence that names it.
    pub evidence: Vec<String>,
}

/// What a sender took over from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TakenOver {
    /// Who it was before.
    pub sender: String,
    /// Its status then.
    pub status: String,
    /// Sources taken over.
    pub sources: u64,
    /// Messages taken over.
    pub messages: u64,
}

const NAMED: &str = "
SELECT sender_no, name, status FROM sender WHERE lower(name) = lower(?) ORDER BY status LIMIT 1";

const EVIDENCE: &str = "
SELECT DISTINCT evidence FROM (
    SELECT evidence FROM stream WHERE sender_no = ?1
    UNION ALL SELECT evidence FROM source WHERE sender_no = ?1
    UNION ALL SELECT evidence FROM source_from WHERE sender_no = ?1
) WHERE evidence IS NOT NULL ORDER BY evidence";

const BEFORE: &str = "
CREATE OR REPLACE TEMP TABLE before AS
SELECT DISTINCT f.stream, f.source, coalesce(n.name, s.source_ip, 'unreadable source') AS name, coalesce(n.status, 'unknown') AS status
FROM flow_source f
LEFT JOIN sender n ON n.sender_no = f.sender_key
LEFT JOIN source s ON s.source_no = f.source";

const TAKEN_OVER: &str = "
SELECT b.name, b.status, count(DISTINCT f.source)::UBIGINT, sum(f.messages)::UBIGINT AS messages
FROM flow_source f
JOIN sender n ON n.sender_no = f.sender_key
JOIN before b ON b.stream = f.stream AND b.source IS NOT DISTINCT FROM f.source
WHERE n.status = 'approved' AND n.name = ?
GROUP BY b.name, b.status ORDER BY messages DESC, b.name";

/// Finds a sender by its name, in any case.
///
/// # Errors
/// The store cannot be asked.
pub fn named_sender(connection: &Connection, name: &str) -> Result<Option<NamedSender>, QueryError> {
    let mut statement = connection.prepare(NAMED)?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (number, name, status): (u32, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let mut statement = connection.prepare(EVIDENCE)?;
    let evidence = statement.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(NamedSender { name, status, evidence }))
}

/// Remembers, for this connection, who is behind all mail of the store now. Returns whether there is any.
///
/// # Errors
/// The store cannot be asked.
pub fn remember_senders(connection: &Connection, today: chrono::NaiveDate) -> Result<bool, QueryError> {
    match Scope::resolve(connection, &PeriodArgs::default(), today) {
        Ok(scope) => flow::flow(connection, &scope)?,
        Err(QueryError::EmptyStore) => return Ok(false),
        Err(error) => return Err(error),
    }
    connection.execute_batch(BEFORE)?;
    Ok(true)
}

/// Answers whose mail an approved sender has now, as it was when [`remember_senders`] looked. Most messages first.
///
/// # Errors
/// The store cannot be asked.
pub fn taken_over(
    connection: &Connection,
    sender: &str,
    today: chrono::NaiveDate,
) -> Result<Vec<TakenOver>, QueryError> {
    flow::flow(connection, &Scope::resolve(connection, &PeriodArgs::default(), today)?)?;
    let mut statement = connection.prepare(TAKEN_OVER)?;
    let rows = statement.query_map([sender], |row| {
        Ok(TakenOver { sender: row.get(0)?, status: row.get(1)?, sources: row.get(2)?, messages: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
