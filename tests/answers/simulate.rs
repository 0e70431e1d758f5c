//! `simulate` on planted reports and on the sample story; every figure is a sum of counts that stand in the test.

use serde_json::Value;

use super::plant::{AS_OF, Plant, Record, aligned, days_before, foreign, spoofed};
use super::story::{self, streams};

const DOMAIN: &str = "north.example";
const CONFIG: &str = "
[[sender]]
name = 'mta'
ips = ['192.0.2.0/28']
";

/// Ten days of 100 own messages a day, and the given records on the day before today.
fn planted(policy: &str, records: &[Record]) -> Plant {
    let mut plant = Plant::new();
    plant.config(CONFIG);
    for day in 1..=10 {
        plant.report("Alpha", DOMAIN, &days_before(day), policy, &[aligned(DOMAIN, "192.0.2.1", 100)]);
    }
    plant.report("Gamma", DOMAIN, &days_before(1), policy, records);
    plant.import();
    plant
}

fn simulate(plant: &Plant, args: &[&str]) -> Value {
    plant.json(&[&["simulate", "--as-of", AS_OF], args].concat())
}

/// Messages newly quarantined, newly rejected and spared of the one domain.
fn touched(answer: &Value) -> (u64, u64, u64) {
    let number = |key: &str| answer["domains"][0][key].as_u64().unwrap();
    (number("newly_quarantined"), number("newly_rejected"), number("spared"))
}

fn failing(ip: &str, count: u64, disposition: &'static str, reason: Option<&'static str>) -> Record {
    Record { disposition, reason, mail_from: (DOMAIN.into(), "softfail"), ..spoofed(DOMAIN, ip, count) }
}

#[test]
fn newly_means_more_than_was_done() {
    let plant = planted(
        "<p>quarantine</p>",
        &[
            failing("198.51.100.1", 7, "none", None),
            failing("198.51.100.2", 11, "quarantine", None),
            failing("198.51.100.3", 13, "reject", None),
        ],
    );
    assert_eq!(touched(&simulate(&plant, &["--p", "none"])), (0, 0, 0));
    assert_eq!(touched(&simulate(&plant, &["--p", "quarantine"])), (7, 0, 0));
    let reject = simulate(&plant, &["--p", "reject"]);
    assert_eq!(touched(&reject), (0, 7 + 11, 0));
    let domain = &reject["domains"][0];
    assert_eq!((&domain["messages"], &domain["failing"]), (&(1_000 + 31).into(), &31.into()));
    assert_eq!((&domain["published"], &domain["simulated"]), (&"p=quarantine".into(), &"p=reject".into()));
    assert_eq!(reject["judged"]["recomputed"], 1_000 + 31);
    // No policy flag at all asks for the strictest one.
    assert_eq!(touched(&simulate(&plant, &[])), (0, 18, 0));
}

#[test]
fn a_part_of_the_mail_gets_the_policy_and_the_rest_the_milder_one() {
    let plant = planted(
        "<p>none</p>",
        &[failing("198.51.100.1", 40, "none", None), failing("198.51.100.2", 10, "quarantine", None)],
    );
    // A quarter: 10 of 40 rejected, 30 quarantined; 10 quarantined ones: 3 (2.5 rounded) rejected, the rest stays.
    assert_eq!(touched(&simulate(&plant, &["--p", "reject", "--pct", "25"])), (30, 10 + 3, 0));
    assert_eq!(touched(&simulate(&plant, &["--p", "quarantine", "--pct", "25"])), (10, 0, 0));
    let because = simulate(&plant, &["--p", "reject", "--pct", "25"])["domains"][0]["because"].to_string();
    assert!(because.contains("RFC 9989"), "{because}");
}

/// The part is taken of the whole: of a hundred senders with four messages each, ten percent are forty messages, not a hundred times
/// nothing, and 13% are 52, not a hundred times one.
#[test]
fn a_part_of_many_small_senders_is_a_part_of_their_sum() {
    let small = |n: u32| failing(&format!("198.51.100.{n}"), 4, "none", None);
    let plant = planted("<p>none</p>", &(1..=100).map(small).collect::<Vec<_>>());
    for (pct, rejected) in [("10", 40), ("13", 52), ("37", 148), ("38", 152), ("100", 400)] {
        let answer = simulate(&plant, &["--p", "reject", "--pct", pct]);
        assert_eq!(touched(&answer), (400 - rejected, rejected, 0), "{pct}");
    }
}

#[test]
fn a_receiver_with_a_reason_of_its_own_does_it_again() {
    let with = |policy: &str, reason| {
        let plant = planted(policy, &[failing("198.51.100.1", 9, "none", Some(reason))]);
        touched(&simulate(&plant, &["--p", "reject"]))
    };
    for reason in ["forwarded", "mailing_list", "trusted_forwarder", "local_policy", "other"] {
        assert_eq!(with("<p>quarantine</p>", reason), (0, 0, 9), "{reason}");
        assert_eq!(with("<p>none</p>", reason), (0, 0, 9), "{reason}");
    }
    // Sampling and testing end with the policy that brought them.
    assert_eq!(with("<p>quarantine</p><pct>10</pct>", "sampled_out"), (0, 9, 0));
    assert_eq!(with("<p>quarantine</p><testing>y</testing>", "policy_test_mode"), (0, 9, 0));
    // The policy was done, so the reason stopped nothing.
    let plant = planted("<p>quarantine</p>", &[failing("198.51.100.1", 9, "quarantine", Some("local_policy"))]);
    assert_eq!(touched(&simulate(&plant, &["--p", "reject"])), (0, 9, 0));
}

#[test]
fn subdomains_have_sp() {
    let sub = Record { header_from: "shop.north.example".into(), ..failing("198.51.100.1", 5, "none", None) };
    let records = [sub, failing("198.51.100.2", 3, "none", None)];
    let follows = planted("<p>none</p><sp>none</sp>", &records);
    assert_eq!(touched(&simulate(&follows, &["--p", "reject"])), (0, 3 + 5, 0), "sp follows p where it does so now");
    assert_eq!(touched(&simulate(&follows, &["--p", "reject", "--sp", "quarantine"])), (5, 3, 0));
    assert_eq!(touched(&simulate(&follows, &["--sp", "reject"])), (0, 5, 0));
    let own = planted("<p>quarantine</p><sp>none</sp>", &records);
    assert_eq!(touched(&simulate(&own, &["--p", "reject"])), (0, 3, 0), "an sp of its own stays");
}

#[test]
fn strict_alignment_is_worked_out_from_the_results() {
    // Signed by a subdomain, bounce at another: relaxed aligns, strict does not.
    let cousin = Record {
        signatures: vec![("mail.north.example".into(), "s1", "pass")],
        mail_from: ("bounce.north.example".into(), "pass"),
        ..aligned(DOMAIN, "192.0.2.2", 50)
    };
    let plant = planted("<p>reject</p>", &[cousin]);
    assert_eq!(touched(&simulate(&plant, &["--adkim", "s"])), (0, 0, 0), "SPF still carries it");
    assert_eq!(touched(&simulate(&plant, &["--aspf", "s"])), (0, 0, 0), "DKIM still carries it");
    let both = simulate(&plant, &["--adkim", "s", "--aspf", "strict"]);
    assert_eq!(touched(&both), (0, 50, 0));
    assert_eq!(both["domains"][0]["simulated"], "p=reject; adkim=s; aspf=s");
    assert_eq!(both["ready"], false, "{both}");
    let because = both["domains"][0]["because"][0].as_str().unwrap().to_owned();
    assert_eq!(because, "mta (approved, own) would have 50 newly rejected of 1,050 messages");
}

#[test]
fn results_beat_the_reporters_verdict_and_its_verdict_stands_in_for_them() {
    // The reporter calls it a fail, though its own results align.
    let wrong = Record { dkim: "fail", spf: "fail", ..aligned(DOMAIN, "192.0.2.3", 20) };
    // No results at all: the verdict is all there is.
    let bare = Record { signatures: vec![], mail_from: (String::new(), ""), ..aligned(DOMAIN, "192.0.2.4", 6) };
    let plant = planted("<p>none</p>", &[wrong, bare]);
    let answer = simulate(&plant, &["--p", "reject"]);
    assert_eq!(touched(&answer), (0, 0, 0), "{answer}");
    assert_eq!(answer["judged"]["disagree"], 20, "{answer}");
    assert_eq!((&answer["judged"]["by_reporter"], &answer["judged"]["recomputed"]), (&6.into(), &1_020.into()));
}

#[test]
fn ready_or_not_names_who_would_be_hit() {
    let service = |days: u64| {
        let mut plant = Plant::new();
        plant.config(CONFIG);
        for day in 1..=days {
            let records = [aligned(DOMAIN, "192.0.2.1", 100), foreign(DOMAIN, "198.51.100.9", 5, "crm.example")];
            plant.report("Alpha", DOMAIN, &days_before(day), "<p>none</p>", &records);
            plant.report("Beta", DOMAIN, &days_before(day), "<p>none</p>", &records);
        }
        plant.import();
        plant
    };
    let plant = service(8);
    let answer = simulate(&plant, &["--p", "reject"]);
    assert_eq!(answer["ready"], false);
    let because = answer["domains"][0]["because"][0].as_str().unwrap();
    assert_eq!(because, "crm.example (unknown, misaligned-service) would have 80 newly rejected of 80 messages");
    let args = ["simulate", "--as-of", AS_OF, "--p", "reject", "--check"];
    assert_eq!(plant.run(&args).status.code(), Some(3));
    // Own mail that fails a little is within the tolerance: 20 of 1,020 is 1.96%, 21 of 1,021 is 2.06%.
    let own =
        |count| simulate(&planted("<p>none</p>", &[failing("192.0.2.1", count, "none", None)]), &["--p", "reject"]);
    assert_eq!((own(20)["ready"].clone(), own(21)["ready"].clone()), (true.into(), false.into()));
    // What is scattered is what the policy is for.
    let burst: Vec<Record> = (1..=9).map(|n| failing(&format!("203.0.113.{n}"), 2, "none", None)).collect();
    let burst = simulate(&planted("<p>none</p>", &burst), &["--p", "reject"]);
    assert_eq!((burst["ready"].clone(), touched(&burst)), (true.into(), (0, 18, 0)));
    assert!(burst["domains"][0]["because"].to_string().contains("18 messages of spoofing would be stopped"), "{burst}");
}

/// What is asked about is short; what is known of a sender is not.
#[test]
fn a_short_period_makes_no_sender_a_stray() {
    let mut plant = Plant::new();
    plant.config(CONFIG);
    for day in 1..=42 {
        let mut records = vec![aligned(DOMAIN, "192.0.2.1", 100)];
        // Five days of each week.
        if day % 7 < 5 {
            records.push(foreign(DOMAIN, "198.51.100.9", 5, "crm.example"));
        }
        plant.report("Alpha", DOMAIN, &days_before(day), "<p>none</p>", &records);
    }
    plant.import();
    let since = days_before(7);
    for args in [&["--p", "reject"][..], &["--p", "reject", "--since", &since]] {
        let answer = simulate(&plant, args);
        assert_eq!(answer["ready"], false, "{answer:#}");
        assert_eq!(answer["rows"][0]["class"], "misaligned-service", "{answer:#}");
    }
    // Days 1 to 4 and 7 of that week.
    let week = simulate(&plant, &["--p", "reject", "--since", &since]);
    let because = week["domains"][0]["because"][0].as_str().unwrap();
    assert_eq!(because, "crm.example (unknown, misaligned-service) would have 25 newly rejected of 25 messages");
    assert_eq!(week["domains"][0]["messages"], 7 * 100 + 25);
}

/// Whoever came on the only day may come every day.
#[test]
fn too_few_days_make_nobody_ready() {
    let held = |days: u64| {
        let mut plant = Plant::new();
        plant.config(CONFIG);
        for day in 1..=days {
            plant.report("Alpha", DOMAIN, &days_before(day), "<p>none</p>", &[aligned(DOMAIN, "192.0.2.1", 990)]);
        }
        plant.report("Beta", DOMAIN, &days_before(1), "<p>none</p>", &[failing("198.51.100.1", 10, "none", None)]);
        plant.import();
        let status = plant.run(&["simulate", "--as-of", AS_OF, "--p", "reject", "--check"]).status.code();
        (status, simulate(&plant, &["--p", "reject"])["domains"][0]["because"][0].as_str().unwrap().to_owned())
    };
    let (status, because) = held(1);
    assert_eq!(status, Some(3));
    assert_eq!(
        because,
        "too few days: 10 messages of 1 sender would be hit, and reports of 1 day do not tell whether it comes back; 7 do"
    );
    assert_eq!((held(6).0, held(7).0), (Some(3), Some(0)));
    // Nothing would be hit, so nothing hangs on the days.
    let mut plant = Plant::new();
    plant.config(CONFIG);
    plant.report("Alpha", DOMAIN, &days_before(1), "<p>none</p>", &[aligned(DOMAIN, "192.0.2.1", 990)]);
    plant.import();
    assert_eq!(simulate(&plant, &["--p", "reject"])["ready"], true);
}

#[test]
fn the_story_is_not_ready_and_says_for_whom() {
    let mut plant = Plant::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_reports");
    plant.config(&std::fs::read_to_string(format!("{samples}/dmarcase.toml")).unwrap());
    plant.json(&["import", &format!("{samples}/rua")]);
    let ask = |args: &[&str]| {
        plant.json(&[&["simulate", "--as-of", story::AS_OF, "--domain", "northwind.example"], args].concat())
    };
    let answer = ask(&["--p", "reject"]);
    // sp=none stays: neither the invoicing host nor the burst as `secure` is touched. Forwarders and lists are let through.
    let rejected = streams::CRM + streams::TRIAL + streams::SCANNER_FAILED + streams::BURST;
    assert_eq!(touched(&answer), (0, rejected, streams::FORWARD_BROKEN + streams::LIST));
    // Three days of reports, of six weeks: what came on these days came and went.
    let parked = plant.json(&["simulate", "--as-of", story::AS_OF, "--domain", "northwind-parked.example"]);
    assert_eq!(parked["ready"], true, "{parked:#}");
    let domain = &answer["domains"][0];
    assert_eq!(domain["published"], "p=quarantine; sp=none");
    assert_eq!(domain["messages"], story::NORTHWIND.messages);
    assert_eq!(domain["failing"], story::NORTHWIND.messages - story::NORTHWIND.dmarc_pass);
    assert_eq!(domain["ready"], false);
    let blocking: Vec<&str> = answer["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["blocks"] == true)
        .map(|row| row["sender"].as_str().unwrap())
        .collect();
    assert_eq!(blocking, ["crm-suite.example", "Twilio SendGrid", "office-scanner"]);
    // With sp the invoicing host is hit too: one in a hundred messages of a steady stranger wants a look first.
    let both = ask(&["--p", "reject", "--sp", "reject"]);
    assert_eq!(touched(&both).1, rejected + streams::INVOICING + streams::BURST_SUBDOMAIN);
    let invoicing = both["rows"].as_array().unwrap().iter().find(|row| row["sender"] == "198.51.100.77").unwrap();
    assert_eq!((&invoicing["newly_rejected"], &invoicing["blocks"]), (&streams::INVOICING.into(), &true.into()));
    // Six weeks: the CRM's 12 and 8 on five days, 9 on the Wednesday, 3 of Mail Shield, 4 of Home Post.
    let weeks = answer["weeks"].as_array().unwrap();
    let week = |at: usize| (weeks[at]["week"].as_str().unwrap(), weeks[at]["own_hit"].as_u64().unwrap());
    let crm = 5 * (12 + 8) + 9 + 3;
    assert_eq!(weeks.len(), 6);
    assert_eq!(week(0), ("2026-09-21", crm + 4));
    assert_eq!(week(3), ("2026-10-12", crm + 4 + streams::SCANNER_FAILED));
    assert_eq!(week(4), ("2026-10-19", crm + 4 + 35 + 10));
    assert_eq!(week(5), ("2026-10-26", crm + 35));
    // The CRM in the last week: 12 and 8 on five days, 9 on the Wednesday, 3 of Mail Shield.
    let week = ask(&["--p", "reject", "--since", "2026-10-26"]);
    let because = week["domains"][0]["because"][0].as_str().unwrap();
    assert_eq!(
        because,
        "crm-suite.example (unknown, misaligned-service) would have 112 newly rejected of 112 messages"
    );
    for line in plant.text(&["simulate", "--as-of", story::AS_OF]).lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

/// One host that sends all of a domain's mail, part of it with a broken signature, is no forwarder of it: the policy would hit own mail.
#[test]
fn a_host_of_most_of_the_mail_is_no_forwarder() {
    for (whole, broken) in [(700, 300), (0, 1000)] {
        let mut plant = Plant::new();
        for day in 1..=28 {
            let unaligned = Record {
                spf: "fail",
                mail_from: ("bounce.test".into(), "fail"),
                ..aligned(DOMAIN, "192.0.2.1", whole)
            };
            let failed = Record {
                dkim: "fail",
                signatures: vec![(DOMAIN.into(), "s1", "fail")],
                count: broken,
                ..unaligned.clone()
            };
            let records: Vec<Record> = [unaligned, failed].into_iter().filter(|record| record.count > 0).collect();
            plant.report("Alpha", DOMAIN, &days_before(day), "<p>none</p>", &records);
        }
        plant.import();
        let answer = simulate(&plant, &["--p", "reject"]);
        assert_eq!(answer["domains"][0]["ready"], false, "{answer:#}");
        assert_eq!(answer["domains"][0]["newly_rejected"], 28 * broken);
    }
}
