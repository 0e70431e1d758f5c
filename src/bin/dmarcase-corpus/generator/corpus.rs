//! A corpus of any size, realistic in reporters, containers, counts and senders, with the truth that a reader must find.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::mail::{ReportMail, report_mail, to_mbox};
use super::pack::pack;
use super::report::{Container, Dkim, Head, Policy, Record, Reporter, Shape, Spf, write_report};
use super::reporters::{
    BIG_SEARCH, CABLE_ISP, CLOUD_RELAY, ENTERPRISE_POST, FREUNDPOST, HOME_POST, MAIL_SHIELD, NEW_STANDARD, POCHTA,
    PURPLE_MAIL, QUICK_MAIL,
};
use super::rng::Rng;

/// How the reports of a corpus lie in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Layout {
    /// `files/`: bare `.xml.gz`, `.zip` and `.xml`.
    Files,
    /// `mail/cur` and `mail/new`: one mail a file.
    Maildir,
    /// `reports.mbox`.
    Mbox,
}

/// What corpus to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Distinct reports.
    pub(crate) reports: u64,
    /// Seed of everything.
    pub(crate) seed: u64,
    /// Policy domains.
    pub(crate) domains: u64,
    /// Layout on disk.
    pub(crate) layout: Layout,
    /// Percent sent twice.
    pub(crate) dup: f64,
    /// Mean records of a report.
    pub(crate) records_per_report: Option<f64>,
    /// Reports that come again with other content.
    pub(crate) conflicts: u64,
}

const DAY: i64 = 86_400;
/// 2025-01-01.
const START: i64 = 1_735_689_600;

/// The reporters, with their weight and how many records they send beyond the first.
pub(super) const REPORTERS: [(Reporter, u32, f64); 11] = [
    (BIG_SEARCH, 30, 9.0),
    (ENTERPRISE_POST, 24, 6.0),
    (HOME_POST, 8, 4.0),
    (PURPLE_MAIL, 10, 5.0),
    (CLOUD_RELAY, 8, 2.0),
    (MAIL_SHIELD, 5, 3.0),
    (POCHTA, 3, 2.0),
    (FREUNDPOST, 4, 2.0),
    (QUICK_MAIL, 3, 1.0),
    (CABLE_ISP, 3, 2.0),
    (NEW_STANDARD, 2, 3.0),
];

/// Where a sender's addresses lie.
enum Block {
    /// IPv4 from this number on.
    V4([u8; 4]),
    /// IPv6: this prefix, the host in the last 32 bits.
    V6([u16; 4]),
}

/// A sender of the corpus: addresses, how many, DKIM and SPF domain (empty: the mail's own), weight, P(DKIM aligned), P(SPF aligned).
struct Sender(Block, u64, &'static str, &'static str, u32, f64, f64);

// 198.18.0.0/15 is reserved for benchmarks (RFC 2544), and the only reserved block large enough for real senders' diversity.
const SENDERS: [Sender; 7] = [
    Sender(Block::V4([198, 51, 100, 1]), 12, "", "", 50, 0.99, 0.98),
    Sender(Block::V4([198, 18, 0, 1]), 600, "", "", 15, 0.97, 0.95),
    Sender(Block::V4([198, 18, 16, 1]), 1_500, "", "", 14, 0.96, 0.95),
    Sender(Block::V4([203, 0, 113, 1]), 6, "", "sendgrid.net", 8, 0.97, 0.0),
    Sender(Block::V4([192, 0, 2, 1]), 200, "mcsv.net", "mcsv.net", 4, 0.0, 0.0),
    Sender(Block::V6([0x2001, 0xdb8, 0x4f, 0]), 4_000, "", "forwarder.example", 5, 0.9, 0.0),
    Sender(Block::V4([198, 19, 0, 1]), 20_000, "bad-actor.example", "bad-actor.example", 4, 0.0, 0.0),
];
const SUBDOMAINS: [&str; 3] = ["mail", "news", "billing"];
const SELECTORS: [&str; 3] = ["s0", "s1", "s2"];
const POLICIES: [&str; 3] = ["none", "quarantine", "reject"];

/// A policy domain of the corpus, with its names ready.
pub(super) struct Domain {
    name: String,
    subdomains: Vec<String>,
    policy: &'static str,
}

impl Domain {
    /// The domain of a number.
    pub(super) fn new(number: u64) -> Self {
        let name = format!("brand{number:03}.example");
        let subdomains = SUBDOMAINS.iter().map(|s| format!("{s}.{name}")).collect();
        Self { name, subdomains, policy: POLICIES[(number % 3) as usize] }
    }

    pub(super) fn published(&self) -> Policy<'_> {
        Policy {
            domain: &self.name,
            mode: "r",
            p: self.policy,
            sp: Some(self.policy),
            np: Some("reject"),
            testing: false,
        }
    }
}

/// What one report adds to the truth.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) messages: u64,
    pub(super) pass: u64,
    pub(super) dkim: u64,
    pub(super) spf: u64,
    pub(super) quarantined: u64,
    pub(super) rejected: u64,
}

impl Tally {
    pub(super) fn add(&mut self, record: &Record<'_>) {
        let n = |wanted: bool| if wanted { record.count } else { 0 };
        self.records += 1;
        self.messages += record.count;
        self.pass += n(record.pass());
        self.dkim += n(record.shape.dkim);
        self.spf += n(record.shape.spf);
        self.quarantined += n(record.disposition == "quarantine");
        self.rejected += n(record.disposition == "reject");
    }

    fn join(&mut self, other: &Self) {
        self.records += other.records;
        self.messages += other.messages;
        self.pass += other.pass;
        self.dkim += other.dkim;
        self.spf += other.spf;
        self.quarantined += other.quarantined;
        self.rejected += other.rejected;
    }

    pub(super) fn json(&self, reports: u64, sources: usize) -> Value {
        json!({"reports": reports, "records": self.records, "messages": self.messages, "pass": self.pass,
            "dkim_aligned": self.dkim, "spf_aligned": self.spf, "quarantined": self.quarantined,
            "rejected": self.rejected, "sources": sources})
    }
}

/// Makes a record of a domain's mail.
pub(super) fn record<'a>(rng: &mut Rng, domain: &'a Domain) -> Record<'a> {
    let weights = SENDERS.each_ref().map(|s| s.4);
    let number = rng.weighted(&weights);
    let Sender(block, size, dkim_domain, spf_domain, _, p_dkim, p_spf) = &SENDERS[number];
    let (dkim, spf) = (rng.chance(*p_dkim), rng.chance(*p_spf));
    let count = (rng.pareto(0.9) as u64).min(200_000);
    let header_from = if rng.chance(0.8) { &domain.name } else { rng.pick(&domain.subdomains) };
    // A few addresses carry most of a sender's mail.
    let host = (rng.pareto(0.6) as u64 - 1) % size;
    let source = match *block {
        Block::V4(first) => IpAddr::V4(Ipv4Addr::from(u32::from_be_bytes(first) + host as u32)),
        Block::V6([a, b, c, d]) => {
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, (host >> 16) as u16, (host as u16).wrapping_add(1)))
        }
    };
    let envelope_from = if spf_domain.is_empty() { header_from } else { *spf_domain };
    let result = |pass: bool, fault: &'static str| if pass { "pass" } else { fault };
    let signature = Dkim {
        domain: if dkim_domain.is_empty() { &domain.name } else { dkim_domain },
        selector: rng.pick::<&str>(&SELECTORS),
        result: result(dkim || !dkim_domain.is_empty(), "fail"),
        human: None,
    };
    let forwarder = matches!(block, Block::V6(_));
    let shape = Shape {
        header_from,
        envelope_from,
        dkim,
        spf,
        dkim_results: [Some(signature), None],
        spf_result: Spf { domain: envelope_from, result: result(spf || !spf_domain.is_empty(), "softfail") },
        reason: (forwarder && !dkim).then_some(("forwarded", "looks forwarded, downgrade to none")),
    };
    let kept = dkim || spf || shape.reason.is_some();
    Record { source, count, disposition: if kept { "none" } else { domain.policy }, shape }
}

/// A report on its way to disk.
struct Made {
    domain: usize,
    tally: Tally,
    sources: Vec<u128>,
    xml_bytes: u64,
    items: u64,
    stored_bytes: u64,
    duplicates: u64,
    mbox: Vec<u8>,
}

/// Sorts addresses of both families into one number.
pub(super) fn address_number(source: IpAddr) -> u128 {
    match source {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn make(options: &Options, domains: &[Domain], out: &Path, number: u64, conflict: bool) -> Result<Made> {
    let mut rng = Rng::new(options.seed, number);
    let weights = REPORTERS.each_ref().map(|r| r.1);
    let (reporter, _, extra) = &REPORTERS[rng.weighted(&weights)];
    // The first domains get most of the reports.
    let at = rng.exponential() * (domains.len() as f64 / 4.0 + 0.5);
    let domain_number = (at as usize).min(domains.len() - 1);
    let domain = &domains[domain_number];
    let begin = START + rng.below(365) as i64 * DAY + reporter.cut;
    let end = begin + DAY - i64::from(reporter.closed);
    let count = match options.records_per_report {
        Some(mean) => (rng.exponential() * mean + 0.5) as u64,
        None => 1 + ((rng.pareto(1.15) * extra / 2.0) as u64).min(4_000),
    };
    let id = format!("{}.{number}", rng.bits() >> 1);
    let mut records: Vec<Record<'_>> = (0..count.max(1)).map(|_| record(&mut rng, domain)).collect();
    if let (true, Some(first)) = (conflict, records.first_mut()) {
        first.count += 1;
    }
    let mut tally = Tally::default();
    records.iter().for_each(|r| tally.add(r));
    let head = Head { reporter, id: &id, begin, end, policy: domain.published(), error: None };
    let mut xml = Vec::with_capacity(records.len() * 800 + 1_200);
    write_report(&mut xml, &head, &records);
    let packed = pack(&head.stem(Some(&number.to_string())), reporter.container, &xml)?;
    let copies = if !conflict && rng.chance(options.dup / 100.0) { 2 } else { 1 };
    let mut made = Made {
        domain: domain_number,
        tally,
        sources: records.iter().map(|r| address_number(r.source)).collect(),
        xml_bytes: xml.len() as u64,
        items: copies,
        stored_bytes: 0,
        duplicates: copies - 1,
        mbox: Vec::new(),
    };
    let to = format!("rua@{}", domain.name);
    let sent = begin + DAY + 3_600;
    let mail = || {
        let single = matches!(reporter.container, Container::Zip);
        report_mail(&ReportMail { head: &head, packed: &packed, to: &to, sent, number, single })
    };
    for copy in 0..copies {
        // Whatever reads in the order of names or of the mbox meets the conflicting copy last.
        let (path, bytes) = match options.layout {
            Layout::Files => {
                let before = if conflict { "zz-other-" } else { ["", "again-"][copy as usize] };
                (out.join("files").join(format!("{before}{}", packed.name)), packed.bytes.clone())
            }
            Layout::Maildir if number % 8 == 7 && !conflict => {
                (out.join("mail/new").join(format!("{sent}.M{number}C{copy}.host")), mail())
            }
            Layout::Maildir => {
                let time = if conflict { 9_999_999_999 } else { sent };
                (out.join("mail/cur").join(format!("{time}.M{number}C{copy}.host:2,")), mail())
            }
            Layout::Mbox => {
                to_mbox(&mut made.mbox, &mail(), sent);
                continue;
            }
        };
        made.stored_bytes += bytes.len() as u64;
        fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    made.stored_bytes += made.mbox.len() as u64;
    Ok(made)
}

/// Writes a corpus and its `truth.json`; returns the truth without the domains.
///
/// `stored_bytes` are the bytes of the files on disk, `items` the mails or files, `messages` and all that follows
/// count each report once, without duplicates and conflicts.
pub(crate) fn write(out: &Path, options: &Options) -> Result<Value> {
    let folders: &[&str] = match options.layout {
        Layout::Files => &["files"],
        Layout::Maildir => &["mail/cur", "mail/new", "mail/tmp"],
        Layout::Mbox => &[""],
    };
    for folder in folders {
        fs::create_dir_all(out.join(folder)).with_context(|| format!("cannot make {}", out.join(folder).display()))?;
    }
    let mut mbox = match options.layout {
        Layout::Mbox => Some(BufWriter::with_capacity(1 << 20, File::create(out.join("reports.mbox"))?)),
        _ => None,
    };
    let domains: Vec<Domain> = (0..options.domains.max(1)).map(Domain::new).collect();
    let mut total = Tally::default();
    let mut by_domain = vec![(0u64, Tally::default(), FxHashSet::<u128>::default()); domains.len()];
    let (mut xml_bytes, mut stored_bytes, mut items, mut duplicates) = (0, 0, 0, 0);
    let conflicts = options.conflicts.min(options.reports);
    let numbers: Vec<(u64, bool)> = (0..options.reports)
        .map(|n| (n, false))
        .chain((0..conflicts).map(|c| (c * options.reports / conflicts, true)))
        .collect();
    for batch in numbers.chunks(2_048) {
        let made: Vec<Made> = batch
            .par_iter()
            .with_min_len(16)
            .map(|&(number, conflict)| make(options, &domains, out, number, conflict))
            .collect::<Result<_>>()?;
        for (made, &(_, conflict)) in made.into_iter().zip(batch) {
            items += made.items;
            stored_bytes += made.stored_bytes;
            if let Some(mbox) = &mut mbox {
                mbox.write_all(&made.mbox)?;
            }
            if conflict {
                continue;
            }
            duplicates += made.duplicates;
            xml_bytes += made.xml_bytes;
            total.join(&made.tally);
            let (reports, tally, sources) = &mut by_domain[made.domain];
            *reports += 1;
            tally.join(&made.tally);
            sources.extend(made.sources);
        }
    }
    if let Some(mut mbox) = mbox {
        mbox.flush()?;
    }
    let mut truth = json!({"reports": options.reports, "items": items, "duplicates": duplicates, "conflicts": conflicts,
        "records": total.records, "messages": total.messages, "pass_messages": total.pass, "xml_bytes": xml_bytes,
        "stored_bytes": stored_bytes});
    let told = truth.clone();
    let rows: BTreeMap<&str, Value> = domains
        .iter()
        .zip(&by_domain)
        .filter(|(_, row)| row.0 > 0)
        .map(|(domain, (reports, tally, sources))| (domain.name.as_str(), tally.json(*reports, sources.len())))
        .collect();
    truth["by_domain"] = json!(rows);
    fs::write(out.join("truth.json"), serde_json::to_vec_pretty(&truth)?).context("cannot write truth.json")?;
    Ok(told)
}
