//! What happens in the demo: which homes there are, what their patients do when, and what ought to be noticed.
//!
//! Not for: signals (patient/), playing them (home.rs), recordings (replay/).

use std::sync::Arc;
use std::time::Duration;

use crate::air;
use crate::dongle::DeviceSpec;
use crate::patient::noise::Noise;
use crate::patient::{Patient, Scene, Sex, Signals, Vital};
use crate::relative::Relative;
use crate::replay::Recorded;

/// Homes and what is done to their connection.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// One home per patient.
    pub homes: Vec<Home>,
    /// From when until when the cloud cannot be reached, s from the start.
    pub link_cut: (f64, f64),
}

/// A patient at home with sensors and relatives.
#[derive(Clone, Debug)]
pub struct Home {
    /// Who lives there.
    pub patient: Patient,
    /// Whom to tell, in order.
    pub relatives: Vec<Relative>,
    /// The sensors.
    pub devices: Vec<Device>,
    /// What happens.
    pub scenes: Vec<Scene>,
    /// What ought to be noticed; nothing else ought to.
    pub expected: Vec<Expected>,
    /// Where the readings come from.
    pub source: Source,
}

/// Where a home's readings come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A virtual body.
    Body(Box<Signals>),
    /// A recording.
    Recording(Arc<Recorded>),
}

/// A sensor of a home.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// IEEE address.
    pub ieee: u64,
    /// What people call it.
    pub label: String,
    /// Where on the body an accelerometer sits: `waist`.
    pub place: Option<&'static str>,
    /// What it measures, and every how many seconds it reports.
    pub vitals: Vec<(Vital, f64)>,
}

impl Device {
    /// What the dongle needs to know of it.
    pub fn spec(&self) -> DeviceSpec {
        let clusters: Vec<u16> = self.vitals.iter().filter_map(|(vital, _)| cluster(*vital)).collect();
        let mut spec = DeviceSpec::sensor(self.ieee, "medmon-sensor", &clusters);
        // Four bursts a second: a Default Response to each would double the traffic for nothing.
        spec.default_response = !self.measures(Vital::Acceleration);
        spec
    }

    /// Whether it measures `vital`.
    pub fn measures(&self, vital: Vital) -> bool {
        self.vitals.iter().any(|(own, _)| *own == vital)
    }
}

fn cluster(vital: Vital) -> Option<u16> {
    match vital {
        Vital::HeartRate => Some(air::CLUSTER_HEART_RATE),
        Vital::Acceleration => Some(air::CLUSTER_ACCELERATION),
        Vital::Temperature => Some(air::CLUSTER_TEMPERATURE),
        Vital::Glucose => Some(air::CLUSTER_GLUCOSE),
        // Power Configuration is on every sensor.
        Vital::Battery => None,
    }
}

/// Something that ought to be noticed.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The patient's name, `DOE Jeanne`.
    pub patient: String,
    /// Condition, as alerts name it.
    pub condition: &'static str,
    /// `high`, `medium`, `low` or `technical`.
    pub priority: &'static str,
    /// By when it ought to be raised, s from the start.
    pub by_s: f64,
}

const PEOPLE: [(&str, &str, u16, Sex); 6] = [
    ("Jeanne", "DOE", 1941, Sex::Female),
    ("André", "MOREL", 1938, Sex::Male),
    ("Rose", "PETIT", 1947, Sex::Female),
    ("Luc", "BERNARD", 1945, Sex::Male),
    ("Max", "LEROY", 1933, Sex::Male),
    ("Lise", "ROUX", 1950, Sex::Female),
];
const WOMEN: [&str; 8] = ["Odile", "Simone", "Nicole", "Thérèse", "Colette", "Yvette", "Denise", "Annie"];
const MEN: [&str; 8] = ["Paul", "Henri", "Marcel", "Guy", "René", "Serge", "Yves", "Claude"];
const FAMILIES: [&str; 16] = [
    "GIRARD", "ANDRÉ", "MERCIER", "BLANC", "GUÉRIN", "BOYER", "GARNIER", "FAURE", "ROUSSEL", "HENRY", "MASSON",
    "LEMOINE", "DUVAL", "ROLLAND", "COLIN", "VIDAL",
];
const RELATIVES: [&str; 6] = ["Paul", "Anna", "Marc", "Julie", "Hugo", "Claire"];

impl Scenario {
    /// The demo: in the first two minutes a fall, a hypoglycaemia, a tachycardia at rest, exercise that must not alarm, a
    /// thermometer taken off and a sensor going silent, in the first six homes; all others are calm. The seed moves
    /// the scenes by a few seconds.
    pub fn demo(patients: usize, seed: u64) -> Self {
        let homes = (0..patients).map(|index| Home::demo(index, seed)).collect();
        Self { homes, link_cut: (45.0, 65.0) }
    }
}

impl Home {
    fn demo(index: usize, seed: u64) -> Self {
        let draw = Noise::new(seed, 1000 + index as u64);
        let shift = |most: f64| most * draw.unit(0);
        let patient = person(index, draw);
        let expect = |condition, priority, by_s| vec![Expected { patient: patient.name(), condition, priority, by_s }];
        let (scenes, expected) = match index {
            0 => {
                let at = 13.0 + shift(4.0);
                // Judged 6 s after the impact, cancelled by nobody for 30 s.
                (vec![Scene::Fall { at }], expect("fall", "high", at + 45.0))
            }
            1 => {
                // Reported at 5, 25 and 45 s: 66, then twice below 54.
                (vec![Scene::Hypoglycaemia { from: 8.0 + shift(4.0) }], expect("hypoglycaemia", "high", 50.0))
            }
            2 => {
                let from = 18.0 + shift(4.0);
                (vec![Scene::TachycardiaAtRest { from }], expect("tachycardia", "high", from + 80.0))
            }
            3 => (vec![Scene::Exercise { from: 8.0 + shift(4.0) }], Vec::new()),
            4 => {
                let at = 38.0 + shift(4.0);
                (vec![Scene::ThermometerOff { at }], expect("sensor_off", "technical", at + 40.0))
            }
            5 => {
                let from = 28.0 + shift(4.0);
                // By the demo's cadence for heart rate, which must be far shorter than the default.
                (vec![Scene::Silence { vital: Vital::HeartRate, from }], expect("silence", "technical", from + 60.0))
            }
            _ => (Vec::new(), Vec::new()),
        };
        let signals = Signals::new(seed.wrapping_mul(1_000_003).wrapping_add(index as u64), &scenes);
        Self {
            relatives: relatives(index),
            devices: devices(index),
            patient,
            scenes,
            expected,
            source: Source::Body(Box::new(signals)),
        }
    }

    /// Whether the sensor of `device` has gone silent at `t` seconds from the start.
    pub fn silent(&self, device: &Device, t: f64) -> bool {
        self.scenes
            .iter()
            .any(|scene| matches!(*scene, Scene::Silence { vital, from } if t >= from && device.measures(vital)))
    }
}

/// The person of home `index`: the first six are always the same.
pub(crate) fn person(index: usize, draw: Noise) -> Patient {
    let pick = |n: u64, of: usize| (draw.unit(n) * of as f64) as usize % of;
    let (given, family, birth_year, sex) = PEOPLE.get(index).copied().unwrap_or_else(|| {
        let birth_year = 1932 + pick(3, 22) as u16;
        // Families are taken in turn, so that a ward holds no two people of one name.
        let family = FAMILIES[(index - PEOPLE.len()) % FAMILIES.len()];
        if draw.uniform(1) < 0.0 {
            (WOMEN[pick(2, WOMEN.len())], family, birth_year, Sex::Female)
        } else {
            (MEN[pick(2, MEN.len())], family, birth_year, Sex::Male)
        }
    });
    Patient { given_name: given.into(), family_name: family.into(), birth_year, nickname: given.into(), sex }
}

/// Two relatives per home. The first of home 0 answers after 6 s; the others do not. The numbers are of the range that the
/// French numbering plan keeps for fiction.
pub(crate) fn relatives(index: usize) -> Vec<Relative> {
    (0..2)
        .map(|n| Relative {
            phone: format!("+3363998{:04}", (1001 + index * 2 + n) % 10_000),
            name: RELATIVES[(index * 2 + n) % RELATIVES.len()].into(),
            language: if index % 4 == 3 { "en" } else { "fr" },
            reply_after: Duration::from_secs(6),
            answers: index == 0 && n == 0,
        })
        .collect()
}

/// IEEE address of sensor `number` of home `index`.
pub(crate) fn ieee(index: usize, number: u64) -> u64 {
    0x00124b002a5c0d00 + ((index as u64) << 8) + number
}

fn devices(index: usize) -> Vec<Device> {
    let device = |number, label: &str, place, vital, interval| Device {
        ieee: ieee(index, number),
        label: label.into(),
        place,
        vitals: vec![(vital, interval), (Vital::Battery, 30.0)],
    };
    vec![
        device(1, "chest strap", None, Vital::HeartRate, 2.0),
        device(2, "belt", Some("waist"), Vital::Acceleration, 0.24),
        device(3, "thermometer patch", None, Vital::Temperature, 5.0),
        device(4, "glucose sensor", None, Vital::Glucose, 20.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn homes_have_their_own_people_sensors_and_numbers() {
        let scenario = Scenario::demo(20, 1);
        let names: BTreeSet<String> = scenario.homes.iter().map(|home| home.patient.name()).collect();
        let sensors: BTreeSet<u64> = scenario.homes.iter().flat_map(|home| &home.devices).map(|d| d.ieee).collect();
        let phones: BTreeSet<&String> =
            scenario.homes.iter().flat_map(|home| &home.relatives).map(|relative| &relative.phone).collect();
        assert_eq!((names.len(), sensors.len(), phones.len()), (20, 80, 40));
        assert_eq!(scenario.homes[0].patient.name(), "DOE Jeanne");
        assert_eq!(scenario.homes[0].devices[0].ieee, 0x00124b002a5c0d01);
    }

    #[test]
    fn everything_expected_comes_within_two_minutes_whatever_the_seed() {
        for seed in 0..50 {
            let scenario = Scenario::demo(6, seed);
            let conditions: Vec<&str> =
                scenario.homes.iter().flat_map(|home| &home.expected).map(|expected| expected.condition).collect();
            assert_eq!(conditions, ["fall", "hypoglycaemia", "tachycardia", "sensor_off", "silence"]);
            assert!(scenario.homes.iter().flat_map(|home| &home.expected).all(|expected| expected.by_s < 110.0));
        }
    }
}
