//! The vitals store that is a Prometheus, or whatever takes its remote write and answers its PromQL.
//!
//! In the order of the data: the journal in front holds every accepted envelope; `send` brings it to the server in the
//! series of `layout` and the bytes of `wire`; what the server cannot take goes to the archive, which is embedded
//! stores beside it; `read` asks the server, and [`Prometheus`] joins both.
//!
//! The server's "taken" is not durable (a VictoriaMetrics killed right after it has lost it). So a segment of the journal
//! is settled once the server has had it for a while and did not restart meanwhile; after a restart all that is not
//! settled is sent again. Identical samples are kept once: by Prometheus always, by VictoriaMetrics with
//! `-dedup.minScrapeInterval=1ms`.

mod archive;
mod client;
mod layout;
mod limits;
mod read;
mod send;
mod wire;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use medmon_kit::Clock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::recent::Recent;
use super::{Batch, Caps, Total, VitalsError, VitalsStore};
use crate::journal::Journal;
use crate::records::Records;
use client::{Client, Server};
use layout::{Places, What};

const DAY_US: i64 = 86_400_000_000;

/// The journal as the sender sees it.
pub trait Replay: Send + Sync {
    /// Segments it holds, oldest first, and the one that is written.
    fn segments(&self) -> io::Result<(Vec<u64>, u64)>;
    /// Some of what is in `segment` from `offset` (0 = its start) on, and the offset behind it; the same offset: there is
    /// no more for now.
    fn read(&self, segment: u64, offset: u64) -> io::Result<(Vec<Batch>, u64)>;
}

impl Replay for Journal {
    fn segments(&self) -> io::Result<(Vec<u64>, u64)> {
        self.segments()
    }

    fn read(&self, segment: u64, offset: u64) -> io::Result<(Vec<Batch>, u64)> {
        self.read(segment, offset)
    }
}

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Target {
    /// Takes remote write.
    pub write_url: String,
    /// Answers below `/api/v1`.
    pub query_url: String,
    /// How long the server must have had a segment before it is settled, s.
    pub settle_s: u32,
}

/// What it stands on beside the server.
pub struct Beside {
    /// What the server could not take: its segments are the journal's.
    pub late: Arc<dyn VitalsStore>,
    /// What the server will soon let go of: its segments are days since 1970.
    pub old: Arc<dyn VitalsStore>,
    /// Where everything comes from.
    pub replay: Arc<dyn Replay>,
    /// The time.
    pub clock: Clock,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
struct Counters {
    sent: Counter,
    aside: Counter,
    future: Counter,
    moved: Counter,
    refused: Counter,
}

/// What must survive: one small file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Segments up to here are settled.
    settled: u64,
    /// Erased subjects, and up to where the journal speaks of what was erased. The server may show what it has deleted
    /// (Prometheus does with out-of-order samples), so it is not asked about them again.
    erased: BTreeMap<Uuid, (u64, u64)>,
}

#[derive(Debug, Default)]
struct State {
    kept: Kept,
    server: Option<Server>,
    connected: bool,
    filled: bool,
    /// Next to be sent: segment, offset.
    cursor: (u64, u64),
    /// Segments up to here are closed, as far as was heard.
    closed: u64,
    /// Segments up to here may have been sent before.
    again_through: u64,
    /// The server refused what is older, ms.
    refused_ms: i64,
    /// Segments that the server has taken, and when, on the monotonic scale.
    done: BTreeMap<u64, i64>,
    /// What the archive was given, by segment that is not settled, as hashes: it does not know what it has twice.
    aside: BTreeMap<u64, HashSet<u64>>,
}

impl State {
    /// The server may have lost what is not settled.
    fn restart(&mut self) {
        tracing::warn!(from_segment = self.kept.settled + 1, "the vitals server restarted: it is sent again");
        self.again_through = self.again_through.max(self.cursor.0);
        self.cursor = (self.kept.settled + 1, 0);
        self.done.clear();
    }
}

struct Inner {
    client: Client,
    late: Arc<dyn VitalsStore>,
    old: Arc<dyn VitalsStore>,
    replay: Arc<dyn Replay>,
    clock: Clock,
    settle_us: i64,
    file: PathBuf,
    recent: Recent,
    /// What `recent` has been told.
    seen: Mutex<Places>,
    /// What was sent, and where.
    places: Mutex<Places>,
    state: Mutex<State>,
    /// Held while something is sent: an erasure must not be overtaken by what it erases.
    sending: tokio::sync::Mutex<()>,
    /// Held while what must survive is changed: settling would write an erasure away.
    keeping: tokio::sync::Mutex<()>,
    wake: Notify,
    filled: Notify,
    counters: Counters,
}

/// The store.
pub struct Prometheus {
    inner: Arc<Inner>,
    ended: CancellationToken,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl Prometheus {
    /// Opens the store with its own file in `folder` and begins to send. The server need not be there.
    pub fn open(folder: &Path, target: &Target, beside: Beside) -> Result<Self, VitalsError> {
        std::fs::create_dir_all(folder).map_err(|error| broken(error.into()))?;
        let file = folder.join("state.json");
        let kept = load(&file).map_err(|error| broken(error.into()))?;
        let client = Client::new(&target.write_url, &target.query_url).map_err(|error| broken(error.into()))?;
        let Beside { late, old, replay, clock } = beside;
        // Whatever the journal holds may have been sent before this start.
        let (_, again_through) = replay.segments().map_err(|error| broken(error.into()))?;
        let cursor = (kept.settled + 1, 0);
        let inner = Arc::new(Inner {
            client,
            late,
            old,
            replay,
            clock,
            settle_us: i64::from(target.settle_s) * 1_000_000,
            file,
            recent: Recent::default(),
            seen: Mutex::default(),
            places: Mutex::default(),
            state: Mutex::new(State { kept, cursor, again_through, ..State::default() }),
            sending: tokio::sync::Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            filled: Notify::new(),
            counters: Counters::default(),
        });
        let ended = CancellationToken::new();
        tokio::spawn(send::run(Arc::clone(&inner), ended.clone()));
        Ok(Self { inner, ended })
    }

    /// Waits until the newest values are read back from the server.
    pub async fn filled(&self) {
        loop {
            let filled = self.inner.filled.notified();
            if self.inner.state().filled {
                return;
            }
            filled.await;
        }
    }

    /// Registers what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let Counters { sent, aside, future, moved, refused } = self.inner.counters.clone();
        registry.register("vitals_sent", "Parts of windows that the vitals server has taken", sent);
        registry.register("vitals_aside", "Parts that are kept in the archive, the server not taking them", aside);
        registry.register("vitals_future", "Parts dated more than 2 min ahead, kept in the archive", future);
        registry.register("vitals_moved", "Parts moved by a millisecond, their instant being taken", moved);
        registry.register("vitals_refused", "Parts that the server refused for a reason of its own", refused);
    }

    /// Writes the limits of `records` as series, for as long as this store is open.
    pub fn keep_limits(&self, records: Records) {
        tokio::spawn(limits::run(Arc::clone(&self.inner), records, self.ended.clone()));
    }
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> VitalsError {
    VitalsError::Store(error)
}

fn load(file: &Path) -> io::Result<Kept> {
    match std::fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// The whole file or the one before it, whenever it is cut.
fn save(file: &Path, kept: &Kept) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut to = File::create(&new)?;
    to.write_all(&serde_json::to_vec(kept)?)?;
    to.sync_all()?;
    std::fs::rename(&new, file)?;
    File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Places> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_erased(&self, subject: Uuid) -> bool {
        self.state().kept.erased.contains_key(&subject)
    }

    /// Whether what the journal says at `at` of `subject` was erased.
    fn is_erased_at(&self, subject: Uuid, at: (u64, u64)) -> bool {
        self.state().kept.erased.get(&subject).is_some_and(|end| at < *end)
    }

    /// Changes what must survive, and has it on disk when it returns.
    async fn keep(self: &Arc<Self>, change: impl FnOnce(&mut Kept)) -> Result<(), VitalsError> {
        let _alone = self.keeping.lock().await;
        let mut kept = self.state().kept.clone();
        change(&mut kept);
        let (file, written) = (self.file.clone(), kept.clone());
        let saved = tokio::task::spawn_blocking(move || save(&file, &written)).await;
        saved.map_err(|error| broken(error.into()))?.map_err(|error| broken(error.into()))?;
        self.state().kept = kept;
        Ok(())
    }

    /// What is older (ms) goes to the archive: the server refused such, or will let go of it in a few days.
    fn floor_ms(&self) -> i64 {
        let state = self.state();
        let kept_ms = state.server.as_ref().map_or(i64::MAX / 4, |server| server.retention_ms);
        let leaving_ms = (self.clock.utc_us() / 1000).saturating_sub(kept_ms - margin_ms(kept_ms, 3));
        let copied_ms = copied_us(self.old.settled_through()) / 1000;
        state.refused_ms.max(leaving_ms).max(copied_ms)
    }

    /// Where the server begins to be asked, µs: days before it are in the archive.
    fn begins_us(&self) -> UtcUs {
        copied_us(self.old.settled_through())
    }
}

/// Days before a server lets go of samples, or a share of what it keeps where that is little.
fn margin_ms(kept_ms: i64, days: i64) -> i64 {
    (days * DAY_US / 1000).min(kept_ms * days / 10)
}

/// The end of the newest day in the archive of old days. 0 = there is none.
fn copied_us(settled: u64) -> UtcUs {
    if settled == 0 { 0 } else { (settled as i64 + 1) * DAY_US }
}

fn merged(parts: impl IntoIterator<Item = Window>) -> Vec<Window> {
    let mut windows = BTreeMap::<(UtcUs, u32), Window>::new();
    for part in parts {
        let key = (part.start_us, part.span_s);
        windows.entry(key).and_modify(|whole| whole.merge(&part)).or_insert(part);
    }
    windows.into_values().collect()
}

#[async_trait]
impl VitalsStore for Prometheus {
    fn caps(&self) -> Caps {
        let late_ms = self.inner.state().server.as_ref().and_then(|server| server.late_ms);
        Caps { reads_own_writes: false, late_window_s: late_ms.map(|late| late as u64 / 1000), same_instant: false }
    }

    async fn take(&self, _segment: u64, batches: Vec<Batch>) -> Result<(), VitalsError> {
        for item in batches.iter().flat_map(layout::items) {
            let What::Window(window) = &item.what else { continue };
            // A part without an instant is new as long as nobody knows better.
            let new = !item.fits() || self.inner.seen().put(&item).is_none_or(|(_, new)| new);
            if new {
                self.inner.recent.take(item.subject, window);
            }
        }
        self.inner.wake.notify_one();
        Ok(())
    }

    async fn settle(&self, segment: u64) -> Result<bool, VitalsError> {
        let inner = &self.inner;
        let (since_us, started) = {
            let mut state = inner.state();
            if segment <= state.kept.settled {
                return Ok(true);
            }
            state.closed = state.closed.max(segment);
            let Some(done_us) = state.done.get(&segment).copied() else {
                drop(state);
                inner.wake.notify_one();
                return Ok(false);
            };
            (done_us, state.server.as_ref().map(|server| server.started.clone()))
        };
        if inner.clock.mono_us() - since_us < inner.settle_us {
            return Ok(false);
        }
        // Away: whether it comes back with everything is seen then.
        let Ok(now) = inner.client.started().await else { return Ok(false) };
        if Some(now) != started {
            inner.state().connected = false;
            inner.wake.notify_one();
            return Ok(false);
        }
        if !inner.late.settle(segment).await? {
            return Ok(false);
        }
        inner.keep(|kept| kept.settled = kept.settled.max(segment)).await?;
        let mut state = inner.state();
        state.done.retain(|done, _| *done > segment);
        state.aside.retain(|done, _| *done > segment);
        Ok(true)
    }

    fn settled_through(&self) -> u64 {
        self.inner.state().kept.settled
    }

    async fn range(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Window>, VitalsError> {
        let begins_us = self.inner.begins_us();
        let mut parts = self.inner.late.range(subject, vital, from_us, to_us).await?;
        if from_us < begins_us {
            parts.extend(self.inner.old.range(subject, vital, from_us, to_us.min(begins_us)).await?);
        }
        if !self.inner.is_erased(subject) && to_us > begins_us {
            let here = self.inner.windows(subject, vital, from_us.max(begins_us), to_us).await?;
            parts.extend(here.into_iter().map(|(part, _)| part));
        }
        Ok(merged(parts))
    }

    async fn totals(
        &self,
        subjects: &[Uuid],
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Total>, VitalsError> {
        // By the windows: PromQL's own sums cannot cap a window's coverage over its parts.
        let mut totals = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let mut total = Total::default();
            self.range(*subject, vital, from_us, to_us).await?.iter().for_each(|window| total.add(window));
            totals.push(total);
        }
        Ok(totals)
    }

    async fn gaps(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Gap>, VitalsError> {
        let begins_us = self.inner.begins_us();
        let mut gaps = self.inner.late.gaps(subject, vital, from_us, to_us).await?;
        let old = self.inner.old.gaps(subject, vital, from_us, to_us).await?;
        gaps.extend(old.into_iter().filter(|gap| gap.from_us < begins_us));
        if !self.inner.is_erased(subject) {
            let here = self.inner.holes(subject, vital, from_us, to_us).await?;
            gaps.extend(here.into_iter().filter(|gap| gap.from_us >= begins_us));
        }
        gaps.sort_by_key(|gap| (gap.from_us, gap.to_us, gap.device));
        Ok(gaps)
    }

    fn recent(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)> {
        self.inner.recent.of(subject)
    }

    fn recent_version(&self, subject: Uuid) -> u64 {
        self.inner.recent.version(subject)
    }

    async fn erase(&self, subject: Uuid) -> Result<(), VitalsError> {
        let _alone = self.inner.sending.lock().await;
        let end = self.journal_end().await?;
        let erased = |kept: &mut Kept| {
            kept.erased.insert(subject, end);
        };
        self.inner.keep(erased).await?;
        self.inner.recent.erase(subject);
        self.inner.late.erase(subject).await?;
        self.inner.old.erase(subject).await?;
        self.inner.client.delete(subject).await.map_err(read::store)
    }

    async fn maintain(&self, now_us: UtcUs) -> Result<(), VitalsError> {
        self.inner.copy_days(now_us).await?;
        self.inner.late.maintain(now_us).await?;
        self.inner.old.maintain(now_us).await
    }
}

impl Prometheus {
    /// Where the journal ends now.
    async fn journal_end(&self) -> Result<(u64, u64), VitalsError> {
        let (replay, cursor) = (Arc::clone(&self.inner.replay), self.inner.state().cursor);
        let read = tokio::task::spawn_blocking(move || {
            let (_, segment) = replay.segments()?;
            let mut offset = if cursor.0 == segment { cursor.1 } else { 0 };
            loop {
                let (_, next) = replay.read(segment, offset)?;
                if next <= offset {
                    return Ok((segment, offset));
                }
                offset = next;
            }
        });
        let end: io::Result<_> = read.await.map_err(|error| broken(error.into()))?;
        end.map_err(|error| broken(error.into()))
    }
}
