//! `status`: how the store is.

use super::{Context, Exit};
use crate::config::Span;
use crate::query;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// List the rejected and conflicting items, newest first
    #[arg(long)]
    pub rejected: bool,
    /// How many of them to list
    #[arg(long, default_value = "100", value_name = "N")]
    pub limit: u32,
    /// Exit with status 3 where a mailbox had no successful poll for this long, such as 26h or 2d
    #[arg(long, value_name = "AGE")]
    pub fail_if_older: Option<Span>,
}

/// Runs `status`.
pub(super) fn run(context: &Context, args: &StatusArgs) -> anyhow::Result<Exit> {
    let store = context.read()?;
    let entries = if args.rejected { args.limit } else { 0 };
    let status = query::status(store.connection(), store.path(), entries, 5)?;
    context.answer(&status)?;
    let now = chrono::Utc::now();
    // The config says which mailboxes there should be; without one, those that the store knows.
    let mut accounts: Vec<&str> = context.config.mailbox.iter().map(|mailbox| mailbox.name.as_str()).collect();
    if accounts.is_empty() {
        accounts = status.mailboxes.iter().map(|mailbox| mailbox.account.as_str()).collect();
    }
    let fresh = |account: &str, oldest| {
        let mut folders = status.mailboxes.iter().filter(|mailbox| mailbox.account == account).peekable();
        folders.peek().is_some()
            && folders.all(|folder| {
                folder.last_success_at.is_some_and(|at| (now - at).to_std().map_or(true, |age| age <= oldest))
            })
    };
    let Some(Span(oldest)) = args.fail_if_older else { return Ok(Exit::Done) };
    let late: Vec<&str> = accounts.iter().copied().filter(|account| !fresh(account, oldest)).collect();
    if accounts.is_empty() {
        tracing::error!("no mailbox has ever been polled into this store");
    }
    for account in &late {
        let folders = status.mailboxes.iter().filter(|mailbox| mailbox.account == *account);
        let last = folders.map(|folder| folder.last_success_at).min().flatten();
        let last = last
            .map_or_else(|| "there was none".to_owned(), |at| format!("the last was at {}", at.format("%F %T UTC")));
        tracing::error!("mailbox `{account}`: not every folder had a successful poll in time; {last}");
    }
    Ok(if late.is_empty() && !accounts.is_empty() { Exit::Done } else { Exit::Findings })
}
