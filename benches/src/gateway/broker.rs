//! The embedded broker beside bare rusqlite that writes the same rows.

use std::path::Path;
use std::time::Duration;

use medmon_core::noun::{ClockQuality, Ieee, Quality, Reading, ReadingId, Value, Vital};
use medmon_core::wire;
use medmon_gatewayd::broker::{Broker as _, Embedded, Stage};

use crate::figure::{Figure, Goal};
use crate::measure::{self, Spent, Stopwatch};

const GROUP: u64 = 100;
const BARE: &str = "bare rusqlite";

pub fn reading(sequence: u64) -> Reading {
    let at_us = sequence as i64 * 1000;
    Reading {
        id: ReadingId { boot: 1, sequence },
        epoch: 1,
        device: Ieee(0x0012_4b00_2a5c_0d01 + sequence % 4),
        endpoint: 1,
        vital: Vital::HEART_RATE,
        value: Value::Scalar(720 + (sequence % 7) as i32 * 10),
        mono_us: at_us,
        utc_us: 1_795_521_600_000_000 + at_us,
        clock: ClockQuality::Synced,
        quality: Quality::Good,
        link_quality: 200,
    }
}

/// Timed: readings published in groups of 100, one after the other, each group durable before the next, until both
/// stages have had all of them (DETECT from memory, DOWNSAMPLE from the log). CPU is that of the whole process: the
/// publisher's and the stages' side too. The grouping by time is off, so a group is a commit. The peer inserts the same
/// encoded readings, a hundred a commit, with a prepared statement, and delivers nothing.
pub fn groups(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let count = if quick { 10_000 } else { 400_000 };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..measure::runs(quick) {
        ours.push(published(count, GROUP, &Stage::ALL)?);
        bare.push(inserted(count, GROUP)?);
    }
    let per_s = |spent: Spent| count as f64 / spent.wall_s;
    let cpu_us = |spent: Spent| spent.cpu_s * 1e6 / count as f64;
    let (wall, bare_wall) =
        (measure::best(ours.clone(), |spent| spent.wall_s)?, measure::best(bare.clone(), |spent| spent.wall_s)?);
    let (cpu, bare_cpu) = (measure::best(ours, |spent| spent.cpu_s)?, measure::best(bare, |spent| spent.cpu_s)?);
    Ok(vec![
        Figure::new("gateway/broker_readings_per_s", per_s(wall), "readings/s")
            .goal(Goal::AtLeast(200_000.0))
            .beside(BARE, per_s(bare_wall)),
        Figure::new("gateway/broker_cpu_us_per_reading", cpu_us(cpu), "µs")
            .goal(Goal::AtMost(5.0))
            .beside(BARE, cpu_us(bare_cpu)),
    ])
}

/// Timed: single readings, each durable before the next is published, with nobody who consumes. The 250 ms grouping is a
/// choice of latency and is off: this is the log's own speed. The peer commits the same rows one by one.
pub fn commits(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let count = if quick { 500 } else { 20_000 };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..measure::runs(quick) {
        ours.push(published(count, 1, &[])?.wall_s);
        bare.push(inserted(count, 1)?.wall_s);
    }
    let per_s = |runs: Vec<f64>| Ok::<_, anyhow::Error>(count as f64 / measure::best(runs, |wall_s| *wall_s)?);
    Ok(vec![
        Figure::new("gateway/broker_commits_per_s", per_s(ours)?, "commits/s")
            .goal(Goal::AtLeast(4000.0))
            .beside(BARE, per_s(bare)?),
    ])
}

fn published(count: u64, group: u64, stages: &[Stage]) -> anyhow::Result<Spent> {
    let folder = measure::folder()?;
    measure::runtime()?.block_on(async {
        let broker = Embedded::open_with(folder.path(), Duration::ZERO).await?;
        let stages = stages.iter().map(|stage| {
            let mut deliveries = broker.consume(*stage);
            tokio::spawn(async move {
                let (mut batch, mut had) = (Vec::new(), 0);
                while had < count && deliveries.recv_many(&mut batch, 1000).await > 0 {
                    had += batch.drain(..).count() as u64;
                }
                had
            })
        });
        let stages: Vec<_> = stages.collect();
        let clock = Stopwatch::start();
        for first in (0..count).step_by(group as usize) {
            broker.publish((first..first + group).map(reading).collect()).await?;
        }
        for stage in stages {
            anyhow::ensure!(stage.await? == count, "a stage has not had all readings");
        }
        Ok(clock.spent())
    })
}

fn inserted(count: u64, group: u64) -> anyhow::Result<Spent> {
    let folder = measure::folder()?;
    let mut db = open(folder.path())?;
    let clock = Stopwatch::start();
    for first in (0..count).step_by(group as usize) {
        let transaction = db.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO reading VALUES (?1, ?2, ?3)")?;
            for sequence in first..first + group {
                let reading = reading(sequence);
                insert.execute((sequence as i64 + 1, reading.utc_us, wire::reading::encode(&reading)))?;
            }
        }
        transaction.commit()?;
    }
    Ok(clock.spent())
}

fn open(folder: &Path) -> anyhow::Result<rusqlite::Connection> {
    let db = rusqlite::Connection::open(folder.join("bare.sqlite"))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch(
        "CREATE TABLE reading (offset INTEGER PRIMARY KEY, utc_us INTEGER NOT NULL, body BLOB NOT NULL) STRICT",
    )?;
    Ok(db)
}
