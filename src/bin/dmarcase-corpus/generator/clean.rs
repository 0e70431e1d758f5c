//! A healthy domain, on which no gap may fire: strict policy, everything aligned, every reporter there to the last day.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::corpus::Tally;
use super::pack::pack;
use super::report::{Dkim, Head, Policy, Record, Reporter, Shape, Spf, write_report};
use super::reporters::{BIG_SEARCH, ENTERPRISE_POST, NEW_STANDARD};
use super::rng::Rng;

const DOMAIN: &str = "healthy.example";
/// 2026-09-21, a Monday. Six weeks.
const START: i64 = 1_789_948_800;
const DAYS: i64 = 42;
const DAY: i64 = 86_400;
const CONFIG: &str = r#"# The one sender of healthy.example.

[[sender]]
name = "healthy-mta"
ips = ["192.0.2.10", "192.0.2.11"]
dkim = [{ domain = "healthy.example", selectors = ["s2026"] }]
from = ["healthy.example"]

[[domain]]
name = "healthy.example"
"#;

/// Writes `files/`, `dmarcase.toml` and `truth.json` of the healthy domain; today is 2026-11-02.
pub(crate) fn write(out: &Path) -> Result<Value> {
    let folder = out.join("files");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let reporters: [(Reporter, f64); 3] = [(BIG_SEARCH, 300.0), (ENTERPRISE_POST, 200.0), (NEW_STANDARD, 40.0)];
    let mut tally = Tally::default();
    let mut reports = 0;
    for (number, (reporter, daily)) in reporters.iter().enumerate() {
        for day in 0..DAYS {
            let mut rng = Rng::new(number as u64, day as u64);
            let rhythm = if day % 7 < 5 { 1.0 } else { 0.15 };
            let records: Vec<Record<'_>> = [(10, 0.6), (11, 0.4)]
                .map(|(last, share)| {
                    let count = daily * share * rhythm * (1.0 + 0.05 * rng.normal());
                    let source = [192, 0, 2, last].into();
                    Record { source, count: (count as u64).max(1), disposition: "none", shape: aligned() }
                })
                .to_vec();
            records.iter().for_each(|record| tally.add(record));
            reports += 1;
            let begin = START + day * DAY;
            let id = format!("{begin}.{number}");
            let policy = Policy {
                domain: DOMAIN,
                mode: "r",
                p: "reject",
                sp: Some("reject"),
                np: Some("reject"),
                testing: false,
            };
            let end = begin + DAY - i64::from(reporter.closed);
            let head = Head { reporter, id: &id, begin, end, policy, error: None };
            let mut xml = Vec::new();
            write_report(&mut xml, &head, &records);
            let packed = pack(&head.stem(None), reporter.container, &xml)?;
            fs::write(folder.join(&packed.name), &packed.bytes).context("cannot write a report")?;
        }
    }
    fs::write(out.join("dmarcase.toml"), CONFIG)?;
    let mut truth = tally.json(reports, 2);
    truth["as_of"] = json!("2026-11-02");
    truth["gaps"] = json!([]);
    fs::write(out.join("truth.json"), serde_json::to_vec_pretty(&truth)?)?;
    Ok(truth)
}

fn aligned() -> Shape<'static> {
    Shape {
        header_from: DOMAIN,
        envelope_from: DOMAIN,
        dkim: true,
        spf: true,
        dkim_results: [Some(Dkim { domain: DOMAIN, selector: "s2026", result: "pass", human: None }), None],
        spf_result: Spf { domain: DOMAIN, result: "pass" },
        reason: None,
    }
}
