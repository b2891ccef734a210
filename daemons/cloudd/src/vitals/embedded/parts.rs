//! Parts of windows of one series as they come, in about ten bytes each: in memory, in hot files, in the catalogue.
//!
//! ```text
//! part: start, as the difference to the one before: in µs where the span is 0; else in spans, zigzag, twice, plus 1 if
//!       it is off such a step | if so, by how many µs | min, as the difference to the one before | max - min | last - min
//!       | sum - min * count | count | span in ms - last ms | 1000 - coverage | suspect
//! sealed: parts | CRC-32 (IEEE) u32 LE
//! ```
//! All are varints, signed ones zigzag.

use medmon_core::noun::{Vital, Window};
use medmon_core::wire::{Malformed, Reader, Writer};

use super::key::unit_us;

const CRC: usize = 4;

/// Parts of one series.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: Vec<u8>,
    start: i64,
    min: i32,
}

impl Parts {
    /// Adds a part.
    pub fn push(&mut self, part: &Window) {
        // In steps of a quarter: doubling would hold as much again of what a hundred thousand homes send in an hour.
        if self.bytes.capacity() - self.bytes.len() < 48 {
            self.bytes.reserve_exact(64 + self.bytes.len() / 4);
        }
        let unit = unit_us(part.span_s);
        let (index, rest) = (part.start_us.div_euclid(unit), part.start_us.rem_euclid(unit));
        let step = index.wrapping_sub(self.start);
        let min = i64::from(part.min);
        let mut out = Writer(std::mem::take(&mut self.bytes));
        if part.span_s == 0 {
            out.int(step);
        } else {
            out.uint((zigzag(step) << 1) | u64::from(rest != 0));
        }
        if rest != 0 {
            out.uint(rest as u64);
        }
        out.int(min - i64::from(self.min));
        out.int(i64::from(part.max) - min);
        out.int(i64::from(part.last) - min);
        out.int(part.sum.wrapping_sub(min * i64::from(part.count)));
        out.uint(part.count.into());
        out.int(i64::from(part.span_s) * 1000 - i64::from(part.last_ms));
        out.int(1000 - i64::from(part.coverage));
        out.uint(part.suspect.into());
        *self = Self { bytes: out.0, start: index, min: part.min };
    }

    /// Shows each part to `see`.
    pub fn each(&self, vital: Vital, span_s: u32, see: impl FnMut(Window)) -> Result<(), Malformed> {
        each(&self.bytes, vital, span_s, see)
    }

    /// The parts with their check sum.
    pub fn seal(mut self) -> Vec<u8> {
        let crc = crc32fast::hash(&self.bytes);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.bytes
    }
}

/// Shows each part of sealed ones to `see`.
pub fn open(sealed: &[u8], vital: Vital, span_s: u32, see: impl FnMut(Window)) -> Result<(), Malformed> {
    let refused = Malformed { what: "check sum", at: sealed.len() };
    let (bytes, crc) = sealed.split_at_checked(sealed.len().saturating_sub(CRC)).ok_or(refused)?;
    if crc != crc32fast::hash(bytes).to_le_bytes() {
        return Err(refused);
    }
    each(bytes, vital, span_s, see)
}

fn each(bytes: &[u8], vital: Vital, span_s: u32, mut see: impl FnMut(Window)) -> Result<(), Malformed> {
    let mut input = Reader::new(bytes);
    let unit = unit_us(span_s);
    let (mut start, mut min) = (0_i64, 0_i32);
    while input.left() > 0 {
        let (step, off) = match span_s {
            0 => (input.int("start")?, false),
            _ => input.uint("start").map(|step| (unzigzag(step >> 1), step & 1 == 1))?,
        };
        let rest = if off { input.uint("rest")? as i64 } else { 0 };
        start = start.wrapping_add(step);
        min = above(&mut input, min, "min")?;
        let (max, last) = (above(&mut input, min, "max")?, above(&mut input, min, "last")?);
        let (over, count) = (input.int("sum")?, input.fit::<u32>("count")?);
        let last_ms = (i64::from(span_s) * 1000).wrapping_sub(input.int("last time")?);
        let coverage = 1000_i64.wrapping_sub(input.int("coverage")?);
        see(Window {
            vital,
            start_us: start.wrapping_mul(unit).wrapping_add(rest),
            span_s,
            min,
            max,
            sum: over.wrapping_add(i64::from(min) * i64::from(count)),
            count,
            last,
            last_ms: last_ms as u32,
            coverage: coverage as u16,
            suspect: input.fit("suspect")?,
        });
    }
    Ok(())
}

fn above(input: &mut Reader<'_>, base: i32, what: &'static str) -> Result<i32, Malformed> {
    let value = i64::from(base).checked_add(input.int(what)?).and_then(|value| i32::try_from(value).ok());
    value.ok_or_else(|| input.malformed(what))
}

/// Of a step in whole seconds at least, so that a bit is left for the flag.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_pushed_is_seen(
            rows in prop::collection::vec((any::<(i32, i32, i32, i64)>(), any::<i64>(), any::<(u32, u32, u16, u32)>()), 0..20),
            span_s in prop_oneof![Just(0u32), Just(60), Just(7)],
        ) {
            let windows: Vec<Window> = rows.into_iter().map(|(values, start_us, counts)| Window {
                vital: Vital(3), start_us, span_s, min: values.0, max: values.1, last: values.2, sum: values.3,
                count: counts.0, last_ms: counts.1, coverage: counts.2, suspect: counts.3,
            }).collect();
            let mut parts = Parts::default();
            windows.iter().for_each(|window| parts.push(window));
            let mut seen = Vec::new();
            parts.each(Vital(3), span_s, |window| seen.push(window)).unwrap();
            prop_assert_eq!(&seen, &windows);
            let mut sealed = parts.seal();
            seen.clear();
            open(&sealed, Vital(3), span_s, |window| seen.push(window)).unwrap();
            prop_assert_eq!(seen, windows);
            sealed[0] ^= 1;
            let damaged = open(&sealed, Vital(3), span_s, drop);
            prop_assert!(damaged.is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = each(&bytes, Vital(3), 60, drop);
            let sealed = open(&bytes, Vital(3), 60, drop);
            prop_assert!(sealed.is_err() || bytes.len() == 4);
        }
    }

    #[test]
    fn a_minute_of_a_heart_takes_about_ten_bytes() {
        let mut parts = Parts::default();
        for index in 0..60 {
            let (min, last) = (600 + index % 7 * 10, 640 + index % 5 * 10);
            parts.push(&Window {
                vital: Vital::HEART_RATE,
                start_us: i64::from(index) * 60_000_000,
                span_s: 60,
                min,
                max: min + 110,
                sum: i64::from(min + 45) * 60,
                count: 60,
                last,
                last_ms: 59_400,
                coverage: 1000,
                suspect: 0,
            });
        }
        let each = parts.seal().len() / 60;
        assert!(each <= 13, "{each} bytes");
    }
}
