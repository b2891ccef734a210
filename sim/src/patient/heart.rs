//! Heart rate of a virtual patient: a resting rate, the day's rhythm, beat-to-beat memory, and what scenes add.
//!
//! Not for: recorded heart rates (replay/).

use super::noise::{Noise, circadian, smoothstep};
use super::{Scene, hour};

/// Heart rate over time.
#[derive(Clone, Debug)]
pub struct HeartRate {
    noise: Noise,
    resting: f64,
    scenes: Vec<Scene>,
}

impl HeartRate {
    /// `resting` in bpm.
    pub fn new(noise: Noise, resting: f64, scenes: &[Scene]) -> Self {
        Self { noise, resting, scenes: scenes.to_vec() }
    }

    /// bpm at `t` seconds from the start. Without a scene always within 55..100.
    pub fn bpm(&self, t: f64) -> u16 {
        let wobble = self.noise.ar1(t.max(0.0) as u64, 0.8);
        let calm = self.resting + 4.0 * circadian(hour(t), 16.0) + 1.5 * wobble;
        let mut bpm = calm.clamp(55.0, 100.0);
        for scene in &self.scenes {
            match *scene {
                Scene::TachycardiaAtRest { from } => {
                    // A paroxysm starts within seconds; 142 stays clear of both 131 and the fast track at 150.
                    let fast = 142.0 + wobble.clamp(-3.0, 3.0);
                    bpm += (fast - bpm) * smoothstep((t - from) / 6.0);
                }
                Scene::Exercise { from } => {
                    // The heart follows the legs by half a minute, so that motion is seen first.
                    let effort = 1.0 - (-(t - from - 25.0).max(0.0) / 25.0).exp();
                    bpm = (bpm + (118.0 - self.resting) * effort).min(125.0);
                }
                Scene::Fall { at } => bpm = (bpm + 22.0 * smoothstep((t - at) / 8.0)).min(104.0),
                _ => {}
            }
        }
        bpm.round() as u16
    }
}
