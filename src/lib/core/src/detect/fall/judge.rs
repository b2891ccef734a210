//! Finds impacts in a stream of acceleration and judges each 6 s later: a fall, nearly one, or nothing.
//!
//! A score of a few capped features, streaming, explainable, blind to the sensor's orientation. It asks for no
//! stillness: people who fall struggle. Not for: what happens after the judgement (the episode, in the parent).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::placement::Placement;
use crate::detect::episode::SECOND;
use crate::noun::MonoUs;

/// Samples are gathered in bins of so long.
pub(super) const BIN_US: MonoUs = 50_000;
/// Bins in a second.
pub(super) const PER_SECOND: i64 = SECOND / BIN_US;
/// The ring reaches back so many bins: 13 s.
const RING: i64 = 260;
/// A peak is this high, g ...
const PEAK_G: f64 = 1.6;
/// ... and the highest within so many bins to both sides: 0.5 s.
const PEAK_REACH: i64 = 10;
/// The most peaks that wait for their judgement.
const PEAKS_MAX: usize = 12;
/// A peak is judged so many bins later: 6 s.
const JUDGED_AFTER: i64 = 6 * PER_SECOND;
/// When the stream has ended, a peak is judged by what was seen if that is at least so many bins: 2 s.
const SEEN_MIN: i64 = 2 * PER_SECOND;
/// And so long after it should have been: bursts arrive late, not that late.
const ENDED_US: MonoUs = 2 * SECOND;
/// After a gap of the judged length nothing before and after it belongs together.
const GAP: i64 = JUDGED_AFTER;
/// Movement is averaged over so many bins: 0.65 s.
const MOVEMENT: i64 = 13;
/// Less is no movement but the noise of a sensor, g.
const STILL_G: f64 = 0.02;
/// Below this angle the posture came back, degrees.
pub(super) const SAME_POSTURE: f64 = 35.0;

/// A vector in g.
pub type Axes = [f64; 3];

/// One 50 ms of samples. Integers, µg: the state survives a restart to the last bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bin {
    index: i64,
    count: i64,
    sum: [i64; 3],
    largest: i64,
    smallest: i64,
}

impl Bin {
    fn mean(&self) -> Axes {
        self.sum.map(|sum| sum as f64 / self.count as f64 / 1e6)
    }
}

/// What is looked at, capped at both ends so that the sum behaves like an AND. FALLS.md names them ang, turn, step,
/// rel, dip, iso; surge is not among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features {
    /// The smallest angle to the posture before, over all half seconds from 1 to 6 s after, degrees.
    pub angle: f64,
    /// The turn within the impact, degrees.
    pub turn: f64,
    /// The largest change between neighbouring 50 ms means around the impact, g.
    pub step: f64,
    /// log2 of the peak over the largest norm from 1 to 6 s after.
    pub relative: f64,
    /// The smallest norm in the second before, g.
    pub dip: f64,
    /// log2 of the peak over the largest norm (2 g at the least) from 4 to 0.7 s before.
    pub isolation: f64,
    /// log2 of the movement within the impact over the strongest movement from 1 to 6 s after. As [`Self::relative`],
    /// but of 0.65 s instead of one sample: at the wrist a single clap is as high as a fall.
    pub surge: f64,
}

/// What a feature adds to the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Posture that stays changed.
    pub angle: f64,
    /// Turn within the impact.
    pub turn: f64,
    /// Step.
    pub step: f64,
    /// Nothing as strong after.
    pub relative: f64,
    /// Dip before.
    pub dip: f64,
    /// Nothing as strong before.
    pub isolation: f64,
    /// No movement as strong after.
    pub surge: f64,
}

impl Features {
    /// Each feature's share of the score.
    pub fn shares(&self, placement: &Placement) -> Shares {
        Shares {
            angle: placement.angle * self.angle.clamp(0.0, 60.0),
            turn: placement.turn * self.turn.clamp(0.0, 60.0),
            step: placement.step * self.step.clamp(0.4, 3.2).log2(),
            relative: placement.relative * self.relative.clamp(0.0, 1.5),
            dip: placement.dip * self.dip.clamp(0.3, 1.0),
            isolation: placement.isolation * self.isolation.clamp(0.0, 1.0),
            surge: placement.surge * self.surge.clamp(0.0, 1.5),
        }
    }

    /// The score; a fall from the placement's threshold on.
    pub fn score(&self, placement: &Placement) -> f64 {
        let Shares { angle, turn, step, relative, dip, isolation, surge } = self.shares(placement);
        angle + turn + step + relative + dip + isolation + surge + placement.bias
    }
}

/// An impact that was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Impact {
    /// When its 50 ms began.
    pub at_us: MonoUs,
    /// The largest norm, capped, g.
    pub peak_g: f64,
    /// The posture before: mean vector, g.
    pub before: Axes,
    /// What was looked at.
    pub features: Features,
    /// Their sum.
    pub score: f64,
    /// Impact, and a posture that stays changed.
    pub fall: bool,
    /// It would be a fall had the posture not come back, and stands out from what is around it.
    pub near_fall: bool,
}

/// The last 13 s of one accelerometer, and the peaks in it that wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    bins: VecDeque<Bin>,
    /// Bins of the peaks that wait, oldest first.
    peaks: VecDeque<i64>,
    /// All bins before this one were looked at for a peak.
    searched: i64,
}

impl Judge {
    /// Takes one sample in, in g, and tells the impacts that can be judged now.
    pub fn sample(&mut self, at_us: MonoUs, axes: Axes, placement: &Placement) -> Vec<Impact> {
        let index = at_us.div_euclid(BIN_US);
        let mut impacts = Vec::new();
        if let Some(newest) = self.newest()
            && index - newest > GAP
        {
            // Those that wait have seen what they will see.
            impacts = self.judge(placement, |_, _| true);
            *self = Self::default();
        }
        if self.bins.is_empty() {
            self.searched = index;
        }
        if self.put(index, axes, placement.cap_g) {
            self.search();
            impacts.extend(
                self.judge(placement, |judge, peak| judge.newest().is_some_and(|newest| newest > peak + JUDGED_AFTER)),
            );
        }
        impacts
    }

    /// Tells the impacts that have to be judged by `now` because the stream has ended.
    pub fn ended(&mut self, now: MonoUs, placement: &Placement) -> Vec<Impact> {
        let over = |peak: i64| now - peak * BIN_US > (JUDGED_AFTER + 1) * BIN_US + ENDED_US;
        self.judge(placement, |_, peak| over(peak))
    }

    /// Puts a sample into its bin; `false` if it is older than the ring.
    fn put(&mut self, index: i64, axes: Axes, cap_g: f64) -> bool {
        let norm = length(axes);
        let (axes, norm) = if norm > cap_g { (axes.map(|axis| axis * cap_g / norm), cap_g) } else { (axes, norm) };
        // Rounded without a call for each sample.
        let micro = |g: f64| (g * 1e6 + 0.5_f64.copysign(g)) as i64;
        let place = self.bins.iter().rposition(|bin| bin.index <= index).map_or(0, |place| place + 1);
        if place == 0 && self.bins.len() as i64 >= RING {
            return false;
        }
        let norm = micro(norm);
        match place.checked_sub(1).and_then(|place| self.bins.get_mut(place)).filter(|bin| bin.index == index) {
            Some(bin) => {
                bin.count += 1;
                bin.sum.iter_mut().zip(axes).for_each(|(sum, axis)| *sum += micro(axis));
                (bin.largest, bin.smallest) = (bin.largest.max(norm), bin.smallest.min(norm));
            }
            None => {
                let bin = Bin { index, count: 1, sum: axes.map(micro), largest: norm, smallest: norm };
                self.bins.insert(place, bin);
            }
        }
        let oldest = self.newest().unwrap_or(index) - RING;
        while self.bins.front().is_some_and(|bin| bin.index <= oldest) {
            self.bins.pop_front();
        }
        true
    }

    /// Looks for peaks in the bins that have all their neighbours by now.
    fn search(&mut self) {
        let Some(newest) = self.newest() else { return };
        while self.searched + PEAK_REACH < newest {
            let index = self.searched;
            self.searched += 1;
            let largest = |from, to| self.within(from, to).map(|bin| bin.largest).max().unwrap_or(0);
            let peak = largest(index, index);
            let is_peak = peak as f64 >= PEAK_G * 1e6
                && peak > largest(index - PEAK_REACH, index - 1)
                && peak >= largest(index + 1, index + PEAK_REACH);
            if is_peak && self.peaks.len() < PEAKS_MAX {
                self.peaks.push_back(index);
            }
        }
    }

    fn judge(&mut self, placement: &Placement, due: impl Fn(&Self, i64) -> bool) -> Vec<Impact> {
        let mut impacts = Vec::new();
        while let Some(&peak) = self.peaks.front()
            && due(self, peak)
        {
            self.peaks.pop_front();
            impacts.extend(self.impact(peak, placement));
        }
        impacts
    }

    /// The judgement of one peak; `None` where too little is known before or after it.
    fn impact(&self, peak: i64, placement: &Placement) -> Option<Impact> {
        if self.newest()? < peak + SEEN_MIN {
            return None;
        }
        let norms = |from, to| self.within(peak + from, peak + to);
        let largest = |from, to| norms(from, to).map(|bin| bin.largest).max();
        let peak_ug = largest(0, 0)?;
        let mut before: Vec<_> = norms(-60, -20).map(Bin::mean).collect();
        if before.len() < 4 {
            before = norms(-100, -10).take(20).map(Bin::mean).collect();
        }
        let before = mean(before)?;
        let after = |from, to| Some(degrees(before, mean(norms(from, to).map(Bin::mean))?));
        let halves = (2..12).map(|half| (half * 10, (half + 1) * 10)).chain([(100, 120)]);
        let angle = halves.filter_map(|(from, to)| after(from, to)).reduce(f64::min)?;
        let turn = match (mean(norms(-16, -6).map(Bin::mean)), mean(norms(10, 20).map(Bin::mean))) {
            (Some(one), Some(two)) => degrees(one, two),
            _ => 0.0,
        };
        let neighbours = self.bins.iter().zip(self.bins.iter().skip(1));
        let near = neighbours.filter(|(_, bin)| (bin.index - peak).abs() <= 6);
        let step = near.map(|(one, two)| length(minus(two.mean(), one.mean()))).fold(0.0, f64::max);
        let strongest_after = (0..13).map(|window| self.movement(peak + 20 + 7 * window)).fold(STILL_G, f64::max);
        let doublings = |over: i64| (peak_ug as f64 / over.max(1) as f64).log2();
        let features = Features {
            angle,
            turn,
            step,
            relative: doublings(largest(20, 120)?),
            dip: norms(-20, 0).map(|bin| bin.smallest).min()? as f64 / 1e6,
            isolation: doublings(largest(-80, -14).unwrap_or(0).max(2_000_000)),
            surge: (self.movement(peak - MOVEMENT / 2).max(STILL_G) / strongest_after).log2(),
        };
        let score = features.score(placement);
        // Hopping and jogging are full of impacts after which the posture comes back: only one that stands out counts.
        let stands_out = features.relative > 0.0 && features.isolation > 0.0;
        let had_it_stayed = Features { angle: 60.0, ..features }.score(placement) >= placement.threshold;
        let fall = score >= placement.threshold;
        Some(Impact {
            at_us: peak * BIN_US,
            peak_g: peak_ug as f64 / 1e6,
            before,
            features,
            score,
            fall,
            near_fall: !fall && had_it_stayed && angle < SAME_POSTURE && stands_out,
        })
    }

    /// The mean of |norm - 1 g| over 0.65 s from the bin `from` on; 0 where nothing was seen.
    fn movement(&self, from: i64) -> f64 {
        let (mut count, mut sum) = (0.0, 0.0);
        for bin in self.within(from, from + MOVEMENT - 1) {
            count += 1.0;
            sum += (length(bin.mean()) - 1.0).abs();
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// The newest bin.
    pub(super) fn newest(&self) -> Option<i64> {
        self.bins.back().map(|bin| bin.index)
    }

    /// The mean vector of the bins `from..=to` and whether the body moves in them; `None` if fewer than 4 are filled.
    pub(super) fn posture(&self, from: i64, to: i64) -> Option<(Axes, bool)> {
        /// Movement: the norm's standard deviation above this, or a norm above that, g.
        const MOVES: (f64, i64) = (0.05, 1_250_000);
        if self.within(from, to).count() < 4 {
            return None;
        }
        let norms: Vec<_> = self.within(from, to).map(|bin| (bin.largest + bin.smallest) as f64 / 2e6).collect();
        let level = norms.iter().sum::<f64>() / norms.len() as f64;
        let variance = norms.iter().map(|norm| (norm - level).powi(2)).sum::<f64>() / norms.len() as f64;
        let moves = variance.sqrt() > MOVES.0 || self.within(from, to).any(|bin| bin.largest > MOVES.1);
        mean(self.within(from, to).map(Bin::mean)).map(|posture| (posture, moves))
    }

    /// The filled bins `from..=to`, oldest first.
    fn within(&self, from: i64, to: i64) -> impl Iterator<Item = &Bin> {
        let first = self.bins.partition_point(|bin| bin.index < from);
        self.bins.range(first..).take_while(move |bin| bin.index <= to)
    }
}

fn mean(vectors: impl IntoIterator<Item = Axes>) -> Option<Axes> {
    let mut count = 0.0;
    let mut sum = [0.0; 3];
    for vector in vectors {
        count += 1.0;
        sum.iter_mut().zip(vector).for_each(|(sum, axis)| *sum += axis);
    }
    (count > 0.0).then(|| sum.map(|axis| axis / count))
}

fn minus(one: Axes, two: Axes) -> Axes {
    [one[0] - two[0], one[1] - two[1], one[2] - two[2]]
}

pub(super) fn length([x, y, z]: Axes) -> f64 {
    (x * x + y * y + z * z).sqrt()
}

/// The angle between two vectors; 0 if one has no length.
pub(super) fn degrees(one: Axes, two: Axes) -> f64 {
    let lengths = length(one) * length(two);
    let product: f64 = one.iter().zip(two).map(|(one, two)| one * two).sum();
    if lengths > 0.0 { (product / lengths).clamp(-1.0, 1.0).acos().to_degrees() } else { 0.0 }
}
