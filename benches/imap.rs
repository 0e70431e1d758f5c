//! A mailbox into a store, beside the raw download of the same mails over a connection of the same kind.
//!
//! ```sh
//! make bench-imap                       # 20,000 mails, near and at 50 ms round trip; then 100,000 for memory
//! MAILS=5000 MEMORY_MAILS=0 make bench-imap
//! PARSEDMARC=path/to/parsedmarc make bench-imap     # with parsedmarc beside it, on a mailbox of 1,500
//! ```
//!
//! A Dovecot of its own on loopback, implicit TLS. Raw means: FETCH of 200 by UID range, 16 commands sent ahead as `fetch`
//! does, the bytes thrown away as they come off the TLS connection, without looking at them. A second raw figure is one
//! command after the other. Each figure is the best of three, the server's caches warm. Ratios hold on one machine only.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, dead_code)]

mod support;

#[path = "../tests/support/delay_proxy.rs"]
mod delay_proxy;
#[path = "../tests/support/dovecot.rs"]
mod dovecot;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use delay_proxy::DelayProxy;
use dovecot::Dovecot;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const BATCH: u64 = 200;

fn main() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let mails: u64 = number("MAILS", 20_000);
    println!("{mails} mails, {} cores", std::thread::available_parallelism().unwrap());
    let Some(server) = Dovecot::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path(), mails);
    server.fill("INBOX", &folder.path().join("mail"));
    let there = server.names("INBOX").len() as u64;
    // Once through, so that Dovecot's index and the page cache are warm for everybody.
    raw(&server, server.imaps, there, 16);
    let rate = compare("near", &server, server.imaps, there);
    if let Some(program) = std::env::var_os("PARSEDMARC") {
        let (count, time) = parsedmarc(Path::new(&program));
        let theirs = count as f64 / time.as_secs_f64();
        println!(
            "  parsedmarc                 {:7.3} s  {theirs:9.0} mails/s  (on {count} mails); dmarcase is {:.0} times as fast",
            time.as_secs_f64(),
            rate / theirs
        );
    }
    let far = DelayProxy::start(server.imaps, Duration::from_millis(50));
    compare("50 ms round trip", &server, far.port, there);
    let store = folder.path().join("empty-poll");
    fetch(&server, server.imaps, &store);
    let before = far.round_trips();
    fetch(&server, far.port, &store);
    println!("a poll that finds nothing new: {} round trips", far.round_trips() - before);
    memory(number("MEMORY_MAILS", 100_000));
}

/// Compares, and returns the mails a second of `fetch`.
fn compare(way: &str, server: &Dovecot, port: u16, mails: u64) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut peak = 0;
    let mut n = 0;
    let one = best(|| raw(server, port, mails, 0));
    let ahead = best(|| raw(server, port, mails, 16));
    let ours = best(|| {
        n += 1;
        peak = peak.max(fetch(server, port, &folder.path().join(n.to_string())));
    });
    let rate = |time: Duration| mails as f64 / time.as_secs_f64();
    println!("{way}");
    println!("  raw, one command at a time {:7.3} s  {:9.0} mails/s", one.as_secs_f64(), rate(one));
    println!("  raw, 16 commands ahead     {:7.3} s  {:9.0} mails/s", ahead.as_secs_f64(), rate(ahead));
    println!(
        "  dmarcase fetch             {:7.3} s  {:9.0} mails/s  {:.0}% and {:.0}% of raw, {} MB peak",
        ours.as_secs_f64(),
        rate(ours),
        100.0 * one.as_secs_f64() / ours.as_secs_f64(),
        100.0 * ahead.as_secs_f64() / ours.as_secs_f64(),
        peak / 1024
    );
    rate(ours)
}

/// Runs parsedmarc offline over a mailbox of its own, all of it in one batch, nothing moved.
fn parsedmarc(program: &Path) -> (u64, Duration) {
    let server = Dovecot::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path(), 1500);
    server.fill("INBOX", &folder.path().join("mail"));
    let count = server.names("INBOX").len() as u64;
    let config = folder.path().join("parsedmarc.ini");
    let text = format!(
        "[general]\nsave_aggregate = True\noffline = True\nn_procs = 2\nsilent = True\noutput = {}\n\
         [mailbox]\nwatch = False\ntest = True\nbatch_size = {count}\n\
         [imap]\nhost = 127.0.0.1\nport = {}\nssl = True\nskip_certificate_verification = True\nuser = dmarc\npassword = secret\n",
        folder.path().join("out").display(),
        server.imaps
    );
    std::fs::write(&config, text).unwrap();
    let started = Instant::now();
    let output = Command::new(program).arg("-c").arg(&config).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let time = started.elapsed();
    let stored = std::fs::read_to_string(folder.path().join("out/aggregate.csv")).unwrap_or_default();
    assert!(stored.lines().count() > 1000, "parsedmarc stored nothing: {}", String::from_utf8_lossy(&output.stderr));
    (count, time)
}

/// Peak memory with very many mails in the folder, all of them new.
fn memory(mails: u64) {
    if mails == 0 {
        return;
    }
    let Some(server) = Dovecot::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path(), mails);
    server.fill("INBOX", &folder.path().join("mail"));
    let started = Instant::now();
    let peak = fetch(&server, server.imaps, &folder.path().join("store"));
    println!("{mails} mails at once: {} MB peak, {:.1} s", peak / 1024, started.elapsed().as_secs_f64());
}

fn best(mut run: impl FnMut()) -> Duration {
    (0..3)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .min()
        .unwrap()
}

fn corpus(folder: &Path, reports: u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"));
    command.arg("corpus").arg(folder).args(["--reports", &reports.to_string(), "--layout", "maildir", "--dup", "1"]);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

/// Runs `fetch` into a store and returns its peak memory, KB.
fn fetch(server: &Dovecot, port: u16, store: &Path) -> u64 {
    let config = server.path("bench.toml");
    std::fs::write(&config, server.mailbox_at(port, "")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dmarcase"))
        .args(["-q", "--no-progress", "--db"])
        .arg(store)
        .arg("--config")
        .arg(&config)
        .arg("fetch")
        .env("TEST_PASSWORD", "secret")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (ended, peak) = support::peak_of(&mut child);
    assert!(ended.success());
    peak
}

/// Downloads every mail and throws it away.
fn raw(server: &Dovecot, port: u16, mails: u64, ahead: u64) {
    let mut line = connect(server, port);
    let mut rest = Vec::new();
    until(&mut line, &mut rest, "* OK");
    for (tag, command) in [("a", "LOGIN dmarc secret"), ("b", "EXAMINE INBOX")] {
        write!(line, "{tag} {command}\r\n").unwrap();
        until(&mut line, &mut rest, &format!("{tag} OK"));
    }
    let batches = mails.div_ceil(BATCH);
    let ask = |line: &mut StreamOwned<ClientConnection, TcpStream>, n: u64| {
        let (first, last) = (n * BATCH + 1, ((n + 1) * BATCH).min(mails));
        write!(line, "T{n}T UID FETCH {first}:{last} (UID INTERNALDATE BODY.PEEK[])\r\n").unwrap();
        line.flush().unwrap();
    };
    let mut asked = 0;
    for n in 0..batches {
        while asked < batches && asked <= n + ahead {
            ask(&mut line, asked);
            asked += 1;
        }
        until(&mut line, &mut rest, &format!("T{n}T OK"));
    }
}

fn connect(server: &Dovecot, port: u16) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(server.ca()).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp)
}

/// Reads and throws away, up to and including a line that begins with `mark`; `rest` carries what came behind it.
fn until(line: &mut impl Read, rest: &mut Vec<u8>, mark: &str) {
    let mark = format!("{}{mark}", if mark.starts_with('*') { "" } else { "\n" });
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(at) = memchr::memmem::find(rest, mark.as_bytes())
            && let Some(end) = memchr::memchr(b'\n', &rest[at + mark.len()..])
        {
            rest.drain(..at + mark.len() + end);
            return;
        }
        // A mark may be cut in two.
        let keep = rest.len().saturating_sub(512);
        rest.drain(..keep);
        let read = line.read(&mut buffer).unwrap();
        assert!(read > 0, "the server closed the connection");
        rest.extend_from_slice(&buffer[..read]);
    }
}
