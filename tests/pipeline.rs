//! The pipeline when a part of it breaks: a panic ends the run, loudly, and nobody waits for what will never come. And what reports
//! that take much memory may take of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/unpacking.rs"]
mod unpacking;

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::pipeline::{Feeder, ItemReader, Options, Progress, run};
use dmarcase::store::{Committed, Found, Writer};
use dmarcase::unpack::Limits;

use unpacking::{item, zip};

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

/// A report whose records have 12,000 bytes of text each, none like another.
fn heavy(id: u64, records: usize) -> Vec<u8> {
    let comment = |text: &str| format!("<reason><type>other</type><comment>{text}</comment></reason>");
    let long = comment(&"c".repeat(4000)).repeat(2);
    let record = |n: usize| {
        let own = comment(&format!("{n} {}", "c".repeat(3990)));
        format!(
            "<record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition>\
             <dkim>pass</dkim><spf>pass</spf>{own}{long}</policy_evaluated></row><identifiers><header_from>shop.example\
             </header_from></identifiers><auth_results><spf><domain>shop.example</domain><result>pass</result></spf>\
             </auth_results></record>"
        )
    };
    let records: String = (0..records).map(record).collect();
    format!(
        "<feedback><report_metadata><org_name>Receiver</org_name><email>d@receiver.example</email><report_id>{id}</report_id>\
         <date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata>\
         <policy_published><domain>shop.example</domain><p>none</p></policy_published>{records}</feedback>"
    )
    .into_bytes()
}

#[test]
fn reports_that_take_more_memory_than_there_is_room_for_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let writer = Writer::begin(&path, Duration::from_secs(10), "import").unwrap();
        // The light one behind the heavy ones of every round is read long before them, and comes after them all the same.
        let feed = |feeder: &mut Feeder<'_>| {
            for member in 0..12 {
                let origin = Origin::File { path: "some.mbox".to_owned(), member: Some(member) };
                let content = Content::Bytes(heavy(member, if member % 4 == 3 { 1 } else { 2500 }));
                feeder.item(Item { origin, content, received_at: None }).unwrap();
            }
            Ok::<(), Infallible>(())
        };
        let mut order = Vec::new();
        let mut told = |items: &[Committed]| {
            order.extend(items.iter().map(|item| match &item.origin {
                Origin::File { member, .. } => member.unwrap(),
                Origin::Mailbox { .. } => panic!("no mailbox here"),
            }));
        };
        let mut options = Options::new(&Limits::default());
        options.workers = 4;
        let (counts, store) = run(|| Ok(writer), &options, &Progress::default(), feed, &mut told).unwrap();
        drop(store);
        ended.send((counts.reports_stored, counts.records, order)).ok();
    });
    let (reports, records, order) = end.recv_timeout(Duration::from_secs(120)).expect("they wait for ever");
    assert_eq!((reports, records), (12, 9 * 2500 + 3));
    assert_eq!(order, (0..12).collect::<Vec<_>>());
}

#[test]
fn the_reports_of_one_item_take_no_more_memory_than_one_report_may() {
    // 48 MB each: four are below 224 MiB, five are not. A small one finds room again.
    let documents: Vec<Vec<u8>> = (0..7).map(|n| heavy(n, if n == 6 { 1 } else { 4000 })).collect();
    let names: Vec<String> = (0..7).map(|n| format!("{n}.xml")).collect();
    let members: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(documents.iter().map(Vec::as_slice)).collect();
    let limits = Limits { ratio: u64::MAX, ..Limits::default() };
    let read = ItemReader::new(&limits).read(item("a.zip", zip(&members)));
    let found: Vec<&str> = read
        .documents
        .iter()
        .map(|document| match &document.found {
            Found::Report { .. } => "report",
            Found::Rejected { code, .. } => code.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, ["report", "report", "report", "report", "results_bytes", "results_bytes", "report"]);
}
