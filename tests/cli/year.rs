//! A labelled synthetic year of another seed than the one that thresholds were set on: classes and alerts against labels.

use std::collections::{BTreeMap, HashMap};
use std::process::{Command, Stdio};

use chrono::{Days, NaiveDate};
use serde_json::Value;

use crate::support::World;

/// Days of the year that are written: six breakages of four domains, in a few seconds.
const LENGTH: u32 = 125;
/// Domains of the year.
const DOMAINS: f64 = 8.0;

struct Year {
    world: World,
    labels: Value,
    as_of: String,
}

fn year(seed: u32) -> Year {
    let world = World::new();
    let status = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"))
        .args(["year", "--seed", &seed.to_string(), "--days", &LENGTH.to_string()])
        .arg(world.path("year"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::copy(world.path("year/dmarcase.toml"), world.path("dmarcase.toml")).unwrap();
    let labels: Value = serde_json::from_slice(&std::fs::read(world.path("year/labels.json")).unwrap()).unwrap();
    let answer = world.import(&world.path("year/reports.mbox"));
    assert_eq!(answer["messages"], labels["messages"]);
    let as_of = text(&labels["until"]);
    Year { world, labels, as_of }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn day(value: &Value) -> NaiveDate {
    value.as_str().unwrap().parse().unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

#[test]
fn classes_and_alerts_hold_on_another_seed() {
    let year = year(11);
    precision(&year);
    alerts(&year);
}

/// Of the senders that are given a class, 95 in 100 have the right one, in every class.
fn precision(year: &Year) {
    let mut labels: HashMap<(String, String), Vec<&Value>> = HashMap::new();
    for stream in list(&year.labels, "streams") {
        for source in list(stream, "sources") {
            labels.entry((text(&stream["header_from"]), text(source))).or_default().push(stream);
        }
    }
    // Whose mail each sender carries most of, by the labels of its sources.
    let flat = "SELECT sender, header_from, source_ip, sum(messages)::BIGINT AS messages FROM record_full GROUP BY ALL";
    let mut carried: HashMap<String, BTreeMap<String, (u64, &Value)>> = HashMap::new();
    for row in year.world.json(&["sql", flat]).as_array().unwrap() {
        let streams = &labels[&(text(&row["header_from"]), text(&row["source_ip"]))];
        let [stream] = streams.as_slice() else { continue };
        let of_sender = carried.entry(text(&row["sender"])).or_default();
        of_sender.entry(text(&stream["stream"])).or_insert((0, *stream)).0 += row["messages"].as_u64().unwrap();
    }
    let mut classes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let answer = year.world.json(&["senders", "--as-of", &year.as_of]);
    for row in list(&answer, "rows") {
        let class = text(&row["class"]);
        let Some(of_sender) = carried.get(&text(&row["sender"])).filter(|_| class != "undetermined") else { continue };
        let (_, label) = of_sender.values().max_by_key(|(messages, _)| *messages).unwrap();
        let (right, all) = classes.entry(class.clone()).or_default();
        *right += u64::from(list(label, "accept").iter().any(|accepted| *accepted == class));
        *all += 1;
    }
    for (class, (right, all)) in &classes {
        assert!(*right as f64 >= 0.95 * *all as f64, "{class}: {right} of {all}");
    }
    let told: Vec<&str> = classes.keys().map(String::as_str).collect();
    let every = ["broken-own", "forwarding", "mailing-list", "misaligned-service", "own", "service", "spoofing"];
    assert_eq!(told, every, "every class of the labels is told");
}

/// Every breakage of 2% or more is found within a day; at most one false alert a domain and year.
fn alerts(year: &Year) {
    let answer = year.world.json(&["trend", "--as-of", &year.as_of]);
    let changes = list(&answer, "changes");
    let breakages = list(&year.labels, "breakages");
    let after = |at: &Value| day(at).checked_add_days(Days::new(1)).unwrap();
    let mut must = 0;
    for breakage in breakages.iter().filter(|one| one["must_find"] == true) {
        let on = day(&breakage["day"])..=after(&breakage["day"]);
        let found = changes.iter().any(|c| c["domain"] == breakage["domain"] && on.contains(&day(&c["day"])));
        assert!(found, "not found: {breakage}");
        must += 1;
    }
    assert!(must >= 4, "{must} breakages");
    let is_false = |change: &&Value| {
        !breakages.iter().any(|one| {
            one["domain"] == change["domain"]
                && (day(&one["day"])..=after(&one["last_day"])).contains(&day(&change["day"]))
        })
    };
    let wrong: Vec<&Value> = changes.iter().filter(is_false).collect();
    let allowed = DOMAINS * f64::from(LENGTH) / 365.0;
    assert!(wrong.len() as f64 <= allowed, "{} false alerts: {wrong:?}", wrong.len());
}
