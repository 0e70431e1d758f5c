//! A stream of bytes → runs of whole lines, read on one thread, worked on by several, handed back in order.

use std::collections::BTreeMap;
use std::io::Read;

use crossbeam_channel::bounded;
use memchr::memrchr;

/// Bytes of a run of lines. Small enough that a handful in flight fit in the cache's neighbourhood, large enough that
/// texts repeat within one.
pub(crate) const CHUNK: usize = 1 << 20;

/// A line longer than this is cut: no mail system writes such lines, and memory stays bounded.
pub(crate) const MAX_LINE: usize = 8 << 20;

/// Whole lines, in the order of the file.
#[derive(Debug)]
pub(crate) struct Chunk<S> {
    pub(crate) bytes: Vec<u8>,
    /// What the reader knows at its start.
    pub(crate) start: S,
}

/// Reads runs of whole lines; the last one may lack its newline.
pub(crate) struct Chunker<R> {
    input: R,
    size: usize,
    rest: Vec<u8>,
    done: bool,
    /// Why reading stopped early.
    pub(crate) damage: Option<std::io::Error>,
}

impl<R: Read> Chunker<R> {
    pub(crate) fn new(input: R, size: usize) -> Self {
        Self { input, size: size.max(1), rest: Vec::new(), done: false, damage: None }
    }

    /// Returns the next run; `None` at the end or at the damage.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = std::mem::take(&mut self.rest);
        while !self.done {
            let start = bytes.len();
            let want = self.size.max(if start >= self.size { start } else { 0 });
            bytes.reserve(want);
            // `take` keeps one read call from filling more than a run.
            match self.input.by_ref().take(want as u64).read_to_end(&mut bytes) {
                Ok(0) => self.done = true,
                Ok(_) => {}
                Err(error) => {
                    // What was read before the damage is in `bytes`. Its last line is not whole: half a code, or half of
                    // an id, would be read as something else.
                    self.damage = Some(error);
                    self.done = true;
                    bytes.truncate(memrchr(b'\n', &bytes).map_or(0, |newline| newline + 1));
                }
            }
            let fresh = bytes.get(start..).unwrap_or_default();
            if let Some(newline) = memrchr(b'\n', fresh).filter(|_| !self.done) {
                self.rest = bytes.split_off(start + newline + 1);
                return Some(bytes);
            }
            if bytes.len() >= MAX_LINE {
                return Some(bytes);
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// Runs `work` over the runs of `next`, in parallel, and `consume` over the results, in order, on this thread.
///
/// At most a few runs are in flight. When `consume` breaks off, the rest is not read.
pub(crate) fn in_order<S: Send, T: Send, E>(
    workers: usize,
    mut next: impl FnMut() -> Option<Chunk<S>> + Send,
    work: impl Fn(Chunk<S>) -> T + Sync,
    mut consume: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    if workers < 2 {
        while let Some(chunk) = next() {
            consume(work(chunk))?;
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let (chunk_in, chunk_out) = bounded::<(u64, Chunk<S>)>(workers);
        let (result_in, result_out) = bounded::<(u64, T)>(workers * 2);
        // Tickets bound how far a fast worker may run ahead of a slow one.
        let (ticket_in, ticket_out) = bounded::<()>(workers * 4);
        scope.spawn(move || {
            let mut number = 0;
            while let Some(chunk) = next() {
                if ticket_in.send(()).is_err() || chunk_in.send((number, chunk)).is_err() {
                    return;
                }
                number += 1;
            }
        });
        for _ in 0..workers {
            let (chunks, results, work) = (chunk_out.clone(), result_in.clone(), &work);
            scope.spawn(move || {
                for (number, chunk) in chunks {
                    if results.send((number, work(chunk))).is_err() {
                        return;
                    }
                }
            });
        }
        drop((chunk_out, result_in));
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (number, result) in result_out {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&due) {
                due += 1;
                // The reader may be gone already.
                let _ = ticket_out.try_recv();
                consume(result)?;
            }
        }
        Ok(())
    })
}
