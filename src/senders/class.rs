//! What kind of mail a sender's is, told from the sums of its records. What cannot be told says so.
//!
//! Precision matters more than coverage: every rule asks for evidence that innocent mail does not show, and the rest is
//! undetermined. The thresholds are named below, each with its reason.

use schemars::JsonSchema;
use serde::Serialize;

/// The class of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The domain's own mail, authenticated as it.
    Own,
    /// A service that authenticates as the domain.
    Service,
    /// A service that authenticates, but as itself: nothing aligns.
    MisalignedService,
    /// An own or approved system whose mail fails.
    BrokenOwn,
    /// Relayed mail: the signature survives, SPF cannot.
    Forwarding,
    /// Relayed by a mailing list, which breaks the signature.
    MailingList,
    /// Nothing passes, and the sources are scattered.
    Spoofing,
    /// The reports do not tell.
    Undetermined,
}

impl Class {
    /// Returns the word of the answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Service => "service",
            Self::MisalignedService => "misaligned-service",
            Self::BrokenOwn => "broken-own",
            Self::Forwarding => "forwarding",
            Self::MailingList => "mailing-list",
            Self::Spoofing => "spoofing",
            Self::Undetermined => "undetermined",
        }
    }
}

/// An approved or own sender that fails more than this is broken: forwarding of its own mail stays far below.
const BROKEN: f64 = 0.10;
/// A share of a sender's mail that makes it the rule, not the exception.
const MOST: f64 = 0.5;
/// Relays lose some signatures; a sender whose mail still aligns by DKIM alone this often relays the domain's mail.
const SURVIVES: f64 = 0.3;
/// Who passes the domain's mail on passes on a part of it. A host with more than this of it is taken for one of its own, unless
/// receivers say otherwise: a policy would hit it.
const PASSED_ON: f64 = 0.1;
/// Receivers name a list or a forward on part of the mail only.
const NAMED: f64 = 0.2;
/// Unnamed failing sources of one organisation's domains that make a picture of spoofing.
const SCATTERED: u64 = 5;
/// A scattered source comes and goes: it has at most this many records, or all within [`BURST_DAYS`].
const FEW_RECORDS: u64 = 3;
/// See [`FEW_RECORDS`].
const BURST_DAYS: i64 = 3;
/// A service that signs as itself and sends for the domain shows for at least a week, in more than chance records.
const SERVICE_DAYS: i64 = 7;
/// See [`SERVICE_DAYS`].
const SERVICE_RECORDS: u64 = 10;
/// Without a signature, a passing MAIL FROM domain alone is a service only where it carries part of the domain's mail:
/// spammers' throwaway domains pass SPF too.
const UNSIGNED_SHARE: f64 = 0.005;

/// The sums of one sender's records that its class is told from. Counts are messages unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The config approves it.
    pub approved: bool,
    /// The catalogue recognises it.
    pub recognised: bool,
    /// Evidence names it; else it is a bare source.
    pub named: bool,
    /// The From domain's own organisation is what names it.
    pub own: bool,
    /// It stands for a public service.
    pub service: bool,
    /// Kind of the service, from the catalogue.
    pub category: Option<String>,
    /// All.
    pub messages: u64,
    /// DMARC pass.
    pub dmarc_pass: u64,
    /// Aligned by DKIM, not by SPF.
    pub dkim_alone: u64,
    /// Aligned by SPF.
    pub spf_aligned: u64,
    /// DMARC fail, yet another organisation's DKIM or SPF passes.
    pub as_another: u64,
    /// DMARC fail, yet another organisation's DKIM passes.
    pub signed_as_another: u64,
    /// Has a signature of the From domain's organisation, and none passes.
    pub own_signature_broken: u64,
    /// A reason says forwarded.
    pub forwarded: u64,
    /// A reason says mailing list.
    pub listed: u64,
    /// Records.
    pub records: u64,
    /// Sources.
    pub sources: u64,
    /// Networks of the sources: /24 of IPv4, /48 of IPv6.
    pub networks: u64,
    /// Some of its sources also relay mail whose signature survives.
    pub relays: bool,
    /// Some of its sources also send mail that SPF allows.
    pub own_host: bool,
    /// Days from the first to the last, 1 for a single day.
    pub span_days: i64,
}

/// What a class must be seen against: the mail around the sender.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// Messages of the policy domains that the sender uses.
    pub messages: u64,
    /// Unnamed sources on these domains and their siblings of which nothing passes and that come and go.
    pub scattered: u64,
}

impl Around {
    /// Returns the part of that mail that is the sender's.
    fn share(&self, shape: &Shape) -> f64 {
        if self.messages == 0 { 0.0 } else { shape.messages as f64 / self.messages as f64 }
    }
}

impl Shape {
    /// Returns whether it is an unnamed source that comes and goes and of which nothing passes: a piece of a burst.
    pub fn is_scattered(&self) -> bool {
        !self.named
            && self.dmarc_pass == 0
            && self.as_another == 0
            && self.own_signature_broken == 0
            && !self.relays
            && !self.own_host
            && self.forwarded == 0
            && self.listed == 0
            && (self.records <= FEW_RECORDS || self.span_days <= BURST_DAYS)
    }

    fn part(&self, messages: u64) -> f64 {
        if self.messages == 0 { 0.0 } else { messages as f64 / self.messages as f64 }
    }

    fn failing(&self) -> u64 {
        self.messages.saturating_sub(self.dmarc_pass)
    }
}

/// Tells the class of a sender, and why in words.
pub fn class(shape: &Shape, around: &Around) -> (Class, String) {
    if shape.messages == 0 {
        return (Class::Undetermined, "no messages".into());
    }
    if shape.approved {
        return approved(shape);
    }
    if let Some(relayed) = relayed(shape, around) {
        return relayed;
    }
    if shape.recognised {
        return recognised(shape);
    }
    if shape.own {
        return own(shape);
    }
    if shape.named { unknown(shape, around) } else { source(shape, around) }
}

fn approved(shape: &Shape) -> (Class, String) {
    let failing = shape.part(shape.failing());
    if failing <= BROKEN {
        let class = if shape.service { Class::Service } else { Class::Own };
        return (class, "approved, and it passes".into());
    }
    if shape.as_another * 2 > shape.failing() {
        return (Class::MisalignedService, "approved, but it authenticates as another domain".into());
    }
    (Class::BrokenOwn, format!("approved, but {} of its mail fails", percent(failing)))
}

/// Forwarders and lists show the same signs whatever names them.
fn relayed(shape: &Shape, around: &Around) -> Option<(Class, String)> {
    let relay = matches!(shape.category.as_deref(), Some("forwarder" | "gateway" | "mailbox" | "relay"));
    // A service may sign for the domain and keep its own bounce domain: DKIM alone is its normal state.
    let may_forward = !shape.recognised || relay;
    let survives = shape.part(shape.dkim_alone);
    let listed = shape.part(shape.listed);
    if listed >= NAMED && shape.part(shape.own_signature_broken) >= MOST {
        let text = format!("receivers say mailing list for {}, and the signature is broken", percent(listed));
        return Some((Class::MailingList, text));
    }
    if may_forward && shape.part(shape.forwarded) >= NAMED {
        return Some((
            Class::Forwarding,
            format!("receivers say forwarded for {}", percent(shape.part(shape.forwarded))),
        ));
    }
    let signed = shape.own_signature_broken + shape.dkim_alone > 0;
    let few = spread(shape) || around.share(shape) <= PASSED_ON;
    if may_forward && signed && survives >= SURVIVES && shape.spf_aligned == 0 && few && (!shape.own || spread(shape)) {
        let text = format!("the signature survives on {}, SPF never aligns", percent(survives));
        return Some((Class::Forwarding, text));
    }
    None
}

/// Mail signed by the domain itself but sent from anywhere: relays where the hosts are many, a forgotten host where few.
fn spread(shape: &Shape) -> bool {
    shape.sources >= SCATTERED
}

fn recognised(shape: &Shape) -> (Class, String) {
    if shape.part(shape.dmarc_pass) >= MOST {
        return (Class::Service, "recognised, and it passes as the domain".into());
    }
    if shape.part(shape.as_another) >= MOST {
        return (Class::MisalignedService, "recognised, and it authenticates as itself".into());
    }
    (Class::Undetermined, "recognised by name only; its mail neither passes nor says why".into())
}

fn own(shape: &Shape) -> (Class, String) {
    if shape.part(shape.failing()) > BROKEN {
        return (
            Class::BrokenOwn,
            "authenticates as the domain's organisation, yet fails: check the alignment mode".into(),
        );
    }
    if shape.spf_aligned == 0 && shape.dkim_alone > 0 {
        return (Class::Undetermined, "signed by the domain, sent from hosts that SPF does not allow".into());
    }
    (Class::Own, "authenticates as the domain".into())
}

fn unknown(shape: &Shape, around: &Around) -> (Class, String) {
    let another = shape.part(shape.as_another);
    let signed = shape.part(shape.signed_as_another);
    let share = around.share(shape);
    let steady = shape.span_days >= SERVICE_DAYS && shape.records >= SERVICE_RECORDS;
    // Hosts of a service carry many messages each; a botnet's carry few.
    let gathered = shape.networks <= 3 || shape.networks * 20 <= shape.records;
    if another >= MOST && steady && gathered && (signed >= MOST || share >= UNSIGNED_SHARE) {
        let how = if signed >= MOST { "signs" } else { "passes SPF" };
        return (Class::MisalignedService, format!("{how} as itself, week after week, from {} sources", shape.sources));
    }
    if shape.part(shape.dmarc_pass) >= MOST && shape.spf_aligned * 2 > shape.messages {
        return (Class::Own, "SPF and From domain agree".into());
    }
    (Class::Undetermined, "authenticates as another domain, too little mail to say what it is".into())
}

fn source(shape: &Shape, around: &Around) -> (Class, String) {
    if shape.own_host && shape.part(shape.failing()) > BROKEN {
        return (Class::BrokenOwn, "the same host also sends mail that SPF allows".into());
    }
    if shape.relays && shape.own_signature_broken > 0 && around.share(shape) <= PASSED_ON {
        return (Class::Forwarding, "the same host relays mail whose signature survives".into());
    }
    if shape.is_scattered() && around.scattered >= SCATTERED {
        let text = format!("nothing passes; one of {} scattered sources", around.scattered);
        return (Class::Spoofing, text);
    }
    (Class::Undetermined, "nothing passes, and one host does not show why".into())
}

fn percent(part: f64) -> String {
    format!("{:.0}%", part * 100.0)
}
