//! Part 4: messages and their history.

use super::super::document::{Block, Section};
use super::super::samples::HISTORY;
use super::super::types::{Case, HistoryRow, Sample};
use super::{span, sql, stamp};
use crate::words::{count, counted};

pub(super) fn samples(case: &Case) -> Section {
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
    section.blocks.push(sql(case, &case.samples.sql));
    for sample in samples {
        section.heading(&format!("{} to {}", sample.message_id, sample.recipient_domain));
        history(&mut section, sample);
    }
    section
}

/// The lines of one sample. Retries get the same answers over and over: each stands once, under a letter.
fn history(section: &mut Section, sample: &Sample) {
    let mut answers: Vec<&str> = Vec::new();
    for response in sample.history.iter().filter_map(|line| line.response.as_deref()) {
        if !answers.contains(&response) {
            answers.push(response);
        }
    }
    for (place, answer) in answers.iter().enumerate() {
        section.blocks.push(Block::Verbatim(format!("{}: {answer}", letter(place))));
    }
    let row = |line: &HistoryRow| {
        let answer = line.response.as_deref().and_then(|text| answers.iter().position(|one| *one == text));
        vec![
            stamp(line.at),
            line.status.clone(),
            answer.map_or_else(|| "–".to_owned(), letter),
            line.relay_host.clone().unwrap_or_default(),
            line.place.as_deref().map_or("end of the message in the queue", file_name).to_owned(),
        ]
    };
    let mut rows: Vec<Vec<String>> = sample.history.iter().map(row).collect();
    let left_out: u64 = sample.left_out.values().sum();
    if left_out > 0 {
        let kinds: Vec<String> =
            sample.left_out.iter().map(|(status, lines)| format!("{} {status}", count(*lines))).collect();
        let gap = [
            "…".to_owned(),
            kinds.join(", "),
            "…".to_owned(),
            "…".to_owned(),
            format!("{} not shown here", counted(left_out, "line")),
        ];
        rows.insert(rows.len().min(HISTORY / 2), gap.to_vec());
    }
    section.table(&["time (UTC)", "status", "answer", "host", "log line"], rows);
}

/// A, B, … Z, then numbers.
fn letter(place: usize) -> String {
    u8::try_from(place)
        .ok()
        .filter(|place| *place < 26)
        .map_or_else(|| (place + 1).to_string(), |place| char::from(b'A' + place).to_string())
}

/// The file's name and the line: its folder stands in the method.
fn file_name(place: &str) -> &str {
    place.rsplit(['/', '\\']).next().unwrap_or(place)
}
