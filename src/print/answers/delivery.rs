//! Delivery evidence as tables.

use super::counted;
use crate::commands::DeliveryImportAnswer;
use crate::evidence::{DeliveryBy, DeliveryRow, DeliverySummary, Outcomes, Severity};
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
            ("duplicates", "known"),
            ("first", "first attempt (UTC)"),
            ("last", "last attempt (UTC)"),
        ]);
        for file in &self.by_file {
            let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map_or(Cell::Empty, |at| at.format("%Y-%m-%d %H:%M:%S").to_string().into())
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

/// Columns about recipients, which a page shows first; those about the messages to them follow in a table of their own.
const RECIPIENTS: [&str; 6] = ["recipients", "affected", "share", "severity", "attempts", "deferrals"];

impl Answer for DeliverySummary {
    fn page(&self) -> Page {
        let total = &self.total;
        let ends = [total.delivered_first, total.delivered_late, total.expired, total.bounced, total.dropped];
        let all = ends.iter().sum::<u64>() + total.pending;
        let names = |key: &str| key == self.by.key() || key == "stage";
        // Responses have no grade.
        let graded = self.by != DeliveryBy::Response;
        let of_recipients =
            |key: &str| names(key) || RECIPIENTS.contains(&key) && (graded || !matches!(key, "share" | "severity"));
        let of_messages = |key: &str| names(key) || !RECIPIENTS.contains(&key);
        let mut page = Page::new()
            .heading(format!(
                "Delivery by {}, {}",
                heading(self.by),
                super::days(Span { since: self.since, until: self.until })
            ))
            .table(table(self, of_recipients))
            .line(String::new())
            .line("What became of the messages to them, one to three recipients counted three times:")
            .table(table(self, of_messages))
            .line(String::new())
            .line(format!(
                "{} of {} got a gateway's reputation answer ({}).",
                count(total.affected),
                counted(total.recipients, "recipient"),
                if total.severity == Severity::NotGraded { "not graded".to_owned() } else { percent(total.share) }
            ))
            .line(format!(
                "{}: {} at once, {} late, {} expired, {} bounced, {} dropped before any attempt, {} open.",
                counted(all, "message"),
                count(total.delivered_first),
                count(total.delivered_late),
                count(total.expired),
                count(total.bounced),
                count(total.dropped),
                count(total.pending),
            ))
            .line(format!(
                "A message counts on the UTC day of its first attempt, with all that became of it{}.",
                self.as_of.map_or_else(|| ", whenever that was".to_owned(), |day| format!(" up to {day}"))
            ))
            .line("A deferral that is delivered later is no loss.");
        if self.by == DeliveryBy::Response {
            page = page
                .line("Outcomes are those of the messages that got the response at least once.")
                .line("A message may stand in several rows.");
        }
        let nameless = |row: &DeliveryRow| row.name.get(self.by.key()).is_some_and(Option::is_none);
        if self.by == DeliveryBy::Source && self.rows.iter().any(nameless) {
            page = page
                .line(
                    "Where only refusals name the address, its share says nothing: successes stand in the row (none).",
                )
                .line(
                    "`delivery import --source-ip ADDRESS` says it for all; --ip ADDRESS --or-unknown-ip counts both.",
                );
        }
        if let Some(unknown) = self.sender_unknown.filter(|unknown| *unknown > 0) {
            page =
                page.line(format!("Counted though no log says the envelope sender: {}.", counted(unknown, "message")));
        }
        if let Some(text) = self.left_out.text() {
            page = page
                .line(text)
                .line("--or-unknown-ip counts it; `delivery import --source-ip HOST=ADDRESS` says whose it is.");
        }
        if self.internal > 0 {
            page = page.line(format!(
                "Not counted: {} to one's own next hop (mailboxes, filters, relays on private addresses).",
                counted(self.internal, "message")
            ));
        }
        page
    }

    fn whole(&self) -> Page {
        Page::new().table(table(self, |_| true))
    }
}

const fn heading(by: DeliveryBy) -> &'static str {
    match by {
        DeliveryBy::Gateway => "gateway",
        DeliveryBy::RecipientDomain => "recipient domain",
        DeliveryBy::Source => "source",
        DeliveryBy::Response => "response",
        DeliveryBy::Day => "day",
        DeliveryBy::Campaign => "campaign",
    }
}

/// All columns, of which people see some.
fn table(summary: &DeliverySummary, shown: impl Fn(&str) -> bool) -> Table {
    let mut columns = vec![(summary.by.key(), heading(summary.by))];
    if summary.by == DeliveryBy::Response {
        // People read them in the response itself.
        columns.extend([("smtp_code", ""), ("enhanced_code", ""), ("stage", "stage")]);
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
    for (key, heading) in &mut columns {
        if !shown(key) {
            *heading = "";
        }
    }
    let mut table = Table::new(&columns);
    for row in &summary.rows {
        let name = row.name.get(summary.by.key()).and_then(Option::as_deref);
        let mut cells = vec![Cell::Text(name.unwrap_or("(none)").to_owned())];
        if summary.by == DeliveryBy::Response {
            cells.push(row.smtp_code.map_or(Cell::Empty, |code| Cell::Number(code.to_string())));
            cells.push(Cell::maybe(row.enhanced_code.as_deref()));
            cells.push(Cell::maybe(row.stage.as_deref()));
        }
        cells.extend(figures(&row.outcomes));
        table.row(cells);
    }
    table
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
