//! Figures of a course of glucose: level, spread, shares of time, risk, excursions, episodes.
//!
//! Sources: Battelino et al., Diabetes Care 42 (2019) 1593 and Lancet Diabetes Endocrinol. 11 (2023) 42 (shares,
//! episodes); Bergenstal et al., Diabetes Care 41 (2018) 2275 (GMI); Kovatchev et al., Diabetes Care 20 (1997) 1655
//! (LBGI, HBGI); Fernandes et al., J. Diabetes Sci. Technol. 16 (2022) 576 (MAGE by moving averages). Where authors leave
//! something open (grids, gaps, ties), the R package iglu is followed, against which the figures are checked.
//!
//! Not for: less than a day, or a course full of gaps: who shows a figure shows its coverage with it.

use std::collections::BTreeMap;

use crate::noun::UtcUs;

/// When, in local time as µs, and mg/dL; in the order of time.
pub type Point = (UtcUs, f64);

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// What lies in a longer gap is not known.
const GAP: i64 = 45 * MINUTE;
/// A longer one parts the course for MAGE.
const PART: i64 = 180 * MINUTE;
/// An episode begins after so long, and ends after so long.
const EPISODE: i64 = 15 * MINUTE;
/// The grid of MAGE.
const MAGE_STEP: i64 = 5 * MINUTE;
/// Its short and its long average, in steps.
const AVERAGES: (usize, usize) = (5, 32);

/// All figures of one course. Shares in percent, glucose in mg/dL.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n - 1).
    pub sd: f64,
    /// Coefficient of variation, percent.
    pub cv: f64,
    /// Glucose management indicator, percent.
    pub gmi: f64,
    /// Shares of the readings.
    pub shares: Shares,
    /// Low blood glucose index.
    pub lbgi: f64,
    /// High blood glucose index.
    pub hbgi: f64,
    /// Mean amplitude of glycaemic excursions; `None` where nothing rises or falls by more than the deviation.
    pub mage: Option<f64>,
    /// Episodes below 70.
    pub hypo: usize,
    /// Episodes below 54; they lie within some below 70.
    pub hypo_level_2: usize,
    /// Episodes above 180.
    pub hyper: usize,
    /// Episodes above 250.
    pub hyper_level_2: usize,
}

/// Shares of the readings in the ranges of the consensus, percent. They add up to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Below 54.
    pub very_low: f64,
    /// From 54 to below 70.
    pub low: f64,
    /// From 70 to 180.
    pub target: f64,
    /// Above 180, to 250.
    pub high: f64,
    /// Above 250.
    pub very_high: f64,
}

/// All figures of a course; `None` of fewer than two points.
pub fn figures(points: &[Point]) -> Option<Figures> {
    let mean = mean(points)?;
    let sd = deviation(points.iter().map(|point| point.1))?;
    let (lbgi, hbgi) = risk(points)?;
    let grid = Grid::of(points, usual_step(points)?);
    let episodes = |beyond: fn(f64) -> bool| grid.episodes(beyond);
    Some(Figures {
        mean,
        sd,
        cv: 100.0 * sd / mean,
        gmi: gmi(mean),
        shares: shares(points)?,
        lbgi,
        hbgi,
        mage: mage(points),
        hypo: episodes(|glucose| glucose < 70.0),
        hypo_level_2: episodes(|glucose| glucose < 54.0),
        hyper: episodes(|glucose| glucose > 180.0),
        hyper_level_2: episodes(|glucose| glucose > 250.0),
    })
}

/// The mean; `None` of nothing.
pub fn mean(points: &[Point]) -> Option<f64> {
    (!points.is_empty()).then(|| points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64)
}

/// The glucose management indicator of a mean, percent.
pub fn gmi(mean: f64) -> f64 {
    3.31 + 0.02392 * mean
}

/// Shares of the readings; `None` of nothing.
pub fn shares(points: &[Point]) -> Option<Shares> {
    let share = |within: fn(f64) -> bool| {
        100.0 * points.iter().filter(|point| within(point.1)).count() as f64 / points.len() as f64
    };
    (!points.is_empty()).then(|| Shares {
        very_low: share(|glucose| glucose < 54.0),
        low: share(|glucose| (54.0..70.0).contains(&glucose)),
        target: share(|glucose| (70.0..=180.0).contains(&glucose)),
        high: share(|glucose| glucose > 180.0 && glucose <= 250.0),
        very_high: share(|glucose| glucose > 250.0),
    })
}

/// LBGI and HBGI; `None` of nothing.
pub fn risk(points: &[Point]) -> Option<(f64, f64)> {
    let (low, high) = points.iter().fold((0.0, 0.0), |(low, high), point| {
        let f = 1.509 * (point.1.max(1.0).ln().powf(1.084) - 5.381);
        let risk = 10.0 * f * f;
        if f < 0.0 { (low + risk, high) } else { (low, high + risk) }
    });
    (!points.is_empty()).then(|| (low / points.len() as f64, high / points.len() as f64))
}

/// The standard deviation (n - 1); `None` of fewer than two.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let count = values.clone().count();
    let mean = values.clone().sum::<f64>() / count as f64;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (count > 1).then(|| (squares / (count - 1) as f64).sqrt())
}

/// The step that is most frequent, the shorter of equals, in whole minutes; `None` of fewer than two points.
fn usual_step(points: &[Point]) -> Option<i64> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in points.windows(2) {
        *counts.entry(pair[1].0 - pair[0].0).or_default() += 1;
    }
    let most = *counts.values().max()?;
    let step = *counts.iter().find(|(_, count)| **count == most)?.0;
    Some((step / MINUTE).max(1) * MINUTE)
}

/// A course on an even grid that begins with the day; what lies in long gaps is not known.
struct Grid {
    step: i64,
    /// From the first known value to the last.
    values: Vec<Option<f64>>,
}

impl Grid {
    /// Linearly interpolated between neighbours that are no further apart than a gap.
    fn of(points: &[Point], step: i64) -> Self {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Self { step, values: vec![] } };
        let midnight = first.0.div_euclid(DAY) * DAY;
        let mut values = Vec::new();
        let mut next = 0;
        let mut at = midnight + ((first.0 - midnight) / step).max(1) * step;
        while at <= last.0 {
            while points.get(next).is_some_and(|point| point.0 <= at) {
                next += 1;
            }
            values.push(next.checked_sub(1).map(|before| points[before]).and_then(|before| match points.get(next) {
                _ if before.0 == at => Some(before.1),
                Some(after) if after.0 - before.0 <= GAP => {
                    let minutes = |us: i64| us as f64 / MINUTE as f64;
                    let slope = (after.1 - before.1) / (minutes(after.0 - midnight) - minutes(before.0 - midnight));
                    Some(slope * (minutes(at - midnight) - minutes(before.0 - midnight)) + before.1)
                }
                _ => None,
            }));
            at += step;
        }
        let known = values.iter().position(Option::is_some).unwrap_or(values.len());
        Self { step, values: values.split_off(known) }
    }

    /// How often the course is beyond for at least 15 min; it has to be back for as long to end. A gap ends all.
    fn episodes(&self, beyond: impl Fn(f64) -> bool) -> usize {
        let least = ((EPISODE + self.step - 1) / self.step) as usize;
        let mut episodes = 0;
        for part in self.values.split(Option::is_none) {
            let mut within = false;
            for run in part.iter().flatten().collect::<Vec<_>>().chunk_by(|one, two| beyond(**one) == beyond(**two)) {
                if run.len() >= least {
                    let out = beyond(*run[0]);
                    episodes += usize::from(out && !within);
                    within = out;
                }
            }
        }
        episodes
    }
}

/// The mean amplitude of glycaemic excursions by moving averages: between crossings of a short and a long average lies
/// an extreme; from nadir to peak and from peak to nadir counts what exceeds the standard deviation. Both directions
/// weigh the same, parts between gaps of over 3 h by their length. `None` where there is no such excursion.
pub fn mage(points: &[Point]) -> Option<f64> {
    let grid = Grid::of(points, MAGE_STEP);
    let (mut sum, mut weight) = (0.0, 0.0);
    for part in parts(&grid.values) {
        let hours = part.len().saturating_sub(1) as f64;
        for height in excursions(part).into_iter().flatten() {
            sum += hours * height;
            weight += hours;
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

/// The stretches between gaps of over 3 h, each from a known value to a known value.
fn parts(values: &[Option<f64>]) -> Vec<&[Option<f64>]> {
    let longest = (PART / MAGE_STEP) as usize;
    let mut parts = Vec::new();
    let mut begin = None;
    let mut last = 0;
    for (at, _) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
        let first = *begin.get_or_insert(at);
        if at - last > longest && at > first {
            parts.push(&values[first..=last]);
            begin = Some(at);
        }
        last = at;
    }
    parts.extend(begin.map(|first| &values[first..=last]));
    parts
}

/// The mean height of the rises and of the falls in one part.
fn excursions(part: &[Option<f64>]) -> [Option<f64>; 2] {
    let known = part.iter().flatten().copied();
    let Some(deviation) = deviation(known).filter(|deviation| *deviation >= 1.0 && part.len() >= 7) else {
        return [None, None];
    };
    let extremes = extremes(part);
    let falls: Vec<_> = extremes.iter().map(|value| -value).collect();
    [heights(&extremes, deviation, true), heights(&falls, deviation, false)]
}

/// The moving average over up to `window` steps; the first ones are what the first full window says.
fn average(part: &[Option<f64>], window: usize) -> Vec<Option<f64>> {
    let of = |end: usize| {
        let known = || part[(end + 1).saturating_sub(window)..=end].iter().flatten();
        let count = known().count();
        (count > 0).then(|| known().sum::<f64>() / count as f64)
    };
    let full = of(window.min(part.len()) - 1);
    (0..part.len()).map(|end| if end < window { full } else { of(end) }).collect()
}

/// The extremes between crossings of the averages, in the order of time.
fn extremes(part: &[Option<f64>]) -> Vec<f64> {
    let (short, long) = (average(part, AVERAGES.0), average(part, AVERAGES.1));
    let above: Vec<_> = short
        .iter()
        .zip(&long)
        .map(|(short, long)| short.zip(*long).map(|(short, long)| short - long))
        .map(|difference| difference.filter(|difference| *difference != 0.0).map(|difference| difference > 0.0))
        .collect();
    // Where a stretch begins, and whether its extreme is a peak.
    let mut crossings = vec![(0, above[0] == Some(true))];
    for at in 1..part.len() {
        let neighbours = part[at].is_some() && part[at - 1].is_some() && above[at - 1].is_some();
        let before = if neighbours { above[at - 1] } else { above[crossings[crossings.len() - 1].0] };
        if let (Some(before), Some(now)) = (before, above[at])
            && before != now
        {
            crossings.push((at, now));
        }
    }
    crossings.push((part.len() - 1, above[part.len() - 1] == Some(true)));
    let mut extremes = Vec::new();
    let mut from = 0;
    for pair in crossings.windows(2) {
        let ((_, peak), (until, _)) = (pair[0], pair[1]);
        let sign = if peak { 1.0 } else { -1.0 };
        let known = (from..=until).filter_map(|at| part[at].map(|value| (at, sign * value)));
        // The first of equals.
        let Some((at, value)) = known.reduce(|best, one| if one.1 > best.1 { one } else { best }) else { continue };
        extremes.push(sign * value);
        from = at;
    }
    extremes
}

/// The mean height of the rises above `deviation` in a row of extremes; `resume`: the next one is looked for from the
/// end of the last, not from its top (as iglu does for rises, and not for falls).
fn heights(extremes: &[f64], deviation: f64, resume: bool) -> Option<f64> {
    let mut heights = Vec::new();
    let (mut from, mut top) = (0, 0);
    while top < extremes.len() {
        let low = extremes[from..=top].iter().copied().fold(f64::INFINITY, f64::min);
        if extremes[top] - low <= deviation {
            top += 1;
            continue;
        }
        // Rides up to the top; over once it has fallen by as much, or the course ends.
        let mut at = top;
        loop {
            if extremes[at] >= extremes[top] {
                top = at;
            }
            if extremes[top] - extremes[at] > deviation || at + 1 == extremes.len() {
                break;
            }
            at += 1;
        }
        heights.push(extremes[top] - low);
        (from, top) = (if resume { at } else { top }, at);
        if at + 1 == extremes.len() {
            break;
        }
    }
    (!heights.is_empty()).then(|| heights.iter().sum::<f64>() / heights.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(values: &[f64]) -> Vec<Point> {
        values.iter().enumerate().map(|(step, value)| (step as i64 * MAGE_STEP, *value)).collect()
    }

    #[test]
    fn figures_of_a_short_course() {
        let points = course(&[50.0, 60.0, 70.0, 180.0, 181.0, 251.0]);
        let found = figures(&points).unwrap();
        assert_eq!(found.mean, 132.0);
        assert!((found.sd - 83.208).abs() < 0.01 && (found.cv - 63.04).abs() < 0.01, "{found:?}");
        assert!((found.gmi - 6.467).abs() < 0.001);
        let Shares { very_low, low, target, high, very_high } = found.shares;
        let sixth = 100.0 / 6.0;
        assert_eq!([very_low, low, target, high, very_high], [sixth, sixth, 2.0 * sixth, sixth, sixth]);
        assert_eq!(figures(&points[..1]), None);
    }

    #[test]
    fn an_episode_takes_a_quarter_of_an_hour_to_begin_and_to_end() {
        let hypo = |values: &[f64]| figures(&course(values)).map(|figures| figures.hypo);
        let low = [60.0; 3];
        assert_eq!(hypo(&[&[100.0; 4][..], &low[..2], &[100.0; 4]].concat()), Some(0));
        assert_eq!(hypo(&[&[100.0; 4][..], &low, &[100.0; 4]].concat()), Some(1));
        assert_eq!(hypo(&[&[100.0; 4][..], &low, &[100.0; 2], &low, &[100.0; 4]].concat()), Some(1));
        assert_eq!(hypo(&[&[100.0; 4][..], &low, &[100.0; 3], &low, &[100.0; 4]].concat()), Some(2));
        // An hour unheard ends it.
        let mut points = course(&[&[100.0; 4][..], &low, &low].concat());
        points.iter_mut().skip(7).for_each(|point| point.0 += 60 * MINUTE);
        assert_eq!(figures(&points).map(|figures| figures.hypo), Some(2));
    }

    #[test]
    fn excursions_are_measured_from_nadir_to_peak() {
        // Waves of 100 between 100 and 200, three hours each.
        let values: Vec<_> =
            (0..288).map(|step| 150.0 - 50.0 * (f64::from(step) * std::f64::consts::PI / 18.0).cos()).collect();
        let mage = mage(&course(&values)).unwrap();
        assert!((mage - 100.0).abs() < 2.0, "{mage}");
        assert_eq!(super::mage(&course(&[120.0; 100])), None);
    }
}
