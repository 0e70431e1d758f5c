//! Every figure of the case over the sample story, recomputed from the raw lines and reports by a reader that shares no code with
//! the program: plain text search over Postfix lines, the table's commas, SendGrid's objects and the reports' elements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod plain_reader;
#[path = "support/schema.rs"]
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use schema::kept;
use serde_json::Value;

const IP: &str = "192.0.2.10";
const DOMAIN: &str = "northwind.example";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample_reports")
}

/// One attempt, or the end of one, as a line says it.
#[derive(Clone, Debug)]
struct Line {
    at: DateTime<Utc>,
    message: String,
    recipient: String,
    status: String,
    text: String,
    relay: String,
    source: String,
}

/// Everything under `delivery`, read again.
fn lines() -> Vec<Line> {
    let folder = root().join("delivery");
    let mut lines = Vec::new();
    let mut logs = String::new();
    for name in ["mx1.log.2.gz", "mx1.log.1.gz", "mx1.log"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        if name.ends_with(".gz") {
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut logs).unwrap();
        } else {
            logs += std::str::from_utf8(&bytes).unwrap();
        }
        if !logs.ends_with('\n') {
            logs.push('\n');
        }
    }
    postfix(&logs, &mut lines);
    let table = std::fs::read_to_string(folder.join("mx2.csv")).unwrap();
    for row in table.lines().skip(1) {
        // One field holds a comma, in quotes.
        let quoted = row.split('"').nth(1).unwrap_or_default();
        let fields: Vec<&str> = row.split(',').collect();
        lines.push(Line {
            at: fields[0].parse().unwrap(),
            message: fields[1].to_owned(),
            recipient: fields[2].to_owned(),
            status: fields[4].to_owned(),
            text: quoted.to_owned(),
            relay: row.rsplit(',').nth(2).unwrap().to_owned(),
            source: fields[3].to_owned(),
        });
    }
    // The trial's mail names its address, but for what the platform dropped before any attempt.
    let events = std::fs::read_to_string(folder.join("sendgrid-trial.json")).unwrap();
    for event in serde_json::from_str::<Vec<Value>>(&events).unwrap() {
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        if field("ip").is_empty() && field("event") == "dropped" {
            lines.push(Line {
                at: DateTime::from_timestamp(event["timestamp"].as_i64().unwrap(), 0).unwrap(),
                message: field("smtp-id").trim_matches(['<', '>']).to_owned(),
                recipient: field("email"),
                status: field("event"),
                text: field("reason"),
                relay: String::new(),
                source: String::new(),
            });
        }
    }
    lines
}

fn postfix(logs: &str, lines: &mut Vec<Line>) {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut open: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in logs.lines() {
        let (stamp, rest) = match line.split_once(" mx1 ") {
            Some(parts) => parts,
            None => continue,
        };
        let at = match stamp.parse::<DateTime<Utc>>() {
            Ok(at) => at,
            Err(_) => {
                let stamp = NaiveDateTime::parse_from_str(&format!("2026 {stamp}"), "%Y %b %e %H:%M:%S").unwrap();
                Utc.from_utc_datetime(&stamp)
            }
        };
        let Some((_, message)) = rest.split_once("]: ") else { continue };
        let Some((queue, said)) = message.split_once(": ") else { continue };
        let queue = queue.to_owned();
        if let Some(id) = said.strip_prefix("message-id=<") {
            ids.insert(queue, id.trim_end_matches('>').to_owned());
        } else if let Some(to) = said.strip_prefix("to=<") {
            let recipient = to.split('>').next().unwrap().to_owned();
            // The last line of the newest log is cut before its status.
            let Some((_, end)) = said.split_once(", status=") else { continue };
            let (status, text) = end.split_once(" (").unwrap();
            let suspended = text.starts_with("delivery temporarily suspended");
            let relay = said.split(", relay=").nth(1).unwrap().split([',', '[']).next().unwrap();
            let source = if text.contains("ip=192.0.2.10") { IP } else { "" };
            open.entry(queue.clone()).or_default().insert(recipient.clone());
            if status != "deferred" {
                open.get_mut(&queue).unwrap().remove(&recipient);
            }
            lines.push(Line {
                at,
                message: ids.get(&queue).cloned().unwrap_or_else(|| queue.clone()),
                recipient,
                status: if suspended { "suspended" } else { status }.replace("sent", "delivered"),
                text: text.trim_end_matches(')').to_owned(),
                relay: relay.to_owned(),
                source: source.to_owned(),
            });
        } else if said.contains(", status=expired") {
            for recipient in open.remove(&queue).unwrap_or_default() {
                lines.push(Line {
                    at,
                    message: ids.get(&queue).cloned().unwrap_or_else(|| queue.clone()),
                    recipient,
                    status: "expired".to_owned(),
                    text: String::new(),
                    relay: String::new(),
                    source: String::new(),
                });
            }
        } else if said == "removed" {
            ids.remove(&queue);
            open.remove(&queue);
        }
    }
}

/// One message to one recipient.
#[derive(Default, Debug)]
struct Life {
    lines: Vec<Line>,
}

impl Life {
    fn tried(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| ["delivered", "deferred", "bounced"].contains(&line.status.as_str()))
    }

    fn count(&self, status: &str) -> u64 {
        self.lines.iter().filter(|line| line.status == status).count() as u64
    }

    fn reputation(&self) -> u64 {
        let ours = |line: &&Line| line.status == "deferred" && line.text.contains("ipcheck.proofpoint.com");
        self.lines.iter().filter(ours).count() as u64
    }

    fn outcome(&self) -> &'static str {
        if self.count("delivered") > 0 {
            return if self.count("deferred") > 0 { "late" } else { "first" };
        }
        match () {
            () if self.count("expired") > 0 => "expired",
            () if self.count("bounced") > 0 => "bounced",
            () if self.count("dropped") > 0 => "dropped",
            () => "open",
        }
    }

    fn first(&self) -> DateTime<Utc> {
        self.tried().map(|line| line.at).min().unwrap_or_else(|| self.lines[0].at)
    }

    fn delay(&self) -> i64 {
        let delivered = self.lines.iter().filter(|line| line.status == "delivered").map(|line| line.at).min().unwrap();
        delivered.timestamp() - self.first().timestamp()
    }

    fn gateway(&self) -> &'static str {
        let relay = |name: &str| self.lines.iter().any(|line| line.relay.contains(name));
        match () {
            () if relay("pphosted.com") => "proofpoint",
            () if relay("outlook.com") => "microsoft365",
            () if relay("google.com") => "google",
            () if relay("mimecast.com") => "mimecast",
            () => "unknown",
        }
    }

    /// The last address that a line of it names.
    fn source(&self) -> String {
        let named = self.lines.iter().filter(|line| !line.source.is_empty());
        named.max_by_key(|line| line.at).map(|line| line.source.clone()).unwrap_or_default()
    }
}

/// The lives of the case: of its address, or of none that a log says. The trial's mail is of another address.
fn lives() -> BTreeMap<(String, String), Life> {
    let mut lives: BTreeMap<(String, String), Life> = BTreeMap::new();
    for line in lines() {
        lives.entry((line.message.clone(), line.recipient.clone())).or_default().lines.push(line);
    }
    lives.retain(|_, life| ["", IP].contains(&life.source().as_str()));
    lives
}

fn case() -> Value {
    static CASE: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    CASE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_dmarcase"))
                .arg("--db")
                .arg(folder.path().join("s.duckdb"))
                .arg("--config")
                .arg(root().join("dmarcase.toml"))
                .args(["--format", "json"])
                .args(args)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            kept(args, serde_json::from_slice(&output.stdout).unwrap())
        };
        run(&["import", root().join("rua").to_str().unwrap()]);
        run(&["delivery", "import", "--year", "2026", root().join("delivery").to_str().unwrap()]);
        run(&["case", "--gateway", "proofpoint", "--domain", DOMAIN, "--ip", IP, "--as-of", "2026-11-02"])
    })
    .clone()
}

/// The value in the middle, or the mean of the two without its fraction.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let lower = values.get(values.len().checked_sub(1)? / 2)?;
    Some((lower + values[values.len() / 2]).div_euclid(2))
}

/// The median, of an even number of values the mean of the two in the middle.
fn mean_of_middles(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    Some((values.get(values.len().checked_sub(1)? / 2)? + values.get(values.len() / 2)?) / 2)
}

fn check(figures: &Value, lives: &[&Life], what: &str) {
    let keys: BTreeSet<&str> =
        lives.iter().filter(|life| life.tried().count() > 0).map(|life| life.lines[0].recipient.as_str()).collect();
    let affected: BTreeSet<&str> =
        lives.iter().filter(|life| life.reputation() > 0).map(|life| life.lines[0].recipient.as_str()).collect();
    let outcome = |word: &str| lives.iter().filter(|life| life.outcome() == word).count() as u64;
    let sum = |figure: &dyn Fn(&Life) -> u64| lives.iter().map(|life| figure(life)).sum::<u64>();
    for (name, wanted) in [
        ("recipients", keys.len() as u64),
        ("affected", affected.len() as u64),
        ("attempts", sum(&|life| life.tried().count() as u64)),
        ("deferrals", sum(&|life| life.count("deferred"))),
        ("reputation_deferrals", sum(&Life::reputation)),
        ("delivered_first", outcome("first")),
        ("delivered_late", outcome("late")),
        ("expired", outcome("expired")),
        ("bounced", outcome("bounced")),
        ("dropped", outcome("dropped")),
        ("pending", outcome("open")),
    ] {
        assert_eq!(figures[name], wanted, "{what}: {name}");
    }
    let share = affected.len() as f64 / keys.len() as f64;
    assert!((figures["share"].as_f64().unwrap() - share).abs() < 1e-6, "{what}");
    let late = lives.iter().filter(|life| life.outcome() == "late").map(|life| life.delay()).collect();
    assert_eq!(figures["median_delay_late_s"].as_i64(), mean_of_middles(late), "{what}");
}

#[test]
fn outcomes_of_each_gateway() {
    let (case, lives) = (case(), lives());
    let of = |gateway: &str| lives.values().filter(|life| life.gateway() == gateway).collect::<Vec<_>>();
    check(&case["outcomes"]["totals"], &of("proofpoint"), "totals");
    let rows = case["outcomes"]["gateways"]["rows"].as_array().unwrap();
    let mut named: Vec<&str> = rows.iter().map(|row| row["gateway"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["google", "microsoft365", "mimecast", "proofpoint", "unknown"]);
    for row in rows {
        let gateway = row["gateway"].as_str().unwrap();
        check(row, &of(gateway), gateway);
    }
    check(&case["outcomes"]["gateways"]["total"], &lives.values().collect::<Vec<_>>(), "all gateways");
}

#[test]
fn smtp_evidence_retries_and_days() {
    let (case, lives) = (case(), lives());
    let ours: Vec<&Life> = lives.values().filter(|life| life.gateway() == "proofpoint").collect();
    let answers: Vec<&Line> = ours
        .iter()
        .flat_map(|life| &life.lines)
        .filter(|line| line.status == "deferred" && line.text.contains("ipcheck.proofpoint.com"))
        .collect();
    let smtp = &case["smtp"];
    assert_eq!(smtp["deferrals"], answers.len() as u64);
    let times: Vec<DateTime<Utc>> = answers.iter().map(|line| line.at).collect();
    let time = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(time(&smtp["first_at"]), *times.iter().min().unwrap());
    assert_eq!(time(&smtp["last_at"]), *times.iter().max().unwrap());
    for (stage, words) in [("greeting", "refused to talk to me"), ("mail", "in reply to MAIL FROM")] {
        let wanted: Vec<&&Line> = answers.iter().filter(|line| line.text.contains(words)).collect();
        let row = smtp["responses"].as_array().unwrap().iter().find(|row| row["stage"] == stage).unwrap();
        let recipients: BTreeSet<&str> = wanted.iter().map(|line| line.recipient.as_str()).collect();
        let domains: BTreeSet<&str> = recipients.iter().map(|one| one.split_once('@').unwrap().1).collect();
        assert_eq!(row["attempts"], wanted.len() as u64, "{stage}");
        assert_eq!(row["recipients"], recipients.len() as u64, "{stage}");
        assert_eq!(row["recipient_domains"], domains.len() as u64, "{stage}");
        assert_eq!(time(&row["first_at"]), wanted.iter().map(|line| line.at).min().unwrap(), "{stage}");
        assert_eq!(time(&row["last_at"]), wanted.iter().map(|line| line.at).max().unwrap(), "{stage}");
        let verbatim = row["response"].as_str().unwrap();
        assert!(wanted.iter().all(|line| line.text.contains(verbatim)), "{verbatim}");
    }
    let others: u64 =
        smtp["other_responses"].as_array().unwrap().iter().map(|row| row["attempts"].as_u64().unwrap()).sum();
    assert_eq!(others, ours.iter().map(|life| life.count("deferred") - life.reputation()).sum::<u64>());
    assert_eq!(smtp["suspended"], ours.iter().map(|life| life.count("suspended")).sum::<u64>());
    let unnamed = ours.iter().filter(|life| life.source().is_empty());
    assert_eq!(smtp["unknown_source"], unnamed.map(|life| life.tried().count() as u64).sum::<u64>());

    let hit: Vec<&&Life> = ours.iter().filter(|life| life.reputation() > 0).collect();
    let retries = &case["outcomes"]["retries"];
    let attempts: Vec<i64> = hit.iter().map(|life| life.tried().count() as i64).collect();
    let delays: Vec<i64> = hit.iter().filter(|life| life.outcome() == "late").map(|life| life.delay()).collect();
    let outcome = |word: &str| hit.iter().filter(|life| life.outcome() == word).count() as i64;
    let domains: BTreeSet<&str> = hit.iter().map(|life| life.lines[0].recipient.split_once('@').unwrap().1).collect();
    for (name, wanted) in [
        ("pairs", Some(hit.len() as i64)),
        ("attempts_min", attempts.iter().min().copied()),
        ("attempts_median", median(attempts.clone())),
        ("attempts_max", attempts.iter().max().copied()),
        ("delivered_late", Some(outcome("late"))),
        ("expired", Some(outcome("expired"))),
        ("bounced", Some(outcome("bounced"))),
        ("pending", Some(outcome("open"))),
        ("recipient_domains", Some(domains.len() as i64)),
        ("delay_min_s", delays.iter().min().copied()),
        ("delay_median_s", median(delays.clone())),
        ("delay_max_s", delays.iter().max().copied()),
    ] {
        assert_eq!(retries[name].as_i64(), wanted, "{name}");
    }

    let mut days: BTreeMap<NaiveDate, Vec<&Life>> = BTreeMap::new();
    for life in &ours {
        days.entry(life.first().date_naive()).or_default().push(life);
    }
    let rows = case["outcomes"]["days"].as_array().unwrap();
    assert_eq!(rows.len(), days.len());
    for (row, (day, lives)) in rows.iter().zip(&days) {
        assert_eq!(row["day"], day.to_string());
        assert_eq!(row["reputation_deferrals"], lives.iter().map(|life| life.reputation()).sum::<u64>(), "{day}");
        for (name, word) in [
            ("delivered_first", "first"),
            ("delivered_late", "late"),
            ("expired", "expired"),
            ("bounced", "bounced"),
            ("pending", "open"),
        ] {
            assert_eq!(row[name], lives.iter().filter(|life| life.outcome() == word).count() as u64, "{day} {name}");
        }
    }
}

#[test]
fn samples_and_their_histories_are_lines_of_the_log() {
    let (case, lives) = (case(), lives());
    let samples = case["samples"]["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 5);
    for sample in samples {
        let (id, domain) = (sample["message_id"].as_str().unwrap(), sample["recipient_domain"].as_str().unwrap());
        let life =
            lives.iter().find(|((message, to), _)| message == id && to.ends_with(&format!("@{domain}"))).unwrap().1;
        assert_eq!(sample["reputation_deferrals"], life.reputation(), "{id}");
        let word = match life.outcome() {
            "late" => "delivered-after-deferral",
            "first" => "delivered",
            word => word,
        };
        assert_eq!(sample["outcome"], word, "{id}");
        let history = sample["history"].as_array().unwrap();
        let mut wanted: Vec<(DateTime<Utc>, String)> =
            life.lines.iter().map(|line| (line.at, line.status.clone())).collect();
        wanted.sort();
        let mut told: Vec<(DateTime<Utc>, String)> = history
            .iter()
            .map(|line| (line["at"].as_str().unwrap().parse().unwrap(), line["status"].as_str().unwrap().to_owned()))
            .collect();
        told.sort();
        assert_eq!(told, wanted, "{id}");
        for line in history.iter().filter(|line| line["status"] == "deferred") {
            let at: DateTime<Utc> = line["at"].as_str().unwrap().parse().unwrap();
            let raw = life.lines.iter().find(|raw| raw.at == at && raw.status == "deferred").unwrap();
            assert!(raw.text.contains(line["response"].as_str().unwrap()), "{id}: verbatim");
            assert_eq!(line["relay_host"], raw.relay, "{id}");
        }
    }
}

#[test]
fn volume_and_streams_of_the_addresses() {
    let (case, lives) = (case(), lives());
    for source in ["", IP] {
        let mut days: BTreeMap<NaiveDate, u64> = BTreeMap::new();
        for life in lives.values().filter(|life| life.source() == source) {
            *days.entry(life.first().date_naive()).or_default() += 1;
        }
        let ip = if source.is_empty() { "unknown" } else { source };
        let rows = case["senders"]["volume"].as_array().unwrap();
        let row = rows.iter().find(|row| row["ip"] == ip).unwrap();
        let told: Vec<(String, u64)> = serde_json::from_value(row["by_day"].clone()).unwrap();
        let wanted: Vec<(String, u64)> = days.iter().map(|(day, n)| (day.to_string(), *n)).collect();
        assert_eq!(told, wanted, "{ip}");
        assert_eq!(row["messages"], days.values().sum::<u64>(), "{ip}");
        assert_eq!(row["most"], *days.values().max().unwrap(), "{ip}");
        let streams = case["senders"]["streams"].as_array().unwrap().iter();
        let streams = streams.filter(|row| row["ip"] == ip && row["source"] == "delivery logs");
        let all: u64 = streams.map(|row| row["messages"].as_u64().unwrap()).sum();
        assert_eq!(all, days.values().sum::<u64>(), "{ip}");
    }
}

/// Messages, those that pass, with DKIM aligned, with SPF aligned, and reports.
#[derive(Default, Debug, PartialEq, Eq)]
struct Rates(u64, u64, u64, u64, u64);

#[test]
fn authentication_of_domains_reporters_weeks_and_the_address() {
    let case = case();
    let (reports, _) = plain_reader::reports(&plain_reader::files(&root().join("rua")));
    let ours = |domain: &str| domain == DOMAIN || domain.ends_with(&format!(".{DOMAIN}"));
    let mut by: BTreeMap<(&str, String), Rates> = BTreeMap::new();
    let mut reporters: BTreeSet<String> = BTreeSet::new();
    for report in reports.iter().filter(|report| ours(&report.domain)) {
        let day = DateTime::from_timestamp(report.day() * 86_400, 0).unwrap().date_naive();
        let monday = day.week(chrono::Weekday::Mon).first_day();
        for key in [
            ("domains", report.domain.clone()),
            ("by_reporter", report.reporter.clone()),
            ("by_week", monday.to_string()),
        ] {
            by.entry(key).or_default().4 += 1;
        }
        for record in &report.records {
            let keys = [
                ("domains", report.domain.clone()),
                ("by_reporter", report.reporter.clone()),
                ("by_week", monday.to_string()),
                ("ips", record.source.clone()),
            ];
            for key in keys {
                let rates = by.entry(key).or_default();
                let n = |wanted: bool| if wanted { record.count } else { 0 };
                rates.0 += record.count;
                rates.1 += n(record.dkim || record.spf);
                rates.2 += n(record.dkim);
                rates.3 += n(record.spf);
            }
            if record.source == IP {
                reporters.insert(report.reporter.to_lowercase());
            }
        }
    }
    let told = |row: &Value| {
        let n = |name: &str| row[name].as_u64().unwrap_or_default();
        Rates(n("messages"), n("dmarc_pass"), n("dkim_aligned"), n("spf_aligned"), n("reports"))
    };
    let auth = &case["authentication"];
    for (part, name) in [("domains", "domain"), ("by_reporter", "reporter"), ("by_week", "week")] {
        let rows = auth[part]["rows"].as_array().unwrap();
        assert_eq!(rows.len(), by.keys().filter(|(one, _)| *one == part).count(), "{part}");
        for row in rows {
            let key = row[name].as_str().unwrap().to_owned();
            assert_eq!(told(row), by[&(part, key.clone())], "{part} {key}");
        }
    }
    let ip = &auth["ips"][0];
    let wanted = &by[&("ips", IP.to_owned())];
    assert_eq!(told(ip), Rates(wanted.0, wanted.1, wanted.2, wanted.3, 0));
    assert_eq!(ip["reporters"], reporters.len() as u64);
    assert_eq!(case["method"]["reports"], reports.iter().filter(|report| ours(&report.domain)).count() as u64);
}
