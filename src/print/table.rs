//! Pages as aligned text for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};

use super::{Block, Cell, Page, Table, count, percent, plain};

/// Widest table. Pipes and terminals get the same text.
const WIDTH: u16 = 100;

/// Widest column that is never folded.
const UNFOLDED: usize = 34;

/// What a folded column keeps at least: a table may then be wider than [`WIDTH`], but its words stay words.
const FOLDED: u16 = 20;

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
    // Names stay in one piece; what is folded is the long text beside them.
    for (at, column) in shown.iter().zip(laid.column_iter_mut()) {
        let widest = table.rows.iter().filter_map(|row| row.get(*at)).map(|cell| show(cell).chars().count()).max();
        column.set_constraint(if widest.is_some_and(|width| width <= UNFOLDED) {
            ColumnConstraint::ContentWidth
        } else {
            ColumnConstraint::LowerBoundary(comfy_table::Width::Fixed(FOLDED))
        });
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
