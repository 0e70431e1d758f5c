//! DMARC and DKIM records, the tree walk, and who may receive reports.

use dmarcase::dns::{AtName, DkimKey, DmarcRecord, Looked, destination, discover, key};

use crate::name_server::NameServer;

/// Made with OpenSSL: RSA of 512, 1024 and 2048 bits as SubjectPublicKeyInfo, RSA of 2048 bits as RSAPublicKey, Ed25519.
pub const RSA_512: &str = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL8xRPlDcpaXyKdUR/q7GMBBsFSAsUIwmPBibxpT3oZ978KMoGJAByOGe7rzCJeiP5mVUf9HrkgxvC7neF2ASqkCAwEAAQ==";
pub const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDF9uaABBWmp7Fy9hxkYHG+kDXGRX+BV0VWNzyyT5PBnVJdV1HD2o6LL7eIPZZJqJz2XlN1bXSudIwBcZKqzqnR2CLstMK7Hi0r9CNdV4/Biga4xE9Ha6mlAxxFbdoPodJo/tHwtJkmOpO/Xe4P61llLVzEcx3yezrdkqJTrNma3QIDAQAB";
pub const RSA_2048: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4WBFM6e0khaZrOzcMzy4+Rq/6JIuFftqcyYeO38fbQFrRHSMHQYwWv4Nw9X+TuzneKC5Z+4pGJX3Cvq8qlvYEViGeX+PVSEW5o2ieqgHRk2KNsXNk3imZgLBRSmwmNnGMKfq8SOpplZFTHsILqD1B9aCL3kWPYSxJFZKlUxKIgPIce2CrBPNJql8qWDkDntf4ND11mBI7DH8xorrWkkiw8bqncJ5REi25jxvoorPUeT52qeh9st4d9Cql9XDpUHyvpit90xVe5z12toW84MtmYzF6N4CE+Ayjp0YTSPExefncP5lG3odNsP0RTf6hMr0pnVxKtW5baeqsgQBbAKfWQIDAQAB";
const RSA_2048_BARE: &str = "MIIBCgKCAQEAtI+vftrSfrM4y72H7BI7Pa5LmKq22IPsZddLKm7zVW8sK5kWhG7OXvNKYRm0MHeyAMQgJqu5ypDjxXgzBB3PbThZzJ4ZEn91shwGMpoZWdIKVBwts5bOhMwdz2HTIFGwnL3VxzBj90B+Zb6X5J5IUXGf78G4Y76HGZLaLSlwNgmebME8TZ+ItMQ1fLJecBFo++iANwRo2ls9zcwmZvngyWX1zfzX+hhOUTIkNzD78B9epM6k0FImSrTWuU4kXEjURECDhHG74XEARqg7OXTIYM9k+Fgk+xrFWEIQ04boKqnNCnKhL10w5r8nVlnQ63HhjtoTK9dXhWXq4TeM9vsY6QIDAQAB";
const ED25519: &str = "fjQfDX30IM0omCac0qYzrDv3bJ2hRsVWIiIcs6zuqhY=";

#[test]
fn keys_are_measured() {
    let bits = |p: &str| DkimKey::read(&format!("v=DKIM1; k=rsa; p={p}")).bits;
    assert_eq!([RSA_512, RSA_1024, RSA_2048, RSA_2048_BARE].map(bits), [Some(512), Some(1024), Some(2048), Some(2048)]);
    let folded = DkimKey::read(&format!("p={} {}", &RSA_1024[..60], &RSA_1024[60..]));
    assert_eq!((folded.bits, folded.faults), (Some(1024), vec![]), "k and v may be absent, p may hold spaces");
    let ed = DkimKey::read(&format!("v=DKIM1; k=ed25519; p={ED25519}"));
    assert_eq!((ed.algorithm.as_str(), ed.bits, ed.faults.len()), ("ed25519", None, 0));
    let revoked = DkimKey::read("v=DKIM1; p=");
    assert!(revoked.revoked && revoked.faults.is_empty());
    assert!(DkimKey::read(&format!("v=DKIM1; t=s:y; p={RSA_2048}")).testing);
    for (wrong, why) in [
        ("v=DKIM1; k=rsa", "no p"),
        ("v=DKIM1; p=%%%", "no base64"),
        ("v=DKIM1; p=aGVsbG8=", "no RSA key"),
        ("v=DKIM1; k=ed25519; p=aGVsbG8=", "32"),
        ("v=DKIM2; p=aGVsbG8=", "DKIM1"),
    ] {
        let faults = DkimKey::read(wrong).faults.join("; ");
        assert!(faults.contains(why), "{wrong}: {faults}");
    }
    // Any cut of a key is a fault, never a panic or a wrong size.
    for end in (0..RSA_2048.len() - 4).step_by(4) {
        let cut = DkimKey::read(&format!("p={}", &RSA_2048[..end]));
        assert!(cut.bits.is_none(), "{end}");
    }
}

#[test]
fn a_key_is_found_behind_an_alias_and_in_two_strings() {
    let server = NameServer::start(&format!(
        "s1._domainkey.a.example CNAME s1.dkim.esp.example\ns1.dkim.esp.example TXT v=DKIM1; p={RSA_2048}\n\
         s2._domainkey.a.example SERVFAIL"
    ));
    let of = |selector: &str| server.ask(async |dns| key(dns, "a.example", selector).await);
    assert_eq!(of("s1").found().unwrap().bits, Some(2048));
    assert!(of("s2").unchecked().is_some());
    assert!(matches!(of("s3"), Looked::Absent(_)));
}

#[test]
fn a_record_is_read_and_its_faults_named() {
    let record = DmarcRecord::read("v=DMARC1; p=Reject; sp=none; np=quarantine; adkim=s; pct=50; t=y; rua=mailto:a@b.example!10m, mailto:c@d.example;").unwrap();
    assert_eq!((record.p, record.sp, record.np), (Some("reject"), Some("none"), Some("quarantine")));
    assert!(record.strict_dkim && !record.strict_spf && record.testing && record.faults.is_empty());
    assert_eq!((record.pct, record.rua.len()), (Some(50), 2));
    for not in ["v=DMARC2; p=none", "v=DMARC1x; p=none", "p=none; v=DMARC1", "v=dmarc1; p=none", ""] {
        assert_eq!(DmarcRecord::read(not), None, "{not}");
    }
    let faulty = DmarcRecord::read("v = DMARC1 ; p=monitor; pct=200; quarantine; p=none").unwrap();
    let faults = faulty.faults.join("; ");
    for why in ["p=monitor", "pct=200", "`quarantine`", "`p` stands twice"] {
        assert!(faults.contains(why), "{why}: {faults}");
    }
}

const TREE: &str = "
_dmarc.a.example TXT v=DMARC1; p=reject; sp=quarantine
_dmarc.own.a.example TXT v=DMARC1; p=none
_dmarc.two.a.example TXT v=DMARC1; p=none
_dmarc.two.a.example TXT v=DMARC1; p=reject
_dmarc.broken.example SERVFAIL
_dmarc.suffix.example TXT v=DMARC1; p=reject; psd=y
_dmarc.apart.a.example TXT v=DMARC1; p=quarantine; psd=n
";

#[test]
fn the_policy_is_found_up_the_tree() {
    let server = NameServer::start(TREE);
    let of = |domain: &str| {
        let found = server.ask(async |dns| discover(dns, domain).await);
        let policy = match &found.policy {
            Looked::Found((at, record)) => format!("{at} {}", record.p.unwrap()),
            Looked::Absent(_) => "absent".to_owned(),
            Looked::Unchecked(_) => "unchecked".to_owned(),
        };
        (policy, found.org)
    };
    let pair = |policy: &str, org: &str| (policy.to_owned(), org.to_owned());
    assert_eq!(of("a.example"), pair("a.example reject", "a.example"));
    assert_eq!(of("x.y.a.example"), pair("a.example reject", "a.example"));
    assert_eq!(of("own.a.example"), pair("own.a.example none", "a.example"));
    assert_eq!(of("x.own.a.example"), pair("a.example reject", "a.example"), "the organisation's, not the nearest");
    assert_eq!(of("two.a.example"), pair("a.example reject", "a.example"), "several count as none");
    assert_eq!(of("x.apart.a.example"), pair("apart.a.example quarantine", "apart.a.example"));
    assert_eq!(of("b.suffix.example"), pair("suffix.example reject", "b.suffix.example"));
    assert_eq!(of("nothing.example"), pair("absent", "nothing.example"));
    assert_eq!(of("broken.example"), pair("unchecked", "broken.example"), "SERVFAIL is not `no record`");
    let steps = || server.asked().iter().filter(|question| question.contains("nothing.example TXT")).count();
    let before = steps();
    of("a.b.c.d.e.f.g.h.i.j.nothing.example");
    // Of eight questions at most (RFC 9989 section 4.10) the last is about `example` itself.
    assert_eq!(steps() - before, 7);
    let two = server.ask(async |dns| discover(dns, "two.a.example").await);
    assert!(matches!(&two.steps[0].1, Looked::Found(AtName::Several(texts)) if texts.len() == 2));
}

#[test]
fn reports_elsewhere_need_an_authorisation() {
    let server = NameServer::start(
        "a.example._report._dmarc.yes.example TXT v=DMARC1\na.example._report._dmarc.broken.example SERVFAIL",
    );
    let of = |uri: &str| server.ask(async |dns| destination(dns, "a.example", uri).await);
    assert_eq!(of("mailto:r@rua.a.example").authorised, None, "the own organisation");
    assert_eq!(of("MAILTO:r@yes.example!5m").authorised, Some(Looked::Found("v=DMARC1".into())));
    assert!(matches!(of("mailto:r@no.example").authorised, Some(Looked::Absent(_))));
    assert!(matches!(of("mailto:r@broken.example").authorised, Some(Looked::Unchecked(_))));
    assert!(of("https://a.example/r").fault.is_some());
    assert!(of("mailto:nobody").fault.is_some());
}
