//! `[alerts]`: where `trend --alert` sends what broke.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::secret::{CommandLine, Secret};

/// `[alerts]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// A URL to post to.
    pub webhook: Option<Webhook>,
    /// A mail to send.
    pub mail: Option<AlertMail>,
}

/// `[alerts.webhook]`: a POST of JSON, signed with HMAC-SHA256 in the header `X-Dmarcase-Signature: sha256=<hex>`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WrittenWebhook")]
pub struct Webhook {
    /// The URL.
    pub url: String,
    /// The signing secret; without one, posts are not signed.
    pub secret: Option<Secret>,
}

/// `[alerts.mail]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WrittenMail")]
pub struct AlertMail {
    /// Recipients.
    pub to: Vec<String>,
    /// From address.
    pub from: String,
    /// Mail server.
    pub host: String,
    /// Its port; by default 465, 587 or 25 as `tls` asks.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User, where the server asks for one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// TLS after STARTTLS.
    Starttls,
    /// None; refused to any host but loopback.
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWebhook {
    url: String,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    secret_command: Option<CommandLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMail {
    to: Vec<String>,
    from: String,
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: MailTls,
    user: Option<String>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    password_command: Option<CommandLine>,
}

impl TryFrom<WrittenWebhook> for Webhook {
    type Error = String;

    fn try_from(written: WrittenWebhook) -> Result<Self, String> {
        if !written.url.starts_with("https://") && !written.url.starts_with("http://") {
            return Err(format!("`{}` is no URL to post to: it begins with https://", written.url));
        }
        let secret = Secret::pick("secret", written.secret_file, written.secret_env, written.secret_command)?;
        Ok(Self { url: written.url, secret })
    }
}

impl TryFrom<WrittenMail> for AlertMail {
    type Error = String;

    fn try_from(w: WrittenMail) -> Result<Self, String> {
        if w.to.is_empty() {
            return Err("[alerts.mail] has no recipient in `to`".into());
        }
        let loopback = matches!(w.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if w.tls == MailTls::None && !loopback {
            return Err(format!("`tls = \"none\"` is for loopback only, not for {}: use implicit or starttls", w.host));
        }
        let password = Secret::pick("password", w.password_file, w.password_env, w.password_command)?;
        Ok(Self { to: w.to, from: w.from, host: w.host, port: w.port, tls: w.tls, user: w.user, password })
    }
}

impl Alerts {
    /// Makes relative paths of secrets count from the config's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        let webhook = self.webhook.as_mut().and_then(|webhook| webhook.secret.as_mut());
        let mail = self.mail.as_mut().and_then(|mail| mail.password.as_mut());
        for secret in webhook.into_iter().chain(mail) {
            secret.resolve(folder);
        }
    }
}
