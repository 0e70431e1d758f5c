//! What one report says, as values: types only.

use std::net::IpAddr;
use std::sync::Arc;

use super::words::{Alignment, AuthResult, Disposition, PolicyWord};

/// Which schema a report follows, told by its namespace and its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaVariant {
    /// RFC 7489 appendix C.
    Rfc7489,
    /// RFC 9990: its namespace, or any element or word that only it has.
    Rfc9990,
    /// A draft older than RFC 7489 (no version element, `identities` and the like).
    Draft,
}

impl SchemaVariant {
    /// Returns the word of the store's column `schema_variant`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rfc7489 => "rfc7489",
            Self::Rfc9990 => "rfc9990",
            Self::Draft => "draft",
        }
    }
}

/// One DMARC aggregate report: a whole document, read.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who reports, and on which period.
    pub metadata: Metadata,
    /// The policy that the reporter found published.
    pub policy: Policy,
    /// The schema that the document follows.
    pub variant: SchemaVariant,
    /// Every record, in document order.
    pub records: Vec<Record>,
    /// The distinct results of the records; [`Record::results`] counts into this list.
    pub results: Vec<Arc<Results>>,
    /// Everything that the reader noticed and the document should not have had.
    pub warnings: Vec<Warning>,
}

/// `report_metadata`. Absent and unreadable values are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `org_name`: the reporter. Trimmed, in the case as written.
    pub reporter: Option<String>,
    /// `email` of the reporter.
    pub email: Option<String>,
    /// `extra_contact_info`.
    pub extra_contact: Option<String>,
    /// `generator` (RFC 9990).
    pub generator: Option<String>,
    /// `report_id`, whole.
    pub report_id: Option<String>,
    /// `date_range/begin`, seconds since 1970-01-01 UTC.
    pub begin: Option<i64>,
    /// `date_range/end`, seconds since 1970-01-01 UTC.
    pub end: Option<i64>,
    /// Every `error` text.
    pub errors: Vec<String>,
}

/// `policy_published`. Absent values are `None`: no `sp` from `p`, no `pct` of 100.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The policy domain: lower case, no trailing dot, A-labels.
    pub domain: Option<Arc<str>>,
    /// Alignment mode of DKIM.
    pub adkim: Option<Alignment>,
    /// Alignment mode of SPF.
    pub aspf: Option<Alignment>,
    /// Policy of the domain.
    pub p: Option<PolicyWord>,
    /// Policy of its subdomains.
    pub sp: Option<PolicyWord>,
    /// Policy of subdomains that do not exist (RFC 9091, RFC 9990).
    pub np: Option<PolicyWord>,
    /// Share of the mail that the policy applies to, percent (RFC 7489 only).
    pub pct: Option<u8>,
    /// Failure reporting options, as written.
    pub fo: Option<String>,
    /// `testing` (RFC 9990): true where the domain asked for one policy level less.
    pub testing: Option<bool>,
    /// `psd` (drafts of RFC 9990): y, n or u.
    pub psd: Option<String>,
    /// `discovery_method` (RFC 9990): psl or treewalk.
    pub discovery_method: Option<String>,
}

/// One `<record>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The source; IPv4-mapped IPv6 addresses are the IPv4 host. `None` where it cannot be read.
    pub source: Option<IpAddr>,
    /// `count`. `None` where it cannot be read, which adds nothing to any sum.
    pub messages: Option<u64>,
    /// Index into [`Report::results`].
    pub results: u32,
}

/// All of a record but its source and count. Records of one report, and of many reports, share few of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Names this value: a hash over everything below. Equal keys mean equal results.
    pub key: u128,
    /// `policy_evaluated/disposition`.
    pub disposition: Option<Disposition>,
    /// `policy_evaluated/dkim` is pass.
    pub dkim_aligned: Option<bool>,
    /// `policy_evaluated/spf` is pass.
    pub spf_aligned: Option<bool>,
    /// RFC 5322 From domain, normalised like the policy domain.
    pub header_from: Option<Arc<str>>,
    /// RFC 5321 MAIL FROM domain. `Some("")` is the null sender.
    pub envelope_from: Option<Arc<str>>,
    /// Domain of the recipient.
    pub envelope_to: Option<Arc<str>>,
    /// Every `auth_results/dkim`, in document order.
    pub dkim: Vec<DkimResult>,
    /// Every `auth_results/spf`, in document order.
    pub spf: Vec<SpfResult>,
    /// Every `policy_evaluated/reason`, in document order.
    pub reasons: Vec<Reason>,
}

/// One `auth_results/dkim`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DkimResult {
    /// Signing domain `d=`, normalised.
    pub domain: Option<Arc<str>>,
    /// Selector `s=`.
    pub selector: Option<Arc<str>>,
    /// The result.
    pub result: Option<AuthResult>,
    /// `human_result`.
    pub human_result: Option<Arc<str>>,
}

/// One `auth_results/spf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfResult {
    /// The domain checked, normalised.
    pub domain: Option<Arc<str>>,
    /// `mfrom` or `helo`, as written in lower case.
    pub scope: Option<Arc<str>>,
    /// The result.
    pub result: Option<AuthResult>,
    /// `human_result` (RFC 9990).
    pub human_result: Option<Arc<str>>,
}

/// One `policy_evaluated/reason`: why the receiver did not do what the policy asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// `type` in lower case; words outside the standards stay as written.
    pub kind: Option<Arc<str>>,
    /// `comment`.
    pub comment: Option<Arc<str>>,
}

/// Something that a document should not have had, and was read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A fixed word for the kind, such as `unknown-word`: stable, for grouping.
    pub code: &'static str,
    /// Line and column in the document, counted from 1; 0 and 0 where there is no single place.
    pub line: u64,
    /// See `line`.
    pub column: u64,
    /// What was found and what was made of it.
    pub text: String,
}

impl Report {
    /// Returns the sum of the known counts.
    pub fn messages(&self) -> u64 {
        self.records.iter().filter_map(|r| r.messages).sum()
    }

    /// Returns the messages of records that are DKIM aligned or SPF aligned.
    pub fn pass_messages(&self) -> u64 {
        let passing = |r: &&Record| self.results.get(r.results as usize).is_some_and(|x| x.dmarc_pass());
        self.records.iter().filter(passing).filter_map(|r| r.messages).sum()
    }
}

impl Results {
    /// Returns whether the reporter's verdict is DMARC pass. Unknown is not pass.
    pub fn dmarc_pass(&self) -> bool {
        self.dkim_aligned == Some(true) || self.spf_aligned == Some(true)
    }

    /// Returns whether any DKIM result says pass, aligned or not.
    pub fn dkim_raw_pass(&self) -> bool {
        self.dkim.iter().any(|d| d.result == Some(AuthResult::Pass))
    }

    /// Returns whether any SPF result says pass, aligned or not.
    pub fn spf_raw_pass(&self) -> bool {
        self.spf.iter().any(|s| s.result == Some(AuthResult::Pass))
    }

    /// Returns our own verdict on DKIM: some passing signature whose domain aligns with header from.
    pub fn dkim_recomputed(&self, mode: Option<Alignment>) -> bool {
        let mut passing = self.dkim.iter().filter(|d| d.result == Some(AuthResult::Pass));
        passing.any(|d| aligned(d.domain.as_deref(), self.header_from.as_deref(), mode))
    }

    /// Returns our own verdict on SPF: a passing MAIL FROM (or unscoped) result whose domain aligns with header from.
    pub fn spf_recomputed(&self, mode: Option<Alignment>) -> bool {
        // RFC 7489 section 4.1: SPF's part in DMARC is the MAIL FROM identity, not HELO.
        let mut passing =
            self.spf.iter().filter(|s| s.result == Some(AuthResult::Pass) && s.scope.as_deref() != Some("helo"));
        passing.any(|s| aligned(s.domain.as_deref(), self.header_from.as_deref(), mode))
    }
}

/// RFC 7489 section 3.1: identifier alignment. Relaxed is the default mode.
fn aligned(domain: Option<&str>, header_from: Option<&str>, mode: Option<Alignment>) -> bool {
    let (Some(domain), Some(header_from)) = (domain, header_from) else { return false };
    if domain.is_empty() || header_from.is_empty() {
        return false;
    }
    match mode.unwrap_or(Alignment::Relaxed) {
        Alignment::Strict => domain == header_from,
        Alignment::Relaxed => super::org_domain(domain) == super::org_domain(header_from),
    }
}
