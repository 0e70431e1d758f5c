//! The recursion through containers: looks at what comes out of each one and opens it, or hands it on as a document.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};

use super::gzip::Gunzip;
use super::place::{Place, shown};
use super::promise::{Family, Promise};
use super::sniff::{Looks, find_report_start, sniff};
use super::stream::{Budget, Capped, FileSource, Memory, Meter, Scratch, Source, Stream};
use super::zip::{Met, walk};
use super::{Document, DocumentKind, Fault, Limits, Node, Note, Unpacked};

/// What is known of something before its content is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct What {
    /// What its own name and type announce.
    pub(super) own: Promise,
    /// What they and everything around it announce.
    pub(super) promise: Promise,
    /// What the type announces.
    pub(super) by_type: Option<Family>,
    /// What the name announces.
    pub(super) by_name: Option<Family>,
    /// How many containers are around it.
    pub(super) depth: u32,
}

/// Why an item holds no report, the most telling first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// The mail is an answer of a machine: a bounce, a receipt, an out-of-office notice.
    Machine(String),
    /// There is something that could be a report but is closed to this program.
    Closed(String),
}

impl Why {
    fn text(self) -> String {
        let (Self::Machine(text) | Self::Closed(text)) = self;
        text
    }
}

/// The state of one item's unpacking.
pub(super) struct Opener<'a> {
    pub(super) limits: &'a Limits,
    pub(super) budget: &'a Budget,
    each: &'a mut dyn FnMut(Document<'_>),
    pub(super) out: Unpacked,
    /// Documents handed on.
    pub(super) documents: u64,
    /// MIME parts seen, and those of them that may hold documents.
    pub(super) parts: u32,
    pub(super) candidates: u32,
    /// What was passed over, for the reason.
    pub(super) ignored: Vec<String>,
    pub(super) why: Option<Why>,
    /// The item gave as much as one may; nothing more of it is opened.
    full: bool,
    /// The tree, where one is wanted, and how deep in it we are.
    pub(super) nodes: Option<Vec<Node>>,
    pub(super) level: u32,
}

impl<'a> Opener<'a> {
    pub(super) fn new(
        limits: &'a Limits,
        budget: &'a Budget,
        each: &'a mut dyn FnMut(Document<'_>),
        nodes: Option<Vec<Node>>,
    ) -> Self {
        Self {
            limits,
            budget,
            each,
            out: Unpacked::default(),
            documents: 0,
            parts: 0,
            candidates: 0,
            ignored: Vec::new(),
            why: None,
            full: false,
            nodes,
            level: 0,
        }
    }

    /// Adds one line to the tree, where a tree is wanted.
    pub(super) fn node(&mut self, at: &Place<'_>, what: impl FnOnce() -> String) {
        if let Some(nodes) = &mut self.nodes {
            nodes.push(Node { level: self.level, place: at.text(), what: what(), document: false });
        }
    }

    pub(super) fn note(&mut self, code: &'static str, at: &Place<'_>, text: String) {
        self.out.notes.push(Note { code, place: at.text(), text });
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.out.faults.push(fault);
    }

    /// Keeps the most telling reason.
    pub(super) fn because(&mut self, why: Why) {
        if self.why.as_ref().is_none_or(|known| why < *known) {
            self.why = Some(why);
        }
    }

    /// Documents and faults so far: whether something came of a container.
    pub(super) fn yield_so_far(&self) -> u64 {
        self.documents + self.out.faults.len() as u64
    }

    /// Whether the item has given as much as one may; a fault where it gets there.
    fn is_full(&mut self, at: &Place<'_>) -> bool {
        let limit = self.limits.attachments.saturating_mul(Limits::ALL_ARCHIVES);
        if !self.full && self.yield_so_far() >= u64::from(limit) {
            self.full = true;
            self.fault(Fault::attachments(at, limit, "documents in one item"));
        }
        self.full
    }

    /// Looks at `source` and opens or hands on what is in it.
    pub(super) fn open(&mut self, source: &mut dyn Source, at: &Place<'_>, what: What) {
        if self.is_full(at) {
            return;
        }
        let head = match source.head() {
            Ok(head) => head,
            Err(error) => {
                self.fault(Fault::of(&error).cloned().unwrap_or_else(|| Fault::unreadable(&error)));
                return;
            }
        };
        let looks = sniff(head);
        let excerpt = if matches!(looks, Looks::Other) { excerpt(head) } else { String::new() };
        self.compare(looks, at, &what);
        match looks {
            Looks::Gzip(skip) => self.gzip(source, skip, at, what),
            Looks::Zip => self.zip(source, at, what),
            Looks::Xml => self.document(source, DocumentKind::Xml, at, what.promise == Promise::Report),
            Looks::Json => self.document(source, DocumentKind::Json, at, what.promise == Promise::Report),
            Looks::Mail => self.nested_mail(source, at, what),
            Looks::Foreign(name, tool) => {
                self.node(at, || format!("{name}, not opened"));
                // Beside a mail's text there may be anything; a file was handed in because it may be a report.
                if what.own > Promise::None || self.out.mail.is_none() {
                    let text = format!(
                        "{name} data: only gzip and zip are opened; unpack it by hand ({tool}) and import that"
                    );
                    self.fault(Fault::new("unknown-container", at, text));
                    return;
                }
                self.because(Why::Closed(format!("an attachment is {name} data, which is not opened")));
            }
            Looks::Tnef => {
                self.node(at, || "TNEF (winmail.dat), not opened".to_owned());
                self.because(Why::Closed(
                    "the attachment is an Outlook winmail.dat (TNEF), which is not opened".to_owned(),
                ));
            }
            Looks::ResourceFork => {
                self.node(at, || "a macOS resource fork, passed over".to_owned());
                self.ignored.push("a macOS resource fork".to_owned());
            }
            Looks::Empty | Looks::Other if what.own > Promise::None => {
                self.document(source, DocumentKind::Other, at, true)
            }
            Looks::Empty => {
                self.node(at, || "empty".to_owned());
                self.ignored.push("nothing".to_owned());
            }
            Looks::Other => {
                self.node(at, || format!("passed over: {excerpt}"));
                self.ignored.push(if at.text().is_empty() { excerpt } else { at.text() });
            }
        }
    }

    /// Notes where name or type say something else than the content.
    fn compare(&mut self, looks: Looks, at: &Place<'_>, what: &What) {
        let found = match looks {
            Looks::Gzip(_) => Family::Gzip,
            Looks::Zip => Family::Zip,
            Looks::Xml => Family::Xml,
            Looks::Json => Family::Json,
            _ => return,
        };
        let mut says = Vec::new();
        if let Some(family) = what.by_type.filter(|&family| family != found) {
            says.push(format!("its type says {}", family.word()));
        }
        if let Some(family) = what.by_name.filter(|&family| family != found) {
            says.push(format!("its name says {}", family.word()));
        }
        if !says.is_empty() {
            self.note("type-mismatch", at, format!("{}, it holds {}", says.join(", "), found.word()));
        }
    }

    /// Hands on one document.
    pub(super) fn document(&mut self, source: &mut dyn Source, kind: DocumentKind, at: &Place<'_>, promised: bool) {
        self.documents += 1;
        self.node(at, || format!("{} document", kind.word()));
        if let Some(node) = self.nodes.as_mut().and_then(|nodes| nodes.last_mut()) {
            node.document = true;
        }
        let mut content = Capped::new(source, self.limits, at);
        (self.each)(Document { place: at.text(), kind, promised, content: &mut content });
    }

    /// Whether one more container may be opened inside `depth` others; a fault where not.
    pub(super) fn may_nest(&mut self, at: &Place<'_>, depth: u32) -> bool {
        let may = depth < self.limits.nesting;
        if !may {
            self.fault(Fault::nesting(at, self.limits));
        }
        may
    }

    fn gzip(&mut self, source: &mut dyn Source, skip: usize, at: &Place<'_>, what: What) {
        self.node(at, || "gzip".to_owned());
        if !self.may_nest(at, what.depth) {
            return;
        }
        if skip > 0 {
            source.consume(skip);
            self.note("gzip-leading", at, format!("{skip} bytes before the gzip data ignored"));
        }
        let mut inner = Stream::new(Meter::new(Gunzip::new(source, at), self.limits, self.budget, at));
        self.level += 1;
        self.open(&mut inner, at, what.inside());
        self.level -= 1;
        self.out.notes.append(&mut inner.inner.inner.notes);
    }

    fn zip(&mut self, source: &mut dyn Source, at: &Place<'_>, what: What) {
        self.node(at, || "zip".to_owned());
        if !self.may_nest(at, what.depth) {
            return;
        }
        self.level += 1;
        self.zip_of(source, at, what);
        self.level -= 1;
    }

    fn zip_of(&mut self, source: &mut dyn Source, at: &Place<'_>, what: What) {
        if let Some(bytes) = source.whole() {
            self.behind_zip(bytes, at);
            return self.members(Cursor::new(bytes), Cursor::new(bytes), at, what);
        }
        if let Some(path) = source.file() {
            return match (File::open(path), File::open(path)) {
                (Ok(directory), Ok(bodies)) => {
                    self.members(BufReader::new(directory), BufReader::new(bodies), at, what)
                }
                (Err(error), _) | (_, Err(error)) => {
                    self.fault(Fault::unreadable(&error));
                }
            };
        }
        // The directory is at the end: an archive inside another container must be held whole.
        let mut bytes = Scratch::empty();
        if !self.hold(source, at, bytes.get(), "a zip inside another container") {
            return;
        }
        let bytes = bytes.get().as_slice();
        self.behind_zip(bytes, at);
        self.members(Cursor::new(bytes), Cursor::new(bytes), at, what)
    }

    /// Notes bytes behind the archive's end record.
    fn behind_zip(&mut self, bytes: &[u8], at: &Place<'_>) {
        let Some(end) = memchr::memmem::rfind(bytes, b"PK\x05\x06") else { return };
        let Some(&[low, high]) = bytes.get(end + 20..end + 22) else { return };
        let behind = bytes.len().saturating_sub(end + 22 + usize::from(u16::from_le_bytes([low, high])));
        if behind > 0 {
            self.note("zip-trailing", at, format!("{behind} bytes behind the zip archive ignored"));
        }
    }

    /// Reads `source` into memory, up to the limit on mails.
    fn hold(&mut self, source: &mut dyn Source, at: &Place<'_>, bytes: &mut Vec<u8>, what: &str) -> bool {
        let limit = self.limits.mail_bytes;
        match source.take(limit.saturating_add(1)).read_to_end(bytes) {
            Ok(_) if bytes.len() as u64 > limit => {
                self.fault(Fault::mail_bytes(at, self.limits, what));
                false
            }
            Ok(_) => true,
            Err(error) => {
                self.fault(Fault::of(&error).cloned().unwrap_or_else(|| Fault::unreadable(&error)));
                false
            }
        }
    }

    fn members<R: Read + Seek>(&mut self, directory: R, bodies: R, at: &Place<'_>, what: What) {
        let (before, ignored_before) = (self.yield_so_far(), self.ignored.len());
        let mut seen = 0;
        let mut office = false;
        let mut skipped: Vec<String> = Vec::new();
        walk(directory, bodies, at, &mut |met| {
            match met {
                // Office documents and Java archives are zips of XML, and never reports.
                Met::Member("[Content_Types].xml" | "mimetype" | "META-INF/MANIFEST.MF", ..) => {
                    office = true;
                    return false;
                }
                Met::Member(name, place, member) => {
                    seen += 1;
                    if seen > self.limits.attachments {
                        self.fault(Fault::attachments(at, self.limits.attachments, "members in the zip"));
                        return false;
                    }
                    let own = Promise::of_name(name);
                    let what = What {
                        own,
                        promise: if what.promise == Promise::Report { Promise::Report } else { own },
                        by_type: None,
                        by_name: Family::of_name(name),
                        depth: what.depth + 1,
                    };
                    let ignored = self.ignored.len();
                    let mut inner = Stream::new(Meter::new(member, self.limits, self.budget, place));
                    self.open(&mut inner, place, what);
                    if self.ignored.len() > ignored {
                        skipped.push(name.to_owned());
                    }
                }
                Met::Skipped(name, why) => skipped.push(format!("{name} ({why})")),
                Met::Fault(fault) => {
                    // Members that share bytes are an attack: nothing more is opened.
                    let attack = fault.code == "zip-overlap";
                    seen += 1;
                    self.fault(fault);
                    if seen > self.limits.attachments {
                        self.fault(Fault::attachments(at, self.limits.attachments, "members in the zip"));
                    }
                    return !attack && seen <= self.limits.attachments && !self.is_full(at);
                }
            }
            !self.full
        });
        if office {
            self.ignored.truncate(ignored_before);
            self.ignored.push(format!(
                "an office document or program{}",
                if at.text().is_empty() { String::new() } else { format!(" ({})", at.text()) }
            ));
            return;
        }
        let listed = list(&skipped);
        if self.yield_so_far() == before && what.own > Promise::None {
            let found = if skipped.is_empty() { "is empty".to_owned() } else { format!("holds no XML, only {listed}") };
            self.fault(Fault::new(
                "zip-no-report",
                at,
                format!("the archive {found}; ask the reporter for the report"),
            ));
        } else if self.yield_so_far() > before && !skipped.is_empty() {
            self.note(
                "zip-member-ignored",
                at,
                format!("members of the archive that are no report, ignored: {listed}"),
            );
        }
    }

    /// Opens a mail that is inside something else.
    fn nested_mail(&mut self, source: &mut dyn Source, at: &Place<'_>, what: What) {
        if !self.may_nest(at, what.depth) {
            return;
        }
        if let Some(bytes) = source.whole() {
            self.mail(bytes, at, what.depth + 1, false);
            return;
        }
        let mut bytes = Scratch::empty();
        if !self.hold(source, at, bytes.get(), "the mail") {
            return;
        }
        self.mail(bytes.get(), at, what.depth + 1, false);
    }

    /// Opens a bare file: its content decides, its name is a hint.
    pub(super) fn bare(&mut self, source: &mut dyn Source, size: u64, name: &str, certainly_mail: bool) {
        let looks = match source.head() {
            Ok(head) => sniff(head),
            Err(error) => return self.fault(Fault::of(&error).cloned().unwrap_or_else(|| Fault::unreadable(&error))),
        };
        if certainly_mail || looks == Looks::Mail {
            if size > self.limits.mail_bytes {
                return self.fault(Fault::mail_bytes(&Place::ITEM, self.limits, "the mail"));
            }
            if let Some(bytes) = source.whole() {
                return self.mail(bytes, &Place::ITEM, 0, true);
            }
            let mut bytes = Scratch::empty();
            if self.hold(source, &Place::ITEM, bytes.get(), "the mail") {
                self.mail(bytes.get(), &Place::ITEM, 0, true);
            }
            return;
        }
        let own = Promise::of_name(name);
        let what = What { own, promise: own, by_type: None, by_name: Family::of_name(name), depth: 0 };
        self.open(source, &Place::ITEM, what);
        if self.yield_so_far() == 0 {
            let found = list(&self.ignored);
            self.out.no_report = Some(match looks {
                _ if found.is_empty() && self.why.is_some() => self.why.take().map(Why::text).unwrap_or_default(),
                Looks::Empty => "an empty file".to_owned(),
                Looks::Other => format!("neither a mail nor XML, gzip or zip: it starts with {found}"),
                _ => format!("holds no report: {found}"),
            });
        }
    }

    /// Opens a held text that has a report somewhere in it.
    pub(super) fn inline(&mut self, text: &[u8], at: &Place<'_>, what: What) {
        let start = find_report_start(text).unwrap_or_default();
        let blank = text.get(..start).unwrap_or_default().trim_ascii();
        if !blank.is_empty() {
            self.note("text-around", at, format!("{start} bytes of text before the report ignored"));
        }
        self.open(&mut Memory(text.get(start..).unwrap_or_default()), at, what)
    }

    /// Opens a large file as a stream.
    pub(super) fn file(&mut self, path: &std::path::Path, size: u64, name: &str, certainly_mail: bool) {
        match FileSource::open(path) {
            Ok(mut source) => self.bare(&mut source, size, name, certainly_mail),
            Err(error) => self.fault(Fault::unreadable(&error)),
        }
    }
}

impl What {
    /// The same for what comes out of a container without names.
    fn inside(self) -> Self {
        Self { by_type: None, by_name: None, depth: self.depth + 1, ..self }
    }
}

impl DocumentKind {
    fn word(self) -> &'static str {
        match self {
            Self::Xml => "XML",
            Self::Json => "JSON",
            Self::FeedbackReport => "failure report",
            Self::Other => "unreadable",
        }
    }
}

/// The first bytes as text, for a reason.
pub(super) fn excerpt(head: &[u8]) -> String {
    const LONGEST: usize = 40;
    let start = head.get(..head.len().min(LONGEST)).unwrap_or_default();
    let text = String::from_utf8_lossy(start);
    let text: String = text.chars().map(|c| if c.is_control() || c == '\u{fffd}' { '.' } else { c }).collect();
    format!("“{}{}”", text.trim_end(), if head.len() > LONGEST { "…" } else { "" })
}

/// A few names in one line.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = names.iter().take(SHOWN).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
