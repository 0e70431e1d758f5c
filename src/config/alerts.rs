//! `[alerts]`: where `trend --alert` sends what broke.

use std::path::PathBuf;

use serde::Deserialize;

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
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The URL.
    pub url: String,
    /// File that holds the signing secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Environment variable that holds it.
    #[serde(default)]
    pub secret_env: Option<String>,
}

/// `[alerts.mail]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertMail {
    /// Recipients.
    pub to: Vec<String>,
    /// From address.
    pub from: String,
    /// Mail server.
    #[serde(default = "localhost")]
    pub host: String,
    /// Its port; by default 465, 587 or 25 as `tls` asks.
    #[serde(default)]
    pub port: Option<u16>,
    /// implicit, starttls, or none (to loopback only).
    #[serde(default)]
    pub tls: MailTls,
    /// User, where the server asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds it.
    #[serde(default)]
    pub password_env: Option<String>,
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

fn localhost() -> String {
    "localhost".into()
}
