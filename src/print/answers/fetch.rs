//! How `fetch` and `config check` are laid out.

use crate::commands::{ConfigAnswer, FetchAnswer};
use crate::fetch::imap::FolderLook;
use crate::print::{Answer, Cell, Page, Table};
use crate::words::counted;

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
            for folder in &look.folders {
                for line in old_mail(folder) {
                    page = page.line(line);
                }
            }
            for line in look.after.iter().chain(&look.warnings) {
                page = page.line(line.clone());
            }
        }
        page
    }

    fn whole(&self) -> Page {
        let keys = [
            "mailbox",
            "server",
            "user",
            "login",
            "schedule",
            "folder",
            "messages",
            "new",
            "bytes",
            "over_limit",
            "again",
            "left_over",
            "renumbered",
            "error",
        ];
        let mut table = Table::new(&keys.map(|key| (key, key)));
        for mailbox in &self.mailboxes {
            let mut row = |folder: [Cell; 9]| {
                let of = [&mailbox.name, &mailbox.server, &mailbox.user, &mailbox.login, &mailbox.schedule];
                table.row(of.into_iter().map(|text| Cell::Text(text.clone())).chain(folder).collect());
            };
            let folders = mailbox.look.iter().flat_map(|look| &look.folders);
            let mut any = false;
            for folder in folders {
                any = true;
                row([
                    Cell::Text(folder.folder.clone()),
                    Cell::Count(u64::from(folder.messages)),
                    Cell::Count(folder.new),
                    Cell::Count(folder.bytes),
                    Cell::Count(folder.over_limit),
                    Cell::Count(folder.again),
                    Cell::Count(folder.left_over),
                    Cell::Text(folder.renumbered.to_string()),
                    Cell::maybe(folder.error.as_deref()),
                ]);
            }
            if !any {
                let mut cells = [const { Cell::Empty }; 9];
                cells[8] = Cell::maybe(mailbox.error.as_deref());
                row(cells);
            }
        }
        Page::new().table(table)
    }
}

/// What a poll would do with mail that earlier ones have seen.
fn old_mail(folder: &FolderLook) -> Vec<String> {
    let mut lines = Vec::new();
    let name = &folder.folder;
    if folder.renumbered {
        lines.push(format!(
            "{name}: the server numbers its mails anew, so all are fetched again; what is stored is recognised"
        ));
    }
    if folder.again > 0 {
        let count = counted(folder.again, "mail");
        lines.push(format!("{name}: {count} that could not be had before would be asked for again"));
    }
    if folder.left_over > 0 {
        let count = counted(folder.left_over, "older mail");
        lines.push(format!(
            "{name}: {count} would be moved, deleted or flagged, since an earlier poll ended before it did so"
        ));
    }
    lines
}
