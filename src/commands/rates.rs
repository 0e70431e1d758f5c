//! `rates`: how much of the mail passes.

use super::{Context, Exit};
use crate::query::{PeriodArgs, RateBy, Scope, rates};

/// Arguments of `rates`.
#[derive(Debug, clap::Args)]
pub struct RatesArgs {
    /// What the rows are
    #[arg(long, value_enum, default_value = "domain")]
    pub by: RateBy,
    /// The period and the domains.
    #[command(flatten)]
    pub period: PeriodArgs,
}

/// Runs `rates`.
pub(super) fn run(context: &Context, args: &RatesArgs) -> anyhow::Result<Exit> {
    let as_of = args.period.days.as_of.unwrap_or(context.today);
    let store = if args.by == RateBy::Sender { context.read_attributed(as_of)? } else { context.read()? };
    let scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    context.answer(&rates(store.connection(), &scope, args.by)?)?;
    Ok(Exit::Done)
}
