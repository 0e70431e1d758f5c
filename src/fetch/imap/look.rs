//! Looks at a mailbox without changing anything: what a poll would do (`config check --connect`).

use schemars::JsonSchema;
use serde::Serialize;

use super::Remembered;
use super::connect::Connector;
use super::connection::{Connection, Pulse};
use super::error::{Fault, ImapError};
use super::folders;
use super::login::session;
use super::oauth2::Tokens;
use super::resume::Resume;
use super::{after, survey};
use crate::config::{After, MailboxConfig};
use crate::unpack::Limits;

/// What a poll of one folder would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct FolderLook {
    /// The folder, decoded.
    pub folder: String,
    /// Messages in it.
    pub messages: u32,
    /// Messages that a poll would download.
    pub new: u64,
    /// Their announced bytes.
    pub bytes: u64,
    /// Messages over the size limit, which are recorded and not downloaded.
    pub over_limit: u64,
    /// Older messages that were refused, or over a lower limit, and would be asked for again.
    pub again: u64,
    /// Older messages that would be moved, deleted or flagged, since an earlier poll ended before it did.
    pub left_over: u64,
    /// The server numbers its mails anew: all are new, and what is stored is recognised.
    pub renumbered: bool,
    /// Why it cannot be polled.
    pub error: Option<String>,
}

/// What a poll of one mailbox would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Look {
    /// The config's name of the mailbox.
    pub mailbox: String,
    /// Every folder of the server.
    pub server_folders: Vec<String>,
    /// The configured ones.
    pub folders: Vec<FolderLook>,
    /// What would be done with the mail afterwards, and how.
    pub after: Vec<String>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Logs in, lists the folders and says what a poll would do. Changes nothing.
///
/// # Errors
/// The mailbox cannot be reached or logged in to.
pub fn look(
    mailbox: &MailboxConfig,
    limits: &Limits,
    tokens: &Tokens,
    remembered: &dyn Remembered,
    pulse: Pulse<'_>,
) -> Result<Look, ImapError> {
    let at = |fault: Fault| fault.at(&mailbox.name, None, None);
    let runtime = super::poll::runtime().map_err(at)?;
    runtime.block_on(look_in(mailbox, limits, tokens, remembered, pulse)).map_err(at)
}

async fn look_in(
    mailbox: &MailboxConfig,
    limits: &Limits,
    tokens: &Tokens,
    remembered: &dyn Remembered,
    pulse: Pulse<'_>,
) -> Result<Look, Fault> {
    let connector = Connector::new(mailbox, 1 << 20)?;
    let mut connection = session(mailbox, &connector, tokens, pulse).await?;
    let listed = folders::list(&mut connection).await?;
    let (found, missing) = folders::resolve(&mut connection, mailbox).await?;
    let mut look = Look { mailbox: mailbox.name.clone(), ..Look::default() };
    for pattern in missing {
        let error = Some(Fault::UnknownFolder { hint: folders::hint(&listed, &pattern) }.to_string());
        look.folders.push(FolderLook { folder: pattern, error, ..FolderLook::default() });
    }
    let limit = mailbox.limit(limits);
    for folder in found {
        let mut one = FolderLook { folder: folder.name.clone(), ..FolderLook::default() };
        if let Err(fault) = folder_look(&mut connection, mailbox, &folder, remembered, limit, &mut one).await {
            if fault.ends_connection() || matches!(fault, Fault::Stopped) {
                return Err(fault);
            }
            one.error = Some(folders::explain(&mut connection, &folder.name, fault).await.to_string());
        }
        look.folders.push(one);
    }
    look.after = plan(&connection, mailbox, &listed);
    look.warnings.extend(outside(mailbox, &listed));
    if mailbox.schedule == crate::config::Schedule::Idle && !connection.can("IDLE") {
        look.warnings.push("the server has no IDLE; watch polls every idle_poll".to_owned());
    }
    for place in mailbox.secrets() {
        if let Some(path) = place.open_to_others() {
            look.warnings.push(format!("{} can be read by every user of this machine: chmod 600", path.display()));
        }
    }
    look.server_folders = listed.into_iter().map(|folder| folder.name).collect();
    connection.leave().await;
    Ok(look)
}

async fn folder_look(
    connection: &mut Connection<'_>,
    mailbox: &MailboxConfig,
    folder: &folders::Folder,
    remembered: &dyn Remembered,
    limit: u64,
    one: &mut FolderLook,
) -> Result<(), Fault> {
    let opened = folders::open(connection, folder, false).await?;
    one.messages = opened.exists;
    let (account, name) = (mailbox.name.as_str(), folder.name.as_str());
    let resume = Resume::of(remembered, (account, name), (opened.uid_validity, opened.uid_next));
    one.renumbered = resume.anew.is_some();
    if opened.exists == 0 {
        return Ok(());
    }
    one.again = survey::present(connection, &resume.again).await?.len() as u64;
    if mailbox.tidies() && resume.last_uid > 0 {
        let mails = after::left_over(connection, mailbox, (name, &opened), resume.last_uid, remembered).await?;
        one.left_over = mails.len() as u64;
    }
    if resume.is_at_end(opened.uid_next) {
        return Ok(());
    }
    for wanted in survey::survey(connection, &opened, resume.last_uid, true).await? {
        let size = wanted.size.map_or(0, u64::from);
        if size > limit {
            one.over_limit += 1;
        } else {
            one.new += 1;
            one.bytes += size;
        }
    }
    Ok(())
}

fn plan(connection: &Connection<'_>, mailbox: &MailboxConfig, listed: &[folders::Folder]) -> Vec<String> {
    let removal = if after::can_expunge(connection) {
        ""
    } else {
        "; the server lacks UIDPLUS: only marked \\Deleted, never expunged"
    };
    let mut lines = Vec::new();
    if !mailbox.tidies() {
        return vec!["all mail stays as it is, unread".to_owned()];
    }
    for (of, after) in [
        ("mail with reports", &mailbox.after),
        ("mail without a report", &mailbox.after_other),
        ("mail with something rejected", &mailbox.after_rejected),
    ] {
        let text = match after {
            After::Keep => "stays as it is, unread".to_owned(),
            After::Delete => format!("is deleted{removal}"),
            After::Flag(word) => format!("is flagged {word}"),
            After::Move(target) => {
                let new = if listed.iter().any(|folder| folder.name == *target) { "" } else { ", which is created" };
                let how = if connection.can("MOVE") { "" } else { removal };
                format!("is moved to `{target}`{new}{how}")
            }
        };
        lines.push(format!("{of} {text}"));
    }
    lines
}

/// Targets outside the one folder that holds all others: on such a server nothing can be made beside INBOX.
fn outside(mailbox: &MailboxConfig, listed: &[folders::Folder]) -> Vec<String> {
    let mut others =
        listed.iter().map(|folder| folder.name.as_str()).filter(|name| !name.eq_ignore_ascii_case("INBOX"));
    let root = others.next().and_then(|name| name.get(..6)).filter(|root| {
        let root = root.to_ascii_uppercase();
        root == "INBOX." || root == "INBOX/"
    });
    let Some(prefix) = root else { return Vec::new() };
    if !others.all(|name| name.starts_with(prefix)) {
        return Vec::new();
    }
    let mut targets: Vec<&str> = mailbox.targets().filter(|target| !target.starts_with(prefix)).collect();
    targets.dedup();
    let line = |target: &str| {
        format!(
            "every folder of the server is in `{prefix}`, so `{target}` can probably not be made: write `{prefix}{target}`"
        )
    };
    targets.into_iter().map(line).collect()
}
