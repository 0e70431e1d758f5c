//! Whether a domain is ready for a policy, and because of whom it is not.

use schemars::JsonSchema;
use serde::Serialize;

use super::SimulatedSender;
use super::policy::Both;
use crate::query::senders::Sums;
use crate::senders::Class;
use crate::words::{count, counted, percent};

/// Whose mail a policy would hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Approved, or by its class the domain's own or a service that sends for it.
    Own,
    /// The reports do not tell, but it sends week after week.
    Unclear,
    /// Mail of the domain that others pass on: forwarders and lists.
    Relayed,
    /// Spoofing: what the policy is for.
    Unwanted,
    /// The reports do not tell, and it came and went.
    Stray,
    /// The reports do not tell, and there are too few days of them to say whether it comes back.
    TooFewDays,
}

impl Effect {
    /// Returns the word of the answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Unclear => "unclear",
            Self::Relayed => "relayed",
            Self::Unwanted => "unwanted",
            Self::Stray => "stray",
            Self::TooFewDays => "too-few-days",
        }
    }
}

/// Days that a sender must span for its mail to be more than a stray.
const STEADY_DAYS: i64 = 7;
/// Share of a domain's messages from which on a steady sender that cannot be told must be looked at first.
const UNCLEAR_SHARE: f64 = 0.01;
/// Streams that a verdict names; the rest is summed.
const NAMED: usize = 5;

/// Returns whether a sender is approved or likely the domain's own.
pub(super) fn is_own(sender: &Sums) -> bool {
    effect(sender, u64::MAX) == Effect::Own
}

/// Tells whose mail a sender's is, on a domain of so many report days. Both are of all that the store holds: a short period
/// would make every sender come and go.
pub(super) fn effect(sender: &Sums, days: u64) -> Effect {
    match sender.class {
        _ if sender.status == "approved" => Effect::Own,
        Class::Own | Class::Service | Class::MisalignedService | Class::BrokenOwn => Effect::Own,
        Class::Forwarding | Class::MailingList => Effect::Relayed,
        Class::Undetermined if sender.shape.span_days >= STEADY_DAYS => Effect::Unclear,
        // What comes and goes is told by the days on which it did not come.
        Class::Spoofing | Class::Undetermined if days < STEADY_DAYS.unsigned_abs() => Effect::TooFewDays,
        Class::Spoofing => Effect::Unwanted,
        Class::Undetermined => Effect::Stray,
    }
}

/// Returns whether a sender that loses `hit` of its `messages` keeps the domain, of `all` messages, from being ready.
pub(super) fn blocks(effect: Effect, hit: u64, messages: u64, all: u64, tolerance: f64) -> bool {
    match effect {
        Effect::Own => hit as f64 > tolerance * messages as f64,
        Effect::Unclear => hit > 0 && hit as f64 >= UNCLEAR_SHARE * all as f64,
        Effect::TooFewDays => hit > 0,
        Effect::Relayed | Effect::Unwanted | Effect::Stray => false,
    }
}

/// Says why a domain, of so many report days, is ready or not. The rows are its own, most hit first.
pub(super) fn because(both: &Both, rows: &[SimulatedSender], days: u64, tolerance: f64) -> Vec<String> {
    let told = || rows.iter().filter(|row| row.blocks && row.effect != Effect::TooFewDays);
    let mut reasons: Vec<String> = told().take(NAMED).map(blocking).collect();
    let more: Vec<u64> = told().skip(NAMED).map(hit).collect();
    if !more.is_empty() {
        reasons.push(format!("{} more such streams would lose {}", more.len(), messages_of(more.iter().sum())));
    }
    let early: Vec<u64> = rows.iter().filter(|row| row.blocks && row.effect == Effect::TooFewDays).map(hit).collect();
    if !early.is_empty() {
        reasons.push(format!(
            "too few days: {} of {} would be hit, and reports of {} do not tell whether it comes back; {STEADY_DAYS} do",
            messages_of(early.iter().sum()),
            counted(early.len() as u64, "sender"),
            counted(days, "day")
        ));
    }
    if reasons.is_empty() {
        reasons.push(if both.known && both.now == both.then {
            "this is what it publishes already".to_owned()
        } else {
            format!("no approved or likely own stream would lose more than {} of its mail", percent(Some(tolerance)))
        });
    }
    let sum = |effect: Effect| rows.iter().filter(|row| row.effect == effect && !row.blocks).map(hit).sum::<u64>();
    for (effect, what) in [
        (Effect::Own, "of own streams would be hit, within that tolerance"),
        (Effect::Relayed, "that forwarders and lists pass on would be hit"),
        (
            Effect::Unclear,
            "of steady senders that the reports do not tell would be hit: see `dmarcase senders --unknown`",
        ),
        (Effect::Unwanted, "of spoofing would be stopped"),
        (Effect::Stray, "of senders that came and went would be hit"),
    ] {
        let messages = sum(effect);
        if messages > 0 {
            reasons.push(format!("{} {what}", messages_of(messages)));
        }
    }
    let spared = rows.iter().map(|row| row.spared).sum();
    if spared > 0 {
        reasons.push(format!("{} would be let through by receivers for reasons of their own", messages_of(spared)));
    }
    if both.then.pct < 100 {
        let text =
            format!("receivers by RFC 9989 ignore pct={} and apply the policy to all failing mail", both.then.pct);
        reasons.push(text);
    }
    reasons
}

const fn hit(row: &SimulatedSender) -> u64 {
    row.newly_quarantined + row.newly_rejected
}

fn messages_of(number: u64) -> String {
    counted(number, "message")
}

fn blocking(row: &SimulatedSender) -> String {
    let done = match (row.newly_quarantined, row.newly_rejected) {
        (0, rejected) => format!("{} newly rejected", count(rejected)),
        (quarantined, 0) => format!("{} newly quarantined", count(quarantined)),
        (quarantined, rejected) => {
            format!("{} newly quarantined and {} newly rejected", count(quarantined), count(rejected))
        }
    };
    let of = messages_of(row.messages);
    if row.effect == Effect::Unclear {
        format!("{} (whose mail it is cannot be told) would have {done} of {of}: find out first", row.sender)
    } else {
        format!("{} ({}, {}) would have {done} of {of}", row.sender, row.status, row.class.word())
    }
}
