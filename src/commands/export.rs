//! `export`: records, or any table or view, to a file for other tools.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{Context, Exit, Usage};
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
    // Without a slash at its end, which would put what is written beside it into it.
    let path: PathBuf = args.path.components().collect();
    if path.to_str().is_none() {
        bail!(Usage(format!("{} is not UTF-8, which the engine cannot write to", path.display())));
    }
    if path.file_name().is_none() {
        bail!(Usage(format!("{} names no file or folder of its own to write", args.path.display())));
    }
    if path.exists() && !args.force {
        bail!("{} exists: --force replaces it", path.display());
    }
    if context.tenant.is_some() && !NARROWED.contains(&args.from.as_str()) {
        bail!("`{}` is not held apart by tenant: export one of {}", args.from, NARROWED.join(", "));
    }
    let form = form(args)?;
    replaceable(&path, &args.partition_by)?;
    let store = context.read_as_of(args.period.days.as_of.unwrap_or(context.today))?;
    let connection = store.connection();
    let scope = Scope::resolve(connection, &args.period, context.today)?;
    // Beside the target and renamed at the end, so that nobody finds half a file.
    let partial = beside(&path, &format!("{}.partial", std::process::id()));
    let written = export(connection, &scope, &args.from, form, &args.partition_by, &partial);
    let rows = match written {
        Ok(rows) => rows,
        Err(error) => {
            remove(&partial)?;
            return Err(error.into());
        }
    };
    if let Err(error) = put(&partial, &path) {
        remove(&partial)?;
        return Err(error).with_context(|| format!("writing {}", path.display()));
    }
    tracing::info!("{rows} rows of {} written to {}", args.from, args.path.display());
    Ok(Exit::Done)
}

fn form(args: &ExportArgs) -> anyhow::Result<&'static str> {
    let ending = args.path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    let form = match ending.as_deref() {
        Some("csv" | "jsonl" | "ndjson") if !args.partition_by.is_empty() => {
            bail!(Usage("--partition-by makes a folder of Parquet files: name a folder".to_owned()))
        }
        _ if !args.partition_by.is_empty() => "FORMAT parquet",
        Some("parquet") => "FORMAT parquet",
        Some("csv") => "FORMAT csv, HEADER true, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'",
        Some("jsonl" | "ndjson") => "FORMAT json, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'",
        _ => bail!(Usage(format!("{}: the ending says the form: .parquet, .csv or .jsonl", args.path.display()))),
    };
    Ok(form)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    path.with_added_extension(ending)
}

/// Gives what was written its name. A folder that had it before goes last; a file is replaced in one step.
fn put(partial: &Path, path: &Path) -> std::io::Result<()> {
    if !path.is_dir() {
        return std::fs::rename(partial, path);
    }
    let old = beside(path, &format!("{}.replaced", std::process::id()));
    std::fs::rename(path, &old)?;
    if let Err(error) = std::fs::rename(partial, path) {
        std::fs::rename(&old, path)?;
        return Err(error);
    }
    std::fs::remove_dir_all(&old)
}

/// Refuses to replace what no export has made, or one of the other kind.
fn replaceable(path: &Path, partition_by: &[String]) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let folder = !partition_by.is_empty();
    if path.is_dir() != folder {
        let (is, wanted) = if folder { ("file", "folder") } else { ("folder", "file") };
        bail!("{} is a {is}, and a {wanted} would be written: name another path", path.display());
    }
    if folder && let Some(strange) = strange(path)? {
        bail!("{} holds {}, which no export made: name another path", path.display(), strange.display());
    }
    Ok(())
}

/// Finds what is no part of an export by parts: those are folders `column=value`, and Parquet files in the innermost.
fn strange(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let looking = || format!("looking into {}", folder.display());
    let part = folder.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
    for entry in std::fs::read_dir(folder).with_context(looking)? {
        let path = entry.with_context(looking)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let found = if path.is_dir() && name.contains('=') {
            strange(&path)?
        } else {
            (!(part && name.starts_with("data_") && name.ends_with(".parquet"))).then_some(path)
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
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
