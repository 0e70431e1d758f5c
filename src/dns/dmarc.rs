//! DMARC records: what a record says, where the policy of a domain stands, and who may receive its reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::tags::{tags, value};
use super::{Absence, Looked, Resolver};
use crate::parse::{PolicyWord, org_domain};

/// Names that a tree walk asks at most (RFC 9989 section 4.10).
const STEPS: usize = 8;

/// A DMARC record, as published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DmarcRecord {
    /// The record, verbatim.
    pub text: String,
    /// Policy: none, quarantine or reject; null where absent or no policy.
    pub p: Option<&'static str>,
    /// Policy of subdomains; null where absent.
    pub sp: Option<&'static str>,
    /// Policy of subdomains that do not exist; null where absent.
    pub np: Option<&'static str>,
    /// DKIM alignment is strict.
    pub strict_dkim: bool,
    /// SPF alignment is strict.
    pub strict_spf: bool,
    /// Sampling (RFC 7489); null where absent.
    pub pct: Option<u8>,
    /// `t=y`: one level less than published is asked for.
    pub testing: bool,
    /// `psd`: y, n or u; null where absent.
    pub psd: Option<String>,
    /// Where aggregate reports go.
    pub rua: Vec<String>,
    /// What is wrong with the record.
    pub faults: Vec<String>,
}

impl DmarcRecord {
    /// Reads a record; `None` where it is not one (RFC 9989 section 4.8: `v=DMARC1` comes first, in this case).
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.trim_start().strip_prefix('v')?.trim_start().strip_prefix('=')?.trim_start();
        let rest = rest.strip_prefix("DMARC1")?;
        if !rest.trim_start().is_empty() && !rest.trim_start().starts_with(';') {
            return None;
        }
        let (tags, mut faults) = tags(text);
        let mut policy = |tag: &str| {
            let word = value(&tags, tag)?;
            let known = PolicyWord::from_word(&word.to_ascii_lowercase()).map(PolicyWord::word);
            if known.is_none() {
                faults.push(format!("{tag}={word} is no policy"));
            }
            known
        };
        let (p, sp, np) = (policy("p"), policy("sp"), policy("np"));
        if value(&tags, "p").is_none() {
            faults.push("there is no p: receivers take it for none".to_owned());
        }
        let pct = value(&tags, "pct").and_then(|text| match text.parse::<u8>() {
            Ok(pct) if pct <= 100 => Some(pct),
            _ => {
                faults.push(format!("pct={text} is no percentage"));
                None
            }
        });
        let strict = |tag| value(&tags, tag).is_some_and(|mode| mode.eq_ignore_ascii_case("s"));
        let uris = value(&tags, "rua").unwrap_or_default();
        let rua = uris.split(',').map(str::trim).filter(|uri| !uri.is_empty()).map(str::to_owned).collect();
        Some(Self {
            text: text.to_owned(),
            p,
            sp,
            np,
            strict_dkim: strict("adkim"),
            strict_spf: strict("aspf"),
            pct,
            testing: value(&tags, "t").is_some_and(|flag| flag.eq_ignore_ascii_case("y")),
            psd: value(&tags, "psd").map(str::to_ascii_lowercase),
            rua,
            faults,
        })
    }
}

/// What stands at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtName {
    /// One record.
    One(Box<DmarcRecord>),
    /// Several, which count as none (RFC 9989 section 4.8).
    Several(Vec<String>),
}

/// Looks for a record at `_dmarc` of a domain.
pub async fn published(resolver: &Resolver, domain: &str) -> Looked<AtName> {
    resolver.txt(&format!("_dmarc.{domain}")).await.and_then(|texts| {
        let mut records: Vec<DmarcRecord> = texts.iter().filter_map(|text| DmarcRecord::read(text)).collect();
        match records.len() {
            0 => None,
            1 => records.pop().map(|record| AtName::One(Box::new(record))),
            _ => Some(AtName::Several(records.into_iter().map(|record| record.text).collect())),
        }
    })
}

/// Where the policy of a domain was found.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The names asked, from the domain upwards, and what stands there.
    pub steps: Vec<(String, Looked<AtName>)>,
    /// The domain and record that hold for the domain.
    pub policy: Looked<(String, DmarcRecord)>,
    /// Organisational domain by the tree walk.
    pub org: String,
}

/// Walks up the tree (RFC 9989 section 4.10) and says which record holds.
pub async fn discover(resolver: &Resolver, domain: &str) -> Discovery {
    let names = tree(domain);
    // All at once: there are few, and most answers are needed.
    let asked = names.iter().map(|name| published(resolver, name));
    let answers = futures::future::join_all(asked).await;
    let mut steps = Vec::new();
    for (name, answer) in names.into_iter().zip(answers) {
        let psd = match &answer {
            Looked::Found(AtName::One(record)) => record.psd.clone(),
            _ => None,
        };
        steps.push((name, answer));
        // psd=n names the organisational domain, psd=y the one below it: no need to look further up.
        if matches!(psd.as_deref(), Some("n" | "y")) {
            break;
        }
    }
    let org = organisation(domain, &steps);
    let policy = policy(domain, &org, &steps);
    Discovery { steps, policy, org }
}

/// The names of a tree walk: the domain, then its parents; a long name jumps to seven labels.
fn tree(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').filter(|label| !label.is_empty()).collect();
    let mut names = vec![labels.join(".")];
    let longest = labels.len().saturating_sub(1).min(STEPS - 1);
    for left in (1..=longest).rev() {
        names.push(labels.get(labels.len() - left..).unwrap_or_default().join("."));
    }
    names
}

fn organisation(domain: &str, steps: &[(String, Looked<AtName>)]) -> String {
    let records = || {
        steps.iter().filter_map(|(name, answer)| match answer {
            Looked::Found(AtName::One(record)) => Some((name, record)),
            _ => None,
        })
    };
    if let Some((name, _)) = records().find(|(_, record)| record.psd.as_deref() == Some("n")) {
        return name.clone();
    }
    if let Some((name, _)) = records().find(|(name, record)| record.psd.as_deref() == Some("y") && *name != domain) {
        let below = domain.strip_suffix(name.as_str()).map(|rest| rest.trim_end_matches('.'));
        let label = below.and_then(|rest| rest.rsplit('.').next()).unwrap_or_default();
        return format!("{label}.{name}");
    }
    records().next_back().map_or_else(|| domain.to_owned(), |(name, _)| name.clone())
}

fn policy(domain: &str, org: &str, steps: &[(String, Looked<AtName>)]) -> Looked<(String, DmarcRecord)> {
    // The domain itself, then its organisational domain, then the public suffix above it.
    let suffix = steps.last().map(|(name, _)| name.as_str()).unwrap_or_default();
    let mut absence = Absence::NoData;
    for wanted in [domain, org, suffix] {
        match steps.iter().find(|(name, _)| name == wanted).map(|(_, answer)| answer) {
            // A public suffix speaks only where it says that it is one.
            Some(Looked::Found(AtName::One(record)))
                if wanted == domain || wanted == org || record.psd.as_deref() == Some("y") =>
            {
                return Looked::Found((wanted.to_owned(), DmarcRecord::clone(record)));
            }
            Some(Looked::Unchecked(why)) => return Looked::Unchecked(why.clone()),
            Some(Looked::Absent(none)) if wanted == domain => absence = *none,
            _ => {}
        }
    }
    // A step that nobody could check may hide the record.
    match steps.iter().find_map(|(_, answer)| answer.unchecked()) {
        Some(why) => Looked::Unchecked(why.to_owned()),
        None => Looked::Absent(absence),
    }
}

/// Whether one destination of reports may receive them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The URI as published.
    pub uri: String,
    /// Where the authorisation must stand; `None` where none is needed.
    pub asked: Option<String>,
    /// Whether it stands there; `None` where none is needed, or the URI is none.
    pub authorised: Option<Looked<String>>,
    /// What is wrong with the URI.
    pub fault: Option<String>,
}

/// Checks one rua destination of a policy domain (RFC 9990 section 4, RFC 7489 section 7.1).
pub async fn destination(resolver: &Resolver, policy_domain: &str, uri: &str) -> Destination {
    let mut found = Destination { uri: uri.to_owned(), asked: None, authorised: None, fault: None };
    let address = uri.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).and_then(|_| uri.get(7..));
    // RFC 7489 allowed a size limit behind an exclamation mark.
    let host = address.and_then(|address| address.split('!').next()?.rsplit_once('@')).map(|(_, host)| host);
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        found.fault = Some(format!("{uri} is no mailto: address"));
        return found;
    };
    let host = crate::parse::domain_name(host).into_owned();
    if org_domain(&host) == org_domain(policy_domain) {
        return found;
    }
    let name = format!("{policy_domain}._report._dmarc.{host}");
    let authorised = resolver.txt(&name).await.and_then(|texts| {
        texts.into_iter().find(|text| text.trim_start().to_ascii_lowercase().starts_with("v=dmarc1"))
    });
    found.asked = Some(name);
    found.authorised = Some(authorised);
    found
}
