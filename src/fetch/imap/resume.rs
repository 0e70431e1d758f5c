//! Where the poll of a folder goes on, by what the store remembers of it.

use super::Remembered;
use super::folders::Opened;

/// Where the poll of a folder goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// Everything up to this UID has been read.
    pub(super) last_uid: u32,
    /// Mails up to there that are asked for again: refused by the server, or over a limit that is higher now.
    pub(super) again: Vec<u32>,
    /// Why what was read before is read again.
    pub(super) anew: Option<Anew>,
}

/// Why everything is read again. What is stored is recognised by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anew {
    /// UIDVALIDITY changed (RFC 9051 section 2.3.1.1).
    Renumbered,
    /// UIDs never go back (RFC 9051 section 2.3.1.1). Where they do, a backup of the mail was put back, and they name other mails.
    WentBack,
}

impl Anew {
    /// Says it, for the log.
    pub(super) fn told(self, opened: &Opened) -> String {
        let what = match self {
            Self::Renumbered => format!("the server numbers its mails anew (UIDVALIDITY {})", opened.uid_validity),
            Self::WentBack => format!("the server's UIDs went back to {}", opened.uid_next),
        };
        format!("{what}; all are read again, what is stored is recognised")
    }
}

impl Resume {
    /// `uid_validity` and `uid_next` as the server says them, 0 where it does not.
    pub(super) fn of(
        remembered: &dyn Remembered,
        (account, folder): (&str, &str),
        (uid_validity, uid_next): (u32, u32),
    ) -> Self {
        let Some(known) = remembered.position(account, folder) else { return Self::default() };
        if known.uid_validity != uid_validity {
            return Self { anew: Some(Anew::Renumbered), ..Self::default() };
        }
        if uid_next != 0 && uid_next <= known.last_uid {
            return Self { anew: Some(Anew::WentBack), ..Self::default() };
        }
        Self { last_uid: known.last_uid, again: remembered.refused(account, folder, uid_validity), anew: None }
    }

    /// Returns whether nothing can lie above the position.
    pub(super) const fn is_at_end(&self, uid_next: u32) -> bool {
        uid_next != 0 && self.last_uid >= uid_next - 1
    }
}
