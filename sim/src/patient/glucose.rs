//! Glucose of a virtual patient as a continuous sensor under the skin reports it.
//!
//! Not for: recorded traces (replay/).

use super::Scene;
use super::noise::{Noise, smoothstep};

/// A meal: when, s from the start (may be before it), and how much glucose rises at its peak, mg/dL.
#[derive(Clone, Copy, Debug)]
pub struct Meal {
    /// Seconds from the start.
    pub at: f64,
    /// Rise at the peak, mg/dL.
    pub rise: f64,
}

impl Meal {
    const PEAK: f64 = 45.0 * 60.0;

    /// Gamma-shaped response: steep at first, highest after 45 min, long tail.
    fn response(self, t: f64) -> f64 {
        let x = ((t - self.at) / Self::PEAK).max(0.0);
        self.rise * x * (1.0 - x).exp()
    }
}

/// Glucose over time.
#[derive(Clone, Debug)]
pub struct Glucose {
    noise: Noise,
    fasting: f64,
    meals: Vec<Meal>,
    hypoglycaemia: Option<f64>,
}

impl Glucose {
    /// `fasting` in mg/dL.
    pub fn new(noise: Noise, fasting: f64, meals: Vec<Meal>, scenes: &[Scene]) -> Self {
        let hypoglycaemia = scenes.iter().find_map(|scene| match *scene {
            Scene::Hypoglycaemia { from } => Some(from),
            _ => None,
        });
        Self { noise, fasting, meals, hypoglycaemia }
    }

    /// mg/dL at `t` seconds from the start.
    ///
    /// A hypoglycaemia is already low at the start (66: neither level of prediction speaks below 70 on one reading),
    /// falls to 52 within 10 s, then slowly to 44: two minutes instead of an hour.
    pub fn mg_dl(&self, t: f64) -> u16 {
        let value = match self.hypoglycaemia {
            Some(from) => (66.0 - 14.0 * smoothstep((t - from) / 10.0) - 0.04 * (t - from - 10.0).max(0.0)).max(44.0),
            None => {
                let meals: f64 = self.meals.iter().map(|meal| meal.response(t)).sum();
                self.fasting + meals + 1.2 * self.noise.smooth(t, 1800.0)
            }
        };
        value.round() as u16
    }
}
