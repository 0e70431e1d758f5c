//! The small tables beside the attempts: texts, responses, and routes with the gateway that counts on each.

use std::collections::BTreeMap;

use duckdb::arrow::array::{UInt16Array, UInt32Array, UInt64Array};
use duckdb::{Connection, params};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::evidence::Reader;
use crate::evidence::attempt::Attempt;
use crate::evidence::fold::shape;
use crate::evidence::gateway::{Gateways, UNKNOWN};
use crate::evidence::names::{NONE, Response, Responses, Stage, Texts, enhanced_number, enhanced_text};
use crate::store::Columns;

/// Reads the texts that the store holds.
pub(super) fn texts(connection: &Connection) -> duckdb::Result<Texts> {
    let mut statement = connection.prepare("SELECT \"text\" FROM delivery_text ORDER BY text_no")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(Texts::with(rows))
}

/// Reads the responses that the store holds.
pub(super) fn responses(connection: &Connection) -> duckdb::Result<Responses> {
    let mut statement = connection
        .prepare("SELECT smtp_code, enhanced_code, stage, template FROM delivery_response ORDER BY response_no")?;
    let rows = statement.query_map([], |row| {
        let enhanced: Option<String> = row.get(1)?;
        Ok(Response {
            code: row.get::<_, Option<u16>>(0)?.unwrap_or(0),
            enhanced: enhanced.and_then(|text| enhanced_number(text.as_bytes())).unwrap_or(0),
            stage: Stage::from_word(row.get::<_, Option<String>>(2)?.as_deref()),
            template: row.get::<_, String>(3)?.into_boxed_str(),
        })
    })?;
    Ok(Responses::with(rows.collect::<Result<Vec<_>, _>>()?))
}

/// Returns the number of rows of a table.
pub(super) fn count(connection: &Connection, table: &str) -> duckdb::Result<usize> {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
}

/// Appends the texts that are new since `start`; returns how many there are.
pub(super) fn append_texts(connection: &Connection, reader: &Reader, start: usize) -> duckdb::Result<usize> {
    let new = reader.texts.since(start);
    let mut columns = Columns::new();
    columns.push("text_no", numbers(start, new.len())).text("text", new.iter().map(Some));
    columns.append(connection, "delivery_text")?;
    Ok(start + new.len())
}

/// Appends the responses that are new since `start`; returns how many there are.
pub(super) fn append_responses(connection: &Connection, reader: &Reader, start: usize) -> duckdb::Result<usize> {
    let new = reader.responses.since(start);
    let some = |code: u16| (code != 0).then_some(code);
    let parts: Vec<Vec<&str>> = new.iter().map(|response| parts(&response.template)).collect();
    let parts: Vec<&[&str]> = parts.iter().map(Vec::as_slice).collect();
    let judged: Vec<Vec<String>> =
        new.iter().map(|response| reader.gateways.reputation_of(&response.template)).collect();
    let judged: Vec<&[String]> = judged.iter().map(Vec::as_slice).collect();
    let mut columns = Columns::new();
    columns
        .push("response_no", numbers(start, new.len()))
        .push("smtp_code", UInt16Array::from_iter(new.iter().map(|response| some(response.code))))
        .text("enhanced_code", new.iter().map(|response| enhanced_text(response.enhanced)))
        .text("stage", new.iter().map(|response| response.stage.word()))
        .text("shape", new.iter().map(|response| Some(shape(&response.template))))
        .text("template", new.iter().map(|response| Some(&*response.template)))
        .texts("parts", &parts)
        .text("gateway", new.iter().map(|response| reader.gateways.of_response(&response.template)))
        .texts("reputation_of", &judged);
    columns.append(connection, "delivery_response")?;
    Ok(start + new.len())
}

/// The fixed parts of a template: one more than there are variables.
fn parts(template: &str) -> Vec<&str> {
    template.split(|letter| ('\u{1}'..='\u{5}').contains(&letter)).collect()
}

/// Judges every stored response anew, after the table of gateways changed.
pub(super) fn judge_again(connection: &Connection, gateways: &Gateways) -> duckdb::Result<()> {
    let mut statement = connection.prepare("SELECT response_no, template FROM delivery_response")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE delivery_judged (response_no UINTEGER, gateway VARCHAR, reputation_of VARCHAR[])",
    )?;
    let judged: Vec<Vec<String>> = rows.iter().map(|(_, template)| gateways.reputation_of(template)).collect();
    let judged: Vec<&[String]> = judged.iter().map(Vec::as_slice).collect();
    let mut columns = Columns::new();
    columns
        .push("response_no", UInt32Array::from_iter_values(rows.iter().map(|(number, _)| *number)))
        .text("gateway", rows.iter().map(|(_, template)| gateways.of_response(template)))
        .texts("reputation_of", &judged);
    columns.append(connection, "delivery_judged")?;
    connection.execute_batch(
        "UPDATE delivery_response AS r SET gateway = j.gateway, reputation_of = j.reputation_of
         FROM delivery_judged j WHERE j.response_no = r.response_no;
         DROP TABLE delivery_judged",
    )
}

/// Recipient domain and relay gateway → the gateway that counts.
#[derive(Debug, Default)]
pub(super) struct Routes {
    numbers: FxHashMap<(u32, Option<Box<str>>), u32>,
    list: Vec<Route>,
    stored: usize,
    /// Gateway of a relay's name, and of a response's words, each looked up once.
    relays: FxHashMap<u32, Option<Box<str>>>,
    words: FxHashMap<u32, Option<Box<str>>>,
}

#[derive(Debug)]
struct Route {
    domain: u32,
    relay_gateway: Option<Box<str>>,
    gateway: Box<str>,
    votes: BTreeMap<Box<str>, u64>,
    /// The gateway that rows of the store were judged by.
    stored_gateway: Option<Box<str>>,
}

impl Routes {
    pub(super) fn load(connection: &Connection) -> duckdb::Result<Self> {
        let mut routes = Self::default();
        let mut statement = connection
            .prepare("SELECT recipient_domain, relay_gateway, gateway FROM delivery_route ORDER BY route_no")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let domain: u32 = row.get(0)?;
            let relay_gateway = row.get::<_, Option<String>>(1)?.map(String::into_boxed_str);
            let gateway = row.get::<_, String>(2)?.into_boxed_str();
            let number = u32::try_from(routes.list.len()).unwrap_or(NONE);
            routes.numbers.entry((domain, relay_gateway.clone())).or_insert(number);
            let stored_gateway = Some(gateway.clone());
            routes.list.push(Route { domain, relay_gateway, gateway, votes: BTreeMap::new(), stored_gateway });
        }
        let mut statement = connection.prepare("SELECT route_no, gateway, responses FROM delivery_vote")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let place: u32 = row.get(0)?;
            if let Some(route) = routes.list.get_mut(place as usize) {
                route.votes.insert(row.get::<_, String>(1)?.into_boxed_str(), row.get(2)?);
            }
        }
        routes.stored = routes.list.len();
        Ok(routes)
    }

    /// Returns the route of an attempt and counts whose words its response is.
    pub(super) fn number(&mut self, reader: &Reader, attempt: &Attempt) -> u32 {
        let relay_gateway = if attempt.relay == NONE || attempt.internal {
            None
        } else {
            self.relays
                .entry(attempt.relay)
                .or_insert_with(|| {
                    let host = reader.texts.text(attempt.relay)?;
                    reader.gateways.of_host(&host).map(Box::from)
                })
                .clone()
        };
        let words = if attempt.response == NONE {
            None
        } else {
            self.words
                .entry(attempt.response)
                .or_insert_with(|| {
                    let response = reader.responses.get(attempt.response)?;
                    reader.gateways.of_response(&response.template).map(Box::from)
                })
                .clone()
        };
        let key = (attempt.recipient_domain, relay_gateway);
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.list.len()).unwrap_or(NONE - 1);
                let gateway = key.1.clone().unwrap_or_else(|| UNKNOWN.into());
                self.list.push(Route {
                    domain: key.0,
                    relay_gateway: key.1.clone(),
                    gateway,
                    votes: BTreeMap::new(),
                    stored_gateway: None,
                });
                self.numbers.insert(key, number);
                number
            }
        };
        if let Some(words) = words
            && let Some(route) = self.list.get_mut(number as usize)
        {
            *route.votes.entry(words).or_default() += 1;
            route.gateway = route.winner();
        }
        number
    }

    /// Appends the new routes.
    pub(super) fn append(&mut self, connection: &Connection) -> duckdb::Result<()> {
        let new = self.list.get(self.stored..).unwrap_or_default();
        let mut columns = Columns::new();
        columns
            .push("route_no", numbers(self.stored, new.len()))
            .push("recipient_domain", UInt32Array::from_iter_values(new.iter().map(|route| route.domain)))
            .text("relay_gateway", new.iter().map(|route| route.relay_gateway.as_deref()))
            .text("gateway", new.iter().map(|route| Some(&*route.gateway)));
        columns.append(connection, "delivery_route")?;
        for route in self.list.iter_mut().skip(self.stored) {
            route.stored_gateway = Some(route.gateway.clone());
        }
        self.stored = self.list.len();
        Ok(())
    }

    /// Writes the votes and the gateways that changed; returns the routes whose rows must be judged again.
    pub(super) fn settle(&mut self, connection: &Connection) -> duckdb::Result<Vec<u32>> {
        // What was taken over from another route is no evidence of its own.
        for route in &mut self.list {
            route.gateway = route.winner();
        }
        // A route without a known host takes the gateway that its domain has otherwise.
        let mut known: FxHashMap<u32, BTreeMap<Box<str>, u64>> = FxHashMap::default();
        for route in self.list.iter().filter(|route| &*route.gateway != UNKNOWN) {
            let weight = 1 + route.votes.values().sum::<u64>();
            *known.entry(route.domain).or_default().entry(route.gateway.clone()).or_default() += weight;
        }
        let mut changed = Vec::new();
        for (number, route) in (0u32..).zip(&mut self.list) {
            if &*route.gateway == UNKNOWN
                && let Some(gateways) = known.get(&route.domain)
            {
                route.gateway = most(gateways).unwrap_or_else(|| UNKNOWN.into());
            }
            if route.stored_gateway.as_ref() != Some(&route.gateway) {
                changed.push(number);
                connection.execute(
                    "UPDATE delivery_route SET gateway = ? WHERE route_no = ?",
                    params![&*route.gateway, number],
                )?;
                route.stored_gateway = Some(route.gateway.clone());
            }
        }
        connection.execute_batch("DELETE FROM delivery_vote")?;
        let votes: Vec<(u32, &str, u64)> = (0u32..)
            .zip(&self.list)
            .flat_map(|(number, route)| route.votes.iter().map(move |(gateway, n)| (number, &**gateway, *n)))
            .collect();
        let mut columns = Columns::new();
        columns
            .push("route_no", UInt32Array::from_iter_values(votes.iter().map(|vote| vote.0)))
            .text("gateway", votes.iter().map(|vote| Some(vote.1)))
            .push("responses", UInt64Array::from_iter_values(votes.iter().map(|vote| vote.2)));
        columns.append(connection, "delivery_vote")?;
        let distinct: FxHashSet<u32> = changed.iter().copied().collect();
        debug_assert_eq!(distinct.len(), changed.len());
        Ok(changed)
    }
}

impl Route {
    /// The words of the responses beat the name of the host, unless both are of one family.
    fn winner(&self) -> Box<str> {
        let family = |gateway: &str| gateway.split('-').next().unwrap_or_default().to_owned();
        match (most(&self.votes), &self.relay_gateway) {
            (Some(words), Some(host)) if family(&words) == family(host) => host.clone(),
            (Some(words), _) => words,
            (None, Some(host)) => host.clone(),
            (None, None) => UNKNOWN.into(),
        }
    }
}

/// The one with the most votes; the first by name among equals.
fn most(votes: &BTreeMap<Box<str>, u64>) -> Option<Box<str>> {
    votes.iter().rev().max_by_key(|(_, count)| **count).map(|(gateway, _)| gateway.clone())
}

fn numbers(start: usize, length: usize) -> UInt32Array {
    let start = u32::try_from(start).unwrap_or(NONE);
    UInt32Array::from_iter_values((0u32..).take(length).map(|place| start.saturating_add(place)))
}
