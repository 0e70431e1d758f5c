//! A folder with a store, and the program run in it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::schema::kept;

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Status, output and what was said beside it.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_dmarcase"))
            .args(["--db", "s.duckdb"])
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("DMARCASE_CONFIG")
            .env_remove("DMARCASE_DB")
            .env("XDG_CONFIG_HOME", self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The output of a command that must succeed.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let (status, out, error) = self.run(args);
        assert_eq!(status, 0, "{args:?}: {error}");
        out
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        kept(args, serde_json::from_str(&self.done(&[args, &["--format", "json"]].concat())).unwrap())
    }
}
