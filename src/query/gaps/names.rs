//! Names and totals that the evidence of gaps is written with.

use duckdb::Connection;
use rustc_hash::FxHashMap;

use super::super::QueryError;
use super::super::senders::Sums;

/// Domain names and senders by number, and the messages of each policy domain.
pub(super) struct Names {
    domains: FxHashMap<u32, String>,
    senders: FxHashMap<i64, String>,
    messages: FxHashMap<String, u64>,
}

impl Names {
    /// Reads the names that `flow` mentions.
    pub(super) fn read(connection: &Connection, senders: &[Sums]) -> Result<Self, QueryError> {
        let mut statement = connection.prepare(
            "SELECT domain_no, name FROM domain
             WHERE domain_no IN (SELECT header_from FROM flow UNION SELECT policy_domain FROM flow)",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let domains: FxHashMap<u32, String> = rows.collect::<Result<_, _>>()?;
        let mut statement =
            connection.prepare("SELECT policy_domain, sum(messages)::UBIGINT FROM flow GROUP BY policy_domain")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, Option<u32>>(0)?, row.get::<_, u64>(1)?)))?;
        let mut messages = FxHashMap::default();
        for row in rows {
            let (number, sum) = row?;
            if let Some(name) = number.and_then(|number| domains.get(&number)) {
                messages.insert(name.clone(), sum);
            }
        }
        let senders = senders.iter().map(|one| (one.key, one.name.clone())).collect();
        Ok(Self { domains, senders, messages })
    }

    /// Returns a domain's name. A report without a policy domain has none, and no gap.
    pub(super) fn domain(&self, number: Option<u32>) -> Option<&str> {
        self.domains.get(&number?).map(String::as_str)
    }

    /// Returns a sender's name.
    pub(super) fn sender(&self, key: i64) -> &str {
        self.senders.get(&key).map_or("unreadable source", String::as_str)
    }

    /// Returns the messages of a policy domain.
    pub(super) fn messages_of(&self, domain: &str) -> u64 {
        self.messages.get(domain).copied().unwrap_or(0)
    }
}

/// Messages by sender, for one gap of one domain.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All.
    pub(super) messages: u64,
    by_sender: Vec<(u64, i64)>,
}

impl Tally {
    /// Adds messages of a sender.
    pub(super) fn add(&mut self, sender: i64, messages: u64) {
        if messages > 0 {
            self.messages += messages;
            self.by_sender.push((messages, sender));
        }
    }

    /// Returns the names of the senders, most messages first.
    pub(super) fn senders(&self, names: &Names) -> Vec<String> {
        let mut sums: FxHashMap<&str, u64> = FxHashMap::default();
        for (messages, sender) in &self.by_sender {
            *sums.entry(names.sender(*sender)).or_default() += messages;
        }
        let mut order: Vec<(&str, u64)> = sums.into_iter().collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        order.into_iter().map(|(name, _)| name.to_owned()).collect()
    }
}
