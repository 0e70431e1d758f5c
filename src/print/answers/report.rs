//! One report, whole.

use serde_json::Value;

use crate::print::{Answer, Cell, Page, Table};
use crate::query::ReportView;

impl Answer for ReportView {
    fn page(&self) -> Page {
        let mut facts = Table::new(&[("name", "name"), ("value", "value")]);
        for (name, value) in &self.report {
            let text = plain_text(value);
            if !text.is_empty() {
                facts.row(vec![name.as_str().into(), text.into()]);
            }
        }
        Page::new().heading("Report").table(facts).heading("Records").table(records(self))
    }

    /// The records, for who computes with them.
    fn whole(&self) -> Page {
        Page::new().table(records(self))
    }
}

fn records(view: &ReportView) -> Table {
    let mut records = Table::new(&[
        ("record_no", "no"),
        ("source_ip", "source"),
        ("messages", "messages"),
        ("disposition", "disposition"),
        ("dkim_aligned", "DKIM"),
        ("spf_aligned", "SPF"),
        ("header_from", "header from"),
        ("sender", "sender"),
        ("reasons", "reasons"),
    ]);
    for record in &view.records {
        let cell = |key: &str| match record.get(key) {
            None | Some(Value::Null) => Cell::Empty,
            Some(Value::Number(number)) => number.as_u64().map_or(Cell::Empty, Cell::Count),
            Some(Value::Bool(true)) => "pass".into(),
            Some(Value::Bool(false)) => "fail".into(),
            Some(value) => plain_text(value).into(),
        };
        records.row(records.columns.iter().map(|column| cell(&column.key)).collect());
    }
    records
}

/// Lists as their parts, structs as `name value`, so that no JSON is left for people to read.
fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain_text).collect::<Vec<_>>().join("; "),
        Value::Object(map) => {
            map.values().map(plain_text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
