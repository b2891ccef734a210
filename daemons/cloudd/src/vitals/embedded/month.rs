//! A month's file: a block of each series and day, and what it amounts to, in the order of days.
//!
//! By day and not by series: a night only appends. Heads lie apart from bodies, so that sums read no block.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use medmon_core::noun::{UtcUs, Vital, Window};
use medmon_core::wire::{Malformed, Reader, Writer};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::file::{self, Kind};
use super::key::{DAY_US, Day, Month, Series, unit_us};
use super::{Fault, block};
use crate::vitals::Total;

/// A block of a heart rate is 2 to 4 kB: in a small page half of it would be waste.
pub const KIND: Kind = Kind {
    schema: "
CREATE TABLE series (
    subject BLOB NOT NULL,
    vital BIGINT NOT NULL,
    span_s BIGINT NOT NULL,
    id BIGINT NOT NULL,
    PRIMARY KEY (subject, vital, span_s)
) WITHOUT ROWID;
-- key: day (since 1970) * 2^32 + the series' id
CREATE TABLE head (key INTEGER PRIMARY KEY, head BLOB NOT NULL);
CREATE TABLE body (key INTEGER PRIMARY KEY, body BLOB NOT NULL);
-- which segments of which hot file are in here
CREATE TABLE taken (day BIGINT NOT NULL, segment BIGINT NOT NULL, PRIMARY KEY (day, segment)) WITHOUT ROWID;
-- a row: windows finer than a quarter of an hour were thinned
CREATE TABLE thinned (at_us BIGINT NOT NULL);",
    page: 65_536,
    cache_kib: 4096,
    synced: false,
};

fn key(day: Day, id: i64) -> i64 {
    (day.0 << 32) | id
}

/// At the end of a head, a CRC-32 (IEEE) LE.
const CRC: usize = 4;

/// What a block amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first start, or a little before it, and the last one, or a little after it.
    pub first_us: UtcUs,
    pub last_us: UtcUs,
    pub windows: u64,
    pub total: Total,
}

impl Head {
    fn of(day: Day, windows: &[Window]) -> Option<Self> {
        let (first, last) = (windows.first()?, windows.last()?);
        let step = step_us(first.span_s);
        let floor = |at_us: UtcUs| day.start_us() + (at_us - day.start_us()).div_euclid(step) * step;
        let mut total = Total::default();
        windows.iter().for_each(|window| total.add(window));
        let last_us = if floor(last.start_us) == last.start_us { last.start_us } else { floor(last.start_us) + step };
        Some(Self { first_us: floor(first.start_us), last_us, windows: windows.len() as u64, total })
    }

    fn encode(&self, day: Day, span_s: u32) -> Vec<u8> {
        let step = step_us(span_s);
        let mut out = Writer::default();
        out.uint(((self.first_us - day.start_us()) / step) as u64);
        out.uint(((self.last_us - self.first_us) / step) as u64);
        out.uint(self.windows);
        let Total { min, max, sum, count, suspect, covered_ms } = self.total;
        out.int(min.into());
        out.int(i64::from(max) - i64::from(min));
        out.int(sum.wrapping_sub(i64::from(min).wrapping_mul(count as i64)));
        out.uint(count);
        out.uint(suspect);
        out.uint(covered_ms);
        let crc = crc32fast::hash(&out.0);
        out.0.extend_from_slice(&crc.to_le_bytes());
        out.0
    }

    fn decode(bytes: &[u8], day: Day, span_s: u32) -> Result<Self, Malformed> {
        let refused = Malformed { what: "check sum", at: bytes.len() };
        let (bytes, crc) = bytes.split_at_checked(bytes.len().saturating_sub(CRC)).ok_or(refused)?;
        if crc != crc32fast::hash(bytes).to_le_bytes() {
            return Err(refused);
        }
        let mut input = Reader::new(bytes);
        let step = step_us(span_s);
        let most = (DAY_US / step) as u64 + 1;
        let mut steps = |what| match input.uint(what)? {
            steps if steps <= most => Ok(steps as i64 * step),
            _ => Err(Malformed { what, at: 0 }),
        };
        let first_us = day.start_us() + steps("first")?;
        let last_us = first_us + steps("last")?;
        let (windows, min) = (input.uint("windows")?, input.int32("min")?);
        let max = i64::from(min).checked_add(input.int("max")?).and_then(|max| i32::try_from(max).ok());
        let max = max.ok_or_else(|| input.malformed("max"))?;
        let (above, count) = (input.int("sum")?, input.uint("count")?);
        let sum = above.wrapping_add(i64::from(min).wrapping_mul(count as i64));
        let total = Total { min, max, sum, count, suspect: input.uint("suspect")?, covered_ms: input.uint("covered")? };
        Ok(Self { first_us, last_us, windows, total })
    }
}

/// In what a head counts starts.
fn step_us(span_s: u32) -> i64 {
    unit_us(span_s).clamp(1_000_000, DAY_US)
}

/// Writes in one month, as one commit.
pub struct MonthWriter {
    connection: Connection,
    pub path: PathBuf,
    max_id: i64,
}

impl MonthWriter {
    /// Opens a month, making it if it is missing, and begins.
    pub fn begin(path: PathBuf, max_bytes: Option<u64>) -> Result<Self, Fault> {
        let connection = file::writer(&path, KIND, max_bytes)?;
        let begin = || {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            connection.query_row("SELECT coalesce(max(id), 0) FROM series", [], |row| row.get(0))
        };
        let max_id = begin().map_err(Fault::sqlite(&path))?;
        Ok(Self { connection, path, max_id })
    }

    /// Takes windows of one series and day in, by start, each start once; what is there already is merged.
    pub fn add(&mut self, series: Series, day: Day, windows: Vec<Window>) -> Result<(), Fault> {
        let id = self.id(series).map_err(Fault::sqlite(&self.path))?;
        let key = key(day, id);
        let mut all = Vec::new();
        if let Some(body) = body(&self.connection, &self.path, key)? {
            let damaged = Fault::damaged(&self.path, series, day);
            let span = (i64::MIN, i64::MAX);
            block::decode(&body, day, series.vital, series.span_s, span, &mut all).map_err(damaged)?;
        }
        all.extend(windows);
        super::merge(&mut all);
        self.put(series, day, key, &all)
    }

    fn put(&self, series: Series, day: Day, key: i64, windows: &[Window]) -> Result<(), Fault> {
        let Some(head) = Head::of(day, windows) else { return Ok(()) };
        let packed = block::encode(day, windows).map_err(Fault::damaged(&self.path, series, day))?;
        let put = || {
            let sql = "INSERT OR REPLACE INTO head (key, head) VALUES (?1, ?2)";
            self.connection.prepare_cached(sql)?.execute(params![key, head.encode(day, series.span_s)])?;
            let sql = "INSERT OR REPLACE INTO body (key, body) VALUES (?1, ?2)";
            self.connection.prepare_cached(sql)?.execute(params![key, packed])
        };
        put().map_err(Fault::sqlite(&self.path)).map(drop)
    }

    fn id(&mut self, Series { subject, vital, span_s }: Series) -> rusqlite::Result<i64> {
        let sql = "SELECT id FROM series WHERE subject = ?1 AND vital = ?2 AND span_s = ?3";
        let key = params![subject.as_bytes(), vital.0, span_s];
        if let Some(id) = self.connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()? {
            return Ok(id);
        }
        self.max_id += 1;
        let sql = "INSERT INTO series (subject, vital, span_s, id) VALUES (?1, ?2, ?3, ?4)";
        self.connection.prepare_cached(sql)?.execute(params![subject.as_bytes(), vital.0, span_s, self.max_id])?;
        Ok(self.max_id)
    }

    /// Segments of a hot file are in here from this commit on. Those that no hot file has any more are forgotten.
    pub fn take(&self, day: Day, segments: &[u64], oldest_hot: u64) -> Result<(), Fault> {
        let take = || {
            self.connection.execute("DELETE FROM taken WHERE segment < ?1", [oldest_hot as i64])?;
            for segment in segments {
                let sql = "INSERT OR IGNORE INTO taken (day, segment) VALUES (?1, ?2)";
                self.connection.prepare_cached(sql)?.execute(params![day.0, *segment as i64])?;
            }
            self.connection.execute("DELETE FROM thinned", [])
        };
        take().map_err(Fault::sqlite(&self.path)).map(drop)
    }

    /// Writes a row that says that this file is thin.
    pub fn mark_thinned(&self, now_us: UtcUs) -> Result<(), Fault> {
        let marked = self.connection.execute("INSERT INTO thinned (at_us) VALUES (?1)", [now_us]);
        marked.map_err(Fault::sqlite(&self.path)).map(drop)
    }

    /// Seen by readers when it returns; on the disk only after a checkpoint.
    pub fn commit(&self) -> Result<(), Fault> {
        self.connection.execute_batch("COMMIT").map_err(Fault::sqlite(&self.path))
    }
}

/// Which segments of which hot files a month has.
pub fn taken(connection: &Connection, path: &Path) -> Result<HashSet<(Day, u64)>, Fault> {
    let read = || -> rusqlite::Result<_> {
        let mut statement = connection.prepare("SELECT day, segment FROM taken")?;
        let rows = statement.query_map([], |row| Ok((Day(row.get(0)?), row.get::<_, i64>(1)? as u64)))?;
        rows.collect()
    };
    read().map_err(Fault::sqlite(path))
}

/// Whether a month is thin.
pub fn is_thinned(connection: &Connection, path: &Path) -> Result<bool, Fault> {
    connection.query_row("SELECT count(*) > 0 FROM thinned", [], |row| row.get(0)).map_err(Fault::sqlite(path))
}

/// Spans in which a month has a vital, with their ids.
pub fn spans(connection: &Connection, path: &Path, (subject, vital): (Uuid, Vital)) -> Result<Vec<(u32, i64)>, Fault> {
    let read = || -> rusqlite::Result<_> {
        let sql = "SELECT span_s, id FROM series WHERE subject = ?1 AND vital = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![subject.as_bytes(), vital.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    read().map_err(Fault::sqlite(path))
}

/// Every series of a month with its id, sorted.
pub fn all(connection: &Connection, path: &Path) -> Result<Vec<(Series, i64)>, Fault> {
    let read = || -> rusqlite::Result<_> {
        let mut statement = connection.prepare("SELECT subject, vital, span_s, id FROM series")?;
        let rows = statement.query_map([], |row| {
            let subject = Uuid::from_bytes(row.get(0)?);
            Ok((Series { subject, vital: Vital(row.get(1)?), span_s: row.get(2)? }, row.get(3)?))
        })?;
        rows.collect()
    };
    read().map_err(Fault::sqlite(path))
}

fn body(connection: &Connection, path: &Path, key: i64) -> Result<Option<Vec<u8>>, Fault> {
    let read = || {
        let mut statement = connection.prepare_cached("SELECT body FROM body WHERE key = ?1")?;
        statement.query_row([key], |row| row.get(0)).optional()
    };
    read().map_err(Fault::sqlite(path))
}

/// The days of a month that have windows of a span.
pub fn days(month: Month, (from_us, to_us): (UtcUs, UtcUs)) -> impl Iterator<Item = Day> {
    let (first, after) = (month.first_day(), Month(month.0 + 1).first_day());
    let last = Day::of(to_us.saturating_sub(1));
    (first.max(Day::of(from_us)).0..=last.0.min(after.0 - 1)).map(Day)
}

/// Appends the windows of a block that start in a span to `windows`.
pub fn windows(
    connection: &Connection,
    path: &Path,
    (series, id): (Series, i64),
    day: Day,
    span: (UtcUs, UtcUs),
    windows: &mut Vec<Window>,
) -> Result<(), Fault> {
    let damaged = Fault::damaged(path, series, day);
    let mut statement =
        connection.prepare_cached("SELECT body FROM body WHERE key = ?1").map_err(Fault::sqlite(path))?;
    let mut rows = statement.query([key(day, id)]).map_err(Fault::sqlite(path))?;
    if let Some(row) = rows.next().map_err(Fault::sqlite(path))? {
        let packed = row.get_ref(0).and_then(|body| Ok(body.as_blob()?)).map_err(Fault::sqlite(path))?;
        block::decode(packed, day, series.vital, series.span_s, span, windows).map_err(damaged)?;
    }
    Ok(())
}

/// What the block of a day amounts to, if there is one.
pub fn head(
    connection: &Connection,
    path: &Path,
    (series, id): (Series, i64),
    day: Day,
) -> Result<Option<Head>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT head FROM head WHERE key = ?1").map_err(Fault::sqlite(path))?;
    let mut rows = statement.query([key(day, id)]).map_err(Fault::sqlite(path))?;
    let Some(row) = rows.next().map_err(Fault::sqlite(path))? else { return Ok(None) };
    let bytes = row.get_ref(0).and_then(|head| Ok(head.as_blob()?)).map_err(Fault::sqlite(path))?;
    let head = Head::decode(bytes, day, series.span_s);
    head.map(Some).map_err(Fault::damaged(path, series, day))
}

/// Erases one subject.
pub fn erase(path: &Path, subject: Uuid) -> Result<(), Fault> {
    let connection = file::writer(path, KIND, None)?;
    let erase = || {
        let mut statement = connection.prepare("SELECT id FROM series WHERE subject = ?1")?;
        let ids: Vec<i64> = statement.query_map([subject.as_bytes()], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(statement);
        if ids.is_empty() {
            return Ok(());
        }
        let month = connection.query_row("SELECT min(key) >> 32, max(key) >> 32 FROM head", [], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        })?;
        let transaction = connection.unchecked_transaction()?;
        if let (Some(first), Some(last)) = month {
            for (day, id) in (first..=last).flat_map(|day| ids.iter().map(move |id| (Day(day), *id))) {
                connection.execute("DELETE FROM head WHERE key = ?1", [key(day, id)])?;
                connection.execute("DELETE FROM body WHERE key = ?1", [key(day, id)])?;
            }
        }
        connection.execute("DELETE FROM series WHERE subject = ?1", [subject.as_bytes()])?;
        transaction.commit()
    };
    erase().map_err(Fault::sqlite(path))?;
    file::checkpoint(&connection, path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_head_says_what_the_block_amounts_to(
            rows in prop::collection::vec((0i64..DAY_US, any::<(i32, i32, i64)>(), any::<(u32, u16, u32)>()), 1..30),
            span_s in prop_oneof![Just(0u32), Just(60), Just(7), Just(86_400)],
        ) {
            let day = Day(20_780);
            let mut windows: Vec<Window> = rows.into_iter().map(|(at, values, counts)| Window {
                vital: Vital(1), start_us: day.start_us() + at, span_s, min: values.0, max: values.1, last: 0,
                sum: values.2 / 64, count: counts.0, last_ms: 0, coverage: counts.1, suspect: counts.2,
            }).collect();
            windows.sort_by_key(|window| window.start_us);
            let head = Head::of(day, &windows).unwrap();
            let mut bytes = head.encode(day, span_s);
            prop_assert_eq!(Head::decode(&bytes, day, span_s).unwrap(), head);
            bytes[3] ^= 1;
            prop_assert!(Head::decode(&bytes, day, span_s).is_err());
            prop_assert!(windows.iter().all(|window| (head.first_us..=head.last_us).contains(&window.start_us)));
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            prop_assert!(Head::decode(&bytes, Day(1), 60).is_ok() || Head::decode(&bytes, Day(1), 60).is_err());
        }
    }
}
