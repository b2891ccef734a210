//! Quality of a reading: whether a detector may trust it.

use serde::{Deserialize, Serialize};

/// Good, or why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "grade", content = "reason")]
pub enum Quality {
    /// Nothing speaks against it.
    #[default]
    Good,
    /// Kept and shown with its reason; a detector decides what it means.
    Suspect(Reason),
    /// Kept for the record; never counts as normal, never ends an episode.
    Invalid(Reason),
}

/// Why a reading is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Outside what a living person can have.
    Implausible,
    /// Changed more quickly than the vital can.
    Jump,
    /// The sensor is probably not on the body.
    Detached,
    /// Movement disturbs this kind of sensor.
    Motion,
    /// The sensor's battery is nearly empty.
    LowBattery,
    /// The time it was read at is not known.
    Clock,
}

const REASONS: [Reason; 6] =
    [Reason::Implausible, Reason::Jump, Reason::Detached, Reason::Motion, Reason::LowBattery, Reason::Clock];

impl Quality {
    /// One byte for stores and wires: 0 good, 1.. suspect, 129.. invalid.
    pub fn to_code(self) -> u8 {
        let place = |reason| REASONS.iter().position(|row| *row == reason).map_or(0, |index| index as u8 + 1);
        match self {
            Self::Good => 0,
            Self::Suspect(reason) => place(reason),
            Self::Invalid(reason) => 128 + place(reason),
        }
    }

    /// The quality behind a byte; `None` for a byte this release does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        let reason = |place: u8| REASONS.get(usize::from(place).wrapping_sub(1)).copied();
        match code {
            0 => Some(Self::Good),
            1..=127 => reason(code).map(Self::Suspect),
            128..=255 => reason(code - 128).map(Self::Invalid),
        }
    }

    /// "good", "suspect", "invalid".
    pub fn grade(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspect(_) => "suspect",
            Self::Invalid(_) => "invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_round_trip_or_is_refused() {
        let known = (0..=255).filter_map(Quality::from_code).collect::<Vec<_>>();
        assert_eq!(known.len(), 1 + 2 * REASONS.len());
        for quality in known {
            assert_eq!(Quality::from_code(quality.to_code()), Some(quality));
        }
    }
}
