//! A Reading at rest in a broker, version 1. Broker files are local and short-lived; the version byte lets a newer
//! gateway read what an older one left.
//!
//! ```text
//! version u8 = 1 | boot | sequence | epoch | device u64 LE | endpoint u8 | vital | mono µs | utc µs | clock u8 | quality u8
//! | link quality u8 | kind u8: 0 scalar: stored; 1 samples: rate u8, lost, n, then n x (x, y, z) as differences
//! ```
//! Fields without a type are varints, signed ones zigzag.

use super::{Malformed, Reader, Writer};
use crate::noun::{ClockQuality, Ieee, Quality, Reading, ReadingId, Value, Vital};

const VERSION: u8 = 1;
/// More samples than any frame can carry; a larger count is a lie.
const MAX_SAMPLES: usize = 4096;

/// `reading` in bytes.
pub fn encode(reading: &Reading) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(48));
    encode_into(reading, &mut out);
    out.0
}

/// Appends `reading` to `out`.
pub fn encode_into(reading: &Reading, out: &mut Writer) {
    out.0.push(VERSION);
    out.uint(reading.id.boot.into());
    out.uint(reading.id.sequence);
    out.uint(reading.epoch);
    out.0.extend_from_slice(&reading.device.0.to_le_bytes());
    out.0.push(reading.endpoint);
    out.uint(reading.vital.0.into());
    out.int(reading.mono_us);
    out.int(reading.utc_us);
    out.0.push(match reading.clock {
        ClockQuality::Synced => 0,
        ClockQuality::Holdover => 1,
        ClockQuality::Unset => 2,
    });
    out.0.push(reading.quality.to_code());
    out.0.push(reading.link_quality);
    match &reading.value {
        Value::Scalar(stored) => {
            out.0.push(0);
            out.int((*stored).into());
        }
        Value::Samples { rate_hz, lost, xyz } => {
            out.0.extend_from_slice(&[1, *rate_hz]);
            out.uint((*lost).into());
            out.uint(xyz.len() as u64);
            let mut before = [0_i16; 3];
            for sample in xyz {
                for (axis, last) in sample.iter().zip(&before) {
                    out.int(i64::from(*axis) - i64::from(*last));
                }
                before = *sample;
            }
        }
    }
}

/// The reading in `bytes`.
pub fn decode(bytes: &[u8]) -> Result<Reading, Malformed> {
    let mut input = Reader::new(bytes);
    if input.byte("version")? != VERSION {
        return Err(input.malformed("version"));
    }
    let id = ReadingId { boot: input.fit("boot")?, sequence: input.uint("sequence")? };
    let epoch = input.uint("epoch")?;
    let mut address = [0; 8];
    address.copy_from_slice(input.take(8, "device")?);
    let (device, endpoint) = (Ieee(u64::from_le_bytes(address)), input.byte("endpoint")?);
    let vital = Vital(input.fit("vital")?);
    let (mono_us, utc_us) = (input.int("monotonic time")?, input.int("time")?);
    let clock = match input.byte("clock quality")? {
        0 => ClockQuality::Synced,
        1 => ClockQuality::Holdover,
        2 => ClockQuality::Unset,
        _ => return Err(input.malformed("clock quality")),
    };
    let quality = Quality::from_code(input.byte("quality")?).ok_or_else(|| input.malformed("quality"))?;
    let link_quality = input.byte("link quality")?;
    let value = match input.byte("kind")? {
        0 => Value::Scalar(input.int32("value")?),
        1 => samples(&mut input)?,
        _ => return Err(input.malformed("kind")),
    };
    if input.left() != 0 {
        return Err(input.malformed("end"));
    }
    Ok(Reading { id, epoch, device, endpoint, vital, value, mono_us, utc_us, clock, quality, link_quality })
}

fn samples(input: &mut Reader<'_>) -> Result<Value, Malformed> {
    let rate_hz = input.byte("rate")?;
    let lost = input.fit("lost samples")?;
    let count: usize = input.fit("sample count")?;
    // Three bytes a sample at least: what cannot be there is not allocated for.
    if count > MAX_SAMPLES || count * 3 > input.left() {
        return Err(input.malformed("sample count"));
    }
    let mut xyz = Vec::with_capacity(count);
    let mut before = [0_i64; 3];
    for _ in 0..count {
        let mut sample = [0_i16; 3];
        for (axis, last) in sample.iter_mut().zip(&mut before) {
            *last = last.wrapping_add(input.int("sample")?);
            *axis = i16::try_from(*last).map_err(|_| input.malformed("sample"))?;
        }
        xyz.push(sample);
    }
    Ok(Value::Samples { rate_hz, lost, xyz })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading() -> impl Strategy<Value = Reading> {
        let value = prop_oneof![
            any::<i32>().prop_map(Value::Scalar),
            (any::<u8>(), any::<u16>(), prop::collection::vec(any::<[i16; 3]>(), 0..40))
                .prop_map(|(rate_hz, lost, xyz)| Value::Samples { rate_hz, lost, xyz }),
        ];
        (any::<(u32, u64, u64, u8, u16, i64, i64, u8, u64)>(), 0u8..6, value).prop_map(|(row, reason, value)| Reading {
            id: ReadingId { boot: row.0, sequence: row.1 },
            epoch: row.8,
            device: Ieee(row.2),
            endpoint: row.3,
            vital: Vital(row.4),
            value,
            mono_us: row.5,
            utc_us: row.6,
            clock: ClockQuality::Holdover,
            quality: Quality::from_code(reason).unwrap_or_default(),
            link_quality: row.7,
        })
    }

    proptest! {
        #[test]
        fn a_reading_survives(reading in reading()) {
            prop_assert_eq!(decode(&encode(&reading)), Ok(reading));
        }

        #[test]
        fn a_truncated_reading_is_refused(reading in reading(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&reading);
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }
}
