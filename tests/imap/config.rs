//! `[[mailbox]]`: defaults, and every fault with its line or its name.

use std::time::Duration;

use chrono::{Local, TimeZone};
use dmarcase::config::{After, Config, Login, Schedule, Secret, Tls};

const LEAST: &str =
    "[[mailbox]]\nname = \"rua\"\nhost = \"mail.example\"\nuser = \"rua@example.test\"\npassword_file = \"pw\"\n";

fn fault(text: &str) -> String {
    Config::parse(text).unwrap_err()
}

#[test]
fn the_least_config_is_safe() {
    let mailbox = Config::parse(LEAST).unwrap().mailbox.remove(0);
    assert_eq!((mailbox.port, mailbox.tls), (993, Tls::Implicit));
    assert_eq!(mailbox.folders, ["INBOX"]);
    assert_eq!([&mailbox.after, &mailbox.after_other, &mailbox.after_rejected], [&After::Keep; 3]);
    assert_eq!(mailbox.schedule, Schedule::Every(Duration::from_secs(3600)));
    assert_eq!(mailbox.login, Login::Password(Secret::File("pw".into())));
    let starttls = Config::parse(&format!("{LEAST}tls = \"starttls\"\n")).unwrap().mailbox.remove(0);
    assert_eq!(starttls.port, 143);
}

#[test]
fn faults_name_their_line_and_the_remedy() {
    let told = fault(&format!("{LEAST}folder = [\"x\"]\n"));
    assert!(told.contains("line 6") && told.contains("did you mean `folders`?"), "{told}");
    let told = fault(&format!("{LEAST}after = \"archive:X\"\n"));
    assert!(told.contains("line 6") && told.contains("keep, move:FOLDER, delete or flag:KEYWORD"), "{told}");
    let told = fault(&format!("{LEAST}after = \"flag:\\\\Deleted\"\n"));
    assert!(told.contains("line 6") && told.contains("no keyword"), "{told}");
    let told = fault(&format!("{LEAST}schedule = \"61 * * * *\"\n"));
    assert!(told.contains("line 6") && told.contains("cron"), "{told}");
    let told = fault(&format!("{LEAST}schedule = \"5s\"\n"));
    assert!(told.contains("too often"), "{told}");
    // Faults of a section as a whole name the mailbox.
    let told = fault(&format!("{LEAST}password_env = \"X\"\n"));
    assert!(told.contains("`rua`") && told.contains("only one of password_file, password_env"), "{told}");
    let told = fault("[[mailbox]]\nname = \"rua\"\nhost = \"h.example\"\nuser = \"u\"\n");
    assert!(told.contains("`rua`") && told.contains("no login"), "{told}");
    let told = fault(&format!("{LEAST}folders = [\"INBOX\", \"Done\"]\nafter = \"move:Done\"\n"));
    assert!(told.contains("read for ever"), "{told}");
    let told = fault(&format!("{LEAST}connections = 0\n"));
    assert!(told.contains("1 to 8"), "{told}");
    let told = fault(&format!("{LEAST}port = 0\n"));
    assert!(told.contains("`rua`") && told.contains("993"), "{told}");
    let told = fault(&format!("{LEAST}mail_bytes = 0\n"));
    assert!(told.contains("`rua`") && told.contains("no mail"), "{told}");
    let told = fault(&format!("{LEAST}mail_bytes = 100_000_000\n"));
    assert!(told.contains("`rua`") && told.contains("limits.mail_bytes = 67108864"), "{told}");
    assert!(Config::parse(&format!("{LEAST}mail_bytes = 100_000_000\n[limits]\nmail_bytes = 100_000_000\n")).is_ok());
    let told = fault(&format!("{LEAST}schedule = \"0 6 30 2 *\"\n"));
    assert!(told.contains("line 6") && told.contains("never comes"), "{told}");
    // A span that no clock can be moved by is a fault of the config, not the end of the watch.
    for key in ["schedule", "idle_poll"] {
        let told = fault(&format!("{LEAST}{key} = \"4000000000d\"\n"));
        assert!(told.contains("line 6") && told.contains("longer than a year"), "{told}");
        assert!(Config::parse(&format!("{LEAST}{key} = \"366d\"\n")).is_ok());
        assert!(Config::parse(&format!("{LEAST}{key} = \"367d\"\n")).is_err());
    }
    let began = Local.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap();
    assert!(Schedule::Every(Duration::MAX).next(began, Duration::MAX) > began);
    assert!(Schedule::Idle.next(began, Duration::MAX) > began);
    let told = fault(&format!("{LEAST}idle_poll = \"0s\"\n"));
    assert!(told.contains("10s or more"), "{told}");
    let told = fault(&format!("{LEAST}tls = \"off\"\n"));
    assert!(told.contains("line 6") && told.contains("starttls"), "{told}");
}

#[test]
fn two_mailboxes_of_one_name_are_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dmarcase.toml");
    std::fs::write(&path, format!("{LEAST}\n{LEAST}")).unwrap();
    let told = Config::read(&path).unwrap_err().to_string();
    assert!(told.contains("line 7: two mailboxes are named `rua`"), "{told}");
}

#[test]
fn oauth2_wants_what_its_flow_needs() {
    let with = |more: &str| {
        format!("[[mailbox]]\nname = \"rua\"\nhost = \"mail.example\"\nuser = \"u\"\n[mailbox.oauth2]\n{more}\n")
    };
    let microsoft =
        "flow = \"client-credentials\"\nprovider = \"microsoft365\"\nclient_id = \"c\"\nclient_secret_env = \"S\"\n";
    assert!(fault(&with(microsoft)).contains("needs tenant"));
    assert!(Config::parse(&with(&format!("{microsoft}tenant = \"example.test\""))).is_ok());
    let google = "flow = \"refresh-token\"\nprovider = \"google\"\nclient_id = \"c\"\nclient_secret_env = \"S\"\n";
    assert!(fault(&with(google)).contains("needs refresh_token_file"));
    assert!(Config::parse(&with(&format!("{google}refresh_token_file = \"r\""))).is_ok());
    // A client secret does not travel in the clear.
    let plain = "flow = \"client-credentials\"\ntoken_url = \"http://login.example/token\"\nclient_id = \"c\"\nclient_secret_env = \"S\"";
    assert!(fault(&with(plain)).contains("https://"));
    let local = plain.replace("login.example", "127.0.0.1:8080");
    assert!(Config::parse(&with(&local)).is_ok());
}

#[test]
fn secrets_are_not_in_the_config_that_is_shown() {
    let text = "[[mailbox]]\nname = \"rua\"\nhost = \"h.example\"\nuser = \"u\"\npassword_command = \"print-it --key hunter2\"\n";
    let shown = format!("{:?}", Config::parse(text).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A secret that somebody writes into the config where none belongs is not told on, and the remedy is no variable of its name.
#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    for more in [
        "password = \"hunter2\"\n",
        "passwrd = 'hunter2'\n",
        "password_command = \"hunter2\n",
        "[mailbox.oauth2]\nclient_secret = \"hunter2\"\n",
    ] {
        let told = fault(&format!("{LEAST}{more}"));
        assert!(!told.contains("hunter2"), "{told}");
        assert!(!told.contains("_env`?"), "{told}");
    }
    assert!(fault(&format!("{LEAST}password = \"x\"\n")).contains("did you mean `password_file`?"));
}

#[test]
fn a_folder_is_no_command() {
    for more in ["after = \"move:a\\r\\nD9 DELETE INBOX\"\n", "folders = [\"a\\nb\"]\n", "after = \"flag:a\\tb\"\n"] {
        let told = fault(&format!("{LEAST}{more}"));
        assert!(told.contains("control character") || told.contains("keyword"), "{told}");
    }
}

#[test]
fn schedules_say_when_next() {
    // Wednesday 2026-07-01, 10:20 local time.
    let last = Local.with_ymd_and_hms(2026, 7, 1, 10, 20, 0).unwrap();
    let next = |text: &str| text.parse::<Schedule>().unwrap().next(last, Duration::from_secs(600));
    assert_eq!(next("15m"), Local.with_ymd_and_hms(2026, 7, 1, 10, 35, 0).unwrap());
    assert_eq!(next("5 * * * *"), Local.with_ymd_and_hms(2026, 7, 1, 11, 5, 0).unwrap());
    assert_eq!(next("30 6 * * MON"), Local.with_ymd_and_hms(2026, 7, 6, 6, 30, 0).unwrap());
    assert_eq!(next("idle"), Local.with_ymd_and_hms(2026, 7, 1, 10, 30, 0).unwrap());
}

#[test]
fn secrets_come_from_files_variables_and_commands() {
    use secrecy::ExposeSecret;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pw"), "from a file\n").unwrap();
    let path = folder.path().join("dmarcase.toml");
    let read = |line: &str| {
        std::fs::write(&path, LEAST.replace("password_file = \"pw\"", line)).unwrap();
        let Login::Password(secret) = Config::read(&path).unwrap().mailbox.remove(0).login else { panic!() };
        secret.read().map(|secret| secret.expose_secret().to_owned()).map_err(|error| error.to_string())
    };
    // A relative file counts from the config's folder.
    assert_eq!(read("password_file = \"pw\""), Ok("from a file".to_owned()));
    assert_eq!(read("password_command = \"echo from a shell\""), Ok("from a shell".to_owned()));
    assert_eq!(read("password_command = [\"echo\", \"from\", \"a program\"]"), Ok("from a program".to_owned()));
    let told = read("password_command = \"exit 3\"").unwrap_err();
    assert!(told.contains("exit status: 3"), "{told}");
    let told = read("password_env = \"DMARCASE_NO_SUCH_VARIABLE\"").unwrap_err();
    assert!(told.contains("DMARCASE_NO_SUCH_VARIABLE"), "{told}");
    let told = read("password_file = \"absent\"").unwrap_err();
    assert!(told.contains("absent") && told.contains("readable by the user"), "{told}");
    let told = read("password_file = \"$CREDENTIALS_DIRECTORY/rua\"").unwrap_err();
    assert!(told.contains("LoadCredential="), "{told}");
    std::fs::write(folder.path().join("pw"), "\n").unwrap();
    assert!(read("password_file = \"pw\"").unwrap_err().contains("holds no secret"));
}

/// The example is valid as it ships, and with every setting in it uncommented.
#[test]
fn the_example_is_valid() {
    let text = include_str!("../../packaging/dmarcase.toml.example");
    assert_eq!(Config::parse(text).unwrap().mailbox.len(), 1);
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = Config::parse(&uncommented).unwrap();
    assert_eq!(config.mailbox.len(), 4);
    assert_eq!(config.mailbox[0].after, After::Move("DMARC/Done".to_owned()));
    assert_eq!(config.mailbox[0].folders, ["INBOX", "Reports/*"]);
}
