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
use super::{EvidenceError, LogFormat, LogRead, Options, Reader, exim, journal, postfix, sniff, table};

/// Bytes that are looked at to recognise a format, and that every read goes through.
const HEAD: usize = 256 * 1024;
/// Distance between two looks at the months inside a run of lines, bytes: some five lines, too few to pass half a year.
const LOOK: usize = 1024;
/// Distance between two looks at a large file, bytes, and how much is read at each.
const STRIDE: u64 = 16 * 1024;
const WINDOW: u64 = 4096;
/// Up to this size every line of a file is looked at: a quiet log may pass half a year in a few lines.
const SMALL: u64 = 8 << 20;

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
    let written = packed_at(&mut file).map_err(unreadable)?.unwrap_or(written);
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
    if gzip {
        months.stream(MultiGzDecoder::new(bytes))
    } else {
        months.stream(bytes)
    }
    // The scope of `read_stream` needs bytes that it may own: tests and small inputs only.
    let owned = std::io::Cursor::new(bytes.to_vec());
    read_stream(reader, Path::new(name), Box::new(owned), written, Some(months), sink)
}

/// The time in a gzip header (RFC 1952 section 2.3.1): the log's own time, which copying the file does not change.
fn packed_at(file: &mut File) -> std::io::Result<Option<DateTime<Utc>>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(match head.as_slice() {
        [0x1f, 0x8b, _, _, time @ ..] if time.iter().any(|b| *b != 0) => {
            let seconds = time.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
            seconds.and_then(|seconds| DateTime::from_timestamp(i64::from(seconds), 0))
        }
        _ => None,
    })
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
    let mut input: Box<dyn Read + Send> = if gzip {
        Box::new(MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 16, whole)))
    } else {
        Box::new(whole)
    };
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
    let mut first = months.first(&reader.options, written);
    let year = (format == LogFormat::Postfix && months.first.is_some()).then(|| {
        let (path, zone) = (path.to_string_lossy().into_owned(), reader.options.zone.to_string());
        let now = LogRead { path, year: first.year, zone };
        reader.logs.year(months.content(), now, reader.options.year.is_none())
    });
    let year = year.transpose().map_err(|reason| EvidenceError::Refused { path: path.to_owned(), reason })?;
    first.year = year.as_ref().map_or(first.year, |read| read.year);
    // A decoder that failed fails again: the damage is met once more behind the head.
    let rest: Box<dyn Read + Send> = match broken {
        Some(error) => Box::new(Broken(Some(error))),
        None => input,
    };
    let input = std::io::Cursor::new(head).chain(rest);
    let mut counts = match format {
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
    counts.year = year;
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
        for (month, _) in looks(bytes, LOOK) {
            last = last.step(month);
            first.get_or_insert(last);
        }
        Self { first: first.unwrap_or(before), last }
    }
}

/// Month and day of stamps without a year: of the first line, of a line every `step` bytes, and of the last one.
fn looks(bytes: &[u8], step: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
    let mut place = Some(0);
    let sampled = std::iter::from_fn(move || {
        let line = bytes.get(place?..)?;
        let next = line.get(step..).and_then(|rest| memchr::memchr(b'\n', rest));
        place = next.map(|newline| bytes.len() - line.len() + step + newline + 1);
        Some(stamp_day(line))
    });
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = memchr::memrchr(b'\n', body).map_or(0, |newline| newline + 1);
    sampled.flatten().chain(body.get(start..).and_then(stamp_day))
}

fn stamp_day(line: &[u8]) -> Option<(u32, u32)> {
    let line = match line {
        [b'<', rest @ ..] => rest.get(memchr::memchr(b'>', rest)? + 1..)?,
        _ => line,
    };
    let day = std::str::from_utf8(line.get(4..6)?).ok()?.trim().parse().ok()?;
    Some((month_of(line)?, day))
}

/// How many turns of the year a log goes through: its last stamp is of the year that it was written in, so its first one is
/// that many years before.
#[derive(Debug, Default)]
pub(crate) struct MonthScan {
    first: Option<u32>,
    last: Option<(u32, u32)>,
    turn: Option<YearMonth>,
    /// What was looked at, and the length of all.
    content: Option<(blake3::Hasher, u64)>,
}

impl MonthScan {
    /// Looks through a file and puts it back to its start. A large plain file costs one short read for every [`STRIDE`] bytes.
    fn of_file(file: &mut File) -> std::io::Result<Self> {
        let mut scan = Self::default();
        let data = file.metadata()?;
        if !data.is_file() {
            return Ok(scan);
        }
        let length = data.len();
        let mut window = Vec::new();
        file.by_ref().take(16).read_to_end(&mut window)?;
        let gzip = window.starts_with(b"\x1f\x8b");
        let stamped = window.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'<');
        file.seek(SeekFrom::Start(0))?;
        if gzip {
            scan.stream(MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 16, &mut *file)));
        } else if stamped && length <= SMALL {
            window.clear();
            file.by_ref().take(SMALL).read_to_end(&mut window)?;
            scan.piece(&window, 1);
            scan.holds(&window, window.len() as u64);
        } else if stamped {
            for place in (0..length).step_by(STRIDE as usize).chain([length.saturating_sub(WINDOW)]) {
                file.seek(SeekFrom::Start(place))?;
                window.clear();
                file.by_ref().take(WINDOW).read_to_end(&mut window)?;
                scan.holds(&window, 0);
                let start = if place == 0 { 0 } else { memchr::memchr(b'\n', &window).map_or(window.len(), |n| n + 1) };
                scan.piece(window.get(start..).unwrap_or_default(), WINDOW as usize);
            }
            scan.holds(&[], length);
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(scan)
    }

    /// Looks through a stream to its end; damage ends it.
    fn stream(&mut self, input: impl Read) {
        let mut chunker = Chunker::new(input, 1 << 16);
        let mut seen = 0;
        while let Some(bytes) = chunker.next() {
            if seen == 0 && !bytes.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'<') {
                return;
            }
            seen += bytes.len() as u64;
            self.holds(&bytes, bytes.len() as u64);
            self.piece(&bytes, if seen < SMALL { 1 } else { LOOK });
        }
    }

    /// Looks at the head of a stream that cannot be read twice: only where it begins is known.
    fn look(&mut self, head: &[u8]) {
        if let Some((month, day)) = looks(head, usize::MAX).next() {
            self.note(month, day);
        }
    }

    fn piece(&mut self, bytes: &[u8], step: usize) {
        for (month, day) in looks(bytes, step) {
            self.note(month, day);
        }
    }

    fn holds(&mut self, bytes: &[u8], length: u64) {
        let (hasher, whole) = self.content.get_or_insert_default();
        hasher.update(bytes);
        *whole += length;
    }

    /// The digest of what the log holds (of a large plain file, of its length and the windows that were looked at).
    fn content(&self) -> Option<String> {
        let (hasher, length) = self.content.as_ref()?;
        let mut hasher = hasher.clone();
        hasher.update(&length.to_le_bytes());
        Some(hasher.finalize().to_hex().to_string())
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
