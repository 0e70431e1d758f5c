//! `inspect FILE`: what the reader sees in an item, with every warning and its place. Changes no store.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, Exit, Usage};
use crate::fetch::{Content, FileOptions, Item, Origin, check_paths, items};
use crate::inspect::{Inspection, inspect};
use crate::pipeline::{content_hash, refused_hash};
use crate::query;
use crate::store::{kept_item, key_of};
use crate::words::shell_word;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// A mail, a report, an archive, an mbox, a folder; - for standard input
    #[arg(required_unless_present = "ledger", conflicts_with = "ledger")]
    pub file: Option<PathBuf>,
    /// Only this mail of an mbox, or this file of a folder, from 1
    #[arg(long, value_name = "N", conflicts_with = "ledger")]
    pub member: Option<u64>,
    /// Inspect the kept bytes of an entry of the ledger: `status --rejected` lists them
    #[arg(long, value_name = "ID")]
    pub ledger: Option<u64>,
    /// Items of an mbox or folder to show at most
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: usize,
}

/// What was inspected.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct InspectAnswer {
    /// Each item, in order.
    pub items: Vec<Inspection>,
    /// Whether there are more than were shown.
    pub more: bool,
}

/// Runs `inspect`.
pub(super) fn run(context: &Context, args: &InspectArgs) -> anyhow::Result<Exit> {
    let limits = &context.config.limits;
    let answer = match (&args.file, args.ledger) {
        (_, Some(entry)) => InspectAnswer { items: vec![inspect(kept(context, entry)?, limits)], more: false },
        (Some(file), None) => {
            check_paths(std::slice::from_ref(file))?;
            let options = FileOptions::new(limits);
            let mut found = items(std::slice::from_ref(file), &options);
            if let Some(member) = args.member {
                let skip = usize::try_from(member.checked_sub(1).context("--member counts from 1")?)?;
                let item = found.nth(skip).with_context(|| format!("{} has no item {member}", file.display()))??;
                InspectAnswer { items: vec![inspect(item, limits)], more: false }
            } else {
                let shown = found.by_ref().take(args.limit.max(1)).map(|item| Ok(inspect(item?, limits)));
                let items = shown.collect::<anyhow::Result<Vec<_>>>()?;
                InspectAnswer { items, more: found.next().is_some() }
            }
        }
        (None, None) => bail!(Usage("give a file, or --ledger ID".to_owned())),
    };
    context.answer(&answer)?;
    Ok(Exit::Done)
}

/// Makes an item of a ledger entry's bytes, from the store or else from where they still lie.
fn kept(context: &Context, entry: u64) -> anyhow::Result<Item> {
    let store = context.read()?;
    let found = query::ledger_entry(store.connection(), entry)?;
    let received_at = found.received_at.and_then(|at| DateTime::from_timestamp(at, 0));
    if let Some(hash) = &found.content_hash
        && let Some(bytes) = kept_item(store.connection(), hash)?
    {
        return Ok(Item { origin: found.origin, content: Content::Bytes(bytes), received_at });
    }
    drop(store);
    let Origin::File { path, member } = &found.origin else {
        bail!(
            "ledger entry {entry} ({}, {}): only the bytes of rejected items are kept; its mail is on the server",
            found.origin,
            found.outcome
        );
    };
    if path == "-" {
        bail!(
            "ledger entry {entry} ({}) came from standard input, and only the bytes of rejected items are kept: write the input \
             to a file, then `dmarcase inspect FILE`",
            found.outcome
        );
    }
    let options = FileOptions::new(&context.config.limits);
    let at = usize::try_from(member.unwrap_or(1).saturating_sub(1))?;
    let again = items(&[PathBuf::from(path)], &options).nth(at).transpose();
    let again = again.with_context(|| format!("ledger entry {entry}: its bytes are not kept in the store"))?;
    let Some(item) = again else {
        bail!("ledger entry {entry} ({}): its bytes are not kept, and are no longer there", found.origin)
    };
    // Bytes that were refused were never seen: what lies there may be them.
    let same = |hash: u128| hash == content_hash(&item) || hash == refused_hash(&found.origin);
    if !found.content_hash.as_deref().map(key_of).is_none_or(same) {
        let member = member.map_or_else(String::new, |member| format!(" --member {member}"));
        bail!(
            "ledger entry {entry} ({}): its bytes are not kept, and others lie there now; `dmarcase inspect {}{member}` shows those",
            found.origin,
            shell_word(path)
        );
    }
    Ok(item)
}
