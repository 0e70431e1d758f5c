//! The figures of `sample_reports/delivery`, worked out by hand from its plan.
//!
//! Postfix tries again after 300, 900, 2,100, 4,500 and 8,500 seconds, then every 4,000, and gives up at 88,500 (attempt 26).

/// First attempt that the gateway's reputation answer put off.
pub(crate) const FIRST_DEFERRED: &str = "2026-10-26T08:00:00Z";
/// The last: the second open message (18:00 and 59 times 97 seconds) at its fifth attempt.
pub(crate) const LAST_DEFERRED: &str = "2026-10-30T20:50:23Z";

/// A line of `delivery summary --by gateway`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) gateway: &'static str,
    pub(crate) recipients: u64,
    /// Recipients with at least one deferral that is the gateway's reputation answer.
    pub(crate) affected: u64,
    pub(crate) attempts: u64,
    /// Attempts put off, for whatever reason.
    pub(crate) deferrals: u64,
    pub(crate) delivered_first: u64,
    pub(crate) delivered_late: u64,
    pub(crate) expired: u64,
    pub(crate) bounced: u64,
    pub(crate) dropped: u64,
    pub(crate) pending: u64,
    /// From the first attempt to delivery, of those delivered late.
    pub(crate) median_delay_late_s: Option<u64>,
}

/// Reputation deferrals: 20 messages with 2, 15 with 5, 10 with 10, 9 with 26, 4 with 1, 2 with 5.
pub(crate) const REPUTATION_DEFERRALS: u64 = 20 * 2 + 15 * 5 + 10 * 10 + 9 * 26 + 4 + 2 * 5;
/// Of those, at the greeting (`refused to talk to me: 421 Deferred - see …`): every first, third, fifth … of a message.
pub(crate) const AT_GREETING: u64 = 20 + 15 * 3 + 10 * 5 + 9 * 13 + 4 + 2 * 3;
/// Of those, at MAIL FROM (`421 Deferred - see … IP_REPUTATION …`).
pub(crate) const AT_MAIL_FROM: u64 = 20 + 15 * 2 + 10 * 5 + 9 * 13 + 2 * 2;
/// `delivery temporarily suspended`: no attempts. One for each message with 10 deferrals.
pub(crate) const SUSPENDED: u64 = 10;
/// Recipient domains of the affected.
pub(crate) const AFFECTED_DOMAINS: u64 = 20;

/// Proofpoint: 25 domains of 12 recipients through mx1, and 40 recipients through mx2, who get their mail at once.
///
/// Of mx1's 300: 60 affected (20 + 15 + 10 late, 9 expired, 4 bounced at the second attempt, 2 open), 8 bounced at once, 4 late
/// after a full mailbox (two deferrals of another kind), 228 at once. The 49 late took 900 s (24), 8,500 s (15), 28,500 s (10).
pub(crate) const PROOFPOINT: Summary = Summary {
    gateway: "proofpoint",
    recipients: 300 + 40,
    affected: 60,
    attempts: (228 + 8 + 4 * 3) + (20 * 3 + 15 * 6 + 10 * 11 + 9 * 26 + 4 * 2 + 2 * 5) + 40,
    deferrals: REPUTATION_DEFERRALS + 4 * 2,
    delivered_first: 228 + 40,
    delivered_late: 45 + 4,
    expired: 9,
    bounced: 8 + 4,
    dropped: 0,
    pending: 2,
    median_delay_late_s: Some(8_500),
};
/// The same for mail of 192.0.2.10 alone: 20% of 300.
pub(crate) const PROOFPOINT_MX1: Summary = Summary {
    recipients: 300,
    attempts: PROOFPOINT.attempts - 40,
    delivered_first: PROOFPOINT.delivered_first - 40,
    ..PROOFPOINT
};
/// 120 through mx1 (2 bounced, 1 late after a full mailbox), 20 through mx2.
pub(crate) const MICROSOFT: Summary = Summary {
    gateway: "microsoft365",
    recipients: 120 + 20,
    affected: 0,
    attempts: 117 + 2 + 3 + 20,
    deferrals: 2,
    delivered_first: 117 + 20,
    delivered_late: 1,
    expired: 0,
    bounced: 2,
    dropped: 0,
    pending: 0,
    median_delay_late_s: Some(900),
};
/// Nothing happens.
pub(crate) const MIMECAST: Summary = Summary {
    gateway: "mimecast",
    recipients: 50,
    affected: 0,
    attempts: 50,
    deferrals: 0,
    delivered_first: 50,
    delivered_late: 0,
    expired: 0,
    bounced: 0,
    dropped: 0,
    pending: 0,
    median_delay_late_s: None,
};
/// 1 bounced, 1 late after a full mailbox.
pub(crate) const GOOGLE: Summary = Summary {
    gateway: "google",
    recipients: 80,
    affected: 0,
    attempts: 78 + 1 + 3,
    deferrals: 2,
    delivered_first: 78,
    delivered_late: 1,
    expired: 0,
    bounced: 1,
    dropped: 0,
    pending: 0,
    median_delay_late_s: Some(900),
};
/// Own servers: 20 through mx1 (2 late by 300 s after a timeout, 1 domain gone). SendGrid names no relay: 10 recipients (8 at
/// once, 1 late by 1,800 s after a full mailbox, 1 bounced), and 1 dropped, who is no recipient.
pub(crate) const UNKNOWN: Summary = Summary {
    gateway: "unknown",
    recipients: 20 + 10,
    affected: 0,
    attempts: (17 + 2 * 2 + 1) + (8 + 2 + 1),
    deferrals: 2 + 1,
    delivered_first: 17 + 8,
    delivered_late: 2 + 1,
    expired: 0,
    bounced: 1 + 1,
    dropped: 1,
    pending: 0,
    median_delay_late_s: Some(300),
};
/// Every gateway.
pub(crate) const GATEWAYS: [Summary; 5] = [PROOFPOINT, MICROSOFT, MIMECAST, GOOGLE, UNKNOWN];

/// Message ids that expired: the third recipients of `buyer06` to `buyer14`.
pub(crate) fn expired_ids() -> Vec<String> {
    (6..=14).map(|domain| format!("invoice-buyer{domain:02}-r03@mx1.northwind.example")).collect()
}

/// Message ids still in the queue when the log ends.
pub(crate) fn open_ids() -> Vec<String> {
    (19..=20).map(|domain| format!("invoice-buyer{domain:02}-r03@mx1.northwind.example")).collect()
}

/// The message that reached one recipient at once (`r12@buyer14.example`) and expired for the other (`r03@buyer14.example`).
pub(crate) const SHARED_ID: &str = "invoice-buyer14-r03@mx1.northwind.example";
