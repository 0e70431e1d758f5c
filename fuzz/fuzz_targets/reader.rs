//! Fuzzes the reader: any bytes are read without a panic, and the same by every way that they can arrive.
#![no_main]

use dmarcase::parse::{Reader, ReaderLimits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = ReaderLimits { records: 1000, text_bytes: 4096, ..ReaderLimits::default() };
    let read = |window, memo| format!("{:?}", Reader::with_window(limits, window, memo).read(&mut &*bytes));
    let whole = read(256 << 10, true);
    assert_eq!(whole, read(256 << 10, false), "what the reader remembers changes what it reads");
    assert_eq!(whole, read(64, false), "the window changes what is read");
});
