//! The trend as two tables: the days, and what changed.

use super::{counted, days};
use crate::print::{Answer, Cell, Page, Table, count};
use crate::query::{Change, Span, Trend};

/// Days that a table shows.
const DAY_ROWS: usize = 62;

impl Answer for Trend {
    fn page(&self) -> Page {
        let span = Span { since: self.since, until: self.until };
        let mut page = Page::new();
        if !self.rows.is_empty() {
            let skipped = self.rows.len().saturating_sub(DAY_ROWS);
            page = page.heading(format!("Day by day, {}", days(span)));
            if skipped > 0 {
                page = page.line(format!("{} earlier rows; --format csv lists all.", count(skipped as u64)));
            }
            page = page.table(rows(self, skipped)).line(String::new());
        }
        if self.changes.is_empty() {
            return page.line("Nothing changed beyond rhythm and chance.");
        }
        page.heading("What changed").table(changes(&self.changes)).line(String::new()).line(format!(
            "{}. Each is measured against the same weekday of the eight weeks before.",
            counted(self.changes.len() as u64, "change")
        ))
    }

    fn whole(&self) -> Page {
        if self.rows.is_empty() {
            return Page::new().table(changes(&self.changes));
        }
        Page::new().table(rows(self, 0))
    }
}

fn rows(trend: &Trend, skip: usize) -> Table {
    let mut table = Table::new(&[
        ("day", "day"),
        ("domain", "policy domain"),
        ("messages", "messages"),
        ("dmarc_pass", "pass"),
        ("pass_rate", "pass rate"),
        ("changed", "changed"),
    ]);
    for row in trend.rows.iter().skip(skip) {
        let began = |change: &&Change| change.day == row.day && change.domain == row.domain;
        let mut kinds: Vec<&str> = trend.changes.iter().filter(began).map(|change| change.kind.word()).collect();
        kinds.dedup();
        table.row(vec![
            row.day.into(),
            row.domain.clone().into(),
            row.messages.into(),
            row.dmarc_pass.into(),
            Cell::Rate(row.pass_rate),
            if kinds.is_empty() { "".into() } else { kinds.join(", ").into() },
        ]);
    }
    table
}

fn changes(changes: &[Change]) -> Table {
    let mut table = Table::new(&[
        ("day", "day"),
        ("last_day", "last day"),
        ("domain", "policy domain"),
        ("kind", "what"),
        ("sender", ""),
        ("expected", ""),
        ("observed", ""),
        ("share", "share"),
        ("deviations", ""),
        ("text", "how"),
    ]);
    for change in changes {
        table.row(vec![
            change.day.into(),
            change.last_day.into(),
            change.domain.clone().into(),
            change.kind.word().into(),
            Cell::maybe(change.sender.as_deref()),
            Cell::Number(change.expected.to_string()),
            change.observed.into(),
            Cell::Rate(change.share),
            Cell::Number(change.deviations.to_string()),
            change.text.clone().into(),
        ]);
    }
    table
}
