//! What systemd is told.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Tells systemd's watchdog that all is well, where it wants to know.
pub(super) struct Watchdog {
    every: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        // Twice as often as asked, as sd_watchdog_enabled(3) advises.
        Self { every: sd_notify::watchdog_enabled().map(|limit| limit / 2), last: Instant::now() }
    }

    /// Says that all is well, where it is time.
    pub(super) fn alive(&mut self) {
        if self.every.is_some_and(|every| self.last.elapsed() >= every) {
            notify(&[NotifyState::Watchdog]);
            self.last = Instant::now();
        }
    }
}

/// Says that the config is being read again; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// Says that the service runs.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says in words what the service does.
pub(super) fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

/// Says that the service ends.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Without systemd there is nobody to tell.
fn notify(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
