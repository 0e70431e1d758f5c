//! Part 8: what the other side could raise.

use super::super::document::Section;
use super::super::types::Case;
use super::about_reports;

pub(super) fn weak_points(case: &Case) -> Section {
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
    // Without reports there are no gaps to ask for.
    if case.period.reports_since.is_some() {
        section.reproduce(about_reports("gaps", case));
    }
    section
}
