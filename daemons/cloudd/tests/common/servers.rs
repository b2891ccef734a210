//! A vitals store on a real Prometheus or VictoriaMetrics, with a journal in memory before it.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_cloudd::vitals::prometheus::{Beside, Prometheus, Replay, Target};
use medmon_cloudd::vitals::{Batch, Caps, Total, VitalsError, VitalsStore};
use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use medmon_kit::Clock;
use medmon_testkit::{Missing, VictoriaMetrics};
use uuid::Uuid;

use super::vitals::Rig;

/// One of the two.
pub enum Server {
    Prometheus(medmon_testkit::Prometheus),
    Victoria(VictoriaMetrics),
}

impl Server {
    pub fn urls(&self) -> (String, String) {
        match self {
            Self::Prometheus(server) => (server.write_url(), server.url()),
            Self::Victoria(server) => (server.write_url(), server.url()),
        }
    }

    pub fn kill9(&mut self) {
        match self {
            Self::Prometheus(server) => server.kill9(),
            Self::Victoria(server) => server.kill9(),
        }
    }

    pub fn start_again(&mut self) -> Result<(), Missing> {
        match self {
            Self::Prometheus(server) => server.start_again(),
            Self::Victoria(server) => server.start_again(),
        }
    }

    /// Makes what was taken readable; by itself that takes a second or two.
    pub fn flush(&self) {
        if let Self::Victoria(server) = self {
            let _ = server.flush();
        }
    }
}

/// A journal: envelopes by segment; an offset is an index.
#[derive(Default)]
pub struct Told(Mutex<BTreeMap<u64, Vec<Batch>>>);

impl Told {
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Batch>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay for Told {
    fn segments(&self) -> io::Result<(Vec<u64>, u64)> {
        let told = self.lock();
        Ok((told.keys().copied().collect(), told.keys().last().copied().unwrap_or(0)))
    }

    fn read(&self, segment: u64, offset: u64) -> io::Result<(Vec<Batch>, u64)> {
        let told = self.lock();
        let batch = told.get(&segment).and_then(|batches| batches.get(offset as usize));
        Ok(batch.map_or((Vec::new(), offset), |batch| (vec![batch.clone()], offset + 1)))
    }
}

/// The store with its journal: what is taken is in the journal first, once however often it is given again.
pub struct Journalled {
    pub store: Prometheus,
    pub told: Arc<Told>,
    /// By segment: how much of what is in the journal was given again since the store was opened.
    again: Mutex<BTreeMap<u64, usize>>,
}

#[async_trait]
impl VitalsStore for Journalled {
    fn caps(&self) -> Caps {
        self.store.caps()
    }

    async fn take(&self, segment: u64, batches: Vec<Batch>) -> Result<(), VitalsError> {
        {
            let (mut told, mut again) = (self.told.lock(), self.again.lock().unwrap_or_else(PoisonError::into_inner));
            let held = told.entry(segment).or_default();
            let from = again.entry(segment).or_default();
            for batch in &batches {
                match held[*from..].iter().position(|known| known == batch) {
                    Some(at) => *from += at + 1,
                    None => {
                        held.push(batch.clone());
                        *from = held.len();
                    }
                }
            }
        }
        self.store.take(segment, batches).await
    }

    async fn settle(&self, segment: u64) -> Result<bool, VitalsError> {
        let settled = self.store.settle(segment).await?;
        if settled {
            self.told.lock().remove(&segment);
        }
        Ok(settled)
    }

    fn settled_through(&self) -> u64 {
        self.store.settled_through()
    }

    async fn range(&self, subject: Uuid, vital: Vital, from: UtcUs, to: UtcUs) -> Result<Vec<Window>, VitalsError> {
        self.store.range(subject, vital, from, to).await
    }

    async fn totals(&self, whose: &[Uuid], vital: Vital, from: UtcUs, to: UtcUs) -> Result<Vec<Total>, VitalsError> {
        self.store.totals(whose, vital, from, to).await
    }

    async fn gaps(&self, subject: Uuid, vital: Vital, from: UtcUs, to: UtcUs) -> Result<Vec<Gap>, VitalsError> {
        self.store.gaps(subject, vital, from, to).await
    }

    fn recent(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)> {
        self.store.recent(subject)
    }

    fn recent_version(&self, subject: Uuid) -> u64 {
        self.store.recent_version(subject)
    }

    async fn erase(&self, subject: Uuid) -> Result<(), VitalsError> {
        self.store.erase(subject).await
    }

    async fn maintain(&self, now_us: UtcUs) -> Result<(), VitalsError> {
        self.store.maintain(now_us).await
    }
}

async fn archive(folder: &Path, clock: &Clock) -> Arc<dyn VitalsStore> {
    Arc::new(Embedded::open(folder, Options::default(), clock.clone()).await.unwrap())
}

/// Opens the store in `folder` on `server`, and waits for its newest values.
pub async fn open(folder: &Path, server: &Server, told: Arc<Told>, clock: Clock, settle_s: u32) -> Arc<Journalled> {
    let (write_url, query_url) = server.urls();
    let (late, old) = (archive(&folder.join("late"), &clock).await, archive(&folder.join("old"), &clock).await);
    let beside = Beside { late, old, replay: Arc::clone(&told) as _, clock };
    let store = Prometheus::open(folder, &Target { write_url, query_url, settle_s }, beside).unwrap();
    store.filled().await;
    // All that the journal holds may be given again.
    let again = told.lock().keys().map(|segment| (*segment, 0)).collect();
    Arc::new(Journalled { store, told, again: Mutex::new(again) })
}

/// For the contract.
pub struct Served {
    folder: tempfile::TempDir,
    clock: Clock,
    server: Server,
    store: Option<Arc<Journalled>>,
}

impl Served {
    pub async fn new(folder: tempfile::TempDir, server: Server) -> Self {
        let clock = Clock::system();
        let store = open(&folder.path().join("vitals"), &server, Arc::default(), clock.clone(), 0).await;
        Self { folder, clock, server, store: Some(store) }
    }
}

#[async_trait]
impl Rig for Served {
    fn store(&self) -> Arc<dyn VitalsStore> {
        Arc::clone(self.store.as_ref().unwrap()) as _
    }

    async fn reopen(&mut self) {
        self.server.flush();
        let told = self.store.take().unwrap().told.clone();
        let store = open(&self.folder.path().join("vitals"), &self.server, told, self.clock.clone(), 0).await;
        self.store = Some(store);
    }

    fn now_us(&self) -> UtcUs {
        self.clock.utc_us()
    }
}
