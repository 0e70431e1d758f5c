//! The numbers of senders in the store: one row of `sender` for each name and status.

use duckdb::{Connection, params};
use rustc_hash::FxHashMap;

use super::attribute::{Named, Verdict, score};
use super::catalogue::Catalogue;
use super::rules::Rules;
use super::store::AttributeError;

/// The rows of `sender`, by name and status.
pub(super) struct Senders {
    numbers: FxHashMap<(String, &'static str), u32>,
    new: Vec<Row>,
}

struct Row {
    number: u32,
    name: String,
    status: &'static str,
    service: Option<String>,
    category: Option<String>,
    owner: Option<String>,
}

pub(super) type Cells = (Option<u32>, u8, Option<String>);

impl Senders {
    pub(super) fn read(connection: &Connection) -> Result<Self, AttributeError> {
        let mut senders = Self { numbers: FxHashMap::default(), new: Vec::new() };
        let mut statement = connection.prepare("SELECT sender_no, name, status FROM sender")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let status = match row.get::<_, String>(2)?.as_str() {
                "approved" => "approved",
                "recognised" => "recognised",
                _ => "unknown",
            };
            senders.numbers.insert((row.get(1)?, status), row.get(0)?);
        }
        Ok(senders)
    }

    /// Returns the cells of a verdict: number of the sender, score, evidence.
    pub(super) fn cells(&mut self, rules: &Rules, verdict: Option<Verdict>) -> Result<Cells, AttributeError> {
        let Some(verdict) = verdict else { return Ok((None, score::NONE, None)) };
        let number = self.number(rules, verdict.sender)?;
        Ok((number, verdict.score, Some(verdict.evidence)))
    }

    fn number(&mut self, rules: &Rules, sender: Named) -> Result<Option<u32>, AttributeError> {
        let row = match sender {
            Named::Approved(rule) => {
                let Some(rule) = rules.sender(rule) else { return Ok(None) };
                let fact = rule.service.as_deref().and_then(|name| Catalogue::bundled().service(name));
                Row {
                    number: 0,
                    name: rule.name.clone(),
                    status: "approved",
                    service: rule.service.clone(),
                    category: fact.map(|fact| fact.category.clone()),
                    owner: rule.owner.clone(),
                }
            }
            Named::Recognised { service, category } => Row {
                number: 0,
                name: service.clone(),
                status: "recognised",
                service: Some(service),
                category: Some(category),
                owner: None,
            },
            Named::Unknown(name) => {
                Row { number: 0, name, status: "unknown", service: None, category: None, owner: None }
            }
        };
        let key = (row.name.clone(), row.status);
        if let Some(number) = self.numbers.get(&key) {
            return Ok(Some(*number));
        }
        let number = u32::try_from(self.numbers.len()).map_err(|_| AttributeError::TooMany)?;
        self.numbers.insert(key, number);
        self.new.push(Row { number, ..row });
        Ok(Some(number))
    }

    pub(super) fn write(&self, connection: &Connection) -> Result<(), AttributeError> {
        let mut rows = connection.appender("sender")?;
        for row in &self.new {
            rows.append_row(params![row.number, row.name, row.status, row.service, row.category, row.owner])?;
        }
        rows.flush()?;
        Ok(())
    }
}
