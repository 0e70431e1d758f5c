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
    let folder = !args.partition_by.is_empty();
    replaceable(&path, folder)?;
    let store = context.read_as_of(args.period.days.as_of.unwrap_or(context.today))?;
    let connection = store.connection();
    let scope = Scope::resolve(connection, &args.period, context.today)?;
    // Beside the target and renamed at the end, so that nobody finds half a file.
    let partial = beside(&path, "partial");
    replaceable(&partial, folder)?;
    remove(&partial)?;
    let written = export(connection, &scope, &args.from, form, &args.partition_by, &partial);
    let rows = match written {
        Ok(rows) => rows,
        Err(error) => {
            remove(&partial)?;
            return Err(error.into());
        }
    };
    put(&partial, &path).with_context(|| format!("writing {}", path.display()))?;
    tracing::info!("{rows} rows of {} written to {}", args.from, args.path.display());
    Ok(Exit::Done)
}

fn form(args: &ExportArgs) -> anyhow::Result<&'static str> {
    let ending = args.path.extension().and_then(|ending| ending.to_str());
    let form = match ending {
        _ if !args.partition_by.is_empty() && matches!(ending, Some("csv" | "jsonl" | "ndjson")) => {
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

/// Gives what was written its name. What had it before goes last.
fn put(partial: &Path, path: &Path) -> anyhow::Result<()> {
    let old = beside(path, "replaced");
    let replaces = path.exists();
    if replaces {
        std::fs::rename(path, &old)?;
    }
    if let Err(error) = std::fs::rename(partial, path) {
        if replaces {
            std::fs::rename(&old, path)?;
        }
        return Err(error.into());
    }
    if replaces { remove(&old) } else { Ok(()) }
}

/// Refuses to replace what no export has made, or one of the other kind. A folder of an export holds nothing but `column=value`
/// folders and Parquet files.
fn replaceable(path: &Path, folder: bool) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    if path.is_dir() != folder {
        let (is, wanted) = if folder { ("file", "folder") } else { ("folder", "file") };
        bail!("{} is a {is}, and a {wanted} would be written: name another path", path.display());
    }
    if !folder {
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("looking into {}", path.display()))? {
        let entry = entry.with_context(|| format!("looking into {}", path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = if entry.path().is_dir() { name.contains('=') } else { name.ends_with(".parquet") };
        if !ours {
            bail!("{} is a folder that no export made (it has `{name}`): name another path", path.display());
        }
    }
    Ok(())
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
