//! Pages as aligned text for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};

use super::{Block, Cell, Page, Table, count, percent, plain};

/// Widest table. Pipes and terminals get the same text.
const WIDTH: u16 = 100;

/// Widest column that is never folded.
const UNFOLDED: usize = 34;

/// What a folded column keeps at least: a table may then be wider than [`WIDTH`], but its words stay words.
const FOLDED: u16 = 20;

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
    let heading = |at: &usize| {
        let text = table.columns.get(*at).map_or("", |column| &*column.heading);
        let cell = comfy_table::Cell::new(text).set_alignment(side(number(*at)));
        if colour { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell }
    };
    laid.set_header(shown.iter().map(heading));
    for row in &table.rows {
        let cells = shown.iter().filter_map(|at| row.get(*at).map(|cell| (at, cell)));
        laid.add_row(cells.map(|(at, cell)| comfy_table::Cell::new(show(cell)).set_alignment(side(number(*at)))));
    }
    for (constraint, column) in constraints(table, &shown, width).into_iter().zip(laid.column_iter_mut()) {
        column.set_constraint(constraint);
    }
    if colour {
        laid.enforce_styling();
    } else {
        laid.force_no_tty();
    }
    for line in laid.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Names stay in one piece; what is folded is the long text beside them, between its words where they find room.
fn constraints(table: &Table, shown: &[usize], width: Option<u16>) -> Vec<ColumnConstraint> {
    let widest = |at: usize, of: fn(&str) -> usize| {
        let heading = table.columns.get(at).map_or(0, |column| of(&column.heading));
        table.rows.iter().filter_map(|row| row.get(at)).map(|cell| of(&show(cell))).max().unwrap_or(0).max(heading)
    };
    let whole = |text: &str| text.chars().count();
    let word = |text: &str| text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let folded = |at: &usize| widest(*at, whole) > UNFOLDED;
    let words = |at: &usize| widest(*at, word).max(usize::from(FOLDED));
    let needed: usize = shown.iter().map(|at| PADDING + if folded(at) { words(at) } else { widest(*at, whole) }).sum();
    let fits = width.is_none_or(|width| needed <= usize::from(width));
    let constraint = |at: &usize| match (folded(at), fits) {
        (false, _) => ColumnConstraint::ContentWidth,
        (true, true) => {
            ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(words(at) + PADDING).unwrap_or(FOLDED)))
        }
        (true, false) => ColumnConstraint::LowerBoundary(Width::Fixed(FOLDED)),
    };
    shown.iter().map(constraint).collect()
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
