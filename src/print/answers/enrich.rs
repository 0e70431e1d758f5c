//! What enrichment did.

use super::counted;
use crate::enrich::EnrichAnswer;
use crate::print::{Answer, Cell, Page, Table, count, seconds};

impl Answer for EnrichAnswer {
    fn page(&self) -> Page {
        let looked = counted(self.looked_at, "source");
        let mut page =
            Page::new().line(format!("Looked at {looked} of {} in {}.", count(self.sources), seconds(self.seconds)));
        if let Some(servers) = &self.name_servers {
            page = page.line(format!(
                "Host names by {servers}: {} confirmed, {} not confirmed, {} without one.",
                count(self.confirmed),
                count(self.unconfirmed),
                count(self.without_name)
            ));
        }
        if self.could_not_check > 0 {
            let why = self.why.as_deref().unwrap_or("no reason given");
            page = page.line(format!("{} could not be checked: {why}.", counted(self.could_not_check, "source")));
        }
        if self.located > 0 {
            page = page.line(format!("Network or country of {}.", counted(self.located, "source")));
        }
        page =
            page.line(format!("{} of the store have a sender by their host name.", counted(self.attributed, "source")));
        if self.waiting > 0 {
            page = page.line(format!("{} still wait: run `dmarcase enrich` again.", counted(self.waiting, "source")));
        }
        page
    }

    fn whole(&self) -> Page {
        let numbers = [
            ("sources", self.sources),
            ("looked_at", self.looked_at),
            ("waiting", self.waiting),
            ("confirmed", self.confirmed),
            ("unconfirmed", self.unconfirmed),
            ("without_name", self.without_name),
            ("could_not_check", self.could_not_check),
            ("located", self.located),
            ("attributed", self.attributed),
        ];
        let mut table = Table::new(&numbers.map(|(key, _)| (key, key)));
        table.row(numbers.iter().map(|(_, number)| Cell::Count(*number)).collect());
        Page::new().table(table)
    }
}
