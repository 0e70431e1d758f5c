//! The plan of the labelled year: domains, their streams with classes and shares, and what breaks when.

/// 2025-11-03, a Monday, midnight UTC: day 0.
pub(super) const START: i64 = 1_762_128_000;
/// 52 weeks.
pub(super) const DAYS: u32 = 364;

/// A policy domain: name, messages a day on average, policy.
pub(super) struct Domain(pub(super) &'static str, pub(super) f64, pub(super) &'static str);

pub(super) const DOMAINS: [Domain; 8] = [
    Domain("acme.example", 50_000.0, "reject"),
    Domain("bolt.example", 12_000.0, "quarantine"),
    Domain("cedar.example", 3_000.0, "none"),
    Domain("delta.example", 600.0, "quarantine"),
    Domain("ember.example", 80.0, "none"),
    Domain("fjord.example", 15.0, "reject"),
    Domain("gale.example", 20_000.0, "quarantine"),
    Domain("harbor.example", 5_000.0, "reject"),
];

/// What a stream is, and how its mail looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Own mail servers, both aligned.
    Mta,
    /// A sending service with our key; the bounce domain is its own, so DKIM alone carries it.
    Service,
    /// A campaign platform on a subdomain, both aligned, Tuesdays and Thursdays.
    Campaign,
    /// An application server that SPF alone carries.
    App,
    /// A CRM that signs as itself.
    Crm,
    /// A well-known help desk that signs as itself.
    Helpdesk,
    /// An approved host that never authenticates.
    Legacy,
    /// Forwarders: many hosts, most signatures survive.
    Forwarding,
    /// A mailing list that breaks the signature.
    List,
    /// Spoofing: scattered hosts, nothing passes.
    Spoofing,
    /// Spoofing from hosts whose throwaway domains pass SPF: hard to tell.
    Snowshoe,
}

impl Kind {
    /// The class of DESIGN, and the answers that are not wrong.
    pub(super) const fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Mta | Self::App => &["own"],
            Self::Service | Self::Campaign => &["service"],
            Self::Crm | Self::Helpdesk => &["misaligned-service"],
            Self::Legacy => &["broken-own"],
            Self::Forwarding => &["forwarding"],
            Self::List => &["mailing-list"],
            Self::Spoofing => &["spoofing"],
            Self::Snowshoe => &["spoofing", "undetermined"],
        }
    }

    /// approved by the config that is written beside, recognised by the catalogue, or unknown.
    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::Mta | Self::Service | Self::Campaign | Self::App | Self::Legacy => "approved",
            Self::Helpdesk => "recognised",
            _ => "unknown",
        }
    }

    /// Its name behind the domain's first label, for approved ones; else the name that evidence gives.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mta => "mta",
            Self::Service => "service",
            Self::Campaign => "campaign",
            Self::App => "app",
            Self::Legacy => "legacy",
            Self::Crm => "crm-suite.example",
            Self::Helpdesk => "Zendesk",
            Self::Forwarding => "forwarders",
            Self::List => "list",
            Self::Spoofing => "spoofing",
            Self::Snowshoe => "snowshoe",
        }
    }

    /// The week: the factor of each day from Monday, mean 1.
    pub(super) const fn week(self) -> [f64; 7] {
        match self {
            Self::Campaign => [0.0, 3.5, 0.0, 3.5, 0.0, 0.0, 0.0],
            Self::Service | Self::Spoofing | Self::Snowshoe => [1.05, 1.05, 1.05, 1.05, 1.05, 0.875, 0.875],
            _ => [1.25, 1.25, 1.25, 1.25, 1.25, 0.375, 0.375],
        }
    }

    /// The deviation of a day from its expectation, beyond the luck of small counts.
    pub(super) const fn noise(self) -> f64 {
        match self {
            Self::Campaign => 0.15,
            Self::Spoofing | Self::Snowshoe | Self::List => 0.25,
            _ => 0.08,
        }
    }
}

/// The share of each stream in the mail of each domain, in the order of [`DOMAINS`]. 0: the domain has no such stream.
#[rustfmt::skip]
pub(super) const SHARES: [(Kind, [f64; 8]); 11] = [
    //                   acme   bolt   cedar  delta  ember  fjord  gale   harbor
    (Kind::Mta,        [0.600, 0.500, 0.700, 0.620, 0.700, 0.600, 0.550, 0.650]),
    (Kind::Service,    [0.180, 0.100, 0.120, 0.150, 0.150, 0.250, 0.200, 0.100]),
    (Kind::Campaign,   [0.080, 0.250, 0.000, 0.100, 0.000, 0.000, 0.150, 0.120]),
    (Kind::App,        [0.050, 0.030, 0.060, 0.050, 0.000, 0.000, 0.030, 0.050]),
    (Kind::Crm,        [0.025, 0.030, 0.040, 0.030, 0.080, 0.000, 0.000, 0.020]),
    (Kind::Helpdesk,   [0.010, 0.020, 0.000, 0.000, 0.000, 0.050, 0.010, 0.010]),
    (Kind::Legacy,     [0.010, 0.000, 0.020, 0.000, 0.000, 0.000, 0.005, 0.000]),
    (Kind::Forwarding, [0.030, 0.050, 0.040, 0.040, 0.050, 0.080, 0.040, 0.030]),
    (Kind::List,       [0.005, 0.010, 0.010, 0.005, 0.020, 0.000, 0.005, 0.010]),
    (Kind::Spoofing,   [0.008, 0.006, 0.010, 0.005, 0.000, 0.020, 0.006, 0.008]),
    (Kind::Snowshoe,   [0.002, 0.004, 0.000, 0.000, 0.000, 0.000, 0.004, 0.002]),
];

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// The key is gone: this part of the stream's signatures fails.
    DkimBroken(f64),
    /// The SPF record of the domain has too many lookups.
    SpfPermerror,
    /// Neither signed nor permitted: the stream moved to hosts that nobody told of.
    BothBroken,
    /// No mail any more.
    Vanished,
    /// So many times the mail.
    Spike(f64),
    /// A burst of spoofing, as a share of the domain's mail that day.
    Burst(f64),
}

impl Fault {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::DkimBroken(_) => "dkim-broken",
            Self::SpfPermerror => "spf-permerror",
            Self::BothBroken => "both-broken",
            Self::Vanished => "sender-vanished",
            Self::Spike(_) => "volume-spike",
            Self::Burst(_) => "spoof-burst",
        }
    }
}

/// A planted breakage.
pub(super) struct Breakage {
    /// Index into [`DOMAINS`].
    pub(super) domain: usize,
    /// The stream that breaks.
    pub(super) kind: Kind,
    /// First day.
    pub(super) day: u32,
    /// Days that it lasts.
    pub(super) days: u32,
    /// What breaks.
    pub(super) fault: Fault,
}

const fn broke(domain: usize, kind: Kind, day: u32, days: u32, fault: Fault) -> Breakage {
    Breakage { domain, kind, day, days, fault }
}

/// Every planted breakage. gale, ember and fjord have none: there every alert is false.
pub(super) const BREAKAGES: [Breakage; 17] = [
    broke(0, Kind::Service, 60, 5, Fault::DkimBroken(0.05)),
    broke(0, Kind::Service, 100, 6, Fault::DkimBroken(1.0)),
    broke(0, Kind::App, 200, 4, Fault::SpfPermerror),
    broke(0, Kind::Mta, 260, 1, Fault::Spike(3.0)),
    broke(0, Kind::Spoofing, 310, 2, Fault::Burst(0.03)),
    broke(1, Kind::Service, 120, 20, Fault::Vanished),
    broke(1, Kind::App, 240, DAYS, Fault::Vanished),
    broke(1, Kind::Spoofing, 330, 2, Fault::Burst(0.15)),
    broke(2, Kind::App, 92, 7, Fault::SpfPermerror),
    broke(2, Kind::Service, 182, 10, Fault::Vanished),
    broke(2, Kind::Spoofing, 232, 2, Fault::Burst(0.008)),
    broke(2, Kind::Spoofing, 280, 3, Fault::Burst(0.05)),
    broke(3, Kind::Service, 113, 5, Fault::DkimBroken(1.0)),
    broke(3, Kind::Mta, 303, 1, Fault::Spike(4.0)),
    broke(7, Kind::Mta, 140, 4, Fault::DkimBroken(1.0)),
    broke(7, Kind::Mta, 210, 2, Fault::BothBroken),
    broke(7, Kind::Service, 323, 5, Fault::DkimBroken(1.0)),
];
