//! What happens to sensors and to people: the same recordings at other rates, with losses, clipped, and of people who
//! struggle after a fall or walk before it.

use super::{Recording, Samples};

/// Equal numbers for equal seeds (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// In 0..1.
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, standard deviation 1: the sum of twelve.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// One thing that is done to all recordings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// As it was recorded.
    Native,
    /// The first sample in each of so many parts of a second.
    Rate(f64),
    /// So large a share lost, half of it in bursts of 0.25 s.
    Lost(f64),
    /// Each axis cut off at so many g.
    Clipped(f64),
    /// Smoothed noise of so many g an axis from 1 s after the strongest sample of a fall.
    Struggling(f64),
    /// What precedes a fall by more than a second is the same person's walking, turned into the same posture.
    Walking,
}

impl Change {
    /// As in the head of a table.
    pub fn name(self) -> String {
        match self {
            Self::Native => "native".into(),
            Self::Rate(hz) => format!("{hz} Hz"),
            Self::Lost(share) => format!("{:.0} % lost", share * 100.0),
            Self::Clipped(g) => format!("clipped {g} g"),
            Self::Struggling(g) => format!("struggling {g} g"),
            Self::Walking => "walking before".into(),
        }
    }

    /// The recordings so changed; equal ones for equal recordings.
    pub fn of(self, recordings: &[Recording]) -> Vec<Recording> {
        let mut chance = Chance(7);
        let change = |recording: &Recording| {
            let samples = match self {
                Self::Rate(hz) => thinned(&recording.samples, hz),
                Self::Lost(share) => lossy(&recording.samples, share, &mut chance),
                Self::Clipped(g) => {
                    recording.samples.iter().map(|(t, axes)| (*t, axes.map(|axis| axis.clamp(-g, g)))).collect()
                }
                Self::Struggling(g) if recording.fall == Some(true) => struggling(&recording.samples, g, &mut chance),
                Self::Walking if recording.fall == Some(true) => after_a_walk(recording, recordings),
                Self::Native | Self::Struggling(_) | Self::Walking => recording.samples.clone(),
            };
            Recording { samples, ..recording.clone() }
        };
        recordings.iter().map(change).collect()
    }
}

fn thinned(samples: &Samples, hz: f64) -> Samples {
    let mut next = f64::NEG_INFINITY;
    let mut kept = Samples::new();
    for &(t, axes) in samples {
        let part = (t * hz + 1e-6).floor();
        if part >= next {
            next = part + 1.0;
            kept.push((t, axes));
        }
    }
    kept
}

fn lossy(samples: &Samples, share: f64, chance: &mut Chance) -> Samples {
    let span = samples.last().map_or(0.0, |last| last.0) - samples.first().map_or(0.0, |first| first.0);
    let in_burst = (0.25 * samples.len() as f64 / span.max(0.1)).max(1.0);
    let mut left = 0.0;
    let mut kept = |_: &&(f64, [f64; 3])| {
        if left <= 0.0 && chance.share() < share / 2.0 / in_burst {
            left = in_burst;
        }
        left -= 1.0;
        left <= -1.0 && chance.share() >= share / 2.0
    };
    samples.iter().filter(&mut kept).copied().collect()
}

fn strongest(samples: &Samples) -> f64 {
    let norm = |axes: &[f64; 3]| axes.iter().map(|axis| axis * axis).sum::<f64>();
    samples.iter().max_by(|one, two| norm(&one.1).total_cmp(&norm(&two.1))).map_or(0.0, |sample| sample.0)
}

fn struggling(samples: &Samples, g: f64, chance: &mut Chance) -> Samples {
    let peak = strongest(samples);
    let mut noise = [0.0; 3];
    let mut shake = |(t, axes): &(f64, [f64; 3])| {
        noise = noise.map(|axis| 0.7 * axis + g * 0.51_f64.sqrt() * chance.normal());
        (*t, if *t > peak + 1.0 { [0, 1, 2].map(|axis| axes[axis] + noise[axis]) } else { *axes })
    };
    samples.iter().map(&mut shake).collect()
}

/// The samples of the same subject's first walk (anybody's, if the subject has none), lengthened and turned so that
/// their mean points where the posture before the fall did, up to 1 s before the strongest sample.
fn after_a_walk(fall: &Recording, all: &[Recording]) -> Samples {
    let walks = || all.iter().filter(|row| row.name.contains("Walking") && !row.samples.is_empty());
    let own = walks().find(|row| row.subject == fall.subject).or_else(|| walks().next());
    let until = strongest(&fall.samples) - 1.0;
    let before: Vec<_> = fall.samples.iter().take_while(|sample| sample.0 < until).map(|sample| sample.1).collect();
    let Some(walk) = own.filter(|_| !before.is_empty()) else { return fall.samples.clone() };
    let (from, to) = (mean(walk.samples.iter().map(|sample| sample.1)), mean(before.iter().copied()));
    let count = walk.samples.len();
    // Walked there and back, so that nothing jumps where the walk is used up.
    let step = |index: usize| match index % (2 * count) {
        there if there < count => there,
        back => 2 * count - 1 - back,
    };
    let replaced = fall.samples.iter().enumerate().map(|(index, (t, axes))| {
        if index < before.len() { (*t, turned(walk.samples[step(index)].1, from, to)) } else { (*t, *axes) }
    });
    replaced.collect()
}

/// The mean vector; 0 of nothing.
pub(super) fn mean(axes: impl Iterator<Item = [f64; 3]>) -> [f64; 3] {
    let (count, sum) = axes.fold((0.0, [0.0; 3]), |(count, sum), axes| {
        (count + 1.0, [sum[0] + axes[0], sum[1] + axes[1], sum[2] + axes[2]])
    });
    sum.map(|sum| sum / f64::max(count, 1.0))
}

/// `axes` turned as `from` has to be to point where `to` does (Rodrigues).
pub(super) fn turned(axes: [f64; 3], from: [f64; 3], to: [f64; 3]) -> [f64; 3] {
    let dot = |one: [f64; 3], two: [f64; 3]| one.iter().zip(two).map(|(one, two)| one * two).sum::<f64>();
    let cross = |[a, b, c]: [f64; 3], [x, y, z]: [f64; 3]| [b * z - c * y, c * x - a * z, a * y - b * x];
    let unit = |axes: [f64; 3]| axes.map(|axis| axis / dot(axes, axes).sqrt().max(1e-9));
    let (from, to) = (unit(from), unit(to));
    let (axis, cos) = (cross(from, to), dot(from, to));
    if cos < -0.999 {
        return axes.map(|axis| -axis);
    }
    let (side, along) = (cross(axis, axes), dot(axis, axes) / (1.0 + cos));
    [0, 1, 2].map(|at| axes[at] * cos + side[at] + axis[at] * along)
}
