//! Virtual patients: who they are, and the signals of their bodies as pure functions of time and seed.
//!
//! Not for: how signals get on the air (home.rs), which patient does what when (scenario.rs).

pub mod glucose;
pub mod heart;
pub mod motion;
pub mod noise;
pub mod temperature;
#[cfg(test)]
pub(crate) mod waist;

use glucose::{Glucose, Meal};
use heart::HeartRate;
use motion::{Activity, Motion};
use noise::Noise;
use temperature::Temperature;

/// A patient's sex, as in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// Who the patient is. All are invented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// Given name.
    pub given_name: String,
    /// Family name, in capitals.
    pub family_name: String,
    /// Year of birth.
    pub birth_year: u16,
    /// What texts to relatives call them.
    pub nickname: String,
    /// Sex.
    pub sex: Sex,
}

impl Patient {
    /// `DOE Jeanne`.
    pub fn name(&self) -> String {
        format!("{} {}", self.family_name, self.given_name)
    }
}

/// What a sensor measures, named as in medmon's vital table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vital {
    /// bpm.
    HeartRate,
    /// g, three axes.
    Acceleration,
    /// °C.
    Temperature,
    /// mg/dL.
    Glucose,
    /// Percent.
    Battery,
}

impl Vital {
    /// The name in medmon's vital table.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeartRate => "heart_rate",
            Self::Acceleration => "acceleration",
            Self::Temperature => "temperature",
            Self::Glucose => "glucose",
            Self::Battery => "battery",
        }
    }
}

/// Something that happens to a patient or a sensor; times in s from the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scene {
    /// Falls, and stays down.
    Fall {
        /// The impact.
        at: f64,
    },
    /// Glucose falls below 54 mg/dL.
    Hypoglycaemia {
        /// The fall begins.
        from: f64,
    },
    /// The heart races at about 142 bpm while the patient sits still.
    TachycardiaAtRest {
        /// The first fast beat.
        from: f64,
    },
    /// Brisk walking; the heart follows up to 125 bpm.
    Exercise {
        /// The first step.
        from: f64,
    },
    /// The thermometer comes off.
    ThermometerOff {
        /// When.
        at: f64,
    },
    /// The sensor of a vital says nothing any more.
    Silence {
        /// Which.
        vital: Vital,
        /// From when on.
        from: f64,
    },
}

/// All signals of one patient.
#[derive(Clone, Debug)]
pub struct Signals {
    /// Heart rate.
    pub heart_rate: HeartRate,
    /// Acceleration at the waist.
    pub motion: Motion,
    /// Temperature.
    pub temperature: Temperature,
    /// Glucose.
    pub glucose: Glucose,
}

impl Signals {
    /// The signals of the patient of `seed`, who does what `scenes` say and is otherwise calm.
    pub fn new(seed: u64, scenes: &[Scene]) -> Self {
        let stream = |number| Noise::new(seed, number);
        let person = stream(0);
        let resting = 69.0 + 5.0 * person.uniform(0);
        let mesor = 36.6 + 0.15 * person.uniform(1);
        let fasting = 112.0 + 10.0 * person.uniform(2);
        // The last meal is four hours ago and the next five ahead: in between the slope stays below 0.2 mg/dL/min.
        let meals = [-4.0, 5.0, 11.0].map(|hours| Meal { at: hours * 3600.0, rise: 45.0 + 10.0 * person.uniform(3) });
        Self {
            heart_rate: HeartRate::new(stream(1), resting, scenes),
            temperature: Temperature::new(stream(2), mesor, scenes),
            glucose: Glucose::new(stream(3), fasting, meals.to_vec(), scenes),
            motion: Motion::new(stream(4), plan(scenes, person), scenes),
        }
    }
}

/// What the patient does apart from scenes: sits, and now and then walks for half a minute.
fn plan(scenes: &[Scene], person: Noise) -> Vec<(f64, Activity)> {
    for scene in scenes {
        match *scene {
            Scene::Fall { .. } => return vec![(0.0, Activity::Standing), (4.0, Activity::Walking)],
            Scene::Exercise { from } => return vec![(0.0, Activity::Standing), (from, Activity::Exercising)],
            Scene::TachycardiaAtRest { .. } => return vec![(0.0, Activity::Sitting)],
            _ => {}
        }
    }
    let mut plan = vec![(0.0, Activity::Sitting)];
    let mut t = 0.0;
    for pause in 0..200 {
        t += 300.0 + 240.0 * person.uniform(10 + pause);
        plan.extend([(t, Activity::Standing), (t + 4.0, Activity::Walking), (t + 30.0, Activity::Sitting)]);
        t += 30.0;
    }
    plan
}

/// Hour of the day at `t` seconds from the start: every simulation starts at half past two.
fn hour(t: f64) -> f64 {
    14.5 + t / 3600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calm_patient_gives_no_reason_for_alarm() {
        for seed in 0..60 {
            let signals = Signals::new(seed, &[]);
            for t in (0..1200).map(f64::from) {
                let bpm = signals.heart_rate.bpm(t);
                assert!((51..105).contains(&bpm), "seed {seed}, {t} s: {bpm} bpm");
                let celsius = signals.temperature.celsius(t);
                assert!((36.2..37.2).contains(&celsius), "seed {seed}, {t} s: {celsius} °C");
                let mg_dl = signals.glucose.mg_dl(t);
                assert!((98..140).contains(&mg_dl), "seed {seed}, {t} s: {mg_dl} mg/dL");
            }
            for t in (0..3600).step_by(300).map(f64::from) {
                let change = f64::from(signals.glucose.mg_dl(t + 600.0)) - f64::from(signals.glucose.mg_dl(t));
                assert!(change.abs() <= 3.0, "seed {seed}, {t} s: {change} mg/dL in 10 min");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_body_and_a_scene_touches_only_its_signal() {
        let (one, again) = (Signals::new(3, &[]), Signals::new(3, &[]));
        let other = Signals::new(3, &[Scene::TachycardiaAtRest { from: 20.0 }]);
        for t in (0..120).map(f64::from) {
            assert_eq!(one.heart_rate.bpm(t), again.heart_rate.bpm(t));
            assert_eq!(one.temperature.celsius(t), other.temperature.celsius(t));
            assert_eq!(one.glucose.mg_dl(t), other.glucose.mg_dl(t));
        }
        assert_eq!(one.motion.sample(77), other.motion.sample(77));
        assert_ne!(Signals::new(4, &[]).motion.sample(77), one.motion.sample(77));
    }

    #[test]
    fn scenes_reach_their_limits_and_no_others() {
        for seed in 0..60 {
            let racing = Signals::new(seed, &[Scene::TachycardiaAtRest { from: 20.0 }]).heart_rate;
            assert!((0..18).all(|t| racing.bpm(f64::from(t)) < 105));
            assert!((27..300).all(|t| (135..150).contains(&racing.bpm(f64::from(t)))), "seed {seed}");
            let exercising = Signals::new(seed, &[Scene::Exercise { from: 10.0 }]).heart_rate;
            assert!((0..35).all(|t| exercising.bpm(f64::from(t)) < 105));
            assert!((100..126).contains(&exercising.bpm(110.0)), "seed {seed}: {}", exercising.bpm(110.0));
            assert!((0..600).all(|t| exercising.bpm(f64::from(t)) <= 125));
            let low = Signals::new(seed, &[Scene::Hypoglycaemia { from: 11.0 }]).glucose;
            assert_eq!([5.0, 25.0].map(|t| low.mg_dl(t)), [66, 52]);
            assert!((44..54).contains(&low.mg_dl(45.0)));
            let off = Signals::new(seed, &[Scene::ThermometerOff { at: 40.0 }]).temperature;
            assert!(off.celsius(40.0) - off.celsius(65.0) >= 1.2);
        }
    }
}
