//! End to end: 20,000 report mails into a committed store, beside the floor and beside parsedmarc, in one run.
//!
//! ```sh
//! make bench-import                                   # maildir and mbox, 20,000 reports
//! PARSEDMARC=path/to/parsedmarc make bench-import     # with parsedmarc beside it, on the first 5,000 mails
//! ```
//!
//! parsedmarc's time includes its start, which is a thirtieth of it on so many; dmarcase is measured before it and again after it,
//! as machines change their pace within minutes.
//!
//! The floor reads the same mails, takes base64 and compression off, and tokenises the XML on every core, keeping nothing.
//! Every figure is the best of three. Ratios hold on one machine and in one run only.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mail_parser::{MessageParser, MimeHeaders};
use quick_xml::events::Event;
use rayon::prelude::*;

fn main() {
    let reports: u64 = std::env::var("REPORTS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let folder = std::env::temp_dir().join(format!("dmarcase-bench-{reports}"));
    println!("{reports} reports, {} cores", std::thread::available_parallelism().unwrap());
    for layout in ["maildir", "mbox"] {
        let corpus = folder.join(layout);
        if !corpus.join("truth.json").exists() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"));
            command.arg("corpus").arg(&corpus).args([
                "--reports",
                &reports.to_string(),
                "--layout",
                layout,
                "--dup",
                "1",
            ]);
            assert!(command.stdout(Stdio::null()).status().unwrap().success());
        }
        let mails = mails(&corpus);
        let floor = best(|| {
            floor(&mails);
        });
        let store = folder.join("store.duckdb");
        let measure = || {
            let mut peak = 0;
            let time = best(|| {
                fs::remove_file(&store).ok();
                fs::remove_file(store.with_extension("duckdb.wal")).ok();
                peak = peak.max(import(&store, &mails));
            });
            (time, peak)
        };
        let (ours, peak) = measure();
        let rate = |time: Duration| reports as f64 / time.as_secs_f64();
        println!("{layout:8} floor      {:7.3} s  {:9.0} reports/s", floor.as_secs_f64(), rate(floor));
        println!(
            "{layout:8} dmarcase   {:7.3} s  {:9.0} reports/s  {:.2} times the floor, {} MB peak, store {:.1} MB",
            ours.as_secs_f64(),
            rate(ours),
            ours.as_secs_f64() / floor.as_secs_f64(),
            peak / 1024,
            fs::metadata(&store).map_or(0, |meta| meta.len()) as f64 / 1e6,
        );
        if layout == "maildir"
            && let Some(parsedmarc) = std::env::var_os("PARSEDMARC")
        {
            let (count, time) = parsedmarc_time(Path::new(&parsedmarc), &mails, &folder);
            let theirs = count as f64 / time.as_secs_f64();
            let (after, _) = measure();
            println!("{layout:8} parsedmarc {:7.3} s  {theirs:9.0} reports/s  (on {count} mails)", time.as_secs_f64());
            println!(
                "{layout:8} dmarcase   {:7.3} s after it: {:.0} to {:.0} times as fast",
                after.as_secs_f64(),
                rate(ours.max(after)) / theirs,
                rate(ours.min(after)) / theirs,
            );
        }
    }
}

/// The mails of a corpus: its maildir or its mbox.
fn mails(corpus: &Path) -> PathBuf {
    let places = [corpus.join("mail"), corpus.join("maildir"), corpus.join("reports.mbox")];
    places.into_iter().find(|path| path.exists()).unwrap()
}

fn best(mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    (0..3).map(once).min().unwrap()
}

/// Imports, and returns the peak memory in KB as the kernel counted it.
fn import(store: &Path, mails: &Path) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
    command.args(["--no-progress", "--db"]).arg(store).arg("import").arg(mails);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let (ended, peak) = support::peak_of(&mut child);
    assert!(ended.success());
    peak
}

/// Reads, decodes, inflates and tokenises everything on every core, and keeps nothing.
fn floor(mails: &Path) -> u64 {
    if mails.is_file() {
        let bytes = fs::read(mails).unwrap();
        let mut cuts: Vec<usize> = memchr::memmem::find_iter(&bytes, b"\nFrom ").map(|at| at + 1).collect();
        cuts.insert(0, 0);
        cuts.push(bytes.len());
        return cuts.par_windows(2).map(|pair| tokens(&bytes[pair[0]..pair[1]])).sum();
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for sub in ["cur", "new"] {
        if let Ok(entries) = fs::read_dir(mails.join(sub)) {
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    files.par_iter().map(|file| tokens(&fs::read(file).unwrap())).sum()
}

fn tokens(mail: &[u8]) -> u64 {
    let mail = mail.strip_prefix(b"From ").map_or(mail, |rest| {
        let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        &rest[line..]
    });
    let Some(message) = MessageParser::default().parse(mail) else { return 0 };
    let mut events = 0;
    for part in message.attachments() {
        let packed = part.contents();
        let mut xml = Vec::new();
        if packed.starts_with(&[0x1f, 0x8b]) {
            flate2::read::GzDecoder::new(packed).read_to_end(&mut xml).unwrap();
        } else if packed.starts_with(b"PK") {
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(packed)).unwrap();
            archive.by_index(0).unwrap().read_to_end(&mut xml).unwrap();
        } else if part.attachment_name().is_some() {
            xml.extend_from_slice(packed);
        }
        let Ok(text) = std::str::from_utf8(&xml) else { continue };
        let mut reader = quick_xml::Reader::from_str(text);
        while !matches!(reader.read_event(), Ok(Event::Eof) | Err(_)) {
            events += 1;
        }
    }
    events
}

/// Runs parsedmarc offline with two processes over the first 5,000 mails.
fn parsedmarc_time(program: &Path, mails: &Path, folder: &Path) -> (usize, Duration) {
    let (config, out, few) =
        (folder.join("parsedmarc.ini"), folder.join("parsedmarc-out"), folder.join("parsedmarc-in"));
    // It reads what a run before wrote there, and adds to it: slower each time.
    fs::remove_dir_all(&out).ok();
    fs::create_dir_all(&out).unwrap();
    fs::remove_dir_all(&few).ok();
    fs::create_dir_all(&few).unwrap();
    let settings = "save_aggregate = True\noffline = True\nn_procs = 2\nsilent = True\n";
    fs::write(&config, format!("[general]\n{settings}output = {}\n", out.display())).unwrap();
    let entries = fs::read_dir(mails.join("cur")).unwrap();
    let count = entries
        .take(5000)
        .map(|entry| {
            fs::copy(
                entry.as_ref().unwrap().path(),
                few.join(format!("{}.eml", entry.unwrap().file_name().to_string_lossy())),
            )
        })
        .count();
    let files: Vec<PathBuf> = fs::read_dir(&few).unwrap().map(|entry| entry.unwrap().path()).collect();
    let started = Instant::now();
    let mut command = Command::new(program);
    command.arg("-c").arg(&config).args(&files).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "parsedmarc failed");
    (count, started.elapsed())
}
