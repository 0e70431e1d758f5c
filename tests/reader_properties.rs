//! What holds of the reader for every input: it never panics, what is written is read again, and neither the way that
//! bytes arrive nor what the reader remembers changes anything.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod reader_support;

use std::io::Read;

use dmarcase::parse::{Reader, ReaderLimits, Reading, Report};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use reader_support::model::{self, PLAIN, Style};
use reader_support::read;

/// Gives out its bytes in pieces of the given sizes, over and over.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: &'a [usize],
    next: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.next % self.sizes.len()].min(to.len()).min(self.bytes.len());
        self.next += 1;
        let (now, later) = self.bytes.split_at(size);
        to[..size].copy_from_slice(now);
        self.bytes = later;
        Ok(size)
    }
}

/// A reading in words: equal words, equal readings.
fn words(reading: &Reading) -> String {
    format!("{reading:#?}")
}

/// Fails where two readings differ, with the first difference.
fn same(one: &str, other: &str, xml: &str) -> Result<(), TestCaseError> {
    let different = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    prop_assert!(one == other, "{:?}\nof\n{}", different, xml);
    Ok(())
}

fn in_pieces(xml: &[u8], sizes: &[usize], window: usize, memo: bool) -> String {
    let mut reader = Reader::with_window(ReaderLimits::default(), window, memo);
    words(&reader.read(&mut Pieces { bytes: xml, sizes, next: 0 }))
}

/// One change to the tokens of a document.
#[derive(Clone, Debug)]
enum Change {
    Drop(Index),
    Double(Index),
    Swap(Index, Index),
    Replace(Index, &'static str),
    Insert(Index, &'static str),
    Cut(Index),
}

const SCRAPS: [&str; 26] = [
    "<x>",
    "</x>",
    "<record>",
    "</record>",
    "<row>",
    "</row>",
    "<",
    "&",
    "<count>",
    "</count>",
    "<![CDATA[",
    "]]>",
    "<!-- ",
    "-->",
    "<a b='",
    "<?p ",
    "?>",
    "<reason>",
    "&#65;",
    "&lt;",
    "<e:count xmlns:e='urn:example:e'>",
    "\u{feff}",
    "</feedback>",
    "<extension>",
    "</extension>",
    "<!DOCTYPE a>",
];

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Change::Drop),
        at().prop_map(Change::Double),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        (at(), select(SCRAPS.to_vec())).prop_map(|(a, s)| Change::Replace(a, s)),
        (at(), select(SCRAPS.to_vec())).prop_map(|(a, s)| Change::Insert(a, s)),
        at().prop_map(Change::Cut),
    ]
}

/// Splits a document into its tags and the texts between them.
fn tokens(xml: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = xml;
    while !rest.is_empty() {
        let end = if rest.starts_with('<') {
            rest.find('>').map_or(rest.len(), |n| n + 1)
        } else {
            rest.find('<').unwrap_or(rest.len())
        };
        let (token, later) = rest.split_at(end);
        tokens.push(token);
        rest = later;
    }
    tokens
}

fn changed(xml: &str, changes: &[Change]) -> String {
    let mut tokens: Vec<&str> = tokens(xml);
    for change in changes {
        let n = tokens.len().max(1);
        if tokens.is_empty() {
            break;
        }
        match change {
            Change::Drop(at) => drop(tokens.remove(at.index(n))),
            Change::Double(at) => tokens.insert(at.index(n), tokens[at.index(n)]),
            Change::Swap(a, b) => tokens.swap(a.index(n), b.index(n)),
            Change::Replace(at, scrap) => tokens[at.index(n)] = scrap,
            Change::Insert(at, scrap) => tokens.insert(at.index(n), scrap),
            Change::Cut(at) => tokens.truncate(at.index(n) + n / 2),
        }
    }
    tokens.concat()
}

fn same_report(read: &Report, written: &Report) -> Result<(), TestCaseError> {
    prop_assert_eq!(&read.metadata, &written.metadata);
    prop_assert_eq!(&read.policy, &written.policy);
    prop_assert_eq!(&read.records, &written.records);
    prop_assert_eq!(&read.results, &written.results);
    prop_assert_eq!(&read.warnings, &[]);
    prop_assert_eq!(read.report_key(), written.report_key());
    prop_assert_eq!(read.content_key(), written.content_key());
    Ok(())
}

/// A few seconds' worth; `PROPTEST_CASES` asks for more. What a run finds becomes a test of its own.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..2000)) {
        read(&bytes);
    }

    #[test]
    fn any_heap_of_markup_is_read_without_a_panic(scraps in vec(select(SCRAPS.to_vec()), 0..200), inside in any::<bool>()) {
        let heap = scraps.concat();
        let xml = if inside { format!("<feedback>{heap}</feedback>") } else { heap };
        let whole = words(&read(xml.as_bytes()));
        same(&in_pieces(xml.as_bytes(), &[1], 1, false), &whole, &xml)?;
    }

    #[test]
    fn what_is_written_is_read(report in model::report(), style in model::style()) {
        let xml = model::write(&report, &style);
        match read(xml.as_bytes()) {
            Reading::Report(read) => same_report(&read, &report)?,
            other => prop_assert!(false, "{other:?}\n{xml}"),
        }
    }

    #[test]
    fn utf16_says_the_same(report in model::report(), big in any::<bool>(), mark in any::<bool>()) {
        let xml = model::write(&report, &PLAIN);
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        let xml: Vec<u8> = mark.then_some(0xfeff).into_iter().chain(xml.encode_utf16()).flat_map(bytes).collect();
        match read(&xml) {
            Reading::Report(read) => same_report(&read, &report)?,
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn pieces_windows_and_memory_change_nothing(
        report in model::report(),
        style in model::style(),
        changes in vec(change(), 0..4),
        sizes in vec(1_usize..200, 1..5),
        window in 1_usize..2000,
    ) {
        let xml = changed(&model::write(&report, &style), &changes);
        let whole = words(&read(xml.as_bytes()));
        same(&in_pieces(xml.as_bytes(), &[1], 1, false), &whole, &xml)?;
        same(&in_pieces(xml.as_bytes(), &sizes, window, true), &whole, &xml)?;
    }

    #[test]
    fn a_reader_that_remembers_reads_the_same(
        report in model::report(),
        style in model::style(),
        changes in vec(vec(change(), 0..3), 1..6),
    ) {
        let xml = model::write(&report, &style);
        let mut remembers = Reader::new(ReaderLimits::default());
        remembers.read(&mut xml.as_bytes());
        for changes in &changes {
            let xml = changed(&xml, changes);
            let fresh = words(&Reader::with_window(ReaderLimits::default(), 256 << 10, false).read(&mut xml.as_bytes()));
            same(&words(&remembers.read(&mut xml.as_bytes())), &fresh, &xml)?;
        }
    }

    #[test]
    fn a_broken_report_never_gains_messages(
        report in model::report(),
        style in model::style(),
        changes in vec(select(SCRAPS.to_vec()), 0..4),
        places in vec(any::<Index>(), 4),
        dropped in any::<Index>(),
    ) {
        // Scraps between tokens, and one token gone: no such fault writes a number that was not there. A scrap may part
        // a number only where the writer itself does, so it is written in one piece.
        let style = Style { split: false, cdata: false, ..style };
        let xml = model::write(&report, &style);
        let mut tokens = tokens(&xml);
        let n = tokens.len();
        tokens.remove(dropped.index(n));
        for (scrap, place) in changes.iter().zip(&places) {
            let n = tokens.len();
            tokens.insert(place.index(n), scrap);
        }
        if let Reading::Report(read) = read(tokens.concat().as_bytes()) {
            prop_assert!(read.messages() <= report.messages(), "{}", tokens.concat());
            prop_assert!(read.records.len() <= report.records.len() + changes.len());
        }
    }

    #[test]
    fn a_report_cut_anywhere_is_no_report(report in model::report(), cut in any::<Index>()) {
        let xml = model::write(&report, &PLAIN);
        let cut = &xml.as_bytes()[..cut.index(xml.len())];
        prop_assert!(!matches!(read(cut), Reading::Report(_)));
    }
}

/// Found by fuzzing: a note behind the bad byte, in the same window, moved the byte's place to the note's.
#[test]
fn the_place_of_a_bad_byte_does_not_depend_on_the_window() {
    let mut xml = b"<feedback>\n<report_metadata><org_name>Receiver ".to_vec();
    // Line 2, after `<report_metadata><org_name>Receiver `, which has 36 characters.
    xml.push(0x9a);
    xml.extend_from_slice(
        b"</org_name><email>a@b.example</email><report_id>1</report_id><date_range><begin>1709251200</begin>\
          <end>1709337599</end></date_range></report_metadata>\n<policy_published><domain>a.example</domain><p>none</p>\
          </policy_published>\n<record><row><source_ip>192.0.2.1</source_ip><count>many</count></row><auth_results></record>\n\
          </feedback>",
    );
    for window in [64, 100, 1000, 256 << 10] {
        let read = Reader::with_window(ReaderLimits::default(), window, false).read(&mut xml.as_slice());
        let Reading::Report(report) = read else { panic!("{read:?}") };
        let bad = report.warnings.iter().find(|warning| warning.code == "bad-bytes").unwrap();
        assert_eq!((bad.line, bad.column), (2, 37), "window {window}");
        assert!(report.warnings.len() > 1, "another note behind it: {:?}", report.warnings);
    }
}
