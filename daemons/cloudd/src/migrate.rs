//! Taking what the embedded vitals store holds along to a server: through the journal, like everything that server gets.
//!
//! Each assignment's windows are sealed into envelopes of the cloud's own, under numbers that follow from the data, so that a
//! second run goes on where the first one was killed. Counted there and here, the embedded files are moved aside.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use medmon_core::noun::vital::VITALS;
use medmon_core::noun::{Envelope, Gap, UtcUs, Vital, Window};
use medmon_core::wire::envelope as wire;
use medmon_kit::Clock;
use rusqlite::Connection;
use uuid::Uuid;

use crate::config::VitalsKind;
use crate::journal::{Accepted, Journal, short};
use crate::ledger::Held;
use crate::records::all;
use crate::vitals::VitalsStore;
use crate::vitals::embedded::Embedded;
use crate::{CloudConfig, StartError, lock, metrics::Metrics, open_records, open_vitals};

/// The stream of what is sealed here; its install follows from the subject.
const STREAM: u8 = 254;
const INSTALL: Uuid = Uuid::from_u128(0x6d65_646d_6f6e_4d16_8a7e_0000_0000_0001);
/// A file: from here on what the journal holds is for the server only.
const BEGUN: &str = "migrating";
/// Windows of one envelope.
const WINDOWS: usize = 1500;
/// What is read of a series at once.
const SPAN_US: UtcUs = 366 * 86_400_000_000;
/// The server may take so long without getting on.
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(200);

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A store does not open.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A store failed on the way; what was done stays done.
    #[error("on the way; run it again, it goes on from there")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// With its remedy.
    #[error("{0}")]
    Other(String),
}

impl MigrateError {
    fn of(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(error.into())
    }
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// Windows, as they were counted on both sides.
    pub windows: u64,
    /// Readings in them.
    pub readings: u64,
    /// Where the embedded files are now.
    pub aside: PathBuf,
}

/// Migrates; `seen(done, all)` is told how many subjects are under way, twice: sealed, then counted. The cloud must not run.
pub async fn to_server(config: &CloudConfig, clock: Clock, seen: impl Fn(u64, u64)) -> Result<Migrated, MigrateError> {
    if config.vitals.kind != VitalsKind::Prometheus {
        let remedy =
            "cloud.vitals.kind = \"embedded\": set the store to go to: kind = \"prometheus\" with its addresses";
        return Err(MigrateError::Other(remedy.into()));
    }
    let folder = config.data_dir.join("vitals");
    if !holds_embedded(&folder) {
        return Err(MigrateError::Other(format!("{}: no embedded vitals are here", folder.display())));
    }
    let _lock = lock(&config.data_dir)?;
    let records = open_records(&config.data_dir, &clock).await?;
    let journal = Journal::open(&config.data_dir.join("journal"), &records, clock.mono_us()).await;
    let journal = Arc::new(journal.map_err(MigrateError::of)?);
    let options = crate::vitals::embedded::Options { retention_us: None, ..config.vitals.options() };
    let source = Embedded::open(&folder, options, clock.clone()).await.map_err(MigrateError::of)?;
    let subjects = records
        .read(|db: &Connection| {
            all(db, "SELECT DISTINCT subject FROM assignment ORDER BY epoch", [], |row| {
                row.get(0).map(Uuid::from_bytes)
            })
        })
        .await
        .map_err(MigrateError::of)?;
    let vitals = vitals_of(&source)?;
    // What the journal still holds for the embedded store is settled there first, unless it was sealed here.
    let begun = folder.join(BEGUN);
    if !begun.exists() {
        journal.replay(&source).await.map_err(MigrateError::of)?;
        let settled = journal.tend(&records, &source, Duration::ZERO, clock.mono_us()).await;
        settled.map_err(MigrateError::of)?;
        std::fs::write(&begun, b"")
            .and_then(|()| std::fs::File::open(&folder)?.sync_all())
            .map_err(MigrateError::of)?;
    }
    let mut metrics = Metrics::default();
    let target = open_vitals(config, &records, &journal, &clock, &mut metrics).await.map_err(MigrateError::of)?;
    journal.replay(target.as_ref()).await.map_err(MigrateError::of)?;
    let count = subjects.len() as u64;
    for (index, subject) in subjects.iter().enumerate() {
        seal(&source, target.as_ref(), &journal, *subject, &vitals, clock.utc_us()).await?;
        seen(index as u64 + 1, count * 2);
    }
    let (mut windows, mut readings) = (0, 0);
    for (index, subject) in subjects.iter().enumerate() {
        for vital in &vitals {
            let (here, there) = compare(&source, target.as_ref(), *subject, *vital, &clock).await?;
            if here != there {
                return Err(MigrateError::Other(format!(
                    "subject {subject}, {vital}: {} windows with {} readings here, {} with {} there; the embedded files stay",
                    here.0, here.1, there.0, there.1
                )));
            }
            windows += here.0;
            readings += here.1;
        }
        seen(count + index as u64 + 1, count * 2);
    }
    let aside = move_aside(&folder, clock.utc_us()).map_err(MigrateError::of)?;
    Ok(Migrated { windows, readings, aside })
}

/// Whether the embedded store's files are in `folder`, which another store would not show.
pub fn holds_embedded(folder: &Path) -> bool {
    folder.join("catalogue.sqlite").exists()
}

/// The vital table, and whatever else was stored.
fn vitals_of(source: &Embedded) -> Result<Vec<Vital>, MigrateError> {
    let mut vitals: Vec<Vital> = VITALS.iter().map(|row| row.vital).collect();
    for vital in source.vitals().map_err(MigrateError::of)? {
        if !vitals.contains(&vital) {
            vitals.push(vital);
        }
    }
    Ok(vitals)
}

fn install(subject: Uuid) -> Uuid {
    Uuid::new_v5(&INSTALL, subject.as_bytes())
}

/// Spans that hold everything, oldest first.
fn spans(now_us: UtcUs) -> impl Iterator<Item = (UtcUs, UtcUs)> {
    (0..=(now_us + SPAN_US) / SPAN_US).map(|index| (index * SPAN_US, (index + 1) * SPAN_US))
}

async fn seal(
    source: &Embedded,
    target: &dyn VitalsStore,
    journal: &Journal,
    subject: Uuid,
    vitals: &[Vital],
    now_us: UtcUs,
) -> Result<(), MigrateError> {
    let mut sequence = 0;
    for vital in vitals {
        for (from_us, to_us) in spans(now_us) {
            let windows = source.range(subject, *vital, from_us, to_us).await.map_err(MigrateError::of)?;
            let mut gaps = source.gaps(subject, *vital, from_us, to_us).await.map_err(MigrateError::of)?;
            gaps.retain(|gap| gap.from_us >= from_us);
            let empty = windows.is_empty() && !gaps.is_empty();
            for windows in windows.chunks(WINDOWS).chain(empty.then_some(&[][..])) {
                sequence += 1;
                let one = accepted(subject, sequence, windows.to_vec(), std::mem::take(&mut gaps));
                let (id, hash) = ((one.envelope.install, STREAM), short(&one.hash));
                if journal.ledger.held(id, sequence, hash, 0) == Held::No {
                    journal.keep(target, vec![one], now_us).await.map_err(MigrateError::of)?;
                }
            }
        }
    }
    Ok(())
}

fn accepted(subject: Uuid, sequence: u64, windows: Vec<Window>, gaps: Vec<Gap>) -> Accepted {
    let install = install(subject);
    let envelope = Envelope { install, stream: STREAM, sequence, epoch: 0, sealed_us: 0, windows, gaps };
    let sealed = wire::encode(&envelope);
    Accepted { subject, hash: wire::hash(&sealed), sealed, envelope }
}

/// Windows and readings here, and there once they are as many, or do not get more.
async fn compare(
    source: &Embedded,
    target: &dyn VitalsStore,
    subject: Uuid,
    vital: Vital,
    clock: &Clock,
) -> Result<((u64, u64), (u64, u64)), MigrateError> {
    let here = counted(source, subject, vital, clock.utc_us()).await?;
    let mut last = (0, 0);
    let mut since = clock.mono_us();
    loop {
        let there = counted(target, subject, vital, clock.utc_us()).await.unwrap_or_default();
        if there == here {
            return Ok((here, there));
        }
        if there != last {
            (last, since) = (there, clock.mono_us());
        }
        if clock.mono_us() - since > PATIENCE.as_micros() as i64 {
            return Ok((here, there));
        }
        clock.sleep(LOOK).await;
    }
}

async fn counted(
    store: &dyn VitalsStore,
    subject: Uuid,
    vital: Vital,
    now_us: UtcUs,
) -> Result<(u64, u64), MigrateError> {
    let (mut windows, mut readings) = (0, 0);
    for (from_us, to_us) in spans(now_us) {
        let found = store.range(subject, vital, from_us, to_us).await.map_err(MigrateError::of)?;
        windows += found.len() as u64;
        readings += found.iter().map(|window| u64::from(window.count)).sum::<u64>();
    }
    Ok((windows, readings))
}

fn move_aside(folder: &Path, now_us: UtcUs) -> std::io::Result<PathBuf> {
    let aside = folder.join(format!("migrated-{}", now_us / 1_000_000));
    std::fs::create_dir_all(&aside)?;
    // The catalogue last: as long as it is there, the cloud knows that it is not done.
    for name in ["hot", "months", "catalogue.sqlite-wal", "catalogue.sqlite-shm", "catalogue.sqlite", BEGUN] {
        match std::fs::rename(folder.join(name), aside.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::File::open(folder)?.sync_all()?;
    Ok(aside)
}
