//! Part 4: messages and their history.

use super::super::document::Section;
use super::super::types::Case;
use super::{span, sql, utc};
use crate::words::count;

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
