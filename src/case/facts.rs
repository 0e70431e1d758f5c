//! What only the operator knows: account, consent, actions, what the vendor's page said. Nothing of it is ever made up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::value::Datetime;

/// The operator's facts for a case: `[case]` of the config, or a file of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// The one domain of the case, as people see it in From.
    pub domain: Option<String>,
    /// The sending addresses of the case.
    pub ips: Vec<IpAddr>,
    /// Gateway that the case is about.
    pub gateway: Option<String>,
    /// Account name or id at the sending platform.
    pub account: Option<String>,
    /// The sending platform; one's own servers too have a name.
    pub platform: Option<String>,
    /// `dedicated` or `shared`.
    pub ip_kind: Option<IpKind>,
    /// Name that the sending host gives in HELO or EHLO.
    pub helo: Option<String>,
    /// Campaigns affected.
    pub campaigns: Vec<String>,
    /// What is asked, where the usual words do not fit.
    pub request: Option<String>,
    /// Who answers questions about the case.
    pub contact: Option<String>,
    /// What a person saw on a vendor's lookup page, by gateway.
    pub lookup: BTreeMap<String, Lookup>,
    /// Where addresses come from and how people leave.
    pub consent: Consent,
    /// What was already done.
    pub action: Vec<Action>,
}

/// Whether others send from the same addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpKind {
    /// Only this sender.
    Dedicated,
    /// Others too.
    Shared,
}

impl IpKind {
    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Shared => "shared",
        }
    }
}

/// A look at a vendor's public page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// What it said, in its words: `not listed`, `listed`.
    pub result: String,
    /// When.
    pub checked_at: Datetime,
}

impl Lookup {
    /// Says whether the page named the address as listed.
    pub fn is_listed(&self) -> bool {
        let result = self.result.to_ascii_lowercase();
        result.contains("listed") && !result.contains("not ") && !result.contains("un") && !result.contains("no ")
    }
}

/// Consent and suppression.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Where addresses come from.
    pub source: Option<String>,
    /// How they are confirmed.
    pub confirmation: Option<String>,
    /// How soon somebody who leaves gets no more mail.
    pub suppression_delay: Option<String>,
    /// What happens with complaints.
    pub complaints: Option<String>,
    /// When the signup form was last seen to work.
    pub signup_form_checked_at: Option<Datetime>,
}

/// One thing already done.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// When.
    pub date: Datetime,
    /// What.
    pub what: String,
}

/// A facts file: the same, with `[lookup]`, `[consent]` and `[[action]]` beside `[case]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FactsFile {
    case: Facts,
    lookup: BTreeMap<String, Lookup>,
    consent: Option<Consent>,
    action: Vec<Action>,
}

/// Why facts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The file cannot be read.
    #[error("cannot read the facts {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not TOML, or a key or value that is not known: a typo must not drop evidence.
    #[error("{path}: {text}\n`dmarcase case --facts-template` shows every key")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line and fault.
        text: String,
    },
}

impl Facts {
    /// Reads a facts file.
    ///
    /// # Errors
    /// Names the file, the line and the key.
    pub fn read(path: &Path) -> Result<Self, FactsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FactsError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|text| FactsError::Invalid { path: path.to_owned(), text })
    }

    /// Reads the text of a facts file.
    ///
    /// # Errors
    /// The line and the key, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: FactsFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut facts = file.case;
        facts.lookup.extend(file.lookup);
        if let Some(consent) = file.consent {
            facts.consent = consent;
        }
        facts.action.extend(file.action);
        Ok(facts)
    }
}

/// Every key, explained: `case --facts-template`.
pub const TEMPLATE: &str = include_str!("facts.toml");
