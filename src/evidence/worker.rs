//! What every line reader does with an address, a host and a response: numbers, hashes and shapes, cached per run of lines.

use rustc_hash::FxHashMap;

use super::Reader;
use super::attempt::{Attempt, SourceFrom, Status};
use super::fold::Folder;
use super::names::{NONE, Response, Stage};
use super::reply::Reply;
use crate::parse::domain_name;

/// Caches and buffers of one run of lines.
pub(crate) struct Worker<'a> {
    pub(crate) reader: &'a Reader,
    texts: FxHashMap<Box<[u8]>, u32>,
    domains: FxHashMap<Box<[u8]>, u32>,
    responses: FxHashMap<Response, Known>,
    folder: Folder,
    probe: Response,
    pub(crate) addresses: Vec<(u64, Box<str>)>,
    pub(crate) bad_utf8: u64,
}

#[derive(Clone, Copy)]
struct Known {
    number: u32,
    /// Which variable of the response is the sending address.
    source: Option<u8>,
}

/// What a line says of an attempt, as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said<'a> {
    pub(crate) recipient: &'a [u8],
    pub(crate) relay: &'a [u8],
    /// The next hop is one's own.
    pub(crate) internal: bool,
    pub(crate) source: &'a [u8],
    pub(crate) reply: Reply<'a>,
    /// The enhanced code of the log, where the reply has none.
    pub(crate) dsn: u32,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            texts: FxHashMap::default(),
            domains: FxHashMap::default(),
            responses: FxHashMap::default(),
            folder: Folder::default(),
            probe: Response::default(),
            addresses: Vec::new(),
            bad_utf8: 0,
        }
    }

    /// The number of a text as it stands; [`NONE`] for an empty one.
    pub(crate) fn text(&mut self, text: &[u8]) -> u32 {
        if text.is_empty() {
            return NONE;
        }
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.reader.texts.number(&printable(text, &mut self.bad_utf8));
        self.texts.insert(text.into(), number);
        number
    }

    /// The number of a domain or host name in the store's form. The empty name has a number too: the null sender.
    pub(crate) fn domain(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.domains.get(name) {
            return *number;
        }
        let number = self.reader.texts.number(&domain_name(&printable(name, &mut self.bad_utf8)));
        self.domains.insert(name.into(), number);
        number
    }

    /// The number of the domain of an address; the null sender has the empty domain.
    pub(crate) fn domain_of(&mut self, address: &[u8]) -> u32 {
        let (_, domain) = split_address(address);
        self.domain(domain)
    }

    /// Builds the attempt of one line. Its key is set by whoever knows the message.
    pub(crate) fn attempt(&mut self, at: i64, line: u32, status: Status, said: &Said<'_>) -> Attempt {
        let (local, domain) = split_address(said.recipient);
        let recipient = self.reader.recipients.number(local, domain);
        if self.reader.recipients.keeps() {
            let address = printable(said.recipient, &mut self.bad_utf8).into_owned().into_boxed_str();
            self.addresses.push((recipient, address));
        }
        let recipient_domain = self.domain(domain);
        let relay = if said.relay.is_empty() { said.reply.host } else { said.relay };
        let relay = if relay.is_empty() { NONE } else { self.domain(relay) };
        let (response, vars, named) = self.response(said, domain);
        let (source, source_from) = if said.source.is_empty() {
            match named {
                Some(address) => (self.text(address.as_bytes()), SourceFrom::Response),
                None => (NONE, SourceFrom::Unknown),
            }
        } else {
            (self.address(said.source), SourceFrom::Log)
        };
        Attempt {
            key: 0,
            at,
            recipient,
            recipient_domain,
            status,
            response,
            vars,
            relay,
            internal: said.internal,
            source,
            source_from,
            retry_no: 0,
            line,
        }
    }

    /// The number of an IP address in its canonical text, or of the text as it stands.
    fn address(&mut self, text: &[u8]) -> u32 {
        match canonical(text) {
            Some(address) => self.text(address.as_bytes()),
            None => self.text(text),
        }
    }

    /// Folds the response; returns its number, what varies, and the sending address that it names.
    fn response(&mut self, said: &Said<'_>, domain: &[u8]) -> (u32, Option<Box<str>>, Option<String>) {
        let reply = &said.reply;
        if reply.text.is_empty() && reply.code == 0 && said.dsn == 0 {
            return (NONE, None, None);
        }
        let hosts = [reply.host, domain];
        self.folder.fold(reply.text, reply.codes, hosts, &self.reader.recipients);
        self.probe.code = reply.code;
        self.probe.enhanced = if reply.enhanced == 0 { said.dsn } else { reply.enhanced };
        self.probe.stage = reply.stage;
        self.probe.template = self.folder.template_text();
        let mut vars = self.folder.vars_text();
        let known = match self.responses.get(&self.probe) {
            Some(known) => *known,
            None => {
                let known = self.know();
                self.responses.insert(self.probe.clone(), known);
                known
            }
        };
        if known.number == NONE {
            // The table is full: this text goes whole into the variable of the one shape that takes everything.
            let whole = Response { template: "\u{4}".into(), stage: Stage::Unknown, ..self.probe.clone() };
            let text = super::fold::unfold(&self.probe.template, vars.as_deref());
            let number = self.reader.responses.number(&whole).unwrap_or(NONE);
            return (number, Some(text.into_boxed_str()), None);
        }
        let named = known.source.and_then(|place| {
            let vars = vars.as_deref()?;
            let text = vars.split(char::from(super::fold::BETWEEN)).nth(usize::from(place))?;
            canonical(text.as_bytes())
        });
        if vars.as_deref().is_some_and(|vars| vars.contains('\u{fffd}')) {
            self.bad_utf8 += 1;
        }
        if vars.as_deref().is_some_and(str::is_empty)
            && !self.probe.template.contains(['\u{1}', '\u{2}', '\u{3}', '\u{4}', '\u{5}'])
        {
            vars = None;
        }
        (known.number, vars, named)
    }

    fn know(&self) -> Known {
        Known {
            number: self.reader.responses.number(&self.probe).unwrap_or(NONE),
            source: self.reader.gateways.source_place(&self.probe.template),
        }
    }
}

/// Text of the log as people may see it: UTF-8, no control characters.
pub(crate) fn printable<'t>(text: &'t [u8], bad: &mut u64) -> std::borrow::Cow<'t, str> {
    let text = String::from_utf8_lossy(text);
    *bad += u64::from(matches!(text, std::borrow::Cow::Owned(_)));
    if text.chars().any(char::is_control) {
        return text.chars().filter(|letter| !letter.is_control()).collect::<String>().into();
    }
    text
}

/// `local@domain`, cut at the last `@`; without one, everything is the local part.
pub(crate) fn split_address(address: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'@', address) {
        Some(place) => {
            let (local, domain) = address.split_at(place);
            (local, domain.get(1..).unwrap_or_default())
        }
        None => (address, &[]),
    }
}

/// The canonical text of an IP address; IPv4 in IPv6 becomes IPv4.
pub(crate) fn canonical(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let text = text.strip_prefix("IPv6:").unwrap_or(text);
    text.parse::<std::net::IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

/// Says whether an address is loopback, private (RFC 1918, RFC 4193) or link-local, or no address but a socket.
pub(crate) fn own_hop(address: &[u8]) -> bool {
    let Some(text) = std::str::from_utf8(address).ok() else { return false };
    if text.contains('/') {
        return true;
    }
    match text.parse::<std::net::IpAddr>().map(|address| address.to_canonical()) {
        Ok(std::net::IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        Ok(std::net::IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        Err(_) => false,
    }
}
