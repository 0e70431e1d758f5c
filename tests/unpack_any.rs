//! Properties of unpacking: any bytes, any damage, any nesting.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/unpacking.rs"]
mod support;

use dmarcase::unpack::{DocumentKind, Limits};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{base64, gzip, item, open, open_item, report, zip, zip_with};

/// Bytes that start as something that is looked into, so that chance reaches further than the first byte.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(Vec::new()),
        Just(b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()),
        Just(b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
        Just(b"PK\x05\x06".to_vec()),
        Just(b"<?xml version=\"1.0\"?><feedback>".to_vec()),
        Just(b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".to_vec()),
        Just(b"From: a@b\r\nContent-Transfer-Encoding: base64\r\nContent-Type: application/gzip\r\n\r\nH4sI".to_vec()),
        Just(b"From: a@b\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/xml\r\n\r\n".to_vec()),
        Just(b"From: a@b\r\nContent-Type: text/xml; name*0*=x''%".to_vec()),
    ];
    (start, vec(any::<u8>(), 0..400)).prop_map(|(start, rest)| [start, rest].concat())
}

/// Text of the characters that mails are made of.
fn any_mail() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n\r\n".to_owned()),
        Just("--b".to_owned()),
        Just("\r\n--b\r\n".to_owned()),
        Just("\r\n--b--\r\n".to_owned()),
        Just("Content-Type: multipart/mixed; boundary=\"b\"".to_owned()),
        Just("Content-Type: message/rfc822".to_owned()),
        Just("Content-Type: text/xml; name*0=\"a\"; name*1*=%41".to_owned()),
        Just("Content-Transfer-Encoding: base64".to_owned()),
        Just("Content-Transfer-Encoding: quoted-printable".to_owned()),
        Just("Subject: Report Domain: =?utf-8?q?x=C3?=".to_owned()),
        Just("H4sIAAAAAAAAA".to_owned()),
        Just("<feedback>".to_owned()),
        Just("</feedback>".to_owned()),
        Just("=3D=\r\n".to_owned()),
    ];
    vec(piece, 0..40).prop_map(|pieces| format!("From: a@b\r\n{}", pieces.concat()))
}

/// Whatever is put in, what comes out is bounded, and every error is a fault with words.
fn holds(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let limits = Limits { document_bytes: 4096, attachments: 8, ..Limits::default() };
    let (seen, unpacked) = open_item(&item("r.xml.gz", bytes), &limits);
    for seen in &seen {
        if let Ok(content) = &seen.content {
            prop_assert!(content.len() <= 4096);
        }
    }
    for fault in unpacked.faults.iter().chain(seen.iter().filter_map(|seen| seen.content.as_ref().err())) {
        prop_assert!(!fault.code.is_empty() && !fault.text.is_empty());
    }
    prop_assert!(!seen.is_empty() || !unpacked.faults.is_empty() || unpacked.no_report.is_some());
    Ok(())
}

/// One way to wrap bytes.
#[derive(Clone, Debug)]
enum Wrap {
    Gzip,
    TwoGzips(usize),
    Zip,
    Stored,
    /// A mail with the bytes in base64, in lines of this length.
    Base64(usize),
    QuotedPrintable,
}

fn any_wrap() -> impl Strategy<Value = Wrap> {
    prop_oneof![
        Just(Wrap::Gzip),
        any::<usize>().prop_map(Wrap::TwoGzips),
        Just(Wrap::Zip),
        Just(Wrap::Stored),
        (1usize..90).prop_map(Wrap::Base64),
        Just(Wrap::QuotedPrintable),
    ]
}

fn wrapped(bytes: &[u8], wrap: &Wrap, level: usize) -> Vec<u8> {
    let mail = |encoding: &str, body: &str| {
        format!(
            "From: a@b\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=level{level}\r\n\r\n--level{level}\r\n\
             Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n--level{level}--\r\n"
        )
        .into_bytes()
    };
    match wrap {
        Wrap::Gzip => gzip(bytes),
        Wrap::TwoGzips(at) => {
            let (front, back) = bytes.split_at(at % (bytes.len() + 1));
            [gzip(front), gzip(back)].concat()
        }
        Wrap::Zip => zip(&[("inner", bytes)]),
        Wrap::Stored => zip_with(&[("inner", bytes)], zip::CompressionMethod::Stored),
        Wrap::Base64(length) => {
            let text = base64(bytes).replace("\r\n", "");
            let lines: Vec<_> =
                text.as_bytes().chunks(*length).map(|line| std::str::from_utf8(line).unwrap()).collect();
            mail("base64", &lines.join("\r\n"))
        }
        Wrap::QuotedPrintable => {
            let lines: Vec<String> =
                bytes.chunks(20).map(|line| line.iter().map(|byte| format!("={byte:02X}")).collect()).collect();
            mail("quoted-printable", &lines.join("=\r\n"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_taken(bytes in any_bytes()) {
        holds(bytes)?;
    }

    #[test]
    fn any_mail_is_taken(text in any_mail()) {
        holds(text.into_bytes())?;
    }

    #[test]
    fn any_nesting_gives_the_same_document(id in "[a-z0-9]{1,80}", padding in 0usize..200_000, wraps in vec(any_wrap(), 0..=4)) {
        let text = format!("{}{}", report(&id), " ".repeat(padding / 100 * (padding % 3)));
        let mut bytes = text.clone().into_bytes();
        for (level, wrap) in wraps.iter().enumerate() {
            bytes = wrapped(&bytes, wrap, level);
        }
        let (seen, unpacked) = open("r", bytes);
        prop_assert!(unpacked.faults.is_empty(), "{:?}", unpacked);
        prop_assert_eq!(seen.len(), 1);
        prop_assert_eq!(seen[0].kind, DocumentKind::Xml);
        prop_assert_eq!(seen[0].text(), text);
    }

    #[test]
    fn damage_never_passes_for_the_whole(flips in vec((any::<prop::sample::Index>(), 1u8..), 0..4), cut in any::<prop::sample::Index>(), as_zip: bool, in_mail: bool) {
        let text = report("damage").repeat(5);
        let mut bytes = if as_zip { zip(&[("r.xml", text.as_bytes())]) } else { gzip(text.as_bytes()) };
        for (at, flip) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if flips.len() < 2 {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        if in_mail {
            bytes = wrapped(&bytes, &Wrap::Base64(76), 0);
        }
        let (seen, _) = open("r.xml.gz", bytes);
        for seen in seen.iter().filter(|seen| seen.kind == DocumentKind::Xml) {
            if let Ok(content) = &seen.content {
                prop_assert!(content == text.as_bytes(), "{:?}", seen.text());
            }
        }
    }
}
