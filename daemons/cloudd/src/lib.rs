//! The cloud: ingest, vitals, records, alerts, events, and the API over them.
//!
//! In the order of the data: `http` takes a request and asks `auth` who it is; `ingest` judges envelopes and keeps
//! them in `vitals` and `records`; `alerts` takes facts; `settings` and facts go down again; `escalate` pages for whoever
//! is not heard; `board` and `events` are what people see. [`run`] installs nothing global, so that a demo runs it beside everything else.

pub mod alerts;
pub mod auth;
pub mod backup;
pub mod board;
pub mod config;
pub mod erase;
pub mod escalate;
pub mod events;
pub mod http;
pub mod ingest;
pub mod journal;
pub mod known;
pub mod ledger;
pub mod metrics;
pub mod migrate;
pub mod records;
pub mod refusal;
pub mod release;
pub mod segments;
pub mod settings;
pub mod vitals;

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::serve::ListenerExt;
use medmon_api::token::CreatedToken;
use medmon_core::noun::{Principal, Role};
use medmon_kit::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use config::CloudConfig;
use config::VitalsKind;

use escalate::Escalation;
use events::{Bells, Events};
use http::Admission;
use ingest::Turns;
use journal::Journal;
use known::Known;
use metrics::Metrics;
use records::principal::{self, NewPrincipal};
use records::{Caller, Records, Tx, ward};
use refusal::Refusal;
use vitals::embedded::{Embedded, Options};
use vitals::prometheus::{Beside, Prometheus, Target};
use vitals::{VitalsError, VitalsStore};

/// How often it is looked whether the journal and the vitals store have something to do.
const TEND: Duration = Duration::from_secs(1);
/// How long requests may still take at a shutdown, and then everything else: 10 s in all, as INTERFACE.md says.
const GRACE: Duration = Duration::from_secs(6);
const GRACE_REST: Duration = Duration::from_secs(3);

/// Why the cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder cannot be made.
    #[error("cloud.data_dir: {path} cannot be made; give a folder that this user may write")]
    DataDir {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Another cloud works on the same files.
    #[error("cloud.data_dir: {path} is in use by another medmon-cloudd; stop that one or give another folder")]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// A store does not open.
    #[error("a store under cloud.data_dir does not open")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A restore did not end.
    #[error("cloud.data_dir: a restore into {path} did not end; run it again")]
    HalfRestored {
        /// Where.
        path: PathBuf,
    },
    /// Vitals are in a store that is not the configured one: they would be missing from every chart.
    #[error(
        "cloud.vitals.kind: {path} holds vitals of the embedded store; take them along: medmon-cloudd vitals migrate --from embedded --to prometheus"
    )]
    NotMigrated {
        /// Where.
        path: PathBuf,
    },
    /// The SMS API cannot be used.
    #[error("cloud: {0}")]
    Sms(#[source] medmon_sms::HttpError),
    /// The address is taken or not of this machine.
    #[error("cloud.listen = \"{listen}\": cannot listen there; choose another address or port")]
    Listen {
        /// As configured.
        listen: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// All that handlers share.
pub struct Cloud {
    /// Records.
    pub records: Records,
    /// What was accepted, durable before a gateway is told so.
    pub journal: Arc<Journal>,
    /// Vitals.
    pub vitals: Arc<dyn VitalsStore>,
    /// What is remembered of callers and gateways.
    pub known: Arc<Known>,
    /// What is remembered of the board.
    pub board: Arc<board::Memory>,
    /// Hints.
    pub events: Arc<Events>,
    /// Long polls of gateways.
    pub bells: Arc<Bells>,
    /// What is counted.
    pub metrics: Metrics,
    data_dir: PathBuf,
    clock: Clock,
    turns: Turns,
    admission: Admission,
    shutdown: CancellationToken,
    /// Held while this cloud works on its files: what it keeps in memory allows no second one.
    lock: Mutex<Option<File>>,
}

impl Cloud {
    /// Opens the stores under `data_dir`, making what is missing.
    pub async fn open(config: &CloudConfig, clock: Clock, shutdown: CancellationToken) -> Result<Self, StartError> {
        let data_dir = config.data_dir.as_path();
        make_folder(data_dir).map_err(|source| StartError::DataDir { path: data_dir.to_owned(), source })?;
        let vitals_dir = data_dir.join("vitals");
        std::fs::create_dir_all(&vitals_dir)
            .map_err(|source| StartError::DataDir { path: vitals_dir.clone(), source })?;
        let lock = lock(data_dir)?;
        if backup::is_half(data_dir) {
            return Err(StartError::HalfRestored { path: data_dir.to_owned() });
        }
        if config.vitals.kind == VitalsKind::Prometheus && migrate::holds_embedded(&vitals_dir) {
            return Err(StartError::NotMigrated { path: vitals_dir });
        }
        let records = open_records(data_dir, &clock).await?;
        let journal = Journal::open(&data_dir.join("journal"), &records, clock.mono_us()).await;
        let journal = Arc::new(journal.map_err(|error| StartError::Store(Box::new(error)))?);
        let mut metrics = Metrics::default();
        let vitals = open_vitals(config, &records, &journal, &clock, &mut metrics).await;
        let vitals = vitals.map_err(|error| StartError::Store(Box::new(error)))?;
        let given = journal.replay(vitals.as_ref()).await.map_err(|error| StartError::Store(Box::new(error)))?;
        let caps = vitals.caps();
        tracing::info!(envelopes = given, ?caps, "the journal gave the vitals store what was not settled");
        Ok(Self {
            records,
            journal,
            vitals,
            known: Arc::default(),
            board: Arc::default(),
            events: Arc::new(Events::new(clock.utc_us())),
            bells: Arc::default(),
            metrics,
            data_dir: data_dir.to_owned(),
            clock,
            turns: Turns::default(),
            admission: Admission::default(),
            shutdown,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Writes as `caller` and, once that is durable, tells whom it concerns.
    pub async fn write<T, F>(&self, caller: Caller, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let (records, events, bells) = (self.records.clone(), Arc::clone(&self.events), Arc::clone(&self.bells));
        let known = Arc::clone(&self.known);
        // A task of its own: a home whose line is cut meanwhile must not take the hint of a durable alert with it.
        let written = tokio::spawn(async move {
            let (result, effects) = records.write(caller, work).await?;
            events::publish(&events, &bells, &known, effects);
            Ok(result)
        });
        written.await.map_err(Refusal::internal)?
    }

    /// Closes and settles segments of the journal and has the store do what is due, until the shutdown; then once more,
    /// so that the next start has nothing to read again.
    async fn tend(self: Arc<Self>, segment: Duration) {
        loop {
            let ended = tokio::select! {
                () = self.clock.sleep(TEND) => false,
                () = self.shutdown.cancelled() => true,
            };
            let after = if ended { Duration::ZERO } else { segment };
            let now = self.clock.mono_us();
            // While a backup is taken, data only enters the journal.
            let _tending = match backup::tending(&self.data_dir) {
                Ok(Some(lock)) => lock,
                _ if ended => return,
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(%error, "tending.lock cannot be opened: nothing is settled; tried again");
                    continue;
                }
            };
            let mut done = self.journal.tend(&self.records, self.vitals.as_ref(), after, now).await;
            if !ended && done.is_ok() {
                done = self.vitals.maintain(self.clock.utc_us()).await;
            }
            if !ended && let Err(error) = erase::finish(&self).await {
                tracing::error!(%error, "vitals that are to be erased are still there; tried again");
            }
            if let Err(error) = done {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the vitals store is not tended; tried again");
            }
            if ended {
                return;
            }
        }
    }

    /// Whether the stores answer: for `/readyz`, and for a watchdog that is fed by work really done.
    pub async fn probe(&self) -> Result<(), Refusal> {
        self.records.read(|db| Ok(db.query_row("SELECT 1 FROM site", [], |_| Ok(()))?)).await
    }

    /// Makes a token as the one who runs the server. Site and ward by name or id; absent = the first site, no ward.
    pub async fn create_token(
        &self,
        role: Role,
        name: &str,
        site: Option<&str>,
        ward: Option<&str>,
        patient: Option<Uuid>,
    ) -> Result<CreatedToken, Refusal> {
        create_token(&self.records, self.clock.utc_us(), role, name, site, ward, patient).await
    }
}

/// Names and readings are in it: a folder that is made here is for this user alone.
fn make_folder(data_dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)
}

fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path = data_dir.join("cloud.lock");
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|source| StartError::DataDir { path: data_dir.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(StartError::InUse { path: data_dir.to_owned() }),
    }
}

async fn open_records(data_dir: &Path, clock: &Clock) -> Result<Records, StartError> {
    let opened = Records::open(&data_dir.join("records.sqlite"), clock.utc_us()).await;
    opened.map_err(|error| StartError::Store(Box::new(error)))
}

/// The vitals store that is configured.
async fn open_vitals(
    config: &CloudConfig,
    records: &Records,
    journal: &Arc<Journal>,
    clock: &Clock,
    metrics: &mut Metrics,
) -> Result<Arc<dyn VitalsStore>, VitalsError> {
    let folder = config.data_dir.join("vitals");
    let options = config.vitals.options();
    if config.vitals.kind == VitalsKind::Embedded {
        return Ok(Arc::new(Embedded::open(&folder, options, clock.clone()).await?));
    }
    let archive = folder.join("archive");
    // What is in there is old, whatever the clock says.
    let options = Options { ahead_us: None, ..options };
    let late = Arc::new(Embedded::open(&archive.join("late"), options, clock.clone()).await?);
    let old = Arc::new(Embedded::open(&archive.join("old"), options, clock.clone()).await?);
    let target = Target {
        write_url: config.vitals.write_url.clone().unwrap_or_default(),
        query_url: config.vitals.query_url.clone().unwrap_or_default(),
        settle_s: config.vitals.settle_s,
    };
    let beside = Beside { late, old, replay: Arc::clone(journal) as _, clock: clock.clone() };
    let store = Prometheus::open(&folder.join("prometheus"), &target, beside)?;
    metrics.register(|registry| store.register(registry));
    store.keep_limits(records.clone());
    Ok(Arc::new(store))
}

/// Makes a token in the records under `data_dir`, beside a running cloud or without one.
pub async fn create_token_in(
    data_dir: &Path,
    clock: &Clock,
    role: Role,
    name: &str,
    site: Option<&str>,
    ward: Option<&str>,
    patient: Option<Uuid>,
) -> Result<CreatedToken, Refusal> {
    make_folder(data_dir).map_err(Refusal::internal)?;
    let records = open_records(data_dir, clock).await.map_err(Refusal::internal)?;
    create_token(&records, clock.utc_us(), role, name, site, ward, patient).await
}

async fn create_token(
    records: &Records,
    now_us: i64,
    role: Role,
    name: &str,
    site: Option<&str>,
    ward: Option<&str>,
    patient: Option<Uuid>,
) -> Result<CreatedToken, Refusal> {
    let (name, site, ward) = (name.to_owned(), site.map(str::to_owned), ward.map(str::to_owned));
    let site = records.read(move |db| ward::find_site(db, site.as_deref())).await?.id;
    // The audit names nobody: whoever can run this owns the files.
    let operator = Principal {
        id: Uuid::nil(),
        name: "operator".into(),
        role: Role::Admin,
        site,
        ward: None,
        patient: None,
        gateway: None,
        expires_us: None,
    };
    let work = move |tx: &Tx<'_>| {
        let ward = ward.map(|ward| ward::find_ward(tx.db, site, &ward)).transpose()?.map(|ward| ward.id);
        let new = NewPrincipal { name, role, site, ward, patient, gateway: None, expires_us: None };
        let (about, secret) = principal::create(tx, &new)?;
        Ok(CreatedToken { about, token: secret.reveal() })
    };
    Ok(records.write(Caller { principal: operator, now_us }, work).await?.0)
}

/// A cloud that runs.
pub struct Running {
    /// Where it listens; the port is the real one where 0 was asked for.
    pub address: SocketAddr,
    /// Its stores.
    pub cloud: Arc<Cloud>,
    server: JoinHandle<std::io::Result<()>>,
    escalation: JoinHandle<()>,
    tending: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Running {
    /// The address as clients write it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for the end: after the shutdown was asked for, what is under way is finished, for 8 s at most.
    pub async fn finished(mut self) -> std::io::Result<()> {
        let ended = tokio::select! {
            ended = &mut self.server => Some(ended),
            () = self.shutdown.cancelled() => tokio::time::timeout(GRACE, &mut self.server).await.ok(),
        };
        // One time for all that is left: what is not settled by then is given again at the next start.
        let end = Instant::now() + GRACE_REST;
        if tokio::time::timeout_at(end, &mut self.escalation).await.is_err() {
            self.escalation.abort();
        }
        // After the last request: what it brought is settled, too.
        if tokio::time::timeout_at(end, &mut self.tending).await.is_err() {
            self.tending.abort();
        }
        // A connection that was cut may live a little longer; the files are free from here on.
        drop(self.cloud.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        match ended {
            Some(Ok(result)) => result,
            Some(Err(panicked)) => Err(std::io::Error::other(panicked)),
            None => {
                tracing::warn!(grace_s = GRACE.as_secs(), "requests were still under way at the end; cut");
                self.server.abort();
                Ok(())
            }
        }
    }
}

/// Starts the cloud: opens its stores, listens, serves until `shutdown`.
pub async fn run(config: CloudConfig, clock: Clock, shutdown: CancellationToken) -> Result<Running, StartError> {
    let cloud = Arc::new(Cloud::open(&config, clock, shutdown.clone()).await?);
    let refused = |source| StartError::Listen { listen: config.listen.clone(), source };
    let listener = TcpListener::bind(&config.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    if let Err(error) = erase::finish(&cloud).await {
        // A full disk, a damaged file, a backup that runs or a server that is away keep nobody else from being watched.
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "vitals that are to be erased are still there; tried again");
    }
    let escalation = Escalation::open(Arc::clone(&cloud), &config.data_dir, &config.sms)?;
    let escalation = tokio::spawn(escalation.run(shutdown.clone()));
    let segment = Duration::from_secs(config.vitals.segment_s.into());
    let tending = tokio::spawn(Arc::clone(&cloud).tend(segment));
    // Hints are small and have to be there at once.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    // Made once: a bare router would be copied, some 85 kB, for every home that keeps its connection.
    let service = http::router(Arc::clone(&cloud)).into_make_service();
    let ended = shutdown.clone().cancelled_owned();
    let server = tokio::spawn(async move { axum::serve(listener, service).with_graceful_shutdown(ended).await });
    tracing::info!(%address, "cloud listens");
    Ok(Running { address, cloud, server, escalation, tending, shutdown })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use medmon_api::event::EventKind;
    use medmon_core::noun::Resource;

    use super::*;

    /// A connection that broke dropped its handler, and with it the hints of what it had written.
    #[tokio::test]
    async fn a_caller_that_goes_away_takes_no_hint_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let config = CloudConfig { data_dir: folder.path().into(), ..CloudConfig::default() };
        let cloud = Cloud::open(&config, clock.clone(), CancellationToken::new()).await.unwrap();
        let site = Uuid::from_u128(1);
        let (id, name, role) = (Uuid::from_u128(2), "gateway".into(), Role::Gateway);
        let principal = Principal { id, name, role, site, ward: None, patient: None, gateway: None, expires_us: None };
        let mut hints = cloud.events.watch();
        let work = move |tx: &Tx<'_>| {
            tx.hint(EventKind::Alert, Resource::of_site(site), None);
            Ok(())
        };
        let gone = cloud.write(Caller { principal, now_us: clock.utc_us() }, work).now_or_never();
        assert!(gone.is_none(), "dropped before it was durable");
        tokio::time::timeout(Duration::from_secs(10), hints.changed()).await.unwrap().unwrap();
    }
}
