//! The reader's limits at their edge and one past it, and what strangers may send to a public address.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod reader_support;

use std::io::Read;
use std::time::{Duration, Instant};

use dmarcase::parse::{Reader, ReaderLimits, Reading};
use reader_support::{read, read_with, rejected, report};

const HEAD: &str = "<feedback><report_metadata><org_name>Receiver</org_name><email>dmarc@receiver.example</email>\
    <report_id>1</report_id><date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata>\
    <policy_published><domain>shop.example</domain><p>none</p></policy_published>";

fn record(address: &str, count: u64) -> String {
    format!(
        "<record><row><source_ip>{address}</source_ip><count>{count}</count><policy_evaluated>\
         <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
         <identifiers><header_from>shop.example</header_from></identifiers>\
         <auth_results><spf><domain>shop.example</domain><result>fail</result></spf></auth_results></record>"
    )
}

fn with_records(n: usize) -> String {
    let records: String = (0..n).map(|_| record("192.0.2.1", 1)).collect();
    format!("{HEAD}{records}</feedback>")
}

/// Content that is made while it is read: pieces until there are none.
struct Stream<F: FnMut(u64) -> Option<Vec<u8>>> {
    piece: F,
    next: u64,
    now: std::io::Cursor<Vec<u8>>,
}

fn stream(piece: impl FnMut(u64) -> Option<Vec<u8>>) -> impl Read {
    Stream { piece, next: 0, now: std::io::Cursor::default() }
}

impl<F: FnMut(u64) -> Option<Vec<u8>>> Read for Stream<F> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = self.now.read(to)?;
            if read > 0 || to.is_empty() {
                return Ok(read);
            }
            match (self.piece)(self.next) {
                Some(piece) => self.now = std::io::Cursor::new(piece),
                None => return Ok(0),
            }
            self.next += 1;
        }
    }
}

/// Reads within the time that issue an operator would wait, on a machine that is busy with other tests.
fn in_time(content: &mut dyn Read) -> Reading {
    let start = Instant::now();
    let reading = Reader::new(ReaderLimits::default()).read(content);
    assert!(start.elapsed() < Duration::from_secs(30), "took {:?}", start.elapsed());
    reading
}

fn code(reading: Reading) -> &'static str {
    match reading {
        Reading::Rejected(rejection) => rejection.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn records_at_the_limit_and_one_past_it() {
    let limits = ReaderLimits { records: 3, ..ReaderLimits::default() };
    assert!(matches!(read_with(with_records(3).as_bytes(), limits), Reading::Report(r) if r.records.len() == 3));
    assert_eq!(code(read_with(with_records(4).as_bytes(), limits)), "records");
}

#[test]
fn a_text_at_the_limit_and_one_past_it() {
    let limits = ReaderLimits { text_bytes: 100, ..ReaderLimits::default() };
    let with = |bytes: usize| with_records(1).replace("Receiver<", &format!("{}<", "r".repeat(bytes)));
    assert!(matches!(read_with(with(100).as_bytes(), limits), Reading::Report(_)));
    assert_eq!(code(read_with(with(101).as_bytes(), limits)), "text_bytes");
    // In pieces, too: none of them is too long, all of them are.
    let pieces = with_records(1).replace("Receiver<", &format!("{}<", "<![CDATA[0123456789]]>".repeat(11)));
    assert_eq!(code(read_with(pieces.as_bytes(), limits)), "text_bytes");
}

#[test]
fn of_a_long_text_the_beginning_is_kept_and_that_is_said() {
    // 4096 bytes are kept: the 1365 letters of three bytes before the next would end behind it.
    let with = |letters: usize| with_records(1).replace("Receiver<", &format!("{}<", "\u{20ac}".repeat(letters)));
    for (letters, kept, warned) in [(1365, 1365, false), (1366, 1365, true)] {
        let Reading::Report(report) = read_with(with(letters).as_bytes(), ReaderLimits::default()) else { panic!() };
        assert_eq!(report.metadata.reporter.unwrap().chars().count(), kept);
        assert_eq!(report.warnings.iter().any(|warning| warning.code == "long-text"), warned);
    }
}

#[test]
fn errors_are_kept_as_far_as_they_are_short() {
    let with = |bytes: usize| {
        let errors = format!("<error>{}</error>", "e".repeat(bytes)).repeat(5);
        let document = with_records(1).replace("</report_metadata>", &format!("{errors}</report_metadata>"));
        match read_with(document.as_bytes(), ReaderLimits::default()) {
            Reading::Report(report) => report.metadata.errors.len(),
            other => panic!("{other:?}"),
        }
    };
    // 16,384 bytes of them.
    assert_eq!((with(3276), with(3277)), (5, 4));
}

#[test]
fn a_record_has_so_much_text_and_no_more() {
    let with = |bytes: usize| {
        let comment =
            |bytes: usize| format!("<reason><type>other</type><comment>{}</comment></reason>", "c".repeat(bytes));
        let reasons = comment(4096).repeat(3) + &comment(bytes);
        with_records(1).replace("</policy_evaluated>", &format!("{reasons}</policy_evaluated>"))
    };
    assert!(matches!(read_with(with(3000).as_bytes(), ReaderLimits::default()), Reading::Report(_)));
    assert_eq!(code(read_with(with(4096).as_bytes(), ReaderLimits::default())), "results_bytes");
}

#[test]
fn a_tag_and_a_comment_at_the_limit_and_one_past_it() {
    let limits = ReaderLimits { text_bytes: 100, ..ReaderLimits::default() };
    let with = |token: String| with_records(1).replace("<record>", &format!("{token}<record>"));
    let tag = |bytes: usize| format!("<x a=\"{}\"/>", "a".repeat(bytes - 9));
    let comment = |bytes: usize| format!("<!--{}-->", "a".repeat(bytes - 7));
    for token in [tag(100), comment(100)] {
        assert!(matches!(read_with(with(token).as_bytes(), limits), Reading::Report(_)));
    }
    for token in [tag(101), comment(101)] {
        assert_eq!(code(read_with(with(token).as_bytes(), limits)), "text_bytes");
    }
}

#[test]
fn markup_at_the_limit_and_one_past_it() {
    // Counted by hand: the tags of the report, its start tags and end tags one each, and what is put before its record.
    let report = with_records(1);
    let tags = u32::try_from(report.matches('<').count() - report.matches("<?").count()).unwrap();
    let declarations = 2 * u32::try_from(report.matches("<?").count()).unwrap();
    let limits = ReaderLimits { markup: tags + declarations + 20, ..ReaderLimits::default() };
    let with = |token: &str, times: usize| report.replacen("<record>", &format!("{}<record>", token.repeat(times)), 1);
    for (token, fits) in
        [("<x/>", 10), ("<x></x>", 10), ("<!--x-->", 10), ("<?x?>", 10), ("<![CDATA[]]>", 10), ("</x>", 6)]
    {
        assert!(matches!(read_with(with(token, fits).as_bytes(), limits), Reading::Report(_)), "{token}");
        assert_eq!(code(read_with(with(token, fits + 1).as_bytes(), limits)), "markup", "{token}");
    }
}

#[test]
fn a_flood_of_markup_that_means_nothing_ends_at_the_limit() {
    let limits = ReaderLimits { markup: 1_000_000, records: 100_000, ..ReaderLimits::default() };
    for token in ["<a/>", "<a>", "</a>", "<!---->", "<?a?>", "<![CDATA[]]>", "&amp;", "<policy_published/>", "<email/>"]
    {
        let mut flood =
            stream(|n| Some(if n == 0 { HEAD.as_bytes().to_vec() } else { token.repeat(10_000).into_bytes() }));
        assert_eq!(code(Reader::new(limits).read(&mut flood)), "markup", "{token}");
    }
}

#[test]
fn a_rejection_names_its_place() {
    let xml = "<feedback>\n <report_metadata>\n  <org_name>A</org_name>\n";
    let rejection = rejected(xml.as_bytes());
    assert_eq!((rejection.code, rejection.line, rejection.column), ("truncated", 4, 1));
    assert_eq!(rejection.byte, xml.len() as u64);
    assert!(rejection.to_string().contains("line 4, column 1"), "{rejection}");
}

#[test]
fn no_entity_is_expanded() {
    let mut laughs = String::from("<!DOCTYPE feedback [<!ENTITY lol0 \"lol\">");
    for n in 1..20 {
        laughs += &format!("<!ENTITY lol{n} \"{}\">", format!("&lol{};", n - 1).repeat(10));
    }
    laughs += "]>";
    let xml = with_records(1).replace("Receiver<", "&lol19;<");
    let rejection = rejected(format!("{laughs}{xml}").as_bytes());
    assert_eq!(rejection.code, "entities");
    let external = "<!DOCTYPE feedback [<!ENTITY % out SYSTEM \"file:///etc/passwd\"> %out;]>";
    assert_eq!(rejected(format!("{external}{xml}").as_bytes()).code, "entities");
    // Without a DOCTYPE the name is kept as written, with a warning.
    let report = report(xml.as_bytes());
    assert_eq!(report.metadata.reporter.as_deref(), Some("&lol19;"));
    assert!(report.warnings.iter().any(|w| w.code == "unknown-entity"));
}

#[test]
fn an_attribute_of_a_gigabyte_is_refused_at_its_start() {
    let mut content = stream(|n| match n {
        0 => Some(format!("{HEAD}<x a=\"").into_bytes()),
        1..=16_384 => Some(vec![b'a'; 64 << 10]),
        _ => None,
    });
    assert_eq!(code(in_time(&mut content)), "text_bytes");
}

#[test]
fn ten_million_open_elements_cost_a_counter() {
    let mut content = stream(|n| match n {
        0 => Some(HEAD.as_bytes().to_vec()),
        1..=1000 => Some(b"<a>".repeat(10_000)),
        _ => None,
    });
    assert_eq!(code(in_time(&mut content)), "truncated");
    let mut closed = stream(|n| match n {
        0 => Some(HEAD.as_bytes().to_vec()),
        1..=1000 => Some(b"<a>".repeat(10_000)),
        1001..=2000 => Some(b"</a>".repeat(10_000)),
        2001 => Some(format!("{}</feedback>", record("192.0.2.1", 7)).into_bytes()),
        _ => None,
    });
    match in_time(&mut closed) {
        Reading::Report(report) => assert_eq!(report.messages(), 7),
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_million_records_are_refused_and_those_under_the_limit_read() {
    fn records(n: u64) -> impl Read {
        stream(move |at| match at {
            0 => Some(HEAD.as_bytes().to_vec()),
            at if at <= n / 1000 => {
                Some((0..1000).map(|i| record(&format!("192.0.2.{}", i % 256), i)).collect::<String>().into_bytes())
            }
            at if at == n / 1000 + 1 => Some(b"</feedback>".to_vec()),
            _ => None,
        })
    }
    assert_eq!(code(in_time(&mut records(5_000_000))), "records");
    match in_time(&mut records(1_900_000)) {
        Reading::Report(report) => {
            assert_eq!((report.records.len(), report.results.len()), (1_900_000, 1));
            assert_eq!(report.messages(), 1900 * 499_500);
        }
        other => panic!("{other:?}"),
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
        let peak: u64 = peak.trim().parse().unwrap();
        assert!(peak < 300 << 10, "peak memory of {peak} KiB");
    }
}

#[test]
fn distinct_results_beyond_their_memory_are_refused() {
    let mut content = stream(|n| match n {
        0 => Some(HEAD.as_bytes().to_vec()),
        1..=1000 => {
            let record = |i: u64| record("192.0.2.1", 1).replace("shop.example", &format!("h{n}-{i}.shop.example"));
            Some((0..1000).map(record).collect::<String>().into_bytes())
        }
        _ => None,
    });
    assert_eq!(code(in_time(&mut content)), "results_bytes");
}

#[test]
fn a_heap_of_broken_tags_takes_no_time() {
    for broken in ["<", "<a ", "<a b='", "&", "</", "<!"] {
        let mut content = stream(|n| match n {
            0 => Some(HEAD.as_bytes().to_vec()),
            1..=400 => Some(broken.repeat(10_000).into_bytes()),
            _ => None,
        });
        assert!(!matches!(in_time(&mut content), Reading::Report(_)), "{broken}");
    }
}

#[test]
fn junk_of_any_size_behind_a_report_is_one_warning() {
    let report_text = with_records(1);
    let mut content = stream(|n| match n {
        0 => Some(report_text.clone().into_bytes()),
        1..=1000 => Some(b"\0<<\0-- ".repeat(10_000)),
        _ => None,
    });
    match in_time(&mut content) {
        Reading::Report(report) => assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_report_behind_the_first_is_never_lost_without_a_word() {
    let twice = format!("{0}\n{0}", with_records(1));
    assert_eq!(rejected(twice.as_bytes()).code, "second-report");
    let early = with_records(2).replacen("</record>", "</record></feedback>", 1);
    assert_eq!(rejected(early.as_bytes()).code, "part-behind");
}

#[test]
fn what_is_no_report_says_why() {
    let why = |bytes: &[u8]| match read(bytes) {
        Reading::NotAReport(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(b"<html><body/></html>"), "XML whose root is <html>, not <feedback>");
    assert_eq!(why(b"unused"), "no XML: starts with \"unused\"");
    assert_eq!(why(b""), "no XML: nothing but blanks");
    assert_eq!(code(read(b"<feedback/>")), "empty-report");
}

#[test]
fn many_different_warnings_are_bounded() {
    let names: String = (0..1000).map(|n| format!("<x{n}/>")).collect();
    let report = report(with_records(1).replace("<record>", &format!("{names}<record>")).as_bytes());
    assert_eq!(report.warnings.len(), 101);
    assert_eq!(report.warnings.last().map(|w| w.text.as_str()), Some("900 further warnings are not shown"));
}

#[test]
fn an_error_of_the_content_is_passed_on() {
    struct Damaged(bool);
    impl Read for Damaged {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(std::io::Error::other("damaged"));
            }
            let xml = with_records(1);
            to[..xml.len()].copy_from_slice(xml.as_bytes());
            Ok(xml.len())
        }
    }
    assert!(matches!(read_damaged(), Reading::Unreadable(e) if e.to_string() == "damaged"));
    fn read_damaged() -> Reading {
        Reader::new(ReaderLimits::default()).read(&mut Damaged(false))
    }
}
