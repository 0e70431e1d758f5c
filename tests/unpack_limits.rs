//! Limits at their edge and one past it, and the attacks they are for, made here.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/unpacking.rs"]
mod support;

use std::io::Write;
use std::time::{Duration, Instant};

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::unpack::{Document, DocumentKind, Fault, Limits, unpack};
use support::{SUBJECT, base64, codes, gzip, gzip_head, item, mail, open_item, report, zip};

/// The codes of all faults, those that a document's reader met included.
fn faults(item: &Item, limits: &Limits) -> Vec<&'static str> {
    let (seen, unpacked) = open_item(item, limits);
    let met = seen.iter().filter_map(|seen| seen.content.as_ref().err().map(|fault| fault.code));
    met.chain(unpacked.faults.iter().map(|fault| fault.code)).collect()
}

#[test]
fn mail_bytes() {
    let text = mail(SUBJECT, &[(&gzip_head(), &base64(&gzip(report("1").as_bytes())))]);
    let limits = |mail_bytes| Limits { mail_bytes, ..Limits::default() };
    let size = text.len() as u64;
    assert_eq!(faults(&item("m.eml", text.clone()), &limits(size)), [""; 0]);
    assert_eq!(faults(&item("m.eml", text.clone()), &limits(size - 1)), ["mail_bytes"]);
    // A mail inside a container, and an archive inside one, are held in memory: the same limit.
    assert_eq!(faults(&item("m.gz", gzip(text.as_bytes())), &limits(size)), [""; 0]);
    assert_eq!(faults(&item("m.gz", gzip(text.as_bytes())), &limits(size - 1)), ["mail_bytes"]);
    let archive = zip(&[("r.xml", report("1").as_bytes())]);
    let size = archive.len() as u64;
    assert_eq!(faults(&item("r.gz", gzip(&archive)), &limits(size)), [""; 0]);
    assert_eq!(faults(&item("r.gz", gzip(&archive)), &limits(size - 1)), ["mail_bytes"]);
    // A file that was too large to hold.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.eml");
    std::fs::write(&path, &text).unwrap();
    let file = |size| Item {
        origin: Origin::File { path: path.display().to_string(), member: None },
        content: Content::File { path: path.clone(), size },
        received_at: None,
    };
    let size = text.len() as u64;
    let (seen, _) = open_item(&file(size), &limits(size));
    assert_eq!(seen[0].text(), report("1"));
    assert_eq!(faults(&file(size), &limits(size - 1)), ["mail_bytes"]);
}

#[test]
fn attachments_of_a_mail_and_members_of_a_zip() {
    let limits = Limits { attachments: 3, ..Limits::default() };
    let packed: Vec<_> = (0..4).map(|number| base64(&gzip(report(&number.to_string()).as_bytes()))).collect();
    let head = gzip_head();
    let with = |count: usize| {
        let mut parts = vec![("Content-Type: text/plain", "hello"), ("Content-Type: image/png", "png")];
        parts.extend(packed.iter().take(count).map(|body| (head.as_str(), body.as_str())));
        mail(SUBJECT, &parts)
    };
    assert_eq!(faults(&item("m", with(3)), &limits), [""; 0]);
    let (seen, unpacked) = open_item(&item("m", with(4)), &limits);
    assert_eq!((seen.len(), codes(&unpacked).1), (3, vec!["attachments"]));
    assert!(unpacked.faults[0].text.contains("limits.attachments"), "{unpacked:?}");

    let texts: Vec<_> = (0..4).map(|number| (format!("{number}.xml"), report(&number.to_string()))).collect();
    let members = |count: usize| {
        let members: Vec<_> = texts.iter().take(count).map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        zip(&members)
    };
    assert_eq!(faults(&item("m.zip", members(3)), &limits), [""; 0]);
    let (seen, unpacked) = open_item(&item("m.zip", members(4)), &limits);
    assert_eq!((seen.len(), codes(&unpacked).1), (3, vec!["attachments"]));
}

#[test]
fn nesting() {
    let nested = |depth: u32| {
        let mut bytes = report("1").into_bytes();
        for level in 0..depth {
            bytes = if level % 2 == 0 { gzip(&bytes) } else { zip(&[("inner", &bytes)]) };
        }
        bytes
    };
    let limits = Limits::default();
    assert_eq!(limits.nesting, 4);
    assert_eq!(faults(&item("r", nested(4)), &limits), [""; 0]);
    assert_eq!(faults(&item("r", nested(5)), &limits), ["nesting"]);
    // The mail around them is the item, not a container inside it; a forwarded mail is one.
    let head = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64";
    assert_eq!(faults(&item("m", mail("x", &[(head, &base64(&nested(4)))])), &limits), [""; 0]);
    assert_eq!(faults(&item("m", mail("x", &[(head, &base64(&nested(5)))])), &limits), ["nesting"]);
    let forwarded = |depth| {
        let inner = mail("x", &[(head, &base64(&nested(depth)))]).replace("--cut", "--in").replace("\"cut\"", "\"in\"");
        mail("Fwd", &[("Content-Type: message/rfc822", &inner)])
    };
    assert_eq!(faults(&item("m", forwarded(3)), &limits), [""; 0]);
    assert_eq!(faults(&item("m", forwarded(4)), &limits), ["nesting"]);
}

#[test]
fn document_bytes() {
    let text = report("1");
    let size = text.len() as u64;
    let limits = |document_bytes| Limits { document_bytes, ..Limits::default() };
    let forms = [
        text.clone().into_bytes(),
        gzip(text.as_bytes()),
        zip(&[("r.xml", text.as_bytes())]),
        mail("x", &[("Content-Type: text/xml", text.trim_end())]).into_bytes(),
    ];
    for (number, form) in forms.into_iter().enumerate() {
        let size = if number == 3 { text.trim_end().len() as u64 } else { size };
        assert_eq!(faults(&item("r", form.clone()), &limits(size)), [""; 0], "form {number}");
        assert_eq!(faults(&item("r", form), &limits(size - 1)), ["document_bytes"], "form {number}");
    }
    let (seen, _) = open_item(&item("r", gzip(text.as_bytes())), &limits(10));
    let fault = seen[0].content.as_ref().unwrap_err();
    assert!(fault.text.contains("10 bytes") && fault.text.contains("limits.document_bytes"), "{fault:?}");
}

#[test]
fn ratio_counts_only_above_sixteen_mebibytes() {
    let text = |blanks: usize| ["<feedback>".to_owned(), " ".repeat(blanks - 21), "</feedback>".to_owned()].concat();
    let edge = text(16 << 20);
    let past = text((16 << 20) + 1);
    let limits = Limits::default();
    assert_eq!(faults(&item("r", gzip(edge.as_bytes())), &limits), [""; 0]);
    assert_eq!(faults(&item("r", gzip(past.as_bytes())), &limits), ["ratio"]);
    assert_eq!(faults(&item("r", zip(&[("r.xml", edge.as_bytes())])), &limits), [""; 0]);
    assert_eq!(faults(&item("r", zip(&[("r.xml", past.as_bytes())])), &limits), ["ratio"]);
    assert_eq!(faults(&item("r", gzip(past.as_bytes())), &Limits { ratio: 1100, ..Limits::default() }), [""; 0]);
    // Two halves of the whole item's measure: neither is over the limit alone.
    let half = text(9 << 20);
    let two = zip(&[("a.xml", half.as_bytes()), ("b.xml", half.as_bytes())]);
    assert_eq!(faults(&item("r", two), &limits), ["ratio"]);
}

/// Reads every document to its end through a small window, as the reader of reports does.
fn run(item: &Item) -> (u64, Vec<Fault>, Duration) {
    let start = Instant::now();
    let mut read = 0;
    let mut met = Vec::new();
    let unpacked = unpack(item, &Limits::default(), &mut |document: Document<'_>| {
        let mut window = vec![0; 64 << 10];
        loop {
            match document.content.read(&mut window) {
                Ok(0) => break,
                Ok(count) => read += count as u64,
                Err(error) => {
                    met.push(Fault::of(&error).unwrap().clone());
                    break;
                }
            }
        }
    });
    met.extend(unpacked.faults);
    (read, met, start.elapsed())
}

/// Memory that this process had at most, bytes; nothing where the system does not say.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// A gzip of `mebibytes` of blanks.
fn blanks(mebibytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(b"<feedback>").unwrap();
    let blank = vec![b' '; 1 << 20];
    for _ in 0..mebibytes {
        encoder.write_all(&blank).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn attacks_end_soon_and_small() {
    let short = Duration::from_secs(5);
    let check = |what: &str, bytes: Vec<u8>, code: &str, most: u64| {
        let (read, met, took) = run(&item("r", bytes));
        assert!(met.iter().any(|fault| fault.code == code), "{what}: {met:?}");
        assert!(read <= most, "{what}: {read} bytes were inflated");
        assert!(took < short, "{what}: {took:?}");
    };
    // 10 GiB of blanks: 64 MiB deflated once, and the block used again.
    let bomb = blanks(64);
    let (header, body) = bomb.split_at(10);
    let mut huge = header.to_vec();
    {
        // The same stored in many members: each is 64 MiB.
        huge.extend(body);
        for _ in 1..160 {
            huge.extend(&bomb);
        }
    }
    check("10 GiB gzip", huge, "ratio", 20 << 20);
    check("gzip in gzip", gzip(&blanks(256)), "ratio", 20 << 20);
    let mut nested = blanks(1);
    for _ in 0..5 {
        nested = gzip(&nested);
    }
    check("nested six deep", nested, "nesting", 0);

    let names: Vec<_> = (0..65_000).map(|number| format!("{number}.xml")).collect();
    let members: Vec<_> = names.iter().map(|name| (name.as_str(), b"<a/>".as_slice())).collect();
    check("65,000 members", zip(&members), "attachments", 1000);
    let sixty = |inner: &[u8]| {
        let names: Vec<_> = (0..60).map(|number| format!("{number}.zip")).collect();
        zip(&names.iter().map(|name| (name.as_str(), inner)).collect::<Vec<_>>())
    };
    let leaves: Vec<_> = names.iter().take(60).map(|name| (name.as_str(), b"<a/>".as_slice())).collect();
    let archives = sixty(&sixty(&sixty(&zip(&leaves))));
    check("sixty to the fourth documents", archives.clone(), "attachments", 16 << 20);
    let (_, met, _) = run(&item("r", archives));
    assert!(met.len() < 16 * 64 + 8, "{}", met.len());
    check("members that overlap", overlapping(60_000), "zip-overlap", 20 << 20);
    assert!(run(&item("r", overlapping(60_000))).1.len() < 3);

    // Mails made of nothing but structure.
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(1 << 20);
    check("mail in mail, a million deep", format!("From: a@b\r\n{deep}").into_bytes(), "nesting", 0);
    let mut multiparts = String::from("From: a@b\r\n");
    for level in 0..100_000 {
        multiparts.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
    }
    check("multiparts, 100,000 deep", multiparts.into_bytes(), "nesting", 0);
    let parts = "--b\r\n\r\n\r\n".repeat(3 << 20);
    let many = format!("From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}");
    check("three million parts", many.into_bytes(), "attachments", 0);

    // These hold nothing; what counts is time and memory.
    let quiet = |what: &str, bytes: Vec<u8>| {
        let (_, _, took) = run(&item("r", bytes));
        assert!(took < short, "{what}: {took:?}");
    };
    quiet("ten million fields", format!("From: a@b\r\n{}", "A: b\r\n".repeat(10_000_000)).into_bytes());
    let parameters: String = (0..1_000_000).map(|number| format!(" name*{number}=x;")).collect();
    quiet("a million parameters", format!("From: a@b\r\nContent-Type: text/xml;{parameters}\r\n\r\n").into_bytes());
    quiet("three million gzip members", gzip(b"").repeat(3_000_000));
    quiet("end records without number", [b"PK\x03\x04".to_vec(), b"PK\x05\x06".repeat(12 << 20)].concat());
    quiet("a zip of end records", [zip(&[("a", b"b")]), b"PK\x05\x06\0\0\0\0\x01\0\x01\0".repeat(4 << 20)].concat());
    quiet("words that start nothing", [b"<".to_vec(), b"feedback".repeat(6 << 20)].concat());
    quiet(
        "boundaries that are none",
        format!("From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--bb\r\n".repeat(8 << 20))
            .into_bytes(),
    );

    if let Some(peak) = peak_memory() {
        // The inputs themselves are up to 64 MiB, and are copied while they are made.
        assert!(peak < 600 << 20, "{} MiB", peak >> 20);
    }
}

/// A zip whose members all share one body of 1 MiB of blanks, as bombs without nesting do.
fn overlapping(count: u16) -> Vec<u8> {
    let mut one = zip(&[("r.xml", &[b"<feedback>".to_vec(), vec![b' '; 1 << 20]].concat())]);
    let start = one.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let end = one.windows(4).position(|four| four == b"PK\x05\x06").unwrap();
    let entry = one[start..end].to_vec();
    let mut tail = one.split_off(end);
    one.truncate(start);
    for _ in 0..count {
        one.extend(&entry);
    }
    tail[8..10].copy_from_slice(&count.to_le_bytes());
    tail[10..12].copy_from_slice(&count.to_le_bytes());
    tail[12..16].copy_from_slice(&((entry.len() * usize::from(count)) as u32).to_le_bytes());
    one.extend(tail);
    one
}

#[test]
fn the_rest_of_an_item_is_read_beside_a_bomb() {
    let bomb = base64(&blanks(64));
    let good = base64(&gzip(report("1").as_bytes()));
    let head = gzip_head();
    let (seen, unpacked) = open_item(&item("m", mail(SUBJECT, &[(&head, &bomb), (&head, &good)])), &Limits::default());
    assert_eq!(seen[0].content.as_ref().unwrap_err().code, "ratio");
    assert_eq!((seen[1].kind, seen[1].text()), (DocumentKind::Xml, report("1")));
    assert!(unpacked.faults.is_empty(), "{unpacked:?}");
}
