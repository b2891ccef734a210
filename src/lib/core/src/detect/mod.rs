//! The urgent detectors of one patient: readings in, findings out.
//!
//! Pure state machines after CLINICAL.md and FALLS.md. Time comes in as the gateway's monotonic µs and never from a
//! clock; the scale has to go on over a restart of the machine. The state is plain data: a restart from it neither restarts
//! a wait nor repeats an onset.
//! Not for: alerts, acknowledging, paging (facts are made of findings at the gateway), nor slow changes (rules).

mod episode;
pub mod fall;
pub mod glucose;
mod heart_rate;
mod motion;
mod silence;
mod temperature;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use self::episode::{Episodes, MINUTE, Origin, Rule, SECOND, Step};
use self::fall::{Fall, Placement};
use self::glucose::{Ahead, Glucose};
use self::heart_rate::HeartRate;
use self::motion::{Activity, Motion};
use self::silence::Silence;
use self::temperature::Temperature;
use crate::noun::{
    Class, Condition, Direction, Ieee, MonoUs, Place, Priority, Quality, Reading, ReadingId, Settings, Value, Vital,
};

/// Names an episode within an assignment: at most one is going on for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpisodeKey {
    /// Which vital.
    pub vital: Vital,
    /// Which way it went.
    pub direction: Direction,
}

/// How an episode changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It began.
    Onset,
    /// It became more urgent, another condition of it completed, or it happened again.
    Worsened,
    /// Its condition ended.
    Cleared,
}

/// What a detector found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The episode.
    pub key: EpisodeKey,
    /// How it changed.
    pub change: Change,
    /// What was found; when cleared, what ended.
    pub condition: Condition,
    /// Body or equipment.
    pub class: Class,
    /// How urgent.
    pub priority: Priority,
    /// When this condition began to hold, monotonic µs.
    pub onset_mono_us: MonoUs,
    /// When it was found, monotonic µs.
    pub at_mono_us: MonoUs,
    /// The device that showed it.
    pub device: Ieee,
    /// The reading that completed it; found by the passing of time: the last usable one of that vital.
    pub reading: ReadingId,
    /// Of a prediction: when the limit is expected to be reached, monotonic µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_mono_us: Option<MonoUs>,
    /// What fired, in English for clinicians, with figures.
    pub explanation: String,
}

/// Nothing a body does is older than this when two devices take turns at one vital.
const TAKEOVER_US: MonoUs = 10 * MINUTE;
/// The detectors of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct OfDevice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heart_rate: Option<HeartRate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<Temperature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    glucose: Option<Glucose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    motion: Option<Motion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fall: Option<Fall>,
    /// Where the fall detector believes the sensor is.
    place: Option<Place>,
}

/// All detectors of one patient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detectors {
    devices: BTreeMap<Ieee, OfDevice>,
    silence: Silence,
    episodes: Episodes,
    /// Not part of the state: those of this release.
    #[serde(skip)]
    ahead: Ahead,
}

impl Detectors {
    /// Nothing was read yet; who is expected is expected from `now_mono_us` on.
    pub fn new(settings: &Settings, now_mono_us: MonoUs) -> Self {
        let mut silence = Silence::new(now_mono_us);
        silence.tick(now_mono_us, settings);
        Self { devices: BTreeMap::new(), silence, episodes: Episodes::default(), ahead: Ahead::default() }
    }

    /// With other predictions of low glucose, to compare them.
    #[must_use]
    pub fn looking(self, ahead: Ahead) -> Self {
        Self { ahead, ..self }
    }

    /// Takes one reading in. Settings are those in force at this moment: a change of limits acts with the next
    /// reading and ends no episode by itself.
    pub fn reading(&mut self, reading: &Reading, settings: &Settings) -> Vec<Finding> {
        let at = reading.mono_us;
        let usable = usable(reading);
        let mut steps = Vec::from_iter(self.silence.reading(reading, usable));
        if usable {
            steps.extend(self.detect(reading, settings));
        }
        let origin = Origin { vital: reading.vital, device: reading.device, reading: reading.id, at_us: at };
        self.settle(origin, steps)
    }

    fn detect(&mut self, reading: &Reading, settings: &Settings) -> Vec<Step> {
        // Of use to heart rate only, and every accelerometer is asked.
        let activity = match reading.vital {
            Vital::HEART_RATE => self.activity(reading.mono_us, settings),
            _ => Activity::Unknown,
        };
        let device = self.devices.entry(reading.device).or_default();
        match (reading.vital, &reading.value) {
            (Vital::HEART_RATE, &Value::Scalar(stored)) => {
                device.heart_rate.get_or_insert_default().reading(reading, stored, activity, settings)
            }
            (Vital::TEMPERATURE, &Value::Scalar(stored)) => {
                device.temperature.get_or_insert_default().reading(reading, stored, settings)
            }
            (Vital::GLUCOSE, &Value::Scalar(stored)) => {
                device.glucose.get_or_insert_default().reading(reading, stored, settings, &self.ahead)
            }
            (Vital::ACCELERATION, Value::Samples { .. }) => {
                device.motion.get_or_insert_default().reading(reading);
                let place = settings.devices.iter().find(|row| row.ieee == reading.device).and_then(|row| row.place);
                let on_body = on_body(device, reading.device, reading.mono_us, &self.silence, settings);
                let fall = device.fall.get_or_insert_default();
                if device.place != place {
                    device.place = place;
                    fall.moved();
                }
                fall.reading(reading, Placement::of(place), on_body)
            }
            _ => Vec::new(),
        }
    }

    /// The radio works, or why it does not. Silence of everybody is then the radio's.
    pub fn radio(&mut self, now_mono_us: MonoUs, lost: Option<&str>) {
        self.silence.radio(now_mono_us, lost);
    }

    /// Time passes: who is silent, and what is waited for. To be called about twice a second.
    pub fn tick(&mut self, now_mono_us: MonoUs, settings: &Settings) -> Vec<Finding> {
        let mut steps = self.silence.tick(now_mono_us, settings);
        for (&ieee, device) in &mut self.devices {
            let on_body = on_body(device, ieee, now_mono_us, &self.silence, settings);
            let placement = Placement::of(device.place);
            if let Some(fall) = &mut device.fall {
                let vital = Vital::ACCELERATION;
                let reading = self.silence.last_reading(ieee, vital);
                let origin = Origin { vital, device: ieee, reading, at_us: now_mono_us };
                steps.extend(fall.tick(now_mono_us, placement, on_body).into_iter().map(|step| (origin, step)));
            }
        }
        steps.extend(self.take_over(now_mono_us, settings));
        steps.into_iter().flat_map(|(origin, step)| self.settle(origin, vec![step])).collect()
    }

    /// A device that fell silent in the middle of an episode cannot end it. If another device has been heard with the
    /// same vital for long enough to know better, it does.
    fn take_over(&mut self, now: MonoUs, settings: &Settings) -> Vec<(Origin, Step)> {
        let mut steps = Vec::new();
        let heard = |silence: &Silence, ieee, vital| silence.heard_since(ieee, vital, now, settings);
        for vital in [Vital::HEART_RATE, Vital::TEMPERATURE, Vital::GLUCOSE] {
            let knows =
                |&ieee: &Ieee| heard(&self.silence, ieee, vital).is_some_and(|since| now - since >= TAKEOVER_US);
            let Some(other) = self.devices.keys().copied().find(knows) else { continue };
            for (&ieee, device) in &mut self.devices {
                if heard(&self.silence, ieee, vital).is_some() {
                    continue;
                }
                for rule in device.active(vital) {
                    let reading = self.silence.last_reading(other, vital);
                    let origin = Origin { vital, device: other, reading, at_us: now };
                    let explanation = "its device is silent, another one is not and sees nothing of it".to_owned();
                    steps.push((origin, Step::new(rule, episode::Turn::Recovered, explanation)));
                }
                device.forget(vital);
            }
        }
        steps
    }

    fn settle(&mut self, origin: Origin, steps: Vec<Step>) -> Vec<Finding> {
        if steps.is_empty() {
            return Vec::new();
        }
        let Self { devices, silence, episodes, .. } = self;
        episodes.settle(origin, steps, |key| {
            let of_devices = devices.values().flat_map(|device| device.active(key.vital));
            let all = of_devices.chain(silence.active(key.vital));
            all.filter(|rule| rule.direction == key.direction).max_by_key(|rule| rule.gravity)
        })
    }

    fn activity(&self, at: MonoUs, settings: &Settings) -> Activity {
        let silence_us = i64::from(settings.silence_s(Vital::ACCELERATION)) * SECOND;
        let sensors = self.devices.values().filter_map(|device| device.motion.as_ref());
        sensors.map(|motion| motion.activity(at, silence_us)).fold(Activity::Unknown, Activity::or)
    }
}

impl OfDevice {
    fn active(&self, vital: Vital) -> Vec<&'static Rule> {
        match vital {
            Vital::HEART_RATE => self.heart_rate.iter().flat_map(HeartRate::active).collect(),
            Vital::TEMPERATURE => self.temperature.iter().flat_map(Temperature::active).collect(),
            Vital::GLUCOSE => self.glucose.iter().flat_map(Glucose::active).collect(),
            Vital::ACCELERATION => self.fall.iter().flat_map(Fall::active).collect(),
            _ => Vec::new(),
        }
    }

    fn forget(&mut self, vital: Vital) {
        match vital {
            Vital::HEART_RATE => self.heart_rate = None,
            Vital::TEMPERATURE => self.temperature = None,
            Vital::GLUCOSE => self.glucose = None,
            _ => {}
        }
    }
}

/// Whether a detector may look at it: not invalid, and within what a living person can have.
fn usable(reading: &Reading) -> bool {
    let plausible = match (reading.vital.info(), reading.scalar()) {
        (Some(row), Some(value)) => (row.min..=row.max).contains(&value),
        _ => true,
    };
    plausible && !matches!(reading.quality, Quality::Invalid(_))
}

/// Whether a device that can tell (it also measures heart rate or temperature) seems to be on the body. What cannot
/// tell is believed.
fn on_body(device: &OfDevice, ieee: Ieee, at: MonoUs, silence: &Silence, settings: &Settings) -> bool {
    let listed = settings.devices.iter().find(|row| row.ieee == ieee);
    let mut vitals =
        listed.into_iter().flat_map(|row| &row.vitals).filter(|&&vital| TELLING.contains(&vital)).peekable();
    const TELLING: [Vital; 2] = [Vital::HEART_RATE, Vital::TEMPERATURE];
    let worn = device.temperature.as_ref().is_none_or(Temperature::on_body);
    let heard = |vital| {
        let cadence_us = i64::from(settings.cadence_of(ieee, vital)) * SECOND;
        silence.heard_within(ieee, vital, at, (cadence_us * 3 / 2).max(20 * SECOND))
    };
    vitals.peek().is_none() || vitals.any(|&vital| heard(vital) && (vital != Vital::TEMPERATURE || worn))
}

/// The patient's age in years at a reading; `None` without a birth year or a set clock.
fn age(settings: &Settings, reading: &Reading) -> Option<f64> {
    let year = Timestamp::from_microsecond(reading.utc_us).ok()?.to_zoned_datetime(TimeZone::UTC).year();
    let age = year.checked_sub(settings.birth_year?)?;
    (0..=120).contains(&age).then_some(f64::from(age))
}

/// The median of stored figures in the vital's unit; 0 of nothing.
fn median(stored: impl Iterator<Item = i32>, vital: Vital) -> f64 {
    // No growing at each reading.
    let mut values: Vec<i32> = Vec::with_capacity(stored.size_hint().1.unwrap_or(64));
    values.extend(stored);
    let (count, middle) = (values.len(), values.len() / 2);
    if count == 0 {
        return 0.0;
    }
    // A few are sorted in place most quickly; many not whole: at 25 a second that would be most of a detector's work.
    if count <= 20 {
        values.sort_unstable();
        let upper = vital.to_value(values[middle]);
        let even = count.is_multiple_of(2);
        return if even { f64::midpoint(vital.to_value(values[middle - 1]), upper) } else { upper };
    }
    let (below, &mut upper, _) = values.select_nth_unstable(middle);
    match below.iter().max() {
        Some(&lower) if count.is_multiple_of(2) => f64::midpoint(vital.to_value(lower), vital.to_value(upper)),
        _ => vital.to_value(upper),
    }
}

#[cfg(test)]
mod tests;
