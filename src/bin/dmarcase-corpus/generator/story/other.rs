//! The mails in the story's mailbox that are no aggregate reports.

use anyhow::Result;

use super::super::mail::{base64, date};
use super::super::pack::{gzip, zip_of};
use super::START;
use super::plan::oct;

/// Returns name and bytes of each.
pub(super) fn mails(to: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let name = |day: u8, number: u32| format!("{}.M{number:06}.mx", at(day));
    Ok(vec![
        (name(oct(9), 900_001), bounce(to)),
        (name(oct(15), 900_002), tls_report(to)?),
        (name(oct(21), 900_003), failure_report(to)),
        (name(oct(27), 900_004), spam(to)?),
    ])
}

fn at(day: u8) -> i64 {
    START + i64::from(day) * 86_400 + 30_000
}

fn head(to: &str, from: &str, host: &str, subject: &str, day: u8) -> String {
    let when = date(at(day));
    format!(
        "Return-Path: <>\r\nDelivered-To: {to}\r\nReceived: from {host} ({host} [192.0.2.251])\r\n\tby mx.northwind.example with ESMTPS id {day:08x}\r\n\
         \tfor <{to}>; {when}\r\nDate: {when}\r\nFrom: {from}\r\nTo: {to}\r\nMessage-ID: <{day}@{host}>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    )
}

fn bounce(to: &str) -> Vec<u8> {
    let head = head(
        to,
        "MAILER-DAEMON@mx.northwind.example",
        "mx.northwind.example",
        "Undelivered Mail Returned to Sender",
        oct(9),
    );
    format!(
        "{head}Content-Type: multipart/report; report-type=delivery-status; boundary=\"=_bounce\"\r\n\r\n--=_bounce\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\nThe mail below could not be delivered.\r\n--=_bounce\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.northwind.example\r\n\r\n\
         Final-Recipient: rfc822; kim@former-customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--=_bounce\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         From: dmarc@northwind.example\r\nTo: kim@former-customer.example\r\nSubject: your question about our reports\r\n\r\n--=_bounce--\r\n"
    )
    .into_bytes()
}

fn tls_report(to: &str) -> Result<Vec<u8>> {
    let json = r#"{"organization-name":"big-search.example","date-range":{"start-datetime":"2026-10-14T00:00:00Z","end-datetime":"2026-10-14T23:59:59Z"},"contact-info":"tls@big-search.example","report-id":"2026-10-14T00:00:00Z_northwind.example","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: enforce","mx: mx.northwind.example","max_age: 604800"],"policy-domain":"northwind.example"},"summary":{"total-successful-session-count":212,"total-failure-session-count":1},"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"203.0.113.245","receiving-mx-hostname":"mx.northwind.example","failed-session-count":1}]}]}"#;
    let name = "big-search.example!northwind.example!1791936000!1792022399.json";
    let mut mail = head(
        to,
        "tls@big-search.example",
        "mta.big-search.example",
        "Report Domain: northwind.example Submitter: big-search.example Report-ID: <2026-10-14T00:00:00Z_northwind.example>",
        oct(15),
    );
    mail.push_str("TLS-Report-Domain: northwind.example\r\nTLS-Report-Submitter: big-search.example\r\n");
    mail.push_str(&format!(
        "Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=\"=_tls\"\r\n\r\n--=_tls\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is an SMTP TLS report.\r\n--=_tls\r\nContent-Type: application/tlsrpt+gzip; name=\"{name}.gz\"\r\n\
         Content-Disposition: attachment; filename=\"{name}.gz\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ));
    let mut mail = mail.into_bytes();
    base64(&mut mail, &gzip(name, json.as_bytes())?);
    mail.extend_from_slice(b"--=_tls--\r\n");
    Ok(mail)
}

fn failure_report(to: &str) -> Vec<u8> {
    let head =
        head(to, "failures@purple-mail.example", "mta.purple-mail.example", "FW: Your account statement", oct(21));
    format!(
        "{head}Content-Type: multipart/report; report-type=feedback-report; boundary=\"=_arf\"\r\n\r\n--=_arf\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is an authentication failure report for one message.\r\n--=_arf\r\n\
         Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nUser-Agent: purple-arf/3\r\nVersion: 1\r\n\
         Auth-Failure: dmarc\r\nArrival-Date: {}\r\nSource-IP: 203.0.113.37\r\nReported-Domain: northwind.example\r\n\
         Original-Mail-From: <statement@northwind.example>\r\nDelivery-Result: spam\r\n\r\n--=_arf\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         From: Northwind Accounts <statement@northwind.example>\r\nTo: someone@purple-mail.example\r\nSubject: Your account statement\r\n\
         Message-ID: <8841@bad-host.example>\r\n\r\n--=_arf--\r\n",
        date(at(oct(20)))
    )
    .into_bytes()
}

fn spam(to: &str) -> Result<Vec<u8>> {
    let head = head(
        to,
        "Billing <billing@cheap-offers.example>",
        "vps9.cheap-offers.example",
        "Outstanding invoice 88213",
        oct(27),
    );
    let mut mail = format!(
        "{head}Content-Type: multipart/mixed; boundary=\"=_spam\"\r\n\r\n--=_spam\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body><p>Please see your invoice.</p></body></html>\r\n--=_spam\r\nContent-Type: application/zip; name=\"invoice.zip\"\r\n\
         Content-Disposition: attachment; filename=\"invoice.zip\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    base64(&mut mail, &zip_of(&[("invoice.txt".to_owned(), "Pay at once.\r\n")])?);
    mail.extend_from_slice(b"--=_spam--\r\n");
    Ok(mail)
}
