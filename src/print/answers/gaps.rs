//! Gaps as a table, and the explanation of one.

use super::days;
use crate::print::{Answer, Cell, Page, Table, count};
use crate::query::{Definition, Gaps, Severity, Span};

impl Answer for Gaps {
    fn page(&self) -> Page {
        let mut table = Table::new(&[
            ("gap", "gap"),
            ("severity", "severity"),
            ("domain", "domain"),
            ("name", "name"),
            ("messages", "messages"),
            ("share", "share"),
            ("evidence", "evidence"),
            ("remedy", ""),
            ("senders", ""),
        ]);
        for row in &self.rows {
            let about_mail = row.messages > 0;
            table.row(vec![
                row.gap.into(),
                row.severity.word().into(),
                row.domain.clone().into(),
                row.name.into(),
                if about_mail { row.messages.into() } else { Cell::Empty },
                if about_mail { Cell::Rate(row.share) } else { Cell::Empty },
                row.evidence.clone().into(),
                row.remedy.into(),
                row.senders.join("; ").into(),
            ]);
        }
        let span = Span { since: self.since, until: self.until };
        let page = Page::new().heading(format!("Policy gaps, {}", days(span)));
        if self.rows.is_empty() {
            return page.line("No gaps.").table(table);
        }
        let of = |severity| count(self.rows.iter().filter(|row| row.severity == severity).count() as u64);
        page.table(table).line(String::new()).line(format!(
            "{} high, {} warn, {} notice; `dmarcase gaps --explain ID` shows definition, remedy and SQL.",
            of(Severity::High),
            of(Severity::Warn),
            of(Severity::Notice)
        ))
    }
}

impl Answer for Definition {
    fn page(&self) -> Page {
        let mut page = Page::new()
            .heading(format!("{} {} (up to {})", self.gap, self.name, self.severity.word()))
            .line(self.meaning)
            .line(String::new())
            .line(format!("Remedy: {}", self.remedy))
            .line(String::new());
        for line in self.sql.trim_end().lines() {
            page = page.line(line);
        }
        page
    }
}
