//! The DMARC record: where it stands, what it asks for, and whether its reports can arrive.

use super::{Finding, Subject};
use crate::dns::{AtName, Discovery, DmarcRecord, Looked, Resolver, destination, discover};
use crate::parse::{PolicyWord, org_domain};
use crate::severity::Severity;

/// What was found of the policy.
pub(super) struct PolicyFound {
    pub(super) domain: Option<String>,
    pub(super) record: Option<DmarcRecord>,
    pub(super) org: String,
    pub(super) findings: Vec<Finding>,
}

/// Checks the DMARC record.
pub(super) async fn policy(resolver: &Resolver, subject: &Subject) -> PolicyFound {
    let domain = subject.domain.as_str();
    let discovery = discover(resolver, domain).await;
    let mut findings = Vec::new();
    let found = match &discovery.policy {
        Looked::Found((at, record)) => {
            findings.push(record_found(domain, at, record, &discovery));
            of_record(&mut findings, domain, at, record, subject.parked);
            findings.extend(reports(resolver, domain, at, record).await);
            Some((at.clone(), record.clone()))
        }
        Looked::Absent(_) => {
            findings.push(absent(domain, &discovery));
            None
        }
        Looked::Unchecked(why) => {
            findings.push(Finding::unchecked(domain, "DMARC record", why));
            None
        }
    };
    let (at, record) = found.unzip();
    PolicyFound { domain: at, record, org: discovery.org, findings }
}

fn record_found(domain: &str, at: &str, record: &DmarcRecord, discovery: &Discovery) -> Finding {
    let mut text = record.text.clone();
    if at != domain {
        text = format!("inherited from {at}: {text}");
    }
    if at != domain && org_domain(domain) != discovery.org {
        text = format!("{text} (receivers by the public suffix list look at {})", org_domain(domain));
    }
    if record.faults.is_empty() {
        return Finding::ok(domain, "DMARC record", text);
    }
    let text = format!("{text}: {}", record.faults.join("; "));
    Finding::defect(
        domain,
        "DMARC record",
        Severity::Warn,
        text,
        "Correct the record, so that every receiver reads the same.",
    )
}

fn absent(domain: &str, discovery: &Discovery) -> Finding {
    let several = discovery.steps.iter().find_map(|(name, answer)| match answer {
        Looked::Found(AtName::Several(texts)) => {
            Some(format!("{} records at _dmarc.{name}: {}", texts.len(), texts.join(" | ")))
        }
        _ => None,
    });
    let asked: Vec<String> = discovery.steps.iter().map(|(name, _)| format!("_dmarc.{name}")).collect();
    let (text, remedy) = match several {
        Some(text) => (text, "Keep one DMARC record: several count as none."),
        None => (
            format!("no record at {}", asked.join(", ")),
            "Publish v=DMARC1; p=none; rua=mailto:… first, and raise the policy once the own mail passes.",
        ),
    };
    Finding::defect(domain, "DMARC record", Severity::High, text, remedy)
}

fn rank(word: Option<&str>) -> Option<u8> {
    word.and_then(PolicyWord::from_word).map(PolicyWord::number)
}

/// What the record asks for, one finding a question, so that a mended record shows as mended.
fn of_record(findings: &mut Vec<Finding>, domain: &str, at: &str, record: &DmarcRecord, parked: bool) {
    // RFC 9989 section 4.7: without p, none; without sp, p; without np, sp.
    let p = record.p.unwrap_or("none");
    let sp = record.sp.unwrap_or(p);
    let np = record.np.unwrap_or(sp);
    let holds = if at == domain { p } else { sp };
    let asks = format!("p={p}, sp={sp}, np={np}");
    let mut say = |check: &str, defect: Option<(Severity, String, &'static str, &'static str)>| {
        findings.push(match defect {
            None => Finding::ok(domain, check, asks.clone()),
            Some((severity, text, gap, remedy)) => Finding::defect(domain, check, severity, text, remedy).gap(gap),
        });
    };
    say(
        "DMARC policy",
        match (parked, holds) {
            (true, _) if (p, sp) != ("reject", "reject") => Some((
                Severity::Warn,
                format!("sends nothing, yet {asks}"),
                "G18",
                "Publish v=DMARC1; p=reject; sp=reject.",
            )),
            (_, "none") => Some((
                Severity::Notice,
                format!("{asks}: nothing is asked of receivers"),
                "G01",
                "Move to p=quarantine, then p=reject, once the approved senders pass.",
            )),
            _ => None,
        },
    );
    let weaker = rank(Some(sp)) < rank(Some(p));
    let remedy = "Raise sp to the level of p, or leave it out.";
    say("DMARC subdomain policy", weaker.then(|| (Severity::Warn, format!("p={p}, sp={sp}"), "G02", remedy)));
    let weaker = rank(Some(np)) < rank(Some(sp));
    let remedy = "Raise np to reject: nothing honest comes from a subdomain that does not exist.";
    say(
        "DMARC policy of made-up subdomains",
        weaker.then(|| (Severity::Notice, format!("sp={sp}, np={np}"), "G03", remedy)),
    );
    let sampled = record.pct.filter(|pct| *pct < 100 && p != "none");
    let remedy = "Remove pct: old receivers sample, receivers by RFC 9989 do not.";
    say("DMARC sampling", sampled.map(|pct| (Severity::Warn, format!("pct={pct} with p={p}"), "G04", remedy)));
    let testing = record.testing && [p, sp, np].iter().any(|word| *word != "none");
    let remedy = "Remove t=y when the test is over.";
    say("DMARC testing", testing.then(|| (Severity::Warn, format!("t=y with {asks}"), "G05", remedy)));
}

/// Whether aggregate reports have somewhere to go, and may go there (RFC 9990 section 4).
async fn reports(resolver: &Resolver, domain: &str, at: &str, record: &DmarcRecord) -> Vec<Finding> {
    const CHECK: &str = "DMARC reports";
    if record.rua.is_empty() {
        return vec![
            Finding::defect(
                domain,
                CHECK,
                Severity::Warn,
                "there is no rua",
                "Name a mailbox for aggregate reports in rua.",
            )
            .gap("G15"),
        ];
    }
    let asked = record.rua.iter().map(|uri| destination(resolver, at, uri));
    let mut findings = Vec::new();
    for one in futures::future::join_all(asked).await {
        let check = if record.rua.len() == 1 { CHECK.to_owned() } else { format!("{CHECK} to {}", one.uri) };
        let name = one.asked.as_deref().unwrap_or_default();
        findings.push(match (one.fault, one.authorised) {
            (Some(fault), _) => {
                Finding::defect(domain, check, Severity::Warn, fault, "Write rua as mailto:ADDRESS, parted by commas.")
                    .gap("G15")
            }
            (None, None) => Finding::ok(domain, check, format!("{}, of the own organisation", one.uri)),
            (None, Some(Looked::Found(text))) => {
                Finding::ok(domain, check, format!("{}, authorised: {name} says {text}", one.uri))
            }
            (None, Some(Looked::Absent(none))) => Finding::defect(
                domain,
                check,
                Severity::High,
                format!("{} is not authorised: {name}: {}", one.uri, none.words()),
                "Have the owner of the destination publish v=DMARC1 there: receivers send no reports without it.",
            )
            .gap("G15"),
            (None, Some(Looked::Unchecked(why))) => Finding::unchecked(domain, check, format!("{name}: {why}")),
        });
    }
    findings
}
