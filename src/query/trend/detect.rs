//! Change detection on daily counts: a Hampel identifier on weekday residuals, with room for small counts.
//!
//! What a day is expected to bring is the median of the same weekday in the eight weeks before: weekly rhythm is no news,
//! and up to half of the weeks may be broken without moving it. How far days stray is the median absolute deviation of
//! the residuals of all those weeks, times 1.4826 (F. R. Hampel, "The influence curve and its role in robust estimation",
//! JASA 69, 1974; L. Davies and U. Gather, "The identification of multiple outliers", JASA 88, 1993). Counts are compared
//! by their logarithm and failing rates as they are; the luck of small counts (Poisson, binomial) is added to the
//! deviation, as in P. Farrington et al., "A statistical algorithm for the early detection of outbreaks", JRSS A 159, 1996.
//! A change counts only where it also weighs: a share of the domain's mail, and more than a few messages.

/// Weeks of history that a day is compared with.
pub(super) const WEEKS: usize = 8;
/// Same weekdays that must be known before anything is said.
const LEAST_WEEKS: usize = 4;
/// Robust deviations that make a change. With a few thousand looks a year at a domain, chance alone stays below it.
const DEVIATIONS: f64 = 4.8;
/// Least change, as a share of what the domain is expected to bring that day.
const LEAST_SHARE: f64 = 0.012;
/// Least change in messages: 3 of 5 failing is no news.
const LEAST_MESSAGES: f64 = 35.0;
/// Deviation of a count that is assumed however steady the past was, as a part of it.
const LEAST_NOISE: f64 = 0.05;
/// Deviation of a failing rate that is assumed however steady the past was.
const LEAST_RATE_NOISE: f64 = 0.002;

/// Messages of one series on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// All.
    pub messages: u64,
    /// DMARC pass.
    pub pass: u64,
}

/// The days of a domain as a whole, which its senders are weighed against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backdrop {
    /// Messages.
    pub messages: u64,
    /// The part of the domain's usual mail whose reporters reported on this day, 0 to 1.
    pub coverage: f64,
}

/// What changed on a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Departure {
    /// Index of the day.
    pub day: usize,
    /// What was expected: messages, or failing messages.
    pub expected: f64,
    /// What came.
    pub observed: f64,
    /// How many robust deviations apart.
    pub deviations: f64,
}

/// Finds days with far more or far less mail than expected, from index `first` on.
pub fn volume(series: &[Day], domain: &[Backdrop], first: usize) -> Vec<Departure> {
    let counts: Vec<f64> = series.iter().map(|day| day.messages as f64).collect();
    let totals: Vec<f64> = domain.iter().map(|day| day.messages as f64).collect();
    let mut found = Vec::new();
    for day in first..series.len() {
        let (Some(&count), Some(backdrop)) = (counts.get(day), domain.get(day)) else { continue };
        let Some(usual) = weekday_median(&counts, domain, day) else { continue };
        // Reporters that have not sent yet are no missing mail.
        let expected = usual * backdrop.coverage;
        let weight = weekday_median(&totals, domain, day).unwrap_or(0.0);
        if backdrop.coverage < 0.5 || !weighs((count - expected).abs(), weight) {
            continue;
        }
        let ratio = ((count + 0.5) / (expected + 0.5)).ln();
        let scale = spread(&counts, domain, day, |count, usual| ((count + 0.5) / (usual + 0.5)).ln());
        let luck = 1.0 / (expected + 1.0);
        let deviations = ratio / (scale * scale + luck + LEAST_NOISE * LEAST_NOISE).sqrt();
        let moved = expected < 1.0 && recent_most(&counts, day) * 1.5 >= count;
        let large = !(-0.7..=0.6).contains(&ratio);
        if deviations.abs() >= DEVIATIONS && large && !moved {
            found.push(Departure { day, expected, observed: count, deviations });
        }
    }
    found
}

/// Finds days on which more fails than expected, from index `first` on.
pub fn failing(series: &[Day], domain: &[Backdrop], first: usize) -> Vec<Departure> {
    let rate = |day: &Day| if day.messages == 0 { None } else { Some(1.0 - day.pass as f64 / day.messages as f64) };
    let rates: Vec<Option<f64>> = series.iter().map(rate).collect();
    let totals: Vec<f64> = domain.iter().map(|day| day.messages as f64).collect();
    let mut found = Vec::new();
    for day in first..series.len() {
        let (Some(&Day { messages, pass }), Some(Some(rate))) = (series.get(day), rates.get(day)) else { continue };
        let Some(usual) = usual_rate(&rates, day) else { continue };
        let messages = messages as f64;
        let extra = (rate - usual) * messages;
        let weight = weekday_median(&totals, domain, day).unwrap_or(0.0);
        if extra <= 0.0 || !weighs(extra, weight) {
            continue;
        }
        let scale = rate_spread(&rates, day);
        // The least of a binomial's variance is taken at one failing message in the window, never zero.
        let share = usual.clamp(1.0 / (messages + 2.0), 1.0 - 1.0 / (messages + 2.0));
        let luck = share * (1.0 - share) / messages;
        let deviations = (rate - usual) / (scale * scale + luck + LEAST_RATE_NOISE * LEAST_RATE_NOISE).sqrt();
        if deviations >= DEVIATIONS {
            let observed = messages - pass as f64;
            found.push(Departure { day, expected: usual * messages, observed, deviations });
        }
    }
    found
}

/// Joins departures of following days into one: the first, and the last. A quiet week ends it.
pub fn episodes(departures: &[Departure]) -> Vec<(Departure, usize)> {
    let mut found: Vec<(Departure, usize)> = Vec::new();
    for &one in departures {
        match found.last_mut() {
            Some((first, last)) if one.day <= *last + 7 && (one.deviations > 0.0) == (first.deviations > 0.0) => {
                *last = one.day;
            }
            _ => found.push((one, one.day)),
        }
    }
    found
}

fn weighs(change: f64, domain: f64) -> bool {
    change >= LEAST_MESSAGES && change >= LEAST_SHARE * domain
}

/// The same weekday in the weeks before.
fn weekdays(day: usize) -> impl Iterator<Item = usize> {
    (1..=WEEKS).map_while(move |week| day.checked_sub(7 * week))
}

fn weekday_median(values: &[f64], domain: &[Backdrop], day: usize) -> Option<f64> {
    // Days that most reporters skipped say nothing about the rhythm.
    let known = |at: &usize| domain.get(*at).is_some_and(|day| day.coverage >= 0.5);
    let mut past: Vec<f64> = weekdays(day).filter(known).filter_map(|at| values.get(at).copied()).collect();
    (past.len() >= LEAST_WEEKS).then(|| median(&mut past))
}

/// Days before `day` that [`WEEKS`] reach.
fn window(day: usize) -> std::ops::Range<usize> {
    day.saturating_sub(7 * WEEKS)..day
}

/// The robust deviation of the past weeks from the medians of their weekdays.
fn spread(values: &[f64], domain: &[Backdrop], day: usize, residual: impl Fn(f64, f64) -> f64) -> f64 {
    let medians: Vec<Option<f64>> = (0..7).map(|ahead| weekday_median(values, domain, day + ahead)).collect();
    let mut residuals: Vec<f64> = window(day)
        .filter(|at| domain.get(*at).is_some_and(|day| day.coverage >= 0.5))
        .filter_map(|at| {
            let usual = medians.get((at + 7 * WEEKS - day) % 7).copied().flatten()?;
            // Days without mail by rhythm would make a wild stream look steady.
            (usual >= 1.0).then(|| values.get(at).map(|value| residual(*value, usual).abs())).flatten()
        })
        .collect();
    if residuals.len() < 2 * LEAST_WEEKS { 0.5 } else { 1.4826 * median(&mut residuals) }
}

fn usual_rate(rates: &[Option<f64>], day: usize) -> Option<f64> {
    let mut past: Vec<f64> = weekdays(day).filter_map(|at| rates.get(at).copied().flatten()).collect();
    (past.len() >= LEAST_WEEKS).then(|| median(&mut past))
}

fn rate_spread(rates: &[Option<f64>], day: usize) -> f64 {
    let medians: Vec<Option<f64>> = (0..7).map(|ahead| usual_rate(rates, day + ahead)).collect();
    let mut residuals: Vec<f64> = window(day)
        .filter_map(|at| {
            let usual = medians.get((at + 7 * WEEKS - day) % 7).copied().flatten()?;
            Some((rates.get(at).copied().flatten()? - usual).abs())
        })
        .collect();
    if residuals.len() < 2 * LEAST_WEEKS { 0.05 } else { 1.4826 * median(&mut residuals) }
}

fn recent_most(values: &[f64], day: usize) -> f64 {
    values.get(day.saturating_sub(14)..day).into_iter().flatten().copied().fold(0.0, f64::max)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(high), 0) => values.get(middle.wrapping_sub(1)).map_or(*high, |low| f64::midpoint(*low, *high)),
        (Some(one), _) => *one,
        (None, _) => 0.0,
    }
}
