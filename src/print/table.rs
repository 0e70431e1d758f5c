//! Pages as aligned text for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};

use super::{Block, Cell, Page, Table, count, percent, plain};

/// Widest table. Pipes and terminals get the same text.
pub(super) const WIDTH: u16 = 100;

/// Widest column that is never folded.
const UNFOLDED: usize = 34;

/// What a folded column keeps at least: a table may then be wider than [`WIDTH`], but its words stay words.
const FOLDED: u16 = 20;

/// Longest word that is never broken: it fits the narrowest folded column with a blank behind it.
const UNBROKEN: usize = FOLDED as usize - PADDING - 1;

/// A place where a text may be broken; it has no width, and is taken out again.
const BREAK: char = '\u{200b}';

/// Blanks on both sides of a cell.
const PADDING: usize = 2;

pub(super) fn write(page: &Page, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    write_within(page, Some(WIDTH), colour, out)
}

/// Writes tables as wide as their text: what a statement asked for is not folded.
pub(super) fn write_wide(page: &Page, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    write_within(page, None, colour, out)
}

fn write_within(page: &Page, width: Option<u16>, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    for block in &page.blocks {
        match block {
            Block::Heading(text) if colour => writeln!(out, "\x1b[1m{}\x1b[0m", plain(text))?,
            Block::Heading(text) | Block::Line(text) => writeln!(out, "{}", plain(text))?,
            Block::Table(table) => write_table(table, width, colour, out)?,
        }
    }
    Ok(())
}

fn write_table(table: &Table, width: Option<u16>, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<usize> =
        table.columns.iter().enumerate().filter(|(_, c)| !c.heading.is_empty()).map(|(at, _)| at).collect();
    let mut laid = comfy_table::Table::new();
    laid.load_preset(presets::NOTHING);
    if let Some(width) = width {
        laid.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let number = |at: usize| {
        table.rows.iter().filter_map(|row| row.get(at)).find(|c| **c != Cell::Empty).is_some_and(Cell::is_number)
    };
    let sides: Vec<CellAlignment> = shown.iter().map(|at| side(number(*at))).collect();
    let headings: Vec<&str> =
        shown.iter().map(|at| table.columns.get(*at).map_or("", |column| &*column.heading)).collect();
    let mut rows: Vec<Vec<String>> =
        table.rows.iter().map(|row| shown.iter().filter_map(|at| row.get(*at)).map(show).collect()).collect();
    let folds = folds(&headings, &rows, width);
    laid.set_header(headings.iter().zip(&sides).map(|(text, side)| {
        let cell = comfy_table::Cell::new(text).set_alignment(*side);
        if colour { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell }
    }));
    for row in &mut rows {
        for (text, _) in row.iter_mut().zip(&folds).filter(|(_, fold)| **fold == Fold::InWords) {
            *text = breakable(text);
        }
    }
    for row in rows {
        laid.add_row(row.into_iter().zip(&sides).map(|(text, side)| comfy_table::Cell::new(text).set_alignment(*side)));
    }
    for (fold, column) in folds.iter().zip(laid.column_iter_mut()) {
        if *fold == Fold::InWords {
            column.set_delimiter(BREAK);
        }
        column.set_constraint(match fold {
            Fold::Never => ColumnConstraint::ContentWidth,
            Fold::Between(longest) => ColumnConstraint::LowerBoundary(Width::Fixed(*longest)),
            Fold::InWords => ColumnConstraint::LowerBoundary(Width::Fixed(FOLDED)),
        });
    }
    if colour {
        laid.enforce_styling();
    } else {
        laid.force_no_tty();
    }
    for line in laid.lines() {
        writeln!(out, "{}", line.replace(BREAK, "").trim_end())?;
    }
    Ok(())
}

/// How a column that is too wide is folded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Never,
    /// Between words; the column keeps so much.
    Between(u16),
    /// Inside long words too, where a name may be broken.
    InWords,
}

/// Names stay in one piece; what is folded is the long text beside them, between its words where they find room.
fn folds(headings: &[&str], rows: &[Vec<String>], width: Option<u16>) -> Vec<Fold> {
    let whole = |text: &str| text.chars().count();
    let word = |text: &str| text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let kept = |(at, heading): (usize, &&str)| {
        let texts = || rows.iter().filter_map(|row| row.get(at)).map(String::as_str).chain([*heading]);
        let all = texts().map(whole).max().unwrap_or(0);
        if all <= UNFOLDED {
            return (false, all + PADDING);
        }
        (true, texts().map(word).max().unwrap_or(0).max(usize::from(FOLDED)) + PADDING)
    };
    let kept: Vec<(bool, usize)> = headings.iter().enumerate().map(kept).collect();
    let needed: usize = kept.iter().map(|(_, width)| width).sum();
    let fits = width.is_none_or(|width| needed <= usize::from(width));
    let fold = |(folded, width)| match (folded, fits) {
        (false, _) => Fold::Never,
        (true, true) => u16::try_from(width).map_or(Fold::InWords, Fold::Between),
        (true, false) => Fold::InWords,
    };
    kept.into_iter().map(fold).collect()
}

/// Marks where a text may be broken: at its blanks, and behind the punctuation of long names.
fn breakable(text: &str) -> String {
    let mut marked = String::with_capacity(text.len() * 2);
    for word in text.split_inclusive(' ') {
        let long = word.trim_end().chars().count() > UNBROKEN;
        for letter in word.chars() {
            marked.push(letter);
            if letter == ' ' || (long && matches!(letter, '.' | '-' | '/' | '@' | '_' | '=')) {
                marked.push(BREAK);
            }
        }
    }
    marked
}

const fn side(number: bool) -> CellAlignment {
    if number { CellAlignment::Right } else { CellAlignment::Left }
}

/// Returns a cell as people read it.
pub(super) fn show(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => plain(text).into_owned(),
        Cell::Count(number) => count(*number),
        Cell::Rate(rate) => percent(*rate),
        Cell::Number(number) => number.clone(),
        Cell::Empty => "–".to_owned(),
    }
}
