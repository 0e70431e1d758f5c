//! Which lives a question about delivery is about.

use chrono::NaiveDate;
use duckdb::Connection;

use crate::query::{begin_of, quoted};

/// Which lives a question is about.
#[derive(Clone, Debug, Default)]
pub struct DeliveryScope {
    /// First UTC day of first attempts.
    pub since: Option<NaiveDate>,
    /// Last UTC day of first attempts.
    pub until: Option<NaiveDate>,
    /// The day that counts as today: no later line counts, whatever it says.
    pub cut: Option<NaiveDate>,
    /// Gateway in front of the recipients.
    pub gateway: Option<String>,
    /// Sending addresses; lives without one are part of it where `or_unknown_source`.
    pub sources: Vec<String>,
    /// Whether lives whose sending address no log says count as sent from `sources`.
    pub or_unknown_source: bool,
    /// Envelope sender domains: this one and those under it. Lives whose sender no log says are part of it; those of the null
    /// sender are not: a notice of non-delivery is no mail of a domain.
    pub domain: Option<String>,
    /// Campaigns.
    pub campaigns: Vec<String>,
}

impl DeliveryScope {
    /// Returns the scope without its sending addresses.
    pub(super) fn of_any_source(&self) -> Self {
        Self { sources: Vec::new(), ..self.clone() }
    }

    /// Returns the numbers of its sending addresses, as the members of a list.
    pub(super) fn source_numbers(&self, connection: &Connection) -> duckdb::Result<String> {
        numbers(connection, &any_of(&self.sources))
    }

    /// Returns the SQL condition on rows of `delivery_life` under the alias `l`, for people to copy; own next hops are never part.
    pub fn condition(&self) -> String {
        let by_name =
            |texts: &str| Ok::<_, std::convert::Infallible>(format!("SELECT text_no FROM delivery_text WHERE {texts}"));
        match self.named(by_name) {
            Ok(named) => self.of_lives(named),
            Err(never) => match never {},
        }
    }

    /// Returns the conditions of the scope with its names looked up: numbers are filtered while a table is read, where names
    /// would be joined to every statement anew.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub(crate) fn within(&self, connection: &Connection) -> duckdb::Result<Within> {
        let named = self.named(|texts| numbers(connection, texts))?;
        Ok(Within { lives: self.of_lives(named.clone()), flow: self.of_flow(named) })
    }

    fn of_lives(&self, named: Vec<String>) -> String {
        let mut parts = vec!["NOT l.internal".to_owned()];
        if let Some(since) = self.since {
            parts.push(format!("l.first_at >= {}", begin_of(since)));
        }
        for until in self.until.iter().chain(&self.cut).filter_map(NaiveDate::succ_opt) {
            parts.push(format!("l.first_at < {}", begin_of(until)));
        }
        if let Some(gateway) = &self.gateway {
            parts.push(format!("l.route IN (SELECT route_no FROM delivery_route WHERE gateway = {})", quoted(gateway)));
        }
        parts.extend(named);
        parts.join(" AND ")
    }

    fn of_flow(&self, named: Vec<String>) -> String {
        let mut parts = vec!["true".to_owned()];
        parts.extend(self.since.map(|since| format!("l.day >= DATE '{since}'")));
        parts.extend(self.until.iter().chain(&self.cut).map(|until| format!("l.day <= DATE '{until}'")));
        parts.extend(self.gateway.as_ref().map(|gateway| format!("l.gateway::VARCHAR = {}", quoted(gateway))));
        parts.extend(named);
        parts.join(" AND ")
    }

    /// Returns the conditions on what has a name, which are the same on lives and on the flow; `numbers` gives the numbers of
    /// the texts that match.
    fn named<E>(&self, numbers: impl Fn(&str) -> Result<String, E>) -> Result<Vec<String>, E> {
        let mut parts = Vec::new();
        if !self.sources.is_empty() {
            let known = format!("l.source IN ({})", numbers(&any_of(&self.sources))?);
            parts.push(if self.or_unknown_source { format!("({known} OR l.source IS NULL)") } else { known });
        }
        if let Some(domain) = &self.domain {
            let (name, under) = (quoted(domain), quoted(&format!(".{domain}")));
            let senders = numbers(&format!("\"text\" = {name} OR ends_with(\"text\", {under})"))?;
            parts.push(format!("(l.envelope_from IS NULL OR l.envelope_from IN ({senders}))"));
        }
        if !self.campaigns.is_empty() {
            parts.push(format!("l.campaign IN ({})", numbers(&any_of(&self.campaigns))?));
        }
        Ok(parts)
    }
}

/// The lives of a scope, as conditions on rows under the alias `l`.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    /// On `delivery_life`.
    pub(crate) lives: String,
    /// On `delivery_flow`, which holds no own next hops.
    pub(crate) flow: String,
}

/// The condition that a text is one of a list.
fn any_of(texts: &[String]) -> String {
    let list: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("\"text\" IN ({})", list.join(", "))
}

/// Looks up the numbers of the texts that match, as the members of a list.
fn numbers(connection: &Connection, texts: &str) -> duckdb::Result<String> {
    let sql = format!("SELECT text_no FROM delivery_text WHERE {texts} ORDER BY 1");
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map([], |row| row.get::<_, u32>(0))?;
    let found = found.map(|number| number.map(|n| n.to_string())).collect::<Result<Vec<_>, _>>()?;
    // A list is never empty in SQL; no row has this number.
    Ok(if found.is_empty() { u32::MAX.to_string() } else { found.join(", ") })
}
