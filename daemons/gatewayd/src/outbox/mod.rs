//! The outbox: sealed envelopes and segments until the cloud's verdict, and a week beyond it in case the cloud asks again. Beside them
//! what waits to be sealed: DOWNSAMPLE's state, windows that have ended, readings whose time is not known yet, and what was lost (gaps).

mod segments;
mod verdicts;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use tokio::sync::watch;

use medmon_core::noun::{Envelope, Gap, Ieee, Reading, Vital, Window};
use medmon_core::wire;
use medmon_kit::sqlite::{self, Database};

pub use verdicts::{Pick, Sealed};

use crate::downsample::State;

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE envelope (
        sequence INTEGER PRIMARY KEY,
        sealed_us INTEGER NOT NULL,
        windows INTEGER NOT NULL,
        body BLOB NOT NULL,
        verdict TEXT,
        verdict_us INTEGER
    ) STRICT;
    CREATE INDEX envelope_waiting ON envelope (sequence) WHERE verdict IS NULL;
    CREATE TABLE downsample (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT;
",
    "
    CREATE TABLE held (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL) STRICT;
    CREATE TABLE gap (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch INTEGER NOT NULL,
        vital INTEGER NOT NULL,
        device TEXT NOT NULL,
        from_us INTEGER NOT NULL,
        to_us INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        why TEXT NOT NULL,
        sealed INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX gap_waiting ON gap (id) WHERE sealed = 0;
",
    "
    CREATE TABLE segment (
        part INTEGER PRIMARY KEY AUTOINCREMENT,
        alert BLOB NOT NULL,
        body BLOB NOT NULL,
        sealed_us INTEGER NOT NULL,
        -- 0: the cloud does not have it; 1: it has; 2: it does not take it
        uploaded INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX segment_waiting ON segment (part) WHERE uploaded = 0;
",
    "
    -- A row of `envelope` is numbered on through all installs; `base` is the last before an install's first.
    CREATE TABLE stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        install BLOB NOT NULL,
        base INTEGER NOT NULL,
        -- 1: the cloud has frozen it, as another box has it too
        forked INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE cloud (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL) STRICT;
    CREATE TABLE closed (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT;
",
];

/// A week: a cloud restored from a backup can ask for them again.
const KEEP_US: i64 = 7 * 86_400_000_000;

/// Gaps that stay listed after they were sealed.
const GAPS_KEPT: i64 = 1000;

/// Readings that are lost for good, and why: a [`Gap`] that is uploaded and drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Whose they were.
    pub epoch: u64,
    /// Where and when they are missing.
    pub gap: Gap,
    /// What happened: "disk quota", "broker and disk full".
    pub why: String,
}

impl Lost {
    /// A loss for each assignment, device and vital among `readings`.
    pub fn of(readings: &[Reading], why: &str) -> Vec<Self> {
        let mut lost: BTreeMap<_, Gap> = BTreeMap::new();
        for Reading { epoch, vital, device, utc_us, .. } in readings {
            let (vital, device, from_us, to_us) = (*vital, *device, *utc_us, *utc_us);
            let gap = lost.entry((*epoch, vital, device)).or_insert(Gap { vital, device, from_us, to_us, lost: 0 });
            (gap.from_us, gap.to_us) = (gap.from_us.min(from_us), gap.to_us.max(to_us));
            gap.lost += 1;
        }
        lost.into_iter().map(|((epoch, ..), gap)| Self { epoch, gap, why: why.into() }).collect()
    }
}

/// Closed windows and known gaps, by the assignment epoch they belong to.
pub type Closed = BTreeMap<u64, (Vec<Window>, Vec<Gap>)>;

/// What is to become durable together with DOWNSAMPLE's state.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Windows that have ended and gaps, by the assignment epoch they belong to; they leave the state.
    pub closed: Closed,
    /// Closed ones up to this row are in `sealed`.
    pub unclosed: i64,
    /// Envelopes.
    pub sealed: Vec<Envelope>,
    /// Readings whose time is not known yet.
    pub hold: Vec<Reading>,
    /// Held readings up to this row are in the state now.
    pub released: i64,
    /// Gaps up to this row are in `sealed`.
    pub gaps: i64,
}

/// Sealed envelopes on disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    database: Database,
    changed: Arc<watch::Sender<()>>,
}

/// What the outbox holds, for `medmon local status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OutboxDepth {
    /// Sealed since the install.
    pub sealed: i64,
    /// Waiting for a verdict.
    pub waiting: i64,
    /// Quarantined by the cloud.
    pub quarantined: i64,
    /// Windows in the envelopes that are still here.
    pub windows: i64,
    /// Those that the cloud holds.
    pub windows_stored: i64,
}

impl Outbox {
    /// Opens or creates it in `folder`.
    pub fn open(folder: &Path) -> Result<Self, sqlite::Error> {
        let database = Database::open(&folder.join("outbox.sqlite"), MIGRATIONS, sqlite::Options::default())?;
        Ok(Self { database, changed: Arc::new(watch::Sender::new(())) })
    }

    /// Changes when there is more to send.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn rung(&self) {
        self.changed.send_replace(());
    }

    /// DOWNSAMPLE's state as last committed. One that cannot be read is refused: guessing would count twice.
    pub async fn downsample_state(&self) -> Result<State, sqlite::Error> {
        let sql = "SELECT state FROM downsample WHERE id = 1";
        let text: Option<String> = self
            .database
            .read(|db| Ok::<_, sqlite::Error>(db.query_row(sql, [], |row| row.get(0)).optional()?))
            .await?;
        let state = text.map(|text| serde_json::from_str(&text)).transpose();
        state.map(Option::unwrap_or_default).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)).into()
        })
    }

    /// Makes DOWNSAMPLE's state durable together with what was made of it.
    pub async fn commit(&self, state: &State, batch: Batch) -> Result<(), sqlite::Error> {
        let state = serde_json::to_string(state).unwrap_or_default();
        let closed = (!batch.closed.is_empty()).then(|| serde_json::to_string(&batch.closed).unwrap_or_default());
        let more = !batch.sealed.is_empty();
        self.database
            .write(move |db| {
                let base = verdicts::base(db)?;
                for envelope in &batch.sealed {
                    let body = wire::envelope::encode(envelope);
                    db.execute(
                        "INSERT INTO envelope (sequence, sealed_us, windows, body) VALUES (?1, ?2, ?3, ?4)",
                        (envelope.sequence as i64 + base, envelope.sealed_us, envelope.windows.len() as i64, body),
                    )?;
                }
                if batch.unclosed > 0 {
                    db.execute("DELETE FROM closed WHERE id <= ?1", [batch.unclosed])?;
                }
                if let Some(closed) = closed {
                    db.execute("INSERT INTO closed (body) VALUES (?1)", [closed])?;
                }
                for reading in &batch.hold {
                    db.execute("INSERT INTO held (body) VALUES (?1)", [wire::reading::encode(reading)])?;
                }
                if batch.released > 0 {
                    db.execute("DELETE FROM held WHERE id <= ?1", [batch.released])?;
                }
                if batch.gaps > 0 {
                    db.execute("UPDATE gap SET sealed = 1 WHERE id <= ?1 AND sealed = 0", [batch.gaps])?;
                    db.execute("DELETE FROM gap WHERE id <= ?1 - ?2", (batch.gaps, GAPS_KEPT))?;
                }
                db.execute(
                    "INSERT INTO downsample (id, state) VALUES (1, ?1)
                     ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                    [state],
                )?;
                Ok::<_, sqlite::Error>(())
            })
            .await?;
        if more {
            self.rung();
        }
        Ok(())
    }

    /// What is closed and waits to be sealed, and the last row of it.
    pub async fn closed(&self) -> Result<(Vec<Closed>, i64), sqlite::Error> {
        let sql = "SELECT id, body FROM closed ORDER BY id";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        let rows: Vec<(i64, String)> = self
            .database
            .read(move |db| {
                Ok::<_, sqlite::Error>(db.prepare_cached(sql)?.query_map((), row)?.collect::<Result<_, _>>()?)
            })
            .await?;
        let last = rows.last().map_or(0, |(id, _)| *id);
        let closed = rows.into_iter().filter_map(|(id, body)| {
            let read = serde_json::from_str(&body);
            // It holds back nobody behind it; what was in it is gone.
            read.inspect_err(|error| tracing::error!(%error, id, "closed windows are damaged and lost")).ok()
        });
        Ok((closed.collect(), last))
    }

    /// Readings held for their time, after a row, oldest first, and the last row looked at; `None`: there are no more.
    pub async fn held(&self, after: i64, limit: u32) -> Result<(Vec<Reading>, Option<i64>), sqlite::Error> {
        let sql = "SELECT id, body FROM held WHERE id > ?1 ORDER BY id LIMIT ?2";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
        let rows: Vec<(i64, Vec<u8>)> = self
            .database
            .read(move |db| {
                Ok::<_, sqlite::Error>(
                    db.prepare_cached(sql)?.query_map((after, limit), row)?.collect::<Result<_, _>>()?,
                )
            })
            .await?;
        let last = rows.last().map(|(id, _)| *id);
        // A damaged one is a hole in the sequence, like anywhere else, and holds back nobody behind it.
        Ok((rows.into_iter().filter_map(|(_, body)| wire::reading::decode(&body).ok()).collect(), last))
    }

    /// Writes down what was lost; it travels with the next envelope.
    pub async fn lose(&self, lost: Vec<Lost>) -> Result<(), sqlite::Error> {
        self.database.write(move |db| lose(db, &lost)).await
    }

    /// What was lost, oldest first, with its row and whether an envelope carries it; `waiting`: only what none does.
    pub async fn lost(&self, waiting: bool) -> Result<Vec<(i64, Lost, bool)>, sqlite::Error> {
        let sql = "SELECT id, epoch, vital, device, from_us, to_us, lost, why, sealed FROM gap
                   WHERE sealed = 0 OR NOT ?1 ORDER BY id";
        self.database
            .read(move |db| {
                let row = |row: &rusqlite::Row<'_>| {
                    let device: String = row.get(3)?;
                    let gap = Gap {
                        vital: Vital(row.get(2)?),
                        device: device.parse().unwrap_or_default(),
                        from_us: row.get(4)?,
                        to_us: row.get(5)?,
                        lost: row.get(6)?,
                    };
                    let lost = Lost { epoch: row.get::<_, i64>(1)? as u64, gap, why: row.get(7)? };
                    Ok((row.get(0)?, lost, row.get(8)?))
                };
                Ok(db.prepare_cached(sql)?.query_map([waiting], row)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Lets the oldest envelopes go that the cloud has; gives how many.
    pub async fn give_up_acknowledged(&self, limit: u32) -> Result<u64, sqlite::Error> {
        // The newest row stays: it carries the count on.
        let sql = "DELETE FROM envelope WHERE sequence IN (SELECT sequence FROM envelope WHERE verdict IS NOT NULL
                   AND sequence < (SELECT max(sequence) FROM envelope) ORDER BY sequence LIMIT ?1)";
        self.database.write(move |db| Ok(db.execute(sql, [limit])? as u64)).await
    }

    /// Gives the oldest envelopes up that the cloud does not have, and in the same breath writes down what was in them.
    pub async fn give_up_unsent(&self, limit: u32) -> Result<u64, sqlite::Error> {
        let sql = "DELETE FROM envelope WHERE sequence IN (SELECT sequence FROM envelope WHERE verdict IS NULL
                   AND sequence < (SELECT max(sequence) FROM envelope) ORDER BY sequence LIMIT ?1) RETURNING body";
        self.database
            .write(move |db| {
                let mut gone = db.prepare_cached(sql)?;
                let bodies = gone.query_map([limit], |row| row.get::<_, Vec<u8>>(0))?;
                let (mut rows, mut lost) = (0, Vec::new());
                for body in bodies {
                    rows += 1;
                    if let Ok(envelope) = wire::envelope::decode(&body?) {
                        lost.extend(losses(envelope));
                    }
                }
                lose(db, &lost)?;
                Ok(rows)
            })
            .await
    }

    /// Gives the oldest readings up whose time is not known, and in the same breath writes them down as lost.
    pub async fn give_up_held(&self, limit: u32) -> Result<u64, sqlite::Error> {
        let sql = "DELETE FROM held WHERE id IN (SELECT id FROM held ORDER BY id LIMIT ?1) RETURNING body";
        self.database
            .write(move |db| {
                let mut gone = db.prepare_cached(sql)?;
                let bodies = gone.query_map([limit], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
                let readings: Vec<_> = bodies.iter().filter_map(|body| wire::reading::decode(body).ok()).collect();
                lose(db, &Lost::of(&readings, "disk quota, before the clock was set"))?;
                Ok(bodies.len() as u64)
            })
            .await
    }

    /// Gives freed pages back to the disk.
    pub async fn give_back(&self) -> Result<(), sqlite::Error> {
        self.database.give_back().await
    }

    /// What it holds.
    pub async fn depth(&self) -> Result<OutboxDepth, sqlite::Error> {
        let sql = "SELECT ifnull(max(sequence), 0), count(*) FILTER (WHERE verdict IS NULL),
                   count(*) FILTER (WHERE verdict = 'quarantined'), ifnull(sum(windows), 0),
                   ifnull(sum(windows) FILTER (WHERE verdict IN ('stored', 'already_held')), 0) FROM envelope";
        self.database
            .read(move |db| {
                Ok(db.query_row(sql, [], |row| {
                    Ok(OutboxDepth {
                        sealed: row.get(0)?,
                        waiting: row.get(1)?,
                        quarantined: row.get(2)?,
                        windows: row.get(3)?,
                        windows_stored: row.get(4)?,
                    })
                })?)
            })
            .await
    }
}

fn lose(db: &rusqlite::Connection, lost: &[Lost]) -> Result<(), sqlite::Error> {
    let sql = "INSERT INTO gap (epoch, vital, device, from_us, to_us, lost, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    for Lost { epoch, gap, why } in lost {
        let (vital, device) = (gap.vital.0, gap.device.to_string());
        db.execute(sql, (*epoch as i64, vital, device, gap.from_us, gap.to_us, gap.lost, why))?;
    }
    Ok(())
}

/// What is lost with an envelope: its gaps, and a gap for all windows of a vital. Windows are of no one device.
fn losses(envelope: Envelope) -> impl Iterator<Item = Lost> {
    let mut gaps: BTreeMap<Vital, Gap> = BTreeMap::new();
    for window in envelope.windows {
        let (from_us, to_us) = (window.start_us, window.start_us + i64::from(window.span_s) * 1_000_000);
        let (vital, device) = (window.vital, Ieee(0));
        let gap = gaps.entry(vital).or_insert(Gap { vital, device, from_us, to_us, lost: 0 });
        (gap.from_us, gap.to_us) = (gap.from_us.min(from_us), gap.to_us.max(to_us));
        gap.lost = gap.lost.saturating_add(window.count);
    }
    let epoch = envelope.epoch;
    envelope.gaps.into_iter().chain(gaps.into_values()).map(move |gap| Lost { epoch, gap, why: "disk quota".into() })
}

#[cfg(test)]
pub(super) mod tests {
    use medmon_core::noun::Verdict;
    use uuid::Uuid;

    use super::*;

    pub fn envelope(sequence: u64) -> Envelope {
        let (windows, gaps) = (Vec::new(), Vec::new());
        Envelope { install: Uuid::nil(), stream: 0, sequence, epoch: 1, sealed_us: 0, windows, gaps }
    }

    #[tokio::test]
    async fn what_was_lost_travels_once_and_stays_listed() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let gap = Gap { vital: Vital::HEART_RATE, device: Ieee(7), from_us: 1, to_us: 2, lost: 9 };
        let lost = Lost { epoch: 3, gap, why: "disk quota".into() };
        outbox.lose(vec![lost.clone()]).await.unwrap();
        assert_eq!(outbox.lost(true).await.unwrap(), [(1, lost.clone(), false)]);
        outbox.commit(&State::default(), Batch { gaps: 1, ..Batch::default() }).await.unwrap();
        assert!(outbox.lost(true).await.unwrap().is_empty());
        assert_eq!(outbox.lost(false).await.unwrap(), [(1, lost, true)]);
    }

    #[tokio::test]
    async fn held_readings_that_are_given_up_are_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let hold = (0..5).map(crate::tests::reading).collect();
        outbox.commit(&State::default(), Batch { hold, ..Batch::default() }).await.unwrap();
        assert_eq!((outbox.give_up_held(3).await.unwrap(), outbox.lost(true).await.unwrap()[0].1.gap.lost), (3, 3));
        assert_eq!((outbox.give_up_held(3).await.unwrap(), outbox.give_up_held(3).await.unwrap()), (2, 0));
    }

    #[tokio::test]
    async fn what_the_cloud_has_goes_without_a_word_and_what_it_has_not_is_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let window = |at| medmon_core::noun::Window::of(Vital::HEART_RATE, at, 720, 1000, true);
        let full = |sequence| Envelope { windows: vec![window(sequence as i64 * 60_000_000)], ..envelope(sequence) };
        outbox
            .commit(&State::default(), Batch { sealed: (1..=4).map(full).collect(), ..Batch::default() })
            .await
            .unwrap();
        outbox.settle(vec![(2, Verdict::Stored), (4, Verdict::Stored)], 0).await.unwrap();
        assert_eq!(outbox.give_up_acknowledged(10).await.unwrap(), 1, "the newest carries the count");
        assert_eq!(outbox.give_up_unsent(10).await.unwrap(), 2);
        let lost = outbox.lost(true).await.unwrap();
        assert_eq!(
            (lost.len(), lost[0].1.gap.from_us, lost[0].1.gap.lost),
            (2, 60_000_000, 1),
            "no crash comes between"
        );
        assert_eq!(outbox.next_sequence().await.unwrap(), 5);
    }
}
