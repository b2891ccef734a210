//! The embedded vitals store, first version: one SQLite file, a row per part of a window.
//!
//! The key of a part has its source in it, so an envelope that is stored twice (a crash between this store and the
//! records, a lost answer) is there once. Not yet for compaction or retention.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use medmon_core::noun::{Gap, Ieee, UtcUs, Vital, Window};
use medmon_kit::sqlite::{self, Database, Options};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::recent::{Recent, SPAN_US};
use super::{Batch, Caps, Total, VitalsError, VitalsStore};
use crate::records::{all, key};
use crate::refusal::Refusal;

const MIGRATIONS: &[&str] = &["
CREATE TABLE part (
    subject BLOB NOT NULL,
    vital BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    span_s BIGINT NOT NULL,
    install BLOB NOT NULL,
    stream BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    min BIGINT NOT NULL,
    max BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    count BIGINT NOT NULL,
    last BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    coverage BIGINT NOT NULL,
    suspect BIGINT NOT NULL,
    PRIMARY KEY (subject, vital, start_us, span_s, install, stream, sequence)
) WITHOUT ROWID;
CREATE TABLE gap (
    subject BLOB NOT NULL,
    vital BIGINT NOT NULL,
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    device TEXT NOT NULL,
    install BLOB NOT NULL,
    stream BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    PRIMARY KEY (subject, vital, from_us, to_us, device, install, stream, sequence)
) WITHOUT ROWID;
CREATE TABLE newest (
    -- where each series ends, so that a start reads an hour of each and not everything
    subject BLOB NOT NULL,
    vital BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    PRIMARY KEY (subject, vital)
) WITHOUT ROWID;
"];

const COLUMNS: &str = "vital, start_us, span_s, min, max, sum, count, last, last_ms, coverage, suspect";

/// The store in a file.
#[derive(Debug)]
pub struct Embedded {
    db: Database,
    recent: Arc<Recent>,
}

impl Embedded {
    /// Opens or creates the file and reads the last hour of every vital into memory.
    pub async fn open(path: &Path) -> Result<Self, VitalsError> {
        // Until it settles segments itself, the journal gives everything again at each start.
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
        let db = Database::open(path, MIGRATIONS, Options::default()).map_err(|error| VitalsError::of(error.into()))?;
        let recent = Arc::new(Recent::default());
        let filled = Arc::clone(&recent);
        db.read(move |db| fill(db, &filled)).await.map_err(VitalsError::of)?;
        Ok(Self { db, recent })
    }
}

#[async_trait]
impl VitalsStore for Embedded {
    fn caps(&self) -> Caps {
        Caps { reads_own_writes: true, late_window_s: None, same_instant: true }
    }

    async fn take(&self, _segment: u64, batches: Vec<Batch>) -> Result<(), VitalsError> {
        // One statement more than this job's own commit: a group is durable or not as a whole.
        let (db, recent) = (self.db.clone(), Arc::clone(&self.recent));
        // A task of its own: what is durable but not in memory would stay unseen, for sent again it is not new.
        let appended = tokio::spawn(async move {
            let new = db.write(move |db| insert(db, &batches)).await.map_err(VitalsError::of)?;
            new.iter().for_each(|(subject, part)| recent.take(*subject, part));
            Ok(())
        });
        appended.await.map_err(|error| VitalsError::Store(Box::new(error)))?
    }

    async fn range(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Window>, VitalsError> {
        let parts = self.db.read(move |db| parts(db, subject, vital, from_us, to_us)).await.map_err(VitalsError::of)?;
        let mut windows: Vec<Window> = Vec::new();
        for part in parts {
            match windows.last_mut() {
                Some(whole) if (whole.start_us, whole.span_s) == (part.start_us, part.span_s) => whole.merge(&part),
                _ => windows.push(part),
            }
        }
        Ok(windows)
    }

    async fn gaps(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Gap>, VitalsError> {
        let read = move |db: &Connection| {
            let sql = "SELECT device, from_us, to_us, lost FROM gap
                       WHERE subject = ?1 AND vital = ?2 AND from_us < ?4 AND to_us > ?3 AND from_us < to_us ORDER BY from_us, to_us";
            all(db, sql, params![key(subject), vital.0, from_us, to_us], |row| {
                let device: String = row.get(0)?;
                Ok(Gap {
                    vital,
                    device: Ieee(u64::from_str_radix(&device, 16).unwrap_or_default()),
                    from_us: row.get(1)?,
                    to_us: row.get(2)?,
                    lost: row.get(3)?,
                })
            })
        };
        self.db.read(read).await.map_err(VitalsError::of)
    }

    async fn settle(&self, _segment: u64) -> Result<bool, VitalsError> {
        Ok(false)
    }

    fn settled_through(&self) -> u64 {
        0
    }

    async fn totals(
        &self,
        subjects: &[Uuid],
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Total>, VitalsError> {
        let mut totals = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let mut total = Total::default();
            self.range(*subject, vital, from_us, to_us).await?.iter().for_each(|window| total.add(window));
            totals.push(total);
        }
        Ok(totals)
    }

    async fn erase(&self, subject: Uuid) -> Result<(), VitalsError> {
        let work = move |db: &Connection| {
            for table in ["part", "gap", "newest"] {
                db.execute(&format!("DELETE FROM {table} WHERE subject = ?1"), [key(subject)])?;
            }
            Ok::<_, Refusal>(())
        };
        self.db.write(work).await.map_err(VitalsError::of)
    }

    async fn maintain(&self, _now_us: UtcUs) -> Result<(), VitalsError> {
        Ok(())
    }

    fn recent(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)> {
        self.recent.of(subject)
    }
}

/// Inserts what is new and gives it back.
fn insert(db: &Connection, batches: &[Batch]) -> Result<Vec<(Uuid, Window)>, Refusal> {
    let mut new = Vec::new();
    for Batch { subject, windows, gaps } in batches {
        let sequence: i64 = db.query_row("SELECT COALESCE(MAX(sequence), 0) + 1 FROM part", [], |row| row.get(0))?;
        let install = [0u8; 16];
        for part in whole(windows) {
            let mut statement = db.prepare_cached(
                "INSERT OR IGNORE INTO part (subject, install, stream, sequence, vital, start_us, span_s, min, max, sum,
                    count, last, last_ms, coverage, suspect)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?;
            let added = statement.execute(params![
                key(*subject),
                install,
                0,
                sequence,
                part.vital.0,
                part.start_us,
                part.span_s,
                part.min,
                part.max,
                part.sum,
                part.count,
                part.last,
                part.last_ms,
                part.coverage,
                part.suspect
            ])?;
            if added == 1 {
                db.prepare_cached(
                    "INSERT INTO newest (subject, vital, start_us) VALUES (?1, ?2, ?3)
                     ON CONFLICT (subject, vital) DO UPDATE SET start_us = MAX(start_us, excluded.start_us)",
                )?
                .execute(params![key(*subject), part.vital.0, part.start_us])?;
                new.push((*subject, part));
            }
        }
        for gap in gaps {
            db.prepare_cached(
                "INSERT OR IGNORE INTO gap (subject, vital, from_us, to_us, device, install, stream, sequence, lost)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                key(*subject),
                gap.vital.0,
                gap.from_us,
                gap.to_us,
                gap.device.to_string(),
                install,
                0,
                sequence,
                gap.lost
            ])?;
        }
    }
    Ok(new)
}

/// Parts of one window within one envelope make one row.
fn whole(windows: &[Window]) -> Vec<Window> {
    let mut by_start = std::collections::BTreeMap::<_, Window>::new();
    for window in windows {
        by_start
            .entry((window.vital, window.start_us, window.span_s))
            .and_modify(|whole| whole.merge(window))
            .or_insert_with(|| window.clone());
    }
    by_start.into_values().collect()
}

fn parts(db: &Connection, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Window>, Refusal> {
    let sql = format!(
        "SELECT {COLUMNS} FROM part WHERE subject = ?1 AND vital = ?2 AND start_us >= ?3 AND start_us < ?4
         ORDER BY start_us, span_s"
    );
    all(db, &sql, params![key(subject), vital.0, from_us, to_us], window)
}

fn fill(db: &Connection, recent: &Recent) -> Result<(), Refusal> {
    let series = all(db, "SELECT subject, vital, start_us FROM newest", [], |row| {
        Ok((Uuid::from_bytes(row.get(0)?), Vital(row.get(1)?), row.get::<_, i64>(2)?))
    })?;
    for (subject, vital, newest_us) in series {
        let last_hour = parts(db, subject, vital, newest_us.saturating_sub(SPAN_US), newest_us.saturating_add(1))?;
        last_hour.iter().for_each(|part| recent.take(subject, part));
    }
    Ok(())
}

fn window(row: &Row<'_>) -> rusqlite::Result<Window> {
    Ok(Window {
        vital: Vital(row.get("vital")?),
        start_us: row.get("start_us")?,
        span_s: row.get("span_s")?,
        min: row.get("min")?,
        max: row.get("max")?,
        sum: row.get("sum")?,
        count: row.get("count")?,
        last: row.get("last")?,
        last_ms: row.get("last_ms")?,
        coverage: row.get("coverage")?,
        suspect: row.get("suspect")?,
    })
}

/// For callers that have errors of the file only.
impl From<sqlite::Error> for VitalsError {
    fn from(error: sqlite::Error) -> Self {
        VitalsError::of(error.into())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// A request that was cut between the commit and the memory left the board on an old value until a restart.
    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_nothing_out_of_the_newest_values() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(&folder.path().join("vitals.sqlite")).await.unwrap();
        let subject = Uuid::from_u128(1);
        let batch = Batch {
            subject,
            windows: vec![Window::of(Vital::HEART_RATE, 30_000_000, 700, 1000, true)],
            gaps: Vec::new(),
        };
        assert!(store.take(1, vec![batch.clone()]).now_or_never().is_none(), "dropped before it was durable");
        store.take(1, vec![batch]).await.unwrap();
        assert_eq!(store.recent(subject).len(), 1);
    }
}
