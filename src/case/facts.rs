//! What only the operator knows: account, consent, actions, what the vendor's page said. Nothing of it is ever made up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use toml::value::Datetime;

use crate::evidence::{Gateways, UNKNOWN};

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
    /// What it said: `not listed` or `listed`, or its own words.
    pub result: String,
    /// When.
    pub checked_at: Datetime,
}

impl Lookup {
    /// Says whether the page named the address as listed; `None` where its words do not say.
    pub fn is_listed(&self) -> Option<bool> {
        super::listing::is_listed(&self.result)
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
    /// A fact that cannot be.
    #[error("the facts: {key} {fault}\n`dmarcase case --facts-template` shows every key")]
    Impossible {
        /// The key.
        key: String,
        /// What is wrong with it.
        fault: String,
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

    /// Returns the facts with what is empty left out: an empty text states nothing.
    ///
    /// # Errors
    /// A lookup at no gateway that is known, or without words; a day that is no day, or after `today`.
    pub fn settled(&self, gateways: &Gateways, today: NaiveDate) -> Result<Self, FactsError> {
        let mut facts = self.clone();
        let Consent { source, confirmation, suppression_delay, complaints, signup_form_checked_at } =
            &mut facts.consent;
        for text in [
            &mut facts.domain,
            &mut facts.gateway,
            &mut facts.account,
            &mut facts.platform,
            &mut facts.helo,
            &mut facts.request,
            &mut facts.contact,
            source,
            confirmation,
            suppression_delay,
            complaints,
        ] {
            *text = text.take().filter(|text| !text.trim().is_empty());
        }
        facts.campaigns.retain(|name| !name.trim().is_empty());
        if let Some(at) = signup_form_checked_at {
            dated("[consent] signup_form_checked_at", at, today)?;
        }
        for action in &facts.action {
            dated("[[action]] date", &action.date, today)?;
            said(&format!("what, in the [[action]] of {},", action.date), &action.what)?;
        }
        facts.lookup.clear();
        for (name, lookup) in &self.lookup {
            let gateway = name.trim().to_ascii_lowercase();
            if gateway == UNKNOWN || !gateways.knows(&gateway) {
                let known: Vec<&str> = gateways.ids().collect();
                let fault = format!("is no gateway that is known: {}", known.join(", "));
                return Err(FactsError::Impossible { key: format!("[lookup] {name}"), fault });
            }
            said(&format!("[lookup] {name} result"), &lookup.result)?;
            dated(&format!("[lookup] {name} checked_at"), &lookup.checked_at, today)?;
            facts.lookup.insert(gateway, lookup.clone());
        }
        Ok(facts)
    }
}

fn said(key: &str, text: &str) -> Result<(), FactsError> {
    if text.trim().is_empty() {
        return Err(FactsError::Impossible { key: key.to_owned(), fault: "is empty".to_owned() });
    }
    Ok(())
}

/// Checks the day of something that was done: no later than today.
fn dated(key: &str, at: &Datetime, today: NaiveDate) -> Result<(), FactsError> {
    let wrong = |fault: String| Err(FactsError::Impossible { key: key.to_owned(), fault });
    let Some(day) = day_of(at) else { return wrong(format!("is {at}, which names no day")) };
    // Where no zone stands, the day may have begun east of here.
    let last = if at.offset.is_some() { Some(today) } else { today.succ_opt() };
    match last.is_some_and(|last| day > last) {
        true => wrong(format!("is {at}, which is still to come (today is {today})")),
        false => Ok(()),
    }
}

/// The day of a time, in UTC where the zone is said.
fn day_of(at: &Datetime) -> Option<NaiveDate> {
    let date = at.date?;
    match in_utc(at) {
        Some(time) => Some(time.date_naive()),
        None => NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into()),
    }
}

fn in_utc(at: &Datetime) -> Option<DateTime<Utc>> {
    at.offset?;
    DateTime::parse_from_rfc3339(&at.to_string()).ok().map(|time| time.to_utc())
}

/// A time of the facts for people: in UTC like everything else, as far as it says its zone.
pub(super) fn when(at: &Datetime) -> String {
    match (in_utc(at), at.time) {
        (Some(time), _) => time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        (None, Some(_)) => format!("{at} (zone not stated)"),
        (None, None) => at.to_string(),
    }
}

/// Every key, explained: `case --facts-template`.
pub const TEMPLATE: &str = include_str!("facts.toml");
