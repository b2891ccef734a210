//! Noise as a pure function of seed, stream and position, so that any moment can be computed alone.
//!
//! Each signal has its own ChaCha stream, which gives the key of its noise: adding a signal does not shift the others.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One stream of noise.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    key: u64,
}

impl Noise {
    /// The stream number `stream` of `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { key: rng.next_u64() }
    }

    /// SplitMix64 at `position`: seeking in ChaCha itself would cost a whole block per value.
    fn bits(self, position: u64) -> u64 {
        let z = self.key.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0..1.
    pub fn unit(self, position: u64) -> f64 {
        (self.bits(position) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in -1..1.
    pub fn uniform(self, position: u64) -> f64 {
        2.0 * self.unit(position) - 1.0
    }

    /// Nearly normal with mean 0 and deviation 1, within ±3.5 (a sum of four uniforms).
    pub fn normal(self, position: u64) -> f64 {
        let bits = self.bits(position);
        let sum: f64 = (0..4).map(|part| ((bits >> (16 * part)) & 0xFFFF) as f64 / 65536.0 - 0.5).sum();
        sum * 3_f64.sqrt()
    }

    /// First-order autoregression with coefficient `phi`, deviation 1; its far past is cut off.
    pub fn ar1(self, position: u64, phi: f64) -> f64 {
        const MEMORY: u64 = 24;
        let sum: f64 =
            (0..MEMORY).map(|lag| phi.powi(lag as i32) * self.normal((position + MEMORY).wrapping_sub(lag))).sum();
        sum * (1.0 - phi * phi).sqrt()
    }

    /// A smooth curve in -1..1 with a new value every `step` (in the unit of `t`).
    pub fn smooth(self, t: f64, step: f64) -> f64 {
        let at = (t / step).max(0.0);
        let (knot, part) = (at.floor() as u64, at.fract());
        let weight = smoothstep(part);
        self.uniform(knot) * (1.0 - weight) + self.uniform(knot + 1) * weight
    }
}

/// 0 before 0, 1 after 1, smooth between.
pub fn smoothstep(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// A daily rhythm in -1..1 that peaks at `peak` o'clock.
pub fn circadian(hour: f64, peak: f64) -> f64 {
    ((hour - peak) / 24.0 * std::f64::consts::TAU).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_gives_the_same_value_and_streams_differ() {
        let (one, two) = (Noise::new(1, 1), Noise::new(1, 2));
        assert_eq!(one.normal(77), Noise::new(1, 1).normal(77));
        assert_ne!(one.normal(77), two.normal(77));
        let values: Vec<f64> = (0..4000).map(|k| one.ar1(k, 0.8)).collect();
        let mean = values.iter().sum::<f64>() / 4000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 4000.0;
        assert!(mean.abs() < 0.2 && (0.8..1.2).contains(&variance), "mean {mean}, variance {variance}");
    }
}
