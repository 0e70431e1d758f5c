//! Pages as Markdown.

use std::io::{self, Write};

use super::table::show;
use super::{Block, Cell, Page, Table, plain};

pub(super) fn write(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    for block in &page.blocks {
        match block {
            Block::Heading(text) => writeln!(out, "### {}\n", escaped(&plain(text)))?,
            Block::Line(text) if text.is_empty() => {}
            Block::Line(text) => writeln!(out, "{}\n", escaped(&plain(text)))?,
            Block::Table(table) => write_table(table, out)?,
        }
    }
    Ok(())
}

fn write_table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<usize> =
        table.columns.iter().enumerate().filter(|(_, c)| !c.heading.is_empty()).map(|(at, _)| at).collect();
    let number = |at: usize| {
        table.rows.iter().filter_map(|row| row.get(at)).find(|c| **c != Cell::Empty).is_some_and(Cell::is_number)
    };
    let headings: Vec<String> =
        shown.iter().filter_map(|at| table.columns.get(*at)).map(|column| escaped(&plain(&column.heading))).collect();
    writeln!(out, "| {} |", headings.join(" | "))?;
    let rules: Vec<&str> = shown.iter().map(|at| if number(*at) { "---:" } else { "---" }).collect();
    writeln!(out, "| {} |", rules.join(" | "))?;
    for row in &table.rows {
        let cells: Vec<String> = shown.iter().filter_map(|at| row.get(*at)).map(|cell| escaped(&show(cell))).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    writeln!(out)
}

/// Keeps strangers' text from becoming markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => safe.extend(['\\', c]),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            _ => safe.push(c),
        }
    }
    safe
}
