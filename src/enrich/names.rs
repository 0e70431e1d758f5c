//! Host names of sources, as DNS says them now.

use std::net::IpAddr;

use crate::dns::{Looked, Resolver, reverse};

/// The name of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A name that resolves back to the address.
    Confirmed(String),
    /// A name that does not.
    Unconfirmed(String),
    /// No name, as the name servers say.
    Nameless,
    /// Nobody could say, and why. A name is kept where there is one, unconfirmed.
    Unchecked(String),
}

/// Looks up the names of addresses, as many at once as the resolver allows.
pub async fn names(resolver: &Resolver, ips: &[IpAddr]) -> Vec<Named> {
    futures::future::join_all(ips.iter().map(|ip| name(resolver, *ip))).await
}

async fn name(resolver: &Resolver, ip: IpAddr) -> Named {
    let found = reverse(resolver, ip).await;
    match (found.hosts, found.confirmed) {
        (_, Looked::Found(host)) => Named::Confirmed(host),
        (Looked::Found(hosts), Looked::Absent(_)) => {
            hosts.into_iter().next().map_or(Named::Nameless, Named::Unconfirmed)
        }
        (Looked::Absent(_), _) => Named::Nameless,
        (Looked::Unchecked(why), _) | (_, Looked::Unchecked(why)) => Named::Unchecked(why),
    }
}
