//! The days that a series has: every day but the middle of long silences.

use chrono::{Days, NaiveDate};

use super::detect::WEEKS;

/// Silent days that stay between reports, in days a multiple of a week: no rule looks farther back, nor do the weeks in which a
/// silence is still news. What is longer is left out, or one report with a wrong date would stretch every series by centuries.
const SILENCE: i64 = 7 * (WEEKS as i64 + 2);

/// The days that series have: each has its index, and of a long silence the middle has none.
#[derive(Debug, Default)]
pub(super) struct Axis {
    /// The first index and first day of each stretch without a part left out, and its days.
    stretches: Vec<(usize, NaiveDate, usize)>,
}

impl Axis {
    /// Lays the axis through days in order.
    pub(super) fn through(days: impl IntoIterator<Item = NaiveDate>) -> Self {
        let mut axis = Self::default();
        for day in days {
            match axis.stretches.last_mut() {
                Some((_, first, length)) => {
                    let next = *length as i64;
                    let step = (day - *first).num_days() - next;
                    // Whole weeks are left out, so that weekdays keep their distance.
                    let left_out = (step - SILENCE).max(0) / 7 * 7;
                    let start = day.checked_sub_days(Days::new((step - left_out).max(0).unsigned_abs()));
                    match start {
                        Some(start) if left_out > 0 => {
                            let at = axis.length();
                            let length = usize::try_from((day - start).num_days() + 1).unwrap_or(1);
                            axis.stretches.push((at, start, length));
                        }
                        _ => *length = usize::try_from((day - *first).num_days() + 1).unwrap_or(*length).max(*length),
                    }
                }
                None => axis.stretches.push((0, day, 1)),
            }
        }
        axis
    }

    /// Returns how many indices there are.
    pub(super) fn length(&self) -> usize {
        self.stretches.last().map_or(0, |(at, _, length)| at + length)
    }

    /// Returns the index of a day; that of the next day that has one, where it is left out.
    pub(super) fn index(&self, day: NaiveDate) -> Option<usize> {
        self.stretches.iter().find_map(|(at, first, length)| {
            let within = usize::try_from((day - *first).num_days()).unwrap_or(0);
            (within < *length).then_some(at + within)
        })
    }

    /// Returns the day of an index.
    pub(super) fn day(&self, index: usize) -> Option<NaiveDate> {
        let (at, first, _) = self.stretches.iter().rev().find(|(at, ..)| *at <= index)?;
        first.checked_add_days(Days::new((index - at) as u64))
    }
}
