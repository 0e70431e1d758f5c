//! Part 10: where the figures come from.

use super::super::document::{Block, Section};
use super::super::types::Case;
use super::{sql, stamp, utc};
use crate::words::count;

pub(super) fn method(case: &Case) -> Section {
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
    section.reproduce(sql("FROM delivery_file"));
    section.blocks.push(Block::List(part.notes.clone()));
    section
}
