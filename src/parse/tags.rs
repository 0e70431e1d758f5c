//! The element names of a report, and which of them stand inside which.

/// Declares the names; every name is written in lower case.
macro_rules! tags {
    ($($variant:ident = $name:literal;)+) => {
        /// A known element name, whatever its case and namespace.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Tag { $($variant,)+ }

        impl Tag {
            /// Returns the name as the standards write it.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Reads a local name that is exactly as the standards write it.
            fn exact(local: &str) -> Option<Self> {
                match local {
                    $($name => Some(Self::$variant),)+
                    // The drafts before RFC 7489, and the drafts of RFC 9990, had these.
                    "identities" => Some(Self::Identifiers),
                    "extensions" => Some(Self::Extension),
                    _ => None,
                }
            }
        }
    };
}

tags! {
    Feedback = "feedback";
    Version = "version";
    ReportMetadata = "report_metadata";
    OrgName = "org_name";
    Email = "email";
    ExtraContactInfo = "extra_contact_info";
    ReportId = "report_id";
    DateRange = "date_range";
    Begin = "begin";
    End = "end";
    Error = "error";
    Generator = "generator";
    PolicyPublished = "policy_published";
    Domain = "domain";
    Adkim = "adkim";
    Aspf = "aspf";
    P = "p";
    Sp = "sp";
    Np = "np";
    Pct = "pct";
    Fo = "fo";
    Testing = "testing";
    Psd = "psd";
    DiscoveryMethod = "discovery_method";
    Extension = "extension";
    Record = "record";
    Row = "row";
    SourceIp = "source_ip";
    Count = "count";
    PolicyEvaluated = "policy_evaluated";
    Disposition = "disposition";
    Dkim = "dkim";
    Spf = "spf";
    Reason = "reason";
    Type = "type";
    Comment = "comment";
    Identifiers = "identifiers";
    HeaderFrom = "header_from";
    EnvelopeFrom = "envelope_from";
    EnvelopeTo = "envelope_to";
    AuthResults = "auth_results";
    Selector = "selector";
    Result = "result";
    HumanResult = "human_result";
    Scope = "scope";
}

/// The longest known name, `extra_contact_info`.
const LONGEST: usize = 18;

impl Tag {
    /// Reads a local name in any case. The flag says that its case is not the standards'.
    pub(super) fn read(local: &str) -> Option<(Self, bool)> {
        if let Some(tag) = Self::exact(local) {
            return Some((tag, false));
        }
        let mut folded = [0; LONGEST];
        let folded = folded.get_mut(..local.len())?;
        folded.copy_from_slice(local.as_bytes());
        folded.make_ascii_lowercase();
        Self::exact(std::str::from_utf8(folded).ok()?).map(|tag| (tag, true))
    }

    /// Elements that hold a part of the report: one of them inside a place where it cannot stand shows that an element
    /// before it was never closed.
    pub(super) const fn is_structural(self) -> bool {
        matches!(
            self,
            Self::ReportMetadata
                | Self::PolicyPublished
                | Self::Record
                | Self::Row
                | Self::PolicyEvaluated
                | Self::Identifiers
                | Self::AuthResults
        )
    }
}

/// Where the reader stands: which element's content it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Feedback,
    Metadata,
    DateRange,
    Policy,
    Record,
    Row,
    Evaluated,
    Reason,
    Identifiers,
    Auth,
    Dkim,
    Spf,
    /// An element that holds text only.
    Leaf,
}

impl Place {
    /// Returns the place inside an element, where the element may stand here. The order of elements never matters.
    pub(super) const fn inside(self, tag: Tag) -> Option<Self> {
        Some(match (self, tag) {
            (Self::Feedback, Tag::ReportMetadata) => Self::Metadata,
            (Self::Feedback, Tag::PolicyPublished) => Self::Policy,
            (Self::Feedback, Tag::Record) => Self::Record,
            (Self::Metadata, Tag::DateRange) => Self::DateRange,
            (Self::Record, Tag::Row) => Self::Row,
            (Self::Record, Tag::Identifiers) => Self::Identifiers,
            (Self::Record, Tag::AuthResults) => Self::Auth,
            // Beside its row, not in it: seen where a reporter closes the row too early.
            (Self::Row | Self::Record, Tag::PolicyEvaluated) => Self::Evaluated,
            (Self::Evaluated, Tag::Reason) => Self::Reason,
            (Self::Auth, Tag::Dkim) => Self::Dkim,
            (Self::Auth, Tag::Spf) => Self::Spf,
            (Self::Feedback, Tag::Version)
            | (
                Self::Metadata,
                Tag::OrgName | Tag::Email | Tag::ExtraContactInfo | Tag::ReportId | Tag::Error | Tag::Generator,
            )
            | (Self::DateRange, Tag::Begin | Tag::End)
            | (
                Self::Policy,
                Tag::Domain
                | Tag::Adkim
                | Tag::Aspf
                | Tag::P
                | Tag::Sp
                | Tag::Np
                | Tag::Pct
                | Tag::Fo
                | Tag::Testing
                | Tag::Psd
                | Tag::DiscoveryMethod,
            )
            | (Self::Row, Tag::SourceIp | Tag::Count)
            | (Self::Evaluated, Tag::Disposition | Tag::Dkim | Tag::Spf)
            | (Self::Reason, Tag::Type | Tag::Comment)
            | (Self::Identifiers, Tag::HeaderFrom | Tag::EnvelopeFrom | Tag::EnvelopeTo)
            | (Self::Dkim, Tag::Domain | Tag::Selector | Tag::Result | Tag::HumanResult)
            | (Self::Spf, Tag::Domain | Tag::Scope | Tag::Result | Tag::HumanResult) => Self::Leaf,
            _ => return None,
        })
    }
}
