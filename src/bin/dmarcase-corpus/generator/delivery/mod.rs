//! The delivery logs of the story: mx1's Postfix in three files, mx2's attempts as CSV, the trial's SendGrid events.

mod plan;
mod postfix;

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use serde_json::json;

use super::story::StoryFile;
use plan::{Gateway, START};
use postfix::Line;

const DAY: i64 = 86_400;

/// Returns every file of `delivery/`.
pub(crate) fn files() -> Result<Vec<StoryFile>> {
    let mut lines: Vec<Line> =
        (0..).zip(plan::messages()).flat_map(|(number, message)| postfix::lines(&message, number)).collect();
    lines.extend(strangers());
    lines.sort_by_key(|line| (line.at, line.order));
    let of_days = |first: i64, last: i64| {
        let day = |line: &&Line| (line.at / 1_000_000 - START) / DAY;
        lines.iter().filter(move |line| (first..=last).contains(&day(line)))
    };
    // The oldest file is from before the logger was changed: stamps without a year. The time in its gzip header tells it.
    let mut old = String::new();
    of_days(0, 1).for_each(|line| syslog(&mut old, line));
    let mut middle = String::new();
    of_days(2, 3).for_each(|line| rfc3339(&mut middle, line));
    let mut new = String::new();
    of_days(4, 9).for_each(|line| rfc3339(&mut new, line));
    let file = |name: &str, bytes: Vec<u8>| StoryFile { path: format!("delivery/{name}"), bytes };
    Ok(vec![
        file("mx1.log", new.into_bytes()),
        file("mx1.log.1.gz", gzip(&middle, START + 4 * DAY)?),
        file("mx1.log.2.gz", gzip(&old, START + 2 * DAY)?),
        file("mx2.csv", csv().into_bytes()),
        file("sendgrid-trial.json", events()?),
    ])
}

fn gzip(text: &str, time: i64) -> Result<Vec<u8>> {
    let mut encoder =
        GzBuilder::new().mtime(u32::try_from(time)?).operating_system(255).write(Vec::new(), Compression::new(6));
    encoder.write_all(text.as_bytes())?;
    encoder.finish().context("gzip")
}

fn stamp(micros: i64, format: &str) -> String {
    chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default().format(format).to_string()
}

fn syslog(out: &mut String, line: &Line) {
    let _ = writeln!(out, "{} mx1 {}: {}", stamp(line.at, "%b %e %H:%M:%S"), line.tag, line.text);
}

fn rfc3339(out: &mut String, line: &Line) {
    let _ = writeln!(out, "{} mx1 {}: {}", stamp(line.at, "%Y-%m-%dT%H:%M:%S%.6f+00:00"), line.tag, line.text);
}

/// Lines of every log that are no delivery: other programs, other daemons, one that the logger cut off.
fn strangers() -> Vec<Line> {
    let line = |day: i64, seconds: i64, tag: &str, text: &str| Line {
        at: (START + day * DAY + seconds) * 1_000_000,
        order: 0,
        tag: tag.to_owned(),
        text: text.to_owned(),
    };
    let mut lines = Vec::new();
    for day in 0..5 {
        lines.push(line(
            day,
            3,
            "postfix/anvil[811]",
            "statistics: max connection rate 3/60s for (smtp:192.0.2.40) at Oct 25 23:51:02",
        ));
        lines.push(line(day, 60, "CRON[2201]", "(root) CMD (/usr/local/bin/rotate-keys --check)"));
        lines.push(line(day, 28_000, "postfix/smtpd[790]", "connect from erp.northwind.example[192.0.2.40]"));
    }
    lines.push(line(
        4,
        70_000,
        "postfix/smtp[913]",
        "4F1A2B3C4D: to=<r01@buyer01.example>, relay=mx0a-00440101.pphosted.com[203.0.113.101]:25, delay=1.2, del",
    ));
    lines
}

/// mx2 (192.0.2.11) runs other software and exports its attempts: the same gateways, nothing deferred.
fn csv() -> String {
    let mut out = String::from(
        "attempt_time,message_id,recipient,source_ip,status,smtp_code,enhanced_code,response,relay_host,envelope_from,campaign\n",
    );
    let sets = [(Gateway::Proofpoint, 21..=25, 8), (Gateway::Microsoft, 1..=5, 4)];
    let mut number = 0;
    for (gateway, domains, locals) in sets {
        for domain in domains {
            for local in 1..=locals {
                let at = (START + 2 * DAY + 39_600 + number * 61) * 1_000_000;
                let name = format!("{}{domain:02}.example", gateway.domains().0);
                let _ = writeln!(
                    out,
                    "{},renewal-{number:03}@mx2.northwind.example,s{local:02}@{name},192.0.2.11,delivered,250,2.0.0,\"250 2.0.0 Ok, queued\",{},\
                     invoices@northwind.example,renewals",
                    stamp(at, "%Y-%m-%dT%H:%M:%SZ"),
                    gateway.relay(domain, 0).0
                );
                number += 1;
            }
        }
    }
    out
}

/// The support desk's trial: SendGrid's events, with one sent twice as webhooks do.
fn events() -> Result<Vec<u8>> {
    let mut events = Vec::new();
    let mut add = |recipient: u32, seconds: i64, event: &str, more: serde_json::Value| {
        let mut value = json!({"email": format!("t{recipient:02}@trial{:02}.example", recipient.div_ceil(2)),
            "timestamp": START + 3 * DAY + 50_400 + i64::from(recipient) * 30 + seconds, "event": event,
            "smtp-id": format!("<ticket-{recipient:02}@desk.northwind.example>"),
            "sg_event_id": format!("ev{recipient:02}{seconds:05}{}", event.len()),
            "sg_message_id": format!("msg{recipient:02}.filter0001"), "category": ["support-trial"]});
        if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        events.push(value);
    };
    for recipient in 1..=11 {
        let sent = json!({"ip": "198.51.100.61", "response": "250 2.0.0 Ok: queued", "tls": 1});
        match recipient {
            9 => {
                add(9, 0, "processed", json!({}));
                add(
                    9,
                    1,
                    "deferred",
                    json!({"response": "452 4.2.2 Mailbox full", "attempt": "1", "ip": "198.51.100.61"}),
                );
                add(9, 1_801, "delivered", sent);
            }
            10 => {
                add(10, 0, "processed", json!({}));
                add(
                    10,
                    1,
                    "bounce",
                    json!({"reason": "550 5.1.1 User unknown", "status": "5.1.1", "type": "bounce", "ip": "198.51.100.61"}),
                );
            }
            11 => add(11, 0, "dropped", json!({"reason": "Unsubscribed Address"})),
            _ => {
                add(recipient, 0, "processed", json!({}));
                add(recipient, 1, "delivered", sent);
            }
        }
    }
    add(1, 600, "open", json!({"ip": "192.0.2.77", "useragent": "Mail/1"}));
    add(2, 900, "click", json!({"ip": "192.0.2.78", "url": "https://northwind.example/help"}));
    events.extend(events.get(1).cloned());
    let rows: Vec<String> = events.iter().map(serde_json::Value::to_string).collect();
    Ok(format!("[\n{}\n]\n", rows.join(",\n")).into_bytes())
}
