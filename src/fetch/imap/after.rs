//! What is done with mail once it is committed: moved, deleted, flagged. Never a plain EXPUNGE, which would delete what
//! others marked; never anything to a mail whose outcome is not in the store.

use super::connection::{Connection, Done};
use super::error::Fault;
use super::folders::{Folder, Opened};
use super::{CommittedKind, Remembered, UIDS_OF_LINE, survey, uid_set};
use crate::config::{After, MailboxConfig};

/// Counts of one folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tidied {
    /// Moved.
    pub(super) moved: u64,
    /// Deleted.
    pub(super) deleted: u64,
    /// Flagged.
    pub(super) flagged: u64,
    /// Marked as deleted, but still there: the server lacks UIDPLUS.
    pub(super) only_marked: u64,
}

/// Returns what the config wants for a mail of this kind.
pub(super) fn wish(mailbox: &MailboxConfig, kind: CommittedKind) -> &After {
    match kind {
        CommittedKind::Report | CommittedKind::Duplicate => &mailbox.after,
        CommittedKind::NoReport => &mailbox.after_other,
        CommittedKind::Rejected => &mailbox.after_rejected,
        CommittedKind::Refused => &After::Keep,
    }
}

/// Finds mails up to `last_uid` that nothing was done with yet: a run may have ended between commit and tidying up.
async fn leftovers(
    connection: &mut Connection<'_>,
    mailbox: &MailboxConfig,
    opened: &Opened,
    last_uid: u32,
) -> Result<Vec<u32>, Fault> {
    let mut criteria = "UNDELETED".to_owned();
    for after in mailbox.wishes() {
        let After::Flag(word) = after else { continue };
        match word.strip_prefix('\\') {
            Some(system) => criteria.push_str(&format!(" UN{}", system.to_ascii_uppercase())),
            None => criteria.push_str(&format!(" UNKEYWORD {word}")),
        }
    }
    survey::up_to(connection, opened, last_uid, &criteria).await
}

/// Finds mails up to `last_uid` that are marked as deleted, where this program deletes and can remove exactly those: a run may have
/// ended between the mark and the removal.
async fn half_deleted(
    connection: &mut Connection<'_>,
    mailbox: &MailboxConfig,
    opened: &Opened,
    last_uid: u32,
) -> Result<Vec<u32>, Fault> {
    let deletes = mailbox.wishes().contains(&&After::Delete);
    if !deletes || !can_expunge(connection) {
        return Ok(Vec::new());
    }
    survey::up_to(connection, opened, last_uid, "DELETED").await
}

/// Returns whether exactly the mails that are named can be removed: UIDPLUS (RFC 4315), which is part of IMAP4rev2 (RFC 9051).
pub(super) fn can_expunge(connection: &Connection<'_>) -> bool {
    connection.can("UIDPLUS") || connection.can("IMAP4REV2")
}

/// Finds what was left to do with mails up to `last_uid`, and what they are.
pub(super) async fn left_over(
    connection: &mut Connection<'_>,
    mailbox: &MailboxConfig,
    (folder, opened): (&str, &Opened),
    last_uid: u32,
    remembered: &dyn Remembered,
) -> Result<Vec<(u32, CommittedKind)>, Fault> {
    let kinds = |uids: &[u32]| {
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let kinds = remembered.kinds(&mailbox.name, folder, opened.uid_validity, uids);
        kinds.map_err(|text| Fault::Store { text })
    };
    let mut found = kinds(&leftovers(connection, mailbox, opened, last_uid).await?)?;
    let marked = kinds(&half_deleted(connection, mailbox, opened, last_uid).await?)?;
    found.extend(marked.into_iter().filter(|(_, kind)| *wish(mailbox, *kind) == After::Delete));
    found.retain(|(_, kind)| *wish(mailbox, *kind) != After::Keep);
    Ok(found)
}

/// Does what the config wants with the mails of the open folder.
pub(super) async fn tidy(
    connection: &mut Connection<'_>,
    mailbox: &MailboxConfig,
    opened: &Opened,
    mails: &[(u32, CommittedKind)],
    tidied: &mut Tidied,
) -> Result<(), Fault> {
    let mut wishes: Vec<(&After, Vec<u32>)> = Vec::new();
    for (uid, kind) in mails {
        let after = wish(mailbox, *kind);
        if *after == After::Keep {
            continue;
        }
        match wishes.iter_mut().find(|(have, _)| *have == after) {
            Some((_, uids)) => uids.push(*uid),
            None => wishes.push((after, vec![*uid])),
        }
    }
    for (after, mut uids) in wishes {
        if !opened.writable {
            let text = "the folder is read-only for this user; give it the right to change it, or use after = \"keep\"";
            return Err(Fault::After { what: what(after), text: text.to_owned() });
        }
        uids.sort_unstable();
        uids.dedup();
        for chunk in uids.chunks(UIDS_OF_LINE) {
            one(connection, opened, after, chunk, tidied).await?;
        }
    }
    Ok(())
}

fn what(after: &After) -> String {
    match after {
        After::Keep => "kept".to_owned(),
        After::Move(target) => format!("moved to `{target}`"),
        After::Delete => "deleted".to_owned(),
        After::Flag(word) => format!("flagged {word}"),
    }
}

async fn one(
    connection: &mut Connection<'_>,
    opened: &Opened,
    after: &After,
    uids: &[u32],
    tidied: &mut Tidied,
) -> Result<(), Fault> {
    let set = uid_set(uids);
    let count = uids.len() as u64;
    let fault = |text: String| Fault::After { what: what(after), text };
    match after {
        After::Keep => {}
        After::Flag(word) => {
            let lasts = opened.lasting.is_empty()
                || opened.lasting.iter().any(|flag| flag == "\\*" || flag.eq_ignore_ascii_case(word));
            if !lasts {
                return Err(fault(
                    "the server keeps no keywords in this folder; use a system flag such as \\Flagged".to_owned(),
                ));
            }
            store(connection, &set, word).await?.map_err(fault)?;
            tidied.flagged += count;
        }
        After::Delete => {
            if expunge(connection, &set).await?.map_err(fault)? {
                tidied.deleted += count;
            } else {
                tidied.only_marked += count;
            }
        }
        After::Move(target) => {
            let target = Folder::named(target);
            let can_move = connection.can("MOVE");
            let verb = if can_move { "MOVE" } else { "COPY" };
            let command = format!("UID {verb} {set} {}", target.argument());
            let mut done = connection.run(&command, "MOVE", |_| {}).await?;
            if matches!(&done, Done::No(answer) if answer.try_create) {
                let create = format!("CREATE {}", target.argument());
                let created = connection.run(&create, "CREATE", |_| {}).await?;
                // Where it is refused, somebody else may have made it meanwhile.
                done = connection.run(&command, "MOVE", |_| {}).await?;
                match (created, &done) {
                    (Done::Ok(_), _) => tracing::info!("created the folder `{}`", target.name),
                    (Done::No(answer), Done::No(_)) => {
                        return Err(fault(format!("the folder is missing and cannot be created: {}", answer.text)));
                    }
                    (Done::No(_), Done::Ok(_)) => {}
                }
            }
            if let Done::No(answer) = done {
                return Err(fault(answer.text));
            }
            if can_move || expunge(connection, &set).await?.map_err(fault)? {
                tidied.moved += count;
            } else {
                tidied.only_marked += count;
            }
        }
    }
    Ok(())
}

async fn store(connection: &mut Connection<'_>, set: &str, flag: &str) -> Result<Result<(), String>, Fault> {
    let done = connection.run(&format!("UID STORE {set} +FLAGS.SILENT ({flag})"), "STORE", |_| {}).await?;
    Ok(match done {
        Done::Ok(_) => Ok(()),
        Done::No(answer) => Err(answer.text),
    })
}

/// Deletes exactly these mails. Returns false where the server can only mark them: without UIDPLUS (RFC 4315) the only
/// command that removes mail would also remove what others marked.
async fn expunge(connection: &mut Connection<'_>, set: &str) -> Result<Result<bool, String>, Fault> {
    if let Err(text) = store(connection, set, "\\Deleted").await? {
        return Ok(Err(text));
    }
    if !can_expunge(connection) {
        return Ok(Ok(false));
    }
    let done = connection.run(&format!("UID EXPUNGE {set}"), "EXPUNGE", |_| {}).await?;
    Ok(match done {
        Done::Ok(_) => Ok(true),
        Done::No(answer) => Err(answer.text),
    })
}
