//! Part 2: what the gateway answered.

use super::super::document::{Block, Section};
use super::super::types::{Case, ResponseRow};
use super::{sql, stamp, utc};
use crate::words::count;

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
            "{} deferrals are reputation answers of {}{span}. Verbatim, each shape's first:",
            count(smtp.deferrals),
            case.request.gateway_name
        ));
        for response in &smtp.responses {
            section.blocks.push(Block::Verbatim(response.response.clone()));
            section.text(format!(
                "{} attempts, {} recipients of {} domains, {}first {}, last {}.",
                count(response.attempts),
                count(response.recipients),
                count(response.recipient_domains),
                response.stage.as_deref().map_or_else(String::new, |stage| format!("at {stage}, ")),
                utc(response.first_at),
                utc(response.last_at)
            ));
        }
    }
    if !smtp.other_responses.is_empty() {
        section.heading("Other deferrals of the same mail: not reputation, and not counted as such");
        section.table(
            &["response", "attempts#", "recipients#", "first (UTC)", "last (UTC)"],
            smtp.other_responses.iter().map(other).collect(),
        );
    }
    let mut notes = Vec::new();
    if smtp.suspended > 0 {
        notes.push(format!(
            "{} lines say that the queue put mail off without trying: no attempts, and in no figure.",
            count(smtp.suspended)
        ));
    }
    if !smtp.envelope_from.is_empty() {
        notes.push(format!("Envelope sender domains: {}.", smtp.envelope_from.join(", ")));
    }
    if !notes.is_empty() {
        section.blocks.push(Block::List(notes));
    }
    section.reproduce(sql(&smtp.sql));
    section
}

fn other(row: &ResponseRow) -> Vec<String> {
    vec![row.response.clone(), count(row.attempts), count(row.recipients), stamp(row.first_at), stamp(row.last_at)]
}
