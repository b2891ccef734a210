//! The embedded vitals store: memory, hot files of a day, files of a month.
//!
//! ```text
//! journal ─take─▶ memory: a table for each segment ─settle─▶ hot/2026-11-18.sqlite: rows for each segment
//!                                                             └─ maintain, the night after ─▶ months/2026-11.sqlite:
//!                                                                a block for each series and day (pco)
//! catalogue.sqlite: what is settled, newest windows, holes      maintenance.lock: one at a time changes files
//! ```
//! A step is durable at one commit: a segment is settled by the catalogue's, a hot file is in a month by that month's,
//! and goes only after it was read back. Readers take a layout and hold the gate; what is read twice or not at all
//! between two files is decided with the gate closed.

mod block;
mod catalogue;
mod compact;
mod erase;
mod file;
mod hot;
mod keep;
mod key;
mod layout;
mod memory;
mod month;
mod parts;
mod read;
mod settle;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use medmon_core::noun::{Gap, MonoUs, UtcUs, Vital, Window};
use medmon_kit::Clock;
use rusqlite::ErrorCode;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::recent::Recent;
use super::{Batch, Caps, Total, VitalsError, VitalsStore};
use catalogue::Catalogue;
use file::Readers;
use key::{Day, Month, Series};
use layout::{Chunk, Layout};

/// Readings of the disk at once: each holds a thread and a connection.
const READS: usize = 8;

/// How long what is kept, and where the room ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Months that ended longer ago (µs) are removed; none: kept for ever.
    pub retention_us: Option<UtcUs>,
    /// In months that ended longer ago (µs), windows finer than a quarter of an hour become such; none: never.
    pub thin_after_us: Option<UtcUs>,
    /// Nothing is thinned or removed while the newest data is further behind the clock (µs) and goes on coming in: it is
    /// the clock that is wrong. None: what is here is old by its nature.
    pub ahead_us: Option<UtcUs>,
    /// How long after its day a hot file is compacted (µs): late data of the evening has come by then.
    pub compact_after_us: UtcUs,
    /// Largest size of each file (bytes); beyond, writing fails as on a full disk.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention_us: None,
            thin_after_us: Some(366 * key::DAY_US),
            ahead_us: Some(62 * key::DAY_US),
            compact_after_us: 3 * 3_600_000_000,
            max_bytes: None,
        }
    }
}

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{path}")]
    Sqlite {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("{path}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// One block; everything else can be read.
    #[error("{path}: {series}, {what}: damaged; restore this file from a backup")]
    Damaged {
        path: PathBuf,
        series: Series,
        what: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{path} is damaged; stop the cloud and restore this file from a backup")]
    DamagedMonth { path: PathBuf },
    #[error("{path} is missing, but the catalogue beside it names it; restore it from a backup")]
    Missing { path: PathBuf },
    #[error("{path} has version {found}, this program knows version 1; install the newer release again")]
    TooNew { path: PathBuf, found: i64 },
    #[error("{path} does not have what {from} had of {series}; neither was removed")]
    Verify { path: PathBuf, from: PathBuf, series: Series },
    #[error("segment {segment} is settled; new ones are numbered from {next} on")]
    Settled { segment: u64, next: u64 },
}

impl Fault {
    fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { path: path.to_owned(), source }
    }

    fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    fn damaged<E: std::error::Error + Send + Sync + 'static>(
        path: &Path,
        series: Series,
        what: impl Display,
    ) -> impl Fn(E) -> Self {
        move |source| Self::Damaged { path: path.to_owned(), series, what: what.to_string(), source: Box::new(source) }
    }

    /// Whether a file is no longer one of SQLite's.
    fn is_damage(&self) -> bool {
        let Self::Sqlite { source, .. } = self else { return false };
        matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// Whether it may do once there is room, or nobody is in the way.
    fn is_busy(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::DatabaseBusy)
            ),
            Self::Io { source, .. } => {
                matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

impl From<Fault> for VitalsError {
    fn from(fault: Fault) -> Self {
        if fault.is_busy() {
            tracing::warn!(error = %chain(&fault), "the vitals store has no room, or is busy");
            Self::Busy
        } else {
            Self::Store(Box::new(fault))
        }
    }
}

/// An error with its causes in a line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

/// The store in a folder.
#[derive(Clone, Debug)]
pub struct Embedded {
    store: Arc<Store>,
    reads: Arc<Semaphore>,
}

/// What all of it shares. Blocking.
#[derive(Debug)]
struct Store {
    folder: PathBuf,
    options: Options,
    clock: Clock,
    catalogue: Catalogue,
    readers: Readers,
    recent: Recent,
    layout: RwLock<Arc<Layout>>,
    /// Held by whoever reads files; closed for the moment in which windows go from one file to another.
    gate: RwLock<()>,
    /// The newest data seen at maintenance, and when it became that, µs of the monotonic clock.
    newest: Mutex<(UtcUs, MonoUs)>,
    /// The day whose holes were last looked through for those to let go.
    gaps_kept: AtomicI64,
    /// Until when maintenance rests, µs UTC.
    resting_us: AtomicI64,
}

impl Embedded {
    /// Opens the store in `folder`, making what is missing, and ends what was begun before.
    pub async fn open(folder: &Path, options: Options, clock: Clock) -> Result<Self, VitalsError> {
        let folder = folder.to_owned();
        let store = blocking(move || Store::open(folder, options, clock)).await?;
        Ok(Self { store: Arc::new(store), reads: Arc::new(Semaphore::new(READS)) })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, VitalsError> {
        let _permit = self.reads.acquire().await.map_err(|_| VitalsError::Busy)?;
        let store = Arc::clone(&self.store);
        blocking(move || work(&store)).await
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, VitalsError> {
        let store = Arc::clone(&self.store);
        blocking(move || work(&store)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, VitalsError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| VitalsError::Store(Box::new(error)))?;
    Ok(done?)
}

impl Embedded {
    /// The vitals of all series.
    pub fn vitals(&self) -> Result<Vec<Vital>, VitalsError> {
        Ok(self.store.catalogue.vitals()?)
    }
}

#[async_trait]
impl VitalsStore for Embedded {
    fn caps(&self) -> Caps {
        Caps { reads_own_writes: true, late_window_s: None, same_instant: true }
    }

    async fn take(&self, segment: u64, batches: Vec<Batch>) -> Result<(), VitalsError> {
        // Memory only: not worth a thread.
        Ok(self.store.take(segment, &batches)?)
    }

    async fn settle(&self, segment: u64) -> Result<bool, VitalsError> {
        self.change(move |store| store.settle(segment)).await
    }

    fn settled_through(&self) -> u64 {
        self.store.layout().settled
    }

    async fn range(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Window>, VitalsError> {
        self.read(move |store| store.range((subject, vital), (from_us, to_us))).await
    }

    async fn totals(
        &self,
        subjects: &[Uuid],
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Total>, VitalsError> {
        let subjects = subjects.to_vec();
        self.read(move |store| store.totals(&subjects, vital, (from_us, to_us))).await
    }

    async fn gaps(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Gap>, VitalsError> {
        self.read(move |store| store.gaps((subject, vital), (from_us, to_us))).await
    }

    fn recent(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)> {
        self.store.recent.of(subject)
    }

    fn recent_version(&self, subject: Uuid) -> u64 {
        self.store.recent.version(subject)
    }

    async fn erase(&self, subject: Uuid) -> Result<(), VitalsError> {
        self.change(move |store| store.erase(subject)).await
    }

    async fn maintain(&self, now_us: UtcUs) -> Result<(), VitalsError> {
        self.change(move |store| store.maintain(now_us)).await
    }
}

impl Store {
    fn open(folder: PathBuf, options: Options, clock: Clock) -> Result<Self, Fault> {
        for part in ["hot", "months"] {
            let path = folder.join(part);
            std::fs::create_dir_all(&path).map_err(Fault::io(&path))?;
        }
        file::sync_folder(&folder.join("hot"))?;
        let catalogue = Catalogue::open(&folder, options.max_bytes)?;
        let (readers, recent) = (Readers::default(), Recent::default());
        catalogue.newest(|subject, vital, tail| recent.put(subject, vital, tail))?;
        let (layout, gate, gaps_kept, resting_us) = Default::default();
        let newest = Mutex::new((UtcUs::MIN, 0));
        let store =
            Self { folder, options, clock, catalogue, readers, recent, layout, gate, newest, gaps_kept, resting_us };
        let lock = store.lock()?;
        store.find()?;
        drop(lock);
        if let Err(fault) = store.end_erasing() {
            // A full disk or a damaged file must not keep everybody else from being watched.
            tracing::error!(error = %chain(&fault), "an erasure that was begun cannot be ended yet; tried again");
        }
        Ok(store)
    }

    /// Finds out what is where, and removes what a crash left half made.
    fn find(&self) -> Result<(), Fault> {
        let mut layout = Layout { settled: self.catalogue.settled()?, ..Layout::default() };
        let mut taken: BTreeMap<Month, HashSet<(Day, u64)>> = BTreeMap::new();
        for month in self.files("months", Month::parse)? {
            let path = month.path(&self.folder);
            let look = || {
                if !file::is_made(&path)? {
                    return Ok(None);
                }
                let state = |db: &_| Ok((month::taken(db, &path)?, month::is_thinned(db, &path)?));
                self.readers.with(&path, state).map(Some)
            };
            let (found, thinned) = match look() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    file::remove(&path)?;
                    continue;
                }
                // An old month must not keep today from being seen.
                Err(fault) if fault.is_damage() => {
                    tracing::error!(error = %chain(&fault), "a month cannot be read; restore its file from a backup");
                    layout.damaged.insert(month);
                    Default::default()
                }
                Err(fault) => return Err(fault),
            };
            taken.insert(month, found);
            layout.months.insert(month, thinned);
        }
        let hot: HashSet<Day> = self.files("hot", Day::parse)?.into_iter().collect();
        for mut chunk in self.catalogue.chunks()? {
            let has = |set: &HashSet<_>| set.contains(&(chunk.day, chunk.segment));
            chunk.except = taken.iter().filter(|(_, set)| has(set)).map(|(month, _)| *month).collect();
            match (hot.contains(&chunk.day), chunk.except.is_empty()) {
                (true, _) => layout.chunks.push(chunk),
                // Removed because months have it; only the catalogue did not hear of it.
                (false, false) => {}
                // It may be the damaged one that has it.
                (false, true) if !layout.damaged.is_empty() => {}
                (false, true) => return Err(Fault::Missing { path: chunk.day.path(&self.folder) }),
            }
        }
        let sound = layout.damaged.is_empty();
        let named: HashSet<Day> = layout.days().into_iter().collect();
        for day in hot.difference(&named) {
            // Of a segment that did not get as far as the catalogue: the journal has it. Or months have all of it.
            file::remove(&day.path(&self.folder))?;
        }
        for chunk in self.catalogue.chunks()? {
            if !named.contains(&chunk.day) && sound {
                self.catalogue.forget_day(chunk.day)?;
            }
        }
        *self.layout.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(layout);
        Ok(())
    }

    /// What the files of a folder are called after; half-made ones and logs without a file are removed.
    fn files<T>(&self, part: &str, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, Fault> {
        let folder = self.folder.join(part);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(Fault::io(&folder))? {
            let entry = entry.map_err(Fault::io(&folder))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let orphan =
                file::BESIDE.iter().filter_map(|end| name.strip_suffix(end)).any(|file| !folder.join(file).exists());
            if let Some(key) = parse(name) {
                found.push(key);
            } else if name.contains(keep::HALF_MADE) || orphan {
                std::fs::remove_file(entry.path()).map_err(Fault::io(&entry.path()))?;
            }
        }
        Ok(found)
    }

    fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another layout from now on.
    fn relay(&self, change: impl FnOnce(&mut Layout)) {
        change(Arc::make_mut(&mut self.layout.write().unwrap_or_else(PoisonError::into_inner)));
    }

    /// The right to change files: waits for it. A backup takes the same lock.
    fn lock(&self) -> Result<File, Fault> {
        let (file, path) = self.lock_file()?;
        file.lock().map_err(Fault::io(&path))?;
        Ok(file)
    }

    /// The right to change files, if nobody has it.
    fn try_lock(&self) -> Result<Option<File>, Fault> {
        let (file, path) = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(Fault::io(&path)(error)),
        }
    }

    fn lock_file(&self) -> Result<(File, PathBuf), Fault> {
        let path = self.folder.join("maintenance.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Fault::io(&path))?;
        Ok((file, path))
    }

    fn take(&self, segment: u64, batches: &[Batch]) -> Result<(), Fault> {
        let layout = self.layout();
        if segment <= layout.settled {
            return Err(Fault::Settled { segment, next: layout.settled + 1 });
        }
        let table = match layout.segments.get(&segment) {
            Some(table) => Arc::clone(table),
            None => {
                let mut table = Arc::default();
                self.relay(|layout| table = Arc::clone(layout.segments.entry(segment).or_default()));
                table
            }
        };
        table.take(batches);
        for batch in batches {
            batch.windows.iter().for_each(|part| self.recent.take(batch.subject, part));
        }
        Ok(())
    }

    /// The file of a month, if it can be read.
    fn month(&self, layout: &Layout, month: Month) -> Result<PathBuf, Fault> {
        let path = month.path(&self.folder);
        if layout.damaged.contains(&month) { Err(Fault::DamagedMonth { path }) } else { Ok(path) }
    }

    fn chunks_of(&self, day: Day) -> Vec<Chunk> {
        self.layout().chunks.iter().filter(|chunk| chunk.day == day).cloned().collect()
    }
}

/// Parts into windows by start and span: parts of one window become one.
fn merge(windows: &mut Vec<Window>) {
    let key = |window: &Window| (window.start_us, window.span_s);
    if windows.is_sorted_by(|before, after| key(before) < key(after)) {
        return;
    }
    windows.sort_by_key(key);
    windows.dedup_by(|part, whole| {
        let same = key(part) == key(whole);
        if same {
            whole.merge(part);
        }
        same
    });
}
