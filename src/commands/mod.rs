//! One thin file per command: its arguments and `run`.

mod approve;
mod case;
mod check;
mod completions;
mod config;
mod delivery;
mod enrich;
mod export;
mod fetch;
mod gaps;
mod import;
mod inspect;
mod poll;
mod rates;
mod report;
mod retry;
mod schemas;
mod senders;
mod simulate;
mod sql;
mod status;
mod trend;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{NaiveDate, Utc};

pub use approve::{ApproveAnswer, ApproveArgs};
pub use case::CaseArgs;
pub use check::CheckArgs;
pub use completions::CompletionsArgs;
pub use config::{CheckedMailbox, ConfigAction, ConfigAnswer, ConfigArgs, ConfigCheckArgs};
pub use delivery::{
    DeliveryArgs, DeliveryCommand, DeliveryFileAnswer, DeliveryImportAnswer, DeliveryImportArgs, DeliverySummaryArgs,
    UnknownShape,
};
pub use enrich::EnrichArgs;
pub use export::ExportArgs;
pub use fetch::{FetchAnswer, FetchArgs};
pub use gaps::GapsArgs;
pub use import::{ImportAnswer, ImportArgs};
pub use inspect::{InspectAnswer, InspectArgs};
pub use rates::RatesArgs;
pub use report::ReportArgs;
pub use retry::RetryArgs;
pub use schemas::{SchemasArgs, schemas};
pub use senders::{SendersArgs, SendersCommand};
pub use simulate::SimulateArgs;
pub use sql::SqlArgs;
pub use status::StatusArgs;
pub use trend::TrendArgs;
pub use watch::WatchArgs;

use crate::cli::{Command, Global};
use crate::config::{Config, ConfigError, Tenant};
use crate::evidence::Gateways;
use crate::print::{Answer, Format, Output};
use crate::query::QueryError;
use crate::store::{Access, Store};

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, with findings at or above the asked severity.
    Findings,
}

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    /// The config.
    pub config: Config,
    /// The tenant that everything is narrowed to; the config's domains, mailboxes and facts are its own then.
    pub tenant: Option<Tenant>,
    /// The store's file.
    pub db: PathBuf,
    /// The store's file as `--db` names it.
    given_db: Option<PathBuf>,
    /// The config's file as `--config` names it.
    given_config: Option<PathBuf>,
    /// How long to wait for it.
    pub wait: Duration,
    /// Where answers go, and how.
    pub output: Output,
    /// Whether long work shows a progress line.
    pub progress: bool,
    /// Today's UTC date, for periods without `--as-of`.
    pub today: NaiveDate,
}

/// How often what is derived in the store is made current before it is answered from what is there.
const MENDINGS: u32 = 3;

/// What was asked for cannot be, whatever the store holds: exit status 2, as for what the parser of flags refuses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Returns the exit status of an error: 2 for wrong usage, else 1.
pub fn status(error: &anyhow::Error) -> u8 {
    let usage = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Usage>()
            || cause.downcast_ref::<QueryError>().is_some_and(QueryError::is_usage)
            || matches!(cause.downcast_ref(), Some(ConfigError::NoTenant { .. }))
    };
    if error.chain().any(usage) { 2 } else { 1 }
}

impl Context {
    /// Resolves the flags of every command.
    ///
    /// # Errors
    /// The config cannot be read.
    pub fn new(global: &Global) -> anyhow::Result<Self> {
        use std::io::IsTerminal;
        let mut config = Config::find(global.config.as_deref())?;
        let tenant = global.tenant.as_deref().map(|name| config.narrow(name)).transpose()?;
        let db = store_of(global.db.as_deref(), &config)?;
        let colour = global.format == Format::Table
            && std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self {
            config,
            tenant,
            db,
            given_db: global.db.clone(),
            given_config: global.config.clone(),
            wait: global.wait,
            output: Output { format: global.format, colour },
            progress: !global.no_progress && !global.quiet,
            today: Utc::now().date_naive(),
        })
    }

    /// Returns the flags of every command as they were given, for commands that people copy: which store, config and tenant an
    /// answer is of. What was not given does not stand there.
    fn given_flags(&self) -> String {
        let paths = [("config", &self.given_config), ("db", &self.given_db)];
        let paths = paths.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?.to_string_lossy())));
        let tenant = self.tenant.iter().map(|tenant| ("tenant", tenant.name.as_str().into()));
        paths.chain(tenant).map(|(flag, value)| format!(" --{flag} {}", crate::words::shell_word(&value))).collect()
    }

    /// Returns the store's file by another config than this one.
    fn db_of(&self, config: &Config) -> anyhow::Result<PathBuf> {
        store_of(self.given_db.as_deref(), config)
    }

    /// Opens the store for reading, narrowed to the tenant where one is asked for.
    ///
    /// # Errors
    /// Absent, locked, or no store of this version.
    pub fn read(&self) -> anyhow::Result<Store> {
        self.narrowed(self.whole()?)
    }

    /// Opens the store for reading, with every source attributed by the rules that hold on a day. Where the config's
    /// rules have changed since the last attribution, it is done again first, which needs the store for writing.
    ///
    /// # Errors
    /// Like [`Context::read`], or the attribution cannot be written.
    pub fn read_attributed(&self, as_of: NaiveDate) -> anyhow::Result<Store> {
        self.attributed(as_of, Err)
    }

    /// Like [`Context::read_attributed`], for who asks the store itself: where this user may not write it, it is read as it is, and
    /// that is said.
    ///
    /// # Errors
    /// Like [`Context::read`].
    pub fn read_as_is(&self) -> anyhow::Result<Store> {
        self.read_as_of(self.today)
    }

    /// The same with the rules that hold on a day.
    ///
    /// # Errors
    /// Like [`Context::read`].
    pub fn read_as_of(&self, as_of: NaiveDate) -> anyhow::Result<Store> {
        self.attributed(as_of, |error| {
            tracing::warn!("senders are those of the rules that were applied last: {}", crate::words::told(&error));
            Ok(())
        })
    }

    fn attributed(
        &self,
        as_of: NaiveDate,
        otherwise: impl FnOnce(anyhow::Error) -> anyhow::Result<()>,
    ) -> anyhow::Result<Store> {
        let current = |store: &Store| Ok(crate::senders::is_current(store.connection(), &self.config, as_of)?);
        let again = |store: &Store| Ok(crate::senders::attribute(store, &self.config, as_of).map(drop)?);
        let doing = "the rules for senders have changed, and applying them needs the store for writing";
        self.read_mended(doing, current, again, otherwise)
    }

    /// Opens the store for reading, with all delivery evidence judged by a table of gateways. Where the table has changed since
    /// (the config's `[[gateway]]`, or another version's own), it is judged again first, which needs the store for writing.
    ///
    /// # Errors
    /// Like [`Context::read`], or the judgement cannot be written.
    pub fn read_judged(&self, gateways: &Gateways) -> anyhow::Result<Store> {
        let current = |store: &Store| Ok(crate::evidence::is_judged(store, gateways)?);
        let again = |store: &Store| Ok(crate::evidence::judge(store, gateways)?);
        let doing = "the table of gateways has changed, and applying it needs the store for writing";
        self.read_mended(doing, current, again, Err)
    }

    /// Opens the store for reading; where what is derived in it is not current, that is made again first. `otherwise` says what
    /// becomes of an error of that.
    fn read_mended(
        &self,
        doing: &'static str,
        current: impl Fn(&Store) -> anyhow::Result<bool>,
        again: impl Fn(&Store) -> anyhow::Result<()>,
        otherwise: impl FnOnce(anyhow::Error) -> anyhow::Result<()>,
    ) -> anyhow::Result<Store> {
        // Another process may make it again by other rules, or add to it, before it is read here.
        for _ in 0..MENDINGS {
            let store = self.whole()?;
            if current(&store)? {
                return self.narrowed(store);
            }
            drop(store);
            let mended = Store::open(&self.db, Access::Write, self.wait).context(doing).and_then(|store| again(&store));
            if let Err(error) = mended {
                otherwise(error)?;
                return self.read();
            }
        }
        tracing::warn!(
            "the store changes while it is asked: what came in the last moments may not be part of the answer"
        );
        self.read()
    }

    fn whole(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.db, Access::Read, self.wait)?)
    }

    fn narrowed(&self, store: Store) -> anyhow::Result<Store> {
        if let Some(tenant) = &self.tenant {
            let others: Vec<&Tenant> = self.config.tenant.iter().filter(|other| other.name != tenant.name).collect();
            crate::query::narrow(store.connection(), tenant, &others)
                .with_context(|| format!("narrowing the store to the tenant `{}`", tenant.name))?;
        }
        Ok(store)
    }

    /// Writes an answer to standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn answer<A: Answer>(&self, answer: &A) -> anyhow::Result<()> {
        self.output.answer(answer).context("writing the answer")
    }
}

/// What waits for name servers: one thread, since it computes nothing.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the resolver")
}

/// The first Ctrl-C or SIGTERM sets the flag, for an end after what is under way; the second ends the process at once.
fn stop_on_signal(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop)))
            .context("catching signals")?;
    }
    Ok(())
}

/// Runs one command.
///
/// # Errors
/// The command failed; nothing is half-done.
pub fn run(command: Command, global: &Global) -> anyhow::Result<Exit> {
    if global.tenant.is_some()
        && let Some(why) = command.refuses_tenant()
    {
        anyhow::bail!(Usage(format!("--tenant has no place here: {why}")));
    }
    if global.format == Format::Parquet && !matches!(command, Command::Sql(_)) {
        let other = "only `sql` writes Parquet to standard output; `dmarcase export FILE.parquet` writes a file";
        anyhow::bail!(Usage(other.to_owned()));
    }
    let context = Context::new(global)?;
    match command {
        Command::Import(args) => import::run(&context, &args),
        Command::Fetch(args) => fetch::run(&context, &args),
        Command::Watch(args) => watch::run(&context, &args),
        Command::Config(args) => config::run(&context, &args),
        Command::Rates(args) => rates::run(&context, &args),
        Command::Report(args) => report::run(&context, &args),
        Command::Gaps(args) => gaps::run(&context, &args),
        Command::Trend(args) => trend::run(&context, &args),
        Command::Senders(args) => senders::run(&context, &args),
        Command::Simulate(args) => simulate::run(&context, &args),
        Command::Sql(args) => sql::run(&context, &args),
        Command::Export(args) => export::run(&context, &args),
        Command::Case(args) => case::run(&context, &args),
        Command::Check(args) => check::run(&context, &args),
        Command::Enrich(args) => enrich::run(&context, &args),
        Command::Delivery(args) => delivery::run(&context, &args),
        Command::Status(args) => status::run(&context, &args),
        Command::Retry(args) => retry::run(&context, &args),
        Command::Inspect(args) => inspect::run(&context, &args),
        Command::Completions(args) => completions::run(&context, &args),
        Command::Man => completions::man(&context),
        Command::Schemas(args) => schemas::run(&args),
    }
}

fn store_of(given: Option<&Path>, config: &Config) -> anyhow::Result<PathBuf> {
    match (given, config.store_path()) {
        (Some(path), _) => Ok(path.to_owned()),
        (None, Some(path)) => Ok(path),
        (None, None) => default_db(),
    }
}

/// The platform's place for a user's data (XDG base directories).
fn default_db() -> anyhow::Result<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let folder = data.or_else(home).context("there is no home folder: say where the store is with --db PATH")?;
    Ok(folder.join("dmarcase/dmarcase.duckdb"))
}
