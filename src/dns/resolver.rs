//! Asks name servers: bounded in time and in number, each answer yes, no or could not check.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::sync::{OnceCell, Semaphore};

use super::{Absence, Looked};
use crate::config::DnsConfig;

/// Questions in a row without any answer, over what may be under way at once, after which no more are asked: the name
/// servers cannot be reached, and waiting for each of thousands would help nobody.
const GIVE_UP: usize = 16;

/// Why no resolver could be made.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The system names no name server.
    #[error("the system names no name server ({0}): name one in the config, [dns] servers = [\"192.0.2.53\"]")]
    NoServer(String),
    /// The resolver refuses its settings.
    #[error("the resolver cannot be set up: {0}")]
    Setup(String),
}

/// Asks name servers.
pub struct Resolver {
    inner: TokioResolver,
    servers: String,
    under_way: Semaphore,
    concurrency: usize,
    silent: AtomicUsize,
    cut_off: OnceCell<bool>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Sets up a resolver with the name servers of the config, else those of the system.
    ///
    /// # Errors
    /// There is no name server to ask.
    pub fn new(config: &DnsConfig) -> Result<Self, ResolverError> {
        let (resolvers, mut options) = if config.servers.is_empty() {
            let (system, options) = read_system_conf().map_err(|error| ResolverError::NoServer(error.to_string()))?;
            let (_, _, servers) = system.into_parts();
            (servers, options)
        } else {
            (config.servers.iter().map(|server| named(server.0)).collect(), ResolverOpts::default())
        };
        if resolvers.is_empty() {
            return Err(ResolverError::NoServer("its list is empty".to_owned()));
        }
        let concurrency = config.concurrency.max(1);
        options.timeout = config.timeout.0;
        options.attempts = config.attempts.max(1);
        // What /etc/hosts says is no evidence of what the world sees.
        options.use_hosts_file = ResolveHosts::Never;
        options.max_active_requests = concurrency.max(options.max_active_requests);
        let servers: Vec<String> = resolvers.iter().map(words).collect();
        // No search list: every name here is whole.
        let config = ResolverConfig::from_name_servers(resolvers);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
        let inner = builder.build().map_err(|error| ResolverError::Setup(error.to_string()))?;
        Ok(Self {
            inner,
            servers: servers.join(", "),
            under_way: Semaphore::new(concurrency),
            concurrency,
            silent: AtomicUsize::new(0),
            cut_off: OnceCell::new(),
        })
    }

    /// Returns the name servers that are asked, for the answer to say.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Returns how many questions may be under way at once.
    pub const fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Looks up TXT records, each with its strings joined without anything between (RFC 7208 section 3.3).
    pub async fn txt(&self, name: &str) -> Looked<Vec<String>> {
        let text = |data: &RData| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        };
        self.ask(name, RecordType::TXT, text).await
    }

    /// Looks up the IPv4 addresses of a host.
    pub async fn v4(&self, name: &str) -> Looked<Vec<IpAddr>> {
        self.ask(name, RecordType::A, RData::ip_addr).await
    }

    /// Looks up the IPv6 addresses of a host.
    pub async fn v6(&self, name: &str) -> Looked<Vec<IpAddr>> {
        self.ask(name, RecordType::AAAA, RData::ip_addr).await
    }

    /// Looks up all addresses of a host. Where one family has addresses, the other may stay unanswered.
    pub async fn addresses(&self, name: &str) -> Looked<Vec<IpAddr>> {
        match tokio::join!(self.v4(name), self.v6(name)) {
            (Looked::Found(mut v4), Looked::Found(v6)) => {
                v4.extend(v6);
                Looked::Found(v4)
            }
            (Looked::Found(some), _) | (_, Looked::Found(some)) => Looked::Found(some),
            (Looked::Unchecked(why), _) | (_, Looked::Unchecked(why)) => Looked::Unchecked(why),
            (Looked::Absent(absence), Looked::Absent(_)) => Looked::Absent(absence),
        }
    }

    /// Looks up mail exchangers: preference and host, best first. The null MX (RFC 7505) is a host without a name.
    pub async fn mx(&self, name: &str) -> Looked<Vec<(u16, String)>> {
        let exchange = |data: &RData| match data {
            RData::MX(mx) => Some((mx.preference, written(&mx.exchange))),
            _ => None,
        };
        let mut found = self.ask(name, RecordType::MX, exchange).await;
        if let Looked::Found(hosts) = &mut found {
            hosts.sort();
        }
        found
    }

    /// Looks up the host names of an address.
    pub async fn ptr(&self, ip: IpAddr) -> Looked<Vec<String>> {
        let host = |data: &RData| match data {
            RData::PTR(host) => Some(written(host)),
            _ => None,
        };
        let mut found = self.ask(&Name::from(ip).to_ascii(), RecordType::PTR, host).await;
        if let Looked::Found(hosts) = &mut found {
            hosts.sort();
            hosts.dedup();
        }
        found
    }

    async fn ask<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Looked<Vec<T>> {
        let mut name = match Name::from_ascii(crate::parse::domain_name(name)) {
            Ok(name) => name,
            Err(error) => return Looked::Unchecked(format!("`{name}` is no domain name: {error}")),
        };
        name.set_fqdn(true);
        // The semaphore is never closed.
        let Ok(_turn) = self.under_way.acquire().await else { return Looked::Unchecked("stopped".to_owned()) };
        if self.silent.load(Ordering::Relaxed) >= self.concurrency + GIVE_UP {
            return Looked::Unchecked(format!("{} gave no answer to many questions; no more were asked", self.servers));
        }
        let looked = self.inner.lookup(name, kind).await;
        let silent = matches!(&looked, Err(error) if !matches!(error, NetError::Dns(_)));
        if silent {
            self.silent.fetch_add(1, Ordering::Relaxed);
        } else {
            self.silent.store(0, Ordering::Relaxed);
        }
        let answer = match looked {
            Ok(lookup) => {
                let found: Vec<T> = lookup.answers().iter().filter_map(|record| read(&record.data)).collect();
                match lookup.message().response_code {
                    _ if !found.is_empty() => Looked::Found(found),
                    // An alias that leads nowhere.
                    ResponseCode::NXDomain => Looked::Absent(Absence::NoName),
                    _ => Looked::Absent(Absence::NoData),
                }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Looked::Absent(Absence::NoName),
                ResponseCode::NoError => Looked::Absent(Absence::NoData),
                code => Looked::Unchecked(refused(code)),
            },
            Err(NetError::Dns(DnsError::ResponseCode(code))) => Looked::Unchecked(refused(code)),
            Err(NetError::Timeout) => Looked::Unchecked(format!("{} did not answer in time", self.servers)),
            Err(error) => Looked::Unchecked(format!("{}: {error}", self.servers)),
        };
        if matches!(answer, Looked::Absent(_)) && *self.cut_off.get_or_init(|| self.knows_no_root()).await {
            return Looked::Unchecked(format!(
                "{} denies even the root of DNS: what it does not know may exist all the same",
                self.servers
            ));
        }
        answer
    }

    /// Returns whether the name servers deny the root itself, as those of a closed network do: every resolver of the
    /// world's DNS knows it (RFC 8109), so that their "no such name" says nothing.
    async fn knows_no_root(&self) -> bool {
        matches!(
            self.inner.lookup(Name::root(), RecordType::NS).await,
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
        )
    }
}

fn refused(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "the name server failed (SERVFAIL)".to_owned(),
        ResponseCode::Refused => "the name server refused the question (REFUSED)".to_owned(),
        code => format!("the name server answered with an error ({code})"),
    }
}

fn named(address: std::net::SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

fn words(server: &NameServerConfig) -> String {
    match server.connections.first().map(|connection| connection.port) {
        None | Some(53) => server.ip.to_string(),
        Some(port) => std::net::SocketAddr::new(server.ip, port).to_string(),
    }
}

/// A name as the store writes names; empty for the root.
fn written(name: &Name) -> String {
    crate::parse::domain_name(&name.to_ascii()).into_owned()
}
