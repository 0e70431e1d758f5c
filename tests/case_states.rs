//! The case over stores in states that the sample story does not show: each sentence that it prints must be true of them. Logs and
//! reports are written here, and the figures are worked out by hand from what is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/schema.rs"]
mod schema;

use std::fmt::Write as _;
use std::time::Duration;

use dmarcase::store::{Access, Store};
use place::Place;
use serde_json::Value;

const DOMAIN: &str = "northwind.example";
const IP: &str = "192.0.2.10";

impl Place {
    /// A store with one log.
    fn with(log: &str) -> Self {
        let place = Self::new();
        place.import("mx1.log", log, &[]);
        place
    }

    fn import(&self, name: &str, log: &str, flags: &[&str]) {
        let path = self.file(name, log);
        self.done(&[&["delivery", "import", path.to_str().unwrap()], flags].concat());
    }

    fn case(&self, flags: &[&str]) -> Value {
        self.json(&[&["case", "--domain", DOMAIN], flags].concat())
    }

    fn markdown(&self, flags: &[&str]) -> String {
        self.done(&[&["case", "--domain", DOMAIN], flags].concat())
    }

    /// What a check would have found.
    fn found(&self, kind: &str, subject: &str, name: &str, state: &str) {
        let store = Store::open(&self.folder.path().join("s.duckdb"), Access::Write, Duration::from_secs(10)).unwrap();
        store
            .connection()
            .execute(
                "INSERT INTO finding (found_at, kind, subject, name, state, detail, \"domain\")
                 VALUES (TIMESTAMPTZ '2026-10-27 08:00:00+00', ?, ?, ?, ?, 'the answer', 'northwind.example')",
                [kind, subject, name, state],
            )
            .unwrap();
    }
}

/// Postfix's lines of one message to one recipient: its attempts, each with a time and what became of it.
fn message(number: usize, to: &str, attempts: &[(&str, &str)]) -> String {
    let queue = format!("4bXyZ{number:04}zWqQ");
    let first = attempts[0].0;
    let mut log = format!(
        "{first} mx1 postfix/cleanup[1]: {queue}: message-id=<k{number}@northwind.example>\n\
         {first} mx1 postfix/qmgr[1]: {queue}: from=<bounce@northwind.example>, size=1, nrcpt=1 (queue active)\n"
    );
    for (at, end) in attempts {
        if *end == "expired" {
            let _ = writeln!(
                log,
                "{at} mx1 postfix/qmgr[1]: {queue}: from=<bounce@northwind.example>, status=expired, returned to sender"
            );
        } else {
            let _ = writeln!(
                log,
                "{at} mx1 postfix/smtp[1]: {queue}: to=<{to}>, relay=mx0a-1.pphosted.com[203.0.113.9]:25, delay=1, delays=0/0/1/0, {end}"
            );
        }
    }
    log
}

fn deferred(ip: &str) -> String {
    format!(
        "dsn=4.0.0, status=deferred (host mx0a-1.pphosted.com[203.0.113.9] refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip={ip})"
    )
}

const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 ok)";
const BLOCKED: &str = "dsn=5.7.0, status=bounced (host mx0a-1.pphosted.com[203.0.113.9] said: 550 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.10 (in reply to MAIL FROM command))";

fn at(day: u32, hour: u32) -> String {
    format!("2026-10-{day:02}T{hour:02}:00:00+00:00")
}

/// `deferrals` recipients at 20 domains put off once and then served, `sent` others served at once.
fn plain_log(deferrals: usize, sent: usize) -> String {
    (0..deferrals + sent)
        .map(|n| {
            let to = format!("r{n}@c{}.test", n % 20);
            let (first, later) = (at(26, 8), at(26, 9));
            let put_off = deferred(IP);
            match n < deferrals {
                true => message(n, &to, &[(&first, &put_off), (&later, SENT)]),
                false => message(n, &to, &[(&first, SENT)]),
            }
        })
        .collect()
}

/// 100 recipients: 13 put off in words that name .10, 12 in words that name .11, 75 served at once by lines that name no address.
fn two_addresses() -> Place {
    let log: String = (0..100)
        .map(|n| {
            let to = format!("r{n}@c{}.test", n % 20);
            let put_off = deferred(if n < 13 { IP } else { "192.0.2.11" });
            message(n, &to, &[(&at(26, 8), if n < 25 { &put_off } else { SENT })])
        })
        .collect();
    Place::with(&log)
}

#[test]
fn mail_of_unknown_addresses_counts_where_it_can_only_be_the_cases() {
    let place = two_addresses();
    for flags in [&[][..], &["--ip", IP, "--ip", "192.0.2.11"]] {
        let case = place.case(flags);
        let totals = &case["outcomes"]["totals"];
        assert_eq!((&totals["affected"], &totals["recipients"]), (&25.into(), &100.into()), "{flags:?}");
        assert_eq!((&totals["share"], &totals["severity"]), (&0.25.into(), &"escalate".into()), "{flags:?}");
        assert_eq!(case["smtp"]["unknown_source"], 75, "{flags:?}");
        let notes = case["method"]["notes"].to_string();
        assert!(notes.contains("no log that leaves it out names another"), "{notes}");
        assert!(!notes.contains("operator"), "nobody named an address for it: {notes}");
    }
}

#[test]
fn a_share_of_refused_mail_alone_is_not_graded() {
    let place = two_addresses();
    let case = place.case(&["--ip", IP]);
    let totals = &case["outcomes"]["totals"];
    assert_eq!((&totals["affected"], &totals["recipients"]), (&13.into(), &13.into()));
    assert_eq!((&totals["share"], &totals["severity"]), (&Value::Null, &"not graded".into()));
    assert_eq!(case["smtp"]["left_out"]["attempts"], 75);
    let point = case["weak_points"].as_array().unwrap().iter().find(|point| point["id"] == "C05").unwrap();
    assert_eq!(point["severity"], "high");
    assert!(point["evidence"].as_str().unwrap().starts_with("75 attempts of 75 messages"), "{point}");
    assert_eq!(case["grade"], "weak");
    let text = place.markdown(&["--ip", IP]);
    assert!(!text.contains("(100.00%)"), "{text}");
    assert!(text.contains("13 recipients behind Proofpoint are affected, of 13 whose log says the address"), "{text}");
    let summary = place.json(&["delivery", "summary", "--ip", IP]);
    assert_eq!((&summary["total"]["share"], &summary["total"]["severity"]), (&Value::Null, &"not graded".into()));
    assert_eq!(summary["rows"][0]["severity"], "not graded");
    let shown = place.done(&["delivery", "summary", "--ip", IP]);
    assert!(shown.contains("75 attempts of 75 messages"), "{shown}");
}

/// Logs that say the address of all their mail are graded though another log says it of none.
#[test]
fn a_share_of_logs_that_say_the_address_is_graded() {
    let place = Place::new();
    let mut table = "attempt_time,message_id,recipient,source_ip,status,response,relay_host,envelope_from\n".to_owned();
    for n in 0..40 {
        let (status, response) = match n < 4 {
            true => ("deferred", "421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10"),
            false => ("delivered", "250 ok"),
        };
        let _ = writeln!(
            table,
            "2026-10-26T08:00:00Z,t{n}@x,r{n}@c{n}.test,192.0.2.10,{status},{response},mx0a-1.pphosted.com,northwind.example"
        );
    }
    place.import("t.csv", &table, &[]);
    // mx1 names another address in its one refusal, and none in five deliveries.
    let log: String = (0..6)
        .map(|n| {
            let put_off = deferred("192.0.2.11");
            message(n, &format!("s{n}@d{n}.test"), &[(&at(26, 8), if n == 0 { &put_off } else { SENT })])
        })
        .collect();
    place.import("mx1.log", &log, &[]);
    let case = place.case(&["--ip", IP]);
    let totals = &case["outcomes"]["totals"];
    assert_eq!((&totals["affected"], &totals["recipients"]), (&4.into(), &40.into()));
    assert_eq!((&totals["share"], &totals["severity"]), (&0.1.into(), &"investigate".into()));
    assert_eq!(case["smtp"]["left_out"]["attempts"], 5);
    let point = case["weak_points"].as_array().unwrap().iter().find(|point| point["id"] == "C05").unwrap();
    assert_eq!(point["severity"], "warn", "{point}");
}

#[test]
fn refusals_for_good_are_another_kind_of_case() {
    // 8 put off, 12 blocked, 20 served.
    let log: String = (0..40)
        .map(|n| {
            let put_off = deferred(IP);
            let end = match n {
                0..8 => put_off.as_str(),
                8..20 => BLOCKED,
                _ => SENT,
            };
            message(n, &format!("r{n}@c{}.test", n % 20), &[(&at(26, 8), end)])
        })
        .collect();
    let place = Place::with(&log);
    let case = place.case(&[]);
    let smtp = &case["smtp"];
    assert_eq!(
        (&smtp["deferrals"], &smtp["refusals"], &smtp["refused_recipients"]),
        (&8.into(), &12.into(), &12.into())
    );
    assert_eq!(
        smtp["refusal_responses"][0]["response"],
        "550 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.10"
    );
    assert_eq!(case["outcomes"]["totals"]["affected"], 8, "a block is no deferral");
    let point = case["weak_points"].as_array().unwrap().iter().find(|point| point["id"] == "C07").unwrap();
    assert_eq!(point["severity"], "high");
    assert!(point["remedy"].as_str().unwrap().contains("public delisting process first"), "{point}");
    assert_eq!(case["grade"], "weak");
    assert_eq!(
        case["request"]["subject"],
        "Proofpoint 421 reputation deferrals and 550 reputation blocks on IP 192.0.2.10"
    );
    assert!(
        case["request"]["ask"].as_str().unwrap().contains("please delist 192.0.2.10"),
        "{}",
        case["request"]["ask"]
    );
    let text = place.markdown(&[]);
    assert!(
        text.contains("550 5.7.0 Blocked") && text.contains("12 messages of 12 recipients got a refusal for good"),
        "{text}"
    );
    // Blocks alone are a reputation answer too: the gateway is found, and nothing says that there is none.
    let alone: String = (0..3).map(|n| message(n, &format!("r{n}@c{n}.test"), &[(&at(26, 8), BLOCKED)])).collect();
    let case = Place::with(&alone).case(&[]);
    assert_eq!((&case["request"]["gateway"], &case["smtp"]["refusals"]), (&"proofpoint".into(), &3.into()));
    assert_eq!(case["request"]["subject"], "Proofpoint 550 reputation blocks on IP 192.0.2.10");
}

#[test]
fn a_list_that_gave_no_answer_does_not_read_as_one_that_lists_nothing() {
    let place = Place::with(&plain_log(5, 20));
    let facts = place
        .file("f.toml", "[lookup]\nproofpoint = { result = \"not listed\", checked_at = 2026-10-27T10:00:00+02:00 }\n");
    let flags = ["--ip", IP, "--facts", facts.to_str().unwrap()];
    let step = |place: &Place| {
        let case = place.case(&flags);
        let steps = case["readiness"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step"] == "listings checked").unwrap();
        (step["state"].as_str().unwrap().to_owned(), step["because"].as_str().unwrap().to_owned())
    };
    assert_eq!(step(&place).0, "missing");
    place.found("blocklist", IP, "zen.example", "ok");
    let (state, because) = step(&place);
    assert_eq!(state, "proven", "{because}");
    // 10:00 at +02:00 is 08:00 UTC.
    assert!(
        because.contains("2026-10-27 08:00:00 UTC") && because.contains("no blocklist listed it on 2026-10-27"),
        "{because}"
    );
    place.found("blocklist", IP, "dead.example", "could-not-check");
    let (state, because) = step(&place);
    assert_eq!(state, "missing", "{because}");
    assert!(
        because.contains("not checked: dead.example of 192.0.2.10") && !because.contains("no blocklist"),
        "{because}"
    );
}

#[test]
fn the_words_of_a_lookup_page_are_never_read_as_clean_that_do_not_say_so() {
    let place = Place::with(&plain_log(1, 0));
    for (said, listed) in [
        ("not listed", Some(false)),
        ("Not currently listed", Some(false)),
        ("unlisted", Some(false)),
        ("delisted", Some(false)),
        ("no listing", Some(false)),
        ("clean", Some(false)),
        ("OK", Some(false)),
        ("listed: no", Some(false)),
        ("This IP isn\u{2019}t listed.", Some(false)),
        ("listed", Some(true)),
        ("Listed (found in the reputation list)", Some(true)),
        ("Listed since Sunday", Some(true)),
        ("Currently listed, no delisting possible", Some(true)),
        ("listed, not delisted yet", Some(true)),
        ("no, listed", Some(true)),
        ("Your IP has been blocked", Some(true)),
        ("not delisted yet", None),
        ("not clean", None),
        ("poor", None),
        ("not listed, but blocked", None),
        ("was listed until Friday, now clean", None),
    ] {
        let facts = place.file(
            "f.toml",
            &format!("[lookup]\nproofpoint = {{ result = \"{said}\", checked_at = 2026-10-27T08:00:00Z }}\n"),
        );
        let flags = ["--ip", IP, "--facts", facts.to_str().unwrap()];
        let case = place.case(&flags);
        assert_eq!(case["dns"]["lookups"][0]["listed"].as_bool(), listed, "{said}");
        let raised = case["weak_points"].as_array().unwrap().iter().any(|point| point["id"] == "C22");
        assert_eq!(raised, listed == Some(true), "{said}");
        let text = place.markdown(&flags);
        assert_eq!(text.contains("not publicly listed at that time"), listed == Some(false), "{said}: {text}");
        assert_eq!(text.contains("unclear"), listed.is_none(), "{said}: {text}");
    }
}

#[test]
fn facts_that_cannot_be_are_refused_and_empty_ones_state_nothing() {
    let place = Place::with(&plain_log(1, 0));
    let with = |text: &str| {
        let facts = place.file("f.toml", text);
        place.run(&["case", "--domain", DOMAIN, "--format", "json", "--facts", facts.to_str().unwrap()])
    };
    for (text, key) in [
        (
            "[lookup]\nprofpoint = { result = \"not listed\", checked_at = 2026-10-27T08:00:00Z }\n",
            "[lookup] profpoint is no gateway",
        ),
        ("[lookup]\nproofpoint = { result = \"\", checked_at = 2026-10-27T08:00:00Z }\n", "result is empty"),
        (
            "[lookup]\nproofpoint = { result = \"ok\", checked_at = 2999-12-24T08:00:00Z }\n",
            "checked_at is 2999-12-24T08:00:00Z, which is still to come",
        ),
        ("[lookup]\nproofpoint = { result = \"ok\", checked_at = 08:00:00 }\n", "names no day"),
        ("[consent]\nsignup_form_checked_at = 2999-01-23\n", "signup_form_checked_at is 2999-01-23"),
        ("[[action]]\ndate = 2999-01-01\nwhat = \"x\"\n", "[[action]] date"),
    ] {
        let (status, _, error) = with(text);
        assert_eq!(status, 1, "{text}");
        assert!(error.contains(key), "{text}: {error}");
    }
    let (status, out, error) = with(
        "[consent]\nsource = \"checkout\"\nconfirmation = \"\"\nsuppression_delay = \" \"\ncomplaints = \"loop\"\n",
    );
    assert_eq!(status, 0, "{error}");
    let case: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(case["actions"]["confirmation"], Value::Null);
    let step = case["readiness"].as_array().unwrap().iter().find(|step| step["step"] == "acquisition stated").unwrap();
    assert_eq!(
        (&step["state"], &step["because"]),
        (&"missing".into(), &"2 of 4 facts on consent are not stated".into())
    );
}

#[test]
fn recipients_that_are_kept_stay_out_of_the_case_unless_they_are_asked_for() {
    let log: String = (0..2)
        .map(|n| {
            let put_off = format!("{} for <r{n}@c{n}.test>)", deferred(IP).trim_end_matches(')'));
            message(n, &format!("r{n}@c{n}.test"), &[(&at(26, 8), &put_off)])
        })
        .collect();
    let place = Place::new();
    place.import("mx1.log", &log, &["--keep-recipients"]);
    // The same log without the flag says how the address is hashed; the key is another store's.
    for flags in [&[][..], &["--html"], &["--format", "json"], &["--ticket"]] {
        let text = place.markdown(flags);
        assert!(!text.contains("r0@c0.test") && !text.contains("r1@c1.test"), "{flags:?}: {text}");
    }
    let text = place.markdown(&[]);
    assert!(text.contains("@c0.test") && text.contains("keyed hashes, also inside responses"), "{text}");
    let case = place.case(&[]);
    let response = case["smtp"]["responses"][0]["response"].as_str().unwrap();
    let hash = response.split('<').nth(1).unwrap().split('@').next().unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{response}");
    let text = place.markdown(&["--show-recipients"]);
    assert!(text.contains("r0@c0.test") && !text.contains("keyed hashes"), "{text}");
}

#[test]
fn a_long_history_says_what_it_leaves_out() {
    // 70 deferrals, one an hour from 10-24 00:00, and the end on 10-27.
    let attempts: Vec<(String, String)> = (0..70)
        .map(|n| (at(24 + n / 24, n % 24), deferred(IP)))
        .chain([("2026-10-27T12:00:00+00:00".to_owned(), "expired".to_owned())])
        .collect();
    let attempts: Vec<(&str, &str)> = attempts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let place = Place::with(&message(5, "r5@c5.test", &attempts));
    let case = place.case(&[]);
    let sample = &case["samples"]["samples"][0];
    let (kept, left_out) = (sample["history"].as_array().unwrap().len() as u64, &sample["left_out"]["deferred"]);
    assert_eq!(kept + left_out.as_u64().unwrap(), 71, "every line is there or counted");
    assert_eq!(sample["reputation_deferrals"], 70);
    let text = place.markdown(&[]);
    assert!(text.contains("| … | 11 deferred | … | … | 11 lines not shown here |"), "{text}");
    // Few recipients are few, whatever their share; and nothing calls it small.
    let point = case["weak_points"].as_array().unwrap().iter().find(|point| point["id"] == "C02").unwrap();
    assert_eq!(point["name"], "too-few-recipients");
    assert!(!point["remedy"].as_str().unwrap().contains("later acceptance"), "{point}");
    for wrong in ["1 recipients", "1 attempts", "1 deferrals", "1 domains", "1 to 1 ", "1 messages", "1 are"] {
        assert!(!text.contains(&format!(" {wrong}")), "{wrong}: {text}");
    }
}

#[test]
fn lists_that_are_cut_say_how_much_is_missing() {
    // 16 shapes, told apart by a word; the first half with two attempts each: 8 * 2 + 8 = 24.
    let log: String = (0..24)
        .map(|n| {
            let word = char::from(b'a' + (n % 16) as u8).to_string().repeat(4);
            let put_off = deferred(IP).replace("Deferred", &format!("Deferred {word}"));
            message(n, &format!("r{n}@c{n}.test"), &[(&at(26, 8), &put_off)])
        })
        .collect();
    let place = Place::with(&log);
    let smtp = place.case(&[])["smtp"].clone();
    let shown: u64 = smtp["responses"].as_array().unwrap().iter().map(|row| row["attempts"].as_u64().unwrap()).sum();
    assert_eq!(smtp["deferrals"], 24);
    // Twelve are shown: the eight with two, and four with one.
    assert_eq!(
        (shown, &smtp["more_responses"]["shapes"], &smtp["more_responses"]["attempts"]),
        (20, &4.into(), &4.into())
    );
    let text = place.markdown(&[]);
    assert!(text.contains("And 4 more shapes of response, with 4 attempts."), "{text}");
}

/// A report of one day, with so many passing and failing messages of an address, and From of another domain beside.
fn report(id: u32, begin: i64, pass: u32, fail: u32, other: u32) -> String {
    let record = |count: u32, from: &str, result: &str| {
        if count == 0 {
            return String::new();
        }
        format!(
            "<record><row><source_ip>{IP}</source_ip><count>{count}</count><policy_evaluated><disposition>none</disposition><dkim>{result}</dkim><spf>{result}</spf></policy_evaluated></row><identifiers><header_from>{from}</header_from></identifiers><auth_results><dkim><domain>{from}</domain><selector>s1</selector><result>{result}</result></dkim><spf><domain>{from}</domain><result>{result}</result></spf></auth_results></record>"
        )
    };
    format!(
        "<feedback><report_metadata><org_name>rep.test</org_name><email>a@rep.test</email><report_id>{id}</report_id><date_range><begin>{begin}</begin><end>{}</end></date_range></report_metadata><policy_published><domain>{DOMAIN}</domain><p>none</p></policy_published>{}{}{}</feedback>",
        begin + 86_399,
        record(pass, DOMAIN, "pass"),
        record(fail, DOMAIN, "fail"),
        record(other, &format!("shop.{DOMAIN}"), "pass")
    )
}

/// 2026-10-26 00:00 UTC.
const OCTOBER_26: i64 = 1_792_972_800;

#[test]
fn messages_that_pass_are_not_those_that_were_seen() {
    let place = Place::with(&plain_log(5, 20));
    let path = place.file("r.xml", &report(1, OCTOBER_26, 990, 10, 0));
    place.done(&["import", path.to_str().unwrap()]);
    place.found("dns", DOMAIN, "SPF", "ok");
    place.found("dns", IP, "PTR", "ok");
    let case = place.case(&["--ip", IP]);
    let step =
        case["readiness"].as_array().unwrap().iter().find(|one| one["step"] == "DNS and authentication clean").unwrap();
    assert_eq!(step["state"], "proven", "{step}");
    assert_eq!(step["because"], "990 of 1,000 messages of the addresses pass DMARC (99.00%), DNS checks are ok");
}

#[test]
fn streams_and_reports_keep_to_the_period() {
    let place = Place::with(&plain_log(5, 20));
    for (id, day, pass, other) in [(1, -7, 700, 300), (2, 0, 40, 0)] {
        let path = place.file(&format!("r{id}.xml"), &report(id, OCTOBER_26 + day * 86_400, pass, 0, other));
        place.done(&["import", path.to_str().unwrap()]);
    }
    let of_reports = |flags: &[&str]| -> u64 {
        let case = place.case(&[&["--ip", IP], flags].concat());
        let streams = case["senders"]["streams"].as_array().unwrap().iter();
        streams.filter(|one| one["source"] == "DMARC reports").map(|one| one["messages"].as_u64().unwrap()).sum()
    };
    assert_eq!(of_reports(&[]), 700 + 300 + 40);
    let period = ["--since", "2026-10-26", "--until", "2026-10-27"];
    assert_eq!(of_reports(&period), 40);
    let case = place.case(&[&["--ip", IP], &period[..]].concat());
    assert!(
        !case["weak_points"].as_array().unwrap().iter().any(|point| point["id"] == "C13"),
        "one From in the period"
    );
    let rows = place.json(&["sql", case["senders"]["streams_sql"].as_str().unwrap()]);
    assert_eq!(rows[0]["messages"], 40);
    // Nothing in the period is not nothing in the store.
    let text = place.markdown(&["--since", "2030-01-01", "--gateway", "proofpoint"]);
    assert!(
        text.contains("none on the domain in the period; the store holds report days from 2026-10-19 to 2026-10-26"),
        "{text}"
    );
    assert!(text.contains("the store holds first attempts from 2026-10-26 to 2026-10-26"), "{text}");
    assert!(!text.contains("dmarcase --db s.duckdb gaps"), "a command that would fail: {text}");
}

/// m0: 26th put off, 27th put off, 28th delivered. m1: 26th delivered. m2: 26th put off, 28th expired. m3: 27th put off.
fn three_days() -> Place {
    let put_off = deferred(IP);
    Place::with(
        &[
            message(0, "r0@c0.test", &[(&at(26, 8), &put_off), (&at(27, 8), &put_off), (&at(28, 8), SENT)]),
            message(1, "r1@c1.test", &[(&at(26, 8), SENT)]),
            message(2, "r2@c2.test", &[(&at(26, 8), &put_off), (&at(28, 9), "expired")]),
            message(3, "r3@c3.test", &[(&at(27, 8), &put_off)]),
        ]
        .concat(),
    )
}

#[test]
fn what_came_after_the_day_that_counts_as_today_does_not_exist() {
    let place = three_days();
    let figures = |value: &Value| -> Vec<u64> {
        ["recipients", "affected", "attempts", "deferrals", "delivered_first", "delivered_late", "expired", "pending"]
            .iter()
            .map(|name| value[*name].as_u64().unwrap())
            .collect()
    };
    for (day, wanted) in [
        ("2026-10-26", vec![3, 2, 3, 2, 1, 0, 0, 2]),
        ("2026-10-27", vec![4, 3, 5, 4, 1, 0, 0, 3]),
        ("2026-10-28", vec![4, 3, 6, 4, 1, 1, 1, 1]),
    ] {
        let summary = place.json(&["delivery", "summary", "--as-of", day]);
        assert_eq!(figures(&summary["total"]), wanted, "{day}");
        let case = place.case(&["--as-of", day]);
        assert_eq!(figures(&case["outcomes"]["totals"]), wanted, "{day}");
        assert_eq!(case["smtp"]["deferrals"], wanted[3], "{day}");
        assert_eq!(case["outcomes"]["retries"]["pairs"], wanted[1], "{day}");
        assert_eq!(case["outcomes"]["retries"]["delivered_late"], wanted[5], "{day}");
        let lines =
            case["samples"]["samples"].as_array().unwrap().iter().flat_map(|one| one["history"].as_array().unwrap());
        let last = lines.map(|line| line["at"].as_str().unwrap().get(..10).unwrap().to_owned()).max().unwrap();
        assert!(last.as_str() <= day, "{day}: {last}");
        let sample = case["samples"]["samples"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["message_id"] == "k0@northwind.example")
            .unwrap();
        assert_eq!(sample["outcome"], if day == "2026-10-28" { "delivered-after-deferral" } else { "open" }, "{day}");
        let file = &case["method"]["files"][0];
        assert!(file["last_at"].as_str().unwrap().get(..10).unwrap() <= day, "{day}: {file}");
    }
    let text = place.done(&["delivery", "summary", "--as-of", "2026-10-26"]);
    assert!(text.contains("up to 2026-10-26") && !text.contains("whenever that was"), "{text}");
    let (status, _, error) = place.run(&["delivery", "summary", "--as-of", "2025-12-31"]);
    assert_eq!(status, 1);
    assert!(error.contains("no delivery evidence up to 2025-12-31"), "{error}");
    // The view of one tenant ends with the day too.
    let config = place.file("t.toml", "[[tenant]]\nname = \"nw\"\ndomains = [\"northwind.example\"]\n");
    let narrowed = place.json(&[
        "--config",
        config.to_str().unwrap(),
        "--tenant",
        "nw",
        "delivery",
        "summary",
        "--as-of",
        "2026-10-26",
    ]);
    assert_eq!(figures(&narrowed["total"]), [3, 2, 3, 2, 1, 0, 0, 2]);
}

#[test]
fn commands_and_statements_give_what_they_stand_under() {
    let place = three_days();
    let text = place.markdown(&["--as-of", "2026-10-27", "--ip", IP]);
    let commands: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("Reproduce: ` ").and_then(|line| line.strip_suffix(" `")))
        .collect();
    assert!(commands.iter().all(|command| command.starts_with("dmarcase --db s.duckdb ")), "{commands:?}");
    let summary = commands.iter().find(|command| command.contains("--by gateway")).unwrap();
    let words: Vec<&str> = summary.split(' ').skip(3).collect();
    let row = &place.json(&words)["rows"][0];
    assert_eq!((&row["attempts"], &row["pending"]), (&5.into(), &3.into()), "{summary}");
    assert!(text.contains("Reproduce: statement S1 of the appendix.") && !text.contains("` statement S"), "{text}");
    let case = place.case(&["--as-of", "2026-10-27", "--ip", IP]);
    let rows = place.json(&["sql", case["smtp"]["sql"].as_str().unwrap()]);
    assert_eq!(rows[0]["attempts"], 4);
    assert_eq!(rows[0]["first_response"], "421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10");
    let rows = place.json(&["sql", case["samples"]["sql"].as_str().unwrap()]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2 + 1 + 1, "the lines of k0, k2 and k3 up to that day");
    assert_eq!(
        (&rows[0]["message_id"], &rows[0]["recipient_domain"]),
        (&"k0@northwind.example".into(), &"c0.test".into())
    );
    assert_eq!(rows[0]["status"], "deferred");
}

#[test]
fn another_gateway_with_few_recipients_is_a_weak_point_all_the_same() {
    let mut log = plain_log(5, 36);
    for n in 100..119 {
        let put_off = "dsn=4.7.650, status=deferred (host x.mail.protection.outlook.com[203.0.113.7] said: 451 4.7.650 The mail server [192.0.2.10] has been temporarily rate limited due to IP reputation. (S775) (in reply to MAIL FROM command))";
        log += &message(n, &format!("m{n}@ms{n}.test"), &[(&at(26, 8), put_off)])
            .replace("mx0a-1.pphosted.com[203.0.113.9]:25", "x.mail.protection.outlook.com[203.0.113.7]:25");
    }
    let case = Place::with(&log).case(&["--gateway", "proofpoint"]);
    let point = case["weak_points"].as_array().unwrap().iter().find(|point| point["id"] == "C04").unwrap();
    assert_eq!(
        point["evidence"],
        "microsoft365 answers with its reputation too, to 19 of 19 recipients (100.00%): too few to grade"
    );
}

#[test]
fn the_ticket_is_one_paragraph_with_periods_and_numbers_that_agree() {
    let place = Place::with(&plain_log(5, 20));
    let path = place.file("r.xml", &report(1, OCTOBER_26, 9, 0, 0));
    place.done(&["import", path.to_str().unwrap()]);
    let facts = place.file("f.toml", "[[action]]\ndate = 2026-10-27\nwhat = \"\"\"paused\nold segments\"\"\"\n");
    let flags = ["--ticket", "--ip", IP, "--ip", "192.0.2.11", "--facts", facts.to_str().unwrap()];
    let text = place.markdown(&flags);
    assert_eq!(text.lines().filter(|line| !line.is_empty() && !line.starts_with('(')).count(), 2, "{text}");
    assert!(text.contains("2026-10-27 paused old segments."), "{text}");
    assert!(text.contains("Sending IPs: 192.0.2.10, 192.0.2.11."), "{text}");
    assert!(text.contains("of 9 messages from the IPs in DMARC reports of 2026-10-26, "), "{text}");
    let none = Place::with(&message(0, "r0@c0.test", &[(&at(26, 8), SENT)]));
    let text = none.markdown(&["--gateway", "proofpoint"]);
    assert!(text.contains("**Sending IPs:** not stated\n"), "{text}");
}
