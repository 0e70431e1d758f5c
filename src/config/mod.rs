//! The one TOML file: found, read, checked. Every section is optional; everything works without a file.

mod alerts;
mod dns;
mod edit;
mod gaps;
mod gateway;
mod mailbox;
mod oauth2;
mod schedule;
mod secret;
mod sender;
mod tenant;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use alerts::{AlertMail, Alerts, MailTls, Webhook};
pub use dns::{DnsConfig, EnrichConfig, Server};
pub use edit::{add_sender, save};
pub use gaps::GapsConfig;
pub use gateway::GatewayRule;
pub use mailbox::{After, Login, MailboxConfig, Timeouts, Tls};
pub use oauth2::{Flow, OAuth2Config};
pub use schedule::{Schedule, Span};
pub use secret::{CommandLine, Secret, SecretError};
pub use sender::{DkimRule, DomainPattern, DomainRule, Network, SenderRule};
pub use tenant::Tenant;

use crate::unpack::Limits;

/// The whole config, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the store is.
    pub store: StoreConfig,
    /// What strangers may make this program do.
    pub limits: Limits,
    /// Mailboxes that reports arrive at.
    pub mailbox: Vec<MailboxConfig>,
    /// Approved senders.
    pub sender: Vec<SenderRule>,
    /// What is expected of domains.
    pub domain: Vec<DomainRule>,
    /// Domains, senders and mailboxes that belong together.
    pub tenant: Vec<Tenant>,
    /// Where alerts go.
    pub alerts: Alerts,
    /// Thresholds of gaps.
    pub gaps: GapsConfig,
    /// Name servers and blocklists of live checks.
    pub dns: DnsConfig,
    /// Databases of networks.
    pub enrich: EnrichConfig,
    /// Gateways beside the bundled ones.
    pub gateway: Vec<GatewayRule>,
    /// Facts for the evidence file.
    pub case: crate::case::Facts,
    /// The file that this config was read from.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

/// `[store]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The DuckDB file. A relative path counts from the config's folder.
    pub path: Option<PathBuf>,
}

/// Why a config could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or value that is not known.
    #[error("{path}: {text}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, fault, and the nearest known key.
        text: String,
    },
    /// The file cannot be written.
    #[error("cannot write the config {path}: {source}")]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `--tenant` names none.
    #[error("no tenant `{name}`: {known}")]
    NoTenant {
        /// As asked for.
        name: String,
        /// The tenants that there are.
        known: String,
    },
}

impl Config {
    /// Reads and checks one file.
    ///
    /// # Errors
    /// Names the file, and for a fault in it the line and the nearest known key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let invalid = |text| ConfigError::Invalid { path: path.to_owned(), text };
        let mut config = Self::parse(&text).map_err(invalid)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for mailbox in &mut config.mailbox {
            mailbox.resolve(folder);
        }
        config.alerts.resolve(folder);
        config.enrich.resolve(folder);
        for (n, mailbox) in config.mailbox.iter().enumerate() {
            if config.mailbox.iter().take(n).any(|other| other.name == mailbox.name) {
                let at = text.lines().enumerate().filter(|(_, line)| line.trim() == "[[mailbox]]").nth(n);
                let line = at.map_or(0, |(line, _)| line + 1);
                return Err(invalid(format!("line {line}: two mailboxes are named `{}`", mailbox.name)));
            }
        }
        config.path = Some(path.to_owned());
        Ok(config)
    }

    /// Reads and checks a config from text.
    ///
    /// # Errors
    /// What is wrong, in words: the line and the nearest known key, or two rules that claim the same mail.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|error| explain(&error))?;
        if let Some(mailbox) = config.mailbox.iter().find(|one| one.mail_bytes > Some(config.limits.mail_bytes)) {
            let (name, limit) = (&mailbox.name, config.limits.mail_bytes);
            return Err(format!(
                "mailbox `{name}`: mail_bytes is above limits.mail_bytes = {limit}, which holds for every mail: raise that one"
            ));
        }
        let mailboxes: Vec<&str> = config.mailbox.iter().map(|mailbox| mailbox.name.as_str()).collect();
        tenant::check(&config.tenant, &mailboxes)?;
        tenant::bind(&mut config.sender, &config.tenant)?;
        sender::check(&config.sender)?;
        sender::check_domains(&config.domain)?;
        crate::evidence::Gateways::with(&config.gateway).map_err(|error| error.to_string())?;
        Ok(config)
    }

    /// Narrows the config to a tenant: its domains, its mailboxes, and facts only where they are about a domain of its
    /// own. Rules of senders stay, since attribution is one for all. Returns the tenant.
    ///
    /// # Errors
    /// Names the tenants that there are.
    pub fn narrow(&mut self, name: &str) -> Result<Tenant, ConfigError> {
        let tenant = self.tenant(name)?.clone();
        self.mailbox.retain(|mailbox| tenant.mailboxes.contains(&mailbox.name));
        self.domain.retain(|rule| tenant.owns(&crate::parse::domain_name(&rule.name)));
        if !self.case.domain.as_deref().is_some_and(|domain| tenant.owns(&crate::parse::domain_name(domain))) {
            self.case = crate::case::Facts::default();
        }
        Ok(tenant)
    }

    /// Returns the tenant of a name.
    ///
    /// # Errors
    /// Names the tenants that there are.
    pub fn tenant(&self, name: &str) -> Result<&Tenant, ConfigError> {
        self.tenant.iter().find(|tenant| tenant.name == name).ok_or_else(|| ConfigError::NoTenant {
            name: name.to_owned(),
            known: if self.tenant.is_empty() {
                "the config has no [[tenant]]".to_owned()
            } else {
                let names: Vec<&str> = self.tenant.iter().map(|tenant| tenant.name.as_str()).collect();
                format!("there are {}", names.join(", "))
            },
        })
    }

    /// Finds and reads the config: `given` (`--config` or `$DMARCASE_CONFIG`), `./dmarcase.toml`, the user's config
    /// directory, `/etc/dmarcase/dmarcase.toml`. No file is an empty config, unless one was given.
    ///
    /// # Errors
    /// Like [`Config::read`].
    pub fn find(given: Option<&Path>) -> Result<Self, ConfigError> {
        if let Some(path) = given {
            return Self::read(path);
        }
        for path in Self::places() {
            if path.is_file() {
                return Self::read(&path);
            }
        }
        Ok(Self::default())
    }

    /// Returns the mailboxes of these names; all where none is named.
    pub fn mailboxes(&self, names: &[String]) -> Vec<&MailboxConfig> {
        self.mailbox.iter().filter(|mailbox| names.is_empty() || names.contains(&mailbox.name)).collect()
    }

    /// Returns how many bytes a mail of an account may have; of one that is not in the config any more, those of every mail.
    pub fn mail_bytes(&self, account: &str) -> u64 {
        let mailbox = self.mailbox.iter().find(|mailbox| mailbox.name == account);
        mailbox.map_or(self.limits.mail_bytes, |mailbox| mailbox.limit(&self.limits))
    }

    /// Returns the store's path: a relative one counts from the config's folder.
    pub fn store_path(&self) -> Option<PathBuf> {
        let path = self.store.path.as_ref()?;
        let folder = self.path.as_deref().and_then(Path::parent);
        Some(folder.map_or_else(|| path.clone(), |folder| folder.join(path)))
    }

    /// Returns where a config is made that nobody has written yet: the user's own, which is found from every folder.
    pub fn new_path() -> PathBuf {
        Self::user_path().unwrap_or_else(|| PathBuf::from("dmarcase.toml"))
    }

    fn user_path() -> Option<PathBuf> {
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
        folder.map(|folder| folder.join("dmarcase/dmarcase.toml"))
    }

    fn places() -> Vec<PathBuf> {
        let mut places = vec![PathBuf::from("dmarcase.toml")];
        places.extend(Self::user_path());
        places.push(PathBuf::from("/etc/dmarcase/dmarcase.toml"));
        places
    }
}

/// Says what is wrong with a config: the place as `toml` shows it, and for an unknown key the nearest known one.
fn explain(error: &toml::de::Error) -> String {
    let text = veiled(&error.to_string());
    let Some((_, rest)) = text.split_once("unknown field `") else { return text };
    let Some((unknown, expected)) = rest.split_once('`') else { return text };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let nearest = known.iter().map(|key| (strsim::damerau_levenshtein(unknown, key), *key)).min();
    match nearest {
        Some((distance, key)) if distance <= unknown.len().max(3) / 2 => {
            // Who wrote a secret here would not write the name of a variable instead.
            let file = key.strip_suffix("_env").map(|secret| format!("{secret}_file"));
            let key = file.as_deref().filter(|file| known.contains(file)).unwrap_or(key);
            format!("{}\ndid you mean `{key}`?", text.trim_end())
        }
        _ => text,
    }
}

/// Hides what stands in quotes in the lines that are shown of a config: it may be a secret that somebody wrote where none belongs.
/// The fault itself is told in words.
fn veiled(text: &str) -> String {
    let line = |line: &str| {
        let shown = line.split_once(" | ").filter(|(number, _)| number.trim().parse::<u32>().is_ok());
        let Some((number, source)) = shown else { return line.to_owned() };
        let quoted = source.find(['"', '\'']).unwrap_or(source.len());
        let (key, value) = source.split_at(quoted);
        let veil = |character: char| if matches!(character, '"' | '\'') { character } else { '*' };
        format!("{number} | {key}{}", value.chars().map(veil).collect::<String>())
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
