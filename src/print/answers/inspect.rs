//! What is in an item, as a tree.

use super::counted;
use crate::commands::InspectAnswer;
use crate::inspect::{InspectedDocument, Inspection, ReportBrief, TreeNode, WarningView};
use crate::print::{Answer, Cell, Page, Table, bytes, count, percent};
use crate::store::Outcome;

impl Answer for InspectAnswer {
    fn page(&self) -> Page {
        let mut page = Page::new();
        for (number, item) in self.items.iter().enumerate() {
            if number > 0 {
                page = page.line("");
            }
            page = item_page(page, item);
        }
        page = page.line("").table(table(&self.items));
        if self.more {
            page = page.line("There are more items: --limit shows more of them, --member one.");
        }
        page
    }
}

fn item_page(mut page: Page, item: &Inspection) -> Page {
    page = page.heading(format!("{} ({})", item.origin, bytes(item.bytes)));
    let head =
        [("from", item.from.clone()), ("subject", item.subject.clone()), ("date", item.date.map(|at| at.to_rfc3339()))];
    for (name, value) in head {
        if let Some(value) = value {
            page = page.line(format!("{name}: {value}"));
        }
    }
    let mut untold: Vec<&InspectedDocument> = item.documents.iter().collect();
    for (at, node) in item.tree.iter().enumerate() {
        let trunk = trunk(&item.tree, at);
        let name = node.place.rsplit(", ").next().unwrap_or_default();
        // A place is named once, at the first node that has it.
        let known =
            at.checked_sub(1).and_then(|before| item.tree.get(before)).is_some_and(|before| before.place == node.place);
        let label = if name.is_empty() || known || node.what.starts_with(name) {
            node.what.clone()
        } else {
            format!("{name}: {}", node.what)
        };
        page = page.line(format!("{trunk}{label}"));
        if node.document
            && let Some(told) = untold.iter().position(|document| document.place == node.place)
        {
            let document = untold.remove(told);
            let indent = " ".repeat(trunk.chars().count() + 2);
            for line in document_lines(document) {
                page = page.line(format!("{indent}{line}"));
            }
        }
    }
    for document in untold {
        for (at, line) in document_lines(document).into_iter().enumerate() {
            let place =
                if document.place.is_empty() || at > 0 { String::new() } else { format!("{}: ", document.place) };
            page = page.line(format!("{place}{line}"));
        }
    }
    let outcomes = item.outcomes.join(", ");
    // The store is not asked.
    let new = item.outcomes.iter().any(|outcome| outcome == Outcome::Stored.word());
    page.line(format!(
        "outcome: {outcomes}{}",
        if new { ", where the store has no report of that identity yet" } else { "" }
    ))
}

/// The lines that lead to a node: `│   └── `.
fn trunk(tree: &[TreeNode], at: usize) -> String {
    let Some(node) = tree.get(at) else { return String::new() };
    let later = tree.get(at + 1..).unwrap_or_default();
    let goes_on = |level: u32| later.iter().find(|next| next.level <= level).is_some_and(|next| next.level == level);
    let mut text = String::new();
    for level in 1..node.level {
        text.push_str(if goes_on(level) { "│  " } else { "   " });
    }
    if node.level > 0 {
        text.push_str(if goes_on(node.level) { "├─ " } else { "└─ " });
    }
    text
}

fn document_lines(document: &InspectedDocument) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(report) = &document.report {
        lines.extend(report_lines(report));
    } else {
        let about = document.subject_domain.as_ref().map(|domain| format!(" about {domain}")).unwrap_or_default();
        let code = document.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        let reason = document.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(format!("{}{about}{code}{reason}", document.outcome));
    }
    lines.extend(document.warnings.iter().map(warning_line));
    lines
}

fn report_lines(report: &ReportBrief) -> [String; 3] {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or("unknown".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
    };
    [
        format!("report {} of {} for {}", text(&report.report_id), text(&report.reporter), text(&report.policy_domain)),
        format!("{} to {} UTC, p={}, {}", time(report.begin), time(report.end), text(&report.p), report.schema_variant),
        format!(
            "{}, {}, {} pass DMARC ({})",
            counted(report.records, "record"),
            counted(report.messages, "message"),
            count(report.dmarc_pass),
            percent(report.pass_rate)
        ),
    ]
}

fn warning_line(warning: &WarningView) -> String {
    let place = match (warning.line, warning.column) {
        (Some(line), Some(column)) => format!(" at line {line}, column {column}"),
        _ => String::new(),
    };
    format!("warning {}{place}: {}", warning.code, warning.text)
}

/// Every document in a row: the whole of CSV, and the end of the page.
fn table(items: &[Inspection]) -> Table {
    let mut table = Table::new(&[
        ("origin", ""),
        ("place", "place"),
        ("outcome", "outcome"),
        ("code", ""),
        ("reason", ""),
        ("reporter", "reporter"),
        ("report_id", ""),
        ("policy_domain", "domain"),
        ("records", "records"),
        ("messages", "messages"),
        ("pass_rate", "pass"),
        ("warnings", "warnings"),
    ]);
    for item in items {
        for document in &item.documents {
            let report = document.report.as_ref();
            let text =
                |pick: fn(&ReportBrief) -> Option<&String>| Cell::maybe(report.and_then(pick).map(String::as_str));
            let number = |pick: fn(&ReportBrief) -> u64| report.map_or(Cell::Empty, |report| Cell::Count(pick(report)));
            table.row(vec![
                item.origin.as_str().into(),
                document.place.as_str().into(),
                document.outcome.as_str().into(),
                Cell::maybe(document.code.as_deref()),
                Cell::maybe(document.reason.as_deref()),
                text(|report| report.reporter.as_ref()),
                text(|report| report.report_id.as_ref()),
                text(|report| report.policy_domain.as_ref()),
                number(|report| report.records),
                number(|report| report.messages),
                report.map_or(Cell::Empty, |report| Cell::Rate(report.pass_rate)),
                Cell::Count(document.warnings.len() as u64),
            ]);
        }
    }
    table
}
