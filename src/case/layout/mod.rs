//! Lays a case out as a document, in the order in which the other side reads: one file a part.

mod authentication;
mod dns;
mod method;
mod outcomes;
mod request;
mod samples;
mod senders;
mod smtp;
mod weak;

use chrono::{DateTime, NaiveDate, Utc};

use super::document::{Block, Document, Section};
use super::types::Case;
use crate::words::shell_word;

/// A statement up to this long stands beside its figures.
const INLINE: usize = 160;

/// Returns the document.
pub fn layout(case: &Case) -> Document {
    let request = &case.request;
    let mut lead = vec![Block::Fields(vec![
        ("Grade".to_owned(), case.grade.word().to_owned()),
        (
            "Delivery evidence".to_owned(),
            period(case.period.since, case.period.until, case.period.no_delivery.as_deref().unwrap_or("none")),
        ),
        (
            "DMARC reports".to_owned(),
            period(
                case.period.reports_since,
                case.period.reports_until,
                case.period.no_reports.as_deref().unwrap_or("none"),
            ),
        ),
    ])];
    if !case.grade_reasons.is_empty() {
        lead.push(Block::List(case.grade_reasons.clone()));
    }
    lead.push(Block::Table {
        head: ["step", "state", "because"].map(str::to_owned).to_vec(),
        rows: case
            .readiness
            .iter()
            .map(|step| vec![step.step.to_owned(), step.state.word().to_owned(), step.because.clone()])
            .collect(),
    });
    if !case.missing.is_empty() {
        lead.push(Block::Heading("Missing evidence".to_owned()));
        lead.push(Block::Table {
            head: ["missing", "how to get it"].map(str::to_owned).to_vec(),
            rows: case.missing.iter().map(|one| vec![one.what.clone(), one.how.clone()]).collect(),
        });
    }
    let mut sections = vec![
        request::request(case),
        smtp::smtp(case),
        outcomes::outcomes(case),
        samples::samples(case),
        authentication::authentication(case),
        dns::dns(case),
        senders::senders(case),
        weak::weak_points(case),
        request::actions(case),
        method::method(case),
    ];
    let appendix = appendix(case, &mut sections);
    sections.extend(appendix);
    Document { title: format!("Case: {}, {}", request.domain, request.subject), lead, sections }
}

/// Takes long statements out of the sections, where they stand in the reader's way, to the end of the document.
fn appendix(case: &Case, sections: &mut [Section]) -> Option<Section> {
    let mut appendix = Section::new("Appendix: the statements");
    appendix.text(format!(
        "Each gives the figures that name it, from the same store. `{} sql` reads a statement from its standard input.",
        case.program()
    ));
    if let Some(day) = case.period.cut {
        appendix.text(format!("Which mail is part of it they ask of the store as it is, not as it was on {day}."));
    }
    let mut number = 0;
    for block in sections.iter_mut().flat_map(|section| &mut section.blocks) {
        if let Block::Statement(statement) = block {
            number += 1;
            appendix.heading(&format!("S{number}"));
            appendix.blocks.push(Block::Verbatim(std::mem::take(statement)));
            *block = Block::Text(format!("Reproduce: statement S{number} of the appendix."));
        }
    }
    (number > 0).then_some(appendix)
}

/// The command that answers about the reports of the case: its domain, its days, and the day that it counts as today.
fn about_reports(command: &str, case: &Case) -> String {
    let mut text = format!("{} {command}{}", case.program(), domains(case));
    for (flag, day) in
        [("since", case.period.reports_since), ("until", case.period.reports_until), ("as-of", Some(case.method.as_of))]
    {
        if let Some(day) = day {
            text.push_str(&format!(" --{flag} {day}"));
        }
    }
    text
}

/// The flags that name the domain of the case and what is under it.
fn domains(case: &Case) -> String {
    let domain = &case.request.domain;
    format!(" --domain {} --domain {}", shell_word(domain), shell_word(&format!("*.{domain}")))
}

/// How to run a statement: the command where it is short, else the statement alone.
fn sql(case: &Case, statement: &str) -> Block {
    if statement.chars().count() > INLINE {
        return Block::Statement(statement.to_owned());
    }
    Block::Reproduce(format!("{} sql {}", case.program(), shell_word(statement)))
}

/// `is` or `are`, for so many.
const fn are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// A time for people.
fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time in a table whose heading says UTC.
fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Days for people; `none` where there are none.
fn period(since: Option<NaiveDate>, until: Option<NaiveDate>, none: &str) -> String {
    match (since, until) {
        (Some(since), Some(until)) if since == until => since.to_string(),
        (Some(since), Some(until)) => format!("{since} to {until}"),
        _ => none.to_owned(),
    }
}

/// A time span for people.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        7200..172_800 => format!("{:.1} h", seconds as f64 / 3600.0),
        _ => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}

/// A fact of the operator, or that it is not stated.
fn stated(fact: Option<&String>) -> String {
    fact.cloned().unwrap_or_else(|| "not stated".to_owned())
}
