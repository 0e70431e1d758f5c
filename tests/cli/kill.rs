//! Killed at any moment, a store opens, holds whole batches only, and the same import completes it exactly.

use std::process::Stdio;
use std::time::{Duration, Instant};

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
            // A file without its first migration is not yet a store.
            if world.run(&["status"]).status.success() {
                assert_eq!(world.number(broken), 0, "after kill {step}");
                let orphans = "SELECT count(*) FROM record WHERE report_no NOT IN (SELECT report_no FROM report)";
                assert_eq!(world.number(orphans), 0, "after kill {step}");
            }
        }
    }
    world.import(&folder);
    assert_eq!(world.contents(), clean.contents());
    let ledger = "SELECT count(*) FROM ledger WHERE outcome IN ('stored', 'duplicate')";
    assert_eq!(world.number(ledger), clean.number(ledger));
}
