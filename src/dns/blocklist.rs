//! Blocklists over DNS (RFC 5782): listed, not listed, or could not check. Answers that mean "your question is refused"
//! are never taken for a listing.

use std::net::{IpAddr, Ipv4Addr};

use super::{Looked, Resolver};
use crate::severity::Severity;

const TABLE: &str = include_str!("../../schemas/blocklists.csv");

/// What a zone lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneKind {
    /// Addresses.
    Address,
    /// Domains.
    Domain,
}

/// A blocklist.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The zone.
    pub zone: String,
    /// Its name for people.
    pub name: String,
    kind: ZoneKind,
    /// A domain that is always listed; addresses have 127.0.0.2.
    test: String,
    codes: Vec<Code>,
}

#[derive(Clone, Debug)]
struct Code {
    code: Ipv4Addr,
    severity: Severity,
    meaning: String,
}

/// A listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The answer.
    pub code: Ipv4Addr,
    /// How much it weighs.
    pub severity: Severity,
    /// What it means.
    pub meaning: String,
    /// What the list says about it.
    pub reason: Option<String>,
}

/// Returns the zones to ask: those named, else those of the bundled table.
pub fn zones(kind: ZoneKind, named: Option<&[String]>) -> Vec<Zone> {
    let known = bundled(kind);
    let Some(named) = named else { return known };
    let own = |zone: &String| {
        let zone = zone.trim().trim_matches('.').to_ascii_lowercase();
        let bundled = known.iter().find(|one| one.zone == zone).cloned();
        // RFC 5782 section 5: a list of names holds TEST.
        let plain = Zone { name: zone.clone(), kind, test: "test".to_owned(), codes: Vec::new(), zone };
        bundled.unwrap_or(plain)
    };
    named.iter().map(own).collect()
}

fn bundled(kind: ZoneKind) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    for row in TABLE.lines().skip(1) {
        let mut cells = row.splitn(7, ',');
        let mut cell = || cells.next().unwrap_or_default();
        let (zone, name, of, test, code, severity, meaning) = (cell(), cell(), cell(), cell(), cell(), cell(), cell());
        if (of == "domain") != (kind == ZoneKind::Domain) {
            continue;
        }
        // A test holds the table to this; a bad row would be skipped here, never a panic at an operator's desk.
        let Ok(code) = code.parse() else { continue };
        let severity = Severity::from_word(severity).unwrap_or(Severity::Warn);
        let code = Code { code, severity, meaning: meaning.to_owned() };
        match zones.iter_mut().find(|one| one.zone == zone) {
            Some(known) => known.codes.push(code),
            None => zones.push(Zone {
                zone: zone.to_owned(),
                name: name.to_owned(),
                kind,
                test: test.to_owned(),
                codes: vec![code],
            }),
        }
    }
    zones
}

impl Zone {
    /// Returns why the zone's answers cannot be trusted, where they cannot: RFC 5782 section 5 has every list of
    /// addresses hold 127.0.0.2 and not 127.0.0.1.
    pub async fn fault(&self, resolver: &Resolver) -> Option<String> {
        let (listed, not) = match self.kind {
            ZoneKind::Address => ("2.0.0.127", Some("1.0.0.127")),
            ZoneKind::Domain => (self.test.as_str(), None),
        };
        match self.verdict(resolver, listed).await {
            Looked::Found(_) => {}
            Looked::Absent(_) => {
                return Some(format!("its test entry {listed}.{} is not listed: dead, or out of reach", self.zone));
            }
            Looked::Unchecked(why) => return Some(why),
        }
        match self.verdict(resolver, not?).await {
            Looked::Found(_) => Some("it lists 127.0.0.1: it lists the world".to_owned()),
            Looked::Absent(_) => None,
            Looked::Unchecked(why) => Some(why),
        }
    }

    /// Asks whether an address or a domain is listed. Absent is not listed.
    pub async fn ask(&self, resolver: &Resolver, subject: &str) -> Looked<Listing> {
        let label = subject.parse().map_or_else(|_| subject.to_owned(), reversed);
        let mut verdict = self.verdict(resolver, &label).await;
        if let Looked::Found(listing) = &mut verdict {
            let reason = resolver.txt(&format!("{label}.{}", self.zone)).await;
            listing.reason = reason.found().map(|texts| texts.join(" "));
        }
        verdict
    }

    async fn verdict(&self, resolver: &Resolver, label: &str) -> Looked<Listing> {
        let answers = match resolver.v4(&format!("{label}.{}", self.zone)).await.or_none() {
            Ok(answers) => answers,
            Err(none) => return none,
        };
        let mut worst: Option<Listing> = None;
        for answer in answers {
            let IpAddr::V4(code) = answer else { continue };
            match self.meaning(code) {
                Ok((severity, meaning)) => {
                    if worst.as_ref().is_none_or(|before| before.severity < severity) {
                        worst = Some(Listing { code, severity, meaning, reason: None });
                    }
                }
                Err(why) => return Looked::Unchecked(why),
            }
        }
        worst.map_or_else(|| Looked::Unchecked("no address in the answer".to_owned()), Looked::Found)
    }

    fn meaning(&self, code: Ipv4Addr) -> Result<(Severity, String), String> {
        match code.octets() {
            [127, 255, 255, 252] => Err(format!("{code}: the list does not know this zone name")),
            [127, 255, 255, 254] => Err(format!(
                "{code}: question refused, it came through a public resolver; name your own in [dns] servers"
            )),
            [127, 255, 255, 255] => Err(format!("{code}: question refused, too many were asked")),
            [127, 255, 255, _] => Err(format!("{code}: question refused by the list")),
            [127, 0, 1, 255] => Err(format!("{code}: the list holds domains, not addresses")),
            [127, ..] => match self.codes.iter().find(|known| known.code == code) {
                Some(known) => Ok((known.severity, known.meaning.clone())),
                None if !self.codes.is_empty() => Err(format!("{code}: no code that the list documents")),
                // Some lists answer 127.0.0.1 where they refuse.
                None if code == Ipv4Addr::LOCALHOST => Err(format!("{code}: question refused by the list")),
                None => Ok((Severity::High, "listed".to_owned())),
            },
            _ => Err(format!("{code} is no answer of a blocklist (RFC 5782): something else answers for this zone")),
        }
    }
}

/// An address as blocklists want it: its octets, or its 32 nibbles, backwards.
fn reversed(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}
