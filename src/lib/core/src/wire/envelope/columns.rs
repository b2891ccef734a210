//! The windows of an envelope, version 2: columns in as few bits as their numbers need.
//!
//! ```text
//! how many series | per series: vital | span s | n | divisor | first start (in spans, or µs where the span is 0, before the
//! sealing) | columns of n: starts after the first (each less the one before, less one span), min, max - min, last - min,
//! sum - min * count (these four by the divisor), count, span - last ms, coverage, suspect
//! column: 0 = each is the usual value | 10 and a number = each is that | 110, k of 5 bits = each in a Rice code of k
//!         | 111, k = the first as a number, each other's difference from the one before in a Rice code of k
//! ```
//! Numbers are groups of three bits (`bits.rs`), signed ones zigzag. Series are runs of neighbours with one vital and span, so
//! that order survives.

use super::super::Malformed;
use super::super::bits::{BitReader, BitWriter, rice_bits};
use super::{floor_sum, start_unit};
use crate::noun::{UtcUs, Vital, Window};

/// Windows of an envelope at most: a column of usual values takes no room, so that their number says nothing of it.
pub const MAX_WINDOWS: usize = 1 << 16;

/// What a column is, as long as nothing is unusual.
const USUAL_COUNT: i64 = 1;
const USUAL_COVERAGE: i64 = 1000;

pub fn write(windows: &[Window], sealed_us: UtcUs) -> Vec<u8> {
    let mut out = BitWriter::default();
    let series = || windows.chunk_by(|a, b| (a.vital, a.span_s) == (b.vital, b.span_s));
    if !windows.is_empty() {
        out.number(series().count() as u64);
    }
    for series in series() {
        let span_s = series[0].span_s;
        let unit = start_unit(span_s);
        let column = |of: &dyn Fn(&Window) -> i64| -> Vec<i64> { series.iter().map(of).collect() };
        let starts = column(&|window| window.start_us.div_euclid(unit));
        let steps: Vec<i64> = starts.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]).wrapping_sub(1)).collect();
        let mut values = [
            column(&|window| window.min.into()),
            column(&|window| i64::from(window.max) - i64::from(window.min)),
            column(&|window| i64::from(window.last) - i64::from(window.min)),
            column(&|window| window.sum.wrapping_sub(floor_sum(window.min, window.count))),
        ];
        let divisor = values.iter().flatten().fold(0, |divisor, value| gcd(divisor, value.unsigned_abs()));
        // A single value of 2^63 is the one that no signed divisor fits.
        let divisor = i64::try_from(divisor.max(1)).unwrap_or(1);
        values.iter_mut().flatten().for_each(|value| *value /= divisor);
        out.number(series[0].vital.0.into());
        out.number(span_s.into());
        out.number(series.len() as u64);
        out.number(divisor as u64);
        out.number(zigzag(sealed_us.div_euclid(unit).wrapping_sub(starts[0])));
        put(&mut out, &steps, 0);
        values.iter().for_each(|values| put(&mut out, values, 0));
        put(&mut out, &column(&|window| window.count.into()), USUAL_COUNT);
        put(&mut out, &column(&|window| i64::from(span_s) * 1000 - i64::from(window.last_ms)), 0);
        put(&mut out, &column(&|window| window.coverage.into()), USUAL_COVERAGE);
        put(&mut out, &column(&|window| window.suspect.into()), 0);
    }
    out.into_bytes()
}

pub fn read(section: &[u8], sealed_us: UtcUs) -> Result<Vec<Window>, Malformed> {
    let mut input = BitReader::new(section);
    let mut windows = Vec::new();
    for _ in 0..input.number("series count")? {
        let vital = Vital(input.fit("vital")?);
        let span_s: u32 = input.fit("span")?;
        let count: usize = input.fit("window count")?;
        if count == 0 || count > MAX_WINDOWS - windows.len() {
            return Err(input.malformed("window count"));
        }
        let divisor: i64 = input.fit("divisor")?;
        let unit = start_unit(span_s);
        let first = sealed_us.div_euclid(unit).wrapping_sub(unzigzag(input.number("first start")?));
        let steps = take(&mut input, count - 1, 0, "starts")?;
        let mut values = [const { Vec::new() }; 4];
        for (column, what) in values.iter_mut().zip(["min", "max", "last", "sum"]) {
            *column = take(&mut input, count, 0, what)?;
            for value in column {
                *value = value.checked_mul(divisor).ok_or_else(|| input.malformed(what))?;
            }
        }
        let counts = take(&mut input, count, USUAL_COUNT, "count")?;
        let lasts = take(&mut input, count, 0, "last time")?;
        let coverages = take(&mut input, count, USUAL_COVERAGE, "coverage")?;
        let suspects = take(&mut input, count, 0, "suspect")?;
        let mut start = first;
        for at in 0..count {
            if let Some(step) = at.checked_sub(1).and_then(|before| steps.get(before)) {
                start = start.wrapping_add(*step).wrapping_add(1);
            }
            let [min, above, last, sum] = [0, 1, 2, 3].map(|column| values[column][at]);
            let last_ms = i64::from(span_s) * 1000;
            let fits = |value: Option<i64>| value.and_then(|value| i32::try_from(value).ok());
            let window = || {
                let (min, count) = (fits(Some(min))?, u32::try_from(counts[at]).ok()?);
                Some(Window {
                    vital,
                    start_us: start.checked_mul(unit)?,
                    span_s,
                    min,
                    max: fits(i64::from(min).checked_add(above))?,
                    sum: sum.wrapping_add(floor_sum(min, count)),
                    count,
                    last: fits(i64::from(min).checked_add(last))?,
                    last_ms: last_ms.checked_sub(lasts[at]).and_then(|ms| u32::try_from(ms).ok())?,
                    coverage: u16::try_from(coverages[at]).ok()?,
                    suspect: u32::try_from(suspects[at]).ok()?,
                })
            };
            windows.push(window().ok_or_else(|| input.malformed("window"))?);
        }
    }
    Ok(windows)
}

/// A column in the way that takes the fewest bits.
fn put(out: &mut BitWriter, values: &[i64], usual: i64) {
    let Some(first) = values.first() else { return };
    if values.iter().all(|value| value == first) {
        if *first == usual {
            out.bits(0, 1);
        } else {
            out.bits(0b10, 2);
            out.number(zigzag(*first));
        }
        return;
    }
    let plain: Vec<u64> = values.iter().map(|value| zigzag(*value)).collect();
    let differences: Vec<u64> = values.windows(2).map(|pair| zigzag(pair[1].wrapping_sub(pair[0]))).collect();
    let ((k, bits), (steps_k, steps_bits)) = (best(&plain), best(&differences));
    let number_bits = 4 * u64::from(64 - plain[0].leading_zeros()).div_ceil(3).max(1);
    if bits <= number_bits + steps_bits {
        out.bits(0b110, 3);
        out.bits(k.into(), 5);
        plain.iter().for_each(|value| out.rice(*value, k));
    } else {
        out.bits(0b111, 3);
        out.bits(steps_k.into(), 5);
        out.number(plain[0]);
        differences.iter().for_each(|value| out.rice(*value, steps_k));
    }
}

fn take(input: &mut BitReader<'_>, count: usize, usual: i64, what: &'static str) -> Result<Vec<i64>, Malformed> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if input.bits(1, what)? == 0 {
        return Ok(vec![usual; count]);
    }
    if input.bits(1, what)? == 0 {
        return Ok(vec![unzigzag(input.number(what)?); count]);
    }
    let differs = input.bits(1, what)? == 1;
    let k = input.bits(5, what)? as u32;
    if !differs {
        return (0..count).map(|_| Ok(unzigzag(input.rice(k, what)?))).collect();
    }
    let mut value = unzigzag(input.number(what)?);
    let mut values = vec![value];
    for _ in 1..count {
        value = value.wrapping_add(unzigzag(input.rice(k, what)?));
        values.push(value);
    }
    Ok(values)
}

/// The parameter that takes the fewest bits, and how many.
fn best(values: &[u64]) -> (u32, u64) {
    let bits = |k: u32| values.iter().map(|value| rice_bits(*value, k)).sum();
    let all = (0..32).map(|k| (k, bits(k)));
    all.min_by_key(|(_, bits)| *bits).unwrap_or((0, 0))
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
