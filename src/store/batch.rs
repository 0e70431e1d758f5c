//! What the writer takes and gives: items that have been read, and what became of them.

use crate::fetch::{Content, Origin};
use crate::parse::Report;
use crate::unpack::MailHead;

/// One item after unpacking and parsing, ready for the ledger.
#[derive(Debug)]
pub struct ReadItem {
    /// Where it came from.
    pub origin: Origin,
    /// First 128 bits of BLAKE3 over its bytes; over its origin where the bytes were refused.
    pub content_hash: u128,
    /// Its size, bytes.
    pub size: u64,
    /// When the mailbox received it, seconds since 1970-01-01 UTC.
    pub received_at: Option<i64>,
    /// The head of the mail, where it is one.
    pub mail: Option<MailHead>,
    /// What was found in it, in order; never empty.
    pub documents: Vec<DocumentRead>,
    /// XML bytes read from it.
    pub xml_bytes: u64,
    /// Its bytes, for those that must be kept.
    pub content: Content,
}

/// One document of an item, read.
#[derive(Debug)]
pub struct DocumentRead {
    /// The way to it inside the item, outermost first; empty for the item itself.
    pub place: String,
    /// What it is.
    pub found: Found,
}

/// What a document is.
#[derive(Debug)]
pub enum Found {
    /// An aggregate report.
    Report {
        /// The report.
        report: Box<Report>,
        /// Its identity.
        report_key: u128,
        /// Its content.
        content_key: u128,
    },
    /// A failure report (RFC 6591, RFC 9991).
    FailureReport {
        /// The domain that it is about, where it says so.
        domain: Option<String>,
    },
    /// An SMTP TLS report (RFC 8460).
    TlsReport {
        /// The policy domain that it is about, where it says so.
        domain: Option<String>,
    },
    /// No report.
    NotAReport {
        /// Why, in words.
        reason: String,
    },
    /// Meant as a report, and refused.
    Rejected {
        /// A fixed word: a limit's name or a kind of damage.
        code: String,
        /// What happened, where, and the remedy.
        reason: String,
    },
}

/// What became of a document, as the ledger says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The report is in the store.
    Stored,
    /// The store held the same report already.
    Duplicate,
    /// The store held a report of the same identity with other content.
    Conflict,
    /// A failure report.
    FailureReport,
    /// An SMTP TLS report.
    TlsReport,
    /// No report.
    NotAReport,
    /// Refused; the bytes are kept.
    Rejected,
}

impl Outcome {
    /// Returns the word of the ledger's column `outcome`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::FailureReport => "failure-report",
            Self::TlsReport => "tls-report",
            Self::NotAReport => "not-a-report",
            Self::Rejected => "rejected",
        }
    }

    /// Order in which outcomes of one item matter to the mailbox: what needs a look, then a report, then the rest.
    pub const fn weight(self) -> u8 {
        match self {
            Self::Rejected | Self::Conflict => 0,
            Self::Stored => 1,
            Self::Duplicate => 2,
            Self::FailureReport | Self::TlsReport => 3,
            Self::NotAReport => 4,
        }
    }

    /// Returns the outcome of a word of the ledger.
    pub fn of(word: &str) -> Option<Self> {
        let all = [
            Self::Stored,
            Self::Duplicate,
            Self::Conflict,
            Self::FailureReport,
            Self::TlsReport,
            Self::NotAReport,
            Self::Rejected,
        ];
        all.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// How far a folder of a mailbox has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxPosition {
    /// The config's name of the mailbox.
    pub account: String,
    /// The folder.
    pub folder: String,
    /// UIDVALIDITY of the folder.
    pub uid_validity: u32,
    /// The highest UID whose items are all in the ledger.
    pub last_uid: u32,
}

/// What is committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Items in the order in which they were handed in.
    pub items: Vec<ReadItem>,
    /// Positions that these items allow.
    pub positions: Vec<MailboxPosition>,
}

/// What a run has done so far; the first keys of `import --format json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items looked at.
    pub items: u64,
    /// Reports stored.
    pub reports_stored: u64,
    /// Reports that the store held already.
    pub duplicates: u64,
    /// Reports whose identity the store held with other content.
    pub conflicts: u64,
    /// Items that are no report.
    pub not_reports: u64,
    /// Failure reports.
    pub failure_reports: u64,
    /// SMTP TLS reports.
    pub tls_reports: u64,
    /// Documents and items rejected.
    pub rejected: u64,
    /// Records stored.
    pub records: u64,
    /// Messages of the records stored.
    pub messages: u64,
    /// Messages stored that pass DMARC.
    pub dmarc_pass: u64,
    /// Bytes of the items.
    pub bytes_read: u64,
    /// XML bytes read.
    pub xml_bytes: u64,
}

impl Counts {
    /// Counts one document's outcome.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Stored => self.reports_stored += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::Conflict => self.conflicts += 1,
            Outcome::FailureReport => self.failure_reports += 1,
            Outcome::TlsReport => self.tls_reports += 1,
            Outcome::NotAReport => self.not_reports += 1,
            Outcome::Rejected => self.rejected += 1,
        }
    }
}
