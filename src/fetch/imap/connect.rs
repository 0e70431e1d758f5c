//! From a host name to a protected connection: lookup, TCP, TLS or STARTTLS, greeting.

use std::sync::Arc;
use std::time::Duration;

use async_imap::imap_proto::{Response, Status};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use super::connection::{Connection, Pulse};
use super::error::{Fault, said};
use super::wire::{Buffered, Wire, buffered};
use crate::config::{MailboxConfig, Tls};

/// How servers are reached and trusted: made once per mailbox, used for each connection.
pub(super) struct Connector<'a> {
    mailbox: &'a MailboxConfig,
    tls: Option<TlsConnector>,
    /// Bytes of the largest literal.
    literal_bytes: u64,
}

/// What the greeting says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// A login is due.
    Hello,
    /// The server knows us already (PREAUTH).
    LoggedIn,
}

impl<'a> Connector<'a> {
    /// Reads the certificates that are trusted.
    pub(super) fn new(mailbox: &'a MailboxConfig, literal_bytes: u64) -> Result<Self, Fault> {
        let tls = match mailbox.tls {
            Tls::None => None,
            Tls::Implicit | Tls::Starttls => Some(TlsConnector::from(Arc::new(client_config(mailbox)?))),
        };
        Ok(Self { mailbox, tls, literal_bytes })
    }

    /// Connects, up to and including the greeting and STARTTLS.
    pub(super) async fn connect<'p>(&self, pulse: Pulse<'p>) -> Result<(Connection<'p>, Greeting), Fault> {
        let limit = Duration::from_secs(u64::from(self.mailbox.timeout.connect));
        let tcp = timeout(limit, self.tcp()).await.map_err(|_| self.late("TCP"))??;
        let _ = tcp.set_nodelay(true);
        if self.mailbox.tls == Tls::None && !self.mailbox.allow_plaintext {
            let local = tcp.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
            if !local {
                return Err(Fault::Plaintext { host: self.mailbox.host.clone() });
            }
        }
        if self.mailbox.tls == Tls::Implicit {
            let stream = timeout(limit, self.handshake(tcp)).await.map_err(|_| self.late("TLS"))??;
            let mut connection = self.wrap(Wire::tls(stream, self.literal_bytes), pulse);
            let greeting = self.greeting(&mut connection, limit).await?;
            return Ok((connection, greeting));
        }
        let mut connection = self.wrap(Wire::plain(tcp, self.literal_bytes), pulse);
        let greeting = self.greeting(&mut connection, limit).await?;
        if self.mailbox.tls == Tls::None {
            return Ok((connection, greeting));
        }
        if greeting == Greeting::LoggedIn {
            // RFC 9051 section 11.1: STARTTLS is not possible then; going on would be in the clear.
            let text = "the server is logged in before TLS (PREAUTH)".to_owned();
            return Err(Fault::NoStartTls { host: self.mailbox.host.clone(), text });
        }
        if let Err(Fault::Refused { text, .. }) = connection.run("STARTTLS", "STARTTLS", |_| {}).await?.ok("STARTTLS") {
            return Err(Fault::NoStartTls { host: self.mailbox.host.clone(), text });
        }
        let tcp = connection.into_wire().into_tcp().ok_or(Fault::Closed { step: "STARTTLS" })?;
        let stream = timeout(limit, self.handshake(tcp)).await.map_err(|_| self.late("TLS"))??;
        Ok((self.wrap(Wire::tls(stream, self.literal_bytes), pulse), Greeting::Hello))
    }

    fn wrap<'p>(&self, wire: Wire, pulse: Pulse<'p>) -> Connection<'p> {
        Connection::new(wire, self.mailbox.timeout.answer, pulse)
    }

    fn late(&self, step: &'static str) -> Fault {
        let seconds = self.mailbox.timeout.connect;
        Fault::ConnectTimeout { host: self.mailbox.host.clone(), port: self.mailbox.port, step, seconds }
    }

    async fn tcp(&self) -> Result<TcpStream, Fault> {
        let (host, port) = (self.mailbox.host.as_str(), self.mailbox.port);
        let no_address = |text: String| Fault::NoAddress { host: host.to_owned(), text };
        let addresses: Vec<_> =
            lookup_host((host, port)).await.map_err(|error| no_address(error.to_string()))?.collect();
        // Each address has its share of the time: one that swallows what is sent to it must not hide another that works.
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let share = Duration::from_secs(u64::from(self.mailbox.timeout.connect)) / count;
        let mut last = None;
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return Ok(tcp),
                Ok(Err(error)) => last = Some(format!("{address}: {error}")),
                Err(_) if count == 1 => return Err(self.late("TCP")),
                Err(_) => last = Some(format!("{address}: no answer in {:.0?}", share)),
            }
        }
        Err(match last {
            Some(text) => Fault::Unreachable { host: host.to_owned(), port, text },
            None => no_address("none found".to_owned()),
        })
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<TlsStream<Buffered>, Fault> {
        let (host, port) = (self.mailbox.host.clone(), self.mailbox.port);
        let fault = |text: String| Fault::Tls { host: host.clone(), port, text };
        let name = ServerName::try_from(host.clone()).map_err(|error| fault(error.to_string()))?;
        let connector = self.tls.as_ref().ok_or_else(|| fault("TLS is off".to_owned()))?;
        connector.connect(name, buffered(tcp)).await.map_err(|error| {
            let certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match certificate {
                Some(rustls::Error::InvalidCertificate(why)) => certificate_fault(&host, port, why),
                _ => fault(said(&error.to_string())),
            }
        })
    }

    async fn greeting(&self, connection: &mut Connection<'_>, limit: Duration) -> Result<Greeting, Fault> {
        let status = connection
            .next_within("greeting", limit, |response| match response {
                Response::Data { status: Status::Ok, .. } => Ok(Greeting::Hello),
                Response::Data { status: Status::PreAuth, .. } => Ok(Greeting::LoggedIn),
                other => Err(said(&format!("{other:?}"))),
            })
            .await;
        match status {
            Ok(Ok(greeting)) => Ok(greeting),
            Ok(Err(text)) => Err(Fault::Protocol { step: "greeting", text }),
            Err(Fault::Stalled { .. }) => Err(self.late("greeting; is `tls` right for this port?")),
            Err(fault) => Err(fault),
        }
    }
}

fn client_config(mailbox: &MailboxConfig) -> Result<ClientConfig, Fault> {
    let tls = |text: String| Fault::Tls { host: mailbox.host.clone(), port: mailbox.port, text };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(error.to_string()))?;
    let Some(path) = &mailbox.ca_file else {
        let config = builder.with_platform_verifier().map_err(|error| tls(error.to_string()))?;
        return Ok(config.with_no_client_auth());
    };
    let fault = |text: String| Fault::CaFile { path: path.clone(), text };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))? {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("it holds no certificate".to_owned()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn certificate_fault(host: &str, port: u16, why: &CertificateError) -> Fault {
    let host = host.to_owned();
    match why {
        CertificateError::UnknownIssuer => Fault::UntrustedCertificate { host },
        CertificateError::NotValidForName => Fault::NameMismatch { host, presented: "other names".to_owned() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            let presented =
                if presented.is_empty() { "no name at all".to_owned() } else { said(&presented.join(", ")) };
            Fault::NameMismatch { host, presented }
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Fault::CertificateTime { host },
        other => {
            let text = format!("{other:?}");
            if text.contains("CaUsedAsEndEntity") {
                Fault::CaAsServer { host }
            } else {
                Fault::Tls { host, port, text: said(&text) }
            }
        }
    }
}
