//! The connections that download one folder side by side, and what happens when one breaks.

use std::cell::RefCell;
use std::time::Duration;

use super::connect::Connector;
use super::connection::{Connection, Pulse};
use super::download;
use super::error::{Fault, ImapError};
use super::folders::{self, Folder};
use super::haul::Haul;
use super::login::session;
use super::oauth2::Tokens;
use crate::config::MailboxConfig;

/// How often a broken connection is made again without a message in between.
const RECONNECTS: u32 = 3;
/// The connections that download one folder.
pub(super) struct Crew<'c, 'p> {
    pub(super) mailbox: &'c MailboxConfig,
    pub(super) connector: &'c Connector<'c>,
    pub(super) tokens: &'c Tokens,
    pub(super) pulse: Pulse<'p>,
    pub(super) folder: &'c Folder,
    pub(super) opened: &'c folders::Opened,
    pub(super) write: bool,
}

impl<'p> Crew<'_, 'p> {
    /// Downloads what the haul wants, over as many connections as it is worth.
    pub(super) async fn download(
        &self,
        line: &mut Option<Connection<'p>>,
        haul: &RefCell<Haul<'_>>,
    ) -> Result<(), Fault> {
        let extra = if haul.borrow().is_large() { usize::from(self.mailbox.connections) - 1 } else { 0 };
        let helpers = futures::future::join_all((0..extra).map(|_| self.help(haul)));
        let (result, _) = futures::future::join(self.lead(line, haul), helpers).await;
        result?;
        // A helper whose connection broke gave its part back after the first connection was through.
        if haul.borrow().is_done() { Ok(()) } else { self.lead(line, haul).await }
    }

    /// The first connection: made again when it breaks, as long as that helps.
    async fn lead(&self, line: &mut Option<Connection<'p>>, haul: &RefCell<Haul<'_>>) -> Result<(), Fault> {
        let mut tries = 0;
        let mut seen = haul.borrow().handed.len();
        loop {
            let result = match line.as_mut() {
                Some(connection) => self.drain(connection, haul).await,
                None => self.again(line).await,
            };
            let Err(fault) = result else {
                if line.is_some() && haul.borrow().is_done() {
                    return Ok(());
                }
                continue;
            };
            *line = None;
            if !fault.ends_connection() && !matches!(fault, Fault::Unreachable { .. } | Fault::ConnectTimeout { .. }) {
                return Err(fault);
            }
            let handed = haul.borrow().handed.len();
            tries = if handed > seen { 0 } else { tries + 1 };
            seen = handed;
            if haul.borrow().is_done() {
                return Ok(());
            }
            if tries > RECONNECTS {
                return Err(fault);
            }
            tokio::time::sleep(Duration::from_millis(200 << tries)).await;
        }
    }

    /// Logs in anew and opens the folder.
    async fn again(&self, line: &mut Option<Connection<'p>>) -> Result<(), Fault> {
        let mut connection = session(self.mailbox, self.connector, self.tokens, self.pulse).await?;
        let opened = folders::open(&mut connection, self.folder, self.write).await?;
        if opened.uid_validity != self.opened.uid_validity {
            return Err(Fault::numbered_anew());
        }
        *line = Some(connection);
        Ok(())
    }

    async fn drain(&self, connection: &mut Connection<'p>, haul: &RefCell<Haul<'_>>) -> Result<(), Fault> {
        download::drain(connection, haul, usize::from(self.mailbox.requests_ahead)).await
    }

    /// Another connection: if the server does not allow it, the others do the work.
    async fn help(&self, haul: &RefCell<Haul<'_>>) {
        let mut line = None;
        let result = match self.again(&mut line).await {
            Ok(()) => match line.as_mut() {
                Some(connection) => self.drain(connection, haul).await,
                None => Ok(()),
            },
            Err(fault) => Err(fault),
        };
        match (result, line) {
            (Ok(()), Some(connection)) => connection.leave().await,
            (Ok(()), None) => {}
            (Err(fault), _) => {
                let error: ImapError = fault.at(&self.mailbox.name, Some(&self.folder.name), None);
                tracing::info!("a further connection ended: {error}");
            }
        }
    }
}
