//! The element names of a report, and which of them stand inside which.

/// Declares the names; every name is written in lower case, as bytes: matching those looks at the length first.
macro_rules! tags {
    ($($variant:ident = $name:literal;)+) => {
        /// A known element name, whatever its case and namespace.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Tag { $($variant,)+ }

        impl Tag {
            /// Returns the name as the standards write it.
            pub(super) const fn name(self) -> &'static str {
                let name: &[u8] = match self { $(Self::$variant => $name,)+ };
                match std::str::from_utf8(name) {
                    Ok(name) => name,
                    Err(_) => "",
                }
            }

            /// Returns whether a local name is this one, as the standards write it.
            pub(super) fn is(self, local: &str) -> bool {
                let name: &[u8] = match self { $(Self::$variant => $name,)+ };
                name == local.as_bytes()
            }

            /// Reads a local name that is exactly as the standards write it.
            fn exact(local: &[u8]) -> Option<Self> {
                match local {
                    $($name => Some(Self::$variant),)+
                    // The drafts before RFC 7489, and the drafts of RFC 9990, had these.
                    b"identities" => Some(Self::Identifiers),
                    b"extensions" => Some(Self::Extension),
                    _ => None,
                }
            }
        }
    };
}

tags! {
    Feedback = b"feedback";
    Version = b"version";
    ReportMetadata = b"report_metadata";
    OrgName = b"org_name";
    Email = b"email";
    ExtraContactInfo = b"extra_contact_info";
    ReportId = b"report_id";
    DateRange = b"date_range";
    Begin = b"begin";
    End = b"end";
    Error = b"error";
    Generator = b"generator";
    PolicyPublished = b"policy_published";
    Domain = b"domain";
    Adkim = b"adkim";
    Aspf = b"aspf";
    P = b"p";
    Sp = b"sp";
    Np = b"np";
    Pct = b"pct";
    Fo = b"fo";
    Testing = b"testing";
    Psd = b"psd";
    DiscoveryMethod = b"discovery_method";
    Extension = b"extension";
    Record = b"record";
    Row = b"row";
    SourceIp = b"source_ip";
    Count = b"count";
    PolicyEvaluated = b"policy_evaluated";
    Disposition = b"disposition";
    Dkim = b"dkim";
    Spf = b"spf";
    Reason = b"reason";
    Type = b"type";
    Comment = b"comment";
    Identifiers = b"identifiers";
    HeaderFrom = b"header_from";
    EnvelopeFrom = b"envelope_from";
    EnvelopeTo = b"envelope_to";
    AuthResults = b"auth_results";
    Selector = b"selector";
    Result = b"result";
    HumanResult = b"human_result";
    Scope = b"scope";
}

/// The longest known name, `extra_contact_info`.
const LONGEST: usize = 18;

impl Tag {
    /// Reads a local name in any case. The flag says that its case is not the standards'.
    pub(super) fn read(local: &str) -> Option<(Self, bool)> {
        if let Some(tag) = Self::exact(local.as_bytes()) {
            return Some((tag, false));
        }
        let mut folded = [0; LONGEST];
        let folded = folded.get_mut(..local.len())?;
        folded.copy_from_slice(local.as_bytes());
        folded.make_ascii_lowercase();
        Self::exact(folded).map(|tag| (tag, true))
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
