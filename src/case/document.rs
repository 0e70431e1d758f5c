//! A case as a document: sections of plain blocks, which Markdown and HTML write alike.

/// A document.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What stands above the first section.
    pub lead: Vec<Block>,
    /// Its sections.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its heading, with its number.
    pub title: String,
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// One block. Text may be from strangers: whoever writes it makes it harmless.
#[derive(Clone, Debug)]
pub enum Block {
    /// A smaller heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Names and values.
    Fields(Vec<(String, String)>),
    /// A table.
    Table {
        /// Column headings; a number stands to the right where the heading ends with `#` (not shown).
        head: Vec<String>,
        /// Rows.
        rows: Vec<Vec<String>>,
    },
    /// Verbatim text.
    Verbatim(String),
    /// A list.
    List(Vec<String>),
    /// How to reproduce the figures above: a command.
    Reproduce(String),
    /// How to reproduce them: a statement too long to stand beside them.
    Statement(String),
    /// A chart; its figures stand in a table beside it.
    Chart(Chart),
}

/// A chart of some series over the same labels.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it shows, with its unit.
    pub title: String,
    /// Along the x axis.
    pub labels: Vec<String>,
    /// Series: name, colour class, values.
    pub series: Vec<(String, &'static str, Vec<f64>)>,
    /// Stacked bars, else lines.
    pub stacked: bool,
    /// Values are fractions, shown as percentages.
    pub fractions: bool,
}

impl Section {
    /// Starts a section.
    pub(super) fn new(title: &str) -> Self {
        Self { title: title.to_owned(), blocks: Vec::new() }
    }

    /// Adds a paragraph.
    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Adds a smaller heading.
    pub(super) fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(text.to_owned()));
    }

    /// Adds how to reproduce the figures above.
    pub(super) fn reproduce(&mut self, command: impl Into<String>) {
        self.blocks.push(Block::Reproduce(command.into()));
    }

    /// Adds a table, unless it has no rows.
    pub(super) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.blocks.push(Block::Table { head: head.iter().map(|one| (*one).to_owned()).collect(), rows });
        }
    }
}

/// The heading without the mark of a number column, and whether it had one.
pub(super) fn heading_of(head: &str) -> (&str, bool) {
    match head.strip_suffix('#') {
        Some(head) => (head, true),
        None => (head, false),
    }
}
