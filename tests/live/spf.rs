//! SPF: records, trees, limits and verdicts (RFC 7208), worked out by hand.

use dmarcase::dns::{Looked, Mechanism, Qualifier, SpfRecord, SpfResult, SpfTree, spf};

use crate::name_server::NameServer;

const ZONE: &str = "
a.example TXT unrelated
a.example TXT v=spf1 ip4:192.0.2.0/28 include:_spf.esp.example a:web.a.example mx -all
_spf.esp.example TXT v=spf1 ip4:198.51.100.0/24 include:more.esp.example ?all
more.esp.example TXT v=spf1 ip6:2001:db8:1::/48 ~all
web.a.example A 203.0.113.7
a.example MX 10 mx.a.example.
mx.a.example A 203.0.113.25
mx.a.example AAAA 2001:db8:9::25

to.example TXT v=spf1 redirect=a.example
two.example TXT v=spf1 -all
two.example TXT v=spf1 +all
typo.example TXT v=spf1 ipv4:192.0.2.1 -all
loop.example TXT v=spf1 include:loop.example -all
void.example TXT v=spf1 a:n1.example a:n2.example mx:n3.example -all
gone.example TXT v=spf1 include:nothing.example -all
half.example TXT v=spf1 include:broken.example ip4:192.0.2.9 -all
broken.example SERVFAIL
macro.example TXT v=spf1 exists:%{i}.allow.example ip4:192.0.2.9 -all
open.example TXT v=spf1 +all
silent.example TXT v=spf1 ip4:192.0.2.1
notspf.example TXT v=spf10 -all
eleven.example TXT v=spf1 include:five.example include:five.example -all
five.example TXT v=spf1 a:web.a.example a:web.a.example a:web.a.example a:web.a.example ?all
ten.example TXT v=spf1 include:five.example include:five.example ~all
late.example TXT v=spf1 ip4:192.0.2.10 -all a:web.a.example include:five.example include:five.example include:five.example
guard.example TXT v=spf1 -exists:%{i}.bl.example ip4:192.0.2.10 -all
deep.example TXT v=spf1 include:five.example include:five.example a:web.a.example ip4:192.0.2.10 -all
early.example TXT v=spf1 ip4:192.0.2.10 include:five.example include:five.example a:web.a.example -all
mixed.example TXT v=spf1 include:two.example ip4:192.0.2.10 -all
onward.example TXT v=spf1 redirect=nothing.example
";

fn tree(server: &NameServer, domain: &str) -> SpfTree {
    match server.ask(async |dns| spf(dns, domain).await) {
        Looked::Found(tree) => tree,
        other => panic!("{domain}: {other:?}"),
    }
}

#[test]
fn a_tree_is_followed_counted_and_asked() {
    let server = NameServer::start(ZONE);
    let found = tree(&server, "a.example");
    // include, include below it, a, mx.
    assert_eq!((found.lookups, found.void_lookups, found.all), (4, 0, Some("fail")));
    assert_eq!(found.faults, Vec::<String>::new());
    let of = |ip: &str| found.of(ip.parse().unwrap());
    for ip in ["192.0.2.15", "198.51.100.200", "2001:db8:1::5", "203.0.113.7", "203.0.113.25", "2001:db8:9::25"] {
        assert_eq!(of(ip), SpfResult::Pass, "{ip}");
    }
    for ip in ["192.0.2.16", "2001:db8:2::1"] {
        assert_eq!(of(ip), SpfResult::Fail, "{ip}: the ?all and ~all of includes say nothing");
    }
    let esp = &found.root.terms[1];
    assert_eq!((esp.term.as_str(), esp.lookups), ("include:_spf.esp.example", 2));
    assert_eq!(esp.record.as_ref().unwrap().terms[0].networks, ["198.51.100.0/24"]);
    let redirected = tree(&server, "to.example");
    assert_eq!((redirected.lookups, redirected.all), (5, Some("fail")));
    assert_eq!(redirected.of("203.0.113.7".parse().unwrap()), SpfResult::Pass);
}

#[test]
fn faults_and_limits() {
    let server = NameServer::start(ZONE);
    let faults = |domain: &str| tree(&server, domain).faults.join("; ");
    assert!(faults("two.example").starts_with("2 records"));
    assert!(faults("typo.example").contains("`ipv4:192.0.2.1` is no SPF term"));
    assert!(faults("loop.example").contains("includes itself"));
    assert!(faults("void.example").contains("3 lookups without an answer, 2 are allowed"));
    assert!(faults("gone.example").contains("nothing.example has no SPF record"));
    assert_eq!(tree(&server, "ten.example").lookups, 10);
    assert_eq!(faults("ten.example"), "");
    // One more term of the same cost is over.
    let over =
        NameServer::start(&ZONE.replace("eleven.example TXT v=spf1", "eleven.example TXT v=spf1 a:web.a.example"));
    assert_eq!(tree(&over, "eleven.example").faults, ["11 lookups, 10 are allowed"]);
    assert!(matches!(server.ask(async |dns| spf(dns, "notspf.example").await), Looked::Absent(_)));
    assert!(matches!(server.ask(async |dns| spf(dns, "broken.example").await), Looked::Unchecked(_)));
}

/// RFC 7208 section 5.1: mechanisms after `all` are ignored. Sixteen lookups stand there, none is made.
#[test]
fn what_stands_after_all_costs_nothing() {
    let server = NameServer::start(ZONE);
    let late = tree(&server, "late.example");
    assert_eq!((late.lookups, late.all, late.faults.len()), (0, Some("fail"), 0));
    assert_eq!(late.ignored().len(), 4);
    assert_eq!(late.of("203.0.113.7".parse().unwrap()), SpfResult::Fail, "web.a.example is named too late");
    assert!(!server.asked().iter().any(|question| question.contains("five.example")));
    assert_eq!(tree(&server, "a.example").ignored(), Vec::<&str>::new());
}

/// A receiver takes the terms in order (section 4.6.2), and ends at the first match, fault or limit.
#[test]
fn an_address_has_the_verdict_of_the_first_term_that_decides() {
    let server = NameServer::start(ZONE);
    let of = |domain: &str, ip: &str| tree(&server, domain).of(ip.parse().unwrap());
    // The blocklist may fail what the next term names; what it does not name fails either way.
    assert_eq!(of("guard.example", "192.0.2.10"), SpfResult::Open);
    assert_eq!(of("guard.example", "192.0.2.11"), SpfResult::Fail);
    // Ten lookups for the two includes, the eleventh before the address; or the address before all of them.
    assert_eq!(of("deep.example", "192.0.2.10"), SpfResult::PermError);
    assert_eq!(of("deep.example", "203.0.113.7"), SpfResult::Pass, "named by the first lookup but one");
    assert_eq!(of("early.example", "192.0.2.10"), SpfResult::Pass);
    assert_eq!(of("early.example", "192.0.2.11"), SpfResult::PermError);
    // Sections 4.5, 4.6, 4.6.4, 5.2 and 6.1.
    for domain in ["two.example", "typo.example", "gone.example", "loop.example", "mixed.example", "onward.example"] {
        assert_eq!(of(domain, "192.0.2.10"), SpfResult::PermError, "{domain}");
    }
    assert_eq!(of("void.example", "192.0.2.10"), SpfResult::PermError, "three lookups without an answer");
}

#[test]
fn what_could_not_be_followed_is_no_verdict() {
    let server = NameServer::start(ZONE);
    let half = tree(&server, "half.example");
    assert!(half.unchecked[0].contains("SERVFAIL"), "{:?}", half.unchecked);
    assert_eq!(half.of("192.0.2.9".parse().unwrap()), SpfResult::Pass);
    assert_eq!(half.of("192.0.2.10".parse().unwrap()), SpfResult::Open, "the part that failed may name it");
    let with_macro = tree(&server, "macro.example");
    assert_eq!((with_macro.lookups, with_macro.void_lookups), (1, 0));
    assert_eq!(with_macro.of("192.0.2.10".parse().unwrap()), SpfResult::Open);
    assert_eq!(tree(&server, "open.example").of("192.0.2.10".parse().unwrap()), SpfResult::Pass);
    let silent = tree(&server, "silent.example");
    assert_eq!((silent.all, silent.of("192.0.2.2".parse().unwrap())), (None, SpfResult::Neutral));
    assert!(
        !server.asked().iter().any(|question| question.contains("allow.example")),
        "a macro is not asked as it stands"
    );
}

#[test]
fn a_record_of_strangers_does_not_run_away() {
    // Each level includes the next three times: 3^12 lookups if followed to the end.
    let mut zone = String::new();
    for level in 0..12 {
        let next = level + 1;
        zone += &format!(
            "l{level}.example TXT v=spf1 include:l{next}.example include:l{next}.example include:l{next}.example -all\n"
        );
    }
    zone += "l12.example TXT v=spf1 -all\n";
    let server = NameServer::start(&zone);
    let found = tree(&server, "l0.example");
    assert!(found.faults[0].starts_with("at least "), "{:?}", found.faults);
    assert!(server.asked().len() < 60, "{}", server.asked().len());
}

#[test]
fn terms_are_read_as_written() {
    let record =
        SpfRecord::read("v=spf1 +A/24//64 ~mx:b.example -ip4:192.0.2.1 ?exists:%{d}.x exp=why.example other=1 -ALL")
            .unwrap();
    let mechanisms: Vec<_> = record.directives.iter().map(|one| (one.qualifier, &one.mechanism)).collect();
    assert_eq!(mechanisms[0], (Qualifier::Pass, &Mechanism::A(None, 24, 64)));
    assert_eq!(mechanisms[1], (Qualifier::SoftFail, &Mechanism::Mx(Some("b.example".into()), 32, 128)));
    assert_eq!(mechanisms[2], (Qualifier::Fail, &Mechanism::Network("192.0.2.1/32".parse().unwrap())));
    assert_eq!(mechanisms[4], (Qualifier::Fail, &Mechanism::All));
    assert_eq!(record.redirect, None);
    for wrong in [
        "a:",
        "include",
        "ip4:192.0.2.256",
        "ip4:192.0.2.0/33",
        "ip6:2001:db8::/129",
        "all:x",
        "a/33",
        "mxx",
        "-",
        "redirect=a redirect=b",
    ] {
        assert!(SpfRecord::read(&format!("v=spf1 {wrong}")).is_err(), "{wrong}");
    }
    assert!(SpfRecord::is_one("V=SPF1") && !SpfRecord::is_one("v=spf1-all") && !SpfRecord::is_one(" v=spf1 -all"));
}
