//! Gaps as a table, and the explanation of one.

use super::days;
use crate::print::{Answer, Cell, Page, Table, count};
use crate::query::{Definition, Gaps, Span};
use crate::severity::Severity;

impl Answer for Gaps {
    fn page(&self) -> Page {
        let span = Span { since: self.since, until: self.until };
        let page = Page::new().heading(format!("Policy gaps, {}", days(span)));
        if self.rows.is_empty() {
            return page.line("No gaps.");
        }
        let mut table = Table::new(&[
            ("gap", "gap"),
            ("severity", "severity"),
            ("domain", "domain"),
            ("messages", "messages"),
            ("share", "share"),
            ("evidence", "what"),
        ]);
        for row in &self.rows {
            let about_mail = row.messages > 0;
            table.row(vec![
                row.gap.into(),
                row.severity.word().into(),
                row.domain.clone().into(),
                if about_mail { row.messages.into() } else { Cell::Empty },
                if about_mail { Cell::Rate(row.share) } else { Cell::Empty },
                format!("{}: {}", row.name, row.evidence).into(),
            ]);
        }
        let of = |severity| count(self.rows.iter().filter(|row| row.severity == severity).count() as u64);
        page.table(table).line(String::new()).line(format!(
            "{} high, {} warn, {} notice; `dmarcase gaps --explain ID` shows definition, remedy and SQL.",
            of(Severity::High),
            of(Severity::Warn),
            of(Severity::Notice)
        ))
    }

    fn whole(&self) -> Page {
        let keys = ["gap", "name", "domain", "severity", "messages", "share", "evidence", "remedy", "senders"];
        let mut table = Table::new(&keys.map(|key| (key, key)));
        for row in &self.rows {
            table.row(vec![
                row.gap.into(),
                row.name.into(),
                row.domain.clone().into(),
                row.severity.word().into(),
                row.messages.into(),
                Cell::Rate(row.share),
                row.evidence.clone().into(),
                row.remedy.into(),
                row.senders.join("; ").into(),
            ]);
        }
        Page::new().table(table)
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

    fn whole(&self) -> Page {
        let keys = ["gap", "name", "severity", "meaning", "remedy", "sql"];
        let mut table = Table::new(&keys.map(|key| (key, key)));
        table.row(vec![
            self.gap.into(),
            self.name.into(),
            self.severity.word().into(),
            self.meaning.into(),
            self.remedy.into(),
            self.sql.to_string().into(),
        ]);
        Page::new().table(table)
    }
}
