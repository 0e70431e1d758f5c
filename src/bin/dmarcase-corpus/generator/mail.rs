//! Report mails as reporters send them, and the other mail that a rua mailbox gets.

use super::pack::Packed;
use super::report::Head;

/// What a report mail is made of.
pub(crate) struct ReportMail<'a> {
    /// The report.
    pub(crate) head: &'a Head<'a>,
    /// Its attachment.
    pub(crate) packed: &'a Packed,
    /// The mailbox.
    pub(crate) to: &'a str,
    /// When it was sent, seconds since 1970 UTC.
    pub(crate) sent: i64,
    /// Unique in a corpus: boundary and queue id.
    pub(crate) number: u64,
    /// The attachment is the whole body, without a text part before it.
    pub(crate) single: bool,
}

/// Writes a report mail, CRLF line ends.
pub(crate) fn report_mail(mail: &ReportMail<'_>) -> Vec<u8> {
    let ReportMail { head, packed, to, sent, number, single } = *mail;
    let reporter = head.reporter;
    let (submitter, email) = (reporter.submitter, reporter.email);
    let domain = to.split('@').nth(1).unwrap_or(to);
    let when = date(sent);
    let name = &packed.name;
    let attachment = format!(
        "Content-Type: {}; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n",
        packed.mime
    );
    let mut out = format!(
        "Return-Path: <{email}>\r\nDelivered-To: {to}\r\n\
         Received: from mta.{submitter} (mta.{submitter} [192.0.2.250])\r\n\tby mx.{domain} with ESMTPS id {number:08x}\r\n\
         \tfor <{to}>; {when}\r\nDate: {when}\r\nFrom: {email}\r\nTo: {to}\r\nMessage-ID: <{}@{submitter}>\r\n\
         Subject: Report domain: {} Submitter: {submitter} Report-ID: {}\r\nMIME-Version: 1.0\r\n",
        head.id, head.policy.domain, head.id
    )
    .into_bytes();
    out.reserve(packed.bytes.len() / 3 * 4 + packed.bytes.len() / 28 + 600);
    if single {
        out.extend_from_slice(attachment.as_bytes());
        base64(&mut out, &packed.bytes);
        return out;
    }
    out.extend_from_slice(
        format!(
            "Content-Type: multipart/mixed; boundary=\"b{number}\"\r\n\r\n--b{number}\r\n\
             Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is an aggregate DMARC report for {}.\r\n--b{number}\r\n{attachment}",
            head.policy.domain
        )
        .as_bytes(),
    );
    base64(&mut out, &packed.bytes);
    out.extend_from_slice(format!("--b{number}--\r\n").as_bytes());
    out
}

/// Appends a mail to an mbox: the From line, LF line ends, `From ` in the body quoted (mboxrd).
pub(crate) fn to_mbox(out: &mut Vec<u8>, mail: &[u8], sent: i64) {
    let when = chrono::DateTime::from_timestamp(sent, 0).unwrap_or_default();
    out.extend_from_slice(format!("From MAILER-DAEMON {}\n", when.format("%a %b %e %H:%M:%S %Y")).as_bytes());
    for line in mail.split_inclusive(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.strip_prefix(b">").unwrap_or(line).starts_with(b"From ") {
            out.push(b'>');
        }
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// A date as RFC 5322 section 3.3 has it, UTC.
pub(crate) fn date(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).unwrap_or_default().format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// Appends base64 in lines of 76 (RFC 2045 section 6.8), CRLF.
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| ALPHABET[(bits & 63) as usize];
    for line in bytes.chunks(57) {
        for three in line.chunks(3) {
            let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            let mut four = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)];
            for pad in &mut four[three.len() + 1..] {
                *pad = b'=';
            }
            out.extend_from_slice(&four);
        }
        out.extend_from_slice(b"\r\n");
    }
}
