//! Settings: the one document that comes down to a gateway. All it needs to work alone is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ieee, Limits, UtcUs, Vital};

/// Language of texts and screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// Where on the body a sensor sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// On a belt.
    Waist,
    /// On the wrist.
    Wrist,
    /// On the chest.
    Chest,
    /// In a trouser pocket.
    Pocket,
}

/// Whether `phone` is written as E.164 (ITU-T): `+`, then 7 to 15 digits, the first not 0.
pub fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// Somebody to text, in the order of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Identity.
    pub id: Uuid,
    /// As shown: "Paul".
    pub name: String,
    /// E.164: "+33612345678".
    pub phone: String,
    /// Language of the texts.
    #[serde(default)]
    pub language: Language,
}

/// How texting goes on while nobody answers. All in seconds after the raising.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ladder {
    /// Unacknowledged for so long: the next contact.
    pub next_after_s: u32,
    /// No delivery report for so long: the next contact.
    pub undelivered_after_s: u32,
    /// After the last contact: repeat to all at this interval.
    pub repeat_s: u32,
    /// A patient who is asked first has so long to answer.
    pub ask_s: u32,
    /// The most texts a contact gets in an hour; then one that sums up.
    pub hourly: u32,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { next_after_s: 300, undelivered_after_s: 180, repeat_s: 900, ask_s: 60, hourly: 6 }
    }
}

/// An exercise that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Asked for twice, it is one.
    pub id: Uuid,
    /// Whom to text; `None` = the first contact.
    #[serde(default)]
    pub contact: Option<Uuid>,
    /// A gateway that hears of it later lets it be, UTC.
    pub until_us: UtcUs,
}

/// A sensor on the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its address.
    pub ieee: Ieee,
    /// As people call it: "wrist band".
    #[serde(default)]
    pub label: String,
    /// What it is expected to measure.
    pub vitals: Vec<Vital>,
    /// Where it sits, for the fall detector.
    #[serde(default)]
    pub place: Option<Place>,
}

/// What a gateway works by. Versioned; the cloud shows `in force`, `pending since` or `rejected`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Grows with every change; 0 = none received yet.
    pub version: u64,
    /// The assignment in force; 0 = the gateway belongs to nobody.
    pub epoch: u64,
    /// The patient's random label.
    pub subject: Option<Uuid>,
    /// What texts call the patient.
    pub nickname: String,
    /// For the largest believable rate in exercise.
    pub birth_year: Option<i16>,
    /// Thresholds.
    pub limits: Limits,
    /// Whom to text, in order.
    pub contacts: Vec<Contact>,
    /// The patient's own phone: asked first after a fall that a wrist or a pocket shows. E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_phone: Option<String>,
    /// The ward's on-call number, after the contacts. E.164.
    pub on_call_phone: Option<String>,
    /// When to go on.
    pub ladder: Ladder,
    /// Expected seconds between readings, where it differs from the vital table.
    pub cadences: BTreeMap<Vital, u32>,
    /// The same of one sensor, where it differs from the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cadences_of: BTreeMap<Ieee, BTreeMap<Vital, u32>>,
    /// The allow-list. Together with the gateway's own configuration.
    pub devices: Vec<Device>,
    /// Sensors on the allow-list may join until then; `None` = nobody may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_until_us: Option<UtcUs>,
    /// Exercises that were asked for and are not too old.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<Drill>,
    /// Language of screens and of contacts without one.
    pub language: Language,
    /// IANA zone for times in texts; empty = UTC.
    pub time_zone: String,
}

impl Settings {
    /// Seconds of silence after which `vital` is unknown: 2.5 missed intervals (CLINICAL.md).
    pub fn silence_s(&self, vital: Vital) -> u32 {
        match self.cadences.get(&vital) {
            Some(cadence) => cadence.saturating_mul(5) / 2,
            None => vital.info().map_or(u32::MAX, |row| row.silence_s),
        }
    }

    /// As [`Self::silence_s`], of one sensor.
    pub fn silence_of(&self, device: Ieee, vital: Vital) -> u32 {
        let own = self.cadences_of.get(&device).and_then(|own| own.get(&vital));
        own.map_or_else(|| self.silence_s(vital), |cadence| cadence.saturating_mul(5) / 2)
    }

    /// As [`Self::cadence_s`], of one sensor.
    pub fn cadence_of(&self, device: Ieee, vital: Vital) -> u32 {
        let own = self.cadences_of.get(&device).and_then(|own| own.get(&vital));
        own.map_or_else(|| self.cadence_s(vital), |cadence| (*cadence).max(1))
    }

    /// Expected seconds between readings of `vital`.
    pub fn cadence_s(&self, vital: Vital) -> u32 {
        self.cadences.get(&vital).copied().or_else(|| vital.info().map(|row| row.cadence_s)).unwrap_or(60).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones() {
        assert!(is_e164("+33612345678"));
        assert!(["0612345678", "+0612345678", "+33 6", "+3361234567890123", ""].iter().all(|phone| !is_e164(phone)));
    }

    #[test]
    fn an_older_or_newer_document_is_still_read() {
        let settings: Settings =
            serde_json::from_str(r#"{"version":3,"epoch":9,"colour":"blue","cadences":{"temperature":5}}"#).unwrap();
        assert_eq!((settings.version, settings.epoch), (3, 9));
        assert_eq!(settings.silence_s(Vital::TEMPERATURE), 12);
        assert_eq!(settings.silence_s(Vital::HEART_RATE), 120);
        assert_eq!(settings.limits, Limits::default());
        let text = r#"{"cadences":{"glucose":60},"cadences_of":{"0000000000000007":{"heart_rate":4}}}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        let of = |device, vital| (settings.cadence_of(Ieee(device), vital), settings.silence_of(Ieee(device), vital));
        assert_eq!((of(7, Vital::HEART_RATE), of(8, Vital::HEART_RATE)), ((4, 10), (48, 120)));
        assert_eq!(of(7, Vital::GLUCOSE), (60, 150));
    }
}
