//! The sealed Envelope: wire format version 2; version 1 is opened for ever.
//!
//! ```text
//! version 2: magic "MEDM" | version u8 = 2 | flags u8 (bit 0: body is zstd) | where it is: unpacked length u32 LE | body
//!            | CRC-32 (IEEE) u32 LE of everything before it
//! version 1: the same, with body length u32 LE | unpacked length u32 LE in any case
//! body:    install 16 bytes | stream u8 | sequence | epoch | sealed µs | sections
//! section: tag | length | bytes          a reader skips tags that it does not know
//! tag 1, windows:  version 2: `columns.rs`
//!                  version 1: per series: vital | span s | n, then columns of n, each as differences or offsets:
//!                  start (in spans, or µs where the span is 0), min, max - min, last - min, sum - min * count,
//!                  count, last ms, coverage, suspect
//! tag 2, gaps:     n, then n x (vital | device u64 LE | from µs | to - from | lost)
//! ```
//! Fields without a type are varints, signed ones zigzag. The content hash is SHA-256 of the whole envelope.

mod columns;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Malformed, Reader, Writer};
use crate::noun::{Envelope, Gap, Ieee, Vital, Window};

const MAGIC: &[u8; 4] = b"MEDM";
const VERSION: u8 = 2;
const ZSTD: u8 = 1;
/// Magic, version and flags.
const START: usize = 6;
const CRC: usize = 4;
const TAG_WINDOWS: u64 = 1;
const TAG_GAPS: u64 = 2;

/// No envelope is larger, packed or unpacked.
pub const MAX_BYTES: usize = 4 << 20;

/// Why bytes are not an envelope.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Too short, or not ours.
    #[error("not a medmon envelope")]
    NotAnEnvelope,
    /// From a release we cannot read.
    #[error("envelope version {0} is not known here; this program reads versions 1 and 2")]
    Version(u8),
    /// A flag bit that this release does not know.
    #[error("envelope flags {0:#04x} are not known here")]
    Flags(u8),
    /// A length that is larger than any envelope, or not what arrived.
    #[error("envelope length {0} is not what arrived, or over 4 MiB")]
    Length(usize),
    /// Damaged on its way.
    #[error("envelope check sum differs: damaged on its way")]
    Crc,
    /// The packed body does not unpack to what it claims.
    #[error("envelope body does not unpack")]
    Unpack,
    /// The body is not laid out as its version says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// The content hash that, with the identity, tells a duplicate from a forgery.
pub fn hash(sealed: &[u8]) -> [u8; 32] {
    Sha256::digest(sealed).into()
}

/// Seals `envelope`. The same envelope gives the same bytes.
pub fn encode(envelope: &Envelope) -> Vec<u8> {
    let body = body(envelope);
    let packed = zstd::bulk::compress(&body, 3).ok().filter(|packed| packed.len() < body.len());
    let flags = if packed.is_some() { ZSTD } else { 0 };
    let carried = packed.as_deref().unwrap_or(&body);
    let mut out = Vec::with_capacity(START + 4 + carried.len() + CRC);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[VERSION, flags]);
    if flags == ZSTD {
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(carried);
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    out
}

/// Opens sealed bytes.
pub fn decode(sealed: &[u8]) -> Result<Envelope, EnvelopeError> {
    if sealed.len() < START + CRC || &sealed[..4] != MAGIC {
        return Err(EnvelopeError::NotAnEnvelope);
    }
    if sealed.len() > MAX_BYTES {
        return Err(EnvelopeError::Length(sealed.len()));
    }
    let (checked, sum) = sealed.split_at(sealed.len() - CRC);
    if crc32fast::hash(checked).to_le_bytes() != sum {
        return Err(EnvelopeError::Crc);
    }
    // After the check sum: a damaged version byte is damage, not a newer release.
    let (version, flags) = (sealed[4], sealed[5]);
    if !(1..=VERSION).contains(&version) {
        return Err(EnvelopeError::Version(version));
    }
    if flags & !ZSTD != 0 {
        return Err(EnvelopeError::Flags(flags));
    }
    let mut carried = &checked[START..];
    let mut length = || {
        let (length, rest) = carried.split_first_chunk::<4>().ok_or(EnvelopeError::NotAnEnvelope)?;
        carried = rest;
        Ok::<_, EnvelopeError>(u32::from_le_bytes(*length) as usize)
    };
    let carried_len = if version == 1 { Some(length()?) } else { None };
    let body_len = if version == 1 || flags == ZSTD { Some(length()?) } else { None };
    if let Some(wrong) = carried_len.filter(|claimed| *claimed != carried.len()) {
        return Err(EnvelopeError::Length(wrong));
    }
    let body_len = body_len.unwrap_or(carried.len());
    if body_len > MAX_BYTES {
        return Err(EnvelopeError::Length(body_len));
    }
    if flags & ZSTD == 0 {
        return if carried.len() == body_len { open_body(carried, version) } else { Err(EnvelopeError::Unpack) };
    }
    let body = zstd::bulk::decompress(carried, body_len).map_err(|_| EnvelopeError::Unpack)?;
    if body.len() == body_len { open_body(&body, version) } else { Err(EnvelopeError::Unpack) }
}

fn body(envelope: &Envelope) -> Vec<u8> {
    let mut out = Writer::default();
    out.0.extend_from_slice(envelope.install.as_bytes());
    out.0.push(envelope.stream);
    out.uint(envelope.sequence);
    out.uint(envelope.epoch);
    out.int(envelope.sealed_us);
    let mut section = |tag, bytes: Vec<u8>| {
        if !bytes.is_empty() {
            out.uint(tag);
            out.bytes(&bytes);
        }
    };
    section(TAG_WINDOWS, columns::write(&envelope.windows, envelope.sealed_us));
    section(TAG_GAPS, gaps_section(&envelope.gaps));
    out.0
}

fn open_body(body: &[u8], version: u8) -> Result<Envelope, EnvelopeError> {
    let mut input = Reader::new(body);
    let mut install = [0; 16];
    install.copy_from_slice(input.take(16, "install id")?);
    let mut envelope = Envelope {
        install: Uuid::from_bytes(install),
        stream: input.byte("stream")?,
        sequence: input.uint("sequence")?,
        epoch: input.uint("epoch")?,
        sealed_us: input.int("sealing time")?,
        windows: Vec::new(),
        gaps: Vec::new(),
    };
    while input.left() > 0 {
        let tag = input.uint("section tag")?;
        let section = input.bytes("section")?;
        match tag {
            TAG_WINDOWS if version == 1 => open_windows(&mut Reader::new(section), &mut envelope.windows)?,
            // Twice, a few bytes would unpack to all windows that are admitted again and again.
            TAG_WINDOWS if !envelope.windows.is_empty() => {
                return Err(input.malformed("second section of windows").into());
            }
            TAG_WINDOWS => envelope.windows = columns::read(section, envelope.sealed_us)?,
            TAG_GAPS => open_gaps(&mut Reader::new(section), &mut envelope.gaps)?,
            _ => {}
        }
    }
    Ok(envelope)
}

/// Version 1.
fn open_windows(input: &mut Reader<'_>, windows: &mut Vec<Window>) -> Result<(), Malformed> {
    while input.left() > 0 {
        let vital = Vital(input.fit("vital")?);
        let span_s: u32 = input.fit("span")?;
        let count: usize = input.fit("window count")?;
        // Nine columns of a byte at least: what cannot be there is not allocated for.
        if count.checked_mul(9).is_none_or(|least| least > input.left()) {
            return Err(input.malformed("window count"));
        }
        let first = windows.len();
        let unit = start_unit(span_s);
        let mut start = 0_i64;
        for _ in 0..count {
            start = start.wrapping_add(input.int("start")?);
            let start_us = start.checked_mul(unit).ok_or_else(|| input.malformed("start"))?;
            let zero = Window { start_us, ..Window::of(vital, 0, 0, 0, true) };
            windows.push(Window { span_s, ..zero });
        }
        let series = &mut windows[first..];
        let mut before = 0_i64;
        for window in series.iter_mut() {
            before = before.wrapping_add(input.int("min")?);
            window.min = i32::try_from(before).map_err(|_| input.malformed("min"))?;
        }
        for window in series.iter_mut() {
            window.max = above(input, window.min, "max")?;
        }
        for window in series.iter_mut() {
            window.last = above(input, window.min, "last")?;
        }
        for window in series.iter_mut() {
            window.sum = input.int("sum")?;
        }
        for window in series.iter_mut() {
            window.count = input.fit("count")?;
            window.sum = window.sum.wrapping_add(floor_sum(window.min, window.count));
        }
        for window in series.iter_mut() {
            window.last_ms = input.fit("last time")?;
        }
        for window in series.iter_mut() {
            window.coverage = input.fit("coverage")?;
        }
        for window in series.iter_mut() {
            window.suspect = input.fit("suspect")?;
        }
    }
    Ok(())
}

fn above(input: &mut Reader<'_>, min: i32, what: &'static str) -> Result<i32, Malformed> {
    let offset = input.int(what)?;
    let value = i64::from(min).checked_add(offset).and_then(|value| i32::try_from(value).ok());
    value.ok_or_else(|| input.malformed(what))
}

fn floor_sum(min: i32, count: u32) -> i64 {
    i64::from(min) * i64::from(count)
}

fn start_unit(span_s: u32) -> i64 {
    if span_s == 0 { 1 } else { i64::from(span_s) * 1_000_000 }
}

fn gaps_section(gaps: &[Gap]) -> Vec<u8> {
    let mut out = Writer::default();
    if !gaps.is_empty() {
        out.uint(gaps.len() as u64);
    }
    for gap in gaps {
        out.uint(gap.vital.0.into());
        out.0.extend_from_slice(&gap.device.0.to_le_bytes());
        out.int(gap.from_us);
        out.int(gap.to_us.wrapping_sub(gap.from_us));
        out.uint(gap.lost.into());
    }
    out.0
}

fn open_gaps(input: &mut Reader<'_>, gaps: &mut Vec<Gap>) -> Result<(), Malformed> {
    let count: usize = input.fit("gap count")?;
    for _ in 0..count {
        let vital = Vital(input.fit("vital")?);
        let mut address = [0; 8];
        address.copy_from_slice(input.take(8, "device")?);
        let from_us = input.int("gap start")?;
        let to_us = from_us.wrapping_add(input.int("gap length")?);
        gaps.push(Gap { vital, device: Ieee(u64::from_le_bytes(address)), from_us, to_us, lost: input.fit("lost")? });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window() -> impl Strategy<Value = Window> {
        (any::<(u16, i32, i32, i32, i64)>(), 0i64..1 << 31, 0u32..4000, any::<(u32, u32, u16, u32)>()).prop_map(
            |(values, start, span_s, counts)| Window {
                vital: Vital(values.0 % 12),
                start_us: start * start_unit(span_s),
                span_s,
                min: values.1,
                max: values.2,
                last: values.3,
                sum: values.4,
                count: counts.0,
                last_ms: counts.1,
                coverage: counts.2,
                suspect: counts.3,
            },
        )
    }

    fn envelope() -> impl Strategy<Value = Envelope> {
        let gap = any::<(u16, u64, i64, i64, u32)>().prop_map(|(vital, device, from_us, to_us, lost)| Gap {
            vital: Vital(vital),
            device: Ieee(device),
            from_us,
            to_us,
            lost,
        });
        let lists = (prop::collection::vec(window(), 0..40), prop::collection::vec(gap, 0..4));
        (any::<u128>(), any::<u8>(), any::<u64>(), any::<u64>(), any::<i64>(), lists).prop_map(
            |(install, stream, sequence, epoch, sealed_us, (windows, gaps))| Envelope {
                install: Uuid::from_u128(install),
                stream,
                sequence,
                epoch,
                sealed_us,
                windows,
                gaps,
            },
        )
    }

    fn example() -> Envelope {
        let minute = |index: i64, mean: i32| Window {
            vital: Vital::HEART_RATE,
            start_us: 1_795_000_020_000_000 + index * 60_000_000,
            span_s: 60,
            min: mean - 20,
            max: mean + 30,
            sum: i64::from(mean) * 30,
            count: 30,
            last: mean,
            last_ms: 58_000,
            coverage: 1000,
            suspect: 0,
        };
        let glucose = Window::of(Vital::GLUCOSE, 1_795_000_021_500_000, 1120, 1000, true);
        Envelope {
            install: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            stream: 0,
            sequence: 42,
            epoch: 7,
            sealed_us: 1_795_000_320_000_000,
            windows: (0..5).map(|index| minute(index, 720 + index as i32)).chain([glucose]).collect(),
            gaps: vec![Gap {
                vital: Vital::TEMPERATURE,
                device: Ieee(0x0012_4b00_2a5c_0d01),
                from_us: 1_795_000_000_000_000,
                to_us: 1_795_000_060_000_000,
                lost: 12,
            }],
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(envelope in envelope()) {
            prop_assert_eq!(decode(&encode(&envelope)), Ok(envelope));
        }

        #[test]
        fn every_truncation_is_refused(envelope in envelope(), cut in any::<prop::sample::Index>()) {
            let sealed = encode(&envelope);
            prop_assert!(decode(&sealed[..cut.index(sealed.len())]).is_err());
        }

        #[test]
        fn a_changed_body_in_a_right_frame_never_panics(
            envelope in envelope(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            at in any::<prop::sample::Index>(),
            more in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            // Behind the identity, or nearly all would be refused there.
            let mut body = super::body(&envelope);
            for (at, byte) in changes {
                let length = body.len();
                let at = at.index(length);
                body[if at < 17 { length - 1 } else { at }] = byte;
            }
            let _ = open_body(&body, VERSION);
            let mut section = columns::write(&envelope.windows, envelope.sealed_us);
            let at = at.index(section.len() + 1);
            let end = (at + more.len()).min(section.len());
            section.splice(at..end, more);
            let opened = columns::read(&section, envelope.sealed_us);
            prop_assert!(opened.map_or(0, |windows| windows.len()) <= columns::MAX_WINDOWS);
        }

        #[test]
        fn garbage_in_a_right_frame_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            for version in 1..=VERSION {
                prop_assert!(open_body(&body, version).is_ok() || open_body(&body, version).is_err());
            }
        }
    }

    #[test]
    fn every_bit_flip_is_refused() {
        let sealed = encode(&example());
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
    }

    fn golden(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// The golden files, kept for ever: what a gateway sealed years ago still opens.
    #[test]
    fn the_golden_envelopes_open() {
        for hex in [include_str!("../../../golden/envelope_v1.hex"), include_str!("../../../golden/envelope_v2.hex")] {
            assert_eq!(decode(&golden(hex)), Ok(example()));
        }
        assert_eq!(encode(&example()), golden(include_str!("../../../golden/envelope_v2.hex")));
    }

    #[test]
    fn a_section_of_a_newer_release_is_skipped() {
        let mut writer = Writer(body(&example()));
        writer.uint(99);
        writer.bytes(b"from the future");
        assert_eq!(open_body(&writer.0, VERSION), Ok(example()));
    }

    #[test]
    fn windows_come_once() {
        let mut writer = Writer(body(&example()));
        writer.uint(TAG_WINDOWS);
        writer.bytes(&columns::write(&example().windows, example().sealed_us));
        assert!(open_body(&writer.0, VERSION).is_err());
    }

    #[test]
    fn a_lying_length_allocates_nothing() {
        let resealed = |mut sealed: Vec<u8>| {
            let crc_at = sealed.len() - CRC;
            let crc = crc32fast::hash(&sealed[..crc_at]).to_le_bytes();
            sealed[crc_at..].copy_from_slice(&crc);
            decode(&sealed)
        };
        let mut first = golden(include_str!("../../../golden/envelope_v1.hex"));
        first[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(resealed(first), Err(EnvelopeError::Length(u32::MAX as usize)));
        // Nothing but usual values: as many windows as are admitted, and not one more.
        let usual = Window { sum: 0, last_ms: 60_000, ..Window::of(Vital::HEART_RATE, 0, 0, 1000, true) };
        let many = |count: i64| {
            let windows = (0..count).map(|at| Window { start_us: at * 60_000_000, ..usual.clone() }).collect();
            encode(&Envelope { windows, ..example() })
        };
        assert!(many(columns::MAX_WINDOWS as i64).len() < 200);
        assert!(resealed(many(columns::MAX_WINDOWS as i64)).is_ok());
        assert!(matches!(resealed(many(columns::MAX_WINDOWS as i64 + 1)), Err(EnvelopeError::Malformed(_))));
    }
}
