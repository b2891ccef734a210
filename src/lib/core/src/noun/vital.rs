//! The vital table: everything that differs between vitals stands here, in one row each.
//!
//! Adding a vital is a row here, a cluster mapping at the gateway and a detector choice.
//! Values travel as integers: `stored = value * scale`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A vital by its stable code on the wire. A code without a row is carried and stored all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vital(pub u16);

/// How [`Vital::GATEWAY`] is written.
const GATEWAY: &str = "gateway";

/// One row of the vital table.
#[derive(Debug)]
pub struct VitalInfo {
    /// The code it travels under.
    pub vital: Vital,
    /// Its name in configuration, API and files.
    pub name: &'static str,
    /// Unit as shown.
    pub unit: &'static str,
    /// Unit as in UCUM (<https://ucum.org>).
    pub ucum: &'static str,
    /// LOINC code, where one exists (<https://loinc.org>).
    pub loinc: Option<&'static str>,
    /// Stored integers per unit.
    pub scale: i32,
    /// Decimals worth showing.
    pub decimals: usize,
    /// Expected seconds between readings of a continuous sensor, unless Settings say otherwise.
    pub cadence_s: u32,
    /// Seconds without a reading after which the vital is UNKNOWN and somebody is told (CLINICAL.md, silence).
    pub silence_s: u32,
    /// Length of a window in seconds; 0 = each reading is a window of its own.
    pub window_s: u32,
    /// Below is not a value of this vital in a living person or a working sensor.
    pub min: f64,
    /// Above, likewise.
    pub max: f64,
    /// The largest believable change a minute; a quicker one makes a reading suspect.
    pub max_per_min: f64,
}

impl Vital {
    /// No vital: what an alert about the gateway itself names. Never measured.
    pub const GATEWAY: Self = Self(0);
    /// Heart rate, bpm.
    pub const HEART_RATE: Self = Self(1);
    /// Acceleration, g, three axes.
    pub const ACCELERATION: Self = Self(2);
    /// Body temperature, °C.
    pub const TEMPERATURE: Self = Self(3);
    /// Interstitial or blood glucose, mg/dL.
    pub const GLUCOSE: Self = Self(4);
    /// Battery charge, %.
    pub const BATTERY: Self = Self(5);
    /// Link quality of the last hop, 0-255.
    pub const LINK_QUALITY: Self = Self(6);
    /// Activity derived from acceleration: ENMO = max(norm - 1 g, 0), mg (van Hees 2013).
    pub const ACTIVITY: Self = Self(7);
    /// Posture derived from acceleration: the dominant axis, 0-5 = +x -x +y -y +z -z.
    pub const POSTURE: Self = Self(8);
    /// Battery voltage, V.
    pub const BATTERY_VOLTAGE: Self = Self(9);

    /// The row of this vital, if this release knows it.
    pub fn info(self) -> Option<&'static VitalInfo> {
        VITALS.iter().find(|row| row.vital == self)
    }

    /// The vital called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        VITALS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.vital)
            .or_else(|| (name == GATEWAY).then_some(Self::GATEWAY))
            .or_else(|| name.strip_prefix("vital_").and_then(|code| code.parse().ok()).map(Self))
    }

    /// Stored integers per unit; 1 for an unknown vital.
    pub fn scale(self) -> f64 {
        self.info().map_or(1.0, |row| f64::from(row.scale))
    }

    /// `value` as it is stored.
    pub fn to_stored(self, value: f64) -> i32 {
        (value * self.scale()).round() as i32
    }

    /// A stored integer in the vital's unit.
    pub fn to_value(self, stored: i32) -> f64 {
        f64::from(stored) / self.scale()
    }

    /// The unit as shown; empty for an unknown vital.
    pub fn unit(self) -> &'static str {
        self.info().map_or("", |row| row.unit)
    }

    /// `value` with the decimals this vital deserves, without unit.
    pub fn show(self, value: f64) -> String {
        format!("{value:.*}", self.info().map_or(1, |row| row.decimals))
    }
}

impl fmt::Display for Vital {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(row) => f.write_str(row.name),
            None if *self == Self::GATEWAY => f.write_str(GATEWAY),
            None => write!(f, "vital_{}", self.0),
        }
    }
}

impl Serialize for Vital {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Vital {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::by_name(&name).ok_or_else(|| {
            let known: Vec<_> = VITALS.iter().map(|row| row.name).collect();
            serde::de::Error::custom(format!("unknown vital `{name}`, expected one of {}", known.join(", ")))
        })
    }
}

/// The table. Plausible ranges are those of sensors on living people, wider than any limit.
pub const VITALS: &[VitalInfo] = &[
    VitalInfo {
        vital: Vital::HEART_RATE,
        name: "heart_rate",
        unit: "bpm",
        ucum: "/min",
        loinc: Some("8867-4"),
        scale: 10,
        decimals: 0,
        cadence_s: 48,
        silence_s: 120,
        window_s: 60,
        min: 20.0,
        max: 300.0,
        max_per_min: 150.0,
    },
    VitalInfo {
        vital: Vital::ACCELERATION,
        name: "acceleration",
        unit: "g",
        ucum: "[g]",
        loinc: None,
        scale: 1000,
        decimals: 2,
        cadence_s: 48,
        silence_s: 120,
        window_s: 60,
        min: -16.0,
        max: 16.0,
        max_per_min: f64::INFINITY,
    },
    VitalInfo {
        vital: Vital::TEMPERATURE,
        name: "temperature",
        unit: "°C",
        ucum: "Cel",
        loinc: Some("8310-5"),
        scale: 100,
        decimals: 1,
        cadence_s: 240,
        silence_s: 600,
        window_s: 300,
        min: 10.0,
        max: 45.0,
        max_per_min: 6.0,
    },
    VitalInfo {
        vital: Vital::GLUCOSE,
        name: "glucose",
        unit: "mg/dL",
        ucum: "mg/dL",
        loinc: Some("99504-3"),
        scale: 10,
        decimals: 0,
        cadence_s: 480,
        silence_s: 1200,
        window_s: 0,
        min: 10.0,
        max: 1000.0,
        max_per_min: 25.0,
    },
    VitalInfo {
        vital: Vital::BATTERY,
        name: "battery",
        unit: "%",
        ucum: "%",
        loinc: None,
        scale: 10,
        decimals: 0,
        cadence_s: 21_600,
        silence_s: 86_400,
        window_s: 3600,
        min: 0.0,
        max: 100.0,
        max_per_min: f64::INFINITY,
    },
    VitalInfo {
        vital: Vital::LINK_QUALITY,
        name: "link_quality",
        unit: "",
        ucum: "1",
        loinc: None,
        scale: 1,
        decimals: 0,
        cadence_s: 3600,
        silence_s: 86_400,
        window_s: 3600,
        min: 0.0,
        max: 255.0,
        max_per_min: f64::INFINITY,
    },
    VitalInfo {
        vital: Vital::ACTIVITY,
        name: "activity",
        unit: "mg",
        ucum: "m[g]",
        loinc: None,
        scale: 1,
        decimals: 0,
        cadence_s: 48,
        silence_s: 120,
        window_s: 60,
        min: 0.0,
        max: 28_000.0,
        max_per_min: f64::INFINITY,
    },
    VitalInfo {
        vital: Vital::POSTURE,
        name: "posture",
        unit: "",
        ucum: "1",
        loinc: None,
        scale: 1,
        decimals: 0,
        cadence_s: 48,
        silence_s: 120,
        window_s: 60,
        min: 0.0,
        max: 5.0,
        max_per_min: f64::INFINITY,
    },
    VitalInfo {
        vital: Vital::BATTERY_VOLTAGE,
        name: "battery_voltage",
        unit: "V",
        ucum: "V",
        loinc: None,
        scale: 1000,
        decimals: 2,
        cadence_s: 21_600,
        silence_s: 86_400,
        window_s: 3600,
        min: 0.0,
        max: 25.0,
        max_per_min: f64::INFINITY,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_unique_and_found() {
        for row in VITALS {
            assert_eq!(Vital::by_name(row.name), Some(row.vital));
            assert_eq!(row.vital.info().map(|found| found.name), Some(row.name));
            assert!(row.min < row.max && row.scale > 0);
        }
    }

    #[test]
    fn an_unknown_vital_keeps_its_code_through_its_name() {
        for unknown in [Vital(4711), Vital::GATEWAY] {
            assert_eq!(Vital::by_name(&unknown.to_string()), Some(unknown));
        }
    }
}
