//! Part 8: what the other side could raise, before it does; and the evidence that is not there.

use super::findings;
use super::samples::SAMPLES;
use super::types::{Case, Missing, WeakPoint};
use crate::evidence::{Outcomes, Severity as Share};
use crate::query::{GapRow, QueryError};
use crate::severity::Severity;
use crate::words::{count, counted, percent};

/// DMARC pass rate of the case's addresses below which the mail does not look clean.
pub(super) const CLEAN: f64 = 0.98;

/// Every weak point, worst first.
pub(super) fn weak_points(case: &Case, gaps: Vec<GapRow>) -> Vec<WeakPoint> {
    let mut points: Vec<WeakPoint> = gaps.into_iter().map(of_gap).collect();
    evidence(case, &mut points);
    addresses(case, &mut points);
    streams(case, &mut points);
    authentication(case, &mut points);
    identity(case, &mut points);
    points.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
    points
}

fn of_gap(gap: GapRow) -> WeakPoint {
    // Most evidence names its messages.
    let messages = match counted(gap.messages, "message") {
        messages if gap.messages > 0 && !gap.evidence.contains(&messages) => format!(" ({messages})"),
        _ => String::new(),
    };
    WeakPoint {
        id: gap.gap.to_owned(),
        name: gap.name.to_owned(),
        severity: gap.severity,
        evidence: format!("{}: {}{messages}", gap.domain, gap.evidence),
        remedy: gap.remedy.to_owned(),
    }
}

fn point(id: &str, name: &str, severity: Severity, evidence: String, remedy: &str) -> WeakPoint {
    WeakPoint { id: id.to_owned(), name: name.to_owned(), severity, evidence, remedy: remedy.to_owned() }
}

/// The delivery evidence itself.
fn evidence(case: &Case, points: &mut Vec<WeakPoint>) {
    let (totals, smtp) = (&case.outcomes.totals, &case.smtp);
    let affected = format!(
        "affected: {} of {} ({}): {}",
        count(totals.affected),
        counted(totals.recipients, "recipient"),
        percent(totals.share),
        totals.severity.word()
    );
    if smtp.deferrals == 0 {
        let text = format!("no deferral in the period is a reputation answer of {}", case.request.gateway_name);
        let remedy = if smtp.refusals > 0 {
            "its refusals for good are another kind of case: use the gateway's public delisting process"
        } else {
            "import the logs of the days in question, or drop the case: there is nothing to review"
        };
        points.push(point("C01", "no-reputation-answer", Severity::High, text, remedy));
    } else if totals.severity == Share::TooFew {
        let remedy =
            "a share of so few says little: collect more recipients behind the gateway before sending the case";
        points.push(point("C02", "too-few-recipients", Severity::Warn, affected, remedy));
    } else if totals.severity == Share::Watch {
        let remedy = "watch it: short delays with later acceptance are no case yet; collect more days";
        points.push(point("C02", "small-share", Severity::Warn, affected, remedy));
    }
    let samples = case.samples.samples.len() as u64;
    if smtp.deferrals > 0 && samples < SAMPLES as u64 {
        points.push(point(
            "C03",
            "few-samples",
            Severity::Warn,
            format!("samples: from {}; five are asked for", counted(samples, "recipient domain")),
            "collect more affected recipient domains before sending the case",
        ));
    }
    if let Some(gateways) = &case.outcomes.gateways {
        for row in &gateways.rows {
            let name = row.name.get("gateway").and_then(Option::as_deref).unwrap_or_default();
            if name != case.request.gateway && name != "unknown" {
                points.extend(elsewhere(name, &row.outcomes));
            }
        }
    }
    sources(case, points);
    if smtp.refusals > 0 {
        let first = smtp.refusal_responses.first().map_or("", |response| response.response.as_str());
        points.push(point(
            "C07",
            "blocked-by-gateway",
            Severity::High,
            format!(
                "refused for good, in words that name the reputation: {} to {}: {first}",
                counted(smtp.refusals, "attempt"),
                counted(smtp.refused_recipients, "recipient")
            ),
            "use the gateway's public delisting process first; this case is for mail that is put off",
        ));
    }
    for file in case.method.files.iter().filter(|file| file.unknown * 100 > file.lines) {
        let text =
            format!("not understood: {} of {} of {}", count(file.unknown), counted(file.lines, "line"), file.path);
        points.push(point(
            "C06",
            "log-not-understood",
            Severity::Warn,
            text,
            "look at their shapes: FROM delivery_unknown",
        ));
    }
}

/// Another gateway that answers with its reputation: the trouble is not one receiver's. As few recipients as are too few to grade say
/// it too, with less weight.
fn elsewhere(name: &str, outcomes: &Outcomes) -> Option<WeakPoint> {
    let Outcomes { affected, recipients, severity, .. } = *outcomes;
    let severity = match severity {
        Share::Investigate | Share::Escalate => Severity::High,
        Share::TooFew if affected * 100 >= recipients * 5 && affected > 0 => Severity::Warn,
        Share::NotGraded if affected > 0 => Severity::Warn,
        _ => return None,
    };
    let text = format!(
        "{name} answers with its reputation too, to {} of {} ({}): {}",
        count(affected),
        counted(recipients, "recipient"),
        percent(outcomes.share),
        outcomes.severity.word()
    );
    let remedy = "treat it as a general reputation problem: more than one receiver sees it";
    Some(point("C04", "more-than-one-gateway", severity, text, remedy))
}

/// Attempts whose log does not say the sending address.
fn sources(case: &Case, points: &mut Vec<WeakPoint>) {
    let (totals, smtp) = (&case.outcomes.totals, &case.smtp);
    let remedy = "import those logs with --source-ip HOST=ADDRESS, or log the outgoing interface";
    if smtp.unknown_source > 0 {
        let text = format!(
            "logs do not say the sending address of {} of {}",
            count(smtp.unknown_source),
            counted(totals.attempts, "attempt")
        );
        points.push(point("C05", "source-not-logged", Severity::Notice, text, remedy));
    }
    if let Some(text) = smtp.left_out.text() {
        let severity = if smtp.left_out.not_graded.is_empty() { Severity::Warn } else { Severity::High };
        points.push(point("C05", "source-not-logged", severity, text, remedy));
    }
}

/// What kind of addresses the case is about.
fn addresses(case: &Case, points: &mut Vec<WeakPoint>) {
    let request = &case.request;
    if request.ips.len() > 1 {
        let text = format!("the case names {} addresses", request.ips.len());
        points.push(point(
            "C10",
            "more-than-one-ip",
            Severity::Notice,
            text,
            "one address, one domain is easier to reproduce: narrow it with --ip",
        ));
    }
    if request.ip_kind.as_deref() == Some("shared") {
        let text = "others send from the same address: its reputation is not this sender's alone".to_owned();
        points.push(point(
            "C11",
            "shared-ip",
            Severity::Warn,
            text,
            "ask the platform for its view of the whole pool, or for a dedicated address",
        ));
    }
}

/// How steadily they send, and what shares them.
fn streams(case: &Case, points: &mut Vec<WeakPoint>) {
    for row in case.senders.volume.iter().filter(|row| !row.is_steady()) {
        let text = format!(
            "{} by {}: {} of {} days without mail, largest step {} times on {}",
            row.ip,
            row.source,
            row.empty_days,
            row.days,
            row.largest_step.map_or_else(|| "–".to_owned(), |step| format!("{step:.1}")),
            row.largest_step_day.map_or_else(|| "–".to_owned(), |day| day.to_string())
        );
        points.push(point(
            "C12",
            "unsteady-volume",
            Severity::Warn,
            text,
            "send a steady volume to engaged recipients; no bursts while the reputation recovers",
        ));
    }
    for ip in &case.request.ips {
        let by_reports = case.senders.streams.iter().filter(|s| s.ip == *ip && s.source == "DMARC reports");
        let mut from: Vec<&str> = by_reports.map(|stream| stream.from.as_str()).collect();
        from.sort_unstable();
        from.dedup();
        if from.len() > 1 {
            let more = case.senders.more_streams.iter().any(|more| more.ip == *ip && more.source == "DMARC reports");
            let text = format!(
                "{ip} carries {}{} From domains by DMARC reports: {}",
                if more { "at least " } else { "" },
                from.len(),
                from.join(", ")
            );
            points.push(point(
                "C13",
                "mixed-streams",
                Severity::Warn,
                text,
                "give marketing, outreach and transactional mail addresses of their own",
            ));
        }
    }
    if case.smtp.envelope_from.iter().filter(|name| *name != "<>").count() > 1 {
        let text = format!("envelope senders: {}", case.smtp.envelope_from.join(", "));
        points.push(point(
            "C14",
            "bounce-domain-varies",
            Severity::Notice,
            text,
            "keep one bounce domain for the stream",
        ));
    }
}

/// What receivers report of them.
fn authentication(case: &Case, points: &mut Vec<WeakPoint>) {
    for ip in &case.authentication.ips {
        if ip.messages == 0 && case.authentication.domains.is_some() {
            let text = format!("no report on the domain names {} in the period", ip.ip);
            points.push(point(
                "C15",
                "ip-not-in-reports",
                Severity::Warn,
                text,
                "check that the address is the one that sends, and that receivers report",
            ));
        } else if ip.pass_rate.is_some_and(|rate| rate < CLEAN) {
            let text = format!(
                "DMARC passes for {} of {} from {} ({})",
                count(ip.dmarc_pass),
                counted(ip.messages, "message"),
                ip.ip,
                percent(ip.pass_rate)
            );
            points.push(point(
                "C16",
                "ip-fails-dmarc",
                Severity::High,
                text,
                "fix SPF and DKIM of this stream before asking for a reputation review",
            ));
        }
    }
}

/// DNS, listings, and what the operator says.
fn identity(case: &Case, points: &mut Vec<WeakPoint>) {
    for finding in case.dns.findings.iter().filter(|finding| finding.state == "defect") {
        let text = format!(
            "{} {}: {}{}",
            finding.subject,
            finding.name,
            finding.detail.as_deref().unwrap_or("defect"),
            finding.found_at.map_or_else(String::new, |at| format!(" ({})", at.format("%Y-%m-%d %H:%M UTC")))
        );
        // What the gaps say already is not said twice.
        if finding.gap.as_ref().is_some_and(|gap| points.iter().any(|one| one.id == *gap)) {
            continue;
        }
        let (id, name, remedy) = if finding.kind == "blocklist" {
            (
                "C20",
                "publicly-listed",
                "resolve the listing first: a public listing is a broader problem than one gateway",
            )
        } else {
            ("C21", "dns-defect", finding.remedy.as_deref().unwrap_or("mend the record, then look it up again"))
        };
        let severity = finding.severity.as_deref().and_then(Severity::from_word).unwrap_or(Severity::High);
        points.push(point(id, name, severity, text, remedy));
    }
    for lookup in case.dns.lookups.iter().filter(|lookup| lookup.listed == Some(true)) {
        let text = format!("the page of {} said `{}` on {}", lookup.gateway, lookup.result, lookup.checked_at);
        points.push(point(
            "C22",
            "listed-by-gateway",
            Severity::High,
            text,
            "use the gateway's public delisting process first; this case is for what is not listed",
        ));
    }
    let actions = &case.actions;
    if actions.consent_source.is_none() {
        let text = "the source of consent is not stated".to_owned();
        points.push(point(
            "C23",
            "consent-not-stated",
            Severity::Warn,
            text,
            "say where addresses come from, in [consent] of the facts",
        ));
    }
    if actions.actions.is_empty() {
        let text = "no action is stated that was taken before asking".to_owned();
        points.push(point(
            "C24",
            "no-actions",
            Severity::Warn,
            text,
            "list what was done, with dates, in [[action]] of the facts",
        ));
    }
}

/// Evidence that is not there, and how to get it.
pub(super) fn missing(case: &Case, reports: Option<&QueryError>) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut say = |absent: bool, what: &str, how: &str| {
        if absent {
            missing.push(Missing { what: what.to_owned(), how: how.to_owned() });
        }
    };
    let request = &case.request;
    let facts = |key: &str| format!("{key} in the facts: `dmarcase case --facts-template`");
    say(
        case.smtp.deferrals == 0,
        "the SMTP response of a reputation deferral",
        "`dmarcase delivery import` the logs of the days in question",
    );
    if let Some(error) = reports {
        // What has no report at all says that itself.
        let said = error.to_string();
        let how = if said.contains('`') {
            said
        } else {
            format!("{said}; `dmarcase import` or `dmarcase fetch` brings more")
        };
        say(true, "authentication results of the domain", &how);
    }
    say(request.ips.is_empty(), "the sending address", &facts("ips"));
    say(request.account.is_none(), "the account at the sending platform", &facts("account"));
    say(request.platform.is_none(), "the sending platform", &facts("platform"));
    say(request.ip_kind.is_none(), "whether the address is dedicated or shared", &facts("ip_kind"));
    say(request.helo.is_none(), "the HELO name of the sending host", &facts("helo"));
    for one in findings::missing(case) {
        say(true, &one.what, &one.how);
    }
    say(
        !case.dns.lookups.iter().any(|lookup| lookup.gateway == request.gateway),
        &format!("what the public lookup page of {} says", request.gateway_name),
        &facts(&format!("[lookup] {} (look the address up by hand)", request.gateway)),
    );
    for lookup in case.dns.lookups.iter().filter(|lookup| lookup.listed.is_none()) {
        say(
            true,
            &format!("whether {} lists the address: `{}` is unclear", lookup.gateway, lookup.result),
            &facts(&format!("[lookup] {} with the result \"listed\" or \"not listed\"", lookup.gateway)),
        );
    }
    let actions = &case.actions;
    say(actions.consent_source.is_none(), "the source of consent", &facts("[consent] source"));
    say(actions.confirmation.is_none(), "how addresses are confirmed", &facts("[consent] confirmation"));
    say(actions.suppression_delay.is_none(), "how soon suppression works", &facts("[consent] suppression_delay"));
    say(actions.complaints.is_none(), "how complaints are handled", &facts("[consent] complaints"));
    say(
        actions.signup_form_checked_at.is_none(),
        "when the signup form was seen to work",
        &facts("[consent] signup_form_checked_at"),
    );
    say(actions.actions.is_empty(), "actions already taken", &facts("[[action]]"));
    say(request.campaigns.is_empty(), "campaigns affected", &facts("campaigns"));
    missing
}
