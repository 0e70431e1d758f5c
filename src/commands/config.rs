//! `config check`: validates the config; with `--connect` also its mailboxes.

use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::bail;
use schemars::JsonSchema;
use serde::Serialize;

use super::poll::Memory;
use super::{Context, Exit};
use crate::config::{Login, MailboxConfig, OAuth2Config, Tls};
use crate::fetch::imap::{Look, Pulse, Tokens, look};
use crate::store::MailboxMemory;

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What `config` can do.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigAction {
    /// Say whether the config is valid, and where it is not
    Check(ConfigCheckArgs),
}

/// Arguments of `config check`.
#[derive(Debug, clap::Args)]
pub struct ConfigCheckArgs {
    /// Log in to each mailbox, list its folders and say what a poll would do; changes nothing
    #[arg(long)]
    pub connect: bool,
}

/// What `config check` found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConfigAnswer {
    /// The file.
    pub path: String,
    /// Its mailboxes.
    pub mailboxes: Vec<CheckedMailbox>,
}

/// One mailbox of the config.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckedMailbox {
    /// Its name.
    pub name: String,
    /// Host, port and protection.
    pub server: String,
    /// Login name.
    pub user: String,
    /// Where the secret comes from, never the secret.
    pub login: String,
    /// When `watch` polls it.
    pub schedule: String,
    /// What a poll would do; null without `--connect`, or where it failed.
    pub look: Option<Look>,
    /// Why it cannot be polled.
    pub error: Option<String>,
}

/// Runs `config`.
///
/// # Errors
/// There is no config, it has a fault, or (with `--connect`) a mailbox or folder cannot be polled.
pub(super) fn run(context: &Context, args: &ConfigArgs) -> anyhow::Result<Exit> {
    let ConfigAction::Check(check) = &args.action;
    let Some(path) = &context.config.path else {
        bail!(
            "there is no config: name one with --config, or write ./dmarcase.toml (see packaging/dmarcase.toml.example)"
        );
    };
    let tokens = Tokens::default();
    let mut mailboxes: Vec<CheckedMailbox> = context.config.mailbox.iter().map(described).collect();
    let mut bad = false;
    if check.connect {
        let limits = &context.config.limits;
        let memory =
            Memory(MailboxMemory::read(&context.db, context.wait, |account| context.config.mail_bytes(account))?);
        let (stop, beat) = (AtomicBool::new(false), AtomicU64::new(0));
        for (mailbox, answer) in context.config.mailbox.iter().zip(&mut mailboxes) {
            match look(mailbox, limits, &tokens, &memory, Pulse { stop: &stop, beat: &beat }) {
                Ok(look) => {
                    bad |= look.folders.iter().any(|folder| folder.error.is_some());
                    answer.look = Some(look);
                }
                Err(error) => {
                    bad = true;
                    answer.error = Some(error.to_string());
                }
            }
        }
    }
    context.answer(&ConfigAnswer { path: path.display().to_string(), mailboxes })?;
    if bad {
        bail!("not every mailbox can be polled");
    }
    Ok(Exit::Done)
}

fn described(mailbox: &MailboxConfig) -> CheckedMailbox {
    let tls = match mailbox.tls {
        Tls::Implicit => "TLS",
        Tls::Starttls => "STARTTLS",
        Tls::None => "no TLS",
    };
    let login = match &mailbox.login {
        Login::Password(secret) => format!("password from {secret}"),
        Login::OAuth2(oauth2) => match oauth2.as_ref() {
            OAuth2Config::Command(secret) => format!("token from {secret}"),
            OAuth2Config::Endpoint { token_url, .. } => format!("token from {token_url}"),
        },
    };
    CheckedMailbox {
        name: mailbox.name.clone(),
        server: format!("{} port {}, {tls}", mailbox.host, mailbox.port),
        user: mailbox.user.clone(),
        login,
        schedule: mailbox.schedule.to_string(),
        look: None,
        error: None,
    }
}
