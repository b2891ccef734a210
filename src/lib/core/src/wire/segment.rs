//! The Segment, wire format version 1.
//!
//! ```text
//! magic "MEDS" | version u8 = 1 | unpacked length u32 LE | body, zstd | CRC-32 (IEEE) u32 LE of everything before it
//! body: alert 16 bytes | part | epoch | from µs | to - from | cut u8 | n, then n x (length | reading, wire::reading)
//! ```
//! Fields without a type are varints, signed ones zigzag. The content hash is that of an envelope.

use uuid::Uuid;

use super::{Malformed, Reader, Writer, reading};
use crate::noun::{Segment, UtcUs};

const MAGIC: &[u8; 4] = b"MEDS";
const VERSION: u8 = 1;
const HEADER: usize = 9;
const CRC: usize = 4;
/// A reading and its length have more bytes than this.
const READING_LEAST: usize = 20;

/// No sealed segment is larger.
pub const MAX_BYTES: usize = 256 << 10;
/// Nor unpacked: a quarter of an hour of acceleration at 100 Hz.
const MAX_UNPACKED: usize = 1 << 20;

/// Why bytes are not a segment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Too short, or not ours.
    #[error("not a medmon segment")]
    NotASegment,
    /// From a release we cannot read.
    #[error("segment version {0} is not known here; this program reads version 1")]
    Version(u8),
    /// Larger than any segment, packed or unpacked.
    #[error("a segment of {0} bytes is over the most there is")]
    Length(usize),
    /// Damaged on its way.
    #[error("segment check sum differs: damaged on its way")]
    Crc,
    /// The body does not unpack to what it claims.
    #[error("segment body does not unpack")]
    Unpack,
    /// The body is not laid out as version 1.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Seals `segment`. What does not fit is cut, the readings farthest from `around_us` first, and that is said in it.
/// The same segment gives the same bytes.
pub fn seal(mut segment: Segment, around_us: UtcUs) -> Vec<u8> {
    loop {
        let body = body(&segment);
        // A compressor without memory has made nothing that could be opened; the next try is smaller.
        let sealed = pack(&body).unwrap_or_default();
        let (largest, most) =
            if body.len() > MAX_UNPACKED { (body.len(), MAX_UNPACKED) } else { (sealed.len(), MAX_BYTES) };
        if (largest <= most && !sealed.is_empty()) || segment.readings.is_empty() {
            return sealed;
        }
        let kept = (segment.readings.len() * most / largest.max(most)).saturating_sub(1 + segment.readings.len() / 32);
        let mut far: Vec<_> = segment.readings.iter().map(|row| row.utc_us.abs_diff(around_us)).collect();
        far.sort_unstable();
        let limit = far.get(kept).copied().unwrap_or_default();
        segment.readings.retain(|row| row.utc_us.abs_diff(around_us) < limit);
        segment.cut = true;
    }
}

fn pack(body: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(body, 3).ok()?;
    let mut out = Vec::with_capacity(HEADER + packed.len() + CRC);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&packed);
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    Some(out)
}

/// Opens sealed bytes.
pub fn open(sealed: &[u8]) -> Result<Segment, SegmentError> {
    if sealed.len() > MAX_BYTES {
        return Err(SegmentError::Length(sealed.len()));
    }
    if sealed.len() < HEADER + CRC || &sealed[..4] != MAGIC {
        return Err(SegmentError::NotASegment);
    }
    let (checked, crc) = sealed.split_at(sealed.len() - CRC);
    if crc32fast::hash(checked).to_le_bytes() != crc {
        return Err(SegmentError::Crc);
    }
    // After the check sum: a damaged version byte is damage, not a newer release.
    if sealed[4] != VERSION {
        return Err(SegmentError::Version(sealed[4]));
    }
    let unpacked = u32::from_le_bytes([sealed[5], sealed[6], sealed[7], sealed[8]]) as usize;
    if unpacked > MAX_UNPACKED {
        return Err(SegmentError::Length(unpacked));
    }
    let body = zstd::bulk::decompress(&checked[HEADER..], unpacked).map_err(|_| SegmentError::Unpack)?;
    if body.len() == unpacked { Ok(open_body(&body)?) } else { Err(SegmentError::Unpack) }
}

fn body(segment: &Segment) -> Vec<u8> {
    let mut out = Writer::default();
    out.0.extend_from_slice(segment.alert.as_bytes());
    out.uint(segment.part);
    out.uint(segment.epoch);
    out.int(segment.from_us);
    out.int(segment.to_us.wrapping_sub(segment.from_us));
    out.0.push(segment.cut.into());
    out.uint(segment.readings.len() as u64);
    for row in &segment.readings {
        out.bytes(&reading::encode(row));
    }
    out.0
}

fn open_body(body: &[u8]) -> Result<Segment, Malformed> {
    let mut input = Reader::new(body);
    let mut alert = [0; 16];
    alert.copy_from_slice(input.take(16, "alert id")?);
    let (part, epoch, from_us) = (input.uint("part")?, input.uint("epoch")?, input.int("start")?);
    let to_us = from_us.wrapping_add(input.int("length")?);
    let cut = match input.byte("cut")? {
        0 => false,
        1 => true,
        _ => return Err(input.malformed("cut")),
    };
    let count: usize = input.fit("reading count")?;
    // What cannot be there is not allocated for.
    if count > input.left() / READING_LEAST {
        return Err(input.malformed("reading count"));
    }
    let readings = (0..count).map(|_| reading::decode(input.bytes("reading")?)).collect::<Result<_, _>>()?;
    if input.left() != 0 {
        return Err(input.malformed("end"));
    }
    Ok(Segment { alert: Uuid::from_bytes(alert), part, epoch, from_us, to_us, cut, readings })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::noun::{ClockQuality, Ieee, Quality, Reading, ReadingId, Value, Vital};

    fn reading(sequence: u64, vital: Vital, value: Value) -> Reading {
        Reading {
            id: ReadingId { boot: 3, sequence },
            epoch: 7,
            device: Ieee(0x0012_4b00_2a5c_0d01),
            endpoint: 1,
            vital,
            value,
            mono_us: sequence as i64 * 1_000_000,
            utc_us: 1_795_000_000_000_000 + sequence as i64 * 1_000_000,
            clock: ClockQuality::Synced,
            quality: Quality::Good,
            link_quality: 200,
        }
    }

    fn segment(readings: Vec<Reading>) -> Segment {
        let (alert, from_us) = (Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), 1_795_000_000_000_000);
        Segment { alert, part: 2, epoch: 7, from_us, to_us: from_us + 600_000_000, cut: false, readings }
    }

    fn example() -> Segment {
        let burst = Value::Samples { rate_hz: 50, lost: 1, xyz: vec![[0, 20, 990], [3, -4100, 60]] };
        let rate = |sequence| reading(sequence, Vital::HEART_RATE, Value::Scalar(400 + sequence as i32));
        segment(vec![rate(0), reading(1, Vital::ACCELERATION, burst), rate(2)])
    }

    /// Samples that nothing compresses.
    fn noise(seconds: u64, rate: u64) -> Segment {
        let mut state = 1_u64;
        let mut axis = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 48) as i16 / 4
        };
        let mut burst = |second| {
            let xyz = (0..rate).map(|_| [axis(), axis(), axis()]).collect();
            reading(second, Vital::ACCELERATION, Value::Samples { rate_hz: 100, lost: 0, xyz })
        };
        segment((0..seconds).map(&mut burst).collect())
    }

    fn any_segment() -> impl Strategy<Value = Segment> {
        let value = prop_oneof![
            any::<i32>().prop_map(Value::Scalar),
            (any::<u8>(), any::<u16>(), prop::collection::vec(any::<[i16; 3]>(), 0..20))
                .prop_map(|(rate_hz, lost, xyz)| Value::Samples { rate_hz, lost, xyz }),
        ];
        let rows = prop::collection::vec((any::<(u64, u16, i64, u64)>(), value), 0..30);
        (any::<(u128, u64, u64, i64, i64, bool)>(), rows).prop_map(|(head, rows)| Segment {
            alert: Uuid::from_u128(head.0),
            part: head.1,
            epoch: head.2,
            from_us: head.3,
            to_us: head.4,
            cut: head.5,
            readings: rows
                .into_iter()
                .map(|(row, value)| Reading {
                    utc_us: row.2,
                    epoch: row.3,
                    ..reading(row.0 >> 24, Vital(row.1), value)
                })
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(segment in any_segment()) {
            prop_assert_eq!(open(&seal(segment.clone(), 0)), Ok(segment));
        }

        #[test]
        fn every_truncation_is_refused(segment in any_segment(), cut in any::<prop::sample::Index>()) {
            let sealed = seal(segment, 0);
            prop_assert!(open(&sealed[..cut.index(sealed.len())]).is_err());
        }

        #[test]
        fn garbage_in_a_right_frame_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(open(&pack(&body).unwrap()).ok(), open_body(&body).ok());
            prop_assert!(open(&body).is_err());
        }
    }

    #[test]
    fn every_bit_flip_is_refused() {
        let sealed = seal(example(), 0);
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&damaged).is_err(), "bit {bit}");
        }
    }

    /// The golden file of version 1, kept for ever.
    #[test]
    fn the_golden_segment_of_version_1_opens() {
        let hex = include_str!("../../golden/segment_v1.hex");
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let golden: Vec<u8> = digits.chunks(2).map(byte).collect();
        assert_eq!(open(&golden), Ok(example()));
    }

    #[test]
    fn what_does_not_fit_is_cut_at_the_far_ends_and_said() {
        // 7 min of noise, half a MiB sealed, raised after two of them.
        let all = noise(420, 200);
        let around_us = all.readings[120].utc_us;
        let sealed = seal(all, around_us);
        assert!((MAX_BYTES * 3 / 4..=MAX_BYTES).contains(&sealed.len()), "{}", sealed.len());
        let opened = open(&sealed).unwrap();
        let ends = [opened.readings.first(), opened.readings.last()].map(|row| row.unwrap().id.sequence);
        assert!(opened.cut && (1..100).contains(&ends[0]) && (140..419).contains(&ends[1]), "{ends:?}");
        assert_eq!(ends[1] - ends[0] + 1, opened.readings.len() as u64, "nothing is missing between them");
        let full = seal(noise(60, 50), around_us);
        assert!(!open(&full).unwrap().cut, "{} bytes fit", full.len());
    }

    #[test]
    fn lying_lengths_allocate_nothing() {
        let forged = |at: usize, bytes: &[u8]| {
            let mut sealed = seal(example(), 0);
            let crc_at = sealed.len() - CRC;
            sealed[at..at + bytes.len()].copy_from_slice(bytes);
            let crc = crc32fast::hash(&sealed[..crc_at]).to_le_bytes();
            sealed[crc_at..].copy_from_slice(&crc);
            open(&sealed)
        };
        assert_eq!(forged(5, &u32::MAX.to_le_bytes()), Err(SegmentError::Length(u32::MAX as usize)));
        assert_eq!(forged(4, &[9]), Err(SegmentError::Version(9)));
        let mut claim = body(&segment(Vec::new()));
        claim.pop();
        let mut claim = Writer(claim);
        claim.uint(u64::MAX);
        assert!(open_body(&claim.0).is_err());
        assert_eq!(open(&vec![0; MAX_BYTES + 1]), Err(SegmentError::Length(MAX_BYTES + 1)));
    }
}
