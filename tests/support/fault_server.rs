//! A small IMAP server that plays faults: everything right, but for what a test asks it to do wrong.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Play {
    /// The login is refused.
    RefuseLogin,
    /// The server does not take passwords without TLS.
    LoginDisabled,
    /// It closes without a greeting.
    NoGreeting,
    /// It greets like a web server.
    NotImap,
    /// It closes in the middle of this message.
    CloseIn(u32),
    /// It says BYE instead of this message.
    ByeAt(u32),
    /// The same, the first time only.
    ByeOnceAt(u32),
    /// NO to a FETCH with this message in it, other messages of the FETCH are given.
    NoFor(u32),
    /// NO to every FETCH of bodies.
    NoForAll,
    /// NO to a FETCH of sizes with this message in it, other sizes are given.
    NoSize(u32),
    /// OK to a FETCH of sizes, but without this one.
    OmitSize(u32),
    /// It closes when it is asked for the size of this message.
    CloseAtSize(u32),
    /// It answers commands that begin so with small talk for ever.
    Chatter(&'static str),
    /// It sends small talk for ever instead of this message.
    ChatterAt(u32),
    /// It answers commands that begin so with long lines for ever, as fast as it can.
    Flood(&'static str),
    /// It answers a SEARCH with numbers for ever.
    FloodOfUids,
    /// It waits for so many commands that begin so, and answers the last one first.
    Backwards(&'static str, usize),
    /// It waits for so many STATUS commands, says what it has to say, and then that they are done.
    StatusFirst(usize),
    /// INBOX has so many messages, as far as it says.
    Exists(u32),
    /// SEARCH for what is not deleted is refused in the first piece of INBOX, and takes its time in the others.
    NoFirstPiece,
    /// SEARCH is refused.
    NoSearch,
    /// SEARCH for what is not deleted is refused.
    NoUndeleted,
    /// OK, but without this message, which is there.
    Omit(u32),
    /// This message is listed, and gone when it is fetched.
    Vanished(u32),
    /// RFC822.SIZE says this instead of the truth.
    Size(u32, u64),
    /// The literal of this message says this length instead of the truth.
    Literal(u32, u64),
    /// Nothing more comes from this message on.
    StallAt(u32),
    /// No MOVE.
    NoMove,
    /// No UIDPLUS.
    NoUidPlus,
    /// STORE, COPY and MOVE are refused.
    NoChanges,
    /// Every folder is read-only.
    ReadOnly,
    /// Only this access token is taken, by XOAUTH2.
    Token(String),
    /// Only this access token is taken, by OAUTHBEARER.
    Bearer(String),
    /// Answers that no parser should meet: INTERNALDATE NIL.
    NoDate(u32),
}

/// What the server has been told and what its folders hold.
pub(crate) struct State {
    pub(crate) uid_validity: u32,
    /// Folder → UID → mail and flags.
    pub(crate) folders: BTreeMap<String, BTreeMap<u32, (Vec<u8>, Vec<String>)>>,
    pub(crate) plays: Vec<Play>,
    /// Every command, without tags and secrets.
    pub(crate) commands: Vec<String>,
    /// Commands that came while an answer was under way that could have been taken for theirs.
    pub(crate) hasty: u32,
    pub(crate) logins: u32,
}

/// A running server. It runs until the test ends.
pub(crate) struct FaultServer {
    pub(crate) port: u16,
    pub(crate) state: Arc<Mutex<State>>,
}

impl FaultServer {
    /// Starts one with `mails` mails in INBOX, UID 1 and up.
    pub(crate) fn start(mails: u32, plays: &[Play]) -> Self {
        let inbox = (1..=mails).map(|uid| (uid, (mail(uid), Vec::new()))).collect();
        let state = State {
            uid_validity: 7,
            folders: BTreeMap::from([("INBOX".to_owned(), inbox)]),
            plays: plays.to_vec(),
            commands: Vec::new(),
            hasty: 0,
            logins: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let other = client.try_clone().unwrap();
                    Session { client, state: shared, folder: String::new(), held: Vec::new(), open: Vec::new() }
                        .serve();
                    let _ = other.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, state }
    }

    /// UIDs of a folder.
    pub(crate) fn uids(&self, folder: &str) -> Vec<u32> {
        self.state.lock().unwrap().folders.get(folder).map(|mails| mails.keys().copied().collect()).unwrap_or_default()
    }

    /// Flags of a mail in INBOX.
    pub(crate) fn flags(&self, uid: u32) -> Vec<String> {
        self.state.lock().unwrap().folders["INBOX"][&uid].1.clone()
    }

    /// Commands that begin with `verb`.
    pub(crate) fn commands(&self, verb: &str) -> Vec<String> {
        self.state.lock().unwrap().commands.iter().filter(|command| command.starts_with(verb)).cloned().collect()
    }

    /// Stops playing.
    pub(crate) fn behave(&self) {
        self.state.lock().unwrap().plays.clear();
    }
}

/// A mail that says which one it is.
pub(crate) fn mail(uid: u32) -> Vec<u8> {
    format!("From: reports@reporter.example\r\nSubject: mail {uid}\r\n\r\nnumber {uid} {{5}}\r\n").into_bytes()
}

struct Session {
    client: TcpStream,
    state: Arc<Mutex<State>>,
    folder: String,
    /// Commands that are not answered yet.
    held: Vec<(String, String)>,
    /// Tags of commands that are answered, but not done yet.
    open: Vec<String>,
}

impl Session {
    fn plays(&self, play: &Play) -> bool {
        self.state.lock().unwrap().plays.contains(play)
    }

    fn say(&mut self, text: &str) -> bool {
        self.client.write_all(text.as_bytes()).is_ok()
    }

    fn serve(mut self) {
        if self.plays(&Play::NoGreeting) {
            return;
        }
        if self.plays(&Play::NotImap) {
            self.say("HTTP/1.1 400 Bad Request\r\n\r\n");
            return;
        }
        self.say("* OK ready\r\n");
        let mut lines = BufReader::new(self.client.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let (tag, command) = (tag.to_owned(), command.to_owned());
            let shown = if command.starts_with("AUTHENTICATE") || command.starts_with("LOGIN") {
                "LOGIN …"
            } else {
                &command
            };
            self.state.lock().unwrap().commands.push(shown.to_owned());
            if !self.answer(&tag, &command) {
                return;
            }
        }
    }

    fn capabilities(&self) -> String {
        let mut list = String::from("IMAP4rev1 SASL-IR IDLE");
        if let Some((mechanism, ..)) = self.token() {
            list.push_str(" AUTH=");
            list.push_str(mechanism);
        }
        list.push_str(if self.plays(&Play::LoginDisabled) { " LOGINDISABLED" } else { " AUTH=PLAIN" });
        if !self.plays(&Play::NoMove) {
            list.push_str(" MOVE");
        }
        if !self.plays(&Play::NoUidPlus) {
            list.push_str(" UIDPLUS");
        }
        list
    }

    /// The mechanism that takes a token, what is good, and what the client owes after a refusal: nothing for XOAUTH2, a
    /// control-A for OAUTHBEARER (RFC 7628 section 3.2.3).
    fn token(&self) -> Option<(&'static str, String, &'static str)> {
        self.state.lock().unwrap().plays.iter().find_map(|play| match play {
            Play::Token(token) => Some(("XOAUTH2", format!("user=dmarc\x01auth=Bearer {token}\x01\x01"), "\r\n")),
            Play::Bearer(token) => {
                let (name, port) = ("dmarc=2Cteam=3D1", self.client.local_addr().unwrap().port());
                let good = format!("n,a={name},\x01host=localhost\x01port={port}\x01auth=Bearer {token}\x01\x01");
                Some(("OAUTHBEARER", good, "AQ==\r\n"))
            }
            _ => None,
        })
    }

    /// Small talk until nobody listens any more.
    fn chatter(&mut self) -> bool {
        while self.say("* OK still here\r\n") {
            thread::sleep(Duration::from_millis(100));
        }
        false
    }

    /// Holds a command back where that is played. Returns those that are to be answered now.
    fn due(&mut self, tag: &str, command: &str) -> Vec<(String, String)> {
        let playing = |play: &Play| matches!(play, Play::Backwards(verb, _) if command.starts_with(verb));
        let found = self.state.lock().unwrap().plays.iter().find(|play| playing(play)).cloned();
        self.held.push((tag.to_owned(), command.to_owned()));
        match found {
            Some(Play::Backwards(_, count)) if self.held.len() < count => Vec::new(),
            _ => std::mem::take(&mut self.held).into_iter().rev().collect(),
        }
    }

    fn answer(&mut self, tag: &str, command: &str) -> bool {
        let mut due = self.due(tag, command).into_iter();
        due.all(|(tag, command)| self.answer_one(&tag, &command))
    }

    fn answer_one(&mut self, tag: &str, command: &str) -> bool {
        let plays = self.state.lock().unwrap().plays.clone();
        for play in plays {
            match play {
                Play::Chatter(begin) if command.starts_with(begin) => return self.chatter(),
                Play::Flood(begin) if command.starts_with(begin) => {
                    let line = format!("* OK still here{}\r\n", " and here".repeat(2000));
                    while self.say(&line) {}
                    return false;
                }
                _ => {}
            }
        }
        let verb = command.split(' ').next().unwrap_or_default();
        match verb {
            "CAPABILITY" => {
                let list = self.capabilities();
                self.say(&format!("* CAPABILITY {list}\r\n{tag} OK done\r\n"))
            }
            "AUTHENTICATE" => {
                self.state.lock().unwrap().logins += 1;
                if let Some((mechanism, good, owed)) = self.token() {
                    use base64::Engine;
                    let (asked, sent) = command["AUTHENTICATE ".len()..].split_once(' ').unwrap();
                    let sent = base64::engine::general_purpose::STANDARD.decode(sent).unwrap();
                    if asked == mechanism && sent == good.as_bytes() {
                        return self.say(&format!("{tag} OK logged in\r\n"));
                    }
                    // {"status":"401"}
                    self.say("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
                    let mut line = String::new();
                    BufReader::new(self.client.try_clone().unwrap()).read_line(&mut line).unwrap();
                    assert_eq!(line, owed);
                    return self.say(&format!("{tag} NO [AUTHENTICATIONFAILED] token expired\r\n"));
                }
                if self.plays(&Play::RefuseLogin) {
                    // Some servers say back what they were sent.
                    return self.say(&format!(
                        "{tag} NO [AUTHENTICATIONFAILED] no such user or password wrong-secret in {command}\r\n"
                    ));
                }
                self.say(&format!("{tag} OK logged in\r\n"))
            }
            "STARTTLS" => self.say(&format!("{tag} BAD unknown command\r\n")),
            "LIST" => {
                let names: Vec<String> = self.state.lock().unwrap().folders.keys().cloned().collect();
                for name in names {
                    self.say(&format!("* LIST () \"/\" {}\r\n", quote(&name)));
                }
                self.say(&format!("{tag} OK done\r\n"))
            }
            "STATUS" | "SELECT" | "EXAMINE" => self.open(tag, verb, command),
            "UID" => self.uid(tag, command),
            "CREATE" => {
                let name = quoted(command);
                self.state.lock().unwrap().folders.entry(name).or_default();
                self.say(&format!("{tag} OK made\r\n"))
            }
            "LOGOUT" => {
                self.say(&format!("* BYE bye\r\n{tag} OK done\r\n"));
                false
            }
            _ => self.say(&format!("{tag} BAD unknown command\r\n")),
        }
    }

    fn open(&mut self, tag: &str, verb: &str, command: &str) -> bool {
        let name = quoted(command);
        let name = if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name };
        let (validity, found) = {
            let state = self.state.lock().unwrap();
            let found =
                state.folders.get(&name).map(|mails| (mails.len(), mails.keys().max().copied().unwrap_or(0) + 1));
            (state.uid_validity, found)
        };
        let Some((count, next)) = found else { return self.say(&format!("{tag} NO no such folder\r\n")) };
        if verb == "STATUS" {
            let name = quote(&name);
            self.say(&format!("* STATUS {name} (MESSAGES {count} UIDNEXT {next} UIDVALIDITY {validity})\r\n"));
            let wait = self.state.lock().unwrap().plays.iter().find_map(|play| match play {
                Play::StatusFirst(count) => Some(*count),
                _ => None,
            });
            self.open.push(tag.to_owned());
            if wait.is_some_and(|count| self.open.len() < count) {
                return true;
            }
            let tags = std::mem::take(&mut self.open);
            return tags.iter().all(|tag| self.say(&format!("{tag} OK done\r\n")));
        }
        let told = self.state.lock().unwrap().plays.iter().find_map(|play| match play {
            Play::Exists(count) if name == "INBOX" => Some(*count as usize),
            _ => None,
        });
        let count = told.unwrap_or(count);
        self.folder = name;
        let right = if verb == "EXAMINE" || self.plays(&Play::ReadOnly) { "READ-ONLY" } else { "READ-WRITE" };
        self.say(&format!(
            "* {count} EXISTS\r\n* OK [UIDVALIDITY {validity}] ok\r\n* OK [UIDNEXT {next}] ok\r\n\
             * OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] ok\r\n{tag} OK [{right}] done\r\n"
        ))
    }

    fn uid(&mut self, tag: &str, command: &str) -> bool {
        let words: Vec<&str> = command.split(' ').collect();
        let set = words.get(2).copied().unwrap_or_default();
        match words[1] {
            "SEARCH" if self.plays(&Play::FloodOfUids) => {
                let line = format!("* SEARCH{}\r\n", " 4294967295".repeat(50_000));
                while self.say(&line) {}
                false
            }
            "SEARCH" if command.contains("UNDELETED") && self.plays(&Play::NoUndeleted) => {
                self.say(&format!("{tag} NO not now\r\n"))
            }
            "SEARCH" if command.contains("UNDELETED") && set == "1:50000" && self.plays(&Play::NoFirstPiece) => {
                self.say(&format!("{tag} NO not now\r\n"))
            }
            "SEARCH" if self.plays(&Play::NoSearch) => self.say(&format!("{tag} NO not now\r\n")),
            "SEARCH" => {
                if command.contains("UNDELETED") && self.plays(&Play::NoFirstPiece) {
                    self.client.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                    let hasty = self.client.peek(&mut [0]).is_ok();
                    self.client.set_read_timeout(None).unwrap();
                    self.state.lock().unwrap().hasty += u32::from(hasty);
                }
                let at = words.iter().skip(2).position(|word| *word == "UID").map_or(2, |at| at + 3);
                let selected = self.select(words[at]);
                let state = self.state.lock().unwrap();
                let mails = &state.folders[&self.folder];
                let deleted = |uid: &u32| mails[uid].1.iter().any(|flag| flag == "\\Deleted");
                let undeleted = command.contains("UNDELETED");
                let only_deleted = command.ends_with(" DELETED");
                let uids: Vec<String> = selected
                    .iter()
                    .filter(|uid| !(undeleted && deleted(uid)) && (!only_deleted || deleted(uid)))
                    .map(ToString::to_string)
                    .collect();
                drop(state);
                self.say(&format!("* SEARCH {}\r\n{tag} OK done\r\n", uids.join(" ")))
            }
            "FETCH" if command.contains("RFC822.SIZE") => {
                let mut refused = false;
                for uid in self.select(set) {
                    if self.plays(&Play::CloseAtSize(uid)) {
                        return false;
                    }
                    if self.plays(&Play::NoSize(uid)) {
                        refused = true;
                        continue;
                    }
                    if self.plays(&Play::OmitSize(uid)) {
                        continue;
                    }
                    let size = self.size(uid);
                    self.say(&format!("* {uid} FETCH (UID {uid} RFC822.SIZE {size})\r\n"));
                }
                if refused {
                    return self.say(&format!("{tag} NO [SERVERBUG] cannot read a message\r\n"));
                }
                self.say(&format!("{tag} OK done\r\n"))
            }
            "FETCH" => self.bodies(tag, set),
            "STORE" | "COPY" | "MOVE" | "EXPUNGE" => {
                if self.plays(&Play::NoChanges) {
                    return self.say(&format!("{tag} NO [NOPERM] not allowed\r\n"));
                }
                self.change(tag, words[1], set, command)
            }
            _ => self.say(&format!("{tag} BAD unknown command\r\n")),
        }
    }

    fn size(&self, uid: u32) -> u64 {
        let state = self.state.lock().unwrap();
        let told = state.plays.iter().find_map(|play| match play {
            Play::Size(of, size) if *of == uid => Some(*size),
            _ => None,
        });
        told.unwrap_or_else(|| state.folders[&self.folder][&uid].0.len() as u64)
    }

    fn select(&self, set: &str) -> Vec<u32> {
        let state = self.state.lock().unwrap();
        let all = &state.folders[&self.folder];
        let last = all.keys().max().copied().unwrap_or(0);
        let mut found = Vec::new();
        for part in set.split(',') {
            let (from, to) = part.split_once(':').unwrap_or((part, part));
            let number = |text: &str| if text == "*" { last } else { text.parse().unwrap() };
            let (from, to) = (number(from), number(to));
            found.extend(all.range(from.min(to)..=from.max(to)).map(|(uid, _)| *uid));
        }
        found
    }

    fn bodies(&mut self, tag: &str, set: &str) -> bool {
        let mut refused = self.plays(&Play::NoForAll);
        for uid in self.select(set) {
            if refused && self.plays(&Play::NoForAll) {
                break;
            }
            if self.plays(&Play::Vanished(uid)) {
                self.state.lock().unwrap().folders.get_mut(&self.folder).unwrap().remove(&uid);
                continue;
            }
            if self.plays(&Play::NoFor(uid)) {
                refused = true;
                continue;
            }
            if self.plays(&Play::Omit(uid)) {
                continue;
            }
            if self.plays(&Play::ChatterAt(uid)) {
                return self.chatter();
            }
            if self.plays(&Play::StallAt(uid)) {
                thread::sleep(Duration::from_secs(600));
                return false;
            }
            let once = self.plays(&Play::ByeOnceAt(uid));
            if once || self.plays(&Play::ByeAt(uid)) {
                self.state.lock().unwrap().plays.retain(|play| *play != Play::ByeOnceAt(uid));
                self.say("* BYE the server goes down\r\n");
                return false;
            }
            let body = self.state.lock().unwrap().folders[&self.folder][&uid].0.clone();
            let told = self.state.lock().unwrap().plays.iter().find_map(|play| match play {
                Play::Literal(of, length) if *of == uid => Some(*length),
                _ => None,
            });
            let length = told.unwrap_or(body.len() as u64);
            let date = if self.plays(&Play::NoDate(uid)) { "NIL" } else { "\" 1-Jul-2026 04:05:06 +0200\"" };
            self.say(&format!("* {uid} FETCH (UID {uid} INTERNALDATE {date} BODY[] {{{length}}}\r\n"));
            if self.plays(&Play::CloseIn(uid)) {
                let _ = self.client.write_all(&body[..10]);
                return false;
            }
            if self.client.write_all(&body).is_err() || !self.say(")\r\n") {
                return false;
            }
        }
        if refused {
            self.say(&format!("{tag} NO [SERVERBUG] cannot read the message\r\n"))
        } else {
            self.say(&format!("{tag} OK done\r\n"))
        }
    }

    fn change(&mut self, tag: &str, verb: &str, set: &str, command: &str) -> bool {
        let uids = self.select(set);
        let mut state = self.state.lock().unwrap();
        let folder = self.folder.clone();
        let target = quoted(command);
        if matches!(verb, "COPY" | "MOVE") && !state.folders.contains_key(&target) {
            drop(state);
            return self.say(&format!("{tag} NO [TRYCREATE] no such folder\r\n"));
        }
        for uid in uids {
            match verb {
                "STORE" => {
                    let flag = command.split_once('(').unwrap().1.trim_end_matches(')').to_owned();
                    state.folders.get_mut(&folder).unwrap().get_mut(&uid).unwrap().1.push(flag);
                }
                "COPY" | "MOVE" => {
                    let mail = state.folders[&folder][&uid].clone();
                    if verb == "MOVE" {
                        state.folders.get_mut(&folder).unwrap().remove(&uid);
                    }
                    let there = state.folders.get_mut(&target).unwrap();
                    let next = there.keys().max().copied().unwrap_or(0) + 1;
                    there.insert(next, mail);
                }
                _ => {
                    let mails = state.folders.get_mut(&folder).unwrap();
                    if mails[&uid].1.iter().any(|flag| flag == "\\Deleted") {
                        mails.remove(&uid);
                    }
                }
            }
        }
        drop(state);
        self.say(&format!("{tag} OK done\r\n"))
    }
}

/// The quoted string in a command (RFC 9051 section 9).
fn quoted(command: &str) -> String {
    let mut characters = command.chars().skip_while(|character| *character != '"').skip(1);
    let mut name = String::new();
    while let Some(character) = characters.next().filter(|character| *character != '"') {
        name.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    name
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
