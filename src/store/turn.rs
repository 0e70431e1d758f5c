//! Turns on a store within this process. The engine's file lock holds between processes only: a second handle in the same
//! process would pass it, and closing that handle would drop the first one's lock.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Access, folder_of};

/// Who has a store open in this process.
#[derive(Default)]
struct Holders {
    readers: usize,
    writer: bool,
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
    /// Waits for the turn, at most `wait`: readers share, a writer is alone.
    pub(super) fn take(path: &Path, access: Access, wait: Duration) -> Option<Self> {
        let path = full(path);
        let end = Instant::now() + wait;
        let mut all = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let holders = all.get_or_insert_default().entry(path.clone()).or_default();
            let free = !holders.writer && (access == Access::Read || holders.readers == 0);
            if free {
                match access {
                    Access::Read => holders.readers += 1,
                    Access::Write => holders.writer = true,
                }
                return Some(Self { path, access });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            all = FREED.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
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
                Access::Write => holders.writer = false,
            }
            if holders.readers == 0 && !holders.writer {
                map.remove(&self.path);
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
