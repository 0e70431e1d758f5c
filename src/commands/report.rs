//! `report ID`: one report, whole.

use super::{Context, Exit};
use crate::query;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// A report id, the number of a report in the store, or the first digits of its key
    pub id: String,
}

/// Runs `report`.
pub(super) fn run(context: &Context, args: &ReportArgs) -> anyhow::Result<Exit> {
    let store = context.read_as_is()?;
    context.answer(&query::report(store.connection(), &args.id)?)?;
    Ok(Exit::Done)
}
