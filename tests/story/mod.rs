//! The figures of the sample story, worked out by hand from its plan: days times messages, nothing read from output.
//!
//! Six weeks from Monday 2026-09-21 to Sunday 2026-11-01: 30 working days, 12 days of rest, 6 of each weekday. The story's
//! today is Monday 2026-11-02. `sample_reports/README.md` tells it in words.

#![allow(dead_code)]

pub(crate) mod delivery;

/// First report day.
pub(crate) const SINCE: &str = "2026-09-21";
/// Last report day.
pub(crate) const UNTIL: &str = "2026-11-01";
/// The story's today.
pub(crate) const AS_OF: &str = "2026-11-02";

/// What becomes of the items of `sample_reports/rua`, read in the order of their paths.
pub(crate) mod outcomes {
    /// Reports of `northwind.example`: big-search and Enterprise Post every day, Home Post 10 times, Purple Mail,
    /// CLOUD-RELAY, Mail Shield, FREUNDPOST and new-standard weekly, Quick Mail 3 and one without records, cable-isp 4,
    /// Behördenpost 3, Pochta 2.
    pub(crate) const NORTHWIND: u64 = 42 + 42 + 10 + 5 * 6 + (3 + 1) + 4 + 3 + 2;
    /// Reports of `news.northwind.example`: big-search and Enterprise Post on 6 Tuesdays and 6 Saturdays, new-standard 3.
    pub(crate) const NEWS: u64 = 12 + 12 + 3;
    /// Reports of `northwind-parked.example`: big-search on the three days of the burst.
    pub(crate) const PARKED: u64 = 3;
    /// Reports stored.
    pub(crate) const STORED: u64 = NORTHWIND + NEWS + PARKED;
    /// CLOUD-RELAY sent 2026-10-14 twice.
    pub(crate) const DUPLICATES: u64 = 1;
    /// Mail Shield sent 2026-10-08 again with one message more (`other-…`, read after the first).
    pub(crate) const CONFLICTS: u64 = 1;
    /// Quick Mail's report of 2026-10-05 is cut off.
    pub(crate) const REJECTED: u64 = 1;
    /// A bounce and a spam mail.
    pub(crate) const NOT_REPORTS: u64 = 2;
    /// One of a mail of the burst.
    pub(crate) const FAILURE_REPORTS: u64 = 1;
    /// One of 2026-10-14.
    pub(crate) const TLS_REPORTS: u64 = 1;
    /// Items: the mbox holds one mail for each of big-search's 57 reports, each of the 6 weekly archives is one item.
    pub(crate) const ITEMS: u64 = (42 + 12 + 3) + 6 + (10 + 4) + (6 + 6 + 3 + 1) + (6 + 6 + 1 + 5 + 4 + 9 + 2);
    /// Files on disk.
    pub(crate) const FILES: u64 = ITEMS - 57 + 1;
}

/// Messages of each stream, by reporter in the order of the plan.
pub(crate) mod streams {
    /// 192.0.2.10: big-search, Enterprise Post, Home Post, Purple Mail, CLOUD-RELAY, Mail Shield, FREUNDPOST, Quick Mail,
    /// cable-isp, new-standard, Behördenpost, Pochta.
    pub(crate) const MX1: u64 = (30 * 120 + 12 * 20)
        + (30 * 90 + 12 * 6)
        + 10 * 14
        + 6 * 25
        + 6 * 18
        + 6 * 30
        + 6 * 10
        + 3 * 4
        + 4 * 8
        + 6 * 5
        + 3 * 3
        + 2 * 6;
    /// 192.0.2.11: the same without Pochta.
    pub(crate) const MX2: u64 = (30 * 80 + 12 * 10)
        + (30 * 60 + 12 * 4)
        + 10 * 9
        + 6 * 15
        + 6 * 12
        + 6 * 20
        + 6 * 6
        + 3 * 3
        + 4 * 5
        + 6 * 3
        + 3 * 2;
    /// The mail servers.
    pub(crate) const OWN: u64 = MX1 + MX2;
    /// 192.0.2.25, SPF alone: big-search, Enterprise Post.
    pub(crate) const SCANNER: u64 = 30 * 6 + 30 * 3;
    /// Of those, failing on the three days of the SPF error.
    pub(crate) const SCANNER_FAILED: u64 = 3 * 6 + 3 * 3;
    /// The CRM: big-search (two addresses), Enterprise Post, Home Post, Mail Shield.
    pub(crate) const CRM: u64 = (30 * 12 + 6 * 9) + 30 * 8 + 10 * 2 + 6 * 3;
    /// SendGrid on trial: Enterprise Post on 10 working days from 2026-10-19, Home Post on 2026-10-20 and 22.
    pub(crate) const TRIAL: u64 = 10 * 7 + 2 * 5;
    /// Forwarded, signature whole: big-search, Enterprise Post, CLOUD-RELAY.
    pub(crate) const FORWARDED: u64 = 30 * 4 + 30 * 3 + 6 * 2;
    /// Forwarded and broken: big-search (`forwarded`), Enterprise Post (`local_policy`).
    pub(crate) const FORWARD_BROKEN: u64 = 6 + 6 * 2;
    /// The list: big-search, Enterprise Post (`local_policy`), Mail Shield.
    pub(crate) const LIST: u64 = 12 * 6 + 12 * 4 + 6 * 2;
    /// The invoicing host: big-search, Enterprise Post, Purple Mail, on 6 Mondays.
    pub(crate) const INVOICING: u64 = 6 * 15 + 6 * 10 + 6 * 4;
    /// The burst as `northwind.example`: big-search, Enterprise Post, Home Post, cable-isp, Pochta.
    pub(crate) const BURST: u64 = (20 * 3 + 32 * 4 + 12 * 2) + (10 * 2 + 16 * 3 + 6) + (6 * 2 + 4) + 5 + 8;
    /// The burst as `secure.northwind.example`: big-search.
    pub(crate) const BURST_SUBDOMAIN: u64 = 4 * 2 + 8 * 2 + 4;
    /// The newsletter: big-search, Enterprise Post, new-standard.
    pub(crate) const NEWSLETTER: u64 = (6 * (300 + 260) + 6 * (60 + 40)) + (6 * (210 + 180) + 6 * (35 + 25)) + 3 * 8;
    /// Newsletters forwarded and broken: new-standard on two Saturdays.
    pub(crate) const NEWS_BROKEN: u64 = 2;
    /// The burst as `news.northwind.example`: big-search on 2026-10-20.
    pub(crate) const BURST_NEWS: u64 = 6 * 2;
    /// The burst as `northwind-parked.example`: big-search, three days.
    pub(crate) const BURST_PARKED: u64 = 5 * 2 + 5 * 3 + 5;
}

use streams::*;

/// Own mail with a DKIM permerror: Enterprise Post on 2026-10-05 and 06. SPF carries it.
pub(crate) const DKIM_PERMERROR: u64 = 2 * (90 + 60);
/// Own mail with an SPF permerror, 2026-10-14 to 16: big-search, Enterprise Post, CLOUD-RELAY, Mail Shield, FREUNDPOST, Home Post.
pub(crate) const SPF_PERMERROR: u64 =
    3 * (120 + 80 + 6) + 3 * (90 + 60 + 3) + (18 + 12) + (30 + 20) + (10 + 6) + (14 + 9);
/// Reporters that saw it.
pub(crate) const SPF_PERMERROR_REPORTERS: u64 = 6;
/// The CRM's mail quarantined since 2026-10-12 (Enterprise Post since 13): 15 working days and 3 Wednesdays of big-search,
/// 14 days of Enterprise Post, 4 of Home Post, 3 of Mail Shield.
pub(crate) const CRM_QUARANTINED: u64 = (15 * 12 + 3 * 9) + 14 * 8 + 4 * 2 + 3 * 3;
/// cable-isp let its part of the burst through, and gave no reason.
pub(crate) const NOT_QUARANTINED: u64 = 5;

/// The figures of `rates --by domain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) domain: &'static str,
    pub(crate) reports: u64,
    pub(crate) records: u64,
    pub(crate) messages: u64,
    pub(crate) dmarc_pass: u64,
    pub(crate) dkim_aligned: u64,
    pub(crate) spf_aligned: u64,
    pub(crate) quarantined: u64,
    pub(crate) rejected: u64,
    pub(crate) sources: u64,
}

/// `northwind.example`, 14,105 messages, 89.61% pass.
pub(crate) const NORTHWIND: Rates = Rates {
    domain: "northwind.example",
    reports: outcomes::NORTHWIND,
    // big-search: 4 own rows a day are two records, and so on down the plan.
    records: (42 * 2 + 30 * 3 + 6 + 6 + 12 + 6 + (24 + 40 + 16))
        + (42 * 2 + 30 * 3 + 10 + 6 + 12 + 6 + (10 + 16 + 6))
        + (10 * 3 + 2 + 6 + 4)
        + 6 * 3
        + 6 * 3
        + 6 * 4
        + 6 * 2
        + 3 * 2
        + (4 * 2 + 5)
        + 6 * 2
        + 3 * 2
        + (2 + 8),
    messages: OWN + SCANNER + CRM + TRIAL + FORWARDED + FORWARD_BROKEN + LIST + INVOICING + BURST + BURST_SUBDOMAIN,
    dmarc_pass: OWN + (SCANNER - SCANNER_FAILED) + FORWARDED,
    dkim_aligned: OWN - DKIM_PERMERROR + FORWARDED,
    spf_aligned: OWN + SCANNER - SPF_PERMERROR,
    quarantined: CRM_QUARANTINED + TRIAL + SCANNER_FAILED + (BURST - NOT_QUARANTINED),
    rejected: 0,
    // Two mail servers, scanner, three of the CRM, two of SendGrid, forwarder, list, invoicing host; the burst.
    sources: 2 + 1 + 3 + 2 + 1 + 1 + 1 + (109 + 16),
};

/// `news.northwind.example`.
pub(crate) const NEWS: Rates = Rates {
    domain: "news.northwind.example",
    reports: outcomes::NEWS,
    records: (12 * 2 + 6) + 12 * 2 + (3 + 2),
    messages: NEWSLETTER + NEWS_BROKEN + BURST_NEWS,
    dmarc_pass: NEWSLETTER,
    dkim_aligned: NEWSLETTER,
    spf_aligned: NEWSLETTER,
    quarantined: NEWS_BROKEN,
    rejected: BURST_NEWS,
    sources: 2 + 1 + 6,
};

/// `northwind-parked.example`.
pub(crate) const PARKED: Rates = Rates {
    domain: "northwind-parked.example",
    reports: outcomes::PARKED,
    records: 3 * 5,
    messages: BURST_PARKED,
    dmarc_pass: 0,
    dkim_aligned: 0,
    spf_aligned: 0,
    quarantined: 0,
    rejected: 0,
    sources: 5,
};

/// Every policy domain.
pub(crate) const DOMAINS: [Rates; 3] = [NORTHWIND, NEWS, PARKED];

/// Messages and DMARC pass of each week from its Monday, `northwind.example` alone.
///
/// Every week has 1,207 of big-search, 860 of Enterprise Post, 44 + 32 + 55 + 16 + 8 of the weekly ones, 2,222 in all, of
/// which 2,056 pass. On top: Home Post 50 (46 pass) but in the last week; Quick Mail 7, cable-isp 13, Behördenpost 5, Pochta 6
/// where they report; SendGrid 35 a week from the fifth and 10 of Home Post; the burst.
pub(crate) const NORTHWIND_WEEKS: [(&str, u64, u64); 6] = [
    ("2026-09-21", 2_222 + 50 + 5, 2_056 + 46 + 5),
    ("2026-09-28", 2_222 + 50 + 7 + 13, 2_056 + 46 + 7 + 13),
    ("2026-10-05", 2_222 + 50 + 13 + 5 + 6, 2_056 + 46 + 13 + 5 + 6),
    ("2026-10-12", 2_222 + 50 + 7 + 13, 2_056 + 46 + 7 + 13 - SCANNER_FAILED),
    ("2026-10-19", 2_222 + 50 + 13 + 5 + 6 + 35 + 10 + BURST + BURST_SUBDOMAIN, 2_056 + 46 + 13 + 5 + 6),
    ("2026-10-26", 2_222 + 7 + 35, 2_056 + 7),
];

/// One sender of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) sender: &'static str,
    pub(crate) status: &'static str,
    /// Accepted classes, the best first.
    pub(crate) class: &'static [&'static str],
    pub(crate) sources: u64,
    pub(crate) messages: u64,
    pub(crate) dmarc_pass: u64,
    pub(crate) dkim_aligned: u64,
    pub(crate) spf_aligned: u64,
    pub(crate) first_day: &'static str,
    pub(crate) last_day: &'static str,
}

/// Every sender but the burst, under `sample_reports/dmarcase.toml`.
pub(crate) const SENDERS: [Sender; 8] = [
    Sender {
        sender: "northwind-mta",
        status: "approved",
        class: &["own"],
        sources: 2,
        messages: OWN,
        dmarc_pass: OWN,
        dkim_aligned: OWN - DKIM_PERMERROR,
        spf_aligned: OWN - (SPF_PERMERROR - SCANNER_FAILED),
        first_day: SINCE,
        last_day: UNTIL,
    },
    // An approved source that failed for three days: own on the whole.
    Sender {
        sender: "office-scanner",
        status: "approved",
        class: &["own", "broken-own"],
        sources: 1,
        messages: SCANNER,
        dmarc_pass: SCANNER - SCANNER_FAILED,
        dkim_aligned: 0,
        spf_aligned: SCANNER - SCANNER_FAILED,
        first_day: SINCE,
        last_day: "2026-10-30",
    },
    Sender {
        sender: "newsletter",
        status: "approved",
        class: &["service", "own"],
        sources: 2,
        messages: NEWSLETTER,
        dmarc_pass: NEWSLETTER,
        dkim_aligned: NEWSLETTER,
        spf_aligned: NEWSLETTER,
        first_day: "2026-09-22",
        last_day: "2026-10-31",
    },
    Sender {
        sender: "crm-suite.example",
        status: "unknown",
        class: &["misaligned-service"],
        sources: 3,
        messages: CRM,
        dmarc_pass: 0,
        dkim_aligned: 0,
        spf_aligned: 0,
        first_day: SINCE,
        last_day: "2026-10-30",
    },
    Sender {
        sender: "Twilio SendGrid",
        status: "recognised",
        class: &["misaligned-service"],
        sources: 2,
        messages: TRIAL,
        dmarc_pass: 0,
        dkim_aligned: 0,
        spf_aligned: 0,
        first_day: "2026-10-19",
        last_day: "2026-10-30",
    },
    // Named by its SPF domain; both policy domains.
    Sender {
        sender: "alumni-forward.example",
        status: "unknown",
        class: &["forwarding"],
        sources: 1,
        messages: FORWARDED + FORWARD_BROKEN + NEWS_BROKEN,
        dmarc_pass: FORWARDED,
        dkim_aligned: FORWARDED,
        spf_aligned: 0,
        first_day: SINCE,
        last_day: "2026-10-30",
    },
    Sender {
        sender: "trade-forum-lists.example",
        status: "unknown",
        class: &["mailing-list"],
        sources: 1,
        messages: LIST,
        dmarc_pass: 0,
        dkim_aligned: 0,
        spf_aligned: 0,
        first_day: "2026-09-22",
        last_day: "2026-10-29",
    },
    // Nothing passes, but it is one steady host: not scattered, so not told as spoofing.
    Sender {
        sender: "198.51.100.77",
        status: "unknown",
        class: &["undetermined", "broken-own"],
        sources: 1,
        messages: INVOICING,
        dmarc_pass: 0,
        dkim_aligned: 0,
        spf_aligned: 0,
        first_day: SINCE,
        last_day: "2026-10-26",
    },
];

/// The burst: class spoofing, status unknown, sources 109 + 5 of IPv4 and 16 of IPv6, from 2026-10-20 to 22.
pub(crate) const SPOOFING_MESSAGES: u64 = BURST + BURST_SUBDOMAIN + BURST_NEWS + BURST_PARKED;
/// See [`SPOOFING_MESSAGES`].
pub(crate) const SPOOFING_SOURCES: u64 = 109 + 5 + 16;

/// Gaps that must fire: id, domain, messages where the gap counts messages (0 where it is about a policy or a reporter).
///
/// The messages are those of the definitions in SQL: every message that meets the condition, forwarding and lists included.
pub(crate) const GAPS: [(&str, &str, u64); 20] = [
    ("G01", "northwind-parked.example", 0),
    ("G02", "northwind.example", 0),
    // CRM, SendGrid, broken forwards (SPF passes for the forwarder), list.
    ("G06", "northwind.example", CRM + TRIAL + FORWARD_BROKEN + LIST),
    ("G06", "news.northwind.example", NEWS_BROKEN),
    ("G07", "northwind.example", CRM + TRIAL + FORWARDED + FORWARD_BROKEN + LIST),
    ("G07", "news.northwind.example", NEWS_BROKEN),
    ("G08", "northwind.example", CRM + TRIAL),
    ("G09", "northwind.example", SCANNER),
    // Selector s2026: permerror at one reporter, fail where forwarder and list broke it. 3.6% of the selector's messages.
    ("G10", "northwind.example", DKIM_PERMERROR + FORWARD_BROKEN + LIST),
    ("G10", "news.northwind.example", NEWS_BROKEN),
    ("G11", "northwind.example", SPF_PERMERROR),
    // billing and secure under sp=none.
    ("G12", "northwind.example", INVOICING + BURST_SUBDOMAIN),
    // forwarded 6, mailing_list 84, local_policy 60.
    ("G13", "northwind.example", FORWARD_BROKEN + LIST),
    ("G13", "news.northwind.example", NEWS_BROKEN),
    ("G14", "northwind.example", NOT_QUARANTINED),
    // Home Post: 6 days in the last 30, silent since 2026-10-22.
    ("G16", "northwind.example", 0),
    ("G18", "northwind-parked.example", 0),
    // Behördenpost, 2026-10-11.
    ("G20", "northwind.example", 0),
    ("G21", "northwind.example", 0),
    ("G21", "northwind-parked.example", 0),
];

/// Gaps that must not fire on any domain of the story. (G22: approved senders pass 99.9% by domain; the scanner alone passes 90%.)
pub(crate) const NO_GAPS: [&str; 6] = ["G03", "G04", "G05", "G15", "G17", "G19"];
