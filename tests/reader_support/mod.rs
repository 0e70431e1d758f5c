//! What the reader's tests share: reading bytes with a fresh reader.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod model;

use dmarcase::parse::{Reader, ReaderLimits, Reading, Rejection, Report};

/// Reads bytes with a fresh reader and the default limits.
pub fn read(xml: &[u8]) -> Reading {
    read_with(xml, ReaderLimits::default())
}

/// Reads bytes with a fresh reader.
pub fn read_with(xml: &[u8], limits: ReaderLimits) -> Reading {
    Reader::new(limits).read(&mut &*xml)
}

/// Reads what must be a report.
pub fn report(xml: &[u8]) -> Report {
    match read(xml) {
        Reading::Report(report) => *report,
        other => panic!("no report: {other:?}\n{}", String::from_utf8_lossy(xml)),
    }
}

/// Reads what must be refused.
pub fn rejected(xml: &[u8]) -> Rejection {
    match read(xml) {
        Reading::Rejected(rejection) => rejection,
        other => panic!("not refused: {other:?}"),
    }
}
