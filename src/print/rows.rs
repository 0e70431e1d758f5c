//! The rows of an ad hoc statement, in every format, as they come.

use std::io::{self, Write};

use serde_json::Value;

use super::{Cell, Format, Page, Table, csv, markdown, table};
use crate::query::Rows;

/// Most rows that a table shows; other formats show all.
const TABLE_ROWS: usize = 10_000;

/// Writes rows as they come; tables, whose columns need all rows, at the end.
pub struct RowWriter<'a> {
    out: &'a mut dyn Write,
    format: Format,
    colour: bool,
    names: Vec<String>,
    table: Vec<Vec<Value>>,
    rows: usize,
}

impl<'a> RowWriter<'a> {
    /// Starts writing to `out`.
    pub fn new(out: &'a mut dyn Write, format: Format, colour: bool) -> Self {
        Self { out, format, colour, names: Vec::new(), table: Vec::new(), rows: 0 }
    }

    /// Ends the output.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn end(mut self) -> io::Result<()> {
        match self.format {
            Format::Json => self.out.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" }),
            Format::Csv | Format::Parquet => Ok(()),
            Format::Table | Format::Markdown => {
                let page = self.page();
                if self.format == Format::Table {
                    table::write_wide(&page, self.colour, self.out)
                } else {
                    markdown::write(&page, self.out)
                }
            }
        }
    }

    fn page(&mut self) -> Page {
        let mut table = Table::named(std::mem::take(&mut self.names));
        for row in std::mem::take(&mut self.table) {
            table.row(row.into_iter().map(cell).collect());
        }
        let shown = self.rows.min(TABLE_ROWS);
        let more = self.rows - shown;
        let tail = if more > 0 {
            format!("The first {shown} of {} rows; --format csv or json gives all.", self.rows)
        } else {
            format!("{shown} row{}.", if shown == 1 { "" } else { "s" })
        };
        Page::new().table(table).line(tail)
    }
}

impl Rows for RowWriter<'_> {
    fn columns(&mut self, names: &[String]) -> io::Result<()> {
        self.names = if self.format == Format::Json { unique(names) } else { names.to_vec() };
        if self.format == Format::Csv { csv::line(names.iter().cloned(), self.out) } else { Ok(()) }
    }

    fn row(&mut self, values: Vec<Value>) -> io::Result<()> {
        self.rows += 1;
        match self.format {
            Format::Json => {
                self.out.write_all(if self.rows == 1 { b"[\n  {" } else { b",\n  {" })?;
                for (at, (name, value)) in self.names.iter().zip(values).enumerate() {
                    self.out.write_all(if at == 0 { b"" } else { b"," })?;
                    serde_json::to_writer(&mut *self.out, name)?;
                    self.out.write_all(b":")?;
                    serde_json::to_writer(&mut *self.out, &value)?;
                }
                self.out.write_all(b"}")
            }
            Format::Csv => csv::line(values.into_iter().map(|value| csv::field(&cell(value))), self.out),
            Format::Table | Format::Markdown if self.table.len() < TABLE_ROWS => {
                self.table.push(values);
                Ok(())
            }
            Format::Table | Format::Markdown | Format::Parquet => Ok(()),
        }
    }
}

/// Gives each column a name of its own, since an object holds a name once: the second `a` is `a_1`, as the engine names it.
fn unique(names: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let free = |one: &String| !taken.contains(one) && (one == name || !names.contains(one));
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let found = std::iter::once(name.clone()).chain(numbered).find(free);
        taken.push(found.unwrap_or_default());
    }
    taken
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        // Numbers are shown as they are: a statement may ask for years and identifiers, which have no thousands.
        Value::Number(number) => Cell::Number(number.to_string()),
        Value::String(text) => Cell::Text(text),
        other => Cell::Text(other.to_string()),
    }
}
