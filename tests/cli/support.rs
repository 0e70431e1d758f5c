//! Runs the program in a folder of its own, and reads what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::schema::kept;

/// A folder with a store in it.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.path("store.duckdb")
    }

    /// The program, with this folder's store and nothing of the machine's own settings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
        command
            .current_dir(self.folder.path())
            .env_remove("DMARCASE_CONFIG")
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("HOME", self.folder.path())
            .arg("--db")
            .arg(self.db())
            .args(args)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed, and returns its text.
    pub(crate) fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must succeed, and returns its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--format", "json"];
        all.extend_from_slice(args);
        kept(args, serde_json::from_str(&self.text(&all)).unwrap())
    }

    pub(crate) fn import(&self, path: &Path) -> Value {
        self.json(&["import", path.to_str().unwrap()])
    }

    /// Asks one statement that gives one row of one number.
    pub(crate) fn number(&self, statement: &str) -> u64 {
        let rows = self.json(&["sql", statement]);
        rows[0].as_object().unwrap().values().next().unwrap().as_u64().unwrap_or_else(|| panic!("{statement}: {rows}"))
    }

    /// Everything that a store says of its reports, without numbers that depend on the order of imports.
    pub(crate) fn contents(&self) -> String {
        self.text(&["--format", "csv", "sql", CONTENTS])
    }
}

const CONTENTS: &str = "
    SELECT report_key, reporter, policy_domain, report_day, records, messages, pass_messages,
        (SELECT sum(messages) FROM record r WHERE r.report_no = p.report_no) AS recorded,
        (SELECT count(*) FROM record r WHERE r.report_no = p.report_no) AS rows
    FROM report p ORDER BY report_key";

/// Writes a corpus with its truth by the repository's own generator.
pub(crate) fn corpus(folder: &Path, args: &[&str]) -> Value {
    let status = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"))
        .arg("corpus")
        .arg(folder)
        .args(args)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap()
}

/// The folder of the sample story.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_reports")
}
