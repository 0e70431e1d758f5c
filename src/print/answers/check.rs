//! What live checks found, as a table.

use super::counted;
use crate::check::{Checked, Finding, State};
use crate::print::{Answer, Cell, Page, Table};

/// Characters of an answer that a table shows; --format json and csv have all.
const SHOWN: usize = 240;

impl Answer for Checked {
    fn page(&self) -> Page {
        let mut table = Table::new(&[
            ("state", "state"),
            ("subject", "subject"),
            ("check", "check"),
            ("gap", "gap"),
            ("found", "found"),
        ]);
        for one in &self.findings {
            let mut found = short(&one.found);
            if let Some(remedy) = one.remedy {
                found = format!("{found} → {remedy}");
            }
            table.row(vec![
                state(one).into(),
                one.subject.clone().into(),
                one.check.clone().into(),
                Cell::maybe(one.gap),
                found.into(),
            ]);
        }
        let of = |state| self.findings.iter().filter(|one| one.state == state).count() as u64;
        Page::new()
            .heading(format!("{}, {}", self.domain, self.checked_at.format("%Y-%m-%d %H:%M:%S UTC")))
            .line(format!("Asked {}.", self.name_servers))
            .table(table)
            .line(String::new())
            .line(format!(
                "{}, {} could not be checked, {} ok; what is not listed is not listed at that time, no more.",
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
                Cell::maybe(one.severity.map(crate::query::Severity::word)),
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

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
