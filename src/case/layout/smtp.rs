//! Part 2: what the gateway answered.

use super::super::document::{Block, Section};
use super::super::types::{Case, MoreResponses, ResponseRow};
use super::{sql, stamp, utc};
use crate::words::{count, counted};

pub(super) fn smtp(case: &Case) -> Section {
    let smtp = &case.smtp;
    let mut section = Section::new("2. The SMTP evidence");
    if smtp.responses.is_empty() {
        section.text(format!("No deferral in the period is a reputation answer of {}.", case.request.gateway_name));
    } else {
        let span = smtp
            .first_at
            .zip(smtp.last_at)
            .map_or_else(String::new, |(a, b)| format!(", first {}, last {}", utc(a), utc(b)));
        section.text(format!(
            "{} {} of {}{span}. Verbatim, each shape's first:",
            counted(smtp.deferrals, "deferral"),
            if smtp.deferrals == 1 { "is a reputation answer" } else { "are reputation answers" },
            case.request.gateway_name
        ));
        verbatim(&mut section, &smtp.responses);
        more(&mut section, smtp.more_responses);
    }
    if !smtp.refusal_responses.is_empty() {
        section.heading("Refusals for good that name the reputation: another kind of case");
        section.text(format!(
            "{} to {}: the gateway's public delisting process comes first. Verbatim, each shape's first:",
            counted(smtp.refusals, "such answer"),
            counted(smtp.refused_recipients, "recipient")
        ));
        verbatim(&mut section, &smtp.refusal_responses);
        more(&mut section, smtp.more_refusal_responses);
    }
    if !smtp.other_responses.is_empty() {
        section.heading("Other deferrals of the same mail: not reputation, and not counted as such");
        section.table(
            &["response", "attempts#", "recipients#", "first (UTC)", "last (UTC)"],
            smtp.other_responses.iter().map(other).collect(),
        );
        more(&mut section, smtp.more_other_responses);
    }
    let mut notes = Vec::new();
    if smtp.suspended > 0 {
        notes.push(format!(
            "{} without trying, as the queue says: no attempt, and in no figure.",
            match smtp.suspended {
                1 => "1 line puts mail off".to_owned(),
                lines => format!("{} lines put mail off", count(lines)),
            }
        ));
    }
    if !smtp.envelope_from.is_empty() {
        notes.push(format!("Envelope sender domains: {}.", smtp.envelope_from.join(", ")));
    }
    if !notes.is_empty() {
        section.blocks.push(Block::List(notes));
    }
    section.blocks.push(sql(case, &smtp.sql));
    section
}

/// Each response as the other side wrote it, and its counts.
fn verbatim(section: &mut Section, responses: &[ResponseRow]) {
    for response in responses {
        section.blocks.push(Block::Verbatim(response.response.clone()));
        let times = if response.first_at == response.last_at {
            utc(response.first_at)
        } else {
            format!("first {}, last {}", utc(response.first_at), utc(response.last_at))
        };
        section.text(format!(
            "{}, {} of {}, {}{times}.",
            counted(response.attempts, "attempt"),
            counted(response.recipients, "recipient"),
            counted(response.recipient_domains, "domain"),
            response.stage.as_deref().map_or_else(String::new, |stage| format!("at {stage}, "))
        ));
    }
}

/// Says what a list leaves out, so that its figures add up.
fn more(section: &mut Section, more: MoreResponses) {
    if more.shapes > 0 {
        let (shapes, attempts) = (counted(more.shapes, "more shape"), counted(more.attempts, "attempt"));
        section.text(format!("And {shapes} of response, with {attempts}."));
    }
}

fn other(row: &ResponseRow) -> Vec<String> {
    vec![row.response.clone(), count(row.attempts), count(row.recipients), stamp(row.first_at), stamp(row.last_at)]
}
