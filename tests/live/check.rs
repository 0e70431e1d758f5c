//! `check`, end to end: reports in the store, a zone on loopback, and what is said, kept and shown of it.

use serde_json::Value;

use crate::name_server::NameServer;
use crate::plant::{Plant, Record, STRICT, aligned, spoofed};
use crate::records::{RSA_512, RSA_1024, RSA_2048};

const DOMAIN: &str = "north.example";

fn healthy() -> String {
    format!(
        "north.example TXT v=spf1 ip4:192.0.2.0/28 -all
         north.example MX 10 mx0a-001.pphosted.com.
         _dmarc.north.example TXT v=DMARC1; p=reject; rua=mailto:rua@north.example
         s1._domainkey.north.example TXT v=DMARC1
         s1._domainkey.north.example TXT v=DKIM1; k=rsa; p={RSA_2048}
         192.0.2.1 PTR mx1.north.example.
         mx1.north.example A 192.0.2.1
         2.0.0.127.bl.example A 127.0.0.2
         test.dbl.example A 127.0.1.2\n"
    )
    .replace("s1._domainkey.north.example TXT v=DMARC1\n", "")
}

/// A store with yesterday's report of the domain's mail, and one spoofer that is not to be looked at.
fn plant(server: &NameServer, records: &[Record]) -> Plant {
    let mut plant = Plant::new();
    plant.config(&format!("{}blocklists = ['bl.example']\ndomain_blocklists = ['dbl.example']\n", server.toml()));
    let day = chrono::Utc::now().date_naive().pred_opt().unwrap().to_string();
    let spoofer = spoofed(DOMAIN, "203.0.113.66", 5000);
    plant.report("Alpha", DOMAIN, &day, STRICT, &[records, &[spoofer]].concat());
    plant.import();
    plant
}

fn ours() -> Record {
    aligned(DOMAIN, "192.0.2.1", 100)
}

fn finding<'a>(answer: &'a Value, subject: &str, check: &str) -> &'a Value {
    let rows = answer["findings"].as_array().unwrap();
    let found = rows.iter().find(|row| row["subject"] == subject && row["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} of {subject}: {answer:#}"))
}

/// State, severity and gap of one finding.
fn state(answer: &Value, subject: &str, check: &str) -> String {
    let row = finding(answer, subject, check);
    let words = ["state", "severity", "gap"].map(|key| row[key].as_str().unwrap_or("-"));
    words.join(" ")
}

#[test]
fn a_healthy_domain_has_no_defect() {
    let server = NameServer::start(&healthy());
    let plant = plant(&server, &[ours()]);
    let answer = plant.json(&["check", DOMAIN, "--helo", "mx1.north.example", "--fail-on", "notice"]);
    let rows = answer["findings"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["state"] == "ok"), "{answer:#}");
    assert_eq!((&answer["policy_domain"], &answer["gateway"]), (&DOMAIN.into(), &"proofpoint".into()));
    assert_eq!(answer["ips"].as_array().unwrap().len(), 1, "the spoofer is nobody's sender");
    assert_eq!((&answer["keys"][0]["selector"], &answer["keys"][0]["key"]["bits"]), (&"s1".into(), &2048.into()));
    let helo = finding(&answer, "192.0.2.1", "HELO mx1.north.example");
    assert_eq!(helo["found"], "resolves to the address");
    assert!(!server.asked().iter().any(|question| question.contains("66.113.0.203")));
    // A list is asked once about each address, after its test.
    let asked = server.asked().iter().filter(|question| *question == "1.2.0.192.bl.example A").count();
    assert_eq!(asked, 1);
}

#[test]
fn a_fault_of_a_record_is_none_of_its_cost() {
    // The missing include has a name that sounds like a limit.
    let zone =
        healthy().replace("v=spf1 ip4:192.0.2.0/28 -all", "v=spf1 ip4:192.0.2.0/28 include:lookups.example -all");
    let server = NameServer::start(&zone);
    let plant = plant(&server, &[ours()]);
    let answer = plant.json(&["check", DOMAIN]);
    assert_eq!(state(&answer, DOMAIN, "SPF record"), "defect high G11");
    assert_eq!(state(&answer, DOMAIN, "SPF lookups"), "ok - -", "one lookup of ten, one of two without an answer");
}

#[test]
fn findings_are_kept_with_their_time() {
    let server = NameServer::start(&healthy());
    let plant = plant(&server, &[ours()]);
    let before = chrono::Utc::now();
    let first = plant.json(&["check", DOMAIN]);
    plant.json(&["check", DOMAIN]);
    plant.json(&["check", DOMAIN, "--no-store"]);
    let count = first["findings"].as_array().unwrap().len();
    let kept = plant.json(&["sql", "SELECT count(*) AS n, count(DISTINCT found_at) AS times, min(\"domain\") AS d, min(epoch_us(found_at)) // 1000000 AS first FROM finding"]);
    assert_eq!((&kept[0]["n"], &kept[0]["times"], &kept[0]["d"]), (&(2 * count).into(), &2.into(), &DOMAIN.into()));
    assert!(kept[0]["first"].as_i64().unwrap() >= before.timestamp() - 1);
}

#[test]
fn defects_are_named_with_their_gap() {
    let zone = format!(
        "north.example TXT v=spf1 ip4:198.51.100.0/24 include:nothing.example ?all
         _dmarc.north.example TXT v=DMARC1; p=quarantine; sp=none; np=none; pct=20; t=y; rua=mailto:r@other.example
         s1._domainkey.north.example TXT v=DKIM1; p=
         s2._domainkey.north.example TXT v=DKIM1; p={RSA_1024}
         s3._domainkey.north.example TXT v=DKIM1; p={RSA_512}
         s4._domainkey.north.example TXT v=DKIM1; t=y; p={RSA_2048}
         192.0.2.1 PTR mx1.north.example.
         mx1.north.example A 192.0.2.99
         2.0.0.127.bl.example A 127.0.0.2
         1.2.0.192.bl.example A 127.0.0.2
         test.dbl.example A 127.0.1.2
         north.example.dbl.example A 127.0.1.2\n"
    );
    let server = NameServer::start(&zone);
    let plant = plant(&server, &[ours()]);
    let flags = [
        "--selector",
        "s2",
        "--selector",
        "s3@north.example",
        "--selector",
        "s4",
        "--selector",
        "s5",
        "--helo",
        "wrong.example",
    ];
    let answer = plant.json(&[&["check", DOMAIN][..], &flags].concat());
    for (subject, check, expected) in [
        (DOMAIN, "DMARC record", "ok - -"),
        (DOMAIN, "DMARC policy", "ok - -"),
        (DOMAIN, "DMARC subdomain policy", "defect warn G02"),
        (DOMAIN, "DMARC policy of made-up subdomains", "ok - -"),
        (DOMAIN, "DMARC sampling", "defect warn G04"),
        (DOMAIN, "DMARC testing", "defect warn G05"),
        (DOMAIN, "DMARC reports", "defect high G15"),
        (DOMAIN, "SPF record", "defect high G11"),
        (DOMAIN, "SPF lookups", "ok - -"),
        (DOMAIN, "SPF all", "defect warn -"),
        (DOMAIN, "DKIM key s1", "defect high G10"),
        (DOMAIN, "DKIM key s2", "defect warn -"),
        (DOMAIN, "DKIM key s3", "defect high G10"),
        (DOMAIN, "DKIM key s4", "defect notice -"),
        (DOMAIN, "DKIM key s5", "defect high G10"),
        (DOMAIN, "MX", "defect warn -"),
        (DOMAIN, "dbl.example", "defect high -"),
        // RFC 7208 section 5.2: the include of nothing is a permerror before ?all is reached.
        ("192.0.2.1", "SPF of north.example", "defect warn -"),
        ("192.0.2.1", "reverse DNS", "defect high -"),
        ("192.0.2.1", "HELO wrong.example", "defect warn -"),
        ("192.0.2.1", "bl.example", "defect high -"),
    ] {
        assert_eq!(
            state(&answer, subject, check),
            expected,
            "{check} of {subject}: {}",
            finding(&answer, subject, check)
        );
    }
    assert_eq!(answer["findings"][0]["severity"], "high", "worst first");
    assert!(
        finding(&answer, DOMAIN, "DMARC reports")["found"]
            .as_str()
            .unwrap()
            .contains("north.example._report._dmarc.other.example")
    );
    let status = |least| plant.run(&["check", DOMAIN, "--no-store", "--fail-on", least]).status.code();
    assert_eq!((status("notice"), status("high")), (Some(3), Some(3)));
    // What DNS shows stands in the gaps too, dated, as long as it is recent.
    let gaps = plant.json(&["gaps"]);
    let of =
        |gap: &str| gaps["rows"].as_array().unwrap().iter().find(|row| row["gap"] == gap).cloned().unwrap_or_default();
    let today = chrono::Utc::now().date_naive();
    for gap in ["G02", "G04", "G05", "G10", "G11", "G15"] {
        let row = of(gap);
        assert_eq!(row["domain"], DOMAIN, "{gap}: {gaps:#}");
        assert!(row["evidence"].as_str().unwrap().contains(&format!("live DNS on {today}")), "{row}");
    }
    assert_eq!(of("G10")["severity"], "high");
    let later = (today + chrono::Days::new(31)).to_string();
    let old = plant.json(&["gaps", "--as-of", &later]);
    assert!(!old["rows"].as_array().unwrap().iter().any(|row| row["gap"] == "G02"), "{old:#}");
}

#[test]
fn a_mended_record_is_no_gap_any_more() {
    let broken = NameServer::start(&healthy().replace("p=reject;", "p=reject; sp=none; pct=5;"));
    let mut plant = plant(&broken, &[ours()]);
    plant.json(&["check", DOMAIN, "--no-blocklists"]);
    let gaps = |plant: &Plant| -> Vec<String> {
        let rows = plant.json(&["gaps"])["rows"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["gap"].as_str().unwrap().to_owned())
            .filter(|gap| gap == "G02" || gap == "G04")
            .collect()
    };
    assert_eq!(gaps(&plant), ["G02", "G04"]);
    let mended = NameServer::start(&healthy());
    plant.config(&mended.toml());
    plant.json(&["check", DOMAIN, "--no-blocklists"]);
    assert_eq!(gaps(&plant), Vec::<String>::new());
}

#[test]
fn what_nobody_could_say_is_neither_ok_nor_a_defect() {
    let zone = healthy()
        .replace(
            "_dmarc.north.example TXT v=DMARC1; p=reject; rua=mailto:rua@north.example",
            "_dmarc.north.example SERVFAIL",
        )
        .replace("192.0.2.1 PTR mx1.north.example.", "192.0.2.1 SERVFAIL")
        .replace("2.0.0.127.bl.example A 127.0.0.2", "2.0.0.127.bl.example A 127.255.255.254")
        .replace("north.example MX 10 mx0a-001.pphosted.com.", "north.example MX 10 mx.north.example.");
    let server = NameServer::start(&zone);
    let plant = plant(&server, &[ours()]);
    let answer = plant.json(&["check", DOMAIN, "--fail-on", "notice"]);
    for (subject, check, why) in [
        (DOMAIN, "DMARC record", "SERVFAIL"),
        ("192.0.2.1", "reverse DNS", "SERVFAIL"),
        ("192.0.2.1", "bl.example", "public resolver"),
    ] {
        assert_eq!(state(&answer, subject, check), "could-not-check - -");
        assert!(finding(&answer, subject, check)["found"].as_str().unwrap().contains(why));
    }
    assert_eq!(answer["gateway"], Value::Null);
    assert!(
        !server.asked().iter().any(|question| question == "1.2.0.192.bl.example A"),
        "a list that fails its test is not asked"
    );
    let text = plant.text(&["check", DOMAIN]);
    assert!(text.contains("could not check") && text.contains("3 could not be checked"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn without_a_store_and_without_a_network() {
    let server = NameServer::start(&healthy());
    let plant = Plant::new();
    std::fs::write(plant.config_path(), format!("{}blocklists = []\ndomain_blocklists = []\n", server.toml())).unwrap();
    let answer = plant.json(&["check", "North.Example.", "--ip", "192.0.2.1", "--selector", "s1"]);
    assert_eq!(state(&answer, DOMAIN, "DKIM key s1"), "ok - -");
    assert_eq!(state(&answer, "192.0.2.1", "SPF of north.example"), "ok - -");
    assert!(!plant.folder.path().join("store.duckdb").exists(), "a check makes no store");
    let address = server.address;
    drop(server);
    // Silence is no clean record: the answer is there, and the command has failed.
    let silent = |args: &[&str]| {
        let output = plant.run(args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("nothing could be checked"), "{told}");
        String::from_utf8(output.stdout).unwrap()
    };
    let answer = silent(&["--format", "json", "check", DOMAIN, "--ip", "192.0.2.1", "--fail-on", "high"]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let rows = answer["findings"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["state"] == "could-not-check"), "{address}: {answer:#}");
    let csv = silent(&["--format", "csv", "check", DOMAIN]);
    assert!(csv.starts_with("checked_at,kind,subject,check,state,severity,gap,found,remedy\n"), "{csv}");
    assert!(silent(&["--format", "markdown", "check", DOMAIN]).contains("| could not check | DMARC record |"));
    let output = plant.run(&["check", "not a domain"]);
    assert_eq!(output.status.code(), Some(2));
    for address in ["192.0.2.1", "2001:db8::1"] {
        let output = plant.run(&["check", address]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("is an address") && told.contains(&format!("--ip {address}")), "{told}");
    }
}

/// Two records are one fault, and nothing is said of what neither of them says for sure.
#[test]
fn a_record_that_nobody_can_read_has_no_verdicts() {
    let two = healthy() + "north.example TXT v=spf1 +all\n";
    let typo = healthy().replace("v=spf1 ip4:192.0.2.0/28", "v=spf1 ipv4:192.0.2.0/28");
    for (zone, text) in [(two, "permerror: 2 records: "), (typo, "permerror: north.example: `ipv4:192.0.2.0/28`")] {
        let server = NameServer::start(&zone);
        let answer = plant(&server, &[ours()]).json(&["check", DOMAIN]);
        let record = finding(&answer, DOMAIN, "SPF record");
        assert!(record["found"].as_str().unwrap().starts_with(text), "{record}");
        assert!(!record["found"].as_str().unwrap().ends_with([';', ' ']), "{record}");
        assert_eq!(state(&answer, "192.0.2.1", "SPF of north.example"), "defect warn -");
        let of_spf: Vec<_> =
            answer["findings"].as_array().unwrap().iter().map(|row| row["check"].as_str().unwrap()).collect();
        assert!(!of_spf.contains(&"SPF lookups") && !of_spf.contains(&"SPF all"), "{of_spf:?}");
    }
}

#[test]
fn terms_after_all_are_a_defect_of_their_own() {
    let zone = healthy().replace("192.0.2.0/28 -all", "192.0.2.0/28 -all include:esp.example");
    let server = NameServer::start(&zone);
    let answer = plant(&server, &[ours()]).json(&["check", DOMAIN]);
    assert_eq!(state(&answer, DOMAIN, "SPF record"), "ok - -");
    assert_eq!(state(&answer, DOMAIN, "SPF all"), "defect warn -");
    let found = finding(&answer, DOMAIN, "SPF all")["found"].as_str().unwrap().to_owned();
    assert_eq!(found, "receivers ignore what stands after `all`: include:esp.example");
}

/// CSV keeps text as it is, unless a spreadsheet would run it.
#[test]
fn csv_guards_what_is_dangerous_alone() {
    let server = NameServer::start(&healthy());
    let plant = plant(&server, &[ours()]);
    let csv = plant.text(&["--format", "csv", "check", DOMAIN]);
    assert!(csv.contains(",-all: everything else fails,") && !csv.contains(",'"), "{csv}");
    let mut plant = Plant::new();
    let day = "2026-06-01";
    for reporter in ["=HYPERLINK(A1)", "@SUM(A1)", "+cmd|'/c calc'!A1", "-harmless", "=plain"] {
        plant.report(reporter, DOMAIN, day, STRICT, &[ours()]);
    }
    let csv = plant.import().text(&["--format", "csv", "rates", "--by", "reporter"]);
    for (field, times) in
        [("'=HYPERLINK(A1)", 1), ("'@SUM(A1)", 1), ("'+cmd|'/c calc'!A1", 1), ("'-harmless", 0), ("'=plain", 0)]
    {
        assert_eq!(csv.matches(field).count(), times, "{field} in {csv}");
    }
    assert!(csv.contains("\n-harmless,") && csv.contains("\n=plain,"), "{csv}");
}

#[test]
fn a_parked_domain_is_held_to_saying_so() {
    let zone = "
        shut.example TXT v=spf1 -all
        shut.example MX 0 .
        _dmarc.shut.example TXT v=DMARC1; p=reject; rua=mailto:r@shut.example
        open.example TXT v=spf1 ~all
        open.example MX 10 mx.open.example.
        _dmarc.open.example TXT v=DMARC1; p=quarantine; rua=mailto:r@open.example";
    let server = NameServer::start(zone);
    let mut plant = Plant::new();
    let parked = "[[domain]]\nname = 'shut.example'\nsends = false\n[[domain]]\nname = 'open.example'\nsends = false\n";
    plant.config(&format!("{}{parked}", server.toml()));
    let answer = plant.json(&["check", "shut.example", "--no-blocklists", "--fail-on", "notice"]);
    assert!(answer["findings"].as_array().unwrap().iter().all(|row| row["state"] == "ok"), "{answer:#}");
    let answer = plant.json(&["check", "open.example", "--no-blocklists"]);
    for (check, expected) in
        [("DMARC policy", "defect warn G18"), ("SPF all", "defect warn G18"), ("MX", "defect notice G18")]
    {
        assert_eq!(state(&answer, "open.example", check), expected);
    }
}

#[test]
fn a_tenant_checks_its_own_domains_alone() {
    let server = NameServer::start(&healthy());
    let mut plant = Plant::new();
    let tenant = |name: &str| format!("[[tenant]]\nname = '{name}'\ndomains = ['{name}.example']\n");
    plant.config(&format!("{}{}{}", server.toml(), tenant("north"), tenant("south")));
    let day = chrono::Utc::now().date_naive().pred_opt().unwrap().to_string();
    plant.report("Alpha", DOMAIN, &day, STRICT, &[ours()]);
    plant.report("Alpha", "south.example", &day, STRICT, &[aligned("south.example", "192.0.2.77", 9000)]);
    plant.import();
    let answer = plant.json(&["--tenant", "north", "check", DOMAIN, "--no-blocklists"]);
    assert_eq!(answer["ips"].as_array().unwrap().len(), 1, "its own sources: {answer:#}");
    assert_eq!(answer["ips"][0]["ip"], "192.0.2.1");
    let output = plant.run(&["--tenant", "north", "check", "south.example", "--no-blocklists"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("no domain of the tenant `north`") && told.contains("north.example"), "{told}");
}
