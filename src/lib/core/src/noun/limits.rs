//! A patient's Limits: the thresholds of the urgent detectors, one row each, with their source.
//!
//! Defaults need a clinician's sign-off before real use. Not for persistence and recovery times: those
//! belong to the detectors.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One threshold. The discriminant is its row in [`LIMITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Bradycardia so deep that 10 s suffice.
    HeartRateLowExtreme,
    /// Bradycardia, urgent.
    HeartRateLowUrgent,
    /// Bradycardia, care team.
    HeartRateLow,
    /// Tachycardia at rest, care team.
    HeartRateHigh,
    /// Tachycardia at rest, urgent.
    HeartRateHighUrgent,
    /// Tachycardia at rest so fast that 10 s suffice.
    HeartRateHighExtreme,
    /// Hypothermia, urgent.
    TemperatureLowUrgent,
    /// Hypothermia, care team.
    TemperatureLow,
    /// Raised temperature, low priority.
    TemperatureRaised,
    /// Fever, care team.
    TemperatureHigh,
    /// Fever, urgent.
    TemperatureHighUrgent,
    /// Level 2 hypoglycaemia, urgent.
    GlucoseLowUrgent,
    /// Level 1 hypoglycaemia.
    GlucoseLow,
    /// Level 2 hyperglycaemia.
    GlucoseHigh,
    /// Hyperglycaemia, urgent.
    GlucoseHighUrgent,
}

/// One row of the table of limits.
#[derive(Debug)]
pub struct LimitInfo {
    /// Which.
    pub limit: Limit,
    /// `vital.name`, as users write it.
    pub key: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Default.
    pub default: f64,
    /// Smallest value that can be meant.
    pub min: f64,
    /// Largest value that can be meant.
    pub max: f64,
    /// Where the default comes from.
    pub source: &'static str,
}

const NEWS2: &str = "NEWS2, Royal College of Physicians, 2017";
const ATTD: &str = "ADA/ATTD consensus, Battelino 2019, 2023";
const MEDMON: &str = "medmon, by evaluation on recordings";

const fn row(
    limit: Limit,
    key: &'static str,
    unit: &'static str,
    default: f64,
    min: f64,
    max: f64,
    source: &'static str,
) -> LimitInfo {
    LimitInfo { limit, key, unit, default, min, max, source }
}

/// All limits, lowest first within a vital.
pub const LIMITS: [LimitInfo; 15] = [
    row(Limit::HeartRateLowExtreme, "heart_rate.low_extreme", "bpm", 30.0, 20.0, 60.0, MEDMON),
    row(Limit::HeartRateLowUrgent, "heart_rate.low_urgent", "bpm", 40.0, 20.0, 80.0, NEWS2),
    row(Limit::HeartRateLow, "heart_rate.low", "bpm", 50.0, 20.0, 90.0, NEWS2),
    row(Limit::HeartRateHigh, "heart_rate.high", "bpm", 111.0, 60.0, 220.0, NEWS2),
    row(Limit::HeartRateHighUrgent, "heart_rate.high_urgent", "bpm", 131.0, 60.0, 250.0, NEWS2),
    row(Limit::HeartRateHighExtreme, "heart_rate.high_extreme", "bpm", 150.0, 80.0, 280.0, MEDMON),
    row(Limit::TemperatureLowUrgent, "temperature.low_urgent", "°C", 35.0, 25.0, 37.0, NEWS2),
    row(Limit::TemperatureLow, "temperature.low", "°C", 35.5, 25.0, 37.0, MEDMON),
    row(Limit::TemperatureRaised, "temperature.raised", "°C", 37.8, 36.0, 41.0, MEDMON),
    row(Limit::TemperatureHigh, "temperature.high", "°C", 39.1, 36.5, 42.0, NEWS2),
    row(Limit::TemperatureHighUrgent, "temperature.high_urgent", "°C", 40.0, 37.0, 43.0, MEDMON),
    row(Limit::GlucoseLowUrgent, "glucose.low_urgent", "mg/dL", 54.0, 30.0, 100.0, ATTD),
    row(Limit::GlucoseLow, "glucose.low", "mg/dL", 70.0, 40.0, 120.0, ATTD),
    row(Limit::GlucoseHigh, "glucose.high", "mg/dL", 250.0, 120.0, 500.0, ATTD),
    row(Limit::GlucoseHighUrgent, "glucose.high_urgent", "mg/dL", 300.0, 140.0, 600.0, MEDMON),
];

/// Why a limit was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// No such key.
    #[error("`{0}` is not a limit; `medmon limits show` lists them")]
    Unknown(String),
    /// Outside what can be meant.
    #[error("{key} = {value} {unit} is outside {min}..{max} {unit}")]
    Range {
        /// The key.
        key: &'static str,
        /// The refused value.
        value: f64,
        /// Its unit.
        unit: &'static str,
        /// Smallest admitted.
        min: f64,
        /// Largest admitted.
        max: f64,
    },
    /// A pair in the wrong order, such as a low limit above a high one.
    #[error("{low} = {low_value} must stay below {high} = {high_value}")]
    Order {
        /// Key that has to be the smaller.
        low: &'static str,
        /// Its value.
        low_value: f64,
        /// Key that has to be the larger.
        high: &'static str,
        /// Its value.
        high_value: f64,
    },
}

/// The thresholds of one patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits([f64; LIMITS.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self(LIMITS.map(|row| row.default))
    }
}

impl Limits {
    /// The value of a limit in its vital's unit.
    pub fn get(&self, limit: Limit) -> f64 {
        self.0[limit as usize]
    }

    /// The value under `key`.
    pub fn by_key(&self, key: &str) -> Option<f64> {
        LIMITS.iter().find(|row| row.key == key).map(|row| self.get(row.limit))
    }

    /// Every key with its value, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static LimitInfo, f64)> + '_ {
        LIMITS.iter().map(|row| (row, self.get(row.limit)))
    }

    /// Sets several limits together or none: only the result has to be in order.
    pub fn set<'a>(&mut self, changes: impl IntoIterator<Item = (&'a str, f64)>) -> Result<(), LimitError> {
        let mut changed = self.clone();
        for (key, value) in changes {
            let row = LIMITS.iter().find(|row| row.key == key).ok_or_else(|| LimitError::Unknown(key.to_owned()))?;
            if !(row.min..=row.max).contains(&value) {
                let (min, max) = (row.min, row.max);
                return Err(LimitError::Range { key: row.key, value, unit: row.unit, min, max });
            }
            changed.0[row.limit as usize] = value;
        }
        for (low, high) in LIMITS.iter().zip(&LIMITS[1..]).filter(|(low, high)| low.unit == high.unit) {
            let (low_value, high_value) = (changed.get(low.limit), changed.get(high.limit));
            if low_value >= high_value {
                return Err(LimitError::Order { low: low.key, low_value, high: high.key, high_value });
            }
        }
        *self = changed;
        Ok(())
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(row, value)| (row.key, value)))
    }
}

impl<'de> Deserialize<'de> for Limits {
    /// Keys this release does not know are ignored, so that a newer cloud can speak to an older gateway.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, f64>::deserialize(deserializer)?;
        let mut limits = Self::default();
        let known = given.iter().filter(|(key, _)| LIMITS.iter().any(|row| row.key == key.as_str()));
        limits.set(known.map(|(key, value)| (key.as_str(), *value))).map_err(serde::de::Error::custom)?;
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_discriminant_and_defaults_are_legal() {
        for (index, row) in LIMITS.iter().enumerate() {
            assert_eq!(row.limit as usize, index, "{}", row.key);
        }
        assert_eq!(Limits::default().set([]), Ok(()));
    }

    #[test]
    fn a_bad_limit_changes_nothing_and_says_why() {
        let mut limits = Limits::default();
        let refused = limits.set([("heart_rate.high", 100.0), ("heart_rate.high_urgent", 99.0)]);
        assert!(matches!(refused, Err(LimitError::Order { .. })), "{refused:?}");
        assert!(matches!(limits.set([("heart_rate.hihg", 1.0)]), Err(LimitError::Unknown(_))));
        assert!(limits.set([("glucose.low", f64::NAN)]).is_err());
        assert_eq!(limits, Limits::default());
        assert_eq!(limits.set([("heart_rate.low", 45.0), ("heart_rate.high_urgent", 140.0)]), Ok(()));
        let json = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&json).unwrap(), limits);
    }
}
