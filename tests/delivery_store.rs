//! Delivery evidence in the store, through the program: each line once, queue ids that come back, outcomes, gateways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/schema.rs"]
mod schema;
mod story;

use std::path::{Path, PathBuf};

use place::Place;
use serde_json::Value;
use story::delivery;

impl Place {
    fn import(&self, path: &Path, flags: &[&str]) -> Value {
        self.json(&[&["delivery", "import", path.to_str().unwrap()], flags].concat())
    }

    fn sql(&self, query: &str) -> Vec<Value> {
        self.json(&["sql", query]).as_array().unwrap().clone()
    }

    fn summary(&self) -> Vec<Value> {
        self.json(&["delivery", "summary"])["rows"].as_array().unwrap().clone()
    }
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_reports/delivery")
}

fn smtp(stamp: &str, queue: &str, to: &str, rest: &str) -> String {
    format!("{stamp} mx1 postfix/smtp[1]: {queue}: to=<{to}>, {rest}\n")
}

const SENT: &str =
    "relay=mx1.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 ok abc123def)";
const BUSY: &str = "relay=mx1.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=4.7.1, status=deferred (host mx1.corp.test[203.0.113.1] said: 450 4.7.1 busy (in reply to RCPT TO command))";

#[test]
fn the_story_has_the_figures_worked_out_by_hand() {
    let place = Place::new();
    let answer = place.import(&samples(), &[]);
    assert_eq!(answer["unknown"], 0);
    assert_eq!(answer["files_refused"], 0);
    let check = |row: &Value, wanted: &delivery::Summary| {
        let figures = [
            ("recipients", wanted.recipients),
            ("affected", wanted.affected),
            ("attempts", wanted.attempts),
            ("deferrals", wanted.deferrals),
            ("delivered_first", wanted.delivered_first),
            ("delivered_late", wanted.delivered_late),
            ("expired", wanted.expired),
            ("bounced", wanted.bounced),
            ("dropped", wanted.dropped),
            ("pending", wanted.pending),
        ];
        for (name, value) in figures {
            assert_eq!(row[name], value, "{} {name}", wanted.gateway);
        }
        assert_eq!(row["median_delay_late_s"].as_u64(), wanted.median_delay_late_s, "{}", wanted.gateway);
    };
    let rows = place.summary();
    assert_eq!(rows.len(), delivery::GATEWAYS.len());
    for wanted in &delivery::GATEWAYS {
        check(rows.iter().find(|row| row["gateway"] == wanted.gateway).unwrap(), wanted);
    }
    let proofpoint = rows.iter().find(|row| row["gateway"] == "proofpoint").unwrap();
    assert_eq!(proofpoint["severity"], "escalate");
    assert_eq!(proofpoint["reputation_deferrals"], delivery::REPUTATION_DEFERRALS);
    let narrow =
        place.json(&["delivery", "summary", "--gateway", "proofpoint", "--ip", "192.0.2.10", "--or-unknown-ip"]);
    check(&narrow["rows"][0], &delivery::PROOFPOINT_MX1);
    let suspended = place.sql("SELECT count(*) AS n FROM attempts WHERE status = 'suspended' AND NOT attempted");
    assert_eq!(suspended[0]["n"], delivery::SUSPENDED);
    let expired = place.sql("SELECT message_id FROM delivery_message WHERE outcome = 'expired' ORDER BY 1");
    let expired: Vec<String> = expired.iter().map(|row| row["message_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(expired, delivery::expired_ids());
    let open = place.sql("SELECT message_id FROM delivery_message WHERE outcome = 'open' ORDER BY 1");
    let open: Vec<String> = open.iter().map(|row| row["message_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(open, delivery::open_ids());
    // The same again changes nothing.
    let before = place.sql("SELECT * FROM delivery_message ORDER BY message_key, recipient_key");
    let again = place.import(&samples(), &[]);
    assert_eq!(again["stored"], 0);
    assert_eq!(again["duplicates"], again["attempts"]);
    assert_eq!(place.sql("SELECT * FROM delivery_message ORDER BY message_key, recipient_key"), before);
    // Every way to ask gives the same messages.
    for by in ["recipient-domain", "source", "day", "campaign"] {
        let answer = place.json(&["delivery", "summary", "--by", by]);
        for name in ["attempts", "deferrals", "expired", "delivered_late", "pending"] {
            let sum: u64 = answer["rows"].as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum();
            assert_eq!(sum, answer["total"][name].as_u64().unwrap(), "{by} {name}");
        }
    }
    let by_response = place.json(&["delivery", "summary", "--by", "response"]);
    let attempts: u64 =
        by_response["rows"].as_array().unwrap().iter().map(|row| row["attempts"].as_u64().unwrap()).sum();
    assert_eq!(attempts, by_response["total"]["attempts"].as_u64().unwrap());
}

#[test]
fn a_message_in_two_files_is_one_in_either_order() {
    let first = [
        "Nov 24 09:00:00 mx1 postfix/cleanup[1]: ABCDE12345: message-id=<one@a.example>\n".to_owned(),
        "Nov 24 09:00:00 mx1 postfix/qmgr[1]: ABCDE12345: from=<b@a.example>, size=1, nrcpt=2 (queue active)\n"
            .to_owned(),
        smtp("Nov 24 09:00:01", "ABCDE12345", "kim@corp.test", BUSY),
        smtp("Nov 24 09:00:01", "ABCDE12345", "lee@corp.test", SENT),
    ]
    .concat();
    let second = [
        smtp("Nov 25 09:00:01", "ABCDE12345", "kim@corp.test", BUSY),
        "Nov 29 09:00:01 mx1 postfix/qmgr[1]: ABCDE12345: from=<b@a.example>, status=expired, returned to sender\n"
            .to_owned(),
        "Nov 29 09:00:01 mx1 postfix/qmgr[1]: ABCDE12345: removed\n".to_owned(),
        // Later the id is given to another message.
        smtp("Nov 30 09:00:01", "ABCDE12345", "kim@corp.test", SENT),
    ]
    .concat();
    let mut found = Vec::new();
    for turned in [false, true] {
        let place = Place::new();
        let paths = [place.file("a.log", &first), place.file("b.log", &second)];
        let order: Vec<&PathBuf> = if turned { paths.iter().rev().collect() } else { paths.iter().collect() };
        for path in order {
            place.import(path, &["--year", "2026"]);
        }
        found.push(place.sql(
            "SELECT message_id, split_part(recipient, '@', 2) AS d, outcome, attempts, deferrals, envelope_from, first_attempt::VARCHAR AS f
             FROM delivery_message ORDER BY first_attempt, outcome",
        ));
        assert_eq!(place.sql("SELECT count(*) AS n FROM attempts WHERE status = 'expired'")[0]["n"], 1);
    }
    assert_eq!(found[0], found[1]);
    let short: Vec<(&str, &str, u64)> = found[0]
        .iter()
        .map(|row| {
            (row["message_id"].as_str().unwrap(), row["outcome"].as_str().unwrap(), row["attempts"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        short,
        [("one@a.example", "delivered", 1), ("one@a.example", "expired", 2), ("ABCDE12345", "delivered", 1)],
        "the expiry is of the one recipient without an answer, and the id that came back is another message"
    );
}

#[test]
fn the_words_of_a_response_beat_the_host() {
    // Apple's own MX answers in Proofpoint's words: all recipients of the domain stand behind Proofpoint.
    let relay = "relay=mx01.mail.icloud.com[203.0.113.5]:25, delay=1, delays=0/0/0/1";
    let mut log = String::new();
    for n in 0..30 {
        let to = format!("r{n}@icloud.test");
        if n < 3 {
            log += &smtp(
                "Nov 24 09:00:01",
                &format!("ABCDE1{n:04}"),
                &to,
                &format!(
                    "{relay}, dsn=4.0.0, status=deferred (host mx01.mail.icloud.com[203.0.113.5] refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10)"
                ),
            );
        }
        log += &smtp(
            "Nov 24 10:00:01",
            &format!("ABCDE1{n:04}"),
            &to,
            &format!("{relay}, dsn=2.0.0, status=sent (250 2.0.0 ok)"),
        );
    }
    let place = Place::new();
    place.import(&place.file("a.log", &log), &["--year", "2026"]);
    let rows = place.summary();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["gateway"], "proofpoint");
    assert_eq!(
        (&rows[0]["recipients"], &rows[0]["affected"], &rows[0]["delivered_late"]),
        (&30.into(), &3.into(), &3.into())
    );
    assert_eq!(rows[0]["severity"], "investigate", "10% and nothing expired");
}

#[test]
fn local_parts_are_hashed_unless_kept() {
    let log = smtp(
        "Nov 24 09:00:01",
        "ABCDE12345",
        "very.secret@corp.test",
        "relay=mx1.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx1.corp.test[203.0.113.1] said: 550 5.1.1 <very.secret@corp.test>: unknown (in reply to RCPT TO command))",
    );
    let place = Place::new();
    let path = place.file("a.log", &log);
    place.import(&path, &["--year", "2026"]);
    let row = &place.sql("SELECT recipient, response FROM attempts")[0];
    assert!(!row.to_string().contains("secret"), "{row}");
    let hash = row["recipient"].as_str().unwrap();
    assert!(row["response"].as_str().unwrap().contains(hash), "the same hash stands in the response: {row}");
    for entry in
        std::fs::read_dir(place.folder.path()).unwrap().map(Result::unwrap).filter(|e| e.file_name() != "a.log")
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(memchr::memmem::find(&bytes, b"very.secret").is_none(), "{}", entry.path().display());
    }
    let kept = Place::new();
    kept.import(&kept.file("a.log", &log), &["--year", "2026", "--keep-recipients"]);
    assert_eq!(kept.sql("SELECT recipient FROM attempts")[0]["recipient"], "very.secret@corp.test");
}

#[test]
fn who_was_given_up_on_the_gateways_answer_is_a_recipient_and_affected() {
    let event = |n: u32, kind: &str, body: &str| {
        format!(
            r#"{{"eventType":"{kind}","mail":{{"timestamp":"2026-11-01T10:00:00Z","source":"b@a.example","messageId":"x{n}"}},{body}}}
"#
        )
    };
    let mut log = String::new();
    for n in 0..20 {
        log += &event(
            n,
            "Delivery",
            &format!(
                r#""delivery":{{"timestamp":"2026-11-01T10:00:05Z","recipients":["u{n}@corp1.test"],"smtpResponse":"250 ok"}}"#
            ),
        );
    }
    for n in 20..25 {
        log += &event(
            n,
            "Bounce",
            &format!(
                r#""bounce":{{"bounceType":"Transient","bounceSubType":"General","timestamp":"2026-11-02T00:00:05Z","bouncedRecipients":[{{"emailAddress":"u{n}@corp1.test","status":"4.4.7","diagnosticCode":"smtp; 421 4.4.7 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10"}}]}}"#
            ),
        );
    }
    let place = Place::new();
    let path = place.file("ses.json", &log);
    place.import(&path, &[]);
    let again = place.import(&path, &[]);
    assert_eq!(
        (&again["stored"], &again["duplicates"]),
        (&0.into(), &30.into()),
        "20 deliveries, 5 last tries, 5 ends"
    );
    let rows = place.summary();
    assert_eq!(rows.len(), 1);
    let figures =
        ["recipients", "affected", "attempts", "deferrals", "reputation_deferrals", "delivered_first", "expired"];
    let figures: Vec<u64> = figures.iter().map(|name| rows[0][*name].as_u64().unwrap()).collect();
    assert_eq!(figures, [25, 5, 25, 5, 5, 20, 5]);
    assert_eq!(
        (&rows[0]["gateway"], &rows[0]["severity"]),
        (&"proofpoint".into(), &"escalate".into()),
        "5 of 25 are 20%"
    );
}

#[test]
fn mail_to_an_own_next_hop_is_said_to_be_that() {
    let log = smtp(
        "Nov 24 09:00:01",
        "ABCDE12345",
        "a@c1.test",
        "relay=smarthost.lan[10.0.0.5]:25, delay=1, delays=0/0/1/0, dsn=4.0.0, status=deferred (host smarthost.lan[10.0.0.5] said: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10 (in reply to RCPT TO command))",
    );
    let place = Place::new();
    let answer = place.import(&place.file("a.log", &log), &["--year", "2026"]);
    assert_eq!((&answer["stored"], &answer["internal"]), (&1.into(), &1.into()));
    assert!(answer["by_file"][0]["notes"].to_string().contains("1 attempt went to one's own next hop"), "{answer}");
    let (status, _, error) = place.run(&["delivery", "summary"]);
    assert_eq!(status, 1);
    assert!(
        error.contains("all delivery evidence of the store (1 message) is of mail to one's own next hop"),
        "{error}"
    );
    assert!(!error.contains("no delivery evidence"), "{error}");
}

#[test]
fn notices_of_non_delivery_are_no_mail_of_a_domain() {
    let mut log = String::new();
    for n in 0..25 {
        let sender = if n < 20 { "b@a.example" } else { "" };
        log += &format!(
            "Nov 24 09:00:00 mx1 postfix/qmgr[1]: ABCDE1{n:04}: from=<{sender}>, size=1, nrcpt=1 (queue active)\n"
        );
        log += &smtp("Nov 24 09:00:01", &format!("ABCDE1{n:04}"), &format!("r{n}@corp.test"), SENT);
    }
    // No line says who sent this one.
    log += &smtp("Nov 24 09:00:01", "ABCDE19999", "last@corp.test", SENT);
    let place = Place::new();
    place.import(&place.file("a.log", &log), &["--year", "2026"]);
    let answer = place.json(&["delivery", "summary", "--domain", "a.example"]);
    assert_eq!((&answer["total"]["recipients"], &answer["sender_unknown"]), (&21.into(), &1.into()));
    let (_, page, _) = place.run(&["delivery", "summary", "--domain", "a.example"]);
    assert!(page.contains("Counted though no log says the envelope sender: 1 message."), "{page}");
    let all = place.json(&["delivery", "summary"]);
    assert_eq!((&all["total"]["recipients"], all.get("sender_unknown")), (&26.into(), None));
}

/// Two messages delivered late, after 1,800 and 14,400 s: the mean of the two in the middle. A recipient of the null address has
/// no domain to be named by.
#[test]
fn medians_of_even_numbers_names_of_none_and_words_for_one() {
    let csv = "attempt_time,message_id,recipient,status\n\
2026-11-24T09:00:00Z,m1,a@corp.test,deferred\n2026-11-24T09:30:00Z,m1,a@corp.test,delivered\n\
2026-11-24T09:00:00Z,m2,b@corp.test,deferred\n2026-11-24T13:00:00Z,m2,b@corp.test,delivered\n\
2026-11-24T09:00:00Z,m2,c@corp.test,dropped\n2026-11-24T09:00:00Z,m3,d@corp.test,deferred\n";
    let place = Place::new();
    place.import(&place.file("a.csv", csv), &[]);
    assert_eq!(place.json(&["delivery", "summary"])["total"]["median_delay_late_s"], 8_100);
    let (_, page, _) = place.run(&["delivery", "summary"]);
    let words = "4 messages: 0 at once, 2 late, 0 expired, 0 bounced, 1 dropped before any attempt, 1 open.";
    assert!(page.contains(words), "{page}");
    let null = smtp("Nov 24 09:00:01", "ABCDE12345", "", SENT);
    let (_, page, _) =
        place.run(&["delivery", "import", "--year", "2026", place.file("b.log", &null).to_str().unwrap()]);
    assert!(page.contains("1 stamp without a zone was read as UTC"), "{page}");
    let rows = place.json(&["delivery", "summary", "--by", "recipient-domain"])["rows"].clone();
    let names: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["recipient_domain"]).collect();
    assert_eq!(names, [&Value::from("corp.test"), &Value::Null]);
    let status = place.json(&["status"]);
    assert_eq!((&status["delivery_messages"], &status["delivery_first_day"]), (&5.into(), &"2026-11-24".into()));
    let (_, page, _) = place.run(&["status"]);
    assert!(page.contains("delivery evidence of 5 messages, first attempts 2026-11-24"), "{page}");
}

#[test]
fn a_copy_with_another_time_is_the_same_log_and_guessed_years_are_named() {
    use std::time::{Duration, SystemTime};
    let stamp = |path: &Path, day: u64| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    };
    // Days since 1970 of 2025-01-06 and 2026-11-24.
    let (first, later) = (20_094, 20_781);
    let log = [
        "Dec 30 09:00:00 mx1 postfix/cleanup[1]: 4bXyZ0001zWqQ: message-id=<one@a.example>\n".to_owned(),
        smtp("Dec 30 09:00:01", "4bXyZ0001zWqQ", "kim@corp.test", BUSY),
        smtp("Jan  2 09:00:01", "4bXyZ0001zWqQ", "kim@corp.test", SENT),
    ]
    .concat();
    let place = Place::new();
    let (one, two) = (place.file("one.log", &log), place.file("two.log", &log));
    stamp(&one, first);
    stamp(&two, later);
    let notes = |answer: &Value| answer["by_file"][0]["notes"].to_string();
    let answer = place.import(&one, &[]);
    assert_eq!(answer["stored"], 2);
    assert!(notes(&answer).contains("taken to be of 2024, by the time of the file; --year"), "{answer}");
    let answer = place.import(&two, &[]);
    assert_eq!((&answer["stored"], &answer["duplicates"]), (&0.into(), &2.into()), "{answer}");
    assert!(notes(&answer).contains("the same log is stored from"), "{answer}");
    let lives = place.sql("SELECT first_attempt::VARCHAR AS a, delay_s FROM delivery_message");
    assert_eq!(lives.len(), 1);
    assert!(lives[0]["a"].as_str().unwrap().starts_with("2024-12-30"), "{lives:?}");
    assert_eq!(lives[0]["delay_s"], 3 * 86_400);
    // Read otherwise, in another year or another zone, each of its lines would count twice.
    for otherwise in [["--year", "2022"], ["--log-tz", "Europe/Berlin"]] {
        let given = [&["--format", "json", "delivery", "import"], &otherwise[..], &[two.to_str().unwrap()]].concat();
        let (status, answer, error) = place.run(&given);
        assert_eq!(status, 1, "{otherwise:?}: {error}");
        assert!(answer.contains("would count twice") && answer.contains("read as of 2024 in UTC"), "{answer}");
    }
    assert_eq!(place.sql("SELECT count(*) AS n FROM delivery_line")[0]["n"], 2);
    // The same said again is the same.
    assert_eq!(place.import(&two, &["--year", "2024", "--log-tz", "UTC"])["duplicates"], 2);
}

#[test]
fn equal_message_ids_a_year_apart_are_two_messages() {
    let log = |year: u32| {
        format!("{year}-11-24T09:00:00+00:00 mx1 postfix/cleanup[1]: ABCDE12345: message-id=<one@a.example>\n")
            + &smtp(&format!("{year}-11-24T09:00:01+00:00"), "ABCDE12345", "kim@corp.test", SENT)
    };
    let place = Place::new();
    place.import(&place.file("a.log", &log(2025)), &[]);
    place.import(&place.file("b.log", &log(2026)), &[]);
    assert_eq!(place.sql("SELECT DISTINCT message_key FROM delivery_message").len(), 2);
}

#[test]
fn a_day_that_the_year_does_not_have_names_the_remedy() {
    let log = smtp("Feb 29 09:00:01", "ABCDE12345", "kim@corp.test", SENT)
        + &smtp("Mar  1 09:00:01", "ABCDE12345", "lee@corp.test", SENT);
    let place = Place::new();
    let path = place.file("a.log", &log);
    let answer = place.import(&path, &["--year", "2026"]);
    assert_eq!((&answer["stored"], &answer["unknown"]), (&1.into(), &1.into()));
    let notes = answer["by_file"][0]["notes"].to_string();
    assert!(notes.contains("1 stamp is of 29 February in a year that has none; --year says the right year"), "{notes}");
    assert_eq!(Place::new().import(&path, &["--year", "2024"])["stored"], 2);
}

#[test]
fn never_a_deferral_as_a_loss_nor_an_expiry_as_a_deferral() {
    // Every order of statuses of up to four lines, one message each.
    let words = ["delivered", "deferred", "bounced", "expired", "dropped", "suspended"];
    let mut csv = "attempt_time,message_id,recipient,status\n".to_owned();
    let mut stories = Vec::new();
    for a in 0..7 {
        for b in 0..7 {
            for c in 0..7 {
                let story: Vec<&str> = [a, b, c].into_iter().filter_map(|n: usize| words.get(n).copied()).collect();
                if story.is_empty() {
                    continue;
                }
                let id = format!("m{}@a.example", stories.len());
                for (hour, status) in story.iter().enumerate() {
                    csv += &format!("2026-11-24T0{hour}:00:00Z,{id},kim@corp.test,{status}\n");
                }
                stories.push((id, story));
            }
        }
    }
    let place = Place::new();
    place.import(&place.file("a.csv", &csv), &[]);
    let rows = place.sql("SELECT message_id, outcome, deferrals, attempts FROM delivery_message");
    assert_eq!(rows.len(), stories.len());
    for (id, story) in stories {
        let row = rows.iter().find(|row| row["message_id"] == id.as_str()).unwrap();
        let has = |word: &str| story.contains(&word);
        let first = |word: &str| story.iter().position(|one| *one == word);
        let expected = if has("delivered") {
            if has("deferred") && first("deferred") < first("delivered") {
                "delivered-after-deferral"
            } else {
                "delivered"
            }
        } else if has("expired") {
            "expired"
        } else if has("bounced") {
            "bounced"
        } else if has("dropped") {
            "dropped"
        } else {
            "open"
        };
        assert_eq!(row["outcome"], expected, "{story:?}");
        let count = |words: &[&str]| story.iter().filter(|one| words.contains(one)).count();
        assert_eq!(row["deferrals"], count(&["deferred"]), "{story:?}");
        assert_eq!(row["attempts"], count(&["delivered", "deferred", "bounced"]), "{story:?}");
    }
}

#[test]
fn severity_has_its_edges() {
    use dmarcase::evidence::Severity;
    for (affected, recipients, expired, word) in [
        (0, 19, 0, "too few to grade"),
        (19, 19, 5, "too few to grade"),
        (0, 20, 0, "watch"),
        (49, 1000, 0, "watch"),
        (50, 1000, 0, "investigate"),
        (150, 1000, 0, "investigate"),
        (151, 1000, 0, "escalate"),
        (49, 1000, 1, "investigate"),
        (50, 1000, 1, "escalate"),
        (151, 1000, 9, "escalate"),
    ] {
        assert_eq!(
            Severity::grade(affected, recipients, expired).word(),
            word,
            "{affected}/{recipients}, {expired} expired"
        );
    }
}

#[test]
fn what_is_no_log_is_named_and_the_rest_read() {
    let place = Place::new();
    place.file("a.log", &smtp("Nov 24 09:00:01", "ABCDE12345", "kim@corp.test", SENT));
    place.file("b.log", &"Nov 24 09:00:00 host sshd[1]: Accepted publickey for x\n".repeat(30));
    place.file("c.log", "");
    let dir = place.folder.path().to_str().unwrap().to_owned();
    let files = ["a.log", "b.log", "c.log"].map(|name| format!("{dir}/{name}"));
    let args: Vec<&str> =
        ["delivery", "import", "--year", "2026"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let answer = place.json(&args);
    assert_eq!((&answer["files"], &answer["files_refused"], &answer["stored"]), (&3.into(), &2.into(), &1.into()));
    let (status, ..) = place.run(&[args.as_slice(), &["--strict"]].concat());
    assert_eq!(status, 3);
    let (status, _, error) = place.run(&["delivery", "import", &files[1]]);
    assert_eq!(status, 1, "{error}");
    let (status, _, error) = place.run(&["delivery", "summary", "--gateway", "mimecast"]);
    assert_eq!(status, 1);
    assert!(error.contains("no delivery evidence behind the gateway mimecast"), "{error}");
}

#[test]
fn every_table_view_and_column_of_delivery_has_a_comment() {
    let place = Place::new();
    place.import(&samples(), &[]);
    let bare = place.sql(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE comment IS NULL AND table_name LIKE 'delivery_%' ORDER BY 1, 2",
    );
    assert!(bare.is_empty(), "{bare:?}");
    let bare = place.sql(
        "SELECT table_name AS name FROM duckdb_tables() WHERE comment IS NULL AND table_name LIKE 'delivery_%'
         UNION ALL SELECT view_name FROM duckdb_views() WHERE comment IS NULL AND (view_name LIKE 'delivery_%' OR view_name = 'attempts')",
    );
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn a_gateway_of_the_config_judges_what_is_stored_already() {
    let place = Place::new();
    let refused = |host: &str| {
        format!(
            "relay={host}[203.0.113.7]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host {host}[203.0.113.7] said: 421 Acme says no to you)"
        )
    };
    let sent = |host: &str| {
        format!("relay={host}[203.0.113.7]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 ok)")
    };
    let mut log = smtp("Nov 24 09:00:00", "ABCDE1000A", "a@corp.test", &refused("mx1.filter.test"));
    log += &smtp("Nov 24 09:10:00", "ABCDE1000A", "a@corp.test", &sent("mx2.filter.test"));
    log += &smtp("Nov 24 09:00:01", "ABCDE1000B", "b@corp.test", &sent("mx1.filter.test"));
    log += &smtp("Nov 24 09:00:02", "ABCDE1000C", "c@elsewhere.test", &refused("mx.elsewhere.test"));
    place.import(&place.file("a.log", &log), &["--year", "2026"]);
    let figures = |flags: &[&str]| -> Vec<(String, u64, u64, u64)> {
        let answer = place.json(&[flags, &["delivery", "summary"]].concat());
        let n = |row: &Value, name: &str| row[name].as_u64().unwrap();
        let rows = answer["rows"].as_array().unwrap().iter();
        let mut rows: Vec<_> = rows
            .map(|row| {
                let name = row["gateway"].as_str().unwrap().to_owned();
                (name, n(row, "recipients"), n(row, "affected"), n(row, "reputation_deferrals"))
            })
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(figures(&[]), [("unknown".to_owned(), 3, 0, 0)]);
    let config = place.file(
        "dmarcase.toml",
        "[[gateway]]\nid = \"acme\"\nname = \"Acme Filter\"\nhosts = [\"filter.test\"]\nreputation = ['acme says no']\n",
    );
    // Found in the working folder, by every command alike.
    assert_eq!(figures(&[]), [("acme".to_owned(), 2, 1, 1), ("unknown".to_owned(), 1, 0, 0)]);
    let case = place.json(&["case", "--domain", "corp.test"]);
    assert_eq!(case["request"]["gateway_name"], "Acme Filter", "the only gateway with reputation answers");
    assert_eq!(case["smtp"]["deferrals"], 1);
    assert_eq!(case["outcomes"]["totals"]["delivered_late"], 1);
    // New lines are judged the same, and words alone are enough where the config says that they are its own.
    log += &smtp("Nov 24 10:00:02", "ABCDE1000D", "d@elsewhere.test", &refused("mx.elsewhere.test"));
    std::fs::write(
        &config,
        "[[gateway]]\nid = \"acme\"\nhosts = [\"filter.test\"]\nwords = ['acme says']\nreputation = ['acme says no']\n",
    )
    .unwrap();
    place.import(&place.file("a.log", &log), &["--year", "2026"]);
    assert_eq!(figures(&[]), [("acme".to_owned(), 4, 3, 3)]);
    // Taken away again, nothing is left of it.
    std::fs::remove_file(&config).unwrap();
    assert_eq!(figures(&[]), [("unknown".to_owned(), 4, 0, 0)]);
    let routes =
        place.sql("SELECT count(*) AS n FROM delivery_line l ANTI JOIN delivery_route USING (recipient_domain)");
    assert_eq!(routes[0]["n"], 0);
}

#[test]
fn each_summary_is_what_plain_sql_counts() {
    let place = Place::new();
    place.import(&samples(), &[]);
    for (by, column) in [
        ("gateway", "m.gateway"),
        ("recipient-domain", "m.recipient_domain"),
        ("source", "coalesce(m.source_ip, 'unknown')"),
        ("campaign", "m.campaign"),
        ("day", "strftime(m.first_attempt::TIMESTAMP, '%Y-%m-%d')"),
        ("response", "coalesce(a.response_shape, '(no response)')"),
    ] {
        let answer = place.json(&["delivery", "summary", "--by", by]);
        let key = by.replace('-', "_");
        let delay = "date_diff('second', m.first_attempt::TIMESTAMP, m.final_at::TIMESTAMP)";
        // A response has the pairs that got it, with the attempts that it answered.
        let from = if by == "response" {
            "(SELECT message_key, recipient_key, response_shape, smtp_code, enhanced_code, stage,
                count(*) FILTER (WHERE attempted) AS attempts, count(*) FILTER (WHERE status = 'deferred') AS deferrals
              FROM delivery_attempt WHERE status NOT IN ('suspended', 'expired') GROUP BY ALL) a
             JOIN delivery_message m USING (message_key, recipient_key)"
        } else {
            "delivery_message m"
        };
        let counted = if by == "response" { "a" } else { "m" };
        let sql = format!(
            "SELECT {column} AS name, count(DISTINCT m.recipient_key) FILTER (WHERE {counted}.attempts > 0) AS recipients,
                sum({counted}.attempts)::BIGINT AS attempts, sum({counted}.deferrals)::BIGINT AS deferrals,
                count(*) FILTER (WHERE m.outcome = 'delivered') AS delivered_first,
                count(*) FILTER (WHERE m.outcome = 'delivered-after-deferral') AS delivered_late,
                count(*) FILTER (WHERE m.outcome = 'expired') AS expired, count(*) FILTER (WHERE m.outcome = 'bounced') AS bounced,
                count(*) FILTER (WHERE m.outcome = 'dropped') AS dropped, count(*) FILTER (WHERE m.outcome = 'open') AS pending,
                floor(median({delay}) FILTER (WHERE m.outcome = 'delivered-after-deferral'))::BIGINT AS median_delay_late_s
             FROM {from} WHERE NOT m.internal GROUP BY {}",
            if by == "response" { "name, a.smtp_code, a.enhanced_code, a.stage" } else { "name" }
        );
        // No two rows have one name.
        let names =
            |row: &Value| [key.as_str(), "smtp_code", "enhanced_code", "stage"].map(|part| row[part].to_string());
        let all: std::collections::BTreeSet<_> = answer["rows"].as_array().unwrap().iter().map(names).collect();
        assert_eq!(all.len(), answer["rows"].as_array().unwrap().len(), "{by}: {answer:#}");
        let graded = answer["rows"].as_array().unwrap().iter().any(|row| row["severity"] != "not graded");
        assert_eq!(graded, by != "response", "who got a reputation answer is affected, all of them");
        let pick = |row: &Value, name: &str| {
            let figures = [
                "recipients",
                "attempts",
                "deferrals",
                "delivered_first",
                "delivered_late",
                "expired",
                "bounced",
                "dropped",
                "pending",
                "median_delay_late_s",
            ];
            let mut all = vec![row[name].to_string()];
            all.extend(figures.map(|figure| row[figure].to_string()));
            all
        };
        let mut told: Vec<_> = answer["rows"].as_array().unwrap().iter().map(|row| pick(row, &key)).collect();
        let mut wanted: Vec<_> = place.sql(&sql).iter().map(|row| pick(row, "name")).collect();
        told.sort();
        wanted.sort();
        assert_eq!(told, wanted, "{by}");
        let whole = place.sql("SELECT count(DISTINCT recipient_key) FILTER (WHERE attempts > 0) AS n FROM delivery_message WHERE NOT internal");
        assert_eq!(answer["total"]["recipients"], whole[0]["n"], "{by}");
    }
}

/// Two imports at once would give the same numbers to different texts: the one that began last goes on, the other one says so.
#[test]
fn of_two_imports_at_once_one_goes_on() {
    use dmarcase::evidence::{DeliveryWriter, Gateways, Options};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.duckdb");
    let begin = || {
        let options = Options::new(chrono::Utc::now());
        let wait = std::time::Duration::from_secs(5);
        DeliveryWriter::begin(&path, wait, options, Gateways::with(&[]).unwrap(), false, &[]).unwrap()
    };
    let (mut first, reader) = begin();
    first.commit(&reader, Vec::new()).unwrap();
    let (mut second, other) = begin();
    let told = first.commit(&reader, Vec::new()).unwrap_err().to_string();
    assert!(told.contains("another delivery import has begun"), "{told}");
    second.commit(&other, Vec::new()).unwrap();
    assert!(second.end(&other, &[]).is_ok());
}

/// One event of a time that no calendar has must not end every question about the others; nor where an earlier version stored it.
#[test]
fn a_time_outside_the_calendar_ends_no_answer() {
    let place = Place::new();
    let event = |n: u64, at: &str| {
        format!(
            r#"{{"email":"r{n}@corp.test","timestamp":{at},"event":"deferred","response":"421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10","sg_message_id":"{n}","sg_event_id":"{n}","ip":"192.0.2.10","smtp-id":"<{n}@a.example>"}}"#
        )
    };
    let times = ["1795513201", "9000000000000000", "1700000000000000", "-9223372036854775808"];
    let lines: Vec<String> = (1..).zip(times).map(|(n, at)| event(n, at)).collect();
    let path = place.file("events.json", &lines.join("\n"));
    let answer = place.import(&path, &[]);
    assert_eq!((&answer["stored"], &answer["unknown"]), (&1.into(), &3.into()), "{answer}");
    assert_eq!(place.run(&["delivery", "import", "--strict", path.to_str().unwrap()]).0, 3);
    let answers = |days: [&str; 2]| {
        let summary = place.json(&["delivery", "summary"]);
        assert_eq!((&summary["since"], &summary["until"]), (&days[0].into(), &days[1].into()));
        for by in ["recipient-domain", "source", "day", "campaign", "response"] {
            assert_eq!(place.json(&["delivery", "summary", "--by", by])["total"]["attempts"], 1, "{by}");
        }
        let (status, _, error) = place.run(&["case", "--domain", "a.example", "--gateway", "proofpoint"]);
        assert_eq!(status, 0, "{error}");
    };
    answers(["2026-11-24"; 2]);
    let store = duckdb::Connection::open(place.folder.path().join("s.duckdb")).unwrap();
    store
        .execute_batch(
            "UPDATE delivery_life SET first_at = make_timestamp(9000000000000000000)::TIMESTAMPTZ;
             UPDATE delivery_line SET attempt_at = make_timestamp(9000000000000000000)::TIMESTAMPTZ",
        )
        .unwrap();
    drop(store);
    answers(["9999-12-31"; 2]);
}
