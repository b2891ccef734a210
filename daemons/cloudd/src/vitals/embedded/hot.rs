//! Hot files, one a day: what was settled, a run of rows for each segment of the journal, sorted by series.
//!
//! A row here means nothing until the catalogue names its segment: that commit is the one that settles.

use std::path::Path;

use medmon_core::noun::{UtcUs, Vital, Window};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::Fault;
use super::file::{self, Kind};
use super::key::{Segment, Series};
use super::parts::{self, Parts};

/// Rows of one segment lie together, in the order in which they are read and compacted.
pub const KIND: Kind = Kind {
    schema: "CREATE TABLE part (
        segment BIGINT NOT NULL,
        subject BLOB NOT NULL,
        vital BIGINT NOT NULL,
        span_s BIGINT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (segment, subject, vital, span_s)
    ) WITHOUT ROWID",
    page: 16_384,
    // Rows are written in their order: the last few pages of the tree are all that is touched.
    cache_kib: 1024,
    synced: true,
};

/// Writes one segment's share of a day.
pub struct Share {
    connection: Connection,
    path: std::path::PathBuf,
    segment: u64,
    /// Where its windows start.
    pub from_us: UtcUs,
    pub to_us: UtcUs,
}

impl Share {
    pub fn begin(path: &Path, segment: u64, max_bytes: Option<u64>) -> Result<Self, Fault> {
        let connection = file::writer(path, KIND, max_bytes)?;
        let begin = || {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            // A try that did not get as far as the catalogue.
            connection.execute("DELETE FROM part WHERE segment = ?1", [segment as i64])
        };
        begin().map_err(Fault::sqlite(path))?;
        Ok(Self { connection, path: path.to_owned(), segment, from_us: i64::MAX, to_us: i64::MIN })
    }

    /// Adds a series' parts, which start between two times.
    pub fn add(&mut self, series: Series, parts: Parts, (first_us, last_us): (UtcUs, UtcUs)) -> Result<(), Fault> {
        self.from_us = self.from_us.min(first_us);
        self.to_us = self.to_us.max(last_us.saturating_add(1));
        let insert = || {
            let sql = "INSERT INTO part (segment, subject, vital, span_s, body) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.connection.prepare_cached(sql)?.execute(params![
                self.segment as i64,
                series.subject.as_bytes(),
                series.vital.0,
                series.span_s,
                parts.seal()
            ])
        };
        insert().map_err(Fault::sqlite(&self.path)).map(drop)
    }

    /// On the disk when it returns.
    pub fn commit(self) -> Result<(), Fault> {
        self.connection.execute_batch("COMMIT").map_err(Fault::sqlite(&self.path))
    }
}

/// Shows the parts of one segment that start in a span to `see`.
pub fn windows(
    connection: &Connection,
    path: &Path,
    segment: u64,
    (subject, vital): (Uuid, Vital),
    mut see: impl FnMut(Window),
) -> Result<(), Fault> {
    let sql = "SELECT span_s, body FROM part WHERE segment = ?1 AND subject = ?2 AND vital = ?3";
    let mut statement = connection.prepare_cached(sql).map_err(Fault::sqlite(path))?;
    let key = params![segment as i64, subject.as_bytes(), vital.0];
    let mut rows = statement.query(key).map_err(Fault::sqlite(path))?;
    while let Some(row) = rows.next().map_err(Fault::sqlite(path))? {
        let span_s = row.get(0).map_err(Fault::sqlite(path))?;
        let body = row.get_ref(1).and_then(|body| Ok(body.as_blob()?)).map_err(Fault::sqlite(path))?;
        let damaged = Fault::damaged(path, Series { subject, vital, span_s }, Segment(segment));
        parts::open(body, vital, span_s, &mut see).map_err(damaged)?;
    }
    Ok(())
}

/// Sealed parts by the segment that brought them.
pub type Bodies = Vec<(u64, Vec<u8>)>;

/// The first series after `after`, and the parts of it that `segments` brought.
pub fn next(connection: &Connection, path: &Path, segments: &mut [Run]) -> Result<Option<(Series, Bodies)>, Fault> {
    for run in segments.iter_mut() {
        run.fill(connection).map_err(Fault::sqlite(path))?;
    }
    let Some(series) = segments.iter().filter_map(|run| run.ahead.last().map(|(series, _)| *series)).min() else {
        return Ok(None);
    };
    let mut bodies = Vec::new();
    for run in segments {
        if run.ahead.last().is_some_and(|(ahead, _)| *ahead == series) {
            bodies.extend(run.ahead.pop().map(|(_, body)| (run.segment, body)));
        }
    }
    Ok(Some((series, bodies)))
}

/// One segment's rows in order, some at a time.
pub struct Run {
    segment: u64,
    after: Option<Series>,
    /// The next ones, the first one last.
    ahead: Vec<(Series, Vec<u8>)>,
    ended: bool,
}

/// Rows that are read at once.
const AHEAD: usize = 64;

impl Run {
    pub fn new(segment: u64) -> Self {
        Self { segment, after: None, ahead: Vec::new(), ended: false }
    }

    fn fill(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.ended || !self.ahead.is_empty() {
            return Ok(());
        }
        let sql = "SELECT subject, vital, span_s, body FROM part
                   WHERE segment = ?1 AND (subject, vital, span_s) > (?2, ?3, ?4) ORDER BY subject, vital, span_s LIMIT ?5";
        let mut statement = connection.prepare_cached(sql)?;
        // Before the first is what is smaller than any key: no bytes.
        let (subject, vital, span_s) = match &self.after {
            Some(series) => (series.subject.as_bytes().to_vec(), i64::from(series.vital.0), i64::from(series.span_s)),
            None => (Vec::new(), -1, -1),
        };
        let rows = statement.query_map(params![self.segment as i64, subject, vital, span_s, AHEAD as i64], |row| {
            let subject = Uuid::from_bytes(row.get(0)?);
            Ok((Series { subject, vital: Vital(row.get(1)?), span_s: row.get(2)? }, row.get(3)?))
        })?;
        self.ahead = rows.collect::<Result<_, _>>()?;
        self.ahead.reverse();
        self.after = self.ahead.first().map(|(series, _)| *series);
        self.ended = self.ahead.is_empty();
        Ok(())
    }
}

/// Erases one subject from all segments, named or not, and everything that no catalogue can name: what is behind `settled`.
pub fn erase(path: &Path, settled: u64, subject: Uuid) -> Result<(), Fault> {
    let connection = file::writer(path, KIND, None)?;
    let erase = || {
        connection.execute("DELETE FROM part WHERE segment > ?1", [settled as i64])?;
        // From one to the next: a look at every row would read the whole file.
        let mut after = i64::MIN;
        let next = "SELECT min(segment) FROM part WHERE segment > ?1";
        while let Some(segment) = connection.query_row(next, [after], |row| row.get::<_, Option<i64>>(0))? {
            let sql = "DELETE FROM part WHERE segment = ?1 AND subject = ?2";
            connection.execute(sql, params![segment, subject.as_bytes()])?;
            after = segment;
        }
        Ok(())
    };
    erase().map_err(Fault::sqlite(path))?;
    file::checkpoint(&connection, path)
}
