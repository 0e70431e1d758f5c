//! How ready a case is: the five steps before an escalation, and the grade.

use super::samples::SAMPLES;
use super::types::{Case, FindingRow, Grade, Step, StepState};
use super::weak::CLEAN;
use crate::evidence::Severity as Share;
use crate::query::share;
use crate::severity::Severity;
use crate::words::{count, counted, percent};

/// The five steps.
pub(super) fn readiness(case: &Case) -> Vec<Step> {
    vec![response(case), retries(case), clean(case), acquisition(case), listings(case)]
}

fn response(case: &Case) -> Step {
    let (state, because) = match (&case.smtp.responses.first(), case.smtp.first_at) {
        (Some(one), Some(first)) => (
            StepState::Proven,
            format!(
                "{} since {}: {}",
                counted(case.smtp.deferrals, "deferral"),
                first.format("%Y-%m-%d %H:%M:%S UTC"),
                one.response
            ),
        ),
        _ => (StepState::Missing, "no reputation deferral in the delivery evidence".to_owned()),
    };
    Step { step: "response captured", state, because }
}

fn retries(case: &Case) -> Step {
    let retries = &case.outcomes.retries;
    let (state, because) = match retries.attempts() {
        Some(attempts) => (StepState::Proven, format!("{attempts}; {}", retries.outcomes())),
        None => (StepState::Missing, "no deferred message to measure".to_owned()),
    };
    Step { step: "retries measured", state, because }
}

fn clean(case: &Case) -> Step {
    // A notice (p=none, say) is worth knowing; it does not stand in the way.
    let defect = |finding: &&FindingRow| {
        finding.kind == "dns" && finding.state == "defect" && finding.severity.as_deref() != Some("notice")
    };
    let defects = case.dns.findings.iter().filter(defect).count();
    let unchecked = |finding: &&FindingRow| finding.kind == "dns" && !matches!(finding.state.as_str(), "ok" | "defect");
    let unchecked = case.dns.findings.iter().filter(unchecked).count();
    let failing = case.authentication.ips.iter().find(|ip| ip.pass_rate.is_some_and(|rate| rate < CLEAN));
    let seen: u64 = case.authentication.ips.iter().map(|ip| ip.messages).sum();
    let (state, because) = if let Some(ip) = failing {
        (StepState::Defect, format!("{} passes DMARC at {} only", ip.ip, percent(ip.pass_rate)))
    } else if defects > 0 {
        (StepState::Defect, format!("{} found a defect", counted(defects as u64, "DNS check")))
    } else if seen == 0 {
        (StepState::Missing, "no report names the sending address".to_owned())
    } else if unchecked > 0 {
        (StepState::Missing, "DNS not checked for every part of the case".to_owned())
    } else {
        let passed: u64 = case.authentication.ips.iter().map(|ip| ip.dmarc_pass).sum();
        let rate = percent(share(passed, seen));
        let of = counted(seen, "message");
        (
            StepState::Proven,
            format!("{} of {of} of the addresses pass DMARC ({rate}), DNS checks are ok", count(passed)),
        )
    };
    Step { step: "DNS and authentication clean", state, because }
}

fn acquisition(case: &Case) -> Step {
    let actions = &case.actions;
    let stated = [&actions.consent_source, &actions.confirmation, &actions.suppression_delay, &actions.complaints];
    let absent = stated.iter().filter(|fact| fact.is_none()).count();
    let (state, because) = match (absent, &actions.consent_source) {
        (0, Some(source)) => (StepState::Proven, source.clone()),
        _ => (
            StepState::Missing,
            format!("{absent} of 4 facts on consent {} not stated", if absent == 1 { "is" } else { "are" }),
        ),
    };
    Step { step: "acquisition stated", state, because }
}

fn listings(case: &Case) -> Step {
    let lists = || case.dns.findings.iter().filter(|finding| finding.kind == "blocklist");
    let listed = lists().any(|finding| finding.state == "defect");
    let by_page = case.dns.lookups.iter().any(|lookup| lookup.listed == Some(true));
    // A list that gave no answer, or an address that was looked up nowhere, says nothing.
    let unchecked: Vec<String> = lists()
        .filter(|finding| !matches!(finding.state.as_str(), "ok" | "defect"))
        .map(|finding| format!("{} of {}", finding.name, finding.subject))
        .collect();
    let checked_at = lists().filter(|finding| finding.state == "ok").filter_map(|finding| finding.found_at).min();
    let page = case.dns.lookups.iter().find(|lookup| lookup.gateway == case.request.gateway);
    let said = match page {
        None => "the gateway's public page was not looked at".to_owned(),
        Some(page) => {
            let unclear = if page.listed.is_none() { ", which is unclear" } else { "" };
            format!("the gateway's page said `{}` on {}{unclear}", page.result, page.checked_at)
        }
    };
    let (state, because) = match (checked_at, page.and_then(|page| page.listed)) {
        _ if listed || by_page => (StepState::Defect, "the address or domain is publicly listed".to_owned()),
        _ if !unchecked.is_empty() => (StepState::Missing, format!("{said}; not checked: {}", unchecked.join(", "))),
        (None, _) => (StepState::Missing, format!("{said}; blocklists not checked")),
        (Some(at), looked_up) => {
            let state = if looked_up == Some(false) { StepState::Proven } else { StepState::Missing };
            (state, format!("{said}; no blocklist listed it on {}", at.format("%Y-%m-%d")))
        }
    };
    Step { step: "listings checked", state, because }
}

/// Weak: should not be sent yet. Strong: everything that the other side asks for is there and nothing speaks against it.
pub(super) fn grade(case: &Case) -> (Grade, Vec<String>) {
    let mut weak = Vec::new();
    if case.smtp.deferrals == 0 {
        weak.push("no deferral is a reputation answer of the gateway".to_owned());
    }
    if case.outcomes.totals.severity == Share::TooFew && case.smtp.deferrals > 0 {
        weak.push(format!("{}: too few to grade", counted(case.outcomes.totals.recipients, "recipient")));
    }
    if case.request.ips.is_empty() {
        weak.push("no sending address is known".to_owned());
    }
    for step in case.readiness.iter().filter(|step| step.state == StepState::Defect) {
        weak.push(format!("{}: {}", step.step, step.because));
    }
    if case.outcomes.totals.severity == Share::NotGraded {
        weak.push("the affected share is not known: logs say the sending address of some mail only".to_owned());
    }
    for point in case
        .weak_points
        .iter()
        .filter(|point| ["C04", "C07"].contains(&point.id.as_str()) && point.severity == Severity::High)
    {
        weak.push(point.evidence.clone());
    }
    if !weak.is_empty() {
        return (Grade::Weak, weak);
    }
    let mut arguable = Vec::new();
    if case.outcomes.totals.severity < Share::Investigate {
        arguable.push(format!("the affected share says {}", case.outcomes.totals.severity.word()));
    }
    if case.samples.samples.len() < SAMPLES {
        arguable.push("fewer than five samples of different recipient domains".to_owned());
    }
    for step in case.readiness.iter().filter(|step| step.state == StepState::Missing) {
        arguable.push(format!("{}: {}", step.step, step.because));
    }
    if case.request.account.is_none() {
        arguable.push("the account at the platform is not stated".to_owned());
    }
    let high = case.weak_points.iter().filter(|point| point.severity == Severity::High).count();
    if high > 0 {
        arguable.push(format!("{} of severity high", counted(high as u64, "weak point")));
    }
    if arguable.is_empty() {
        (Grade::Strong, vec!["every step is proven and no weak point is high".to_owned()])
    } else {
        (Grade::Arguable, arguable)
    }
}
