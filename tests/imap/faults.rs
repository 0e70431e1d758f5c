//! Every fault that a server can play: its own error with mailbox, folder, UID and remedy; the rest goes on; the position
//! never passes a mail that is not recorded.

use std::time::{Duration, Instant};

use dmarcase::config::MailboxConfig;

use crate::fault_server::{FaultServer, Play, mail};
use crate::imap_sink::{Kept, Store, mailbox};

fn config(server: &FaultServer, more: &str) -> MailboxConfig {
    mailbox(&format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_command = \"echo wrong-secret\"\ntimeout = {{ connect = 2, login = 2, answer = 1 }}\n{more}\n",
        server.port
    ))
}

/// Polls five mails of a server that plays, and returns the store, the errors, and the server.
fn played(mails: u32, plays: &[Play]) -> (Store, Vec<String>, FaultServer) {
    let server = FaultServer::start(mails, plays);
    let store = Store::default();
    let poll = store.poll(&config(&server, ""));
    let errors =
        poll.error.iter().cloned().chain(poll.folders.iter().flat_map(|folder| folder.errors.clone())).collect();
    (store, errors, server)
}

fn only(errors: &[String]) -> &str {
    assert_eq!(errors.len(), 1, "{errors:#?}");
    &errors[0]
}

#[test]
fn nothing_wrong_is_nothing_told() {
    let (store, errors, server) = played(450, &[]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(store.uids(), (1..=450).collect::<Vec<_>>());
    assert_eq!(store.last_uid(), 450);
    for (key, kept) in store.mails.lock().unwrap().iter() {
        assert_eq!(*kept, Kept::Bytes(mail(key.2)));
    }
    // 450 small mails: sizes, then batches of 200.
    assert_eq!(server.commands("UID FETCH").len(), 4);
    assert!(server.commands("UID FETCH").iter().skip(1).all(|command| command.contains("BODY.PEEK[]")));
    assert_eq!(server.commands("SELECT").len() + server.commands("UID STORE").len(), 0, "nothing may change");
    // Nothing new: no folder is even opened.
    let opened = server.commands("EXAMINE").len();
    store.poll(&config(&server, ""));
    assert_eq!(server.commands("EXAMINE").len(), opened);
}

#[test]
fn a_refused_login_names_the_user_and_never_the_secret() {
    let (_, errors, server) = played(1, &[Play::RefuseLogin]);
    let told = only(&errors);
    assert!(told.starts_with("mailbox `rua`: the server refuses the login of `dmarc`"), "{told}");
    assert!(!told.contains("wrong-secret"), "{told}");
    // Nor the form in which it was sent, which the server says back: base64 of it (RFC 4616).
    assert!(!told.contains("AGRtYXJjAHdyb25nLXNlY3JldA"), "{told}");
    assert_eq!(server.state.lock().unwrap().logins, 1, "a second try could lock the account");
}

#[test]
fn servers_that_cannot_be_talked_to() {
    let (_, errors, _) = played(1, &[Play::LoginDisabled]);
    assert!(only(&errors).contains("takes no password here"), "{errors:?}");
    let (_, errors, _) = played(1, &[Play::NoGreeting]);
    assert!(only(&errors).contains("closed the connection during greeting"), "{errors:?}");
    let (_, errors, _) = played(1, &[Play::NotImap]);
    assert!(only(&errors).contains("is this an IMAP port?"), "{errors:?}");
    let gone = FaultServer { port: crate::dovecot::free_port(), state: FaultServer::start(0, &[]).state };
    let told = Store::default().poll(&config(&gone, "")).error.unwrap();
    assert!(told.contains(&format!("port {}", gone.port)) && told.contains("check `port`"), "{told}");
    let server = FaultServer::start(1, &[]);
    let told = Store::default().poll(&config(&server, "").clone_with_starttls()).error.unwrap();
    assert!(told.contains("does not offer STARTTLS"), "{told}");
    assert!(server.commands("LOGIN").is_empty(), "no login without TLS");
}

#[test]
fn an_unknown_folder_is_named_with_those_there_and_others_go_on() {
    let server = FaultServer::start(2, &[]);
    let store = Store::default();
    let poll = store.poll(&config(&server, "folders = [\"Inbux\", \"INBOX\", \"Rep*\"]"));
    assert!(poll.failed());
    assert_eq!(poll.folders.len(), 3);
    let told = |name: &str| poll.folders.iter().find(|folder| folder.folder == name).unwrap().errors.join("\n");
    assert!(told("Inbux").contains("folder `Inbux`: no such folder; there are: INBOX"), "{}", told("Inbux"));
    assert!(told("Rep*").contains("matches none"), "{}", told("Rep*"));
    assert_eq!(told("INBOX"), "");
    assert_eq!(store.uids(), [1, 2]);
}

/// Faults at UID 3 of 5 that come again and again: the others are stored, it is recorded, the position moves on; and when
/// the server has recovered, the next poll gets it.
#[test]
fn a_mail_that_is_never_given_is_recorded_and_asked_for_again() {
    for (play, told) in [
        (Play::CloseIn(3), "in the middle of a message"),
        (Play::ByeAt(3), "the server ended the session: the server goes down"),
        (Play::NoFor(3), "refuses to give the message: [SERVERBUG] cannot read the message"),
        (Play::Omit(3), "answers OK without the message"),
        (Play::StallAt(3), "sent nothing for 1 s"),
        (Play::Literal(3, 20), "announced a wrong size"),
        (Play::NoDate(3), "announced a wrong size"),
    ] {
        let (store, errors, server) = played(5, std::slice::from_ref(&play));
        let error = only(&errors);
        assert!(error.starts_with("mailbox `rua`, folder `INBOX`, UID 3: "), "{play:?}: {error}");
        assert!(error.contains(told), "{play:?}: {error}");
        assert_eq!(store.uids(), [1, 2, 4, 5], "{play:?}");
        assert_eq!(store.refusals(), [(3, "fetch-refused")], "{play:?}");
        assert_eq!(store.last_uid(), 5, "{play:?}");
        server.behave();
        let again = store.poll(&config(&server, ""));
        assert_eq!(again.folders[0].fetched, 1, "{play:?}");
        assert_eq!(store.uids(), [1, 2, 3, 4, 5], "{play:?}");
    }
}

/// A message that the server cannot even tell the size of: neither a refusal of all sizes nor a lost connection keeps the others
/// from being read, now or later.
#[test]
fn a_mail_without_a_size_does_not_block_its_folder() {
    for play in [Play::NoSize(3), Play::CloseAtSize(3)] {
        let server = FaultServer::start(5, &[play.clone(), Play::NoFor(3)]);
        let store = Store::default();
        let poll = store.poll(&config(&server, ""));
        assert_eq!(store.uids(), [1, 2, 4, 5], "{play:?}: {poll:?}");
        assert_eq!(store.refusals(), [(3, "fetch-refused")], "{play:?}");
        assert!(!poll.failed() && store.last_uid() == 5, "{play:?}: {poll:?}");
        // It is asked for again, beside what is new.
        let arrived = (mail(6), Vec::new());
        server.state.lock().unwrap().folders.get_mut("INBOX").unwrap().insert(6, arrived);
        let poll = store.poll(&config(&server, ""));
        assert_eq!((poll.folders[0].fetched, store.last_uid()), (1, 6), "{play:?}: {poll:?}");
        server.behave();
        store.poll(&config(&server, ""));
        assert_eq!(store.kept(3), Kept::Bytes(mail(3)), "{play:?}");
    }
}

/// Without SEARCH nobody says whether the sizes named every message: nothing is passed over.
#[test]
fn the_position_stays_where_the_survey_is_refused() {
    let server = FaultServer::start(4, &[Play::NoSearch, Play::OmitSize(2)]);
    let store = Store::default();
    let poll = store.poll(&config(&server, ""));
    assert!(poll.failed() && poll.folders[0].errors[0].contains("UID SEARCH"), "{poll:?}");
    assert_eq!((store.uids(), store.last_uid()), (Vec::new(), 0));
    server.behave();
    store.poll(&config(&server, ""));
    assert_eq!((store.uids(), store.last_uid()), (vec![1, 2, 3, 4], 4));
}

/// An answer without an end is cut, before it fills the memory.
#[test]
fn an_answer_without_end_is_cut() {
    let server = FaultServer::start(3, &[Play::FloodOfUids]);
    let store = Store::default();
    let mut config = config(&server, "");
    // Numbers take the time of reading them.
    config.timeout.answer = 10;
    let poll = store.poll(&config);
    let errors: Vec<String> = poll.errors().cloned().collect();
    assert!(only(&errors).contains("more than 64 MB of it"), "{errors:?}");
    assert_eq!((store.uids(), store.last_uid()), (Vec::new(), 0));
}

/// Small talk that fills the line, whatever was asked: every answer has its measure.
#[test]
fn small_talk_without_end_is_cut_at_every_command() {
    let steps = ["AUTHENTICATE", "LIST", "STATUS", "SELECT", "UID SEARCH", "UID FETCH", "UID STORE", "UID EXPUNGE"];
    for step in steps {
        let server = FaultServer::start(3, &[Play::Flood(step)]);
        let began = Instant::now();
        let poll = Store::default().poll(&config(&server, "folders = [\"*\"]\nafter = \"delete\""));
        let errors = format!("{poll:?}");
        // The login has a time of its own, two seconds here.
        let told = errors.contains("comes to no end: more than 64 MB of it")
            || step == "AUTHENTICATE" && errors.contains("sent nothing for 2 s during login");
        assert!(poll.failed() && told, "{step}: {errors}");
        assert!(began.elapsed() < Duration::from_secs(60), "{step}: {:?}", began.elapsed());
    }
    // Nobody waits for the answer to a goodbye.
    let (store, errors, _) = played(3, &[Play::Flood("LOGOUT")]);
    assert_eq!((store.last_uid(), errors), (3, Vec::new()));
}

/// Small talk that beats every watchdog: it comes to an end too, after 15 times `timeout.answer`.
#[test]
fn small_talk_now_and_then_is_cut_at_every_command() {
    std::thread::scope(|scope| {
        for step in ["LIST", "STATUS", "SELECT", "UID STORE"] {
            scope.spawn(move || {
                let server = FaultServer::start(3, &[Play::Chatter(step)]);
                let poll = Store::default().poll(&config(&server, "folders = [\"*\"]\nafter = \"delete\""));
                let errors = format!("{poll:?}");
                assert!(poll.failed() && errors.contains("comes to no end: not within 15 s"), "{step}: {errors}");
            });
        }
        // A mail that only small talk comes for is refused like any other that is never given.
        scope.spawn(|| {
            let (store, errors, server) = played(5, &[Play::ChatterAt(3)]);
            assert!(only(&errors).contains("UID 3: ") && errors[0].contains("not within 15 s"), "{errors:?}");
            assert_eq!((store.uids(), store.last_uid()), (vec![1, 2, 4, 5], 5));
            assert_eq!(store.refusals(), [(3, "fetch-refused")]);
            server.behave();
            store.poll(&config(&server, ""));
            assert_eq!(store.kept(3), Kept::Bytes(mail(3)));
        });
    });
}

/// Answers in another order than the questions (RFC 9051 section 5.5): each folder has its own, known by its name.
#[test]
fn a_status_belongs_to_the_folder_that_it_names() {
    // As the server has them, and as a config in TOML does.
    let names =
        [("INBOX", "inbox"), ("Entw&APw-rfe", "Entwürfe"), (r#"A "b" \ c"#, r#"A \"b\" \\ c"#), ("Last", "Last")];
    for play in [Play::StatusFirst(4), Play::Backwards("STATUS", 4)] {
        let server = FaultServer::start(1, &[]);
        for (wire, _) in names {
            let mails = [(1, (mail(1), Vec::new()))].into();
            server.state.lock().unwrap().folders.insert(wire.to_owned(), mails);
        }
        let list = names.map(|(_, name)| format!("\"{name}\"")).join(", ");
        let config = config(&server, &format!("folders = [{list}]"));
        let store = Store::default();
        assert_eq!(store.poll(&config).errors().collect::<Vec<_>>(), Vec::<&String>::new());
        server.state.lock().unwrap().plays.push(play.clone());
        // One more mail in one folder, and only that one is opened.
        for (wire, _) in names {
            let arrived = (mail(2), Vec::new());
            server.state.lock().unwrap().folders.get_mut(wire).unwrap().insert(2, arrived);
            server.state.lock().unwrap().commands.clear();
            let poll = store.poll(&config);
            let fetched: Vec<u64> = poll.folders.iter().map(|folder| folder.fetched).collect();
            let wanted: Vec<u64> = names.iter().map(|(other, _)| u64::from(*other == wire)).collect();
            assert_eq!(fetched, wanted, "{play:?} {wire}: {poll:?}");
            assert_eq!(server.commands("EXAMINE").len(), 1, "{play:?} {wire}");
        }
    }
}

/// Downloads that end in another order than they were asked for.
#[test]
fn downloads_may_end_in_any_order() {
    let (store, errors, _) =
        played(250, &[Play::Backwards("UID FETCH 201:250", 1), Play::Backwards("UID FETCH 1:200", 2)]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((store.uids().len(), store.last_uid()), (250, 250));
}

/// Many mails that are gone by the time they are fetched cost one question, not one each.
#[test]
fn mails_that_vanish_together_cost_one_question() {
    let vanished: Vec<Play> = (1..=300).map(Play::Vanished).collect();
    let server = FaultServer::start(302, &vanished);
    let store = Store::default();
    let poll = store.poll(&config(&server, ""));
    assert_eq!((store.uids(), store.last_uid(), poll.failed()), (vec![301, 302], 302, false), "{poll:?}");
    assert!(server.commands("UID").len() < 10, "{:?}", server.commands("UID"));
}

/// Sizes of all, and one that is left out of them without a word: it is there, and is read.
#[test]
fn a_mail_left_out_of_the_sizes_is_read() {
    let server = FaultServer::start(4, &[Play::OmitSize(4)]);
    let store = Store::default();
    store.poll(&config(&server, ""));
    assert_eq!((store.uids(), store.last_uid()), (vec![1, 2, 3, 4], 4));
    assert_eq!(store.kept(4), Kept::Bytes(mail(4)));
}

#[test]
fn a_literal_longer_than_the_mail_ends_in_a_stall_of_its_own() {
    let longer = mail(5).len() as u64 + 50;
    let (store, errors, _) = played(5, &[Play::Literal(5, longer)]);
    assert!(only(&errors).contains("UID 5") && errors[0].contains("fewer bytes than announced"), "{errors:?}");
    assert_eq!(store.uids(), [1, 2, 3, 4]);
    assert_eq!(store.last_uid(), 5);
}

#[test]
fn one_hiccup_costs_nothing() {
    let (store, errors, _) = played(5, &[Play::ByeOnceAt(3)]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(store.uids(), [1, 2, 3, 4, 5]);
}

/// While nothing at all is given it may be the server's hour: nothing is recorded, the position stays.
#[test]
fn the_position_does_not_pass_a_mail_while_nothing_is_given() {
    for (mails, play) in [(1, Play::NoFor(1)), (1, Play::CloseIn(1)), (3, Play::NoForAll)] {
        let (store, errors, server) = played(mails, std::slice::from_ref(&play));
        assert!(!errors.is_empty(), "{play:?}");
        assert_eq!((store.uids(), store.refusals(), store.last_uid()), (vec![], vec![], 0), "{play:?}");
        let poll = store.poll(&config(&server, ""));
        assert!(poll.failed(), "{play:?}: the mailbox must not look healthy");
        server.behave();
        store.poll(&config(&server, ""));
        assert_eq!(store.uids(), (1..=mails).collect::<Vec<_>>(), "{play:?}");
        assert_eq!(store.last_uid(), mails, "{play:?}");
    }
}

#[test]
fn a_mail_deleted_meanwhile_is_no_fault() {
    let (store, errors, _) = played(5, &[Play::Vanished(3)]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((store.uids(), store.last_uid()), (vec![1, 2, 4, 5], 5));
    assert_eq!(store.refusals(), []);
}

#[test]
fn a_mail_over_the_limit_is_recorded_and_not_downloaded() {
    let (store, errors, server) = played(3, &[Play::Size(2, 100 << 20)]);
    assert!(only(&errors).contains("UID 2") && errors[0].contains("mail_bytes = 67108864"), "{errors:?}");
    assert_eq!((store.uids(), store.refusals(), store.last_uid()), (vec![1, 3], vec![(2, "mail_bytes")], 3));
    assert_eq!(server.commands("UID FETCH 1,3 ").len(), 1);
}

/// The announced size is small, the literal is not: it is not taken into memory.
#[test]
fn a_literal_over_the_limit_is_not_taken() {
    let (store, errors, _) = played(3, &[Play::Literal(2, 200 << 20)]);
    assert!(only(&errors).contains("UID 2") && errors[0].contains("mail_bytes"), "{errors:?}");
    assert_eq!((store.uids(), store.refusals(), store.last_uid()), (vec![1, 3], vec![(2, "mail_bytes")], 3));
}

#[test]
fn a_wrong_size_is_told_and_the_mail_stored_as_it_came() {
    let (store, errors, _) = played(3, &[Play::Size(2, 5)]);
    let told = only(&errors);
    assert!(told.contains("UID 2") && told.contains("5 bytes announced"), "{told}");
    assert_eq!((store.uids(), store.last_uid()), (vec![1, 2, 3], 3));
}

#[test]
fn new_numbering_looks_at_everything_again() {
    let (store, _, server) = played(3, &[]);
    server.state.lock().unwrap().uid_validity = 8;
    let poll = store.poll(&config(&server, ""));
    assert!(poll.folders[0].renumbered);
    assert_eq!(poll.folders[0].fetched, 3);
    assert_eq!(store.positions.lock().unwrap()["INBOX"], (8, 3));
}

#[test]
fn a_stop_ends_the_poll_without_harm() {
    let server = FaultServer::start(3, &[]);
    let store = Store::default();
    store.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let poll = store.poll(&config(&server, "after = \"delete\""));
    assert!(poll.stopped);
    assert_eq!(store.last_uid(), 0);
    assert_eq!(server.uids("INBOX"), [1, 2, 3]);
}

/// What `starttls` makes of a config for a plain server.
trait CloneWithStarttls {
    fn clone_with_starttls(&self) -> MailboxConfig;
}

impl CloneWithStarttls for MailboxConfig {
    fn clone_with_starttls(&self) -> MailboxConfig {
        let mut mailbox = self.clone();
        mailbox.tls = dmarcase::config::Tls::Starttls;
        mailbox
    }
}
