//! SPF: the records of the domain and of its MAIL FROM domains, and whether they name the sending addresses.

use super::{Finding, Subject};
use crate::dns::{Looked, Resolver, SpfNode, SpfResult, SpfTree, spf};
use crate::severity::Severity;

/// Lookups of an SPF tree from which on it is near the limit.
const NEAR: u32 = 9;

/// What was found of SPF.
pub(super) struct SendersFound {
    pub(super) trees: Vec<SpfTree>,
    pub(super) findings: Vec<Finding>,
}

/// Checks SPF.
pub(super) async fn senders(resolver: &Resolver, subject: &Subject) -> SendersFound {
    let mut domains = vec![subject.domain.clone()];
    domains.extend(subject.ips.iter().flat_map(|ip| ip.mail_from.iter().cloned()));
    let mut seen = std::collections::BTreeSet::new();
    domains.retain(|domain| seen.insert(domain.clone()));
    let answers = futures::future::join_all(domains.iter().map(|domain| spf(resolver, domain))).await;
    let mut found = SendersFound { trees: Vec::new(), findings: Vec::new() };
    for (domain, answer) in domains.iter().zip(&answers) {
        match answer {
            Looked::Found(tree) => {
                of_tree(&mut found.findings, domain, tree, subject.parked);
                found.trees.push(tree.clone());
            }
            Looked::Absent(none) => found.findings.push(
                Finding::defect(
                    domain,
                    "SPF record",
                    if subject.parked { Severity::Warn } else { Severity::High },
                    format!("none: {}", none.words()),
                    if subject.parked {
                        "Publish v=spf1 -all."
                    } else {
                        "Publish an SPF record that names the sending hosts."
                    },
                )
                .gap(subject.parked.then_some("G18")),
            ),
            Looked::Unchecked(why) => found.findings.push(Finding::unchecked(domain, "SPF record", why)),
        }
    }
    for ip in &subject.ips {
        // The MAIL FROM domains that the address uses; where none is known, the domain itself.
        for (domain, answer) in domains.iter().zip(&answers) {
            let uses = ip.mail_from.contains(domain) || ip.mail_from.is_empty() && *domain == subject.domain;
            if uses && !subject.parked {
                found.findings.push(authorised(&ip.ip.to_string(), ip.ip, domain, answer));
            }
        }
    }
    found
}

fn of_tree(findings: &mut Vec<Finding>, domain: &str, tree: &SpfTree, parked: bool) {
    let record = tree.root.record.clone();
    let costs = tree.over_limits();
    let faults: Vec<&str> = tree.faults.iter().filter(|fault| !costs.contains(fault)).map(String::as_str).collect();
    findings.push(if faults.is_empty() {
        Finding::ok(domain, "SPF record", record.unwrap_or_default())
    } else {
        // Several records stand in the fault itself.
        let record = record.map_or_else(String::new, |record| format!("; {record}"));
        let text = format!("permerror: {}{record}", faults.join("; "));
        let remedy = "Correct the record: receivers take one with a fault for no record at all.";
        Finding::defect(domain, "SPF record", Severity::High, text, remedy).gap("G11")
    });
    if tree.is_broken() {
        // Nobody reads on: it costs nothing, and nothing holds for everything else.
        return;
    }
    let text = format!("{} of 10 lookups, {} of 2 without an answer", tree.lookups, tree.void_lookups);
    let most = dearest(&tree.root);
    findings.push(if !costs.is_empty() {
        let severity = if tree.lookups > 10 { Severity::High } else { Severity::Warn };
        let text = format!("permerror: {}{most}", costs.join("; "));
        let remedy = "Remove includes of services that no longer send, and names that no longer exist.";
        Finding::defect(domain, "SPF lookups", severity, text, remedy).gap("G11")
    } else if tree.unchecked.is_empty() {
        let near = if tree.lookups >= NEAR { ": one service more breaks it" } else { "" };
        Finding::ok(domain, "SPF lookups", format!("{text}{near}"))
    } else {
        Finding::unchecked(domain, "SPF lookups", format!("at least {text}; {}", tree.unchecked.join("; ")))
    });
    findings.push(all(domain, tree, parked));
}

/// The terms that cost most, for the remedy.
fn dearest(root: &SpfNode) -> String {
    let mut terms: Vec<_> = root.terms.iter().filter(|term| term.lookups > 1).collect();
    terms.sort_by_key(|term| std::cmp::Reverse(term.lookups));
    let words: Vec<String> = terms.iter().take(3).map(|term| format!("{} {}", term.term, term.lookups)).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

fn all(domain: &str, tree: &SpfTree, parked: bool) -> Finding {
    const CHECK: &str = "SPF all";
    let ignored = tree.ignored();
    if !ignored.is_empty() {
        let text = format!("receivers ignore what stands after `all`: {}", ignored.join(" "));
        return Finding::defect(domain, CHECK, Severity::Warn, text, "Move `all` to the end of the record.");
    }
    let remedy = "End the record with -all or ~all.";
    match tree.all {
        Some("fail") => Finding::ok(domain, CHECK, "-all: everything else fails"),
        _ if parked => {
            let text = format!("sends nothing, yet everything else is `{}`", tree.all.unwrap_or("neutral"));
            Finding::defect(domain, CHECK, Severity::Warn, text, "Publish v=spf1 -all.").gap("G18")
        }
        Some("softfail") => Finding::ok(domain, CHECK, "~all: everything else fails softly"),
        Some("pass") => Finding::defect(domain, CHECK, Severity::High, "+all: the whole Internet may send", remedy),
        Some(_) => Finding::defect(domain, CHECK, Severity::Warn, "?all: nothing is said of everything else", remedy),
        // Where a part is missing, `all` may stand in it.
        None if !tree.unchecked.is_empty() => Finding::unchecked(domain, CHECK, tree.unchecked.join("; ")),
        None => Finding::defect(domain, CHECK, Severity::Warn, "no all: nothing is said of everything else", remedy),
    }
}

fn authorised(subject: &str, ip: std::net::IpAddr, domain: &str, answer: &Looked<SpfTree>) -> Finding {
    let check = format!("SPF of {domain}");
    match answer {
        Looked::Found(tree) => match tree.of(ip) {
            SpfResult::Pass if tree.faults.is_empty() => {
                Finding::ok(subject, check, "pass: the record names the address")
            }
            SpfResult::Pass => {
                Finding::ok(subject, check, "pass: the record names the address before the part that is at fault")
            }
            SpfResult::PermError => Finding::defect(
                subject,
                check,
                Severity::Warn,
                "permerror: the fault of the record comes before whatever names the address",
                "Correct the SPF record of its MAIL FROM domain.",
            ),
            SpfResult::Open => Finding::unchecked(
                subject,
                check,
                "depends on the mail (a macro or ptr), or a part of the record could not be checked",
            ),
            result => Finding::defect(
                subject,
                check,
                Severity::Warn,
                format!("{}: the record does not name the address", result.word()),
                "Name the address in the SPF record of its MAIL FROM domain.",
            ),
        },
        Looked::Absent(_) => {
            let remedy = "Publish an SPF record that names the sending hosts.";
            Finding::defect(subject, check, Severity::Warn, "none: there is no record", remedy)
        }
        Looked::Unchecked(why) => Finding::unchecked(subject, check, why),
    }
}
