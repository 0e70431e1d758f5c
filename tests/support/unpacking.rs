//! Helpers to build items and to see what `unpack` makes of them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::Write;

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::unpack::{Document, DocumentKind, Fault, Limits, Unpacked, unpack};

/// One document as it was read.
#[derive(Debug)]
pub struct Seen {
    pub place: String,
    pub kind: DocumentKind,
    pub promised: bool,
    pub content: Result<Vec<u8>, Fault>,
}

impl Seen {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.content.as_ref().expect("a document without damage")).into_owned()
    }
}

pub fn item(name: &str, bytes: impl Into<Vec<u8>>) -> Item {
    Item {
        origin: Origin::File { path: name.to_owned(), member: None },
        content: Content::Bytes(bytes.into()),
        received_at: None,
    }
}

pub fn open_item(item: &Item, limits: &Limits) -> (Vec<Seen>, Unpacked) {
    let mut seen = Vec::new();
    let unpacked = unpack(item, limits, &mut |document: Document<'_>| {
        let mut content = Vec::new();
        let read = document.content.read_to_end(&mut content);
        let content = match read {
            Ok(_) => Ok(content),
            Err(error) => Err(Fault::of(&error).cloned().expect("every error is a fault")),
        };
        seen.push(Seen { place: document.place, kind: document.kind, promised: document.promised, content });
    });
    (seen, unpacked)
}

pub fn open(name: &str, bytes: impl Into<Vec<u8>>) -> (Vec<Seen>, Unpacked) {
    open_item(&item(name, bytes), &Limits::default())
}

pub fn codes(unpacked: &Unpacked) -> (Vec<&'static str>, Vec<&'static str>) {
    (unpacked.notes.iter().map(|note| note.code).collect(), unpacked.faults.iter().map(|fault| fault.code).collect())
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(members, zip::CompressionMethod::Deflated)
}

pub fn zip_with(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

/// Base64 in lines of 76, written here so that the decoder is not tested against itself.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (number, group) in bytes.chunks(3).enumerate() {
        if number > 0 && number % 19 == 0 {
            text.push_str("\r\n");
        }
        let word = group.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            if place <= group.len() {
                text.push(char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text.push_str("\r\n");
    text
}

pub const NAME: &str = "receiver.example!shop.example!1709251200!1709337599.xml.gz";

/// A small report, with `id` as its report id.
pub fn report(id: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback><report_metadata><org_name>Receiver</org_name>\
         <report_id>{id}</report_id></report_metadata></feedback>\n"
    )
}

/// A mail of the parts given: their header lines, and their body as it stands in the mail.
pub fn mail(subject: &str, parts: &[(&str, &str)]) -> String {
    let mut text = format!(
        "From: dmarc@receiver.example\r\nTo: rua@shop.example\r\nSubject: {subject}\r\n\
         Date: Sat, 02 Mar 2024 00:20:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"cut\"\r\n\r\n"
    );
    for (head, body) in parts {
        text.push_str(&format!("--cut\r\n{head}\r\n\r\n{body}\r\n"));
    }
    text.push_str("--cut--\r\n");
    text
}

pub const SUBJECT: &str = "Report Domain: shop.example Submitter: receiver.example Report-ID: <1>";

/// The header lines of a gzip attachment.
pub fn gzip_head() -> String {
    format!(
        "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"{NAME}\""
    )
}
