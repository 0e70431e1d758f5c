//! Part 3: what became of the mail.

use super::super::document::{Block, Chart, Section};
use super::super::types::{Case, DayRow, IpsFrom};
use super::{period, span};
use crate::evidence::{DeliverySummary, Outcomes};
use crate::words::{count, percent, shell_word};

pub(super) fn outcomes(case: &Case) -> Section {
    let part = &case.outcomes;
    let totals = &part.totals;
    let mut section = Section::new("3. Outcomes");
    section.text(format!(
        "{} of {} recipients behind {} are affected ({}): {}. Denominator: distinct recipients with at least one real attempt, {}.",
        count(totals.affected),
        count(totals.recipients),
        case.request.gateway_name,
        percent(totals.share),
        totals.severity.word(),
        period(case.period.since, case.period.until, "no period")
    ));
    let retries = &part.retries;
    if let (Some(least), Some(median), Some(most)) =
        (retries.attempts_min, retries.attempts_median, retries.attempts_max)
    {
        section.text(format!(
            "Of {} affected messages (one per recipient): {} delivered late, {} expired, {} bounced, {} still open; {least} to {most} attempts, median {median}.",
            count(retries.pairs), count(retries.delivered_late), count(retries.expired), count(retries.bounced), count(retries.pending)
        ));
    }
    if let (Some(least), Some(median), Some(most)) = (retries.delay_min_s, retries.delay_median_s, retries.delay_max_s)
    {
        section.text(format!("Delay of the late ones: {} to {}, median {}.", span(least), span(most), span(median)));
    }
    let flags = flags(case);
    if let Some(found) = &part.gateways {
        gateways(&mut section, found);
        section.reproduce(format!("dmarcase delivery summary --by gateway{flags}"));
    }
    if !part.days.is_empty() {
        days(&mut section, case);
        section.reproduce(format!(
            "dmarcase delivery summary --by day --gateway {}{flags}",
            shell_word(&case.request.gateway)
        ));
    }
    section
}

fn gateways(section: &mut Section, gateways: &DeliverySummary) {
    section.heading("One gateway only, or general? The same senders, by gateway");
    section.table(
        &[
            "gateway",
            "recipients#",
            "affected#",
            "share#",
            "severity",
            "attempts#",
            "deferrals#",
            "at once#",
            "late#",
            "expired#",
            "bounced#",
            "open#",
        ],
        gateways
            .rows
            .iter()
            .map(|row| {
                let name = row.name.get("gateway").cloned().flatten().unwrap_or_default();
                let mut cells = vec![name];
                cells.extend(figures(&row.outcomes));
                cells
            })
            .collect(),
    );
}

fn days(section: &mut Section, case: &Case) {
    let part = &case.outcomes;
    section.heading("By day of the first attempt");
    let series = |name: &str, class, value: fn(&DayRow) -> u64| {
        (name.to_owned(), class, part.days.iter().map(|day| value(day) as f64).collect::<Vec<f64>>())
    };
    section.blocks.push(Block::Chart(Chart {
        title: format!("Messages behind {} by day and outcome", case.request.gateway_name),
        labels: part.days.iter().map(|day| day.day.format("%m-%d").to_string()).collect(),
        series: vec![
            series("at once", "a", |day| day.delivered_first),
            series("late", "b", |day| day.delivered_late),
            series("expired", "c", |day| day.expired),
            series("bounced", "d", |day| day.bounced),
            series("open", "e", |day| day.pending),
        ],
        stacked: true,
        fractions: false,
    }));
    section.table(
        &["day", "reputation deferrals#", "at once#", "late#", "expired#", "bounced#", "open#"],
        part.days
            .iter()
            .map(|day| {
                vec![
                    day.day.to_string(),
                    count(day.reputation_deferrals),
                    count(day.delivered_first),
                    count(day.delivered_late),
                    count(day.expired),
                    count(day.bounced),
                    count(day.pending),
                ]
            })
            .collect(),
    );
}

fn figures(outcomes: &Outcomes) -> Vec<String> {
    vec![
        count(outcomes.recipients),
        count(outcomes.affected),
        percent(outcomes.share),
        outcomes.severity.word().to_owned(),
        count(outcomes.attempts),
        count(outcomes.deferrals),
        count(outcomes.delivered_first),
        count(outcomes.delivered_late),
        count(outcomes.expired),
        count(outcomes.bounced),
        count(outcomes.pending),
    ]
}

/// The flags that give the case's scope to `delivery summary`.
fn flags(case: &Case) -> String {
    let mut flags = String::new();
    for (flag, day) in [("since", case.period.since), ("until", case.period.until)] {
        if let Some(day) = day {
            flags.push_str(&format!(" --{flag} {day}"));
        }
    }
    for ip in &case.request.ips {
        flags.push_str(&format!(" --ip {}", shell_word(ip)));
    }
    if case.request.ips.len() == 1 || case.request.ips_from == IpsFrom::Logs {
        flags.push_str(" --or-unknown-ip");
    }
    flags.push_str(&format!(" --domain {}", shell_word(&case.request.domain)));
    flags
}
