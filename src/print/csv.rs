//! The first table of a page as comma-separated values (RFC 4180), every column, raw numbers.
//!
//! Text is as it is but for control characters, and for one guard: a spreadsheet runs text that begins like a formula, and
//! this text comes from strangers. Such text gets an apostrophe before it where a formula could do harm.

use std::io::{self, Write};

use super::{Block, Cell, Page, plain};

pub(super) fn write(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    let Some(table) = page.blocks.iter().find_map(|block| match block {
        Block::Table(table) => Some(table),
        Block::Heading(_) | Block::Line(_) => None,
    }) else {
        return Ok(());
    };
    let keys = table.columns.iter().map(|column| column.key.clone().into_owned());
    line(keys, out)?;
    for row in &table.rows {
        line(row.iter().map(field), out)?;
    }
    Ok(())
}

pub(super) fn line(fields: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        if field.contains(['"', ',', '\n', '\r']) {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

pub(super) fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) if is_formula(text) => format!("'{}", plain(text)),
        Cell::Text(text) => plain(text).into_owned(),
        Cell::Count(number) => number.to_string(),
        Cell::Number(number) => number.clone(),
        Cell::Rate(Some(rate)) => rate.to_string(),
        Cell::Rate(None) | Cell::Empty => String::new(),
    }
}

/// Returns whether text is a formula that calls a function, or reaches out of its sheet (`=cmd|'/c …'!A1`). What has none of
/// these characters can do nothing: `-all: everything else fails` stays as it is.
fn is_formula(text: &str) -> bool {
    text.trim_start().starts_with(['=', '+', '-', '@']) && text.contains(['(', '|', '!'])
}
