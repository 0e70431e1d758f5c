//! Part 3: what became of the mail.

use super::super::document::{Block, Chart, Section};
use super::super::types::{Case, DayRow};
use super::{are, period, span};
use crate::evidence::{DeliverySummary, Outcomes, Severity};
use crate::words::{count, counted, percent, shell_word};

pub(super) fn outcomes(case: &Case) -> Section {
    let part = &case.outcomes;
    let mut section = Section::new("3. Outcomes");
    section.text(affected(case));
    let smtp = &case.smtp;
    if smtp.refusals > 0 {
        section.text(format!(
            "{} of {} got a refusal for good that names the reputation (part 2): no deferral, and not counted as affected by it.",
            counted(smtp.refused_messages, "message"),
            counted(smtp.refused_recipients, "recipient")
        ));
    }
    let retries = &part.retries;
    if let (Some(attempts), Some(median)) = (retries.attempts(), retries.attempts_median) {
        section.text(format!(
            "Of {} (one for each recipient): {}; {attempts}, median {median}.",
            counted(retries.pairs, "affected message"),
            retries.outcomes()
        ));
    }
    if let (Some(least), Some(median), Some(most)) = (retries.delay_min_s, retries.delay_median_s, retries.delay_max_s)
    {
        section.text(if least == most {
            format!("Delay of the late ones: {}.", span(most))
        } else {
            format!("Delay of the late ones: {} to {}, median {}.", span(least), span(most), span(median))
        });
    }
    let flags = flags(case);
    if let Some(found) = &part.gateways {
        gateways(&mut section, found);
        section.reproduce(format!("{} delivery summary --by gateway{flags}", case.program()));
    }
    if !part.days.is_empty() {
        days(&mut section, case);
        section.reproduce(format!(
            "{} delivery summary --by day --gateway {}{flags}",
            case.program(),
            shell_word(&case.request.gateway)
        ));
    }
    section
}

/// The share that the case is about, with its denominator, or why there is none.
fn affected(case: &Case) -> String {
    let (totals, gateway) = (&case.outcomes.totals, &case.request.gateway_name);
    let days = period(case.period.since, case.period.until, "no period");
    let denominator = format!("distinct recipients with at least one real attempt, {days}");
    if totals.recipients == 0 {
        let why =
            case.period.no_delivery.as_deref().map_or_else(String::new, |why| format!("; delivery evidence: {why}"));
        return format!("No recipient behind {gateway} was tried{why}.");
    }
    if totals.severity == Severity::NotGraded {
        return format!(
            "{} behind {gateway} {} affected, of {} whose log says the address ({denominator}): not graded. {}",
            counted(totals.affected, "recipient"),
            are(totals.affected),
            count(totals.recipients),
            case.smtp.left_out.text().unwrap_or_default()
        );
    }
    format!(
        "{} of {} behind {gateway} {} affected ({}): {}. Denominator: {denominator}.",
        count(totals.affected),
        counted(totals.recipients, "recipient"),
        are(totals.affected),
        percent(totals.share),
        totals.severity.word()
    )
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
    for (flag, day) in [("since", case.period.since), ("until", case.period.until), ("as-of", case.period.cut)] {
        if let Some(day) = day {
            flags.push_str(&format!(" --{flag} {day}"));
        }
    }
    for ip in &case.request.ips {
        flags.push_str(&format!(" --ip {}", shell_word(ip)));
    }
    if case.smtp.unknown_source_counts && !case.request.ips.is_empty() {
        flags.push_str(" --or-unknown-ip");
    }
    flags.push_str(&format!(" --domain {}", shell_word(&case.request.domain)));
    flags
}
