//! `export`: records, or any table or view, to a file for other tools.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{Context, Exit};
use crate::query::{NARROWED, PeriodArgs, Scope, export};

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The file, or with --partition-by the folder; its ending (.parquet, .csv, .jsonl) says the form
    pub path: PathBuf,
    /// The table or view
    #[arg(long, default_value = "record_full")]
    pub from: String,
    /// Columns whose values become subfolders (Parquet only), such as policy_domain
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub partition_by: Vec<String>,
    /// Replace what stands at the path
    #[arg(long)]
    pub force: bool,
    /// The period and the domains.
    #[command(flatten)]
    pub period: PeriodArgs,
}

/// Runs `export`.
pub(super) fn run(context: &Context, args: &ExportArgs) -> anyhow::Result<Exit> {
    if args.path.exists() && !args.force {
        bail!("{} exists: --force replaces it", args.path.display());
    }
    if context.tenant.is_some() && !NARROWED.contains(&args.from.as_str()) {
        bail!("`{}` is not held apart by tenant: export one of {}", args.from, NARROWED.join(", "));
    }
    let form = form(args)?;
    let store = context.read_as_is()?;
    let connection = store.connection();
    let scope = Scope::resolve(connection, &args.period, context.today)?;
    // Beside the target and renamed at the end, so that nobody finds half a file.
    let partial = beside(&args.path);
    remove(&partial)?;
    let rows = export(connection, &scope, &args.from, form, &args.partition_by, &partial);
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            remove(&partial)?;
            return Err(error.into());
        }
    };
    remove(&args.path)?;
    std::fs::rename(&partial, &args.path).with_context(|| format!("writing {}", args.path.display()))?;
    tracing::info!("{rows} rows of {} written to {}", args.from, args.path.display());
    Ok(Exit::Done)
}

fn form(args: &ExportArgs) -> anyhow::Result<&'static str> {
    if !args.partition_by.is_empty() {
        return Ok("FORMAT parquet");
    }
    match args.path.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => Ok("FORMAT parquet"),
        Some("csv") => Ok("FORMAT csv, HEADER true, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'"),
        Some("jsonl" | "ndjson") => Ok("FORMAT json, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'"),
        _ => bail!("{}: the ending says the form: .parquet, .csv or .jsonl", args.path.display()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let gone = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}
