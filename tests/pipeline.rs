//! The pipeline when a part of it breaks: a panic ends the run, loudly, and nobody waits for what will never come.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::pipeline::{Feeder, Options, Progress, run};
use dmarcase::store::{Committed, Writer};
use dmarcase::unpack::Limits;

/// Far more bytes than may be in flight.
const ITEMS: u64 = 200;
const ITEM_BYTES: usize = 1 << 20;

#[test]
fn a_panic_behind_the_commit_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(|| {
            let writer = Writer::begin(&path, Duration::from_secs(10), "import").unwrap();
            let feed = |feeder: &mut Feeder<'_>| {
                for member in 0..ITEMS {
                    let origin = Origin::File { path: "some.mbox".to_owned(), member: Some(member) };
                    let content = Content::Bytes(vec![b'x'; ITEM_BYTES]);
                    if feeder.item(Item { origin, content, received_at: None }).is_err() {
                        break;
                    }
                }
                Ok::<(), Infallible>(())
            };
            let mut told = |_: &[Committed]| panic!("whoever is told breaks");
            run(|| Ok(writer), &Options::new(&Limits::default()), &Progress::default(), feed, &mut told).map(drop)
        }));
        ended.send(done.is_err()).ok();
    });
    let panicked = end.recv_timeout(Duration::from_secs(60)).expect("the feeder waits for ever");
    assert!(panicked, "the panic is passed on");
}
