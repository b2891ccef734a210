//! What is sent next, what the cloud said of it, and what is sent again because the cloud does not hold it after all.

use rusqlite::OptionalExtension as _;
use uuid::Uuid;

use medmon_api::gateway::{Lane, StreamHeld};
use medmon_core::noun::{UtcUs, Verdict};
use medmon_core::wire;
use medmon_kit::sqlite;

use super::{KEEP_US, Outbox};
use crate::uplink::is_forked;

/// What was sealed so long ago at most travels in the live lane,
const LIVE_US: i64 = 180_000_000;
/// and so many envelopes of it.
const LIVE_MAX: usize = 4;
/// Holes of a stream that are looked into; a cloud that names more is answered from its next heartbeats.
const HOLES_MAX: usize = 1000;

/// One sealed envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number here. An install's own numbers begin at 1; these go on.
    pub row: u64,
    /// Its bytes, never to be changed.
    pub body: Vec<u8>,
}

/// Which envelopes are asked for.
#[derive(Clone, Debug)]
pub struct Pick {
    /// Those of one lane; `None` = all.
    pub lane: Option<Lane>,
    /// Now.
    pub now_us: UtcUs,
    /// Bytes together at most; one always goes.
    pub bytes: usize,
    /// How many at most.
    pub count: usize,
    /// Not these.
    pub deferred: Vec<u64>,
}

impl Default for Pick {
    /// All of them.
    fn default() -> Self {
        Self { lane: None, now_us: 0, bytes: usize::MAX, count: usize::MAX, deferred: Vec::new() }
    }
}

impl Outbox {
    /// Counts on under `install`. A box that enrolled anew begins a stream of its own; what its old install has sealed stays
    /// what it is.
    pub async fn begin(&self, install: Uuid) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                let newest = "SELECT install FROM stream ORDER BY id DESC LIMIT 1";
                let before: Option<Vec<u8>> = db.query_row(newest, (), |row| row.get(0)).optional()?;
                if before.as_deref() == Some(install.as_bytes()) {
                    return Ok(());
                }
                let newest = "SELECT sequence, body FROM envelope ORDER BY sequence DESC LIMIT 1";
                let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
                let base = match db.query_row(newest, (), row).optional()? {
                    // Sealed by a release that wrote no streams down.
                    Some((_, body))
                        if before.is_none()
                            && wire::envelope::decode(&body).is_ok_and(|one| one.install == install) =>
                    {
                        0
                    }
                    Some((row, _)) => row,
                    None => 0,
                };
                db.execute("INSERT INTO stream (install, base) VALUES (?1, ?2)", (install.as_bytes(), base))?;
                Ok(())
            })
            .await
    }

    /// The number of the next envelope in its stream.
    pub async fn next_sequence(&self) -> Result<u64, sqlite::Error> {
        let sql = "SELECT ifnull(max(sequence), 0) + 1 FROM envelope";
        self.database.read(|db| Ok((db.query_row(sql, [], |row| row.get::<_, i64>(0))? - base(db)?) as u64)).await
    }

    /// Envelopes without a verdict, newest first: what is happening now goes before what is past.
    pub async fn waiting(&self, pick: Pick) -> Result<Vec<Sealed>, sqlite::Error> {
        let sql = "SELECT sequence, sealed_us, length(body), body FROM envelope WHERE verdict IS NULL
                   ORDER BY sequence DESC";
        self.database
            .read(move |db| {
                let mut select = db.prepare_cached(sql)?;
                let mut rows = select.query(())?;
                let (mut live, mut bytes, mut sealed) = (0, 0, Vec::new());
                while let Some(found) = rows.next()? {
                    let is_live = live < LIVE_MAX && found.get::<_, i64>(1)? >= pick.now_us - LIVE_US;
                    live += usize::from(is_live);
                    let lane = if is_live { Lane::Live } else { Lane::Backlog };
                    let row = found.get::<_, i64>(0)? as u64;
                    if pick.lane.is_some_and(|wanted| wanted != lane) || pick.deferred.contains(&row) {
                        continue;
                    }
                    bytes += found.get::<_, i64>(2)? as usize;
                    if sealed.len() == pick.count || (!sealed.is_empty() && bytes > pick.bytes) {
                        break;
                    }
                    sealed.push(Sealed { row, body: found.get(3)? });
                }
                Ok(sealed)
            })
            .await
    }

    /// Notes the cloud's verdicts that free an envelope, and lets go what was freed a week ago.
    pub async fn settle(&self, verdicts: Vec<(u64, Verdict)>, now_us: UtcUs) -> Result<(), sqlite::Error> {
        self.database
            .write(move |db| {
                let base = base(db)?;
                for (row, verdict) in verdicts.iter().filter(|(_, verdict)| verdict.frees()) {
                    let name = match verdict {
                        Verdict::Quarantined { reason } => {
                            if is_forked(reason) && *row as i64 > base {
                                let newest = "UPDATE stream SET forked = 1 WHERE id = (SELECT max(id) FROM stream)";
                                db.execute(newest, ())?;
                            }
                            "quarantined"
                        }
                        Verdict::AlreadyHeld => "already_held",
                        _ => "stored",
                    };
                    db.execute(
                        "UPDATE envelope SET verdict = ?2, verdict_us = ?3 WHERE sequence = ?1 AND verdict IS NULL",
                        (*row as i64, name, now_us),
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

    /// Whether the cloud has frozen `install`.
    pub async fn is_forked(&self, install: Uuid) -> Result<bool, sqlite::Error> {
        let sql = "SELECT count(*) FROM stream WHERE install = ?1 AND forked = 1";
        self.database.read(move |db| Ok(db.query_row(sql, [install.as_bytes()], |row| row.get::<_, i64>(0))? > 0)).await
    }

    /// Whether a cloud of this generation is another than the last one: it was restored from a backup.
    pub async fn is_restored(&self, generation: u64) -> Result<bool, sqlite::Error> {
        self.database.read(move |db| Ok(generation != 0 && last(db)?.is_some_and(|last| last != generation))).await
    }

    /// Takes verdicts back on what the cloud does not hold of what it was given before `asked_us`; after a restore also
    /// those of what was set aside, and lets segments go again. Notes the generation. Gives how many envelopes are sent
    /// again.
    pub async fn resume(
        &self,
        generation: u64,
        held: Vec<StreamHeld>,
        asked_us: UtcUs,
    ) -> Result<usize, sqlite::Error> {
        let looked = self.database.read(move |db| {
            let seen = if generation == 0 { Some(0) } else { last(db)? };
            let restored = seen.is_some_and(|seen| seen != generation);
            let missing = missing(db, held, restored, asked_us)?;
            Ok::<_, sqlite::Error>((seen == Some(generation), restored, missing))
        });
        let (known, restored, missing) = looked.await?;
        if known && missing.is_empty() {
            return Ok(0);
        }
        let count = missing.len();
        self.database
            .write(move |db| {
                for row in missing {
                    db.execute("UPDATE envelope SET verdict = NULL, verdict_us = NULL WHERE sequence = ?1", [row])?;
                }
                if restored {
                    db.execute("UPDATE segment SET uploaded = 0 WHERE uploaded = 1", ())?;
                }
                if !known {
                    let note = "INSERT INTO cloud (id, generation) VALUES (1, ?1)
                                ON CONFLICT (id) DO UPDATE SET generation = excluded.generation";
                    db.execute(note, [generation as i64])?;
                }
                Ok::<_, sqlite::Error>(())
            })
            .await?;
        self.rung();
        Ok(count)
    }
}

/// Rows of this install that have a verdict and that the cloud does not hold.
fn missing(
    db: &rusqlite::Connection,
    held: Vec<StreamHeld>,
    restored: bool,
    asked_us: UtcUs,
) -> Result<Vec<i64>, sqlite::Error> {
    // A cloud that says nothing holds what it said to hold, unless it was restored.
    let stream = match held.into_iter().find(|held| held.stream == 0) {
        Some(stream) => stream,
        None if restored => StreamHeld::default(),
        None => return Ok(Vec::new()),
    };
    let base = base(db)?;
    let above = (i64::try_from(stream.high).unwrap_or(i64::MAX).saturating_add(1), i64::MAX);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let holes = stream.holes.iter().take(HOLES_MAX).map(|(from, to)| (number(*from), number(*to)));
    let sql = "SELECT sequence FROM envelope WHERE sequence BETWEEN ?1 AND ?2 AND sequence > ?3 AND verdict_us < ?4
               AND (?5 OR verdict <> 'quarantined')";
    let mut select = db.prepare_cached(sql)?;
    let mut missing = Vec::new();
    for (from, to) in holes.chain([above]) {
        let bounds = (from.saturating_add(base), to.saturating_add(base), base, asked_us, restored);
        for row in select.query_map(bounds, |row| row.get(0))? {
            missing.push(row?);
        }
    }
    Ok(missing)
}

/// The generation of the cloud that was seen last.
fn last(db: &rusqlite::Connection) -> Result<Option<u64>, sqlite::Error> {
    let sql = "SELECT generation FROM cloud WHERE id = 1";
    Ok(db.query_row(sql, (), |row| row.get::<_, i64>(0)).optional()?.map(|generation| generation as u64))
}

/// The row before the first envelope of this install.
pub(super) fn base(db: &rusqlite::Connection) -> Result<i64, sqlite::Error> {
    let sql = "SELECT base FROM stream ORDER BY id DESC LIMIT 1";
    Ok(db.query_row(sql, (), |row| row.get(0)).optional()?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::Segment;

    use super::super::Batch;
    use super::super::tests::envelope;
    use super::*;
    use crate::downsample::State;

    async fn outbox(folder: &std::path::Path, install: Uuid, count: u64) -> Outbox {
        let outbox = Outbox::open(folder).unwrap();
        outbox.begin(install).await.unwrap();
        seal(&outbox, install, count).await;
        outbox
    }

    async fn seal(outbox: &Outbox, install: Uuid, count: u64) {
        let next = outbox.next_sequence().await.unwrap();
        let sealed = (next..next + count).map(|sequence| medmon_core::noun::Envelope { install, ..envelope(sequence) });
        outbox.commit(&State::default(), Batch { sealed: sealed.collect(), ..Batch::default() }).await.unwrap();
    }

    fn pick(lane: Option<Lane>) -> Pick {
        Pick { lane, ..Pick::default() }
    }

    async fn rows(outbox: &Outbox, pick: Pick) -> Vec<u64> {
        outbox.waiting(pick).await.unwrap().iter().map(|sealed| sealed.row).collect()
    }

    #[tokio::test]
    async fn the_newest_travel_live_and_the_rest_behind_them_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path(), Uuid::nil(), 7).await;
        assert_eq!(rows(&outbox, pick(Some(Lane::Live))).await, [7, 6, 5, 4]);
        assert_eq!(rows(&outbox, pick(Some(Lane::Backlog))).await, [3, 2, 1]);
        let later = |lane| Pick { now_us: LIVE_US + 1, ..pick(lane) };
        assert!(rows(&outbox, later(Some(Lane::Live))).await.is_empty(), "what is old waits with the rest");
        assert_eq!(rows(&outbox, later(Some(Lane::Backlog))).await.len(), 7);
        assert_eq!(rows(&outbox, Pick { deferred: vec![7, 2], ..pick(None) }).await, [6, 5, 4, 3, 1]);
        let length = outbox.waiting(pick(None)).await.unwrap()[0].body.len();
        assert_eq!(rows(&outbox, Pick { bytes: 2 * length, ..pick(None) }).await, [7, 6]);
        assert_eq!(rows(&outbox, Pick { bytes: 1, ..pick(None) }).await, [7], "one always goes");
    }

    #[tokio::test]
    async fn only_a_freeing_verdict_frees_and_numbers_never_come_twice() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path(), Uuid::nil(), 3).await;
        let verdicts = vec![(3, Verdict::Stored), (2, Verdict::Later { seconds: 5 })];
        outbox.settle(verdicts, 0).await.unwrap();
        assert_eq!(rows(&outbox, pick(None)).await, [2, 1]);
        outbox.settle(vec![(2, Verdict::Stored), (1, Verdict::AlreadyHeld)], KEEP_US * 2).await.unwrap();
        outbox.settle(vec![], KEEP_US * 4).await.unwrap();
        drop(outbox);
        let outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(outbox.next_sequence().await.unwrap(), 4);
        assert_eq!(outbox.depth().await.unwrap().waiting, 0);
    }

    fn held(high: u64, holes: Vec<(u64, u64)>) -> Vec<StreamHeld> {
        vec![StreamHeld { stream: 0, high, holes }]
    }

    #[tokio::test]
    async fn what_the_cloud_does_not_hold_is_sent_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path(), Uuid::nil(), 9).await;
        let aside = || Verdict::Quarantined { reason: String::new() };
        let verdict = |row| if row == 8 { aside() } else { Verdict::Stored };
        outbox.settle((1..=8).map(|row| (row, verdict(row))).collect(), 10).await.unwrap();
        for (generation, held) in [
            (0, Vec::new()),
            (5, Vec::new()),
            (5, held(8, Vec::new())),
            (0, held(9, vec![(9, 9)])),
            (5, held(8, vec![(8, 8), (20, u64::MAX)])),
        ] {
            assert_eq!(outbox.resume(generation, held, 11).await.unwrap(), 0);
        }
        assert_eq!(outbox.resume(5, held(3, vec![(2, 2)]), 10).await.unwrap(), 0, "asked before the verdicts came");
        assert_eq!(outbox.resume(5, held(6, vec![(2, 3)]), 11).await.unwrap(), 3);
        assert_eq!(rows(&outbox, pick(None)).await, [9, 7, 3, 2], "8 was set aside, and nothing was restored");
        assert_eq!(outbox.resume(0, held(6, vec![(2, 3)]), 11).await.unwrap(), 0, "they are on their way");
    }

    #[tokio::test]
    async fn a_restored_cloud_gets_what_came_after_its_backup() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path(), Uuid::nil(), 6).await;
        let segment =
            Segment { alert: Uuid::nil(), part: 0, epoch: 1, from_us: 0, to_us: 0, cut: false, readings: Vec::new() };
        outbox.keep_segment(segment, 0, 0).await.unwrap();
        outbox.settle_segment(1, true, 0).await.unwrap();
        let aside = Verdict::Quarantined { reason: String::new() };
        outbox.settle((1..6).map(|row| (row, Verdict::Stored)).chain([(6, aside)]).collect(), 10).await.unwrap();
        assert!(!outbox.is_restored(5).await.unwrap(), "the first that says so");
        assert_eq!(outbox.resume(5, held(6, Vec::new()), 11).await.unwrap(), 0);
        drop(outbox);
        let outbox = Outbox::open(folder.path()).unwrap();
        assert!(!outbox.is_restored(0).await.unwrap() && !outbox.is_restored(5).await.unwrap());
        assert!(outbox.is_restored(7).await.unwrap());
        assert_eq!(outbox.resume(7, held(4, Vec::new()), 11).await.unwrap(), 2);
        assert_eq!(rows(&outbox, pick(None)).await, [6, 5]);
        assert!(outbox.segment_waiting(&[]).await.unwrap().is_some());
        assert!(!outbox.is_restored(7).await.unwrap());
        assert_eq!(outbox.resume(8, Vec::new(), 11).await.unwrap(), 4, "one that says nothing gets all of it");
    }

    #[tokio::test]
    async fn a_new_install_begins_at_one_and_the_old_ones_envelopes_stay_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let outbox = outbox(folder.path(), old, 3).await;
        outbox.settle(vec![(1, Verdict::Stored)], 10).await.unwrap();
        outbox.begin(new).await.unwrap();
        outbox.begin(new).await.unwrap();
        assert_eq!(outbox.next_sequence().await.unwrap(), 1);
        seal(&outbox, new, 2).await;
        assert_eq!(outbox.next_sequence().await.unwrap(), 3);
        let sealed = outbox.waiting(pick(None)).await.unwrap();
        let ids: Vec<_> = sealed
            .iter()
            .map(|sealed| wire::envelope::decode(&sealed.body).unwrap())
            .map(|one| (one.install, one.sequence))
            .collect();
        assert_eq!(ids, [(new, 2), (new, 1), (old, 3), (old, 2)]);
        outbox.settle(sealed.iter().map(|sealed| (sealed.row, Verdict::Stored)).collect(), 10).await.unwrap();
        assert_eq!(outbox.resume(0, held(1, Vec::new()), 11).await.unwrap(), 1, "of the new one's stream");
        assert_eq!(rows(&outbox, pick(None)).await, [5]);
    }

    /// An outbox of a release that wrote no streams down goes on counting.
    #[tokio::test]
    async fn an_older_outbox_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let install = Uuid::from_u128(1);
        seal(&outbox, install, 3).await;
        outbox.begin(install).await.unwrap();
        assert_eq!(outbox.next_sequence().await.unwrap(), 4);
    }
}
