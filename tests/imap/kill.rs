//! Killed twenty times in the middle of a fetch, then one clean poll: the store equals the truth, and no mail is left behind
//! or moved unstored.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::dovecot::Dovecot;
use crate::world::{World, corpus};

#[test]
fn twenty_kills_lose_nothing_and_move_nothing_unstored() {
    let Some(server) = Dovecot::start() else { return };
    // The way of each mail shows in the store: a moved one is a committed one.
    let world = World::new(&server.mailbox("after = \"move:Done\""));
    let truth = corpus(&world.path("corpus"), 3000);
    server.fill("INBOX", &world.path("corpus/mail"));
    let all = server.names("INBOX").len() as u64;
    // How long a whole fetch takes here, on a store of its own and with mail that stays.
    let trial = World::new(&server.mailbox(""));
    let started = Instant::now();
    trial.json(&["fetch"]);
    let whole = started.elapsed();
    for step in 1..=20u32 {
        let mut child = world.command(&["fetch"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Spread over the whole run, and beyond its end for the moves; a fixed sequence, so that it can be looked at again.
        std::thread::sleep(whole.mul_f64(f64::from(step * 7 % 20) / 14.0) + Duration::from_millis(30));
        child.kill().unwrap();
        child.wait().unwrap();
        // The server goes on with the last command that it got: until it is done, a mail on its way may be seen twice.
        let end = Instant::now() + Duration::from_secs(20);
        let counted = || (server.names("INBOX").len() as u64, server.names("Done").len() as u64);
        let (mut left, mut moved) = counted();
        while left + moved != all && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
            (left, moved) = counted();
        }
        assert_eq!(left + moved, all, "after kill {step}");
        if moved > 0 {
            let stored = world.number("SELECT count(DISTINCT uid) FROM ledger");
            assert!(stored >= moved, "after kill {step}: {moved} moved, {stored} stored");
        }
    }
    world.json(&["fetch"]);
    assert_eq!(server.names("INBOX").len(), 0, "no mail is left behind");
    assert_eq!(server.names("Done").len() as u64, all);
    assert_eq!(world.number("SELECT count(*) FROM report"), truth["reports"].as_u64().unwrap());
    assert_eq!(world.number("SELECT count(*) FROM record"), truth["records"].as_u64().unwrap());
    assert_eq!(world.number("SELECT sum(messages)::BIGINT FROM record"), truth["messages"].as_u64().unwrap());
    assert_eq!(world.number("SELECT count(DISTINCT uid) FROM ledger"), all);
    let again = world.json(&["fetch"]);
    assert_eq!(again["items"], 0);
}
