//! Reads an SPF record into its terms (RFC 7208 section 4.6 and 5).

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What a match means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `+`.
    Pass,
    /// `-`.
    Fail,
    /// `~`.
    SoftFail,
    /// `?`.
    Neutral,
}

/// What is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everything.
    All,
    /// Whatever another record passes.
    Include(String),
    /// The addresses of a host; without a name, of the domain itself. Prefix lengths for IPv4 and IPv6.
    A(Option<String>, u8, u8),
    /// The addresses of the mail exchangers.
    Mx(Option<String>, u8, u8),
    /// Host names below a domain (discouraged by section 5.5).
    Ptr(Option<String>),
    /// A network.
    Network(IpNet),
    /// A name that exists.
    Exists(String),
}

/// A mechanism with its qualifier, and both as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// What a match means.
    pub qualifier: Qualifier,
    /// What is matched.
    pub mechanism: Mechanism,
    /// As written.
    pub text: String,
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfRecord {
    /// In order.
    pub directives: Vec<Directive>,
    /// The record that speaks where nothing matches; ignored where there is an `all`.
    pub redirect: Option<String>,
}

impl SpfRecord {
    /// Returns whether a TXT record is an SPF record at all (section 4.5).
    pub fn is_one(text: &str) -> bool {
        let head = text.get(..6).is_some_and(|head| head.eq_ignore_ascii_case("v=spf1"));
        head && text.as_bytes().get(6).is_none_or(|next| *next == b' ')
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first term that is none, in words: receivers then answer permerror.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut record = Self::default();
        for term in text.get(6..).unwrap_or_default().split(' ').filter(|term| !term.is_empty()) {
            match modifier(term) {
                Some(("redirect", value)) if record.redirect.is_none() => record.redirect = Some(value.to_owned()),
                Some(("redirect", _)) => {
                    return Err("`redirect` stands twice".to_owned());
                }
                // Unknown modifiers are to be ignored (section 6).
                Some(_) => {}
                None => record.directives.push(directive(term)?),
            }
        }
        Ok(record)
    }

    /// Returns what holds for mail that nothing else matches, where this record says it.
    pub fn all(&self) -> Option<Qualifier> {
        self.directives.iter().find(|one| one.mechanism == Mechanism::All).map(|one| one.qualifier)
    }
}

/// `name=value`, the name being letters, digits, `-`, `_` and `.` only.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let known = ["redirect", "exp"].into_iter().find(|known| name.eq_ignore_ascii_case(known));
    (plain && name.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((known.unwrap_or(name), value))
}

fn directive(term: &str) -> Result<Directive, String> {
    let (qualifier, rest) = match term.as_bytes().first() {
        Some(b'+') => (Qualifier::Pass, term.get(1..)),
        Some(b'-') => (Qualifier::Fail, term.get(1..)),
        Some(b'~') => (Qualifier::SoftFail, term.get(1..)),
        Some(b'?') => (Qualifier::Neutral, term.get(1..)),
        _ => (Qualifier::Pass, Some(term)),
    };
    let rest = rest.unwrap_or_default();
    let wrong = || format!("`{term}` is no SPF term");
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, argument) = rest.split_at(end);
    let domain = |text: &str| text.strip_prefix(':').filter(|name| !name.is_empty()).map(str::to_owned);
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if argument.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(domain(argument).ok_or_else(wrong)?),
        "exists" => Mechanism::Exists(domain(argument).ok_or_else(wrong)?),
        "ptr" if argument.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(domain(argument).ok_or_else(wrong)?)),
        word @ ("a" | "mx") => {
            let (host, v4, v6) = host(argument).ok_or_else(wrong)?;
            if word == "a" { Mechanism::A(host, v4, v6) } else { Mechanism::Mx(host, v4, v6) }
        }
        "ip4" => Mechanism::Network(v4(argument.strip_prefix(':').ok_or_else(wrong)?).ok_or_else(wrong)?),
        "ip6" => Mechanism::Network(v6(argument.strip_prefix(':').ok_or_else(wrong)?).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    Ok(Directive { qualifier, mechanism, text: term.to_owned() })
}

/// `:host/24//64`, each part optional.
fn host(argument: &str) -> Option<(Option<String>, u8, u8)> {
    let (name, lengths) = argument.split_at(argument.find('/').unwrap_or(argument.len()));
    let name = match name.strip_prefix(':') {
        Some("") => return None,
        Some(name) => Some(name.to_owned()),
        None if name.is_empty() => None,
        None => return None,
    };
    let (v4, v6) = match lengths.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (lengths, None),
    };
    let length = |text: &str, most: u8| text.parse::<u8>().ok().filter(|length| *length <= most);
    let v4 = match v4.strip_prefix('/') {
        Some(text) => length(text, 32)?,
        None if v4.is_empty() => 32,
        None => return None,
    };
    let v6 = v6.map_or(Some(128), |text| length(text, 128))?;
    Some((name, v4, v6))
}

fn v4(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let net = Ipv4Net::new(address.parse::<Ipv4Addr>().ok()?, length.parse().ok()?).ok()?;
    Some(IpNet::V4(net.trunc()))
}

fn v6(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/').unwrap_or((text, "128"));
    let net = Ipv6Net::new(address.parse::<Ipv6Addr>().ok()?, length.parse().ok()?).ok()?;
    Some(IpNet::V6(net.trunc()))
}
