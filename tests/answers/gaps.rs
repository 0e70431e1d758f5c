//! One planted defect for each gap; every figure below is a sum of counts that stand in the test.

use super::plant::{AS_OF, Plant, Record, STRICT, aligned, days_before, foreign, spoofed};

const DOMAIN: &str = "north.example";
const CONFIG: &str = "
[[sender]]
name = 'mta'
ips = ['192.0.2.0/28']
[[domain]]
name = 'north.example'
";

/// Ten healthy days of two reporters up to the day before today.
fn healthy(policy: &str) -> Plant {
    let mut plant = Plant::new();
    plant.config(CONFIG);
    for day in 1..=10 {
        for (reporter, count) in [("Alpha", 60), ("Beta", 40)] {
            plant.report(reporter, DOMAIN, &days_before(day), policy, &[aligned(DOMAIN, "192.0.2.1", count)]);
        }
    }
    plant
}

/// The gaps of ten healthy days and one report more.
fn with(policy: &str, records: &[Record]) -> Vec<(String, String, u64)> {
    let mut plant = healthy(policy);
    plant.report("Gamma", DOMAIN, &days_before(1), policy, records);
    asked(&plant)
}

/// The gaps of what is planted, which the statements that explain them show too.
fn asked(plant: &Plant) -> Vec<(String, String, u64)> {
    plant.import().agrees(&["--as-of", AS_OF]);
    plant.gaps(DOMAIN)
}

fn row(gap: &str, severity: &str, messages: u64) -> (String, String, u64) {
    (gap.to_owned(), severity.to_owned(), messages)
}

#[test]
fn a_healthy_domain_has_no_gap() {
    let mut plant = healthy(STRICT);
    plant.import();
    assert_eq!(plant.gaps(DOMAIN), []);
    assert!(plant.text(&["gaps", "--as-of", AS_OF]).contains("No gaps."));
    assert!(plant.run(&["gaps", "--as-of", AS_OF, "--fail-on", "notice"]).status.success());
    plant.config("");
    assert_eq!(plant.gaps(DOMAIN), [], "own mail needs no approval to be healthy");
}

#[test]
fn g01_to_g05_and_g18_are_about_the_policy() {
    let policy = |p: &str| asked(&healthy(p));
    assert_eq!(policy("<p>none</p>"), [row("G01", "notice", 0)]);
    assert_eq!(policy("<p>reject</p><sp>quarantine</sp>"), [row("G02", "warn", 0)]);
    assert_eq!(policy("<p>reject</p><sp>reject</sp><np>none</np>"), [row("G03", "notice", 0)]);
    assert_eq!(policy("<p>quarantine</p><pct>25</pct>"), [row("G04", "warn", 0)]);
    assert_eq!(policy("<p>none</p><pct>25</pct>"), [row("G01", "notice", 0)], "pct of none is nothing");
    assert_eq!(policy("<p>quarantine</p><testing>y</testing>"), [row("G05", "warn", 0)]);
    let mut parked = healthy("<p>reject</p><sp>none</sp>");
    parked.config("[[domain]]\nname = 'north.example'\nsends = false\n");
    assert_eq!(asked(&parked), [row("G02", "warn", 0), row("G18", "warn", 0)]);
}

#[test]
fn one_reporter_with_a_stale_record_does_not_speak_for_the_domain() {
    let mut plant = healthy(STRICT);
    plant.report("Gamma", DOMAIN, &days_before(1), "<p>none</p>", &[]);
    assert_eq!(plant.import().gaps(DOMAIN), []);
    assert_eq!(shown(&plant, "G01"), 0, "nor in the statement that explains it");
}

/// Rows of the statement that explains a gap.
fn shown(plant: &Plant, gap: &str) -> usize {
    let one = plant.json(&["gaps", "--explain", gap, "--as-of", AS_OF]);
    plant.json(&["sql", one["sql"].as_str().unwrap()]).as_array().unwrap().len()
}

#[test]
fn the_statement_says_what_the_gap_says() {
    for (policy, gap) in [
        ("<p>none</p>", "G01"),
        ("<p>reject</p><sp>quarantine</sp>", "G02"),
        ("<p>reject</p><sp>reject</sp><np>none</np>", "G03"),
        ("<p>quarantine</p><pct>25</pct>", "G04"),
        ("<p>quarantine</p><testing>y</testing>", "G05"),
    ] {
        // Most say it; a newer report of one reporter alone does not.
        let mut plant = healthy(policy);
        plant.report("Gamma", DOMAIN, &days_before(1), STRICT, &[]);
        plant.import();
        assert!(plant.gaps(DOMAIN).iter().any(|row| row.0 == gap), "{gap}");
        for number in 1..=5 {
            let id = format!("G{number:02}");
            assert_eq!(shown(&plant, &id), usize::from(id == gap), "{id} of {policy}");
        }
    }
    // Days of silence count back from the day asked for.
    for (days, silent) in [(3, 0), (4, 1), (8, 1)] {
        let mut plant = Plant::new();
        for day in days..days + 10 {
            plant.report("Alpha", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", 5)]);
        }
        plant.import();
        assert_eq!(shown(&plant, "G15"), silent, "{days}");
    }
    for (from, silent) in [(6, 1), (5, 0)] {
        let mut plant = healthy(STRICT);
        for day in from..from + 5 {
            plant.report("Gamma", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", 5)]);
        }
        plant.import();
        assert_eq!(shown(&plant, "G16"), silent, "{from}");
    }
}

#[test]
fn g06_g08_g21_a_service_that_signs_as_itself() {
    let found = with(STRICT, &[foreign(DOMAIN, "198.51.100.9", 30, "crm.example")]);
    // Everything of it is unaligned: G06 all, G07 SPF, G08 DKIM, and nobody approved it.
    let all = [row("G06", "high", 30), row("G07", "high", 30), row("G08", "warn", 30), row("G14", "notice", 30)];
    assert_eq!(found, [&all[..], &[row("G21", "high", 30)]].concat());
}

#[test]
fn g07_is_a_notice_where_dkim_carries_the_mail() {
    let record = Record { spf: "fail", mail_from: ("esp.example".into(), "pass"), ..aligned(DOMAIN, "192.0.2.2", 25) };
    assert_eq!(with(STRICT, &[record]), [row("G07", "notice", 25)]);
}

#[test]
fn g09_a_source_that_spf_alone_carries() {
    let unsigned = |count| Record { dkim: "fail", signatures: vec![], ..aligned(DOMAIN, "192.0.2.3", count) };
    assert_eq!(with(STRICT, &[unsigned(12)]), [row("G09", "high", 12)]);
    assert_eq!(with("<p>quarantine</p>", &[unsigned(12)]), [row("G09", "warn", 12)]);
    // The mail server's own unsigned messages are no such source: DKIM carries its other mail.
    let same_host = Record { ip: "192.0.2.1".into(), ..unsigned(3) };
    assert_eq!(with(STRICT, &[same_host]), []);
}

#[test]
fn g10_grades_by_the_share_of_the_selector() {
    let broken = |count| Record {
        dkim: "fail",
        signatures: vec![(DOMAIN.into(), "s1", "fail")],
        ..aligned(DOMAIN, "192.0.2.1", count)
    };
    // 1,000 healthy messages carry s1: 9 of 1,009 is below one in a hundred, 11 of 1,011 above.
    assert_eq!(with(STRICT, &[broken(9)]), [row("G10", "notice", 9)]);
    assert_eq!(with(STRICT, &[broken(11)]), [row("G10", "high", 11)]);
    let stranger = Record { signatures: vec![("list.example".into(), "k", "fail")], ..broken(50) };
    assert_eq!(with(STRICT, &[stranger]), [], "a stranger's broken signature is no gap of the domain");
}

#[test]
fn g11_an_error_of_the_own_spf_record() {
    let record = Record { spf: "fail", mail_from: (DOMAIN.into(), "permerror"), ..aligned(DOMAIN, "192.0.2.1", 7) };
    assert_eq!(with(STRICT, std::slice::from_ref(&record)), [row("G11", "warn", 7)]);
    let mut plant = healthy(STRICT);
    plant.report("Gamma", DOMAIN, &days_before(1), STRICT, std::slice::from_ref(&record));
    plant.report("Delta", DOMAIN, &days_before(2), STRICT, std::slice::from_ref(&record));
    assert_eq!(asked(&plant), [row("G11", "high", 14)], "two reporters are not both at fault");
    // Nor where one says permerror, and the other temperror.
    let mut plant = healthy(STRICT);
    plant.report("Gamma", DOMAIN, &days_before(1), STRICT, std::slice::from_ref(&record));
    let other = Record { mail_from: (DOMAIN.into(), "temperror"), ..record.clone() };
    plant.report("Delta", DOMAIN, &days_before(1), STRICT, &[other]);
    assert_eq!(asked(&plant), [row("G11", "high", 14)]);
    let mut plant = healthy(STRICT);
    plant.report("Gamma", DOMAIN, &days_before(1), STRICT, &[record]);
    let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
    let evidence = answer["rows"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("one reporter alone"), "{evidence}");
}

#[test]
fn g12_a_subdomain_without_a_record_of_its_own() {
    let sub = aligned("shop.north.example", "192.0.2.1", 14);
    assert_eq!(with(STRICT, std::slice::from_ref(&sub)), [row("G12", "notice", 14)]);
    let found = with("<p>reject</p><sp>none</sp>", &[sub]);
    assert_eq!(found, [row("G02", "warn", 0), row("G12", "warn", 14)]);
}

#[test]
fn g13_and_g14_are_what_receivers_did_instead() {
    let failing = |disposition, reason| Record {
        dkim: "fail",
        spf: "fail",
        disposition,
        reason,
        signatures: vec![],
        mail_from: (DOMAIN.into(), "softfail"),
        ..aligned(DOMAIN, "192.0.2.1", 6)
    };
    assert_eq!(with(STRICT, &[failing("none", Some("local_policy"))]), [row("G13", "notice", 6)]);
    assert_eq!(with(STRICT, &[failing("quarantine", None)]), [row("G14", "notice", 6)]);
    assert_eq!(with(STRICT, &[failing("reject", None)]), [], "the policy was done");
    let sampled = "<p>reject</p><pct>50</pct>";
    let found = with(sampled, &[failing("none", Some("sampled_out"))]);
    assert_eq!(found, [row("G04", "warn", 0), row("G13", "notice", 6)]);
    assert_eq!(with(sampled, &[failing("none", None)]), [row("G04", "warn", 0)], "pct explains it");
    // RFC 9990's `pass` is no rejection.
    let mut plant = healthy(STRICT);
    let policy = "<p>reject</p><sp>reject</sp>";
    plant.report_9990("Gamma", DOMAIN, &days_before(1), policy, &[Record { count: 50, ..failing("pass", None) }]);
    let found = asked(&plant);
    assert!(found.contains(&row("G14", "notice", 50)), "{found:?}");
}

#[test]
fn g15_days_without_reports() {
    let silent = |days: u64| {
        let mut plant = Plant::new();
        plant.config(CONFIG);
        for day in days..days + 10 {
            plant.report("Alpha", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", 5)]);
        }
        asked(&plant)
    };
    // A report of the day N days before today ends one second before N - 1 whole days.
    assert_eq!(silent(3), []);
    assert_eq!(silent(4), [row("G15", "warn", 0)]);
    assert_eq!(silent(8), [row("G15", "high", 0)]);
    let mut never = healthy(STRICT);
    never.config("[[sender]]\nname = 'mta'\nips = ['192.0.2.1']\n[[domain]]\nname = 'other.example'\n");
    asked(&never);
    assert_eq!(never.gaps("other.example"), [row("G15", "high", 0)]);
    // A domain that is reported on once a week is not silent after five days.
    let mut weekly = Plant::new();
    weekly.config(CONFIG);
    for week in 0..8 {
        weekly.report("Alpha", DOMAIN, &days_before(5 + 7 * week), STRICT, &[aligned(DOMAIN, "192.0.2.1", 5)]);
    }
    assert_eq!(asked(&weekly), []);
}

#[test]
fn g16_a_reporter_that_fell_silent() {
    let silent = |from: u64, days: u64, count: u64| {
        let mut plant = healthy(STRICT);
        for day in from..from + days {
            plant.report("Gamma", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", count)]);
        }
        asked(&plant)
    };
    assert_eq!(silent(6, 5, 10), [row("G16", "notice", 0)]);
    assert_eq!(silent(6, 5, 100), [row("G16", "warn", 0)], "it carried a third of the mail");
    assert_eq!(silent(6, 4, 100), [], "four days are no habit");
    assert_eq!(silent(5, 5, 100), [], "silent for four days only");
}

/// Whom the config expects is missed from the first day on, by name; whoever comes, in any case of letters, is not.
#[test]
fn g16_a_reporter_that_the_config_expects() {
    let found = |reporters: &str, from: Option<u64>| {
        let mut plant = healthy(STRICT);
        plant.config(&CONFIG.replace("[[domain]]\n", &format!("[[domain]]\nreporters = [{reporters}]\n")));
        if let Some(day) = from {
            plant.report("Gamma", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", 1)]);
        }
        let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
        let rows = answer["rows"].as_array().unwrap().iter().filter(|row| row["domain"] == DOMAIN);
        rows.map(|row| format!("{} {} {}", row["gap"], row["severity"], row["evidence"])).collect::<Vec<_>>()
    };
    let told = |evidence: &str| vec![format!("\"G16\" \"warn\" \"{evidence}\"")];
    assert!(found("\"alpha\", \"Beta\"", None).is_empty(), "both come");
    assert_eq!(found("\"Alpha\", \"Gamma\"", None), told("Gamma, which the config expects, never came"));
    // A report of the fifth day before ends at the end of that day: four whole days of silence are allowed.
    assert!(found("\"gamma\"", Some(5)).is_empty());
    let since = days_before(6);
    assert_eq!(found("\"gamma\"", Some(6)), told(&format!("gamma, which the config expects, silent since {since}")));
    assert_eq!(found("\"gamma\"", Some(60)).len(), 1, "also where the last 30 days know nothing of it");
}

#[test]
fn g17_a_policy_that_changes_to_and_fro() {
    let changes = |policies: &[&str]| {
        let mut plant = Plant::new();
        plant.config(CONFIG);
        for (day, policy) in (1..).zip(policies.iter().rev()) {
            plant.report("Alpha", DOMAIN, &days_before(day), policy, &[aligned(DOMAIN, "192.0.2.1", 5)]);
        }
        asked(&plant)
    };
    let (reject, quarantine) = ("<p>reject</p>", "<p>quarantine</p>");
    assert_eq!(changes(&[quarantine, quarantine, reject, reject, reject]), [], "one change is normal");
    assert_eq!(changes(&[reject, quarantine, reject, quarantine, quarantine]), [row("G17", "warn", 0)]);
    // Reports that name no policy say nothing of a change.
    let nameless = "<adkim>r</adkim>";
    assert_eq!(changes(&[reject, nameless, reject, nameless, reject]), []);
}

#[test]
fn g19_strict_alignment_fails_a_sibling() {
    let policy = "<adkim>s</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp>";
    let record = Record {
        dkim: "fail",
        spf: "fail",
        disposition: "reject",
        signatures: vec![("mail.north.example".into(), "s1", "pass")],
        mail_from: (DOMAIN.into(), "softfail"),
        ..aligned(DOMAIN, "192.0.2.1", 8)
    };
    let found = with(policy, &[record]);
    assert_eq!(found, [row("G06", "high", 8), row("G08", "warn", 8), row("G19", "high", 8)]);
}

#[test]
fn g20_a_reporters_error() {
    let mut plant = healthy(STRICT);
    let error = "<error>Multiple DMARC records</error>";
    plant.report_with("Gamma", DOMAIN, &days_before(1), STRICT, error, &[aligned(DOMAIN, "192.0.2.1", 3)]);
    let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
    assert_eq!(answer["rows"][0]["gap"], "G20");
    assert!(answer["rows"][0]["evidence"].as_str().unwrap().contains("Gamma"), "{answer}");
    assert!(answer["rows"][0]["evidence"].as_str().unwrap().contains("Multiple DMARC records"), "{answer}");
}

#[test]
fn g22_approved_senders_that_fail() {
    let failing = |count| Record {
        disposition: "reject",
        mail_from: (DOMAIN.into(), "softfail"),
        ..spoofed(DOMAIN, "192.0.2.4", count)
    };
    // 1,000 healthy messages: 20 of 1,020 leave 98.04%, 21 of 1,021 leave 97.94%.
    assert_eq!(with(STRICT, &[failing(20)]), []);
    assert_eq!(with(STRICT, &[failing(21)]), [row("G22", "high", 21)]);
    let mut plant = healthy(STRICT);
    plant.config(&format!("{CONFIG}[gaps]\napproved_pass_rate = 0.95\n"));
    plant.report("Gamma", DOMAIN, &days_before(1), STRICT, &[failing(21)]);
    assert_eq!(asked(&plant), []);
}

/// The day that counts as today and the period narrow the statement as they narrow the answer.
#[test]
fn the_statement_is_about_the_same_days() {
    let mut plant = Plant::new();
    plant.config(CONFIG);
    for (day, policy) in
        (1..=12).zip(["<p>reject</p>", "<p>quarantine</p><pct>50</pct>", "<p>none</p>"].into_iter().cycle())
    {
        let records = [aligned(DOMAIN, "192.0.2.1", 5), foreign(DOMAIN, "198.51.100.9", day, "crm.example")];
        plant.report("Alpha", DOMAIN, &days_before(day), policy, &records);
        plant.report("Alpha", "south.example", &days_before(day), STRICT, &[aligned("south.example", "192.0.2.1", 5)]);
    }
    plant.import();
    for args in [
        &["--as-of", AS_OF][..],
        &["--as-of", AS_OF, "--domain", "south.example"],
        &["--as-of", &days_before(2)],
        &["--as-of", &days_before(3), "--since", "4d"],
        &["--as-of", AS_OF, "--until", &days_before(5)],
    ] {
        plant.agrees(args);
    }
    let rows = plant.json(&["gaps", "--as-of", &days_before(2)]);
    assert!(rows["rows"].as_array().unwrap().iter().any(|row| row["gap"] == "G04"), "{rows:#}");
}

/// Messages are counted, not their signatures: neither the gap nor any selector has more mail than there is.
#[test]
fn a_message_with_several_signatures_is_one_message() {
    let signed = |ip: &str, count, signatures: &[(&'static str, &'static str)]| Record {
        signatures: signatures.iter().map(|(selector, result)| (DOMAIN.into(), *selector, *result)).collect(),
        ..spoofed(DOMAIN, ip, count)
    };
    let mut plant = Plant::new();
    plant.config(CONFIG);
    plant.report(
        "Alpha",
        DOMAIN,
        &days_before(1),
        STRICT,
        &[
            signed("192.0.2.1", 100, &[("b", "fail"), ("b", "fail"), ("B", "fail")]),
            signed("192.0.2.2", 100, &[("b", "fail"), ("c", "fail"), ("c", "fail")]),
            signed("192.0.2.3", 200, &[("d", "pass"), ("d", "pass"), ("d", "pass")]),
            signed("192.0.2.4", 100, &[("d", "fail")]),
        ],
    );
    let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
    let row = answer["rows"].as_array().unwrap().iter().find(|row| row["gap"] == "G10").unwrap();
    assert_eq!((&row["messages"], &row["share"]), (&300.into(), &0.6.into()));
    let evidence = row["evidence"].as_str().unwrap();
    for part in [
        "b._domainkey.north.example fail 200 (100.00% of its mail)",
        "c._domainkey.north.example fail 100 (100.00% of its mail)",
        "d._domainkey.north.example fail 100 (33.33% of its mail)",
    ] {
        assert!(evidence.contains(part), "{part}: {evidence}");
    }
    let one = plant.json(&["gaps", "--explain", "G10"]);
    let rows = plant.json(&["sql", one["sql"].as_str().unwrap()]);
    let shown: Vec<(&str, u64)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["selector"].as_str().unwrap(), row["messages"].as_u64().unwrap()))
        .collect();
    assert_eq!(shown, [("b", 200), ("c", 100), ("d", 100)]);
    let rates = plant.json(&["rates", "--by", "selector"]);
    let b = rates["rows"].as_array().unwrap().iter().find(|row| row["selector"] == "b._domainkey.north.example");
    assert_eq!(b.unwrap()["messages"], 200, "a selector's case says nothing: {rates:#}");
}

/// Mail that two strict alignments refuse is refused once.
#[test]
fn strict_alignment_counts_a_message_once() {
    let policy = "<adkim>s</adkim><aspf>s</aspf><p>reject</p><sp>reject</sp><pct>100</pct>";
    let sub = "mail.north.example";
    let record = Record {
        signatures: vec![(sub.into(), "s1", "pass"), (sub.into(), "s2", "pass")],
        mail_from: (sub.into(), "pass"),
        ..spoofed(DOMAIN, "192.0.2.1", 70)
    };
    let mut plant = Plant::new();
    plant.config(CONFIG);
    plant.report("Alpha", DOMAIN, &days_before(1), policy, &[aligned(DOMAIN, "192.0.2.1", 30), record]);
    let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
    let row = answer["rows"].as_array().unwrap().iter().find(|row| row["gap"] == "G19").unwrap();
    assert_eq!((&row["messages"], &row["share"]), (&70.into(), &0.7.into()), "{row:#}");
    let one = plant.json(&["gaps", "--explain", "G19"]);
    let rows = plant.json(&["sql", one["sql"].as_str().unwrap()]);
    let shown: Vec<u64> = rows.as_array().unwrap().iter().map(|row| row["messages"].as_u64().unwrap()).collect();
    assert_eq!(shown, [70, 70], "once by DKIM, once by SPF");
}

#[test]
fn fail_on_sets_the_exit_status() {
    let plant = healthy("<p>reject</p><sp>none</sp>");
    plant.import();
    let status = |severity| plant.run(&["gaps", "--as-of", AS_OF, "--fail-on", severity]).status.code();
    assert_eq!((status("notice"), status("warn"), status("high")), (Some(3), Some(3), Some(0)));
}

#[test]
fn every_gap_explains_itself() {
    // Without a store too.
    let plant = Plant::new();
    for number in 1..=22 {
        let id = format!("G{number:02}");
        let one = plant.json(&["gaps", "--explain", &id.to_lowercase()]);
        assert_eq!(one["gap"], id);
        assert!(one["remedy"].as_str().unwrap().ends_with('.'));
        let sql = one["sql"].as_str().unwrap();
        assert!(!sql.contains(['{', '}']), "{sql}");
        assert!(!sql.starts_with('-'), "`dmarcase sql` takes it as it is, not as a flag: {sql}");
    }
    assert_eq!(plant.json(&["gaps", "--explain", "g6"])["gap"], "G06");
    let output = plant.run(&["gaps", "--explain", "G99"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("authenticated-but-unaligned"));
}

/// The newest report of each reporter has a vote, whatever its file is named and when it came; of as many votes the newest counts.
#[test]
fn the_newest_report_of_each_reporter_says_the_policy() {
    let records = [aligned(DOMAIN, "192.0.2.1", 10)];
    for reversed in [false, true] {
        let mut plant = Plant::new();
        let mut days = vec![(2, "<p>reject</p>"), (1, "<p>none</p>")];
        if reversed {
            days.reverse();
        }
        for (before, policy) in days {
            plant.report("Alpha", DOMAIN, &days_before(before), policy, &records);
        }
        let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
        assert!(answer["rows"].as_array().unwrap().iter().any(|row| row["gap"] == "G01"), "{answer:#}");
        let latest = plant.json(&["sql", "SELECT p, reporters FROM policy_latest"]);
        assert_eq!((&latest[0]["p"], &latest[0]["reporters"]), (&"none".into(), &1.into()));
    }
}

/// One report with a date in the future does not speak for the domain.
#[test]
fn a_report_from_the_future_says_no_policy() {
    let mut plant = Plant::new();
    let records = [aligned(DOMAIN, "192.0.2.1", 10)];
    for before in 1..=5 {
        plant.report("Alpha", DOMAIN, &days_before(before), STRICT, &records);
    }
    plant.report("Bravo", DOMAIN, "2199-01-01", "<p>none</p>", &records);
    let answer = plant.import().json(&["gaps"]);
    assert!(!answer["rows"].as_array().unwrap().iter().any(|row| row["gap"] == "G01"), "{answer:#}");
    let latest = plant.json(&["sql", "SELECT p, reporters FROM policy_latest"]);
    assert_eq!(latest, serde_json::json!([{"p": "reject", "reporters": 1}]));
    plant.agrees(&[]);
}

/// A tag that most reporters' schema knows and their reports do not have is not there, whatever one reporter says.
#[test]
fn one_reporter_does_not_make_a_test_mode() {
    let testing = "<adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><testing>y</testing>";
    let quiet = "<adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp>";
    let with = |yes: u64| {
        let mut plant = Plant::new();
        for reporter in 0..5 {
            let policy = if reporter < yes { testing } else { quiet };
            let records = [aligned(DOMAIN, "192.0.2.1", 10)];
            plant.report_9990(&format!("Reporter {reporter}"), DOMAIN, &days_before(1), policy, &records);
        }
        let answer = plant.import().json(&["gaps", "--as-of", AS_OF]);
        let rows = answer["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["gap"] == "G05").map(|row| row["evidence"].as_str().unwrap().to_owned())
    };
    assert_eq!(with(1), None);
    assert!(with(4).unwrap().ends_with("in the newest reports of 4 reporters"));
}

/// A report of later that covers a subdomain changes nothing about the day that is asked about.
#[test]
fn g12_is_judged_by_what_was_known_then() {
    let mut plant = Plant::new();
    let of_sub = Record { header_from: format!("sub.{DOMAIN}"), ..aligned(DOMAIN, "192.0.2.1", 10) };
    plant.report("Alpha", DOMAIN, "2026-06-01", "<p>reject</p><sp>none</sp>", &[of_sub]);
    plant.report("Alpha", &format!("sub.{DOMAIN}"), "2026-06-20", STRICT, &[aligned(DOMAIN, "192.0.2.1", 10)]);
    plant.import();
    let has = |as_of: &str| {
        let answer = plant.json(&["gaps", "--as-of", as_of]);
        answer["rows"].as_array().unwrap().iter().any(|row| row["gap"] == "G12")
    };
    assert_eq!((has("2026-06-03"), has("2026-06-25")), (true, false));
}
