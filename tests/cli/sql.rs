//! Ad hoc SQL: read-only, locked down, and the same rows in every format.

use crate::support::{World, samples};

fn world() -> World {
    let world = World::new();
    world.import(&samples().join("rua"));
    world
}

#[test]
fn sql_cannot_write_the_store_nor_touch_files() {
    let world = world();
    std::fs::write(world.path("secret.csv"), "a\n1\n").unwrap();
    for statement in [
        "DELETE FROM report",
        "CREATE TABLE t (x INTEGER)",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM read_csv('secret.csv')",
        "COPY report TO 'out.csv'",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
    ] {
        let output = world.run(&["sql", statement]);
        assert_eq!(output.status.code(), Some(1), "{statement}");
    }
    assert!(!world.path("out.csv").exists());
    assert!(world.text(&["sql", "--allow-files", "SELECT * FROM 'secret.csv'"]).contains('1'));
}

#[test]
fn every_format_has_the_same_rows() {
    let world = world();
    let statement = "SELECT reporter, sum(messages)::BIGINT AS messages FROM report GROUP BY 1 ORDER BY 1";
    let json = world.json(&["sql", statement]);
    let csv = world.text(&["--format", "csv", "sql", statement]);
    assert_eq!(csv.lines().count(), json.as_array().unwrap().len() + 1);
    assert_eq!(csv.lines().next(), Some("reporter,messages"));
    let parquet = world.run(&["--format", "parquet", "sql", statement]);
    assert!(parquet.stdout.starts_with(b"PAR1"), "{}", String::from_utf8_lossy(&parquet.stderr));
}

#[test]
fn times_are_rfc_3339_in_utc() {
    let world = world();
    let rows = world.json(&["sql", "SELECT begin_at, report_day FROM report WHERE begin_at IS NOT NULL LIMIT 1"]);
    let begin = rows[0]["begin_at"].as_str().unwrap();
    assert!(begin.ends_with('Z') && begin.contains('T'), "{begin}");
    assert_eq!(rows[0]["report_day"].as_str().unwrap().len(), 10);
}

/// `DESCRIBE` and the documentation come from one place, so every table, view and column says what it is.
#[test]
fn every_table_view_and_column_has_a_comment() {
    let world = world();
    for statement in [
        "SELECT count(*) FROM duckdb_tables() WHERE comment IS NULL",
        "SELECT count(*) FROM duckdb_views() WHERE comment IS NULL AND NOT internal",
        "SELECT count(*) FROM duckdb_columns() c JOIN duckdb_tables() t USING (table_oid) WHERE c.comment IS NULL",
    ] {
        assert_eq!(world.number(statement), 0, "{statement}");
    }
}

#[test]
fn a_wrong_statement_is_told_and_is_status_one() {
    let world = world();
    let output = world.run(&["sql", "SELEC 1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("SELEC"));
}
