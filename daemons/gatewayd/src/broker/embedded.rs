//! The embedded broker: one SQLite log, one cursor a stage, a group commit every 250 ms.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, watch};

use medmon_core::noun::{Reading, Value};
use medmon_core::wire;
use medmon_kit::sqlite::{self, Database};

use super::{Broker, BrokerError, BrokerState, Delivery, Depth, Stage, Worth};
use crate::outbox::Lost;

/// Few syncs a second: SD cards wear. The urgent path does not wait for it. Long enough that two bursts of an accelerometer,
/// 12 samples at 50 Hz, share a commit; durable within 250 ms all the same.
const GROUP: Duration = Duration::from_millis(245);
/// Publishes that DETECT may be behind in memory before it is sent back to the log.
const TAIL: usize = 1024;
/// Readings on their way to a stage.
const ON_THE_WAY: usize = 2048;
/// Readings taken from the log at a time.
const BATCH: u32 = 1000;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE reading (offset INTEGER PRIMARY KEY, utc_us INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE cursor (stage TEXT PRIMARY KEY, offset INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"];

/// A SQLite log.
pub struct Embedded {
    log: Database,
    offsets: Mutex<Offsets>,
    durable: watch::Sender<i64>,
    tail: broadcast::Sender<Batch>,
    cursors: [i64; Stage::ALL.len()],
    /// Before this offset no raw bursts are left to be given up.
    bursts_from: AtomicI64,
}

/// What was published together: the first offset, and the readings.
type Batch = (i64, Arc<[Reading]>);

/// Offsets handed out, and the batches among them whose commit is not known yet.
struct Offsets {
    next: i64,
    pending: BTreeSet<i64>,
}

impl Offsets {
    fn begin(&mut self, count: usize) -> i64 {
        let first = self.next;
        self.next += count as i64;
        self.pending.insert(first);
        first
    }

    /// Ends the batch that began at `first`. Everything up to the answer is settled: batches may end in any order, but
    /// a reader of the log must not pass one that is still to come.
    fn end(&mut self, first: i64) -> i64 {
        self.pending.remove(&first);
        self.pending.first().map_or(self.next, |first| *first) - 1
    }
}

impl Embedded {
    /// Opens or creates the log in `folder`.
    pub async fn open(folder: &Path) -> Result<Self, sqlite::Error> {
        Self::open_with(folder, GROUP).await
    }

    /// As [`Self::open`], gathering for `group` before a commit.
    pub async fn open_with(folder: &Path, group: Duration) -> Result<Self, sqlite::Error> {
        let options = sqlite::Options { group, ..sqlite::Options::default() };
        let log = Database::open(&folder.join("broker.sqlite"), MIGRATIONS, options)?;
        let (newest, cursors) = log
            .read(|db| {
                let newest: i64 = db.query_row("SELECT ifnull(max(offset), 0) FROM reading", [], |row| row.get(0))?;
                let mut cursors = [0; Stage::ALL.len()];
                for (cursor, stage) in cursors.iter_mut().zip(Stage::ALL) {
                    let sql = "SELECT ifnull(max(offset), 0) FROM cursor WHERE stage = ?1";
                    *cursor = db.query_row(sql, [stage.name()], |row| row.get(0))?;
                }
                Ok::<_, sqlite::Error>((newest, cursors))
            })
            .await?;
        // A cursor may be past a log whose last rows were given up: offsets are never used twice.
        let newest = cursors.iter().copied().fold(newest, i64::max);
        Ok(Self {
            log,
            offsets: Mutex::new(Offsets { next: newest + 1, pending: BTreeSet::new() }),
            durable: watch::Sender::new(newest),
            tail: broadcast::Sender::new(TAIL),
            cursors,
            bursts_from: AtomicI64::new(0),
        })
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Broker for Embedded {
    async fn publish(&self, readings: Vec<Reading>) -> Result<(), BrokerError> {
        let readings: Arc<[Reading]> = readings.into();
        let first = {
            // One step, so that the tail has batches in the order of their offsets.
            let mut offsets = self.offsets();
            let first = offsets.begin(readings.len());
            // Nobody listening is fine: DETECT starts from the log.
            let _ = self.tail.send((first, Arc::clone(&readings)));
            first
        };
        let written = self
            .log
            .write(move |db| {
                let mut insert = db.prepare_cached("INSERT INTO reading (offset, utc_us, body) VALUES (?1, ?2, ?3)")?;
                let mut body = wire::Writer::default();
                for (offset, reading) in (first..).zip(&*readings) {
                    body.0.clear();
                    wire::reading::encode_into(reading, &mut body);
                    insert.execute((offset, reading.utc_us, &body.0))?;
                }
                Ok(())
            })
            .await;
        let settled = self.offsets().end(first);
        self.durable.send_if_modified(|durable| {
            let grew = *durable < settled;
            *durable = settled.max(*durable);
            grew
        });
        written
    }

    fn consume(&self, stage: Stage) -> mpsc::Receiver<Delivery> {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let (log, durable) = (self.log.clone(), self.durable.subscribe());
        let cursor = self.cursors[stage as usize];
        match stage {
            Stage::Detect => {
                let tail = self.tail.subscribe();
                tokio::spawn(follow_tail(log, durable, tail, cursor, sender));
            }
            Stage::Downsample => {
                tokio::spawn(follow_log(log, durable, cursor, sender));
            }
        }
        receiver
    }

    async fn acknowledge(&self, stage: Stage, offset: i64) -> Result<(), BrokerError> {
        let sql = "INSERT INTO cursor (stage, offset) VALUES (?1, ?2)
                   ON CONFLICT (stage) DO UPDATE SET offset = max(offset, excluded.offset)";
        self.log
            .write(move |db| {
                db.execute(sql, (stage.name(), offset))?;
                Ok(())
            })
            .await
    }

    async fn drained(&self, stage: Stage, offset: i64) -> bool {
        offset.max(self.cursors[stage as usize]) >= *self.durable.borrow()
    }

    async fn read(&self, offset: i64, limit: u32) -> Result<Vec<Delivery>, BrokerError> {
        // Batches end in any order: what is past the settled ones must wait for those before it.
        let settled = *self.durable.borrow();
        Ok(read(&self.log, offset, settled, limit).await?)
    }

    async fn newest(&self) -> Result<i64, BrokerError> {
        Ok(*self.durable.borrow())
    }

    fn durable(&self) -> watch::Receiver<i64> {
        self.durable.subscribe()
    }

    async fn trim(&self, older_than_utc_us: i64) -> Result<u64, BrokerError> {
        // As long as one stage has never acknowledged, there is no smallest cursor and nothing goes. Readings lie in the
        // order of their arrival: the first that is young enough ends the search, so only what goes is read.
        let sql = "DELETE FROM reading WHERE offset <=
                   (SELECT CASE count(*) WHEN ?2 THEN min(offset) ELSE 0 END FROM cursor)
                   AND offset < ifnull((SELECT offset FROM reading WHERE utc_us >= ?1 ORDER BY offset LIMIT 1),
                                       9223372036854775807)";
        let stages = Stage::ALL.len() as i64;
        self.log.write(move |db| Ok(db.execute(sql, (older_than_utc_us, stages))? as u64)).await
    }

    async fn give_up(&self, worth: Worth, limit: u32) -> Result<(u64, Vec<Lost>), BrokerError> {
        let scan = "SELECT offset, body FROM reading WHERE offset > ?1 AND offset <= ?2 ORDER BY offset LIMIT ?3";
        let taken = "SELECT CASE count(*) WHEN ?1 THEN min(offset) ELSE 0 END FROM cursor";
        let (stages, after) = (
            Stage::ALL.len() as i64,
            if worth == Worth::Bursts { self.bursts_from.load(Ordering::Relaxed) } else { 0 },
        );
        let (seen, gone, lost) = self
            .log
            .write(move |db| {
                let taken: i64 = db.query_row(taken, [stages], |row| row.get(0))?;
                let until = if worth == Worth::Any { i64::MAX } else { taken };
                let (mut seen, mut gone, mut lost) = (after, 0, Vec::new());
                let mut rows = db.prepare_cached(scan)?;
                let mut rows = rows.query((after, until, limit))?;
                let mut delete = db.prepare_cached("DELETE FROM reading WHERE offset = ?1")?;
                while let Some(row) = rows.next()? {
                    let reading = wire::reading::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
                    seen = row.get(0)?;
                    let burst = reading.as_ref().is_ok_and(|reading| matches!(reading.value, Value::Samples { .. }));
                    if worth == Worth::Bursts && !burst {
                        continue;
                    }
                    gone += delete.execute([seen])? as u64;
                    lost.extend(reading.ok().filter(|_| seen > taken));
                }
                Ok::<_, sqlite::Error>((seen, gone, lost))
            })
            .await?;
        if worth == Worth::Bursts {
            self.bursts_from.store(seen, Ordering::Relaxed);
            // Among these there was none; there may be more behind them.
            return Ok((gone.max(u64::from(seen > after)), Vec::new()));
        }
        Ok((gone, Lost::of(&lost, "disk quota")))
    }

    async fn give_back(&self) -> Result<(), BrokerError> {
        Ok(self.log.give_back().await?)
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        // By offsets: counting a day of rows would read them all. A publish that failed leaves a hole and counts.
        let sql = "SELECT ifnull(min(offset), 1), ifnull(max(offset), 0) FROM reading";
        let cursor = "SELECT ifnull(max(offset), 0) FROM cursor WHERE stage = ?1";
        self.log
            .read(move |db| {
                let (oldest, newest): (i64, i64) = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let behind = |stage: Stage| {
                    let at: i64 = db.query_row(cursor, [stage.name()], |row| row.get(0))?;
                    Ok::<_, rusqlite::Error>((newest - at.max(oldest - 1)).max(0))
                };
                Ok(Depth {
                    kept: newest - oldest + 1,
                    detect_behind: behind(Stage::Detect)?,
                    downsample_behind: behind(Stage::Downsample)?,
                    state: BrokerState::Up,
                })
            })
            .await
    }
}

/// Readings after `offset` and up to `until`: what is behind may be there before what is still to come.
async fn read(log: &Database, offset: i64, until: i64, limit: u32) -> Result<Vec<Delivery>, sqlite::Error> {
    let sql = "SELECT offset, body FROM reading WHERE offset > ?1 AND offset <= ?2 ORDER BY offset LIMIT ?3";
    log.read(move |db| {
        let mut rows = db.prepare_cached(sql)?;
        let mut found = Vec::new();
        let mut rows = rows.query((offset, until, limit))?;
        while let Some(row) = rows.next()? {
            let offset = row.get(0)?;
            let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            match wire::reading::decode(body) {
                Ok(reading) => found.push(Delivery { offset, reading }),
                // One damaged row must not stop the rest; its sequence number shows the hole.
                Err(error) => tracing::error!(offset, %error, "a reading in the broker is damaged and left out"),
            }
        }
        Ok(found)
    })
    .await
}

/// Hands durable readings over, in order, from `cursor` on.
async fn follow_log(log: Database, mut durable: watch::Receiver<i64>, mut cursor: i64, to: mpsc::Sender<Delivery>) {
    loop {
        let newest = *durable.borrow_and_update();
        if catch_up(&log, newest, &mut cursor, &to).await.is_err() || durable.changed().await.is_err() {
            return;
        }
    }
}

/// Hands readings over as they come; first, and after falling behind, from the log.
async fn follow_tail(
    log: Database,
    mut durable: watch::Receiver<i64>,
    mut tail: broadcast::Receiver<Batch>,
    mut cursor: i64,
    to: mpsc::Sender<Delivery>,
) {
    let newest = *durable.borrow();
    if catch_up(&log, newest, &mut cursor, &to).await.is_err() {
        return;
    }
    loop {
        let (first, readings) = match tail.recv().await {
            Ok(batch) => batch,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        // What fell out of memory is in the log, at the latest when its group is.
        let before = first - 1;
        if cursor < before
            && (durable.wait_for(|newest| *newest >= before).await.is_err()
                || catch_up(&log, before, &mut cursor, &to).await.is_err())
        {
            return;
        }
        // A log that cannot be read now holds nothing up, but what is in it was not had: it comes with a later batch, and
        // until then nothing behind it is to be acknowledged.
        let hole = cursor < before;
        let had = (cursor - before).clamp(0, readings.len() as i64);
        let delivery = |(index, reading): (usize, &Reading)| {
            let offset = if hole { 0 } else { first + index as i64 };
            Delivery { offset, reading: reading.clone() }
        };
        if hand_over(&to, readings.iter().enumerate().skip(had as usize).map(delivery)).await.is_err() {
            return;
        }
        if !hole {
            cursor = cursor.max(before + readings.len() as i64);
        }
    }
}

/// Many at a time cost less than one by one.
async fn hand_over(to: &mpsc::Sender<Delivery>, deliveries: impl ExactSizeIterator<Item = Delivery>) -> Result<(), ()> {
    let mut deliveries = deliveries;
    while deliveries.len() > 0 {
        let room = deliveries.len().min(ON_THE_WAY / 2);
        for permit in to.reserve_many(room).await.map_err(drop)? {
            if let Some(delivery) = deliveries.next() {
                permit.send(delivery);
            }
        }
    }
    Ok(())
}

async fn catch_up(log: &Database, newest: i64, cursor: &mut i64, to: &mpsc::Sender<Delivery>) -> Result<(), ()> {
    while *cursor < newest {
        let batch = match read(log, *cursor, newest, BATCH).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "the broker's log cannot be read; trying again with the next reading");
                return Ok(());
            }
        };
        // Offsets may have holes where a publish failed.
        let Some(last) = batch.last().map(|delivery| delivery.offset) else {
            *cursor = newest;
            return Ok(());
        };
        hand_over(to, batch.into_iter()).await?;
        *cursor = last;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{burst, reading};

    async fn next(receiver: &mut mpsc::Receiver<Delivery>) -> Delivery {
        tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_stage_goes_on_where_it_acknowledged_and_gets_the_rest_again() {
        let folder = tempfile::tempdir().unwrap();
        let broker = Embedded::open(folder.path()).await.unwrap();
        let mut stage = broker.consume(Stage::Downsample);
        broker.publish((0..5).map(reading).collect()).await.unwrap();
        let mut offsets = Vec::new();
        for _ in 0..5 {
            offsets.push(next(&mut stage).await.offset);
        }
        broker.acknowledge(Stage::Downsample, offsets[1]).await.unwrap();
        drop((stage, broker));
        let broker = Embedded::open(folder.path()).await.unwrap();
        let mut stage = broker.consume(Stage::Downsample);
        for sequence in 2..5 {
            assert_eq!(next(&mut stage).await.reading, reading(sequence));
        }
        broker.publish(vec![reading(5)]).await.unwrap();
        assert_eq!(next(&mut stage).await.reading, reading(5));
    }

    #[tokio::test]
    async fn detect_sees_a_reading_before_it_is_durable_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let broker = Embedded::open(folder.path()).await.unwrap();
        broker.publish(vec![reading(0)]).await.unwrap();
        let mut detect = broker.consume(Stage::Detect);
        assert_eq!(next(&mut detect).await.reading, reading(0));
        let publish = broker.publish(vec![reading(1), reading(2)]);
        let see = async {
            let seen = next(&mut detect).await;
            (seen, *broker.durable().borrow())
        };
        let (published, (seen, durable)) = tokio::join!(publish, see);
        published.unwrap();
        assert_eq!(seen.reading, reading(1));
        assert!(durable < seen.offset, "DETECT did not wait for the commit");
        assert_eq!(next(&mut detect).await.reading, reading(2));
        assert!(detect.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_read_for_a_while_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let broker = Embedded::open(folder.path()).await.unwrap();
        broker.publish((0..3).map(reading).collect()).await.unwrap();
        drop(broker);
        let broker = Embedded::open(folder.path()).await.unwrap();
        let damage = rusqlite::Connection::open(folder.path().join("broker.sqlite")).unwrap();
        damage.execute_batch("ALTER TABLE reading RENAME TO away").unwrap();
        let mut detect = broker.consume(Stage::Detect);
        let (published, shown) = tokio::join!(broker.publish(vec![reading(3)]), next(&mut detect));
        assert!(published.is_err());
        assert_eq!((shown.reading, shown.offset), (reading(3), 0), "shown at once, and not acknowledged past the rest");
        damage.execute_batch("ALTER TABLE away RENAME TO reading").unwrap();
        broker.publish(vec![reading(4)]).await.unwrap();
        for sequence in [0, 1, 2, 4] {
            assert_eq!(next(&mut detect).await.reading, reading(sequence));
        }
    }

    #[tokio::test]
    async fn nothing_is_given_up_that_a_stage_has_not_had() {
        let folder = tempfile::tempdir().unwrap();
        let broker = Embedded::open(folder.path()).await.unwrap();
        broker.publish((0..4).map(reading).collect()).await.unwrap();
        broker.acknowledge(Stage::Detect, 4).await.unwrap();
        assert_eq!(broker.trim(i64::MAX).await.unwrap(), 0);
        broker.acknowledge(Stage::Downsample, 3).await.unwrap();
        assert_eq!(broker.trim(i64::MAX).await.unwrap(), 3);
        let depth = broker.depth().await.unwrap();
        assert_eq!(depth, Depth { kept: 1, downsample_behind: 1, ..Depth::default() });
    }

    #[tokio::test]
    async fn bursts_go_first_and_only_what_no_stage_had_is_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let broker = Embedded::open(folder.path()).await.unwrap();
        let readings =
            (0..6).map(|sequence| if sequence % 2 == 0 { reading(sequence) } else { burst(sequence, vec![[0; 3]]) });
        broker.publish(readings.collect()).await.unwrap();
        for stage in Stage::ALL {
            broker.acknowledge(stage, 4).await.unwrap();
        }
        assert_eq!(broker.give_up(Worth::Bursts, 100).await.unwrap(), (2, vec![]));
        assert_eq!(broker.give_up(Worth::Bursts, 100).await.unwrap(), (0, vec![]));
        assert_eq!(broker.give_up(Worth::Taken, 100).await.unwrap(), (2, vec![]));
        assert_eq!(broker.give_up(Worth::Taken, 100).await.unwrap(), (0, vec![]));
        let (gone, lost) = broker.give_up(Worth::Any, 100).await.unwrap();
        assert_eq!((gone, lost.iter().map(|lost| lost.gap.lost).collect::<Vec<_>>()), (2, vec![1, 1]));
    }
}
