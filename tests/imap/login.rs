//! Logging in with tokens: from a command, and from a token endpoint in both flows; and secrets that stay where they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use dmarcase::config::Config;

use crate::fault_server::{FaultServer, Play};
use crate::imap_sink::{Store, mailbox};
use crate::world::World;

/// A token endpoint that gives the answers of a list, the last one for ever, and keeps what it was asked.
struct Endpoint {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

fn endpoint(answers: &[&str]) -> Endpoint {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (kept, answers): (_, Vec<String>) = (Arc::clone(&asked), answers.iter().map(ToString::to_string).collect());
    std::thread::spawn(move || {
        for (n, client) in listener.incoming().enumerate() {
            let mut client = client.unwrap();
            let mut lines = BufReader::new(client.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                lines.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            lines.read_exact(&mut body).unwrap();
            kept.lock().unwrap().push(String::from_utf8(body).unwrap());
            let answer = answers.get(n).or(answers.last()).unwrap();
            let (status, text) = answer.split_once(' ').unwrap();
            write!(
                client,
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            )
            .unwrap();
        }
    });
    Endpoint { port, asked }
}

fn section(server: &FaultServer, oauth2: &str) -> String {
    format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         [mailbox.oauth2]\n{oauth2}\n",
        server.port
    )
}

#[test]
fn a_token_from_a_command() {
    let server = FaultServer::start(2, &[Play::Token("tok-123".to_owned())]);
    let store = Store::default();
    let good = mailbox(&section(&server, "token_command = \"echo tok-123\""));
    assert_eq!(store.poll(&good).error, None);
    assert_eq!(store.uids(), [1, 2]);
    let old = mailbox(&section(&server, "token_command = [\"echo\", \"tok-old\"]"));
    let told = Store::default().poll(&old).error.unwrap();
    assert!(told.contains("refuses the access token for `dmarc`") && told.contains("token expired"), "{told}");
    assert!(told.contains("401"), "the server's reason is told: {told}");
    assert!(!told.contains("tok-old"), "{told}");
}

/// A server that offers only the standard's mechanism; `,` and `=` of a name are escaped (RFC 5801 section 4).
#[test]
fn a_token_by_oauthbearer() {
    let server = FaultServer::start(2, &[Play::Bearer("tok-456".to_owned())]);
    let named = |token: &str| {
        let section = section(&server, &format!("token_command = \"echo {token}\""));
        mailbox(&section.replace("user = \"dmarc\"", "user = \"dmarc,team=1\""))
    };
    let store = Store::default();
    assert_eq!(store.poll(&named("tok-456")).error, None);
    assert_eq!(store.uids(), [1, 2]);
    let told = Store::default().poll(&named("tok-old")).error.unwrap();
    assert!(told.contains("refuses the access token for `dmarc,team=1`") && !told.contains("tok-old"), "{told}");
}

#[test]
fn client_credentials() {
    let server = FaultServer::start(1, &[Play::Token("tok-cc".to_owned())]);
    let endpoint = endpoint(&["200 {\"access_token\":\"tok-cc\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"]);
    let oauth2 = format!(
        "flow = \"client-credentials\"\ntoken_url = \"http://127.0.0.1:{}/token\"\nclient_id = \"app 1\"\n\
         client_secret_command = \"echo s3cret\"\nscope = \"https://outlook.office365.com/.default\"",
        endpoint.port
    );
    let store = Store::default();
    assert_eq!(store.poll(&mailbox(&section(&server, &oauth2))).error, None);
    assert_eq!(store.uids(), [1]);
    let asked = endpoint.asked.lock().unwrap();
    let fields: Vec<&str> = asked[0].split('&').collect();
    for field in [
        "grant_type=client_credentials",
        "client_id=app+1",
        "client_secret=s3cret",
        "scope=https%3A%2F%2Foutlook.office365.com%2F.default",
    ] {
        let alike = field.replace('+', "%20");
        assert!(fields.contains(&field) || fields.contains(&alike.as_str()), "{field} in {fields:?}");
    }
}

#[test]
fn a_renewed_refresh_token_takes_the_old_ones_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("refresh");
    std::fs::write(&file, "r-old\n").unwrap();
    let server = FaultServer::start(1, &[Play::Token("tok-rt".to_owned())]);
    let endpoint = endpoint(&["200 {\"access_token\":\"tok-rt\",\"expires_in\":1,\"refresh_token\":\"r-new\"}"]);
    let oauth2 = format!(
        "flow = \"refresh-token\"\ntoken_url = \"http://127.0.0.1:{}/token\"\nclient_id = \"app\"\nrefresh_token_file = {file:?}",
        endpoint.port
    );
    let store = Store::default();
    assert_eq!(store.poll(&mailbox(&section(&server, &oauth2))).error, None);
    assert!(endpoint.asked.lock().unwrap()[0].contains("refresh_token=r-old"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "r-new");
    assert_eq!(store.poll(&mailbox(&section(&server, &oauth2))).error, None);
    assert!(endpoint.asked.lock().unwrap()[1].contains("refresh_token=r-new"));
}

/// A file beside the token's that differs in its ending only belongs to somebody else.
#[test]
fn a_renewed_refresh_token_touches_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("oauth.work");
    std::fs::write(&file, "r-old\n").unwrap();
    std::fs::write(folder.path().join("oauth.new"), "somebody's").unwrap();
    let server = FaultServer::start(1, &[Play::Token("tok-rt".to_owned())]);
    // A life that no clock holds is one like any other.
    let endpoint = endpoint(&[
        "200 {\"access_token\":\"tok-rt\",\"expires_in\":18446744073709551615,\"refresh_token\":\"r-new\"}",
    ]);
    let oauth2 = format!(
        "flow = \"refresh-token\"\ntoken_url = \"http://127.0.0.1:{}/token\"\nclient_id = \"app\"\nrefresh_token_file = {file:?}",
        endpoint.port
    );
    assert_eq!(Store::default().poll(&mailbox(&section(&server, &oauth2))).error, None);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "r-new");
    assert_eq!(std::fs::read_to_string(folder.path().join("oauth.new")).unwrap(), "somebody's");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_an_endpoint_refuses_is_told_without_secrets() {
    let server = FaultServer::start(1, &[Play::Token("tok".to_owned())]);
    for (answer, told) in [
        (
            "400 {\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000222: expired\"}",
            "invalid_client AADSTS7000222: expired",
        ),
        ("200 {\"token_type\":\"Bearer\"}", "without access_token"),
        ("502 <html>bad gateway</html>", "status 502"),
    ] {
        let endpoint = endpoint(&[answer]);
        let oauth2 = format!(
            "flow = \"client-credentials\"\ntoken_url = \"http://127.0.0.1:{}/token\"\nclient_id = \"app\"\n\
             client_secret_command = \"echo s3cret\"",
            endpoint.port
        );
        let poll = Store::default().poll(&mailbox(&section(&server, &oauth2)));
        let error = poll.error.unwrap();
        assert!(error.contains(told) && error.contains("check client_id"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert!(poll.needs_operator);
    }
    assert!(server.commands("LOGIN").is_empty());
}

/// Whatever is asked of the program, and however much it is asked to say, the password is not in it.
#[test]
fn no_output_holds_the_password() {
    let server = FaultServer::start(1, &[Play::RefuseLogin]);
    let config = format!(
        "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {}\ntls = \"none\"\nuser = \"dmarc\"\n\
         password_env = \"TEST_PASSWORD\"\n",
        server.port
    );
    let world = World::new(&config);
    for args in [
        &["-vvv", "fetch"][..],
        &["-vvv", "--format", "json", "fetch"],
        &["-vvv", "config", "check"],
        &["-vvv", "config", "check", "--connect"],
        &["fetch", "--help"],
        &["status"],
    ] {
        let output =
            world.command(args).env("TEST_PASSWORD", "wrong-secret").env("DMARCASE_LOG", "trace").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.contains("wrong-secret"), "{args:?}: {said}");
        // Base64 of \0dmarc\0wrong-secret.
        assert!(!said.contains("AGRtYXJjAHdyb25nLXNlY3JldA"), "{args:?}: {said}");
    }
    let debug = format!("{:?}", Config::parse(&config).unwrap());
    assert!(!debug.contains("secret"), "{debug}");
}
