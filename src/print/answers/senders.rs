//! Senders as a table.

use super::{counted, days};
use crate::print::{Answer, Cell, Page, Table, count, percent};
use crate::query::{SenderRow, Senders, Span};
use crate::senders::Class;

/// Rows that a table shows of senders with a name, and of bare sources.
const NAMED_ROWS: usize = 60;
/// See [`NAMED_ROWS`].
const SOURCE_ROWS: usize = 10;

impl Answer for Senders {
    fn page(&self) -> Page {
        let mut left = (NAMED_ROWS, SOURCE_ROWS);
        let (shown, hidden): (Vec<&SenderRow>, Vec<&SenderRow>) = self.rows.iter().partition(|row| {
            let left = if is_source(row) { &mut left.1 } else { &mut left.0 };
            let show = *left > 0;
            *left = left.saturating_sub(1);
            show
        });
        let mut page = Page::new()
            .heading(format!("Senders, {}", days(Span { since: self.since, until: self.until })))
            .table(short(shown.into_iter()))
            .line(String::new());
        if !hidden.is_empty() {
            let messages = hidden.iter().map(|row| row.messages).sum();
            let spoofing = hidden.iter().filter(|row| row.class == Class::Spoofing).count() as u64;
            page = page.line(format!(
                "{} more with {} ({} of them spoofing); --format csv lists all.",
                count(hidden.len() as u64),
                counted(messages, "message"),
                count(spoofing),
            ));
        }
        let new = self.rows.iter().filter(|row| row.new_in_period).count() as u64;
        if new > 0 {
            page = page.line(format!("+ {} not seen before {}.", counted(new, "sender"), self.since));
        }
        page.line(closing(self))
    }

    fn whole(&self) -> Page {
        Page::new().table(all(&self.rows))
    }
}

fn closing(senders: &Senders) -> String {
    let unknown = senders.unknown;
    if unknown.senders == 0 {
        return "No unknown senders: the config or the catalogue names every one.".to_owned();
    }
    let list = if senders.rows.iter().all(|row| row.status == "unknown") {
        "`dmarcase senders approve NAME` approves one."
    } else {
        "`dmarcase senders --unknown` lists them."
    };
    format!("{} sent {} of messages; {list}", counted(unknown.senders, "unknown sender"), percent(unknown.share))
}

/// A row that stands for a bare address, which nothing names.
fn is_source(row: &SenderRow) -> bool {
    row.status == "unknown" && row.evidence.starts_with("source ")
}

/// The table for people: what fits a hundred columns.
fn short<'a>(rows: impl Iterator<Item = &'a SenderRow>) -> Table {
    let mut table = Table::new(&[
        ("sender", "sender"),
        ("status", "status"),
        ("class", "class"),
        ("messages", "messages"),
        ("share", "share"),
        ("pass_rate", "pass"),
        ("evidence", "evidence"),
    ]);
    for row in rows {
        let sources = if row.sources > 1 {
            format!("{}, {} sources", row.evidence, count(row.sources))
        } else {
            row.evidence.clone()
        };
        table.row(vec![
            if row.new_in_period { format!("+ {}", row.sender).into() } else { row.sender.clone().into() },
            row.status.clone().into(),
            // The one long word among the classes.
            row.class.word().trim_end_matches("-service").into(),
            row.messages.into(),
            Cell::Rate(row.share),
            Cell::Rate(row.pass_rate),
            sources.into(),
        ]);
    }
    table
}

/// Every row with every column, for CSV.
fn all(rows: &[SenderRow]) -> Table {
    let keys = [
        "sender",
        "status",
        "class",
        "evidence",
        "because",
        "sources",
        "messages",
        "share",
        "dmarc_pass",
        "pass_rate",
        "dkim_aligned",
        "spf_aligned",
        "dkim_raw_pass",
        "spf_raw_pass",
        "overridden",
        "override_share",
        "quarantined",
        "rejected",
        "first_day",
        "last_day",
        "new_in_period",
        "header_from",
        "owner",
        "service",
        "category",
    ];
    let mut table = Table::new(&keys.map(|key| (key, key)));
    for row in rows {
        let day = |day: Option<chrono::NaiveDate>| day.map_or(Cell::Empty, Cell::from);
        table.row(vec![
            row.sender.clone().into(),
            row.status.clone().into(),
            row.class.word().into(),
            row.evidence.clone().into(),
            row.because.clone().into(),
            row.sources.into(),
            row.messages.into(),
            Cell::Rate(row.share),
            row.dmarc_pass.into(),
            Cell::Rate(row.pass_rate),
            row.dkim_aligned.into(),
            row.spf_aligned.into(),
            row.dkim_raw_pass.into(),
            row.spf_raw_pass.into(),
            row.overridden.into(),
            Cell::Rate(row.override_share),
            row.quarantined.into(),
            row.rejected.into(),
            day(row.first_day),
            day(row.last_day),
            if row.new_in_period { "true" } else { "false" }.into(),
            row.header_from.join(" ").into(),
            Cell::maybe(row.owner.as_deref()),
            Cell::maybe(row.service.as_deref()),
            Cell::maybe(row.category.as_deref()),
        ]);
    }
    table
}
