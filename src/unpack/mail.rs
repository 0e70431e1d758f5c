//! The way through a mail: its parts, what of them may hold a report, and what kind of mail it is otherwise.

use std::borrow::Cow;

use super::decode::{Base64, Base64Reader, looks_encoded, quoted_printable};
use super::mime::{self, Encoding, Fields, Parts};
use super::open::{Opener, What, Why};
use super::other_reports::feedback_type;
use super::place::{Place, shown};
use super::promise::{Family, Promise};
use super::sniff::{Looks, find_report_start, holds_report, sniff};
use super::stream::{Memory, Scratch, Stream};
use super::{DocumentKind, Fault, MailHead};

/// Multiparts inside multiparts. Each level is searched again for its boundary, so the depth costs time.
const MULTIPARTS: u32 = 32;

/// Parts of one mail that are looked at at all.
const PARTS: u32 = 4096;

/// Encoded text that is decoded at once; more is decoded as it is read.
const AT_ONCE: usize = 256 << 10;

/// Why most mails are no reports.
const NOTHING: &str = "no attachment that could be a report";

/// What is known of the mail around a part.
#[derive(Clone, Copy)]
struct Around<'m> {
    /// The part's number as in IMAP, empty for the mail itself.
    number: &'m str,
    /// What the subject announces.
    subject: Promise,
    /// Containers around the mail.
    depth: u32,
    /// Multiparts around the part.
    multiparts: u32,
    /// Whether this is inside a `multipart/report` of the type `feedback-report`.
    feedback: bool,
    /// Whether a part without a type is a mail (RFC 2046 section 5.1.5).
    digest: bool,
}

impl Opener<'_> {
    /// Walks through a mail. `outer` is for the item itself: its head is kept, and a reason given where it holds nothing.
    pub(super) fn mail(&mut self, raw: &[u8], at: &Place<'_>, depth: u32, outer: bool) {
        if raw.len() as u64 > self.limits.mail_bytes {
            return self.fault(Fault::mail_bytes(at, self.limits, "the mail"));
        }
        let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw).trim_ascii_start();
        let (fields, body) = mime::header(raw);
        let subject = mime::words(fields.subject);
        let promise = Promise::of_subject(&subject);
        let before = self.yield_so_far();
        if outer {
            if let Some(kind) = machine(&fields, &subject) {
                self.because(Why::Machine(kind.to_owned()));
            }
            let non_empty = |text: String| (!text.is_empty()).then_some(text);
            self.out.mail = Some(MailHead {
                from: mime::address(fields.from),
                subject: non_empty(subject),
                date: mime::date(fields.date),
            });
        }
        let around = Around { number: "", subject: promise, depth, multiparts: 0, feedback: false, digest: false };
        self.node(at, || "mail".to_owned());
        self.level += 1;
        self.part(&fields, body, at, around);
        self.level -= 1;
        if outer && self.yield_so_far() == before {
            self.empty_handed(promise, fields.count);
        }
    }

    /// Says why a mail holds no report, or that it should have held one.
    fn empty_handed(&mut self, promise: Promise, fields: usize) {
        let why = match self.why.take() {
            Some(Why::Machine(text)) => {
                self.out.no_report = Some(text);
                return;
            }
            Some(Why::Closed(text)) => text,
            None if fields == 0 => "neither a mail nor XML, gzip or zip".to_owned(),
            None => NOTHING.to_owned(),
        };
        if promise == Promise::Report {
            let why = if why == NOTHING { format!("it has {NOTHING}") } else { why };
            let text = format!("the subject announces a report, but {why}; ask the reporter to send it again");
            self.fault(Fault::new("no-attachment", &Place::ITEM, text));
        } else {
            self.out.no_report = Some(why);
        }
    }

    /// Looks at one part, or at the body of a mail as a whole.
    fn part(&mut self, fields: &Fields<'_>, body: &[u8], at: &Place<'_>, around: Around<'_>) {
        let mut media = fields.media();
        if media.is_empty() && around.digest {
            media.push_str("message/rfc822");
        }
        if media.starts_with("multipart/") {
            return self.multipart(&media, fields, body, at, around);
        }
        let name = fields.file_name();
        let step = step(around.number, name.as_deref());
        let at = &at.inside(&step);
        match media.as_str() {
            "message/rfc822" | "message/global" => {
                if around.feedback {
                    // The mail that a failure report is about: not ours to read.
                    self.node(at, || "the mail that failed, passed over".to_owned());
                    return;
                }
                let mut decoded = Scratch::empty();
                let text = decode(fields.encoding(), body, decoded.get());
                if matches!(sniff(&text), Looks::Gzip(_) | Looks::Zip | Looks::Xml) {
                    self.leaf(&media, name.as_deref(), fields, body, at, around);
                } else if self.may_nest(at, around.depth) {
                    self.mail(&text, at, around.depth + 1, false);
                }
            }
            "message/feedback-report" => {
                let mut decoded = Scratch::empty();
                let text = decode(fields.encoding(), body, decoded.get());
                match feedback_type(&text) {
                    Some(kind) if kind != "auth-failure" => {
                        let kind = shown(&kind).into_owned();
                        self.node(at, || format!("feedback of the type {kind}, passed over"));
                        self.because(Why::Machine(format!(
                            "a feedback report of the type {kind}, not about authentication"
                        )));
                    }
                    _ => {
                        self.document(&mut Memory(&text), DocumentKind::FeedbackReport, at, true);
                    }
                }
            }
            "message/delivery-status" | "message/global-delivery-status" => {
                self.node(at, || media.clone());
                self.because(Why::Machine("a bounce: a notice about the delivery of another mail".to_owned()));
            }
            "message/disposition-notification" => {
                self.node(at, || media.clone());
                self.because(Why::Machine("a read receipt".to_owned()));
            }
            "text/rfc822-headers" | "message/external-body" => self.node(at, || media.clone()),
            "message/partial" => {
                self.node(at, || media.clone());
                self.because(Why::Closed("the mail is a fragment of a larger one (message/partial)".to_owned()));
            }
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
                self.node(at, || format!("{media}, not opened"));
                let kind = match mime::parameter(fields.content_type, "smime-type").as_deref() {
                    Some("signed-data") => {
                        "signed so that its content is packed up (S/MIME); only clear signatures are read"
                    }
                    _ => "encrypted (S/MIME)",
                };
                self.because(Why::Closed(format!("the mail is {kind}")));
            }
            _ => self.leaf(&media, name.as_deref(), fields, body, at, around),
        }
    }

    fn multipart(&mut self, media: &str, fields: &Fields<'_>, body: &[u8], at: &Place<'_>, around: Around<'_>) {
        self.node(at, || {
            if around.number.is_empty() { media.to_owned() } else { format!("part {}: {media}", around.number) }
        });
        if around.multiparts >= MULTIPARTS {
            return self.fault(Fault::new(
                "nesting",
                at,
                format!("multiparts inside multiparts, deeper than {MULTIPARTS}"),
            ));
        }
        let mut around = Around { multiparts: around.multiparts + 1, digest: media == "multipart/digest", ..around };
        match media {
            "multipart/encrypted" => self.because(Why::Closed("the mail is encrypted".to_owned())),
            "multipart/report" => {
                let kind = mime::parameter(fields.content_type, "report-type").unwrap_or_default();
                around.feedback |= kind.eq_ignore_ascii_case("feedback-report");
                if kind.eq_ignore_ascii_case("delivery-status") {
                    self.because(Why::Machine("a bounce: a notice about the delivery of another mail".to_owned()));
                }
            }
            _ => {}
        }
        let named = mime::parameter(fields.content_type, "boundary").filter(|boundary| !boundary.is_empty());
        let mut parts = named.as_ref().and_then(|boundary| Parts::new(body, boundary.as_bytes()));
        if parts.is_none()
            && let Some(boundary) = mime::guess_boundary(body)
        {
            parts = Parts::new(body, boundary);
            let known = if named.is_some() { "does not occur" } else { "is missing" };
            self.note("mime-boundary", at, format!("the boundary that the type names {known}; guessed from the body"));
        }
        let Some(mut parts) = parts else {
            // Nothing to cut: perhaps the body is the report.
            self.note("mime-boundary", at, "no boundary in the body; read as one part".to_owned());
            let step = step(around.number, None);
            return self.leaf("", None, fields, body, &at.inside(&step), around);
        };
        self.level += 1;
        let mut index = 0;
        for raw in parts.by_ref() {
            index += 1;
            self.parts += 1;
            if self.parts > PARTS {
                let text = format!("more than {PARTS} parts in the mail, the rest was left unread");
                self.fault(Fault::new("attachments", at, text));
                break;
            }
            if self.candidates > self.limits.attachments {
                break;
            }
            let number =
                if around.number.is_empty() { index.to_string() } else { format!("{}.{index}", around.number) };
            let (fields, body) = mime::header(raw);
            self.part(&fields, body, at, Around { number: &number, ..around });
        }
        self.level -= 1;
        if !parts.closed && index > 0 && self.parts <= PARTS && self.candidates <= self.limits.attachments {
            self.note(
                "mime-unclosed",
                at,
                "the closing boundary is missing; the last part was read to the end".to_owned(),
            );
        }
    }

    /// Looks into a part that holds no further parts.
    fn leaf(
        &mut self,
        media: &str,
        name: Option<&str>,
        fields: &Fields<'_>,
        body: &[u8],
        at: &Place<'_>,
        around: Around<'_>,
    ) {
        let by_type = Family::of_type(media);
        let own = match name {
            Some(name) => {
                Promise::of_name(name).max(Promise::of_family(by_type.filter(|&family| family == Family::Xml)))
            }
            None => Promise::of_family(by_type),
        };
        let what = What {
            own,
            promise: own.max(around.subject),
            // Without a type a part is text/plain (RFC 2045 section 5.2).
            by_type: if media.is_empty() && !around.number.is_empty() { Some(Family::Text) } else { by_type },
            by_name: name.and_then(Family::of_name),
            depth: around.depth,
        };
        let mut decoded = Scratch::empty();
        let encoding = fields.encoding();
        // The encoding may be declared and not done, or done and not declared.
        let looks_raw = sniff(body.get(..body.len().min(super::sniff::HEAD)).unwrap_or_default());
        let encoding = match (encoding, looks_raw) {
            (Encoding::Base64, Looks::Gzip(_) | Looks::Zip | Looks::Xml) => {
                self.note("encoding-mismatch", at, "declared as base64, and is not".to_owned());
                Encoding::Identity
            }
            (Encoding::Identity, _) if looks_encoded(body) => {
                self.note("encoding-mismatch", at, "base64 that is not declared as such".to_owned());
                Encoding::Base64
            }
            (encoding, _) => encoding,
        };
        if encoding == Encoding::Base64 && body.len() > AT_ONCE && !is_text(media) {
            return self.large_leaf(body, media, at, what);
        }
        let junk = decode_counting(encoding, body, decoded.get());
        let held;
        let mut content = if encoding == Encoding::Identity { body } else { decoded.get().as_slice() };
        if encoding == Encoding::Base64 && looks_encoded(content) {
            let mut again = Vec::new();
            decode_counting(Encoding::Base64, content, &mut again);
            held = again;
            content = &held;
            self.note("encoding-mismatch", at, "base64 inside base64".to_owned());
        }
        let looks = sniff(content.get(..content.len().min(super::sniff::HEAD)).unwrap_or_default());
        let strict = own == Promise::None && is_text(media);
        let inline = strict && !matches!(looks, Looks::Gzip(_) | Looks::Zip);
        if inline && !is_inline_report(content, looks) {
            self.node(at, || format!("{}, passed over", if media.is_empty() { "text/plain" } else { media }));
            return;
        }
        if !self.count_candidate(looks, own, at) {
            return;
        }
        if junk > 0 {
            self.note("base64-junk", at, format!("{junk} characters that are no base64 ignored"));
        }
        if inline {
            self.inline(content, at, what)
        } else {
            self.open(&mut Memory(content), at, what)
        };
    }

    /// Looks into a large part, decoding it as it is read.
    fn large_leaf(&mut self, body: &[u8], media: &str, at: &Place<'_>, what: What) {
        let mut head = Vec::new();
        Base64::default().decode(body.get(..body.len().min(4096)).unwrap_or_default(), &mut head);
        let looks = sniff(&head);
        if what.own == Promise::None && matches!(looks, Looks::Other | Looks::Mail) {
            self.node(at, || format!("{media}, passed over"));
            return;
        }
        if !self.count_candidate(looks, what.own, at) {
            return;
        }
        let junk = if looks == Looks::Zip {
            // Archives are read from their end, so that they must be held.
            let mut bytes = Scratch::empty();
            let junk = decode_counting(Encoding::Base64, body, bytes.get());
            self.open(&mut Memory(bytes.get()), at, what);
            junk
        } else {
            let mut buffer = Scratch::empty();
            let mut stream = Stream::new(Base64Reader::new(body, std::mem::take(buffer.get())));
            self.open(&mut stream, at, what);
            let junk = stream.inner.junk();
            *buffer.get() = stream.into_inner().into_buffer();
            junk
        };
        if junk > 0 {
            self.note("base64-junk", at, format!("{junk} characters that are no base64 ignored"));
        }
    }

    /// Counts a part that may hold a document; false, with a fault the first time, where there are too many.
    fn count_candidate(&mut self, looks: Looks, own: Promise, at: &Place<'_>) -> bool {
        let may_hold = own > Promise::None
            || matches!(looks, Looks::Gzip(_) | Looks::Zip | Looks::Xml | Looks::Json | Looks::Mail);
        if !may_hold {
            return true;
        }
        self.candidates += 1;
        if self.candidates == self.limits.attachments.saturating_add(1) {
            self.fault(Fault::attachments(at, self.limits.attachments, "attachments"));
        }
        self.candidates <= self.limits.attachments
    }
}

/// Whether a part of this type is passed over unless it holds a report beyond doubt.
fn is_text(media: &str) -> bool {
    media.is_empty()
        || media.starts_with("text/") && !media.ends_with("/xml")
        || ["image/", "audio/", "video/", "font/"].iter().any(|kind| media.starts_with(kind))
        || matches!(
            media,
            "application/pgp-signature" | "application/pkcs7-signature" | "application/x-pkcs7-signature"
        )
}

/// Whether text is a report from its start on (a few stray characters may come before), or has a whole one in it.
fn is_inline_report(text: &[u8], looks: Looks) -> bool {
    const STRAY: usize = 8;
    if looks != Looks::Xml {
        return holds_report(text) && find_report_start(text).is_some();
    }
    let head = text.get(..text.len().min(super::sniff::HEAD)).unwrap_or_default();
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let starts =
        find_report_start(head).is_some_and(|start| head.get(..start).unwrap_or_default().trim_ascii().len() <= STRAY);
    starts && memchr::memmem::find(head, b"feedback").is_some() || holds_report(text)
}

/// The step of a place for one part.
fn step(number: &str, name: Option<&str>) -> String {
    match (number, name) {
        ("", None) => "body".to_owned(),
        ("", Some(name)) => shown(name).into_owned(),
        (number, None) => format!("part {number}"),
        (number, Some(name)) => format!("part {number}, {}", shown(name)),
    }
}

/// Decodes a body; borrows it where it is not encoded.
fn decode<'a>(encoding: Encoding, body: &'a [u8], room: &'a mut Vec<u8>) -> Cow<'a, [u8]> {
    if encoding == Encoding::Identity {
        return Cow::Borrowed(body);
    }
    decode_counting(encoding, body, room);
    Cow::Borrowed(room)
}

/// Decodes a body into `room`, unless it is not encoded; returns how many characters were no base64.
fn decode_counting(encoding: Encoding, body: &[u8], room: &mut Vec<u8>) -> u64 {
    match encoding {
        Encoding::Identity => 0,
        Encoding::QuotedPrintable => {
            quoted_printable(body, room);
            0
        }
        Encoding::Base64 => {
            let mut decoder = Base64::default();
            decoder.decode(body, room);
            decoder.finish(room);
            decoder.junk
        }
    }
}

/// What kind of automatic answer the head says the mail is. Reports are automatic too, but answer nothing.
fn machine(fields: &Fields<'_>, subject: &str) -> Option<&'static str> {
    let auto = fields.auto_submitted.trim_ascii();
    let starts = |text: &[u8], start: &str| {
        text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
    };
    let answers =
        ["out of office", "out of the office", "automatic reply", "autoreply", "auto-reply", "auto:", "abwesenheit"];
    if starts(auto, "auto-replied")
        || fields.autoreply
        || starts(fields.precedence.trim_ascii(), "auto_reply")
        || answers.iter().any(|start| starts(subject.trim_start().as_bytes(), start))
    {
        return Some("an automatic reply");
    }
    let daemon = mime::address(fields.from)
        .is_some_and(|from| starts(from.as_bytes(), "mailer-daemon@") || from.eq_ignore_ascii_case("mailer-daemon"));
    let bounces = [
        "undeliver",
        "delivery status notification",
        "mail delivery",
        "returned mail",
        "failure notice",
        "delivery failure",
    ];
    if daemon
        || fields.return_path.trim_ascii() == b"<>"
            && bounces.iter().any(|start| starts(subject.trim_start().as_bytes(), start))
    {
        return Some("a bounce: a notice about the delivery of another mail");
    }
    None
}
