//! `watch`: polls on a schedule or by IDLE until stopped. Ends on SIGTERM after what is under way, reads its config again on
//! SIGHUP, and tells systemd how it is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::Local;
use crossbeam_channel::{Receiver, Sender};
use sd_notify::NotifyState;

use super::fetch::{chosen, stop_on_signal};
use super::poll::{Cycle, Cycled};
use super::{Context, Exit};
use crate::config::{Config, MailboxConfig, Schedule};
use crate::fetch::imap::{Idler, MailboxPoll, Pulse, Tokens, Woke};
use crate::pipeline::Progress;
use crate::watch::{Ended, Plan, waits};
use crate::words::told;

/// How often the loop looks at signals, clocks and the watchdog.
const TICK: Duration = Duration::from_millis(200);
/// A cycle without any sign of life for this long is taken for hung: systemd is not told that all is well any more. Every
/// wait of a poll is limited far below.
const HUNG: Duration = Duration::from_secs(30 * 60);
/// A service waits longer for the store than a person: another command may be at work on it.
const STORE_WAIT: Duration = Duration::from_secs(300);

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
    let mut mailboxes: Vec<MailboxConfig> = chosen(context, &args.mailboxes)?.into_iter().cloned().collect();
    let mut config = context.config.clone();
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stop)?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&reload)).context("catching SIGHUP")?;
    let tokens = Arc::new(Tokens::default());
    let mut plan = Plan::new(&mailboxes, Local::now());
    let mut idlers = Idlers::start(&mailboxes, &tokens);
    let mut dog = Watchdog::new();
    notify(&[NotifyState::Ready, NotifyState::Status("polling")]);
    while !stop.load(Ordering::Relaxed) {
        if reload.swap(false, Ordering::Relaxed) {
            reloading();
            match config
                .path
                .clone()
                .context("there is no config file")
                .and_then(|path| read(&path, &args.mailboxes, context))
            {
                Ok((fresh, chosen)) => {
                    (config, mailboxes) = (fresh, chosen);
                    plan = Plan::new(&mailboxes, Local::now());
                    idlers = Idlers::start(&mailboxes, &tokens);
                    tracing::info!("config read again: {} mailboxes", mailboxes.len());
                }
                Err(error) => tracing::error!("the old config stays in use: {}", told(&error)),
            }
            notify(&[NotifyState::Ready]);
        }
        for at in idlers.woken.try_iter() {
            plan.wake(at, Local::now());
        }
        let due = plan.due(Local::now());
        if due.is_empty() {
            dog.alive();
            std::thread::sleep(TICK);
            continue;
        }
        let began = Local::now();
        let polled: Vec<&MailboxConfig> = due.iter().filter_map(|at| mailboxes.get(*at)).collect();
        let done = cycle(context, &config, &tokens, &stop, &mut dog, &polled);
        let now = Local::now();
        match done {
            Ok(Cycled { polls, counts }) => {
                for (at, poll) in due.iter().zip(&polls) {
                    poll.log();
                    plan.ended(*at, began, now, ended(poll));
                }
                let line = format!("{} reports stored, {} rejected", counts.reports_stored, counts.rejected);
                if counts.items > 0 {
                    tracing::info!("{line}");
                }
                notify(&[NotifyState::Status(&format!("last poll {}: {line}", now.format("%F %T")))]);
            }
            Err(error) => {
                tracing::error!("{}", told(&error));
                for at in &due {
                    plan.ended(*at, began, now, Ended::Failed);
                }
            }
        }
    }
    notify(&[NotifyState::Stopping]);
    tracing::info!("stopped");
    Ok(Exit::Done)
}

fn ended(poll: &MailboxPoll) -> Ended {
    match (poll.failed(), poll.needs_operator) {
        (false, _) => Ended::Well,
        (true, true) => Ended::NeedsOperator,
        (true, false) => Ended::Failed,
    }
}

fn read(path: &Path, names: &[String], context: &Context) -> anyhow::Result<(Config, Vec<MailboxConfig>)> {
    let mut config = Config::read(path)?;
    if let Some(tenant) = &context.tenant {
        config.narrow(&tenant.name)?;
    }
    let wanted = |mailbox: &&MailboxConfig| names.is_empty() || names.contains(&mailbox.name);
    let mailboxes: Vec<MailboxConfig> = config.mailbox.iter().filter(wanted).cloned().collect();
    anyhow::ensure!(!mailboxes.is_empty(), "{} has no [[mailbox]] to watch", path.display());
    Ok((config, mailboxes))
}

/// Runs one cycle on a thread of its own, while this one feeds the watchdog.
fn cycle(
    context: &Context,
    config: &Config,
    tokens: &Tokens,
    stop: &AtomicBool,
    dog: &mut Watchdog,
    mailboxes: &[&MailboxConfig],
) -> anyhow::Result<Cycled> {
    let progress = Progress::default();
    let beat = AtomicU64::new(0);
    let cycle = Cycle {
        config,
        db: &context.db,
        wait: context.wait.max(STORE_WAIT),
        command: "watch",
        tokens,
        progress: &progress,
        stop,
        beat: &beat,
        only_again: false,
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| cycle.run(mailboxes));
        let mut seen = 0;
        let mut since = Instant::now();
        while !thread.is_finished() {
            let now = beat.load(Ordering::Relaxed) + progress.items.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() < HUNG {
                dog.alive();
            }
            std::thread::sleep(TICK.min(Duration::from_millis(20)));
        }
        match thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("internal error in a poll; please report it"),
        }
    })
}

/// Threads that wait for mail by IDLE, each on a connection of its own.
struct Idlers {
    woken: Receiver<usize>,
    stop: Arc<AtomicBool>,
}

impl Idlers {
    fn start(mailboxes: &[MailboxConfig], tokens: &Arc<Tokens>) -> Self {
        let (wake, woken) = crossbeam_channel::unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        for (at, mailbox) in mailboxes.iter().enumerate().filter(|(_, mailbox)| mailbox.schedule == Schedule::Idle) {
            let (mailbox, tokens, wake, stop) = (mailbox.clone(), Arc::clone(tokens), wake.clone(), Arc::clone(&stop));
            std::thread::spawn(move || idle(at, &mailbox, &tokens, &wake, &stop));
        }
        Self { woken, stop }
    }
}

impl Drop for Idlers {
    fn drop(&mut self) {
        // Not waited for: a thread ends within a second, or with the process.
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn idle(at: usize, mailbox: &MailboxConfig, tokens: &Tokens, wake: &Sender<usize>, stop: &AtomicBool) {
    let beat = AtomicU64::new(0);
    let idler = Idler { mailbox, tokens, pulse: Pulse { stop, beat: &beat } };
    let mut failures = waits();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let ended = idler.watch(|| {
            let _ = wake.send(at);
        });
        match ended {
            Ok(Woke::Stop) => return,
            Ok(Woke::NoIdle) => {
                tracing::warn!(
                    "{}: the server has no IDLE; it is polled every {} s",
                    mailbox.name,
                    mailbox.idle_poll.as_secs()
                );
                return;
            }
            Err(error) => {
                if began.elapsed() > Duration::from_secs(600) {
                    // It was up for a while: an ordinary loss of connection.
                    failures = waits();
                }
                let wait = failures.next().unwrap_or(Duration::from_secs(3600));
                tracing::info!("IDLE ended, again in {} s: {error}", wait.as_secs());
                let end = Instant::now() + wait;
                while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                }
            }
        }
    }
}

/// Tells systemd's watchdog that all is well, where it wants to know.
struct Watchdog {
    every: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    fn new() -> Self {
        // Twice as often as asked, as sd_watchdog_enabled(3) advises.
        Self { every: sd_notify::watchdog_enabled().map(|limit| limit / 2), last: Instant::now() }
    }

    fn alive(&mut self) {
        if self.every.is_some_and(|every| self.last.elapsed() >= every) {
            notify(&[NotifyState::Watchdog]);
            self.last = Instant::now();
        }
    }
}

fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// Without systemd there is nobody to tell.
fn notify(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
