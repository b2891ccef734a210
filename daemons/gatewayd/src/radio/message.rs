//! A message of a device, from the dongle's payload to reports. Pure but for counting.
//!
//! Not for: whose message it is (session.rs), what a reading is worth (COLLECT).

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use medmon_core::noun::{Ieee, MonoUs, Value, Vital};

use super::counters::Counters;
use super::link::Indication;
use super::map::{Map, Mapped, Origin, Rejected};
use super::table::Known;
use super::unmatched::Unmatched;
use super::zcl::{self, Zcl};
use super::{Report, ieee, short};

/// AF_INCOMING_MSG.
pub const AF_INCOMING: u16 = 0x4481;
/// Its long form.
pub const AF_INCOMING_EXT: u16 = 0x4482;

/// A retried frame repeats its sequence within this time.
const DUPLICATE_US: i64 = 4_000_000;
/// Frames remembered for that.
const DUPLICATE_MAX: usize = 512;
/// What one device may send at once: ten seconds of what it may send for long.
const BURST_US: i64 = 10_000_000;

/// AF_INCOMING_MSG and its long form, as far as we need them.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Sender.
    pub network: u16,
    /// Sender, where the long form gives the IEEE address itself.
    pub ieee: Option<Ieee>,
    /// Cluster.
    pub cluster: u16,
    /// Sender's endpoint.
    pub endpoint: u8,
    /// Not to us alone.
    pub broadcast: bool,
    /// 0-255.
    pub link_quality: u8,
    /// The ZCL frame.
    pub zcl: &'a [u8],
}

impl<'a> Message<'a> {
    /// Exactly as many bytes as the length says: what follows is undocumented and varies by build.
    pub fn parse(said: &'a Indication) -> Option<Self> {
        let data = said.data.as_slice();
        let cluster = short(data, 2)?;
        if said.command == AF_INCOMING {
            let length = usize::from(*data.get(16)?);
            return Some(Self {
                network: short(data, 4)?,
                ieee: None,
                cluster,
                endpoint: *data.get(6)?,
                broadcast: *data.get(8)? != 0,
                link_quality: *data.get(9)?,
                zcl: data.get(17..17 + length)?,
            });
        }
        // group, cluster, address mode (2 = 16 bits, 3 = IEEE), address 8, endpoint, PAN, our endpoint, broadcast, lqi,
        // security, timestamp u32, sequence, length u16.
        let length = usize::from(short(data, 25)?);
        let (network, ieee) = match *data.get(4)? {
            2 => (short(data, 5)?, None),
            3 => (0xFFFE, Some(ieee(data, 5)?)),
            _ => return None,
        };
        Some(Self {
            network,
            ieee,
            cluster,
            endpoint: *data.get(13)?,
            broadcast: *data.get(17)? != 0,
            link_quality: *data.get(18)?,
            zcl: data.get(27..27 + length)?,
        })
    }
}

/// Frames of the last seconds of one device: each has its own, or a flood of one would let the others' copies through.
#[derive(Debug, Default)]
pub struct Recent {
    /// When, and a hash of endpoint, cluster and frame. A new one has the hash of one of 512 by chance once in 10^16
    /// times, and nobody can aim at it without the key.
    frames: VecDeque<(MonoUs, u64)>,
    hasher: RandomState,
    sequences: HashMap<u8, u8>,
}

impl Recent {
    /// Retried frames repeat the ZCL sequence; it wraps at 256, so only the last seconds and the payload count.
    pub fn is_duplicate(&mut self, message: &Message<'_>, now: MonoUs) -> bool {
        let frames = &mut self.frames;
        while frames.front().is_some_and(|seen| now - seen.0 > DUPLICATE_US) || frames.len() > DUPLICATE_MAX {
            frames.pop_front();
        }
        let frame = self.hasher.hash_one((message.endpoint, message.cluster, message.zcl));
        let same = frames.iter().rev().any(|(_, seen)| *seen == frame);
        if !same {
            frames.push_back((now, frame));
        }
        same
    }

    /// What is odd about the sequence of a frame that is no duplicate: nothing is dropped for it, a maintainer wants to
    /// know.
    pub fn sequence(&mut self, endpoint: u8, sequence: u8) -> Option<&'static str> {
        let before = self.sequences.insert(endpoint, sequence)?;
        match sequence.wrapping_sub(before) {
            0 => Some("sequence_repeats"),
            1 => None,
            2..0x80 => Some("sequence_gaps"),
            _ => Some("sequence_steps_back"),
        }
    }
}

/// What one device may still send: a token bucket, so that none can starve the others.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Messages a second.
    limit: i64,
    /// In millionths of a message.
    tokens: i64,
    filled_us: MonoUs,
}

impl Bucket {
    /// Full. `limit`: messages a second.
    pub fn new(now: MonoUs, limit: u32) -> Self {
        let limit = i64::from(limit);
        Self { limit, tokens: limit * BURST_US, filled_us: now }
    }

    /// Takes one message out; `false` when the device has said too much.
    pub fn take(&mut self, now: MonoUs) -> bool {
        let passed = (now - self.filled_us).clamp(0, BURST_US);
        (self.tokens, self.filled_us) = ((self.tokens + passed * self.limit).min(self.limit * BURST_US), now);
        let admitted = self.tokens >= 1_000_000;
        self.tokens -= if admitted { 1_000_000 } else { 0 };
        admitted
    }
}

/// Makes reports of frames.
#[derive(Debug)]
pub struct Reader<'a> {
    /// Which attributes are vitals.
    pub map: &'a Map,
    /// What was refused.
    pub counters: &'a Counters,
    /// What no row is for.
    pub unmatched: &'a Unmatched,
}

impl Reader<'_> {
    /// The reports in a Report Attributes frame of `device`.
    pub fn reports(
        &self,
        device: Ieee,
        facts: &Known,
        message: &Message<'_>,
        frame: &Zcl<'_>,
        said: &Indication,
    ) -> Vec<Report> {
        let (records, lost) = zcl::report_records(frame.payload);
        self.counters.add("unreadable_records", lost as u64);
        let origin = Origin {
            ieee: device,
            endpoint: message.endpoint,
            model: facts.model.as_deref(),
            manufacturer: facts.manufacturer.as_deref(),
            cluster: message.cluster,
            mfr_code: frame.manufacturer,
        };
        let report = |vital, value, counter| Report {
            device,
            endpoint: message.endpoint,
            vital,
            value,
            counter,
            link_quality: message.link_quality,
            mono_us: said.mono_us,
            utc_us: said.utc_us,
        };
        let (mut reports, mut axes) = (Vec::new(), [None; 3]);
        for record in &records {
            match self.map.apply(origin, record) {
                Ok(Mapped::Scalar(vital, value)) => {
                    reports.push(report(vital, Value::Scalar(vital.to_stored(value)), None));
                }
                Ok(Mapped::Axis(axis, value)) => axes[axis] = Some((value * 1000.0).round() as i16),
                Ok(Mapped::Burst { counter, rate_hz, xyz }) => {
                    let value = Value::Samples { rate_hz, lost: 0, xyz };
                    reports.push(report(Vital::ACCELERATION, value, Some(counter)));
                }
                Err(rejected) => self.counters.add(
                    match rejected {
                        Rejected::Unmatched => {
                            self.unmatched.note(origin, record, said.utc_us);
                            "unmatched_attributes"
                        }
                        Rejected::Unidentified => "unidentified_values",
                        Rejected::Invalid => "invalid_values",
                        Rejected::WrongType => "wrong_types",
                        Rejected::Implausible => "implausible_values",
                        Rejected::Malformed => "malformed_bursts",
                    },
                    1,
                ),
            }
        }
        match axes {
            [Some(x), Some(y), Some(z)] => {
                let value = Value::Samples { rate_hz: 0, lost: 0, xyz: vec![[x, y, z]] };
                reports.push(report(Vital::ACCELERATION, value, None));
            }
            [None, None, None] => {}
            // An axis alone is no vector, and yesterday's other two would be a lie.
            _ => self.counters.add("incomplete_vectors", 1),
        }
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_stopped_and_a_fast_sensor_is_not() {
        let mut bucket = Bucket::new(0, 200);
        assert!((0..100_000).all(|n| bucket.take(n * 6_000)), "166 messages a second for ten minutes");
        let admitted = (0..10_000).filter(|n| bucket.take(600_000_000 + n * 100)).count();
        assert!((2000..2300).contains(&admitted), "{admitted}");
    }

    #[test]
    fn a_length_that_lies_is_no_message() {
        let mut data = vec![0; 20];
        data[16] = 3;
        let said = |command, data: &[u8]| Indication { command, data: data.to_vec(), mono_us: 0, utc_us: 0 };
        assert!(Message::parse(&said(AF_INCOMING, &data)).is_some());
        data[16] = 4;
        assert!(Message::parse(&said(AF_INCOMING, &data)).is_none());
        let mut long = vec![0; 30];
        (long[4], long[5], long[25]) = (2, 7, 3);
        assert_eq!(Message::parse(&said(AF_INCOMING_EXT, &long)).map(|message| message.network), Some(7));
        (long[4], long[5]) = (3, 9);
        assert_eq!(Message::parse(&said(AF_INCOMING_EXT, &long)).and_then(|message| message.ieee), Some(Ieee(9)));
        long[26] = 1;
        assert!(Message::parse(&said(AF_INCOMING_EXT, &long)).is_none());
    }

    #[test]
    fn odd_sequences_are_named() {
        let mut recent = Recent::default();
        let names: Vec<_> = [254, 255, 0, 0, 4, 2].map(|sequence| recent.sequence(1, sequence)).to_vec();
        let (repeats, gaps, back) = (Some("sequence_repeats"), Some("sequence_gaps"), Some("sequence_steps_back"));
        assert_eq!(names, [None, None, None, repeats, gaps, back]);
    }
}
