//! Evidence in words, both ways: attribution writes `DKIM d=crm.example s=s1`, and approving a sender reads it back.

use std::fmt;

use ipnet::IpNet;

/// What marks a name that rests on public tables alone.
pub(super) const LOW_CONFIDENCE: &str = " (low confidence)";

/// One thing that names a sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clue {
    /// A passing signature.
    Dkim {
        /// `d=`.
        domain: String,
        /// `s=`, where the sender is known by it.
        selector: Option<String>,
    },
    /// A passing MAIL FROM domain.
    Spf(String),
    /// The network of the source, or its address.
    Network(IpNet),
    /// Its forward-confirmed host name.
    Ptr(String),
}

impl Clue {
    /// Reads the evidence of a sender: each thing that it names, the strongest first. Words that are none are left out.
    pub fn read(evidence: &str) -> Vec<Self> {
        evidence.trim_end_matches(LOW_CONFIDENCE).split(", ").filter_map(Self::one).collect()
    }

    fn one(words: &str) -> Option<Self> {
        let (kind, rest) = words.split_once(' ')?;
        let address = || rest.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        match kind {
            "DKIM" => {
                let domain = rest.strip_prefix("d=")?;
                let (domain, selector) = match domain.split_once(" s=") {
                    Some((domain, selector)) => (domain, Some(selector.to_owned())),
                    None => (domain, None),
                };
                Some(Self::Dkim { domain: domain.to_owned(), selector })
            }
            "SPF" => Some(Self::Spf(rest.to_owned())),
            "network" => rest.parse().ok().map(Self::Network),
            "address" | "source" => address().map(Self::Network),
            "PTR" => Some(Self::Ptr(rest.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Clue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dkim { domain, selector: Some(selector) } => write!(f, "DKIM d={domain} s={selector}"),
            Self::Dkim { domain, selector: None } => write!(f, "DKIM d={domain}"),
            Self::Spf(domain) => write!(f, "SPF {domain}"),
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "address {}", network.addr())
            }
            Self::Network(network) => write!(f, "network {network}"),
            Self::Ptr(host) => write!(f, "PTR {host}"),
        }
    }
}
