//! What anyone can mail to a rua address, at full size: each attack in a run of its own, beside one ordinary report.
//!
//! ```sh
//! make bench-attacks
//! ```
//!
//! Prints what became of the attack, the time, and the peak memory; fails where the ordinary report is not stored.
//! The same attacks, smaller, are in the test suite (`tests/unpack_limits.rs`, `tests/reader_limits.rs`).

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Cursor, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use zip::{ZipWriter, write::SimpleFileOptions};

const HEAD: &str = "<feedback><report_metadata><org_name>attacker.example</org_name><email>a@attacker.example</email>\
    <report_id>1</report_id><date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>\
    <policy_published><domain>shop.example</domain><p>none</p></policy_published>";
const RECORD: &str = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none\
    </disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row><identifiers><header_from>shop.example\
    </header_from></identifiers><auth_results><spf><domain>shop.example</domain><result>pass</result></spf></auth_results></record>";
const MB: usize = 1 << 20;

type Writes = fn(&mut dyn Write) -> io::Result<()>;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let ordinary = HEAD.replace("<report_id>1<", "<report_id>ordinary<") + RECORD + "</feedback>";
    println!("{:36} {:>8} {:>9} {:>9}  outcome", "attack", "bytes", "seconds", "peak MB");
    for (name, file, write) in ATTACKS {
        let attack = folder.path().join("attack");
        fs::create_dir(&attack).unwrap();
        fs::write(attack.join("ordinary.xml"), &ordinary).unwrap();
        let path = attack.join(file);
        let mut out = BufWriter::new(File::create(&path).unwrap());
        write(&mut out).unwrap();
        out.into_inner().unwrap();
        let bytes = fs::metadata(&path).unwrap().len();
        let store = folder.path().join("store.duckdb");
        let (time, peak) = import(&store, &attack);
        assert_eq!(asked(&store, "SELECT count(*) FROM report WHERE report_id = 'ordinary'"), "1", "{name}");
        let outcome = asked(
            &store,
            "SELECT string_agg(n || ' ' || outcome || coalesce(': ' || left(reason, 60), ''), '; ' ORDER BY outcome)
             FROM (SELECT count(*) AS n, outcome, any_value(reason) AS reason FROM ledger WHERE path NOT LIKE '%ordinary%' GROUP BY outcome)",
        );
        println!("{name:36} {bytes:8} {:9.2} {:9}  {outcome}", time.as_secs_f64(), peak / 1024);
        fs::remove_dir_all(&attack).unwrap();
        fs::remove_file(&store).unwrap();
    }
}

/// Name, file, and what writes it.
const ATTACKS: &[(&str, &str, Writes)] = &[
    ("gzip of 10 GB", "a.xml.gz", |out| gzip(out, ten_gigabytes)),
    ("zip of 10 GB", "a.zip", |out| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("a.xml", SimpleFileOptions::default().large_file(true).compression_level(Some(1)))?;
        ten_gigabytes(&mut zip)?;
        out.write_all(zip.finish()?.get_ref())
    }),
    ("the gzip bomb, nested 5 deep", "a.xml.gz", |out| {
        let mut inner = Vec::new();
        gzip(&mut inner, ten_gigabytes)?;
        for _ in 0..3 {
            let mut outer = Vec::new();
            gzip(&mut outer, |out| out.write_all(&inner))?;
            inner = outer;
        }
        gzip(out, |out| out.write_all(&inner))
    }),
    ("65,000 members", "a.zip", |out| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for n in 0..65_000 {
            zip.start_file(format!("{n}.xml"), SimpleFileOptions::default())?;
            zip.write_all(b"<feedback>")?;
        }
        out.write_all(zip.finish()?.get_ref())
    }),
    ("5,000 members over the same 200 MB", "a.zip", overlapping),
    ("billion laughs", "a.xml", |out| {
        let mut entities = "<!DOCTYPE feedback [<!ENTITY l0 \"lol\">".to_owned();
        for n in 1..10 {
            write!(entities, "<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)).map_err(io::Error::other)?;
        }
        let document = HEAD.replace("attacker.example</org_name>", "&l9;</org_name>") + RECORD + "</feedback>";
        write!(out, "{entities}]>{document}")
    }),
    ("external entity", "a.xml", |out| {
        let document = HEAD.replace("attacker.example</org_name>", "&e;</org_name>") + RECORD + "</feedback>";
        write!(out, "<!DOCTYPE feedback [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{document}")
    }),
    ("an attribute of 1 GB", "a.xml.gz", |out| {
        gzip(out, |out| {
            write!(out, "{HEAD}<record a=\"")?;
            repeat(out, &vec![b'A'; MB], 1024)?;
            write!(out, "\">{}</feedback>", RECORD.trim_start_matches("<record>"))
        })
    }),
    ("a text of 1 GB", "a.xml.gz", |out| {
        gzip(out, |out| {
            write!(out, "<feedback><report_metadata><org_name>")?;
            repeat(out, &vec![b'A'; MB], 1024)
        })
    }),
    ("10 million elements deep", "a.xml.gz", |out| {
        gzip(out, |out| {
            write!(out, "{HEAD}")?;
            repeat(out, "<a>".repeat(100_000).as_bytes(), 100)?;
            repeat(out, "</a>".repeat(100_000).as_bytes(), 100)?;
            write!(out, "{RECORD}</feedback>")
        })
    }),
    ("1 GB of comments", "a.xml.gz", |out| flood(out, "<!---->")),
    ("1 GB of one repeated element", "a.xml.gz", |out| flood(out, "<policy_published/>")),
    ("1 GB of stray ends", "a.xml.gz", |out| flood(out, "</a></b>")),
    ("1 GB of errors", "a.xml.gz", |out| {
        gzip(out, |out| {
            write!(out, "<feedback><report_metadata>")?;
            repeat(out, "<error>x</error>".repeat(MB / 16).as_bytes(), 1024)
        })
    }),
    ("40 reports, all text in them new", "a.zip", |out| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for report in 0..40 {
            zip.start_file(format!("{report}.xml"), SimpleFileOptions::default().compression_level(Some(1)))?;
            zip.write_all(HEAD.replace("<report_id>1<", &format!("<report_id>{report}<")).as_bytes())?;
            for record in 0..1200 {
                let reason = |n: usize| {
                    let text = hex(&noise(report * 10_000 + record * 3 + n, 100)).repeat(20);
                    format!("<reason><type>other</type><comment>{text}</comment></reason>")
                };
                let reasons = (0..3).map(reason).collect::<String>() + "</policy_evaluated>";
                zip.write_all(RECORD.replace("</policy_evaluated>", &reasons).as_bytes())?;
            }
            zip.write_all(b"</feedback>")?;
        }
        out.write_all(zip.finish()?.get_ref())
    }),
    ("60 MB that end in the middle", "a.xml", |out| {
        write!(out, "{HEAD}")?;
        out.write_all(&noise(1, 60 * MB))
    }),
    ("5 million records", "a.xml.gz", |out| {
        gzip(out, |out| {
            write!(out, "{HEAD}")?;
            repeat(out, RECORD.repeat(10_000).as_bytes(), 500)?;
            write!(out, "</feedback>")
        })
    }),
];

/// Bytes that nothing makes smaller.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Begins as a report does, so that it is read until a limit ends it.
fn ten_gigabytes(out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{HEAD}")?;
    repeat(out, "<a/>".repeat(MB / 4).as_bytes(), 10 * 1024)
}

/// A report with a gigabyte of something in it.
fn flood(out: &mut dyn Write, token: &str) -> io::Result<()> {
    gzip(out, |out| {
        write!(out, "{HEAD}")?;
        repeat(out, token.repeat(MB / token.len()).as_bytes(), 1024)?;
        write!(out, "{RECORD}</feedback>")
    })
}

/// One local member, and a directory that names it 5,000 times.
fn overlapping(out: &mut dyn Write) -> io::Result<()> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.xml", SimpleFileOptions::default())?;
    zip.write_all(HEAD.as_bytes())?;
    repeat(&mut zip, &vec![b' '; MB], 200)?;
    let one = zip.finish()?.into_inner();
    let at = |mark: &[u8]| one.windows(4).rposition(|four| four == mark).unwrap();
    let (directory, end) = (at(b"PK\x01\x02"), at(b"PK\x05\x06"));
    let members = 5_000;
    out.write_all(&one[..directory])?;
    repeat(out, &one[directory..end], members)?;
    let counted = u16::try_from(members).map_err(io::Error::other)?.to_le_bytes();
    let size = u32::try_from((end - directory) * members).map_err(io::Error::other)?.to_le_bytes();
    let start = u32::try_from(directory).map_err(io::Error::other)?.to_le_bytes();
    let parts: [&[u8]; 7] = [b"PK\x05\x06", &[0; 4], &counted, &counted, &size, &start, &[0; 2]];
    out.write_all(&parts.concat())
}

fn gzip(out: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut encoder = GzEncoder::new(out, Compression::fast());
    write(&mut encoder)?;
    encoder.finish().map(drop)
}

fn repeat(out: &mut (impl Write + ?Sized), block: &[u8], times: usize) -> io::Result<()> {
    (0..times).try_for_each(|_| out.write_all(block))
}

/// Imports a folder; returns the time and the peak memory, KB.
fn import(store: &Path, folder: &Path) -> (Duration, u64) {
    let started = Instant::now();
    let mut child =
        dmarcase(store).arg("import").arg(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (_, peak) = support::peak_of(&mut child);
    (started.elapsed(), peak)
}

/// The one value of a statement.
fn asked(store: &Path, sql: &str) -> String {
    let output = dmarcase(store).args(["--format", "csv", "sql", sql]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().nth(1).unwrap_or_default().trim_matches('"').to_owned()
}

fn dmarcase(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
    command.args(["--no-progress", "--db"]).arg(store);
    command
}
