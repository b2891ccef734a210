//! The outbox: sealed envelopes and segments until the cloud's verdict, and a week beyond it in case the cloud asks again. Beside them
//! what waits to be sealed: DOWNSAMPLE's state, readings whose time is not known yet, and what was lost (gaps).

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::OptionalExtension as _;

use medmon_core::noun::{Envelope, Gap, Ieee, Reading, Segment, UtcUs, Verdict, Vital};
use medmon_core::wire;
use medmon_kit::sqlite::{self, Database};

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
];

/// A week: a cloud restored from a backup can ask for them again.
const KEEP_US: i64 = 7 * 86_400_000_000;

/// Segments that stay after the cloud had them.
const SEGMENTS_KEPT: i64 = 200;

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

/// What is to become durable together with DOWNSAMPLE's state.
#[derive(Clone, Debug, Default)]
pub struct Batch {
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
}

/// One sealed envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub sequence: u64,
    /// Its bytes, never to be changed.
    pub body: Vec<u8>,
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
        Ok(Self { database })
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

    /// The number of the next envelope.
    pub async fn next_sequence(&self) -> Result<u64, sqlite::Error> {
        let sql = "SELECT ifnull(max(sequence), 0) + 1 FROM envelope";
        self.database.read(|db| Ok(db.query_row(sql, [], |row| row.get::<_, i64>(0))? as u64)).await
    }

    /// Makes DOWNSAMPLE's state durable together with what was made of it.
    pub async fn commit(&self, state: &State, batch: Batch) -> Result<(), sqlite::Error> {
        let state = serde_json::to_string(state).unwrap_or_default();
        self.database
            .write(move |db| {
                for envelope in &batch.sealed {
                    let body = wire::envelope::encode(envelope);
                    db.execute(
                        "INSERT INTO envelope (sequence, sealed_us, windows, body) VALUES (?1, ?2, ?3, ?4)",
                        (envelope.sequence as i64, envelope.sealed_us, envelope.windows.len() as i64, body),
                    )?;
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
                Ok(())
            })
            .await
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

    /// Numbers a segment, seals it around what fired, and keeps it.
    pub async fn keep_segment(&self, segment: Segment, around_us: UtcUs, now_us: UtcUs) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                let insert = "INSERT INTO segment (alert, body, sealed_us) VALUES (?1, x'', ?2)";
                db.execute(insert, (segment.alert.as_bytes(), now_us))?;
                let part = db.last_insert_rowid();
                let body = wire::segment::seal(Segment { part: part as u64, ..segment }, around_us);
                db.execute("UPDATE segment SET body = ?2 WHERE part = ?1", (part, body))?;
                Ok(())
            })
            .await
    }

    /// The newest segment that the cloud does not have: its part and its bytes.
    pub async fn segment_waiting(&self) -> Result<Option<(i64, Vec<u8>)>, sqlite::Error> {
        let sql = "SELECT part, body FROM segment WHERE uploaded = 0 ORDER BY part DESC LIMIT 1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.database.read(move |db| Ok(db.query_row(sql, (), row).optional()?)).await
    }

    /// The cloud has a segment, or will never take it. Lets go what was sealed a week ago, and more than 200.
    pub async fn settle_segment(&self, part: i64, taken: bool, now_us: UtcUs) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                let state = if taken { 1 } else { 2 };
                db.execute("UPDATE segment SET uploaded = ?2 WHERE part = ?1", (part, state))?;
                let old = "DELETE FROM segment WHERE uploaded > 0 AND (sealed_us < ?1 OR part NOT IN
                           (SELECT part FROM segment WHERE uploaded > 0 ORDER BY part DESC LIMIT ?2))";
                db.execute(old, (now_us - KEEP_US, SEGMENTS_KEPT))?;
                Ok(())
            })
            .await
    }

    /// Gives segments up, those first that the cloud has. What is in them are windows already.
    pub async fn give_up_segments(&self, limit: u32) -> Result<u64, sqlite::Error> {
        let sql = "DELETE FROM segment WHERE part IN
                   (SELECT part FROM segment ORDER BY uploaded = 0, part LIMIT ?1)";
        self.database.write(move |db| Ok(db.execute(sql, [limit])? as u64)).await
    }

    /// Gives freed pages back to the disk.
    pub async fn give_back(&self) -> Result<(), sqlite::Error> {
        self.database.give_back().await
    }

    /// Envelopes without a verdict, newest first: what is happening now goes before what is past.
    pub async fn waiting(&self, limit: u32) -> Result<Vec<Sealed>, sqlite::Error> {
        let sql = "SELECT sequence, body FROM envelope WHERE verdict IS NULL ORDER BY sequence DESC LIMIT ?1";
        self.database
            .read(move |db| {
                let mut rows = db.prepare_cached(sql)?;
                let row =
                    |row: &rusqlite::Row<'_>| Ok(Sealed { sequence: row.get::<_, i64>(0)? as u64, body: row.get(1)? });
                Ok(rows.query_map([limit], row)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Notes the cloud's verdicts that free an envelope, and lets go what was freed a week ago.
    pub async fn settle(&self, verdicts: Vec<(u64, Verdict)>, now_us: UtcUs) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                for (sequence, verdict) in verdicts.iter().filter(|(_, verdict)| verdict.frees()) {
                    let name = match verdict {
                        Verdict::Quarantined { .. } => "quarantined",
                        Verdict::AlreadyHeld => "already_held",
                        _ => "stored",
                    };
                    db.execute(
                        "UPDATE envelope SET verdict = ?2, verdict_us = ?3 WHERE sequence = ?1 AND verdict IS NULL",
                        (*sequence as i64, name, now_us),
                    )?;
                }
                // The newest row stays: it carries the count on.
                db.execute(
                    "DELETE FROM envelope WHERE verdict_us < ?1 AND sequence < (SELECT max(sequence) FROM envelope)",
                    [now_us - KEEP_US],
                )?;
                Ok(())
            })
            .await
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
mod tests {
    use uuid::Uuid;

    use super::*;

    fn envelope(sequence: u64) -> Envelope {
        let (windows, gaps) = (Vec::new(), Vec::new());
        Envelope { install: Uuid::nil(), stream: 0, sequence, epoch: 1, sealed_us: 0, windows, gaps }
    }

    #[tokio::test]
    async fn only_a_freeing_verdict_frees_and_numbers_never_come_twice() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let sealed = vec![envelope(1), envelope(2), envelope(3)];
        outbox.commit(&State::default(), Batch { sealed, ..Batch::default() }).await.unwrap();
        let verdicts = vec![(3, Verdict::Stored), (2, Verdict::Later { seconds: 5 })];
        outbox.settle(verdicts, 0).await.unwrap();
        let waiting: Vec<_> = outbox.waiting(10).await.unwrap().iter().map(|sealed| sealed.sequence).collect();
        assert_eq!(waiting, [2, 1], "newest first");
        outbox.settle(vec![(2, Verdict::Stored), (1, Verdict::AlreadyHeld)], KEEP_US * 2).await.unwrap();
        outbox.settle(vec![], KEEP_US * 4).await.unwrap();
        drop(outbox);
        let outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(outbox.next_sequence().await.unwrap(), 4);
        assert_eq!(outbox.depth().await.unwrap().waiting, 0);
    }

    #[tokio::test]
    async fn segments_are_numbered_once_settled_once_and_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let (alert, readings) = (Uuid::from_u128(1), vec![crate::tests::reading(1)]);
        let segment = Segment { alert, part: 0, epoch: 1, from_us: 0, to_us: 9, cut: false, readings };
        let part = async || outbox.segment_waiting().await.unwrap().map(|(part, _)| part);
        for sealed_us in 0..203 {
            outbox.keep_segment(segment.clone(), 0, sealed_us).await.unwrap();
        }
        let (newest, body) = outbox.segment_waiting().await.unwrap().unwrap();
        let opened = wire::segment::open(&body).unwrap();
        assert_eq!((newest, &opened), (203, &Segment { part: 203, ..segment.clone() }));
        let rows = async || {
            let count = "SELECT count(*) FROM segment";
            outbox.database.read(move |db| Ok::<i64, sqlite::Error>(db.query_row(count, (), |row| row.get(0))?)).await
        };
        for settled in (2..=203).rev() {
            outbox.settle_segment(settled, settled != 9, 0).await.unwrap();
        }
        assert_eq!((part().await, rows().await.unwrap()), (Some(1), 201));
        assert_eq!(outbox.give_up_segments(200).await.unwrap(), 200);
        assert_eq!(part().await, Some(1), "what the cloud does not have goes last");
        outbox.settle_segment(1, true, KEEP_US + 10).await.unwrap();
        assert_eq!(rows().await.unwrap(), 0);
        outbox.keep_segment(segment, 0, 0).await.unwrap();
        assert_eq!(part().await, Some(204), "no number comes twice");
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
