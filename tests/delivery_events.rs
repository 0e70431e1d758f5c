//! Events of sending platforms and the documented table: hand-written, right answers by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod delivery_common;

use delivery_common::*;
use dmarcase::evidence::LogFormat;

fn statuses(read: &Read) -> Vec<&'static str> {
    read.rows.iter().map(|row| row.status).collect()
}

#[test]
fn sendgrid() {
    let text = r#"[
{"email":"kim@corp.test","timestamp":1795513200,"smtp-id":"<14c5@a.example>","event":"processed","category":["autumn"],"sg_event_id":"e0","sg_message_id":"14c5d.filter01.1"},
{"email":"kim@corp.test","timestamp":1795513201,"smtp-id":"<14c5@a.example>","event":"deferred","category":["autumn"],"sg_event_id":"e1","sg_message_id":"14c5d.filter01.1","response":"421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10","attempt":"3"},
{"email":"kim@corp.test","timestamp":1795513900,"smtp-id":"<14c5@a.example>","event":"delivered","category":"autumn","sg_event_id":"e2","sg_message_id":"14c5d.filter99.1","response":"250 OK","ip":"192.0.2.10"},
{"email":"lee@corp.test","timestamp":1795513901,"event":"bounce","sg_event_id":"e3","sg_message_id":"14c5e.filter01.1","reason":"550 5.1.1 no such user","status":"5.1.1","type":"bounce"},
{"email":"max@corp.test","timestamp":1795513902,"event":"bounce","sg_event_id":"e4","sg_message_id":"14c5f.filter01.1","reason":"421 4.7.0 try later","status":"4.7.0","type":"blocked"},
{"email":"max@corp.test","timestamp":1795513903,"event":"dropped","sg_event_id":"e5","sg_message_id":"14c60.filter01.1","reason":"Bounced Address"},
{"email":"max@corp.test","timestamp":1795513904,"event":"spamreport","sg_event_id":"e6","sg_message_id":"14c60.filter01.1"},
{"email":"max@corp.test","timestamp":1795513905,"event":"new thing","sg_event_id":"e7","sg_message_id":"14c60.filter01.1"}
]"#;
    let read = read(text.as_bytes());
    assert_eq!(read.format, LogFormat::SendGrid);
    assert_eq!(statuses(&read), ["deferred", "delivered", "bounced", "deferred", "expired", "dropped"]);
    let first = &read.rows[0];
    assert_eq!(first.at, "2026-11-24T09:40:01Z");
    assert_eq!(
        (first.code, first.retry_no, first.message.as_str(), first.campaign.as_str()),
        (421, 3, "14c5@a.example", "autumn")
    );
    assert_eq!((first.source.as_str(), first.source_from), ("192.0.2.10", FROM_RESPONSE));
    assert_eq!(
        first.queue_key, read.rows[1].queue_key,
        "the filter host in sg_message_id is no part of the message's id"
    );
    assert_eq!(read.rows[1].source_from, FROM_LOG);
    assert_eq!((read.counts.complaints, read.counts.ignored, read.counts.unknown_lines()), (1, 1, 1));
}

#[test]
fn ses_bare_in_its_sns_envelope_and_as_json_lines() {
    let bare = r#"{"eventType":"DeliveryDelay","mail":{"timestamp":"2026-11-24T09:00:00.000Z","source":"bounce@a.example","messageId":"0100","commonHeaders":{"messageId":"<m1@a.example>"},"tags":{"ses:outgoing-ip":["192.0.2.10"],"campaign":["autumn"]}},"deliveryDelay":{"timestamp":"2026-11-24T09:05:00.000Z","delayType":"IPFailure","delayedRecipients":[{"emailAddress":"kim@corp.test","status":"4.7.0","diagnosticCode":"smtp; 421 4.7.0 IP_REPUTATION"}]}}"#;
    let delivered = r#"{"eventType":"Delivery","mail":{"timestamp":"2026-11-24T09:00:00.000Z","source":"bounce@a.example","messageId":"0100"},"delivery":{"timestamp":"2026-11-24T10:00:00.000Z","recipients":["kim@corp.test","lee@corp.test"],"smtpResponse":"250 2.0.0 ok"}}"#;
    let sns = format!(
        "{}\n{}\n",
        serde_json::json!({"Type": "Notification", "MessageId": "x", "Message": bare}),
        serde_json::json!({"Type": "Notification", "MessageId": "y", "Message": delivered})
    );
    let lines = format!("{bare}\n{delivered}\n");
    let array = format!("[{bare},\n {delivered}]");
    let mut keys = Vec::new();
    for text in [sns, lines, array] {
        let read = read(text.as_bytes());
        assert_eq!(read.format, LogFormat::Ses, "{text}");
        assert_eq!(statuses(&read), ["deferred", "delivered", "delivered"]);
        let first = &read.rows[0];
        assert_eq!(
            (first.code, first.enhanced.as_str(), first.response.as_str()),
            (421, "4.7.0", "421 4.7.0 IP_REPUTATION")
        );
        assert_eq!((first.message.as_str(), first.from.as_str()), ("m1@a.example", "a.example"));
        assert_eq!((first.source.as_str(), first.campaign.as_str()), ("192.0.2.10", "autumn"));
        keys.push(read.rows.iter().map(|row| row.key).collect::<Vec<_>>());
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[1], keys[2]);
}

#[test]
fn ses_answers_are_of_the_recipient_that_they_stand_beside() {
    let mail = r#""mail":{"timestamp":"2026-11-01T10:00:00Z","messageId":"ses-1"}"#;
    let two = r#"[{"emailAddress":"a@corp1.test","status":"4.7.0","diagnosticCode":"smtp; 421 4.7.0 IP_REPUTATION"},{"emailAddress":"b@corp2.test","status":"4.2.2","diagnosticCode":"smtp; 452 Mailbox full"},{"emailAddress":"c@corp3.test"}]"#;
    for (text, statuses) in [
        (
            format!(
                r#"{{"eventType":"DeliveryDelay",{mail},"deliveryDelay":{{"timestamp":"2026-11-01T10:05:00Z","delayType":"General","delayedRecipients":{two}}}}}"#
            ),
            ["deferred"; 3].as_slice(),
        ),
        (
            format!(
                r#"{{"eventType":"Bounce",{mail},"bounce":{{"bounceType":"Permanent","bounceSubType":"General","timestamp":"2026-11-01T10:05:00Z","bouncedRecipients":{two}}}}}"#
            ),
            &["bounced"; 3],
        ),
    ] {
        let read = read(text.as_bytes());
        let row = |domain: &str| read.rows.iter().find(|row| row.recipient_domain == domain).unwrap();
        assert_eq!(self::statuses(&read), statuses);
        assert_eq!(
            (row("corp1.test").response.as_str(), row("corp1.test").enhanced.as_str()),
            ("421 4.7.0 IP_REPUTATION", "4.7.0")
        );
        assert_eq!(
            (row("corp2.test").response.as_str(), row("corp2.test").enhanced.as_str()),
            ("452 Mailbox full", "4.2.2")
        );
        assert_eq!(row("corp3.test").code, 0, "what the others got says nothing of c");
        assert_eq!(read.counts.understood, 1);
    }
}

#[test]
fn giving_up_on_an_answer_is_the_last_try_and_the_end() {
    let bounce = |id: &str, code: &str| {
        format!(
            r#"{{"eventType":"Bounce","mail":{{"messageId":"{id}","timestamp":"2026-11-24T09:00:00Z"}},"bounce":{{"bounceType":"Transient","bounceSubType":"General","timestamp":"2026-11-24T09:05:00Z","bouncedRecipients":[{{"emailAddress":"kim@corp.test","diagnosticCode":"smtp; {code}"}}]}}}}"#
        )
    };
    let answers = |code: &str| -> Vec<(&'static str, String)> {
        read(bounce("m", code).as_bytes()).rows.into_iter().map(|row| (row.status, row.response)).collect()
    };
    let own = "421 4.4.7 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10";
    assert_eq!(answers(own), [("deferred", own.to_owned()), ("expired", own.to_owned())]);
    let quoting = format!("550 4.4.7 Message expired: unable to deliver in 840 minutes.<{own}>");
    assert_eq!(answers(&quoting), [("deferred", own.to_owned()), ("expired", quoting.clone())]);
    let ses_own = "550 4.4.7 Message expired: unable to deliver in 840 minutes";
    assert_eq!(answers(ses_own), [("expired", ses_own.to_owned())], "nobody answered");
    // The same event twice is the same attempts.
    let twice = read(format!("{0}\n{0}\n", bounce("m", own)).as_bytes());
    let mut keys: Vec<u64> = twice.rows.iter().map(|row| row.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((twice.rows.len(), keys.len()), (4, 2));
}

#[test]
fn ses_bounces_tell_expiry_suppression_and_refusal_apart() {
    let bounce = |kind: &str, sub: &str, code: &str| {
        format!(
            r#"{{"notificationType":"Bounce","mail":{{"messageId":"{kind}{sub}","timestamp":"2026-11-24T09:00:00Z"}},"bounce":{{"bounceType":"{kind}","bounceSubType":"{sub}","timestamp":"2026-11-24T09:05:00Z","bouncedRecipients":[{{"emailAddress":"kim@corp.test","diagnosticCode":"smtp; {code}"}}]}}}}"#
        )
    };
    let text = [
        bounce("Transient", "General", "550 4.4.7 Message expired: unable to deliver in 840 minutes"),
        bounce("Permanent", "General", "550 5.1.1 no such user"),
        bounce("Permanent", "Suppressed", ""),
        bounce("Transient", "MessageTooLarge", "552 5.3.4 too large"),
    ]
    .join("\n");
    let read = read(text.as_bytes());
    let mut found = statuses(&read);
    found.sort_unstable();
    assert_eq!(found, ["bounced", "bounced", "dropped", "expired"]);
}

#[test]
fn mailgun() {
    let event = |body: &str| format!(r#"{{"signature":{{"token":"t"}},"event-data":{body}}}"#);
    let text = [
        event(r#"{"event":"failed","severity":"temporary","timestamp":1795513201.5,"id":"a","recipient":"kim@corp.test","envelope":{"sender":"b@a.example","sending-ip":"192.0.2.10"},"message":{"headers":{"message-id":"m1@a.example"}},"delivery-status":{"code":421,"message":"Deferred - IP_REPUTATION","attempt-no":2,"mx-host":"mx0a-0011aa01.pphosted.com"},"tags":["autumn"]}"#),
        event(r#"{"event":"failed","severity":"temporary","reason":"old","timestamp":1795513301,"id":"b","recipient":"kim@corp.test","message":{"headers":{"message-id":"m1@a.example"}},"delivery-status":{"code":602,"message":"Too old"}}"#),
        event(r#"{"event":"failed","severity":"permanent","reason":"suppress-bounce","timestamp":1795513401,"id":"c","recipient":"lee@corp.test","message":{"headers":{"message-id":"m2@a.example"}},"delivery-status":{"code":605}}"#),
        event(r#"{"event":"failed","severity":"permanent","reason":"bounce","timestamp":1795513501,"id":"d","recipient":"lee@corp.test","message":{"headers":{"message-id":"m3@a.example"}},"delivery-status":{"code":550,"message":"5.1.1 no","enhanced-code":"5.1.1"}}"#),
        r#"{"items":[{"event":"delivered","timestamp":1795513601,"id":"e","recipient":"max@corp.test","message":{"headers":{"message-id":"m4@a.example"}},"delivery-status":{"code":250,"message":"OK"}}]}"#.to_owned(),
    ]
    .join("\n");
    let read = read(text.as_bytes());
    assert_eq!(read.format, LogFormat::Mailgun);
    assert_eq!(statuses(&read), ["deferred", "expired", "dropped", "bounced", "delivered"]);
    let first = &read.rows[0];
    assert_eq!((first.at.as_str(), first.code, first.retry_no), ("2026-11-24T09:40:01.500Z", 421, 2));
    assert_eq!((first.relay.as_str(), first.source.as_str()), ("mx0a-0011aa01.pphosted.com", "192.0.2.10"));
    assert_eq!(read.rows[1].code, 0, "602 is Mailgun's own, no SMTP code");
}

#[test]
fn postmark_and_sparkpost() {
    let text = r#"{"RecordType":"Delivery","MessageID":"p1","Recipient":"kim@corp.test","DeliveredAt":"2026-11-24T09:40:01.000-05:00","Details":"smtp;250 2.0.0 ok","Tag":"t"}
{"RecordType":"Bounce","ID":7,"Type":"HardBounce","MessageID":"p2","Email":"lee@corp.test","BouncedAt":"2026-11-24T09:40:01Z","Details":"smtp;550 5.1.1 no"}
{"RecordType":"Bounce","ID":8,"Type":"Transient","MessageID":"p3","Email":"max@corp.test","BouncedAt":"2026-11-24T09:40:01Z","Details":""}
"#;
    let postmark = read(text.as_bytes());
    assert_eq!(postmark.format, LogFormat::Postmark);
    assert_eq!(postmark.rows.iter().map(|row| row.status).filter(|s| *s == "delivered").count(), 1);
    let taken = postmark.rows.iter().find(|row| row.at == "2026-11-24T14:40:01Z").unwrap();
    assert_eq!((taken.code, taken.response.as_str()), (250, "250 2.0.0 ok"), "`smtp;` is no part of the answer");
    let text = r#"[{"msys":{"message_event":{"type":"delay","timestamp":"1795513201","message_id":"s1","rcpt_to":"kim@corp.test","raw_reason":"421 4.7.0 IP_REPUTATION","error_code":"421","num_retries":"2","sending_ip":"192.0.2.10","campaign_id":"autumn","event_id":"1"}}},
{"msys":{"message_event":{"type":"bounce","timestamp":"1795513301","message_id":"s1","rcpt_to":"kim@corp.test","raw_reason":"554 5.4.7 [internal] message timeout (last transfail: 421)","error_code":"554","event_id":"2"}}},
{"msys":{"message_event":{"type":"delivery","timestamp":"1795513401","message_id":"s2","rcpt_to":"lee@corp.test","event_id":"3"}}},
{"msys":{"track_event":{"type":"open"}}}, {"msys":{}}]"#;
    let sparkpost = read(text.as_bytes());
    assert_eq!(sparkpost.format, LogFormat::SparkPost);
    assert_eq!(statuses(&sparkpost), ["deferred", "expired", "delivered"]);
    assert_eq!((sparkpost.rows[0].retry_no, sparkpost.rows[0].source.as_str()), (3, "192.0.2.10"));
    assert_eq!(sparkpost.counts.ignored, 2);
}

#[test]
fn the_table_as_csv_and_as_json_lines_is_one() {
    let csv = "attempt_time,message_id,recipient,source_ip,status,response,smtp_code,relay_host,campaign\r\n\
2026-11-24T09:40:01Z,<m1@a.example>,aa@corp.test,192.0.2.10,deferred,\"421 Deferred, see \"\"IP_REPUTATION\"\"\",,mx0a-0011aa01.pphosted.com,autumn\r\n\
2026-11-24T10:40:01+01:00,m2@a.example,bb@corp.test,,expired,,,,\r\n\
2026-11-24 09:40,m3@a.example,bb@corp.test,,delivered,,,,\r\n\
2026-11-24T09:40:01Z,m4@a.example,corp.test,,delivered,,,,\r\n\
2026-11-24T09:40:01Z,m5@a.example,bb@corp.test,,teleported,,,,\r\n";
    let csv = read(csv.as_bytes());
    assert_eq!(csv.format, LogFormat::Csv);
    assert_eq!(statuses(&csv), ["deferred", "expired"]);
    assert_eq!(csv.rows[0].response, "421 Deferred, see \"IP_REPUTATION\"");
    assert_eq!((csv.rows[0].message.as_str(), csv.rows[0].line), ("m1@a.example", 2));
    assert_eq!(csv.counts.unknown_lines(), 3, "a time without a zone, a recipient without @, an unknown status");
    let json = r#"{"attempt_time":"2026-11-24T09:40:01Z","message_id":"m1@a.example","recipient":"AA@corp.test","source_ip":"192.0.2.10","status":"deferred","response":"421 Deferred, see \"IP_REPUTATION\"","relay_host":"mx0a-0011aa01.pphosted.com"}
"#;
    let json = read(json.as_bytes());
    assert_eq!(json.format, LogFormat::JsonLines);
    assert_eq!(
        json.rows[0].key, csv.rows[0].key,
        "the same row, in any case of letters and either form, is one attempt"
    );
}

#[test]
fn broken_objects_cost_themselves_alone() {
    let text = "{\"email\":\"a@corp.test\",\"timestamp\":1795513201,\"event\":\"delivered\",\"sg_message_id\":\"1\",\"sg_event_id\":\"1\"}\n\
{\"email\":\"b@corp.test\",\"timestamp\":17955\"broken\n\
not json at all\n\
{\"email\":\"c@corp.test\",\"timestamp\":1795513203,\"event\":\"delivered\",\"sg_message_id\":\"3\",\"sg_event_id\":\"3\"}\n\
{\"email\":\"d@corp.test\",\"timesta";
    let read = read(text.as_bytes());
    assert_eq!(read.rows.len(), 2);
    assert_eq!(read.counts.cut, 3);
    assert_eq!(read.counts.lines, 5);
}

/// RFC 3339 says years 0 to 9999, and no log of mail is from before 1970: another time is a fault of its writer, and told.
#[test]
fn a_time_outside_the_calendar_is_a_line_not_understood() {
    let sendgrid = |at: &str| {
        let id = at.trim_matches('"');
        format!(
            r#"{{"email":"a@corp.test","timestamp":{at},"event":"delivered","sg_message_id":"{id}","sg_event_id":"{id}"}}"#
        )
    };
    // 253,402,300,800 is the first second of the year 10000; what is above 100,000,000,000 is milliseconds.
    let good = ["0", "1795513201", "\"1795513201.25\"", "253402300799999"];
    let bad = [
        "-1",
        "253402300800000",
        "9000000000000000",
        "1700000000000000",
        "-9223372036854775808",
        "9223372036854775807",
        "\"-62135596800\"",
        "\"0001-01-01T00:00:00Z\"",
        "\"1969-12-31T23:59:59Z\"",
    ];
    let text: Vec<String> = good.iter().chain(&bad).map(|at| sendgrid(at)).collect();
    let events = read(text.join("\n").as_bytes());
    let times: Vec<&str> = events.rows.iter().map(|row| row.at.as_str()).collect();
    assert_eq!(
        times,
        ["1970-01-01T00:00:00Z", "2026-11-24T09:40:01.250Z", "2026-11-24T09:40:01Z", "9999-12-31T23:59:59.999Z"]
    );
    assert_eq!((events.counts.unknown_lines(), events.counts.understood), (9, 4));
    let shapes: Vec<&String> = events.counts.unknown.keys().collect();
    assert!(shapes.iter().any(|shape| shape.contains("without a readable timestamp")), "{shapes:?}");

    // The other grammars, each with one line of its own that is read, and lines that are not.
    let ses = |at: &str| {
        format!(
            r#"{{"eventType":"Delivery","mail":{{"messageId":"m","timestamp":"2026-11-24T09:40:01Z","source":"a@a.example"}},"delivery":{{"timestamp":"{at}","recipients":["k@corp.test"],"smtpResponse":"250 ok"}}}}"#
        )
    };
    let mailgun = |at: &str| {
        format!(
            r#"{{"event-data":{{"event":"delivered","timestamp":{at},"id":"{at}","recipient":"k@corp.test","message":{{"headers":{{"message-id":"m1@a.example"}}}}}}}}"#
        )
    };
    let postmark = |at: &str| {
        format!(r#"{{"RecordType":"Delivery","MessageID":"p1","Recipient":"kim@corp.test","DeliveredAt":"{at}"}}"#)
    };
    let sparkpost = |at: &str| {
        format!(
            r#"{{"msys":{{"message_event":{{"type":"delivery","timestamp":"{at}","message_id":"s","rcpt_to":"k@corp.test","event_id":"{at}"}}}}}}"#
        )
    };
    let table = |at: &str| {
        format!(
            r#"{{"attempt_time":"{at}","message_id":"m1@a.example","recipient":"aa@corp.test","status":"delivered"}}"#
        )
    };
    let journal = |at: &str| {
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"{at}","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/smtp","MESSAGE":"4F1A2B3C4D: to=<k@corp.test>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (x)"}}"#
        )
    };
    let postfix = |at: &str| {
        format!(
            "{at} mx1 postfix/smtp[1]: 4F1A2B3C4D: to=<k@corp.test>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (x)"
        )
    };
    let exim = |at: &str| {
        format!("{at} 1vQabc-000000001bo-D342 => kim@corp.test R=dnslookup T=remote_smtp H=mx [203.0.113.10]")
    };
    let (day, dawn) = ("2026-11-24T09:40:01Z", "1969-12-31T23:59:59Z");
    type Line<'a> = &'a dyn Fn(&str) -> String;
    let cases: [(&str, Line<'_>, &str, [&str; 2]); 8] = [
        ("ses", &ses, day, [dawn, "0001-01-01T00:00:00Z"]),
        ("mailgun", &mailgun, "1795513201.0", ["9e15", "-5.5"]),
        ("postmark", &postmark, day, [dawn, "0000-01-01T00:00:00Z"]),
        ("sparkpost", &sparkpost, "1795513201", ["9000000000000000", "-1"]),
        ("table", &table, day, [dawn, "0001-01-01T00:00:00Z"]),
        ("journal", &journal, "1795513201000000", ["253402300800000000", "-1"]),
        ("postfix", &postfix, day, ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00+02:00"]),
        ("exim", &exim, "2026-11-24 09:40:01", ["0001-01-01 00:00:00", "9999-12-31 23:59:59 -0100"]),
    ];
    for (name, line, good, bad) in cases {
        let lines = [line(good), line(bad[0]), line(bad[1]), line(good), String::new()];
        let read = read(lines.join("\n").as_bytes());
        assert!(read.rows.iter().all(|row| row.at == "2026-11-24T09:40:01Z"), "{name}: {:?}", read.rows);
        assert!(!read.rows.is_empty(), "{name}");
        assert_eq!(read.counts.unknown_lines(), 2, "{name}: {:?}", read.counts);
    }
}
