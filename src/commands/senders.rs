//! `senders`: who sends as you, approved, recognised, unknown.

use super::{Context, Exit};
use crate::query::{PeriodArgs, Scope, senders};

/// Arguments of `senders`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
approved: a [[sender]] of the config. recognised: the bundled catalogue knows the service. unknown: neither.")]
pub struct SendersArgs {
    /// Only unknown senders, the most failing messages first
    #[arg(long)]
    pub unknown: bool,
    /// Show the first N only
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The period and the domains.
    #[command(flatten)]
    pub period: PeriodArgs,
}

/// Runs `senders`.
pub(super) fn run(context: &Context, args: &SendersArgs) -> anyhow::Result<Exit> {
    let store = context.read_attributed(args.period.days.as_of.unwrap_or(context.today))?;
    let scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    context.answer(&senders(store.connection(), &scope, args.unknown, args.limit)?)?;
    Ok(Exit::Done)
}
