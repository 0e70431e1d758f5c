//! `enrich`: host names, networks and countries of the sources in the store.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Context, Exit, Usage, runtime};
use crate::dns::Resolver;
use crate::enrich::{
    Databases, EnrichAnswer, Enriched, Named, Waiting, attributed_by_name, keep, names, sources, waiting,
};
use crate::query::DayArg;
use crate::store::{Access, Store};

/// Sources of one batch: what an interruption may cost, and how long the store is held is far less.
const BATCH: usize = 256;

/// Arguments of `enrich`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Asks DNS for the host name of every source that lacks one, heaviest first, and whether the name resolves back to the \
address: only then does it count for a [[sender]] rule or the catalogue. A question without an answer is not `no name`: \
the source keeps what was known and is asked again by the next run. The store is held only while a batch is written.

Networks and countries come from files of yours, in the format of MaxMind or IPinfo:
  [enrich]
  database = [\"GeoLite2-ASN.mmdb\", \"GeoLite2-Country.mmdb\"]

Examples:
  dmarcase enrich --limit 500
  dmarcase enrich --no-dns --mmdb ipinfo_lite.mmdb
  dmarcase enrich --refresh 90d")]
pub struct EnrichArgs {
    /// Most sources that are looked at in this run
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// Look again at what was looked up before this day: a date, or 30d, 4w, 3mo back
    #[arg(long, value_name = "OLDER")]
    pub refresh: Option<DayArg>,
    /// Database of networks or countries; may be given again [default: the config's]
    #[arg(long = "mmdb", value_name = "FILE")]
    pub databases: Vec<PathBuf>,
    /// Ask no name server
    #[arg(long)]
    pub no_dns: bool,
}

/// Runs `enrich`.
pub(super) fn run(context: &Context, args: &EnrichArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let started_at = Utc::now();
    let paths = if args.databases.is_empty() { &context.config.enrich.database } else { &args.databases };
    let databases = Databases::open(paths)?;
    let resolver = if args.no_dns { None } else { Some(Resolver::new(&context.config.dns)?) };
    if resolver.is_none() && databases.is_empty() {
        bail!(Usage(
            "there is nothing to enrich from: leave out --no-dns, or name a database with --mmdb FILE".to_owned()
        ));
    }
    let midnight = |day: DayArg| day.before(context.today).and_time(NaiveTime::MIN).and_utc();
    let older_than = args.refresh.map_or(DateTime::UNIX_EPOCH, midnight);
    let store = context.read()?;
    let sources = sources(store.connection())?;
    let all = waiting(store.connection(), resolver.is_some(), !databases.is_empty(), older_than)?;
    drop(store);
    let wanted = all.get(..args.limit.unwrap_or(all.len()).min(all.len())).unwrap_or_default();
    let mut answer = EnrichAnswer {
        sources,
        looked_at: wanted.len() as u64,
        name_servers: resolver.as_ref().map(|resolver| resolver.servers().to_owned()),
        started_at,
        ..EnrichAnswer::default()
    };
    let runtime = runtime()?;
    let bar = bar(wanted.len() as u64, context.progress);
    for batch in wanted.chunks(BATCH) {
        let named = match &resolver {
            Some(resolver) => runtime.block_on(named(resolver, batch)),
            None => vec![None; batch.len()],
        };
        let mut found = Vec::with_capacity(batch.len());
        for (one, named) in batch.iter().zip(named) {
            let place = databases.place(one.ip)?;
            count(&mut answer, named.as_ref(), place.is_some());
            found.push(Enriched { source: one.source, named, place });
        }
        let store = Store::open(&context.db, Access::Write, context.wait)?;
        keep(&store, &found, started_at).context("keeping what was found")?;
        drop(store);
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    answer.waiting = all.len() as u64 - answer.looked_at + answer.could_not_check;
    // Their new names may tell whose they are.
    let store = context.read_attributed(context.today)?;
    answer.attributed = attributed_by_name(store.connection())?;
    drop(store);
    answer.seconds = started.elapsed().as_secs_f64();
    context.answer(&answer)?;
    Ok(Exit::Done)
}

/// Asks for the names of those that want one.
async fn named(resolver: &Resolver, batch: &[Waiting]) -> Vec<Option<Named>> {
    let ips: Vec<IpAddr> = batch.iter().filter(|one| one.wants_name).map(|one| one.ip).collect();
    let mut found = names(resolver, &ips).await.into_iter();
    batch.iter().map(|one| if one.wants_name { found.next() } else { None }).collect()
}

fn count(answer: &mut EnrichAnswer, named: Option<&Named>, located: bool) {
    match named {
        Some(Named::Confirmed(_)) => answer.confirmed += 1,
        Some(Named::Unconfirmed(_)) => answer.unconfirmed += 1,
        Some(Named::Nameless) => answer.without_name += 1,
        Some(Named::Unchecked(why)) => {
            answer.could_not_check += 1;
            answer.why.get_or_insert_with(|| why.clone());
        }
        None => {}
    }
    answer.located += u64::from(located);
}

fn bar(total: u64, wanted: bool) -> ProgressBar {
    let target = if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} sources, ETA {eta}") {
        bar.set_style(style);
    }
    bar
}
