//! The plan of the story's delivery logs: which recipients sit behind which gateway, and what happens to their mail.

/// 2026-10-26, a Monday, midnight UTC: day 0 of the logs. They end on day 4, Friday 2026-10-30.
pub(super) const START: i64 = 1_792_972_800;

/// A filtering service or mailbox provider in front of recipient domains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gateway {
    Proofpoint,
    Microsoft,
    Mimecast,
    Google,
    /// Their own servers.
    Own,
}

impl Gateway {
    /// First part of its recipient domains, domains, recipients of each.
    pub(super) const fn domains(self) -> (&'static str, u32, u32) {
        match self {
            Self::Proofpoint => ("buyer", 25, 12),
            Self::Microsoft => ("office", 10, 12),
            Self::Mimecast => ("firm", 5, 10),
            Self::Google => ("studio", 8, 10),
            Self::Own => ("maker", 4, 5),
        }
    }

    /// The relay as Postfix logs it, for a domain's number; gateways answer from two hosts in turn.
    pub(super) fn relay(self, domain: u32, attempt: usize) -> (String, String) {
        let last = 100 + domain;
        let host = match self {
            Self::Proofpoint => {
                let letter = if attempt.is_multiple_of(2) { 'a' } else { 'b' };
                format!("mx0{letter}-0044{domain:02}01.pphosted.com")
            }
            Self::Microsoft => format!("office{domain:02}-example.mail.protection.outlook.com"),
            Self::Mimecast => "eu-smtp-inbound-1.mimecast.com".to_owned(),
            Self::Google => "aspmx.l.google.com".to_owned(),
            Self::Own => format!("mail.maker{domain:02}.example"),
        };
        (host, format!("203.0.113.{last}"))
    }
}

/// When Postfix tries again: seconds after the first attempt, doubling from 300 up to 4,000.
pub(super) const RETRIES: [i64; 6] = [0, 300, 900, 2_100, 4_500, 8_500];
/// From the last of [`RETRIES`] on, every so many seconds.
pub(super) const EVERY: i64 = 4_000;

/// Seconds from the first attempt to the attempt of a number, from 0.
pub(super) fn retry_after(attempt: usize) -> i64 {
    match RETRIES.get(attempt) {
        Some(&seconds) => seconds,
        None => RETRIES[RETRIES.len() - 1] + EVERY * (attempt + 1 - RETRIES.len()) as i64,
    }
}

/// Why an attempt was put off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    /// The gateway's reputation answer: at the greeting and at MAIL FROM in turn.
    Reputation,
    /// The mailbox is full: no matter of reputation.
    MailboxFull,
    /// No connection.
    Timeout,
}

/// How the life of a message to one recipient ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    /// 550 5.1.1.
    Bounced,
    /// The domain is gone: no host to ask.
    NoHost,
    Expired,
    /// Still in the queue when the log ends.
    Open,
}

/// The life of a message to one recipient.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) delay: Delay,
    pub(super) deferrals: usize,
    pub(super) end: End,
}

pub(super) const AT_ONCE: Life = Life { delay: Delay::Reputation, deferrals: 0, end: End::Delivered };

const fn life(delay: Delay, deferrals: usize, end: End) -> Life {
    Life { delay, deferrals, end }
}

/// The 60 recipients whom the gateway's reputation answer hits: how many, which life, on how many days of the week.
/// The queue gives up after a day: at attempt 26, 88,500 s after the first.
pub(super) const AFFECTED: [(u32, Life, u32); 6] = [
    (20, life(Delay::Reputation, 2, End::Delivered), 5),
    (15, life(Delay::Reputation, 5, End::Delivered), 5),
    (10, life(Delay::Reputation, 10, End::Delivered), 4),
    (9, life(Delay::Reputation, 26, End::Expired), 3),
    (4, life(Delay::Reputation, 1, End::Bounced), 5),
    (2, life(Delay::Reputation, 5, End::Open), 5),
];
/// Affected recipients sit in this many of Proofpoint's domains, three in each.
pub(super) const AFFECTED_DOMAINS: u32 = 20;

const BOUNCED: Life = life(Delay::Reputation, 0, End::Bounced);
const FULL_FOR_A_WHILE: Life = life(Delay::MailboxFull, 2, End::Delivered);

/// What happens to the other recipients of a gateway, first to last; all who remain get their mail at once.
fn others(gateway: Gateway) -> Vec<(u32, Life)> {
    match gateway {
        Gateway::Proofpoint => vec![(8, BOUNCED), (4, FULL_FOR_A_WHILE)],
        Gateway::Microsoft => vec![(2, BOUNCED), (1, FULL_FOR_A_WHILE)],
        Gateway::Google => vec![(1, BOUNCED), (1, FULL_FOR_A_WHILE)],
        Gateway::Own => {
            vec![(2, life(Delay::Timeout, 1, End::Delivered)), (1, life(Delay::Reputation, 0, End::NoHost))]
        }
        Gateway::Mimecast => Vec::new(),
    }
}

/// A message of mx1.
pub(super) struct Message {
    pub(super) gateway: Gateway,
    pub(super) domain: u32,
    /// First attempt, seconds since 1970.
    pub(super) first: i64,
    /// Local part and life of each recipient.
    pub(super) to: Vec<(u32, Life)>,
}

impl Message {
    pub(super) fn domain_name(&self) -> String {
        format!("{}{:02}.example", self.gateway.domains().0, self.domain)
    }

    pub(super) fn id(&self) -> String {
        let (local, _) = self.to[0];
        format!("invoice-{}{:02}-r{local:02}@mx1.northwind.example", self.gateway.domains().0, self.domain)
    }
}

/// Every message that mx1 (192.0.2.10) sent.
pub(super) fn messages() -> Vec<Message> {
    let mut messages = Vec::new();
    let lives = AFFECTED.iter().flat_map(|&(count, life, days)| (0..count).map(move |_| (life, days)));
    for (i, (life, days)) in (0u32..).zip(lives) {
        let at = if life.end == End::Open { 4 * 86_400 + 64_800 } else { i64::from(i % days) * 86_400 + 28_800 };
        let (domain, local) = (i % AFFECTED_DOMAINS + 1, i / AFFECTED_DOMAINS + 1);
        let first = START + at + i64::from(i) * 97;
        messages.push(Message { gateway: Gateway::Proofpoint, domain, first, to: vec![(local, life)] });
    }
    let mut j = 0i64;
    for gateway in [Gateway::Proofpoint, Gateway::Microsoft, Gateway::Mimecast, Gateway::Google, Gateway::Own] {
        let (_, domains, recipients) = gateway.domains();
        let mut lives = others(gateway).into_iter().flat_map(|(count, life)| (0..count).map(move |_| life));
        for local in 1..=recipients {
            for domain in 1..=domains {
                if gateway == Gateway::Proofpoint && local <= 3 && domain <= AFFECTED_DOMAINS {
                    continue;
                }
                let life = lives.next().unwrap_or(AT_ONCE);
                // One message goes to two: it reaches the one at once, and expires for the other.
                let shared = gateway == Gateway::Proofpoint && local == 12 && domain == 14;
                let expiring = |m: &&mut Message| shared && m.domain == 14 && m.to[0].0 == 3;
                if let Some(message) = messages.iter_mut().find(expiring) {
                    message.to.push((local, life));
                    continue;
                }
                let first = START + (j % 4) * 86_400 + 36_000 + j * 29;
                messages.push(Message { gateway, domain, first, to: vec![(local, life)] });
                j += 1;
            }
        }
    }
    messages
}
