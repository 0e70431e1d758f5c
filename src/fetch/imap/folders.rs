//! Which folders a mailbox's patterns mean, and what is new in them.

use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response, StatusAttribute};
use globset::{GlobBuilder, GlobMatcher};

use super::connection::{Connection, Done};
use super::error::{Fault, said};
use super::folder_name::{decode, encode};
use super::login::quoted;
use crate::config::MailboxConfig;

/// A folder of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// Decoded.
    pub(super) name: String,
    /// As the server writes it.
    pub(super) wire: String,
}

impl Folder {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), wire: encode(name) }
    }

    /// Returns the name as an argument of a command.
    pub(super) fn argument(&self) -> String {
        quoted(&self.wire)
    }
}

/// What STATUS says of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FolderStatus {
    /// Messages in it.
    pub(super) messages: u32,
    /// 0 where the server says nothing.
    pub(super) uid_validity: u32,
    /// 0 where the server says nothing.
    pub(super) uid_next: u32,
}

/// Lists every folder that can be opened.
pub(super) async fn list(connection: &mut Connection<'_>) -> Result<Vec<Folder>, Fault> {
    let mut folders = Vec::new();
    let done = connection
        .run("LIST \"\" \"*\"", "LIST", |response| {
            let Response::MailboxData(MailboxDatum::List(data)) = response else { return };
            let closed = data.name_attributes.iter().any(|attribute| match attribute {
                NameAttribute::NoSelect => true,
                NameAttribute::Extension(word) => word.eq_ignore_ascii_case("\\NonExistent"),
                _ => false,
            });
            if !closed {
                let wire = unescaped(&data.name);
                folders.push(Folder { name: decode(&wire), wire });
            }
        })
        .await?;
    done.ok("LIST")?;
    Ok(folders)
}

/// The parser below leaves a quoted name as it came, with its escapes (RFC 9051 section 9).
fn unescaped(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|next| character == '\\' && matches!(next, '\\' | '"'));
        plain.push(escaped.unwrap_or(character));
    }
    plain
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// Returns the folders that the patterns mean, each once, in the order of the config; folders that mail is moved to are
/// left out of globs. The second list has the patterns that mean none.
pub(super) async fn resolve(
    connection: &mut Connection<'_>,
    mailbox: &MailboxConfig,
) -> Result<(Vec<Folder>, Vec<String>), Fault> {
    let mut found: Vec<Folder> = Vec::new();
    let mut missing = Vec::new();
    let listed =
        if mailbox.folders.iter().any(|pattern| is_glob(pattern)) { list(connection).await? } else { Vec::new() };
    for pattern in &mailbox.folders {
        if !is_glob(pattern) {
            add(&mut found, Folder::named(pattern));
            continue;
        }
        // A name that looks like a pattern, such as `Old [2024]`, is that folder where it is there.
        if let Some(folder) = listed.iter().find(|folder| folder.name == *pattern) {
            add(&mut found, folder.clone());
            continue;
        }
        let matcher = matcher(pattern)?;
        let before = found.len();
        let mut matches = 0;
        for folder in &listed {
            if matcher.is_match(&folder.name) && !is_target(mailbox, &folder.name) {
                matches += 1;
                add(&mut found, folder.clone());
            }
        }
        if found.len() == before && matches == 0 {
            missing.push(pattern.clone());
        }
    }
    Ok((found, missing))
}

/// Adds a folder once.
fn add(found: &mut Vec<Folder>, folder: Folder) {
    if !found.iter().any(|have| same_name(&have.name, &folder.name)) {
        found.push(folder);
    }
}

/// INBOX has one name in any case (RFC 9051 section 5.1); what others mean by case is the server's to say.
fn same_name(one: &str, other: &str) -> bool {
    let is_inbox = |name: &str| name.eq_ignore_ascii_case("INBOX");
    one == other || is_inbox(one) && is_inbox(other)
}

/// `*` goes across the server's separator, whatever that is.
fn matcher(pattern: &str) -> Result<GlobMatcher, Fault> {
    let glob = GlobBuilder::new(pattern).literal_separator(false).backslash_escape(true).build();
    Ok(glob.map_err(|error| Fault::Internal { text: error.to_string() })?.compile_matcher())
}

fn is_target(mailbox: &MailboxConfig, name: &str) -> bool {
    mailbox.targets().any(|target| target.eq_ignore_ascii_case(name))
}

/// Asks for the status of every folder at once: one round trip, however many there are. The answers are known by the names in
/// them, since a server may give them in any order (RFC 9051 section 5.5); of a folder that none names, nothing is known.
pub(super) async fn statuses(
    connection: &mut Connection<'_>,
    folders: &[Folder],
) -> Result<Vec<Result<FolderStatus, Fault>>, Fault> {
    // The commands go out in groups, so that a server with a small input buffer is not flooded.
    let mut all = Vec::with_capacity(folders.len());
    for group in folders.chunks(32) {
        let mut tags = Vec::with_capacity(group.len());
        for folder in group {
            let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", folder.argument());
            tags.push(connection.send(&command).await?);
        }
        let mut said = vec![FolderStatus::default(); group.len()];
        let mut look = |response: &Response<'_>| {
            let Response::MailboxData(MailboxDatum::Status { mailbox, status: list }) = response else { return };
            let Some(status) = meant(group, mailbox).and_then(|at| said.get_mut(at)) else { return };
            for attribute in list {
                match attribute {
                    StatusAttribute::Messages(n) => status.messages = *n,
                    StatusAttribute::UidNext(n) => status.uid_next = *n,
                    StatusAttribute::UidValidity(n) => status.uid_validity = *n,
                    _ => {}
                }
            }
        };
        let mut ended = Vec::with_capacity(group.len());
        for tag in tags {
            ended.push(connection.finish(&tag, "STATUS", &mut look).await?);
        }
        all.extend(said.into_iter().zip(ended).map(|(status, done)| match done {
            Done::Ok(_) => Ok(status),
            Done::No(answer) => Err(Fault::FolderRefused { text: answer.text }),
        }));
    }
    Ok(all)
}

/// Returns which of the folders a name in an answer means. Where names are the same in any case, a server may answer with its own.
fn meant(asked: &[Folder], wire: &str) -> Option<usize> {
    let names = [decode(wire), decode(&unescaped(wire))];
    let by = |same: fn(&str, &str) -> bool| {
        asked.iter().position(|folder| names.iter().any(|name| same(&folder.name, name)))
    };
    by(same_name).or_else(|| by(|one, other| one.to_lowercase() == other.to_lowercase()))
}

/// Tells a missing folder from one that is only refused, and names those that are there.
pub(super) async fn explain(connection: &mut Connection<'_>, name: &str, fault: Fault) -> Fault {
    let Fault::FolderRefused { text } = fault else { return fault };
    let Ok(listed) = list(connection).await else { return Fault::FolderRefused { text } };
    if listed.iter().any(|folder| folder.name == name) {
        return Fault::FolderRefused { text };
    }
    Fault::UnknownFolder { hint: hint(&listed, name) }
}

/// Names the folders that are there, the nearest first.
pub(super) fn hint(listed: &[Folder], name: &str) -> String {
    let mut names: Vec<&str> = listed.iter().map(|folder| folder.name.as_str()).collect();
    let wanted = name.to_lowercase();
    names.sort_by_key(|have| strsim::damerau_levenshtein(&wanted, &have.to_lowercase()));
    let more = names.len().saturating_sub(8);
    names.truncate(8);
    let mut text = format!("there are: {}", names.join(", "));
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    said(&text)
}

/// An open folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened {
    /// Messages in it.
    pub(super) exists: u32,
    /// 0 where the server says nothing.
    pub(super) uid_validity: u32,
    /// 0 where the server says nothing.
    pub(super) uid_next: u32,
    /// Flags can be changed and mail moved.
    pub(super) writable: bool,
    /// Flags that last; `\*` means that new ones can be made. Empty where the server says nothing.
    pub(super) lasting: Vec<String>,
}

/// Opens a folder: EXAMINE, so that nothing in it can change, or SELECT.
pub(super) async fn open(connection: &mut Connection<'_>, folder: &Folder, write: bool) -> Result<Opened, Fault> {
    use async_imap::imap_proto::ResponseCode;

    let mut opened = Opened::default();
    let verb = if write { "SELECT" } else { "EXAMINE" };
    let done = connection
        .run(&format!("{verb} {}", folder.argument()), "opening the folder", |response| match response {
            Response::Data { outcome, .. } => match &outcome.code {
                Some(ResponseCode::UidValidity(n)) => opened.uid_validity = *n,
                Some(ResponseCode::UidNext(n)) => opened.uid_next = *n,
                Some(ResponseCode::PermanentFlags(flags)) => {
                    opened.lasting = flags.iter().map(ToString::to_string).collect();
                }
                _ => {}
            },
            Response::MailboxData(MailboxDatum::Exists(n)) => opened.exists = *n,
            _ => {}
        })
        .await?;
    match done {
        Done::Ok(answer) => {
            opened.writable = write && !answer.read_only;
            if opened.uid_validity == 0 { Err(Fault::NoUidValidity) } else { Ok(opened) }
        }
        Done::No(answer) => Err(Fault::FolderRefused { text: answer.text }),
    }
}
