//! The few lines that a support desk's form takes: short, exact, and asking for the people who can decide.

use super::Facts;
use super::types::{Case, Grade, ResponseRow};
use crate::evidence::Severity;
use crate::words::{count, counted, percent, plain, plural};

/// The subject line.
pub(super) fn subject(case: &Case) -> String {
    let (request, smtp) = (&case.request, &case.smtp);
    let kind = request.ip_kind.as_deref().map_or_else(String::new, |kind| format!("{kind} "));
    let ip = match request.ips.as_slice() {
        [] => "our mail".to_owned(),
        [one] => format!("{kind}IP {one}"),
        more => format!("{} {kind}IPs", more.len()),
    };
    let code = |responses: &[ResponseRow]| {
        let code = responses.first().and_then(|response| response.smtp_code);
        code.map_or_else(String::new, |code| format!("{code} "))
    };
    let mut what = Vec::new();
    if smtp.deferrals > 0 || smtp.refusals == 0 {
        what.push(format!("{}reputation deferrals", code(&smtp.responses)));
    }
    if smtp.refusals > 0 {
        what.push(format!("{}reputation blocks", code(&smtp.refusal_responses)));
    }
    format!("{} {} on {ip}", request.gateway_name, what.join(" and "))
}

/// What is asked: a delisting first where mail is refused for good, else a review of what puts it off.
pub(super) fn ask(case: &Case, facts: &Facts) -> String {
    if let Some(request) = &facts.request {
        return request.clone();
    }
    let (request, smtp) = (&case.request, &case.smtp);
    let who = if request.ips.is_empty() { request.domain.clone() } else { request.ips.join(", ") };
    let attached = "The evidence file with samples and queue histories is attached.";
    let review = format!(
        "Please route this to your deliverability or reputation team, not to general support, for a {} reputation review of {who}.",
        request.gateway_name
    );
    if smtp.refusals == 0 {
        return format!("{review} {attached}");
    }
    let delist = format!(
        "First of all: {} to {} for good as blocked by reputation; please delist {who}, or say what stands against that.",
        match smtp.refusals {
            1 => "1 attempt was refused".to_owned(),
            attempts => format!("{} attempts were refused", count(attempts)),
        },
        counted(smtp.refused_recipients, "recipient")
    );
    if smtp.deferrals == 0 { format!("{delist} {attached}") } else { format!("{delist} {review} {attached}") }
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
            "Sending IP{}: {}.",
            plural(request.ips.len().max(1) as u64),
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
            "Affected recipients: {} of {} ({}) behind {}, of {}.",
            count(totals.affected),
            count(totals.recipients),
            match totals.severity {
                Severity::NotGraded => "as far as logs say the address".to_owned(),
                _ => percent(totals.share),
            },
            request.gateway_name,
            counted(retries.recipient_domains, "domain")
        ),
    ];
    if let Some(response) = case.smtp.responses.first() {
        parts.push(format!("SMTP response: \"{}\".", response.response));
    }
    if let Some(response) = case.smtp.refusal_responses.first() {
        parts.push(format!(
            "Refused for good: {} of {}: \"{}\".",
            counted(case.smtp.refusals, "attempt"),
            counted(case.smtp.refused_recipients, "recipient"),
            response.response
        ));
    }
    if let Some(attempts) = retries.attempts() {
        parts.push(format!("Retries: {attempts}; {}.", retries.outcomes()));
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
        Grade::Weak => format!("\n{}\n", one_line(&format!("(Not ready to send: {}.)", case.grade_reasons.join("; ")))),
        _ => String::new(),
    };
    format!("Subject: {}\n\n{}\n{}", one_line(&request.subject), one_line(&parts.join(" ")), note)
}

/// Text on one line: the operator's own may have several.
fn one_line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
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
    let days = match (case.period.reports_since, case.period.reports_until) {
        (Some(since), Some(until)) if since == until => format!(" of {since}"),
        (Some(since), Some(until)) => format!(" of {since} to {until}"),
        _ => String::new(),
    };
    let messages: u64 = ips.iter().map(|ip| ip.messages).sum();
    if messages == 0 {
        return format!(
            "Authentication: no DMARC report{days} names the sending IP{}.",
            plural(ips.len().max(1) as u64)
        );
    }
    let rate =
        |part: fn(&super::IpAuthentication) -> u64| percent(crate::query::share(ips.iter().map(part).sum(), messages));
    format!(
        "Authentication: of {} from the IP{} in DMARC reports{days}, SPF aligned {}, DKIM aligned {}, DMARC pass {}.",
        counted(messages, "message"),
        plural(ips.len() as u64),
        rate(|ip| ip.spf_aligned),
        rate(|ip| ip.dkim_aligned),
        rate(|ip| ip.dmarc_pass)
    )
}
