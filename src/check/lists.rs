//! Blocklists: each list is tested before it is believed, then asked once about each address and about the domain.

use super::{Finding, Subject};
use crate::config::DnsConfig;
use crate::dns::{Looked, Resolver, Zone, ZoneKind, zones};

const REMEDY: &str = "Resolve the listing first, at the list's own page: no gateway reviews a publicly listed address.";

/// Asks the blocklists.
pub(super) async fn lists(resolver: &Resolver, subject: &Subject, config: &DnsConfig) -> Vec<Finding> {
    if !subject.blocklists {
        return Vec::new();
    }
    let ips: Vec<String> = subject.ips.iter().map(|one| one.ip.to_string()).collect();
    let addresses = zones(ZoneKind::Address, config.blocklists.as_deref());
    let domains = zones(ZoneKind::Domain, config.domain_blocklists.as_deref());
    let domain = std::slice::from_ref(&subject.domain);
    let asked = addresses.iter().map(|zone| (zone, ips.as_slice())).chain(domains.iter().map(|zone| (zone, domain)));
    let asked = asked.filter(|(_, subjects)| !subjects.is_empty());
    let answers = futures::future::join_all(asked.map(|(zone, subjects)| ask(resolver, zone, subjects))).await;
    answers.into_iter().flatten().collect()
}

async fn ask(resolver: &Resolver, zone: &Zone, subjects: &[String]) -> Vec<Finding> {
    let fault = zone.fault(resolver).await;
    let one = async |subject: &String| {
        let verdict = match &fault {
            Some(why) => Looked::Unchecked(why.clone()),
            None => zone.ask(resolver, subject).await,
        };
        let finding = match verdict {
            Looked::Found(listing) => {
                let reason = listing.reason.map_or_else(String::new, |text| format!("; {text}"));
                let text = format!("listed, {}: {}{reason}", listing.code, listing.meaning);
                Finding::defect(subject, &zone.zone, listing.severity, text, REMEDY)
            }
            Looked::Absent(_) => Finding::ok(subject, &zone.zone, "not listed at that time"),
            Looked::Unchecked(why) => Finding::unchecked(subject, &zone.zone, why),
        };
        Finding { kind: "blocklist", ..finding }
    };
    futures::future::join_all(subjects.iter().map(one)).await
}
