//! Reads a text as a log and shows its attempts in words, for the tests of delivery evidence.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use chrono::{DateTime, TimeZone, Utc};
use dmarcase::evidence::{
    Batch, Counts, LogFormat, NONE, Options, Reader, Recipients, SourceFrom, Status, enhanced_text, read_bytes, unfold,
};

/// One attempt in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) at: String,
    pub(crate) message: String,
    pub(crate) queue: String,
    pub(crate) recipient_domain: String,
    pub(crate) status: &'static str,
    pub(crate) code: u16,
    pub(crate) enhanced: String,
    pub(crate) response: String,
    pub(crate) relay: String,
    pub(crate) source: String,
    pub(crate) source_from: u8,
    pub(crate) from: String,
    pub(crate) campaign: String,
    pub(crate) retry_no: u16,
    pub(crate) line: u32,
    pub(crate) recipient: u64,
    pub(crate) key: u64,
    pub(crate) queue_key: u64,
}

/// What a text gave.
pub(crate) struct Read {
    pub(crate) format: LogFormat,
    pub(crate) rows: Vec<Row>,
    pub(crate) counts: Counts,
    pub(crate) batches: Vec<Batch>,
    pub(crate) reader: Reader,
}

/// The file time of every test log: 2026-12-01 00:00 UTC.
pub(crate) fn written() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap()
}

pub(crate) fn options() -> Options {
    Options { workers: 1, ..Options::new(written()) }
}

pub(crate) fn read(text: &[u8]) -> Read {
    read_with(text, options())
}

pub(crate) fn read_with(text: &[u8], options: Options) -> Read {
    try_read(text, options).expect("the text is read")
}

pub(crate) fn try_read(text: &[u8], options: Options) -> Result<Read, String> {
    let reader = Reader::new(options, Recipients::new([7; 32], false)).unwrap();
    let mut batches = Vec::new();
    let (format, counts) = read_bytes(&reader, "test.log", text, written(), &mut |batch| {
        batches.push(batch);
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    let word = |number: u32| reader.texts.text(number).map(|text| text.to_string()).unwrap_or_default();
    for envelope in batches.iter().flat_map(|batch| &batch.envelopes) {
        for attempt in &envelope.attempts {
            let response = reader.responses.get(attempt.response);
            rows.push(Row {
                at: time(attempt.at),
                message: envelope.message_id.as_deref().unwrap_or_default().to_owned(),
                queue: envelope.queue_id.to_string(),
                recipient_domain: word(attempt.recipient_domain),
                status: attempt.status.word(),
                code: response.as_ref().map_or(0, |response| response.code),
                enhanced: response.as_ref().and_then(|response| enhanced_text(response.enhanced)).unwrap_or_default(),
                response: response.map(|r| unfold(&r.template, attempt.vars.as_deref())).unwrap_or_default(),
                relay: word(attempt.relay),
                source: word(attempt.source),
                source_from: attempt.source_from as u8,
                from: if envelope.envelope_from == NONE { "?".to_owned() } else { word(envelope.envelope_from) },
                campaign: word(envelope.campaign),
                retry_no: attempt.retry_no,
                line: attempt.line,
                recipient: attempt.recipient,
                key: attempt.key,
                queue_key: envelope.queue_key,
            });
        }
    }
    rows.sort_by(|a, b| (&a.at, a.line, a.recipient).cmp(&(&b.at, b.line, b.recipient)));
    Ok(Read { format, rows, counts, batches, reader })
}

pub(crate) fn time(micros: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros).unwrap().format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()
}

pub(crate) const FROM_LOG: u8 = SourceFrom::Log as u8;
pub(crate) const FROM_RESPONSE: u8 = SourceFrom::Response as u8;
pub(crate) const UNKNOWN_SOURCE: u8 = SourceFrom::Unknown as u8;
pub(crate) const EXPIRED: Status = Status::Expired;

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
