//! Part 5: what receivers counted.

use super::super::document::{Block, Chart, Section};
use super::super::types::Case;
use super::{period, sql};
use crate::query::{Rates, Totals};
use crate::words::{count, percent};

pub(super) fn authentication(case: &Case) -> Section {
    let part = &case.authentication;
    let mut section = Section::new("5. Authentication");
    let Some(domains) = &part.domains else {
        section
            .text(format!("Could not check; DMARC reports: {}.", case.period.no_reports.as_deref().unwrap_or("none")));
        return section;
    };
    let days = period(Some(domains.since), Some(domains.until), "");
    section.text(format!("From DMARC aggregate reports, {days}. Messages are what receivers counted; a rate is over the messages of its row."));
    if !part.ips.is_empty() {
        section.heading("The sending addresses of the case");
        section.table(
            &["address", "messages#", "DMARC pass#", "rate#", "DKIM aligned#", "SPF aligned#", "reporters#"],
            part.ips
                .iter()
                .map(|ip| {
                    vec![
                        ip.ip.clone(),
                        count(ip.messages),
                        count(ip.dmarc_pass),
                        percent(ip.pass_rate),
                        percent(ip.dkim_rate),
                        percent(ip.spf_rate),
                        count(ip.reporters),
                    ]
                })
                .collect(),
        );
        section.blocks.push(sql(case, &part.sql));
    }
    let by = |word: &str| {
        format!(
            "{} rates --by {word}{} --since {} --until {}",
            case.program(),
            super::domains(case),
            domains.since,
            domains.until
        )
    };
    section.heading("By policy domain");
    rate_table(&mut section, "policy domain", domains);
    section.reproduce(by("domain"));
    if let Some(reporters) = &part.by_reporter {
        section.heading("By reporter");
        rate_table(&mut section, "reporter", reporters);
        section.reproduce(by("reporter"));
    }
    if let Some(weeks) = &part.by_week {
        section.heading("By week");
        let value = |rate: fn(&Totals) -> Option<f64>| {
            weeks.rows.iter().map(|row| rate(&row.totals).unwrap_or(0.0)).collect::<Vec<f64>>()
        };
        section.blocks.push(Block::Chart(Chart {
            title: format!("DMARC pass rate of {} by week", case.request.domain),
            labels: weeks.rows.iter().map(|row| row.name(weeks.by).to_owned()).collect(),
            series: vec![
                ("DMARC pass".to_owned(), "f", value(|totals| totals.pass_rate)),
                ("DKIM aligned".to_owned(), "a", value(|totals| totals.dkim_rate)),
                ("SPF aligned".to_owned(), "b", value(|totals| totals.spf_rate)),
            ],
            stacked: false,
            fractions: true,
        }));
        rate_table(&mut section, "week of", weeks);
        section.reproduce(by("week"));
    }
    section
}

fn rate_table(section: &mut Section, name: &str, rates: &Rates) {
    let line = |name: &str, totals: &Totals| {
        vec![
            name.to_owned(),
            count(totals.reports),
            count(totals.messages),
            count(totals.dmarc_pass),
            percent(totals.pass_rate),
            percent(totals.dkim_rate),
            percent(totals.spf_rate),
        ]
    };
    let mut rows: Vec<Vec<String>> = rates.rows.iter().map(|row| line(row.name(rates.by), &row.totals)).collect();
    rows.push(line("all", &rates.total));
    section.table(&[name, "reports#", "messages#", "DMARC pass#", "rate#", "DKIM aligned#", "SPF aligned#"], rows);
}
