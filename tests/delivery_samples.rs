//! The committed delivery logs hold the figures worked out by hand, counted by plain search through their lines.

#![allow(clippy::unwrap_used)]

mod plain_reader;
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, NaiveDateTime};
use story::delivery::{self, Summary};

/// One attempt, or the end of a message.
#[derive(Clone, Debug)]
struct Event {
    at: i64,
    status: String,
    text: String,
}

/// Everything known of one message to one recipient.
#[derive(Clone, Debug, Default)]
struct Life {
    id: String,
    gateway: String,
    source: String,
    events: Vec<Event>,
    expired: bool,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_reports/delivery")
}

/// The lines of mx1's three files, oldest first, each with its seconds since 1970.
fn postfix_lines() -> Vec<(i64, String)> {
    let mut lines = Vec::new();
    for name in ["mx1.log.2.gz", "mx1.log.1.gz", "mx1.log"] {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let text = String::from_utf8(plain_reader::documents(&bytes).remove(0).unwrap()).unwrap();
        for line in text.lines() {
            let (at, rest) = if line.starts_with("2026-") {
                let (stamp, rest) = line.split_once(' ').unwrap();
                (DateTime::parse_from_rfc3339(stamp).unwrap().timestamp(), rest)
            } else {
                let stamp = NaiveDateTime::parse_from_str(&format!("2026 {}", &line[..15]), "%Y %b %e %H:%M:%S");
                (stamp.unwrap().and_utc().timestamp(), &line[16..])
            };
            lines.push((at, rest.to_owned()));
        }
    }
    lines
}

fn after<'a>(line: &'a str, before: &str, end: &str) -> Option<&'a str> {
    line.split_once(before)?.1.split_once(end).map(|(inside, _)| inside)
}

fn gateway(relay: &str) -> &'static str {
    let known = [
        ("pphosted.com", "proofpoint"),
        ("mail.protection.outlook.com", "microsoft365"),
        ("mimecast.com", "mimecast"),
        ("google.com", "google"),
    ];
    known.iter().find(|(suffix, _)| relay.ends_with(suffix)).map_or("unknown", |(_, gateway)| gateway)
}

/// Every life, by message id and recipient; and the lines of attempts that were none.
fn lives() -> (BTreeMap<(String, String), Life>, u64) {
    let mut lives: BTreeMap<(String, String), Life> = BTreeMap::new();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut suspended = 0;
    for (at, line) in postfix_lines() {
        let Some((_, rest)) = line.split_once("]: ") else { continue };
        let Some((qid, rest)) = rest.split_once(": ") else { continue };
        if let Some(id) = after(rest, "message-id=<", ">") {
            ids.insert(qid.to_owned(), id.to_owned());
        } else if rest.contains("status=expired") {
            let id = &ids[qid];
            let open = |life: &&mut Life| &life.id == id && life.events.iter().all(|e| e.status == "deferred");
            lives.values_mut().filter(open).for_each(|life| life.expired = true);
        } else if let (Some(to), Some(status), Some(relay)) =
            (after(rest, "to=<", ">"), after(rest, "status=", " ("), after(rest, "relay=", ","))
        {
            if rest.contains("delivery temporarily suspended") {
                suspended += 1;
                continue;
            }
            let life = lives.entry((ids[qid].clone(), to.to_owned())).or_default();
            life.id.clone_from(&ids[qid]);
            life.source = "192.0.2.10".to_owned();
            if relay != "none" || life.gateway.is_empty() {
                life.gateway = gateway(relay.split('[').next().unwrap()).to_owned();
            }
            let status = if status == "sent" { "delivered" } else { status };
            life.events.push(Event { at, status: status.to_owned(), text: rest.to_owned() });
        }
    }
    let csv = std::fs::read_to_string(folder().join("mx2.csv")).unwrap();
    for line in csv.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let life = lives.entry((fields[1].to_owned(), fields[2].to_owned())).or_default();
        // The quoted response holds a comma of its own.
        life.gateway = gateway(fields[9]).to_owned();
        life.source = fields[3].to_owned();
        let at = DateTime::parse_from_rfc3339(fields[0]).unwrap().timestamp();
        life.events.push(Event { at, status: fields[4].to_owned(), text: fields[7].to_owned() });
    }
    let events = std::fs::read(folder().join("sendgrid-trial.json")).unwrap();
    let events: Vec<serde_json::Value> = serde_json::from_slice(&events).unwrap();
    let mut seen = BTreeSet::new();
    for event in &events {
        let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let status = match word("event").as_str() {
            "bounce" => "bounced".to_owned(),
            "delivered" | "deferred" | "dropped" => word("event"),
            _ => continue,
        };
        if seen.insert(word("sg_event_id")) {
            let life = lives.entry((word("smtp-id"), word("email"))).or_default();
            life.gateway = "unknown".to_owned();
            life.source = "198.51.100.61".to_owned();
            life.events.push(Event { at: event["timestamp"].as_i64().unwrap(), status, text: word("response") });
        }
    }
    (lives, suspended)
}

fn is_reputation(event: &Event) -> bool {
    event.status == "deferred" && event.text.contains("ipcheck.proofpoint.com/?ip=192.0.2.10")
}

fn count(gateway: &'static str, lives: &[&Life]) -> Summary {
    let has = |life: &Life, status: &str| life.events.iter().any(|e| e.status == status);
    let n = |wanted: &dyn Fn(&Life) -> bool| lives.iter().filter(|life| wanted(life)).count() as u64;
    let events = |wanted: &dyn Fn(&Event) -> bool| lives.iter().flat_map(|l| &l.events).filter(|e| wanted(e)).count();
    let late = |life: &Life| has(life, "delivered") && has(life, "deferred");
    let mut delays: Vec<i64> = lives
        .iter()
        .filter(|life| late(life))
        .map(|life| life.events[life.events.len() - 1].at - life.events[0].at)
        .collect();
    delays.sort_unstable();
    Summary {
        gateway,
        recipients: n(&|l| !has(l, "dropped")),
        affected: n(&|l| l.events.iter().any(is_reputation)),
        attempts: events(&|e| e.status != "dropped") as u64,
        deferrals: events(&|e| e.status == "deferred") as u64,
        delivered_first: n(&|l| has(l, "delivered") && !has(l, "deferred")),
        delivered_late: n(&late),
        expired: n(&|l| l.expired),
        bounced: n(&|l| has(l, "bounced")),
        dropped: n(&|l| has(l, "dropped")),
        pending: n(&|l| !l.expired && l.events.iter().all(|e| e.status == "deferred")),
        median_delay_late_s: delays.get(delays.len() / 2).map(|&d| d as u64),
    }
}

#[test]
fn gateways_have_the_figures_worked_out_by_hand() {
    let (lives, suspended) = lives();
    for expected in delivery::GATEWAYS {
        let of: Vec<&Life> = lives.values().filter(|life| life.gateway == expected.gateway).collect();
        assert_eq!(count(expected.gateway, &of), expected);
    }
    let mx1: Vec<&Life> =
        lives.values().filter(|life| life.gateway == "proofpoint" && life.source == "192.0.2.10").collect();
    assert_eq!(count("proofpoint", &mx1), delivery::PROOFPOINT_MX1);
    assert_eq!(suspended, delivery::SUSPENDED);
}

#[test]
fn deferrals_have_the_figures_worked_out_by_hand() {
    let (lives, _) = lives();
    let put_off: Vec<&Event> = lives.values().flat_map(|life| &life.events).filter(|e| is_reputation(e)).collect();
    let greeting = put_off.iter().filter(|e| e.text.contains("refused to talk to me")).count() as u64;
    assert_eq!(put_off.len() as u64, delivery::REPUTATION_DEFERRALS);
    assert_eq!((greeting, put_off.len() as u64 - greeting), (delivery::AT_GREETING, delivery::AT_MAIL_FROM));
    let time =
        |at: Option<i64>| DateTime::from_timestamp(at.unwrap(), 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(time(put_off.iter().map(|e| e.at).min()), delivery::FIRST_DEFERRED);
    assert_eq!(time(put_off.iter().map(|e| e.at).max()), delivery::LAST_DEFERRED);
    let ids = |wanted: &dyn Fn(&Life) -> bool| -> BTreeSet<String> {
        lives.values().filter(|life| wanted(life)).map(|life| life.id.clone()).collect()
    };
    assert_eq!(ids(&|l| l.expired), delivery::expired_ids().into_iter().collect());
    assert_eq!(
        ids(&|l| !l.expired && l.events.iter().all(|e| e.status == "deferred")),
        delivery::open_ids().into_iter().collect()
    );
    let shared: Vec<bool> = lives.values().filter(|l| l.id == delivery::SHARED_ID).map(|l| l.expired).collect();
    assert_eq!(shared, [true, false], "r03 expired, r12 got it");
    let domains: BTreeSet<&str> = lives
        .iter()
        .filter(|(_, life)| life.events.iter().any(is_reputation))
        .filter_map(|((_, to), _)| to.split('@').nth(1))
        .collect();
    assert_eq!(domains.len() as u64, delivery::AFFECTED_DOMAINS);
}
