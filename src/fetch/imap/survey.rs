//! Which messages a folder holds and how large they are, before any is downloaded.

use std::collections::BTreeMap;

use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response};

use super::connection::{Connection, Done};
use super::error::Fault;
use super::folders::Opened;
use super::haul::Wanted;
use super::{UIDS_OF_LINE, uid_set};

/// Messages that one SEARCH asks about: its answer is one line.
const WINDOW: u32 = 50_000;

/// Lists every message above `last_uid`, with its size where the server says one. Of a message that it cannot read some servers
/// say none, or refuse the sizes of all; SEARCH, sent along, names those too. Without `sizes` they are not asked for: that question
/// alone is too much for some servers.
pub(super) async fn survey(
    connection: &mut Connection<'_>,
    opened: &Opened,
    last_uid: u32,
    sizes: bool,
) -> Result<Vec<Wanted>, Fault> {
    let Some(first) = last_uid.checked_add(1) else { return Ok(Vec::new()) };
    let mut searches = Vec::new();
    for window in windows(opened.exists) {
        searches.push(connection.send(&format!("UID SEARCH {window}UID {first}:*")).await?);
    }
    let asked =
        if sizes { Some(connection.send(&format!("UID FETCH {first}:* (UID RFC822.SIZE)")).await?) } else { None };
    let mut list: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    let mut moved = false;
    let mut look = |response: &Response<'_>| match response {
        Response::Expunge(_) => moved = true,
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
    let mut sized = false;
    if let Some(tag) = asked {
        // Where it is refused, the sizes of some or all stay unknown.
        sized = matches!(connection.finish(&tag, "FETCH of sizes", &mut look).await?, Done::Ok(_));
    }
    // Sizes alone may leave a message out, and the position would pass it.
    if let Some(fault) = refused {
        return Err(fault);
    }
    // `n:*` names the last message even where its UID is below n (RFC 9051 section 9).
    let found: Vec<Wanted> = list.range(first..).map(|(uid, size)| Wanted { uid: *uid, size: *size }).collect();
    if moved && !sized && opened.exists > WINDOW {
        // Pieces by sequence numbers miss what moved from one into another.
        let text = "messages were deleted while they were listed; polled again later".to_owned();
        return Err(Fault::Refused { command: "UID FETCH of sizes", text });
    }
    if first == 1 && !sized && found.len() < opened.exists as usize {
        let text =
            format!("it says that {} messages are there, names {}, and refuses sizes", opened.exists, found.len());
        return Err(Fault::Refused { command: "UID FETCH of sizes", text });
    }
    Ok(found)
}

/// Returns those of the messages that are in the folder, ascending.
pub(super) async fn present(connection: &mut Connection<'_>, uids: &[u32]) -> Result<Vec<u32>, Fault> {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    let sets = uids.chunks(UIDS_OF_LINE).map(|some| format!("UID {}", uid_set(some))).collect();
    let mut there = search(connection, sets).await?;
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
    let within = |window: String| format!("{window}UID 1:{last_uid} {criteria}");
    search(connection, windows(opened.exists).into_iter().map(within).collect()).await
}

async fn search(connection: &mut Connection<'_>, searches: Vec<String>) -> Result<Vec<u32>, Fault> {
    let mut tags = Vec::with_capacity(searches.len());
    for search in searches {
        tags.push(connection.send(&format!("UID SEARCH {search}")).await?);
    }
    let mut uids = Vec::new();
    // Every answer is read, whatever one of them says: what is left over would be taken for the answer to the next question.
    let mut refused = Ok(());
    for tag in tags {
        let done = connection
            .finish(&tag, "SEARCH", |response| {
                if let Response::MailboxData(MailboxDatum::Search(list)) = response {
                    uids.extend_from_slice(list);
                }
            })
            .await?;
        refused = refused.and(done.ok("UID SEARCH").map(drop));
    }
    refused?;
    uids.sort_unstable();
    uids.dedup();
    Ok(uids)
}

/// Cuts a large folder by sequence numbers, so that no answer to a SEARCH has too many UIDs, however they lie. Each piece is a
/// criterion with a space behind it; a small folder is one piece without any.
fn windows(exists: u32) -> Vec<String> {
    if exists <= WINDOW {
        return vec![String::new()];
    }
    let last = exists.div_ceil(WINDOW) - 1;
    // The last one has no end: messages may have arrived.
    let end = |piece: u32| if piece == last { "*".to_owned() } else { ((piece + 1) * WINDOW).to_string() };
    (0..=last).map(|piece| format!("{}:{} ", piece * WINDOW + 1, end(piece))).collect()
}

#[cfg(test)]
mod tests {
    use super::windows;

    #[test]
    fn a_large_folder_is_asked_about_in_pieces() {
        assert_eq!(windows(0), [""]);
        assert_eq!(windows(50_000), [""]);
        assert_eq!(windows(50_001), ["1:50000 ", "50001:* "]);
        assert_eq!(windows(150_000), ["1:50000 ", "50001:100000 ", "100001:* "]);
        assert_eq!(windows(u32::MAX).len(), 85_900);
    }
}
