//! Gives the binary and its tests a run path to the prebuilt DuckDB library, where one is linked.

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Some(folder) = std::env::var_os("DUCKDB_LIB_DIR")
        && std::env::var_os("CARGO_FEATURE_BUNDLED").is_none()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.to_string_lossy());
    }
}
