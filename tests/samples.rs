//! The committed sample story is what the generator writes, and its figures are those worked out by hand.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, unused_imports)]
#[path = "../src/bin/dmarcase-corpus/generator/mod.rs"]
mod generator;
mod plain_reader;
mod story;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use generator::corpus::{Layout, Options};
use plain_reader::{Counted, Record, Report, by_domain, documents, files, reports};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_reports")
}

fn stored() -> Vec<Report> {
    reports(&files(&samples().join("rua"))).0
}

/// What must not change in a file: its documents and every line that is not base64. Packed bytes may change with the
/// compressor; what they hold may not.
fn content(bytes: &[u8]) -> (Vec<Result<Vec<u8>, String>>, Vec<String>) {
    let packed = bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(b"PK");
    let encoded = |line: &str| line.len() > 60 && !line.contains(' ') || line.ends_with('=') || line.starts_with("H4s");
    let lines = String::from_utf8_lossy(if packed { &[] } else { bytes });
    (documents(bytes), lines.lines().filter(|line| !encoded(line)).map(str::to_owned).collect())
}

#[test]
fn committed_story_is_what_the_generator_writes() {
    let written: BTreeMap<String, Vec<u8>> =
        generator::story::files().unwrap().into_iter().map(|file| (file.path, file.bytes)).collect();
    let root = samples();
    let mut committed = files(&root.join("rua"));
    committed.extend(files(&root.join("delivery")));
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    let names: Vec<String> = committed.iter().map(name).collect();
    let mut generated: Vec<&String> = written.keys().filter(|path| path.starts_with("rua/")).collect();
    generated.extend(written.keys().filter(|path| path.starts_with("delivery/")));
    assert_eq!(names.iter().collect::<Vec<_>>(), generated, "write it again: dmarcase-corpus story sample_reports");
    for (path, name) in committed.iter().zip(&names) {
        let damaged = name.contains("quick-mail") && name.contains("1791158400");
        if !damaged {
            assert!(content(&std::fs::read(path).unwrap()) == content(&written[name]), "{name} differs");
        }
    }
}

#[test]
fn story_has_the_figures_worked_out_by_hand() {
    let found = by_domain(&stored());
    assert_eq!(found.len(), story::DOMAINS.len());
    for expected in story::DOMAINS {
        let row = &found[expected.domain];
        let counted = story::Rates {
            domain: expected.domain,
            reports: row.reports,
            records: row.records,
            messages: row.messages,
            dmarc_pass: row.dmarc_pass,
            dkim_aligned: row.dkim_aligned,
            spf_aligned: row.spf_aligned,
            quarantined: row.quarantined,
            rejected: row.rejected,
            sources: row.sources.len() as u64,
        };
        assert_eq!(counted, expected);
    }
    // The sums of the plan's arithmetic, once as plain numbers.
    assert_eq!((story::NORTHWIND.messages, story::NORTHWIND.dmarc_pass), (14_105, 12_639));
    assert_eq!((story::NEWS.messages, story::PARKED.messages), (6_698, 30));
}

#[test]
fn story_has_the_weeks_worked_out_by_hand() {
    let mut weeks: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for report in stored().iter().filter(|r| r.domain == "northwind.example") {
        // 1970-01-01 was a Thursday: day 4 a Monday.
        let week = weeks.entry((report.day() - 4).div_euclid(7)).or_default();
        for record in &report.records {
            week.0 += record.count;
            week.1 += if record.dkim || record.spf { record.count } else { 0 };
        }
    }
    let expected: Vec<(u64, u64)> = story::NORTHWIND_WEEKS.iter().map(|w| (w.1, w.2)).collect();
    assert_eq!(weeks.into_values().collect::<Vec<_>>(), expected);
}

#[test]
fn story_brings_every_outcome() {
    let paths = files(&samples().join("rua"));
    let (found, again) = reports(&paths);
    assert_eq!(found.len() as u64, story::outcomes::STORED);
    assert_eq!(again, story::outcomes::DUPLICATES + story::outcomes::CONFLICTS);
    assert_eq!(paths.len() as u64, story::outcomes::FILES);
    let mut damaged = Vec::new();
    let (mut items, mut other) = (0, 0);
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        let found = documents(&bytes);
        items += if path.ends_with("big-search.mbox") { found.len() } else { 1 };
        damaged.extend(found.iter().filter_map(|d| d.clone().err()));
        let any = found.iter().flatten().any(|d| d.windows(9).any(|w| w == b"<feedback"));
        other += u64::from(!any);
    }
    assert_eq!(items as u64, story::outcomes::ITEMS);
    assert_eq!(damaged.len() as u64, story::outcomes::REJECTED);
    let expected = story::outcomes::NOT_REPORTS + story::outcomes::FAILURE_REPORTS + story::outcomes::TLS_REPORTS;
    assert_eq!(other, expected + story::outcomes::REJECTED);
    let twelve: std::collections::BTreeSet<&String> = found.iter().map(|r| &r.reporter).collect();
    assert_eq!(twelve.len(), 12);
    let size: u64 = files(&samples()).iter().map(|p| p.metadata().unwrap().len()).sum();
    assert!(size < 450_000, "{size} bytes of samples");
}

/// Messages of `northwind.example`, or of another domain, that meet a condition.
fn messages(domain: &str, wanted: impl Fn(&Report, &Record) -> bool) -> u64 {
    let reports = stored();
    let of_domain = reports.iter().filter(|r| r.domain == domain);
    of_domain.flat_map(|r| r.records.iter().filter(|x| wanted(r, x)).map(|x| x.count)).sum()
}

fn is(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

#[test]
fn gaps_have_the_messages_worked_out_by_hand() {
    let dkim_pass = |x: &Record| x.dkim_results.iter().any(|d| d[2] == "pass");
    let spf_pass = |x: &Record| x.spf_results.iter().any(|s| s[1] == "pass");
    let fails = |x: &Record| !x.dkim && !x.spf;
    let own = |name: &str| name.ends_with("northwind.example");
    for (gap, domain, expected) in story::GAPS {
        let found = match gap {
            "G06" => messages(domain, |_, x| fails(x) && (dkim_pass(x) || spf_pass(x))),
            "G07" => messages(domain, |_, x| spf_pass(x) && !x.spf),
            "G08" => messages(domain, |_, x| dkim_pass(x) && !x.dkim),
            // The only source that is SPF aligned on some days and DKIM aligned on none.
            "G09" => messages(domain, |_, x| x.source == "192.0.2.25"),
            "G10" => messages(domain, |_, x| {
                x.dkim_results.iter().any(|d| own(&d[0]) && is(&["fail", "permerror", "temperror"], &d[2]))
            }),
            "G11" => messages(domain, |_, x| x.spf_results.iter().any(|s| own(&s[0]) && s[1] == "permerror")),
            "G12" => messages(domain, |r, x| x.header_from != r.domain),
            "G13" => messages(domain, |_, x| fails(x) && !x.reasons.is_empty()),
            "G14" => messages(domain, |r, x| {
                let asked = if x.header_from == r.domain { &r.p } else { &r.sp };
                fails(x) && x.reasons.is_empty() && x.disposition == "none" && asked != "none"
            }),
            _ => continue,
        };
        assert_eq!(found, expected, "{gap} {domain}");
    }
    let saw =
        stored().into_iter().filter(|r| r.records.iter().any(|x| x.spf_results.iter().any(|s| s[1] == "permerror")));
    let reporters: std::collections::BTreeSet<String> = saw.map(|r| r.reporter).collect();
    assert_eq!(reporters.len() as u64, story::SPF_PERMERROR_REPORTERS);
}

#[test]
fn senders_have_the_messages_worked_out_by_hand() {
    let reports = stored();
    let day = |name: &str| {
        let date: chrono::NaiveDate = name.parse().unwrap();
        date.signed_duration_since(chrono::NaiveDate::default()).num_days()
    };
    for sender in story::SENDERS {
        let belongs = |x: &Record| match sender.sender {
            "northwind-mta" => is(&["192.0.2.10", "192.0.2.11"], &x.source),
            "office-scanner" => x.source == "192.0.2.25",
            "newsletter" => is(&["198.51.100.31", "198.51.100.32"], &x.source),
            "crm-suite.example" => is(&["198.51.100.21", "198.51.100.22", "198.51.100.23"], &x.source),
            "Twilio SendGrid" => is(&["198.51.100.61", "198.51.100.62"], &x.source),
            "alumni-forward.example" => x.source == "198.51.100.140",
            "trade-forum-lists.example" => x.source == "198.51.100.150",
            _ => x.source == sender.sender,
        };
        let mut row = Counted::default();
        let mut days = Vec::new();
        for report in &reports {
            for x in report.records.iter().filter(|x| belongs(x)) {
                row.messages += x.count;
                row.dkim_aligned += if x.dkim { x.count } else { 0 };
                row.spf_aligned += if x.spf { x.count } else { 0 };
                row.dmarc_pass += if x.dkim || x.spf { x.count } else { 0 };
                row.sources.insert(x.source.clone());
                days.push(report.day());
            }
        }
        let found = (row.messages, row.dmarc_pass, row.dkim_aligned, row.spf_aligned, row.sources.len() as u64);
        let expected = (sender.messages, sender.dmarc_pass, sender.dkim_aligned, sender.spf_aligned, sender.sources);
        assert_eq!(found, expected, "{}", sender.sender);
        let (first, last) = (days.iter().min(), days.iter().max());
        assert_eq!((first, last), (Some(&day(sender.first_day)), Some(&day(sender.last_day))), "{}", sender.sender);
    }
    let burst = |x: &Record| x.source.starts_with("203.0.113.") || x.source.starts_with("2001:db8:bad:");
    let records: Vec<&Record> = reports.iter().flat_map(|r| &r.records).filter(|x| burst(x)).collect();
    assert_eq!(records.iter().map(|x| x.count).sum::<u64>(), story::SPOOFING_MESSAGES);
    let sources: std::collections::BTreeSet<&String> = records.iter().map(|x| &x.source).collect();
    assert_eq!(sources.len() as u64, story::SPOOFING_SOURCES);
    let in_senders: u64 = story::SENDERS.iter().map(|s| s.messages).sum();
    let all: u64 = story::DOMAINS.iter().map(|d| d.messages).sum();
    assert_eq!(in_senders + story::SPOOFING_MESSAGES, all, "every message has its sender");
}

#[test]
fn corpus_truth_equals_a_second_reading() {
    for layout in [Layout::Files, Layout::Maildir, Layout::Mbox] {
        let folder = tempfile::tempdir().unwrap();
        let options =
            Options { reports: 150, seed: 7, domains: 5, layout, dup: 10.0, records_per_report: None, conflicts: 3 };
        generator::corpus::write(folder.path(), &options).unwrap();
        let truth: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("truth.json")).unwrap()).unwrap();
        let all = files(folder.path());
        let paths: Vec<PathBuf> = all.into_iter().filter(|p| !p.ends_with("truth.json")).collect();
        let (found, again) = reports(&paths);
        assert_eq!(found.len() as u64, 150, "{layout:?}");
        assert_eq!(Some(again), truth["duplicates"].as_u64().map(|d| d + 3), "{layout:?}");
        let size: u64 = paths.iter().map(|p| p.metadata().unwrap().len()).sum();
        assert_eq!(truth["stored_bytes"], size);
        let mut records = 0;
        for (domain, row) in by_domain(&found) {
            let expected = &truth["by_domain"][&domain];
            let figures = serde_json::json!({"reports": row.reports, "records": row.records, "messages": row.messages,
                "pass": row.dmarc_pass, "dkim_aligned": row.dkim_aligned, "spf_aligned": row.spf_aligned,
                "quarantined": row.quarantined, "rejected": row.rejected, "sources": row.sources.len()});
            assert_eq!(&figures, expected, "{domain} {layout:?}");
            records += row.records;
        }
        assert_eq!(truth["records"], records);
    }
}

#[test]
fn clean_domain_has_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let truth = generator::clean::write(folder.path()).unwrap();
    let found = reports(&files(&folder.path().join("files"))).0;
    assert_eq!(found.len(), 3 * 42);
    let records: Vec<&Record> = found.iter().flat_map(|r| &r.records).collect();
    assert!(records.iter().all(|x| x.dkim && x.spf && x.reasons.is_empty() && x.header_from == "healthy.example"));
    assert!(found.iter().all(|r| r.p == "reject" && r.sp == "reject" && r.error.is_empty() && r.testing != "y"));
    assert_eq!(truth["messages"], records.iter().map(|x| x.count).sum::<u64>());
}

#[test]
fn year_is_labelled_rightly() {
    let folder = tempfile::tempdir().unwrap();
    generator::year::write(folder.path(), 1, 21).unwrap();
    let labels: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
    let mut stream_of = BTreeMap::new();
    for (number, stream) in labels["streams"].as_array().unwrap().iter().enumerate() {
        for source in stream["sources"].as_array().unwrap() {
            let key = (stream["header_from"].to_string(), source.to_string());
            assert_eq!(stream_of.insert(key, number), None, "one stream for each pair of header from and source");
        }
    }
    let mut messages = vec![(0, 0); labels["streams"].as_array().unwrap().len()];
    for report in reports(&[folder.path().join("reports.mbox")]).0 {
        for record in report.records {
            let key = (format!("{:?}", record.header_from), format!("{:?}", record.source));
            let stream = &mut messages[stream_of[&key]];
            stream.0 += record.count;
            stream.1 += if record.dkim || record.spf { record.count } else { 0 };
        }
    }
    for (stream, (messages, pass)) in labels["streams"].as_array().unwrap().iter().zip(messages) {
        assert_eq!(stream["messages"], messages, "{stream:.200}");
        assert_eq!(stream["dmarc_pass"], pass);
        // What never passes never passes, and the other way round.
        match stream["class"].as_str().unwrap() {
            "own" | "service" => assert!(pass * 100 >= messages * 97),
            "forwarding" => assert!(pass > 0 && pass < messages),
            _ => assert_eq!(pass, 0),
        }
    }
}

#[test]
fn readme_of_the_story_tells_its_figures() {
    let readme = std::fs::read_to_string(samples().join("README.md")).unwrap();
    let grouped = |n: u64| if n < 1_000 { n.to_string() } else { format!("{},{:03}", n / 1_000, n % 1_000) };
    let counted = by_domain(&stored());
    let sources: std::collections::BTreeSet<&String> = counted.values().flat_map(|row| &row.sources).collect();
    let sum = |of: fn(&story::Rates) -> u64| story::DOMAINS.iter().map(of).sum();
    let all = story::Rates {
        domain: "all",
        reports: sum(|d| d.reports),
        records: sum(|d| d.records),
        messages: sum(|d| d.messages),
        dmarc_pass: sum(|d| d.dmarc_pass),
        dkim_aligned: sum(|d| d.dkim_aligned),
        spf_aligned: sum(|d| d.spf_aligned),
        quarantined: sum(|d| d.quarantined),
        rejected: sum(|d| d.rejected),
        sources: sources.len() as u64,
    };
    for d in story::DOMAINS.iter().chain([&all]) {
        let figures = [d.reports, d.records, d.messages, d.dmarc_pass, d.dkim_aligned, d.spf_aligned];
        let figures = figures.into_iter().chain([d.quarantined, d.rejected, d.sources]);
        let line = format!("| {} | {} |", d.domain, figures.map(grouped).collect::<Vec<_>>().join(" | "));
        assert!(readme.contains(&line), "README.md lacks: {line}");
    }
    for sender in story::SENDERS {
        let tail = format!("{} | {} |", grouped(sender.messages), grouped(sender.dmarc_pass));
        let told = readme.lines().any(|l| l.starts_with(&format!("| {} |", sender.sender)) && l.ends_with(&tail));
        assert!(told, "README.md lacks {} {tail}", sender.sender);
    }
}
