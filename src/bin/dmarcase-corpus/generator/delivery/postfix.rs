//! The lines that Postfix on mx1 writes for its messages.

use super::super::rng::Rng;
use super::plan::{Delay, End, Gateway, Life, Message, retry_after};

/// One log line: time in microseconds since 1970, order among lines of one time, program, text.
pub(super) struct Line {
    pub(super) at: i64,
    pub(super) order: u32,
    pub(super) tag: String,
    pub(super) text: String,
}

/// Recipients whose mail was put off ten times see one line more, of an attempt that was none.
const SUSPENDED_AFTER: usize = 10;

/// The lines of one message.
pub(super) fn lines(message: &Message, number: u64) -> Vec<Line> {
    let mut rng = Rng::new(77, number);
    let qid = format!("{:010X}", rng.bits() >> 24);
    let micros = rng.below(1_000_000) as i64;
    let first = message.first * 1_000_000 + micros;
    let mut lines = Vec::new();
    let mut add = |seconds: i64, order: u32, tag: &str, text: String| {
        let tag = format!("postfix/{tag}[{}]", 700 + tag.len() as i64 * 31 + number as i64 % 17);
        lines.push(Line { at: first + seconds * 1_000_000, order, tag, text });
    };
    add(-1, 0, "smtpd", format!("{qid}: client=erp.northwind.example[192.0.2.40]"));
    add(-1, 1, "cleanup", format!("{qid}: message-id=<{}>", message.id()));
    let size = 18_000 + rng.below(60_000);
    let active =
        format!("{qid}: from=<invoices@northwind.example>, size={size}, nrcpt={} (queue active)", message.to.len());
    add(-1, 2, "qmgr", active.clone());
    let mut last = 0;
    let mut open = false;
    for &(local, life) in &message.to {
        let to = format!("r{local:02}@{}", message.domain_name());
        for attempt in 0..life.deferrals {
            let after = retry_after(attempt);
            if attempt > 0 {
                add(after, 0, "qmgr", active.clone());
            }
            add(after, 3, "smtp", format!("{qid}: to=<{to}>, {}", deferral(message, life, attempt)));
            last = last.max(after);
        }
        if life.deferrals == SUSPENDED_AFTER {
            let after = retry_after(9) + 1_500;
            let (host, address) = message.gateway.relay(message.domain, 0);
            let text = format!(
                "{qid}: to=<{to}>, relay=none, delay={}, delays={}/0/0/0, dsn=4.0.0, status=deferred (delivery temporarily suspended: \
                 host {host}[{address}] refused to talk to me: 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.10)",
                after + 1,
                after + 1
            );
            add(after, 3, "error", text);
        }
        let after = retry_after(life.deferrals);
        match life.end {
            End::Expired => {
                add(
                    last,
                    4,
                    "qmgr",
                    format!("{qid}: from=<invoices@northwind.example>, status=expired, returned to sender"),
                );
            }
            End::Open => open = true,
            end => {
                if life.deferrals > 0 {
                    add(after, 0, "qmgr", active.clone());
                }
                add(
                    after,
                    3,
                    "smtp",
                    format!("{qid}: to=<{to}>, {}", ending(message, end, life.deferrals, after, &mut rng)),
                );
                last = last.max(after);
                if matches!(end, End::Bounced | End::NoHost) {
                    let notice = format!("{:010X}", rng.bits() >> 24);
                    add(after, 4, "bounce", format!("{qid}: sender non-delivery notification: {notice}"));
                }
            }
        }
    }
    if !open {
        add(last, 5, "qmgr", format!("{qid}: removed"));
    }
    lines
}

fn deferral(message: &Message, life: Life, attempt: usize) -> String {
    let (host, address) = message.gateway.relay(message.domain, attempt);
    let delay = retry_after(attempt) + 1;
    let relay = format!("relay={host}[{address}]:25, delay={delay}, delays={}/0.02/0.6/0.4", delay - 1);
    match life.delay {
        Delay::Reputation if attempt.is_multiple_of(2) => format!(
            "{relay}, dsn=4.0.0, status=deferred (host {host}[{address}] refused to talk to me: 421 Deferred - see \
             https://ipcheck.proofpoint.com/?ip=192.0.2.10)"
        ),
        Delay::Reputation => format!(
            "{relay}, dsn=4.0.0, status=deferred (host {host}[{address}] said: 421 Deferred - see \
             https://ipcheck.proofpoint.com/?ip=192.0.2.10 Rejected by recipient's email security filter IP_REPUTATION Ask the \
             recipient to allowlist your sending IP addresses. (in reply to MAIL FROM command))"
        ),
        Delay::MailboxFull => format!(
            "{relay}, dsn=4.2.2, status=deferred (host {host}[{address}] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command))"
        ),
        Delay::Timeout => format!(
            "relay=none, delay={delay}, delays={}/0.02/30/0, dsn=4.4.1, status=deferred (connect to {host}[{address}]:25: Connection \
             timed out)",
            delay - 1
        ),
    }
}

fn ending(message: &Message, end: End, attempt: usize, after: i64, rng: &mut Rng) -> String {
    let (host, address) = message.gateway.relay(message.domain, attempt);
    let delay = after + 1;
    let relay = format!("relay={host}[{address}]:25, delay={delay}, delays={after}/0.02/0.5/0.5, tls=TLSv1.3");
    let token = rng.bits() >> 20;
    match (end, message.gateway) {
        (End::NoHost, _) => {
            let name = message.domain_name();
            format!(
                "relay=none, delay={delay}, delays={after}/0.02/0.1/0, dsn=5.4.4, status=bounced (Host or domain name not found. Name \
                 service error for name={name} type=A: Host not found)"
            )
        }
        (End::Bounced, _) => format!(
            "{relay}, dsn=5.1.1, status=bounced (host {host}[{address}] said: 550 5.1.1 User unknown (in reply to RCPT TO command))"
        ),
        (_, Gateway::Proofpoint) => {
            format!("{relay}, dsn=2.0.0, status=sent (250 2.0.0 {token:x}-1 Message accepted for delivery)")
        }
        (_, Gateway::Microsoft) => format!(
            "{relay}, dsn=2.6.0, status=sent (250 2.6.0 <{}> [InternalId={token}] 48213 bytes in 0.2 (seconds) Queued mail for delivery)",
            message.id()
        ),
        (_, Gateway::Mimecast) => {
            format!("{relay}, dsn=2.0.0, status=sent (250 SmtpThread-{token} [{token:x}.uk]  in transaction)")
        }
        (_, Gateway::Google) => format!("{relay}, dsn=2.0.0, status=sent (250 2.0.0 OK  {token:x}.17 - gsmtp)"),
        (_, Gateway::Own) => format!("{relay}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {token:X})"),
    }
}
