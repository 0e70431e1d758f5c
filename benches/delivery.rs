//! Speed of delivery evidence: reading a Postfix log, the whole `delivery import` of it, and `pflogsumm` on the same file.
//!
//! ```sh
//! make bench-delivery           # ATTEMPTS=200000, some 170 MB; best of three rounds each
//! ```
//!
//! `pflogsumm` (Debian's package of that name) runs once where it is installed.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use chrono::{TimeZone, Utc};
use dmarcase::evidence::{Options, Reader, Recipients, read_path};

fn main() {
    let attempts = std::env::var("ATTEMPTS").unwrap_or_else(|_| "200000".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"));
    command.arg("log").arg(&log).args(["--attempts", &attempts]).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
    let size = fs::metadata(&log).unwrap().len() as f64 / 1e6;
    let cores = std::thread::available_parallelism().unwrap().get();
    println!("{size:.0} MB, {attempts} attempts, {cores} cores");

    for workers in [1, cores] {
        let (seconds, told) = (0..3).map(|_| read(&log, workers)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        println!("read, {workers} workers   {seconds:7.3} s  {:6.0} MB/s  {told}", size / seconds);
    }
    let read = (0..3).map(|_| read(&log, cores).0).fold(f64::MAX, f64::min);
    let store = folder.path().join("store.duckdb");
    let (seconds, peak) = (0..3).map(|_| import(&store, &log)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    println!(
        "import, whole     {seconds:7.3} s  {:6.0} MB/s  {peak} MB peak, store {:.1} MB",
        size / seconds,
        fs::metadata(&store).unwrap().len() as f64 / 1e6
    );
    match pflogsumm(&log) {
        Some(theirs) => println!(
            "pflogsumm         {theirs:7.3} s  {:6.1} MB/s  reading is {:.0} times as fast, the import {:.0} times",
            size / theirs,
            theirs / read,
            theirs / seconds
        ),
        None => println!("pflogsumm: not installed (Debian's package pflogsumm)"),
    }
}

/// Lines → attempts, nothing stored.
fn read(path: &Path, workers: usize) -> (f64, String) {
    let options = Options { workers, ..Options::new(Utc.with_ymd_and_hms(2025, 12, 1, 0, 0, 0).unwrap()) };
    let reader = Reader::new(options, Recipients::new([7; 32], false)).unwrap();
    let started = Instant::now();
    let mut attempts = 0;
    let (_, counts) = read_path(&reader, path, &mut |batch| {
        attempts += batch.attempts();
        Ok(())
    })
    .unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let told = format!(
        "{attempts} attempts, {} lines, {} not understood, {} response shapes",
        counts.lines,
        counts.unknown_lines(),
        reader.responses.len()
    );
    (seconds, told)
}

/// The whole command into a new store: seconds, and peak megabytes as the kernel counted them.
fn import(store: &Path, log: &Path) -> (f64, u64) {
    fs::remove_file(store).ok();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
    command.args(["--no-progress", "--db"]).arg(store).args(["delivery", "import"]).arg(log).stdout(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let (ended, peak) = support::peak_of(&mut child);
    assert!(ended.success());
    (started.elapsed().as_secs_f64(), peak / 1024)
}

fn pflogsumm(path: &Path) -> Option<f64> {
    let started = Instant::now();
    let status = Command::new("pflogsumm").arg(path).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then(|| started.elapsed().as_secs_f64())
}
