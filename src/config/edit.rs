//! Writes a `[[sender]]` rule into the config's file: comments, order and formatting of everything else stay as they are.

use std::path::Path;

use chrono::NaiveDate;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value};

use super::{Config, ConfigError, SenderRule};
use crate::replace::replace_file;

/// Adds a rule to a config's text. Returns the new text and the rule's own lines.
///
/// # Errors
/// The text is no config, has its senders in a form that nothing can be added to, or the rule cannot stand beside the others.
pub fn add_sender(text: &str, rule: &SenderRule) -> Result<(String, String), String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let mut table = written(rule);
    let lines = lines(&table);
    if !text.trim().is_empty() {
        table.decor_mut().set_prefix("\n");
    }
    match document.entry("sender").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new())) {
        Item::ArrayOfTables(senders) => senders.push(table),
        Item::Value(Value::Array(senders)) => senders.push(table.into_inline_table()),
        _ => return Err("`sender` is no list of senders: write each as [[sender]]".to_owned()),
    }
    let text = document.to_string();
    Config::parse(&text)?;
    Ok((text, lines))
}

fn lines(table: &Table) -> String {
    let mut senders = ArrayOfTables::new();
    senders.push(table.clone());
    let mut document = DocumentMut::new();
    document.insert("sender", Item::ArrayOfTables(senders));
    document.to_string()
}

/// The rule as a table, keys in the order of the documentation; what is not set is not written.
fn written(rule: &SenderRule) -> Table {
    let mut table = Table::new();
    let mut text = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            table.insert(key, toml_edit::value(value.as_str()));
        }
    };
    text("name", &Some(rule.name.clone()));
    text("owner", &rule.owner);
    text("service", &rule.service);
    text("note", &rule.note);
    let mut list = |key: &str, values: Array| {
        if !values.is_empty() {
            table.insert(key, toml_edit::value(values));
        }
    };
    list("ips", rule.ips.iter().map(ToString::to_string).collect());
    list("dkim", rule.dkim.iter().map(signer).collect());
    list("spf", rule.spf.iter().map(ToString::to_string).collect());
    list("ptr", rule.ptr.iter().map(String::as_str).collect());
    list("from", rule.from.iter().map(ToString::to_string).collect());
    let mut day = |key: &str, day: Option<NaiveDate>| {
        if let Some(day) = day.and_then(|day| day.to_string().parse::<toml_edit::Datetime>().ok()) {
            table.insert(key, toml_edit::value(day));
        }
    };
    day("since", rule.since);
    day("approved_until", rule.approved_until);
    table
}

fn signer(rule: &super::DkimRule) -> Value {
    let mut table = InlineTable::new();
    table.insert("domain", rule.domain.to_string().into());
    if !rule.selectors.is_empty() {
        table.insert("selectors", Value::Array(rule.selectors.iter().map(String::as_str).collect()));
    }
    Value::InlineTable(table)
}

/// Writes a config's file whole or not at all. A file that stands keeps its mode, and a link stays a link.
///
/// # Errors
/// The file or its folder cannot be written.
pub fn save(path: &Path, text: &str) -> Result<(), ConfigError> {
    let unwritten = |source| ConfigError::Unwritten { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(unwritten)?;
    }
    replace_file(path, text.as_bytes(), false).map_err(unwritten)
}
