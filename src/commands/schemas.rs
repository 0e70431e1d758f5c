//! `schemas DIR`: the JSON Schema of every answer, generated from its type.

use std::path::PathBuf;

use anyhow::Context as _;
use schemars::{Schema, schema_for};

use super::{ApproveAnswer, ConfigAnswer, DeliveryImportAnswer, Exit, FetchAnswer, ImportAnswer, InspectAnswer};
use crate::case::Case;
use crate::check::Checked;
use crate::enrich::EnrichAnswer;
use crate::evidence::DeliverySummary;
use crate::query::{Definition, Gaps, Rates, ReportView, Senders, Simulation, Status, Trend};

/// Arguments of `schemas`.
#[derive(Debug, clap::Args)]
pub struct SchemasArgs {
    /// The folder
    pub folder: PathBuf,
}

/// Returns every answer's name and schema; the files of schemas/json.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("case", schema_for!(Case)),
        ("check", schema_for!(Checked)),
        ("config-check", schema_for!(ConfigAnswer)),
        ("fetch", schema_for!(FetchAnswer)),
        ("delivery-import", schema_for!(DeliveryImportAnswer)),
        ("delivery-summary", schema_for!(DeliverySummary)),
        ("enrich", schema_for!(EnrichAnswer)),
        ("gap", schema_for!(Definition)),
        ("gaps", schema_for!(Gaps)),
        ("import", schema_for!(ImportAnswer)),
        ("inspect", schema_for!(InspectAnswer)),
        ("rates", schema_for!(Rates)),
        ("report", schema_for!(ReportView)),
        ("senders", schema_for!(Senders)),
        ("senders-approve", schema_for!(ApproveAnswer)),
        ("simulate", schema_for!(Simulation)),
        ("status", schema_for!(Status)),
        ("trend", schema_for!(Trend)),
    ]
}

/// Runs `schemas`.
pub(super) fn run(args: &SchemasArgs) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(&args.folder).with_context(|| format!("making {}", args.folder.display()))?;
    for (name, schema) in schemas() {
        let path = args.folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(Exit::Done)
}
