//! Part 7: who else sends, how steadily, and which streams share an address.

use super::super::document::{Block, Chart, Section};
use super::super::types::{Case, VolumeRow};
use super::{about_reports, period, sql};
use crate::words::{count, counted, percent};

pub(super) fn senders(case: &Case) -> Section {
    let part = &case.senders;
    let mut section = Section::new("7. Senders, volume and streams");
    if part.senders.is_empty() {
        section.text(format!(
            "Senders: could not check; DMARC reports: {}.",
            case.period.no_reports.as_deref().unwrap_or("none")
        ));
    } else {
        if let Some(unknown) = &part.unknown {
            section.text(format!(
                "{} with {} ({}).",
                counted(unknown.senders, "unknown sender"),
                counted(unknown.messages, "message"),
                percent(unknown.share)
            ));
        }
        section.table(
            &["sender", "status", "class", "messages#", "DMARC pass#", "rate#", "evidence"],
            part.senders
                .iter()
                .map(|row| {
                    vec![
                        row.sender.clone(),
                        row.status.clone(),
                        row.class.word().to_owned(),
                        count(row.messages),
                        count(row.dmarc_pass),
                        percent(row.pass_rate),
                        row.evidence.clone(),
                    ]
                })
                .collect(),
        );
        if part.more_senders > 0 {
            section.text(format!("And {}, with less mail.", counted(part.more_senders, "more sender")));
        }
        section.reproduce(about_reports("senders", case));
    }
    if !part.volume.is_empty() {
        volume(&mut section, &part.volume);
    }
    if !part.streams.is_empty() {
        streams(&mut section, case);
    }
    section
}

fn volume(section: &mut Section, rows: &[VolumeRow]) {
    section.heading("Volume of each address, by day");
    section.table(
        &[
            "address",
            "from",
            "shape",
            "days#",
            "empty days#",
            "messages#",
            "median day#",
            "most#",
            "on",
            "largest step#",
        ],
        rows.iter()
            .map(|row| {
                vec![
                    row.ip.clone(),
                    row.source.to_owned(),
                    row.shape.to_owned(),
                    count(row.days),
                    count(row.empty_days),
                    count(row.messages),
                    count(row.median),
                    count(row.most),
                    row.most_day.to_string(),
                    row.largest_step.map_or_else(|| "–".to_owned(), |step| format!("× {step:.2}")),
                ]
            })
            .collect(),
    );
    for row in rows.iter().take(4).filter(|row| row.by_day.len() > 1) {
        section.blocks.push(Block::Chart(Chart {
            title: format!("Messages a day from {} ({})", row.ip, row.source),
            labels: row.by_day.iter().map(|(day, _)| day.format("%m-%d").to_string()).collect(),
            series: vec![(
                "messages".to_owned(),
                "f",
                row.by_day.iter().map(|(_, messages)| *messages as f64).collect(),
            )],
            stacked: true,
            fractions: false,
        }));
    }
}

fn streams(section: &mut Section, case: &Case) {
    let (part, days) = (&case.senders, &case.period);
    section.heading("Streams that share an address");
    let mut of = Vec::new();
    if days.since.is_some() {
        of.push(format!("delivery logs, first attempts {}", period(days.since, days.until, "")));
    }
    if days.reports_since.is_some() {
        of.push(format!("DMARC reports, report days {}", period(days.reports_since, days.reports_until, "")));
    }
    section.text(format!("Of {}.", of.join("; of ")));
    section.table(
        &["address", "from", "From or envelope domain", "signed by or campaign", "messages#", "share#"],
        part.streams
            .iter()
            .map(|row| {
                vec![
                    row.ip.clone(),
                    row.source.to_owned(),
                    row.from.clone(),
                    row.by.clone().unwrap_or_default(),
                    count(row.messages),
                    percent(row.share),
                ]
            })
            .collect(),
    );
    for more in &part.more_streams {
        section.text(format!(
            "And {} of {} by {}, with {} in all.",
            counted(more.streams, "more stream"),
            more.ip,
            more.source,
            counted(more.messages, "message")
        ));
    }
    for statement in [&part.logs_sql, &part.streams_sql].into_iter().filter(|statement| !statement.is_empty()) {
        section.blocks.push(sql(case, statement));
    }
}
