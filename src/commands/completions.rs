//! `completions SHELL` and `man`.

use clap::CommandFactory;

use super::{Context, Exit};
use crate::cli::Cli;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Runs `completions`.
pub(super) fn run(context: &Context, args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dmarcase", &mut script);
    context.output.raw(&script)?;
    Ok(Exit::Done)
}

/// Runs `man`.
pub(super) fn man(context: &Context) -> anyhow::Result<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    context.output.raw(&page)?;
    Ok(Exit::Done)
}
