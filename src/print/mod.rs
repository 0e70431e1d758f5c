//! Shows an answer to people and programs: table, JSON, CSV, Markdown. The only writer to standard output.

mod answers;
mod csv;
mod markdown;
mod progress;
mod rows;
mod table;

use std::borrow::Cow;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

pub use progress::ProgressLine;
pub use rows::RowWriter;

use crate::words::{bytes, count, percent, plain, seconds};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON document; its schema is in schemas/json.
    Json,
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// A Markdown table.
    Markdown,
    /// A Parquet file (`sql` only).
    Parquet,
}

/// What a query gives: one value, serialised as it is for programs, laid out as a page for people.
pub trait Answer: Serialize + JsonSchema {
    /// Lays the answer out.
    fn page(&self) -> Page;

    /// Lays out every row, for CSV: a page may leave out what a person would scroll past.
    fn whole(&self) -> Page {
        self.page()
    }
}

/// The blocks of an answer, from top to bottom. CSV is its first table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// One block of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading.
    Heading(String),
    /// A line of text.
    Line(String),
    /// A table.
    Table(Table),
}

/// Rows under columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows, each with one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name for programs: the key in JSON, the header in CSV.
    pub key: Cow<'static, str>,
    /// Heading for people. Empty where the column is for programs only.
    pub heading: Cow<'static, str>,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text, from strangers perhaps: made harmless when it is written.
    Text(String),
    /// A count.
    Count(u64),
    /// A fraction between 0 and 1, shown as a percentage to people. `None` where there is nothing to divide by.
    Rate(Option<f64>),
    /// A number whose digits stay as they are.
    Number(String),
    /// Nothing known.
    Empty,
}

impl Page {
    /// Starts an empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a heading.
    #[must_use]
    pub fn heading(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Heading(text.into()));
        self
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Line(text.into()));
        self
    }

    /// Adds a sentence, folded at blanks to the width of tables; what follows the first line stands below its own beginning.
    #[must_use]
    pub fn sentence(mut self, beginning: &str, text: &str) -> Self {
        let mut line = beginning.to_owned();
        let indent = " ".repeat(beginning.chars().count());
        let mut empty = true;
        for word in text.split(' ') {
            if !empty && line.chars().count() + 1 + word.chars().count() > usize::from(table::WIDTH) {
                self.blocks.push(Block::Line(std::mem::replace(&mut line, indent.clone())));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.blocks.push(Block::Line(line));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }
}

impl Table {
    /// Starts a table with columns given as (key, heading).
    pub fn new(columns: &[(&'static str, &'static str)]) -> Self {
        let fixed =
            |(key, heading): &(&'static str, &'static str)| Column { key: (*key).into(), heading: (*heading).into() };
        Self { columns: columns.iter().map(fixed).collect(), rows: Vec::new() }
    }

    /// Starts a table whose columns only the answer knows; each name is key and heading.
    pub fn named(names: Vec<String>) -> Self {
        let column = |name: String| Column { key: name.clone().into(), heading: name.into() };
        Self { columns: names.into_iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row: one cell a column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has one cell a column");
        self.rows.push(cells);
    }
}

impl Cell {
    /// Returns text, or nothing where there is none.
    pub fn maybe(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    /// Returns whether the cell is a number, which stands to the right.
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Count(_) | Self::Rate(_) | Self::Number(_))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<chrono::NaiveDate> for Cell {
    fn from(day: chrono::NaiveDate) -> Self {
        Self::Text(day.to_string())
    }
}

/// Where answers go, and how.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The format asked for.
    pub format: Format,
    /// Whether to colour headings: only for a table on a terminal.
    pub colour: bool,
}

impl Output {
    /// Writes an answer to standard output. A reader that has gone away is no error.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn answer<A: Answer>(&self, answer: &A) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = self.write(answer, &mut out).and_then(|()| out.flush());
        quiet_pipe(written)
    }

    /// Writes an answer anywhere.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write<A: Answer>(&self, answer: &A, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, answer)?;
                out.write_all(b"\n")
            }
            Format::Table => table::write(&answer.page(), self.colour, out),
            Format::Csv => csv::write(&answer.whole(), out),
            Format::Markdown => markdown::write(&answer.page(), out),
            Format::Parquet => Err(io::Error::new(io::ErrorKind::Unsupported, "only `sql` writes Parquet")),
        }
    }

    /// Writes text that a command has made itself (a completion script, a case file) to standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn raw(&self, text: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        quiet_pipe(out.write_all(text).and_then(|()| out.flush()))
    }
}

fn quiet_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
