//! How long to wait for a store that another process has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest wait once the program shall stop: what is read already is still worth a commit, but not a service manager's patience.
const LAST: Duration = Duration::from_secs(10);

/// Longest time to wait for another part of this process: longer than any commit.
const OWN_TURN: Duration = Duration::from_secs(60);

/// How long to wait for a store that another process has.
#[derive(Clone, Debug, Default)]
pub struct Wait {
    limit: Duration,
    stop: Option<Arc<AtomicBool>>,
}

impl From<Duration> for Wait {
    fn from(limit: Duration) -> Self {
        Self { limit, stop: None }
    }
}

impl Wait {
    /// Waits up to `limit`, but seconds only once `stop` is set.
    pub const fn or_stop(limit: Duration, stop: Arc<AtomicBool>) -> Self {
        Self { limit, stop: Some(stop) }
    }

    /// Returns how much longer to wait, having begun at `since`.
    pub(super) fn left(&self, since: Instant) -> Duration {
        let stopped = self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
        let limit = if stopped { self.limit.min(LAST) } else { self.limit };
        limit.saturating_sub(since.elapsed())
    }

    /// Returns how much longer to wait for another part of this process, which ends sooner than other processes may.
    pub(super) fn left_for_own(&self, since: Instant) -> Duration {
        Self { limit: self.limit.max(OWN_TURN), stop: self.stop.clone() }.left(since)
    }
}
