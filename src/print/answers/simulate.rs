//! A simulated policy: the verdict on each domain, the senders that it would touch, and the weeks.

use super::{counted, days};
use crate::print::{Answer, Cell, Page, Table, count};
use crate::query::{AskedPolicy, Effect, SimulatedSender, Simulation, Span};

/// Senders that a table shows, and weeks.
const SENDER_ROWS: usize = 40;
/// See [`SENDER_ROWS`].
const WEEK_ROWS: usize = 53;

impl Answer for Simulation {
    fn page(&self) -> Page {
        let span = Span { since: self.since, until: self.until };
        let mut page = Page::new().heading(format!("Simulated {}, {}", asked(&self.asked), days(span)));
        page = page.table(domains(self)).line(String::new());
        let hit = |row: &&SimulatedSender| row.effect != Effect::Unwanted;
        for domain in &self.domains {
            let verdict = if domain.ready { "ready" } else { "not ready" };
            page = page.line(format!(
                "{}: {verdict} for {} (it publishes {}), because",
                domain.domain, domain.simulated, domain.published
            ));
            for reason in &domain.because {
                page = page.sentence("  - ", reason);
            }
            let rows: Vec<&SimulatedSender> =
                self.rows.iter().filter(|row| row.domain == domain.domain).filter(hit).collect();
            if !rows.is_empty() {
                page = page.table(senders(rows.iter().take(SENDER_ROWS).copied()));
                let hidden = rows.len().saturating_sub(SENDER_ROWS) as u64;
                if hidden > 0 {
                    page = page.line(format!("{} more; --format csv lists all.", counted(hidden, "sender")));
                }
            }
            page = page.line(String::new());
        }
        if !self.weeks.is_empty() {
            let skipped = self.weeks.len().saturating_sub(WEEK_ROWS);
            page = page.heading("Readiness of own streams by week").table(weeks(self, skipped)).line(String::new());
        }
        page.line(judged(self))
    }

    fn whole(&self) -> Page {
        let keys = [
            "domain",
            "sender",
            "status",
            "class",
            "effect",
            "messages",
            "failing",
            "newly_quarantined",
            "newly_rejected",
            "spared",
            "blocks",
        ];
        let mut table = Table::new(&keys.map(|key| (key, key)));
        for row in &self.rows {
            table.row(vec![
                row.domain.clone().into(),
                row.sender.clone().into(),
                row.status.clone().into(),
                row.class.word().into(),
                row.effect.word().into(),
                row.messages.into(),
                row.failing.into(),
                row.newly_quarantined.into(),
                row.newly_rejected.into(),
                row.spared.into(),
                if row.blocks { "true" } else { "false" }.into(),
            ]);
        }
        Page::new().table(table)
    }
}

fn asked(asked: &AskedPolicy) -> String {
    let tags = [
        asked.p.map(|word| format!("p={word}")),
        asked.sp.map(|word| format!("sp={word}")),
        asked.adkim.map(|mode| format!("adkim={mode}")),
        asked.aspf.map(|mode| format!("aspf={mode}")),
        asked.pct.map(|pct| format!("pct={pct}")),
    ];
    tags.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn domains(simulation: &Simulation) -> Table {
    let mut table = Table::new(&[
        ("domain", "policy domain"),
        ("messages", "messages"),
        ("failing", "fail"),
        ("newly_quarantined", "newly quar."),
        ("newly_rejected", "newly rejected"),
        ("spared", "spared"),
        ("ready", "ready"),
    ]);
    for domain in &simulation.domains {
        table.row(vec![
            domain.domain.clone().into(),
            domain.messages.into(),
            domain.failing.into(),
            domain.newly_quarantined.into(),
            domain.newly_rejected.into(),
            domain.spared.into(),
            if domain.ready { "yes" } else { "no" }.into(),
        ]);
    }
    table
}

fn senders<'a>(rows: impl Iterator<Item = &'a SimulatedSender>) -> Table {
    let mut table = Table::new(&[
        ("sender", "sender"),
        ("class", "class"),
        ("messages", "messages"),
        ("newly_quarantined", "newly quar."),
        ("newly_rejected", "newly rejected"),
        ("spared", "spared"),
    ]);
    for row in rows {
        table.row(vec![
            row.sender.clone().into(),
            row.class.word().into(),
            row.messages.into(),
            row.newly_quarantined.into(),
            row.newly_rejected.into(),
            row.spared.into(),
        ]);
    }
    table
}

fn weeks(simulation: &Simulation, skip: usize) -> Table {
    let domain = if simulation.domains.len() > 1 { "policy domain" } else { "" };
    let mut table = Table::new(&[
        ("week", "week of"),
        ("domain", domain),
        ("own_messages", "own messages"),
        ("own_hit", "would be hit"),
        ("readiness", "readiness"),
    ]);
    for week in simulation.weeks.iter().skip(skip) {
        table.row(vec![
            week.week.into(),
            week.domain.clone().into(),
            week.own_messages.into(),
            week.own_hit.into(),
            Cell::Rate(week.readiness),
        ]);
    }
    table
}

fn judged(simulation: &Simulation) -> String {
    let judged = simulation.judged;
    let mut text = format!("Judged by auth_results: {}", counted(judged.recomputed, "message"));
    if judged.by_reporter > 0 {
        text.push_str(&format!("; by the reporter's verdict, for want of them: {}", count(judged.by_reporter)));
    }
    if judged.disagree > 0 {
        text.push_str(&format!("; our verdict is not the reporter's on {}", count(judged.disagree)));
    }
    text + "."
}
