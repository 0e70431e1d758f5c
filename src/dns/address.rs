//! Addresses and their names: reverse DNS with forward confirmation, and whether a HELO name fits.

use std::net::IpAddr;

use super::{Absence, Looked, Resolver};

/// Names of one address that are looked at; more is no serious host (RFC 7208 section 4.6.4 has the same limit).
const NAMES: usize = 10;

/// The names of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    /// All names, in order.
    pub hosts: Looked<Vec<String>>,
    /// The first name that resolves back to the address (RFC 8601 `iprev`).
    pub confirmed: Looked<String>,
}

/// Looks up the names of an address, and whether one of them resolves back to it.
pub async fn reverse(resolver: &Resolver, ip: IpAddr) -> Reverse {
    let hosts = resolver.ptr(ip).await;
    let confirmed = match &hosts {
        Looked::Found(hosts) => confirmed(resolver, ip, hosts).await,
        Looked::Absent(absence) => Looked::Absent(*absence),
        Looked::Unchecked(why) => Looked::Unchecked(why.clone()),
    };
    Reverse { hosts, confirmed }
}

async fn confirmed(resolver: &Resolver, ip: IpAddr, hosts: &[String]) -> Looked<String> {
    let mut unchecked = None;
    for host in hosts.iter().take(NAMES) {
        match leads_to(resolver, host, ip).await {
            Looked::Found(()) => return Looked::Found(host.clone()),
            Looked::Absent(_) => {}
            Looked::Unchecked(why) => unchecked = Some(why),
        }
    }
    unchecked.map_or(Looked::Absent(Absence::NoData), Looked::Unchecked)
}

/// Looks up whether a name has an address.
pub async fn leads_to(resolver: &Resolver, host: &str, ip: IpAddr) -> Looked<()> {
    // One family is enough to ask: the other cannot hold the address.
    let addresses = if ip.is_ipv4() { resolver.v4(host).await } else { resolver.v6(host).await };
    addresses.and_then(|addresses| addresses.contains(&ip).then_some(()))
}
