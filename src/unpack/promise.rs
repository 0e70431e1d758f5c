//! What names, types and subjects announce: whether something was meant as an aggregate report.

/// The kind of content that a type or a name's ending announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `application/gzip`, `.gz`.
    Gzip,
    /// `application/zip`, `.zip`.
    Zip,
    /// `text/xml`, `.xml`.
    Xml,
    /// `application/json`, `.json`.
    Json,
    /// `text/plain`, `text/html`.
    Text,
}

impl Family {
    /// The word for it in a note.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zip => "zip",
            Self::Xml => "XML",
            Self::Json => "JSON",
            Self::Text => "text",
        }
    }

    /// What a media type (lower case, no parameters) announces.
    pub(super) fn of_type(media: &str) -> Option<Self> {
        let (kind, subtype) = media.split_once('/')?;
        match (kind, subtype) {
            ("text", "plain" | "html") => Some(Self::Text),
            (_, "xml") => Some(Self::Xml),
            (_, "json") => Some(Self::Json),
            (_, "gzip" | "x-gzip" | "gzip-compressed" | "x-gunzip" | "gzipped" | "x-gzip-compressed") => {
                Some(Self::Gzip)
            }
            (_, "zip" | "x-zip" | "x-zip-compressed" | "zip-compressed") => Some(Self::Zip),
            _ if subtype.ends_with("+gzip") => Some(Self::Gzip),
            _ if subtype.ends_with("+zip") => Some(Self::Zip),
            // `image/svg+xml` and the office types are XML, but nobody sends a report as one.
            _ if kind == "application" && subtype.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }

    /// What the ending of a file name announces.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.trim_end().rsplit_once('.')?;
        [("gz", Self::Gzip), ("gzip", Self::Gzip), ("zip", Self::Zip), ("xml", Self::Xml), ("json", Self::Json)]
            .into_iter()
            .find(|(known, _)| ending.eq_ignore_ascii_case(known))
            .map(|(_, family)| family)
    }
}

/// How firmly something was announced as a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// Nothing announces a report.
    #[default]
    None,
    /// The name or type is that of a report's container or text: junk in it is a broken report, other XML in it is not.
    Form,
    /// The name or the subject is a report's, of RFC 7489 section 7.2.1.1: anything else in it is a broken report.
    Report,
}

impl Promise {
    /// What a file name announces.
    pub(super) fn of_name(name: &str) -> Self {
        if is_report_name(name) {
            return Self::Report;
        }
        let lower = name.to_ascii_lowercase();
        if lower.ends_with(".xml") || lower.contains(".xml.") { Self::Form } else { Self::None }
    }

    /// What a media type announces for a part without a name. Zip is left out: most of it is spam.
    pub(super) fn of_family(family: Option<Family>) -> Self {
        match family {
            Some(Family::Gzip | Family::Xml) => Self::Form,
            _ => Self::None,
        }
    }

    /// What a mail's subject announces: `Report Domain: D Submitter: S Report-ID: I` (RFC 7489 section 7.2.1.1), at
    /// the very start, so that replies and forwards do not count.
    pub(super) fn of_subject(subject: &str) -> Self {
        const START: &str = "report domain:";
        let subject = subject.trim_start();
        match subject.get(..START.len()) {
            Some(start) if start.eq_ignore_ascii_case(START) => Self::Report,
            _ => Self::None,
        }
    }
}

/// Whether a name has the form `receiver!policy-domain!begin!end[!unique].extension`.
fn is_report_name(name: &str) -> bool {
    let mut fields = name.trim().split('!');
    let (Some(receiver), Some(domain), Some(begin), Some(end)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let seconds = |field: &str| {
        let digits = field.bytes().take_while(u8::is_ascii_digit).count();
        (8..=11).contains(&digits).then_some(digits)
    };
    // Some reporters leave the receiver empty.
    let _ = receiver;
    !domain.is_empty()
        && seconds(begin) == Some(begin.len())
        && seconds(end).is_some_and(|digits| digits == end.len() || end.as_bytes().get(digits) == Some(&b'.'))
}
