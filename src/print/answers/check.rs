//! What live checks found, as a table.

use super::counted;
use crate::check::{Checked, Finding, State};
use crate::print::{Answer, Cell, Page, Table};
use crate::words::short;

/// Characters of an answer that a table shows; --format json and csv have all.
const SHOWN: usize = 240;

impl Answer for Checked {
    fn page(&self) -> Page {
        let at = self.checked_at.format("%Y-%m-%d %H:%M:%S UTC");
        let mut page = Page::new().line(format!("Asked {} about {} at {at}.", self.name_servers, self.domain));
        // One table a subject, the one with the worst finding first.
        let mut subjects: Vec<&str> = Vec::new();
        for one in &self.findings {
            if !subjects.contains(&one.subject.as_str()) {
                subjects.push(&one.subject);
            }
        }
        for subject in subjects {
            let mut table = Table::new(&[("state", "state"), ("check", "check"), ("found", "found")]);
            for one in self.findings.iter().filter(|one| one.subject == subject) {
                let gap = one.gap.map_or_else(String::new, |gap| format!(" ({gap})"));
                let remedy = one.remedy.map_or_else(String::new, |remedy| format!(" → {remedy}"));
                let found = format!("{}{remedy}", short(&one.found, SHOWN));
                table.row(vec![state(one).into(), format!("{}{gap}", one.check).into(), found.into()]);
            }
            page = page.line(String::new()).heading(subject).table(table);
        }
        let of = |state| self.findings.iter().filter(|one| one.state == state).count() as u64;
        page.line(String::new()).line(format!(
            "{}, {} could not be checked, {} ok. Not listed means not publicly listed at that time, no more.",
            counted(of(State::Defect), "defect"),
            of(State::CouldNotCheck),
            of(State::Ok)
        ))
    }

    fn whole(&self) -> Page {
        let keys = ["checked_at", "kind", "subject", "check", "state", "severity", "gap", "found", "remedy"];
        let mut table = Table::new(&keys.map(|key| (key, key)));
        for one in &self.findings {
            table.row(vec![
                self.checked_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into(),
                one.kind.into(),
                one.subject.clone().into(),
                one.check.clone().into(),
                one.state.word().into(),
                Cell::maybe(one.severity.map(crate::severity::Severity::word)),
                Cell::maybe(one.gap),
                one.found.clone().into(),
                Cell::maybe(one.remedy),
            ]);
        }
        Page::new().table(table)
    }
}

/// A defect shows how much it weighs.
fn state(one: &Finding) -> String {
    match (one.state, one.severity) {
        (State::Defect, Some(severity)) => severity.word().to_owned(),
        (State::CouldNotCheck, _) => "could not check".to_owned(),
        (state, _) => state.word().to_owned(),
    }
}
