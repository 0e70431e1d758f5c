//! Which lives a question about delivery is about.

use chrono::NaiveDate;
use duckdb::Connection;

use crate::query::{QueryError, quoted};

/// Which lives a question is about.
#[derive(Clone, Debug, Default)]
pub struct DeliveryScope {
    /// First UTC day of first attempts.
    pub since: Option<NaiveDate>,
    /// Last UTC day of first attempts.
    pub until: Option<NaiveDate>,
    /// Gateway in front of the recipients.
    pub gateway: Option<String>,
    /// Sending addresses; lives without one are part of it where `or_unknown_source`.
    pub sources: Vec<String>,
    /// Whether lives whose sending address no log says count as sent from `sources`.
    pub or_unknown_source: bool,
    /// Envelope sender domains: this one and those under it. Lives whose sender no log says are part of it.
    pub domain: Option<String>,
    /// Campaigns.
    pub campaigns: Vec<String>,
}

impl DeliveryScope {
    /// Returns the SQL condition on rows of `delivery_life` under the alias `l`, for people to copy; own next hops are never part.
    pub fn condition(&self) -> String {
        let by_name =
            |texts: &str| Ok::<_, std::convert::Infallible>(format!("SELECT text_no FROM delivery_text WHERE {texts}"));
        match self.write(by_name) {
            Ok(condition) => condition,
            Err(never) => match never {},
        }
    }

    /// Returns [`DeliveryScope::condition`] with its names looked up: numbers are filtered while a table is read, where names
    /// would be joined to every statement anew.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn looked_up(&self, connection: &Connection) -> duckdb::Result<String> {
        let numbers = |texts: String| -> duckdb::Result<String> {
            let sql = format!("SELECT text_no FROM delivery_text WHERE {texts} ORDER BY 1");
            let mut statement = connection.prepare(&sql)?;
            let found = statement.query_map([], |row| row.get::<_, u32>(0))?;
            let found = found.map(|number| number.map(|n| n.to_string())).collect::<Result<Vec<_>, _>>()?;
            // A list is never empty in SQL; no row has this number.
            Ok(if found.is_empty() { u32::MAX.to_string() } else { found.join(", ") })
        };
        self.write(|texts| numbers(texts.to_owned()))
    }

    /// Writes the condition; `numbers` gives the numbers of the texts that match.
    fn write<E>(&self, numbers: impl Fn(&str) -> Result<String, E>) -> Result<String, E> {
        let mut parts = vec!["NOT l.internal".to_owned()];
        if let Some(since) = self.since {
            parts.push(format!("l.first_at >= TIMESTAMPTZ '{since} 00:00:00+00'"));
        }
        if let Some(until) = self.until.and_then(|day| day.succ_opt()) {
            parts.push(format!("l.first_at < TIMESTAMPTZ '{until} 00:00:00+00'"));
        }
        if let Some(gateway) = &self.gateway {
            parts.push(format!("l.route IN (SELECT route_no FROM delivery_route WHERE gateway = {})", quoted(gateway)));
        }
        let any_of = |texts: &[String]| -> String {
            let list: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            format!("\"text\" IN ({})", list.join(", "))
        };
        if !self.sources.is_empty() {
            let known = format!("l.source IN ({})", numbers(&any_of(&self.sources))?);
            parts.push(if self.or_unknown_source { format!("({known} OR l.source IS NULL)") } else { known });
        }
        if let Some(domain) = &self.domain {
            let (name, under) = (quoted(domain), quoted(&format!(".{domain}")));
            let senders = numbers(&format!("\"text\" = {name} OR \"text\" = '' OR ends_with(\"text\", {under})"))?;
            parts.push(format!("(l.envelope_from IS NULL OR l.envelope_from IN ({senders}))"));
        }
        if !self.campaigns.is_empty() {
            parts.push(format!("l.campaign IN ({})", numbers(&any_of(&self.campaigns))?));
        }
        Ok(parts.join(" AND "))
    }

    /// Fills the period in from what the store holds; `None` where it holds nothing in this scope.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn span(&self, connection: &Connection) -> Result<Option<(NaiveDate, NaiveDate)>, QueryError> {
        let sql = format!(
            "SELECT make_timestamp(epoch_us(min(l.first_at)))::DATE, make_timestamp(epoch_us(max(l.first_at)))::DATE FROM delivery_life l WHERE {}",
            self.looked_up(connection)?
        );
        let (first, last): (Option<NaiveDate>, Option<NaiveDate>) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(first.zip(last).map(|(first, last)| (self.since.unwrap_or(first), self.until.unwrap_or(last))))
    }
}
