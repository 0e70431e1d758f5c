//! Outcomes of delivery: who was deferred, who got the mail late, who never; by gateway, domain, source, response, day, campaign.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use duckdb::{Connection, Row};
use schemars::JsonSchema;
use serde::Serialize;

use crate::query::{QueryError, share};

/// Fewer recipients than this behind a gateway are too few to grade.
pub const FEWEST_RECIPIENTS: u64 = 20;

/// What the rows of a summary are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryBy {
    /// Filtering service or mailbox provider in front of the recipients.
    Gateway,
    /// Recipient domain.
    RecipientDomain,
    /// Sending address.
    Source,
    /// Response, with its numbers, addresses, hosts and ids taken out.
    Response,
    /// UTC day of the first attempt.
    Day,
    /// Campaign, category or tag.
    Campaign,
}

impl DeliveryBy {
    /// Returns the key of the row's name in JSON and CSV.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::RecipientDomain => "recipient_domain",
            Self::Source => "source",
            Self::Response => "response",
            Self::Day => "day",
            Self::Campaign => "campaign",
        }
    }
}

/// How bad a gateway's deferrals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Severity {
    /// Fewer than 20 recipients.
    #[serde(rename = "too few to grade")]
    TooFew,
    /// Below 5% of the recipients.
    #[serde(rename = "watch")]
    Watch,
    /// 5% to 15%.
    #[serde(rename = "investigate")]
    Investigate,
    /// Above 15%.
    #[serde(rename = "escalate")]
    Escalate,
}

impl Severity {
    /// Grades the affected share; messages that expired after the gateway's reputation answer push it one step up.
    pub fn grade(affected: u64, recipients: u64, expired: u64) -> Self {
        if recipients < FEWEST_RECIPIENTS {
            return Self::TooFew;
        }
        let grade = match (affected * 100, recipients) {
            (part, whole) if part > whole * 15 => Self::Escalate,
            (part, whole) if part >= whole * 5 => Self::Investigate,
            _ => Self::Watch,
        };
        match grade {
            Self::Watch if expired > 0 => Self::Investigate,
            Self::Investigate if expired > 0 => Self::Escalate,
            grade => grade,
        }
    }

    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooFew => "too few to grade",
            Self::Watch => "watch",
            Self::Investigate => "investigate",
            Self::Escalate => "escalate",
        }
    }
}

/// Outcomes of a period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliverySummary {
    /// First UTC day of first attempts.
    pub since: NaiveDate,
    /// Last UTC day of first attempts.
    pub until: NaiveDate,
    /// What the rows are.
    pub by: DeliveryBy,
    /// The rows.
    pub rows: Vec<DeliveryRow>,
    /// Everything together.
    pub total: Outcomes,
    /// Message and recipient pairs whose attempts all went to one's own next hop; in no row and not in the total.
    pub internal: u64,
}

/// One row of a summary.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliveryRow {
    /// Its name, under the key of what the rows are.
    #[serde(flatten)]
    pub name: BTreeMap<&'static str, Option<String>>,
    /// SMTP code of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_code: Option<u16>,
    /// Enhanced code of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enhanced_code: Option<String>,
    /// Its figures.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// The figures of some messages and recipients.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Outcomes {
    /// Distinct recipients with at least one real attempt.
    pub recipients: u64,
    /// Those of them with at least one deferral that is the gateway's reputation answer.
    pub affected: u64,
    /// `affected` over `recipients`; null where there are none.
    pub share: Option<f64>,
    /// watch below 5%, investigate to 15%, escalate above; expiries after reputation answers push it one step up.
    pub severity: Severity,
    /// Real attempts.
    pub attempts: u64,
    /// Deferrals of any kind.
    pub deferrals: u64,
    /// Deferrals that are the gateway's reputation answer.
    pub reputation_deferrals: u64,
    /// Message and recipient pairs delivered without a deferral before.
    pub delivered_first: u64,
    /// Pairs delivered after at least one deferral.
    pub delivered_late: u64,
    /// Pairs given up after their retries.
    pub expired: u64,
    /// Pairs refused for good.
    pub bounced: u64,
    /// Pairs that the own side dropped before any attempt.
    pub dropped: u64,
    /// Pairs without an end yet: neither success nor loss.
    pub pending: u64,
    /// Half of the late ones took this long or longer from first attempt to delivery, seconds.
    pub median_delay_late_s: Option<u64>,
}

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
    /// Returns the SQL condition on rows of `delivery_life` under the alias `l`; own next hops are never part.
    pub fn condition(&self) -> String {
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
        if !self.sources.is_empty() {
            let list: Vec<String> = self.sources.iter().map(|source| quoted(source)).collect();
            let known =
                format!("l.source IN (SELECT text_no FROM delivery_text WHERE \"text\" IN ({}))", list.join(", "));
            parts.push(if self.or_unknown_source { format!("({known} OR l.source IS NULL)") } else { known });
        }
        if let Some(domain) = &self.domain {
            let (name, under) = (quoted(domain), quoted(&format!(".{domain}")));
            parts.push(format!(
                "(l.envelope_from IS NULL OR l.envelope_from IN (SELECT text_no FROM delivery_text WHERE \"text\" = {name} OR \"text\" = '' OR ends_with(\"text\", {under})))"
            ));
        }
        if !self.campaigns.is_empty() {
            let list: Vec<String> = self.campaigns.iter().map(|campaign| quoted(campaign)).collect();
            parts.push(format!(
                "l.campaign IN (SELECT text_no FROM delivery_text WHERE \"text\" IN ({}))",
                list.join(", ")
            ));
        }
        parts.join(" AND ")
    }

    /// Fills the period in from what the store holds; `None` where it holds nothing in this scope.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn span(&self, connection: &Connection) -> Result<Option<(NaiveDate, NaiveDate)>, QueryError> {
        let sql = format!(
            "SELECT timezone('UTC', min(l.first_at))::DATE, timezone('UTC', max(l.first_at))::DATE FROM delivery_life l WHERE {}",
            self.condition()
        );
        let (first, last): (Option<NaiveDate>, Option<NaiveDate>) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(first.zip(last).map(|(first, last)| (self.since.unwrap_or(first), self.until.unwrap_or(last))))
    }
}

/// SQL text of a string.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The figures over `delivery_life l`, after two columns; distinct recipients are counted by what they are distinct in.
const FIGURES: &str = "
    count(DISTINCT l.recipient_key) FILTER (WHERE l.attempts > 0),
    count(DISTINCT l.recipient_key) FILTER (WHERE l.reputation_deferrals > 0),
    count(*) FILTER (WHERE l.outcome = 2 AND l.reputation_deferrals > 0),
    coalesce(sum(l.attempts), 0)::UBIGINT, coalesce(sum(l.deferrals), 0)::UBIGINT,
    coalesce(sum(l.reputation_deferrals), 0)::UBIGINT,
    count(*) FILTER (WHERE l.outcome = 0), count(*) FILTER (WHERE l.outcome = 1), count(*) FILTER (WHERE l.outcome = 2),
    count(*) FILTER (WHERE l.outcome = 3), count(*) FILTER (WHERE l.outcome = 4), count(*) FILTER (WHERE l.outcome = 5),
    quantile_disc(date_diff('second', l.first_at, l.final_at), 0.5) FILTER (WHERE l.outcome = 1)";

/// Answers what became of the mail.
///
/// # Errors
/// The store cannot be asked, or holds nothing in the scope.
pub fn summary(connection: &Connection, scope: &DeliveryScope, by: DeliveryBy) -> Result<DeliverySummary, QueryError> {
    let Some((since, until)) = scope.span(connection)? else { return Err(nothing(connection, scope)) };
    let total = outcomes(connection, scope)?;
    let mut statement = connection.prepare(&grouped(scope, by))?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(DeliveryRow {
            name: BTreeMap::from([(by.key(), row.get::<_, Option<String>>(0)?)]),
            smtp_code: row.get(1)?,
            enhanced_code: row.get(2)?,
            outcomes: Outcomes::of(row, 3)?,
        });
    }
    let internal =
        connection.query_row("SELECT count(*) FROM delivery_life l WHERE l.internal", [], |row| row.get(0))?;
    Ok(DeliverySummary { since, until, by, rows, total, internal })
}

/// Answers for everything in the scope together.
///
/// # Errors
/// The store cannot be asked.
pub fn outcomes(connection: &Connection, scope: &DeliveryScope) -> Result<Outcomes, QueryError> {
    let sql = format!("SELECT {FIGURES} FROM delivery_life l WHERE {}", scope.condition());
    Ok(connection.query_row(&sql, [], |row| Outcomes::of(row, 0))?)
}

/// Returns the statement behind the rows.
fn grouped(scope: &DeliveryScope, by: DeliveryBy) -> String {
    let within = scope.condition();
    let text = |column: &str, absent: &str| {
        format!(
            "SELECT coalesce(t.\"text\", {absent}), NULL, NULL, g.* EXCLUDE (key) FROM (SELECT l.{column} AS key, {FIGURES}
             FROM delivery_life l WHERE {within} GROUP BY 1) g LEFT JOIN delivery_text t ON t.text_no = g.key"
        )
    };
    let body = match by {
        DeliveryBy::Gateway => format!(
            "SELECT o.gateway, NULL, NULL, {FIGURES} FROM delivery_life l JOIN delivery_route o ON o.route_no = l.route
             WHERE {within} GROUP BY 1"
        ),
        DeliveryBy::RecipientDomain => text("recipient_domain", "NULL"),
        DeliveryBy::Source => text("source", "'unknown'"),
        DeliveryBy::Campaign => text("campaign", "NULL"),
        DeliveryBy::Day => format!(
            "SELECT strftime(timezone('UTC', l.first_at)::DATE, '%Y-%m-%d'), NULL, NULL, {FIGURES} FROM delivery_life l
             WHERE {within} GROUP BY 1"
        ),
        // One row for each response that a pair got; its figures are of the pairs that got it at least once, its attempts of
        // those that it answered.
        DeliveryBy::Response => format!(
            "SELECT coalesce(r.shape, '(no response)'), r.smtp_code, r.enhanced_code, g.* EXCLUDE (key) FROM (
                SELECT p.response AS key, {} FROM (
                    SELECT x.response, l.recipient_key, l.outcome, l.first_at, l.final_at, x.attempts, x.deferrals,
                        CASE WHEN l.reputation_deferrals > 0 AND len(coalesce(q.reputation_of, [])) > 0 THEN x.deferrals ELSE 0 END
                            AS reputation_deferrals
                    FROM (SELECT message_key, recipient_key, response, count(*) FILTER (WHERE status <= 2) AS attempts,
                            count(*) FILTER (WHERE status = 1) AS deferrals
                          FROM delivery_line WHERE status <> 5 AND status <> 3 GROUP BY ALL) x
                    JOIN delivery_life l USING (message_key, recipient_key)
                    LEFT JOIN delivery_response q ON q.response_no = x.response
                    WHERE {within}) p
                GROUP BY 1) g LEFT JOIN delivery_response r ON r.response_no = g.key",
            FIGURES.replace("l.", "p.")
        ),
    };
    // Columns: name, code, enhanced, recipients, affected, …
    let order = if by == DeliveryBy::Day { "1" } else { "5 DESC, 4 DESC, 1" };
    format!("SELECT * FROM ({body}) ORDER BY {order}")
}

impl Outcomes {
    fn of(row: &Row<'_>, first: usize) -> duckdb::Result<Self> {
        let (recipients, affected, given_up) = (row.get(first)?, row.get(first + 1)?, row.get(first + 2)?);
        let median: Option<i64> = row.get(first + 12)?;
        Ok(Self {
            recipients,
            affected,
            share: share(affected, recipients),
            severity: Severity::grade(affected, recipients, given_up),
            attempts: row.get(first + 3)?,
            deferrals: row.get(first + 4)?,
            reputation_deferrals: row.get(first + 5)?,
            delivered_first: row.get(first + 6)?,
            delivered_late: row.get(first + 7)?,
            expired: row.get(first + 8)?,
            bounced: row.get(first + 9)?,
            dropped: row.get(first + 10)?,
            pending: row.get(first + 11)?,
            median_delay_late_s: median.and_then(|seconds| u64::try_from(seconds).ok()),
        })
    }
}

fn nothing(connection: &Connection, scope: &DeliveryScope) -> QueryError {
    let held = DeliveryScope::default().span(connection);
    let text = match held {
        Ok(Some((first, last))) => {
            let gateways: Vec<String> = connection
                .prepare("SELECT DISTINCT gateway FROM delivery_route ORDER BY 1")
                .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
                .unwrap_or_default();
            let asked = match &scope.gateway {
                Some(gateway) => format!(" behind the gateway {gateway}"),
                None => String::new(),
            };
            format!(
                "no delivery evidence{asked} in that scope; the store holds first attempts from {first} to {last}, gateways {}",
                gateways.join(", ")
            )
        }
        _ => "the store holds no delivery evidence yet: `dmarcase delivery import PATH` reads logs of mail systems and events of sending platforms"
            .to_owned(),
    };
    QueryError::NotFound(text)
}
