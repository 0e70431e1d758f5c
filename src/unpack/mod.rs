//! Item → attachments → documents, by content and within limits. Knows nothing of what documents say.

mod decode;
mod gzip;
mod limits;
mod mail;
mod mime;
mod open;
mod other_reports;
mod place;
mod promise;
mod sniff;
mod stream;
mod zip;

use std::cell::Cell;
use std::io::Read;

use crate::fetch::{Content, Item, Origin};

pub use limits::Limits;
pub use other_reports::{feedback_domain, tls_report_domain};

/// Opens `item` and calls `each` for every document in it, in order, streaming the document's bytes.
///
/// Never fails: what could not be opened is in [`Unpacked::faults`], and the rest is read all the same.
pub fn unpack(item: &Item, limits: &Limits, each: &mut dyn FnMut(Document<'_>)) -> Unpacked {
    run(item, limits, each, None).0
}

/// Like [`unpack`], and says what was met on the way, one node for each mail, part, container and document.
pub fn unpack_tree(item: &Item, limits: &Limits, each: &mut dyn FnMut(Document<'_>)) -> (Unpacked, Vec<Node>) {
    run(item, limits, each, Some(Vec::new()))
}

fn run(
    item: &Item,
    limits: &Limits,
    each: &mut dyn FnMut(Document<'_>),
    nodes: Option<Vec<Node>>,
) -> (Unpacked, Vec<Node>) {
    let budget = stream::Budget { item: item.size(), inflated: Cell::new(0) };
    let mut opener = open::Opener::new(limits, &budget, each, nodes);
    let (name, certainly_mail) = match &item.origin {
        Origin::File { path, member } => (path.rsplit(['/', '\\']).next().unwrap_or(path), member.is_some()),
        Origin::Mailbox { .. } => ("", true),
    };
    match &item.content {
        Content::Bytes(bytes) => opener.bare(&mut stream::Memory(bytes), bytes.len() as u64, name, certainly_mail),
        Content::File { path, size } => opener.file(path, *size, name, certainly_mail),
        Content::Refused(refusal) => {
            opener.fault(Fault { code: refusal.code, place: String::new(), text: refusal.reason.clone() });
        }
    }
    (opener.out, opener.nodes.unwrap_or_default())
}

/// One line of the tree of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// How deep it is in the tree; 0 is the item itself.
    pub level: u32,
    /// Where it is: like [`Document::place`].
    pub place: String,
    /// What it is: a media type, a container, a document.
    pub what: String,
    /// Whether it is a document, which was handed on.
    pub document: bool,
}

/// What a document's first bytes promise, once every container around it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// Markup: may be an aggregate report.
    Xml,
    /// JSON: may be an SMTP TLS report (RFC 8460).
    Json,
    /// `message/feedback-report` (RFC 5965): a failure report.
    FeedbackReport,
    /// Nothing that this program reads.
    Other,
}

/// One document on its way to the reader.
///
/// A document of kind [`DocumentKind::Other`] is only handed on where it is [`Document::promised`]: something was
/// announced as a report and is none, which is a rejection with a reason, not a mail to pass over.
pub struct Document<'a> {
    /// The way to it inside the item, outermost first: `part 2, report.zip, report.xml`. Empty for a bare file.
    pub place: String,
    /// What its first bytes promise.
    pub kind: DocumentKind,
    /// Whether a name, a type or the mail's subject announces an aggregate report. What is promised and turns out to be
    /// something else is `rejected`; what is not promised and no report is `not-a-report`.
    pub promised: bool,
    /// Its bytes, inflated as they are read. A limit or damage shows as an error that [`Fault::of`] understands, and may
    /// show in the very last bytes: what is to be kept must be read to its end.
    pub content: &'a mut dyn Read,
}

/// What `unpack` says of an item besides the documents in it.
#[derive(Clone, Debug, Default)]
pub struct Unpacked {
    /// The heads of the mail, where the item is one.
    pub mail: Option<MailHead>,
    /// Oddities of the containers: code and text (`gzip-trailing`, "2 bytes behind the gzip stream ignored").
    pub notes: Vec<Note>,
    /// Containers that could not be opened, each with its place. The rest of the item was read all the same.
    /// A fault that a document's reader met is not among them.
    pub faults: Vec<Fault>,
    /// Where no document was found: why the item is no report, in words ("a bounce", "no attachment that could be a report").
    pub no_report: Option<String>,
}

/// The head of a mail, as the ledger keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailHead {
    /// The From address.
    pub from: Option<String>,
    /// The decoded Subject.
    pub subject: Option<String>,
    /// The Date, seconds since 1970-01-01 UTC.
    pub date: Option<i64>,
}

/// Something odd about a container that did not keep it from being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A fixed word for the kind.
    pub code: &'static str,
    /// Where: like [`Document::place`].
    pub place: String,
    /// What was found and what was made of it.
    pub text: String,
}

impl Note {
    /// Returns whether the note is about what a document came in: its place is that of the document, or around it.
    pub fn is_about(&self, place: &str) -> bool {
        // The item itself is the empty place; steps are set apart as `Place::text` does it.
        let inside = |rest: &str| rest.is_empty() || rest.starts_with(", ");
        self.place.is_empty() || place.strip_prefix(&self.place).is_some_and(inside)
    }
}

/// Why a container or document was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// A fixed word: a limit's name (`document_bytes`), or the damage (`gzip-damaged`, `zip-encrypted`).
    pub code: &'static str,
    /// Where: like [`Document::place`].
    pub place: String,
    /// What happened, where (byte offset), and the remedy.
    pub text: String,
}

impl Fault {
    /// Returns the fault that an [`std::io::Error`] from [`Document::content`] carries, if it carries one.
    pub fn of(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Wraps the fault for a `Read` implementation to return.
    pub fn into_io(self) -> std::io::Error {
        std::io::Error::other(self)
    }
}
