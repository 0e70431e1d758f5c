//! Gaps in who sends: G21 and G22.

use std::collections::BTreeMap;

use duckdb::Connection;
use rustc_hash::FxHashMap;

use super::super::QueryError;
use super::super::senders::Sums;
use super::mail::tallied;
use super::names::{Names, Tally};
use super::{Finding, some};
use crate::config::GapsConfig;
use crate::query::share;
use crate::senders::Class;
use crate::severity::Severity;
use crate::words::{count, percent};

const BY_SENDER: &str = "
SELECT policy_domain, sender_key, sum(messages)::UBIGINT, coalesce(sum(messages) FILTER (WHERE dmarc_pass), 0)::UBIGINT
FROM flow GROUP BY policy_domain, sender_key";

#[derive(Default)]
struct Domain {
    unapproved: Tally,
    unapproved_failing: u64,
    names: u64,
    approved: Tally,
    approved_messages: u64,
}

/// Finds senders that nobody approved, and approved ones that fail.
pub(super) fn findings(
    connection: &Connection,
    names: &Names,
    senders: &[Sums],
    config: &GapsConfig,
) -> Result<Vec<Finding>, QueryError> {
    let by_key: FxHashMap<i64, &Sums> = senders.iter().map(|one| (one.key, one)).collect();
    let mut by_domain: BTreeMap<u32, Domain> = BTreeMap::new();
    let mut statement = connection.prepare(BY_SENDER)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Some(number), key): (Option<u32>, i64) = (row.get(0)?, row.get(1)?) else { continue };
        let (messages, pass): (u64, u64) = (row.get(2)?, row.get(3)?);
        let Some(sender) = by_key.get(&key) else { continue };
        let domain = by_domain.entry(number).or_default();
        if sender.status == "approved" {
            domain.approved_messages += messages;
            domain.approved.add(key, messages - pass);
        } else if is_unapproved(sender) && messages > 0 {
            domain.unapproved.add(key, messages);
            domain.unapproved_failing += messages - pass;
            domain.names += 1;
        }
    }
    let mut found = Vec::new();
    for (number, domain) in by_domain {
        let Some(name) = names.domain(Some(number)) else { continue };
        if domain.unapproved.messages > 0 {
            let severity = if domain.unapproved_failing > 0 { Severity::High } else { Severity::Warn };
            let text = format!(
                "{} sender{} that nobody approved; {} of the messages fail: {}",
                count(domain.names),
                crate::words::plural(domain.names),
                percent(share(domain.unapproved_failing, domain.unapproved.messages)),
                some(&domain.unapproved.senders(names), 4)
            );
            found.push(tallied("G21", name, severity, text, &domain.unapproved, names));
        }
        let passing = share(domain.approved_messages - domain.approved.messages, domain.approved_messages);
        if passing.is_some_and(|rate| rate < config.approved_pass_rate) {
            let text = format!(
                "approved senders pass {}, below {}; failing: {}",
                percent(passing),
                percent(Some(config.approved_pass_rate)),
                some(&domain.approved.senders(names), 4)
            );
            found.push(tallied("G22", name, Severity::High, text, &domain.approved, names));
        }
    }
    Ok(found)
}

/// Relays carry mail that others sent, and mail that authenticates as the domain is its own: neither needs approval.
pub(super) fn is_unapproved(sender: &Sums) -> bool {
    !matches!(sender.class, Class::Own | Class::Forwarding | Class::MailingList)
}
