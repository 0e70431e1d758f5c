//! Writes a document as one HTML file: no script, no outside asset, everything escaped, and it prints well.

use askama::Template;

use super::document::{Block, Document, heading_of};
use crate::words::plain;

#[derive(Template)]
#[template(path = "case.html", config = "src/case/askama.toml")]
struct Page<'a> {
    title: &'a str,
    /// Heading (empty above the first section) and blocks.
    parts: Vec<(&'a str, &'a [Block])>,
}

/// Returns the document as HTML.
///
/// # Errors
/// The template fails, which no document makes it do.
pub fn html(document: &Document) -> Result<String, askama::Error> {
    let sections = document.sections.iter().map(|section| (section.title.as_str(), section.blocks.as_slice()));
    let parts = std::iter::once(("", document.lead.as_slice())).chain(sections).collect();
    Page { title: &document.title, parts }.render()
}

/// Text without control characters; the template escapes it.
fn harmless(text: &str) -> String {
    plain(text).into_owned()
}

/// The pieces of a text, each with whether it stands between backticks: a command or a name to type. Where backticks do
/// not pair, they are the text's own.
fn pieces(text: &str) -> Vec<(bool, String)> {
    let text = harmless(text);
    if text.matches('`').count() % 2 == 1 {
        return vec![(false, text)];
    }
    text.split('`').enumerate().map(|(at, piece)| (at % 2 == 1, piece.to_owned())).collect()
}

/// The longest cell that stays on one line.
const SHORT: usize = 20;
/// The longest word that a column is made wide enough for.
const WORD: usize = 20;
/// Columns from which on a table is set smaller.
const WIDE: usize = 9;

/// A table with the style class of each column.
struct Columns<'a> {
    head: &'a [String],
    rows: &'a [Vec<String>],
    classes: Vec<&'static str>,
}

impl<'a> Columns<'a> {
    fn new(head: &'a [String], rows: &'a [Vec<String>]) -> Self {
        let class = |place: usize, name: &str| {
            let (name, number) = heading_of(name);
            let cells = || rows.iter().filter_map(|row| row.get(place)).map(String::as_str);
            let longest = |text: &str| text.split([' ', '-']).map(|word| word.chars().count()).max().unwrap_or(0);
            match () {
                () if number => "n",
                () if cells().all(|cell| cell.chars().count() <= SHORT) => "s",
                () if cells().chain([name]).all(|cell| longest(cell) <= WORD) => "w",
                () => "",
            }
        };
        let classes = head.iter().enumerate().map(|(place, name)| class(place, name)).collect();
        Self { head, rows, classes }
    }

    fn is_wide(&self) -> bool {
        self.head.len() >= WIDE
    }

    fn class(&self, place: &usize) -> &'static str {
        self.classes.get(*place).copied().unwrap_or_default()
    }
}
