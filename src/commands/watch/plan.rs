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
pub(super) const OPERATOR_WAIT: Duration = Duration::from_secs(300);

/// A clock that goes back by less than this was corrected by its time service.
const CLOCK: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// How a poll ended, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It went through.
    Well,
    /// It was ended in the middle, since others wait; it goes on where it was.
    Cut,
    /// A folder of it failed; what arrives in others is fetched meanwhile.
    Partly,
    /// It failed, and may go through soon.
    Failed,
    /// It failed, and will until someone acts.
    NeedsOperator,
}

/// When each mailbox is due.
#[derive(Debug, Default)]
pub(super) struct Plan {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    mailbox: MailboxConfig,
    due: DateTime<Local>,
    /// The time by the clock when `due` was worked out.
    planned: DateTime<Local>,
    waits: Option<ExponentialBackoff>,
    /// News of mail do not shorten its wait.
    deaf: bool,
    /// Its poll is under way.
    polling: bool,
    /// Mail arrived during its poll, maybe after the poll had looked.
    woken: bool,
    /// As it is configured now it has not been polled yet.
    renewed: bool,
}

impl Plan {
    /// Makes a plan: every mailbox is due at once, to catch up with what arrived while nobody watched.
    pub(super) fn new(mailboxes: &[MailboxConfig], now: DateTime<Local>) -> Self {
        Self::beside(mailboxes, &[], now)
    }

    /// Makes a plan while polls of these names are under way, begun by a config before: they go on, and a mailbox is not due before
    /// its poll ends.
    pub(super) fn beside(mailboxes: &[MailboxConfig], polling: &[&str], now: DateTime<Local>) -> Self {
        let line = |mailbox: &MailboxConfig| Line {
            mailbox: mailbox.clone(),
            due: now,
            planned: now,
            waits: None,
            deaf: false,
            polling: polling.contains(&mailbox.name.as_str()),
            woken: false,
            renewed: true,
        };
        Self { lines: mailboxes.iter().map(line).collect() }
    }

    /// Takes the mailbox that is due the longest, whose poll begins now.
    pub(super) fn begin(&mut self, now: DateTime<Local>) -> Option<MailboxConfig> {
        for line in &mut self.lines {
            // A clock that was set back, as after a boot with a wrong one, would put everything off for as long.
            if now < line.planned - CLOCK {
                line.due = line.due.min(line.mailbox.schedule.next(now, line.mailbox.idle_poll));
                line.planned = now;
            }
        }
        let due = self.lines.iter_mut().filter(|line| !line.polling && line.due <= now);
        let line = due.min_by_key(|line| line.due)?;
        (line.polling, line.woken, line.renewed) = (true, false, false);
        Some(line.mailbox.clone())
    }

    /// Returns whether a mailbox has waited for its poll for this long.
    pub(super) fn waits(&self, now: DateTime<Local>, long: chrono::TimeDelta) -> bool {
        self.lines.iter().any(|line| !line.polling && line.due + long <= now)
    }

    /// Returns when the next one is due, of those whose poll is not under way.
    #[cfg(test)]
    fn next(&self) -> Option<DateTime<Local>> {
        self.lines.iter().filter(|line| !line.polling).map(|line| line.due).min()
    }

    /// Takes in that mail arrived. A mailbox that cannot be polled keeps its wait.
    pub(super) fn wake(&mut self, name: &str, now: DateTime<Local>) {
        let Some(line) = self.line(name) else { return };
        line.woken |= line.polling;
        if !line.deaf {
            line.due = line.due.min(now);
        }
    }

    /// Takes in how a poll that began at `began` ended at `now`.
    pub(super) fn ended(&mut self, name: &str, began: DateTime<Local>, now: DateTime<Local>, ended: Ended) {
        let Some(line) = self.line(name) else { return };
        line.polling = false;
        line.planned = now;
        if line.renewed {
            line.due = now;
            return;
        }
        let mut scheduled = line.mailbox.schedule.next(began, line.mailbox.idle_poll);
        if scheduled <= now {
            // The poll took longer than its interval: what was missed is not made up for.
            scheduled = line.mailbox.schedule.next(now, line.mailbox.idle_poll);
        }
        line.deaf = matches!(ended, Ended::Failed | Ended::NeedsOperator);
        if ended == Ended::Cut {
            line.due = now;
        } else if ended == Ended::Well {
            line.waits = None;
            line.due = scheduled;
        } else {
            let waits = line.waits.get_or_insert_with(waits);
            let wait = waits.next().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
            line.due = match ended {
                Ended::NeedsOperator => scheduled.max(now + wait.max(OPERATOR_WAIT)),
                _ => scheduled.min(now + wait),
            };
        }
        if std::mem::take(&mut line.woken) && !line.deaf {
            line.due = now;
        }
    }

    fn line(&mut self, name: &str) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.mailbox.name == name)
    }
}

/// Doubling waits, each with jitter, so that many installations do not come back to a server in step.
pub(super) fn waits() -> ExponentialBackoff {
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

    fn mailbox(name: &str, schedule: &str) -> MailboxConfig {
        let text = format!(
            "[[mailbox]]\nname = \"{name}\"\nhost = \"h.example\"\nuser = \"u\"\npassword_env = \"P\"\nschedule = \"{schedule}\"\n"
        );
        Config::parse(&text).unwrap().mailbox.remove(0)
    }

    /// A plan whose one mailbox is being polled.
    fn plan(schedule: &str) -> (Plan, DateTime<Local>) {
        let now = Local.with_ymd_and_hms(2026, 7, 1, 10, 0, 0).unwrap();
        let mut plan = Plan::new(&[mailbox("rua", schedule)], now);
        assert_eq!(begun(&mut plan, now), ["rua"]);
        (plan, now)
    }

    /// Begins every poll that is due.
    fn begun(plan: &mut Plan, now: DateTime<Local>) -> Vec<String> {
        std::iter::from_fn(|| plan.begin(now)).map(|mailbox| mailbox.name).collect()
    }

    fn minutes(n: i64) -> chrono::TimeDelta {
        chrono::TimeDelta::minutes(n)
    }

    #[test]
    fn a_poll_is_due_an_interval_after_the_last_began() {
        let (mut plan, now) = plan("15m");
        plan.ended("rua", now, now + minutes(2), Ended::Well);
        assert_eq!(plan.next(), Some(now + minutes(15)));
        assert!(begun(&mut plan, now + minutes(14)).is_empty());
        // One that took longer than the interval.
        plan.ended("rua", now, now + minutes(40), Ended::Well);
        assert_eq!(plan.next(), Some(now + minutes(55)));
    }

    #[test]
    fn failures_wait_longer_and_longer_but_never_past_the_schedule() {
        let (mut plan, now) = plan("1d");
        let mut last = Duration::ZERO;
        for _ in 0..6 {
            plan.ended("rua", now, now, Ended::Failed);
            let wait = (plan.next().unwrap() - now).to_std().unwrap();
            assert!(wait > last.mul_f64(0.7) && wait >= FIRST_WAIT && wait <= LONGEST_WAIT, "{wait:?} after {last:?}");
            last = wait;
        }
        assert!(last >= Duration::from_secs(16 * 60), "{last:?}");
        let (mut plan, now) = self::plan("1m");
        for _ in 0..8 {
            plan.ended("rua", now, now, Ended::Failed);
        }
        assert_eq!(plan.next(), Some(now + minutes(1)));
        // After a success the first wait is short again.
        plan.ended("rua", now, now, Ended::Well);
        plan.ended("rua", now, now, Ended::Failed);
        assert!(plan.next().unwrap() <= now + minutes(1));
    }

    #[test]
    fn a_wrong_password_is_not_tried_every_minute() {
        let (mut plan, now) = plan("1m");
        plan.wake("rua", now);
        plan.ended("rua", now, now, Ended::NeedsOperator);
        assert!(plan.next().unwrap() >= now + minutes(5));
        // Not even when IDLE of another connection says that mail arrived.
        plan.wake("rua", now);
        assert!(plan.next().unwrap() >= now + minutes(5));
    }

    #[test]
    fn idle_wakes_and_polls_in_between() {
        let (mut plan, now) = plan("idle");
        plan.ended("rua", now, now, Ended::Well);
        assert_eq!(plan.next(), Some(now + minutes(60)));
        plan.wake("rua", now + minutes(3));
        assert_eq!(begun(&mut plan, now + minutes(3)), ["rua"]);
        // During the poll, maybe after it has looked: once more.
        plan.wake("rua", now + minutes(3));
        assert!(begun(&mut plan, now + minutes(4)).is_empty());
        plan.ended("rua", now + minutes(3), now + minutes(5), Ended::Well);
        assert_eq!(begun(&mut plan, now + minutes(5)), ["rua"]);
        // A folder that fails does not keep others from what arrives.
        plan.ended("rua", now + minutes(5), now + minutes(6), Ended::Partly);
        assert!(begun(&mut plan, now + minutes(6)).is_empty());
        plan.wake("rua", now + minutes(6));
        assert_eq!(begun(&mut plan, now + minutes(6)), ["rua"]);
    }

    #[test]
    fn a_slow_mailbox_keeps_no_other_from_its_poll() {
        let now = Local.with_ymd_and_hms(2026, 7, 1, 10, 0, 0).unwrap();
        let mut plan = Plan::new(&[mailbox("slow", "15m"), mailbox("quick", "15m")], now);
        assert_eq!(begun(&mut plan, now), ["slow", "quick"]);
        plan.ended("quick", now, now, Ended::Well);
        assert_eq!(begun(&mut plan, now + minutes(15)), ["quick"]);
    }

    #[test]
    fn who_is_cut_short_comes_behind_those_that_wait() {
        let now = Local.with_ymd_and_hms(2026, 7, 1, 10, 0, 0).unwrap();
        let mut plan = Plan::new(&[mailbox("long", "1h"), mailbox("short", "1h")], now);
        assert_eq!(plan.begin(now).unwrap().name, "long");
        assert!(!plan.waits(now, minutes(1)) && plan.waits(now + minutes(1), minutes(1)));
        plan.ended("long", now, now + minutes(6), Ended::Cut);
        assert_eq!(begun(&mut plan, now + minutes(6)), ["short", "long"]);
        assert!(!plan.waits(now + minutes(60), minutes(1)), "both are under way");
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_off() {
        let (mut plan, now) = plan("15m");
        plan.ended("rua", now, now, Ended::Well);
        let before = now - minutes(24 * 60);
        assert!(begun(&mut plan, before).is_empty());
        assert_eq!(begun(&mut plan, before + minutes(15)), ["rua"]);
    }

    #[test]
    fn a_config_read_again_lets_polls_end_and_begins_new_ones() {
        let now = Local.with_ymd_and_hms(2026, 7, 1, 10, 0, 0).unwrap();
        let mut plan = Plan::new(&[mailbox("old", "1h"), mailbox("gone", "1h")], now);
        assert_eq!(begun(&mut plan, now), ["old", "gone"]);
        // Read twice: once without a mailbox that comes back, whose poll is still under way.
        plan = Plan::beside(&[mailbox("gone", "1h")], &["old", "gone"], now);
        assert!(begun(&mut plan, now).is_empty());
        plan = Plan::beside(&[mailbox("old", "1h"), mailbox("new", "1h")], &["old", "gone"], now + minutes(1));
        assert_eq!(begun(&mut plan, now + minutes(1)), ["new"]);
        // What the config says now holds for it as soon as the old poll has ended.
        plan.ended("old", now, now + minutes(2), Ended::NeedsOperator);
        plan.ended("gone", now, now + minutes(2), Ended::Well);
        assert_eq!(begun(&mut plan, now + minutes(2)), ["old"]);
    }
}
