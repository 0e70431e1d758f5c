//! Any bytes are read without a panic, and neither runs of lines nor threads change what is read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod delivery_common;

use delivery_common::*;
use dmarcase::config::Config;
use dmarcase::evidence::{Gateways, LogFormat, Options, Recipients, Zone, shape, unfold};
use proptest::prelude::*;

/// Lines of Postfix's kinds, in any order and number.
fn lines() -> impl Strategy<Value = String> {
    let queue = prop::sample::select(vec!["4F1A2B3C4D", "ABCDE12345", "4bQk2x0nZYz1bo"]);
    let stamp = prop::sample::select(vec![
        "Nov 24 09:12:01",
        "Dec 31 23:59:59",
        "Jan  1 00:00:00",
        "2026-11-24T09:12:02+00:00",
    ]);
    let message = prop::sample::select(vec![
        "cleanup[1]: QID: message-id=<a@a.example>",
        "cleanup[1]: QID: message-id=<b@a.example>",
        "qmgr[1]: QID: from=<x@a.example>, size=1, nrcpt=1 (queue active)",
        "qmgr[1]: QID: from=<x@a.example>, status=expired, returned to sender",
        "qmgr[1]: QID: removed",
        "smtp[1]: QID: to=<k@corp.test>, relay=mx1.corp.test[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host mx1.corp.test[203.0.113.9] said: 421 4.7.0 later abc123def (in reply to RCPT TO command))",
        "smtp[1]: QID: to=<k@corp.test>, relay=mx1.corp.test[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok 7fd2c1)",
        "smtp[1]: what is this 17",
        "smtpd[1]: connect from x[192.0.2.1]",
    ]);
    prop::collection::vec((stamp, queue, message), 1..60).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(stamp, queue, message)| format!("{stamp} mx1 postfix/{}\n", message.replace("QID", queue)))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_format(bytes in prop::collection::vec(any::<u8>(), 0..600), place in 0..LogFormat::ALL.len()) {
        let format = LogFormat::ALL.get(place).copied();
        let _ = try_read(&bytes, Options { format, ..options() });
        let _ = try_read(&gzip(&bytes), Options { format, ..options() });
    }

    #[test]
    fn a_log_with_bytes_changed(log in lines(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), cut in any::<prop::sample::Index>()) {
        let mut bytes = log.into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            if let Some(one) = bytes.get_mut(place) {
                *one = byte;
            }
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(read) = try_read(&bytes, Options { format: Some(LogFormat::Postfix), ..options() }) {
            prop_assert!(read.counts.understood + read.counts.ignored + read.counts.cut + read.counts.unknown_lines()
                + read.counts.other_programs.values().sum::<u64>() >= read.counts.lines);
        }
    }

    #[test]
    fn runs_and_threads_change_nothing(log in lines(), chunk in 40usize..2000, workers in 1usize..4) {
        let whole = read(log.as_bytes());
        let parts = read_with(log.as_bytes(), Options { chunk, workers, format: Some(LogFormat::Postfix), ..options() });
        let (mut a, mut b) = (whole.rows, parts.rows);
        a.sort();
        b.sort();
        prop_assert_eq!(a, b);
        prop_assert_eq!(whole.counts.unknown, parts.counts.unknown);
        prop_assert_eq!(whole.counts.understood, parts.counts.understood);
        prop_assert_eq!(whole.counts.lines, parts.counts.lines);
        prop_assert_eq!(whole.counts.clock_steps, parts.counts.clock_steps);
    }

    #[test]
    fn a_response_comes_back_whole(words in prop::collection::vec("[a-zA-Z0-9:;/<>()\\[\\]._-]{1,12}", 1..12)) {
        let text = words.join(" ");
        let log = format!("Nov 24 09:12:01 mx1 postfix/smtp[1]: 4F1A2B3C4D: to=<k@corp.test>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (x {text})\n");
        let read = read(log.as_bytes());
        prop_assert_eq!(&read.rows.first().unwrap().response, &format!("x {text}"));
    }
}

#[test]
fn shapes_fold_what_varies_and_keep_what_means_something() {
    let fold = |text: &str| {
        let log = format!(
            "Nov 24 09:12:01 mx1 postfix/smtp[1]: 4F1A2B3C4D: to=<k@corp.test>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred ({text})\n"
        );
        let read = read(log.as_bytes());
        let response = read.reader.responses.get(0).unwrap();
        shape(&response.template)
    };
    for (text, expected) in [
        (
            "421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10",
            "421 Deferred - see https://ipcheck.proofpoint.com/?ip=<ip>",
        ),
        ("250 2.0.0 4bqk2x Message accepted", "250 2.0.0 <id> Message accepted"),
        ("450 4.7.1 <k@corp.test>: Recipient address rejected", "450 4.7.1 <<address>>: Recipient address rejected"),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.10 deferred", "421 4.7.0 [TSS04] Messages from <ip> deferred"),
        ("451 4.7.650 rate limited (S775)", "451 4.7.650 rate limited (S775)"),
        ("421 try mx17.corp.test or 2001:db8::1 in 30 s", "421 try <host> or <ip> in <n> s"),
        ("550 corp.test does not know you", "550 <host> does not know you"),
    ] {
        assert_eq!(fold(text), expected);
    }
    assert_eq!(unfold("a \u{1} b \u{4}", Some("17\u{1f}x9")), "a 17 b x9");
}

/// RFC 5322 sections 3.2.3 and 3.2.4, RFC 3986 section 2.1: whatever a local part may look like, none is left in a text.
#[test]
fn local_parts_are_masked_in_every_way_to_write_them() {
    let masked = |text: &str| {
        let log = format!(
            "Nov 24 09:13:02 mx1 postfix/smtp[1]: 4F1A2B3C4D: to=<x@c1.test>, relay=mx.c1.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host mx.c1.test[203.0.113.1] said: 421 {text} (in reply to RCPT TO command))\n"
        );
        let read = read(log.as_bytes());
        read.rows[0].response.strip_prefix("421 ").unwrap().to_owned()
    };
    let hash = |local: &str, domain: &str| {
        format!("{:016x}", Recipients::new([7; 32], false).number(local.as_bytes(), domain.as_bytes()))
    };
    let of = |local: &str| hash(local, "c1.test");
    for (text, wanted) in [
        (r#"<"kim lee"@c1.test> later"#, format!("<{}@c1.test> later", of(r#""kim lee""#))),
        (r#""a \"b\" c@d"@c1.test later"#, format!("{}@c1.test later", of(r#""a \"b\" c@d""#))),
        ("sales/emea@c1.test later", format!("{}@c1.test later", of("sales/emea"))),
        ("who?me@c1.test later", format!("{}@c1.test later", of("who?me"))),
        ("kim%40c1.test later", format!("{}%40c1.test later", of("kim"))),
        ("kim%40c9.test@c1.test later", format!("{}@c1.test later", of("kim%40c9.test"))),
        ("<kim@[192.0.2.9]> later", format!("<{}@[192.0.2.9]> later", hash("kim", "[192.0.2.9]"))),
        ("jane.doe+x@c1.test: later", format!("{}@c1.test: later", of("jane.doe+x"))),
        (
            "see https://h.test/?ip=192.0.2.10&to=kim@c1.test",
            format!("see https://h.test/?ip=192.0.2.10&{}@c1.test", of("to=kim")),
        ),
        ("see https://h.test/u/kim%40c1.test", format!("see https://h.test/u/{}%40c1.test", of("kim"))),
        (r#""quoted" kim@c1.test "later""#, format!(r#""quoted" {}@c1.test "later""#, of("kim"))),
        ("100%, 5 @ 3", "100%, 5 @ 3".to_owned()),
    ] {
        assert_eq!(masked(text), wanted, "{text}");
    }
}

#[test]
fn gateways_are_known_by_host_and_by_words() {
    let gateways = Gateways::bundled().unwrap();
    for (host, gateway) in [
        ("mx0a-0011aa01.pphosted.com", Some("proofpoint")),
        ("MX0B.PPHOSTED.COM.", Some("proofpoint")),
        ("mx1-us1.ppe-hosted.com", Some("proofpoint-essentials")),
        ("mxa-1.gslb.gpphosted.com", Some("proofpoint-government")),
        ("evilpphosted.com", None),
        ("corp-test.mail.protection.outlook.com", Some("microsoft365")),
        ("eu-smtp-inbound-1.mimecast.com", Some("mimecast")),
        ("aspmx.l.google.com", Some("google")),
        ("mx.corp.test", None),
    ] {
        assert_eq!(gateways.of_host(host), gateway, "{host}");
    }
    for text in [
        "421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10",
        "550 5.7.1 Service unavailable; client [192.0.2.10] blocked using Proofpoint Dynamic Reputation",
        "421 4.7.0 ip_reputation",
    ] {
        assert_eq!(gateways.of_response(text), Some("proofpoint"), "{text}");
        assert_eq!(gateways.reputation_of(text), ["proofpoint"], "{text}");
    }
    assert!(gateways.reputation_of("452 4.2.2 mailbox full").is_empty());
    assert!(gateways.reputation_of("421 4.7.0 screening ports are busy").is_empty());
}

#[test]
fn gateways_of_the_config_come_before_the_bundled_ones() {
    let config = |text: &str| Config::parse(text).map(|config| Gateways::with(&config.gateway).unwrap());
    let gateways = config(
        r#"
[[gateway]]
id = "acme"
name = "Acme Filter"
hosts = ["*.filter.corp.test", "mx.corp.pphosted.com"]
words = ['acme support']
reputation = ['acme says no']
"#,
    )
    .unwrap();
    assert_eq!(gateways.of_host("mx1.filter.corp.test"), Some("acme"));
    assert_eq!(gateways.of_host("mx.corp.pphosted.com"), Some("acme"), "the longer name wins");
    assert_eq!(gateways.of_host("mx0a-1.pphosted.com"), Some("proofpoint"));
    assert_eq!(gateways.reputation_of("421 Acme says no"), ["acme"]);
    assert_eq!(gateways.of_response("421 ask Acme support"), Some("acme"));
    assert_eq!(gateways.name("acme"), "Acme Filter");
    assert_ne!(gateways.digest(), Gateways::bundled().unwrap().digest());
    for (text, fault) in [
        ("[[gateway]]\nid = \"acme\"", "needs hosts, words or reputation"),
        ("[[gateway]]\nid = \"unknown\"\nhosts = [\"a.test\"]", "letters, digits and dashes"),
        ("[[gateway]]\nid = \"acme\"\nreputation = [\"(\"]", "[[gateway]] `acme`"),
        ("[[gateway]]\nid = \"acme\"\nhost = [\"a.test\"]", "did you mean `hosts`?"),
    ] {
        let error = config(text).map(|_| ()).unwrap_err();
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn recipients_are_one_in_any_case_and_another_under_another_secret() {
    let one = Recipients::new([1; 32], false);
    assert_eq!(one.number(b"Kim", b"Corp.TEST"), one.number(b"kim", b"corp.test"));
    assert_ne!(one.number(b"kim", b"corp.test"), one.number(b"lee", b"corp.test"));
    assert_ne!(one.number(b"kim", b"corp.test"), Recipients::new([2; 32], false).number(b"kim", b"corp.test"));
    assert_ne!(one.number(b"a", b"b@c"), one.number(b"a@b", b"d"));
}

#[test]
fn zones_are_read_and_shown() {
    for (text, shown) in
        [("utc", "UTC"), ("Z", "UTC"), ("+02:00", "+02:00"), ("-0530", "-05:30"), ("Europe/Berlin", "Europe/Berlin")]
    {
        assert_eq!(text.parse::<Zone>().unwrap().to_string(), shown);
    }
    assert!("Europe/Nowhere".parse::<Zone>().is_err());
}
