//! Bounds the bytes in flight: a counter that makes takers wait.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many bytes may still be taken; `None` once closed.
pub(super) struct Budget {
    left: Mutex<Option<u64>>,
    freed: Condvar,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: Mutex::new(Some(bytes)), freed: Condvar::new() }
    }

    /// Takes bytes, waiting until there are enough. False once the budget is closed.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *left {
                None => return false,
                Some(some) if some >= bytes => {
                    *left = Some(some - bytes);
                    return true;
                }
                Some(_) => left = self.freed.wait(left).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Gives bytes back.
    pub(super) fn give(&self, bytes: u64) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.map(|some| some + bytes);
        self.freed.notify_all();
    }

    /// Ends all waiting, now and later.
    pub(super) fn close(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.freed.notify_all();
    }
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
