//! One item through unpacking and parsing: what each worker does.

use std::fs::File;
use std::io::Read;
use std::panic::AssertUnwindSafe;

use crate::fetch::{Content, Item, Origin};
use crate::parse::{Reader, ReaderLimits, Reading};
use crate::store::{DocumentRead, Found, ReadItem};
use crate::unpack::{Document, DocumentKind, Fault, Limits, MailHead, feedback_domain, tls_report_domain, unpack};

/// Longest failure report or TLS report that is looked into, bytes. They are small; only their domain is wanted.
const OTHER_REPORT_BYTES: u64 = 4 << 20;

/// Memory of all reports of one item, bytes: what the largest single report takes. An item may hold a thousand of them.
const ITEM_BYTES: u64 = 224 << 20;

/// Reads items, one after another, with buffers of its own. One per worker.
#[derive(Debug)]
pub struct ItemReader {
    reader: Reader,
    limits: Limits,
}

impl ItemReader {
    /// Makes a reader that keeps to the limits.
    pub fn new(limits: &Limits) -> Self {
        Self { reader: Reader::new(reader_limits(limits)), limits: limits.clone() }
    }

    /// Reads one item whole. Never fails: what cannot be read is a rejected document.
    pub fn read(&mut self, item: Item) -> ReadItem {
        self.read_watched(item, &mut |_| {})
    }

    /// Like [`ItemReader::read`]; tells `grown` on the way, and at the end, about how many bytes of memory the item's reports take.
    /// `grown` may wait until there is room.
    pub(super) fn read_watched(&mut self, item: Item, grown: &mut dyn FnMut(u64)) -> ReadItem {
        let content_hash = content_hash(&item);
        let mut documents = Vec::new();
        let mut xml_bytes = 0;
        let mut mail = None;
        if let Content::Refused(refusal) = &item.content {
            let found = Found::Rejected { code: refusal.code.to_owned(), reason: refusal.reason.clone() };
            documents.push(DocumentRead { place: String::new(), found });
        } else {
            // A panic can only be a defect of this program or of a library; one mail must not end every run that meets it.
            let read = std::panic::catch_unwind(AssertUnwindSafe(|| {
                mail = self.documents(&item, &mut documents, &mut xml_bytes, grown);
            }));
            if read.is_err() {
                self.reader = Reader::new(reader_limits(&self.limits));
                let reason = "this program failed on it, which is a defect: please report it".to_owned();
                documents.push(DocumentRead {
                    place: String::new(),
                    found: Found::Rejected { code: "internal".to_owned(), reason },
                });
            }
        }
        ReadItem {
            content_hash,
            size: item.size(),
            received_at: item.received_at.map(|at| at.timestamp()),
            mail,
            documents,
            xml_bytes,
            origin: item.origin,
            content: item.content,
        }
    }

    /// Opens an item and reads every document in it. Returns what its mail says of itself.
    fn documents(
        &mut self,
        item: &Item,
        documents: &mut Vec<DocumentRead>,
        xml_bytes: &mut u64,
        grown: &mut dyn FnMut(u64),
    ) -> Option<MailHead> {
        let (reader, limits) = (&mut self.reader, &self.limits);
        let (mut records, mut kept) = (0, 0);
        let unpacked = unpack(item, limits, &mut |document| {
            let place = document.place.clone();
            let mut weight = 0;
            let mut found = read_document(reader, document, xml_bytes, &mut |now| {
                weight = now;
                grown(kept + now);
            });
            if let Found::Report { report, .. } = &found {
                records += report.records.len();
                if records > limits.records as usize {
                    found = too_many_records(limits.records);
                } else if kept + weight > ITEM_BYTES {
                    found = too_heavy();
                } else {
                    kept += weight;
                }
            }
            documents.push(DocumentRead { place, found });
        });
        grown(kept);
        for Fault { code, place, text } in unpacked.faults {
            documents.push(DocumentRead { place, found: Found::Rejected { code: code.to_owned(), reason: text } });
        }
        note_containers(documents, unpacked.notes);
        settle(documents, unpacked.no_report);
        unpacked.mail
    }
}

const fn reader_limits(limits: &Limits) -> ReaderLimits {
    ReaderLimits { records: limits.records, text_bytes: limits.text_bytes, markup: limits.markup }
}

fn read_document(
    reader: &mut Reader,
    document: Document<'_>,
    xml_bytes: &mut u64,
    grown: &mut dyn FnMut(u64),
) -> Found {
    match document.kind {
        DocumentKind::Xml => {
            let mut counted = Counted { inner: document.content, bytes: 0 };
            let found = read_xml(reader, &mut counted, document.promised, grown);
            *xml_bytes += counted.bytes;
            found
        }
        DocumentKind::Json => match tls_report_domain(document.content, OTHER_REPORT_BYTES) {
            Ok(Some(domain)) => Found::TlsReport { domain: Some(domain).filter(|d| !d.is_empty()) },
            Ok(None) => not_a_report(document.promised, "JSON that is no SMTP TLS report".to_owned()),
            Err(Fault { code, text, .. }) => Found::Rejected { code: code.to_owned(), reason: text },
        },
        DocumentKind::FeedbackReport => {
            let mut bytes = Vec::new();
            match document.content.take(OTHER_REPORT_BYTES).read_to_end(&mut bytes) {
                Ok(_) => Found::FailureReport { domain: feedback_domain(&bytes) },
                Err(error) => unreadable(&error),
            }
        }
        DocumentKind::Other => read_xml(reader, document.content, document.promised, grown),
    }
}

fn read_xml(reader: &mut Reader, content: &mut dyn Read, promised: bool, grown: &mut dyn FnMut(u64)) -> Found {
    match reader.read_watched(content, grown) {
        Reading::Report(report) => {
            let (report_key, content_key) = (report.report_key(), report.content_key());
            Found::Report { report, report_key, content_key }
        }
        Reading::NotAReport(reason) => not_a_report(promised, reason),
        Reading::Rejected(rejection) => {
            let code = rejection.code.to_owned();
            Found::Rejected { code, reason: rejection.to_string() }
        }
        Reading::Unreadable(error) => unreadable(&error),
    }
}

/// What was announced as a report and holds something else is a broken report; what was not is somebody's mail.
fn not_a_report(promised: bool, reason: String) -> Found {
    if promised {
        Found::Rejected { code: "no-report-inside".to_owned(), reason: format!("announced as a report, but: {reason}") }
    } else {
        Found::NotAReport { reason }
    }
}

fn unreadable(error: &std::io::Error) -> Found {
    match Fault::of(error) {
        Some(fault) => Found::Rejected { code: fault.code.to_owned(), reason: fault.text.clone() },
        None => Found::Rejected { code: "unreadable".to_owned(), reason: error.to_string() },
    }
}

fn too_many_records(limit: u32) -> Found {
    Found::Rejected {
        code: "records".to_owned(),
        reason: format!(
            "the reports of this item hold more than {limit} records together: raise limits.records to read it"
        ),
    }
}

fn too_heavy() -> Found {
    Found::Rejected {
        code: "results_bytes".to_owned(),
        reason: format!(
            "the reports of this item take more than {} MiB of memory together: unpack it and import its files one by one",
            ITEM_BYTES >> 20
        ),
    }
}

/// A report's row also says what was odd about the containers around it.
fn note_containers(documents: &mut [DocumentRead], notes: Vec<crate::unpack::Note>) {
    for note in notes {
        for document in documents.iter_mut().filter(|document| note.is_about(&document.place)) {
            if let Found::Report { report, .. } = &mut document.found {
                let text = note.text.clone();
                report.warnings.push(crate::parse::Warning { code: note.code, line: 0, column: 0, text });
            }
        }
    }
}

/// Leaves what the ledger should say: other people's documents beside a report are no news, and an item without any
/// document has one row that says why.
fn settle(documents: &mut Vec<DocumentRead>, no_report: Option<String>) {
    let is_news = |document: &DocumentRead| !matches!(document.found, Found::NotAReport { .. });
    if documents.iter().any(is_news) {
        documents.retain(is_news);
        return;
    }
    let said = documents.drain(..).find_map(|document| match document.found {
        Found::NotAReport { reason } if !document.place.is_empty() => Some(format!("{}: {reason}", document.place)),
        Found::NotAReport { reason } => Some(reason),
        _ => None,
    });
    let reason = no_report.or(said).unwrap_or_else(|| "nothing in it that could be a report".to_owned());
    documents.push(DocumentRead { place: String::new(), found: Found::NotAReport { reason } });
}

/// Returns what the ledger tells an item's bytes by: the first 128 bits of BLAKE3, over the bytes, or over the origin where the
/// bytes were refused.
pub(crate) fn content_hash(item: &Item) -> u128 {
    let mut hasher = blake3::Hasher::new();
    match &item.content {
        Content::Bytes(bytes) => {
            hasher.update(bytes);
        }
        Content::File { path, .. } => {
            // A file that cannot be read again is hashed as far as it goes; unpacking says what is wrong with it.
            if let Ok(file) = File::open(path) {
                hasher.update_reader(file).ok();
            }
        }
        Content::Refused(_) => return refused_hash(&item.origin),
    }
    crate::store::hash_key(&hasher)
}

/// Returns what the ledger tells an item by whose bytes were refused.
pub(crate) fn refused_hash(origin: &Origin) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"refused ").update(origin.to_string().as_bytes());
    crate::store::hash_key(&hasher)
}

/// Counts the bytes that pass.
struct Counted<'a> {
    inner: &'a mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
