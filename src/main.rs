//! The `dmarcase` program: maps the outcome of a command to an exit status.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use dmarcase::cli::Cli;
use dmarcase::commands::{self, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    dmarcase::log::start(cli.command.verbosity(cli.global.verbose), cli.global.quiet);
    match commands::run(cli.command, &cli.global) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Findings) => ExitCode::from(3),
        Err(error) => {
            // Nothing is left to tell where standard error is gone.
            let told = format!("{error:#}");
            let lines: Vec<_> = told.lines().map(dmarcase::words::plain).collect();
            writeln!(std::io::stderr(), "dmarcase: {}", lines.join("\n")).ok();
            ExitCode::FAILURE
        }
    }
}
