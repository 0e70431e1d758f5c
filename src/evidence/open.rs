//! One file, plain or gzipped → batches of messages: opens it, recognises it, reads it in runs, on several threads.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;

use super::attempt::{Batch, Counts};
use super::chunks::{Chunk, Chunker, in_order};
use super::element;
use super::joiner::{Events, Joiner};
use super::stamp::{YearMonth, month_of, year_month};
use super::{EvidenceError, LogFormat, Options, Reader, exim, journal, postfix, sniff, table};

/// Bytes that are looked at to recognise a format, and that every read goes through.
const HEAD: usize = 256 * 1024;
/// Distance between two looks at a month when the years of a log are counted: no log is so quiet that it passes half a year
/// in between.
const LOOK: usize = 64 * 1024;

/// Reads a file; `sink` gets its messages in batches.
///
/// # Errors
/// The file cannot be opened, or is of no known format, or `sink` broke off. Damage inside the file is no error: what was
/// read before it stands, and [`Counts::damage`] names it.
pub fn read_path(
    reader: &Reader,
    path: &Path,
    sink: &mut dyn FnMut(Batch) -> Result<(), EvidenceError>,
) -> Result<(LogFormat, Counts), EvidenceError> {
    let unreadable = |source| EvidenceError::Unreadable { path: path.to_owned(), source };
    if path.as_os_str() == "-" {
        return read_stream(reader, path, Box::new(std::io::stdin()), reader.options.now, None, sink);
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let written: DateTime<Utc> = file.metadata().and_then(|data| data.modified()).map_err(unreadable)?.into();
    let months = MonthScan::of_file(&mut file).map_err(unreadable)?;
    read_stream(reader, path, Box::new(file), written, Some(months), sink)
}

/// Reads bytes that are already in memory, as if they were a file written at `written`.
///
/// # Errors
/// Like [`read_path`]; `name` stands for the path.
pub fn read_bytes(
    reader: &Reader,
    name: &str,
    bytes: &[u8],
    written: DateTime<Utc>,
    sink: &mut dyn FnMut(Batch) -> Result<(), EvidenceError>,
) -> Result<(LogFormat, Counts), EvidenceError> {
    let mut months = MonthScan::default();
    let gzip = bytes.starts_with(b"\x1f\x8b");
    if gzip { months.stream(MultiGzDecoder::new(bytes)) } else { months.stream(bytes) }
    // The scope of `read_stream` needs bytes that it may own: tests and small inputs only.
    let owned = std::io::Cursor::new(bytes.to_vec());
    read_stream(reader, Path::new(name), Box::new(owned), written, Some(months), sink)
}

fn read_stream(
    reader: &Reader,
    path: &Path,
    mut input: Box<dyn Read + Send>,
    written: DateTime<Utc>,
    months: Option<MonthScan>,
    sink: &mut dyn FnMut(Batch) -> Result<(), EvidenceError>,
) -> Result<(LogFormat, Counts), EvidenceError> {
    let unreadable = |source| EvidenceError::Unreadable { path: path.to_owned(), source };
    let mut magic = Vec::new();
    input.by_ref().take(2).read_to_end(&mut magic).map_err(unreadable)?;
    let gzip = magic == b"\x1f\x8b";
    let whole = std::io::Cursor::new(magic).chain(input);
    let mut input: Box<dyn Read + Send> =
        if gzip { Box::new(MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 16, whole))) } else { Box::new(whole) };
    let mut head = Vec::new();
    let broken = input.by_ref().take(HEAD as u64).read_to_end(&mut head).err();
    let format = match reader.options.format.or_else(|| sniff::recognise(&head)) {
        Some(format) => format,
        None => match broken {
            Some(source) if head.is_empty() => return Err(unreadable(source)),
            _ => return Err(EvidenceError::Unrecognised { path: path.to_owned(), seen: sniff::describe(&head) }),
        },
    };
    let months = months.unwrap_or_else(|| {
        let mut months = MonthScan::default();
        months.look(&head);
        months
    });
    let first = months.first(&reader.options, written);
    // A decoder that failed fails again: the damage is met once more behind the head.
    let rest: Box<dyn Read + Send> = match broken {
        Some(error) => Box::new(Broken(Some(error))),
        None => input,
    };
    let input = std::io::Cursor::new(head).chain(rest);
    let counts = match format {
        LogFormat::Postfix => {
            let work = |chunk: Chunk<YearMonth>| postfix::read(reader, &chunk.bytes, chunk.start);
            lines(reader, input, first, work, Joiner::new(&reader.texts, postfix::reusable), sink)
        }
        LogFormat::Exim => {
            let work = |chunk: Chunk<YearMonth>| exim::read(reader, &chunk.bytes);
            lines(reader, input, first, work, Joiner::new(&reader.texts, exim::reusable), sink)
        }
        LogFormat::Journald => {
            let work = |chunk: Chunk<YearMonth>| journal::read(reader, &chunk.bytes);
            lines(reader, input, first, work, Joiner::new(&reader.texts, postfix::reusable), sink)
        }
        LogFormat::Csv => table::read_csv(reader, path, input, sink),
        _ => element::read(reader, format, input, sink),
    }?;
    Ok((format, counts))
}

/// Reads a log of lines: runs in parallel, joined in order.
fn lines<R: Read + Send>(
    reader: &Reader,
    input: R,
    first: YearMonth,
    work: impl Fn(Chunk<YearMonth>) -> Events + Sync,
    mut joiner: Joiner<'_>,
    sink: &mut dyn FnMut(Batch) -> Result<(), EvidenceError>,
) -> Result<Counts, EvidenceError> {
    let mut chunker = Chunker::new(input, reader.options.chunk);
    let damage = std::sync::Mutex::new(None);
    let mut start = first;
    let mut begun = false;
    let next = || {
        let Some(bytes) = chunker.next() else {
            if let (Ok(mut place), Some(error)) = (damage.lock(), chunker.damage.take()) {
                *place = Some(error.to_string());
            }
            return None;
        };
        let months = Months::of(&bytes, if begun { start } else { first });
        let chunk = Chunk { start: months.first, bytes };
        (start, begun) = (months.last, true);
        Some(chunk)
    };
    in_order(reader.options.workers, next, work, |events| joiner.take(events, sink))?;
    let mut counts = joiner.finish(sink)?;
    if let Ok(mut damage) = damage.into_inner()
        && let Some(error) = damage.take()
    {
        counts.damage = Some(format!("the file ends early after {} bytes of text: {error}", counts.bytes));
    }
    Ok(counts)
}

/// A stream that fails at once.
struct Broken(Option<std::io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        match self.0.take() {
            Some(error) => Err(error),
            None => Ok(0),
        }
    }
}

/// The months at the start and the end of a run of lines.
struct Months {
    first: YearMonth,
    last: YearMonth,
}

impl Months {
    fn of(bytes: &[u8], before: YearMonth) -> Self {
        let mut first = None;
        let mut last = before;
        for month in looks(bytes) {
            last = last.step(month);
            first.get_or_insert(last);
        }
        Self { first: first.unwrap_or(before), last }
    }
}

/// The months of stamps without a year, one look every [`LOOK`] bytes, and of the last line.
fn looks(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let places = (0..bytes.len()).step_by(LOOK);
    let sampled = places.filter_map(move |place| {
        let rest = bytes.get(place..)?;
        let start = if place == 0 { 0 } else { memchr::memchr(b'\n', rest)? + 1 };
        month_of_line(rest.get(start..)?)
    });
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = memchr::memrchr(b'\n', body).map_or(0, |newline| newline + 1);
    sampled.chain(body.get(start..).and_then(month_of_line))
}

fn month_of_line(line: &[u8]) -> Option<u32> {
    let line = match line {
        [b'<', rest @ ..] => rest.get(memchr::memchr(b'>', rest)? + 1..)?,
        _ => line,
    };
    month_of(line)
}

/// How many turns of the year a log goes through: its last stamp is of the year that it was written in, so its first one is
/// that many years before.
#[derive(Debug, Default)]
pub(crate) struct MonthScan {
    first: Option<u32>,
    last: Option<(u32, u32)>,
    turn: Option<YearMonth>,
}

impl MonthScan {
    /// Looks through a file and puts it back to its start. A plain file costs one short read for every [`LOOK`] bytes.
    fn of_file(file: &mut File) -> std::io::Result<Self> {
        let mut scan = Self::default();
        let mut magic = Vec::new();
        file.by_ref().take(16).read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let gzip = magic.starts_with(b"\x1f\x8b");
        if gzip {
            scan.stream(MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 16, &mut *file)));
        } else if magic.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'<') {
            let length = file.metadata()?.len();
            let mut place = 0;
            let mut window = Vec::new();
            while place < length {
                file.seek(SeekFrom::Start(place))?;
                window.clear();
                file.by_ref().take(4096).read_to_end(&mut window)?;
                let start = if place == 0 { 0 } else { memchr::memchr(b'\n', &window).map_or(window.len(), |n| n + 1) };
                scan.line(window.get(start..).unwrap_or_default());
                place += LOOK as u64;
            }
            // The last line decides which year the whole log ends in.
            file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
            window.clear();
            file.by_ref().take(4096).read_to_end(&mut window)?;
            let body = window.strip_suffix(b"\n").unwrap_or(&window);
            let start = memchr::memrchr(b'\n', body).map_or(0, |newline| newline + 1);
            scan.line(body.get(start..).unwrap_or_default());
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(scan)
    }

    /// Looks through a stream to its end; damage ends it.
    fn stream(&mut self, mut input: impl Read) {
        let mut window = vec![0; LOOK];
        let mut filled = 0;
        let mut head = true;
        let mut tail = Vec::new();
        loop {
            let room = window.get_mut(filled..).unwrap_or_default();
            match input.read(room) {
                Ok(0) | Err(_) => break,
                Ok(read) => filled += read,
            }
            if filled < window.len() {
                continue;
            }
            if head && !window.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'<') {
                return;
            }
            self.piece(&window, head);
            tail.clear();
            tail.extend_from_slice(window.get(window.len().saturating_sub(4096)..).unwrap_or_default());
            (filled, head) = (0, false);
        }
        let rest = window.get(..filled).unwrap_or_default();
        self.piece(rest, head);
        tail.extend_from_slice(rest);
        let body = tail.strip_suffix(b"\n").unwrap_or(&tail);
        let start = memchr::memrchr(b'\n', body).map_or(0, |newline| newline + 1);
        self.line(body.get(start..).unwrap_or_default());
    }

    fn piece(&mut self, window: &[u8], head: bool) {
        let start = if head { Some(0) } else { memchr::memchr(b'\n', window).map(|newline| newline + 1) };
        if let Some(line) = start.and_then(|start| window.get(start..)) {
            self.line(line);
        }
    }

    /// Looks at the head of a stream that cannot be read twice.
    fn look(&mut self, head: &[u8]) {
        for month in looks(head).take(1) {
            self.note(month, 1);
        }
    }

    fn line(&mut self, line: &[u8]) {
        if let Some(month) = month_of_line(line) {
            let day = line.get(4..6).and_then(|day| std::str::from_utf8(day).ok()?.trim().parse().ok()).unwrap_or(1);
            self.note(month, day);
        }
    }

    fn note(&mut self, month: u32, day: u32) {
        self.first.get_or_insert(month);
        self.last = Some((month, day));
        self.turn = Some(self.turn.unwrap_or(YearMonth { year: 0, month }).step(month));
    }

    /// The year and month of the first stamp.
    fn first(&self, options: &Options, written: DateTime<Utc>) -> YearMonth {
        let month = self.first.unwrap_or(1);
        if let Some(year) = options.year {
            return YearMonth { year, month };
        }
        // A stamp in the future of the file's own time (a day's grace for zones) is of the year before.
        let (year, now_month, now_day) = year_month(written + chrono::Duration::days(1), options.zone);
        let ended = self.last.is_some_and(|last| last > (now_month, now_day));
        let turns = self.turn.map_or(0, |turn| turn.year);
        YearMonth { year: year - i32::from(ended) - turns, month }
    }
}
