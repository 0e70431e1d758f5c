//! `gaps`: what in the data weakens a reputation case, worst first.

use super::{Context, Exit, Usage};
use crate::query::{DEFINITIONS, Expected, PeriodArgs, Scope, definition, gaps};
use crate::severity::Severity;

/// Arguments of `gaps`.
#[derive(Debug, clap::Args)]
pub struct GapsArgs {
    /// Exit with status 3 where a gap of this severity or a graver one is found
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
    /// Show what a gap is, its remedy and its SQL: an id such as G06, or a name
    #[arg(long, value_name = "GAP")]
    pub explain: Option<String>,
    /// The period and the domains.
    #[command(flatten)]
    pub period: PeriodArgs,
}

/// Runs `gaps`.
pub(super) fn run(context: &Context, args: &GapsArgs) -> anyhow::Result<Exit> {
    if let Some(word) = &args.explain {
        let known: Vec<String> = DEFINITIONS.iter().map(|d| format!("{} {}", d.gap, d.name)).collect();
        let none = || Usage(format!("no gap `{word}`; there are {}", known.join(", ")));
        let one = definition(word).ok_or_else(none)?;
        context.answer(&one.on(args.period.days.as_of.unwrap_or(context.today)))?;
        return Ok(Exit::Done);
    }
    let store = context.read_attributed(args.period.days.as_of.unwrap_or(context.today))?;
    let scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    let expected = Expected { domains: &context.config.domain, gaps: &context.config.gaps };
    let found = gaps(store.connection(), &scope, expected)?;
    context.answer(&found)?;
    let failed = args.fail_on.is_some_and(|severity| found.rows.iter().any(|row| row.severity >= severity));
    Ok(if failed { Exit::Findings } else { Exit::Done })
}
