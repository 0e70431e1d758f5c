//! What is done with mail after its commit, on servers with and without the extensions for it.

use dmarcase::config::MailboxConfig;
use dmarcase::fetch::imap::CommittedKind;

use crate::fault_server::{FaultServer, Play};
use crate::imap_sink::{Store, mailbox};

fn config(server: &FaultServer, more: &str) -> MailboxConfig {
    mailbox(&format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_command = \"echo secret\"\ntimeout = {{ answer = 1 }}\n{more}\n",
        server.port
    ))
}

fn store() -> Store {
    let store = Store::default();
    let kinds = [(2, CommittedKind::NoReport), (3, CommittedKind::Rejected), (4, CommittedKind::Duplicate)];
    store.kinds.lock().unwrap().extend(kinds);
    store
}

/// UIDs 1 and 4 are reports, 2 is none, 3 is rejected.
const PLACES: &str = "after = \"move:Done\"\nafter_other = \"move:Other\"\nafter_rejected = \"flag:Broken\"";

#[test]
fn each_kind_goes_to_its_place() {
    let server = FaultServer::start(5, &[]);
    let store = store();
    let poll = store.poll(&config(&server, PLACES));
    assert_eq!(poll.folders[0].errors, Vec::<String>::new());
    assert_eq!((poll.folders[0].moved, poll.folders[0].flagged), (4, 1));
    assert_eq!(server.uids("INBOX"), [3]);
    assert_eq!(server.flags(3), ["Broken"]);
    assert_eq!(server.uids("Done").len(), 3);
    assert_eq!(server.uids("Other").len(), 1);
    assert_eq!(server.commands("UID MOVE").len() - server.commands("CREATE").len(), 2, "created once each, then moved");
    assert!(server.commands("EXPUNGE").is_empty());
}

#[test]
fn without_move_it_is_copied_and_exactly_those_are_expunged() {
    let server = FaultServer::start(5, &[Play::NoMove]);
    // A mail that somebody else marked must stay.
    server.state.lock().unwrap().folders.get_mut("INBOX").unwrap().get_mut(&3).unwrap().1.push("\\Deleted".to_owned());
    let store = store();
    store.poll(&config(&server, "after = \"move:Done\""));
    assert_eq!(server.uids("INBOX"), [2, 3], "2 is no report, 3 is rejected");
    assert_eq!(server.uids("Done").len(), 3);
    assert_eq!(server.commands("UID EXPUNGE"), ["UID EXPUNGE 1,4:5"]);
    assert!(server.commands("EXPUNGE").is_empty());
}

#[test]
fn without_uidplus_nothing_is_expunged_and_nothing_is_copied_twice() {
    let server = FaultServer::start(3, &[Play::NoMove, Play::NoUidPlus]);
    let store = Store::default();
    for _ in 0..3 {
        let poll = store.poll(&config(&server, "after = \"move:Done\""));
        assert_eq!(poll.folders[0].errors, Vec::<String>::new());
    }
    assert_eq!(server.uids("INBOX"), [1, 2, 3]);
    assert_eq!(server.flags(1), ["\\Deleted"]);
    assert_eq!(server.uids("Done").len(), 3);
    assert!(server.commands("EXPUNGE").is_empty() && server.commands("UID EXPUNGE").is_empty());
}

#[test]
fn delete_deletes_only_what_it_should() {
    let server = FaultServer::start(5, &[]);
    let store = store();
    let poll = store.poll(&config(&server, "after = \"delete\""));
    assert_eq!(poll.folders[0].deleted, 3);
    assert_eq!(server.uids("INBOX"), [2, 3]);
}

/// What could not be done, or what a killed run left behind, the next poll does.
#[test]
fn what_was_left_is_done_at_the_next_poll() {
    let server = FaultServer::start(3, &[Play::NoChanges]);
    let store = Store::default();
    let poll = store.poll(&config(&server, "after = \"move:Done\""));
    let told = &poll.folders[0].errors[0];
    assert!(told.contains("folder `INBOX`") && told.contains("is stored, but could not be moved to `Done`"), "{told}");
    assert!(poll.failed());
    assert_eq!((store.last_uid(), server.uids("INBOX")), (3, vec![1, 2, 3]));
    server.behave();
    let poll = store.poll(&config(&server, "after = \"move:Done\""));
    assert_eq!(poll.folders[0].moved, 3);
    assert!(server.uids("INBOX").is_empty());
    // A mail below the position that the store knows nothing of is not ours to touch.
    server.state.lock().unwrap().folders.get_mut("INBOX").unwrap().insert(2, (b"x".to_vec(), Vec::new()));
    store.mails.lock().unwrap().clear();
    store.poll(&config(&server, "after = \"move:Done\""));
    assert_eq!(server.uids("INBOX"), [2]);
}

/// A run that was killed between the mark and the removal: the mails that were taken go at the next poll, and nobody else's.
#[test]
fn what_is_marked_as_deleted_is_removed_at_the_next_poll() {
    let server = FaultServer::start(4, &[]);
    let store = store();
    store.poll(&config(&server, ""));
    for uid in [1, 2] {
        let mut state = server.state.lock().unwrap();
        state.folders.get_mut("INBOX").unwrap().get_mut(&uid).unwrap().1.push("\\Deleted".to_owned());
    }
    let poll = store.poll(&config(&server, "after = \"delete\""));
    assert_eq!(poll.folders[0].errors, Vec::<String>::new());
    // 2 is no report, and its mark somebody else's; 3 is rejected.
    assert_eq!(server.uids("INBOX"), [2, 3]);
}

/// Where the server does not say what was left, what is new is fetched all the same, and that is told.
#[test]
fn what_is_new_is_fetched_where_nothing_is_known_of_the_old() {
    let server = FaultServer::start(2, &[]);
    let store = store();
    let config = config(&server, "after_other = \"move:Other\"");
    store.poll(&config);
    server.state.lock().unwrap().plays.push(Play::NoUndeleted);
    let arrived = (crate::fault_server::mail(9), Vec::new());
    server.state.lock().unwrap().folders.get_mut("INBOX").unwrap().insert(9, arrived);
    let poll = store.poll(&config);
    assert_eq!(poll.folders[0].fetched, 1, "{poll:?}");
    assert!(poll.folders[0].errors[0].contains("UID SEARCH"), "{poll:?}");
}

/// A folder so large that it is asked about in pieces, and the first piece is refused: the answer to the second one is read all
/// the same, before anything else is asked, since a SEARCH answer does not say which question it is for (RFC 9051 section 5.5).
#[test]
fn a_refused_piece_leaves_no_answer_for_the_next_question() {
    let server = FaultServer::start(4, &[]);
    server.state.lock().unwrap().folders.insert("Next".to_owned(), [(1, (b"x".to_vec(), Vec::new()))].into());
    let config = config(&server, "folders = [\"INBOX\", \"Next\"]\nafter_other = \"delete\"");
    let store = Store::default();
    store.poll(&config);
    server.state.lock().unwrap().plays.extend([Play::Exists(60_000), Play::NoFirstPiece]);
    server.state.lock().unwrap().folders.get_mut("Next").unwrap().insert(2, (b"y".to_vec(), Vec::new()));
    server.state.lock().unwrap().commands.clear();
    let poll = store.poll(&config);
    assert!(poll.folders[0].errors[0].contains("UID SEARCH"), "{poll:?}");
    assert_eq!(server.commands("UID SEARCH ").iter().filter(|asked| asked.contains("UNDELETED")).count(), 3);
    assert_eq!(server.state.lock().unwrap().hasty, 0, "the next question came before the last answer");
    assert_eq!((poll.folders[1].fetched, poll.folders[1].errors.len()), (1, 0), "{poll:?}");
    let bodies: Vec<String> =
        server.commands("UID FETCH").into_iter().filter(|asked| asked.contains("BODY.PEEK")).collect();
    assert_eq!(bodies, ["UID FETCH 2 (UID INTERNALDATE BODY.PEEK[])"]);
}

#[test]
fn a_read_only_folder_is_told_and_read_all_the_same() {
    let server = FaultServer::start(2, &[Play::ReadOnly]);
    let store = Store::default();
    let poll = store.poll(&config(&server, "after = \"delete\""));
    assert!(poll.folders[0].errors[0].contains("read-only for this user"), "{:?}", poll.folders[0].errors);
    assert_eq!(store.uids(), [1, 2]);
    assert_eq!(server.uids("INBOX"), [1, 2]);
}

#[test]
fn a_glob_leaves_out_the_folders_that_mail_is_moved_to() {
    let server = FaultServer::start(2, &[]);
    server.state.lock().unwrap().folders.insert("Done".to_owned(), [(9, (b"old".to_vec(), Vec::new()))].into());
    let store = Store::default();
    let poll = store.poll(&config(&server, "folders = [\"*\"]\nafter = \"move:Done\""));
    let names: Vec<_> = poll.folders.iter().map(|folder| folder.folder.as_str()).collect();
    assert_eq!(names, ["INBOX"]);
    assert_eq!(server.uids("Done").len(), 3);
}
