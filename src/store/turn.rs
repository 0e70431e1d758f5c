//! Turns on a store within this process. The engine's file lock holds between processes only: a second handle in the same
//! process would pass it, and closing that handle would drop the first one's lock.

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
    readers: usize,
    writer: bool,
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
        if access == Access::Read {
            self.readers += 1;
            return;
        }
        self.writer = true;
        if self.freed.is_none_or(|freed| freed.elapsed() >= AWAY) {
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
    /// Waits for the turn, at most `wait`: readers share, a writer is alone. However busy the writers of this process are, whoever
    /// waits in another one gets a turn now and then.
    pub(super) fn take(path: &Path, access: Access, wait: Duration) -> Option<Self> {
        let path = full(path);
        let end = Instant::now() + wait;
        let mut all = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let holders = all.get_or_insert_default().entry(path.clone()).or_default();
            let free = !holders.writer && (access == Access::Read || holders.readers == 0);
            let rest = holders.rest(access);
            if free && rest.is_zero() {
                holders.take(access);
                return Some(Self { path, access });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let pause = if free { rest.min(left) } else { left };
            all = FREED.wait_timeout(all, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(map) = all.as_mut()
            && let Some(holders) = map.get_mut(&self.path)
        {
            match self.access {
                Access::Read => holders.readers = holders.readers.saturating_sub(1),
                Access::Write => (holders.writer, holders.freed) = (false, Some(Instant::now())),
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
    fn a_writer_is_alone_and_readers_share() {
        let path = Path::new("turn-test.duckdb");
        let soon = Duration::from_millis(20);
        let first = Turn::take(path, Access::Read, soon);
        let second = Turn::take(path, Access::Read, soon);
        assert!(first.is_some() && second.is_some());
        assert!(Turn::take(path, Access::Write, soon).is_none());
        drop((first, second));
        let writer = Turn::take(path, Access::Write, soon);
        assert!(writer.is_some());
        assert!(Turn::take(path, Access::Read, soon).is_none());
        assert!(Turn::take(Path::new("other.duckdb"), Access::Write, soon).is_some());
        drop(writer);
        assert!(Turn::take(path, Access::Write, soon).is_some());
    }
}
