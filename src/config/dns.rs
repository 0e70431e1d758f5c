//! `[dns]`: which name servers are asked, how patiently, and which blocklists; `[enrich]`: databases of networks.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::Span;

/// The port of DNS (RFC 1035 section 4.2).
const PORT: u16 = 53;

/// `[dns]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsConfig {
    /// Name servers, `"192.0.2.53"` or `"127.0.0.1:5353"`. None: those of the system.
    pub servers: Vec<Server>,
    /// How long one try waits for an answer.
    pub timeout: Span,
    /// Tries of each question, at least one.
    pub attempts: usize,
    /// Questions under way at once, at least one.
    pub concurrency: usize,
    /// Blocklist zones that are asked about addresses; an empty list asks none.
    pub blocklists: Option<Vec<String>>,
    /// Blocklist zones that are asked about domains; an empty list asks none.
    pub domain_blocklists: Option<Vec<String>>,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Span(Duration::from_secs(3)),
            attempts: 2,
            concurrency: 32,
            blocklists: None,
            domain_blocklists: None,
        }
    }
}

/// A name server: an address, with a port where it is not 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Server(pub SocketAddr);

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT)).ok();
        text.parse().ok().or_else(bare).map(Self).ok_or_else(|| {
            format!("`{text}` is no name server: write its address, 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353")
        })
    }
}

/// `[enrich]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnrichConfig {
    /// Databases of networks and countries (.mmdb of MaxMind or IPinfo). A relative path counts from the config's folder.
    pub database: Vec<PathBuf>,
}

impl EnrichConfig {
    /// Makes relative paths count from the config's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in &mut self.database {
            *path = folder.join(&*path);
        }
    }
}
