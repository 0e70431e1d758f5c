//! The ledger when things change: limits, names, places. What it says stays true, and what it keeps is there.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::World;

/// A report with some records.
fn report(id: &str, records: usize) -> String {
    let record = "<record><row><source_ip>192.0.2.1</source_ip><count>7</count><policy_evaluated><disposition>none</disposition>\
        <dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>shop.example</header_from></identifiers>\
        <auth_results><spf><domain>shop.example</domain><result>fail</result></spf></auth_results></record>";
    format!(
        "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>Receiver</org_name><email>d@receiver.example</email>\
         <report_id>{id}</report_id><date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata>\
         <policy_published><domain>shop.example</domain><p>none</p></policy_published>{}</feedback>",
        record.repeat(records)
    )
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn rows(world: &World) -> [u64; 3] {
    ["ledger", "ledger WHERE outcome = 'rejected'", "kept"]
        .map(|table| world.number(&format!("SELECT count(*) FROM {table}")))
}

/// The program under limits of its own.
fn limited(world: &World, limits: &str, args: &[&str]) {
    std::fs::write(world.path("limits.toml"), format!("[limits]\n{limits}\n")).unwrap();
    world.json(&[&["--config", "limits.toml"], args].concat());
}

/// A report that claims more mail than there is in the world would make every sum of the store run over.
#[test]
fn a_report_of_more_mail_than_there_is_breaks_no_sum() {
    let world = World::new();
    let record = |count: u64| {
        format!(
            "<record><row><source_ip>192.0.2.1</source_ip><count>{count}</count><policy_evaluated><disposition>none</disposition>\
             <dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>a.example</header_from></identifiers>\
             <auth_results><spf><domain>a.example</domain><result>fail</result></spf></auth_results></record>"
        )
    };
    let report = |id: &str, records: &str| {
        format!(
            "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>R</org_name><email>d@r.example</email><report_id>{id}</report_id>\
             <date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata><policy_published>\
             <domain>a.example</domain><p>none</p></policy_published>{records}</feedback>"
        )
    };
    let most = 1_000_000_000_000;
    std::fs::create_dir(world.path("in")).unwrap();
    std::fs::write(world.path("in/most.xml"), report("most", &record(most))).unwrap();
    std::fs::write(world.path("in/more.xml"), report("more", &format!("{}{}", record(most), record(1)))).unwrap();
    let answer = world.json(&["import", "in"]);
    assert_eq!((&answer["reports_stored"], &answer["rejected"]), (&1.into(), &1.into()));
    assert_eq!(world.json(&["rates"])["total"]["messages"], most);
    assert_eq!(world.number("SELECT count(*) FROM ledger WHERE code = 'messages'"), 1);
}

#[test]
fn bytes_are_kept_in_the_commit_that_takes_others_away() {
    let world = World::new();
    std::fs::create_dir(world.path("in")).unwrap();
    std::fs::write(world.path("in/a.xml"), report("a", 2)).unwrap();
    limited(&world, "records = 1", &["import", "in"]);
    assert_eq!(rows(&world), [1, 1, 1]);
    // The one is stored now, and the other is rejected in the same batch.
    std::fs::write(world.path("in/b.xml.gz"), &gzip(report("b", 1).as_bytes())[..40]).unwrap();
    limited(&world, "records = 2", &["import", "in"]);
    assert_eq!(rows(&world), [2, 1, 1]);
    assert_eq!(world.number("SELECT count(*) FROM kept SEMI JOIN ledger USING (content_hash)"), 1);
}

#[test]
fn bytes_are_kept_while_the_fault_moves_to_another_place() {
    let world = World::new();
    let nested = ["inner.zip", "middle.zip"]
        .iter()
        .fold(zip(&[("r.xml", report("deep", 1).as_bytes())]), |packed, name| zip(&[(name, &packed)]));
    std::fs::write(world.path("outer.zip"), nested).unwrap();
    limited(&world, "nesting = 1", &["import", "outer.zip"]);
    // From here on only what is kept can be read.
    std::fs::remove_file(world.path("outer.zip")).unwrap();
    let place = "SELECT document FROM ledger";
    let first = world.json(&["sql", place]);
    assert_eq!(rows(&world), [1, 1, 1]);
    limited(&world, "nesting = 2", &["retry"]);
    assert_ne!(world.json(&["sql", place]), first, "rejected elsewhere now");
    assert_eq!(rows(&world), [1, 1, 1]);
    limited(&world, "nesting = 3", &["retry"]);
    assert_eq!(rows(&world), [1, 0, 0]);
    assert_eq!(world.number("SELECT count(*) FROM report"), 1);
}

#[test]
fn members_of_one_name_have_a_row_each() {
    let world = World::new();
    let good = report("twin", 1);
    let mut packed = zip(&[("one.xml", good.as_bytes()), ("two.xml", b"<?xml version=\"1.0\"?><feedback><cut")]);
    while let Some(at) = packed.windows(7).position(|name| name == b"two.xml") {
        packed[at..at + 7].copy_from_slice(b"one.xml");
    }
    std::fs::write(world.path("twins.zip"), packed).unwrap();
    for _ in 0..3 {
        world.import(&world.path("twins.zip"));
        assert_eq!(rows(&world), [2, 1, 1]);
    }
}

#[test]
fn the_same_item_twice_has_one_row() {
    let world = World::new();
    std::fs::write(world.path("a.xml"), report("a", 1)).unwrap();
    let answer = world.json(&["import", "a.xml", "a.xml"]);
    assert_eq!((&answer["reports_stored"], &answer["duplicates"]), (&1.into(), &1.into()));
    assert_eq!(rows(&world), [1, 0, 0]);
    world.json(&["import", "a.xml", "a.xml"]);
    assert_eq!(rows(&world), [1, 0, 0]);
}

/// A file was handed in because it may be a report: what is closed inside it is told, not passed over.
#[test]
fn what_is_closed_inside_a_file_is_rejected() {
    let world = World::new();
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"a.xml");
    tar[257..262].copy_from_slice(b"ustar");
    std::fs::write(world.path("a.tgz"), gzip(&tar)).unwrap();
    std::fs::write(world.path("a.zip"), zip(&[("a.tar", &tar)])).unwrap();
    let answer = world.json(&["import", "a.tgz", "a.zip"]);
    assert_eq!((&answer["rejected"], &answer["not_reports"]), (&2.into(), &0.into()));
    let told = world.text(&["--format", "csv", "sql", "SELECT reason FROM ledger"]);
    assert_eq!(told.matches("unpack it by hand (tar -x)").count(), 2, "{told}");
}

/// A note about the containers of one report says nothing of a report whose place begins with the same letters.
#[test]
fn a_note_is_about_its_own_part() {
    let world = World::new();
    let mut mail = "Subject: reports\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=cut\n\n".to_owned();
    for part in 1..=10 {
        let mut packed = gzip(report(&format!("part-{part}"), 1).as_bytes());
        if part == 1 {
            packed.extend_from_slice(b"left behind");
        }
        mail.push_str(&format!(
            "--cut\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{}\n",
            STANDARD.encode(packed)
        ));
    }
    mail.push_str("--cut--\n");
    std::fs::write(world.path("ten.eml"), mail).unwrap();
    assert_eq!(world.import(&world.path("ten.eml"))["reports_stored"], 10);
    let noted = world.json(&[
        "sql",
        "SELECT report_id FROM report WHERE list_contains(list_transform(warnings, lambda w: w.code), 'gzip-trailing')",
    ]);
    assert_eq!(noted, serde_json::json!([{"report_id": "part-1"}]));
}

/// `--wait` is about other processes: parts of this one that take turns at the store wait for each other.
#[test]
fn retry_needs_no_patience_with_itself() {
    let world = World::new();
    std::fs::write(world.path("a.xml"), report("a", 2)).unwrap();
    limited(&world, "records = 1", &["import", "a.xml"]);
    limited(&world, "records = 2", &["--wait", "0", "retry"]);
    assert_eq!(world.number("SELECT count(*) FROM report"), 1);
}

#[test]
fn a_store_without_any_period_is_not_called_empty() {
    let world = World::new();
    let dated = "<date_range><begin>1709251200</begin><end>1709337599</end></date_range>";
    std::fs::write(world.path("undated.xml"), report("undated", 1).replace(dated, "")).unwrap();
    assert_eq!(world.import(&world.path("undated.xml"))["reports_stored"], 1);
    let output = world.run(&["rates"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("date range") && !told.contains("no reports yet"), "{told}");
}
