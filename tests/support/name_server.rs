//! A real name server on loopback, UDP and TCP, that answers from a zone written in the test, and fails where told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmarcase::config::{DnsConfig, Server as ServerConfig, Span};
use dmarcase::dns::Resolver;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

/// A running name server; it ends when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone)]
enum Answer {
    Data(RData),
    Code(ResponseCode),
    Silence,
}

struct Zone {
    names: BTreeMap<String, Vec<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// `name TYPE value` a line; `name SERVFAIL`, `name REFUSED` and `name SILENT` for names that fail. `#` begins a comment.
fn read(zone: &str) -> BTreeMap<String, Vec<Answer>> {
    let mut names: BTreeMap<String, Vec<Answer>> = BTreeMap::new();
    for line in zone.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.splitn(3, ' ');
        let (name, kind, value) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or_default());
        let host = |text: &str| Name::from_ascii(text.trim_end_matches('.').to_owned() + ".").unwrap();
        let answer = match kind {
            "A" => Answer::Data(RData::A(A(value.parse().unwrap()))),
            "AAAA" => Answer::Data(RData::AAAA(AAAA(value.parse().unwrap()))),
            "CNAME" => Answer::Data(RData::CNAME(CNAME(host(value)))),
            "PTR" => Answer::Data(RData::PTR(PTR(host(value)))),
            "MX" => {
                let (preference, exchange) = value.split_once(' ').unwrap();
                Answer::Data(RData::MX(MX::new(preference.parse().unwrap(), host(exchange))))
            }
            // A string holds 255 bytes: a long record is several (RFC 1035 section 3.3).
            "TXT" => Answer::Data(RData::TXT(TXT::from_bytes(value.as_bytes().chunks(255).collect()))),
            "NS" => Answer::Data(RData::NS(NS(host(value)))),
            "SERVFAIL" => Answer::Code(ResponseCode::ServFail),
            "REFUSED" => Answer::Code(ResponseCode::Refused),
            "SILENT" => Answer::Silence,
            other => panic!("{other}"),
        };
        // `ip PTR host` is written with the address itself.
        let name = name.parse().map_or_else(|_| name.to_owned(), |ip: std::net::IpAddr| Name::from(ip).to_ascii());
        names.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default().push(answer);
    }
    names
}

#[async_trait::async_trait]
impl RequestHandler for Zone {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut reply: R) -> ResponseInfo {
        let info = request.request_info().unwrap();
        let (wanted, mut name) = (info.query.query_type(), info.query.name().to_string());
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let mut answers = Vec::new();
        self.asked.lock().unwrap().push(format!("{} {wanted}", name.trim_end_matches('.')));
        loop {
            let key = name.trim_end_matches('.').to_ascii_lowercase();
            let here = self.names.get(&key).cloned().unwrap_or_default();
            let below = self.names.keys().any(|other| other.ends_with(&format!(".{key}")));
            metadata.response_code =
                if here.is_empty() && !below { ResponseCode::NXDomain } else { ResponseCode::NoError };
            let mut alias = None;
            for answer in here {
                match answer {
                    Answer::Silence => return ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() }),
                    Answer::Code(code) => metadata.response_code = code,
                    Answer::Data(data) => {
                        if let RData::CNAME(target) = &data
                            && wanted != RecordType::CNAME
                        {
                            alias = Some(target.to_ascii());
                        } else if data.record_type() != wanted {
                            continue;
                        }
                        answers.push(Record::from_rdata(Name::from_ascii(format!("{key}.")).unwrap(), 300, data));
                    }
                }
            }
            match alias {
                Some(target) => name = target,
                None => break,
            }
        }
        let none = std::iter::empty::<&Record>;
        let response = MessageResponseBuilder::from_message_request(request).build(
            metadata,
            answers.iter(),
            none(),
            none(),
            none(),
        );
        reply.send_response(response).await.unwrap()
    }
}

impl NameServer {
    /// Starts a server for a zone, which knows the root like every resolver.
    pub fn start(zone: &str) -> Self {
        Self::start_without_root(&format!("{zone}\n. NS a.root.example."))
    }

    /// Starts a server of a closed network: what is not in its zone does not exist for it, not even the root.
    pub fn start_without_root(zone: &str) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let handler = Zone { names: read(zone), asked: Arc::clone(&asked) };
        let (told, address) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // The same port for both: another socket may hold one of them.
                let (udp, tcp) = loop {
                    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    if let Ok(tcp) = tokio::net::TcpListener::bind(udp.local_addr().unwrap()).await {
                        break (udp, tcp);
                    }
                };
                told.send(udp.local_addr().unwrap()).unwrap();
                let mut server = Server::new(handler);
                server.register_socket(udp);
                server.register_listener(tcp, Duration::from_secs(5), 64);
                stopped.await.ok();
            });
        });
        Self { address: address.recv().unwrap(), asked, stop: Some(stop), thread: Some(thread) }
    }

    /// Everything that was asked: `name TYPE`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The config that asks this server, impatiently.
    pub fn config(&self) -> DnsConfig {
        DnsConfig {
            servers: vec![ServerConfig(self.address)],
            timeout: Span(Duration::from_secs(1)),
            attempts: 1,
            ..DnsConfig::default()
        }
    }

    /// The same as text, for the program.
    pub fn toml(&self) -> String {
        format!("[dns]\nservers = [\"{}\"]\ntimeout = \"1s\"\nattempts = 1\n", self.address)
    }

    /// Asks this server.
    pub fn ask<T>(&self, question: impl AsyncFnOnce(&Resolver) -> T) -> T {
        ask(&self.config(), question)
    }
}

/// Asks the servers of a config.
pub fn ask<T>(config: &DnsConfig, question: impl AsyncFnOnce(&Resolver) -> T) -> T {
    let resolver = Resolver::new(config).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(question(&resolver))
}

impl Drop for NameServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().ok();
    }
}
