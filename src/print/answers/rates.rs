//! Pass rates as a table.

use super::{counted, days};
use crate::print::{Answer, Cell, Page, Table, percent};
use crate::query::{RateBy, Rates, Span, Totals, Undated};

impl Answer for Rates {
    fn page(&self) -> Page {
        let heading = match self.by {
            RateBy::Domain => "policy domain",
            RateBy::Day => "day",
            RateBy::Week => "week of",
            RateBy::Month => "month of",
            RateBy::Reporter => "reporter",
            RateBy::Sender => "sender",
            RateBy::HeaderFrom => "header from",
            RateBy::Source => "source",
            RateBy::Selector => "selector",
        };
        let mut table = Table::new(&[
            (self.by.key(), heading),
            ("reports", "reports"),
            ("messages", "messages"),
            ("dmarc_pass", ""),
            ("pass_rate", "pass"),
            ("dkim_aligned", ""),
            ("dkim_rate", "DKIM"),
            ("spf_aligned", ""),
            ("spf_rate", "SPF"),
            ("quarantined", "quar."),
            ("rejected", "rej."),
            ("sources", "sources"),
        ]);
        for row in &self.rows {
            table.row(cells(row.name(self.by), &row.totals));
        }
        let total = &self.total;
        let mut page = Page::new()
            .heading(format!(
                "Pass rates by {}, {}",
                heading.trim_end_matches(" of"),
                days(Span { since: self.since, until: self.until })
            ))
            .table(table)
            .line(String::new())
            .line(format!(
                "{} of {} pass DMARC ({}); DKIM aligned {}, SPF aligned {}.",
                crate::words::count(total.dmarc_pass),
                counted(total.messages, "message"),
                percent(total.pass_rate),
                percent(total.dkim_rate),
                percent(total.spf_rate),
            ))
            .line(format!("From {}, of {}.", counted(total.reports, "report"), counted(total.sources, "source")));
        if let Some(Undated { reports, messages, counted: within }) = self.undated {
            let (reports, messages) = (counted(reports, "report"), counted(messages, "message"));
            page = page.line(if within {
                format!("Counted, though without a readable day: {reports}, {messages}. A period leaves them out.")
            } else {
                format!("Left out, since without a readable day: {reports}, {messages}.")
            });
        }
        if self.by == RateBy::Selector {
            page = page.line("A message with two signatures counts under both selectors; unsigned mail under none.");
        }
        page
    }
}

fn cells(name: &str, totals: &Totals) -> Vec<Cell> {
    vec![
        name.into(),
        totals.reports.into(),
        totals.messages.into(),
        totals.dmarc_pass.into(),
        Cell::Rate(totals.pass_rate),
        totals.dkim_aligned.into(),
        Cell::Rate(totals.dkim_rate),
        totals.spf_aligned.into(),
        Cell::Rate(totals.spf_rate),
        totals.quarantined.into(),
        totals.rejected.into(),
        totals.sources.into(),
    ]
}
