//! `[[tenant]]`: domains, approved senders and mailboxes that belong together and show nothing to one another.

use serde::Deserialize;

use super::sender::{DomainPattern, SenderRule, overlap};

/// One tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its name, for `--tenant`.
    pub name: String,
    /// Its domains; each stands for itself and everything below it.
    pub domains: Vec<String>,
    /// Names of `[[sender]]` that are its own: they approve mail of its domains only.
    #[serde(default)]
    pub senders: Vec<String>,
    /// Names of `[[mailbox]]` that are its own.
    #[serde(default)]
    pub mailboxes: Vec<String>,
}

impl Tenant {
    /// Returns whether a normalised domain name belongs to the tenant.
    pub fn owns(&self, name: &str) -> bool {
        self.patterns().any(|pattern| pattern.matches(name))
    }

    /// Returns the tenant's domains as patterns: each domain, and all below it.
    pub fn patterns(&self) -> impl Iterator<Item = DomainPattern> + '_ {
        self.domains.iter().flat_map(|name| {
            let domain = crate::parse::domain_name(name.trim_start_matches("*.")).into_owned();
            [false, true].map(|below| DomainPattern { domain: domain.clone(), below })
        })
    }
}

/// Checks tenants against one another and against the mailboxes that there are: what two of them own would show to both.
pub(super) fn check(tenants: &[Tenant], mailboxes: &[&str]) -> Result<(), String> {
    for (at, tenant) in tenants.iter().enumerate() {
        if tenant.domains.is_empty() {
            return Err(format!("the tenant `{}` has no domains, so that it would be shown nothing", tenant.name));
        }
        for name in &tenant.domains {
            let read = DomainPattern::try_from(name.clone());
            read.map_err(|fault| format!("the tenant `{}`: {fault}", tenant.name))?;
        }
        if let Some(name) = tenant.mailboxes.iter().find(|name| !mailboxes.contains(&name.as_str())) {
            return Err(format!("the tenant `{}` lists the mailbox `{name}`, which no [[mailbox]] has", tenant.name));
        }
        for other in tenants.iter().take(at) {
            if other.name == tenant.name {
                return Err(format!("two tenants are named `{}`", tenant.name));
            }
            let shared = tenant.patterns().find(|one| other.patterns().any(|two| overlap(one, &two)));
            if let Some(shared) = shared {
                return Err(format!("the tenants `{}` and `{}` both own {}", other.name, tenant.name, shared.domain));
            }
            if let Some(name) = tenant.mailboxes.iter().find(|name| other.mailboxes.contains(name)) {
                return Err(format!(
                    "the tenants `{}` and `{}` both own the mailbox `{name}`",
                    other.name, tenant.name
                ));
            }
        }
    }
    Ok(())
}

/// Binds each sender that tenants list to the domains of those tenants, so that no approval crosses from one tenant to
/// another. A `from` of its own that lies inside stays; anything of it outside is dropped.
pub(super) fn bind(rules: &mut [SenderRule], tenants: &[Tenant]) -> Result<(), String> {
    for tenant in tenants {
        if let Some(name) = tenant.senders.iter().find(|name| !rules.iter().any(|rule| rule.name == **name)) {
            return Err(format!("the tenant `{}` lists the sender `{name}`, which no [[sender]] has", tenant.name));
        }
    }
    for rule in rules {
        let owners: Vec<&Tenant> = tenants.iter().filter(|tenant| tenant.senders.contains(&rule.name)).collect();
        if owners.is_empty() {
            continue;
        }
        let all = owners.iter().flat_map(|tenant| tenant.patterns());
        if rule.from.is_empty() {
            rule.from = all.collect();
            continue;
        }
        rule.from.retain(|pattern| owners.iter().any(|tenant| tenant.owns(&pattern.domain)));
        if rule.from.is_empty() {
            return Err(format!("the sender `{}` has no From domain inside its tenant's domains", rule.name));
        }
    }
    Ok(())
}
