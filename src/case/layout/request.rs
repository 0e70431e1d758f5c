//! Parts 1 and 9: what the operator says.

use super::super::document::{Block, Section};
use super::super::types::{Case, IpsFrom};
use super::{stated, utc};

pub(super) fn request(case: &Case) -> Section {
    let request = &case.request;
    let mut section = Section::new("1. The request");
    let ips = if request.ips.is_empty() { "not stated".to_owned() } else { request.ips.join(", ") };
    let from = match request.ips_from {
        IpsFrom::Logs if !request.ips.is_empty() => " (as logs and responses name them)",
        _ => "",
    };
    section.blocks.push(Block::Fields(vec![
        ("Subject".to_owned(), request.subject.clone()),
        ("Sender domain".to_owned(), request.domain.clone()),
        ("Sending IPs".to_owned(), format!("{ips}{from}")),
        ("Platform".to_owned(), stated(request.platform.as_ref())),
        ("Account".to_owned(), stated(request.account.as_ref())),
        ("IP kind".to_owned(), stated(request.ip_kind.as_ref())),
        ("HELO".to_owned(), stated(request.helo.as_ref())),
        (
            "Campaigns".to_owned(),
            if request.campaigns.is_empty() { "not stated".to_owned() } else { request.campaigns.join(", ") },
        ),
        ("Contact".to_owned(), stated(request.contact.as_ref())),
        ("First observed".to_owned(), request.first_observed.map_or_else(|| "not observed".to_owned(), utc)),
    ]));
    section.text(request.ask.clone());
    section
}

pub(super) fn actions(case: &Case) -> Section {
    let part = &case.actions;
    let mut section = Section::new("9. Actions taken and consent");
    if part.actions.is_empty() {
        section.text("Actions: not stated.");
    }
    section.table(
        &["date", "action"],
        part.actions.iter().map(|action| vec![action.date.clone(), action.what.clone()]).collect(),
    );
    section.blocks.push(Block::Fields(vec![
        ("Consent source".to_owned(), stated(part.consent_source.as_ref())),
        ("Confirmation".to_owned(), stated(part.confirmation.as_ref())),
        ("Suppression".to_owned(), stated(part.suppression_delay.as_ref())),
        ("Complaints".to_owned(), stated(part.complaints.as_ref())),
        ("Signup form seen to work".to_owned(), stated(part.signup_form_checked_at.as_ref())),
    ]));
    section
}
