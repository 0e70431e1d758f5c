//! The few lines that a support desk's form takes: short, exact, and asking for the people who can decide.

use super::Facts;
use super::types::{Case, Grade};
use crate::words::{count, percent};

/// The subject line.
pub(super) fn subject(case: &Case) -> String {
    let request = &case.request;
    let kind = request.ip_kind.as_deref().map_or_else(String::new, |kind| format!("{kind} "));
    let ip = match request.ips.as_slice() {
        [] => "our mail".to_owned(),
        [one] => format!("{kind}IP {one}"),
        more => format!("{} {kind}IPs", more.len()),
    };
    let first = case.smtp.responses.first();
    let code = first.and_then(|response| response.smtp_code).map_or_else(String::new, |code| format!("{code} "));
    format!("{} {code}reputation deferrals on {ip}", request.gateway_name)
}

/// What is asked.
pub(super) fn ask(case: &Case, facts: &Facts) -> String {
    facts.request.clone().unwrap_or_else(|| {
        format!(
            "Please route this to your deliverability or reputation team, not to general support, for a {} reputation review of {}. The evidence file with samples and queue histories is attached.",
            case.request.gateway_name,
            if case.request.ips.is_empty() { case.request.domain.clone() } else { case.request.ips.join(", ") }
        )
    })
}

/// The ticket: a subject line and one paragraph.
pub fn ticket(case: &Case) -> String {
    let request = &case.request;
    let stated = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "not stated".to_owned());
    let totals = &case.outcomes.totals;
    let retries = &case.outcomes.retries;
    let mut parts = vec![
        format!("Sender domain: {}.", request.domain),
        format!(
            "Sending IP: {}.",
            if request.ips.is_empty() { "not stated".to_owned() } else { request.ips.join(", ") }
        ),
        format!("Platform account: {}.", account(case)),
        format!(
            "First observed: {}.",
            request
                .first_observed
                .map_or_else(|| "not observed".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
        ),
        format!(
            "Affected recipients: {} of {} ({}) behind {}, {} domains.",
            count(totals.affected),
            count(totals.recipients),
            percent(totals.share),
            request.gateway_name,
            count(retries.recipient_domains)
        ),
    ];
    if let Some(response) = case.smtp.responses.first() {
        parts.push(format!("SMTP response: \"{}\".", response.response));
    }
    if let (Some(least), Some(most)) = (retries.attempts_min, retries.attempts_max) {
        parts.push(format!(
            "Retries: {least} to {most} attempts; {} delivered late, {} expired, {} bounced, {} still open.",
            count(retries.delivered_late),
            count(retries.expired),
            count(retries.bounced),
            count(retries.pending)
        ));
    }
    parts.push(authentication(case));
    let actions: Vec<String> =
        case.actions.actions.iter().map(|action| format!("{} {}", action.date, action.what)).collect();
    parts.push(format!(
        "Recent actions: {}.",
        if actions.is_empty() { "not stated".to_owned() } else { actions.join("; ") }
    ));
    parts.push(format!("Consent: {}.", stated(&case.actions.consent_source)));
    let samples: Vec<&str> = case.samples.samples.iter().map(|sample| sample.message_id.as_str()).collect();
    if !samples.is_empty() {
        parts.push(format!("Message IDs: {}.", samples.join(", ")));
    }
    parts.push(request.ask.clone());
    let note = match case.grade {
        Grade::Weak => format!("\n(Not ready to send: {}.)\n", case.grade_reasons.join("; ")),
        _ => String::new(),
    };
    let text = format!("Subject: {}\n\n{}\n{note}", request.subject, parts.join(" "));
    text.lines().map(|line| crate::words::plain(line).into_owned()).collect::<Vec<_>>().join("\n") + "\n"
}

fn account(case: &Case) -> String {
    match (&case.request.account, &case.request.platform) {
        (Some(account), Some(platform)) => format!("{account} at {platform}"),
        (Some(account), None) => account.clone(),
        (None, Some(platform)) => format!("not stated, at {platform}"),
        (None, None) => "not stated".to_owned(),
    }
}

fn authentication(case: &Case) -> String {
    let ips = &case.authentication.ips;
    let messages: u64 = ips.iter().map(|ip| ip.messages).sum();
    if messages == 0 {
        return "Authentication: no DMARC report names the sending IP.".to_owned();
    }
    let rate =
        |part: fn(&super::IpAuthentication) -> u64| percent(crate::query::share(ips.iter().map(part).sum(), messages));
    format!(
        "Authentication: of {} messages from the IP in DMARC reports, SPF aligned {}, DKIM aligned {}, DMARC pass {}.",
        count(messages),
        rate(|ip| ip.spf_aligned),
        rate(|ip| ip.dkim_aligned),
        rate(|ip| ip.dmarc_pass)
    )
}
