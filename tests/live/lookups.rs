//! Lookups: yes, no, or could not check, and never one for another.

use std::time::{Duration, Instant};

use dmarcase::config::{Config, DnsConfig, Server, Span};
use dmarcase::dns::{Absence, Looked, ZoneKind, leads_to, reverse, zones};

use crate::name_server::{NameServer, ask};

const ZONE: &str = "
a.example TXT one
mail.a.example A 192.0.2.10
mail.a.example AAAA 2001:db8::10
v6.a.example AAAA 2001:db8::11
alias.a.example CNAME mail.a.example
lost.a.example CNAME nowhere.a.example
broken.a.example SERVFAIL
closed.a.example REFUSED
silent.a.example SILENT
a.example MX 20 b.mx.example.
a.example MX 10 A.mx.example.
parked.example MX 0 .
192.0.2.10 PTR mail.a.example.
192.0.2.11 PTR other.a.example.
192.0.2.12 SERVFAIL
192.0.2.13 PTR broken.a.example.
192.0.2.14 PTR other.a.example.
192.0.2.14 PTR z.a.example.
z.a.example A 192.0.2.14
";

#[test]
fn yes_no_and_could_not_check() {
    let server = NameServer::start(ZONE);
    server.ask(async |dns| {
        assert_eq!(dns.txt("a.example").await, Looked::Found(vec!["one".into()]));
        assert_eq!(dns.txt("A.Example.").await, Looked::Found(vec!["one".into()]));
        assert_eq!(dns.txt("none.example").await, Looked::Absent(Absence::NoName));
        assert_eq!(dns.v4("a.example").await, Looked::Absent(Absence::NoData));
        assert_eq!(dns.v4("alias.a.example").await, Looked::Found(vec!["192.0.2.10".parse().unwrap()]));
        assert_eq!(dns.v4("lost.a.example").await, Looked::Absent(Absence::NoName));
        for (name, why) in [("broken", "SERVFAIL"), ("closed", "REFUSED"), ("silent", "did not answer in time")] {
            let looked = dns.txt(&format!("{name}.a.example")).await;
            assert!(looked.unchecked().unwrap().contains(why), "{name}: {looked:?}");
        }
        let both = dns.addresses("mail.a.example").await.found().unwrap().len();
        assert_eq!((both, dns.addresses("v6.a.example").await.found().unwrap().len()), (2, 1));
        let hosts = Looked::Found(vec![(10, "a.mx.example".into()), (20, "b.mx.example".into())]);
        assert_eq!(dns.mx("a.example").await, hosts, "best first, in lower case");
        assert_eq!(dns.mx("parked.example").await, Looked::Found(vec![(0, String::new())]));
    });
}

#[test]
fn long_text_comes_over_tcp_in_one_piece() {
    let long = "x".repeat(9000);
    let server = NameServer::start(&format!("long.example TXT {long}"));
    server.ask(async |dns| assert_eq!(dns.txt("long.example").await, Looked::Found(vec![long.clone()])));
}

#[test]
fn a_name_counts_where_it_leads_back() {
    let server = NameServer::start(ZONE);
    let of = |ip: &str| server.ask(async |dns| reverse(dns, ip.parse().unwrap()).await);
    assert_eq!(of("192.0.2.10").confirmed, Looked::Found("mail.a.example".into()));
    assert_eq!(of("192.0.2.11").confirmed, Looked::Absent(Absence::NoData), "its name has no address");
    assert_eq!(of("192.0.2.14").confirmed, Looked::Found("z.a.example".into()), "one of two names is enough");
    assert_eq!(of("192.0.2.99").hosts, Looked::Absent(Absence::NoName));
    assert!(of("192.0.2.12").hosts.unchecked().is_some());
    let half = of("192.0.2.13");
    assert_eq!(half.hosts, Looked::Found(vec!["broken.a.example".into()]));
    assert!(half.confirmed.unchecked().is_some(), "a failing forward lookup is no contradiction");
    let leads = |host: &str, ip: &str| server.ask(async |dns| leads_to(dns, host, ip.parse().unwrap()).await);
    assert_eq!(leads("mail.a.example", "2001:db8::10"), Looked::Found(()));
    assert_eq!(leads("mail.a.example", "2001:db8::11"), Looked::Absent(Absence::NoData));
}

#[test]
fn a_dead_server_is_given_up_after_a_while() {
    // A port that nobody listens on: bound and closed again.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = DnsConfig {
        servers: vec![Server(port)],
        timeout: Span(Duration::from_millis(200)),
        attempts: 1,
        concurrency: 4,
        ..DnsConfig::default()
    };
    let started = Instant::now();
    ask(&config, async |dns| {
        let names: Vec<String> = (0..400).map(|n| format!("n{n}.example")).collect();
        let all = futures::future::join_all(names.iter().map(|name| dns.txt(name))).await;
        assert!(all.iter().all(|one| one.unchecked().is_some()));
        assert!(all.last().unwrap().unchecked().unwrap().contains("no more were asked"));
    });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn the_config_names_servers() {
    let config = Config::parse("[dns]\nservers = ['192.0.2.53', '127.0.0.1:5353', '[2001:db8::53]:5353']\n").unwrap();
    let text: Vec<String> = config.dns.servers.iter().map(|server| server.0.to_string()).collect();
    assert_eq!(text, ["192.0.2.53:53", "127.0.0.1:5353", "[2001:db8::53]:5353"]);
    let wrong = Config::parse("[dns]\nservers = ['dns.example']\n").unwrap_err();
    assert!(wrong.contains("`dns.example` is no name server") && wrong.contains("192.0.2.53:5353"), "{wrong}");
    let typo = Config::parse("[dns]\nserver = ['192.0.2.53']\n").unwrap_err();
    assert!(typo.contains("did you mean `servers`?"), "{typo}");
}

const LISTS: &str = "
# A good list: it holds its test entry, and not 127.0.0.1.
2.0.0.127.good.example A 127.0.0.2
9.2.0.192.good.example A 127.0.0.2
9.2.0.192.good.example TXT see https://good.example/?ip=192.0.2.9
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.good.example A 127.0.0.4
8.2.0.192.good.example A 127.255.255.254
7.2.0.192.good.example A 127.0.0.1
6.2.0.192.good.example A 198.51.100.1
2.0.0.127.world.example A 127.0.0.2
1.0.0.127.world.example A 127.0.0.2
2.0.0.127.refuses.example A 127.255.255.255
2.0.0.127.zen.spamhaus.org A 127.0.0.2
9.2.0.192.zen.spamhaus.org A 127.0.0.10
9.2.0.192.zen.spamhaus.org A 127.0.0.3
8.2.0.192.zen.spamhaus.org A 127.0.0.77
";

#[test]
fn refused_questions_are_no_listings() {
    let server = NameServer::start(LISTS);
    let named: Vec<String> = ["good.example", "world.example", "refuses.example", "gone.example", "zen.spamhaus.org"]
        .map(str::to_owned)
        .into();
    let lists = zones(ZoneKind::Address, Some(&named));
    server.ask(async |dns| {
        let [good, world, refuses, gone, zen] = lists.as_slice() else { panic!() };
        assert_eq!(good.fault(dns).await, None);
        let listing = good.ask(dns, "192.0.2.9").await;
        assert_eq!(listing.found().unwrap().reason.as_deref(), Some("see https://good.example/?ip=192.0.2.9"));
        assert!(good.ask(dns, "2001:db8::1").await.found().is_some());
        assert_eq!(good.ask(dns, "192.0.2.1").await, Looked::Absent(Absence::NoName));
        for (ip, why) in [("192.0.2.8", "public resolver"), ("192.0.2.7", "refused"), ("192.0.2.6", "something else")] {
            let looked = good.ask(dns, ip).await;
            assert!(looked.unchecked().unwrap().contains(why), "{ip}: {looked:?}");
        }
        assert!(world.fault(dns).await.unwrap().contains("lists the world"));
        assert!(refuses.fault(dns).await.unwrap().contains("too many"));
        assert!(gone.fault(dns).await.unwrap().contains("not listed"));
        assert_eq!(zen.fault(dns).await, None);
        let listing = zen.ask(dns, "192.0.2.9").await;
        let listing = listing.found().unwrap();
        assert_eq!(
            (listing.code.to_string(), listing.severity.word()),
            ("127.0.0.3".into(), "high"),
            "the worst counts"
        );
        assert!(zen.ask(dns, "192.0.2.8").await.unchecked().unwrap().contains("127.0.0.77"));
    });
}

#[test]
fn the_bundled_table_of_blocklists_is_whole() {
    let text = include_str!("../../schemas/blocklists.csv");
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.splitn(7, ',').collect();
        assert_eq!(cells.len(), 7, "{row}");
        assert!(["address", "domain"].contains(&cells[2]) && ["warn", "high"].contains(&cells[5]), "{row}");
        assert!(cells[4].parse::<std::net::Ipv4Addr>().unwrap().octets()[0] == 127, "{row}");
        assert!(cells[2] != "domain" || !cells[3].is_empty(), "{row}");
    }
    assert_eq!((zones(ZoneKind::Address, None).len(), zones(ZoneKind::Domain, None).len()), (4, 1));
    assert!(zones(ZoneKind::Address, Some(&[])).is_empty(), "an empty list asks none");
}

#[test]
fn a_closed_network_denies_nothing() {
    let server = NameServer::start_without_root(ZONE);
    server.ask(async |dns| {
        assert_eq!(dns.txt("a.example").await, Looked::Found(vec!["one".into()]), "what it says counts");
        for looked in [dns.txt("none.example").await, dns.txt("mail.a.example").await] {
            assert!(looked.unchecked().unwrap().contains("denies even the root"), "{looked:?}");
        }
    });
    assert_eq!(server.asked().iter().filter(|question| question.ends_with(" NS")).count(), 1, "asked once");
}
