//! The reader on one core, beside quick-xml's bare events on the same reports: what reading costs over tokenising.
//!
//! `DMARCASE_CORPUS=FOLDER cargo bench --bench reader` reads every `.xml` of the folder; without it, reports made here.
#![allow(missing_docs, reason = "criterion's macros write items without docs")]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dmarcase::parse::{Reader, ReaderLimits, Reading};

/// Documents as bytes: those of the folder, else made by a small counter that repeats names as real reports do.
fn documents() -> Vec<Vec<u8>> {
    if let Some(folder) = std::env::var_os("DMARCASE_CORPUS") {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "xml")).collect();
        files.sort();
        let documents: Vec<_> = files.iter().filter_map(|path| std::fs::read(path).ok()).collect();
        assert!(!documents.is_empty(), "no .xml file in {}", folder.display());
        return documents;
    }
    (0..500).map(made).collect()
}

fn made(n: usize) -> Vec<u8> {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n  <report_metadata>\n    <org_name>receiver{}.example\
         </org_name>\n    <email>dmarc@receiver.example</email>\n    <report_id>{n}</report_id>\n    <date_range>\n      \
         <begin>1709251200</begin>\n      <end>1709337599</end>\n    </date_range>\n  </report_metadata>\n  \
         <policy_published>\n    <domain>shop.example</domain>\n    <p>none</p>\n  </policy_published>\n",
        n % 10
    );
    for i in 0..16 {
        let (host, kind) = (n * 16 + i, (n * 7 + i * i) % 40);
        xml += &format!(
            "  <record>\n    <row>\n      <source_ip>192.0.2.{}</source_ip>\n      <count>{}</count>\n      \
             <policy_evaluated>\n        <disposition>none</disposition>\n        <dkim>pass</dkim>\n        \
             <spf>fail</spf>\n      </policy_evaluated>\n    </row>\n    <identifiers>\n      <header_from>m{kind}\
             .shop.example</header_from>\n    </identifiers>\n    <auth_results>\n      <dkim>\n        <domain>\
             shop.example</domain>\n        <selector>s{}</selector>\n        <result>pass</result>\n      </dkim>\n      \
             <spf>\n        <domain>m{kind}.shop.example</domain>\n        <result>softfail</result>\n      </spf>\n    \
             </auth_results>\n  </record>\n",
            host % 256,
            host % 97 + 1,
            kind % 3
        );
    }
    (xml + "</feedback>\n").into_bytes()
}

fn records(reader: &mut Reader, documents: &[Vec<u8>]) -> usize {
    let read = |document: &Vec<u8>| match reader.read(&mut document.as_slice()) {
        Reading::Report(report) => report.records.len(),
        Reading::NotAReport(_) | Reading::Rejected(_) | Reading::Unreadable(_) => 0,
    };
    documents.iter().map(read).sum()
}

fn events(documents: &[Vec<u8>]) -> usize {
    let mut events = 0;
    for text in documents.iter().filter_map(|document| std::str::from_utf8(document).ok()) {
        let mut xml = quick_xml::Reader::from_str(text);
        while !matches!(xml.read_event(), Ok(quick_xml::events::Event::Eof) | Err(_)) {
            events += 1;
        }
    }
    events
}

fn bench(c: &mut Criterion) {
    let documents = documents();
    let mut group = c.benchmark_group("reader");
    group.throughput(Throughput::Bytes(documents.iter().map(|d| d.len() as u64).sum()));
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    group.bench_function("bare events (floor)", |b| b.iter(|| events(&documents)));
    let fresh = |memo| Reader::with_window(ReaderLimits::default(), 256 << 10, memo);
    group.bench_function("without memory of records", |b| b.iter(|| records(&mut fresh(false), &documents)));
    group.bench_function("fresh reader", |b| b.iter(|| records(&mut fresh(true), &documents)));
    let mut warm = fresh(true);
    group.bench_function("warm reader", |b| b.iter(|| records(&mut warm, &documents)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
