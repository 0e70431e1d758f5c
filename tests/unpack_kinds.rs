//! Every kind of container, part and encoding, built here, each with the answer worked out by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/unpacking.rs"]
mod support;

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::unpack::{DocumentKind, Limits, feedback_domain, tls_report_domain, unpack_tree};
use support::{NAME, SUBJECT, base64, codes, gzip, gzip_head, mail, open, open_item, report, zip, zip_with};

/// One document of markup with this report id, whole, and nothing noted.
#[track_caller]
fn clean(name: &str, bytes: impl Into<Vec<u8>>, id: &str) {
    let (seen, unpacked) = open(name, bytes);
    assert_eq!(codes(&unpacked), (vec![], vec![]), "{unpacked:?}");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].kind, seen[0].text()), (DocumentKind::Xml, report(id)));
}

/// The same, with these notes.
#[track_caller]
fn noted(name: &str, bytes: impl Into<Vec<u8>>, id: &str, notes: &[&str]) {
    let (seen, unpacked) = open(name, bytes);
    assert_eq!(codes(&unpacked), (notes.to_vec(), vec![]), "{unpacked:?}");
    assert_eq!(seen.iter().map(|seen| (seen.kind, seen.text())).collect::<Vec<_>>(), [(DocumentKind::Xml, report(id))]);
}

/// No document, and this fault with these words in it.
#[track_caller]
fn refused(name: &str, bytes: impl Into<Vec<u8>>, code: &str, words: &str) {
    let (seen, unpacked) = open(name, bytes);
    let [fault] = unpacked.faults.as_slice() else { panic!("{seen:?} {unpacked:?}") };
    assert_eq!(fault.code, code, "{fault:?}");
    assert!(fault.text.contains(words), "{fault:?}");
    assert!(seen.is_empty(), "{seen:?}");
}

/// No document, no fault, and a reason with these words.
#[track_caller]
fn no_report(name: &str, bytes: impl Into<Vec<u8>>, words: &str) {
    let (seen, unpacked) = open(name, bytes);
    assert!(seen.is_empty() && unpacked.faults.is_empty(), "{seen:?} {unpacked:?}");
    let reason = unpacked.no_report.expect("a reason");
    assert!(reason.contains(words), "{reason}");
}

/// One document that is damaged, and the fault that its reader met.
#[track_caller]
fn damaged(name: &str, bytes: impl Into<Vec<u8>>, code: &str, words: &str) {
    let (seen, unpacked) = open(name, bytes);
    assert_eq!(seen.len(), 1, "{unpacked:?}");
    let fault = seen[0].content.as_ref().expect_err("damage");
    assert_eq!(fault.code, code, "{fault:?}");
    assert!(fault.text.contains(words), "{fault:?}");
    assert!(unpacked.faults.is_empty(), "told twice: {unpacked:?}");
}

/// A mail fit to stand inside another one: boundaries differ.
fn inner_mail(subject: &str, parts: &[(&str, &str)]) -> String {
    mail(subject, parts).replace("--cut", "--in-cut").replace("\"cut\"", "\"in-cut\"")
}

#[test]
fn bare_files() {
    clean("r.xml", report("1"), "1");
    clean("r.xml.gz", gzip(report("1").as_bytes()), "1");
    clean("r.zip", zip(&[("r.xml", report("1").as_bytes())]), "1");
    clean("r.zip", zip_with(&[("r.xml", report("1").as_bytes())], zip::CompressionMethod::Stored), "1");
    clean("no-name", gzip(report("1").as_bytes()), "1");
    noted("r.xml", gzip(report("1").as_bytes()), "1", &["type-mismatch"]);
    noted("r.gz", zip(&[("r.xml", report("1").as_bytes())]), "1", &["type-mismatch"]);
    no_report("notes.txt", "bring milk", "“bring milk”");
    no_report("empty", "", "an empty file");
    no_report("holiday.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), "neither a mail nor XML");
    no_report("._r.xml", b"\0\x05\x16\x07\0\x02\0\0Mac OS X".to_vec(), "resource fork");
}

#[test]
fn a_file_named_as_a_report_that_is_none() {
    for (name, bytes) in [
        ("r.xml", b"unused".to_vec()),
        ("r.xml", Vec::new()),
        ("r.xml.gz", gzip(b"unused")),
        (NAME, gzip(b"")),
        ("a.example!b.example!1709251200!1709337599.zip", b"busy, try later".to_vec()),
    ] {
        let (seen, unpacked) = open(name, bytes);
        assert_eq!(seen.len(), 1, "{name} {unpacked:?}");
        assert_eq!((seen[0].kind, seen[0].promised), (DocumentKind::Other, true), "{name}");
        assert_eq!(unpacked.no_report, None);
    }
    // Neither name nor content is a report's.
    no_report("log.gz", gzip(b"unused"), "holds no report");
}

#[test]
fn only_a_report_name_promises_other_xml_to_be_a_report() {
    let promised = |name: &str| {
        let (seen, _) = open(name, "<invoice/>");
        assert_eq!(seen[0].kind, DocumentKind::Xml);
        seen[0].promised
    };
    assert!(promised("receiver.example!shop.example!1709251200!1709337599.xml"));
    assert!(promised("receiver.example!shop.example!1709251200!1709337599!7.xml"));
    assert!(promised("!shop.example!1709251200!1709337599.xml"));
    assert!(!promised("data.xml"));
    assert!(!promised("a!b!c!d.xml"));
    assert!(!promised("a!b!17!18.xml"));
}

#[test]
fn gzip_oddities() {
    let packed = gzip(report("1").as_bytes());
    noted("r.xml.gz", [packed.as_slice(), b"\r\n"].concat(), "1", &["gzip-trailing"]);
    noted("r.xml.gz", [b"\r\n", packed.as_slice()].concat(), "1", &["gzip-leading"]);
    // The last bytes, as lost padding takes them: the checksum is still there.
    noted("r.xml.gz", &packed[..packed.len() - 1], "1", &["gzip-cut"]);
    noted("r.xml.gz", &packed[..packed.len() - 4], "1", &["gzip-cut"]);
    damaged("r.xml.gz", &packed[..packed.len() - 5], "gzip-damaged", "cut off");
    // Two members are one text (RFC 1952 section 2.2).
    let text = report("1");
    let (front, back) = text.as_bytes().split_at(30);
    clean("r.xml.gz", [gzip(front), gzip(back)].concat(), "1");
    clean("r.xml.gz", [gzip(front), gzip(b""), gzip(back)].concat(), "1");
    clean("r.xml.gz.gz", gzip(&packed), "1");
    // A header with everything: extra field, name, comment, header checksum.
    let header = [&[0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 2, 0, 9, 9][..], b"r.xml\0", b"words\0", &[1, 2]].concat();
    clean("r.xml.gz", [&header, &packed[10..]].concat(), "1");
}

#[test]
fn gzip_damage_has_a_place() {
    let text = report("1").repeat(200);
    let packed = gzip(text.as_bytes());
    let cut = packed.len() * 2 / 3;
    damaged("r.xml.gz", &packed[..cut], "gzip-damaged", &format!("cut off at byte {cut} of the packed data"));
    let mut wrong = packed.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    damaged("r.xml.gz", wrong, "gzip-damaged", "the checksum does not match");
    let mut wrong = packed.clone();
    let length = wrong.len() - 1;
    wrong[length] ^= 1;
    damaged("r.xml.gz", wrong, "gzip-damaged", "the length does not match");
    let mut wrong = packed;
    wrong[200] ^= 0xff;
    let (seen, unpacked) = open("r.xml.gz", wrong);
    assert!(seen[0].content.is_err(), "{unpacked:?}");
    refused("r.xml.gz", &gzip(b"<a/>")[..7], "gzip-damaged", "inside the header");
}

#[test]
fn a_document_that_is_not_read_on_costs_no_more() {
    // What is wrong behind the place where its reader gave up is nobody's news.
    let packed = gzip((report("1") + &" ".repeat(200_000)).as_bytes());
    let item = support::item("r.xml.gz", &packed[..packed.len() - 20]);
    let mut documents = 0;
    let unpacked = dmarcase::unpack::unpack(&item, &Limits::default(), &mut |document| {
        document.content.read_exact(&mut [0; 100]).unwrap();
        documents += 1;
    });
    assert_eq!((documents, codes(&unpacked)), (1, (vec![], vec![])));
}

#[test]
fn zip_members() {
    let (a, b) = (report("a"), report("b"));
    let (seen, unpacked) = open("two.zip", zip(&[("a.xml", a.as_bytes()), ("b.xml.gz", &gzip(b.as_bytes()))]));
    assert_eq!(seen.iter().map(support::Seen::text).collect::<Vec<_>>(), [a.clone(), b.clone()]);
    assert_eq!(seen[1].place, "b.xml.gz");
    assert_eq!(codes(&unpacked), (vec![], vec![]));
    // A zip in a zip, a gzip around it.
    clean("z.zip", zip(&[("inner.zip", &zip(&[("r.xml", report("1").as_bytes())]))]), "1");
    clean("z.gz", gzip(&zip(&[("r.xml", report("1").as_bytes())])), "1");
    // Folders, what systems leave behind, and text beside the report.
    let (seen, unpacked) = open(
        "r.zip",
        zip(&[
            ("out/", b""),
            ("__MACOSX/out/._r.xml", b"\0\x05\x16\x07"),
            ("out/._r.xml", b"<not a report"),
            ("out/readme.txt", b"hello"),
            ("out/r.xml", a.as_bytes()),
        ]),
    );
    assert_eq!(seen.iter().map(|seen| seen.place.as_str()).collect::<Vec<_>>(), ["out/r.xml"]);
    assert_eq!(codes(&unpacked), (vec!["zip-member-ignored"], vec![]));
    assert!(unpacked.notes[0].text.contains("out/readme.txt"), "{unpacked:?}");
}

/// A zip by hand: local headers and directory of the names and bodies given, all stored.
fn raw_zip(members: &[(&str, &[u8])], flags: u16, method: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, body) in members {
        let mut crc = flate2::Crc::new();
        crc.update(body);
        let (size, offset) = ((body.len() as u32).to_le_bytes(), (out.len() as u32).to_le_bytes());
        let common =
            [&flags.to_le_bytes()[..], &method.to_le_bytes(), &[0; 4], &crc.sum().to_le_bytes(), &size, &size].concat();
        let name_length = (name.len() as u16).to_le_bytes();
        out.extend([b"PK\x03\x04\x14\0", common.as_slice(), &name_length, &[0, 0], name.as_bytes(), body].concat());
        directory.extend(
            [b"PK\x01\x02\x14\0\x14\0", common.as_slice(), &name_length, &[0; 12], &offset, name.as_bytes()].concat(),
        );
    }
    let start = out.len() as u32;
    let count = (members.len() as u16).to_le_bytes();
    out.extend(&directory);
    out.extend(
        [
            b"PK\x05\x06\0\0\0\0",
            &count[..],
            &count,
            &(directory.len() as u32).to_le_bytes(),
            &start.to_le_bytes(),
            &[0, 0],
        ]
        .concat(),
    );
    out
}

#[test]
fn zip_oddities() {
    let (a, b) = (report("a"), report("b"));
    // Both members of one name are reports: neither may hide the other.
    let (seen, _) = open("r.zip", raw_zip(&[("r.xml", a.as_bytes()), ("r.xml", b.as_bytes())], 0, 0));
    assert_eq!(seen.iter().map(support::Seen::text).collect::<Vec<_>>(), [a.clone(), b.clone()]);
    noted(
        "r.zip",
        [raw_zip(&[("r.xml", report("1").as_bytes())], 0, 0).as_slice(), b"\r\n\r\n"].concat(),
        "1",
        &["zip-trailing"],
    );
    refused("r.zip", raw_zip(&[("r.xml", a.as_bytes())], 1, 0), "zip-encrypted", "encrypted");
    refused("r.zip", raw_zip(&[("r.xml", a.as_bytes())], 0, 12), "zip-method", "only deflate and stored are read");
    // One member that is closed does not close the others.
    let mut mixed = raw_zip(&[("a.xml", a.as_bytes()), ("b.xml", b.as_bytes())], 0, 0);
    let local = 6;
    let directory = mixed.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    mixed[local] |= 1;
    mixed[directory + 8] |= 1;
    let (seen, unpacked) = open("r.zip", mixed);
    assert_eq!(seen.iter().map(support::Seen::text).collect::<Vec<_>>(), std::slice::from_ref(&b));
    assert_eq!(codes(&unpacked).1, ["zip-encrypted"]);
    // Cut off before the directory.
    let whole = zip(&[("r.xml", a.as_bytes())]);
    refused("r.zip", &whole[..whole.len() / 2], "zip-damaged", "not a sound archive");
    // A body that does not match its checksum.
    let mut wrong = raw_zip(&[("r.xml", a.as_bytes())], 0, 0);
    wrong[60] ^= 1;
    damaged("r.zip", wrong, "zip-damaged", "checksum");
    // A report's archive without a report, an archive that nobody promised, and an office document.
    refused(
        "receiver.example!shop.example!1709251200!1709337599.zip",
        zip(&[("unused.txt", b"unused")]),
        "zip-no-report",
        "holds no XML, only unused.txt",
    );
    refused("receiver.example!shop.example!1709251200!1709337599.zip", zip(&[]), "zip-no-report", "is empty");
    no_report("photos.zip", zip(&[("a.jpg", b"\xff\xd8\xff")]), "holds no report");
    no_report(
        "letter.docx",
        zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]),
        "an office document",
    );
}

#[test]
fn containers_that_are_known_and_not_opened() {
    for (magic, tool) in [
        (&b"\xfd7zXZ\0\0\x04"[..], "xz -d"),
        (b"BZh91AY&SY", "bzip2 -d"),
        (b"\x28\xb5\x2f\xfd\x24", "zstd -d"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7z x"),
        (b"Rar!\x1a\x07\x01\0", "unrar x"),
    ] {
        refused("r.xml.bin", magic, "unknown-container", tool);
        // The same in spam is no report; in a mail that announces one, it is a broken one.
        let part = "Content-Type: application/octet-stream; name=\"offer.bin\"\r\nContent-Transfer-Encoding: base64";
        no_report("m.eml", mail("offer", &[(part, &base64(magic))]), "not opened");
        refused("m.eml", mail(SUBJECT, &[(part, &base64(magic))]), "no-attachment", "not opened");
    }
}

#[test]
fn parts_of_a_mail() {
    let packed = gzip(report("1").as_bytes());
    let hello = ("Content-Type: text/plain", "Aggregate data is attached.");
    let (seen, unpacked) = open("m.eml", mail(SUBJECT, &[hello, (&gzip_head(), &base64(&packed))]));
    assert_eq!((seen.len(), seen[0].text()), (1, report("1")));
    assert_eq!(seen[0].place, format!("part 2, {NAME}"));
    assert!(seen[0].promised);
    assert_eq!(codes(&unpacked), (vec![], vec![]));
    let head = unpacked.mail.unwrap();
    assert_eq!(head.from.as_deref(), Some("dmarc@receiver.example"));
    assert_eq!(head.subject.as_deref(), Some(SUBJECT));
    assert_eq!(head.date, Some(1_709_338_800));

    let with = |head: &str, body: &str| mail("x", &[hello, (head, body)]);
    clean(
        "m",
        with("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64", &base64(&packed)),
        "1",
    );
    clean("m", with("Content-Type: text/xml", &report("1").replace('\n', "\r\n")).replace("\r\n", "\n"), "1");
    // Base64 of XML, in lines that split groups of four.
    let odd: String = base64(report("1").as_bytes())
        .replace("\r\n", "")
        .as_bytes()
        .chunks(61)
        .map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap()))
        .collect();
    clean("m", with("Content-Type: application/xml\r\nContent-Transfer-Encoding: BASE64", &odd), "1");
    // The declared type says text: noted, read.
    noted(
        "m",
        with("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", &base64(&packed)),
        "1",
        &["type-mismatch"],
    );
    // Quoted-printable with soft line breaks inside tags, and blanks that the way added.
    let quoted = report("1")
        .replace('=', "=3D")
        .replace("feedback", "feed=\r\nback")
        .replace('\n', "  \r\n")
        .replace("<?xml", "<?x=  \r\nml");
    let (seen, _) =
        open("m", with("Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable", quoted.trim_end()));
    assert_eq!(seen[0].text(), report("1").trim_end().replace('\n', "\r\n"));
}

#[test]
fn base64_with_faults() {
    let packed = gzip(report("1").as_bytes());
    let text = base64(&packed);
    let with = |body: &str| mail("x", &[(&gzip_head(), body)]);
    // A gzip of a length that needs padding, without it; the last bytes are the length, so that all must be there.
    let bare = text.trim_end().trim_end_matches('=');
    clean("m", with(bare), "1");
    noted("m", with(&text.replacen("\r\n", "*\u{fffd}!\r\n", 1)), "1", &["base64-junk"]);
    clean("m", with(&text.replace("\r\n", "\r\n\r\n \t")), "1");
    // No closing boundary, and a list footer behind the data.
    let open_end = with(&text).replace("--cut--\r\n", "");
    noted("m", open_end.clone(), "1", &["mime-unclosed"]);
    noted("m", open_end + "-- \r\nto leave the list write to us", "1", &["gzip-trailing", "mime-unclosed"]);
    // Declared and not done, done and not declared, done twice.
    let raw = "Content-Type: text/xml\r\nContent-Transfer-Encoding: base64";
    noted("m", mail("x", &[(raw, &report("1"))]), "1", &["encoding-mismatch"]);
    let undeclared = gzip_head().replace("Content-Transfer-Encoding: base64\r\n", "");
    noted("m", mail("x", &[(&undeclared, &text)]), "1", &["encoding-mismatch"]);
    noted("m", with(&base64(text.as_bytes())), "1", &["encoding-mismatch"]);
}

#[test]
fn names_of_parts() {
    let place = |disposition: &str| {
        let head =
            format!("Content-Type: application/octet-stream\r\n{disposition}\r\nContent-Transfer-Encoding: base64");
        let (seen, _) = open("m", mail("x", &[(&head, &base64(&gzip(report("1").as_bytes())))]));
        seen[0].place.clone()
    };
    assert_eq!(place("Content-Disposition: attachment; filename=r.xml.gz"), "part 1, r.xml.gz");
    assert_eq!(
        place(
            "Content-Disposition: attachment;\r\n filename*0=\"a!b!1709251200!17093\";\r\n filename*1=\"37599.xml.gz\""
        ),
        "part 1, a!b!1709251200!1709337599.xml.gz"
    );
    assert_eq!(
        place("Content-Disposition: attachment; filename*=iso-8859-1'de'Bericht%20%FC.xml.gz"),
        "part 1, Bericht ü.xml.gz"
    );
    assert_eq!(
        place("Content-Disposition: attachment; filename*1*=%B8.xml; filename*0*=utf-8''r%C3"),
        "part 1, r\u{f8}.xml"
    );
    assert_eq!(
        place("Content-Disposition: attachment; filename=\"=?utf-8?B?cmVwb3J0w7wueG1s?=\""),
        "part 1, reportü.xml"
    );
    assert_eq!(place("Content-Disposition: attachment; filename=\"a\\\"b.xml\""), "part 1, a\"b.xml");
    // Nothing that moves the cursor reaches a terminal.
    assert_eq!(place("Content-Disposition: attachment; filename=\"a\u{1b}[2Jb.xml\""), "part 1, a\u{fffd}[2Jb.xml");
}

#[test]
fn forms_of_mails() {
    let packed = base64(&gzip(report("1").as_bytes()));
    let inner = inner_mail(SUBJECT, &[(&gzip_head(), &packed)]);
    let whole = mail(SUBJECT, &[(&gzip_head(), &packed)]);
    clean("m", mail("Fwd: report", &[("Content-Type: message/rfc822", &inner)]), "1");
    clean(
        "m",
        mail(
            "Fwd: report",
            &[("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64", &base64(inner.as_bytes()))],
        ),
        "1",
    );
    clean(
        "m",
        mail("x", &[("Content-Type: multipart/digest; boundary=d", &format!("--d\r\n\r\n{inner}\r\n--d--"))]),
        "1",
    );
    clean("m", mail("x", &[("Content-Type: application/octet-stream; name=m.eml", &inner)]), "1");
    clean("m.zip", zip(&[("m.eml", inner.as_bytes())]), "1");
    clean("m.gz", gzip(inner.as_bytes()), "1");
    // Clear-signed: the signature beside it is nothing to us.
    let signed = format!(
        "--s\r\n{}\r\n\r\n{packed}\r\n--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIabcd=\r\n--s--",
        gzip_head()
    );
    clean(
        "m",
        mail(
            SUBJECT,
            &[("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=s", &signed)],
        ),
        "1",
    );
    // The mail is the report: single part, packed or plain, with or without a type.
    let single = |head: &str, body: &str| format!("From: a@receiver.example\r\nSubject: x\r\n{head}\r\n\r\n{body}");
    clean("m", single(&gzip_head(), &packed), "1");
    clean("m", single("Content-Type: application/xml", &report("1")), "1");
    clean("m", single("X-Nothing: 1", &report("1")), "1");
    // A delimiter whose line end was forgotten, a boundary that is part of another one, and one that is not named.
    let joined = whole.replace("=\r\n\r\n--cut--", "=--cut--").replace("\r\n\r\n--cut--", "--cut--");
    clean("m", joined, "1");
    let nested = mail(
        "x",
        &[(
            "Content-Type: multipart/mixed; boundary=cutter",
            &format!("--cutter\r\n{}\r\n\r\n{packed}\r\n--cutter--", gzip_head()),
        )],
    );
    clean("m", nested, "1");
    noted("m", whole.replace("; boundary=\"cut\"", ""), "1", &["mime-boundary"]);
    noted("m", whole.replace("boundary=\"cut\"", "boundary=\"other\""), "1", &["mime-boundary"]);
    // The empty line before the body is missing.
    clean("m", whole.replace(".xml.gz\"\r\n\r\n", ".xml.gz\"\r\n"), "1");
    // A From line of an mbox, a byte order mark and empty lines before the head.
    clean("m", format!("From a@b Sat Mar  2 00:20:11 2024\r\n{whole}"), "1");
    clean("m", format!("\u{feff}\r\n{whole}"), "1");
}

#[test]
fn a_report_in_the_text_of_a_mail() {
    let text = format!("See below:\r\n\r\n{}\r\n-- \r\nAnn", report("1"));
    let (seen, unpacked) = open("m", mail("report", &[("Content-Type: text/plain", &text)]));
    assert!(seen[0].text().starts_with(&report("1")), "{seen:?}");
    assert!(codes(&unpacked).0.contains(&"text-around"), "{unpacked:?}");
    no_report("m", mail("question", &[("Content-Type: text/plain", "what does <feedback> mean?")]), "no attachment");
    no_report(
        "m",
        mail("page", &[("Content-Type: text/html", "<!DOCTYPE html><html><p>feedback</p></html>")]),
        "no attachment",
    );
    // Cut off: a broken report, for the reader to refuse.
    let (seen, _) = open("m", mail("report", &[("Content-Type: text/plain", &report("1")[..90])]));
    assert_eq!(seen[0].kind, DocumentKind::Xml);
}

#[test]
fn other_reports() {
    let arf = "Feedback-Type: auth-failure\r\nReported-Domain: Shop.Example. (ours)\r\nSource-IP: 192.0.2.1";
    let inner = inner_mail("spring offer", &[(&gzip_head(), &base64(&gzip(report("1").as_bytes())))]);
    let text = mail(
        "FW: spring offer",
        &[
            ("Content-Type: text/plain", "hello"),
            ("Content-Type: message/feedback-report", arf),
            ("Content-Type: message/rfc822", &inner),
        ],
    )
    .replacen("multipart/mixed", "multipart/report; report-type=feedback-report", 1);
    let (seen, _) = open("m", text.clone());
    assert_eq!(seen.iter().map(|seen| seen.kind).collect::<Vec<_>>(), [DocumentKind::FeedbackReport]);
    assert_eq!(feedback_domain(seen[0].content.as_ref().unwrap()).as_deref(), Some("shop.example"));
    no_report("m", text.replace("auth-failure", "abuse"), "type abuse");
    assert_eq!(
        feedback_domain(b"Feedback-Type: auth-failure\nReported-Domain:\n shop.example\n"),
        Some("shop.example".to_owned())
    );
    assert_eq!(feedback_domain(b"Feedback-Type: auth-failure"), None);

    let tls = br#"{"organization-name":"R","report-id":"1","policies":[{"policy":{"policy-domain":"Shop.Example"}}]}"#;
    for bytes in [gzip(tls), tls.to_vec(), [b"\xef\xbb\xbf".as_slice(), tls].concat(), zip(&[("r.json", tls)])] {
        let (seen, unpacked) = open("r", bytes);
        assert_eq!((seen[0].kind, unpacked.faults.len()), (DocumentKind::Json, 0));
        let content = seen[0].content.as_ref().unwrap();
        assert_eq!(tls_report_domain(&mut content.as_slice(), 4096), Ok(Some("shop.example".to_owned())));
        assert_eq!(tls_report_domain(&mut content.as_slice(), 50), Ok(None));
    }
    assert_eq!(tls_report_domain(&mut &br#"{"policies": 3}"#[..], 4096), Ok(None));
    assert_eq!(tls_report_domain(&mut &br#"{"policies": []}"#[..], 4096), Ok(None));
    assert_eq!(tls_report_domain(&mut &br#"{"policies": [], "report-id": "1"}"#[..], 4096), Ok(Some(String::new())));
}

#[test]
fn mails_that_are_no_reports() {
    let plain = [("Content-Type: text/plain", "hello")];
    no_report("m", mail("lunch", &plain), "no attachment that could be a report");
    no_report("m", mail("Out of Office: gone fishing", &plain), "an automatic reply");
    no_report("m", mail("Re: x", &plain).replace("To:", "Auto-Submitted: auto-replied\r\nTo:"), "an automatic reply");
    no_report("m", mail("x", &plain).replace("dmarc@", "MAILER-DAEMON@"), "a bounce");
    let status = [("Content-Type: text/plain", "sorry"), ("Content-Type: message/delivery-status", "Action: failed")];
    no_report(
        "m",
        mail("Undelivered", &status).replacen("mixed", "report; report-type=delivery-status", 1),
        "a bounce",
    );
    no_report("m", mail(SUBJECT, &status), "a bounce");
    no_report("m", mail("x", &[("Content-Type: message/disposition-notification", "x: y")]), "a read receipt");
    no_report(
        "m",
        mail("x", &[("Content-Type: application/pkcs7-mime; smime-type=enveloped-data", "MIAG")]),
        "encrypted",
    );
    no_report(
        "m",
        mail(
            "x",
            &[(
                "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64",
                &base64(b"\x78\x9f\x3e\x22\x01\x00"),
            )],
        ),
        "winmail.dat",
    );
    // Announced as a report and without one: rejected, with what is there instead.
    refused("m", mail(SUBJECT, &plain), "no-attachment", "the subject announces a report");
    refused(
        "m",
        mail(SUBJECT, &[("Content-Type: application/pkcs7-mime; smime-type=signed-data", "MIAG")]),
        "no-attachment",
        "only clear signatures are read",
    );
    no_report("m", mail(&format!("Re: {SUBJECT}"), &plain), "no attachment");
    // A bounce that quotes the report: the report is read all the same.
    let inner = inner_mail(SUBJECT, &[(&gzip_head(), &base64(&gzip(report("1").as_bytes())))]);
    let (seen, unpacked) = open("m", mail("Undelivered", &[status[1], ("Content-Type: message/rfc822", &inner)]));
    assert_eq!((seen.len(), unpacked.no_report), (1, None));
    // Spam with a zip of a script and of XML that is no report: nothing is promised.
    let spam = zip(&[("invoice.js", b"WScript.Echo()"), ("data.xml", b"<?xml version=\"1.0\"?><invoice/>")]);
    let (seen, unpacked) = open(
        "m",
        mail(
            "Overdue",
            &[("Content-Type: application/zip; name=invoice.zip\r\nContent-Transfer-Encoding: base64", &base64(&spam))],
        ),
    );
    assert!(unpacked.faults.is_empty() && seen.iter().all(|seen| !seen.promised), "{seen:?} {unpacked:?}");
}

#[test]
fn a_mail_of_a_mailbox_is_a_mail_whatever_it_looks_like() {
    let item = Item {
        origin: Origin::Mailbox { account: "a".into(), folder: "INBOX".into(), uid_validity: 1, uid: 7 },
        content: Content::Bytes(b"hello".to_vec()),
        received_at: None,
    };
    let (seen, unpacked) = open_item(&item, &Limits::default());
    assert!(seen.is_empty() && unpacked.no_report.is_some() && unpacked.mail.is_some(), "{unpacked:?}");
}

#[test]
fn the_tree_names_what_was_met() {
    let text =
        mail(SUBJECT, &[("Content-Type: text/plain", "hello"), (&gzip_head(), &base64(&gzip(report("1").as_bytes())))]);
    let (_, nodes) = unpack_tree(&support::item("m.eml", text), &Limits::default(), &mut |_| {});
    let lines: Vec<_> =
        nodes.iter().map(|node| format!("{}{}: {}", "  ".repeat(node.level as usize), node.place, node.what)).collect();
    assert_eq!(
        lines,
        [
            ": mail",
            "  : multipart/mixed",
            "    part 1: text/plain, passed over",
            &format!("    part 2, {NAME}: gzip"),
            &format!("      part 2, {NAME}: XML document"),
        ]
    );
}
