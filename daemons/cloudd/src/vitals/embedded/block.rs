//! A day of one series at rest: windows as columns of small integers, packed by pco.
//!
//! ```text
//! version u8 = 1 | count | the first min | 10 columns | CRC-32 (IEEE) u32 LE of everything before it
//! columns: start, as the difference to the start before (in spans, or µs where the span is 0; the first from the
//!          day's) | µs by which a start is off such a step | min | max - min | last - min | sum - min * count
//!          | count | last ms | coverage | suspect
//! column:  tag u8 | smallest | tag 0: nothing, all are the smallest; else: divisor | values, each less the smallest,
//!          by the divisor; tag 1: as they are; 2, 3, 4: length, bytes of pco's wrapped format, of u16, u32, u64
//! tag + 8: min is less the last of the window before (the first: less the first min); sum is less also half of
//!          (max - min) * count. Taken where that is shorter: a body goes on where it was, and lingers in the middle
//!          of its range, but what hardly changes is better told by pco's own differences.
//! ```
//! Fields without a type are varints, signed ones zigzag. Of tags 1 to 4 the shortest is taken.

use medmon_core::noun::{UtcUs, Vital, Window};
use medmon_core::wire::{Malformed, Reader, Writer};
use pco::data_types::Number;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, ModeSpec, PagingSpec};

use super::key::{DAY_US, Day, unit_us};

const VERSION: u8 = 1;
const CRC: usize = 4;
/// Columns of a window.
const COLUMNS: usize = 10;
/// Those of them that have two ways to be told.
const MIN: usize = 2;
const SUM: usize = 5;
/// Added to the tag of a column that is told the other way.
const OTHERWISE: u8 = 8;
/// No block has more windows: a reading every 40 ms all day.
const MAX_WINDOWS: usize = 1 << 21;
/// Fewer values than this are shorter as they are than with pco's tables.
const LEAST_PACKED: usize = 24;

/// Why bytes are not a block, or windows make none.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// Damaged, or never one.
    #[error("check sum differs")]
    Crc,
    /// Of a release that we do not know.
    #[error("block version {0} is not known here; this program reads version 1")]
    Version(u8),
    /// Not laid out as version 1.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A column does not unpack.
    #[error("column does not unpack")]
    Unpack(#[from] pco::errors::PcoError),
    /// More than a day can have.
    #[error("{0} windows in one day, 2097152 at most")]
    TooMany(usize),
}

/// Packs the windows of one series that start on `day`, by start.
pub fn encode(day: Day, windows: &[Window]) -> Result<Vec<u8>, BlockError> {
    if windows.len() > MAX_WINDOWS {
        return Err(BlockError::TooMany(windows.len()));
    }
    let mut out = Writer(vec![VERSION]);
    out.uint(windows.len() as u64);
    let unit = windows.first().map_or(1, |window| unit_us(window.span_s));
    let base = day.start_us().div_euclid(unit);
    let first = windows.first().map_or(0, |window| i64::from(window.min));
    out.int(first);
    let mut columns: [Vec<i64>; COLUMNS] = std::array::from_fn(|_| Vec::with_capacity(windows.len()));
    // Those that may be told otherwise, as that.
    let mut otherwise: [(usize, Vec<i64>); 2] = [(MIN, Vec::new()), (SUM, Vec::new())];
    let (mut before, mut last) = (base, first);
    for window in windows {
        let (index, min) = (window.start_us.div_euclid(unit), i64::from(window.min));
        let range = i64::from(window.max) - min;
        let over = window.sum.wrapping_sub(min * i64::from(window.count));
        let row = [
            index - before,
            window.start_us.rem_euclid(unit),
            min,
            range,
            i64::from(window.last) - min,
            over,
            window.count.into(),
            window.last_ms.into(),
            window.coverage.into(),
            window.suspect.into(),
        ];
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
        otherwise[0].1.push(min - last);
        otherwise[1].1.push(over.wrapping_sub(half(range, window.count)));
        (before, last) = (index, window.last.into());
    }
    for (at, column) in columns.iter().enumerate() {
        let mut packed = pack(column, 0)?;
        if let Some((_, column)) = otherwise.iter().find(|(other, _)| *other == at) {
            let other = pack(column, OTHERWISE)?;
            packed = if other.len() < packed.len() { other } else { packed };
        }
        out.0.extend_from_slice(&packed);
    }
    let crc = crc32fast::hash(&out.0);
    out.0.extend_from_slice(&crc.to_le_bytes());
    Ok(out.0)
}

/// Opens a block and appends those of its windows that start in a span to `windows`.
pub fn decode(
    bytes: &[u8],
    day: Day,
    vital: Vital,
    span_s: u32,
    (from_us, to_us): (UtcUs, UtcUs),
    windows: &mut Vec<Window>,
) -> Result<(), BlockError> {
    let (body, crc) = bytes.split_at_checked(bytes.len().saturating_sub(CRC)).ok_or(BlockError::Crc)?;
    if crc != crc32fast::hash(body).to_le_bytes() {
        return Err(BlockError::Crc);
    }
    let mut input = Reader::new(body);
    match input.byte("version")? {
        VERSION => {}
        other => return Err(BlockError::Version(other)),
    }
    let count: usize = input.fit("count")?;
    if count > MAX_WINDOWS {
        return Err(BlockError::TooMany(count));
    }
    let mut last = input.int("first min")?;
    let mut columns: [Vec<i64>; COLUMNS] = Default::default();
    let mut told_otherwise = [false; COLUMNS];
    for (column, otherwise) in columns.iter_mut().zip(&mut told_otherwise) {
        (*column, *otherwise) = unpack(&mut input, count)?;
    }
    // As slices of one length, whose ends are looked at once.
    let [starts, rests, mins, ranges, lasts, overs, counts, last_mss, coverages, suspects] =
        columns.each_ref().map(|column| &column[..count]);
    let (min_before, sum_halved) = (i64::from(told_otherwise[MIN]), i64::from(told_otherwise[SUM]));
    let unit = unit_us(span_s);
    let mut index = day.start_us().div_euclid(unit);
    let whole = day.start_us() >= from_us && day.start_us().saturating_add(DAY_US) <= to_us;
    windows.reserve(if whole { count } else { 0 });
    for at in 0..count {
        index = index.wrapping_add(starts[at]);
        let start_us = index.wrapping_mul(unit).wrapping_add(rests[at]);
        let min = mins[at].wrapping_add(last * min_before);
        last = min.wrapping_add(lasts[at]);
        if start_us < from_us || start_us >= to_us {
            continue;
        }
        let (range, count) = (ranges[at], counts[at] as u32);
        let over = overs[at].wrapping_add(half(range, count) * sum_halved);
        windows.push(Window {
            vital,
            start_us,
            span_s,
            min: min as i32,
            max: min.wrapping_add(range) as i32,
            sum: min.wrapping_mul(count.into()).wrapping_add(over),
            count,
            last: last as i32,
            last_ms: last_mss[at] as u32,
            coverage: coverages[at] as u16,
            suspect: suspects[at] as u32,
        });
    }
    Ok(())
}

/// By how much a sum is over the smallest if the values lie evenly in their range.
fn half(range: i64, count: u32) -> i64 {
    range.wrapping_mul(count.into()) / 2
}

/// A column as it is written, `way` added to its tag.
fn pack(values: &[i64], way: u8) -> Result<Vec<u8>, BlockError> {
    let mut out = Writer::default();
    let (smallest, largest) = values.iter().fold((i64::MAX, i64::MIN), |(a, b), value| (a.min(*value), b.max(*value)));
    if smallest >= largest {
        out.0.push(way);
        out.int(if values.is_empty() { 0 } else { smallest });
        return Ok(out.0);
    }
    let mut above: Vec<u64> = values.iter().map(|value| value.wrapping_sub(smallest) as u64).collect();
    let by = above.iter().fold(0, |by, value| gcd(by, *value)).max(1);
    above.iter_mut().for_each(|value| *value /= by);
    let mut plain = Writer::default();
    above.iter().for_each(|value| plain.uint(*value));
    let (tag, packed) = match largest.wrapping_sub(smallest) as u64 / by {
        _ if values.len() < LEAST_PACKED => (1, Vec::new()),
        most if most <= u16::MAX.into() => (2, squeeze(&above.iter().map(|value| *value as u16).collect::<Vec<_>>())?),
        most if most <= u32::MAX.into() => (3, squeeze(&above.iter().map(|value| *value as u32).collect::<Vec<_>>())?),
        _ => (4, squeeze(&above)?),
    };
    let tag = if plain.0.len() <= packed.len() { 1 } else { tag };
    out.0.push(tag + way);
    out.int(smallest);
    out.uint(by);
    if tag == 1 {
        out.0.extend_from_slice(&plain.0);
    } else {
        out.bytes(&packed);
    }
    Ok(out.0)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A column, and whether it is told the other way.
fn unpack(input: &mut Reader<'_>, count: usize) -> Result<(Vec<i64>, bool), BlockError> {
    let tag = input.byte("column")?;
    let (tag, otherwise) = (tag % OTHERWISE, tag >= OTHERWISE);
    let smallest = input.int("smallest")?;
    if tag == 0 {
        return Ok((vec![smallest; count], otherwise));
    }
    let by = input.uint("divisor")? as i64;
    let value = |above: i64| smallest.wrapping_add(above.wrapping_mul(by));
    let column = match tag {
        1 => {
            // A byte each at least: what cannot be there is not allocated for.
            if count > input.left() {
                return Err(input.malformed("values").into());
            }
            (0..count).map(|_| Ok(value(input.uint("value")? as i64))).collect::<Result<_, Malformed>>()?
        }
        2 => unsqueeze::<u16>(input.bytes("column")?, count)?.iter().map(|above| value((*above).into())).collect(),
        3 => unsqueeze::<u32>(input.bytes("column")?, count)?.iter().map(|above| value((*above).into())).collect(),
        4 => unsqueeze::<u64>(input.bytes("column")?, count)?.iter().map(|above| value(*above as i64)).collect(),
        _ => return Err(input.malformed("column").into()),
    };
    Ok((column, otherwise))
}

/// pco's wrapped format, one chunk of one page: a standalone file says what is known here already.
fn squeeze<T: Number>(values: &[T]) -> Result<Vec<u8>, BlockError> {
    let paging = PagingSpec::Exact(vec![values.len()]);
    // Divisors are out already: nothing is gained by looking for other modes.
    let config = ChunkConfig::default().with_mode_spec(ModeSpec::Classic).with_paging_spec(paging);
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(values, &config)?;
    let mut bytes = Vec::new();
    file.write_header(&mut bytes)?;
    chunk.write_meta(&mut bytes)?;
    chunk.write_page(0, &mut bytes)?;
    Ok(bytes)
}

fn unsqueeze<T: Number + Default>(bytes: &[u8], count: usize) -> Result<Vec<T>, BlockError> {
    let (file, rest) = FileDecompressor::new(bytes)?;
    let (mut chunk, rest) = file.chunk_decompressor::<T, _>(rest)?;
    let mut values = vec![T::default(); count];
    chunk.page_decompressor(rest, count)?.read(&mut values)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Day = Day(20_780);

    fn open(bytes: &[u8], span_s: u32) -> Result<Vec<Window>, BlockError> {
        let mut windows = Vec::new();
        decode(bytes, DAY, Vital::HEART_RATE, span_s, (i64::MIN, i64::MAX), &mut windows)?;
        Ok(windows)
    }

    fn windows() -> impl Strategy<Value = Vec<Window>> {
        let row = (0i64..DAY_US, any::<(i32, i32, i32, i64)>(), any::<(u32, u32, u16, u32)>(), any::<bool>());
        (prop_oneof![Just(0u32), Just(1), Just(60), Just(900)], prop::collection::vec(row, 0..120)).prop_map(
            |(span_s, rows)| {
                let mut windows: Vec<Window> = rows
                    .into_iter()
                    .map(|(at, values, counts, aligned)| Window {
                        vital: Vital::HEART_RATE,
                        // What a home sends is aligned; what is not is kept all the same.
                        start_us: DAY.start_us() + if aligned { at - at.rem_euclid(unit_us(span_s)) } else { at },
                        span_s,
                        min: values.0,
                        max: values.1,
                        last: values.2,
                        sum: values.3,
                        count: counts.0,
                        last_ms: counts.1,
                        coverage: counts.2,
                        suspect: counts.3,
                    })
                    .collect();
                windows.sort_by_key(|window| window.start_us);
                windows.dedup_by_key(|window| window.start_us);
                windows
            },
        )
    }

    fn golden() -> Vec<Window> {
        let minute = |index: i64| Window {
            vital: Vital::HEART_RATE,
            start_us: DAY.start_us() + index * 60_000_000 + i64::from(index == 30),
            span_s: 60,
            min: 600 + (index * index % 97) as i32,
            max: 650 + (index * index % 97) as i32,
            sum: 640 * 60 + index * 7 % 31,
            count: 60 - (index % 13 == 0) as u32,
            last: 640,
            last_ms: 59_000 + (index % 7) as u32,
            coverage: 1000,
            suspect: (index == 5).into(),
        };
        (0..48).map(minute).collect()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(windows in windows()) {
            let span_s = windows.first().map_or(60, |window| window.span_s);
            prop_assert_eq!(open(&encode(DAY, &windows).unwrap(), span_s).unwrap(), windows);
        }

        #[test]
        fn a_damaged_block_is_refused(windows in windows(), bit in any::<prop::sample::Index>()) {
            let mut bytes = encode(DAY, &windows).unwrap();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(&bytes, 60).is_err());
            prop_assert!(open(&bytes[..bit / 8], 60).is_err());
        }

        #[test]
        fn garbage_in_a_right_frame_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..40) {
            let mut block = encode(DAY, &golden()).unwrap();
            block.truncate(block.len() - CRC);
            block.splice(at.min(block.len()).., bytes.drain(..));
            let crc = crc32fast::hash(&block);
            block.extend_from_slice(&crc.to_le_bytes());
            prop_assert!(open(&block, 60).is_ok() || open(&block, 60).is_err());
        }
    }

    #[test]
    fn a_span_opens_only_what_starts_in_it() {
        let bytes = encode(DAY, &golden()).unwrap();
        let mut windows = Vec::new();
        let span = (golden()[3].start_us, golden()[7].start_us);
        decode(&bytes, DAY, Vital::HEART_RATE, 60, span, &mut windows).unwrap();
        assert_eq!(windows, golden()[3..7]);
    }

    /// The golden block of version 1, kept for ever: what was packed years ago still opens.
    #[test]
    fn the_golden_block_of_version_1_opens() {
        let hex = include_str!("../../../golden/block_v1.hex");
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let block: Vec<u8> = digits.chunks(2).map(byte).collect();
        assert_eq!(open(&block, 60).unwrap(), golden());
    }
}
