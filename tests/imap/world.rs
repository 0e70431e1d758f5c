//! The program with a config of its own, against servers of the tests.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::schema::kept;

/// A folder with a store and a config in it.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new(config: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.configure(config);
        world
    }

    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.path("dmarcase.toml"), config).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
        command
            .current_dir(self.folder.path())
            .env_remove("DMARCASE_CONFIG")
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("none"))
            .env("TEST_PASSWORD", "secret")
            .args(["--db", "store.duckdb", "--config", "dmarcase.toml"])
            .args(args)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed, and returns its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--format", "json"];
        all.extend_from_slice(args);
        let output = self.run(&all);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        kept(args, serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Runs a command that must fail, and returns what it says on standard error.
    pub(crate) fn failure(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Asks one statement that gives one row of one number.
    pub(crate) fn number(&self, statement: &str) -> u64 {
        let rows = self.json(&["sql", statement]);
        rows[0].as_object().unwrap().values().next().unwrap().as_u64().unwrap_or_else(|| panic!("{statement}: {rows}"))
    }
}

/// Writes a corpus as a maildir with its truth by the repository's own generator.
pub(crate) fn corpus(folder: &std::path::Path, reports: u32) -> Value {
    let status = Command::new(env!("CARGO_BIN_EXE_dmarcase-corpus"))
        .arg("corpus")
        .arg(folder)
        .args(["--reports", &reports.to_string(), "--layout", "maildir", "--dup", "2"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap()
}
