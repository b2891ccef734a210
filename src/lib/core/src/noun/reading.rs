//! A Reading: what one sensor said once, with an identity that is never a time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MonoUs, Quality, UtcUs, Vital};

/// A device's 64-bit IEEE address: the only key of a device. Short addresses change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ieee(pub u64);

impl fmt::Display for Ieee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Ieee {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_start_matches("0x").replace(':', "");
        match (digits.len(), u64::from_str_radix(&digits, 16)) {
            (16, Ok(address)) => Ok(Self(address)),
            _ => Err(format!("`{text}` is not an IEEE address: 16 hexadecimal digits, such as 00124b002a5c0d01")),
        }
    }
}

impl Serialize for Ieee {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ieee {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which reading of an install this is: the boot it was read in and its number in that boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadingId {
    /// Counts starts of the gateway.
    pub boot: u32,
    /// Counts readings since that start, from 0, without holes.
    pub sequence: u64,
}

impl fmt::Display for ReadingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.boot, self.sequence)
    }
}

/// How far the UTC of a reading can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockQuality {
    /// Disciplined by NTP or a GSM network.
    #[default]
    Synced,
    /// Was synced, now runs by itself.
    Holdover,
    /// Never set since this boot.
    Unset,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One figure, as stored (`value * scale`).
    Scalar(i32),
    /// A burst of three-axis samples in mg, oldest first.
    Samples {
        /// Samples a second; 0 = a single sample at the reading's time.
        rate_hz: u8,
        /// Samples known to be missing just before this burst.
        lost: u16,
        /// x, y, z in mg.
        xyz: Vec<[i16; 3]>,
    },
}

/// What one sensor said once.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Identity within the install.
    pub id: ReadingId,
    /// The assignment epoch in force when it arrived; 0 = it belongs to nobody. Stamped on arrival: a reading that
    /// waits while the gateway is given to somebody else still belongs to the first.
    pub epoch: u64,
    /// The device that said it.
    pub device: Ieee,
    /// Its Zigbee endpoint.
    pub endpoint: u8,
    /// What it measures.
    pub vital: Vital,
    /// What it said.
    pub value: Value,
    /// Arrival on the gateway's monotonic scale.
    pub mono_us: MonoUs,
    /// Arrival in UTC; the time of the last sample of a burst.
    pub utc_us: UtcUs,
    /// How far to trust `utc_us`.
    pub clock: ClockQuality,
    /// How far to trust `value`.
    pub quality: Quality,
    /// Link quality of the last hop, 0-255.
    pub link_quality: u8,
}

impl Reading {
    /// The figure in the vital's unit; `None` for a burst.
    pub fn scalar(&self) -> Option<f64> {
        match self.value {
            Value::Scalar(stored) => Some(self.vital.to_value(stored)),
            Value::Samples { .. } => None,
        }
    }

    /// How many values this reading stands for in a window's count.
    pub fn count(&self) -> u32 {
        match &self.value {
            Value::Scalar(_) => 1,
            Value::Samples { xyz, .. } => xyz.len() as u32,
        }
    }

    /// The samples with their offset in µs from the reading's time (0 or negative), oldest first.
    pub fn samples(&self) -> impl Iterator<Item = (i64, [f64; 3])> + '_ {
        let (xyz, step_us) = match &self.value {
            Value::Scalar(_) => (&[][..], 0),
            Value::Samples { xyz, rate_hz, .. } => (&xyz[..], 1_000_000 / i64::from((*rate_hz).max(1))),
        };
        let last = xyz.len() as i64 - 1;
        xyz.iter()
            .enumerate()
            .map(move |(index, axes)| ((index as i64 - last) * step_us, axes.map(|mg| f64::from(mg) / 1000.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ieee_address_is_read_in_the_ways_people_write_it() {
        for text in ["00124b002a5c0d01", "0x00124b002a5c0d01", "00:12:4b:00:2a:5c:0d:01"] {
            assert_eq!(text.parse::<Ieee>().map(|ieee| ieee.to_string()), Ok("00124b002a5c0d01".into()));
        }
        assert!("124b".parse::<Ieee>().is_err());
    }

    #[test]
    fn a_burst_ends_at_its_arrival() {
        let reading = Reading {
            id: ReadingId::default(),
            epoch: 0,
            device: Ieee(1),
            endpoint: 1,
            vital: Vital::ACCELERATION,
            value: Value::Samples { rate_hz: 50, lost: 0, xyz: vec![[0, 0, 1000]; 3] },
            mono_us: 0,
            utc_us: 0,
            clock: ClockQuality::Synced,
            quality: Quality::Good,
            link_quality: 255,
        };
        let offsets: Vec<_> = reading.samples().map(|(offset, _)| offset).collect();
        assert_eq!(offsets, [-40_000, -20_000, 0]);
        assert_eq!(reading.count(), 3);
    }
}
