//! Gives the binary and its tests a run path to the prebuilt DuckDB library, where one is linked, and says which public suffix
//! list is compiled in.

use std::path::Path;

fn main() {
    suffix_list();
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Some(folder) = std::env::var_os("DUCKDB_LIB_DIR")
        && std::env::var_os("CARGO_FEATURE_BUNDLED").is_none()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.to_string_lossy());
    }
}

/// Takes the version of `psl` from the lock file: each version of the crate carries the list of its day. A packaged crate has a
/// lock file as well; where there is none, nothing is set.
fn suffix_list() {
    let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else { return };
    let lock = Path::new(&folder).join("Cargo.lock");
    if !lock.is_file() {
        return;
    }
    println!("cargo::rerun-if-changed={}", lock.display());
    let lock = std::fs::read_to_string(&lock).unwrap_or_default();
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"psl\"");
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    if let Some(version) = version {
        println!("cargo::rustc-env=DMARCASE_SUFFIX_LIST=psl {version}");
    }
}
