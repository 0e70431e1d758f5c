//! What another policy would have done to the mail of a period, by sender, and whether the domain is ready for it.
//!
//! Every message is judged again: alignment from its `auth_results` under the asked modes, and where a report gives none,
//! the reporter's verdict. What fails meets the asked policy, unless the receiver named a reason of its own for letting it
//! through (a forwarder, a list, local policy): it would do the same again. Sampling and testing are no such reasons.

mod policy;
mod verdict;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use duckdb::{Connection, Row, params};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Serialize;

pub use self::policy::AskedPolicy;
use self::policy::Both;
pub use self::verdict::Effect;
use super::policy::policies;
use super::senders::{Sums, sums};
use super::{QueryError, Scope, flow, share};
use crate::senders::Class;

const STREAMS: &str = include_str!("../../../schemas/query/simulate_streams.sql");
const SIMULATE: &str = include_str!("../../../schemas/query/simulate.sql");
const WEEKS: &str = include_str!("../../../schemas/query/simulate_weeks.sql");

// A day without a report on a domain is one without mail of it, as far as the store has any reports of that day.
const DAYS: &str = "
WITH held AS (SELECT DISTINCT report_day FROM report WHERE {all} AND report_day IS NOT NULL),
begun AS (SELECT policy_domain_no, min(report_day) AS first_day FROM report WHERE {reports} AND policy_domain_no IS NOT NULL GROUP BY 1)
SELECT b.policy_domain_no, count(h.report_day)::UBIGINT
FROM begun b LEFT JOIN held h ON h.report_day >= b.first_day GROUP BY 1";

const TABLES: &str = "
CREATE OR REPLACE TEMP TABLE sim_policy (policy_domain UINTEGER, p UTINYINT, sp UTINYINT, strict_dkim BOOLEAN, strict_spf BOOLEAN,
    now_strict_dkim BOOLEAN, now_strict_spf BOOLEAN);
CREATE OR REPLACE TEMP TABLE sim_own (policy_domain UINTEGER, sender_key BIGINT);";

/// What a policy would have done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Simulation {
    /// First report day.
    pub since: NaiveDate,
    /// Last report day, inclusive.
    pub until: NaiveDate,
    /// What was asked; what is null stays as each domain publishes it.
    pub asked: AskedPolicy,
    /// Every domain is ready.
    pub ready: bool,
    /// Each policy domain, in order of its name.
    pub domains: Vec<SimulatedDomain>,
    /// Senders that the policy would touch, or that receivers would spare; most newly touched messages first.
    pub rows: Vec<SimulatedSender>,
    /// How much of the own mail the policy would have let through, by week.
    pub weeks: Vec<ReadinessWeek>,
    /// What the messages were judged by.
    pub judged: Judged,
}

/// One policy domain.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SimulatedDomain {
    /// The policy domain.
    pub domain: String,
    /// What most of its newest reports say it publishes.
    pub published: String,
    /// What it would publish.
    pub simulated: String,
    /// Messages.
    pub messages: u64,
    /// Messages that fail DMARC under the asked modes.
    pub failing: u64,
    /// Messages that would be quarantined, and were not.
    pub newly_quarantined: u64,
    /// Messages that would be rejected, and were not.
    pub newly_rejected: u64,
    /// Failing messages that receivers would let through for a reason of their own.
    pub spared: u64,
    /// No approved or likely own stream would be hit.
    pub ready: bool,
    /// Why, the streams that would be hit first.
    pub because: Vec<String>,
}

/// One sender of one policy domain.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SimulatedSender {
    /// The policy domain.
    pub domain: String,
    /// Its name, as in `senders`.
    pub sender: String,
    /// approved, recognised or unknown.
    pub status: String,
    /// Its class, as in `senders` of all that the store holds up to today.
    pub class: Class,
    /// Whose mail would be hit: own, unclear, relayed, unwanted, stray or too-few-days.
    pub effect: Effect,
    /// Messages.
    pub messages: u64,
    /// Messages that fail DMARC under the asked modes.
    pub failing: u64,
    /// Messages that would be quarantined, and were not.
    pub newly_quarantined: u64,
    /// Messages that would be rejected, and were not.
    pub newly_rejected: u64,
    /// Failing messages that receivers would let through for a reason of their own.
    pub spared: u64,
    /// The domain is not ready because of it.
    pub blocks: bool,
}

/// One week of one policy domain.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReadinessWeek {
    /// The Monday of the week.
    pub week: NaiveDate,
    /// The policy domain.
    pub domain: String,
    /// Messages of approved and likely own streams.
    pub own_messages: u64,
    /// Those of them that the policy would quarantine or reject, whether that happened or not.
    pub own_hit: u64,
    /// The rest over `own_messages`.
    pub readiness: Option<f64>,
}

/// What messages were judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Judged {
    /// Messages judged by their `auth_results`.
    pub recomputed: u64,
    /// Messages judged by the reporter's verdict, for want of `auth_results`.
    pub by_reporter: u64,
    /// Messages on which our verdict, under the published modes, differs from the reporter's.
    pub disagree: u64,
}

/// The sums of one group of judged messages.
#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    messages: u64,
    failing: u64,
    spared: u64,
    /// Messages that the policy asked would newly be quarantined, newly be rejected, and be rejected instead of quarantined, were it
    /// asked of all mail.
    quarantine: u64,
    reject: u64,
    harder: u64,
    by_reporter: u64,
    disagree: u64,
}

impl Hits {
    /// Reads the sums from a row, beginning at a column.
    fn of(row: &Row<'_>, first: usize) -> duckdb::Result<Self> {
        let number = |at: usize| row.get::<_, u64>(first + at);
        Ok(Self {
            messages: number(0)?,
            failing: number(1)?,
            spared: number(2)?,
            quarantine: number(3)?,
            reject: number(4)?,
            harder: number(5)?,
            by_reporter: number(6)?,
            disagree: number(7)?,
        })
    }

    /// Returns what is newly quarantined and newly rejected. Of a policy that is asked of a part of the mail only, the rest gets the
    /// next milder one (RFC 7489 section 6.6.4). Rounded here, behind the last sum: the parts of few messages each would all be
    /// rounded the same way.
    fn newly(&self, pct: u8) -> (u64, u64) {
        let pct = u64::from(pct.min(100));
        let part = |messages: u64| (messages * pct + 50) / 100;
        let rejected = part(self.reject);
        (part(self.quarantine) + (self.reject - rejected), rejected + part(self.harder))
    }

    /// Returns whether the policy changes anything for these messages.
    const fn any(&self) -> bool {
        self.quarantine + self.reject + self.harder + self.spared > 0
    }

    fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.failing += other.failing;
        self.spared += other.spared;
        self.quarantine += other.quarantine;
        self.reject += other.reject;
        self.harder += other.harder;
        self.by_reporter += other.by_reporter;
        self.disagree += other.disagree;
    }
}

/// Answers what a policy would have done. `tolerance` is the share of an own stream's mail that may be hit.
///
/// # Errors
/// The store cannot be asked.
pub fn simulate(
    connection: &Connection,
    scope: &Scope,
    asked: AskedPolicy,
    tolerance: f64,
) -> Result<Simulation, QueryError> {
    let history = History::of(connection, scope)?;
    flow::flow(connection, scope)?;
    let senders = history.judge(sums(connection)?);
    let by_key: FxHashMap<i64, &Sums> = senders.iter().map(|one| (one.key, one)).collect();
    connection.execute_batch(STREAMS)?;
    connection.execute_batch(TABLES)?;
    let mut domains: BTreeMap<u32, Both> = BTreeMap::new();
    for policy in policies(connection, scope)? {
        domains.insert(policy.number, Both::new(policy, &asked));
    }
    let mut rows = connection.appender_to_catalog_and_db("sim_policy", "temp", "main")?;
    for (number, Both { then, now, .. }) in &domains {
        let (p, sp) = (then.p.number(), then.sp.number());
        let (dkim, spf) = (then.strict_dkim, then.strict_spf);
        rows.append_row(params![*number, p, sp, dkim, spf, now.strict_dkim, now.strict_spf])?;
    }
    rows.flush()?;
    drop(rows);
    let hits = by_sender(connection)?;
    let mut simulation = Simulation {
        since: scope.span.since,
        until: scope.span.until,
        asked,
        ready: true,
        domains: Vec::new(),
        rows: Vec::new(),
        weeks: Vec::new(),
        judged: Judged::default(),
    };
    let mut own = connection.appender_to_catalog_and_db("sim_own", "temp", "main")?;
    for (number, both) in &domains {
        let of_domain: Vec<(&Sums, Hits)> =
            hits.get(number).into_iter().flatten().filter_map(|(key, hits)| Some((*by_key.get(key)?, *hits))).collect();
        for (sender, _) in of_domain.iter().filter(|(sender, _)| verdict::is_own(sender)) {
            own.append_row(params![*number, sender.key])?;
        }
        let days = history.days.get(number).copied().unwrap_or(0);
        domain(&mut simulation, both, &of_domain, days, tolerance);
    }
    own.flush()?;
    drop(own);
    simulation.rows.sort_by(|a, b| {
        let key = |row: &SimulatedSender| {
            (std::cmp::Reverse(row.newly_quarantined + row.newly_rejected), std::cmp::Reverse(row.spared))
        };
        key(a).cmp(&key(b)).then_with(|| (&a.domain, &a.sender).cmp(&(&b.domain, &b.sender)))
    });
    simulation.domains.sort_by(|a, b| a.domain.cmp(&b.domain));
    simulation.weeks = weeks(connection, scope, &domains)?;
    Ok(simulation)
}

/// What the store holds up to the day that counts as today, whatever period is asked about.
struct History {
    /// Every sender, where the period leaves something out.
    senders: Option<FxHashMap<i64, Sums>>,
    /// Report days since the first one of each policy domain.
    days: FxHashMap<u32, u64>,
}

impl History {
    fn of(connection: &Connection, scope: &Scope) -> Result<Self, QueryError> {
        let ever = Scope { until: Some(scope.newest()), ..scope.ever() };
        let sql =
            DAYS.replace("{reports}", &ever.of_reports("")).replace("{all}", &ever.of_any_domain().of_reports(""));
        let mut statement = connection.prepare(&sql)?;
        let days = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        if scope.since.is_none() && scope.until.is_none() && scope.span.until <= scope.newest() {
            return Ok(Self { senders: None, days });
        }
        flow::flow(connection, &ever)?;
        let senders = sums(connection)?.into_iter().map(|one| (one.key, one)).collect();
        Ok(Self { senders: Some(senders), days })
    }

    /// Gives the senders of a period what all their mail says of them; one that only wrong dates show keeps its own.
    fn judge(&self, senders: Vec<Sums>) -> Vec<Sums> {
        let Some(known) = &self.senders else { return senders };
        senders.into_iter().map(|one| known.get(&one.key).cloned().unwrap_or(one)).collect()
    }
}

/// The hits of each sender, by policy domain.
fn by_sender(connection: &Connection) -> Result<FxHashMap<u32, Vec<(i64, Hits)>>, QueryError> {
    let mut statement = connection.prepare(SIMULATE)?;
    let mut rows = statement.query([])?;
    let mut found: FxHashMap<u32, Vec<(i64, Hits)>> = FxHashMap::default();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().push((row.get(1)?, Hits::of(row, 2)?));
    }
    Ok(found)
}

fn domain(simulation: &mut Simulation, both: &Both, of_domain: &[(&Sums, Hits)], days: u64, tolerance: f64) {
    let pct = simulation.asked.pct.unwrap_or(100);
    let mut all = Hits::default();
    for (_, hits) in of_domain {
        all.add(hits);
    }
    let mut rows: Vec<SimulatedSender> = of_domain
        .iter()
        .filter(|(_, hits)| hits.any())
        .map(|(sender, hits)| row(both, (sender, verdict::effect(sender, days)), hits, (pct, all.messages), tolerance))
        .collect();
    rows.sort_by(|a, b| {
        let hit = |row: &SimulatedSender| row.newly_quarantined + row.newly_rejected;
        hit(b).cmp(&hit(a)).then_with(|| a.sender.cmp(&b.sender))
    });
    let (newly_quarantined, newly_rejected) = all.newly(pct);
    let ready = !rows.iter().any(|row| row.blocks);
    simulation.ready &= ready;
    simulation.judged.recomputed += all.messages - all.by_reporter;
    simulation.judged.by_reporter += all.by_reporter;
    simulation.judged.disagree += all.disagree;
    simulation.domains.push(SimulatedDomain {
        domain: both.domain.clone(),
        published: both.published(),
        simulated: both.then.to_string(),
        messages: all.messages,
        failing: all.failing,
        newly_quarantined,
        newly_rejected,
        spared: all.spared,
        ready,
        because: verdict::because(both, &rows, days, tolerance),
    });
    simulation.rows.append(&mut rows);
}

fn row(
    both: &Both,
    (sender, effect): (&Sums, Effect),
    hits: &Hits,
    (pct, messages): (u8, u64),
    tolerance: f64,
) -> SimulatedSender {
    let (newly_quarantined, newly_rejected) = hits.newly(pct);
    SimulatedSender {
        domain: both.domain.clone(),
        sender: sender.name.clone(),
        status: sender.status.clone(),
        class: sender.class,
        effect,
        messages: hits.messages,
        failing: hits.failing,
        newly_quarantined,
        newly_rejected,
        spared: hits.spared,
        blocks: verdict::blocks(effect, newly_quarantined + newly_rejected, hits.messages, messages, tolerance),
    }
}

fn weeks(
    connection: &Connection,
    scope: &Scope,
    domains: &BTreeMap<u32, Both>,
) -> Result<Vec<ReadinessWeek>, QueryError> {
    let mut statement = connection.prepare(&WEEKS.replace("{records}", &scope.of_records("r.")))?;
    let mut rows = statement.query([])?;
    let mut weeks = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(both) = domains.get(&row.get::<_, u32>(0)?) else { continue };
        let (own_messages, own_hit): (u64, u64) = (row.get(2)?, row.get(3)?);
        weeks.push(ReadinessWeek {
            week: row.get(1)?,
            domain: both.domain.clone(),
            own_messages,
            own_hit,
            readiness: share(own_messages - own_hit, own_messages),
        });
    }
    weeks.sort_by(|a, b| (a.week, &a.domain).cmp(&(b.week, &b.domain)));
    Ok(weeks)
}
