//! When `watch` polls which mailbox: schedules, what IDLE says, and waiting longer after each failure.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use chrono::{DateTime, Local};

use crate::config::MailboxConfig;

/// First wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait after failures, unless the schedule comes first.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Least wait after a failure that someone must act on: a wrong password tried again and again locks an account.
const OPERATOR_WAIT: Duration = Duration::from_secs(300);

/// How a poll ended, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It went through.
    Well,
    /// It failed, and may go through soon.
    Failed,
    /// It failed, and will until someone acts.
    NeedsOperator,
}

/// When each mailbox is due.
#[derive(Debug)]
pub struct Plan {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    mailbox: MailboxConfig,
    due: DateTime<Local>,
    waits: Option<ExponentialBackoff>,
    failing: bool,
}

impl Plan {
    /// Makes a plan: every mailbox is due at once, to catch up with what arrived while nobody watched.
    pub fn new(mailboxes: &[MailboxConfig], now: DateTime<Local>) -> Self {
        let line = |mailbox: &MailboxConfig| Line { mailbox: mailbox.clone(), due: now, waits: None, failing: false };
        Self { lines: mailboxes.iter().map(line).collect() }
    }

    /// Returns the mailboxes that are due, by their place in the config.
    pub fn due(&self, now: DateTime<Local>) -> Vec<usize> {
        let due = self.lines.iter().enumerate().filter(|(_, line)| line.due <= now);
        due.map(|(at, _)| at).collect()
    }

    /// Returns when the next one is due.
    pub fn next(&self) -> Option<DateTime<Local>> {
        self.lines.iter().map(|line| line.due).min()
    }

    /// Takes in that mail arrived. A mailbox whose polls fail keeps its wait.
    pub fn wake(&mut self, at: usize, now: DateTime<Local>) {
        if let Some(line) = self.lines.get_mut(at)
            && !line.failing
        {
            line.due = line.due.min(now);
        }
    }

    /// Takes in how a poll that began at `began` ended at `now`.
    pub fn ended(&mut self, at: usize, began: DateTime<Local>, now: DateTime<Local>, ended: Ended) {
        let Some(line) = self.lines.get_mut(at) else { return };
        let mut scheduled = line.mailbox.schedule.next(began, line.mailbox.idle_poll);
        if scheduled <= now {
            // The poll took longer than its interval: what was missed is not made up for.
            scheduled = line.mailbox.schedule.next(now, line.mailbox.idle_poll);
        }
        line.failing = ended != Ended::Well;
        if ended == Ended::Well {
            line.waits = None;
            line.due = scheduled;
            return;
        }
        let waits = line.waits.get_or_insert_with(waits);
        let wait = waits.next().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        line.due = match ended {
            Ended::NeedsOperator => scheduled.max(now + wait.max(OPERATOR_WAIT)),
            _ => scheduled.min(now + wait),
        };
    }
}

/// Doubling waits, each with jitter, so that many installations do not come back to a server in step.
pub(crate) fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::config::Config;

    fn plan(schedule: &str) -> (Plan, DateTime<Local>) {
        let text = format!(
            "[[mailbox]]\nname = \"rua\"\nhost = \"h.example\"\nuser = \"u\"\npassword_env = \"P\"\nschedule = \"{schedule}\"\n"
        );
        let now = Local.with_ymd_and_hms(2026, 7, 1, 10, 0, 0).unwrap();
        (Plan::new(&Config::parse(&text).unwrap().mailbox, now), now)
    }

    fn minutes(n: i64) -> chrono::TimeDelta {
        chrono::TimeDelta::minutes(n)
    }

    #[test]
    fn a_poll_is_due_an_interval_after_the_last_began() {
        let (mut plan, now) = plan("15m");
        assert_eq!(plan.due(now), [0]);
        plan.ended(0, now, now + minutes(2), Ended::Well);
        assert_eq!(plan.next(), Some(now + minutes(15)));
        assert_eq!(plan.due(now + minutes(14)), [0usize; 0]);
        // One that took longer than the interval.
        plan.ended(0, now, now + minutes(40), Ended::Well);
        assert_eq!(plan.next(), Some(now + minutes(55)));
    }

    #[test]
    fn failures_wait_longer_and_longer_but_never_past_the_schedule() {
        let (mut plan, now) = plan("1d");
        let mut last = Duration::ZERO;
        for _ in 0..6 {
            plan.ended(0, now, now, Ended::Failed);
            let wait = (plan.next().unwrap() - now).to_std().unwrap();
            assert!(wait > last.mul_f64(0.7) && wait >= FIRST_WAIT && wait <= LONGEST_WAIT, "{wait:?} after {last:?}");
            last = wait;
        }
        assert!(last >= Duration::from_secs(16 * 60), "{last:?}");
        let (mut plan, now) = self::plan("1m");
        for _ in 0..8 {
            plan.ended(0, now, now, Ended::Failed);
        }
        assert_eq!(plan.next(), Some(now + minutes(1)));
        // After a success the first wait is short again.
        plan.ended(0, now, now, Ended::Well);
        plan.ended(0, now, now, Ended::Failed);
        assert!(plan.next().unwrap() <= now + minutes(1));
    }

    #[test]
    fn a_wrong_password_is_not_tried_every_minute() {
        let (mut plan, now) = plan("1m");
        plan.ended(0, now, now, Ended::NeedsOperator);
        assert!(plan.next().unwrap() >= now + minutes(5));
        // Not even when IDLE of another connection says that mail arrived.
        plan.wake(0, now);
        assert!(plan.next().unwrap() >= now + minutes(5));
    }

    #[test]
    fn idle_wakes_and_polls_in_between() {
        let (mut plan, now) = plan("idle");
        plan.ended(0, now, now, Ended::Well);
        assert_eq!(plan.next(), Some(now + minutes(60)));
        plan.wake(0, now + minutes(3));
        assert_eq!(plan.due(now + minutes(3)), [0]);
    }
}
