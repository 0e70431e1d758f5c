//! Mail exchangers and their gateway, reverse DNS of the sending addresses, HELO, and two records about transport.

use std::net::IpAddr;

use super::{Finding, Subject};
use crate::dns::{Looked, Resolver, leads_to, reverse};
use crate::evidence::Gateways;
use crate::parse::org_domain;
use crate::severity::Severity;

/// What was found of hosts.
pub(super) struct HostsFound {
    pub(super) gateway: Option<String>,
    pub(super) findings: Vec<Finding>,
}

/// Checks hosts.
pub(super) async fn hosts(resolver: &Resolver, subject: &Subject, gateways: &Gateways) -> HostsFound {
    let transport = async { tokio::join!(policy_of(resolver, subject, STS), policy_of(resolver, subject, TLS_RPT)) };
    let addresses = async {
        let all = subject.ips.iter().map(|one| {
            let stated = subject.helo.iter().find(|(ip, _)| *ip == one.ip);
            address(resolver, one.ip, stated.map(|(_, name)| name.as_str()))
        });
        futures::future::join_all(all).await
    };
    let ((gateway, mx), (sts, tls_rpt), addresses) =
        tokio::join!(exchangers(resolver, subject, gateways), transport, addresses);
    let mut findings = vec![mx];
    findings.extend(addresses.into_iter().flatten());
    if !subject.parked {
        findings.extend([sts, tls_rpt]);
    }
    HostsFound { gateway, findings }
}

async fn exchangers(resolver: &Resolver, subject: &Subject, gateways: &Gateways) -> (Option<String>, Finding) {
    let domain = subject.domain.as_str();
    let parked = "Publish a null MX (RFC 7505): MX 0 with a dot.";
    let hosts = match resolver.mx(domain).await {
        Looked::Found(hosts) => hosts,
        Looked::Absent(none) if subject.parked => {
            let text = format!("no null MX: {}", none.words());
            return (None, Finding::defect(domain, "MX", Severity::Notice, text, parked).gap("G18"));
        }
        Looked::Absent(none) => {
            let text = format!("none: {}; answers and bounces to the domain may not arrive", none.words());
            let remedy = "Publish MX records, so that the domain can receive answers, bounces and abuse mail.";
            return (None, Finding::defect(domain, "MX", Severity::Warn, text, remedy));
        }
        Looked::Unchecked(why) => return (None, Finding::unchecked(domain, "MX", why)),
    };
    let null = hosts.iter().all(|(_, host)| host.is_empty());
    if null && subject.parked {
        return (None, Finding::ok(domain, "MX", "null MX: no mail is accepted"));
    }
    if null {
        let text = "null MX: the domain accepts no mail, and some receivers refuse mail from such a domain";
        let remedy = "Publish MX records for a domain that sends.";
        return (None, Finding::defect(domain, "MX", Severity::Warn, text, remedy));
    }
    // The most preferred hosts receive; the others stand by.
    let best = hosts.first().map_or(0, |(preference, _)| *preference);
    let mut ids: Vec<Option<&str>> =
        hosts.iter().filter(|(preference, _)| *preference == best).map(|(_, host)| gateways.of_host(host)).collect();
    ids.dedup();
    let gateway = match ids.as_slice() {
        [one] => one.map(str::to_owned),
        _ => Some("mixed".to_owned()),
    };
    let list: Vec<String> = hosts.iter().map(|(preference, host)| format!("{preference} {host}")).collect();
    let behind = gateway.as_deref().map_or_else(String::new, |id| format!(" ({})", gateways.name(id)));
    let finding = if subject.parked {
        let text = format!("receives mail: {}", list.join(", "));
        Finding::defect(domain, "MX", Severity::Notice, text, parked).gap("G18")
    } else {
        Finding::ok(domain, "MX", format!("{}{behind}", list.join(", ")))
    };
    (gateway, finding)
}

/// A record at a fixed name that is told for the context, never as a defect: it plays no part in reputation.
struct Context {
    check: &'static str,
    name: &'static str,
    begins: &'static str,
}

/// RFC 8461 section 3.1.
const STS: Context = Context { check: "MTA-STS", name: "_mta-sts", begins: "v=stsv1" };
/// RFC 8460 section 3.
const TLS_RPT: Context = Context { check: "TLS reporting", name: "_smtp._tls", begins: "v=tlsrptv1" };

async fn policy_of(resolver: &Resolver, subject: &Subject, context: Context) -> Finding {
    let domain = subject.domain.as_str();
    let found = resolver.txt(&format!("{}.{domain}", context.name)).await;
    let found =
        found.and_then(|texts| texts.into_iter().find(|text| text.to_ascii_lowercase().starts_with(context.begins)));
    match found {
        Looked::Found(text) => Finding::ok(domain, context.check, text),
        Looked::Absent(_) => Finding::ok(domain, context.check, "not published; plays no part in reputation"),
        Looked::Unchecked(why) => Finding::unchecked(domain, context.check, why),
    }
}

async fn address(resolver: &Resolver, ip: IpAddr, helo: Option<&str>) -> Vec<Finding> {
    const CHECK: &str = "reverse DNS";
    let subject = ip.to_string();
    let names = reverse(resolver, ip).await;
    let remedy = "Give the address a host name that resolves back to it: many receivers refuse mail without one.";
    let list = |names: &[String]| names.join(", ");
    let mut findings = vec![match (&names.hosts, &names.confirmed) {
        (_, Looked::Found(host)) => Finding::ok(&subject, CHECK, format!("{host}, which resolves back to the address")),
        (Looked::Found(hosts), Looked::Absent(_)) => {
            let text = format!("{} does not resolve back to the address", list(hosts));
            Finding::defect(&subject, CHECK, Severity::High, text, remedy)
        }
        (Looked::Found(hosts), Looked::Unchecked(why)) => {
            Finding::unchecked(&subject, CHECK, format!("{}: whether it resolves back: {why}", list(hosts)))
        }
        (Looked::Absent(none), _) => {
            Finding::defect(&subject, CHECK, Severity::High, format!("no host name: {}", none.words()), remedy)
        }
        (Looked::Unchecked(why), _) => Finding::unchecked(&subject, CHECK, why),
    }];
    if let Some(helo) = helo {
        findings.push(greeting(resolver, ip, helo, names.hosts.found().map(Vec::as_slice).unwrap_or_default()).await);
    }
    findings
}

/// RFC 5321 section 4.1.1.1: the name is the host's own, and resolves to an address.
async fn greeting(resolver: &Resolver, ip: IpAddr, helo: &str, hosts: &[String]) -> Finding {
    let subject = ip.to_string();
    let check = format!("HELO {helo}");
    let remedy = "Have the host greet with its own name, one that resolves to its address.";
    let related = hosts.iter().any(|host| org_domain(host) == org_domain(helo));
    match leads_to(resolver, helo, ip).await {
        Looked::Found(()) if related || hosts.is_empty() => Finding::ok(&subject, check, "resolves to the address"),
        Looked::Found(()) => {
            let text = format!("resolves to the address, yet reverse DNS says {}", hosts.join(", "));
            Finding::defect(&subject, check, Severity::Notice, text, "Have reverse DNS and HELO say the same name.")
        }
        Looked::Absent(none) => {
            let text = format!("does not resolve to the address: {}", none.words());
            Finding::defect(&subject, check, Severity::Warn, text, remedy)
        }
        Looked::Unchecked(why) => Finding::unchecked(&subject, check, why),
    }
}
