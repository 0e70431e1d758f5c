//! One aggregate report as values, and its XML as different reporters write it.

use std::io::Write as _;
use std::net::IpAddr;

/// Which schema a reporter follows, and how it opens the root element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// RFC 7489 without a namespace, as most write it.
    Plain,
    /// RFC 7489 without its namespace, with the two of XML Schema.
    Xsi,
    /// RFC 7489 with its namespace.
    Rfc7489,
    /// RFC 9990.
    Rfc9990,
}

/// How a reporter writes its reports and sends them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reporter {
    /// `org_name`.
    pub(crate) org: &'static str,
    /// `email`, and the From of its mails.
    pub(crate) email: &'static str,
    /// `extra_contact_info`.
    pub(crate) contact: Option<&'static str>,
    /// Its domain in file names, subjects and Received lines.
    pub(crate) submitter: &'static str,
    /// Schema and root element.
    pub(crate) schema: Schema,
    /// The XML declaration, with what follows it.
    pub(crate) declaration: &'static str,
    /// One level of indentation; `None` writes everything on one line.
    pub(crate) indent: Option<&'static str>,
    /// Whether it writes `version`.
    pub(crate) version: bool,
    /// Whether it writes `fo`.
    pub(crate) fo: bool,
    /// Whether it writes `scope` (RFC 7489: MUST; half of the world does not).
    pub(crate) scope: bool,
    /// Whether it writes `envelope_from`.
    pub(crate) envelope_from: bool,
    /// What it writes as `envelope_to`, where it does.
    pub(crate) envelope_to: Option<&'static str>,
    /// `generator`.
    pub(crate) generator: Option<&'static str>,
    /// Seconds from midnight UTC to the begin of its days.
    pub(crate) cut: i64,
    /// Whether its periods end on the last second of the day, not on the first of the next.
    pub(crate) closed: bool,
    /// The container of its reports.
    pub(crate) container: Container,
}

/// What a report is packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// gzip.
    Gz,
    /// zip, one member.
    Zip,
    /// Nothing: bare XML.
    Xml,
}

/// `policy_published`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    /// The policy domain.
    pub(crate) domain: &'a str,
    /// Both alignment modes.
    pub(crate) mode: &'a str,
    /// `p`.
    pub(crate) p: &'a str,
    /// `sp`; `None` leaves it out.
    pub(crate) sp: Option<&'a str>,
    /// `np`, shown by RFC 9990 only.
    pub(crate) np: Option<&'a str>,
    /// `t=y`, shown by RFC 9990 only.
    pub(crate) testing: bool,
}

/// One DKIM result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dkim<'a> {
    /// `d=`.
    pub(crate) domain: &'a str,
    /// `s=`.
    pub(crate) selector: &'a str,
    /// The result.
    pub(crate) result: &'a str,
    /// `human_result`.
    pub(crate) human: Option<&'a str>,
}

/// One SPF result, of MAIL FROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spf<'a> {
    /// The domain checked.
    pub(crate) domain: &'a str,
    /// The result.
    pub(crate) result: &'a str,
}

/// Everything of a record but source, count and disposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape<'a> {
    /// RFC 5322 From domain.
    pub(crate) header_from: &'a str,
    /// RFC 5321 MAIL FROM domain.
    pub(crate) envelope_from: &'a str,
    /// DKIM aligned.
    pub(crate) dkim: bool,
    /// SPF aligned.
    pub(crate) spf: bool,
    /// Up to two signatures.
    pub(crate) dkim_results: [Option<Dkim<'a>>; 2],
    /// The SPF result.
    pub(crate) spf_result: Spf<'a>,
    /// An override reason: type and comment.
    pub(crate) reason: Option<(&'a str, &'a str)>,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The source.
    pub(crate) source: IpAddr,
    /// The count.
    pub(crate) count: u64,
    /// The disposition in RFC 7489's words; RFC 9990's `pass` is the writer's job.
    pub(crate) disposition: &'a str,
    /// The rest.
    pub(crate) shape: Shape<'a>,
}

impl Record<'_> {
    /// DKIM aligned or SPF aligned.
    pub(crate) fn pass(&self) -> bool {
        self.shape.dkim || self.shape.spf
    }
}

/// The head of one report: everything but its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// Who reports.
    pub(crate) reporter: &'a Reporter,
    /// `report_id`.
    pub(crate) id: &'a str,
    /// Begin, seconds since 1970 UTC.
    pub(crate) begin: i64,
    /// End, seconds since 1970 UTC.
    pub(crate) end: i64,
    /// The policy found.
    pub(crate) policy: Policy<'a>,
    /// `error`.
    pub(crate) error: Option<&'a str>,
}

impl Head<'_> {
    /// The file name without its ending: `receiver!policy-domain!begin!end` (RFC 7489 section 7.2.1.1), and a unique part.
    pub(crate) fn stem(&self, unique: Option<&str>) -> String {
        let tail = unique.map(|u| format!("!{u}")).unwrap_or_default();
        format!("{}!{}!{}!{}{tail}", self.reporter.submitter, self.policy.domain, self.begin, self.end)
    }
}

/// Writes the XML of one report.
pub(crate) fn write_report(out: &mut Vec<u8>, head: &Head<'_>, records: &[Record<'_>]) {
    write_head(out, head);
    for record in records {
        write_record(out, head.reporter, record);
    }
    write_tail(out, head.reporter);
}

/// Writes everything before the first record.
pub(crate) fn write_head(out: &mut Vec<u8>, head: &Head<'_>) {
    let reporter = head.reporter;
    let new = reporter.schema == Schema::Rfc9990;
    out.extend_from_slice(reporter.declaration.as_bytes());
    let mut xml = Xml { out, indent: reporter.indent, depth: 0 };
    xml.line(match reporter.schema {
        Schema::Plain => "<feedback>",
        Schema::Xsi => {
            "<feedback xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
        }
        Schema::Rfc7489 => "<feedback xmlns=\"http://dmarc.org/dmarc-xml/0.1\">",
        Schema::Rfc9990 => "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">",
    });
    xml.depth = 1;
    if reporter.version {
        xml.leaf("version", "1.0");
    }
    xml.open("report_metadata");
    xml.leaf("org_name", reporter.org);
    xml.leaf("email", reporter.email);
    if let Some(contact) = reporter.contact {
        xml.leaf("extra_contact_info", contact);
    }
    xml.leaf("report_id", head.id);
    xml.open("date_range");
    xml.number("begin", head.begin);
    xml.number("end", head.end);
    xml.close("date_range");
    if let Some(error) = head.error {
        xml.leaf("error", error);
    }
    if let Some(generator) = reporter.generator {
        xml.leaf("generator", generator);
    }
    xml.close("report_metadata");
    xml.open("policy_published");
    xml.leaf("domain", head.policy.domain);
    if new {
        xml.leaf("discovery_method", "treewalk");
    }
    xml.leaf("adkim", head.policy.mode);
    xml.leaf("aspf", head.policy.mode);
    xml.leaf("p", head.policy.p);
    if let Some(sp) = head.policy.sp {
        xml.leaf("sp", sp);
    }
    if new {
        if let Some(np) = head.policy.np {
            xml.leaf("np", np);
        }
        xml.leaf("testing", if head.policy.testing { "y" } else { "n" });
    } else {
        xml.leaf("pct", "100");
    }
    if reporter.fo {
        xml.leaf("fo", "1");
    }
    xml.close("policy_published");
}

/// Writes one record.
pub(crate) fn write_record(out: &mut Vec<u8>, reporter: &Reporter, record: &Record<'_>) {
    let new = reporter.schema == Schema::Rfc9990;
    let shape = &record.shape;
    let word = |pass| if pass { "pass" } else { "fail" };
    let mut xml = Xml { out, indent: reporter.indent, depth: 1 };
    xml.open("record");
    xml.open("row");
    xml.begin("source_ip");
    let _ = write!(xml.out, "{}", record.source);
    xml.end("source_ip");
    xml.number("count", record.count as i64);
    xml.open("policy_evaluated");
    let disposition = if new && record.pass() { "pass" } else { record.disposition };
    xml.leaf("disposition", disposition);
    xml.leaf("dkim", word(shape.dkim));
    xml.leaf("spf", word(shape.spf));
    if let Some((kind, comment)) = shape.reason {
        xml.open("reason");
        xml.leaf("type", kind);
        xml.leaf("comment", comment);
        xml.close("reason");
    }
    xml.close("policy_evaluated");
    xml.close("row");
    xml.open("identifiers");
    if let Some(to) = reporter.envelope_to {
        xml.leaf("envelope_to", to);
    }
    if reporter.envelope_from {
        xml.leaf("envelope_from", shape.envelope_from);
    }
    xml.leaf("header_from", shape.header_from);
    xml.close("identifiers");
    xml.open("auth_results");
    for dkim in shape.dkim_results.iter().flatten() {
        xml.open("dkim");
        xml.leaf("domain", dkim.domain);
        xml.leaf("selector", dkim.selector);
        xml.leaf("result", dkim.result);
        if let Some(human) = dkim.human {
            xml.leaf("human_result", human);
        }
        xml.close("dkim");
    }
    xml.open("spf");
    xml.leaf("domain", shape.spf_result.domain);
    if reporter.scope {
        xml.leaf("scope", "mfrom");
    }
    xml.leaf("result", shape.spf_result.result);
    xml.close("spf");
    xml.close("auth_results");
    xml.close("record");
}

/// Writes everything after the last record.
pub(crate) fn write_tail(out: &mut Vec<u8>, reporter: &Reporter) {
    Xml { out, indent: reporter.indent, depth: 1 }.close("feedback");
}

/// Elements, indented the reporter's way.
struct Xml<'o> {
    out: &'o mut Vec<u8>,
    indent: Option<&'static str>,
    depth: usize,
}

impl Xml<'_> {
    fn pad(&mut self) {
        if let Some(indent) = self.indent {
            for _ in 0..self.depth {
                self.out.extend_from_slice(indent.as_bytes());
            }
        }
    }

    fn newline(&mut self) {
        if self.indent.is_some() {
            self.out.push(b'\n');
        }
    }

    fn line(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.newline();
    }

    fn tag(&mut self, before: &str, name: &str) {
        self.out.extend_from_slice(before.as_bytes());
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }

    fn open(&mut self, name: &str) {
        self.pad();
        self.tag("<", name);
        self.newline();
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.pad();
        self.tag("</", name);
        self.newline();
    }

    fn begin(&mut self, name: &str) {
        self.pad();
        self.tag("<", name);
    }

    fn end(&mut self, name: &str) {
        self.tag("</", name);
        self.newline();
    }

    fn number(&mut self, name: &str, value: i64) {
        self.begin(name);
        let _ = write!(self.out, "{value}");
        self.end(name);
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.begin(name);
        for piece in text.split_inclusive(['&', '<', '>']) {
            let (plain, escaped) = match piece.as_bytes().last() {
                Some(b'&') => (&piece[..piece.len() - 1], "&amp;"),
                Some(b'<') => (&piece[..piece.len() - 1], "&lt;"),
                Some(b'>') => (&piece[..piece.len() - 1], "&gt;"),
                _ => (piece, ""),
            };
            self.out.extend_from_slice(plain.as_bytes());
            self.out.extend_from_slice(escaped.as_bytes());
        }
        self.end(name);
    }
}
