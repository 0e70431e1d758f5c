//! Bounds the bytes in flight: a counter that makes takers wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many bytes may still be taken, and whose turn it is.
pub(super) struct Budget {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Below zero where somebody took more in turn than there was.
    left: i64,
    /// The job that the writer needs next.
    turn: u64,
    closed: bool,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        let state = State { left: signed(bytes), turn: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes bytes, waiting until there are enough. False once the budget is closed.
    pub(super) fn take(&self, bytes: u64) -> bool {
        self.take_when(bytes, |_| false)
    }

    /// Takes bytes for a job, waiting until there are enough or until the writer needs that very job: all that others hold is
    /// given back only after it. False once the budget is closed.
    pub(super) fn take_in_turn(&self, bytes: u64, job: u64) -> bool {
        self.take_when(bytes, |turn| turn == job)
    }

    fn take_when(&self, bytes: u64, at_once: impl Fn(u64) -> bool) -> bool {
        let mut state = self.lock();
        loop {
            if state.closed {
                return false;
            }
            if state.left >= signed(bytes) || at_once(state.turn) {
                state.left -= signed(bytes);
                return true;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives bytes back.
    pub(super) fn give(&self, bytes: u64) {
        self.lock().left += signed(bytes);
        self.changed.notify_all();
    }

    /// Says which job the writer needs next.
    pub(super) fn turn_to(&self, job: u64) {
        self.lock().turn = job;
        self.changed.notify_all();
    }

    /// Ends all waiting, now and later.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// When a [`Guard`] closes its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    Always,
    OnPanic,
}

/// Closes a budget when its holder ends, also by a panic: nobody waits for bytes that nobody gives back.
pub(super) struct Guard<'a> {
    budget: &'a Budget,
    when: Closing,
}

impl Budget {
    pub(super) const fn closing(&self, when: Closing) -> Guard<'_> {
        Guard { budget: self, when }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.when == Closing::Always || std::thread::panicking() {
            self.budget.close();
        }
    }
}
