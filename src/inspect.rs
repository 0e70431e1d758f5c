//! One item as the program sees it: its parts, its documents, every warning with its place, the outcome. Stores nothing.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::fetch::Item;
use crate::parse::{Report, Warning};
use crate::pipeline::ItemReader;
use crate::query::share;
use crate::store::{DocumentRead, Found, Outcome};
use crate::unpack::{Limits, unpack_tree};

/// What is in an item.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Inspection {
    /// Where it came from.
    pub origin: String,
    /// Its size.
    pub bytes: u64,
    /// The From address, where it is a mail.
    pub from: Option<String>,
    /// The decoded Subject, where it is a mail.
    pub subject: Option<String>,
    /// The Date, where it is a mail.
    pub date: Option<DateTime<Utc>>,
    /// Mails, parts, containers and documents, in order, each with its depth.
    pub tree: Vec<TreeNode>,
    /// What became of each document, and of what could not be opened. One without a place where there is neither.
    pub documents: Vec<InspectedDocument>,
    /// The outcomes that the ledger would say: `stored` where the store does not hold the report yet.
    pub outcomes: Vec<String>,
}

/// One line of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TreeNode {
    /// How deep; 0 is the item itself.
    pub level: u32,
    /// The way to it, as in the ledger.
    pub place: String,
    /// What it is: a media type, a container, a document.
    pub what: String,
    /// Whether it is a document, which `documents` tells of.
    pub document: bool,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct InspectedDocument {
    /// The way to it, as in the ledger.
    pub place: String,
    /// The outcome that the ledger would say.
    pub outcome: String,
    /// A fixed word for the fault, where it is rejected.
    pub code: Option<String>,
    /// Why it is no report or rejected.
    pub reason: Option<String>,
    /// The domain that a failure or TLS report is about.
    pub subject_domain: Option<String>,
    /// The report in brief.
    pub report: Option<ReportBrief>,
    /// What the reader noticed.
    pub warnings: Vec<WarningView>,
}

/// A report in brief.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportBrief {
    /// Who sent it.
    pub reporter: Option<String>,
    /// Its id.
    pub report_id: Option<String>,
    /// The domain that it is about.
    pub policy_domain: Option<String>,
    /// The published policy.
    pub p: Option<String>,
    /// Start of its range.
    pub begin: Option<DateTime<Utc>>,
    /// End of its range.
    pub end: Option<DateTime<Utc>>,
    /// rfc7489, rfc9990 or draft.
    pub schema_variant: String,
    /// Records.
    pub records: u64,
    /// Messages.
    pub messages: u64,
    /// Messages that pass DMARC.
    pub dmarc_pass: u64,
    /// Their share.
    pub pass_rate: Option<f64>,
}

/// Something that the reader noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WarningView {
    /// A fixed word for the kind.
    pub code: String,
    /// Line in the document, from 1; absent where there is no single place, as with containers.
    pub line: Option<u64>,
    /// Column in the line, from 1.
    pub column: Option<u64>,
    /// What was found and what was made of it.
    pub text: String,
}

/// Reads an item as an import would, and says what is in it.
pub fn inspect(item: Item, limits: &Limits) -> Inspection {
    let (_, nodes) = unpack_tree(&item, limits, &mut |_| {});
    let (origin, bytes) = (item.origin.to_string(), item.size());
    let read = ItemReader::new(limits).read(item);
    let documents: Vec<InspectedDocument> = read.documents.iter().map(document).collect();
    let mut outcomes: Vec<String> = Vec::new();
    for document in &documents {
        if !outcomes.contains(&document.outcome) {
            outcomes.push(document.outcome.clone());
        }
    }
    let mail = read.mail.unwrap_or_default();
    let tree = nodes.into_iter().map(|node| TreeNode {
        level: node.level,
        place: node.place,
        what: node.what,
        document: node.document,
    });
    Inspection {
        origin,
        bytes,
        from: mail.from,
        subject: mail.subject,
        date: mail.date.and_then(time),
        tree: tree.collect(),
        documents,
        outcomes,
    }
}

fn time(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

fn document(read: &DocumentRead) -> InspectedDocument {
    let mut seen = InspectedDocument {
        place: read.place.clone(),
        outcome: String::new(),
        code: None,
        reason: None,
        subject_domain: None,
        report: None,
        warnings: Vec::new(),
    };
    let outcome = match &read.found {
        Found::Report { report, .. } => {
            seen.report = Some(brief(report));
            seen.warnings = report.warnings.iter().map(warning).collect();
            Outcome::Stored
        }
        Found::FailureReport { domain } => {
            seen.subject_domain.clone_from(domain);
            Outcome::FailureReport
        }
        Found::TlsReport { domain } => {
            seen.subject_domain.clone_from(domain);
            Outcome::TlsReport
        }
        Found::NotAReport { reason } => {
            seen.reason = Some(reason.clone());
            Outcome::NotAReport
        }
        Found::Rejected { code, reason } => {
            seen.code = Some(code.clone());
            seen.reason = Some(reason.clone());
            Outcome::Rejected
        }
    };
    outcome.word().clone_into(&mut seen.outcome);
    seen
}

fn brief(report: &Report) -> ReportBrief {
    let (messages, dmarc_pass) = (report.messages(), report.pass_messages());
    ReportBrief {
        reporter: report.metadata.reporter.clone(),
        report_id: report.metadata.report_id.clone(),
        policy_domain: report.policy.domain.as_deref().map(str::to_owned),
        p: report.policy.p.map(|word| word.word().to_owned()),
        begin: report.metadata.begin.and_then(time),
        end: report.metadata.end.and_then(time),
        schema_variant: report.variant.word().to_owned(),
        records: report.records.len() as u64,
        messages,
        dmarc_pass,
        pass_rate: share(dmarc_pass, messages),
    }
}

fn warning(warning: &Warning) -> WarningView {
    WarningView {
        code: warning.code.to_owned(),
        line: Some(warning.line).filter(|&line| line > 0),
        column: Some(warning.column).filter(|_| warning.line > 0),
        text: warning.text.clone(),
    }
}
