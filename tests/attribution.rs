//! Who is behind a stream or a source: rules, catalogue and evidence, without a store.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;

use chrono::NaiveDate;
use dmarcase::config::Config;
use dmarcase::senders::{
    Attribution, Catalogue, MailFrom, Named, Networks, Rules, Signature, SourceFacts, StreamFacts, Verdict, bounds,
    score,
};
use ipnet::IpNet;
use proptest::prelude::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn rules(config: &str) -> Rules {
    Rules::new(&Config::parse(config).unwrap().sender, day("2026-06-30"))
}

fn signature(domain: &str, selector: &str) -> Signature {
    Signature {
        domain: domain.into(),
        org: dmarcase::parse::org_domain(domain).into(),
        selector: (!selector.is_empty()).then(|| selector.into()),
    }
}

fn mail_from(domain: &str) -> MailFrom {
    MailFrom { domain: domain.into(), org: dmarcase::parse::org_domain(domain).into() }
}

fn stream(rules: &Rules, header_from: &str, dkim: &[Signature], spf: &[MailFrom]) -> Option<Verdict> {
    let attribution = Attribution { rules, catalogue: Catalogue::bundled() };
    let org = dmarcase::parse::org_domain(header_from);
    attribution.stream(StreamFacts { header_from: Some(header_from), header_from_org: Some(org), dkim, spf })
}

fn address(text: &str) -> u128 {
    dmarcase::store::ip_sort(text.parse::<IpAddr>().unwrap())
}

fn source(rules: &Rules, ip: &str, host: Option<&str>) -> Option<Verdict> {
    Attribution { rules, catalogue: Catalogue::bundled() }.source(SourceFacts { address: address(ip), host })
}

fn approved_name(rules: &Rules, verdict: Option<Verdict>) -> String {
    match verdict.map(|v| v.sender) {
        Some(Named::Approved(number)) => rules.sender(number).unwrap().name.clone(),
        other => panic!("not approved: {other:?}"),
    }
}

const CONFIG: &str = r#"
[[sender]]
name = "billing"
dkim = [{ domain = "northwind.example", selectors = ["b1", "B2"] }]

[[sender]]
name = "office"
ips = ["192.0.2.0/24"]
dkim = [{ domain = "northwind.example" }]
spf = ["bounce.northwind.example"]

[[sender]]
name = "relay"
ips = ["192.0.2.64/28", "2001:db8:1::/48"]
ptr = ["relay.northwind.example"]

[[sender]]
name = "agency"
ips = ["192.0.2.0/24"]
from = ["promo.northwind.example", "*.shop.example"]

[[sender]]
name = "crm"
spf = ["*.crm.example"]
since = 2026-01-15
approved_until = "2026-06-30"
"#;

#[test]
fn the_more_specific_rule_wins() {
    let rules = rules(CONFIG);
    let own = "northwind.example";
    let named = |dkim: &[Signature], spf: &[MailFrom]| approved_name(&rules, stream(&rules, own, dkim, spf));
    assert_eq!(named(&[signature(own, "b1")], &[]), "billing");
    assert_eq!(named(&[signature(own, "b2")], &[]), "billing", "selectors compare in any case");
    assert_eq!(named(&[signature(own, "s9")], &[]), "office");
    assert_eq!(named(&[signature(own, "s9"), signature(own, "b1")], &[]), "billing", "selector over domain");
    assert_eq!(named(&[], &[mail_from("bounce.northwind.example")]), "office");
    assert_eq!(named(&[], &[mail_from("eu.crm.example")]), "crm");
    assert_eq!(
        stream(&rules, own, &[], &[mail_from("crm.example")]).unwrap().sender,
        Named::Unknown("crm.example".into())
    );
    let evidence = stream(&rules, own, &[signature(own, "b1")], &[]).unwrap();
    assert_eq!(
        (evidence.evidence.as_str(), evidence.score),
        ("DKIM d=northwind.example s=b1", score::APPROVED_SELECTOR)
    );
}

#[test]
fn the_longer_network_wins_and_a_bound_rule_beats_one_for_any() {
    let rules = rules(CONFIG);
    assert_eq!(approved_name(&rules, source(&rules, "192.0.2.1", None)), "office");
    assert_eq!(approved_name(&rules, source(&rules, "192.0.2.70", None)), "relay");
    assert_eq!(source(&rules, "192.0.2.70", None).unwrap().evidence, "network 192.0.2.64/28");
    assert_eq!(approved_name(&rules, source(&rules, "2001:db8:1:ff::9", None)), "relay");
    assert_eq!(source(&rules, "2001:db8:2::9", None), None);
    assert_eq!(approved_name(&rules, source(&rules, "198.51.100.7", Some("mx1.relay.northwind.example"))), "relay");
    assert_eq!(
        source(&rules, "198.51.100.7", Some("xrelay.northwind.example")).unwrap().sender,
        Named::Unknown("northwind.example".into())
    );

    let attribution = Attribution { rules: &rules, catalogue: Catalogue::bundled() };
    let for_from =
        |ip: &str, from: &str| attribution.source_for(SourceFacts { address: address(ip), host: None }, from);
    assert_eq!(approved_name(&rules, for_from("192.0.2.1", "promo.northwind.example")), "agency");
    assert_eq!(approved_name(&rules, for_from("192.0.2.1", "a.shop.example")), "agency");
    assert_eq!(for_from("192.0.2.1", "shop.example"), None, "*.shop.example is not shop.example itself");
    assert_eq!(for_from("192.0.2.1", "northwind.example"), None, "office stands in source already");
    assert_eq!(for_from("192.0.2.70", "promo.northwind.example"), None, "the /28 is longer than the bound /24");
    assert!(rules.bound_reaches(address("192.0.2.1"), None));
    assert!(!rules.bound_reaches(address("198.51.100.1"), None));
}

#[test]
fn an_approval_holds_between_its_days_only() {
    let config = Config::parse(CONFIG).unwrap();
    for (on, holds) in [("2026-01-14", false), ("2026-01-15", true), ("2026-06-30", true), ("2026-07-01", false)] {
        let rules = Rules::new(&config.sender, day(on));
        let verdict = stream(&rules, "northwind.example", &[], &[mail_from("eu.crm.example")]).unwrap();
        assert_eq!(matches!(verdict.sender, Named::Approved(_)), holds, "on {on}");
    }
}

#[test]
fn the_catalogue_recognises_by_whole_labels_and_only_for_others_mail() {
    let none = Rules::default();
    let named = |from: &str, dkim: &[Signature], spf: &[MailFrom]| stream(&none, from, dkim, spf).map(|v| v.sender);
    let service =
        |name: &str, category: &str| Some(Named::Recognised { service: name.into(), category: category.into() });
    let own = "northwind.example";
    assert_eq!(named(own, &[signature("sendgrid.net", "s1")], &[]), service("Twilio SendGrid", "transactional"));
    assert_eq!(named(own, &[], &[mail_from("em1.eu.mcsv.net")]), service("Mailchimp", "marketing"));
    assert_eq!(named(own, &[signature("notsendgrid.net", "s1")], &[]), Some(Named::Unknown("notsendgrid.net".into())));
    let itself = stream(&none, "sendgrid.net", &[signature("sendgrid.net", "s1")], &[]).unwrap();
    assert_eq!(itself.sender, Named::Unknown("sendgrid.net (selector s1, no SPF)".into()));
    assert_eq!(
        source(&none, "203.0.113.5", Some("o1.outbound-mail.sendgrid.net")).map(|v| (v.sender, v.evidence)),
        service("Twilio SendGrid", "transactional").map(|s| (s, "PTR o1.outbound-mail.sendgrid.net".to_owned()))
    );
    let shared = [signature("mailgun.org", "k1"), signature("sendgrid.info", "k1")];
    let verdict = stream(&none, own, &shared, &[]).unwrap();
    assert_eq!(verdict.score, score::RECOGNISED_DKIM, "a sure row beats one of low confidence");
    assert_eq!(verdict.evidence, "DKIM d=mailgun.org");
}

#[test]
fn unknown_senders_are_named_by_the_strongest_evidence() {
    let none = Rules::default();
    let own = "mail.northwind.example";
    let name = |dkim: &[Signature], spf: &[MailFrom]| match stream(&none, own, dkim, spf) {
        Some(Verdict { sender: Named::Unknown(name), evidence, .. }) => Some((name, evidence)),
        None => None,
        other => panic!("{other:?}"),
    };
    let some = |name: &str, evidence: &str| Some((name.to_owned(), evidence.to_owned()));
    let spf_own = mail_from("northwind.example");
    assert_eq!(
        name(&[signature("m.crm.example", "k")], &[mail_from("b.host.example")]),
        some("crm.example", "DKIM d=m.crm.example")
    );
    assert_eq!(name(&[], &[mail_from("b.host.example")]), some("host.example", "SPF b.host.example"));
    assert_eq!(
        name(&[signature("a-relay.example", "k"), signature("crm.example", "k")], &[mail_from("b.crm.example")]),
        some("crm.example", "DKIM d=crm.example"),
        "the signer that owns the MAIL FROM domain"
    );
    assert_eq!(
        name(&[signature("northwind.example", "s1")], std::slice::from_ref(&spf_own)),
        some("northwind.example (selector s1)", "DKIM d=northwind.example s=s1, SPF northwind.example")
    );
    assert_eq!(
        name(&[signature("northwind.example", "s1")], &[]),
        some("northwind.example (selector s1, no SPF)", "DKIM d=northwind.example s=s1")
    );
    assert_eq!(name(&[], &[spf_own]), some("northwind.example (SPF)", "SPF northwind.example"));
    assert_eq!(name(&[], &[]), None, "nothing passes: the source itself is the sender");
    assert_eq!(
        source(&none, "203.0.113.5", Some("vm7.hoster.example")).unwrap().sender,
        Named::Unknown("hoster.example".into())
    );
    assert_eq!(source(&none, "203.0.113.5", None), None);
}

#[test]
fn tied_rules_are_refused_by_name() {
    let refused = |config: &str| Config::parse(config).map(|_| ()).unwrap_err();
    let networks =
        "[[sender]]\nname = 'one'\nips = ['192.0.2.0/24']\n[[sender]]\nname = 'two'\nips = ['192.0.2.0/24']\n";
    let text = refused(networks);
    assert!(text.contains("`one`") && text.contains("`two`") && text.contains("192.0.2.0/24"), "{text}");
    let dkim = "[[sender]]\nname = 'one'\ndkim = [{ domain = 'A.example' }]\n[[sender]]\nname = 'two'\ndkim = [{ domain = 'a.example.' }]\n";
    assert!(refused(dkim).contains("the DKIM domain a.example"));
    let bound = |a: &str, b: &str| {
        Config::parse(&format!(
            "[[sender]]\nname = 'one'\nspf = ['x.example']\nfrom = [{a}]\n[[sender]]\nname = 'two'\nspf = ['x.example']\nfrom = [{b}]\n"
        ))
        .is_ok()
    };
    assert!(bound("'a.example'", "'b.example'"));
    assert!(bound("'a.example'", ""), "a bound rule beats one for any");
    assert!(!bound("'*.a.example'", "'m.a.example'"));
    let in_turn = "[[sender]]\nname = 'one'\nspf = ['x.example']\napproved_until = 2026-01-31\n[[sender]]\nname = 'two'\nspf = ['x.example']\nsince = 2026-02-01\n";
    assert!(Config::parse(in_turn).is_ok(), "one after the other is no tie");
    assert!(refused("[[sender]]\nname = 'one'\n").contains("matches nothing"));
    assert!(refused("[[sender]]\nname = 'one'\nspf = ['a']\nsince = 2026-13-01\n").contains("line 4"));
    assert!(refused("[[sender]]\nname = 'one'\nspf = ['a']\nsince = 'soon'\n").contains("is no day"));
}

/// What can never mean what its writer meant is told, not taken.
#[test]
fn rules_that_mean_nothing_are_refused() {
    let sender = |more: &str| format!("[[sender]]\nname = 'one'\n{more}\n");
    for (config, told) in [
        (sender("ips = ['192.0.2.5/24']"), "write 192.0.2.0/24 or 192.0.2.5"),
        (sender("ips = ['0.0.0.0/0']"), "every address there is"),
        (sender("ips = ['::/0']"), "every address there is"),
        (sender("dkim = [{ domain = '198.51.100.77-99' }]"), "is no domain"),
        (sender("spf = ['a b.example']"), "is no domain"),
        (
            sender("spf = ['a.example']\nsince = 2027-01-01\napproved_until = 2026-01-01"),
            "ends on 2026-01-01, before it begins",
        ),
        (sender("spf = ['a.example']") + &sender("spf = ['b.example']"), "two senders are named `one`"),
        ("[[domain]]\nname = 'Not A Domain'\n".to_owned(), "`Not A Domain` is no domain"),
        ("[[domain]]\nname = 'a.example'\n[[domain]]\nname = 'A.example.'\n".to_owned(), "`A.example.` is there twice"),
        ("[[tenant]]\nname = 'e'\ndomains = []\n".to_owned(), "the tenant `e` has no domains"),
        (
            "[[mailbox]]\nname = 'm'\nhost = '192.0.2.1'\ntls = 'none'\nuser = 'u'\npassword_env = 'P'\n".to_owned(),
            "in the clear",
        ),
    ] {
        let fault = Config::parse(&config).map(|_| ()).unwrap_err();
        assert!(fault.contains(told), "{config}{fault}");
    }
}

#[test]
fn a_tenants_sender_approves_mail_of_its_domains_only() {
    let config = Config::parse(
        "[[tenant]]\nname = 'a'\ndomains = ['a.example']\nsenders = ['esp']\n\
         [[sender]]\nname = 'esp'\nspf = ['esp.example']\n",
    )
    .unwrap();
    let rules = Rules::new(&config.sender, day("2026-06-30"));
    let approved = |from: &str| {
        let verdict = stream(&rules, from, &[], &[mail_from("esp.example")]).unwrap();
        matches!(verdict.sender, Named::Approved(_))
    };
    assert!(approved("a.example") && approved("news.a.example"));
    assert!(!approved("b.example"), "nothing crosses from one tenant to another");
    assert!(config.tenant("b").unwrap_err().to_string().contains("there are a"));
}

#[test]
fn the_bundled_catalogue_reads_whole() {
    let text = include_str!("../schemas/senders.csv");
    assert!(Catalogue::read(text).is_ok());
    assert_eq!(Catalogue::bundled().service("twilio sendgrid").unwrap().category, "transactional");
    let bad = Catalogue::read("service,category,match_kind,value,confidence\nX,y,dkim,z.example,high\n").unwrap_err();
    assert_eq!(bad.to_string(), "catalogue line 2: match kind `dkim` is not known");
    let network = Catalogue::read("h\nX,relay,network,192.0.2.0/25,high\n").unwrap();
    assert_eq!(network.network(address("192.0.2.127")).unwrap().0.service, "X");
    assert_eq!(network.network(address("192.0.2.128")), None);
}

fn any_network() -> impl Strategy<Value = IpNet> {
    // A small corner of both address families, so that networks nest, touch and repeat.
    prop_oneof![
        (0_u8..4, any::<u8>(), 20_u8..=32)
            .prop_map(|(b, c, length)| { IpNet::new(IpAddr::from([192, 0, b, c]), length).unwrap().trunc() }),
        (0_u16..4, any::<u16>(), 40_u8..=128).prop_map(|(g, h, length)| {
            IpNet::new(IpAddr::from([0x2001, 0xdb8, g, 0, 0, 0, 0, h]), length).unwrap().trunc()
        }),
    ]
}

proptest! {
    #[test]
    fn networks_agree_with_a_scan_of_all(
        networks in prop::collection::vec(any_network(), 0..60),
        picks in prop::collection::vec((any::<prop::sample::Index>(), -1_i8..=1, any::<bool>()), 1..40),
    ) {
        let lookup = Networks::new(networks.iter().copied());
        // The edges of the networks and their neighbours are where a lookup goes wrong.
        let addresses: Vec<u128> = picks
            .iter()
            .filter(|_| !networks.is_empty())
            .map(|(pick, by, high)| {
                let (first, last) = bounds(*pick.get(&networks));
                (if *high { last } else { first }).saturating_add_signed(i128::from(*by))
            })
            .chain([0, u128::MAX, address("198.51.100.1")])
            .collect();
        for address in addresses {
            let mut scan: Vec<usize> = (0..networks.len())
                .filter(|place| { let (first, last) = bounds(networks[*place]); first <= address && address <= last })
                .collect();
            scan.sort_by_key(|place| std::cmp::Reverse((networks[*place].prefix_len(), *place)));
            prop_assert_eq!(lookup.holding(address).collect::<Vec<_>>(), scan);
        }
    }
}
