//! How `fetch` and `config check` are laid out.

use crate::commands::{ConfigAnswer, FetchAnswer};
use crate::print::{Answer, Cell, Page, Table};

impl Answer for FetchAnswer {
    fn page(&self) -> Page {
        let mut table = Table::new(&[
            ("mailbox", "mailbox"),
            ("folder", "folder"),
            ("messages", "mails there"),
            ("fetched", "fetched"),
            ("bytes", "bytes"),
            ("refused", "refused"),
            ("moved", "moved"),
            ("deleted", "deleted"),
            ("flagged", "flagged"),
            ("errors", "errors"),
        ]);
        for poll in &self.mailboxes {
            if poll.error.is_some() {
                let mut row = vec![Cell::Text(poll.mailbox.clone())];
                row.extend((0..8).map(|_| Cell::Empty));
                row.push(Cell::Count(1));
                table.row(row);
            }
            for folder in &poll.folders {
                table.row(vec![
                    Cell::Text(poll.mailbox.clone()),
                    Cell::Text(folder.folder.clone()),
                    Cell::Count(u64::from(folder.messages)),
                    Cell::Count(folder.fetched),
                    Cell::Count(folder.bytes),
                    Cell::Count(folder.refused + folder.over_limit),
                    Cell::Count(folder.moved),
                    Cell::Count(folder.deleted),
                    Cell::Count(folder.flagged),
                    Cell::Count(folder.errors.len() as u64),
                ]);
            }
        }
        let mut page = Page::new().table(table);
        page.blocks.extend(self.import.page().blocks);
        page
    }
}

impl Answer for ConfigAnswer {
    fn page(&self) -> Page {
        let mut page = Page::new().line(format!("{}: no fault found", self.path));
        for mailbox in &self.mailboxes {
            page = page
                .heading(format!("Mailbox {}", mailbox.name))
                .line(format!("{} as {}, {}, {}", mailbox.server, mailbox.user, mailbox.login, mailbox.schedule));
            let Some(look) = &mailbox.look else {
                if let Some(error) = &mailbox.error {
                    page = page.line(error.clone());
                }
                continue;
            };
            page = page.line(format!("folders of the server: {}", look.server_folders.join(", ")));
            let mut table = Table::new(&[
                ("folder", "folder"),
                ("messages", "mails there"),
                ("new", "a poll would fetch"),
                ("bytes", "bytes"),
                ("over_limit", "over the limit"),
                ("error", "error"),
            ]);
            for folder in &look.folders {
                table.row(vec![
                    Cell::Text(folder.folder.clone()),
                    Cell::Count(u64::from(folder.messages)),
                    Cell::Count(folder.new),
                    Cell::Count(folder.bytes),
                    Cell::Count(folder.over_limit),
                    Cell::maybe(folder.error.as_deref()),
                ]);
            }
            page = page.table(table);
            for line in look.after.iter().chain(&look.warnings) {
                page = page.line(line.clone());
            }
        }
        page
    }
}
