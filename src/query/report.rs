//! One report, whole.

use duckdb::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::QueryError;

/// A report with its records.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReportView {
    /// Every column of table `report`, by name.
    pub report: serde_json::Map<String, Value>,
    /// Every record, with the columns of `record_full` that are its own, by name.
    pub records: Vec<serde_json::Map<String, Value>>,
}

const RECORDS: &str = "
    SELECT to_json(struct_pack(record_no, source_ip, messages, disposition, dkim_aligned, spf_aligned, dmarc_pass,
        dkim_recomputed, spf_recomputed, header_from, envelope_from, envelope_to, sender, sender_status, dkim, spf, reasons))::VARCHAR
    FROM record_full WHERE report_no = ? ORDER BY record_no";

// Times as every answer says them, RFC 3339 in UTC.
const WHOLE: &str = "
    SELECT to_json(whole)::VARCHAR FROM (
        SELECT * REPLACE (strftime(make_timestamp(epoch_us(begin_at)), '%Y-%m-%dT%H:%M:%SZ') AS begin_at,
            strftime(make_timestamp(epoch_us(end_at)), '%Y-%m-%dT%H:%M:%SZ') AS end_at,
            strftime(make_timestamp(epoch_us(received_at)), '%Y-%m-%dT%H:%M:%SZ') AS received_at)
        FROM report WHERE report_no = ?
    ) whole";

/// Finds a report by its number in the store, its report id, or the beginning of its key.
///
/// # Errors
/// None or several match.
pub fn report(connection: &Connection, id: &str) -> Result<ReportView, QueryError> {
    let mut statement = connection.prepare(
        "SELECT report_no, reporter, report_id, report_key::VARCHAR FROM report
         WHERE report_id = ?1 OR report_no::VARCHAR = ?1 OR starts_with(report_key::VARCHAR, lower(?1)) AND length(?1) >= 8
         ORDER BY report_id = ?1 DESC, report_no LIMIT 6",
    )?;
    let rows = statement.query_map([id], |row| {
        Ok((
            row.get::<_, u32>(0)?,
            row.get::<_, Option<String>>(1)?,
            row.get::<_, Option<String>>(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    let found: Vec<_> = rows.collect::<Result<_, _>>()?;
    let exact: Vec<_> = found.iter().filter(|row| row.2.as_deref() == Some(id)).collect();
    let number = match (exact.as_slice(), found.as_slice()) {
        ([one], _) => one.0,
        ([], [one]) => one.0,
        ([], []) => {
            return Err(QueryError::NotFound(format!(
                "no report `{id}`: give a report id, a report number or the first digits of a report key; \
                 `dmarcase sql \"SELECT report_no, reporter, report_id FROM report\"` lists them"
            )));
        }
        _ => {
            // Keys alone are of one report each: a number may be another report's id.
            let list: Vec<String> =
                found.iter().map(|r| format!("{} ({}, number {})", r.3, r.1.as_deref().unwrap_or("?"), r.0)).collect();
            return Err(QueryError::NotFound(format!(
                "several reports match `{id}`; give the beginning of one's key: {}",
                list.join("; ")
            )));
        }
    };
    let whole: String = connection.query_row(WHOLE, [number], |row| row.get(0))?;
    let mut statement = connection.prepare(RECORDS)?;
    let rows = statement.query_map([number], |row| row.get::<_, String>(0))?;
    let records: Vec<String> = rows.collect::<Result<_, _>>()?;
    Ok(ReportView { report: object(&whole), records: records.iter().map(|text| object(text)).collect() })
}

fn object(text: &str) -> serde_json::Map<String, Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}
