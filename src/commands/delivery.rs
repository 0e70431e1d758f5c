//! `delivery import PATH…` and `delivery summary`: logs and events of delivery into the store, and what became of the mail.

mod notes;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use chrono::{NaiveDate, Utc};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, Exit};
use crate::evidence::{
    Batch, COMMIT, Counts, DeliveryBy, DeliveryScope, DeliveryWriter, EvidenceError, FileRead, Gateways, LogFormat,
    Options, Reader, Zone, read_path, summary,
};
use crate::parse::domain_name;
use crate::query::{DayArgs, Days};

/// Files below this size are read side by side, one thread each.
const SMALL_FILE: u64 = 4 << 20;

/// Arguments of `delivery`.
#[derive(Debug, clap::Args)]
pub struct DeliveryArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DeliveryCommand,
}

/// The commands under `delivery`.
#[derive(Debug, clap::Subcommand)]
pub enum DeliveryCommand {
    /// Read logs of Postfix or Exim, events of SendGrid, SES, Mailgun, Postmark or SparkPost, or the documented table (CSV, JSON lines)
    Import(DeliveryImportArgs),
    /// What became of the mail: deferred, delivered late, expired, bounced
    Summary(DeliverySummaryArgs),
}

/// Arguments of `delivery import`.
#[derive(Debug, clap::Args)]
pub struct DeliveryImportArgs {
    /// Files or folders, plain or gzipped; - for standard input
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Year of the first stamp in logs whose stamps have none [default: from the time of the file]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1970..=9999))]
    pub year: Option<i32>,
    /// Zone of stamps that have none: utc, an offset as +02:00, a name as Europe/Berlin, or local
    #[arg(long, visible_alias = "time-zone", value_name = "ZONE", default_value = "utc")]
    pub log_tz: Zone,
    /// The format, where the content does not show it: postfix, journald, exim, sendgrid, ses, mailgun, postmark, sparkpost, csv, json-lines
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Sending address of attempts whose log does not say one, of a log host alone or of all; may be given again
    #[arg(long, value_name = "[HOST=]ADDRESS", value_parser = source_ip)]
    pub source_ip: Vec<(Option<String>, String)>,
    /// Keep whole recipient addresses; without it only a keyed hash of the local part
    #[arg(long)]
    pub keep_recipients: bool,
    /// Exit with status 3 where a file was not recognised, is damaged, or has lines that were not understood
    #[arg(long)]
    pub strict: bool,
}

/// What an import of delivery evidence did.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct DeliveryImportAnswer {
    /// Files looked at.
    pub files: u64,
    /// Files of no known format, or unreadable.
    pub files_refused: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Lines or events looked at.
    pub lines: u64,
    /// Lines that carry evidence and were read.
    pub understood: u64,
    /// Lines of known kinds that carry none.
    pub ignored: u64,
    /// Lines of other programs.
    pub other_programs: u64,
    /// Lines not understood.
    pub unknown: u64,
    /// Lines that end too early.
    pub cut: u64,
    /// Address probes: no mail.
    pub probes: u64,
    /// Complaint events.
    pub complaints: u64,
    /// Stamps more than a minute before the one before them, on the same host.
    pub clock_steps: u64,
    /// Attempts, expiries and drops read.
    pub attempts: u64,
    /// Those at one's own next hop, which are in no summary.
    pub internal: u64,
    /// Those that were new and are stored.
    pub stored: u64,
    /// Those that the store held already.
    pub duplicates: u64,
    /// Seconds from start to the last commit.
    pub seconds: f64,
    /// Each file.
    pub by_file: Vec<DeliveryFileAnswer>,
    /// Lines not understood, by shape, most first.
    pub unknown_shapes: Vec<UnknownShape>,
}

/// What became of one file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliveryFileAnswer {
    /// Its path.
    pub path: String,
    /// The format recognised; null where none was.
    pub format: Option<String>,
    /// Lines or events looked at.
    pub lines: u64,
    /// Attempts stored.
    pub stored: u64,
    /// Attempts that the store held already.
    pub duplicates: u64,
    /// First attempt, UTC.
    pub first: Option<chrono::DateTime<Utc>>,
    /// Last attempt, UTC.
    pub last: Option<chrono::DateTime<Utc>>,
    /// What should be known about it.
    pub notes: Vec<String>,
}

/// Lines of one shape.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UnknownShape {
    /// The shape.
    pub shape: String,
    /// Lines of it.
    pub lines: u64,
    /// Where the first one stands: file and line.
    pub first: String,
}

/// Arguments of `delivery summary`.
#[derive(Debug, clap::Args)]
pub struct DeliverySummaryArgs {
    /// What the rows are
    #[arg(long, value_enum, default_value = "gateway")]
    pub by: DeliveryBy,
    /// The period: days of first attempts.
    #[command(flatten)]
    pub period: DayArgs,
    /// Only mail behind this gateway
    #[arg(long, value_name = "GATEWAY")]
    pub gateway: Option<String>,
    /// Only mail from this sending address; may be given again
    #[arg(long = "ip", value_name = "ADDRESS")]
    pub ips: Vec<IpAddr>,
    /// Also mail whose log does not say the sending address
    #[arg(long, requires = "ips")]
    pub or_unknown_ip: bool,
    /// Only mail whose envelope sender is this domain or one under it, and mail whose log does not say the sender
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Only this campaign; may be given again
    #[arg(long = "campaign", value_name = "NAME")]
    pub campaigns: Vec<String>,
}

/// Runs `delivery`.
pub(super) fn run(context: &Context, args: &DeliveryArgs) -> anyhow::Result<Exit> {
    match &args.command {
        DeliveryCommand::Import(args) => import(context, args),
        DeliveryCommand::Summary(args) => {
            let gateways = Gateways::with(&context.config.gateway)?;
            let store = context.read_judged(&gateways)?;
            let scope = args.scope(context.today)?;
            context.answer(&summary(store.connection(), &scope, args.by)?)?;
            Ok(Exit::Done)
        }
    }
}

impl DeliverySummaryArgs {
    fn scope(&self, today: NaiveDate) -> anyhow::Result<DeliveryScope> {
        let Days { since, until, cut, .. } = self.period.days(today)?;
        Ok(DeliveryScope {
            since,
            until,
            cut,
            gateway: self.gateway.as_deref().map(str::to_ascii_lowercase),
            sources: self.ips.iter().map(|ip| ip.to_canonical().to_string()).collect(),
            or_unknown_source: self.or_unknown_ip,
            domain: self.domain.as_deref().map(|name| domain_name(name).into_owned()),
            campaigns: self.campaigns.clone(),
        })
    }
}

/// `mx1=192.0.2.10`, or an address alone.
fn source_ip(text: &str) -> Result<(Option<String>, String), String> {
    let (host, address) = match text.split_once('=') {
        Some((host, address)) => (Some(host.trim().to_owned()), address),
        None => (None, text),
    };
    let parsed: IpAddr = address.trim().parse().map_err(|_| format!("`{address}` is no IP address"))?;
    Ok((host, parsed.to_canonical().to_string()))
}

/// What the reading side sends to the writing side.
enum Sent {
    Batch(usize, Batch),
    File(Box<FileRead>),
}

fn import(context: &Context, args: &DeliveryImportArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let paths = find(&args.paths)?;
    let gateways = Gateways::with(&context.config.gateway)?;
    let options = Options { year: args.year, zone: args.log_tz, format: args.log_format, ..Options::new(Utc::now()) };
    let (mut writer, reader) =
        DeliveryWriter::begin(&context.db, context.wait, options, gateways, args.keep_recipients, &args.source_ip)?;
    let places: Vec<usize> = paths.iter().map(|_| writer.file()).collect();
    let mut files = Vec::new();
    let (sender, receiver) = crossbeam_channel::bounded::<Sent>(2);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let (reader, paths) = (&reader, &paths);
        // Moved in, so that the other side sees the end.
        scope.spawn(move || read_all(reader, paths, &places, &sender));
        let mut waiting: Vec<(usize, Batch)> = Vec::new();
        let mut attempts = 0;
        for sent in receiver {
            match sent {
                Sent::Batch(place, batch) => {
                    attempts += batch.envelopes.len() + batch.attempts();
                    waiting.push((place, batch));
                }
                Sent::File(file) => files.push(*file),
            }
            if attempts >= COMMIT {
                attempts = 0;
                writer.commit(reader, std::mem::take(&mut waiting))?;
            }
        }
        writer.commit(reader, waiting)?;
        Ok(())
    })?;
    files.sort_by_key(|file| file.place);
    let kept = writer.end(&reader, &files)?;
    let mut answer = DeliveryImportAnswer { files: files.len() as u64, ..DeliveryImportAnswer::default() };
    for file in &files {
        let kept = kept.get(file.place).cloned().unwrap_or_default();
        answer.add(file, kept.stored, kept.duplicates, args.log_tz);
    }
    answer.unknown_shapes.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.shape.cmp(&b.shape)));
    answer.seconds = (started.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    context.answer(&answer)?;
    let damaged = files.iter().any(|file| file.note.is_some() || file.counts.damage.is_some());
    let bad = answer.files_refused > 0 || answer.unknown > 0 || damaged;
    if answer.files_refused == answer.files {
        match answer.files {
            1 => bail!("the file gave no evidence"),
            files => bail!("none of the {files} files gave any evidence"),
        }
    }
    Ok(if args.strict && bad { Exit::Findings } else { Exit::Done })
}

/// Reads every file: small ones side by side, large ones one after another on all threads.
fn read_all(reader: &Reader, paths: &[PathBuf], places: &[usize], sender: &crossbeam_channel::Sender<Sent>) {
    let size = |path: &Path| std::fs::metadata(path).map_or(u64::MAX, |data| data.len());
    let files: Vec<(usize, &PathBuf)> = places.iter().copied().zip(paths).collect();
    let (small, large): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, path)| size(path) < SMALL_FILE);
    small.par_iter().for_each(|(place, path)| read_one(reader, *place, path, sender));
    for (place, path) in large {
        read_one(reader, place, path, sender);
    }
}

fn read_one(reader: &Reader, place: usize, path: &Path, sender: &crossbeam_channel::Sender<Sent>) {
    let gone = || EvidenceError::Sink("the store could not be written".to_owned());
    let read = read_path(reader, path, &mut |batch| sender.send(Sent::Batch(place, batch)).map_err(|_| gone()));
    let path = path.to_string_lossy().into_owned();
    let file = match read {
        Ok((format, counts)) => FileRead { place, path, format: Some(format), note: counts.damage.clone(), counts },
        Err(error) => {
            // The file is named beside its notes already.
            let said = error.to_string();
            let note = Some(said.strip_prefix(&format!("{path}: ")).unwrap_or(&said).to_owned());
            FileRead { place, path, format: None, counts: Counts::default(), note }
        }
    };
    // Where the other side is gone, it has an error of its own to tell.
    sender.send(Sent::File(Box::new(file))).ok();
}

/// Finds the files, folders walked in order of names.
fn find(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for path in given {
        if path.as_os_str() == "-" {
            paths.push(path.clone());
            continue;
        }
        if !path.try_exists().with_context(|| format!("reading {}", path.display()))? {
            bail!("{} does not exist", path.display());
        }
        for entry in walkdir::WalkDir::new(path).sort_by_file_name().follow_links(true) {
            let entry = entry.with_context(|| format!("reading {}", path.display()))?;
            if entry.file_type().is_file() || (entry.depth() == 0 && !entry.file_type().is_dir()) {
                paths.push(entry.into_path());
            }
        }
    }
    if paths.is_empty() {
        bail!(
            "there is no file under {}",
            given.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(paths)
}

impl DeliveryImportAnswer {
    fn add(&mut self, file: &FileRead, stored: u64, duplicates: u64, zone: Zone) {
        let counts = &file.counts;
        let other: u64 = counts.other_programs.values().sum();
        self.files_refused += u64::from(file.format.is_none());
        self.bytes += counts.bytes;
        self.lines += counts.lines;
        self.understood += counts.understood;
        self.ignored += counts.ignored;
        self.other_programs += other;
        self.unknown += counts.unknown_lines();
        self.cut += counts.cut;
        self.probes += counts.probes;
        self.complaints += counts.complaints;
        self.clock_steps += counts.clock_steps;
        self.attempts += counts.attempts;
        self.internal += counts.internal;
        self.stored += stored;
        self.duplicates += duplicates;
        for (shape, (lines, first)) in &counts.unknown {
            self.unknown_shapes.push(UnknownShape {
                shape: shape.clone(),
                lines: *lines,
                first: format!("{}:{first}", file.path),
            });
        }
        let time = |micros: i64| chrono::DateTime::<Utc>::from_timestamp_micros(micros);
        self.by_file.push(DeliveryFileAnswer {
            path: file.path.clone(),
            format: file.format.map(|format| format.word().to_owned()),
            lines: counts.lines,
            stored,
            duplicates,
            first: counts.span.and_then(|span| time(span.0)),
            last: counts.span.and_then(|span| time(span.1)),
            notes: notes::notes(file, zone),
        });
    }
}
