//! `fetch` and `config check` of the program itself against a real Dovecot.

use std::time::Duration;

use crate::delay_proxy::DelayProxy;
use crate::dovecot::Dovecot;
use crate::fault_server::{FaultServer, Play};
use crate::schema::kept;
use crate::world::{World, corpus};

/// Mails that are no report, or broken.
const OTHER: &[u8] = b"From: someone@example.test\nSubject: lunch\n\nAt noon?\n";
const BROKEN: &[u8] = b"From: reports@reporter.example\nSubject: Report Domain: example.test\nMIME-Version: 1.0\n\
Content-Type: application/gzip; name=\"r.example!example.test!1!2.xml.gz\"\nContent-Transfer-Encoding: base64\n\n\
H4sIAAAAAAAAA0tMSk4BAMJBJDUGAAAA\n";

#[test]
fn two_thousand_mails_match_the_truth_and_stay_unread() {
    let Some(server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox("folders = [\"INBOX\", \"Reports*\"]\nconnections = 2"));
    let truth = corpus(&world.path("corpus"), 2000);
    server.fill("INBOX", &world.path("corpus/mail"));
    server.deliver("Reports.Old", [OTHER, BROKEN]);
    let before = server.names("INBOX").len();
    let answer = world.json(&["fetch"]);
    for key in ["duplicates", "records", "messages"] {
        assert_eq!(answer[key], truth[key], "{key}");
    }
    assert_eq!(answer["reports_stored"], truth["reports"]);
    assert_eq!(answer["items"].as_u64().unwrap(), truth["items"].as_u64().unwrap() + 2);
    assert_eq!((&answer["not_reports"], &answer["rejected"]), (&1.into(), &1.into()));
    assert_eq!(answer["rates"]["dmarc_pass"], truth["pass_messages"]);
    let folders = answer["mailboxes"][0]["folders"].as_array().unwrap();
    assert_eq!(folders.len(), 2);
    assert_eq!(folders[0]["fetched"], truth["items"]);
    assert_eq!((&folders[1]["folder"], &folders[1]["fetched"]), (&"Reports/Old".into(), &2.into()));
    assert_eq!(server.names("INBOX").len(), before);
    assert!(!server.any_read("INBOX"), "a poll marks nothing as read");
    // Again: nothing new, and nothing is stored twice.
    let again = world.json(&["fetch"]);
    assert_eq!((&again["items"], &again["reports_stored"]), (&0.into(), &0.into()));
    // One more mail is one more item.
    server.deliver("INBOX", [OTHER]);
    assert_eq!(world.json(&["fetch"])["items"], 1);
    let status = world.json(&["status"]);
    for mailbox in status["mailboxes"].as_array().unwrap() {
        assert!(mailbox["last_success_at"].is_string() && mailbox["last_error"].is_null(), "{mailbox}");
    }
    assert_eq!(world.run(&["status", "--fail-if-older", "26h"]).status.code(), Some(0));
}

#[test]
fn mails_are_moved_deleted_and_flagged_on_a_real_server() {
    let Some(server) = Dovecot::start() else { return };
    let places = "after = \"move:Done/Reports\"\nafter_other = \"flag:NoReport\"\nafter_rejected = \"move:Broken\"";
    let world = World::new(&server.mailbox(places));
    let truth = corpus(&world.path("corpus"), 500);
    server.fill("INBOX", &world.path("corpus/mail"));
    server.deliver("INBOX", [OTHER, BROKEN]);
    let answer = world.json(&["fetch"]);
    assert_eq!(answer["reports_stored"], truth["reports"]);
    let items = truth["items"].as_u64().unwrap();
    assert_eq!(server.names("Done.Reports").len() as u64, items);
    assert_eq!(server.names("Broken").len(), 1);
    assert_eq!(server.names("INBOX").len(), 1);
    assert!(!server.any_read("INBOX") && !server.any_read("Done.Reports"));
    let folder = &answer["mailboxes"][0]["folders"][0];
    assert_eq!((&folder["moved"], &folder["flagged"]), (&(items + 1).into(), &1.into()));
    // The flagged one is not flagged again.
    assert_eq!(world.json(&["fetch"])["mailboxes"][0]["folders"][0]["flagged"], 0);
    // Deleted means gone.
    world.configure(&server.mailbox("after = \"delete\"\nafter_other = \"delete\""));
    server.deliver("INBOX", [&b"Subject: two\n\nx\n"[..]]);
    let answer = world.json(&["fetch"]);
    assert_eq!(answer["mailboxes"][0]["folders"][0]["deleted"], 2);
    assert_eq!(server.names("INBOX").len(), 0);
}

/// DESIGN: a poll that finds nothing new costs under ten round trips. And a far server costs little time, because requests
/// go out before answers are in.
#[test]
fn a_far_server_costs_few_round_trips() {
    let Some(server) = Dovecot::start() else { return };
    let proxy = DelayProxy::start(server.imaps, Duration::from_millis(50));
    let world = World::new(&server.mailbox_at(proxy.port, ""));
    corpus(&world.path("corpus"), 2000);
    server.fill("INBOX", &world.path("corpus/mail"));
    let answer = world.json(&["fetch"]);
    assert_eq!(answer["mailboxes"][0]["folders"][0]["errors"], serde_json::json!([]));
    let seconds = answer["mailboxes"][0]["seconds"].as_f64().unwrap();
    // One request after another would be ten batches and the sizes on top of the login: the login alone is about 0.5 s.
    println!("2,000 mails at 50 ms round trip: {seconds:.2} s, {} round trips", proxy.round_trips());
    let before = proxy.round_trips();
    world.json(&["fetch"]);
    let empty = proxy.round_trips() - before;
    println!("an empty poll: {empty} round trips");
    assert!(empty < 10, "{empty} round trips");
}

#[test]
fn config_check_connects_and_changes_nothing() {
    let Some(server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox("after = \"move:Done\""));
    server.deliver("INBOX", [OTHER, BROKEN]);
    let before = server.names("INBOX");
    let answer = world.json(&["config", "check", "--connect"]);
    let look = &answer["mailboxes"][0]["look"];
    assert_eq!(look["folders"][0]["new"], 2);
    assert_eq!(look["after"][0], "mail with reports is moved to `Done`, which is created");
    assert_eq!(server.names("INBOX"), before);
    assert!(!world.path("store.duckdb").exists());
    assert!(!server.maildir("Done").exists());
    // A fault has its line, and exit status 1.
    world.configure(&server.mailbox("after = \"mov:Done\""));
    let told = world.failure(&["config", "check"]);
    assert!(told.contains("line 8") && told.contains("move:FOLDER"), "{told}");
    // A mailbox that cannot be reached is told beside the others.
    let both =
        format!("{}\n{}", server.mailbox(""), server.mailbox("folders = [\"Nope\"]").replace("\"rua\"", "\"two\""));
    world.configure(&both);
    let output = world.run(&["--format", "json", "config", "check", "--connect"]);
    assert_eq!(output.status.code(), Some(1));
    let answer = kept(&["config", "check"], serde_json::from_slice(&output.stdout).unwrap());
    assert!(answer["mailboxes"][0]["look"].is_object());
    assert!(answer["mailboxes"][1]["look"]["folders"][0]["error"].as_str().unwrap().contains("there are: INBOX"));
}

/// What a poll would do with mail that earlier polls have seen is told too.
#[test]
fn config_check_tells_of_older_mail() {
    let Some(server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox(""));
    server.deliver("INBOX", [OTHER, BROKEN, &vec![b'x'; 5000]]);
    world.configure(&server.mailbox("mail_bytes = 4000"));
    world.json(&["fetch"]);
    let look = || world.json(&["config", "check", "--connect"])["mailboxes"][0]["look"]["folders"][0].clone();
    let told = look();
    assert_eq!([&told["new"], &told["again"], &told["left_over"]], [0, 0, 0], "{told}");
    // The limit is higher now, and mail is to be moved: as fetch will do it.
    world.configure(&server.mailbox("after_other = \"move:Other\"\nafter_rejected = \"move:Bad\""));
    let told = look();
    assert_eq!([&told["new"], &told["again"], &told["left_over"]], [0, 1, 2], "{told}");
    let text = String::from_utf8(world.run(&["config", "check", "--connect"]).stdout).unwrap();
    assert!(
        text.contains("INBOX: 2 older mails would be moved") && text.contains("INBOX: 1 mail that could not"),
        "{text}"
    );
    let fetched = world.json(&["fetch"]);
    assert_eq!(fetched["mailboxes"][0]["folders"][0]["fetched"], 1);
    assert_eq!(fetched["mailboxes"][0]["folders"][0]["moved"], 3);
    let csv = String::from_utf8(world.run(&["--format", "csv", "config", "check", "--connect"]).stdout).unwrap();
    assert!(csv.starts_with("mailbox,server,user,") && csv.lines().count() == 2, "{csv}");
}

/// On a server that keeps every folder below INBOX a target beside it cannot be made; that is told before any mail is there.
#[test]
fn config_check_warns_of_targets_outside_the_one_root() {
    let server = FaultServer::start(1, &[]);
    let mails = server.state.lock().unwrap().folders["INBOX"].clone();
    server.state.lock().unwrap().folders.insert("INBOX.Sent".to_owned(), mails);
    let world = World::new(&format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_env = \"TEST_PASSWORD\"\nafter = \"move:Done\"\nafter_other = \"move:INBOX.Other\"\n",
        server.port
    ));
    let warnings = world.json(&["config", "check", "--connect"])["mailboxes"][0]["look"]["warnings"].to_string();
    assert!(warnings.contains("write `INBOX.Done`") && !warnings.contains("Other"), "{warnings}");
}

/// Names of folders with the characters that IMAP quotes.
#[test]
fn folders_with_quotes_and_backslashes_are_polled() {
    let Some(server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox("folders = [\"inbox\", \"Old [2024]\", \"*\"]"));
    server.deliver("INBOX", [OTHER]);
    server.deliver("Old [2024]", [OTHER]);
    server.deliver("we\"ird", [OTHER]);
    server.deliver("back\\slash", [BROKEN]);
    let folders = world.json(&["fetch"])["mailboxes"][0]["folders"].clone();
    let mut seen: Vec<(&str, u64)> = folders
        .as_array()
        .unwrap()
        .iter()
        .map(|folder| (folder["folder"].as_str().unwrap(), folder["fetched"].as_u64().unwrap()))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("Old [2024]", 1), ("back\\slash", 1), ("inbox", 1), ("we\"ird", 1)]);
}

/// A monitor's mail says which mailbox it is about.
#[test]
fn a_late_mailbox_is_named() {
    let Some(server) = Dovecot::start() else { return };
    let one = server.mailbox("");
    let world = World::new(&one);
    world.json(&["fetch"]);
    assert_eq!(world.run(&["status", "--fail-if-older", "26h"]).status.code(), Some(0));
    world.configure(&format!("{one}{}", one.replace("\"rua\"", "\"second\"")));
    let told = world.run(&["status", "--fail-if-older", "26h"]);
    let text = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(3));
    assert!(text.contains("`second`") && text.contains("there was none") && !text.contains("`rua`"), "{text}");
}

/// One mailbox that fails does not keep another from being read; the exit status says that something failed.
#[test]
fn one_bad_mailbox_does_not_stop_another() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver("INBOX", [OTHER]);
    let bad = server.mailbox("").replace("\"rua\"", "\"bad\"").replace("\"dmarc\"", "\"nobody\"");
    let world = World::new(&format!("{bad}\n{}", server.mailbox("")));
    let output = world.run(&["--format", "json", "fetch"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("mailbox `bad`") && told.contains("not everything could be polled: bad"), "{told}");
    let answer = kept(&["fetch"], serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(answer["items"], 1);
    let status = world.json(&["status"]);
    let state =
        |name: &str| status["mailboxes"].as_array().unwrap().iter().find(|m| m["account"] == name).unwrap().clone();
    assert!(state("bad")["last_error"].as_str().unwrap().contains("refuses the login"));
    assert!(state("rua")["last_error"].is_null());
    assert_eq!(world.run(&["status", "--fail-if-older", "26h"]).status.code(), Some(3));
}

/// A mail over the limit is recorded; when the limit is raised, the next poll fetches it.
#[test]
fn a_raised_limit_fetches_what_was_over_it() {
    let Some(server) = Dovecot::start() else { return };
    let large = [b"Subject: large\n\n".to_vec(), vec![b'x'; 5000]].concat();
    server.deliver("INBOX", [OTHER, &large, OTHER]);
    let world = World::new(&server.mailbox("mail_bytes = 2000"));
    let answer = world.json(&["fetch"]);
    assert_eq!((&answer["items"], &answer["rejected"]), (&3.into(), &1.into()));
    assert_eq!(world.number("SELECT count(*) FROM ledger WHERE code = 'mail_bytes' AND uid = 2"), 1);
    assert_eq!(world.json(&["fetch"])["items"], 0);
    world.configure(&server.mailbox(""));
    assert_eq!(world.json(&["fetch"])["items"], 1);
    assert_eq!(world.number("SELECT count(*) FROM ledger WHERE outcome = 'rejected'"), 0);
    assert_eq!(world.number("SELECT count(*) FROM ledger WHERE outcome = 'not-a-report' AND uid = 2"), 1);
}

/// What was never taken is in no store: it stays in the mailbox, whatever is done with what was rejected.
#[test]
fn a_mail_that_was_not_taken_is_not_deleted() {
    let Some(server) = Dovecot::start() else { return };
    let large = [b"Subject: large\n\n".to_vec(), vec![b'x'; 5000]].concat();
    server.deliver("INBOX", [OTHER, &large, BROKEN]);
    let places = "after_other = \"delete\"\nafter_rejected = \"delete\"";
    let world = World::new(&server.mailbox(&format!("mail_bytes = 2000\n{places}")));
    for deleted in [2, 0] {
        assert_eq!(world.json(&["fetch"])["mailboxes"][0]["folders"][0]["deleted"], deleted);
        assert_eq!(server.names("INBOX").len(), 1);
    }
    world.configure(&server.mailbox(places));
    assert_eq!(world.json(&["fetch"])["items"], 1);
    assert_eq!(server.names("INBOX").len(), 0);
}

/// What the ledger says of a mail that came does not go as what it said of a mail that did not come.
#[test]
fn a_mail_over_a_limit_that_was_lowered_keeps_its_row() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver("INBOX", [BROKEN]);
    let world = World::new(&server.mailbox(""));
    world.json(&["fetch"]);
    let said = "SELECT code FROM ledger WHERE uid = 1";
    let before = world.json(&["sql", said]);
    world.configure(&format!("[limits]\nmail_bytes = 100\n{}", server.mailbox("")));
    for _ in 0..2 {
        world.json(&["retry"]);
        assert_eq!(world.json(&["sql", said]), serde_json::json!([{"code": "mail_bytes"}]));
    }
    world.configure(&server.mailbox(""));
    world.json(&["retry"]);
    assert_eq!(world.json(&["sql", said]), before);
}

/// A backup of the mail that was put back gives UIDs out again: they name other mails than those that were read.
#[test]
fn uids_that_went_back_are_read_again() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver("INBOX", [OTHER, BROKEN]);
    let world = World::new(&server.mailbox(""));
    world.json(&["fetch"]);
    let position = "SELECT last_uid FROM mailbox";
    assert_eq!(world.number(position), 2);
    // As if eight more had been read before the backup was put back.
    let store = duckdb::Connection::open(world.path("store.duckdb")).unwrap();
    store.execute_batch("UPDATE mailbox SET last_uid = 10").unwrap();
    drop(store);
    server.deliver("INBOX", [&b"Subject: new\n\nx\n"[..]]);
    assert_eq!(world.json(&["fetch"])["items"], 3);
    assert_eq!(world.number(position), 3);
    assert_eq!(world.number("SELECT count(*) FROM ledger"), 3, "what was read before is recognised");
    assert_eq!(world.json(&["fetch"])["items"], 0);
}

/// `retry` asks the mailbox for what its server refused; where it refuses still, it stays rejected.
#[test]
fn retry_asks_for_what_the_server_refused() {
    let server = FaultServer::start(4, &[Play::NoFor(2)]);
    let world = World::new(&format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_env = \"TEST_PASSWORD\"\n",
        server.port
    ));
    let told = world.run(&["fetch", "--strict"]);
    assert_eq!(told.status.code(), Some(3), "recorded, and no failure of the poll");
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("UID 2: the server refuses to give the message"), "{told}");
    let refused = "SELECT count(*) FROM ledger WHERE outcome = 'rejected' AND code = 'fetch-refused' AND uid = 2";
    assert_eq!((world.number(refused), world.number("SELECT count(*) FROM ledger")), (1, 4));
    let told = world.run(&["retry", "--strict"]);
    assert_eq!(told.status.code(), Some(3), "still rejected: {told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("UID 2"), "{told:?}");
    assert_eq!(world.number(refused), 1);
    server.behave();
    world.json(&["retry"]);
    assert_eq!((world.number(refused), world.number("SELECT count(*) FROM ledger")), (0, 4));
    assert_eq!(world.number("SELECT count(*) FROM ledger WHERE uid = 2 AND outcome = 'not-a-report'"), 1);
    assert_eq!(world.json(&["fetch"])["items"], 0);
}
