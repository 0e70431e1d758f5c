//! Any bytes as an item: no panic, documents within their limit, every error a fault.
#![no_main]

use std::io::Read;

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::unpack::{Fault, Limits, feedback_domain, tls_report_domain, unpack, unpack_tree};
use libfuzzer_sys::fuzz_target;

const DOCUMENT_BYTES: u64 = 256 << 10;

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let origin = match kind % 4 {
        0 => Origin::Mailbox { account: "a".into(), folder: "INBOX".into(), uid_validity: 1, uid: 1 },
        1 => Origin::File { path: "a!b.example!1709251200!1709337599.xml.gz".into(), member: None },
        2 => Origin::File { path: "r.zip".into(), member: None },
        _ => Origin::File { path: "box".into(), member: Some(1) },
    };
    let item = Item { origin, content: Content::Bytes(data.to_vec()), received_at: None };
    let limits = Limits { document_bytes: DOCUMENT_BYTES, attachments: 8, ..Limits::default() };
    let mut documents = 0;
    let unpacked = unpack(&item, &limits, &mut |document| {
        documents += 1;
        let mut content = Vec::new();
        if let Err(error) = document.content.read_to_end(&mut content) {
            assert!(Fault::of(&error).is_some(), "an error without a fault: {error}");
        }
        assert!(content.len() as u64 <= DOCUMENT_BYTES);
        let _ = feedback_domain(&content);
        let _ = tls_report_domain(&mut content.as_slice(), DOCUMENT_BYTES);
    });
    assert!(documents > 0 || !unpacked.faults.is_empty() || unpacked.no_report.is_some(), "nothing said");
    let _ = unpack_tree(&item, &limits, &mut |_| {});
});
