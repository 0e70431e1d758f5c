//! Questions to a store of ten million records, each as a whole process, and what the store weighs.
//!
//! ```sh
//! make bench-queries            # RECORDS=10000000; the store is made once and kept in the temporary folder
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const QUESTIONS: &[&[&str]] = &[
    &["rates"],
    &["rates", "--by", "day"],
    &["rates", "--by", "week"],
    &["rates", "--by", "reporter"],
    &["rates", "--by", "sender"],
    &["rates", "--by", "header-from"],
    &["rates", "--by", "source"],
    &["rates", "--by", "selector"],
    &["senders"],
    &["gaps"],
    &["simulate", "--p", "reject"],
    &["trend"],
    &["status"],
];

fn main() {
    let records: u64 = std::env::var("RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_000);
    let folder = std::env::temp_dir().join(format!("dmarcase-bench-queries-{records}"));
    let store = folder.join("store.duckdb");
    if !store.exists() {
        let corpus = folder.join("corpus");
        let reports = (records / 16).to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"));
        command.arg("corpus").arg(&corpus).args([
            "--reports",
            &reports,
            "--layout",
            "mbox",
            "--records-per-report",
            "16",
        ]);
        assert!(command.stdout(Stdio::null()).status().unwrap().success());
        let started = Instant::now();
        assert!(dmarcase(&store, &["import", corpus.to_str().unwrap()]));
        println!("import                   {:7.1} s", started.elapsed().as_secs_f64());
        fs::remove_dir_all(&corpus).ok();
    }
    let (held, bytes) = (count(&store), fs::metadata(&store).unwrap().len() as f64);
    println!("{held:.0} records, store {:.1} MB, {:.1} bytes a record", bytes / 1e6, bytes / held);
    for question in QUESTIONS {
        let once = |_| {
            let started = Instant::now();
            dmarcase(&store, question).then(|| started.elapsed())
        };
        match (0..5).filter_map(once).min() {
            Some(time) => println!("{:24} {:7.3} s", question.join(" "), time.as_secs_f64()),
            None => println!("{:24}  failed", question.join(" ")),
        }
    }
}

fn dmarcase(store: &Path, args: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
    command.args(["--no-progress", "--db"]).arg(store).args(args).stdout(Stdio::null());
    command.status().unwrap().success()
}

fn count(store: &Path) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
    command.args(["--format", "csv", "--db"]).arg(store).args(["sql", "SELECT count(*) FROM record"]);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().nth(1).and_then(|line| line.parse().ok()).unwrap()
}
