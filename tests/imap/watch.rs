//! `watch` as a service: polls, wakes by IDLE, reads its config again, tells systemd, and ends when it is told to.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::dovecot::Dovecot;
use crate::fault_server::{FaultServer, Play};
use crate::world::World;

const MAIL: &[u8] = b"From: someone@example.test\nSubject: hello\n\nhello\n";

struct Service {
    child: Child,
    lines: Receiver<String>,
    systemd: Receiver<String>,
    /// Every line so far, for who looks into a failure.
    seen: std::cell::RefCell<Vec<String>>,
}

impl Service {
    fn start(world: &World) -> Self {
        let socket = world.path("notify");
        let systemd = UnixDatagram::bind(&socket).unwrap();
        let (sender, told) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = systemd.recv(&mut buffer) {
                if sender.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        let mut child = world
            .command(&["watch"])
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "400000")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, systemd: told, seen: std::cell::RefCell::default() }
    }

    /// Waits for a line that holds the text.
    fn line(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        let mut seen = self.seen.borrow_mut();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("no line with `{text}` in {seen:#?}") };
            seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn told(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(message) = self.systemd.recv_timeout(left) else { panic!("systemd was not told {text}") };
            if message.lines().any(|line| line.starts_with(text)) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    fn end(mut self) {
        self.signal("TERM");
        self.line("stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_polls_reloads_and_ends() {
    let Some(server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox("schedule = \"10s\""));
    server.deliver("INBOX", [MAIL]);
    let service = Service::start(&world);
    service.told("READY=1");
    service.line("rua: 1 new");
    service.told("STATUS=last poll");
    service.told("WATCHDOG=1");
    // A broken config changes nothing, a good one does.
    world.configure("[[mailbox]]\nname = 7\n");
    service.signal("HUP");
    service.told("RELOADING=1");
    service.line("the old config stays in use");
    world.configure(&server.mailbox("schedule = \"1h\"").replace("\"rua\"", "\"renamed\""));
    service.signal("HUP");
    service.line("config read again");
    service.line("renamed: 1 new");
    let status = world.json(&["status"]);
    assert_eq!(status["mailboxes"].as_array().unwrap().len(), 2);
    service.end();
}

#[test]
fn mail_wakes_a_watch_by_idle() {
    let Some(server) = Dovecot::start_with("mailbox_idle_check_interval = 1 secs") else { return };
    // Dovecot watches only folders of a maildir that is there.
    server.deliver("INBOX", [MAIL]);
    let world = World::new(&server.mailbox("schedule = \"idle\""));
    let service = Service::start(&world);
    // The first poll, and the one after the server began to watch. While Dovecot looks into the maildir for the first time for one
    // connection it may show another one nothing yet: then the second poll finds the mail.
    let polls = [service.line(" new, "), service.line(" new, ")];
    let found = |text: &str| polls.iter().filter(|line| line.contains(text)).count();
    assert_eq!((found("rua: 1 new"), found("rua: 0 new")), (1, 1), "{polls:?}");
    // Dovecot tells a maildir's changes by times of whole seconds: a mail in the same second as its last look is not seen.
    std::thread::sleep(Duration::from_secs(2));
    server.deliver("INBOX", [MAIL]);
    let began = Instant::now();
    service.line("rua: 1 new");
    assert!(began.elapsed() < Duration::from_secs(10));
    std::thread::sleep(Duration::from_secs(2));
    server.deliver("INBOX", [MAIL]);
    service.line("rua: 1 new");
    service.end();
    assert_eq!(world.number("SELECT count(DISTINCT uid) FROM ledger"), 3);
}

/// A server that stalls in the middle of a poll: another mailbox is polled by its schedule, the config is read again, and the end comes
/// soon, although the stalled poll still waits.
#[test]
fn a_slow_mailbox_holds_up_nobody() {
    let Some(server) = Dovecot::start() else { return };
    let slow = FaultServer::start(3, &[Play::StallAt(2)]);
    let slow = format!(
        "[[mailbox]]\nname = \"slow\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_env = \"TEST_PASSWORD\"\n",
        slow.port
    );
    server.deliver("INBOX", [MAIL]);
    let world = World::new(&format!("{slow}{}", server.mailbox("schedule = \"10s\"")));
    let service = Service::start(&world);
    service.line("rua: 1 new");
    server.deliver("INBOX", [MAIL, MAIL]);
    service.line("rua: 2 new");
    world.configure(&format!("{slow}{}", server.mailbox("schedule = \"10s\"").replace("\"rua\"", "\"renamed\"")));
    service.signal("HUP");
    service.line("config read again");
    service.line("renamed: 3 new");
    let began = Instant::now();
    service.end();
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// Another process has the store, and keeps it: a service that shall end does not wait for it as long as one that goes on.
#[test]
fn a_service_ends_beside_a_locked_store() {
    let Some(server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox(""));
    server.deliver("INBOX", [MAIL]);
    world.json(&["fetch"]);
    let holder = duckdb::Connection::open(world.path("store.duckdb")).unwrap();
    holder.execute_batch("CREATE TEMP TABLE t (x INTEGER)").unwrap();
    let service = Service::start(&world);
    service.told("READY=1");
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    service.end();
    assert!(began.elapsed() < Duration::from_secs(15));
}

/// A server that keeps talking and never comes to an end does not keep the service from its own.
#[test]
fn a_service_ends_beside_a_server_that_never_does() {
    let server = FaultServer::start(3, &[Play::Chatter("UID SEARCH")]);
    let world = World::new(&format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_env = \"TEST_PASSWORD\"\n",
        server.port
    ));
    let service = Service::start(&world);
    let end = Instant::now() + Duration::from_secs(10);
    while server.commands("UID SEARCH").is_empty() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    service.end();
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_server_that_goes_away_is_waited_for() {
    let Some(mut server) = Dovecot::start() else { return };
    let world = World::new(&server.mailbox("schedule = \"10s\""));
    server.stop();
    let service = Service::start(&world);
    let line = service.line("cannot connect to localhost");
    assert!(line.contains("rua"), "{line}");
    let told = world.json(&["status"])["mailboxes"][0]["last_error"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("cannot connect") || told.is_empty(), "{told}");
    service.end();
}
