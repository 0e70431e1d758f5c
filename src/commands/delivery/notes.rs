//! What should be known about a file of delivery evidence before its figures are used, in words.

use std::collections::BTreeMap;

use crate::evidence::{FileRead, LogFormat, LogRead, YearRead, Zone};
use crate::words::{count, counted};

/// Returns what should be known about a file, each a sentence without its end.
pub(super) fn notes(file: &FileRead, zone: Zone) -> Vec<String> {
    let counts = &file.counts;
    let mut notes: Vec<String> = file.note.iter().cloned().collect();
    let mut say = |number: u64, one: &str, many: &str| match number {
        0 => {}
        1 => notes.push(format!("1 {one}")),
        _ => notes.push(format!("{} {many}", count(number))),
    };
    say(counts.unknown_lines(), "line not understood", "lines not understood");
    let early = "too early (the syslog limit, or the end of a file)";
    say(counts.cut, &format!("line ends {early}"), &format!("lines end {early}"));
    let back = "the clock of a host stepped back by more than a minute";
    say(counts.clock_steps, &format!("time {back}"), &format!("times {back}"));
    let twice = "in an hour that a change of summer time repeats (its first time is meant) or skips";
    say(counts.ambiguous_times, &format!("stamp lies {twice}"), &format!("stamps lie {twice}"));
    let no_day = "of 29 February in a year that has none; --year says the right year";
    say(counts.no_such_day, &format!("stamp is {no_day}"), &format!("stamps are {no_day}"));
    say(
        counts.bad_utf8,
        "text was not UTF-8; its bad bytes are replaced",
        "texts were not UTF-8; their bad bytes are replaced",
    );
    let unseen = "whose attempts are in no line of this file";
    say(counts.expired_unseen, &format!("message expired {unseen}"), &format!("messages expired {unseen}"));
    say(counts.probes, "address probe; no mail was sent", "address probes; no mail was sent");
    say(counts.complaints, "complaint of a recipient", "complaints of recipients");
    let own =
        "one's own next hop (mailboxes, filters, relays on private addresses): no answer of a receiver, in no summary";
    say(counts.internal, &format!("attempt went to {own}"), &format!("attempts went to {own}"));
    let others: Vec<String> =
        counts.other_programs.iter().take(5).map(|(name, lines)| format!("{name} {}", count(*lines))).collect();
    if !others.is_empty() {
        notes.push(format!("lines of other programs: {}", others.join(", ")));
    }
    if counts.zoneless > 0 {
        let (stamps, were) = (counted(counts.zoneless, "stamp"), if counts.zoneless == 1 { "was" } else { "were" });
        notes.push(format!("{stamps} without a zone {were} read as {zone}"));
    }
    notes.extend(counts.year.as_ref().map(|read| year_note(read, &file.path)).filter(|note| !note.is_empty()));
    if counts.offsets.len() > 1 {
        let offsets: BTreeMap<String, u64> =
            counts.offsets.iter().map(|(o, n)| (Zone::Offset(*o).to_string(), *n)).collect();
        let offsets: Vec<String> = offsets.into_iter().map(|(zone, lines)| format!("{zone} {lines}")).collect();
        notes.push(format!("stamps of several zones: {}", offsets.join(", ")));
    }
    if file.format == Some(LogFormat::Postmark) {
        notes.push(
            "Postmark tells of few deferrals (Transient, DnsError) and of no retry: there are at least so many"
                .to_owned(),
        );
    }
    if file.format == Some(LogFormat::Ses) {
        notes.push("SES does not promise an event for each attempt: its retries are at least so many".to_owned());
    }
    notes
}

/// How the year of stamps without one is known, where that is not the operator's word alone.
fn year_note(read: &YearRead, path: &str) -> String {
    let YearRead { year, by_file_time, before, .. } = read;
    match before {
        Some(LogRead { path: other, .. }) if other != path => {
            format!(
                "the same log is stored from {other}: its first stamp is of {year}, as there, and no line is stored twice"
            )
        }
        _ if *by_file_time => {
            format!(
                "the first stamp was taken to be of {year}, by the time of the file; --year says the year where that is wrong"
            )
        }
        _ => String::new(),
    }
}
