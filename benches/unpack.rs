//! Origins and unpacking alone, on one core: items a second, and beside them the mail library and flate2 doing the same bare.
//!
//! ```sh
//! cargo bench --no-default-features --bench unpack -- PATH…      # a maildir, a folder or an mbox
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dmarcase::fetch::{Content, FileOptions, Item, items};
use dmarcase::unpack::{Limits, unpack};
use mail_parser::{MessageParser, PartType};

fn main() {
    let paths: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from).collect();
    if paths.is_empty() {
        println!("give a maildir, a folder or an mbox");
        return;
    }
    let options = FileOptions { hold_bytes: 8 << 20, mail_bytes: 64 << 20 };
    let read = || items(&paths, &options).collect::<Result<Vec<Item>, _>>().unwrap();
    let held = read();
    let (count, bytes) = (held.len(), held.iter().map(Item::size).sum::<u64>());
    let say = |what: &str, time: Duration, made: u64| {
        println!(
            "{what:34} {:7.2} µs an item  {:7.0} MB/s in  {:7.0} MB/s out",
            time.as_secs_f64() * 1e6 / count as f64,
            bytes as f64 / 1e6 / time.as_secs_f64(),
            made as f64 / 1e6 / time.as_secs_f64(),
        );
    };
    println!("{count} items, {:.1} MB", bytes as f64 / 1e6);
    let (time, _) = best(|| items(&paths, &options).map(|item| item.unwrap().size()).sum());
    say("origins: found and read", time, 0);

    let limits = Limits::default();
    let mut window = vec![0; 64 << 10];
    let (time, made) = best(|| {
        let mut made = 0;
        for item in &held {
            unpack(item, &limits, &mut |document| {
                while let Ok(count @ 1..) = document.content.read(&mut window) {
                    made += count as u64;
                }
            });
        }
        made
    });
    say("unpack", time, made);

    let (time, _) = best(|| {
        let mut parts = 0;
        for item in &held {
            let Content::Bytes(bytes) = &item.content else { continue };
            parts += MessageParser::default().parse(bytes).map_or(0, |mail| mail.parts.len() as u64);
        }
        parts
    });
    say("mail-parser alone", time, 0);

    let (time, made) = best(|| {
        let mut made = 0;
        for item in &held {
            let Content::Bytes(bytes) = &item.content else { continue };
            let mail = MessageParser::default().parse(bytes);
            for part in mail.iter().flat_map(|mail| &mail.parts) {
                if let PartType::Binary(body) | PartType::InlineBinary(body) = &part.body {
                    made += bare(body);
                }
            }
        }
        made
    });
    say("mail-parser, flate2 and zip, bare", time, made);
}

/// Inflates one attachment with what the libraries offer first.
fn bare(body: &[u8]) -> u64 {
    let mut out = Vec::new();
    if body.starts_with(b"PK") {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(body)).unwrap();
        for number in 0..archive.len() {
            archive.by_index(number).unwrap().read_to_end(&mut out).unwrap();
        }
    } else {
        flate2::read::GzDecoder::new(body).read_to_end(&mut out).unwrap();
    }
    out.len() as u64
}

/// The best of several runs within two seconds.
fn best(mut run: impl FnMut() -> u64) -> (Duration, u64) {
    let start = Instant::now();
    let mut best = (Duration::MAX, 0);
    while start.elapsed() < Duration::from_secs(2) {
        let at = Instant::now();
        let made = run();
        best = best.min((at.elapsed(), made));
    }
    best
}
