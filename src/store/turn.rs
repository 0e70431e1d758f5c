//! Turns on a store within this process. The engine's file lock holds between processes only: a second handle in the same
//! process would pass it, and closing that handle would drop the first one's lock, a reader's too. So one has it at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Access, folder_of};

/// Longest time that this process keeps a store for writing before it leaves it to others for a moment.
pub const HOLD: Duration = Duration::from_secs(3);
/// That moment: longer than the pauses of whoever waits for it in another process.
const AWAY: Duration = Duration::from_millis(300);

/// Who has a store open in this process.
#[derive(Default)]
struct Holders {
    taken: bool,
    /// When the last writer ended.
    freed: Option<Instant>,
    /// Since when writers have followed each other without leaving it for [`AWAY`].
    busy: Option<Instant>,
}

impl Holders {
    /// Returns how much longer the store is left to other processes.
    fn rest(&self, access: Access) -> Duration {
        match (access, self.busy, self.freed) {
            (Access::Write, Some(busy), Some(freed)) if busy.elapsed() >= HOLD => AWAY.saturating_sub(freed.elapsed()),
            _ => Duration::ZERO,
        }
    }

    fn take(&mut self, access: Access) {
        self.taken = true;
        if access == Access::Write && self.freed.is_none_or(|freed| freed.elapsed() >= AWAY) {
            self.busy = Some(Instant::now());
        }
    }
}

static HOLDERS: Mutex<Option<HashMap<PathBuf, Holders>>> = Mutex::new(None);
static FREED: Condvar = Condvar::new();

/// The right to have the store open; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    path: PathBuf,
    access: Access,
}

impl Turn {
    /// Waits for the turn. However busy the writers of this process are, whoever waits in another one gets a turn now and then.
    /// `left` says how much longer to wait.
    pub(super) fn take(path: &Path, access: Access, left: impl Fn() -> Duration) -> Option<Self> {
        let path = full(path);
        let mut all = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let holders = all.get_or_insert_default().entry(path.clone()).or_default();
            let free = !holders.taken;
            let rest = holders.rest(access);
            if free && rest.is_zero() {
                holders.take(access);
                return Some(Self { path, access });
            }
            let left = left();
            if left.is_zero() {
                return None;
            }
            // Woken at the latest to see whether the program shall stop.
            let pause = if free { rest } else { Duration::from_secs(1) };
            all = FREED.wait_timeout(all, pause.min(left)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = all.as_mut()
            && let Some(holders) = map.get_mut(&self.path)
        {
            holders.taken = false;
            if self.access == Access::Write {
                holders.freed = Some(Instant::now());
            }
        }
        FREED.notify_all();
    }
}

/// The same file has one name here, whether it exists yet or not.
fn full(path: &Path) -> PathBuf {
    match (path.canonicalize(), folder_of(path).canonicalize(), path.file_name()) {
        (Ok(full), _, _) => full,
        (Err(_), Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time() {
        let path = Path::new("turn-test.duckdb");
        let take = |path, access| Turn::take(path, access, || Duration::ZERO);
        for first in [Access::Read, Access::Write] {
            let holder = take(path, first);
            assert!(holder.is_some());
            for second in [Access::Read, Access::Write] {
                assert!(take(path, second).is_none(), "{first:?}, {second:?}");
            }
            assert!(take(Path::new("other.duckdb"), Access::Write).is_some());
            drop(holder);
        }
        assert!(take(path, Access::Write).is_some());
    }
}
