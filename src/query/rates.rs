//! Pass rates: messages that pass DMARC over all messages, by whatever one asks.

use chrono::NaiveDate;
use duckdb::{Connection, Row};
use schemars::JsonSchema;
use serde::Serialize;

use super::flow::Mail;
use super::{QueryError, Scope, Undated, share};

/// What the rows of [`Rates`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RateBy {
    /// A policy domain.
    Domain,
    /// A report day.
    Day,
    /// A week, named by its Monday.
    Week,
    /// A month, named by its first day.
    Month,
    /// A reporter.
    Reporter,
    /// A sender: approved, recognised, or named by evidence; else the source itself.
    Sender,
    /// A header-from domain.
    HeaderFrom,
    /// A source.
    Source,
    /// A DKIM selector with its domain. A message with two signatures counts under both.
    Selector,
}

/// Pass rates of a period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Rates {
    /// First report day.
    pub since: NaiveDate,
    /// Last report day, inclusive.
    pub until: NaiveDate,
    /// What the rows are.
    pub by: RateBy,
    /// Most messages first; days, weeks and months in their order.
    pub rows: Vec<RateRow>,
    /// All of it, each message once.
    pub total: Totals,
    /// Reports without a readable day, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undated: Option<Undated>,
}

/// One row: its name under the key that `by` names.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RateRow {
    /// The policy domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The report day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The Monday of the week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<String>,
    /// The first day of the month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// The reporter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reporter: Option<String>,
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The header-from domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_from: Option<String>,
    /// The source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The selector, as `selector._domainkey.domain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Its counts and rates.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Counts and rates of some records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Totals {
    /// Reports that the records are from.
    pub reports: u64,
    /// Messages.
    pub messages: u64,
    /// Messages that pass DMARC.
    pub dmarc_pass: u64,
    /// `dmarc_pass` over `messages`; null where there are no messages.
    pub pass_rate: Option<f64>,
    /// Messages that are DKIM aligned.
    pub dkim_aligned: u64,
    /// Messages that are SPF aligned.
    pub spf_aligned: u64,
    /// `dkim_aligned` over `messages`.
    pub dkim_rate: Option<f64>,
    /// `spf_aligned` over `messages`.
    pub spf_rate: Option<f64>,
    /// Messages that were quarantined.
    pub quarantined: u64,
    /// Messages that were rejected.
    pub rejected: u64,
    /// Distinct sources.
    pub sources: u64,
}

impl RateBy {
    /// Returns the key of the row's name in JSON and CSV.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Reporter => "reporter",
            Self::Sender => "sender",
            Self::HeaderFrom => "header_from",
            Self::Source => "source",
            Self::Selector => "selector",
        }
    }

    /// A key of `r` that is cheap to group by, and what must be joined for it.
    const fn base(self) -> (&'static str, &'static str) {
        match self {
            Self::Domain => ("r.policy_domain", ""),
            Self::Day => ("r.report_day", ""),
            Self::Week => ("date_trunc('week', r.report_day)", ""),
            Self::Month => ("date_trunc('month', r.report_day)", ""),
            Self::Reporter => ("p.first_no", "JOIN reporter p USING (report_no)"),
            Self::Sender => ("coalesce(r.sender_no::BIGINT, -1 - r.source)", ""),
            Self::HeaderFrom => ("r.header_from", ""),
            Self::Source => ("r.source", ""),
            Self::Selector => (
                "s.selector",
                "JOIN (SELECT DISTINCT auth_no, concat(lower(coalesce(d.selector, '?')), '._domainkey.', coalesce(d.\"domain\", '?')) AS selector
                 FROM (SELECT auth_no, unnest(dkim) AS d FROM auth)) s ON s.auth_no = r.auth",
            ),
        }
    }

    /// How a key becomes the row's name, over `g`, the grouped rows.
    const fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Domain | Self::HeaderFrom => ("d.name", "LEFT JOIN domain d ON d.domain_no = g.key"),
            Self::Day | Self::Week | Self::Month => ("strftime(g.key, '%Y-%m-%d')", ""),
            Self::Reporter => ("n.reporter", "LEFT JOIN report n ON n.report_no = g.key"),
            Self::Selector => ("g.key", ""),
            Self::Sender => (
                "coalesce(n.name, s.source_ip)",
                "LEFT JOIN sender n ON n.sender_no = g.key LEFT JOIN source s ON s.source_no = -1 - g.key",
            ),
            Self::Source => ("s.source_ip", "LEFT JOIN source s ON s.source_no = g.key"),
        }
    }

    /// The key as rows of `report p` (or `reporter p`) have it themselves; `None` where only records have it.
    const fn of_report(self) -> Option<&'static str> {
        match self {
            Self::Domain => Some("p.policy_domain_no"),
            Self::Day => Some("p.report_day"),
            Self::Week => Some("date_trunc('week', p.report_day)"),
            Self::Month => Some("date_trunc('month', p.report_day)"),
            Self::Reporter => Some("p.first_no"),
            Self::Sender | Self::HeaderFrom | Self::Source | Self::Selector => None,
        }
    }

    const fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }
}

const SUMS: &str = "
    coalesce(sum(r.messages), 0)::UBIGINT AS messages,
    coalesce(sum(r.messages) FILTER (WHERE r.dmarc_pass), 0)::UBIGINT AS dmarc_pass,
    coalesce(sum(r.messages) FILTER (WHERE r.dkim_aligned), 0)::UBIGINT AS dkim_aligned,
    coalesce(sum(r.messages) FILTER (WHERE r.spf_aligned), 0)::UBIGINT AS spf_aligned,
    coalesce(sum(r.messages) FILTER (WHERE r.disposition = 1), 0)::UBIGINT AS quarantined,
    coalesce(sum(r.messages) FILTER (WHERE r.disposition = 2), 0)::UBIGINT AS rejected";

const STREAMS: &str = "
    (SELECT s.messages, t.policy_domain, t.dkim_aligned, t.spf_aligned, t.disposition, t.dmarc_pass
     FROM (SELECT r.stream, sum(r.messages) AS messages FROM record_row r WHERE {records} GROUP BY 1) s
     JOIN stream t ON t.stream_no = s.stream)";

/// Answers how much of the mail passes.
///
/// # Errors
/// The store cannot be asked.
pub fn rates(connection: &Connection, scope: &Scope, by: RateBy) -> Result<Rates, QueryError> {
    let mail = match by {
        RateBy::Sender => Of::Attributed,
        RateBy::Domain => Of::Streams,
        _ => Of::Records,
    };
    let (rows, sources) = rows(connection, scope, by, mail)?;
    let total = match by {
        // A message with two signatures counts under both.
        RateBy::Selector => total(connection, scope, Of::Records)?,
        _ => sum(connection, scope, &rows, sources)?,
    };
    Ok(Rates::new(scope, by, rows, total))
}

impl Mail<'_> {
    /// Answers how much of the mail passes, by domain, reporter and week.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn rates(&self) -> Result<[Rates; 3], QueryError> {
        let Self { connection, scope, .. } = self;
        let total = total(connection, scope, Of::Flow)?;
        // The flow tells neither days nor reporters apart.
        let by =
            |by, mail| Ok::<_, QueryError>(Rates::new(scope, by, rows(connection, scope, by, mail)?.0, total.clone()));
        Ok([by(RateBy::Domain, Of::Flow)?, by(RateBy::Reporter, Of::Records)?, by(RateBy::Week, Of::Records)?])
    }
}

/// The rows that are summed.
#[derive(Clone, Copy)]
enum Of {
    Records,
    /// Records summed by stream first, which has all that rates tell apart but days, reports and sources: the scan reads two columns
    /// instead of seven.
    Streams,
    /// Records with their senders.
    Attributed,
    /// The flow, which stands.
    Flow,
}

impl Of {
    fn table(self, scope: &Scope) -> String {
        match self {
            Self::Records => "record".to_owned(),
            Self::Streams => STREAMS.replace("{records}", &scope.of_records("r.")),
            Self::Attributed => "attributed".to_owned(),
            Self::Flow => "flow_source".to_owned(),
        }
    }

    /// Returns the condition of the scope on the rows; streams and flow are of the scope already.
    fn within(self, scope: &Scope) -> String {
        if matches!(self, Self::Flow | Self::Streams) { "true".to_owned() } else { scope.of_records("r.") }
    }
}

impl Rates {
    fn new(scope: &Scope, by: RateBy, rows: Vec<RateRow>, total: Totals) -> Self {
        let undated = Some(scope.undated).filter(|undated| undated.reports > 0);
        Self { since: scope.span.since, until: scope.span.until, by, rows, total, undated }
    }
}

/// Returns the rows, and where the statement counts them in passing the sources of all.
fn rows(
    connection: &Connection,
    scope: &Scope,
    by: RateBy,
    mail: Of,
) -> Result<(Vec<RateRow>, Option<u64>), QueryError> {
    let mut statement = connection.prepare(&grouped(scope, by, mail))?;
    let mut found = statement.query([])?;
    let (mut rows, mut sources) = (Vec::new(), None);
    while let Some(row) = found.next()? {
        rows.push(RateRow::new(by, row.get::<_, Option<String>>(0)?, Totals::of(row, 1)?));
        sources = row.get(9)?;
    }
    Ok((rows, sources))
}

/// Sums rows that each message is in once: another scan of the records for their total would take as long as the rows did. Only
/// reports and sources, which may be in several rows, are counted anew.
fn sum(connection: &Connection, scope: &Scope, rows: &[RateRow], sources: Option<u64>) -> Result<Totals, QueryError> {
    let one = |sql: String| connection.query_row(&sql, [], |row| row.get::<_, u64>(0));
    let reports = one(format!("SELECT count(*) FROM report p WHERE {}", scope.of_reports("p.")))?;
    let sources = match sources {
        Some(sources) => sources,
        None => one(format!("SELECT count(DISTINCT r.source) FROM record_row r WHERE {}", scope.of_records("r.")))?,
    };
    let mut total = Totals { reports, sources, ..Totals::default() };
    for RateRow { totals, .. } in rows {
        total.messages += totals.messages;
        total.dmarc_pass += totals.dmarc_pass;
        total.dkim_aligned += totals.dkim_aligned;
        total.spf_aligned += totals.spf_aligned;
        total.quarantined += totals.quarantined;
        total.rejected += totals.rejected;
    }
    Ok(total.rated())
}

/// Returns the statement behind the rows.
fn grouped(scope: &Scope, by: RateBy, mail: Of) -> String {
    let (key, joined) = by.base();
    let (name, join) = by.named();
    let order = if by.is_time() { "1" } else { "messages DESC, 1" };
    let (table, within) = (mail.table(scope), mail.within(scope));
    let sent = scope.of_reports("p.");
    // A reporter, however it spells itself, as the number of its first report: numbers group faster than names. A join, not a
    // window: only behind a join does the engine skip the records of other reports.
    let (first, sent) = match by {
        RateBy::Reporter => (
            format!(
                "first_of AS (SELECT lower(p.reporter) AS reporter, min(p.report_no) AS first_no FROM report p WHERE {sent} GROUP BY 1),
                 reporter AS (SELECT p.report_no, f.first_no FROM report p
                    JOIN first_of f ON f.reporter IS NOT DISTINCT FROM lower(p.reporter) WHERE {sent}), "
            ),
            "reporter p".to_owned(),
        ),
        _ => (String::new(), format!("report p WHERE {sent}")),
    };
    // Where the key is one of few that records have themselves, pairs of key and source are told apart once, for the rows and for
    // their total; counting sources beside the sums takes longer.
    let (pairs, sources, all_sources) = if by == RateBy::Domain && matches!(mail, Of::Streams) || by.is_time() {
        let pairs = format!(
            "pair AS MATERIALIZED (SELECT DISTINCT {key} AS key, r.source FROM record_row r WHERE {} AND r.source IS NOT NULL),
             source_of AS (SELECT key, count(*) AS sources FROM pair GROUP BY 1), ",
            scope.of_records("r.")
        );
        (pairs, "", "(SELECT count(DISTINCT source) FROM pair)")
    } else {
        (String::new(), ", count(DISTINCT r.source) AS sources", "NULL")
    };
    let summed = if pairs.is_empty() {
        "g".to_owned()
    } else {
        "(SELECT g.*, s.sources FROM g LEFT JOIN source_of s ON s.key IS NOT DISTINCT FROM g.key)".to_owned()
    };
    // A report without records was still sent: where reports have the key themselves, they are counted where they are.
    let (reports, all) = match by.of_report() {
        None => (", count(DISTINCT r.report_no) AS reports".to_owned(), format!("{summed} g")),
        Some(key) => {
            let counted = format!("SELECT {key} AS key, count(*) AS reports FROM {sent} GROUP BY 1");
            let both = "SELECT coalesce(g.key, n.key) AS key, coalesce(n.reports, 0) AS reports, g.* EXCLUDE (key)";
            (
                String::new(),
                format!("({both} FROM {summed} g FULL JOIN ({counted}) n ON g.key IS NOT DISTINCT FROM n.key) g"),
            )
        }
    };
    format!(
        "WITH {first}{pairs}g AS (SELECT {key} AS key, {SUMS}{sources}{reports}
            FROM {table} r {joined} WHERE {within} GROUP BY 1)
         SELECT {name}, g.reports, coalesce(g.messages, 0) AS messages, coalesce(g.dmarc_pass, 0), coalesce(g.dkim_aligned, 0),
             coalesce(g.spf_aligned, 0), coalesce(g.quarantined, 0), coalesce(g.rejected, 0), coalesce(g.sources, 0), {all_sources}
         FROM {all} {join} ORDER BY {order}"
    )
}

fn total(connection: &Connection, scope: &Scope, mail: Of) -> Result<Totals, QueryError> {
    let sql = format!(
        "SELECT (SELECT count(*) FROM report p WHERE {}), t.messages, t.dmarc_pass, t.dkim_aligned, t.spf_aligned,
            t.quarantined, t.rejected, t.sources
         FROM (SELECT {SUMS}, count(DISTINCT r.source) AS sources FROM {} r WHERE {}) t",
        scope.of_reports("p."),
        mail.table(scope),
        mail.within(scope),
    );
    Ok(connection.query_row(&sql, [], |row| Totals::of(row, 0))?)
}

impl Totals {
    /// Reads reports, messages, pass, DKIM, SPF, quarantined, rejected and sources from a row, beginning at a column.
    fn of(row: &Row<'_>, first: usize) -> duckdb::Result<Self> {
        let counts = Self {
            reports: row.get(first)?,
            messages: row.get(first + 1)?,
            dmarc_pass: row.get(first + 2)?,
            dkim_aligned: row.get(first + 3)?,
            spf_aligned: row.get(first + 4)?,
            quarantined: row.get(first + 5)?,
            rejected: row.get(first + 6)?,
            sources: row.get(first + 7)?,
            ..Self::default()
        };
        Ok(counts.rated())
    }

    /// Works the rates out of the counts.
    fn rated(self) -> Self {
        Self {
            pass_rate: share(self.dmarc_pass, self.messages),
            dkim_rate: share(self.dkim_aligned, self.messages),
            spf_rate: share(self.spf_aligned, self.messages),
            ..self
        }
    }
}

impl RateRow {
    fn new(by: RateBy, name: Option<String>, totals: Totals) -> Self {
        let name = Some(name.unwrap_or_else(|| "unknown".to_owned()));
        let mut row = Self {
            domain: None,
            day: None,
            week: None,
            month: None,
            reporter: None,
            sender: None,
            header_from: None,
            source: None,
            selector: None,
            totals,
        };
        *row.slot(by) = name;
        row
    }

    /// Returns the row's name.
    pub fn name(&self, by: RateBy) -> &str {
        let slot = match by {
            RateBy::Domain => &self.domain,
            RateBy::Day => &self.day,
            RateBy::Week => &self.week,
            RateBy::Month => &self.month,
            RateBy::Reporter => &self.reporter,
            RateBy::Sender => &self.sender,
            RateBy::HeaderFrom => &self.header_from,
            RateBy::Source => &self.source,
            RateBy::Selector => &self.selector,
        };
        slot.as_deref().unwrap_or_default()
    }

    const fn slot(&mut self, by: RateBy) -> &mut Option<String> {
        match by {
            RateBy::Domain => &mut self.domain,
            RateBy::Day => &mut self.day,
            RateBy::Week => &mut self.week,
            RateBy::Month => &mut self.month,
            RateBy::Reporter => &mut self.reporter,
            RateBy::Sender => &mut self.sender,
            RateBy::HeaderFrom => &mut self.header_from,
            RateBy::Source => &mut self.source,
            RateBy::Selector => &mut self.selector,
        }
    }
}
