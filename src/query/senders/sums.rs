//! The sums of `flow` by sender, classed.

use chrono::NaiveDate;
use duckdb::types::{FromSql, Value};
use duckdb::{Connection, Row};
use rustc_hash::FxHashMap;

use super::super::QueryError;
use crate::senders::{Around, Class, Shape, class, score};

const SENDERS: &str = include_str!("../../../schemas/query/senders.sql");

const DOMAINS: &str = "
SELECT domain_no, name, domain_org FROM domain
WHERE domain_no IN (SELECT header_from FROM flow UNION SELECT policy_domain FROM flow)";

/// One sender, summed and classed.
#[derive(Clone, Debug)]
pub(in crate::query) struct Sums {
    /// Number in `sender`, or below zero for a source that nothing names.
    pub(in crate::query) key: i64,
    pub(in crate::query) name: String,
    pub(in crate::query) status: String,
    pub(in crate::query) service: Option<String>,
    pub(in crate::query) owner: Option<String>,
    pub(in crate::query) evidence: String,
    pub(in crate::query) shape: Shape,
    pub(in crate::query) dkim_aligned: u64,
    pub(in crate::query) dkim_raw_pass: u64,
    pub(in crate::query) spf_raw_pass: u64,
    pub(in crate::query) overridden: u64,
    pub(in crate::query) quarantined: u64,
    pub(in crate::query) rejected: u64,
    pub(in crate::query) first_day: Option<NaiveDate>,
    pub(in crate::query) last_day: Option<NaiveDate>,
    pub(in crate::query) header_from: Vec<String>,
    pub(in crate::query) class: Class,
    pub(in crate::query) because: String,
    /// Organisations of its policy domains, in the order of [`Orgs`].
    orgs: Vec<usize>,
}

/// What is known of one organisation's mail.
#[derive(Clone, Copy, Debug, Default)]
struct Org {
    messages: u64,
    scattered: u64,
}

/// Domain names by number, and the organisations of the policy domains.
struct Domains {
    names: FxHashMap<u32, (String, String)>,
    orgs: FxHashMap<String, usize>,
}

/// Sums `flow`, which must stand, by sender: most messages first.
///
/// # Errors
/// The store cannot be asked.
pub(in crate::query) fn sums(connection: &Connection) -> Result<Vec<Sums>, QueryError> {
    let mut domains = Domains::read(connection)?;
    let mut statement = connection.prepare(SENDERS)?;
    let mut rows = statement.query([])?;
    let names = rows.as_ref().map(|statement| statement.column_names()).unwrap_or_default();
    let places: FxHashMap<String, usize> = names.into_iter().zip(0..).collect();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(&Named { row, places: &places }, &mut domains)?);
    }
    judge(&mut found, domains.orgs.len());
    Ok(found)
}

/// Gives each sender its class, seen against the mail of the organisations that it sends as.
fn judge(senders: &mut [Sums], orgs: usize) {
    let mut by_org = vec![Org::default(); orgs];
    for sender in senders.iter() {
        let scattered = u64::from(sender.shape.is_scattered());
        for org in &sender.orgs {
            if let Some(org) = by_org.get_mut(*org) {
                org.messages += sender.shape.messages;
                org.scattered += scattered;
            }
        }
    }
    for sender in senders {
        let of = || sender.orgs.iter().filter_map(|org| by_org.get(*org));
        let around = Around {
            messages: of().map(|org| org.messages).sum(),
            scattered: of().map(|org| org.scattered).max().unwrap_or(0),
        };
        (sender.class, sender.because) = class(&sender.shape, &around);
    }
}

/// A row whose columns are found by name without asking the engine for its names each time: with a sender for every
/// source of a burst there are hundreds of thousands of rows.
struct Named<'a> {
    row: &'a Row<'a>,
    places: &'a FxHashMap<String, usize>,
}

impl Named<'_> {
    fn get<T: FromSql>(&self, name: &str) -> duckdb::Result<T> {
        let place = self.places.get(name).ok_or_else(|| duckdb::Error::InvalidColumnName(name.to_owned()))?;
        self.row.get(*place)
    }
}

fn read(row: &Named<'_>, domains: &mut Domains) -> Result<Sums, QueryError> {
    let key: i64 = row.get("sender_key")?;
    let (name, source_ip): (Option<String>, Option<String>) = (row.get("name")?, row.get("source_ip")?);
    let status: String = row.get("status")?;
    let service: Option<String> = row.get("service")?;
    let (first_day, last_day): (Option<NaiveDate>, Option<NaiveDate>) = (row.get("first_day")?, row.get("last_day")?);
    let score: u8 = row.get("score")?;
    let evidence = match (row.get::<Option<String>>("evidence")?, &source_ip) {
        (Some(words), _) => words,
        (None, Some(ip)) => format!("source {ip}"),
        (None, None) => "no readable source".to_owned(),
    };
    let shape = Shape {
        approved: status == "approved",
        recognised: status == "recognised",
        named: name.is_some(),
        own: matches!(score, score::OWN | score::OWN_SIGNED),
        service: service.is_some(),
        category: row.get("category")?,
        messages: row.get("messages")?,
        dmarc_pass: row.get("dmarc_pass")?,
        dkim_alone: row.get("dkim_alone")?,
        spf_aligned: row.get("spf_aligned")?,
        as_another: row.get("as_another")?,
        signed_as_another: row.get("signed_as_another")?,
        own_signature_broken: row.get("own_signature_broken")?,
        forwarded: row.get("forwarded")?,
        listed: row.get("listed")?,
        records: row.get("records")?,
        sources: row.get("sources")?,
        networks: row.get("networks")?,
        relays: row.get("relays")?,
        own_host: row.get("own_host")?,
        span_days: first_day.zip(last_day).map_or(0, |(first, last)| (last - first).num_days() + 1),
    };
    Ok(Sums {
        key,
        name: name.or(source_ip).unwrap_or_else(|| "unreadable source".to_owned()),
        status,
        service,
        owner: row.get("owner")?,
        evidence,
        dkim_aligned: row.get("dkim_aligned")?,
        dkim_raw_pass: row.get("dkim_raw_pass")?,
        spf_raw_pass: row.get("spf_raw_pass")?,
        overridden: row.get("overridden")?,
        quarantined: row.get("quarantined")?,
        rejected: row.get("rejected")?,
        first_day,
        last_day,
        header_from: domains.sorted_names(&row.get::<Value>("header_from")?),
        orgs: domains.orgs_of(&row.get::<Value>("policy_domain")?),
        class: Class::Undetermined,
        because: String::new(),
        shape,
    })
}

impl Domains {
    fn read(connection: &Connection) -> Result<Self, QueryError> {
        let mut statement = connection.prepare(DOMAINS)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        Ok(Self { names: rows.collect::<Result<_, _>>()?, orgs: FxHashMap::default() })
    }

    fn sorted_names(&self, numbers: &Value) -> Vec<String> {
        let mut names: Vec<String> = listed(numbers).filter_map(|n| self.names.get(&n)).map(|d| d.0.clone()).collect();
        names.sort_unstable();
        names
    }

    fn orgs_of(&mut self, numbers: &Value) -> Vec<usize> {
        let mut orgs: Vec<usize> = Vec::new();
        for number in listed(numbers) {
            let Some((_, org)) = self.names.get(&number) else { continue };
            let next = self.orgs.len();
            let org = *self.orgs.entry(org.clone()).or_insert(next);
            if !orgs.contains(&org) {
                orgs.push(org);
            }
        }
        orgs
    }
}

fn listed(value: &Value) -> impl Iterator<Item = u32> + '_ {
    let items = if let Value::List(items) = value { items.as_slice() } else { &[] };
    items.iter().filter_map(|item| if let Value::UInt(number) = item { Some(*number) } else { None })
}
