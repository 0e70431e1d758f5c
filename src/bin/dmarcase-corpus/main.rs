//! `dmarcase-corpus`: writes report corpora of any size with their truth, and the sample story of this repository.

mod generator;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use generator::corpus::{Layout, Options};

/// Writes DMARC report corpora with their truth. Same arguments, same reports.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a corpus of any size, and `truth.json` with what a correct reader finds in it.
    Corpus {
        /// The folder to write.
        out: PathBuf,
        /// Reports, each once; duplicates and conflicts come on top.
        #[arg(long)]
        reports: u64,
        /// Other seed, other corpus.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Policy domains.
        #[arg(long, default_value_t = 20)]
        domains: u64,
        /// How the reports lie there.
        #[arg(long, value_enum, default_value_t = Layout::Files)]
        layout: Layout,
        /// Percent of the reports that are sent twice.
        #[arg(long, default_value_t = 1.0)]
        dup: f64,
        /// Mean records of a report; without it, as many as reporters of each kind send.
        #[arg(long)]
        records_per_report: Option<f64>,
        /// Reports that come again with the same identity and another content.
        #[arg(long, default_value_t = 0)]
        conflicts: u64,
    },
    /// Writes the generated files of the sample story (`sample_reports/`).
    Story {
        /// The folder to write into.
        out: PathBuf,
    },
    /// Writes six weeks of a healthy domain, on which no gap may fire.
    Clean {
        /// The folder to write.
        out: PathBuf,
    },
    /// Writes a year of eight domains with known senders, classes and breakages, and its labels.
    Year {
        /// The folder to write.
        out: PathBuf,
        /// Other seed, other noise; the same plan.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only so many days of it.
        #[arg(long, default_value_t = 364)]
        days: u32,
    },
    /// Writes the Postfix log of a busy sender, for `dmarcase delivery import`; says what it holds.
    Log {
        /// The file to write; - for standard output.
        out: PathBuf,
        /// Its attempts, at least.
        #[arg(long)]
        attempts: u64,
        /// The days that they are spread over.
        #[arg(long, default_value_t = 90)]
        days: u64,
        /// Other seed, other log.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// RFC 3339 stamps.
        #[arg(long)]
        iso: bool,
        /// Without the lines that carry no evidence.
        #[arg(long)]
        quiet: bool,
    },
    /// Writes one report of many records, gzip, as a stream.
    OneLarge {
        /// The `.xml.gz` file to write; its truth goes beside it.
        out: PathBuf,
        /// Its records.
        #[arg(long)]
        records: u64,
        /// Other seed, other report.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> Result<()> {
    let told = match Arguments::parse().command {
        Command::Corpus { out, reports, seed, domains, layout, dup, records_per_report, conflicts } => {
            let options = Options { reports, seed, domains, layout, dup, records_per_report, conflicts };
            generator::corpus::write(&out, &options)?.to_string()
        }
        Command::Story { out } => {
            let files = generator::story::files()?;
            for file in &files {
                let path = out.join(&file.path);
                let folder = path.parent().unwrap_or(&out);
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                fs::write(&path, &file.bytes).with_context(|| format!("cannot write {}", path.display()))?;
            }
            format!("{} files", files.len())
        }
        Command::Clean { out } => generator::clean::write(&out)?.to_string(),
        Command::Year { out, seed, days } => generator::year::write(&out, seed, days)?.to_string(),
        Command::Log { out, attempts, days, seed, iso, quiet } => {
            let told = generator::log::write(&out, &generator::log::Options { attempts, days, seed, iso, quiet })?;
            if out.as_os_str() == "-" {
                writeln!(std::io::stderr().lock(), "{told}")?;
                return Ok(());
            }
            told.to_string()
        }
        Command::OneLarge { out, records, seed } => generator::one_large(&out, records, seed)?.to_string(),
    };
    writeln!(std::io::stdout().lock(), "{told}")?;
    Ok(())
}
