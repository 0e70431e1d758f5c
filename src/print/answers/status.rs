//! The state of a store.

use chrono::{DateTime, Utc};

use super::{counted, days};
use crate::print::{Answer, Cell, Page, Table, bytes};
use crate::query::{Span, Status};

impl Answer for Status {
    fn page(&self) -> Page {
        let held = match (self.first_day, self.last_day) {
            (Some(since), Some(until)) => format!(", report days {}", days(Span { since, until })),
            _ => String::new(),
        };
        let mut page = Page::new()
            .heading(format!("Store {} ({}, schema {})", self.path, bytes(self.bytes), self.schema))
            .line(format!(
                "{}, {}, {}{held}",
                counted(self.reports, "report"),
                counted(self.records, "record"),
                counted(self.messages, "message")
            ));
        if let (Some(since), Some(until)) = (self.delivery_first_day, self.delivery_last_day) {
            page = page.line(format!(
                "delivery evidence of {}, first attempts {}",
                counted(self.delivery_messages, "message"),
                days(Span { since, until })
            ));
        }
        let mut outcomes = Table::new(&[("outcome", "ledger outcome"), ("entries", "entries")]);
        for one in &self.outcomes {
            outcomes.row(vec![one.outcome.as_str().into(), one.entries.into()]);
        }
        page = page.line(String::new()).table(outcomes);
        let mut runs = Table::new(&[
            ("run", "run"),
            ("command", "command"),
            ("started_at", "started"),
            ("ended_at", "ended"),
            ("items", "items"),
            ("reports_stored", "reports stored"),
            ("rejected", "rejected"),
            ("error", "error"),
        ]);
        for run in &self.runs {
            runs.row(vec![
                u64::from(run.run).into(),
                run.command.as_str().into(),
                instant(Some(run.started_at)),
                instant(run.ended_at),
                run.items.into(),
                run.reports_stored.into(),
                run.rejected.into(),
                Cell::maybe(run.error.as_deref()),
            ]);
        }
        page = page.line(String::new()).heading("Last runs").table(runs);
        if !self.mailboxes.is_empty() {
            let mut mailboxes = Table::new(&[
                ("account", "mailbox"),
                ("folder", "folder"),
                ("last_uid", "last UID"),
                ("last_success_at", "last success"),
                ("last_error", "last error"),
            ]);
            for mailbox in &self.mailboxes {
                mailboxes.row(vec![
                    mailbox.account.as_str().into(),
                    mailbox.folder.as_str().into(),
                    mailbox.last_uid.map_or(Cell::Empty, |uid| Cell::Count(u64::from(uid))),
                    instant(mailbox.last_success_at),
                    Cell::maybe(mailbox.last_error.as_deref()),
                ]);
            }
            page = page.line(String::new()).heading("Mailboxes").table(mailboxes);
        }
        if !self.rejected.is_empty() {
            page = page
                .line(String::new())
                .heading("Rejected and in conflict")
                .table(rejected(self))
                .line("`dmarcase inspect --ledger ENTRY` shows one; `dmarcase retry` reads the rejected again.");
        }
        page
    }

    /// The rejected entries where they were asked for, else the outcomes.
    fn whole(&self) -> Page {
        if self.rejected.is_empty() { self.page() } else { Page::new().table(rejected(self)) }
    }
}

fn rejected(status: &Status) -> Table {
    let mut entries = Table::new(&[
        ("entry", "entry"),
        ("outcome", "outcome"),
        ("origin", "item"),
        ("document", "document"),
        ("mail_from", ""),
        ("mail_subject", ""),
        ("code", ""),
        ("reason", "reason"),
    ]);
    for entry in &status.rejected {
        entries.row(vec![
            entry.entry.into(),
            entry.outcome.as_str().into(),
            entry.origin.as_str().into(),
            Cell::maybe(entry.document.as_deref()),
            Cell::maybe(entry.mail_from.as_deref()),
            Cell::maybe(entry.mail_subject.as_deref()),
            Cell::maybe(entry.code.as_deref()),
            Cell::maybe(entry.reason.as_deref()),
        ]);
    }
    entries
}

fn instant(at: Option<DateTime<Utc>>) -> Cell {
    at.map_or(Cell::Empty, |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string().into())
}
