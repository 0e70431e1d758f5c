//! Columns on their way into a table: the one place where Rust values become Arrow arrays.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, FixedSizeBinaryArray, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use duckdb::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use duckdb::arrow::datatypes::{DataType, Field, Fields, Schema};
use duckdb::arrow::record_batch::RecordBatch;

/// Named columns of equal length, appended to a table in one go. Columns of the table that are not named get their default.
#[derive(Debug, Default)]
pub struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    /// Starts with no columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of any plain Arrow array, such as a `UInt32Array`.
    pub fn push(&mut self, name: &'static str, array: impl Array + 'static) -> &mut Self {
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(Arc::new(array));
        self
    }

    /// Adds a column of text.
    pub fn text<S: AsRef<str>>(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<S>>,
    ) -> &mut Self {
        self.push(name, StringArray::from_iter(values))
    }

    /// Adds a column of flags.
    pub fn flags(&mut self, name: &'static str, values: Vec<bool>) -> &mut Self {
        self.push(name, BooleanArray::from(values))
    }

    /// Adds a column of instants, given as seconds since 1970-01-01 UTC. What a calendar does not hold becomes NULL.
    pub fn times(&mut self, name: &'static str, values: impl IntoIterator<Item = Option<i64>>) -> &mut Self {
        self.micros(name, values.into_iter().map(|value| value.and_then(|seconds| seconds.checked_mul(1_000_000))))
    }

    /// Adds a column of instants, given as microseconds since 1970-01-01 UTC. What a calendar does not hold becomes NULL.
    pub fn micros(&mut self, name: &'static str, values: impl IntoIterator<Item = Option<i64>>) -> &mut Self {
        let micros = values.into_iter().map(|value| value.filter(|at| in_calendar(at.div_euclid(1_000_000))));
        self.push(name, TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
    }

    /// Adds a column of dates, given as days since 1970-01-01.
    pub fn days(&mut self, name: &'static str, values: Vec<Option<i32>>) -> &mut Self {
        self.push(name, Date32Array::from(values))
    }

    /// Adds a column of 128-bit keys (DuckDB's UUID).
    pub fn keys(&mut self, name: &'static str, values: impl IntoIterator<Item = Option<u128>>) -> &mut Self {
        let mut bytes: Vec<u8> = Vec::new();
        let mut valid: Vec<bool> = Vec::new();
        for value in values {
            bytes.extend_from_slice(&value.unwrap_or_default().to_be_bytes());
            valid.push(value.is_some());
        }
        let array = FixedSizeBinaryArray::new(16, Buffer::from_vec(bytes), Some(NullBuffer::from(valid)));
        let extension = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
        self.fields.push(Field::new(name, array.data_type().clone(), true).with_metadata(extension));
        self.arrays.push(Arc::new(array));
        self
    }

    /// Adds a column of lists of texts.
    pub fn texts<S: AsRef<str>>(&mut self, name: &'static str, values: &[&[S]]) -> &mut Self {
        let flat = StringArray::from_iter(values.iter().flat_map(|list| list.iter()).map(Some));
        let offsets = OffsetBuffer::from_lengths(values.iter().map(|list| list.len()));
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        self.push(name, ListArray::new(item, offsets, Arc::new(flat), None))
    }

    /// Adds a column of lists of structs whose fields are all text. Each row is a list of structs, each struct the values
    /// of `names` in order.
    pub fn structs<const N: usize>(
        &mut self,
        name: &'static str,
        names: [&'static str; N],
        rows: &[Vec<[Option<&str>; N]>],
    ) -> &mut Self {
        let fields: Fields = names.iter().map(|field| Field::new(*field, DataType::Utf8, true)).collect();
        let column = |at: usize| -> ArrayRef {
            let values = rows.iter().flatten().map(|fields| fields.get(at).copied().flatten());
            Arc::new(StringArray::from_iter(values))
        };
        let flat = StructArray::new(fields.clone(), (0..N).map(column).collect(), None);
        let offsets = OffsetBuffer::from_lengths(rows.iter().map(Vec::len));
        let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
        self.push(name, ListArray::new(item, offsets, Arc::new(flat), None))
    }

    /// Puts the columns into a table in place of what it holds, inside the connection's transaction.
    ///
    /// # Errors
    /// As [`Columns::append`].
    pub(super) fn replace(self, connection: &Connection, table: &str) -> duckdb::Result<()> {
        connection.prepare_cached(&format!("DELETE FROM {table}"))?.execute([])?;
        self.append(connection, table)
    }

    /// Appends the columns to a table, inside the connection's transaction.
    ///
    /// # Errors
    /// Whatever the engine says: an unknown column, a wrong type, no space.
    pub fn append(self, connection: &Connection, table: &str) -> duckdb::Result<()> {
        if self.arrays.first().is_none_or(|array| array.is_empty()) {
            return Ok(());
        }
        let names: Vec<String> = self.fields.iter().map(|field| field.name().clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
            .map_err(|error| duckdb::Error::ToSqlConversionFailure(Box::new(error)))?;
        let mut appender = connection.appender_with_columns(table, &names)?;
        appender.append_record_batch(batch)?;
        appender.flush()
    }
}

/// Reads a 128-bit key from the engine's text form of it.
pub(crate) fn key_of(text: &str) -> u128 {
    u128::from_str_radix(&text.replace('-', ""), 16).unwrap_or_default()
}

/// Returns the key of what was hashed: the first 128 bits of BLAKE3.
pub fn hash_key(hasher: &blake3::Hasher) -> u128 {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    u128::from_be_bytes(bytes)
}

/// Returns an address as the number that `source.ip_sort` holds: IPv4 as `::ffff:a.b.c.d`.
pub fn ip_sort(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Years 1 to 9999: what people, DuckDB and JSON all write.
fn in_calendar(seconds: i64) -> bool {
    (-62_135_596_800..=253_402_300_799).contains(&seconds)
}
