//! The case: delivery evidence, authentication and the operator's facts → one evidence file that the other side can check.
//!
//! [`build`] asks the store and gives one typed [`Case`], in the order of the file's ten parts. [`layout`] turns it into a
//! document, which `markdown` and `html` write; [`ticket`] writes the few lines that a support desk's form takes.

mod authentication;
mod chart;
mod document;
mod evidence;
mod facts;
mod findings;
mod html;
mod layout;
mod listing;
mod markdown;
mod method;
mod readiness;
mod samples;
mod senders;
mod shown;
mod ticket;
mod types;
mod volume;
mod weak;

use chrono::{DateTime, NaiveDate, Utc};
use duckdb::Connection;

pub use document::{Block, Chart, Document, Section};
pub use facts::{Action, Consent, Facts, FactsError, IpKind, Lookup, TEMPLATE};
pub use html::html;
pub use layout::layout;
pub use markdown::markdown;
pub use ticket::ticket;
pub use types::*;

use crate::evidence::{DeliveryBy, DeliveryFlow, DeliveryScope, Gateways};
use crate::query::{DayArg, DayArgs, Days, Expected, Mail, PeriodArgs, QueryError, Scope};

/// What a case is asked about.
#[derive(Debug)]
pub struct Question<'a> {
    /// The operator's facts, with the flags of the command already in them.
    pub facts: &'a Facts,
    /// The days asked for, and the one that counts as today.
    pub days: Days,
    /// When the case is written.
    pub now: DateTime<Utc>,
    /// What the config expects, for the gaps.
    pub expected: Expected<'a>,
    /// The table of gateways.
    pub gateways: &'a Gateways,
    /// Show recipients as the store has them; without it domains only.
    pub show_recipients: bool,
    /// The flags of every command as they were given, for the commands that the case quotes: ` --db PATH`, or nothing.
    pub flags: String,
}

/// Why a case could not be written at all.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// No domain.
    #[error(
        "a case is about one domain: name it with --domain, or as `domain` in the facts (`dmarcase case --facts-template`)"
    )]
    NoDomain,
    /// No gateway, and more than one, or none, that could be meant.
    #[error("a case is about one gateway: name it with --gateway; {0}")]
    NoGateway(String),
    /// An unknown gateway.
    #[error("`{name}` is no gateway that is known: {known}")]
    UnknownGateway {
        /// As given.
        name: String,
        /// The ids.
        known: String,
    },
    /// A fact that cannot be.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The store could not be asked.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A statement failed.
    #[error("asking the store: {0}")]
    Sql(#[from] duckdb::Error),
}

/// Asks the store everything that a case needs.
///
/// # Errors
/// No domain or gateway, or the store cannot be asked. Missing evidence is no error: it is listed.
pub fn build(connection: &Connection, question: &Question<'_>) -> Result<Case, CaseError> {
    let written = question.now.date_naive();
    let today = question.days.cut.map_or(written, |day| day.max(written));
    let facts = &question.facts.settled(question.gateways, today)?;
    let domain = facts.domain.as_deref().map(crate::parse::domain_name).ok_or(CaseError::NoDomain)?.into_owned();
    let around = DeliveryScope {
        since: question.days.since,
        until: question.days.until,
        cut: question.days.cut,
        domain: Some(domain.clone()),
        ..DeliveryScope::default()
    };
    // First, since it hides what came after the day that counts as today.
    let flow = DeliveryFlow::of(connection, &around)?;
    let gateway = gateway(connection, facts.gateway.as_deref(), question.gateways)?;
    let stated: Vec<String> = facts.ips.iter().map(|ip| ip.to_canonical().to_string()).collect();
    let (sources, ips_from) = if stated.is_empty() {
        let affected = DeliveryScope { gateway: Some(gateway.clone()), ..around.clone() };
        (evidence::sources_of(connection, &affected)?, IpsFrom::Logs)
    } else {
        (stated, IpsFrom::Facts)
    };
    let mut everywhere = DeliveryScope { sources, ..around };
    everywhere.or_unknown_source = everywhere.sources.is_empty() || flow.unknown_is_theirs(&everywhere)?;
    let scope = DeliveryScope { gateway: Some(gateway.clone()), ..everywhere.clone() };
    let ips = scope.sources.clone();
    let delivery_span = flow.span(&scope)?;
    let reports = report_scope(connection, question, &domain);

    let affected = evidence::Affected::of(connection, &scope)?;
    let shown = shown::Shown::of(connection, question.show_recipients)?;
    let mut smtp = evidence::smtp(&affected, &shown)?;
    smtp.left_out = flow.left_out(&scope)?;
    let gateways = match delivery_span.map_or_else(|| flow.span(&everywhere), |span| Ok(Some(span)))? {
        Some(_) => Some(flow.summary(&everywhere, DeliveryBy::Gateway)?),
        None => None,
    };
    let totals = match gateways.as_ref().and_then(|found| found.row(DeliveryBy::Gateway, &gateway)) {
        Some(row) => row.outcomes.clone(),
        None => flow.outcomes(&scope)?,
    };
    let retries = evidence::retries(&affected)?;
    let days = evidence::days(&affected)?;
    let samples = samples::samples(&affected, question.show_recipients, &shown)?;
    let mail = reports.as_ref().ok().map(|scope| Mail::of(connection, scope)).transpose()?;
    let asked = reports.as_ref().ok().zip(mail.as_ref());
    let authentication = authentication::authentication(connection, asked, &ips)?;
    let dns = findings::findings(connection, &domain, &ips, &smtp.envelope_from, facts, question.days.cut)?;
    let volume = volume::volume(connection, &everywhere, reports.as_ref().ok(), &ips)?;
    let gaps = match &mail {
        Some(mail) => mail.gaps(question.expected)?.rows,
        None => Vec::new(),
    };
    let senders = senders::senders_of(connection, reports.as_ref().ok().zip(mail), &ips, volume)?;
    let method = method::method(connection, &scope, reports.as_ref().ok(), &smtp, question)?;
    let no_delivery = match delivery_span {
        Some(_) => None,
        None => Some(no_delivery(connection, question.days.cut)?),
    };
    let mut case = Case {
        request: Request {
            gateway_name: question.gateways.name(&gateway).to_owned(),
            gateway,
            domain,
            ips,
            ips_from,
            account: facts.account.clone(),
            platform: facts.platform.clone(),
            ip_kind: facts.ip_kind.map(|kind| kind.word().to_owned()),
            helo: facts.helo.clone(),
            campaigns: facts.campaigns.clone(),
            contact: facts.contact.clone(),
            first_observed: smtp.first_at,
            subject: String::new(),
            ask: String::new(),
        },
        period: Period {
            since: delivery_span.map(|span| span.0),
            until: delivery_span.map(|span| span.1),
            reports_since: reports.as_ref().ok().map(|scope| scope.span.since),
            reports_until: reports.as_ref().ok().map(|scope| scope.span.until),
            cut: question.days.cut,
            no_delivery,
            no_reports: reports.as_ref().err().map(no_reports),
        },
        smtp,
        outcomes: OutcomePart { totals, gateways, retries, days },
        samples,
        authentication,
        dns,
        senders,
        weak_points: Vec::new(),
        actions: actions(facts),
        method,
        missing: Vec::new(),
        readiness: Vec::new(),
        grade: Grade::Weak,
        grade_reasons: Vec::new(),
        flags: question.flags.clone(),
    };
    case.request.subject = ticket::subject(&case);
    case.request.ask = ticket::ask(&case, facts);
    case.weak_points = weak::weak_points(&case, gaps);
    case.missing = weak::missing(&case, reports.as_ref().err());
    case.readiness = readiness::readiness(&case);
    (case.grade, case.grade_reasons) = readiness::grade(&case);
    Ok(case)
}

/// The gateway asked for, or the only one whose reputation answers the store holds.
fn gateway(connection: &Connection, asked: Option<&str>, gateways: &Gateways) -> Result<String, CaseError> {
    if let Some(name) = asked {
        let name = name.trim().to_ascii_lowercase();
        if gateways.knows(&name) {
            return Ok(name);
        }
        let known: Vec<&str> = gateways.ids().collect();
        return Err(CaseError::UnknownGateway { name, known: known.join(", ") });
    }
    // A refusal for good may be all that it answers.
    let answers: Vec<String> = connection
        .prepare(
            "SELECT o.gateway FROM delivery_life l JOIN delivery_route o ON o.route_no = l.route
             WHERE l.reputation_deferrals > 0
             UNION SELECT o.gateway FROM delivery_line l JOIN delivery_route o ON o.route_no = l.route
             JOIN delivery_response r ON r.response_no = l.response
             WHERE l.status = 2 AND list_has_any(r.reputation_of, [o.gateway, split_part(o.gateway, '-', 1)]) ORDER BY 1",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    match answers.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CaseError::NoGateway(
            "the store holds no reputation answer of any gateway (`dmarcase delivery import PATH` reads logs)"
                .to_owned(),
        )),
        more => Err(CaseError::NoGateway(format!("reputation answers are from {}", more.join(", ")))),
    }
}

/// Why a case has no delivery evidence, with the days that the store does hold.
fn no_delivery(connection: &Connection, cut: Option<NaiveDate>) -> duckdb::Result<String> {
    let up_to = cut.map_or_else(String::new, |day| format!(" up to {day}"));
    let held: (Option<NaiveDate>, Option<NaiveDate>) = connection.query_row(
        "SELECT min(l.first_at)::DATE, max(l.first_at)::DATE FROM delivery_life l WHERE NOT l.internal",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(match held {
        (Some(first), Some(last)) => format!(
            "none on this domain, gateway and period; the store holds first attempts from {first} to {last}{up_to}"
        ),
        _ => format!("none in the store{up_to}"),
    })
}

/// Why a case has no reports, with the days that the store does hold.
fn no_reports(error: &QueryError) -> String {
    match error {
        QueryError::EmptyStore => "none in the store".to_owned(),
        QueryError::NoDomain { .. } => "none on the domain".to_owned(),
        QueryError::EmptyPeriod { first, last, .. } => {
            format!("none on the domain in the period; the store holds report days from {first} to {last}")
        }
        other => other.to_string(),
    }
}

/// The reports on the domain and what is under it.
fn report_scope(connection: &Connection, question: &Question<'_>, domain: &str) -> Result<Scope, QueryError> {
    let as_of = question.days.as_of;
    let day = |day: Option<NaiveDate>| day.map(DayArg::On);
    let mut args = PeriodArgs {
        days: DayArgs { since: day(question.days.since), until: day(question.days.until), as_of: Some(as_of) },
        domains: vec![domain.to_owned(), format!("*.{domain}")],
    };
    let found = Scope::resolve(connection, &args, as_of);
    if !matches!(found, Err(QueryError::NoDomain { .. })) {
        return found;
    }
    // Reports on the domain alone, or on what is under it alone.
    for only in [domain.to_owned(), format!("*.{domain}")] {
        args.domains = vec![only];
        if let Ok(scope) = Scope::resolve(connection, &args, as_of) {
            return Ok(scope);
        }
    }
    found
}

/// A list of texts for SQL.
fn list_of(texts: &[String]) -> String {
    texts.iter().map(|text| crate::query::quoted(text)).collect::<Vec<_>>().join(", ")
}

fn actions(facts: &Facts) -> ActionsPart {
    let consent = &facts.consent;
    ActionsPart {
        actions: facts
            .action
            .iter()
            .map(|action| DatedAction { date: facts::when(&action.date), what: action.what.clone() })
            .collect(),
        consent_source: consent.source.clone(),
        confirmation: consent.confirmation.clone(),
        suppression_delay: consent.suppression_delay.clone(),
        complaints: consent.complaints.clone(),
        signup_form_checked_at: consent.signup_form_checked_at.as_ref().map(facts::when),
    }
}
