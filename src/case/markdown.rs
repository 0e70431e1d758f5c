//! Writes a document as Markdown that nobody's text can break out of.

use std::fmt::Write as _;

use super::document::{Block, Document, heading_of};
use crate::words::plain;

/// Returns the document as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("# {}\n\n", safe(&document.title));
    blocks(&mut out, &document.lead);
    for section in &document.sections {
        let _ = write!(out, "## {}\n\n", safe(&section.title));
        blocks(&mut out, &section.blocks);
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

fn blocks(out: &mut String, blocks: &[Block]) {
    // Writing to a String does not fail.
    for block in blocks {
        match block {
            Block::Heading(text) => {
                let _ = write!(out, "### {}\n\n", safe(text));
            }
            Block::Text(text) => {
                let _ = write!(out, "{}\n\n", prose(text));
            }
            Block::Fields(fields) => {
                for (name, value) in fields {
                    let _ = writeln!(out, "- **{}:** {}", safe(name), safe(value));
                }
                out.push('\n');
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(out, "- {}", prose(item));
                }
                out.push('\n');
            }
            Block::Verbatim(text) | Block::Statement(text) => {
                let text = one_line(text);
                // A fence longer than any run of backticks in the text.
                let fence = "`".repeat(longest_run(&text).max(2) + 1);
                let _ = write!(out, "{fence}text\n{text}\n{fence}\n\n");
            }
            Block::Reproduce(command) => {
                let text = one_line(command);
                let fence = "`".repeat(longest_run(&text) + 1);
                let _ = write!(out, "Reproduce: {fence} {text} {fence}\n\n");
            }
            Block::Table { head, rows } => table(out, head, rows),
            // A chart repeats figures that stand in a table.
            Block::Chart(_) => {}
        }
    }
}

fn table(out: &mut String, head: &[String], rows: &[Vec<String>]) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(head.iter().map(|one| safe(heading_of(one).0)).collect()));
    let rule = |one: &String| if heading_of(one).1 { "---:".to_owned() } else { "---".to_owned() };
    out.push_str(&line(head.iter().map(rule).collect()));
    for row in rows {
        out.push_str(&line(row.iter().map(|cell| prose(cell)).collect()));
    }
    out.push('\n');
}

/// Text without control characters, on one line.
fn one_line(text: &str) -> String {
    plain(&text.replace(['\n', '\r'], " ")).into_owned()
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Text in which what stands between backticks is code: a command or a name to type. Where backticks do not pair, or what they hold
/// could mean anything more, they are the text's own.
fn prose(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    let code = || pieces.iter().skip(1).step_by(2);
    let harmless = |piece: &&str| {
        !piece.trim().is_empty() && !piece.contains(['<', '>', '&', '|', '\\', '\n', '\r']) && !piece.starts_with(' ')
    };
    if pieces.len().is_multiple_of(2) || !code().all(harmless) {
        return safe(text);
    }
    // Two spans without a letter in between would be one.
    if pieces.iter().skip(2).step_by(2).take(code().count().saturating_sub(1)).any(|between| between.is_empty()) {
        return safe(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (place, piece) in pieces.iter().enumerate() {
        if place % 2 == 1 {
            let _ = write!(out, "`{}`", one_line(piece));
        } else if place == 0 {
            out.push_str(&safe(piece));
        } else {
            // `safe` escapes what means something at the start of a line only; this is none.
            out.push_str(&escaped(piece, false));
        }
    }
    out
}

/// Escapes everything that Markdown or the HTML inside it gives a meaning to.
fn safe(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, starts: bool) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len());
    for (place, letter) in text.char_indices() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', letter]),
            '#' | '+' | '-' | '=' if starts && place == 0 => out.extend(['\\', letter]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            letter => out.push(letter),
        }
    }
    out
}
