//! Killed at any moment, a store opens, holds whole batches only, and the same import completes it exactly.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::support::{World, corpus};

#[test]
fn killed_at_random_moments_then_completed_equals_one_clean_run() {
    let world = World::new();
    let folder = world.path("corpus");
    corpus(&folder, &["--reports", "2500", "--layout", "maildir", "--dup", "3"]);
    let clean = World::new();
    let started = Instant::now();
    clean.import(&folder);
    let whole = started.elapsed();
    // Moments spread over the whole run by a fixed sequence, so that a failure can be looked at again.
    for step in 1..=12u32 {
        let mut child = world
            .command(&["import", folder.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_nanos((whole.as_nanos() as u64 / 13) * u64::from(step * 5 % 13)));
        child.kill().unwrap();
        child.wait().unwrap();
        if world.db().exists() {
            let broken = "SELECT count(*) FROM report p WHERE p.records <> (SELECT count(*) FROM record r WHERE r.report_no = p.report_no)";
            world.text(&["status"]);
            assert_eq!(world.number(broken), 0, "after kill {step}");
            let orphans = "SELECT count(*) FROM record WHERE report_no NOT IN (SELECT report_no FROM report)";
            assert_eq!(world.number(orphans), 0, "after kill {step}");
        }
    }
    world.import(&folder);
    assert_eq!(world.contents(), clean.contents());
    let ledger = "SELECT count(*) FROM ledger WHERE outcome IN ('stored', 'duplicate')";
    assert_eq!(world.number(ledger), clean.number(ledger));
}

/// The moments that a clock hardly ever hits: half of every single write to the store and the files beside it. The first import
/// makes the store, the second one adds to it.
#[test]
#[cfg(target_os = "linux")]
fn cut_off_in_the_middle_of_any_write_then_completed_equals_one_clean_run() {
    let clean = World::new();
    let (first, second) = (clean.path("first"), clean.path("second"));
    corpus(&first, &["--reports", "12", "--layout", "maildir"]);
    corpus(&second, &["--reports", "12", "--layout", "maildir", "--seed", "2"]);
    let cutter = cutter(&clean);
    let import = |world: &World, folder: &PathBuf, variable: &str, value: &str| {
        let mut command = world.command(&["import", folder.to_str().unwrap()]);
        command.env("LD_PRELOAD", &cutter).env(variable, value).output().unwrap().status
    };
    let changes = |folder: &PathBuf| {
        let log = clean.path("changes");
        assert!(import(&clean, folder, "CUT_LOG", log.to_str().unwrap()).success());
        let count = std::fs::read_to_string(&log).unwrap().lines().count();
        std::fs::remove_file(&log).unwrap();
        count
    };
    let (of_first, of_second) = (changes(&first), changes(&second));
    assert!(of_first > 30 && of_second > 30, "{of_first} and {of_second}: the cutter sees the writes");
    let expected = clean.contents();
    let one = |(number, at): (usize, usize)| {
        let world = World::new();
        let place = format!("import {number} cut in change {at}");
        if number == 2 {
            world.import(&first);
        }
        let cut = import(&world, if number == 1 { &first } else { &second }, "CUT_AT", &at.to_string());
        // How many writes there are differs by a few from run to run.
        assert!(!cut.success() || at > 30, "{place}: nothing was cut");
        if world.db().exists() {
            let status = world.run(&["status"]);
            assert!(status.status.success(), "{place}: {}", String::from_utf8_lossy(&status.stderr));
        }
        world.json(&["import", first.to_str().unwrap(), second.to_str().unwrap()]);
        assert_eq!(world.contents(), expected, "{place}");
    };
    let cuts = (1..=of_first).map(|at| (1, at)).chain((1..=of_second).map(|at| (2, at)));
    cuts.collect::<Vec<_>>().into_par_iter().for_each(one);
}

/// Compiles what cuts the program off.
fn cutter(world: &World) -> PathBuf {
    let library = world.path("cut.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/cut.c");
    let compiler = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    assert!(compiler.expect("a C compiler, as the build needs it").success());
    library
}
