//! A pipeline of memory for tests of the mailbox reader alone: takes items, "commits" on demand, remembers like the store.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crossbeam_channel::{Receiver, Sender, unbounded};
use dmarcase::config::{Config, MailboxConfig};
use dmarcase::fetch::imap::{
    Committed, CommittedKind, MailboxPoll, Poll, Position, Pulse, Remembered, Sink, SinkClosed, Tokens,
};
use dmarcase::fetch::{Content, Item, Origin};

/// What became of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Bytes(Vec<u8>),
    Refused(&'static str, u64, String),
}

/// Everything kept, by folder, UIDVALIDITY and UID.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) mails: Mutex<BTreeMap<(String, u32, u32), Kept>>,
    pub(crate) positions: Mutex<BTreeMap<String, (u32, u32)>>,
    /// How mails count; `Report` where nothing is said.
    pub(crate) kinds: Mutex<BTreeMap<u32, CommittedKind>>,
    pub(crate) beat: AtomicU64,
    pub(crate) stop: AtomicBool,
}

impl Store {
    /// Polls once.
    pub(crate) fn poll(&self, mailbox: &MailboxConfig) -> MailboxPoll {
        let (told, commits): (Sender<Committed>, Receiver<Committed>) = unbounded();
        let mut sink = Pipe { store: self, told, waiting: Vec::new() };
        Poll {
            mailbox,
            limits: &dmarcase::unpack::Limits::default(),
            tokens: &Tokens::default(),
            remembered: self,
            sink: &mut sink,
            commits: &commits,
            pulse: Pulse { stop: &self.stop, beat: &self.beat },
            only_again: false,
        }
        .run()
    }

    /// UIDs whose bytes are kept, of INBOX.
    pub(crate) fn uids(&self) -> Vec<u32> {
        let mails = self.mails.lock().unwrap();
        mails.iter().filter(|(_, kept)| matches!(kept, Kept::Bytes(_))).map(|((_, _, uid), _)| *uid).collect()
    }

    /// What became of a mail.
    pub(crate) fn kept(&self, uid: u32) -> Kept {
        let mails = self.mails.lock().unwrap();
        mails.iter().find(|(key, _)| key.2 == uid).map(|(_, kept)| kept.clone()).unwrap()
    }

    /// UIDs that were refused, with the code.
    pub(crate) fn refusals(&self) -> Vec<(u32, &'static str)> {
        let mails = self.mails.lock().unwrap();
        mails
            .iter()
            .filter_map(|((_, _, uid), kept)| match kept {
                Kept::Refused(code, _, _) => Some((*uid, *code)),
                Kept::Bytes(_) => None,
            })
            .collect()
    }

    /// The position of INBOX.
    pub(crate) fn last_uid(&self) -> u32 {
        self.positions.lock().unwrap().get("INBOX").map_or(0, |(_, uid)| *uid)
    }
}

struct Pipe<'s> {
    store: &'s Store,
    told: Sender<Committed>,
    waiting: Vec<Committed>,
}

impl Sink for Pipe<'_> {
    fn item(&mut self, item: Item) -> Result<(), SinkClosed> {
        let Origin::Mailbox { account, folder, uid_validity, uid } = item.origin else {
            panic!("a mail comes from a mailbox")
        };
        let kept = match item.content {
            Content::Bytes(bytes) => Kept::Bytes(bytes),
            Content::Refused(refusal) => Kept::Refused(refusal.code, refusal.size, refusal.reason),
            Content::File { .. } => panic!("a mail is no file"),
        };
        let kind = match kept {
            Kept::Bytes(_) => self.store.kinds.lock().unwrap().get(&uid).copied().unwrap_or(CommittedKind::Report),
            Kept::Refused(..) => CommittedKind::Refused,
        };
        let before = self.store.mails.lock().unwrap().insert((folder.clone(), uid_validity, uid), kept.clone());
        assert!(!matches!(before, Some(Kept::Bytes(_))), "UID {uid} came twice");
        self.waiting.push(Committed { account, folder, uid_validity, uid, kind });
        Ok(())
    }

    fn position(&mut self, position: Position) {
        let mails = self.store.mails.lock().unwrap();
        let mut positions = self.store.positions.lock().unwrap();
        let old = positions.insert(position.folder.clone(), (position.uid_validity, position.last_uid));
        if let Some((validity, uid)) = old {
            assert!(validity != position.uid_validity || uid <= position.last_uid, "a position goes back");
        }
        drop(mails);
    }

    fn flush(&mut self) -> Result<(), SinkClosed> {
        for one in self.waiting.drain(..) {
            self.told.send(one).unwrap();
        }
        Ok(())
    }
}

impl Remembered for Store {
    fn position(&self, account: &str, folder: &str) -> Option<Position> {
        let (uid_validity, last_uid) = *self.positions.lock().unwrap().get(folder)?;
        Some(Position { account: account.to_owned(), folder: folder.to_owned(), uid_validity, last_uid })
    }

    fn kinds(&self, _: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<Vec<(u32, CommittedKind)>, String> {
        let mails = self.mails.lock().unwrap();
        let kinds = self.kinds.lock().unwrap();
        Ok(uids
            .iter()
            .filter_map(|uid| {
                let kept = mails.get(&(folder.to_owned(), validity, *uid))?;
                let kind = match kept {
                    Kept::Bytes(_) => kinds.get(uid).copied().unwrap_or(CommittedKind::Report),
                    Kept::Refused(..) => CommittedKind::Refused,
                };
                Some((*uid, kind))
            })
            .collect())
    }

    fn refused(&self, _: &str, folder: &str, validity: u32) -> Vec<u32> {
        let mails = self.mails.lock().unwrap();
        mails
            .iter()
            .filter(|((f, v, _), kept)| {
                f == folder && *v == validity && matches!(kept, Kept::Refused("fetch-refused", _, _))
            })
            .map(|((_, _, uid), _)| *uid)
            .collect()
    }
}

/// Reads the one mailbox of a config text.
pub(crate) fn mailbox(text: &str) -> MailboxConfig {
    Config::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")).mailbox.remove(0)
}
