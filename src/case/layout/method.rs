//! Part 10: where the figures come from.

use super::super::document::{Block, Section};
use super::super::types::Case;
use super::{sql, stamp, utc};
use crate::query::begin_of;
use crate::words::{count, counted};

pub(super) fn method(case: &Case) -> Section {
    let part = &case.method;
    let mut section = Section::new("10. Method");
    section.blocks.push(Block::Fields(vec![
        ("Program".to_owned(), format!("dmarcase {}", part.version)),
        ("Written".to_owned(), format!("{}, as of {}", utc(part.written_at), part.as_of)),
        (
            "DMARC reports".to_owned(),
            format!(
                "{} of {} on {}",
                counted(part.reports, "report"),
                counted(part.reporters, "reporter"),
                counted(part.messages, "message")
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
            "first attempt (UTC)",
            "last attempt (UTC)",
            "zone",
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
                    file.first_at.map_or_else(|| "–".to_owned(), stamp),
                    file.last_at.map_or_else(|| "–".to_owned(), stamp),
                    file.zone.clone().unwrap_or_else(|| "in the lines".to_owned()),
                    file.note.clone().unwrap_or_default(),
                ]
            })
            .collect(),
    );
    section.blocks.push(match case.period.cut.and_then(|day| day.succ_opt()) {
        None => sql(case, "FROM delivery_file"),
        Some(next) => sql(
            case,
            &format!(
                "SELECT \"file\", count(*), min(attempt_time), max(attempt_time) FROM delivery_attempt WHERE attempt_time < {} GROUP BY 1",
                begin_of(next)
            ),
        ),
    });
    section.blocks.push(Block::List(part.notes.clone()));
    section
}
