//! The outbox: sealed envelopes until the cloud's verdict, and a week beyond it in case the cloud asks again.

use std::path::Path;

use rusqlite::OptionalExtension as _;

use medmon_core::noun::{Envelope, UtcUs, Verdict};
use medmon_core::wire;
use medmon_kit::sqlite::{self, Database};

use crate::downsample::State;

const MIGRATIONS: &[&str] = &["
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
"];

/// A week: a cloud restored from a backup can ask for them again.
const KEEP_US: i64 = 7 * 86_400_000_000;

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

    /// Makes DOWNSAMPLE's state and what it sealed durable together.
    pub async fn commit(&self, state: &State, sealed: Vec<Envelope>) -> Result<(), sqlite::Error> {
        let state = serde_json::to_string(state).unwrap_or_default();
        self.database
            .write(move |db| {
                for envelope in &sealed {
                    let body = wire::envelope::encode(envelope);
                    db.execute(
                        "INSERT INTO envelope (sequence, sealed_us, windows, body) VALUES (?1, ?2, ?3, ?4)",
                        (envelope.sequence as i64, envelope.sealed_us, envelope.windows.len() as i64, body),
                    )?;
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
        outbox.commit(&State::default(), vec![envelope(1), envelope(2), envelope(3)]).await.unwrap();
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
}
