//! Threads that wait for mail by IDLE, each on a connection of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::TICK;
use super::plan::{OPERATOR_WAIT, waits};
use crate::config::{MailboxConfig, Schedule};
use crate::fetch::imap::{Idler, Pulse, Tokens, Woke};

/// A connection that was up for this long and is lost is an ordinary loss: the waits begin anew.
const UP: Duration = Duration::from_secs(60);

/// The threads, and what they say.
pub(super) struct Idlers {
    /// Names of mailboxes at which mail arrived.
    pub(super) woken: Receiver<String>,
    stop: Arc<AtomicBool>,
}

impl Idlers {
    /// Starts one for each mailbox that is watched by IDLE.
    pub(super) fn start(mailboxes: &[MailboxConfig], tokens: &Arc<Tokens>) -> Self {
        let (wake, woken) = crossbeam_channel::unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        for mailbox in mailboxes.iter().filter(|mailbox| mailbox.schedule == Schedule::Idle) {
            let (mailbox, tokens, wake, stop) = (mailbox.clone(), Arc::clone(tokens), wake.clone(), Arc::clone(&stop));
            let name = mailbox.name.clone();
            let thread = std::thread::Builder::new().spawn(move || idle(&mailbox, &tokens, &wake, &stop));
            if let Err(error) = thread {
                tracing::error!("{name}: the system gives no thread for IDLE: {error}; it is polled by its idle_poll");
            }
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

fn idle(mailbox: &MailboxConfig, tokens: &Tokens, wake: &Sender<String>, stop: &AtomicBool) {
    let beat = AtomicU64::new(0);
    let idler = Idler { mailbox, tokens, pulse: Pulse { stop, beat: &beat } };
    let mut failures = waits();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            idler.watch(|| {
                let _ = wake.send(mailbox.name.clone());
            })
        }));
        let Ok(ended) = ended else {
            tracing::error!("{}: IDLE ended by a defect of this program; it is polled by its schedule", mailbox.name);
            return;
        };
        let error = match ended {
            Ok(Woke::Stop) => return,
            Ok(Woke::NoIdle) => {
                let seconds = mailbox.idle_poll.as_secs();
                tracing::warn!("{}: the server has no IDLE; it is polled every {seconds} s", mailbox.name);
                return;
            }
            Err(error) => error,
        };
        if began.elapsed() > UP {
            failures = waits();
        }
        let mut wait = failures.next().unwrap_or(Duration::from_secs(3600));
        if error.fault.needs_operator() {
            // A wrong password is tried no more often here than by polls.
            wait = wait.max(OPERATOR_WAIT);
        }
        tracing::info!("IDLE ended, again in {} s: {error}", wait.as_secs());
        let end = Instant::now() + wait;
        while Instant::now() < end && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
        }
    }
}
