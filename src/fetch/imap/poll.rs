//! One poll of one mailbox, from the login to the last mail moved.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::after::{self, Tidied};
use super::answer::{FolderPoll, MailboxPoll};
use super::connect::Connector;
use super::connection::{Connection, Pulse};
use super::crew::Crew;
use super::error::Fault;
use super::folders::{self, Folder, FolderStatus, Opened};
use super::haul::{Haul, Wanted};
use super::login::session;
use super::oauth2::Tokens;
use super::resume::Resume;
use super::survey;
use super::{Committed, CommittedKind, Remembered, Sink};
use crate::config::MailboxConfig;
use crate::unpack::Limits;

/// Room in a literal beside the largest mail let through.
const LITERAL_SLACK: u64 = 64 << 10;

/// What a poll needs.
pub struct Poll<'a> {
    /// The mailbox.
    pub mailbox: &'a MailboxConfig,
    /// The limits of the config.
    pub limits: &'a Limits,
    /// Tokens of this process.
    pub tokens: &'a Tokens,
    /// What the store remembers.
    pub remembered: &'a dyn Remembered,
    /// Where items go.
    pub sink: &'a mut dyn Sink,
    /// What is told of this mailbox's mails after their commit; closed when the pipeline fails.
    pub commits: &'a Receiver<Committed>,
    /// Stop and watchdog.
    pub pulse: Pulse<'a>,
    /// Asks only for mails that were refused before (`dmarcase retry`).
    pub only_again: bool,
}

/// One runtime per thread that talks to servers: waits, does not compute.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::Internal { text: error.to_string() })
}

/// A folder that was downloaded and waits for its commits.
struct Pending {
    at: usize,
    folder: Folder,
    uid_validity: u32,
    handed: Vec<u32>,
    leftover: Vec<(u32, CommittedKind)>,
}

impl<'a> Poll<'a> {
    /// Polls the mailbox. Whatever goes wrong is in the answer: one mailbox never ends the poll of another.
    pub fn run(mut self) -> MailboxPoll {
        let start = Instant::now();
        let mut poll = MailboxPoll { mailbox: self.mailbox.name.clone(), ..MailboxPoll::default() };
        // A panic can only be a defect of a parser below, on what a stranger sent; it must not end other mailboxes' polls.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| runtime()?.block_on(self.mailbox_poll(&mut poll))));
        let fault = match result {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some(Fault::Internal { text: "the server's answer made a parser panic".to_owned() }),
        };
        match fault {
            None => {}
            Some(Fault::Stopped) => poll.stopped = true,
            // A pipeline that is being stopped takes nothing more.
            Some(Fault::Store { .. }) if self.pulse.stopped() => poll.stopped = true,
            Some(fault) => {
                poll.needs_operator = fault.needs_operator();
                poll.error = Some(fault.at(&self.mailbox.name, None, None).to_string());
            }
        }
        poll.seconds = start.elapsed().as_secs_f64();
        poll
    }

    async fn mailbox_poll(&mut self, poll: &mut MailboxPoll) -> Result<(), Fault> {
        let connector = Connector::new(self.mailbox, self.mailbox.limit(self.limits) + LITERAL_SLACK)?;
        let mut line = session(self.mailbox, &connector, self.tokens, self.pulse).await?;
        let (found, missing) = folders::resolve(&mut line, self.mailbox).await?;
        for pattern in missing {
            let fault = Fault::UnknownFolder { hint: "the pattern matches none that is not moved to".to_owned() };
            let text = fault.at(&self.mailbox.name, Some(&pattern), None).to_string();
            poll.folders.push(FolderPoll {
                folder: pattern,
                errors: vec![text],
                failed: true,
                ..FolderPoll::default()
            });
        }
        let statuses = folders::statuses(&mut line, &found).await?;
        let mut pending = Vec::new();
        let mut line = Some(line);
        for (folder, status) in found.into_iter().zip(statuses) {
            let at = poll.folders.len();
            poll.folders.push(FolderPoll { folder: folder.name.clone(), ..FolderPoll::default() });
            let Some(answer) = poll.folders.get_mut(at) else { continue };
            if self.pulse.stopped() {
                poll.stopped = true;
                break;
            }
            let result = self.folder(&connector, &mut line, &folder, status, answer).await;
            match result {
                Ok(mut done) => {
                    done.at = at;
                    pending.push(done);
                }
                Err(Fault::Stopped) => poll.stopped = true,
                Err(fault @ Fault::Store { .. }) => return Err(fault),
                Err(fault) => {
                    if fault.ends_connection() {
                        line = None;
                    }
                    answer.failed = true;
                    answer.errors.push(fault.at(&self.mailbox.name, Some(&folder.name), None).to_string());
                }
            }
        }
        self.tidy(&connector, &mut line, pending, poll).await?;
        if let Some(line) = line {
            line.leave().await;
        }
        if poll.stopped { Err(Fault::Stopped) } else { Ok(()) }
    }

    /// Returns the connection, made again where it is gone.
    async fn ensure<'c>(
        &self,
        connector: &Connector<'_>,
        line: &'c mut Option<Connection<'a>>,
    ) -> Result<&'c mut Connection<'a>, Fault> {
        if line.is_none() {
            *line = Some(session(self.mailbox, connector, self.tokens, self.pulse).await?);
        }
        line.as_mut().ok_or(Fault::Closed { step: "login" })
    }

    async fn folder(
        &mut self,
        connector: &Connector<'_>,
        line: &mut Option<Connection<'a>>,
        folder: &Folder,
        status: Result<FolderStatus, Fault>,
        answer: &mut FolderPoll,
    ) -> Result<Pending, Fault> {
        let (account, name) = (self.mailbox.name.as_str(), folder.name.as_str());
        let connection = self.ensure(connector, line).await?;
        let status = match status {
            Ok(status) => status,
            Err(fault) => return Err(folders::explain(connection, name, fault).await),
        };
        answer.messages = status.messages;
        let mut pending = Pending {
            at: 0,
            folder: folder.clone(),
            uid_validity: status.uid_validity,
            handed: Vec::new(),
            leftover: Vec::new(),
        };
        let place = (account, name);
        let resume = Resume::of(self.remembered, place, (status.uid_validity, status.uid_next));
        let tidies = |resume: &Resume| !self.only_again && resume.last_uid > 0 && self.mailbox.tidies();
        let quiet = if self.only_again { resume.again.is_empty() } else { resume.is_at_end(status.uid_next) };
        // Where the server says nothing here, it does when the folder is opened.
        let quiet = quiet && status.uid_validity != 0;
        if quiet && resume.again.is_empty() && !(tidies(&resume) && status.messages > 0) {
            return Ok(pending);
        }
        let write = self.mailbox.tidies();
        let opened = folders::open(connection, folder, write).await?;
        // It may have changed since STATUS, or the server gave none there.
        let resume = Resume::of(self.remembered, place, (opened.uid_validity, opened.uid_next));
        let last_uid = resume.last_uid;
        if let Some(anew) = resume.anew {
            answer.renumbered = true;
            tracing::warn!("mailbox `{account}`, folder `{name}`: {}", anew.told(&opened));
        }
        pending.uid_validity = opened.uid_validity;
        answer.messages = opened.exists;
        if tidies(&resume) {
            match after::left_over(connection, self.mailbox, (name, &opened), last_uid, self.remembered).await {
                Ok(mails) => pending.leftover = mails,
                // What is new is fetched all the same.
                Err(fault @ Fault::Refused { .. }) => {
                    answer.errors.push(fault.at(account, Some(name), None).to_string())
                }
                Err(fault) => return Err(fault),
            }
        }
        let (list, again) = self.wanted(connector, line, folder, &opened, &resume).await?;
        let end = if self.only_again { last_uid } else { opened.uid_next.saturating_sub(1).max(last_uid) };
        let limit = self.mailbox.limit(self.limits);
        let mut haul = Haul::new((account, name, opened.uid_validity), list, (last_uid, end), limit, self.sink);
        haul.ask_again(again);
        haul.take_out_large()?;
        let haul = RefCell::new(haul);
        let crew = Crew {
            mailbox: self.mailbox,
            connector,
            tokens: self.tokens,
            pulse: self.pulse,
            folder,
            opened: &opened,
            write,
        };
        let result = crew.download(line, &haul).await;
        let mut haul = haul.into_inner();
        haul.advance();
        if haul.counts.wrong_sizes > 1 {
            tracing::warn!("mailbox `{account}`, folder `{name}`: {} sizes announced wrongly", haul.counts.wrong_sizes);
        }
        answer.take_in(&haul, self.only_again);
        pending.handed = std::mem::take(&mut haul.handed);
        match result {
            // What was handed over is committed and may be tidied up, whatever became of the rest.
            Err(fault) if !matches!(fault, Fault::Stopped | Fault::Store { .. }) && !pending.handed.is_empty() => {
                answer.failed = true;
                answer.errors.push(fault.at(account, Some(name), None).to_string());
                Ok(pending)
            }
            Err(fault) => Err(fault),
            Ok(()) => Ok(pending),
        }
    }

    /// Lists the messages to download: what is new, and what is asked for again.
    async fn wanted(
        &self,
        connector: &Connector<'_>,
        line: &mut Option<Connection<'a>>,
        folder: &Folder,
        opened: &Opened,
        resume: &Resume,
    ) -> Result<(Vec<Wanted>, Vec<u32>), Fault> {
        let connection = self.ensure(connector, line).await?;
        let again = match survey::present(connection, &resume.again).await {
            Err(fault @ Fault::Refused { .. }) => {
                tracing::warn!("{}", fault.at(&self.mailbox.name, Some(&folder.name), None));
                Vec::new()
            }
            there => there?,
        };
        if self.only_again || opened.exists == 0 || resume.is_at_end(opened.uid_next) {
            return Ok((Vec::new(), again));
        }
        let list = match survey::survey(connection, opened, resume.last_uid, true).await {
            Err(fault) if fault.ends_connection() => {
                // One message can be too much for a server even to tell its size.
                tracing::warn!("{}", fault.at(&self.mailbox.name, Some(&folder.name), None));
                *line = None;
                let connection = self.ensure(connector, line).await?;
                let anew = folders::open(connection, folder, self.mailbox.tidies()).await?;
                if anew.uid_validity != opened.uid_validity {
                    return Err(Fault::numbered_anew());
                }
                survey::survey(connection, opened, resume.last_uid, false).await?
            }
            list => list?,
        };
        Ok((list, again))
    }

    /// Waits for the commits, then does with the mails what the config wants.
    async fn tidy(
        &mut self,
        connector: &Connector<'_>,
        line: &mut Option<Connection<'a>>,
        pending: Vec<Pending>,
        poll: &mut MailboxPoll,
    ) -> Result<(), Fault> {
        if !self.mailbox.tidies() || poll.stopped || self.only_again {
            return Ok(());
        }
        let committed = self.commits_of(&pending)?;
        for todo in pending {
            let mut mails = todo.leftover;
            mails.extend(
                committed
                    .iter()
                    .filter(|one| one.folder == todo.folder.name && one.uid_validity == todo.uid_validity)
                    .map(|one| (one.uid, one.kind)),
            );
            mails.retain(|(_, kind)| *after::wish(self.mailbox, *kind) != crate::config::After::Keep);
            if mails.is_empty() {
                continue;
            }
            let mut tidied = Tidied::default();
            let result = async {
                let connection = self.ensure(connector, line).await?;
                let opened = folders::open(connection, &todo.folder, true).await?;
                if opened.uid_validity != todo.uid_validity {
                    let text = "the server numbered its mails anew meanwhile".to_owned();
                    return Err(Fault::After { what: "tidied up".to_owned(), text });
                }
                after::tidy(connection, self.mailbox, &opened, &mails, &mut tidied).await
            }
            .await;
            let Some(answer) = poll.folders.get_mut(todo.at) else { continue };
            (answer.moved, answer.deleted, answer.flagged) = (tidied.moved, tidied.deleted, tidied.flagged);
            if tidied.only_marked > 0 {
                let text = format!(
                    "{} mails are marked \\Deleted but not removed: the server lacks UIDPLUS, and a plain EXPUNGE would delete what \
                     others marked; remove them with a mail program, or use after = \"flag:…\"",
                    tidied.only_marked
                );
                tracing::warn!("mailbox `{}`, folder `{}`: {text}", self.mailbox.name, todo.folder.name);
            }
            if matches!(result, Err(Fault::Stopped)) {
                // The rest is left to the next poll; the command under way may still be answered.
                poll.stopped = true;
                *line = None;
                return Ok(());
            }
            if let Err(fault) = result {
                if fault.ends_connection() {
                    *line = None;
                }
                answer.failed = true;
                answer.errors.push(fault.at(&self.mailbox.name, Some(&todo.folder.name), None).to_string());
            }
        }
        Ok(())
    }

    /// Waits until every mail handed over is committed, or the pipeline is closed.
    fn commits_of(&mut self, pending: &[Pending]) -> Result<Vec<Committed>, Fault> {
        let due: usize = pending.iter().map(|todo| todo.handed.len()).sum();
        let mut committed = Vec::with_capacity(due);
        let failed = || Fault::Store { text: "what was read is not committed; see the store's own error".to_owned() };
        if due > 0 {
            self.sink.flush().map_err(|_| failed())?;
        }
        while committed.len() < due {
            match self.commits.recv_timeout(Duration::from_secs(5)) {
                Ok(one) => committed.push(one),
                // A pipeline that failed says so when it is asked for something.
                Err(RecvTimeoutError::Timeout) => self.sink.flush().map_err(|_| failed())?,
                Err(RecvTimeoutError::Disconnected) => return Err(failed()),
            }
        }
        Ok(committed)
    }
}
