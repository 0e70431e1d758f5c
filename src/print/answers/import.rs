//! What an import, fetch or retry stored.

use super::counted;
use crate::commands::ImportAnswer;
use crate::print::{Answer, Cell, Page, Table, bytes, count, percent, seconds};

impl Answer for ImportAnswer {
    fn page(&self) -> Page {
        let mut table = Table::new(&[("outcome", "outcome"), ("number", "number")]);
        let rows = [
            ("reports stored", self.reports_stored, true),
            ("duplicates", self.duplicates, false),
            ("conflicts", self.conflicts, false),
            ("failure reports", self.failure_reports, false),
            ("TLS reports", self.tls_reports, false),
            ("not a report", self.not_reports, false),
            ("rejected", self.rejected, true),
        ];
        for (name, number, always) in rows {
            if always || number > 0 {
                table.row(vec![name.into(), Cell::Count(number)]);
            }
        }
        let mut page = Page::new()
            .heading(format!(
                "{} read ({}, {} of XML) in {}",
                counted(self.items, "item"),
                bytes(self.bytes_read),
                bytes(self.xml_bytes),
                seconds(self.seconds)
            ))
            .table(table)
            .line(String::new())
            .line(format!(
                "Stored {} with {}; {} of them pass DMARC ({}).",
                counted(self.records, "record"),
                counted(self.rates.messages, "message"),
                count(self.rates.dmarc_pass),
                percent(self.rates.pass_rate),
            ));
        if self.rejected + self.conflicts > 0 {
            page = page.line("`dmarcase status --rejected` says why items were rejected or are in conflict.");
        }
        page
    }
}
