//! `[[sender]]` and `[[domain]]`: what the operator approves and expects.

use chrono::NaiveDate;
use ipnet::IpNet;
use serde::Deserialize;

/// One approved sender. A record is its mail when any of `ips`, `dkim`, `spf` or `ptr` matches and `from` allows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderRule {
    /// Its name in every answer.
    pub name: String,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// The public service behind it: a name of the catalogue.
    #[serde(default)]
    pub service: Option<String>,
    /// Free text.
    #[serde(default)]
    pub note: Option<String>,
    /// Networks and addresses.
    #[serde(default)]
    pub ips: Vec<Network>,
    /// Signing domains, optionally with their selectors.
    #[serde(default)]
    pub dkim: Vec<DkimRule>,
    /// MAIL FROM domains.
    #[serde(default)]
    pub spf: Vec<String>,
    /// Host name suffixes of its sources; they count only where forward-confirmed.
    #[serde(default)]
    pub ptr: Vec<String>,
    /// From domains that it may use; empty means any.
    #[serde(default)]
    pub from: Vec<String>,
    /// First report day that the approval holds for.
    #[serde(default)]
    pub since: Option<NaiveDate>,
    /// Last report day that the approval holds for.
    #[serde(default)]
    pub approved_until: Option<NaiveDate>,
}

/// A signing domain of an approved sender.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimRule {
    /// `d=`.
    pub domain: String,
    /// `s=`; empty means any.
    #[serde(default)]
    pub selectors: Vec<String>,
}

/// A network or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let single = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        text.parse::<IpNet>()
            .ok()
            .or_else(single)
            .map(|net| Self(net.trunc()))
            .ok_or_else(|| format!("`{text}` is no network: write 192.0.2.0/28, 2001:db8:1::/48 or a single address"))
    }
}

/// What is expected of a domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRule {
    /// The domain.
    pub name: String,
    /// False for a parked domain, which sends no mail.
    #[serde(default = "yes")]
    pub sends: bool,
    /// Reporters that are expected to report on it.
    #[serde(default)]
    pub reporters: Vec<String>,
}

fn yes() -> bool {
    true
}
