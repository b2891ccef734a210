//! Body temperature of a virtual patient, as a patch on the skin of the chest under clothes reports it.
//!
//! Not for: recorded temperatures (replay/).

use super::noise::{Noise, circadian};
use super::{Scene, hour};

/// Temperature over time.
#[derive(Clone, Debug)]
pub struct Temperature {
    noise: Noise,
    mesor: f64,
    off_at: Option<f64>,
}

impl Temperature {
    /// Where a thermometer that was taken off ends: beside the warm body, not in the cold room, °C.
    pub const OFF: f64 = 28.0;
    /// How fast it goes there, s: 1.2 °C in the first 22 s, 2.9 °C in the first minute, 35 °C after 33 s.
    pub const TAU: f64 = 150.0;

    /// `mesor` = mean over the day, °C.
    pub fn new(noise: Noise, mesor: f64, scenes: &[Scene]) -> Self {
        let off_at = scenes.iter().find_map(|scene| match *scene {
            Scene::ThermometerOff { at } => Some(at),
            _ => None,
        });
        Self { noise, mesor, off_at }
    }

    /// °C at `t` seconds from the start. Off the body it falls exponentially from the last body temperature to
    /// [`Self::OFF`] with time constant [`Self::TAU`].
    pub fn celsius(&self, t: f64) -> f64 {
        let on_body = |t| self.mesor + 0.15 * circadian(hour(t), 17.0) + 0.03 * self.noise.smooth(t, 120.0);
        match self.off_at {
            Some(off) if t > off => Self::OFF + (on_body(off) - Self::OFF) * (-(t - off) / Self::TAU).exp(),
            _ => on_body(t),
        }
    }
}
