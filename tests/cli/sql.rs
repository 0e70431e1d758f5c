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

/// CSV is for who computes: the table that was asked for, not the one that a page begins with.
#[test]
fn csv_of_a_page_is_the_table_that_matters() {
    let world = world();
    let report = world.text(&["--format", "csv", "report", "1"]);
    let records = world.number("SELECT records FROM report WHERE report_no = 1");
    assert!(report.starts_with("record_no,source_ip,messages,"), "{report}");
    assert_eq!(report.lines().count() as u64, records + 1);
    let rejected = world.text(&["--format", "csv", "status", "--rejected"]);
    let entries = world.number("SELECT count(*) FROM ledger WHERE outcome IN ('rejected', 'conflict')");
    assert!(rejected.starts_with("entry,outcome,origin,"), "{rejected}");
    assert_eq!(rejected.lines().count() as u64, entries + 1);
}

#[test]
fn times_are_rfc_3339_in_utc() {
    let world = world();
    let rows = world.json(&["sql", "SELECT begin_at, report_day FROM report WHERE begin_at IS NOT NULL LIMIT 1"]);
    let begin = rows[0]["begin_at"].as_str().unwrap();
    assert!(begin.ends_with('Z') && begin.contains('T'), "{begin}");
    assert_eq!(rows[0]["report_day"].as_str().unwrap().len(), 10);
    // Of one report, too.
    let number = world.number("SELECT min(report_no) FROM report WHERE begin_at IS NOT NULL").to_string();
    let report = world.json(&["report", &number]);
    let said = format!("SELECT begin_at FROM report WHERE report_no = {number}");
    assert_eq!(report["report"]["begin_at"], world.json(&["sql", &said])[0]["begin_at"]);
    assert!(report["report"]["begin_at"].as_str().unwrap().ends_with('Z'));
}

/// Numbers as numbers where they fit, everything else in words: nothing of the way that this program holds them.
#[test]
fn every_type_is_shown_as_the_engine_means_it() {
    let world = world();
    for (expression, value) in [
        ("88.61::DECIMAL(5, 2)", serde_json::json!(88.61)),
        ("-0.05::DECIMAL(5, 2)", serde_json::json!(-0.05)),
        ("12345678901234567890.12::DECIMAL(38, 2)", serde_json::json!("12345678901234567890.12")),
        ("281473902969354::UHUGEINT", serde_json::json!("281473902969354")),
        (
            "340282366920938463463374607431768211455::UHUGEINT",
            serde_json::json!("340282366920938463463374607431768211455"),
        ),
        ("TIME '10:04:05.25'", serde_json::json!("10:04:05.25")),
        ("INTERVAL '14 months 3 days'", serde_json::json!("1 year 2 months 3 days")),
        ("INTERVAL '0 days'", serde_json::json!("00:00:00")),
        ("TIMESTAMP '2026-10-02 00:00:01' - TIMESTAMP '2026-10-01'", serde_json::json!("1 day 00:00:01")),
        ("MAP {'a': 1, 'b': 2}", serde_json::json!({"a": 1, "b": 2})),
        ("[1.5, 2.5]", serde_json::json!([1.5, 2.5])),
    ] {
        let rows = world.json(&["sql", &format!("SELECT {expression} AS value")]);
        assert_eq!(rows[0]["value"], value, "{expression}");
    }
}

/// A change of the rules is applied at the next question, whichever it is.
#[test]
fn sql_and_export_show_the_senders_of_the_rules() {
    let world = world();
    let status =
        "SELECT DISTINCT sender, sender_status FROM record_full WHERE evidence LIKE 'DKIM d=crm-suite.example%'";
    let before = world.json(&["sql", status]);
    assert_eq!(before, serde_json::json!([{"sender": "crm-suite.example", "sender_status": "unknown"}]));
    let rule = "[[sender]]\nname = \"crm\"\ndkim = [{ domain = \"crm-suite.example\" }]\n";
    std::fs::write(world.path("dmarcase.toml"), rule).unwrap();
    world.text(&["export", "daily.csv", "--from", "daily"]);
    assert!(std::fs::read_to_string(world.path("daily.csv")).unwrap().contains(",crm,approved,"));
    std::fs::write(world.path("dmarcase.toml"), rule.replace("crm\"", "crm-2\"")).unwrap();
    let after = world.json(&["sql", status]);
    assert_eq!(after, serde_json::json!([{"sender": "crm-2", "sender_status": "approved"}]));
}

#[test]
fn an_empty_statement_says_so() {
    let world = world();
    for nothing in [" ", ";", " -- nothing", " -- one\n;\n-- two"] {
        let output = world.run(&["sql", nothing]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("the statement is empty"), "{nothing}: {output:?}");
    }
    // What the engine says ends with what it says.
    let output = world.run(&["sql", "selec 1"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("syntax error") && !told.contains("Unknown error code"), "{told}");
}

/// Views that repeat the columns of another one, which explains them: each comment costs time whenever a store is made, and
/// these would say the same again. The comment on such a view names the other one.
const REPEATED: &str = "(VALUES ('attributed', 'record'), ('attempts', 'delivery_attempt'),
    ('dkim_results', 'record_full'), ('spf_results', 'record_full'))";

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
    let silent = format!(
        "SELECT c.table_name, c.column_name
         FROM duckdb_columns() c JOIN duckdb_views() v ON v.view_oid = c.table_oid AND NOT v.internal
         WHERE c.comment IS NULL AND NOT EXISTS (
            FROM {REPEATED} r(\"view\", base) JOIN duckdb_columns() b ON b.table_name = r.base
            WHERE r.\"view\" = c.table_name AND b.column_name = c.column_name AND b.comment IS NOT NULL)"
    );
    assert_eq!(world.json(&["sql", &silent]), serde_json::json!([]));
    let nameless = format!(
        "SELECT r.\"view\" FROM {REPEATED} r(\"view\", base) LEFT JOIN duckdb_views() v ON v.view_name = r.\"view\"
         WHERE NOT coalesce(regexp_matches(v.comment, '\\b' || r.base || '\\b'), false)"
    );
    assert_eq!(world.json(&["sql", &nameless]), serde_json::json!([]));
    // Every view is looked at.
    assert_eq!(
        world.number(
            "SELECT count(DISTINCT c.table_name) FROM duckdb_columns() c JOIN duckdb_views() v ON v.view_oid = c.table_oid
             WHERE NOT v.internal"
        ),
        world.number("SELECT count(*) FROM duckdb_views() WHERE NOT internal")
    );
}

/// A store that another version wrote last is asked by this version's views, though nobody may write it now.
#[test]
fn views_of_another_version_are_not_asked() {
    let world = world();
    let expected = world.json(&["gaps"]);
    let store = duckdb::Connection::open(world.db()).unwrap();
    let old = "DROP MACRO TABLE policy_on; CREATE OR REPLACE VIEW policy_latest AS SELECT 1 AS other;
        UPDATE setting SET \"value\" = 'another' WHERE name = 'views'";
    store.execute_batch(old).unwrap();
    drop(store);
    assert_eq!(world.json(&["gaps"]), expected);
    assert!(world.number("SELECT count(p) FROM policy_latest") > 0);
}

#[test]
fn a_wrong_statement_is_told_and_is_status_one() {
    let world = world();
    let output = world.run(&["sql", "SELEC 1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("SELEC"));
}

/// Text of strangers in a spreadsheet, in whatever answer it comes.
#[test]
fn csv_runs_no_formula_and_no_control_character() {
    let world = world();
    let statement = "SELECT '=cmd|'' /C calc''!A0' AS a, 'x' || chr(27) || 'y' AS b, -1.5 AS c, '-all' AS d, true AS e";
    let csv = world.text(&["--format", "csv", "sql", statement]);
    let row = csv.lines().nth(1).unwrap();
    assert!(row.starts_with("'=cmd|' /C calc'!A0,") && row.ends_with(",-1.5,-all,true"), "{csv}");
    assert!(!csv.contains('\u{1b}'), "{csv}");
}

#[test]
fn json_has_every_column_in_its_order_and_every_value() {
    let world = world();
    let statement = "SELECT 1 AS z, 2 AS a, 3 AS z, 4 AS z_1, 'infinity'::DOUBLE AS big, 'nan'::FLOAT AS none";
    let text = world.text(&["--format", "json", "sql", statement]);
    assert_eq!(text, "[\n  {\"z\":1,\"a\":2,\"z_2\":3,\"z_1\":4,\"big\":\"inf\",\"none\":\"NaN\"}\n]\n");
}
