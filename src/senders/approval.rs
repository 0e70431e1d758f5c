//! What a `[[sender]]` rule must hold to approve a service of the catalogue, or a sender that the store names.

use super::{Catalogue, Clue};
use crate::config::{DkimRule, DomainPattern, Network, SenderRule};
use crate::parse::org_domain;

/// More domains of one organisation than this are written as the organisation's domain and all below it.
const DOMAINS: usize = 6;

/// Makes a rule hold everything that the catalogue knows a service by.
pub fn hold_service(rule: &mut SenderRule, service: &str) {
    // A row of the catalogue stands for its name and everything below it.
    for clue in Catalogue::bundled().clues(service) {
        let below = match &clue {
            Clue::Dkim { domain, .. } => Some(Clue::Dkim { domain: format!("*.{domain}"), selector: None }),
            Clue::Spf(domain) => Some(Clue::Spf(format!("*.{domain}"))),
            Clue::Network(_) | Clue::Ptr(_) => None,
        };
        add(rule, std::iter::once(clue).chain(below));
    }
    if rule.service.is_none() {
        rule.service = Some(service.to_owned());
    }
}

/// Makes a rule hold what names a sender: the words of its evidence, each by its strongest clue.
pub fn hold_evidence(rule: &mut SenderRule, evidence: &[String]) {
    // What names it first is the strongest; a second clue beside it would approve more than that.
    let first = |words: &String| Clue::read(words).into_iter().next();
    let clues = evidence.iter().filter_map(first).map(|clue| match clue {
        Clue::Ptr(host) => Clue::Ptr(org_domain(&host).to_owned()),
        clue => clue,
    });
    add(rule, clues);
}

fn add(rule: &mut SenderRule, clues: impl Iterator<Item = Clue>) {
    let pattern = |domain: &str| DomainPattern::try_from(domain.to_owned()).ok();
    let (mut signers, mut bounces): (Vec<DomainPattern>, Vec<DomainPattern>) = (Vec::new(), Vec::new());
    for clue in clues {
        match clue {
            Clue::Dkim { domain, selector: None } => signers.extend(pattern(&domain)),
            Clue::Dkim { domain, selector: Some(selector) } => {
                let Some(domain) = pattern(&domain) else { continue };
                match rule.dkim.iter_mut().find(|rule| rule.domain == domain && !rule.selectors.is_empty()) {
                    Some(rule) if rule.selectors.contains(&selector) => {}
                    Some(rule) => rule.selectors.push(selector),
                    None => rule.dkim.push(DkimRule { domain, selectors: vec![selector] }),
                }
            }
            Clue::Spf(domain) => bounces.extend(pattern(&domain)),
            Clue::Network(network) => rule.ips.push(Network(network)),
            Clue::Ptr(host) if rule.ptr.iter().any(|wider| host == *wider || host.ends_with(&format!(".{wider}"))) => {}
            Clue::Ptr(host) => rule.ptr.push(host),
        }
    }
    rule.dkim.extend(few(signers).into_iter().map(|domain| DkimRule { domain, selectors: Vec::new() }));
    rule.spf.extend(few(bounces));
}

/// A sender with a domain for each of its customers is written as its organisation.
fn few(domains: Vec<DomainPattern>) -> Vec<DomainPattern> {
    if domains.len() <= DOMAINS {
        return domains;
    }
    let mut orgs: Vec<String> = domains.iter().map(|pattern| org_domain(&pattern.domain).to_owned()).collect();
    orgs.sort_unstable();
    orgs.dedup();
    let both = |domain: String| [false, true].map(|below| DomainPattern { domain: domain.clone(), below });
    orgs.into_iter().flat_map(both).collect()
}

/// Returns the nearest name of the catalogue as a question for the end of an error; empty where none is near.
pub fn nearest_service(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let distance = |service: &&str| {
        let service = service.to_ascii_lowercase();
        let whole = std::iter::once(service.as_str());
        whole
            .chain(service.split(' '))
            .map(|part| strsim::damerau_levenshtein(&lower, part))
            .min()
            .unwrap_or(usize::MAX)
    };
    let within = |service: &&str| service.to_ascii_lowercase().contains(&lower);
    let services = || Catalogue::bundled().services();
    let near = services()
        .find(within)
        .or_else(|| services().min_by_key(distance).filter(|s| distance(s) <= 1 + lower.len() / 4));
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
