//! Alerts, for real: a web server and a mail server on loopback that answer as told and keep what they get.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::plant::{AS_OF, Plant, Record, STRICT, aligned, days_before};

const DOMAIN: &str = "north.example";
const SENDER: &str = "[[sender]]\nname = 'mta'\nips = ['192.0.2.1']\n";
const SECRET: &str = "a secret of the test";

/// Ten weeks of steady mail, and a last day on which half of it fails.
fn planted() -> Plant {
    let mut plant = Plant::new();
    plant.config(SENDER);
    let failing = |count| Record {
        dkim: "fail",
        spf: "fail",
        signatures: vec![(DOMAIN.into(), "s1", "fail")],
        mail_from: (DOMAIN.into(), "fail"),
        ..aligned(DOMAIN, "192.0.2.1", count)
    };
    for day in 1..=70 {
        plant.report("Alpha", DOMAIN, &days_before(day), STRICT, &[aligned(DOMAIN, "192.0.2.1", 1000 + day % 7)]);
    }
    plant.report("Alpha", DOMAIN, AS_OF, STRICT, &[aligned(DOMAIN, "192.0.2.1", 500), failing(500)]);
    plant.import();
    plant
}

/// A store of its own with that mail, imported once for all tests.
fn broken() -> Plant {
    static PLANTED: OnceLock<Plant> = OnceLock::new();
    let planted = PLANTED.get_or_init(planted);
    let mut plant = Plant::new();
    plant.config(SENDER);
    let name = "store.duckdb";
    std::fs::copy(planted.folder.path().join(name), plant.folder.path().join(name)).unwrap();
    plant
}

/// Runs `trend --alert`: exit status and standard error.
fn alert(plant: &Plant, more: &[&str]) -> (Option<i32>, String) {
    let output = plant.run(&[&["trend", "--alert", "--as-of", AS_OF], more].concat());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn told(plant: &Plant) -> u64 {
    plant.json(&["sql", "SELECT count(*) AS n FROM finding WHERE kind = 'alert'"])[0]["n"].as_u64().unwrap()
}

/// A request: its head in lower case, its body.
type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Answers each POST with the next status, the last one for ever; `0` closes the connection without an answer.
fn web(statuses: &'static [u16]) -> (SocketAddr, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, got) = (listener.local_addr().unwrap(), Got::default());
    let kept = Arc::clone(&got);
    std::thread::spawn(move || {
        for (place, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |n| n.trim().parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            kept.lock().unwrap().push((head, body));
            let status = statuses.get(place).or(statuses.last()).copied().unwrap();
            if status > 0 {
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} As Told\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
            }
        }
    });
    (address, got)
}

fn webhook(plant: &mut Plant, address: SocketAddr) {
    std::fs::write(plant.folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let config =
        format!("{SENDER}[alerts.webhook]\nurl = 'http://{address}/hook?token=hush'\nsecret_file = 'secret'\n");
    plant.config(&config);
}

/// HMAC-SHA256 by its definition (RFC 2104), not by the library that signs.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_webhook_gets_signed_json_once() {
    let mut plant = broken();
    let (address, got) = web(&[200]);
    webhook(&mut plant, address);
    let (status, error) = alert(&plant, &[]);
    assert_eq!(status, Some(3), "{error}");
    let requests = got.lock().unwrap().clone();
    let [(head, body)] = requests.as_slice() else { panic!("{} requests", requests.len()) };
    assert!(head.starts_with("post /hook?token=hush http/1.1"), "{head}");
    assert!(head.contains("content-type: application/json"));
    assert!(head.contains(&format!("x-dmarcase-signature: sha256={}", hmac(SECRET.as_bytes(), body))), "{head}");
    let payload: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&payload["program"], &payload["as_of"]), (&"dmarcase".into(), &AS_OF.into()));
    let one = &payload["alerts"][0];
    assert_eq!(
        (&one["domain"], &one["day"], &one["kind"]),
        (&DOMAIN.into(), &AS_OF.into(), &"pass-rate".into()),
        "{payload}"
    );
    assert_eq!(one["observed"], 500);
    // The same change is told once, and still sets the exit status.
    assert_eq!(alert(&plant, &[]).0, Some(3));
    assert_eq!(got.lock().unwrap().len(), 1);
    assert_eq!(told(&plant), 1);
}

#[test]
fn a_busy_server_is_asked_again() {
    for first in [&[500, 200][..], &[429, 503, 202], &[0, 200]] {
        let mut plant = broken();
        let (address, got) = web(Box::leak(first.to_vec().into_boxed_slice()));
        webhook(&mut plant, address);
        assert_eq!(alert(&plant, &[]).0, Some(3));
        let requests = got.lock().unwrap().clone();
        assert_eq!(requests.len(), first.len());
        assert!(requests.iter().all(|(_, body)| *body == requests[0].1), "the same body each time");
        assert_eq!(told(&plant), 1);
    }
}

#[test]
fn a_refusal_is_an_error_and_the_alert_stays_untold() {
    for (status, tries) in [(404, 1), (302, 1), (500, 4)] {
        let mut plant = broken();
        let (address, got) = web(Box::leak(vec![status].into_boxed_slice()));
        webhook(&mut plant, address);
        let (exit, error) = alert(&plant, &[]);
        assert_eq!(exit, Some(1), "{error}");
        assert!(error.contains(&format!("http://{address} did not take the alert after {tries} tr")), "{error}");
        assert!(error.contains(&status.to_string()), "{error}");
        assert!(
            !error.contains("/hook") && !error.contains("hush") && !error.contains(SECRET),
            "no secret in a message: {error}"
        );
        assert_eq!((got.lock().unwrap().len(), told(&plant)), (tries, 0));
        // Mended, the same alert goes out.
        let (address, got) = web(&[200]);
        webhook(&mut plant, address);
        assert_eq!(alert(&plant, &[]).0, Some(3));
        assert_eq!((got.lock().unwrap().len(), told(&plant)), (1, 1));
    }
}

#[test]
fn a_secret_that_cannot_be_read_sends_nothing() {
    let mut plant = broken();
    let (address, got) = web(&[200]);
    webhook(&mut plant, address);
    std::fs::remove_file(plant.folder.path().join("secret")).unwrap();
    let (exit, error) = alert(&plant, &[]);
    assert_eq!(exit, Some(1));
    assert!(error.contains("secret"), "{error}");
    assert_eq!((got.lock().unwrap().len(), told(&plant)), (0, 0));
}

/// A mail server that takes mail, or refuses recipients with 550; keeps envelope and text of each mail.
fn mail(refuses: bool) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, kept) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let mails = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            session(stream.unwrap(), refuses, &mails);
        }
    });
    (address, kept)
}

fn session(mut stream: TcpStream, refuses: bool, mails: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    stream.write_all(b"220 sink.example ESMTP\r\n").unwrap();
    let mut mail = String::new();
    while let Some(Ok(line)) = lines.next() {
        let answer = match line.split([' ', ':']).next().unwrap().to_ascii_uppercase().as_str() {
            "EHLO" => "250 sink.example",
            "RCPT" if refuses => "550 5.1.1 nobody here",
            "MAIL" | "RCPT" => {
                mail += &format!("{line}\n");
                "250 ok"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").unwrap();
                for line in lines.by_ref().map(Result::unwrap).take_while(|line| line != ".") {
                    mail += &format!("{line}\n");
                }
                mails.lock().unwrap().push(std::mem::take(&mut mail));
                "250 kept"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

fn mailed(address: SocketAddr) -> String {
    format!(
        "{SENDER}[alerts.mail]\nto = ['post@north.example', 'ops@north.example']\nfrom = 'dmarcase <alerts@north.example>'\n\
         host = '127.0.0.1'\nport = {}\ntls = 'none'\n",
        address.port()
    )
}

#[test]
fn a_mail_tells_it_once() {
    let mut plant = broken();
    let (address, mails) = mail(false);
    plant.config(&mailed(address));
    let (status, error) = alert(&plant, &[]);
    assert_eq!(status, Some(3), "{error}");
    assert_eq!(alert(&plant, &[]).0, Some(3));
    let mails = mails.lock().unwrap().clone();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    for part in [
        "MAIL FROM:<alerts@north.example>",
        "RCPT TO:<post@north.example>",
        "RCPT TO:<ops@north.example>",
        "Subject: dmarcase: north.example pass-rate",
        "2026-06-30 north.example:",
        "500 messages fail",
        "dmarcase trend --as-of 2026-06-30",
    ] {
        // Quoted-printable lines end softly with `=`.
        assert!(mail.replace("=\n", "").contains(part), "{part}: {mail}");
    }
    assert_eq!(told(&plant), 1);
}

#[test]
fn a_channel_that_fails_does_not_hold_up_or_repeat_the_other() {
    let mut plant = broken();
    let ((web_address, posts), (mail_address, mails)) = (web(&[200]), mail(true));
    webhook(&mut plant, web_address);
    let config = std::fs::read_to_string(plant.config_path()).unwrap();
    let both = |address| format!("{config}{}", mailed(address).trim_start_matches(SENDER));
    plant.config(&both(mail_address));
    let (exit, error) = alert(&plant, &[]);
    assert_eq!(exit, Some(1), "{error}");
    assert!(error.contains("mail server 127.0.0.1 did not take the alert") && error.contains("nobody here"), "{error}");
    assert_eq!((posts.lock().unwrap().len(), mails.lock().unwrap().len(), told(&plant)), (1, 0, 1));
    let (mail_address, mails) = mail(false);
    plant.config(&both(mail_address));
    assert_eq!(alert(&plant, &[]).0, Some(3));
    assert_eq!((posts.lock().unwrap().len(), mails.lock().unwrap().len(), told(&plant)), (1, 1, 2));
}

#[test]
fn nothing_changed_tells_nobody() {
    let mut plant = broken();
    let (address, got) = web(&[200]);
    webhook(&mut plant, address);
    let output = plant.run(&["trend", "--alert", "--as-of", &days_before(1)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((got.lock().unwrap().len(), told(&plant)), (0, 0));
}
