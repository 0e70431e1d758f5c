//! One report of very many records, written as a stream.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::corpus::{Domain, REPORTERS, Tally, address_number, record};
use super::report::{Head, write_head, write_record, write_tail};
use super::rng::Rng;

/// Writes one report of `records` records as gzip to `out`, and its truth to `out` with `.truth.json` behind it.
pub(crate) fn one_large(out: &Path, records: u64, seed: u64) -> Result<Value> {
    let file = BufWriter::new(File::create(out).with_context(|| format!("cannot write {}", out.display()))?);
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(file, Compression::new(6));
    let mut rng = Rng::new(seed, 0);
    let domain = Domain::new(2);
    let (reporter, _, _) = &REPORTERS[1];
    let begin = 1_735_689_600;
    let id = format!("large-{records}-{seed}");
    let head = Head { reporter, id: &id, begin, end: begin + 86_400, policy: domain.published(), error: None };
    let mut tally = Tally::default();
    let mut sources = FxHashSet::default();
    let mut buffer = Vec::with_capacity(1 << 20);
    let mut xml_bytes = 0;
    write_head(&mut buffer, &head);
    for _ in 0..records {
        let record = record(&mut rng, &domain);
        tally.add(&record);
        sources.insert(address_number(record.source));
        write_record(&mut buffer, reporter, &record);
        if buffer.len() > 900_000 {
            xml_bytes += buffer.len();
            gzip.write_all(&buffer)?;
            buffer.clear();
        }
    }
    write_tail(&mut buffer, reporter);
    xml_bytes += buffer.len();
    gzip.write_all(&buffer)?;
    gzip.finish()?.flush()?;
    let mut truth = tally.json(1, sources.len());
    truth["xml_bytes"] = json!(xml_bytes);
    let beside = format!("{}.truth.json", out.display());
    fs::write(&beside, serde_json::to_vec_pretty(&truth)?).with_context(|| format!("cannot write {beside}"))?;
    Ok(truth)
}
