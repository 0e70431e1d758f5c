//! Bad input: one clear error, exit status 1, nothing half-written; and no item stops a run.

use std::io::Write;
use std::process::Stdio;

use crate::support::World;

fn failure(world: &World, args: &[&str]) -> String {
    let output = world.run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty(), "only answers go to standard output");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_missing_path_is_named_and_makes_no_store() {
    let world = World::new();
    let told = failure(&world, &["import", "no/such/folder"]);
    assert!(told.contains("no/such/folder"), "{told}");
    assert!(!world.db().exists());
}

/// Exit status 2 is wrong usage, which no store can make right: the value, the flag and what to write are told.
#[test]
fn wrong_usage_is_status_two() {
    let world = World::new();
    for (args, words) in [
        (&["rates", "--since", "yesterday"][..], &["yesterday", "--since", "2026-11-24"][..]),
        (&["rates", "--until", "3y"], &["3y", "--until", "3mo"]),
        (&["rates", "--as-of", "2026-13-01"], &["2026-13-01", "--as-of"]),
        (&["--wait=-1", "rates"], &["-1", "--wait", "0 or more"]),
        (&["--wait", "soon", "rates"], &["soon", "--wait", "seconds"]),
        (&["status", "--fail-if-older", "26"], &["26", "--fail-if-older", "90m"]),
        (&["status", "--fail-if-older", "4000000000d"], &["--fail-if-older", "366d"]),
        (&["enrich", "--refresh", "old"], &["old", "--refresh", "7d"]),
        (&["--format", "parquet", "rates"], &["export"]),
        (&["sql", " "], &["empty"]),
        (&["inspect"], &["FILE"]),
        (&["rates", "--by", "moon"], &["moon", "--by", "week"]),
        (&["import"], &["PATHS"]),
    ] {
        let output = world.run(args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{args:?}: {told}");
    }
    std::fs::write(world.path("whole.xml"), REPORT).unwrap();
    assert!(world.run(&["import", "whole.xml"]).status.success());
    let told = world.run(&["rates", "--since", "2026-02-01", "--until", "2026-01-01"]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    assert_eq!(world.run(&["rates", "--domain", "[x"]).status.code(), Some(2));
}

#[test]
fn what_the_system_says_is_told_once() {
    let world = World::new();
    std::fs::write(world.path("file"), "no folder").unwrap();
    for (args, words) in [
        (&["import", "file/below"][..], "no such file or folder"),
        (&["inspect", "file/below"], "no such file or folder"),
        (&["--config", "file/below", "rates"], "Not a directory"),
        (&["--config", ".", "rates"], "Is a directory"),
    ] {
        let told = failure(&world, args);
        assert_eq!(told.matches(words).count(), 1, "{told}");
    }
}

#[test]
fn a_missing_store_says_how_to_make_one() {
    let world = World::new();
    let told = failure(&world, &["rates"]);
    assert!(told.contains("store.duckdb") && told.contains("import"), "{told}");
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let world = World::new();
    std::fs::write(world.db(), "precious letters, not a database, long enough to be looked at by an engine").unwrap();
    std::fs::write(world.path("mail.eml"), "Subject: hi\n\nhello\n").unwrap();
    for args in [&["rates"][..], &["import", "mail.eml"]] {
        let told = failure(&world, args);
        assert!(told.contains("store.duckdb"), "{told}");
    }
    assert!(std::fs::read_to_string(world.db()).unwrap().starts_with("precious"));
}

#[test]
fn what_a_removed_store_left_behind_does_not_touch_the_new_one() {
    let world = World::new();
    std::fs::write(world.path("whole.xml"), REPORT).unwrap();
    world.import(&world.path("whole.xml"));
    std::fs::remove_file(world.db()).unwrap();
    for left in ["store.duckdb.wal", "store.duckdb.undo"] {
        std::fs::write(world.path(left), "what another store had to remember, and this one must not".repeat(9))
            .unwrap();
    }
    assert_eq!(world.import(&world.path("whole.xml"))["reports_stored"], 1);
    assert!(!world.path("store.duckdb.undo").exists());
    assert_eq!(world.number("SELECT count(*) FROM report"), 1);
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let world = World::new();
    std::fs::write(world.path("mail.eml"), "Subject: hi\n\nhello\n").unwrap();
    world.import(&world.path("mail.eml"));
    let store = duckdb::Connection::open(world.db()).unwrap();
    store.execute_batch("INSERT INTO migration VALUES (4000, 'of the future', current_timestamp)").unwrap();
    drop(store);
    for args in [&["rates"][..], &["import", "mail.eml"]] {
        let told = failure(&world, args);
        assert!(told.contains("4000") && told.contains("newer"), "{told}");
    }
}

/// The remedy that a reader is told of does what it says, and the upgraded store answers as one that was new.
#[test]
fn a_store_of_an_older_version_is_upgraded_by_retry() {
    let world = World::new();
    world.import(&crate::support::samples());
    let open = || duckdb::Connection::open(world.db()).unwrap();
    // Two streams that differ in our own verdict alone, which streams of version 2 did not tell apart.
    open().execute_batch(OWN_VERDICT).unwrap();
    let questions = [&["gaps"][..], &["senders"], &["simulate", "--p", "reject"], &["rates", "--by", "sender"]];
    let answers = || questions.map(|question| world.json(question));
    let rows = || {
        world.text(&["sql", "SELECT * EXCLUDE (stream) FROM record ORDER BY report_no, record_no", "--format", "csv"])
    };
    let (before, records) = (answers(), rows());
    let streams = world.number("SELECT count(*) FROM stream");
    open().execute_batch(OLDER).unwrap();
    let told = failure(&world, &["status"]);
    assert!(told.contains("dmarcase retry"), "{told}");
    let told = world.run(&["retry"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert_eq!(answers(), before);
    assert_eq!(rows(), records);
    assert_eq!(world.number("SELECT count(*) FROM stream"), streams);
    // What is read from now on finds the streams that are there.
    assert_eq!(world.import(&crate::support::samples())["reports_stored"], 0);
    assert_eq!(world.number("SELECT count(*) FROM record_row"), world.number("SELECT count(*) FROM record"));
}

const OWN_VERDICT: &str = r#"
    CREATE TEMP TABLE often AS SELECT stream, min(report_no) AS report_no FROM record_row GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1;
    INSERT INTO stream SELECT * REPLACE ((SELECT count(*) FROM stream)::UINTEGER AS stream_no, NOT dkim_recomputed AS dkim_recomputed)
        FROM stream WHERE stream_no = (SELECT stream FROM often);
    UPDATE record_row SET stream = (SELECT max(stream_no) FROM stream) FROM often o
        WHERE record_row.stream = o.stream AND record_row.report_no = o.report_no;
"#;

/// Makes a store one of version 2: findings had fewer columns, a record held all that it says, and a stream was header from and
/// results alone.
const OLDER: &str = r#"
    ALTER TABLE kept DROP COLUMN part;
    ALTER TABLE finding DROP COLUMN severity;
    ALTER TABLE finding DROP COLUMN gap;
    ALTER TABLE finding DROP COLUMN remedy;
    ALTER TABLE finding DROP COLUMN "domain";
    CREATE TABLE record_older AS FROM record;
    DROP VIEW record;
    DROP TABLE record_row;
    DROP TABLE stream_source;
    ALTER TABLE record_older RENAME TO record;
    CREATE TABLE older AS SELECT stream_no, (dense_rank() OVER (ORDER BY header_from, auth) - 1)::UINTEGER AS then FROM stream;
    UPDATE record SET stream = o.then FROM older o WHERE o.stream_no = record.stream;
    CREATE TABLE stream_older AS
        SELECT DISTINCT o.then AS stream_no, t.header_from, t.auth, t.sender_no, t.score, t.evidence, t.own_dkim, t.own_spf,
            t.foreign_dkim, t.foreign_spf
        FROM stream t JOIN older o USING (stream_no);
    DELETE FROM stream;
    ALTER TABLE stream DROP COLUMN policy_domain;
    ALTER TABLE stream DROP COLUMN policy;
    ALTER TABLE stream DROP COLUMN disposition;
    ALTER TABLE stream DROP COLUMN dkim_aligned;
    ALTER TABLE stream DROP COLUMN spf_aligned;
    ALTER TABLE stream DROP COLUMN reason;
    ALTER TABLE stream DROP COLUMN dmarc_pass;
    ALTER TABLE stream DROP COLUMN dkim_raw_pass;
    ALTER TABLE stream DROP COLUMN spf_raw_pass;
    ALTER TABLE stream DROP COLUMN dkim_recomputed;
    ALTER TABLE stream DROP COLUMN spf_recomputed;
    INSERT INTO stream BY NAME FROM stream_older ORDER BY stream_no;
    UPDATE setting SET "value" = (SELECT count(*) FROM stream)::VARCHAR WHERE name = 'senders_streams_done';
    DROP TABLE older;
    DROP TABLE stream_older;
    DELETE FROM migration WHERE number > 2;
"#;

#[test]
fn a_wrong_config_names_line_and_nearest_key() {
    let world = World::new();
    std::fs::write(world.path("dmarcase.toml"), "[limits]\nmail_byte = 5\n").unwrap();
    let told = failure(&world, &["rates"]);
    assert!(told.contains("line 2") && told.contains("mail_bytes"), "{told}");
}

/// Files that are no reports, beside one that is: each has its row and its reason, and the report is stored.
#[test]
fn what_is_no_report_is_told_in_words_and_stops_nothing() {
    let world = World::new();
    let folder = world.path("in");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("empty.xml"), "").unwrap();
    std::fs::write(folder.join("letter.eml"), "From: a@b.example\nSubject: lunch\n\nAt noon?\n").unwrap();
    std::fs::write(folder.join("picture.png"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    std::fs::write(folder.join("page.xml"), "<html><body>no report</body></html>").unwrap();
    std::fs::write(folder.join("cut.xml"), &REPORT[..REPORT.len() / 2]).unwrap();
    std::fs::write(folder.join("whole.xml"), REPORT).unwrap();
    let answer = world.import(&folder);
    assert_eq!((&answer["items"], &answer["reports_stored"]), (&6.into(), &1.into()));
    assert_eq!(answer["rejected"].as_u64().unwrap() + answer["not_reports"].as_u64().unwrap(), 5);
    assert_eq!(world.number("SELECT count(*) FROM ledger WHERE outcome <> 'stored' AND length(reason) > 8"), 5);
    assert_eq!(world.number("SELECT count(DISTINCT path) FROM ledger"), 6);
    let strict = world.run(&["import", "--strict", "in/cut.xml"]);
    assert_eq!(strict.status.code(), Some(3), "a rejected item is a finding with --strict");
}

#[test]
fn standard_input_is_an_origin() {
    let world = World::new();
    let mut child = world
        .command(&["--format", "json", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(REPORT.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["reports_stored"], &answer["messages"]), (&1.into(), &7.into()));
}

/// A full disk (here: a store that may not grow) fails the run, and leaves a store that opens.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_one_clear_error() {
    let world = World::new();
    let folder = world.path("corpus");
    crate::support::corpus(&folder, &["--reports", "1500"]);
    std::fs::write(world.path("whole.xml"), REPORT).unwrap();
    world.import(&world.path("whole.xml"));
    // 2,000 blocks of 512 bytes for any one file of the child: the engine's writes fail like those on a full disk.
    let program = env!("CARGO_BIN_EXE_dmarcase");
    let script = format!(
        "trap '' XFSZ; ulimit -f 2000; exec {program} --db {} import {}",
        world.db().display(),
        folder.display()
    );
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("nothing since the last commit was stored") || told.contains("cannot"), "{told}");
    assert_eq!(world.number("SELECT count(*) FROM report"), 1);
    assert_eq!(world.import(&folder)["reports_stored"], 1500);
}

/// One whole report: seven messages.
const REPORT: &str = r#"<?xml version="1.0"?>
<feedback>
 <report_metadata><org_name>Receiver</org_name><email>d@receiver.example</email><report_id>r-1</report_id>
  <date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata>
 <policy_published><domain>shop.example</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
 <record><row><source_ip>192.0.2.1</source_ip><count>7</count>
  <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
  <identifiers><envelope_from>shop.example</envelope_from><header_from>shop.example</header_from></identifiers>
  <auth_results><dkim><domain>shop.example</domain><selector>s1</selector><result>pass</result></dkim>
   <spf><domain>shop.example</domain><scope>mfrom</scope><result>fail</result></spf></auth_results></record>
</feedback>
"#;

/// Too large to be kept in the store, so that it is read again where it lies.
#[test]
fn retry_tells_of_what_is_no_longer_there() {
    let world = World::new();
    let path = world.path("large.eml");
    std::fs::write(&path, "From: a@b.example\r\nSubject: x\r\n\r\n").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(70 << 20).unwrap();
    world.import(&path);
    assert!(world.text(&["status", "--rejected"]).contains("large.eml"));
    let there = world.run(&["retry"]);
    assert!(!String::from_utf8_lossy(&there.stderr).contains("could not be read again"), "{there:?}");
    std::fs::remove_file(&path).unwrap();
    let gone = world.run(&["retry", "--strict"]);
    let told = String::from_utf8_lossy(&gone.stderr);
    assert!(told.contains("1 rejected item could not be read again") && told.contains("large.eml"), "{told}");
    assert_eq!(gone.status.code(), Some(3));
}

#[test]
fn a_date_of_no_year_that_people_write_is_wrong_usage() {
    let world = World::new();
    for args in [&["rates", "--since", "+12345-01-01"][..], &["gaps", "--as-of", "+262142-12-31"]] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

/// Nothing in the program makes one; somebody who deletes reports by hand does.
#[test]
fn a_stream_without_records_stops_no_import_after_an_upgrade() {
    let world = World::new();
    world.import(&crate::support::samples().join("rua/files"));
    let store = duckdb::Connection::open(world.db()).unwrap();
    store.execute_batch(OLDER).unwrap();
    store.execute_batch("DELETE FROM record; DELETE FROM report; DELETE FROM ledger").unwrap();
    drop(store);
    assert_eq!(world.run(&["retry"]).status.code(), Some(0));
    assert!(world.import(&crate::support::samples().join("rua/files"))["reports_stored"].as_u64() > Some(0));
}

#[test]
fn an_undated_report_of_an_own_sender_has_no_week() {
    let world = World::new();
    let samples = crate::support::samples();
    std::fs::copy(samples.join("dmarcase.toml"), world.path("dmarcase.toml")).unwrap();
    let undated = "<feedback><report_metadata><org_name>a</org_name><report_id>a</report_id></report_metadata>\
        <policy_published><domain>northwind.example</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.10</source_ip>\
        <count>3</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row>\
        <identifiers><header_from>northwind.example</header_from></identifiers><auth_results><dkim><domain>northwind.example</domain>\
        <result>pass</result></dkim></auth_results></record></feedback>";
    std::fs::write(world.path("undated.xml"), undated).unwrap();
    world.import(&samples.join("rua/files"));
    let weeks = || world.json(&["simulate", "--p", "reject"])["weeks"].clone();
    let before = weeks();
    assert_eq!(world.import(&world.path("undated.xml"))["reports_stored"], 1);
    assert_eq!(weeks(), before);
}
