//! Delivery evidence as tables.

use super::counted;
use crate::commands::DeliveryImportAnswer;
use crate::evidence::{DeliveryBy, DeliverySummary, Outcomes};
use crate::print::{Answer, Cell, Page, Table, count, percent};
use crate::query::Span;

/// Shapes of lines not understood that a table shows.
const SHAPES: usize = 10;

impl Answer for DeliveryImportAnswer {
    fn page(&self) -> Page {
        let mut table = Table::new(&[
            ("path", "file"),
            ("format", "format"),
            ("lines", "lines"),
            ("stored", "stored"),
            ("duplicates", "known already"),
            ("first", "first attempt"),
            ("last", "last attempt"),
        ]);
        for file in &self.by_file {
            let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map_or(Cell::Empty, |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string().into())
            };
            table.row(vec![
                file.path.as_str().into(),
                Cell::maybe(file.format.as_deref()),
                file.lines.into(),
                file.stored.into(),
                file.duplicates.into(),
                time(file.first),
                time(file.last),
            ]);
        }
        let mut page = Page::new().heading("Delivery evidence").table(table).line(String::new()).line(format!(
            "{} read in {}: {} stored, {} known already; {} not understood.",
            counted(self.attempts, "attempt"),
            crate::print::seconds(self.seconds),
            count(self.stored),
            count(self.duplicates),
            counted(self.unknown, "line"),
        ));
        for file in &self.by_file {
            for note in &file.notes {
                page = page.line(format!("{}: {note}", file.path));
            }
        }
        if !self.unknown_shapes.is_empty() {
            let mut table =
                Table::new(&[("lines", "lines"), ("shape", "not understood, by shape"), ("first", "first")]);
            for shape in self.unknown_shapes.iter().take(SHAPES) {
                table.row(vec![shape.lines.into(), shape.shape.as_str().into(), shape.first.as_str().into()]);
            }
            page = page.line(String::new()).table(table);
        }
        page
    }
}

impl Answer for DeliverySummary {
    fn page(&self) -> Page {
        let heading = match self.by {
            DeliveryBy::Gateway => "gateway",
            DeliveryBy::RecipientDomain => "recipient domain",
            DeliveryBy::Source => "source",
            DeliveryBy::Response => "response",
            DeliveryBy::Day => "day",
            DeliveryBy::Campaign => "campaign",
        };
        let mut columns = vec![(self.by.key(), heading)];
        if self.by == DeliveryBy::Response {
            columns.extend([("smtp_code", "code"), ("enhanced_code", "enhanced")]);
        }
        columns.extend([
            ("recipients", "recipients"),
            ("affected", "affected"),
            ("share", "share"),
            ("severity", "severity"),
            ("attempts", "attempts"),
            ("deferrals", "deferrals"),
            ("reputation_deferrals", ""),
            ("delivered_first", "at once"),
            ("delivered_late", "late"),
            ("expired", "expired"),
            ("bounced", "bounced"),
            ("dropped", "dropped"),
            ("pending", "open"),
            ("median_delay_late_s", "median delay s"),
        ]);
        let mut table = Table::new(&columns);
        for row in &self.rows {
            let name = row.name.get(self.by.key()).and_then(Option::as_deref);
            let mut cells = vec![Cell::Text(name.unwrap_or("(none)").to_owned())];
            if self.by == DeliveryBy::Response {
                cells.push(row.smtp_code.map_or(Cell::Empty, |code| Cell::Number(code.to_string())));
                cells.push(Cell::maybe(row.enhanced_code.as_deref()));
            }
            cells.extend(figures(&row.outcomes));
            table.row(cells);
        }
        let total = &self.total;
        let mut page = Page::new()
            .heading(format!("Delivery by {heading}, {}", super::days(Span { since: self.since, until: self.until })))
            .table(table)
            .line(String::new())
            .line(format!(
                "{} of {} got a gateway's reputation answer ({}); of the messages to them and the others {} came at once, {} late, {} expired, {} bounced, {} are open.",
                count(total.affected),
                counted(total.recipients, "recipient"),
                percent(total.share),
                count(total.delivered_first),
                count(total.delivered_late),
                count(total.expired),
                count(total.bounced),
                count(total.pending),
            ))
            .line("A message counts on the UTC day of its first attempt. A deferral that is delivered later is no loss.");
        if self.by == DeliveryBy::Response {
            page = page.line("Outcomes are those of the messages that got the response at least once; a message may stand in several rows.");
        }
        if self.internal > 0 {
            page = page.line(format!(
                "{} to one's own next hop (mailboxes, filters, private addresses) not counted.",
                counted(self.internal, "message")
            ));
        }
        page
    }
}

fn figures(outcomes: &Outcomes) -> Vec<Cell> {
    vec![
        outcomes.recipients.into(),
        outcomes.affected.into(),
        Cell::Rate(outcomes.share),
        outcomes.severity.word().into(),
        outcomes.attempts.into(),
        outcomes.deferrals.into(),
        outcomes.reputation_deferrals.into(),
        outcomes.delivered_first.into(),
        outcomes.delivered_late.into(),
        outcomes.expired.into(),
        outcomes.bounced.into(),
        outcomes.dropped.into(),
        outcomes.pending.into(),
        outcomes.median_delay_late_s.map_or(Cell::Empty, |seconds| Cell::Number(seconds.to_string())),
    ]
}
