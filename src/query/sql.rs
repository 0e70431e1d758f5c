//! Ad hoc SQL: any statement, on a store opened read-only and locked down.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta};
use duckdb::Connection;
use duckdb::types::{TimeUnit, Value as Held};
use serde_json::{Map, Number, Value};

use super::{QueryError, quoted};

/// What a statement may touch besides the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files<'a> {
    /// Nothing.
    None,
    /// Writing one file, for the result.
    Only(&'a Path),
    /// Whatever the process may.
    All,
}

/// Takes the result of a statement, row by row, so that no result is too large.
pub trait Rows {
    /// Is told the names of the columns, once.
    ///
    /// # Errors
    /// The output cannot be written.
    fn columns(&mut self, names: &[String]) -> std::io::Result<()>;
    /// Is told each row.
    ///
    /// # Errors
    /// The output cannot be written.
    fn row(&mut self, values: Vec<Value>) -> std::io::Result<()>;
}

/// Takes from a connection the power to touch files and to change its own settings.
///
/// # Errors
/// Whatever the engine says.
pub fn lock_down(connection: &Connection, files: Files<'_>) -> Result<(), QueryError> {
    let allowed = match files {
        Files::All => return Ok(connection.execute_batch("SET lock_configuration = true")?),
        Files::None => String::new(),
        Files::Only(path) => format!("SET allowed_paths = [{}];", quoted(&path.display().to_string())),
    };
    Ok(connection
        .execute_batch(&format!("{allowed} SET enable_external_access = false; SET lock_configuration = true"))?)
}

/// Runs a statement and hands its rows on.
///
/// # Errors
/// The statement is wrong or fails, or the output cannot be written.
pub fn sql(connection: &Connection, statement: &str, rows: &mut dyn Rows) -> Result<(), SqlError> {
    let mut prepared = connection.prepare(statement)?;
    let mut found = prepared.query([])?;
    let names = found.as_ref().map(|statement| statement.column_names()).unwrap_or_default();
    rows.columns(&names)?;
    while let Some(row) = found.next()? {
        let values = (0..names.len()).map(|at| row.get::<_, Held>(at).map(json)).collect::<Result<_, _>>()?;
        rows.row(values)?;
    }
    Ok(())
}

/// Why a statement gave no result.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The engine refused it.
    #[error("{0}")]
    Engine(#[from] duckdb::Error),
    /// The output could not be written.
    #[error("writing the result: {0}")]
    Output(#[from] std::io::Error),
}

/// Writes the result of a statement to a Parquet file, by the engine itself.
///
/// # Errors
/// The statement is no query, is wrong or fails, or the file cannot be written.
pub fn sql_to_parquet(connection: &Connection, statement: &str, path: &Path) -> Result<(), QueryError> {
    let statement = statement.trim().trim_end_matches(';');
    let path = quoted(&path.display().to_string());
    Ok(connection.execute_batch(&format!("COPY ({statement}\n) TO {path} (FORMAT parquet)"))?)
}

/// Returns a value of the engine as JSON: times in RFC 3339, UTC; what JSON has no number for as text.
fn json(held: Held) -> Value {
    match held {
        Held::Null => Value::Null,
        Held::Boolean(value) => value.into(),
        Held::TinyInt(value) => value.into(),
        Held::SmallInt(value) => value.into(),
        Held::Int(value) => value.into(),
        Held::BigInt(value) => value.into(),
        Held::HugeInt(value) => i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from),
        // Always text: one column has one type, and addresses as numbers are of any size.
        Held::UHugeInt(value) => value.to_string().into(),
        Held::Decimal(value) => decimal(&value.to_string()),
        Held::UTinyInt(value) => value.into(),
        Held::USmallInt(value) => value.into(),
        Held::UInt(value) => value.into(),
        Held::UBigInt(value) => value.into(),
        Held::Float(value) => number(f64::from(value)),
        Held::Double(value) => number(value),
        Held::Timestamp(unit, value) => instant(unit, value),
        Held::Date32(days) => date(days),
        Held::Time64(unit, value) => clock(micros(unit, value)).into(),
        Held::Interval { months, days, nanos } => interval(months, days, nanos / 1_000).into(),
        Held::Text(text) | Held::Enum(text) => text.into(),
        Held::Blob(bytes) | Held::Geometry(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        Held::List(list) | Held::Array(list) => list.into_iter().map(json).collect(),
        Held::Struct(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), json(value.clone())));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Held::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| (words(json(key.clone())), json(value.clone())));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Held::Union(value) => json(*value),
        other => format!("{other:?}").into(),
    }
}

/// A number, else its text: JSON knows neither infinity nor what is no number.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}

/// A number where a double holds all of its digits, else its text.
fn decimal(text: &str) -> Value {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let number = text.parse().ok().and_then(Number::from_f64).filter(|_| digits <= 15);
    number.map_or_else(|| text.into(), Value::Number)
}

fn words(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A time of day, or a length of time: 10:04:05.25.
fn clock(micros: i64) -> String {
    let (sign, micros) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { text } else { format!("{text}.{rest:06}").trim_end_matches('0').to_owned() }
}

/// As the engine writes it: `1 month 3 days 04:05:06`.
fn interval(months: i32, days: i32, micros: i64) -> String {
    let part = |number: i32, one: &str| match number {
        0 => None,
        1 | -1 => Some(format!("{number} {one}")),
        _ => Some(format!("{number} {one}s")),
    };
    let parts = [part(months / 12, "year"), part(months % 12, "month"), part(days, "day")];
    let time = (micros != 0 || (months, days) == (0, 0)).then(|| clock(micros));
    parts.into_iter().flatten().chain(time).collect::<Vec<_>>().join(" ")
}

fn micros(unit: TimeUnit, value: i64) -> i64 {
    match unit {
        TimeUnit::Second => value.saturating_mul(1_000_000),
        TimeUnit::Millisecond => value.saturating_mul(1_000),
        TimeUnit::Microsecond => value,
        TimeUnit::Nanosecond => value / 1_000,
    }
}

fn instant(unit: TimeUnit, value: i64) -> Value {
    let at = DateTime::from_timestamp_micros(micros(unit, value));
    at.map_or(Value::Null, |at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into())
}

fn date(days: i32) -> Value {
    let epoch = NaiveDate::default();
    epoch.checked_add_signed(TimeDelta::days(i64::from(days))).map_or(Value::Null, |day| day.to_string().into())
}
