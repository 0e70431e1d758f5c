//! How ready a case is: the five steps before an escalation, and the grade.

use super::samples::SAMPLES;
use super::types::{Case, FindingRow, Grade, Step, StepState};
use super::weak::CLEAN;
use crate::evidence::Severity as Share;
use crate::severity::Severity;
use crate::words::{count, percent};

/// The five steps.
pub(super) fn readiness(case: &Case) -> Vec<Step> {
    vec![response(case), retries(case), clean(case), acquisition(case), listings(case)]
}

fn response(case: &Case) -> Step {
    let (state, because) = match (&case.smtp.responses.first(), case.smtp.first_at) {
        (Some(one), Some(first)) => (
            StepState::Proven,
            format!(
                "{} deferrals since {}: {}",
                count(case.smtp.deferrals),
                first.format("%Y-%m-%d %H:%M:%S UTC"),
                one.response
            ),
        ),
        _ => (StepState::Missing, "no reputation answer in the delivery evidence".to_owned()),
    };
    Step { step: "response captured", state, because }
}

fn retries(case: &Case) -> Step {
    let retries = &case.outcomes.retries;
    let (state, because) = match (retries.attempts_min, retries.attempts_max) {
        (Some(least), Some(most)) => (
            StepState::Proven,
            format!(
                "{least} to {most} attempts; {} delivered late, {} expired, {} bounced, {} open",
                count(retries.delivered_late),
                count(retries.expired),
                count(retries.bounced),
                count(retries.pending)
            ),
        ),
        _ => (StepState::Missing, "no deferred message to measure".to_owned()),
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
        (StepState::Defect, format!("{defects} DNS checks found a defect"))
    } else if seen == 0 {
        (StepState::Missing, "no report names the sending address".to_owned())
    } else if unchecked > 0 {
        (StepState::Missing, "DNS not checked for every part of the case".to_owned())
    } else {
        (StepState::Proven, format!("{} messages of the addresses pass, DNS checks are ok", count(seen)))
    };
    Step { step: "DNS and authentication clean", state, because }
}

fn acquisition(case: &Case) -> Step {
    let actions = &case.actions;
    let stated = [&actions.consent_source, &actions.confirmation, &actions.suppression_delay, &actions.complaints];
    let absent = stated.iter().filter(|fact| fact.is_none()).count();
    let (state, because) = match (absent, &actions.consent_source) {
        (0, Some(source)) => (StepState::Proven, source.clone()),
        _ => (StepState::Missing, format!("{absent} of 4 facts on consent are not stated")),
    };
    Step { step: "acquisition stated", state, because }
}

fn listings(case: &Case) -> Step {
    let listed = case.dns.findings.iter().any(|finding| finding.kind == "blocklist" && finding.state == "defect");
    let by_page = case.dns.lookups.iter().any(|lookup| lookup.listed);
    let checked = case.dns.findings.iter().any(|finding| finding.kind == "blocklist" && finding.state == "ok");
    let page = case.dns.lookups.iter().find(|lookup| lookup.gateway == case.request.gateway);
    let (state, because) = match (listed || by_page, checked, page) {
        (true, ..) => (StepState::Defect, "the address or domain is publicly listed".to_owned()),
        (false, true, Some(page)) => (
            StepState::Proven,
            format!("the gateway's page said `{}` on {}; no blocklist lists it", page.result, page.checked_at),
        ),
        (false, false, Some(page)) => (
            StepState::Missing,
            format!("the gateway's page said `{}` on {}; blocklists not checked", page.result, page.checked_at),
        ),
        (false, true, None) => (StepState::Missing, "the gateway's public page was not looked at".to_owned()),
        (false, false, None) => {
            (StepState::Missing, "neither blocklists nor the gateway's page were checked".to_owned())
        }
    };
    Step { step: "listings checked", state, because }
}

/// Weak: should not be sent yet. Strong: everything that the other side asks for is there and nothing speaks against it.
pub(super) fn grade(case: &Case) -> (Grade, Vec<String>) {
    let mut weak = Vec::new();
    if case.smtp.deferrals == 0 {
        weak.push("there is no reputation answer of the gateway".to_owned());
    }
    if case.outcomes.totals.severity == Share::TooFew && case.smtp.deferrals > 0 {
        weak.push(format!("{} recipients are too few to grade", case.outcomes.totals.recipients));
    }
    if case.request.ips.is_empty() {
        weak.push("no sending address is known".to_owned());
    }
    for step in case.readiness.iter().filter(|step| step.state == StepState::Defect) {
        weak.push(format!("{}: {}", step.step, step.because));
    }
    for point in case.weak_points.iter().filter(|point| point.id == "C04") {
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
        arguable.push(format!("{high} weak points of severity high"));
    }
    if arguable.is_empty() {
        (Grade::Strong, vec!["every step is proven and no weak point is high".to_owned()])
    } else {
        (Grade::Arguable, arguable)
    }
}
