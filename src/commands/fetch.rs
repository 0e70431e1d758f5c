//! `fetch`: one poll of every mailbox of the config.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use anyhow::bail;
use schemars::JsonSchema;
use serde::Serialize;

use super::poll::Cycle;
use super::{Context, Exit, ImportAnswer, stop_on_signal};
use crate::config::MailboxConfig;
use crate::fetch::imap::{MailboxPoll, Tokens};
use crate::pipeline::Progress;
use crate::print::ProgressLine;
use crate::store::Wait;

/// Arguments of `fetch`.
#[derive(Debug, clap::Args)]
pub struct FetchArgs {
    /// Poll only these mailboxes of the config
    pub mailboxes: Vec<String>,
    /// Exit with status 3 where an item was rejected
    #[arg(long)]
    pub strict: bool,
}

/// What a fetch did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FetchAnswer {
    /// The keys of `import`.
    #[serde(flatten)]
    pub import: ImportAnswer,
    /// Each mailbox, with an entry for each folder.
    pub mailboxes: Vec<MailboxPoll>,
}

/// Runs `fetch`.
///
/// # Errors
/// The store cannot be written, a mailbox or folder could not be polled (after all others were), or it was interrupted.
pub(super) fn run(context: &Context, args: &FetchArgs) -> anyhow::Result<Exit> {
    use std::io::IsTerminal;
    let started = Instant::now();
    let chosen = chosen(context, &args.mailboxes)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stop)?;
    let progress = Arc::new(Progress::default());
    let wanted = context.progress && std::io::stderr().is_terminal();
    let line = ProgressLine::follow(&progress, None, wanted);
    let cycle = Cycle {
        config: &context.config,
        db: &context.db,
        wait: Wait::or_stop(context.wait, Arc::clone(&stop)),
        command: "fetch",
        tokens: &Tokens::default(),
        progress: &progress,
        stop: &stop,
        beat: &AtomicU64::new(0),
        only_again: false,
        at_once: 1,
    };
    let done = cycle.run(&chosen);
    drop(line);
    let done = done?;
    let import = ImportAnswer::new(&done.counts, started.elapsed().as_secs_f64());
    let rejected = import.rejected;
    let answer = FetchAnswer { import, mailboxes: done.polls };
    answer.mailboxes.iter().for_each(MailboxPoll::log);
    context.answer(&answer)?;
    if answer.mailboxes.iter().any(|poll| poll.stopped) {
        bail!("interrupted: {} items are in the store, the next fetch goes on from there", answer.import.items);
    }
    let failed: Vec<&str> =
        answer.mailboxes.iter().filter(|poll| poll.failed()).map(|poll| poll.mailbox.as_str()).collect();
    if !failed.is_empty() {
        bail!("not everything could be polled: {}; what was read is stored", failed.join(", "));
    }
    Ok(if args.strict && rejected > 0 { Exit::Findings } else { Exit::Done })
}

/// Returns the mailboxes asked for, or all.
pub(super) fn chosen<'a>(context: &'a Context, names: &[String]) -> anyhow::Result<Vec<&'a MailboxConfig>> {
    let all = &context.config.mailbox;
    if all.is_empty() {
        if let Some(tenant) = &context.tenant {
            bail!("the tenant `{}` has no mailbox: list its own in `mailboxes`", tenant.name);
        }
        match &context.config.path {
            Some(path) => bail!("{} has no [[mailbox]]: see packaging/dmarcase.toml.example", path.display()),
            None => {
                bail!("there is no config, so no mailbox: name one with --config (see packaging/dmarcase.toml.example)")
            }
        }
    }
    for name in names {
        if !all.iter().any(|mailbox| mailbox.name == *name) {
            let known: Vec<&str> = all.iter().map(|mailbox| mailbox.name.as_str()).collect();
            bail!("the config has no mailbox `{name}`: there are {}", known.join(", "));
        }
    }
    Ok(context.config.mailboxes(names))
}
