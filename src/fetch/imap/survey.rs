//! Which messages a folder holds and how large they are, before any is downloaded.

use std::collections::BTreeMap;

use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response};

use super::connection::{Connection, Done};
use super::error::Fault;
use super::folders::Opened;
use super::haul::Wanted;
use super::uid_set;

/// UIDs that one SEARCH asks about where the folder has more messages than this: its answer is one line.
const WINDOW: u32 = 50_000;
/// SEARCH commands at once, at most: UIDs may lie far apart.
const WINDOWS: u32 = 256;

/// Lists every message above `last_uid`, with its size where the server says one. Of a message that it cannot read some servers
/// say none, or refuse the sizes of all; SEARCH, sent along, names those too.
pub(super) async fn survey(
    connection: &mut Connection<'_>,
    opened: &Opened,
    last_uid: u32,
) -> Result<Vec<Wanted>, Fault> {
    listed(connection, opened, last_uid, true).await
}

/// The same without any size, for a server to which the question for sizes is too much.
pub(super) async fn unsized_survey(
    connection: &mut Connection<'_>,
    opened: &Opened,
    last_uid: u32,
) -> Result<Vec<Wanted>, Fault> {
    listed(connection, opened, last_uid, false).await
}

async fn listed(
    connection: &mut Connection<'_>,
    opened: &Opened,
    last_uid: u32,
    sizes: bool,
) -> Result<Vec<Wanted>, Fault> {
    let Some(first) = last_uid.checked_add(1) else { return Ok(Vec::new()) };
    let last = (opened.uid_next != 0).then(|| opened.uid_next.saturating_sub(1).max(first));
    let mut searches = Vec::new();
    for set in windows(first, last, opened.exists) {
        searches.push(connection.send(&format!("UID SEARCH UID {set}")).await?);
    }
    let asked =
        if sizes { Some(connection.send(&format!("UID FETCH {first}:* (UID RFC822.SIZE)")).await?) } else { None };
    let mut list: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    let mut look = |response: &Response<'_>| match response {
        Response::MailboxData(MailboxDatum::Search(uids)) => {
            for uid in uids {
                list.entry(*uid).or_default();
            }
        }
        Response::Fetch(_, attributes) => {
            let (mut uid, mut size) = (None, None);
            for attribute in attributes {
                match attribute {
                    AttributeValue::Uid(n) => uid = Some(*n),
                    AttributeValue::Rfc822Size(n) => size = Some(*n),
                    _ => {}
                }
            }
            if let (Some(uid), Some(size)) = (uid, size) {
                list.insert(uid, Some(size));
            }
        }
        _ => {}
    };
    let mut refused = None;
    for tag in searches {
        if let Done::No(answer) = connection.finish(&tag, "SEARCH", &mut look).await? {
            refused = Some(Fault::Refused { command: "UID SEARCH", text: answer.text });
        }
    }
    if let Some(tag) = asked {
        match connection.finish(&tag, "FETCH of sizes", &mut look).await? {
            // Every message has been named, one way or the other.
            Done::Ok(_) => refused = None,
            Done::No(_) => {}
        }
    }
    match refused {
        Some(fault) => Err(fault),
        // `n:*` names the last message even where its UID is below n (RFC 9051 section 9).
        None => Ok(list.range(first..).map(|(uid, size)| Wanted { uid: *uid, size: *size }).collect()),
    }
}

/// Returns those of the messages that are in the folder, ascending.
pub(super) async fn present(connection: &mut Connection<'_>, uids: &[u32]) -> Result<Vec<u32>, Fault> {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    let mut there = search(connection, vec![uid_set(&uids)], "").await?;
    there.retain(|uid| uids.binary_search(uid).is_ok());
    Ok(there)
}

/// Returns the messages up to `last_uid` that meet further criteria, ascending.
pub(super) async fn up_to(
    connection: &mut Connection<'_>,
    opened: &Opened,
    last_uid: u32,
    criteria: &str,
) -> Result<Vec<u32>, Fault> {
    search(connection, windows(1, Some(last_uid), opened.exists), criteria).await
}

async fn search(connection: &mut Connection<'_>, sets: Vec<String>, criteria: &str) -> Result<Vec<u32>, Fault> {
    let mut tags = Vec::with_capacity(sets.len());
    for set in sets {
        tags.push(connection.send(format!("UID SEARCH UID {set} {criteria}").trim_end()).await?);
    }
    let mut uids = Vec::new();
    for tag in tags {
        let done = connection
            .finish(&tag, "SEARCH", |response| {
                if let Response::MailboxData(MailboxDatum::Search(list)) = response {
                    uids.extend_from_slice(list);
                }
            })
            .await?;
        done.ok("UID SEARCH")?;
    }
    uids.sort_unstable();
    uids.dedup();
    Ok(uids)
}

/// Cuts a span of UIDs so that no answer to a SEARCH has too many: one piece where the folder has few messages.
fn windows(first: u32, last: Option<u32>, exists: u32) -> Vec<String> {
    let Some(last) = last.filter(|last| *last >= first) else { return vec![format!("{first}:*")] };
    if exists <= WINDOW {
        return vec![format!("{first}:{last}")];
    }
    let step = ((last - first) / WINDOWS + 1).max(WINDOW);
    let starts = std::iter::successors(Some(first), |start| start.checked_add(step).filter(|next| *next <= last));
    starts.map(|start| format!("{start}:{}", last.min(start.saturating_add(step - 1)))).collect()
}

#[cfg(test)]
mod tests {
    use super::windows;

    #[test]
    fn a_large_folder_is_asked_about_in_pieces() {
        assert_eq!(windows(1, Some(1_000_000), 50_000), ["1:1000000"]);
        assert_eq!(windows(7, None, 99_999), ["7:*"]);
        assert_eq!(windows(9, Some(8), 99_999), ["9:*"]);
        assert_eq!(windows(1, Some(100_001), 50_001), ["1:50000", "50001:100000", "100001:100001"]);
        let all = windows(1, Some(u32::MAX), 60_000);
        assert_eq!((all.len(), all[0].as_str()), (256, "1:16777216"));
        assert_eq!(all[255], format!("{}:{}", 255u32 * 16_777_216 + 1, u32::MAX));
    }
}
