//! What approving a sender wrote, and what it changed.

use super::counted;
use crate::commands::ApproveAnswer;
use crate::print::{Answer, Page, Table};

impl Answer for ApproveAnswer {
    fn page(&self) -> Page {
        let what = match (self.dry_run, self.new_file) {
            (true, true) => format!("This rule would be written to {}, a new file:", self.config),
            (true, false) => format!("This rule would be added to {}:", self.config),
            (false, true) => format!("{} is made, with this rule:", self.config),
            (false, false) => format!("This rule is added to {}:", self.config),
        };
        let mut page = Page::new().line(what).line(String::new());
        for line in self.rule.trim_end().lines() {
            page = page.line(format!("  {line}"));
        }
        page = page.line(String::new());
        let page = match &self.taken_over {
            None if self.dry_run => page,
            None => page.line("The next command that asks for senders attributes by it."),
            Some(none) if none.is_empty() => page.line("No mail in the store is of this sender yet."),
            Some(taken_over) => {
                let messages = counted(taken_over.iter().map(|one| one.messages).sum(), "message");
                let has = if self.dry_run { "would have" } else { "now has" };
                page.line(format!("{} {has} {messages}:", self.sender)).table(self.whole_table())
            }
        };
        if self.dry_run { page.line("Nothing is written.") } else { page }
    }

    fn whole(&self) -> Page {
        Page::new().table(self.whole_table())
    }
}

impl ApproveAnswer {
    fn whole_table(&self) -> Table {
        let mut table = Table::new(&[
            ("sender", "was attributed to"),
            ("status", "status"),
            ("sources", "sources"),
            ("messages", "messages"),
        ]);
        for one in self.taken_over.iter().flatten() {
            table.row(vec![
                one.sender.clone().into(),
                one.status.clone().into(),
                one.sources.into(),
                one.messages.into(),
            ]);
        }
        table
    }
}
