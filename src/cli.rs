//! The command line: every flag, as written. What flags mean is decided by the commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::print::Format;

/// DMARC aggregate reports, from the mailbox to the evidence file of an escalation.
#[derive(Debug, Parser)]
#[command(name = "dmarcase", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  dmarcase import reports/                read a folder, maildir, mbox, .eml, .xml, .gz or .zip into the store
  dmarcase rates --by week --since 3mo    pass rates of the last three months
  dmarcase sql \"FROM daily LIMIT 10\"      any question, in SQL over documented views

Exit status: 0 done; 1 failed, nothing half-done; 2 wrong usage; 3 findings at or above the asked severity.";

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The store, one DuckDB file [default: the config's, else dmarcase/dmarcase.duckdb in the user's data folder]
    #[arg(long, global = true, env = "DMARCASE_DB", value_name = "PATH")]
    pub db: Option<PathBuf>,
    /// The config [default: ./dmarcase.toml, the user's config folder, /etc/dmarcase/dmarcase.toml]
    #[arg(long, global = true, env = "DMARCASE_CONFIG", value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Show and touch only what belongs to this [[tenant]] of the config
    #[arg(long, global = true, env = "DMARCASE_TENANT", value_name = "NAME")]
    pub tenant: Option<String>,
    /// How to write the answer
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub format: Format,
    /// Say more on standard error; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Seconds to wait for a store that another process holds
    #[arg(long, global = true, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub wait: Duration,
    /// Show no progress line
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read reports from files, folders, maildirs, mboxes or standard input into the store
    Import(commands::ImportArgs),
    /// Poll every mailbox of the config once, over IMAP
    Fetch(commands::FetchArgs),
    /// Poll mailboxes on their schedules or by IDLE until stopped
    Watch(commands::WatchArgs),
    /// Check the config and, with --connect, its mailboxes
    Config(commands::ConfigArgs),
    /// Pass rates, by domain, day, week, month, reporter, sender, header-from, source or selector
    Rates(commands::RatesArgs),
    /// Who sends as you: approved, recognised, unknown
    Senders(commands::SendersArgs),
    /// The policy gaps, worst first, each with its evidence and its remedy
    Gaps(commands::GapsArgs),
    /// What a stricter policy would have done to the mail, by sender, and whether the domain is ready for it
    Simulate(commands::SimulateArgs),
    /// Day by day, and what changed beyond rhythm and chance
    Trend(commands::TrendArgs),
    /// Show one report, whole
    Report(commands::ReportArgs),
    /// Look up a domain in live DNS: DMARC, SPF, DKIM, MX, reverse DNS and HELO of its senders, blocklists
    Check(commands::CheckArgs),
    /// Look up host names, networks and countries of the sources in the store
    Enrich(commands::EnrichArgs),
    /// The evidence file of one escalation: Markdown, HTML or JSON, its ticket, its grade
    Case(commands::CaseArgs),
    /// Delivery evidence: read logs and events, and say what became of the mail
    Delivery(commands::DeliveryArgs),
    /// Ask the store in SQL, read-only
    Sql(commands::SqlArgs),
    /// Write records or a view to a Parquet, CSV or JSON lines file
    Export(commands::ExportArgs),
    /// Say how the store is: size, days, last runs, mailboxes, rejected items
    Status(commands::StatusArgs),
    /// Read the rejected items again
    Retry(commands::RetryArgs),
    /// Show what is in a mail, a file or a rejected item: parts, documents, warnings, outcome
    Inspect(commands::InspectArgs),
    /// Write a shell completion script
    Completions(commands::CompletionsArgs),
    /// Write the manual page
    Man,
    /// Write the JSON Schemas of all answers into a folder
    #[command(hide = true)]
    Schemas(commands::SchemasArgs),
}

impl Command {
    /// Returns why a command cannot be narrowed to a tenant; `None` where it can. What is not named here is refused, so
    /// that no new command shows one tenant to another.
    pub const fn refuses_tenant(&self) -> Option<&'static str> {
        use commands::DeliveryCommand::Summary;
        match self {
            Self::Rates(_)
            | Self::Gaps(_)
            | Self::Trend(_)
            | Self::Simulate(_)
            | Self::Report(_)
            | Self::Case(_)
            | Self::Export(_)
            | Self::Status(_)
            | Self::Fetch(_)
            | Self::Watch(_)
            | Self::Config(_)
            | Self::Check(_)
            | Self::Senders(commands::SendersArgs { command: None, .. })
            | Self::Delivery(commands::DeliveryArgs { command: Summary(_), .. }) => None,
            Self::Senders(_) => Some("a rule is written for all; list it in the tenant's `senders` to bind it"),
            Self::Sql(_) => Some(
                "a statement may name any table of the store; `dmarcase export --tenant NAME --from record_full FILE` \
                 gives the tenant's records to ask elsewhere",
            ),
            _ => Some("the command works on the whole store"),
        }
    }

    /// Returns how much is said on standard error: a service says a line for each poll without being asked.
    pub const fn verbosity(&self, asked: u8) -> u8 {
        match self {
            Self::Watch(_) if asked == 0 => 1,
            _ => asked,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "write a number of seconds, 0 or more".to_owned())
}
