//! Postfix logs: hand-written lines, right answers by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod delivery_common;

use delivery_common::*;
use dmarcase::evidence::{LogFormat, Options, Zone};

/// A deferral at the greeting, a deferral at RCPT, then delivery, both stamp styles mixed; and an expiry.
const STORY: &str = "\
Nov 24 09:12:01 mx1 postfix/cleanup[811]: 4F1A2B3C4D: message-id=<camp-17.0001@a.example>
Nov 24 09:12:01 mx1 postfix/qmgr[702]: 4F1A2B3C4D: from=<bounce@a.example>, size=48213, nrcpt=1 (queue active)
Nov 24 09:12:02 mx1 postfix/smtp[913]: 4F1A2B3C4D: to=<kim@corp.test>, relay=mx0a-0011aa01.pphosted.com[203.0.113.9]:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=4.0.0, status=deferred (host mx0a-0011aa01.pphosted.com[203.0.113.9] refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10)
2026-11-24T09:42:02.104511+00:00 mx1 postfix/smtp[990]: 4F1A2B3C4D: to=<kim@corp.test>, orig_to=<k@corp.test>, relay=mx0b-0011aa01.pphosted.com[203.0.113.10]:25, conn_use=2, delay=1801, delays=1800/0.01/0.4/0.6, dsn=4.7.1, status=deferred (host mx0b-0011aa01.pphosted.com[203.0.113.10] said: 451 4.7.1 Try again (later) (in reply to RCPT TO command))
2026-11-24T11:42:02Z mx1 postfix/smtp[990]: 4F1A2B3C4D: to=<kim@corp.test>, relay=mx0b-0011aa01.pphosted.com[203.0.113.10]:25, delay=9001, delays=9000/0.01/0.4/0.6, tls=TLSv1.3, dsn=2.0.0, status=sent (250 2.0.0 4bqk2x Message accepted for delivery)
Nov 24 11:42:02 mx1 postfix/qmgr[702]: 4F1A2B3C4D: removed
Nov 24 10:00:00 mx1 postfix/smtp[913]: 4F1A2B3C4E: to=<lee@corp.test>, relay=none, delay=30, delays=0.1/0/30/0, dsn=4.4.1, status=deferred (connect to mx0a-0011aa01.pphosted.com[203.0.113.9]:25: Connection timed out)
Nov 29 09:12:03 mx1 postfix/qmgr[702]: 4F1A2B3C4E: from=<bounce@a.example>, status=expired, returned to sender
Nov 29 09:12:03 mx1 postfix/qmgr[702]: 4F1A2B3C4E: removed
";

#[test]
fn reads_a_deferral_its_retries_and_the_delivery() {
    let read = read(STORY.as_bytes());
    assert_eq!(read.format, LogFormat::Postfix);
    assert_eq!(read.rows.len(), 4);
    let first = &read.rows[0];
    assert_eq!(first.at, "2026-11-24T09:12:02Z");
    assert_eq!(first.message, "camp-17.0001@a.example");
    assert_eq!(first.queue, "4F1A2B3C4D");
    assert_eq!(first.recipient_domain, "corp.test");
    assert_eq!(first.status, "deferred");
    assert_eq!(first.code, 421);
    assert_eq!(first.enhanced, "", "dsn=4.0.0 says nothing beyond the class");
    assert_eq!(first.response, "421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10");
    assert_eq!(first.relay, "mx0a-0011aa01.pphosted.com");
    assert_eq!((first.source.as_str(), first.source_from), ("192.0.2.10", FROM_RESPONSE));
    assert_eq!(first.from, "a.example");
    assert_eq!(first.line, 3);

    let retry = read.rows.iter().find(|row| row.code == 451).unwrap();
    assert_eq!(retry.at, "2026-11-24T09:42:02.104511Z");
    assert_eq!(retry.response, "451 4.7.1 Try again (later)", "brackets inside the text are the text's");
    assert_eq!(retry.enhanced, "4.7.1");

    let sent = read.rows.iter().find(|row| row.status == "delivered").unwrap();
    assert_eq!(sent.response, "250 2.0.0 4bqk2x Message accepted for delivery");
    assert_eq!((sent.code, sent.enhanced.as_str()), (250, "2.0.0"));
    assert_eq!(sent.recipient, first.recipient, "one recipient, one number");

    let timeout = read.rows.iter().find(|row| row.queue == "4F1A2B3C4E").unwrap();
    assert_eq!(timeout.code, 0, "no reply, no code: never guessed from dsn");
    assert_eq!(timeout.enhanced, "4.4.1");
    assert_eq!(timeout.relay, "mx0a-0011aa01.pphosted.com", "the text names the host where relay=none");
    assert_eq!(timeout.response, "connect to mx0a-0011aa01.pphosted.com[203.0.113.9]:25: Connection timed out");
    let envelope = read.batches.iter().flat_map(|b| &b.envelopes).find(|e| &*e.queue_id == "4F1A2B3C4E").unwrap();
    assert_eq!(envelope.expired_at.map(time).as_deref(), Some("2026-11-29T09:12:03Z"));
    assert_eq!(read.counts.understood, 9);
    assert_eq!(read.counts.unknown_lines(), 0);
    // The second message's line of 10:00 stands behind 11:42.
    assert_eq!(read.counts.clock_steps, 1);
}

#[test]
fn a_suspended_delivery_is_no_attempt() {
    let log = "Nov 24 09:13:02 mx1 postfix/error[1]: 4F1A2B3C4D: to=<kim@corp.test>, relay=none, delay=60, delays=60/0/0/0, dsn=4.0.0, status=deferred (delivery temporarily suspended: host mx0a-0011aa01.pphosted.com[203.0.113.9] refused to talk to me: 421 Deferred)\n";
    let read = read(log.as_bytes());
    assert_eq!(read.rows[0].status, "suspended");
    assert_eq!(read.rows[0].response, "421 Deferred");
}

/// A host that refused is named in a line of its own where another one was tried after it; the recipients follow, by the same process.
#[test]
fn the_answer_of_the_first_host_is_an_attempt_of_each_recipient_that_the_second_took() {
    let sent = |second: u32, process: u32, to: &str| {
        format!(
            "2026-10-26T08:00:0{second}+00:00 mx1 postfix/smtp[{process}]: 4bXyZ0001zWqQ: to=<{to}>, relay=mx0b-1.pphosted.com[203.0.113.10]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)\n"
        )
    };
    let log = [
        "2026-10-26T08:00:01+00:00 mx1 postfix/smtp[7]: 4bXyZ0001zWqQ: host mx0a-1.pphosted.com[203.0.113.9] said: 421 4.7.0 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10 (in reply to MAIL FROM command)\n".to_owned(),
        // Another process, so another domain's connection.
        sent(2, 8, "z@c9.test"),
        sent(2, 7, "a@c1.test"),
        sent(2, 7, "b@c1.test"),
        "2026-10-26T08:00:05+00:00 mx1 postfix/error[9]: 4bXyZ0001zWqQ: to=<c@c1.test>, relay=none, delay=1, delays=1/0/0/0, dsn=4.7.0, status=deferred (delivery temporarily suspended: host mx0a-1.pphosted.com[203.0.113.9] said: 421 4.7.0 Deferred)\n".to_owned(),
        sent(9, 7, "d@c1.test"),
    ]
    .concat();
    let read = read(log.as_bytes());
    let of = |domain: &str, status: &str| {
        read.rows.iter().filter(|row| row.recipient_domain == domain && row.status == status).collect::<Vec<_>>()
    };
    let put_off = of("c1.test", "deferred");
    assert_eq!(put_off.len(), 2, "a and b; c was not tried, and d came in a later run");
    for row in &put_off {
        assert_eq!((row.at.as_str(), row.line, row.code), ("2026-10-26T08:00:01Z", 1, 421));
        assert_eq!((row.relay.as_str(), row.source.as_str()), ("mx0a-1.pphosted.com", "192.0.2.10"));
    }
    assert_ne!(put_off[0].key, put_off[1].key);
    assert_eq!((of("c1.test", "delivered").len(), of("c1.test", "suspended").len()), (3, 1));
    assert_eq!((of("c9.test", "deferred").len(), of("c9.test", "delivered").len()), (0, 1));
    assert_eq!((read.counts.understood, read.counts.ignored), (6, 0));
}

#[test]
fn soft_bounces_stay_in_the_queue_and_probes_are_no_mail() {
    let log = "\
Nov 24 09:13:02 mx1 postfix/smtp[1]: 4F1A2B3C4D: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=SOFTBOUNCE (host mx.corp.test[203.0.113.1] said: 550 5.1.1 <a@corp.test>: unknown (in reply to RCPT TO command))
Nov 24 09:13:03 mx1 postfix/smtp[1]: 4F1A2B3C4F: to=<b@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.1.5, status=deliverable (250 2.1.5 Ok)
Nov 24 09:13:04 mx1 postfix/smtp[1]: 4F1A2B3C50: to=<c@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.corp.test[203.0.113.1] said: 550 5.1.1 <c@corp.test>: unknown (in reply to RCPT TO command))
";
    let read = read(log.as_bytes());
    assert_eq!(read.rows.iter().map(|row| row.status).collect::<Vec<_>>(), ["deferred", "bounced"]);
    assert_eq!(read.counts.probes, 1);
    let text = &read.rows[1].response;
    assert!(!text.contains("c@corp.test"), "the local part is hashed in the response too: {text}");
    assert!(text.ends_with("@corp.test>: unknown"), "{text}");
}

#[test]
fn several_hosts_and_instances_do_not_share_queue_ids() {
    let line = |host: &str, tag: &str, status: &str| {
        format!(
            "Nov 24 09:13:02 {host} {tag}/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status} (250 ok)\n"
        )
    };
    let log =
        [line("mx1", "postfix", "sent"), line("mx2", "postfix", "sent"), line("mx1", "postfix-out", "sent")].concat();
    let read = read(log.as_bytes());
    let mut keys: Vec<u64> = read.rows.iter().map(|row| row.queue_key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[test]
fn a_reused_queue_id_is_another_message_after_removed() {
    let log = "\
Nov 24 09:00:00 mx1 postfix/cleanup[1]: ABCDE12345: message-id=<one@a.example>
Nov 24 09:00:01 mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
Nov 24 09:00:01 mx1 postfix/qmgr[1]: ABCDE12345: removed
Nov 24 09:00:01 mx1 postfix/cleanup[1]: ABCDE12345: message-id=<two@a.example>
Nov 24 09:00:02 mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (host mx.corp.test[203.0.113.1] said: 450 busy (in reply to RCPT TO command))
Nov 24 09:30:00 mx1 postfix/cleanup[1]: ABCDE12345: message-id=<three@a.example>
Nov 24 09:30:02 mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
";
    let read = read(log.as_bytes());
    let messages: Vec<(&str, &str)> = read.rows.iter().map(|row| (row.message.as_str(), row.status)).collect();
    assert_eq!(
        messages,
        [("one@a.example", "delivered"), ("two@a.example", "deferred"), ("three@a.example", "delivered")],
        "`removed` ends a life, and so does another Message-ID where the log lost `removed`"
    );
}

#[test]
fn years_come_from_the_file_and_step_back_over_new_year() {
    let line = |stamp: &str| {
        format!(
            "{stamp} mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
        )
    };
    // Written on 2026-12-01: a December in the future of that is of 2025.
    let months = ["Dec 30 23:00:00", "Dec 31 23:00:00", "Jan  1 01:00:00", "Jun  5 00:00:00", "Nov 30 23:00:00"];
    let log: String = months.into_iter().map(line).collect();
    let at: Vec<String> = read(log.as_bytes()).rows.into_iter().map(|row| row.at).collect();
    let expected = [
        "2025-12-30T23:00:00Z",
        "2025-12-31T23:00:00Z",
        "2026-01-01T01:00:00Z",
        "2026-06-05T00:00:00Z",
        "2026-11-30T23:00:00Z",
    ];
    assert_eq!(at, expected);
}

#[test]
fn a_given_year_is_that_of_the_first_stamp() {
    let line = |stamp: &str| {
        format!(
            "{stamp} mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
        )
    };
    let log = [line("Dec 31 23:59:59"), line("Jan  1 00:00:01")].concat();
    let read = read_with(log.as_bytes(), Options { year: Some(2019), ..options() });
    let at: Vec<&str> = read.rows.iter().map(|row| row.at.as_str()).collect();
    assert_eq!(at, ["2019-12-31T23:59:59Z", "2020-01-01T00:00:01Z"]);
}

#[test]
fn zones_are_the_operators_for_syslog_and_the_lines_own_for_iso() {
    let log = "\
Nov 24 09:00:00 mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
2026-11-24T09:00:00-05:00 mx2 postfix/smtp[1]: ABCDE12345: to=<b@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
2026-11-24T09:00:00+0530 mx3 postfix/smtp[1]: ABCDE12345: to=<c@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
";
    let read = read_with(log.as_bytes(), Options { zone: "+02:00".parse::<Zone>().unwrap(), ..options() });
    let at: Vec<&str> = read.rows.iter().map(|row| row.at.as_str()).collect();
    assert_eq!(at, ["2026-11-24T03:30:00Z", "2026-11-24T07:00:00Z", "2026-11-24T14:00:00Z"]);
    assert_eq!(read.counts.offsets.iter().map(|(o, n)| (*o, *n)).collect::<Vec<_>>(), [(-18000, 1), (19800, 1)]);
    assert_eq!(read.counts.zoneless, 1);
}

#[test]
fn a_change_of_summer_time_is_read_as_the_zone_has_it_and_the_doubled_hour_is_said() {
    let line = |stamp: &str| {
        format!(
            "{stamp} mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=4.2.0, status=deferred (host mx.corp.test[203.0.113.1] said: 450 wait)\n"
        )
    };
    let read = |stamps: &[&str]| {
        let log: String = stamps.iter().map(|stamp| line(stamp)).collect();
        let zone = "Europe/Berlin".parse::<Zone>().unwrap();
        let read = read_with(log.as_bytes(), Options { zone, year: Some(2026), ..options() });
        let at: Vec<String> = read.rows.iter().map(|row| row.at.clone()).collect();
        (at, read.counts.ambiguous_times)
    };
    // 25 October 2026, 03:00 +02:00 becomes 02:00 +01:00: stamps from 02:00:00 to 02:59:59 come twice.
    let autumn = read(&["Oct 25 01:59:59", "Oct 25 02:30:00", "Oct 25 02:59:59", "Oct 25 03:00:00"]);
    let first = ["2026-10-24T23:59:59Z", "2026-10-25T00:30:00Z", "2026-10-25T00:59:59Z", "2026-10-25T02:00:00Z"];
    assert_eq!(autumn, (first.map(str::to_owned).to_vec(), 2));
    // 29 March 2026, 02:00 +01:00 becomes 03:00 +02:00: no clock shows 02:30.
    let spring = read(&["Mar 29 01:59:59", "Mar 29 02:30:00", "Mar 29 03:00:01"]);
    let read_as = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:01Z", "2026-03-29T01:30:00Z"];
    let mut at = spring.0.clone();
    at.sort();
    assert_eq!((at, spring.1), (read_as.map(str::to_owned).to_vec(), 1));
}

#[test]
fn a_line_cut_by_the_syslog_limit_keeps_what_it_still_says() {
    let log = "\
Nov 24 09:00:00 mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=4.7.0, status=deferred (host mx.corp.test[203.0.113.1] said: 421 4.7.0 a very long tex
Nov 24 09:00:01 mx1 postfix/smtp[1]: ABCDE12346: to=<b@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0
Nov 24 09:00:02 mx1 postfix/smtp[1]: ABCDE12347: to=<c@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
";
    let read = read(log.as_bytes());
    assert_eq!(read.rows.len(), 2);
    assert_eq!(read.rows[0].response, "421 4.7.0 a very long tex");
    assert_eq!(read.rows[0].status, "deferred");
    assert_eq!(read.counts.cut, 2);
}

#[test]
fn unicode_addresses_become_a_labels() {
    let log = "Nov 24 09:00:00 mx1 postfix/smtp[1]: ABCDE12345: to=<j\u{f6}rg@b\u{fc}cher.example>, relay=mx.b\u{fc}cher.example[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n";
    let read = read(log.as_bytes());
    // RFC 3492: b\u{fc}cher is xn--bcher-kva.
    assert_eq!(read.rows[0].recipient_domain, "xn--bcher-kva.example");
    assert_eq!(read.rows[0].relay, "mx.xn--bcher-kva.example");
}

#[test]
fn bad_bytes_and_control_characters_do_no_harm() {
    let mut log = b"Nov 24 09:00:00 mx1 postfix/smtp[1]: ABCDE12345: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=4.7.0, status=deferred (host mx.corp.test[203.0.113.1] said: 421 4.7.0 \x1b[31mred \xff\xfe (in reply to RCPT TO command))\n".to_vec();
    log.extend_from_slice(b"\x00\x01\x02 nonsense\n");
    let read = read(&log);
    assert_eq!(read.rows.len(), 1);
    assert!(!read.rows[0].response.contains('\x1b'));
    assert!(read.rows[0].response.starts_with("421 4.7.0 "));
    assert_eq!(read.counts.unknown_lines(), 1);
}

#[test]
fn lines_not_understood_are_counted_by_shape_and_other_programs_by_name() {
    let mut log = String::new();
    for n in 0..20 {
        log.push_str(&format!("Nov 24 09:00:00 mx1 postfix/smtp[1]: ABCDE1{n:04}: to=<a{n}@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"));
        log.push_str(&format!("Nov 24 09:00:00 mx1 postfix/smtp[1]: new words about {n} of 192.0.2.{n}\n"));
        log.push_str("Nov 24 09:00:00 mx1 dovecot: imap-login: Login: user=<x>\n");
        log.push_str("Nov 24 09:00:00 mx1 postfix/smtpd[1]: connect from unknown[192.0.2.1]\n");
    }
    let read = read(log.as_bytes());
    assert_eq!(read.rows.len(), 20);
    let unknown: Vec<(&str, u64, u64)> =
        read.counts.unknown.iter().map(|(shape, (count, line))| (shape.as_str(), *count, *line)).collect();
    assert_eq!(unknown, [("smtp: new words about <n> of <ip>", 20, 2)]);
    assert_eq!(read.counts.other_programs.get("dovecot"), Some(&20));
    assert_eq!(read.counts.ignored, 20);
}

#[test]
fn own_hops_are_marked() {
    let line = |relay: &str| {
        format!(
            "Nov 24 09:00:00 mx1 postfix/lmtp[1]: ABCDE12345: to=<a@corp.test>, relay={relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
        )
    };
    for (relay, internal) in [
        ("127.0.0.1[127.0.0.1]:10024", true),
        ("mx.corp.test[private/dovecot-lmtp]", true),
        ("local", true),
        ("smarthost.corp.test[10.1.2.3]:25", true),
        ("mx.corp.test[203.0.113.1]:25", false),
        ("mx.corp.test[2001:db8::1]:25", false),
        ("none", false),
    ] {
        let read = read(line(relay).as_bytes());
        let attempt = read.batches.iter().flat_map(|b| &b.envelopes).flat_map(|e| &e.attempts).next().unwrap();
        assert_eq!(attempt.internal, internal, "{relay}");
    }
}

#[test]
fn a_journal_says_the_same_as_syslog() {
    let log = r#"{"__REALTIME_TIMESTAMP":"1795513322104511","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/cleanup","_PID":"9","MESSAGE":"4F1A2B3C4D: message-id=<camp-17.0001@a.example>"}
{"__REALTIME_TIMESTAMP":"1795513322104511","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"913","MESSAGE":"4F1A2B3C4D: to=<kim@corp.test>, relay=mx0a-0011aa01.pphosted.com[203.0.113.9]:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=4.0.0, status=deferred (host mx0a-0011aa01.pphosted.com[203.0.113.9] refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10)"}
{"__REALTIME_TIMESTAMP":"1795513322104511","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/smtp","MESSAGE":[119,97,114,110,105,110,103,58,32,255]}
{"__REALTIME_TIMESTAMP":"1795513322104511","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"x"}
"#;
    let read = read(log.as_bytes());
    assert_eq!(read.format, LogFormat::Journald);
    assert_eq!(read.rows.len(), 1);
    // 1795513322 is 2026-11-24 09:42:02 UTC.
    assert_eq!(read.rows[0].at, "2026-11-24T09:42:02.104511Z");
    assert_eq!(read.rows[0].message, "camp-17.0001@a.example");
    assert_eq!(read.counts.other_programs.get("sshd"), Some(&1));
    let syslog = "Nov 24 09:42:02 mx1 postfix/smtp[913]: 4F1A2B3C4D: to=<kim@corp.test>, relay=mx0a-0011aa01.pphosted.com[203.0.113.9]:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=4.0.0, status=deferred (host mx0a-0011aa01.pphosted.com[203.0.113.9] refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10)\n";
    assert_eq!(delivery_common::read(syslog.as_bytes()).rows[0].key, read.rows[0].key, "one event, one identity");
}

#[test]
fn a_truncated_gzip_gives_the_lines_before_the_damage() {
    let mut log = String::new();
    for n in 0..5000 {
        log.push_str(&format!("Nov 24 09:00:00 mx1 postfix/smtp[1]: ABCDE{n:05}: to=<a{n}@corp{n}.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok {n})\n"));
    }
    let whole = gzip(log.as_bytes());
    let all = read(&whole);
    assert_eq!((all.rows.len(), all.counts.damage), (5000, None));
    let half = read(&whole[..whole.len() / 2]);
    assert!(half.rows.len() > 1000 && half.rows.len() < 4000, "{}", half.rows.len());
    assert!(half.counts.damage.is_some());
    assert!(half.rows[..] == all.rows[..half.rows.len()], "the last line, cut in two, is not read");
}

#[test]
fn a_log_of_another_program_is_refused_by_name() {
    let log = "Nov 24 09:00:00 host sshd[1]: Accepted publickey for x\n".repeat(50);
    let error = try_read(log.as_bytes(), options()).err().unwrap();
    assert!(error.contains("no format is recognised") && error.contains("sshd"), "{error}");
    let error = try_read(b"", options()).err().unwrap();
    assert!(error.contains("empty"), "{error}");
}

#[test]
fn a_clock_that_jumps_is_counted() {
    let line = |stamp: &str, n: u32| {
        format!(
            "{stamp} mx1 postfix/smtp[1]: ABCDE1234{n}: to=<a@corp.test>, relay=mx.corp.test[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
        )
    };
    // A machine that woke up in January and was corrected: the lines around it stay in their year.
    let log = [line("Nov 24 09:00:00", 1), line("Jan  1 00:00:05", 2), line("Nov 24 09:01:00", 3)].concat();
    let read = read(log.as_bytes());
    let at: Vec<&str> = read.rows.iter().map(|row| row.at.as_str()).collect();
    assert_eq!(at, ["2026-11-24T09:00:00Z", "2026-11-24T09:01:00Z", "2027-01-01T00:00:05Z"]);
    assert_eq!(read.counts.clock_steps, 1);
}
