//! `gaps`: what in the data weakens a reputation case, worst first.

use super::{Context, Exit, Usage};
use crate::query::{DEFINITIONS, Definition, Expected, Mail, PeriodArgs, QueryError, Scope, definition, gaps};
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
        context.answer(&explain(context, args, one)?)?;
        return Ok(Exit::Done);
    }
    let store = context.read_attributed(args.period.days.as_of.unwrap_or(context.today))?;
    let scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    let found = gaps(store.connection(), &scope, expected(context))?;
    context.answer(&found)?;
    let failed = args.fail_on.is_some_and(|severity| found.rows.iter().any(|row| row.severity >= severity));
    Ok(if failed { Exit::Findings } else { Exit::Done })
}

fn expected(context: &Context) -> Expected<'_> {
    Expected { domains: &context.config.domain, gaps: &context.config.gaps }
}

/// The gap with its statement for the question. Only numbers of domains, and classes of senders, need the store.
fn explain(context: &Context, args: &GapsArgs, gap: &Definition) -> anyhow::Result<Definition> {
    let days = args.period.days.days(context.today)?;
    let classes = gap.gap == "G21" && crate::store::is_there(&context.db)?;
    if !classes && args.period.domains.is_empty() {
        return Ok(gap.on(&Scope::of_days(days), expected(context), &[]));
    }
    let store = context.read_attributed(days.as_of)?;
    let scope = match Scope::resolve(store.connection(), &args.period, context.today) {
        // A store without reports has no rows to show, and no gap of senders either.
        Err(QueryError::EmptyStore | QueryError::Undated { .. }) if args.period.domains.is_empty() => {
            return Ok(gap.on(&Scope::of_days(days), expected(context), &[]));
        }
        found => found?,
    };
    let no_approval = if classes { Mail::of(store.connection(), &scope)?.no_approval() } else { Vec::new() };
    Ok(gap.on(&scope, expected(context), &no_approval))
}
