//! `sql [QUERY]`: any question, read-only; a prompt on a terminal.

use std::io::{IsTerminal, Read, Write};

use anyhow::{Context as _, bail};
use rustyline::error::ReadlineError;

use super::{Context, Exit, Usage};
use crate::print::{Format, RowWriter};
use crate::query::{self, Files, SqlError};
use crate::store::Store;
use crate::words::told;

/// Arguments of `sql`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Views to begin with: record_full (one row per record, in words), daily, dkim_results, spf_results, policy_latest.
  dmarcase sql \"DESCRIBE record_full\"
  dmarcase sql \"SELECT sender, sum(messages) FROM record_full WHERE NOT dmarc_pass GROUP BY ALL ORDER BY 2 DESC\"")]
pub struct SqlArgs {
    /// The statement (of several, the last one answers); read from standard input, or asked for at a prompt, where it is not given
    pub query: Option<String>,
    /// Let the statement read and write files
    #[arg(long)]
    pub allow_files: bool,
}

/// Returns whether there is nothing to run but blanks, ends of statements and comments.
fn is_empty(statement: &str) -> bool {
    statement
        .lines()
        .all(|line| line.split("--").next().is_none_or(|code| code.trim_matches([' ', '\t', ';']).is_empty()))
}

/// Runs `sql`.
pub(super) fn run(context: &Context, args: &SqlArgs) -> anyhow::Result<Exit> {
    match given(args)? {
        Some(statement) if is_empty(&statement) => {
            bail!(Usage("the statement is empty; see `dmarcase sql --help`".to_owned()))
        }
        Some(statement) if context.output.format == Format::Parquet => parquet(context, args, &statement)?,
        Some(statement) => one(context, args, &statement)?,
        None if context.output.format == Format::Parquet => {
            bail!(Usage("--format parquet needs the statement as an argument".to_owned()))
        }
        None => prompt(context, args)?,
    }
    Ok(Exit::Done)
}

/// Returns the statement from the arguments, or from standard input where that is no terminal.
fn given(args: &SqlArgs) -> anyhow::Result<Option<String>> {
    if args.query.is_some() {
        return Ok(args.query.clone());
    }
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut statement = String::new();
    std::io::stdin().read_to_string(&mut statement).context("reading the statement from standard input")?;
    Ok(Some(statement))
}

/// Opens the store, locked down to some files unless all are allowed.
fn open(context: &Context, args: &SqlArgs, files: Files<'_>) -> anyhow::Result<Store> {
    let store = context.read_as_is()?;
    query::lock_down(store.connection(), if args.allow_files { Files::All } else { files })?;
    Ok(store)
}

fn one(context: &Context, args: &SqlArgs, statement: &str) -> anyhow::Result<()> {
    let store = open(context, args, Files::None)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut rows = RowWriter::new(&mut out, context.output.format, context.output.colour);
    let done = query::sql(store.connection(), statement, &mut rows)
        .and_then(|()| rows.end().map_err(SqlError::from))
        .and_then(|()| out.flush().map_err(SqlError::from));
    match done {
        // A reader that has seen enough is no error.
        Err(SqlError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn parquet(context: &Context, args: &SqlArgs, statement: &str) -> anyhow::Result<()> {
    // A folder of its own, which no other user can look into or put a link in.
    let folder = tempfile::tempdir().context("making a folder for the result")?;
    let path = folder.path().join("result.parquet");
    let store = open(context, args, Files::Only(&path))?;
    query::sql_to_parquet(store.connection(), statement, &path)
        .context("--format parquet takes one query, such as a SELECT, and nothing behind it")?;
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    context.output.raw(&bytes).context("writing the result")
}

/// Asks for statements until the end of input. A wrong one is told and the prompt goes on. The store is open only while one runs:
/// nobody else could write to it while somebody thinks.
fn prompt(context: &Context, args: &SqlArgs) -> anyhow::Result<()> {
    let mut editor = rustyline::DefaultEditor::new().context("starting the prompt")?;
    let mut statement = String::new();
    loop {
        let sign = if statement.is_empty() { "dmarcase> " } else { "      ..> " };
        match editor.readline(sign) {
            Ok(line) => {
                if statement.is_empty()
                    && matches!(line.trim().trim_end_matches(';'), "exit" | "quit" | ".exit" | ".quit" | "\\q")
                {
                    return Ok(());
                }
                statement.push_str(&line);
                statement.push('\n');
                let whole = statement.trim();
                if whole.is_empty() || !whole.ends_with(';') {
                    continue;
                }
                editor.add_history_entry(whole).ok();
                if let Err(error) = one(context, args, whole) {
                    writeln!(std::io::stderr(), "{}", told(&error)).ok();
                }
                statement.clear();
            }
            Err(ReadlineError::Interrupted) => statement.clear(),
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error).context("reading the prompt"),
        }
    }
}
