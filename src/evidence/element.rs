//! A stream of JSON → its objects, whether they stand in an array, one a line or one after another; read in parallel.

use std::io::Read;

use memchr::memchr2;

use super::attempt::{Batch, Counts, Envelope};
use super::chunks::{Chunk, in_order};
use super::{EvidenceError, LogFormat, Reader, esp};

/// An object larger than this is passed over.
const MAX_OBJECT: usize = 32 << 20;
/// Attempts of a batch.
const BATCH: usize = 50_000;

/// Where each object of a run lies; `None` for bytes that are no object.
type Places = Vec<Option<(usize, usize)>>;

/// What a worker makes of a run.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) addresses: Vec<(u64, Box<str>)>,
    pub(crate) counts: Counts,
}

/// Reads a stream of events.
pub(crate) fn read(
    reader: &Reader,
    format: LogFormat,
    input: impl Read + Send,
    sink: &mut dyn FnMut(Batch) -> Result<(), EvidenceError>,
) -> Result<Counts, EvidenceError> {
    let mut splitter = Splitter { input, rest: Vec::new(), done: false, damage: None, size: reader.options.chunk };
    let damage = std::sync::Mutex::new(None);
    let next = || {
        let chunk = splitter.next();
        if chunk.is_none()
            && let (Ok(mut place), Some(error)) = (damage.lock(), splitter.damage.take())
        {
            *place = Some(error);
        }
        chunk
    };
    let work = |chunk: Chunk<Places>| esp::read(reader, format, &chunk.bytes, &chunk.start);
    let mut counts = Counts::default();
    let mut batch = Batch::default();
    in_order(reader.options.workers, next, work, |found: Found| {
        let base = u32::try_from(counts.lines).unwrap_or(u32::MAX);
        counts.append(found.counts);
        batch.addresses.extend(found.addresses);
        batch.envelopes.extend(found.envelopes.into_iter().map(|mut envelope| {
            for attempt in &mut envelope.attempts {
                attempt.line = attempt.line.saturating_add(base);
            }
            envelope
        }));
        if batch.envelopes.len() >= BATCH { sink(std::mem::take(&mut batch)) } else { Ok(()) }
    })?;
    sink(batch)?;
    if let Ok(mut damage) = damage.into_inner()
        && let Some(error) = damage.take()
    {
        counts.damage = Some(format!("the file ends early after {} bytes of text: {error}", counts.bytes));
    }
    Ok(counts)
}

struct Splitter<R> {
    input: R,
    rest: Vec<u8>,
    done: bool,
    damage: Option<std::io::Error>,
    size: usize,
}

impl<R: Read> Splitter<R> {
    fn next(&mut self) -> Option<Chunk<Places>> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            if !self.done {
                let start = bytes.len();
                // Doubling keeps the search for the end of a large object linear.
                let want = self.size.max(start) as u64;
                match self.input.by_ref().take(want).read_to_end(&mut bytes) {
                    Ok(0) => self.done = true,
                    Ok(_) => {}
                    Err(error) => {
                        self.damage = Some(error);
                        self.done = true;
                    }
                }
            }
            let (places, used) = split(&bytes, self.done);
            if used == 0 && !self.done && bytes.len() < MAX_OBJECT {
                continue;
            }
            if used == 0 && !self.done {
                let end = bytes.len();
                return Some(Chunk { bytes, start: vec![Some((0, 0)).filter(|_| end == 0)] });
            }
            if bytes.is_empty() {
                return None;
            }
            self.rest = bytes.split_off(used);
            if places.is_empty() && self.done && self.rest.is_empty() {
                return None;
            }
            return Some(Chunk { bytes, start: places });
        }
    }
}

/// Finds the objects in `bytes`; returns their places and how many bytes are done with. At the end of the input everything
/// is, and an object without an end counts as broken.
fn split(bytes: &[u8], last: bool) -> (Places, usize) {
    let mut places = Vec::new();
    let mut at = 0;
    let mut used = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            // Between objects: the array around them, or nothing.
            b' ' | b'\t' | b'\r' | b'\n' | b'[' | b']' | b',' | 0x1e | 0xef | 0xbb | 0xbf => {
                at += 1;
                used = at;
            }
            b'{' => match object(bytes, at) {
                Some(Ok(end)) => {
                    places.push(Some((at, end)));
                    at = end;
                    used = at;
                }
                Some(Err(end)) => {
                    places.push(None);
                    at = end;
                    used = at;
                }
                None => break,
            },
            _ => {
                let rest = bytes.get(at..).unwrap_or_default();
                match memchr::memchr(b'\n', rest) {
                    Some(newline) => at += newline + 1,
                    None if last => at = bytes.len(),
                    None => break,
                }
                places.push(None);
                used = at;
            }
        }
    }
    if last && used < bytes.len() {
        places.push(None);
        used = bytes.len();
    }
    (places, used)
}

/// The end of the object that begins at `start`: `Err` where a newline inside a string shows that it is broken.
fn object(bytes: &[u8], start: usize) -> Option<Result<usize, usize>> {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(Ok(at));
                }
            }
            b'"' => loop {
                let rest = bytes.get(at..)?;
                let stop = memchr2(b'"', b'\\', rest)?;
                if let Some(newline) = memchr::memchr(b'\n', rest.get(..stop)?) {
                    return Some(Err(at + newline + 1));
                }
                at += stop + 1;
                if rest.get(stop) == Some(&b'"') {
                    break;
                }
                at += 1;
            },
            _ => {}
        }
    }
    None
}
