//! Which filtering service or mailbox provider stands in front of a recipient domain, and which answers are its reputation's.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::csv;
use super::fold::{ADDRESS, unfold};
use crate::config::GatewayRule;

/// The bundled table.
const BUNDLED: &str = include_str!("../../schemas/gateways.csv");

/// What the gateway of a relay is called that is no gateway: the own next hop.
pub const INTERNAL: &str = "internal";
/// What is called unknown.
pub const UNKNOWN: &str = "unknown";

/// The table of gateways.
#[derive(Debug)]
pub struct Gateways {
    hosts: Vec<(String, String)>,
    responses: Vec<ResponseRule>,
    names: BTreeMap<String, String>,
    source: Vec<Regex>,
    digest: String,
}

#[derive(Debug)]
struct ResponseRule {
    gateway: String,
    pattern: Regex,
    reputation: bool,
    identifies: bool,
}

/// Why a table of gateways could not be used.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A row of the bundled table.
    #[error("bundled table of gateways, row {row}: {fault}")]
    Row {
        /// The row, from 1.
        row: usize,
        /// What is wrong.
        fault: String,
    },
    /// A gateway of the config.
    #[error("[[gateway]] `{id}`: {fault}")]
    Rule {
        /// Its id.
        id: String,
        /// What is wrong.
        fault: String,
    },
}

impl Gateways {
    /// Reads the bundled table.
    ///
    /// # Errors
    /// A fault in the bundled table (a test reads it, so this does not happen in a release).
    pub fn bundled() -> Result<Self, GatewayError> {
        Self::with(&[])
    }

    /// Reads the config's gateways and the bundled table after them: where both match, the config's come first.
    ///
    /// # Errors
    /// Names the gateway, or the row, and the fault.
    pub fn with(own: &[GatewayRule]) -> Result<Self, GatewayError> {
        let mut gateways = Self {
            hosts: Vec::new(),
            responses: Vec::new(),
            names: BTreeMap::new(),
            source: Vec::new(),
            digest: String::new(),
        };
        let mut hasher = blake3::Hasher::new();
        for rule in own {
            hasher.update(format!("{rule:?}").as_bytes());
            gateways.own(rule).map_err(|fault| GatewayError::Rule { id: rule.id.clone(), fault })?;
        }
        hasher.update(BUNDLED.as_bytes());
        for (row, fields) in csv::records(BUNDLED).into_iter().enumerate().skip(1) {
            gateways.row(&fields).map_err(|fault| GatewayError::Row { row: row + 1, fault })?;
        }
        for rule in own {
            // Without a name of its own: the bundled one's, else the id.
            let id = rule.id.trim().to_ascii_lowercase();
            gateways.names.entry(id.clone()).or_insert(id);
        }
        gateways.digest = hasher.finalize().to_hex().to_string();
        // Longest suffix first; the sort is stable, so the operator's row wins over an equal one.
        gateways.hosts.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        // The sending address as replies name it, on templates: `\x02` stands for the address.
        for pattern in [
            r"\?ip=\x02",
            r"(?i)\bclient (?:host )?\[?\x02",
            r"(?i)\b(?:sending|sender|your|the) ip(?: address)?:? \[?\x02",
            r"(?i)\bmail server \[?\x02",
            r"(?i)\bserver ip \[?\x02",
        ] {
            gateways.source.push(regex(pattern).map_err(|fault| GatewayError::Row { row: 0, fault })?);
        }
        Ok(gateways)
    }

    fn own(&mut self, rule: &GatewayRule) -> Result<(), String> {
        let id = rule.id.trim().to_ascii_lowercase();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if id.is_empty() || !id.chars().all(plain) || id == UNKNOWN || id == INTERNAL {
            return Err("an id has letters, digits and dashes, and is not `unknown` or `internal`".to_owned());
        }
        if rule.hosts.is_empty() && rule.words.is_empty() && rule.reputation.is_empty() {
            return Err("it needs hosts, words or reputation to be known by".to_owned());
        }
        if !rule.name.trim().is_empty() {
            self.names.entry(id.clone()).or_insert_with(|| rule.name.trim().to_owned());
        }
        for host in &rule.hosts {
            let suffix = host.trim().trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
            if suffix.is_empty() {
                return Err(format!("`{host}` is no host name"));
            }
            self.hosts.push((suffix, id.clone()));
        }
        for (patterns, reputation, identifies) in [(&rule.words, false, true), (&rule.reputation, true, false)] {
            for text in patterns {
                let pattern = regex(&format!("(?i){text}"))?;
                self.responses.push(ResponseRule { gateway: id.clone(), pattern, reputation, identifies });
            }
        }
        Ok(())
    }

    fn row(&mut self, fields: &[String]) -> Result<(), String> {
        if fields.iter().all(|field| field.trim().is_empty()) {
            return Ok(());
        }
        let [gateway, name, kind, pattern, rest @ ..] = fields else { return Err("too few columns".to_owned()) };
        let flag = |place: usize| match rest.get(place).map_or("", |field| field.trim()) {
            "yes" => Ok(true),
            "no" | "" => Ok(false),
            other => Err(format!("`{other}` is neither yes nor no")),
        };
        let gateway = gateway.trim().to_ascii_lowercase();
        self.names.entry(gateway.clone()).or_insert_with(|| name.trim().to_owned());
        match kind.trim() {
            "host" => self.hosts.push((pattern.trim().trim_matches('.').to_ascii_lowercase(), gateway)),
            "response" => self.responses.push(ResponseRule {
                gateway,
                pattern: regex(&format!("(?i){}", pattern.trim()))?,
                reputation: flag(0)?,
                identifies: flag(1)?,
            }),
            other => return Err(format!("kind `{other}` is neither host nor response")),
        }
        Ok(())
    }

    /// Returns the gateway of an MX or relay host: the host itself or any parent, longest suffix first.
    pub fn of_host(&self, host: &str) -> Option<&str> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let under =
            |suffix: &str| host.strip_suffix(suffix).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        self.hosts.iter().find(|(suffix, _)| under(suffix)).map(|(_, gateway)| gateway.as_str())
    }

    /// Returns the gateway whose own words a response (a template, or whole) is, whatever the MX says.
    pub fn of_response(&self, template: &str) -> Option<&str> {
        let text = unfold(template, None);
        let mut rules = self.responses.iter().filter(|rule| rule.identifies);
        rules.find(|rule| rule.pattern.is_match(&text)).map(|rule| rule.gateway.as_str())
    }

    /// Returns every gateway whose reputation answer a response is; more than one rule may match.
    pub fn reputation_of(&self, template: &str) -> Vec<String> {
        let text = unfold(template, None);
        let mut found: Vec<String> = Vec::new();
        for rule in self.responses.iter().filter(|rule| rule.reputation) {
            if !found.contains(&rule.gateway) && rule.pattern.is_match(&text) {
                found.push(rule.gateway.clone());
            }
        }
        found
    }

    /// Returns which variable of a template is the sending address, where the text says so.
    pub(crate) fn source_place(&self, template: &str) -> Option<u8> {
        let found = self.source.iter().find_map(|pattern| pattern.find(template))?;
        let before = template.get(..found.end())?;
        let variables = before.chars().filter(|letter| ('\u{1}'..='\u{5}').contains(letter)).count();
        debug_assert!(before.ends_with(char::from(ADDRESS)));
        u8::try_from(variables.checked_sub(1)?).ok()
    }

    /// Returns the name of a gateway for people.
    pub fn name<'a>(&'a self, gateway: &'a str) -> &'a str {
        self.names.get(gateway).map_or(gateway, String::as_str)
    }

    /// Says whether the table has a gateway.
    pub fn knows(&self, gateway: &str) -> bool {
        self.names.contains_key(gateway) || gateway == UNKNOWN
    }

    /// Returns the ids of all gateways.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Returns a digest of the table: where it changed, what the store knows is worked out anew.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|error| error.to_string())
}
