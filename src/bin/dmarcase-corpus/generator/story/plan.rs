//! The plan of the sample story: who reports how many messages of which stream from where, on which days.
//!
//! Every figure of `tests/samples.rs` follows from this table by hand: days times count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::report::{Dkim, Reporter, Shape, Spf};
use super::super::reporters::{
    BEHOERDENPOST, BIG_SEARCH, CABLE_ISP, CLOUD_RELAY, ENTERPRISE_POST, FREUNDPOST, HOME_POST, MAIL_SHIELD,
    NEW_STANDARD, POCHTA, PURPLE_MAIL, QUICK_MAIL,
};

/// 2026-09-21, a Monday, midnight UTC: day 0. The story ends on day 41, Sunday 2026-11-01.
pub(super) const START: i64 = 1_789_948_800;
pub(super) const LAST: u8 = 41;

/// The day of a date in September.
pub(super) const fn sep(day: u8) -> u8 {
    day - 21
}

/// The day of a date in October.
pub(super) const fn oct(day: u8) -> u8 {
    day + 9
}

/// Days of the week from a first to a last day.
#[derive(Clone, Copy)]
pub(super) struct Days {
    week: u8,
    first: u8,
    last: u8,
}

impl Days {
    pub(super) const fn includes(self, day: u8) -> bool {
        day >= self.first && day <= self.last && self.week >> (day % 7) & 1 == 1
    }

    const fn from(self, first: u8) -> Self {
        Self { first, ..self }
    }

    const fn to(self, last: u8) -> Self {
        Self { last, ..self }
    }
}

const fn days(week: u8) -> Days {
    Days { week, first: 0, last: LAST }
}

const fn on(day: u8) -> Days {
    Days { week: 0b111_1111, first: day, last: day }
}

const MON: Days = days(1);
const TUE: Days = days(1 << 1);
const WED: Days = days(1 << 2);
const THU: Days = days(1 << 3);
const FRI: Days = days(1 << 4);
const SAT: Days = days(1 << 5);
const SUN: Days = days(1 << 6);
const TUE_THU: Days = days(1 << 1 | 1 << 3);
/// Monday to Friday: 30 days.
const WORK: Days = days(0b001_1111);
/// Saturday and Sunday: 12 days.
const REST: Days = days(0b110_0000);

/// Where the mail of a row came from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// One address.
    One([u8; 4]),
    /// `n` addresses of the burst, from the `k`th on, scattered over 203.0.113.0/24.
    Burst4 { k: u8, n: u8 },
    /// The same in 2001:db8:bad::/48.
    Burst6 { k: u8, n: u8 },
}

impl Source {
    pub(super) fn addresses(self) -> Vec<IpAddr> {
        // 37 generates every residue of the prime 251 but 0, so that no two numbers meet and neighbours lie apart.
        let v4 = |k: u8| IpAddr::V4(Ipv4Addr::new(203, 0, 113, (37 * u16::from(k) % 251) as u8));
        let v6 = |k: u8| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0x111 * u16::from(k), 0, 0, 0, u16::from(k)));
        match self {
            Self::One(address) => vec![IpAddr::V4(address.into())],
            Self::Burst4 { k, n } => (k..k + n).map(v4).collect(),
            Self::Burst6 { k, n } => (k..k + n).map(v6).collect(),
        }
    }
}

/// A stream of mail under one of the domains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    /// The policy domain that reports file it under.
    pub(super) policy_domain: &'static str,
    /// How it authenticates on a good day.
    pub(super) shape: Shape<'static>,
    /// It leaves through servers that northwind's SPF record names.
    pub(super) own_spf: bool,
    /// Own mail servers sign it.
    pub(super) own_dkim: bool,
}

pub(super) const NORTHWIND: &str = "northwind.example";
pub(super) const NEWS: &str = "news.northwind.example";
pub(super) const PARKED: &str = "northwind-parked.example";
const FORWARDER: &str = "alumni-forward.example";
const LISTS: &str = "trade-forum-lists.example";
const CRM_DOMAIN: &str = "crm-suite.example";

const fn sign(domain: &'static str, selector: &'static str, result: &'static str) -> Dkim<'static> {
    Dkim { domain, selector, result, human: None }
}

/// The mail servers: both aligned.
pub(super) const OWN: Stream = Stream {
    policy_domain: NORTHWIND,
    shape: Shape {
        header_from: NORTHWIND,
        envelope_from: NORTHWIND,
        dkim: true,
        spf: true,
        dkim_results: [Some(sign(NORTHWIND, "s2026", "pass")), None],
        spf_result: Spf { domain: NORTHWIND, result: "pass" },
        reason: None,
    },
    own_spf: true,
    own_dkim: true,
};
/// The scanner in the office: SPF alone carries it.
const SCANNER: Stream =
    Stream { shape: Shape { dkim: false, dkim_results: [None, None], ..OWN.shape }, own_dkim: false, ..OWN };
const FOREIGN: Stream = Stream { own_spf: false, own_dkim: false, ..OWN };
/// The CRM signs as itself.
const CRM: Stream = Stream {
    shape: Shape {
        envelope_from: CRM_DOMAIN,
        dkim: false,
        spf: false,
        dkim_results: [Some(sign(CRM_DOMAIN, "crm1", "pass")), None],
        spf_result: Spf { domain: CRM_DOMAIN, result: "pass" },
        ..OWN.shape
    },
    ..FOREIGN
};
/// A public service that somebody tries out.
const TRIAL: Stream = Stream {
    shape: Shape {
        envelope_from: "bounces.sendgrid.net",
        dkim_results: [Some(sign("sendgrid.net", "smtpapi", "pass")), None],
        spf_result: Spf { domain: "bounces.sendgrid.net", result: "pass" },
        ..CRM.shape
    },
    ..FOREIGN
};
/// Forwarded copies whose signature survives.
const FORWARDED: Stream = Stream {
    shape: Shape {
        envelope_from: FORWARDER,
        spf: false,
        spf_result: Spf { domain: FORWARDER, result: "pass" },
        ..OWN.shape
    },
    ..FOREIGN
};
/// Forwarded copies whose signature broke, and what each reporter says of them.
const FORWARD_BROKEN: Stream = broken(FORWARDED, ("forwarded", "looks forwarded, downgrade to none"));
const FORWARD_ARC: Stream = broken(FORWARDED, ("local_policy", "arc=pass as[1].d=alumni-forward.example as[1].s=arc"));
/// A discussion list rewrites subjects, which breaks the signature.
const LIST: Stream = Stream {
    shape: Shape { envelope_from: LISTS, spf_result: Spf { domain: LISTS, result: "pass" }, ..FORWARD_BROKEN.shape },
    ..FOREIGN
};
const LIST_KNOWN: Stream = broken(LIST, ("mailing_list", "known mailing list"));
const LIST_LOCAL: Stream = broken(LIST, ("local_policy", "arc=pass as[1].d=trade-forum-lists.example as[1].s=arc"));
/// The forgotten invoicing host, under a subdomain without a policy of its own.
const INVOICING: Stream = Stream {
    shape: Shape {
        header_from: "billing.northwind.example",
        envelope_from: "billing.northwind.example",
        dkim_results: [None, None],
        spf_result: Spf { domain: "billing.northwind.example", result: "none" },
        ..CRM.shape
    },
    ..FOREIGN
};
/// The burst, as the domain itself.
const BURST: Stream = Stream {
    shape: Shape {
        header_from: NORTHWIND,
        envelope_from: NORTHWIND,
        spf_result: Spf { domain: NORTHWIND, result: "fail" },
        ..INVOICING.shape
    },
    ..FOREIGN
};
/// The burst, as a subdomain that does not exist.
const BURST_SUBDOMAIN: Stream = Stream {
    shape: Shape {
        header_from: "secure.northwind.example",
        envelope_from: "bad-host.example",
        spf_result: Spf { domain: "bad-host.example", result: "none" },
        ..INVOICING.shape
    },
    ..FOREIGN
};
/// The newsletter through a platform, with keys and a bounce domain of its own under the subdomain.
const NEWSLETTER: Stream = Stream {
    policy_domain: NEWS,
    shape: Shape {
        header_from: NEWS,
        envelope_from: "bounce.news.northwind.example",
        dkim_results: [Some(sign(NEWS, "esp1", "pass")), Some(sign("esp-one.example", "pool7", "pass"))],
        spf_result: Spf { domain: "bounce.news.northwind.example", result: "pass" },
        ..OWN.shape
    },
    own_spf: false,
    own_dkim: false,
};
/// A newsletter forwarded and broken, while the policy was in testing.
const NEWS_BROKEN: Stream = Stream {
    shape: Shape {
        envelope_from: FORWARDER,
        dkim: false,
        spf: false,
        dkim_results: [Some(sign(NEWS, "esp1", "fail")), None],
        spf_result: Spf { domain: FORWARDER, result: "pass" },
        reason: Some(("policy_test_mode", "t=y: quarantine instead of reject")),
        ..NEWSLETTER.shape
    },
    ..NEWSLETTER
};
const BURST_NEWS: Stream = Stream {
    policy_domain: NEWS,
    shape: Shape {
        header_from: NEWS,
        envelope_from: NEWS,
        spf_result: Spf { domain: NEWS, result: "fail" },
        ..BURST.shape
    },
    ..FOREIGN
};
const BURST_PARKED: Stream = Stream {
    policy_domain: PARKED,
    shape: Shape {
        header_from: PARKED,
        envelope_from: PARKED,
        spf_result: Spf { domain: PARKED, result: "none" },
        ..BURST.shape
    },
    ..FOREIGN
};

/// The stream with its signature broken, and a reason for what the receiver did.
const fn broken(stream: Stream, reason: (&'static str, &'static str)) -> Stream {
    let shape = Shape {
        dkim: false,
        dkim_results: [Some(sign(NORTHWIND, "s2026", "fail")), None],
        reason: Some(reason),
        ..stream.shape
    };
    Stream { shape, ..stream }
}

/// One line of the plan.
pub(super) struct Row {
    pub(super) by: Reporter,
    pub(super) stream: Stream,
    pub(super) source: Source,
    pub(super) days: Days,
    /// Messages a day, of each address.
    pub(super) count: u64,
}

const fn row(by: Reporter, stream: Stream, source: Source, days: Days, count: u64) -> Row {
    Row { by, stream, source, days, count }
}

const fn v4(k: u8, n: u8) -> Source {
    Source::Burst4 { k, n }
}

const fn v6(k: u8, n: u8) -> Source {
    Source::Burst6 { k, n }
}

const MX1: Source = Source::One([192, 0, 2, 10]);
const MX2: Source = Source::One([192, 0, 2, 11]);
const OFFICE: Source = Source::One([192, 0, 2, 25]);
const CRM1: Source = Source::One([198, 51, 100, 21]);
const CRM2: Source = Source::One([198, 51, 100, 22]);
const CRM3: Source = Source::One([198, 51, 100, 23]);
const ESP1: Source = Source::One([198, 51, 100, 31]);
const ESP2: Source = Source::One([198, 51, 100, 32]);
const SG1: Source = Source::One([198, 51, 100, 61]);
const SG2: Source = Source::One([198, 51, 100, 62]);
const OLD_HOST: Source = Source::One([198, 51, 100, 77]);
const FWD: Source = Source::One([198, 51, 100, 140]);
const FORUM: Source = Source::One([198, 51, 100, 150]);

/// The plan.
#[rustfmt::skip]
pub(super) static PLAN: &[Row] = &[
    // The largest reporter, every day.
    row(BIG_SEARCH, OWN, MX1, WORK, 120),
    row(BIG_SEARCH, OWN, MX1, REST, 20),
    row(BIG_SEARCH, OWN, MX2, WORK, 80),
    row(BIG_SEARCH, OWN, MX2, REST, 10),
    row(BIG_SEARCH, SCANNER, OFFICE, WORK, 6),
    row(BIG_SEARCH, CRM, CRM1, WORK, 12),
    row(BIG_SEARCH, CRM, CRM3, WED, 9),
    row(BIG_SEARCH, FORWARDED, FWD, WORK, 4),
    row(BIG_SEARCH, FORWARD_BROKEN, FWD, WED, 1),
    row(BIG_SEARCH, LIST_KNOWN, FORUM, TUE_THU, 6),
    row(BIG_SEARCH, INVOICING, OLD_HOST, MON, 15),
    row(BIG_SEARCH, BURST, v4(1, 20), on(oct(20)), 3),
    row(BIG_SEARCH, BURST, v4(21, 32), on(oct(21)), 4),
    row(BIG_SEARCH, BURST, v4(53, 12), on(oct(22)), 2),
    row(BIG_SEARCH, BURST_SUBDOMAIN, v6(1, 4), on(oct(20)), 2),
    row(BIG_SEARCH, BURST_SUBDOMAIN, v6(5, 8), on(oct(21)), 2),
    row(BIG_SEARCH, BURST_SUBDOMAIN, v6(13, 4), on(oct(22)), 1),
    row(BIG_SEARCH, NEWSLETTER, ESP1, TUE, 300),
    row(BIG_SEARCH, NEWSLETTER, ESP2, TUE, 260),
    row(BIG_SEARCH, NEWSLETTER, ESP1, SAT, 60),
    row(BIG_SEARCH, NEWSLETTER, ESP2, SAT, 40),
    row(BIG_SEARCH, BURST_NEWS, v4(1, 6), on(oct(20)), 2),
    row(BIG_SEARCH, BURST_PARKED, v4(110, 5), on(oct(20)), 2),
    row(BIG_SEARCH, BURST_PARKED, v4(110, 5), on(oct(21)), 3),
    row(BIG_SEARCH, BURST_PARKED, v4(110, 5), on(oct(22)), 1),
    // Mail of companies, every day.
    row(ENTERPRISE_POST, OWN, MX1, WORK, 90),
    row(ENTERPRISE_POST, OWN, MX1, REST, 6),
    row(ENTERPRISE_POST, OWN, MX2, WORK, 60),
    row(ENTERPRISE_POST, OWN, MX2, REST, 4),
    row(ENTERPRISE_POST, SCANNER, OFFICE, WORK, 3),
    row(ENTERPRISE_POST, CRM, CRM2, WORK, 8),
    row(ENTERPRISE_POST, TRIAL, SG1, WORK.from(oct(19)), 7),
    row(ENTERPRISE_POST, FORWARDED, FWD, WORK, 3),
    row(ENTERPRISE_POST, FORWARD_ARC, FWD, THU, 2),
    row(ENTERPRISE_POST, LIST_LOCAL, FORUM, TUE_THU, 4),
    row(ENTERPRISE_POST, INVOICING, OLD_HOST, MON, 10),
    row(ENTERPRISE_POST, BURST, v4(11, 10), on(oct(20)), 2),
    row(ENTERPRISE_POST, BURST, v4(65, 16), on(oct(21)), 3),
    row(ENTERPRISE_POST, BURST, v4(81, 6), on(oct(22)), 1),
    row(ENTERPRISE_POST, NEWSLETTER, ESP1, TUE, 210),
    row(ENTERPRISE_POST, NEWSLETTER, ESP2, TUE, 180),
    row(ENTERPRISE_POST, NEWSLETTER, ESP1, SAT, 35),
    row(ENTERPRISE_POST, NEWSLETTER, ESP2, SAT, 25),
    // Tuesdays and Thursdays until it falls silent.
    row(HOME_POST, OWN, MX1, TUE_THU.to(oct(22)), 14),
    row(HOME_POST, OWN, MX2, TUE_THU.to(oct(22)), 9),
    row(HOME_POST, CRM, CRM1, TUE_THU.to(oct(22)), 2),
    row(HOME_POST, TRIAL, SG2, TUE_THU.from(oct(20)).to(oct(22)), 5),
    row(HOME_POST, BURST, v4(87, 6), on(oct(20)), 2),
    row(HOME_POST, BURST, v4(93, 4), on(oct(22)), 1),
    // Once a week each.
    row(PURPLE_MAIL, OWN, MX1, MON, 25),
    row(PURPLE_MAIL, OWN, MX2, MON, 15),
    row(PURPLE_MAIL, INVOICING, OLD_HOST, MON, 4),
    row(CLOUD_RELAY, OWN, MX1, WED, 18),
    row(CLOUD_RELAY, OWN, MX2, WED, 12),
    row(CLOUD_RELAY, FORWARDED, FWD, WED, 2),
    row(MAIL_SHIELD, OWN, MX1, THU, 30),
    row(MAIL_SHIELD, OWN, MX2, THU, 20),
    row(MAIL_SHIELD, CRM, CRM2, THU, 3),
    row(MAIL_SHIELD, LIST_KNOWN, FORUM, THU, 2),
    row(FREUNDPOST, OWN, MX1, FRI, 10),
    row(FREUNDPOST, OWN, MX2, FRI, 6),
    row(NEW_STANDARD, OWN, MX1, SAT, 5),
    row(NEW_STANDARD, OWN, MX2, SAT, 3),
    row(NEW_STANDARD, NEWSLETTER, ESP1, SAT.to(oct(3)), 8),
    row(NEW_STANDARD, NEWSLETTER, ESP1, on(oct(31)), 8),
    row(NEW_STANDARD, NEWS_BROKEN, FWD, SAT.to(oct(3)), 1),
    // Now and then.
    row(QUICK_MAIL, OWN, MX1, on(sep(28)), 4),
    row(QUICK_MAIL, OWN, MX2, on(sep(28)), 3),
    row(QUICK_MAIL, OWN, MX1, on(oct(12)), 4),
    row(QUICK_MAIL, OWN, MX2, on(oct(12)), 3),
    row(QUICK_MAIL, OWN, MX1, on(oct(26)), 4),
    row(QUICK_MAIL, OWN, MX2, on(oct(26)), 3),
    row(CABLE_ISP, OWN, MX1, TUE.from(sep(29)).to(oct(20)), 8),
    row(CABLE_ISP, OWN, MX2, TUE.from(sep(29)).to(oct(20)), 5),
    row(CABLE_ISP, BURST, v4(97, 5), on(oct(20)), 1),
    row(BEHOERDENPOST, OWN, MX1, SUN.to(sep(27)), 3),
    row(BEHOERDENPOST, OWN, MX2, SUN.to(sep(27)), 2),
    row(BEHOERDENPOST, OWN, MX1, on(oct(11)), 3),
    row(BEHOERDENPOST, OWN, MX2, on(oct(11)), 2),
    row(BEHOERDENPOST, OWN, MX1, on(oct(25)), 3),
    row(BEHOERDENPOST, OWN, MX2, on(oct(25)), 2),
    row(POCHTA, OWN, MX1, on(oct(7)), 6),
    row(POCHTA, OWN, MX1, on(oct(21)), 6),
    row(POCHTA, BURST, v4(102, 8), on(oct(21)), 1),
];

/// The reporters in the order in which their files are written.
pub(super) static REPORTERS: [Reporter; 12] = [
    BIG_SEARCH,
    ENTERPRISE_POST,
    HOME_POST,
    PURPLE_MAIL,
    CLOUD_RELAY,
    MAIL_SHIELD,
    FREUNDPOST,
    QUICK_MAIL,
    CABLE_ISP,
    NEW_STANDARD,
    BEHOERDENPOST,
    POCHTA,
];
