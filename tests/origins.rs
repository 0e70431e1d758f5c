//! Where items come from: folders, maildirs, mboxes, their order, their numbers and their limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use dmarcase::fetch::{Content, FetchError, FileOptions, Item, Origin, check_paths, items, survey};
use proptest::collection::vec;
use proptest::prelude::*;

const OPTIONS: FileOptions = FileOptions { hold_bytes: 1 << 20, mail_bytes: 8 << 20 };

fn read(paths: &[&Path], options: FileOptions) -> Vec<Item> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).to_owned()).collect();
    items(&paths, &options).collect::<Result<_, _>>().unwrap()
}

/// `path member content`, with the path cut at the folder.
fn lines(items: &[Item], folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    items
        .iter()
        .map(|item| {
            let Origin::File { path, member } = &item.origin else { panic!("{item:?}") };
            let content = match &item.content {
                Content::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Content::File { size, .. } => format!("file of {size}"),
                Content::Refused(refusal) => format!("refused {} {}", refusal.code, refusal.size),
            };
            let member = member.map_or(String::new(), |member| format!(" {member}"));
            format!("{}{member}: {content}", path.strip_prefix(&folder).unwrap_or(path))
        })
        .collect()
}

fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn a_folder_is_read_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("b/2.xml", "2"), ("b/1.xml", "1"), ("a.xml", "0"), ("c/d/e.gz", "3"), ("z", "4")]);
    let expected = ["a.xml: 0", "b/1.xml: 1", "b/2.xml: 2", "c/d/e.gz: 3", "z: 4"];
    assert_eq!(lines(&read(&[folder.path()], OPTIONS), folder.path()), expected);
    let paths = [folder.path().join("z"), folder.path().join("b")];
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    assert_eq!(lines(&read(&paths, OPTIONS), folder.path()), ["z: 4", "b/1.xml: 1", "b/2.xml: 2"]);
    let found = survey(&[folder.path().to_owned()]);
    assert_eq!((found.files, found.bytes), (5, 5));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_loops_end() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a/1", "1")]);
    put(elsewhere.path(), &[("2", "2"), ("in/3", "3")]);
    symlink(folder.path(), folder.path().join("a/up")).unwrap();
    symlink(elsewhere.path(), folder.path().join("b")).unwrap();
    symlink(elsewhere.path(), folder.path().join("c")).unwrap();
    symlink(folder.path(), elsewhere.path().join("in/back")).unwrap();
    symlink(folder.path().join("nowhere"), folder.path().join("dangling")).unwrap();
    symlink(elsewhere.path().join("2"), folder.path().join("file")).unwrap();
    assert_eq!(lines(&read(&[folder.path()], OPTIONS), folder.path()), ["a/1: 1", "b/2: 2", "b/in/3: 3", "file: 2"]);
}

#[test]
fn a_maildir() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(
        root,
        &[
            ("M/cur/2:2,S", "From a@b Sat Mar  2 00:20:11 2024\nSubject: two\n\n"),
            ("M/cur/1:2,S", "one"),
            ("M/new/3", "three"),
            ("M/tmp/4", "half written"),
            ("M/dovecot-uidlist", "3 V1"),
            ("M/.Reports/cur/5", "five"),
            ("M/.Reports/new/6", "six"),
            ("M/.Reports/tmp/7", "half written"),
            ("M/index/x", "an index"),
        ],
    );
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_709_338_800);
    fs::File::options().append(true).open(root.join("M/new/3")).unwrap().set_modified(time).unwrap();
    let found = read(&[root], OPTIONS);
    assert_eq!(
        lines(&found, root),
        [
            "M/.Reports/cur/5: five",
            "M/.Reports/new/6: six",
            "M/cur/1:2,S: one",
            // One file is one mail, whatever it starts with.
            "M/cur/2:2,S: From a@b Sat Mar  2 00:20:11 2024\nSubject: two\n\n",
            "M/new/3: three",
        ]
    );
    assert_eq!(found[4].received_at.unwrap().timestamp(), 1_709_338_800);
    let found = read(&[&root.join("M/new")], OPTIONS);
    assert_eq!(found[0].received_at.unwrap().timestamp(), 1_709_338_800);
    let plain = read(&[&root.join("M/index")], OPTIONS);
    assert_eq!(plain[0].received_at, None);
}

#[test]
fn large_files_are_not_held() {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        &[("a", &"x".repeat(100)), ("b", &"x".repeat(101)), ("M/cur/c", &"x".repeat(300)), ("M/new/d", "")],
    );
    let options = FileOptions { hold_bytes: 100, mail_bytes: 200 };
    assert_eq!(
        lines(&read(&[folder.path()], options), folder.path()),
        ["M/cur/c: refused mail_bytes 300", "M/new/d: ", &format!("a: {}", "x".repeat(100)), "b: file of 101"]
    );
}

#[test]
fn what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = check_paths(&[folder.path().to_owned(), "-".into(), missing.clone()]).unwrap_err();
    assert!(matches!(&error, FetchError::Missing { path } if *path == missing));
    assert_eq!(error.to_string(), format!("{}: no such file or folder; check the path", missing.display()));
    assert!(check_paths(&[folder.path().to_owned()]).is_ok());
    // Not asked before, it is an error in its place, and what follows is read.
    put(folder.path(), &[("a", "1")]);
    let found: Vec<_> = items(&[missing, folder.path().to_owned()], &OPTIONS).collect();
    assert_eq!(found.len(), 2);
    assert!(found[0].is_err() && found[1].is_ok());
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a", "1"), ("b", "2"), ("closed/c", "3")]);
    fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(folder.path().join("a")).is_ok() {
        eprintln!("SKIPPED: this user may read everything, closed files were not checked");
        return;
    }
    let found: Vec<_> = items(&[folder.path().to_owned()], &OPTIONS).collect();
    assert_eq!(found.len(), 3);
    let refused = found[0].as_ref().unwrap();
    assert!(matches!(&refused.content, Content::Refused(refusal) if refusal.code == "unreadable"));
    assert!(matches!(&found[2], Err(FetchError::Unreadable { path, .. }) if path.ends_with("closed")));
    fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// What nobody may read, not even root: a link that goes round in a circle, and paths longer than the system takes (4,095 bytes).
#[cfg(target_os = "linux")]
#[test]
fn what_nobody_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let circle = folder.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let error = check_paths(std::slice::from_ref(&circle)).unwrap_err();
    assert!(matches!(&error, FetchError::Unreadable { path, .. } if *path == circle), "{error}");
    assert!(error.to_string().starts_with(&format!("{}: cannot read: ", circle.display())), "{error}");
    let found: Vec<_> = items(&[circle], &OPTIONS).collect();
    assert!(matches!(found.as_slice(), [Err(FetchError::Unreadable { .. })]), "{found:?}");

    // The deepest folder that can be read, made in two parts, since nothing can be made below it by its whole path.
    let name = |letter: &str| letter.repeat(200);
    let root = folder.path().join("deep");
    let depth = (4095 - root.as_os_str().len()) / 201;
    let chain = |from: &Path, length: usize| (0..length).fold(from.to_owned(), |path, _| path.join(name("d")));
    let (upper, lower) = (chain(&root, depth / 2), folder.path().join("lower"));
    let bottom = chain(&lower, depth - depth / 2);
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(bottom.join(name("e"))).unwrap();
    put(&bottom, &[(&name("f"), "1"), ("g", "2")]);
    fs::rename(lower.join(name("d")), upper.join(name("d"))).unwrap();
    let found: Vec<_> = items(&[root], &OPTIONS).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(matches!(&found[0], Err(FetchError::Unreadable { path, .. }) if path.ends_with(name("e"))), "{found:?}");
    let refused = found[1].as_ref().unwrap();
    assert!(matches!(&refused.content, Content::Refused(refusal) if refusal.code == "unreadable"), "{refused:?}");
    // What can be read beside them is.
    assert!(matches!(&found[2].as_ref().unwrap().content, Content::Bytes(bytes) if bytes == b"2"), "{found:?}");
}

const LINE: &str = "From a@b.example Sat Mar  2 00:20:11 2024";

/// What an mbox of this text holds.
fn split(text: &str, options: FileOptions) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("box", text)]);
    lines(&read(&[folder.path()], options), folder.path())
}

#[test]
fn an_mbox_in_its_variants() {
    let box_ = |mails: &[&str]| mails.iter().map(|mail| format!("{LINE}\n{mail}\n")).collect::<String>();
    assert_eq!(
        split(&box_(&["S: 1\n\none\n", "S: 2\n\ntwo\n"]), OPTIONS),
        ["box 1: S: 1\n\none\n", "box 2: S: 2\n\ntwo\n"]
    );
    // A text line that starts with From starts no mail; a quoted one is unquoted.
    assert_eq!(
        split(&box_(&["S: 1\n\n\nFrom now on, 10:30 is late.\n"]), OPTIONS),
        ["box 1: S: 1\n\n\nFrom now on, 10:30 is late.\n"]
    );
    assert_eq!(
        split(&box_(&["S: 1\n\n>From monday\n>>From x\n> From y\na >From z\n"]), OPTIONS),
        ["box 1: S: 1\n\nFrom monday\n>From x\n> From y\na >From z\n"]
    );
    // Line ends of the other kind; no empty line between mails; none at the end; empty lines at the start.
    assert_eq!(
        split(&box_(&["S: 1\n\none\n", "S: 2\n\ntwo\n"]).replace('\n', "\r\n"), OPTIONS),
        ["box 1: S: 1\r\n\r\none\r\n", "box 2: S: 2\r\n\r\ntwo\r\n"]
    );
    assert_eq!(
        split(&format!("\n\n{LINE}\nS: 1\n\none\n{LINE}\nS: 2\n\ntwo"), OPTIONS),
        ["box 1: S: 1\n\none\n", "box 2: S: 2\n\ntwo"]
    );
    // From lines of several programs.
    for line in [
        "From - Sat Mar 02 00:20:11 2024",
        "From 1792@xxx Sat Mar 02 00:20:11 +0000 2024",
        "From a@b Sat Mar  2 00:20 2024",
        "From a@b Sat Mar  2 00:20:11 CET 2024",
        "From a@b Sat, 2 Mar 2024 00:20:11 +0100",
        "From MAILER-DAEMON Sat Mar  2 00:20:11 2024 remote from mx",
        "From a@b 2024-03-02T00:20:11Z",
    ] {
        assert_eq!(split(&format!("{LINE}\nS: 1\n\n{line}\nS: 2\n\n"), OPTIONS).len(), 2, "{line}");
    }
    for line in
        ["From a@b", "From me to you on Sat at 10:30", "From a@b Sat Mar 2 2024", "from a@b Sat Mar  2 00:20:11 2024"]
    {
        assert_eq!(split(&format!("{LINE}\nS: 1\n\n{line}\nS: 2\n\n"), OPTIONS).len(), 1, "{line}");
    }
    // mboxcl2: the length says where the body ends, and nothing in it is quoted.
    let body = format!("one\n\n{LINE}\n>From there\n");
    let text = format!("{LINE}\nContent-Length: {}\n\n{body}\n{LINE}\nS: 2\n\ntwo\n", body.len());
    assert_eq!(
        split(&text, OPTIONS),
        [format!("box 1: Content-Length: {}\n\n{body}", body.len()), "box 2: S: 2\n\ntwo\n".to_owned()]
    );
    // A length that is wrong is not believed.
    let text = format!("{LINE}\nContent-Length: 12\n\none\n\n{LINE}\nS: 2\n\ntwo\n");
    assert_eq!(split(&text, OPTIONS).len(), 2);
    let text = format!("{LINE}\nContent-Length: 99999999\n\none\n\n{LINE}\nS: 2\n\ntwo\n");
    assert_eq!(split(&text, OPTIONS).len(), 2);
}

#[test]
fn a_mail_that_is_too_long_costs_only_itself() {
    let body = |length: usize| "x".repeat(length);
    let options = FileOptions { hold_bytes: 100, mail_bytes: 3_000_000 };
    let text = format!("{LINE}\n\n{}\n\n{LINE}\n\n{}\n\n{LINE}\n\nshort\n", body(2_999_998), body(9_000_000));
    let found = split(&text, options);
    assert_eq!(found.len(), 3);
    assert!(found[0].starts_with("box 1: \nxxx"), "{}", &found[0][..20]);
    assert!(found[1].starts_with("box 2: refused mail_bytes 90000"), "{}", &found[1][..30]);
    assert_eq!(found[2], "box 3: \nshort\n");
}

#[test]
fn an_mbox_in_gzip() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(format!("{LINE}\nS: 1\n\none\n\n{LINE}\nS: 2\n\ntwo\n").as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    fs::write(folder.path().join("box.gz"), &bytes).unwrap();
    let expected = ["box.gz 1: S: 1\n\none\n", "box.gz 2: S: 2\n\ntwo\n"];
    assert_eq!(lines(&read(&[folder.path()], OPTIONS), folder.path()), expected);
    let small = FileOptions { hold_bytes: 10, ..OPTIONS };
    assert_eq!(lines(&read(&[folder.path()], small), folder.path()), expected);
    // Cut off: what came before is read, the rest is said to be unreadable.
    fs::write(folder.path().join("box.gz"), &bytes[..bytes.len() - 12]).unwrap();
    let found = lines(&read(&[folder.path()], OPTIONS), folder.path());
    assert!(found.last().unwrap().contains("refused unreadable"), "{found:?}");
}

/// Lines that mboxes trip over.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,60}",
        Just(LINE.to_owned()),
        Just(format!(">{LINE}")),
        Just(">>From x".to_owned()),
        Just("From now on".to_owned()),
        Just("From ".to_owned()),
        Just(String::new()),
        "x{0,2000}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Written as mboxrd and split again: the same mails, also where they lie across the reader's steps.
    #[test]
    fn an_mbox_gives_back_its_mails(mails in vec((vec(any_line(), 1..12), 0usize..3), 1..8), crlf: bool, hold: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = String::new();
        let mut expected = Vec::new();
        for (number, (body, long)) in mails.iter().enumerate() {
            let mut mail = vec![format!("Subject: {number}"), String::new()];
            mail.extend(body.iter().cloned());
            mail.push("y".repeat(long * 600_000));
            mail.push("end".to_owned());
            text.push_str(LINE);
            text.push_str(end);
            for line in &mail {
                // The quoting of mboxrd: every From line, quoted or not, gets one more mark.
                if line.trim_start_matches('>').starts_with("From ") {
                    text.push('>');
                }
                text.push_str(line);
                text.push_str(end);
            }
            text.push_str(end);
            expected.push(format!("box {}: {}{end}", number + 1, mail.join(end)));
        }
        let options = FileOptions { hold_bytes: if hold { 64 << 20 } else { 10 }, mail_bytes: 64 << 20 };
        prop_assert!(split(&text, options) == expected);
    }

    #[test]
    fn any_bytes_make_items(bytes in vec(any::<u8>(), 0..300), mails in 0usize..4) {
        let folder = tempfile::tempdir().unwrap();
        let piece = [LINE.as_bytes(), b"\nContent-Length: 9\n\n", &bytes, b"\n"].concat();
        fs::write(folder.path().join("box"), piece.repeat(mails)).unwrap();
        let found = read(&[folder.path()], FileOptions { hold_bytes: 100, mail_bytes: 200 });
        prop_assert!(found.len() <= mails.max(1) * 20);
    }
}
