//! Speed of reading delivery logs: megabytes a second on all cores, beside `pflogsumm` on the same file where it is installed.
//!
//! `cargo bench --bench delivery` (or with `DMARCASE_BENCH_MB=200`). Each figure is the best of three rounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use chrono::{TimeZone, Utc};
use dmarcase::evidence::{Options, Reader, Recipients, read_path};

fn main() {
    let megabytes: usize = std::env::var("DMARCASE_BENCH_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    write_log(&path, megabytes << 20);
    let size = std::fs::metadata(&path).unwrap().len() as f64 / 1e6;
    let ours = (0..3).map(|_| read(&path)).fold(f64::MAX, f64::min);
    println!("dmarcase: {size:.0} MB in {ours:.2} s, {:.0} MB/s", size / ours);
    match pflogsumm(&path) {
        Some(theirs) => println!(
            "pflogsumm: {size:.0} MB in {theirs:.2} s, {:.1} MB/s; dmarcase is {:.0} times as fast",
            size / theirs,
            theirs / ours
        ),
        None => println!("pflogsumm: not installed (Debian package pflogsumm)"),
    }
}

fn read(path: &Path) -> f64 {
    let options = Options::new(Utc.with_ymd_and_hms(2026, 12, 1, 0, 0, 0).unwrap());
    let reader = Reader::new(options, Recipients::new([7; 32], false)).unwrap();
    let started = Instant::now();
    let mut attempts = 0;
    let (_, counts) = read_path(&reader, path, &mut |batch| {
        attempts += batch.attempts();
        Ok(())
    })
    .unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "  {attempts} attempts, {} lines, {} not understood, {} response shapes, {seconds:.2} s",
        counts.lines,
        counts.unknown_lines(),
        reader.responses.len()
    );
    seconds
}

fn pflogsumm(path: &Path) -> Option<f64> {
    let started = Instant::now();
    let status = Command::new("pflogsumm").arg(path).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then(|| started.elapsed().as_secs_f64())
}

/// A day's log of one busy host: each message is connected, cleaned up, queued, tried once or more, and removed.
fn write_log(path: &Path, size: usize) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut written = 0;
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut text = String::new();
    let mut message = 0u64;
    while written < size {
        text.clear();
        let second = message / 40;
        let (day, hour, minute, sec) = (1 + second / 86_400, second / 3600 % 24, second / 60 % 60, second % 60);
        let stamp = format!("Nov {day:2} {hour:02}:{minute:02}:{sec:02} mx1");
        let queue = format!("{:05X}{:07X}", random(1 << 20), 0x180_0000 + message % 5000);
        let from = format!("bounce+{}@mail.northwind.example", random(1 << 40));
        let domain = format!("corp{}.test", random(4000));
        let local = format!("user{}", random(200_000));
        let pid = 900 + random(50);
        let peer = format!("app{}.northwind.example[198.51.100.{}]", random(4), random(4));
        let _ = writeln!(text, "{stamp} postfix/smtpd[{pid}]: connect from {peer}");
        let _ = writeln!(text, "{stamp} postfix/smtpd[{pid}]: {queue}: client={peer}");
        let _ = writeln!(
            text,
            "{stamp} postfix/cleanup[811]: {queue}: message-id=<{message:x}.{}@northwind.example>",
            random(1 << 40)
        );
        let _ = writeln!(
            text,
            "{stamp} postfix/qmgr[702]: {queue}: from=<{from}>, size={}, nrcpt=1 (queue active)",
            2000 + random(90_000)
        );
        let _ = writeln!(
            text,
            "{stamp} postfix/smtpd[{pid}]: disconnect from {peer} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
        );
        let host = format!(
            "mx{}-00{:06x}.pphosted.com[203.0.113.{}]",
            if random(2) == 0 { "0a" } else { "0b" },
            random(4000),
            random(200)
        );
        if random(6) == 0 {
            let _ = writeln!(
                text,
                "{stamp} postfix/smtp[{pid}]: {queue}: to=<{local}@{domain}>, relay={host}:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=4.0.0, status=deferred (host {host} refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10)"
            );
        }
        let _ = writeln!(
            text,
            "{stamp} postfix/smtp[{pid}]: {queue}: to=<{local}@{domain}>, relay={host}:25, delay=1.8, delays=0.1/0.01/0.9/0.8, dsn=2.0.0, status=sent (250 2.0.0 {:x} Message accepted for delivery)",
            0x3f_0000_0000 + random(1 << 34)
        );
        let _ = writeln!(text, "{stamp} postfix/qmgr[702]: {queue}: removed");
        out.write_all(text.as_bytes()).unwrap();
        written += text.len();
        message += 1;
    }
    out.flush().unwrap();
}
