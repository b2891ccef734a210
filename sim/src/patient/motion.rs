//! Acceleration at the waist of a virtual patient: postures, gait, and falls.
//!
//! Body axes: x right, y up, z forward; in g, gravity included, so a sensor at rest shows 1 g away from the earth. What
//! makes a fall here (dip, impact, a posture that stays changed) follows FALLS.md. Not for: recorded falls (replay/).

use std::f64::consts::{PI, TAU};

use super::Scene;
use super::noise::{Noise, smoothstep};

/// Samples per second.
pub const RATE: u8 = 50;

/// What the patient does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// In a chair.
    Sitting,
    /// On the feet.
    Standing,
    /// In bed.
    Lying,
    /// An ordinary walk.
    Walking,
    /// Brisk walking for exercise: mean of |norm - 1 g| about 0.25 g, no peak of 1.6 g.
    Exercising,
}

impl Activity {
    /// Degrees of the trunk from upright.
    fn pitch(self) -> f64 {
        match self {
            Self::Sitting => 16.0,
            Self::Standing => 3.0,
            Self::Lying => 84.0,
            Self::Walking => 5.0,
            Self::Exercising => 8.0,
        }
    }

    /// Vertical amplitude of a step, g.
    fn step(self) -> f64 {
        match self {
            Self::Walking => 0.20,
            Self::Exercising => 0.40,
            _ => 0.0,
        }
    }
}

/// A fall: the impact, and how it ends.
#[derive(Clone, Copy, Debug)]
struct Fall {
    at: f64,
    pitch: f64,
    impact: f64,
}

/// Acceleration over time.
#[derive(Clone, Debug)]
pub struct Motion {
    noise: Noise,
    /// From when on, s, which activity; in order, the first from the start.
    plan: Vec<(f64, Activity)>,
    fall: Option<Fall>,
    /// To which side the patient leans and falls, rad; 0 = forward.
    side: f64,
    /// How crooked the belt sits, rad.
    mount: f64,
    cadence: f64,
}

impl Motion {
    /// `plan`: from when on, s, which activity; must be in order of time. A fall scene ends the plan.
    pub fn new(noise: Noise, plan: Vec<(f64, Activity)>, scenes: &[Scene]) -> Self {
        // Positions far above any sample number.
        let draw = |n: u64| noise.uniform((1 << 40) + n);
        let fall = scenes.iter().find_map(|scene| match *scene {
            Scene::Fall { at } => Some(Fall { at, pitch: 80.0 + 9.0 * draw(0), impact: 1.85 + 0.2 * draw(1) }),
            _ => None,
        });
        Self { noise, plan, fall, side: PI * draw(2), mount: 0.15 * draw(3), cadence: 1.8 + 0.1 * draw(4) }
    }

    /// Sample number `index` of [`RATE`] per second, mg.
    pub fn sample(&self, index: u64) -> [i16; 3] {
        let vector = self.at(index as f64 / f64::from(RATE));
        let axis = |axis: usize| vector[axis] + 0.008 * self.noise.normal(index * 3 + axis as u64);
        [0, 1, 2].map(|n| (axis(n) * 1000.0).round() as i16)
    }

    fn at(&self, t: f64) -> [f64; 3] {
        let current = self.plan.iter().rposition(|(from, _)| *from <= t).unwrap_or(0);
        let (from, activity) = self.plan.get(current).copied().unwrap_or((0.0, Activity::Sitting));
        let before = current.checked_sub(1).map_or(activity, |previous| self.plan[previous].1);
        let transition = if activity == Activity::Lying || before == Activity::Lying { 3.0 } else { 1.8 };
        let done = smoothstep((t - from) / transition);
        let mut pitch = before.pitch() + (activity.pitch() - before.pitch()) * done;
        let mut step = before.step() + (activity.step() - before.step()) * done;
        let mut length = 1.0;
        if activity == Activity::Sitting && before != activity {
            // The chair stops the body: a soft bump.
            length += 0.2 * bell((t - from - transition) / 0.12);
        }
        if let Some(fall) = self.fall {
            let turned = smoothstep((t - fall.at + 0.5) / 0.6);
            pitch += (fall.pitch - pitch) * turned;
            step *= 1.0 - smoothstep((t - fall.at + 0.8) / 0.4);
            length -= 0.55 * bell((t - fall.at + 0.16) / 0.11);
            // The floor stops the body at once, for 75 ms, and throws it up again: steep on both sides, so that no
            // boundary between 50 ms bins can halve both steps.
            let since = t - fall.at;
            length += fall.impact * smoothstep((since + 0.01) / 0.01) * (1.0 - smoothstep((since - 0.065) / 0.01));
            length -= 0.45 * bell((since - 0.13) / 0.045);
            length += 0.35 * bell((t - fall.at - 0.42) / 0.08);
        }

        let phase = TAU * self.cadence * t;
        length += step * phase.sin() + 0.12 * step * (2.0 * phase + 0.7).sin();
        let sway = 0.25 * step * (phase / 2.0).sin();
        let breath = 0.008 * (TAU * 0.25 * t).sin();

        let pitch = pitch.to_radians();
        let x = length * pitch.sin() * self.side.sin() + sway;
        let y = length * pitch.cos();
        let z = length * pitch.sin() * self.side.cos() + breath;
        let (sin, cos) = self.mount.sin_cos();
        [x * cos - y * sin, x * sin + y * cos, z]
    }
}

fn bell(x: f64) -> f64 {
    (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patient::waist;

    fn g(motion: &Motion, seconds: u64) -> Vec<(f64, [f64; 3])> {
        (0..seconds * u64::from(RATE))
            .map(|index| (index as f64 / 50.0, motion.sample(index).map(|mg| f64::from(mg) / 1000.0)))
            .collect()
    }

    fn motion_level(samples: &[(f64, [f64; 3])]) -> f64 {
        let sum: f64 = samples.iter().map(|(_, v)| (waist::norm(*v) - 1.0).abs()).sum();
        sum / samples.len() as f64
    }

    #[test]
    fn a_fall_is_judged_a_fall_once_for_every_seed() {
        for seed in 0..200 {
            let start = if seed % 2 == 0 { Activity::Walking } else { Activity::Standing };
            let at = 15.0 + f64::from(seed as u32) * 0.013;
            let motion = Motion::new(Noise::new(seed, 4), vec![(0.0, start)], &[Scene::Fall { at }]);
            let falls = waist::falls(&g(&motion, 90));
            assert_eq!(falls.len(), 1, "seed {seed}: {falls:?}");
            assert!((falls[0].0 - at).abs() < 0.2 && falls[0].1 > 2.5, "seed {seed}: {falls:?}");
        }
    }

    #[test]
    fn ordinary_life_has_no_impact_at_all() {
        use Activity::{Exercising, Lying, Sitting, Standing, Walking};
        for seed in 0..100 {
            let plan = vec![
                (0.0, Standing),
                (10.0, Walking),
                (30.0, Sitting),
                (45.0, Standing),
                (50.0, Exercising),
                (80.0, Walking),
                (90.0, Lying),
                (110.0, Standing),
            ];
            let samples = g(&Motion::new(Noise::new(seed, 4), plan, &[]), 130);
            assert_eq!(waist::falls(&samples), [], "seed {seed}");
            let highest = samples.iter().map(|(_, v)| waist::norm(*v)).fold(0.0, f64::max);
            assert!(highest < 1.6, "seed {seed}: {highest}");
            assert!(motion_level(&samples[53 * 50..80 * 50]) > 0.2, "seed {seed}: exercise must show");
            assert!(motion_level(&samples[35 * 50..45 * 50]) < 0.03, "seed {seed}: sitting must be still");
        }
    }
}
