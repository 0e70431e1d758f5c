//! Part 6: DNS and identity.

use super::super::document::Section;
use super::super::findings::{NO_NAME, command};
use super::super::types::Case;
use super::{sql, stamp};

pub(super) fn dns(case: &Case) -> Section {
    let part = &case.dns;
    let mut section = Section::new("6. DNS and identity");
    section.table(
        &["subject", "check", "state", "found", "when (UTC)"],
        part.findings
            .iter()
            .map(|finding| {
                vec![
                    finding.subject.clone(),
                    finding.name.clone(),
                    match (finding.state.as_str(), &finding.severity) {
                        ("not-checked", _) => "not checked".to_owned(),
                        ("could-not-check", _) => "could not check".to_owned(),
                        ("defect", Some(severity)) => format!("defect ({severity})"),
                        (state, _) => state.to_owned(),
                    },
                    finding.detail.clone().unwrap_or_else(|| match command(case, &finding.subject) {
                        Some(command) => format!("run: {command}"),
                        None => NO_NAME.to_owned(),
                    }),
                    finding.found_at.map_or_else(|| "–".to_owned(), stamp),
                ]
            })
            .collect(),
    );
    section.blocks.push(sql(case, &part.sql));
    section.text(match &part.helo {
        Some(helo) => format!("HELO as the operator states it: {helo}."),
        None => match part.findings.iter().find_map(|finding| finding.name.strip_prefix("HELO ")) {
            Some(helo) => format!("HELO: not stated in the facts; what was checked above is {helo}."),
            None => "HELO: not stated.".to_owned(),
        },
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
                        match lookup.listed {
                            Some(true) => "publicly listed: use the public delisting process first",
                            Some(false) => {
                                "not publicly listed at that time: narrow evidence, the gateway may defer by private scores"
                            }
                            None => "unclear: these words say neither that it is listed nor that it is not",
                        }
                        .to_owned(),
                    ]
                })
                .collect(),
        );
    }
    section
}
