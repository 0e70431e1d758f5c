//! Exim main logs: hand-written lines, right answers by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod delivery_common;

use delivery_common::*;
use dmarcase::evidence::{LogFormat, Options, Zone};

const STORY: &str = "\
2026-11-24 09:12:01 1vQabc-000000001bo-D342 <= bounce@a.example H=(app.a.example) [198.51.100.4] P=esmtps S=48213 id=camp-17.0001@a.example
2026-11-24 09:12:02 1vQabc-000000001bo-D342 H=mx0a-0011aa01.pphosted.com [203.0.113.9]: SMTP error from remote mail server after initial connection: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10
2026-11-24 09:12:02 1vQabc-000000001bo-D342 == kim@corp.test R=dnslookup T=remote_smtp defer (-44) H=mx0b-0011aa01.pphosted.com [203.0.113.10]: SMTP error from remote mail server after RCPT TO:<kim@corp.test>: 451 4.7.1 Try again later
2026-11-24 10:12:02 1vQabc-000000001bo-D342 => kim@corp.test R=dnslookup T=remote_smtp H=mx0b-0011aa01.pphosted.com [203.0.113.10] I=[192.0.2.10] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes DN=\"C=US, O=x y\" K C=\"250 2.0.0 4bqk2x Message accepted\" QT=1h DT=2s
2026-11-24 10:12:02 1vQabc-000000001bo-D342 Completed
2026-11-28 09:20:02 1vQabd-0005MB-00 ** lee@corp.test R=dnslookup T=remote_smtp: retry timeout exceeded
";

#[test]
fn reads_deferral_delivery_and_expiry() {
    let read = read(STORY.as_bytes());
    assert_eq!(read.format, LogFormat::Exim);
    assert_eq!(read.counts.unknown_lines(), 0);
    assert_eq!(read.rows.len(), 3);
    let [deferred, delivered, expired] = &read.rows[..] else { panic!() };
    assert_eq!((deferred.status, deferred.code, deferred.enhanced.as_str()), ("deferred", 451, "4.7.1"));
    assert_eq!(deferred.response, "451 4.7.1 Try again later", "its own reply, not the host's line before it");
    assert_eq!(deferred.relay, "mx0b-0011aa01.pphosted.com");
    assert_eq!(deferred.message, "camp-17.0001@a.example");
    assert_eq!(deferred.from, "a.example");
    assert_eq!((delivered.status, delivered.response.as_str()), ("delivered", "250 2.0.0 4bqk2x Message accepted"));
    assert_eq!((delivered.source.as_str(), delivered.source_from), ("192.0.2.10", FROM_LOG));
    assert_eq!((expired.status, expired.at.as_str()), ("expired", "2026-11-28T09:20:02Z"));
    assert_eq!(expired.queue, "1vQabd-0005MB-00");
}

#[test]
fn a_host_line_is_the_attempt_where_the_recipient_line_only_says_that_nothing_is_left_to_try() {
    let log = "\
2026-11-24 09:12:02 1vQabc-000000001bo-D342 H=mx0a-0011aa01.pphosted.com [203.0.113.9]: SMTP error from remote mail server after initial connection: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10
2026-11-24 09:12:02 1vQabc-000000001bo-D342 == kim@corp.test R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'corp.test'
2026-11-24 09:12:02 1vQabc-000000001bo-D342 == lee@corp.test R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'corp.test'
2026-11-24 11:12:02 1vQabc-000000001bo-D342 == kim@corp.test R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'corp.test'
";
    let rows = read(log.as_bytes()).rows;
    let short: Vec<(&str, u16, &str)> = rows.iter().map(|row| (row.status, row.code, row.relay.as_str())).collect();
    let host = "mx0a-0011aa01.pphosted.com";
    assert_eq!(
        short,
        [("deferred", 421, host), ("deferred", 421, host), ("suspended", 0, "")],
        "two hours later nothing was tried"
    );
    assert_eq!(rows[0].source, "192.0.2.10");
}

#[test]
fn bounces_errors_of_connection_and_local_deliveries() {
    let log = "\
2026-11-24 09:12:02.123 +0200 [4711] 1vQabc-000000001bo-D342 ** kim@corp.test F=<b@a.example> R=dnslookup T=remote_smtp H=mx.corp.test [203.0.113.10]:25 : SMTP error from remote mail server after RCPT TO:<kim@corp.test>: 550 5.1.1 no such user
2026-11-24 09:12:03.123 +0200 [4711] 1vQabc-000000001bo-D342 == lee@corp.test R=dnslookup T=remote_smtp defer (110) H=mx.corp.test [203.0.113.10]: Connection timed out
2026-11-24 09:12:04.123 +0200 [4711] 1vQabc-000000001bo-D342 => root <root@a.example> R=localuser T=local_delivery
2026-11-24 09:12:05.123 +0200 [4711] 1vQabc-000000001bo-D342 ** gone@corp.test R=dnslookup T=remote_smtp H=mx.corp.test [203.0.113.10]: SMTP error from remote mail server after RCPT TO:<gone@corp.test>: 451 4.7.1 later: retry timeout exceeded
";
    let read = read(log.as_bytes());
    assert_eq!(read.counts.unknown_lines(), 0, "{:?}", read.counts.unknown);
    let rows = &read.rows;
    assert_eq!((rows[0].status, rows[0].code, rows[0].at.as_str()), ("bounced", 550, "2026-11-24T07:12:02.123Z"));
    assert_eq!((rows[1].status, rows[1].code, rows[1].response.as_str()), ("deferred", 0, "Connection timed out"));
    assert_eq!((rows[2].status, rows[2].recipient_domain.as_str()), ("delivered", "a.example"));
    assert_eq!((rows[3].status, rows[3].code, rows[3].response.as_str()), ("deferred", 451, "451 4.7.1 later"));
    assert_eq!((rows[4].status, rows[4].code, rows[4].response.as_str()), ("expired", 451, "451 4.7.1 later"));
    let local = read.batches.iter().flat_map(|b| &b.envelopes).flat_map(|e| &e.attempts).find(|a| a.internal);
    assert!(local.is_some(), "a mailbox here is no gateway");
}

#[test]
fn stamps_without_a_zone_are_in_the_operators() {
    let log =
        "2026-11-24 09:12:02 1vQabd-0005MB-00 ** lee@corp.test R=dnslookup T=remote_smtp: retry timeout exceeded\n";
    let rows = read_with(log.as_bytes(), Options { zone: "-05:00".parse::<Zone>().unwrap(), ..options() }).rows;
    assert_eq!(rows[0].at, "2026-11-24T14:12:02Z");
}

#[test]
fn lines_without_a_message_are_passed_over_and_new_flags_counted() {
    let log = "\
2026-11-24 09:12:02 1vQabd-0005MB-00 ** lee@corp.test R=dnslookup T=remote_smtp: retry timeout exceeded
2026-11-24 09:12:02 H=(x) [198.51.100.9] rejected EHLO
2026-11-24 09:12:02 1vQabd-0005MB-00 ?! something of the future
";
    let counts = read(log.as_bytes()).counts;
    assert_eq!((counts.understood, counts.ignored, counts.unknown_lines()), (1, 1, 1));
}

/// A log of one message: times and what its lines say.
fn message(lines: &[(&str, &str)]) -> String {
    lines.iter().map(|(time, line)| format!("2026-11-24 {time} 1vQabc-000000001bo-D342 {line}\n")).collect()
}

/// Status, code and host of each attempt at a domain, in order of time.
fn at_domain(log: &str, domain: &str) -> Vec<(&'static str, u16, String)> {
    let rows = read(log.as_bytes()).rows;
    let rows = rows.into_iter().filter(|row| row.recipient_domain == domain);
    rows.map(|row| (row.status, row.code, row.relay)).collect()
}

const REFUSED: &str = "H=mx0a-1.pphosted.com [203.0.113.9]: SMTP error from remote mail server after initial connection: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10";
const KIM: &str =
    "== kim@corp1.test R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'corp1.test'";
const LEE: &str =
    "== lee@google.test R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'google.test'";

fn put_off() -> (&'static str, u16, String) {
    ("deferred", 421, "mx0a-1.pphosted.com".to_owned())
}

fn skipped() -> (&'static str, u16, String) {
    ("suspended", 0, String::new())
}

#[test]
fn a_hosts_answer_is_not_given_to_recipients_of_another_domain() {
    let log = message(&[("09:12:02", REFUSED), ("09:12:02", KIM), ("09:12:02", LEE), ("09:12:03", LEE)]);
    assert_eq!(at_domain(&log, "corp1.test"), [put_off()]);
    assert_eq!(at_domain(&log, "google.test"), [skipped(), skipped()]);
}

#[test]
fn a_skip_of_a_later_queue_run_is_no_attempt() {
    let max = KIM.replace("kim@", "max@");
    let log = message(&[
        ("09:12:02", REFUSED),
        ("09:12:02", KIM),
        ("09:12:03", KIM),
        ("09:15:00", KIM),
        ("09:15:00", &max),
        ("09:20:00", KIM),
    ]);
    // The connection was at 09:12; max has no line of that run.
    assert_eq!(at_domain(&log, "corp1.test"), [put_off(), skipped(), skipped(), skipped(), skipped()]);
    // A deferral in words of its own ends the run for its recipient, whoever's they are.
    let own = "== kim@corp1.test R=dnslookup T=remote_smtp defer (-44) H=mx.backup.test [203.0.113.10]: SMTP error from remote mail server after RCPT TO:<kim@corp1.test>: 451 4.7.1 Try again later";
    let log = message(&[("09:12:02", REFUSED), ("09:12:05", own), ("09:15:00", KIM)]);
    assert_eq!(at_domain(&log, "corp1.test"), [("deferred", 451, "mx.backup.test".to_owned()), skipped()]);
}

#[test]
fn of_two_owners_hosts_only_the_recipients_own_is_surely_its() {
    let other =
        "H=mx.google.test [203.0.113.77]: SMTP error from remote mail server after initial connection: 421 4.3.2 busy";
    let log = message(&[("09:12:02", REFUSED), ("09:12:02", other), ("09:12:03", KIM), ("09:12:03", LEE)]);
    assert_eq!(at_domain(&log, "google.test"), [("deferred", 421, "mx.google.test".to_owned())]);
    assert_eq!(at_domain(&log, "corp1.test"), [skipped()]);
    // Two hosts of one owner are one run: one deferral, in the words of the last.
    let second = REFUSED.replace("mx0a", "mx0b");
    let log = message(&[("09:12:02", REFUSED), ("09:12:02", &second), ("09:12:03", KIM)]);
    assert_eq!(at_domain(&log, "corp1.test"), [("deferred", 421, "mx0b-1.pphosted.com".to_owned())]);
}

#[test]
fn only_a_connection_out_makes_a_skip_an_attempt() {
    let warning = "H=(app.a.example) [198.51.100.4] Warning: high score";
    let log = message(&[("09:12:02", warning), ("09:12:03", KIM)]);
    assert_eq!(at_domain(&log, "corp1.test"), [skipped()]);
    let timeout = "H=mx0a-1.pphosted.com [203.0.113.9] Connection timed out";
    let log = message(&[("09:12:02", timeout), ("09:12:03", KIM)]);
    assert_eq!(at_domain(&log, "corp1.test"), [("deferred", 0, "mx0a-1.pphosted.com".to_owned())]);
}

#[test]
fn an_answer_before_another_host_takes_the_mail_or_before_the_end_is_an_attempt() {
    let taken = "=> kim@corp1.test R=dnslookup T=remote_smtp H=mx0b-1.pphosted.com [203.0.113.10] C=\"250 2.0.0 ok\"";
    let elsewhere = "=> lee@google.test R=dnslookup T=remote_smtp H=aspmx.l.google.com [203.0.113.80] C=\"250 ok\"";
    let log = message(&[("09:12:02", REFUSED), ("09:12:03", elsewhere), ("09:12:04", taken)]);
    assert_eq!(at_domain(&log, "google.test"), [("delivered", 250, "aspmx.l.google.com".to_owned())]);
    let delivered = ("delivered", 250, "mx0b-1.pphosted.com".to_owned());
    assert_eq!(at_domain(&log, "corp1.test"), [put_off(), delivered]);
    assert_eq!(
        (read(log.as_bytes()).rows[0].at.as_str(), read(log.as_bytes()).rows[0].line),
        ("2026-11-24T09:12:02Z", 1)
    );
    let given_up = "** kim@corp1.test R=dnslookup T=remote_smtp: retry timeout exceeded";
    let log = message(&[("09:12:02", REFUSED), ("09:12:02", given_up)]);
    assert_eq!(at_domain(&log, "corp1.test"), [put_off(), ("expired", 0, String::new())]);
    // Without a connection there was no try.
    let log = message(&[("09:12:02", given_up)]);
    assert_eq!(at_domain(&log, "corp1.test"), [("expired", 0, String::new())]);
}

#[test]
fn quoted_fields_are_read_as_they_were_before_the_log() {
    let log = message(&[
        ("10:00:00", r#"<= b@a.example U=x P=local S=900 T="Mail id=77 \"x\" bounced" for lee@corp.test"#),
        (
            "10:00:01",
            r#"=> lee@corp.test R=dnslookup T=remote_smtp H=mx.corp.test [203.0.113.9] C="250 ok \"quoted\" a\\b" QT=1s"#,
        ),
    ]);
    let rows = read(log.as_bytes()).rows;
    assert_eq!((rows[0].message.as_str(), rows[0].queue.as_str()), ("", "1vQabc-000000001bo-D342"));
    assert_eq!(rows[0].response, r#"250 ok "quoted" a\b"#);
    let log = log.replace("S=900", "S=900 id=real@a.example");
    assert_eq!(read(log.as_bytes()).rows[0].message, "real@a.example");
}
