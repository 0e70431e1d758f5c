//! The records of one stream on one day at one reporter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::report::{Dkim, Record, Shape, Spf};
use super::super::rng::Rng;
use super::plan::{Fault, Kind};

/// The names of one domain, ready to be borrowed by records.
pub(super) struct Names {
    domain: String,
    news: String,
    bounce: String,
    list: String,
    forwarders: Vec<String>,
    throwaway: Vec<String>,
}

impl Names {
    pub(super) fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            news: format!("news.{domain}"),
            bounce: format!("bounce.news.{domain}"),
            list: format!("{}-users.example", domain.trim_end_matches(".example")),
            forwarders: (0..20).map(|n| format!("forward{n:02}.example")).collect(),
            throwaway: (0..400).map(|n| format!("x{:05x}.example", n * 2_477 + 70_001)).collect(),
        }
    }

    /// The keys of the `[[sender]]` rule that approves a stream.
    pub(super) fn rule(&self, kind: Kind, number: usize) -> String {
        let (domain, news, bounce) = (&self.domain, &self.news, &self.bounce);
        let ips = |kind| {
            let all: Vec<String> = own_addresses(kind, number).iter().map(|ip| format!("\"{ip}\"")).collect();
            all.join(", ")
        };
        match kind {
            Kind::Service => format!(
                "service = \"SparkPost (Bird)\"\ndkim = [{{ domain = \"{domain}\", selectors = [\"sp1\"] }}]\nips = [{}]\nfrom = [\"{domain}\"]\n",
                ips(kind)
            ),
            Kind::Campaign => format!(
                "service = \"Mailchimp\"\ndkim = [{{ domain = \"{news}\", selectors = [\"k1\"] }}]\nspf = [\"{bounce}\"]\nips = [{}]\nfrom = [\"{news}\"]\n",
                ips(kind)
            ),
            _ => format!("ips = [{}]\nfrom = [\"{domain}\"]\n", ips(kind)),
        }
    }
}

/// The addresses of an approved stream: sixteen of each domain.
fn own_addresses(kind: Kind, number: usize) -> Vec<IpAddr> {
    let (first, count) = match kind {
        Kind::Mta => (1, 4),
        Kind::Service => (5, 3),
        Kind::Campaign => (8, 3),
        Kind::App => (11, 1),
        _ => (12, 1),
    };
    let base = 16 * number as u8 + first;
    (base..base + count).map(|last| IpAddr::V4(Ipv4Addr::new(198, 51, 100, last))).collect()
}

/// A stream on a day.
pub(super) struct Today {
    pub(super) kind: Kind,
    pub(super) number: usize,
    pub(super) fault: Option<Fault>,
    pub(super) policy: &'static str,
}

impl Today {
    /// The day's mail as a multiple of the stream's mean day.
    pub(super) fn volume(&self, day: u32) -> f64 {
        let times = match self.fault {
            Some(Fault::Vanished) => 0.0,
            Some(Fault::Spike(times)) => times,
            _ => 1.0,
        };
        self.kind.week()[(day % 7) as usize] * times
    }
}

/// Adds the records of `count` messages. `slot` is the reporter, in the order of the year's list.
pub(super) fn records<'a>(
    out: &mut Vec<Record<'a>>,
    rng: &mut Rng,
    names: &'a Names,
    today: &Today,
    slot: usize,
    count: u64,
) {
    match today.kind {
        Kind::Forwarding | Kind::Spoofing | Kind::Snowshoe => scattered(out, rng, names, today, slot, count),
        _ => steady(out, rng, names, today, slot, count),
    }
}

/// Streams of a few hosts: the mail is shared among them, a few signatures fail.
fn steady<'a>(out: &mut Vec<Record<'a>>, rng: &mut Rng, names: &'a Names, today: &Today, slot: usize, count: u64) {
    let sources = match today.kind {
        Kind::Crm => (200..204).map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))).collect(),
        Kind::Helpdesk => (210..213).map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))).collect(),
        Kind::List => vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 220 + today.number as u8))],
        kind => own_addresses(kind, today.number),
    };
    let broken_part = match today.fault {
        Some(Fault::DkimBroken(part)) => part,
        Some(Fault::BothBroken) => 1.0,
        _ => 0.003,
    };
    let mut left = count;
    for (at, &source) in sources.iter().enumerate() {
        let here = if at + 1 == sources.len() {
            left
        } else {
            rng.poisson(left as f64 / (sources.len() - at) as f64).min(left)
        };
        left -= here;
        let broken = if broken_part >= 1.0 { here } else { rng.poisson(here as f64 * broken_part).min(here) };
        for (count, intact) in [(here - broken, true), (broken, false)] {
            if count > 0 {
                let shape = shape(rng, names, today, slot, intact, 0);
                out.push(Record { source, count, disposition: disposition(&shape, today), shape });
            }
        }
    }
}

/// Streams of very many hosts, a few messages each.
fn scattered<'a>(out: &mut Vec<Record<'a>>, rng: &mut Rng, names: &'a Names, today: &Today, slot: usize, count: u64) {
    let mut left = count;
    while left > 0 {
        let here = (rng.pareto(1.3) as u64).min(left).min(40);
        left -= here;
        let pick = rng.bits();
        let host = pick >> 8;
        let low = |bits: u64| bits as u16;
        let source = match today.kind {
            // Forwarders have a few hosts each, and come again.
            Kind::Forwarding if pick.is_multiple_of(3) => {
                IpAddr::V4(Ipv4Addr::new(198, 19, (host % 20) as u8, (host / 20 % 6) as u8 + 1))
            }
            Kind::Forwarding => {
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x4f00 + low(host % 20), 0, 0, 0, 0, low(host / 20 % 9) + 1))
            }
            Kind::Spoofing if pick.is_multiple_of(2) => {
                IpAddr::V4(Ipv4Addr::new(198, 18, (host % 256) as u8, (host / 256 % 254) as u8 + 1))
            }
            Kind::Spoofing => IpAddr::V6(Ipv6Addr::new(
                0x2001,
                0xdb8,
                0xb000 + low(host % 4_096),
                low(host >> 20),
                0,
                0,
                0,
                low(host >> 36),
            )),
            _ => {
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xc000 + low(host % 400), 0, 0, 0, 0, low(host / 400 % 5) + 1))
            }
        };
        let intact = rng.chance(0.85);
        let shape = shape(rng, names, today, slot, intact, host);
        out.push(Record { source, count: here, disposition: disposition(&shape, today), shape });
    }
}

fn disposition(shape: &Shape<'_>, today: &Today) -> &'static str {
    if shape.dkim || shape.spf || shape.reason.is_some() { "none" } else { today.policy }
}

/// How a message of the stream authenticates. `intact`: its signature is whole. `host` names the forwarder.
fn shape<'a>(rng: &mut Rng, names: &'a Names, today: &Today, slot: usize, intact: bool, host: u64) -> Shape<'a> {
    let domain = names.domain.as_str();
    let result = if intact { "pass" } else { "fail" };
    let sign = |domain: &'a str, selector: &'a str, result| Some(Dkim { domain, selector, result, human: None });
    let spf_word = match today.fault {
        Some(Fault::SpfPermerror) => "permerror",
        Some(Fault::BothBroken) => "softfail",
        _ => "pass",
    };
    let own = Shape {
        header_from: domain,
        envelope_from: domain,
        dkim: intact,
        spf: spf_word == "pass",
        dkim_results: [sign(domain, "mx2025", result), None],
        spf_result: Spf { domain, result: spf_word },
        reason: None,
    };
    let foreign = |envelope: &'a str, result| Shape {
        envelope_from: envelope,
        spf: false,
        spf_result: Spf { domain: envelope, result },
        ..own
    };
    let unsigned = Shape { dkim: false, dkim_results: [None, None], ..own };
    match today.kind {
        Kind::Mta => own,
        Kind::Service => {
            Shape { dkim_results: [sign(domain, "sp1", result), None], ..foreign("sparkpostmail.com", "pass") }
        }
        Kind::Campaign => Shape {
            header_from: &names.news,
            envelope_from: &names.bounce,
            dkim_results: [sign(&names.news, "k1", result), sign("mcsv.net", "k2", "pass")],
            spf_result: Spf { domain: &names.bounce, result: spf_word },
            ..own
        },
        Kind::App => unsigned,
        Kind::Crm => Shape {
            dkim: false,
            dkim_results: [sign("crm-suite.example", "crm1", "pass"), None],
            ..foreign("crm-suite.example", "pass")
        },
        Kind::Helpdesk => Shape {
            dkim: false,
            dkim_results: [sign("zendesk.com", "zendesk1", "pass"), None],
            ..foreign("zendesk.com", "pass")
        },
        Kind::Legacy => Shape { dkim: false, dkim_results: [None, None], ..foreign(domain, "softfail") },
        Kind::Forwarding => {
            // Two of three rewrite the envelope; the others fail our SPF record.
            let at = (host % 20) as usize;
            let base =
                if at.is_multiple_of(3) { foreign(domain, "fail") } else { foreign(&names.forwarders[at], "pass") };
            let reason = match slot {
                0 if !intact && rng.chance(0.8) => Some(("forwarded", "looks forwarded, downgrade to none")),
                1 if !intact && rng.chance(0.7) => Some(("local_policy", "arc=pass")),
                _ => None,
            };
            Shape { reason, ..base }
        }
        Kind::List => {
            let reason = match slot {
                0 if rng.chance(0.9) => Some(("mailing_list", "known mailing list")),
                1 if rng.chance(0.6) => Some(("local_policy", "arc=pass, mailing list")),
                _ => None,
            };
            let dkim_results = [sign(domain, "mx2025", "fail"), None];
            Shape { dkim: false, dkim_results, reason, ..foreign(&names.list, "pass") }
        }
        Kind::Spoofing => Shape { spf: false, spf_result: Spf { domain, result: "fail" }, ..unsigned },
        Kind::Snowshoe => {
            let at = (host % names.throwaway.len() as u64) as usize;
            Shape { dkim: false, dkim_results: [None, None], ..foreign(&names.throwaway[at], "pass") }
        }
    }
}
