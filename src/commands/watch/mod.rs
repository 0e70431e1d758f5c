//! `watch`: polls on a schedule or by IDLE until stopped. Ends on SIGTERM after what is under way, reads its config again on
//! SIGHUP, and tells systemd how it is.

mod idle;
mod line;
mod plan;
mod systemd;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chrono::Local;

use super::fetch::chosen;
use super::poll::Cycled;
use super::{Context, Exit, stop_on_signal};
use crate::config::{Config, MailboxConfig};
use crate::fetch::imap::{MailboxPoll, Tokens};
use crate::words::told;
use idle::Idlers;
use line::{LINES, Line, Work};
use plan::{Ended, Plan};
use systemd::Watchdog;

/// How often the loop looks at signals, clocks and the watchdog while nothing is polled.
const TICK: Duration = Duration::from_millis(200);
/// The same while something is.
const SHORT_TICK: Duration = Duration::from_millis(20);

/// How long a mailbox waits for a line before the others are asked to give way.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// Watch only these mailboxes of the config
    pub mailboxes: Vec<String>,
}

/// Runs `watch`.
///
/// # Errors
/// The config has no mailbox. What fails later is logged, and tried again.
pub(super) fn run(context: &Context, args: &WatchArgs) -> anyhow::Result<Exit> {
    let mailboxes: Vec<MailboxConfig> = chosen(context, &args.mailboxes)?.into_iter().cloned().collect();
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stop)?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&reload)).context("catching SIGHUP")?;
    let tokens = Arc::new(Tokens::default());
    let mut service = Service {
        plan: Plan::new(&mailboxes, Local::now()),
        idlers: Idlers::start(&mailboxes, &tokens),
        lines: Vec::new(),
        work: Work {
            config: Arc::new(context.config.clone()),
            db: context.db.clone(),
            wait: context.wait,
            tokens,
            stop: Arc::clone(&stop),
            at_once: LINES.min(mailboxes.len()),
        },
    };
    let mut dog = Watchdog::new();
    systemd::ready();
    systemd::status("polling");
    while !(stop.load(Ordering::Relaxed) && service.lines.is_empty()) {
        if reload.swap(false, Ordering::Relaxed) {
            systemd::reloading();
            match service.reload(context, &args.mailboxes) {
                Ok(count) => tracing::info!("config read again: {count} mailboxes"),
                Err(error) => tracing::error!("the old config stays in use: {}", told(&error)),
            }
            systemd::ready();
        }
        service.step(stop.load(Ordering::Relaxed));
        if service.lines.iter_mut().all(Line::is_alive) {
            dog.alive();
        }
        std::thread::sleep(if service.lines.is_empty() { TICK } else { SHORT_TICK });
    }
    systemd::stopping();
    tracing::info!("stopped");
    Ok(Exit::Done)
}

struct Service {
    plan: Plan,
    idlers: Idlers,
    /// Polls under way.
    lines: Vec<Line>,
    work: Work,
}

impl Service {
    /// Takes in what happened, and begins what is due.
    fn step(&mut self, stopping: bool) {
        for name in self.idlers.woken.try_iter() {
            self.plan.wake(&name, Local::now());
        }
        while let Some(at) = self.lines.iter().position(Line::is_done) {
            let line = self.lines.swap_remove(at);
            self.ended(line);
        }
        if stopping {
            for line in &self.lines {
                line.stop();
            }
            return;
        }
        while self.lines.len() < LINES {
            let Some(mailbox) = self.plan.begin(Local::now()) else { return };
            let (name, now) = (mailbox.name.clone(), Local::now());
            match Line::begin(self.work.clone(), mailbox) {
                Ok(line) => self.lines.push(line),
                Err(error) => {
                    tracing::error!("{name}: the system gives no thread for its poll: {error}");
                    self.plan.ended(&name, now, now, Ended::Failed);
                }
            }
        }
        // Every line is taken: who has had its share gives way to whoever waits, and goes on later.
        let now = Local::now();
        if self.plan.waits(now, PATIENCE) {
            for line in self.lines.iter().filter(|line| line.is_long(now)) {
                if line.stop() {
                    tracing::info!("{}: gives way to mailboxes that wait, and goes on later", line.mailbox);
                }
            }
        }
    }

    fn ended(&mut self, line: Line) {
        let (name, began, now) = (line.mailbox.clone(), line.began, Local::now());
        let ended = match line.end() {
            Ok(Cycled { polls, counts }) => {
                polls.iter().for_each(MailboxPoll::log);
                let text = format!(
                    "{name}: {} reports stored, {} stored before, {} rejected",
                    counts.reports_stored, counts.duplicates, counts.rejected
                );
                if counts.items > 0 {
                    tracing::info!("{text}");
                }
                systemd::status(&format!("last poll {}: {text}", now.format("%F %T")));
                polls.first().map_or(Ended::Failed, how)
            }
            Err(error) => {
                tracing::error!("{name}: {}", told(&error));
                Ended::Failed
            }
        };
        self.plan.ended(&name, began, now, ended);
    }

    /// Reads the config again. Polls that are under way end by the old one.
    fn reload(&mut self, context: &Context, names: &[String]) -> anyhow::Result<usize> {
        let path = self.work.config.path.as_deref().context("there is no config file")?;
        let mut config = Config::read(path)?;
        if let Some(tenant) = &context.tenant {
            config.narrow(&tenant.name)?;
        }
        let mailboxes: Vec<MailboxConfig> = config.mailboxes(names).into_iter().cloned().collect();
        anyhow::ensure!(!mailboxes.is_empty(), "{} has no [[mailbox]] to watch", path.display());
        for name in names.iter().filter(|name| !mailboxes.iter().any(|mailbox| mailbox.name == **name)) {
            tracing::warn!("{} has no mailbox `{name}` any more: it is not watched", path.display());
        }
        let db = context.db_of(&config)?;
        if db != self.work.db {
            tracing::info!("the store is {} now", db.display());
        }
        self.work.db = db;
        self.work.config = Arc::new(config);
        self.work.at_once = LINES.min(mailboxes.len());
        let polling: Vec<&str> = self.lines.iter().map(|line| line.mailbox.as_str()).collect();
        self.plan = Plan::beside(&mailboxes, &polling, Local::now());
        self.idlers = Idlers::start(&mailboxes, &self.work.tokens);
        Ok(mailboxes.len())
    }
}

fn how(poll: &MailboxPoll) -> Ended {
    match poll.failed() {
        false if poll.stopped => Ended::Cut,
        false => Ended::Well,
        true if poll.needs_operator => Ended::NeedsOperator,
        true if poll.error.is_some() => Ended::Failed,
        true => Ended::Partly,
    }
}
