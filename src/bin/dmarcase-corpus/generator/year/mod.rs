//! A labelled synthetic year: several domains, known senders and classes, weekly rhythm, noise, and planted breakages.

mod plan;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::corpus::Tally;
use super::mail::{ReportMail, report_mail, to_mbox};
use super::pack::pack;
use super::report::{Head, Policy, Record, Reporter, write_report};
use super::reporters::{BIG_SEARCH, ENTERPRISE_POST, HOME_POST, PURPLE_MAIL};
use super::rng::Rng;
use plan::{BREAKAGES, Breakage, DAYS, DOMAINS, Fault, Kind, SHARES, START};
use streams::{Names, Today};

const DAY: i64 = 86_400;

/// The reporters, and the share of the mail that each sees.
pub(super) const REPORTERS: [(Reporter, f64); 4] =
    [(BIG_SEARCH, 0.5), (ENTERPRISE_POST, 0.3), (HOME_POST, 0.12), (PURPLE_MAIL, 0.08)];

/// What the labels say of one stream.
#[derive(Default)]
struct Label {
    messages: u64,
    pass: u64,
    sources: BTreeSet<IpAddr>,
}

/// Writes `reports.mbox`, `labels.json`, `daily.csv` and `dmarcase.toml` of the first `days` days; returns the totals.
pub(crate) fn write(out: &Path, seed: u64, days: u32) -> Result<Value> {
    let days = days.clamp(1, DAYS);
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut mbox = BufWriter::with_capacity(1 << 20, File::create(out.join("reports.mbox"))?);
    let names: Vec<Names> = DOMAINS.iter().map(|domain| Names::new(domain.0)).collect();
    let mut labels: BTreeMap<(usize, usize), Label> = BTreeMap::new();
    let mut daily = String::from("day,domain,stream,messages,dmarc_pass\n");
    let (mut reports, mut total) = (0u64, Tally::default());
    for day in 0..days {
        for (number, domain) in DOMAINS.iter().enumerate() {
            let mut rng = Rng::new(seed, u64::from(day) << 8 | number as u64);
            // Growth of a fifth over the year, and a day that is busy or quiet for everything.
            let level = domain.1 * (1.0 + 0.2 * f64::from(day) / f64::from(DAYS)) * (0.05 * rng.normal()).exp();
            let mut of_reporter: [Vec<Record<'_>>; 4] = Default::default();
            for (at, &(kind, shares)) in SHARES.iter().enumerate() {
                let today = Today { kind, number, fault: fault_on(number, kind, day), policy: domain.2 };
                let mean = level * shares[number] * today.volume(day) * (kind.noise() * rng.normal()).exp();
                let mean = mean + burst_of(today.fault) * expected(number, day);
                let (mut messages, mut pass) = (0, 0);
                for (slot, (_, seen)) in REPORTERS.iter().enumerate() {
                    let count = rng.poisson(mean * seen);
                    let first = of_reporter[slot].len();
                    streams::records(&mut of_reporter[slot], &mut rng, &names[number], &today, slot, count);
                    let label = labels.entry((number, at)).or_default();
                    for record in &of_reporter[slot][first..] {
                        messages += record.count;
                        pass += if record.pass() { record.count } else { 0 };
                        label.sources.insert(record.source);
                    }
                }
                if messages > 0 {
                    let label = labels.entry((number, at)).or_default();
                    label.messages += messages;
                    label.pass += pass;
                    writeln!(daily, "{},{},{},{messages},{pass}", date(day), domain.0, kind.name())?;
                }
            }
            for (slot, records) in of_reporter.iter().enumerate() {
                if records.is_empty() {
                    continue;
                }
                reports += 1;
                records.iter().for_each(|record| total.add(record));
                mbox.write_all(&mail(&mut rng, reports, slot, domain, day, records)?)?;
            }
        }
    }
    mbox.flush()?;
    fs::write(out.join("daily.csv"), daily)?;
    fs::write(out.join("dmarcase.toml"), config(&names))?;
    let told = json!({"reports": reports, "records": total.records, "messages": total.messages,
        "pass_messages": total.pass, "since": date(0), "until": date(days - 1)});
    let mut truth = told.clone();
    truth["streams"] = labels
        .iter()
        .filter(|(_, label)| label.messages > 0)
        .map(|(&(number, at), label)| stream_json(number, at, label))
        .collect();
    truth["breakages"] = BREAKAGES.iter().filter(|b| b.day < days).map(breakage_json).collect();
    fs::write(out.join("labels.json"), serde_json::to_vec_pretty(&truth)?)?;
    Ok(told)
}

fn fault_on(domain: usize, kind: Kind, day: u32) -> Option<Fault> {
    let mut today = BREAKAGES.iter().filter(|b| b.domain == domain && (b.day..b.day + b.days).contains(&day));
    // The mail servers share the SPF record; DKIM carries their mail.
    let shared = |b: &Breakage| kind == Kind::Mta && b.fault == Fault::SpfPermerror;
    today.find(|b| b.kind == kind || shared(b)).map(|b| b.fault)
}

fn burst_of(fault: Option<Fault>) -> f64 {
    match fault {
        Some(Fault::Burst(share)) => share,
        _ => 0.0,
    }
}

/// The messages of a domain that a day is expected to bring, nothing broken.
fn expected(domain: usize, day: u32) -> f64 {
    let week = |kind: Kind| kind.week()[(day % 7) as usize];
    let share: f64 = SHARES.iter().map(|&(kind, shares)| shares[domain] * week(kind)).sum();
    DOMAINS[domain].1 * (1.0 + 0.2 * f64::from(day) / f64::from(DAYS)) * share
}

fn mail(
    rng: &mut Rng,
    number: u64,
    slot: usize,
    domain: &plan::Domain,
    day: u32,
    records: &[Record<'_>],
) -> Result<Vec<u8>> {
    let reporter = &REPORTERS[slot].0;
    let begin = START + i64::from(day) * DAY;
    let id = format!("{:016x}", rng.bits());
    let policy = Policy { domain: domain.0, mode: "r", p: domain.2, sp: Some(domain.2), np: None, testing: false };
    let end = begin + DAY - i64::from(reporter.closed);
    let head = Head { reporter, id: &id, begin, end, policy, error: None };
    let mut xml = Vec::with_capacity(records.len() * 800 + 1_000);
    write_report(&mut xml, &head, records);
    let packed = pack(&head.stem(None), reporter.container, &xml)?;
    let (to, sent) = (format!("rua@{}", domain.0), end + 5_000);
    let mail = report_mail(&ReportMail { head: &head, packed: &packed, to: &to, sent, number, single: slot == 0 });
    let mut out = Vec::with_capacity(mail.len() + 100);
    to_mbox(&mut out, &mail, sent);
    Ok(out)
}

fn date(day: u32) -> String {
    let at = START + i64::from(day) * DAY;
    chrono::DateTime::from_timestamp(at, 0).unwrap_or_default().format("%Y-%m-%d").to_string()
}

/// The name of a stream's sender: the config's for approved ones.
fn sender(domain: usize, kind: Kind) -> String {
    match kind.status() {
        "approved" => format!("{}-{}", DOMAINS[domain].0.trim_end_matches(".example"), kind.name()),
        _ => kind.name().to_owned(),
    }
}

fn stream_json(domain: usize, at: usize, label: &Label) -> Value {
    let kind = SHARES[at].0;
    let header_from =
        if kind == Kind::Campaign { format!("news.{}", DOMAINS[domain].0) } else { DOMAINS[domain].0.to_owned() };
    json!({"domain": DOMAINS[domain].0, "header_from": header_from, "stream": kind.name(), "sender": sender(domain, kind),
        "status": kind.status(), "class": kind.classes()[0], "accept": kind.classes(), "messages": label.messages,
        "dmarc_pass": label.pass, "sources": label.sources})
}

/// `share` is the part of the domain's expected mail of the first day that the breakage touches. `must_find` where that is
/// 2% or more and pass rate or volume shows it: a broken key that SPF makes up for shows in the DKIM rate alone.
fn breakage_json(breakage: &Breakage) -> Value {
    let &Breakage { domain, kind, day, days, fault } = breakage;
    let of_kind = SHARES.iter().find(|s| s.0 == kind).map_or(0.0, |s| s.1[domain]);
    let growth = 1.0 + 0.2 * f64::from(day) / f64::from(DAYS);
    let stream = DOMAINS[domain].1 * growth * of_kind * kind.week()[(day % 7) as usize];
    let touched = match fault {
        Fault::Burst(share) => share * expected(domain, day),
        Fault::Spike(times) => stream * (times - 1.0),
        Fault::DkimBroken(part) => stream * part,
        _ => stream,
    };
    let share = touched / expected(domain, day);
    let made_up = matches!(fault, Fault::DkimBroken(_)) && kind != Kind::Service;
    let last = (day + days).min(DAYS) - 1;
    json!({"domain": DOMAINS[domain].0, "sender": sender(domain, kind), "stream": kind.name(), "kind": fault.word(),
        "day": date(day), "last_day": date(last), "share": (share * 1e4).round() / 1e4,
        "messages_a_day": touched.round(), "shows_in": if made_up { "dkim" } else { "pass-or-volume" },
        "must_find": share >= 0.02 && !made_up})
}

/// The rules that approve the own streams.
fn config(names: &[Names]) -> String {
    let mut out = String::from("# Approves the own streams of the labelled year.\n");
    for (number, names) in names.iter().enumerate() {
        let domain = DOMAINS[number].0;
        for &(kind, shares) in &SHARES {
            if kind.status() != "approved" || shares[number] == 0.0 {
                continue;
            }
            let rule = names.rule(kind, number);
            let _ = write!(out, "\n[[sender]]\nname = \"{}\"\n{rule}", sender(number, kind));
        }
        let _ = write!(out, "\n[[domain]]\nname = \"{domain}\"\n");
    }
    out
}
