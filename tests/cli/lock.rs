//! One writer, and readers beside each other: who finds the store locked waits, then says who holds it.

use std::time::Duration;

use crate::support::{World, samples};

#[test]
fn a_reader_beside_a_writer_waits_and_succeeds() {
    let world = World::new();
    world.import(&samples().join("rua"));
    let writer = duckdb::Connection::open(world.db()).unwrap();
    writer.execute_batch("CREATE TEMP TABLE t (x INTEGER)").unwrap();
    let reader = world.command(&["--format", "json", "rates"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    drop(writer);
    assert!(reader.wait_with_output().unwrap().status.success());
}

#[test]
fn a_lock_that_stays_names_its_holder() {
    let world = World::new();
    world.import(&samples().join("rua"));
    let writer = duckdb::Connection::open(world.db()).unwrap();
    writer.execute_batch("CREATE TEMP TABLE t (x INTEGER)").unwrap();
    let output = world.run(&["--wait", "0.2", "rates"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains(&std::process::id().to_string()) && told.contains("--wait"), "{told}");
}

/// Two imports at once: one waits for the other between batches, and nothing is stored twice.
#[test]
fn two_writers_take_turns() {
    let world = World::new();
    let rua = samples().join("rua");
    let start =
        || world.command(&["import", rua.to_str().unwrap()]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut both = [start(), start()];
    assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(world.number("SELECT count(*) FROM report"), crate::story::outcomes::STORED);
    assert_eq!(world.number("SELECT count(DISTINCT report_key) FROM report"), crate::story::outcomes::STORED);
}
