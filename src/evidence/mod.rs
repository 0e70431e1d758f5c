//! Delivery evidence: logs of mail systems and events of sending platforms → attempts in one normal form.
//!
//! The format is recognised by content ([`LogFormat`]). Bytes become lines (`chunks`), lines become what they say about a
//! queue id (`postfix`, `exim`) or about a message (`esp`, `table`), the `joiner` puts a queue's lines together, and
//! `store` keeps them once. A line is never an error: what is not understood is counted by shape.

mod answers;
mod attempt;
mod chunks;
mod csv;
mod element;
mod esp;
mod exim;
pub mod fold;
mod gateway;
mod joiner;
mod journal;
mod logs;
mod names;
mod open;
mod outcome;
mod postfix;
mod recipient;
mod reply;
mod sniff;
mod stamp;
mod store;
mod table;
mod worker;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use attempt::{Attempt, Batch, Counts, Envelope, IdKind, SourceFrom, Status};
pub use fold::{shape, unfold};
pub use gateway::{GatewayError, Gateways, INTERNAL, UNKNOWN};
pub use logs::{LogRead, Logs, YearRead};
pub use names::{MAX_RESPONSES, NONE, Response, Responses, Stage, Texts, enhanced_text};
pub use open::{read_bytes, read_path};
pub(crate) use outcome::{DELAY, Within, pairs_of};
pub use outcome::{
    DeliveryBy, DeliveryFlow, DeliveryRow, DeliveryScope, DeliverySummary, FEWEST_RECIPIENTS, LeftOut, Outcomes,
    Severity, summary,
};
pub use recipient::Recipients;
pub use sniff::LogFormat;
pub use stamp::Zone;
pub use store::{COMMIT, DeliveryWriter, FileKept, FileRead, is_judged, judge};
pub(crate) use store::{MOMENT, end_with, kept_recipients};

/// What the engine may use for delivery evidence, written or read. Order means nothing there, and keeping it costs.
const MEMORY: &str = "SET memory_limit = '300MB'; SET preserve_insertion_order = false";

/// How logs are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The year of the first stamp that has none; without it, the file's time says which year its last stamp is of.
    pub year: Option<i32>,
    /// The zone of stamps that have none.
    pub zone: Zone,
    /// The format, where the operator knows better than the content says.
    pub format: Option<LogFormat>,
    /// Threads for one large file.
    pub workers: usize,
    /// Bytes of a run of lines.
    pub chunk: usize,
    /// The present: the year of stamps that have none, where there is no file time.
    pub now: DateTime<Utc>,
}

impl Options {
    /// The defaults, as of `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self { year: None, zone: Zone::Utc, format: None, workers, chunk: chunks::CHUNK, now }
    }
}

/// What readers share: the options, and the tables that give texts their numbers.
#[derive(Debug)]
pub struct Reader {
    /// How logs are read.
    pub options: Options,
    /// How recipients are hashed.
    pub recipients: Recipients,
    /// The table of gateways.
    pub gateways: Gateways,
    /// Domains, hosts, addresses, campaigns, file names.
    pub texts: Texts,
    /// Response shapes.
    pub responses: Responses,
    /// Logs that were read before.
    pub logs: Logs,
}

impl Reader {
    /// A reader with empty tables and the bundled gateways.
    ///
    /// # Errors
    /// Like [`Gateways::bundled`].
    pub fn new(options: Options, recipients: Recipients) -> Result<Self, GatewayError> {
        let gateways = Gateways::bundled()?;
        let (texts, responses) = (Texts::default(), Responses::default());
        Ok(Self { options, recipients, gateways, texts, responses, logs: Logs::default() })
    }
}

/// Why a file gave no evidence at all, or the run had to stop.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No format is recognised.
    #[error(
        "{path}: no format is recognised ({seen}); known are postfix, journald, exim, sendgrid, ses, mailgun, postmark, sparkpost, csv and json lines; --log-format names one"
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// What its first lines look like.
        seen: String,
    },
    /// The file is recognised, and of no use as it is.
    #[error("{path}: {reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Whoever takes the batches broke off.
    #[error("{0}")]
    Sink(String),
}
