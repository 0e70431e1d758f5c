//! The documented table, for every system that has no reader of its own: comma-separated values or JSON lines.
//!
//! Columns, in any order: `attempt_time` (RFC 3339 with a zone), `message_id` or `queue_id`, `recipient`, `status`, and where
//! known `source_ip`, `response`, `smtp_code`, `enhanced_code`, `relay_host`, `retry_no`, `envelope_from`, `campaign`. A row
//! `expired` whose response is a temporary refusal is the last try as well.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use super::attempt::{Batch, Counts, Status};
use super::esp::{Event, Outcome, Run, to};
use super::stamp::rfc3339;
use super::{EvidenceError, LogFormat, Reader, csv};

/// Longest record.
const MAX_RECORD: usize = 1 << 20;
/// Records of a batch.
const BATCH: usize = 50_000;
/// Records of a run: caches are kept this long.
const RUN: u32 = 20_000;

/// Every column.
const COLUMNS: [&str; 13] = [
    "attempt_time",
    "message_id",
    "recipient",
    "source_ip",
    "status",
    "response",
    "smtp_code",
    "enhanced_code",
    "relay_host",
    "retry_no",
    "envelope_from",
    "campaign",
    "queue_id",
];

/// Says whether a line is the header of the table.
pub(crate) fn is_header(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let (fields, _) = csv::record(line.trim_end(), true).unwrap_or_default();
    let has = |name: &str| fields.iter().any(|field| field.trim().eq_ignore_ascii_case(name));
    has("attempt_time") && has("recipient") && has("status")
}

/// Reads the table as comma-separated values.
pub(crate) fn read_csv(
    reader: &Reader,
    path: &Path,
    input: impl Read,
    sink: &mut dyn FnMut(Batch) -> Result<(), EvidenceError>,
) -> Result<Counts, EvidenceError> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut counts = Counts::default();
    let mut batch = Batch::default();
    let mut run = Run::new(reader, LogFormat::Csv);
    let mut places: Option<Vec<Option<usize>>> = None;
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        let read = input.by_ref().take(MAX_RECORD as u64).read_until(b'\n', &mut bytes);
        let last = match read {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => {
                counts.damage = Some(format!("the file ends early after {} bytes of text: {error}", counts.bytes));
                // The record before the damage is not whole.
                bytes.truncate(before);
                run.found.counts.cut += u64::from(!bytes.is_empty());
                bytes.clear();
                true
            }
        };
        counts.bytes += (bytes.len() - before.min(bytes.len())) as u64;
        let text = String::from_utf8_lossy(&bytes);
        let record = csv::record(text.trim_start_matches('\u{feff}'), last);
        if let Some((fields, _)) = record {
            if !fields.iter().all(|field| field.is_empty()) {
                match &places {
                    None => places = Some(header(path, &fields)?),
                    Some(places) => {
                        run.line += 1;
                        let field = |place: usize| {
                            let place = places.get(place).copied().flatten()?;
                            fields.get(place).map(|field| field.trim().to_owned()).filter(|field| !field.is_empty())
                        };
                        run.outcome(row(field));
                    }
                }
            }
            bytes.clear();
        } else if bytes.len() >= MAX_RECORD {
            run.line += 1;
            run.outcome(Outcome::Unknown("record without end: a quote is not closed".to_owned()));
            bytes.clear();
        }
        if run.line >= RUN || last {
            let done = std::mem::replace(&mut run, Run::new(reader, LogFormat::Csv)).finish();
            let base = u32::try_from(counts.lines).unwrap_or(u32::MAX);
            counts.append(done.counts);
            batch.addresses.extend(done.addresses);
            batch.envelopes.extend(done.envelopes.into_iter().map(|mut envelope| {
                // The header is line 1.
                envelope.attempts.iter_mut().for_each(|attempt| attempt.line = attempt.line.saturating_add(base + 1));
                envelope
            }));
            if batch.envelopes.len() >= BATCH || last {
                sink(std::mem::take(&mut batch))?;
            }
        }
        if last {
            return Ok(counts);
        }
    }
}

/// The place of each column in the file.
fn header(path: &Path, fields: &[String]) -> Result<Vec<Option<usize>>, EvidenceError> {
    let find = |name: &str| fields.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
    let places: Vec<Option<usize>> = COLUMNS.iter().map(|name| find(name)).collect();
    let has = |name: &str| find(name).is_some();
    if !has("message_id") && !has("queue_id") {
        let reason =
            "the table has neither message_id nor queue_id; attempts of one message cannot be told to belong together";
        return Err(EvidenceError::Refused { path: path.to_owned(), reason: reason.to_owned() });
    }
    if let Some(missing) = ["attempt_time", "recipient", "status"].into_iter().find(|name| !has(name)) {
        let reason =
            format!("the table has no column {missing}; needed are attempt_time, message_id, recipient and status");
        return Err(EvidenceError::Refused { path: path.to_owned(), reason });
    }
    Ok(places)
}

/// Reads one object of the table as JSON lines.
pub(crate) fn read_object(value: &Value) -> Outcome {
    row(|place| {
        let name = COLUMNS.get(place)?;
        match value.get(*name)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    })
}

fn row(field: impl Fn(usize) -> Option<String>) -> Outcome {
    let text = |place| field(place).unwrap_or_default();
    let Some(at) = rfc3339(&text(0)) else {
        return Outcome::Unknown(
            "row whose attempt_time is not RFC 3339 with a zone, or of no year that a log can have".to_owned(),
        );
    };
    let Some(status) = Status::from_word(&text(4)) else {
        return Outcome::Unknown(format!("row with status {}", text(4)));
    };
    let recipient = text(2);
    if !recipient.contains('@') {
        return Outcome::Unknown("row whose recipient has no @; write hash@domain to hide the local part".to_owned());
    }
    Outcome::Event(Box::new(Event {
        // The message id names the message; a queue id does where there is none.
        id: field(1).or_else(|| field(12)).unwrap_or_default(),
        message_id: field(1),
        at,
        recipients: to(recipient),
        status: Some(status),
        response: text(5),
        code: text(6).parse().ok().filter(|code| (200..600).contains(code)).unwrap_or(0),
        enhanced: text(7),
        relay: text(8),
        source: text(3),
        campaign: text(11),
        sender: field(10),
        retry_no: text(9).parse().unwrap_or(0),
        event_id: String::new(),
    }))
}
