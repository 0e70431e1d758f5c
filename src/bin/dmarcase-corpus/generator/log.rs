//! A Postfix log of any size: the queues of a busy sender's hosts, in order of time, some gateways deferring for reputation.

use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use serde_json::{Value, json};

use super::rng::Rng;

/// What log to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Attempts, at least.
    pub(crate) attempts: u64,
    /// Days that they are spread over.
    pub(crate) days: u64,
    /// Seed of everything.
    pub(crate) seed: u64,
    /// RFC 3339 stamps; without it `Mmm dd hh:mm:ss`.
    pub(crate) iso: bool,
    /// Leave out what carries no evidence: connections of clients.
    pub(crate) quiet: bool,
}

/// 2025-03-01.
const START: i64 = 1_740_787_200;
const DAY: i64 = 86_400;
/// Sending domains; the first one sends half of the mail.
const DOMAINS: u64 = 20;
/// Recipient domains, and recipients: a few get much of the mail.
const RECIPIENT_DOMAINS: u64 = 40_000;
const RECIPIENTS: u64 = 2_000_000;
/// The address that the gateway names in its answer, by host.
const SOURCES: [&str; 2] = ["198.51.100.1", "198.51.100.2"];

/// Who stands in front of a recipient domain, with its weight.
const GATEWAYS: [(Gateway, u32); 5] = [
    (Gateway::Microsoft, 30),
    (Gateway::Google, 25),
    (Gateway::Proofpoint, 15),
    (Gateway::Mimecast, 8),
    (Gateway::Own, 22),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gateway {
    Microsoft,
    Google,
    Proofpoint,
    Mimecast,
    Own,
}

/// One line, by time and then in the order of making.
#[derive(PartialEq, Eq)]
struct Line {
    at: i64,
    number: u64,
    text: String,
}

impl Ord for Line {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The heap gives its greatest first: the earliest line.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Line {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What the log holds.
#[derive(Debug, Default)]
struct Tally {
    messages: u64,
    attempts: u64,
    deferrals: u64,
    expired: u64,
    bounced: u64,
    lines: u64,
    bytes: u64,
}

/// Writes the log to a file, or to standard output for `-`; returns what it holds.
pub(crate) fn write(out: &Path, options: &Options) -> Result<Value> {
    let out: Box<dyn Write> = if out.as_os_str() == "-" {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(File::create(out).with_context(|| format!("cannot write {}", out.display()))?)
    };
    let mut log = Log {
        out: BufWriter::with_capacity(1 << 20, out),
        options,
        waiting: BinaryHeap::new(),
        tally: Tally::default(),
        second: (i64::MIN, String::new()),
    };
    // Some 1.1 attempts a message.
    let every = (options.days * 86_400 * 1_000_000 / (options.attempts.max(1) * 9 / 10).max(1)).max(1);
    let mut message = 0;
    while log.tally.attempts < options.attempts {
        let at = START * 1_000_000 + (message * every) as i64;
        log.write_until(at)?;
        log.message(message, at);
        message += 1;
    }
    log.write_until(i64::MAX)?;
    log.out.flush()?;
    let Tally { messages, attempts, deferrals, expired, bounced, lines, bytes } = log.tally;
    Ok(
        json!({"messages": messages, "attempts": attempts, "deferrals": deferrals, "expired": expired, "bounced": bounced,
        "lines": lines, "bytes": bytes}),
    )
}

struct Log<'a> {
    out: BufWriter<Box<dyn Write>>,
    options: &'a Options,
    waiting: BinaryHeap<Line>,
    tally: Tally,
    /// The last stamp of whole seconds, and its text.
    second: (i64, String),
}

impl Log<'_> {
    fn message(&mut self, number: u64, at: i64) {
        let mut rng = Rng::new(self.options.seed, number);
        self.tally.messages += 1;
        let host = rng.below(2) as usize;
        let queue = format!("{:05X}{:07X}", rng.below(1 << 20), 0x180_0000 + number % 50_000);
        let sender = if rng.chance(0.5) { 0 } else { rng.below(DOMAINS) };
        let recipient = (rng.unit() * rng.unit() * RECIPIENTS as f64) as u64;
        let domain = recipient % RECIPIENT_DOMAINS;
        let gateway = GATEWAYS[Rng::new(7, domain).weighted(&GATEWAYS.map(|(_, weight)| weight))].0;
        let mx = match gateway {
            Gateway::Microsoft => format!("corp{domain}-test.mail.protection.outlook.com[203.0.113.{}]", domain % 200),
            Gateway::Google => format!("aspmx{}.l.google.com[203.0.113.{}]", rng.below(5), 200 + rng.below(20)),
            Gateway::Proofpoint => {
                let side = if rng.chance(0.5) { "a" } else { "b" };
                format!("mx0{side}-00{domain:06x}.pphosted.com[203.0.113.{}]", domain % 100)
            }
            Gateway::Mimecast => {
                format!("eu-smtp-inbound-{}.mimecast.com[203.0.113.{}]", 1 + rng.below(2), rng.below(100))
            }
            Gateway::Own => format!("mx{}.corp{domain}.test[203.0.113.{}]", 1 + rng.below(2), domain % 250),
        };
        let pid = 900 + rng.below(50);
        let step = |rng: &mut Rng, at: &mut i64| *at += rng.below(200_000) as i64;
        let mut now = at;
        let peer = format!("app{}.brand{sender:03}.example[198.18.0.{}]", rng.below(4), rng.below(4));
        if !self.options.quiet {
            self.line(now, host, format_args!("smtpd[{pid}]: connect from {peer}"));
            self.line(now, host, format_args!("smtpd[{pid}]: {queue}: client={peer}"));
        }
        self.line(
            now,
            host,
            format_args!(
                "cleanup[811]: {queue}: message-id=<{number:x}.{}@brand{sender:03}.example>",
                rng.below(1 << 40)
            ),
        );
        step(&mut rng, &mut now);
        self.line(
            now,
            host,
            format_args!(
                "qmgr[702]: {queue}: from=<bounce+{}@mail.brand{sender:03}.example>, size={}, nrcpt=1 (queue active)",
                rng.below(1 << 40),
                2000 + rng.below(90_000)
            ),
        );
        if !self.options.quiet {
            self.line(
                now,
                host,
                format_args!(
                    "smtpd[{pid}]: disconnect from {peer} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
                ),
            );
        }
        step(&mut rng, &mut now);
        let start = |mx: &str, seconds: f64, dsn: &str, status: &str| {
            format!(
                "smtp[{pid}]: {queue}: to=<user{recipient}@corp{domain}.test>, relay={mx}:25, delay={seconds:.1}, delays=0.1/0.01/0.6/0.5, dsn={dsn}, status={status}"
            )
        };
        // In the last third of the days one gateway holds the sender's reputation against it.
        let bad = (at / 1_000_000 - START) / DAY >= (self.options.days * 2 / 3) as i64;
        let name = mx.split('[').next().unwrap_or_default().to_owned();
        let retries = match gateway {
            Gateway::Proofpoint if bad && rng.chance(0.25) => 1 + rng.below(9),
            _ if rng.chance(0.03) => 1,
            _ => 0,
        };
        let mut wait = 300;
        for _ in 0..retries {
            let seconds = (now - at) as f64 / 1e6;
            let answer = match gateway {
                Gateway::Proofpoint if bad => {
                    format!(
                        "host {mx} refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip={}",
                        SOURCES[host]
                    )
                }
                Gateway::Own => format!(
                    "host {mx} said: 450 4.2.0 <user{recipient}@corp{domain}.test>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/corp{domain}.test.html (in reply to RCPT TO command)"
                ),
                Gateway::Microsoft => format!(
                    "host {mx} said: 451 4.7.500 Server busy. Please try again later from [{}]. (S77714) [{}.prod.protection.outlook.com] (in reply to RCPT TO command)",
                    SOURCES[host],
                    edge(&mut rng)
                ),
                _ => format!("connect to {name}[203.0.113.9]:25: Connection timed out"),
            };
            self.tally.deferrals += 1;
            self.tally.attempts += 1;
            let text = start(&mx, seconds, "4.0.0", "deferred");
            self.line(now, host, format_args!("{text} ({answer})"));
            now += (wait + rng.below(60) as i64) * 1_000_000;
            wait = (wait * 2).min(14_400);
        }
        let seconds = (now - at) as f64 / 1e6;
        if retries > 7 && rng.chance(0.5) {
            self.tally.expired += 1;
            self.line(now, host, format_args!("qmgr[702]: {queue}: from=<bounce@mail.brand{sender:03}.example>, status=expired, returned to sender"));
        } else if rng.chance(0.008) {
            self.tally.bounced += 1;
            self.tally.attempts += 1;
            let text = start(&mx, seconds, "5.1.1", "bounced");
            self.line(now, host, format_args!(
                "{text} (host {mx} said: 550 5.1.1 <user{recipient}@corp{domain}.test>: Recipient address rejected: User unknown (in reply to RCPT TO command))"
            ));
        } else {
            self.tally.attempts += 1;
            let answer = match gateway {
                Gateway::Microsoft => format!(
                    "250 2.6.0 <{number:x}.{}@brand{sender:03}.example> [InternalId={}, Hostname={}.prod.outlook.com] {} bytes in 0.{:03}, {}.{:03} KB/sec Queued mail for delivery",
                    rng.below(1 << 40),
                    rng.below(1 << 46),
                    edge(&mut rng),
                    2000 + rng.below(90_000),
                    rng.below(1000),
                    rng.below(400),
                    rng.below(1000)
                ),
                Gateway::Google => format!(
                    "250 2.0.0 OK  {} {:x}si{}edq.{} - gsmtp",
                    now / 1_000_000,
                    rng.below(1 << 48),
                    rng.below(1 << 24),
                    rng.below(400)
                ),
                Gateway::Proofpoint => {
                    format!("250 2.0.0 {:x} Message accepted for delivery", 0x3f_0000_0000 + rng.below(1 << 34))
                }
                Gateway::Mimecast => format!(
                    "250 SmtpThread-{}-{}@smtp.mimecast.com Received OK [{:x}.uk{}]",
                    rng.below(1 << 22),
                    now / 1000,
                    rng.bits(),
                    rng.below(400)
                ),
                Gateway::Own => format!("250 2.0.0 Ok: queued as {:X}", rng.below(1 << 40)),
            };
            let text = start(&mx, seconds, "2.0.0", "sent");
            self.line(now, host, format_args!("{text} ({answer})"));
        }
        self.line(now, host, format_args!("qmgr[702]: {queue}: removed"));
    }

    fn line(&mut self, at: i64, host: usize, rest: std::fmt::Arguments<'_>) {
        let mut text = String::with_capacity(256);
        // Writing to a String does not fail.
        let _ = write!(text, " mx{} postfix/{rest}", host + 1);
        self.waiting.push(Line { at, number: self.tally.lines, text });
        self.tally.lines += 1;
    }

    /// Writes what lies before a time.
    fn write_until(&mut self, time: i64) -> Result<()> {
        while let Some(line) = self.waiting.peek() {
            if line.at >= time {
                break;
            }
            let Some(Line { at, text, .. }) = self.waiting.pop() else { break };
            let second = at.div_euclid(1_000_000);
            if second != self.second.0 {
                let stamp = DateTime::from_timestamp(second, 0).context("no time")?;
                let form = if self.options.iso { "%Y-%m-%dT%H:%M:%S" } else { "%b %e %H:%M:%S" };
                self.second = (second, stamp.format(form).to_string());
            }
            self.out.write_all(self.second.1.as_bytes())?;
            self.tally.bytes += (self.second.1.len() + text.len() + 1) as u64;
            if self.options.iso {
                write!(self.out, ".{:06}+00:00", at.rem_euclid(1_000_000))?;
                self.tally.bytes += 13;
            }
            self.out.write_all(text.as_bytes())?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// The name of a host in a provider's cloud.
fn edge(rng: &mut Rng) -> String {
    format!("AM{}PR{:02}MB{}.eurprd{:02}", rng.below(10), rng.below(20), 1000 + rng.below(9000), rng.below(20))
}
