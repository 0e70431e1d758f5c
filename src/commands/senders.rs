//! `senders`: who sends as you, approved, recognised, unknown.

use super::approve::{self, ApproveArgs};
use super::{Context, Exit};
use crate::query::{PeriodArgs, Scope, senders};

/// Arguments of `senders`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
approved: a [[sender]] of the config. recognised: the bundled catalogue knows the service. unknown: neither.
  dmarcase senders --unknown
  dmarcase senders approve crm.example --owner sales@example.com --until 2027-06-30"
)]
pub struct SendersArgs {
    /// What to do instead of listing them
    #[command(subcommand)]
    pub command: Option<SendersCommand>,
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

/// What `senders` can do besides listing them.
#[derive(Debug, clap::Subcommand)]
pub enum SendersCommand {
    /// Approve a sender: write a [[sender]] rule into the config, which keeps its comments
    Approve(ApproveArgs),
}

/// Runs `senders`.
pub(super) fn run(context: &Context, args: &SendersArgs) -> anyhow::Result<Exit> {
    if let Some(SendersCommand::Approve(args)) = &args.command {
        return approve::run(context, args);
    }
    let store = context.read_attributed(args.period.days.as_of.unwrap_or(context.today))?;
    let scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    context.answer(&senders(store.connection(), &scope, args.unknown, args.limit)?)?;
    Ok(Exit::Done)
}
