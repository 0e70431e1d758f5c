//! `import PATH…`: files into the store, then what was stored and the headline rates.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, Exit, stop_on_signal};
use crate::fetch::{FetchError, FileOptions, check_paths, items, survey};
use crate::pipeline::{self, Feeder, Options, Progress};
use crate::print::ProgressLine;
use crate::query::share;
use crate::senders;
use crate::store::{Counts, Wait, Writer, sum_records};

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Files, folders, maildirs or mboxes; - for standard input
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Exit with status 3 where an item was rejected
    #[arg(long)]
    pub strict: bool,
}

/// What an import, fetch or retry did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImportAnswer {
    /// Items looked at.
    pub items: u64,
    /// Reports stored.
    pub reports_stored: u64,
    /// Reports that the store held already, with the same content.
    pub duplicates: u64,
    /// Reports whose identity the store held with other content.
    pub conflicts: u64,
    /// Items that are no report.
    pub not_reports: u64,
    /// Failure reports.
    pub failure_reports: u64,
    /// SMTP TLS reports.
    pub tls_reports: u64,
    /// Documents and items rejected.
    pub rejected: u64,
    /// Records stored.
    pub records: u64,
    /// Messages of the records stored.
    pub messages: u64,
    /// Bytes of the items.
    pub bytes_read: u64,
    /// XML bytes read.
    pub xml_bytes: u64,
    /// Seconds from start to the last commit.
    pub seconds: f64,
    /// The headline rates of what was stored.
    pub rates: HeadlineRates,
}

/// Messages, DMARC pass and their quotient.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HeadlineRates {
    /// Messages stored.
    pub messages: u64,
    /// Messages stored that pass DMARC.
    pub dmarc_pass: u64,
    /// `dmarc_pass` over `messages`; null where there are none.
    pub pass_rate: Option<f64>,
}

impl ImportAnswer {
    /// Makes the answer from a run's counts.
    pub fn new(counts: &Counts, seconds: f64) -> Self {
        Self {
            items: counts.items,
            reports_stored: counts.reports_stored,
            duplicates: counts.duplicates,
            conflicts: counts.conflicts,
            not_reports: counts.not_reports,
            failure_reports: counts.failure_reports,
            tls_reports: counts.tls_reports,
            rejected: counts.rejected,
            records: counts.records,
            messages: counts.messages,
            bytes_read: counts.bytes_read,
            xml_bytes: counts.xml_bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            rates: HeadlineRates {
                messages: counts.messages,
                dmarc_pass: counts.dmarc_pass,
                pass_rate: share(counts.dmarc_pass, counts.messages),
            },
        }
    }
}

/// Runs `import`.
///
/// # Errors
/// A path is missing, the store cannot be written, or the run was interrupted.
pub(super) fn run(context: &Context, args: &ImportArgs) -> anyhow::Result<Exit> {
    check_paths(&args.paths)?;
    let limits = &context.config.limits;
    let options = FileOptions::new(limits);
    let total = || Some(survey(&args.paths).bytes).filter(|bytes| *bytes > 0);
    ingest(context, "import", args.strict, total, |feeder| {
        let mut first: Result<(), FetchError> = Ok(());
        for item in items(&args.paths, &options) {
            match item {
                Ok(item) => {
                    if feeder.item(item).is_err() {
                        break;
                    }
                }
                // What comes behind it is read all the same.
                Err(error) if first.is_err() => tracing::error!("{error}"),
                Err(error) => first = Err(error),
            }
        }
        first
    })
}

/// Runs items from anywhere through the pipeline, with progress and Ctrl-C, and prints the answer.
pub(super) fn ingest<E: std::error::Error + Send + Sync + 'static>(
    context: &Context,
    command: &str,
    strict: bool,
    total: impl FnOnce() -> Option<u64>,
    feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), E> + Send,
) -> anyhow::Result<Exit> {
    use std::io::IsTerminal;
    let started = Instant::now();
    let progress = Arc::new(Progress::default());
    stop_on_signal(&progress.stop)?;
    let wanted = context.progress && std::io::stderr().is_terminal();
    let line = ProgressLine::follow(&progress, if wanted { total() } else { None }, wanted);
    let wait = Wait::or_stop(context.wait, Arc::clone(&progress.stop));
    let begin = || Writer::begin(&context.db, wait, command);
    let done = pipeline::run(begin, &Options::new(&context.config.limits), &progress, feed, &mut |_| {});
    drop(line);
    let (counts, store) = done?;
    if counts.reports_stored > 0 {
        senders::attribute(&store, &context.config, context.today)?;
    }
    // Whatever came: `retry` is how a store of an older version, which has no sums, is upgraded.
    sum_records(&store);
    drop(store);
    context.answer(&ImportAnswer::new(&counts, started.elapsed().as_secs_f64()))?;
    Ok(if strict && counts.rejected > 0 { Exit::Findings } else { Exit::Done })
}
