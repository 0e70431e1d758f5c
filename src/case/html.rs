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

/// Says whether a column holds numbers.
pub(crate) fn is_number(head: &[String], place: &usize) -> bool {
    head.get(*place).is_some_and(|one| heading_of(one).1)
}
