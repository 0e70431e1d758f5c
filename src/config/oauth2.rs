//! `[mailbox.oauth2]`: where access tokens come from.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::secret::{CommandLine, Secret};

/// Where access tokens come from, checked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub enum OAuth2Config {
    /// The operator's own command prints a token.
    Command(Secret),
    /// A token endpoint gives one (RFC 6749).
    Endpoint {
        /// The endpoint: https, or http to loopback.
        token_url: String,
        /// `client_id`.
        client_id: String,
        /// `client_secret`; a public client has none.
        client_secret: Option<Secret>,
        /// `scope`.
        scope: Option<String>,
        /// The flow.
        flow: Flow,
    },
}

/// How the endpoint is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Flow {
    /// RFC 6749 section 4.4: the program itself is the owner (Microsoft 365).
    ClientCredentials,
    /// RFC 6749 section 6: with a refresh token (Google, Microsoft 365).
    RefreshToken(Secret),
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FlowName {
    ClientCredentials,
    RefreshToken,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Provider {
    Microsoft365,
    Google,
}

/// The section as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    token_command: Option<CommandLine>,
    flow: Option<FlowName>,
    provider: Option<Provider>,
    tenant: Option<String>,
    token_url: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    client_secret_env: Option<String>,
    client_secret_command: Option<CommandLine>,
    refresh_token_file: Option<PathBuf>,
    refresh_token_env: Option<String>,
    refresh_token_command: Option<CommandLine>,
    scope: Option<String>,
}

impl TryFrom<Written> for OAuth2Config {
    type Error = String;

    fn try_from(w: Written) -> Result<Self, String> {
        if let Some(command) = w.token_command {
            if w.flow.is_some() {
                return Err("oauth2: give token_command or flow, not both".to_owned());
            }
            return Ok(Self::Command(Secret::Command(command)));
        }
        let flow = w
            .flow
            .ok_or("oauth2: give token_command, or flow = \"client-credentials\" or \"refresh-token\"".to_owned())?;
        let (token_url, scope) = match w.provider {
            Some(Provider::Microsoft365) => {
                let tenant = w.tenant.ok_or("oauth2: provider microsoft365 needs tenant (its id or domain)")?;
                let scope = match flow {
                    FlowName::ClientCredentials => "https://outlook.office365.com/.default",
                    FlowName::RefreshToken => "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
                };
                (Some(format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token")), Some(scope.to_owned()))
            }
            // Google gives scopes with the refresh token; asking again is not needed.
            Some(Provider::Google) if flow == FlowName::ClientCredentials => {
                return Err("oauth2: Google has no client-credentials flow for mailboxes; use refresh-token".to_owned());
            }
            Some(Provider::Google) => (Some("https://oauth2.googleapis.com/token".to_owned()), None),
            None => (None, None),
        };
        let token_url = w.token_url.or(token_url).ok_or("oauth2: give provider or token_url")?;
        check_url(&token_url)?;
        let client_secret =
            Secret::pick("client_secret", w.client_secret_file, w.client_secret_env, w.client_secret_command)?;
        let refresh_token =
            Secret::pick("refresh_token", w.refresh_token_file, w.refresh_token_env, w.refresh_token_command)?;
        let flow = match (flow, refresh_token) {
            (FlowName::RefreshToken, Some(secret)) => Flow::RefreshToken(secret),
            (FlowName::RefreshToken, None) => {
                return Err("oauth2: flow refresh-token needs refresh_token_file, _env or _command".to_owned());
            }
            (FlowName::ClientCredentials, _) if client_secret.is_none() => {
                return Err("oauth2: flow client-credentials needs client_secret_file, _env or _command".to_owned());
            }
            (FlowName::ClientCredentials, Some(_)) => {
                return Err("oauth2: flow client-credentials takes no refresh token".to_owned());
            }
            (FlowName::ClientCredentials, None) => Flow::ClientCredentials,
        };
        Ok(Self::Endpoint {
            token_url,
            client_id: w.client_id.ok_or("oauth2: client_id is missing")?,
            client_secret,
            scope: w.scope.or(scope),
            flow,
        })
    }
}

/// A client secret goes over TLS, or does not leave the machine.
fn check_url(url: &str) -> Result<(), String> {
    if url.starts_with("https://") {
        return Ok(());
    }
    let host = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let local = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if local { Ok(()) } else { Err(format!("oauth2: token_url `{url}` must start with https://")) }
}

impl OAuth2Config {
    pub(super) fn resolve(&mut self, folder: &Path) {
        match self {
            Self::Command(secret) => secret.resolve(folder),
            Self::Endpoint { client_secret, flow, .. } => {
                if let Some(secret) = client_secret {
                    secret.resolve(folder);
                }
                if let Flow::RefreshToken(secret) = flow {
                    secret.resolve(folder);
                }
            }
        }
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Command(secret) => vec![secret],
            Self::Endpoint { client_secret, flow, .. } => {
                let mut secrets: Vec<&Secret> = client_secret.iter().collect();
                if let Flow::RefreshToken(secret) = flow {
                    secrets.push(secret);
                }
                secrets
            }
        }
    }
}
