//! `trend`: day by day with change detection; with `--alert`, what broke, told once.

use chrono::{Days, NaiveDate};

use super::{Context, Exit};
use crate::alert::{self, Channel};
use crate::query::{Change, PeriodArgs, Scope, trend};
use crate::store::{Access, Store};

/// Days before the last report day on which a change still counts as fresh.
const FRESH_DAYS: u64 = 2;
/// Days before that which are looked at too, so that a change that goes on keeps its first day, and its name.
const RUN_DAYS: u64 = 42;

/// Arguments of `trend`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A day is measured against the median of the same weekday in the eight weeks before; small counts raise nothing. \
Reports dated later than tomorrow do not count. \
With --alert and no period, the last three report days count. The exit status is 3 where something changed; what the \
config's [alerts] has been told of once is not sent again:

  [alerts.webhook]
  url = \"https://hooks.example.com/dmarcase\"
  secret_file = \"/etc/dmarcase/webhook.secret\"
  [alerts.mail]
  to = [\"postmaster@example.com\"]
  from = \"dmarcase@example.com\"
  host = \"mail.example.com\"

The webhook gets a POST of JSON, again after 5xx, 429 or no answer, four times in all:
  {\"program\": \"dmarcase\", \"version\": \"…\", \"as_of\": \"2026-06-30\", \"alerts\": [{\"day\": \"2026-06-29\",
   \"last_day\": \"2026-06-30\", \"domain\": \"northwind.example\", \"sender\": \"newsletter\", \"kind\": \"pass-rate\",
   \"expected\": 3.0, \"observed\": 410, \"share\": 0.31, \"deviations\": 12.4, \"text\": \"…\"}]}
With a secret, the header X-Dmarcase-Signature is sha256= and the HMAC-SHA256 of the body in hex (RFC 2104).")]
pub struct TrendArgs {
    /// Print only what broke, exit with status 3 where something did, and send what was not sent yet
    #[arg(long)]
    pub alert: bool,
    /// The period and the domains.
    #[command(flatten)]
    pub period: PeriodArgs,
}

/// Runs `trend`.
pub(super) fn run(context: &Context, args: &TrendArgs) -> anyhow::Result<Exit> {
    let as_of = args.period.days.as_of.unwrap_or(context.today);
    let store = context.read_attributed(as_of)?;
    let mut scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    scope.end_by_today(store.connection())?;
    if !args.alert {
        context.answer(&trend(store.connection(), &scope)?)?;
        return Ok(Exit::Done);
    }
    let back = |day: NaiveDate, days| day.checked_sub_days(Days::new(days)).unwrap_or(day);
    let fresh = scope.since.unwrap_or_else(|| back(scope.span.until, FRESH_DAYS));
    let held = scope.span.since;
    scope.span.since = if scope.since.is_some() { back(fresh, RUN_DAYS) } else { held.max(back(fresh, RUN_DAYS)) };
    let mut found = trend(store.connection(), &scope)?;
    found.rows.clear();
    found.changes.retain(|change| change.last_day >= fresh);
    found.since = fresh;
    drop(store);
    context.answer(&found)?;
    tell(context, &found.changes, as_of)?;
    Ok(if !found.changes.is_empty() { Exit::Findings } else { Exit::Done })
}

/// Tells each channel of what it was not told yet. One that fails keeps the others from nothing; its changes stay untold.
fn tell(context: &Context, changes: &[Change], as_of: NaiveDate) -> anyhow::Result<()> {
    let mut failed = None;
    for channel in Channel::of(&context.config.alerts) {
        let store = context.read()?;
        let untold = alert::untold(store.connection(), changes, channel)?;
        drop(store);
        if untold.is_empty() {
            continue;
        }
        if let Err(error) = alert::send(&context.config.alerts, channel, &untold, as_of) {
            failed.get_or_insert(error);
            continue;
        }
        tracing::info!("told of {} changes", untold.len());
        let store = Store::open(&context.db, Access::Write, context.wait)?;
        alert::remember(store.connection(), &untold, channel)?;
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}
