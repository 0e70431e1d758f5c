//! Lays a case out as a document, in the order in which the other side reads.

use chrono::{DateTime, Utc};

use super::document::{Block, Chart, Document, Section};
use super::types::{Case, ResponseRow};
use crate::evidence::Outcomes;
use crate::print::{count, percent};
use crate::query::{Rates, Totals};

/// Returns the document.
pub fn layout(case: &Case) -> Document {
    let request = &case.request;
    let mut lead = vec![Block::Fields(vec![
        ("Grade".to_owned(), format!("{} ({})", case.grade.word(), case.grade_reasons.join("; "))),
        ("Delivery evidence".to_owned(), period(case.period.since, case.period.until, "none")),
        (
            "DMARC reports".to_owned(),
            period(case.period.reports_since, case.period.reports_until, "none on the domain"),
        ),
    ])];
    lead.push(Block::Table {
        head: ["step", "state", "because"].map(str::to_owned).to_vec(),
        rows: case
            .readiness
            .iter()
            .map(|step| vec![step.step.to_owned(), step.state.word().to_owned(), step.because.clone()])
            .collect(),
    });
    if !case.missing.is_empty() {
        lead.push(Block::Heading("Missing evidence".to_owned()));
        lead.push(Block::Table {
            head: ["missing", "how to get it"].map(str::to_owned).to_vec(),
            rows: case.missing.iter().map(|one| vec![one.what.clone(), one.how.clone()]).collect(),
        });
    }
    Document {
        title: format!("Case: {}, {}", request.domain, request.subject),
        lead,
        sections: vec![
            first(case),
            smtp(case),
            outcomes(case),
            samples(case),
            authentication(case),
            dns(case),
            senders(case),
            weak_points(case),
            actions(case),
            method(case),
        ],
    }
}

fn first(case: &Case) -> Section {
    let request = &case.request;
    let stated = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "not stated".to_owned());
    let mut section = Section::new("1. The request");
    let ips = if request.ips.is_empty() { "not stated".to_owned() } else { request.ips.join(", ") };
    let from = match request.ips_from {
        super::IpsFrom::Facts => "",
        super::IpsFrom::Logs => " (as logs and responses name them)",
    };
    section.blocks.push(Block::Fields(vec![
        ("Subject".to_owned(), request.subject.clone()),
        ("Sender domain".to_owned(), request.domain.clone()),
        ("Sending IPs".to_owned(), format!("{ips}{from}")),
        ("Platform".to_owned(), stated(&request.platform)),
        ("Account".to_owned(), stated(&request.account)),
        ("IP kind".to_owned(), stated(&request.ip_kind)),
        ("HELO".to_owned(), stated(&request.helo)),
        (
            "Campaigns".to_owned(),
            if request.campaigns.is_empty() { "not stated".to_owned() } else { request.campaigns.join(", ") },
        ),
        ("Contact".to_owned(), stated(&request.contact)),
        ("First observed".to_owned(), request.first_observed.map_or_else(|| "not observed".to_owned(), utc)),
    ]));
    section.text(request.ask.clone());
    section
}

fn smtp(case: &Case) -> Section {
    let smtp = &case.smtp;
    let mut section = Section::new("2. The SMTP evidence");
    if smtp.responses.is_empty() {
        section.text(format!("No deferral in the period is a reputation answer of {}.", case.request.gateway_name));
    } else {
        let span = smtp
            .first_at
            .zip(smtp.last_at)
            .map_or_else(String::new, |(a, b)| format!(", first {}, last {}", utc(a), utc(b)));
        section.text(format!(
            "{} deferrals are reputation answers of {}{span}. Verbatim, each shape's first:",
            count(smtp.deferrals),
            case.request.gateway_name
        ));
        for response in &smtp.responses {
            section.blocks.push(Block::Verbatim(response.response.clone()));
            section.text(format!(
                "{} attempts, {} recipients of {} domains, {}first {}, last {}.",
                count(response.attempts),
                count(response.recipients),
                count(response.recipient_domains),
                response.stage.as_deref().map_or_else(String::new, |stage| format!("at {stage}, ")),
                utc(response.first_at),
                utc(response.last_at)
            ));
        }
    }
    if !smtp.other_responses.is_empty() {
        section.heading("Other deferrals of the same mail: not reputation, and not counted as such");
        section.table(
            &["response", "attempts#", "recipients#", "first", "last"],
            smtp.other_responses.iter().map(other).collect(),
        );
    }
    let mut notes = Vec::new();
    if smtp.suspended > 0 {
        notes.push(format!(
            "{} lines say that the queue put mail off without trying: no attempts, and in no figure.",
            count(smtp.suspended)
        ));
    }
    if !smtp.envelope_from.is_empty() {
        notes.push(format!("Envelope sender domains: {}.", smtp.envelope_from.join(", ")));
    }
    if !notes.is_empty() {
        section.blocks.push(Block::List(notes));
    }
    section.reproduce(sql(&smtp.sql));
    section
}

fn other(row: &ResponseRow) -> Vec<String> {
    vec![row.response.clone(), count(row.attempts), count(row.recipients), utc(row.first_at), utc(row.last_at)]
}

fn outcomes(case: &Case) -> Section {
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
    if let Some(gateways) = &part.gateways {
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
        section.reproduce(format!("dmarcase delivery summary --by gateway{flags}"));
    }
    if !part.days.is_empty() {
        section.heading("By day of the first attempt");
        let series = |name: &str, class, value: fn(&super::DayRow) -> u64| {
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
        section.reproduce(format!("dmarcase delivery summary --by day --gateway {}{flags}", case.request.gateway));
    }
    section
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
        flags.push_str(&format!(" --ip {ip}"));
    }
    if case.request.ips.len() == 1 || case.request.ips_from == super::IpsFrom::Logs {
        flags.push_str(" --or-unknown-ip");
    }
    flags.push_str(&format!(" --domain {}", case.request.domain));
    flags
}

fn samples(case: &Case) -> Section {
    let mut section = Section::new("4. Message samples");
    let samples = &case.samples.samples;
    if samples.is_empty() {
        section.text("No message was deferred for reputation: there is no sample to show.");
        return section;
    }
    section.text(format!(
        "{} of the five asked for, each of another recipient domain; the worst of each outcome first.",
        samples.len()
    ));
    section.table(
        &["message id", "recipient domain", "outcome", "reputation deferrals#", "delay"],
        samples
            .iter()
            .map(|sample| {
                vec![
                    sample.message_id.clone(),
                    sample.recipient.clone().unwrap_or_else(|| sample.recipient_domain.clone()),
                    sample.outcome.clone(),
                    count(sample.reputation_deferrals),
                    sample.delay_s.and_then(|seconds| u64::try_from(seconds).ok()).map_or_else(|| "–".to_owned(), span),
                ]
            })
            .collect(),
    );
    section.reproduce(sql(&case.samples.sql));
    for sample in samples {
        section.heading(&format!("{} to {}", sample.message_id, sample.recipient_domain));
        section.table(
            &["time", "status", "host", "response", "log line"],
            sample
                .history
                .iter()
                .map(|line| {
                    vec![
                        utc(line.at),
                        line.status.clone(),
                        line.relay_host.clone().unwrap_or_default(),
                        line.response.clone().unwrap_or_default(),
                        line.place.clone().unwrap_or_else(|| "end of the message in the queue".to_owned()),
                    ]
                })
                .collect(),
        );
    }
    section
}

fn authentication(case: &Case) -> Section {
    let part = &case.authentication;
    let mut section = Section::new("5. Authentication");
    let Some(domains) = &part.domains else {
        section.text("Could not check: the store holds no DMARC report on the domain in the period.");
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
        section.reproduce(sql(&part.sql));
    }
    let by = |word: &str| {
        format!(
            "dmarcase rates --by {word} --domain {0} --domain '*.{0}' --since {1} --until {2}",
            case.request.domain, domains.since, domains.until
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

fn dns(case: &Case) -> Section {
    let part = &case.dns;
    let mut section = Section::new("6. DNS and identity");
    section.table(
        &["subject", "check", "state", "found", "when"],
        part.findings
            .iter()
            .map(|finding| {
                vec![
                    finding.subject.clone(),
                    finding.name.clone(),
                    match finding.state.as_str() {
                        "not-checked" => "could not check: not collected".to_owned(),
                        "could-not-check" => "could not check".to_owned(),
                        state => state.to_owned(),
                    },
                    finding.detail.clone().unwrap_or_else(|| "look it up and attach the dated answer".to_owned()),
                    finding.found_at.map_or_else(|| "–".to_owned(), utc),
                ]
            })
            .collect(),
    );
    section.reproduce(sql(&part.sql));
    section.text(match &part.helo {
        Some(helo) => format!("HELO as the operator states it: {helo}."),
        None => "HELO: not stated.".to_owned(),
    });
    if part.lookups.is_empty() {
        section.text("Public lookup page of the gateway: not stated.");
    } else {
        section.heading("Public lookup pages, as a person saw them");
        section.table(
            &["gateway", "result", "checked at", "what it says"],
            part.lookups
                .iter()
                .map(|lookup| {
                    vec![
                        lookup.gateway.clone(),
                        lookup.result.clone(),
                        lookup.checked_at.clone(),
                        if lookup.listed {
                            "publicly listed: use the public delisting process first".to_owned()
                        } else {
                            "not publicly listed at that time: narrow evidence, the gateway may defer by private scores"
                                .to_owned()
                        },
                    ]
                })
                .collect(),
        );
    }
    section
}

fn senders(case: &Case) -> Section {
    let part = &case.senders;
    let mut section = Section::new("7. Senders, volume and streams");
    if part.senders.is_empty() {
        section.text("Senders: could not check, the store holds no DMARC report on the domain in the period.");
    } else {
        if let Some(unknown) = &part.unknown {
            section.text(format!(
                "{} unknown senders with {} messages ({}).",
                count(unknown.senders),
                count(unknown.messages),
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
        section.reproduce(format!("dmarcase senders --domain {0} --domain '*.{0}'", case.request.domain));
    }
    if !part.volume.is_empty() {
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
            part.volume
                .iter()
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
        for row in part.volume.iter().take(4).filter(|row| row.by_day.len() > 1) {
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
    if !part.streams.is_empty() {
        section.heading("Streams that share an address");
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
    }
    section
}

fn weak_points(case: &Case) -> Section {
    let mut section = Section::new("8. Weak points");
    if case.weak_points.is_empty() {
        section.text("None found in the evidence that is there.");
    } else {
        section.text("What the other side could raise, worst first, each with its remedy.");
    }
    section.table(
        &["id", "weak point", "severity", "evidence", "remedy"],
        case.weak_points
            .iter()
            .map(|point| {
                vec![
                    point.id.clone(),
                    point.name.clone(),
                    point.severity.word().to_owned(),
                    point.evidence.clone(),
                    point.remedy.clone(),
                ]
            })
            .collect(),
    );
    section.reproduce(format!("dmarcase gaps --domain {0} --domain '*.{0}'", case.request.domain));
    section
}

fn actions(case: &Case) -> Section {
    let part = &case.actions;
    let stated = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "not stated".to_owned());
    let mut section = Section::new("9. Actions taken and consent");
    if part.actions.is_empty() {
        section.text("Actions: not stated.");
    }
    section.table(
        &["date", "action"],
        part.actions.iter().map(|action| vec![action.date.clone(), action.what.clone()]).collect(),
    );
    section.blocks.push(Block::Fields(vec![
        ("Consent source".to_owned(), stated(&part.consent_source)),
        ("Confirmation".to_owned(), stated(&part.confirmation)),
        ("Suppression".to_owned(), stated(&part.suppression_delay)),
        ("Complaints".to_owned(), stated(&part.complaints)),
        ("Signup form seen to work".to_owned(), stated(&part.signup_form_checked_at)),
    ]));
    section
}

fn method(case: &Case) -> Section {
    let part = &case.method;
    let mut section = Section::new("10. Method");
    section.blocks.push(Block::Fields(vec![
        ("Program".to_owned(), format!("dmarcase {}", part.version)),
        ("Written".to_owned(), format!("{}, as of {}", utc(part.written_at), part.as_of)),
        (
            "DMARC reports".to_owned(),
            format!(
                "{} reports of {} reporters on {} messages",
                count(part.reports),
                count(part.reporters),
                count(part.messages)
            ),
        ),
        ("Public suffix list".to_owned(), part.suffix_list.clone()),
    ]));
    section.table(
        &[
            "log file",
            "format",
            "lines#",
            "attempts#",
            "not understood#",
            "first attempt",
            "last attempt",
            "zone of stamps",
            "note",
        ],
        part.files
            .iter()
            .map(|file| {
                vec![
                    file.path.clone(),
                    file.format.clone(),
                    count(file.lines),
                    count(file.attempts),
                    count(file.unknown),
                    file.first_at.map_or_else(|| "–".to_owned(), utc),
                    file.last_at.map_or_else(|| "–".to_owned(), utc),
                    file.zone.clone().unwrap_or_else(|| "in the lines".to_owned()),
                    file.note.clone().unwrap_or_default(),
                ]
            })
            .collect(),
    );
    section.reproduce(sql("FROM delivery_file"));
    section.blocks.push(Block::List(part.notes.clone()));
    section
}

fn sql(statement: &str) -> String {
    format!("dmarcase sql \"{}\"", statement.replace('"', "\\\""))
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn period(since: Option<chrono::NaiveDate>, until: Option<chrono::NaiveDate>, none: &str) -> String {
    match (since, until) {
        (Some(since), Some(until)) if since == until => since.to_string(),
        (Some(since), Some(until)) => format!("{since} to {until}"),
        _ => none.to_owned(),
    }
}

/// A time span for people.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        7200..172_800 => format!("{:.1} h", seconds as f64 / 3600.0),
        _ => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}
