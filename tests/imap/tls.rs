//! TLS against a real Dovecot: both kinds, and each fault of a certificate with its remedy.

use crate::dovecot::Dovecot;
use crate::imap_sink::{Store, mailbox};

fn told(server: &Dovecot, more: &str) -> String {
    let text = server.mailbox(more);
    let text = text.replace("password_env = \"TEST_PASSWORD\"", "password_command = \"echo secret\"");
    Store::default().poll(&mailbox(&text)).error.unwrap_or_default()
}

#[test]
fn implicit_tls_and_starttls() {
    let Some(server) = Dovecot::start() else { return };
    server.deliver("INBOX", [&b"Subject: one\n\nbody\n"[..]]);
    assert_eq!(told(&server, ""), "");
    let starttls = server.mailbox_at(server.imap, "tls = \"starttls\"");
    let starttls = starttls.replace("password_env = \"TEST_PASSWORD\"", "password_command = \"echo secret\"");
    let store = Store::default();
    assert_eq!(store.poll(&mailbox(&starttls)).error, None);
    assert_eq!(store.uids(), [1]);
    let wrong = starttls.replace("echo secret", "echo nonsense");
    let error = Store::default().poll(&mailbox(&wrong)).error.unwrap();
    assert!(error.contains("refuses the login of `dmarc`") && !error.contains("nonsense"), "{error}");
    // TLS on the port of STARTTLS, and the other way round.
    let crossed = server.mailbox_at(server.imap, "timeout = { connect = 2 }");
    let crossed = crossed.replace("password_env = \"TEST_PASSWORD\"", "password_command = \"echo secret\"");
    let error = Store::default().poll(&mailbox(&crossed)).error.unwrap();
    assert!(error.contains("is `tls` right?"), "{error}");
}

#[test]
fn certificates_that_must_not_be_trusted() {
    let Some(server) = Dovecot::start() else { return };
    let foreign = server.mailbox("").replace("/ca.pem", "/foreign-ca.pem");
    let foreign = foreign.replace("password_env = \"TEST_PASSWORD\"", "password_command = \"echo secret\"");
    let error = Store::default().poll(&mailbox(&foreign)).error.unwrap();
    assert!(error.contains("signed by nobody that this machine trusts") && error.contains("`ca_file`"), "{error}");
    // Without ca_file the platform decides, and it does not know the test's CA.
    let platform: String =
        foreign.lines().filter(|line| !line.starts_with("ca_file")).map(|line| format!("{line}\n")).collect();
    let error = Store::default().poll(&mailbox(&platform)).error.unwrap();
    assert!(error.contains("signed by nobody") || error.contains("No CA certificates"), "{error}");
    let missing = foreign.replace("/foreign-ca.pem", "/absent.pem");
    let error = Store::default().poll(&mailbox(&missing)).error.unwrap();
    assert!(error.contains("absent.pem") && error.contains("PEM form"), "{error}");
    drop(server);

    let Some(server) = Dovecot::start_with("ssl_cert = <BASE/other-cert.pem\nssl_key = <BASE/other-key.pem") else {
        return;
    };
    let error = told(&server, "");
    assert!(error.contains("is for") && error.contains("mail.other.example"), "{error}");
    drop(server);
    let Some(server) = Dovecot::start_with("ssl_cert = <BASE/old-cert.pem\nssl_key = <BASE/old-key.pem") else {
        return;
    };
    let error = told(&server, "");
    assert!(error.contains("has expired"), "{error}");
    drop(server);
    // What `openssl req -x509` makes by default.
    let Some(server) = Dovecot::start_with("ssl_cert = <BASE/ca.pem\nssl_key = <BASE/ca-key.pem") else { return };
    let error = told(&server, "");
    assert!(error.contains("CA certificate as its own") && error.contains("CA:FALSE"), "{error}");
}
