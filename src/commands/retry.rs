//! `retry`: the rejected items, read again, after an upgrade or a change of the limits.

use std::sync::atomic::AtomicU64;

use anyhow::bail;
use chrono::DateTime;

use super::import::ingest;
use super::poll::Cycle;
use super::{Context, Exit};
use crate::fetch::imap::{MailboxPoll, Tokens};
use crate::fetch::{Content, Item, Origin};
use crate::pipeline::Progress;
use crate::store::{Access, MailboxMemory, Store, StoreError, is_there, kept_item, rejected_items};
use crate::words::plural;

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// Exit with status 3 where an item is still rejected
    #[arg(long)]
    pub strict: bool,
}

/// Runs `retry`.
pub(super) fn run(context: &Context, args: &RetryArgs) -> anyhow::Result<Exit> {
    // Opened for writing where it is there, which upgrades a store of an older version.
    let access = if is_there(&context.db)? { Access::Write } else { Access::Read };
    let store = Store::open(&context.db, access, context.wait)?;
    let list = rejected_items(store.connection())?;
    drop(store);
    // Mails that a server refused, or that were over a limit that is higher now, are asked for where they lie.
    let memory = MailboxMemory::read(&context.db, context.wait, |account| context.config.mail_bytes(account))?;
    let (mut polls, mut gone) = (Vec::new(), Vec::new());
    let exit = ingest(
        context,
        "retry",
        args.strict,
        || None,
        |feeder| {
            for one in list {
                // The writer needs the store between items, so it is not held.
                let store = Store::open(&context.db, Access::Read, context.wait)?;
                let bytes = kept_item(store.connection(), &one.content_hash)?;
                drop(store);
                let content = match (bytes, &one.origin) {
                    (Some(bytes), _) => Content::Bytes(bytes),
                    (None, Origin::File { .. }) => match one.origin.file() {
                        Some(file) => file,
                        None => {
                            gone.push(one.origin.to_string());
                            continue;
                        }
                    },
                    // The server is asked for it below.
                    (None, Origin::Mailbox { .. }) => continue,
                };
                let received_at = one.received_at.and_then(|at| DateTime::from_timestamp(at, 0));
                if feeder.item(Item { origin: one.origin, content, received_at }).is_err() {
                    break;
                }
            }
            let cycle = Cycle {
                config: &context.config,
                db: &context.db,
                wait: context.wait.into(),
                command: "retry",
                tokens: &Tokens::default(),
                progress: &Progress::default(),
                stop: feeder.stop(),
                beat: &AtomicU64::new(0),
                only_again: true,
                at_once: 1,
            };
            polls = cycle.ask_again(feeder, memory);
            Ok::<(), StoreError>(())
        },
    )?;
    let mut still = !gone.is_empty();
    if let Some(first) = gone.first() {
        tracing::warn!(
            "{} rejected item{} could not be read again, as no bytes are kept and no such file is here: {first}{}",
            gone.len(),
            plural(gone.len() as u64),
            if gone.len() > 1 { " and others" } else { "" }
        );
    }
    for error in polls.iter().flat_map(MailboxPoll::errors) {
        tracing::error!("{error}");
        still = true;
    }
    let failed: Vec<&str> =
        polls.iter().filter(|poll| poll.error.is_some()).map(|poll| poll.mailbox.as_str()).collect();
    if !failed.is_empty() {
        bail!("not every mailbox could be asked again: {}; what was read is stored", failed.join(", "));
    }
    Ok(if args.strict && still { Exit::Findings } else { exit })
}
