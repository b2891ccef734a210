//! The catalogue: what is settled and where, the newest windows of every series, the holes, and whom to erase.
//!
//! One commit here settles a segment: rows in hot files that it does not name are not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use medmon_core::noun::{Gap, Ieee, UtcUs, Vital, Window};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::Fault;
use super::file::{self, Kind};
use super::key::{Day, Series};
use super::layout::Chunk;
use super::memory::Taken;
use super::parts::{self, Parts};
use crate::vitals::recent::Tail;

const KIND: Kind = Kind {
    schema: "
CREATE TABLE settled (segment BIGINT NOT NULL);
CREATE TABLE chunk (
    -- which segments are in which hot file, and where their windows start, µs UTC
    day BIGINT NOT NULL,
    segment BIGINT NOT NULL,
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    PRIMARY KEY (day, segment)
) WITHOUT ROWID;
CREATE TABLE newest (
    -- the last windows of what is settled, as far back as a trend looks
    subject BLOB NOT NULL,
    vital BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (subject, vital)
) WITHOUT ROWID;
CREATE TABLE gap (
    subject BLOB NOT NULL,
    vital BIGINT NOT NULL,
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    device BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    segment BIGINT NOT NULL
);
CREATE INDEX gap_of ON gap (subject, vital, from_us);
CREATE TABLE erasing (subject BLOB PRIMARY KEY) WITHOUT ROWID;",
    page: 16_384,
    cache_kib: 4096,
    synced: true,
};

/// The catalogue's one writer.
#[derive(Debug)]
pub struct Catalogue {
    pub path: PathBuf,
    writer: Mutex<Connection>,
}

impl Catalogue {
    pub fn open(folder: &Path, max_bytes: Option<u64>) -> Result<Self, Fault> {
        let path = folder.join("catalogue.sqlite");
        let connection = file::writer(&path, KIND, max_bytes)?;
        Ok(Self { path, writer: Mutex::new(connection) })
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` as one commit.
    fn commit<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut db = self.db();
        let transaction = db.transaction().map_err(Fault::sqlite(&self.path))?;
        let done = work(&transaction)?;
        transaction.commit().map_err(Fault::sqlite(&self.path))?;
        Ok(done)
    }

    /// Runs one statement that needs no more than itself.
    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), Fault> {
        self.db().execute(sql, params).map_err(Fault::sqlite(&self.path)).map(drop)
    }

    pub fn settled(&self) -> Result<u64, Fault> {
        let found = self.db().query_row("SELECT segment FROM settled", [], |row| row.get::<_, i64>(0)).optional();
        Ok(found.map_err(Fault::sqlite(&self.path))?.unwrap_or(0) as u64)
    }

    /// What hot files hold, oldest first.
    pub fn chunks(&self) -> Result<Vec<Chunk>, Fault> {
        let db = self.db();
        let read = || -> rusqlite::Result<_> {
            let mut statement = db.prepare("SELECT day, segment, from_us, to_us FROM chunk ORDER BY segment, day")?;
            let rows = statement.query_map([], |row| {
                Ok(Chunk {
                    day: Day(row.get(0)?),
                    segment: row.get::<_, i64>(1)? as u64,
                    from_us: row.get(2)?,
                    to_us: row.get(3)?,
                    except: Vec::new(),
                })
            })?;
            rows.collect()
        };
        read().map_err(Fault::sqlite(&self.path))
    }

    /// Names the chunks of a segment: from here on it is settled. The newest windows go on with what it brought.
    pub fn settle(&self, segment: u64, chunks: &[Chunk], taken: &Taken) -> Result<(), Fault> {
        self.commit(|db| {
            let bare = || {
                db.execute("DELETE FROM settled", [])?;
                db.execute("INSERT INTO settled (segment) VALUES (?1)", [segment as i64])?;
                for chunk in chunks {
                    let sql = "INSERT INTO chunk (day, segment, from_us, to_us) VALUES (?1, ?2, ?3, ?4)";
                    db.execute(sql, params![chunk.day.0, segment as i64, chunk.from_us, chunk.to_us])?;
                }
                for (subject, gap) in &taken.gaps {
                    let sql = "INSERT INTO gap (subject, vital, from_us, to_us, device, lost, segment)
                               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                    db.prepare_cached(sql)?.execute(params![
                        subject.as_bytes(),
                        gap.vital.0,
                        gap.from_us,
                        gap.to_us,
                        gap.device.0 as i64,
                        gap.lost,
                        segment as i64
                    ])?;
                }
                Ok(())
            };
            bare().map_err(Fault::sqlite(&self.path))?;
            let sorted = taken.sorted();
            for spans in sorted.chunk_by(|(a, _), (b, _)| (a.subject, a.vital) == (b.subject, b.vital)) {
                self.go_on(db, spans)?;
            }
            Ok(())
        })
    }

    /// Takes one vital's parts into its newest windows.
    fn go_on(&self, db: &Connection, spans: &[(Series, &Parts)]) -> Result<(), Fault> {
        let Some((Series { subject, vital, .. }, _)) = spans.first() else { return Ok(()) };
        let mut select = db
            .prepare_cached("SELECT body FROM newest WHERE subject = ?1 AND vital = ?2")
            .map_err(Fault::sqlite(&self.path))?;
        let before: Option<Vec<u8>> = select
            .query_row(params![subject.as_bytes(), vital.0], |row| row.get(0))
            .optional()
            .map_err(Fault::sqlite(&self.path))?;
        let mut tail = Tail::default();
        if let Some(before) = before
            && let Err(fault) = self.open_tail(*subject, *vital, &before, &mut tail)
        {
            // One damaged row must not keep everybody's segment from being settled.
            tracing::warn!(error = %fault, "newest windows are damaged and begin anew");
            tail = Tail::default();
        }
        for (series, parts) in spans {
            let _ = parts.each(series.vital, series.span_s, |part| tail.take(&part));
        }
        let mut upsert = db
            .prepare_cached("INSERT OR REPLACE INTO newest (subject, vital, body) VALUES (?1, ?2, ?3)")
            .map_err(Fault::sqlite(&self.path))?;
        let written = upsert.execute(params![subject.as_bytes(), vital.0, seal_tail(&tail)]);
        written.map_err(Fault::sqlite(&self.path)).map(drop)
    }

    fn open_tail(&self, subject: Uuid, vital: Vital, body: &[u8], tail: &mut Tail) -> Result<(), Fault> {
        let damaged = || Fault::damaged(&self.path, Series { subject, vital, span_s: 0 }, "its newest windows");
        let mut input = medmon_core::wire::Reader::new(body);
        while input.left() > 0 {
            let span_s = input.fit("span").map_err(damaged())?;
            let sealed = input.bytes("parts").map_err(damaged())?;
            parts::open(sealed, vital, span_s, |window| tail.take(&window)).map_err(damaged())?;
        }
        Ok(())
    }

    /// Shows the newest windows of every series to `see`. What is damaged is told and left out: the record has it.
    pub fn newest(&self, mut see: impl FnMut(Uuid, Vital, Tail)) -> Result<(), Fault> {
        let db = self.db();
        let mut statement = db.prepare("SELECT subject, vital, body FROM newest").map_err(Fault::sqlite(&self.path))?;
        let mut rows = statement.query([]).map_err(Fault::sqlite(&self.path))?;
        while let Some(row) = rows.next().map_err(Fault::sqlite(&self.path))? {
            let read = || Ok((Uuid::from_bytes(row.get(0)?), Vital(row.get(1)?), row.get_ref(2)?.as_blob()?));
            let (subject, vital, body) = read().map_err(Fault::sqlite(&self.path))?;
            let mut tail = Tail::default();
            match self.open_tail(subject, vital, body, &mut tail) {
                Ok(()) => see(subject, vital, tail),
                Err(fault) => tracing::warn!(error = %fault, "newest windows are not known until the next ones come"),
            }
        }
        Ok(())
    }

    /// The vitals of all series.
    pub fn vitals(&self) -> Result<Vec<Vital>, Fault> {
        let db = self.db();
        let read = || -> rusqlite::Result<_> {
            let mut statement = db.prepare("SELECT DISTINCT vital FROM newest")?;
            let rows = statement.query_map([], |row| row.get(0).map(Vital))?;
            rows.collect()
        };
        read().map_err(Fault::sqlite(&self.path))
    }

    /// Whom to erase, where that was begun and not ended.
    pub fn erasing(&self) -> Result<Vec<Uuid>, Fault> {
        let db = self.db();
        let read = || -> rusqlite::Result<_> {
            let mut statement = db.prepare("SELECT subject FROM erasing")?;
            let rows = statement.query_map([], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
            rows.collect()
        };
        read().map_err(Fault::sqlite(&self.path))
    }

    /// From here on a subject will be erased, whatever happens.
    pub fn begin_erasing(&self, subject: Uuid) -> Result<(), Fault> {
        self.execute("INSERT OR IGNORE INTO erasing (subject) VALUES (?1)", [subject.as_bytes()])
    }

    /// Erases a subject here, as the last of all files.
    pub fn end_erasing(&self, subject: Uuid) -> Result<(), Fault> {
        self.commit(|db| {
            for table in ["newest", "gap", "erasing"] {
                let erased = db.execute(&format!("DELETE FROM {table} WHERE subject = ?1"), [subject.as_bytes()]);
                erased.map_err(Fault::sqlite(&self.path))?;
            }
            Ok(())
        })?;
        file::checkpoint(&self.db(), &self.path)
    }

    /// A hot file is in the months: it is not looked for any more.
    pub fn forget_day(&self, day: Day) -> Result<(), Fault> {
        self.execute("DELETE FROM chunk WHERE day = ?1", [day.0])
    }

    /// Lets holes go that ended before `horizon_us`.
    pub fn forget_gaps(&self, horizon_us: UtcUs) -> Result<(), Fault> {
        self.execute("DELETE FROM gap WHERE to_us < ?1", [horizon_us])
    }
}

/// By span: length-prefixed sealed parts.
fn seal_tail(tail: &Tail) -> Vec<u8> {
    let mut by_span = BTreeMap::<u32, Parts>::new();
    tail.windows().iter().for_each(|window: &Window| by_span.entry(window.span_s).or_default().push(window));
    let mut out = medmon_core::wire::Writer::default();
    for (span_s, parts) in by_span {
        out.uint(span_s.into());
        out.bytes(&parts.seal());
    }
    out.0
}

/// Settled holes that overlap a span.
pub fn gaps(
    connection: &Connection,
    path: &Path,
    (subject, vital): (Uuid, Vital),
    (from_us, to_us): (UtcUs, UtcUs),
    settled: u64,
) -> Result<Vec<Gap>, Fault> {
    let read = || -> rusqlite::Result<_> {
        let mut statement = connection.prepare_cached(
            "SELECT device, from_us, to_us, lost FROM gap
             WHERE subject = ?1 AND vital = ?2 AND from_us < ?4 AND to_us > ?3 AND from_us < to_us AND segment <= ?5",
        )?;
        let key = params![subject.as_bytes(), vital.0, from_us, to_us, settled as i64];
        let rows = statement.query_map(key, |row| {
            let device = Ieee(row.get::<_, i64>(0)? as u64);
            Ok(Gap { vital, device, from_us: row.get(1)?, to_us: row.get(2)?, lost: row.get(3)? })
        })?;
        rows.collect()
    };
    read().map_err(Fault::sqlite(path))
}
