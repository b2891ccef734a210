//! gatewayd: the gateway in the home. Files in the order the data flows:
//! radio → collect (quality) → publish (spill) → broker → detect → segment · notify · downsample → outbox → uplink · settings ·
//! time · disk · health · local

pub mod battery;
pub mod broker;
pub mod collect;
pub mod config;
pub mod detect;
pub mod disk;
pub mod downsample;
pub mod drill;
pub mod facts;
pub mod health;
pub mod install;
pub mod local;
pub mod lookup;
pub mod notify;
pub mod outbox;
pub mod publish;
pub mod quality;
pub mod radio;
pub mod seen;
pub mod segment;
pub mod selftest;
pub mod settings;
pub mod spill;
pub mod telemetry;
pub mod time;
pub mod uplink;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use medmon_api::Client;
use medmon_kit::Clock;

use crate::broker::{Broker, Embedded, RabbitMq, Stage};
use crate::collect::{Collector, DevicesHeard};
use crate::config::{BrokerConfig, BrokerKind, Channel, GatewayConfig};
use crate::disk::{Disk, DiskState};
use crate::facts::Facts;
use crate::health::Health;
use crate::install::Install;
use crate::local::Local;
use crate::lookup::Lookup;
use crate::outbox::Outbox;
use crate::publish::Publishing;
use crate::radio::counters::Counters;
use crate::radio::map::Map;
use crate::settings::SettingsStore;
use crate::spill::Spill;
use crate::time::{Keeper, Time};
use crate::uplink::Uplink;

/// Reports on their way from the radio to COLLECT.
const REPORTS: usize = 1024;
/// Readings on their way to DETECT past a broker that is down.
const BYPASS: usize = 8192;
/// Between two attempts to start.
const RETRY: Duration = Duration::from_secs(2);
/// A stop waits so long for losses to be written down.
const LOSSES: Duration = Duration::from_secs(1);
/// How often the times are written down and the broker trimmed.
const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// A running gateway.
pub struct Gateway {
    /// What `medmon local` shows, for a caller in the same process.
    pub local: Local,
    failed: CancellationToken,
    stop: CancellationToken,
    finished: JoinHandle<()>,
}

/// Runs until `shutdown`, then finishes and flushes. A home has nobody who restarts a program: what keeps it from
/// starting, such as a full disk, is said and tried again.
pub async fn run(config: GatewayConfig, clock: Clock, shutdown: CancellationToken) -> anyhow::Result<()> {
    let gateway = loop {
        match Gateway::start(config.clone(), clock.clone()).await {
            Ok(gateway) => break gateway,
            Err(error) => tracing::error!("cannot start: {error:#}; trying again in {} s", RETRY.as_secs()),
        }
        // What is set aside for texts on a full disk is for this too: without a start there is no text.
        if std::fs::remove_file(config.data_dir.join(notify::RESERVE)).is_ok() {
            tracing::warn!("the SMS outbox's reserve is given up");
            continue;
        }
        tokio::select! {
            () = clock.sleep(RETRY) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    };
    medmon_kit::service::ready();
    let failed = tokio::select! {
        () = shutdown.cancelled() => false,
        () = gateway.failed.cancelled() => true,
    };
    gateway.stop().await;
    anyhow::ensure!(!failed, "a stage ended by itself; the service manager starts this program again");
    Ok(())
}

/// Stages are watched: one that ends before it is told to would be a silent alarm.
struct Stages {
    stop: CancellationToken,
    failed: CancellationToken,
}

impl Stages {
    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        tokio::spawn(async move {
            let ended = tokio::spawn(work).await;
            if ended.is_err() || !stop.is_cancelled() {
                tracing::error!(stage = name, panicked = ended.is_err(), "a stage ended by itself");
                failed.cancel();
            }
        })
    }
}

impl Gateway {
    /// Opens every store and starts every stage. What is missing outside (dongle, modem, cloud) is waited for.
    pub async fn start(config: GatewayConfig, clock: Clock) -> anyhow::Result<Self> {
        let folder = config.data_dir.clone();
        std::fs::create_dir_all(&folder).with_context(|| format!("gateway.data_dir {}", folder.display()))?;
        let map = Map::new(&config.zigbee.map).map_err(anyhow::Error::msg)?;
        let (mut install, clock) = Install::begin(&folder, &clock).context("install.json")?;
        tracing::info!(install = %install.id, boot = install.boot, "gateway starting");

        let settings = Arc::new(SettingsStore::open(&folder, &config));
        let in_force = settings.in_force.subscribe();
        let broker = open_broker(&config.broker, &folder).await.context("broker")?;
        let spill = Spill::open(&folder).await.context("spill")?;
        let facts = Facts::open(&folder, clock.utc_us()).await.context("facts")?;
        let outbox = Outbox::open(&folder).context("outbox")?;
        let (counters, heard) = (Counters::default(), DevicesHeard::default());
        let (online, radio_state) = (watch::Sender::new(false), watch::Sender::default());
        let (disk_state, disk) = watch::channel(DiskState::default());
        let stop = CancellationToken::new();
        let drained = CancellationToken::new();
        let drain = CancellationToken::new();
        let (spilled, spilled_now) = watch::channel(spill.len());
        let (bypass, bypassed) = mpsc::channel(BYPASS);
        let (losing, lost) = mpsc::unbounded_channel();
        let (trust, trusted) = watch::channel(install.clock);
        let reference = watch::Sender::new(None);
        let time = Time { clock: clock.clone(), trust: trusted, machine_since: install.machine_since };

        let (orders, asked) = mpsc::channel(4);
        let (drills, exercises) = mpsc::channel(4);
        let table = radio::table::Table::open(&folder);
        let control = radio::Control { orders, table, unmatched: radio::unmatched::Unmatched::default() };

        let sms = notify::open(&folder, &config.sms, &clock).context("texts")?;
        let local = Local {
            install: install.clone(),
            name: config.name.clone(),
            broker: Arc::clone(&broker),
            spilled: spilled_now.clone(),
            facts: facts.clone(),
            outbox: outbox.clone(),
            sms: sms.as_ref().map(|sms| sms.outbox.clone()),
            modem: sms.as_ref().and_then(|sms| sms.state.clone()),
            heard: heard.clone(),
            counters: counters.clone(),
            settings: in_force.clone(),
            radio: radio_state.subscribe(),
            control: control.clone(),
            drills,
            online: online.subscribe(),
            disk: disk.clone(),
            time: time.clone(),
        };

        let (reports, inbox) = mpsc::channel(REPORTS);
        let options = radio::Options {
            port: config.radio.port.clone(),
            baud: config.radio.baud,
            form_network: config.radio.form_network,
            folder: folder.clone(),
        };
        let context = radio::Context {
            map,
            policy: config.radio.policy(),
            allow_unlisted: config.allow_unlisted,
            flood_limit: config.radio.flood_limit,
            settings: in_force.clone(),
            table: control.table.clone(),
            unmatched: control.unmatched.clone(),
            vault: radio::backup::Vault::new(&folder, config.radio.backup_key_file.as_deref()),
            clock: clock.clone(),
            counters: counters.clone(),
            reports: reports.clone(),
        };
        let heard_radio = radio_state.subscribe();
        let failed = CancellationToken::new();
        let stages = Stages { stop: stop.clone(), failed: failed.clone() };
        // Whatever can fail comes before the first stage: a start that fails half-way would leave stages running beside
        // those of the next try.
        let clients = clients(&config);
        let client = clients.as_ref().map(|[client, _]| client.clone());
        let telemetry = listen(&config).await;
        outbox.begin(install.id).await.context("outbox")?;
        let windows = outbox.downsample_state().await.context("outbox")?;
        let settings_now = Arc::clone(&in_force.borrow());
        let detectors = detect::restore(&facts, &settings_now, &clock).await.context("facts")?;
        let keeper = Keeper::new(install.clock, install.utc_floor_us, client.is_some(), clock.mono_us());
        stages.spawn("time", time::run(keeper, clock.clone(), reference.subscribe(), trust, stop.clone()));
        let keep = Disk {
            folder: folder.clone(),
            quota_bytes: config.disk.quota_mib << 20,
            outbox: outbox.clone(),
            broker: Arc::clone(&broker),
            clock: clock.clone(),
        };
        let disk_stage = stages.spawn("disk", keep.run(disk_state, lost));
        let (self_testing, self_test) = watch::channel(None);
        let health = Health {
            install: install.id,
            heard: heard.clone(),
            modem: sms.as_ref().and_then(|sms| sms.state.clone()),
            self_test,
            disk,
            spilled: spilled_now.clone(),
            time: time.clone(),
            facts: facts.clone(),
            settings: in_force.clone(),
        };
        stages.spawn("health", health.run(stop.clone()));
        let texts = sms.as_ref().map(|sms| (sms.outbox.clone(), sms.state.clone()));
        let drill = drill::Drills {
            reports,
            facts: facts.clone(),
            settings: in_force.clone(),
            clock: clock.clone(),
            trust: time.trust.clone(),
            day: config.sms.drill_day.unwrap_or_else(|| drill::day_of(install.id)),
        };
        stages.spawn("drill", drill.run(exercises, stop.clone()));
        let radio = radio::run(options, context, asked, radio_state, stop.clone());
        let radio = stages.spawn("radio", radio);
        let remote = radio::remote::run(in_force.clone(), control.orders.clone(), clock.clone(), stop.clone());
        stages.spawn("pairing", remote);
        let collector = Collector::new(install.boot, time.clone(), config.allow_unlisted);
        let limit = Duration::from_millis(config.broker.publish_timeout_ms.into());
        let publishing = Publishing::new(Arc::clone(&broker), limit, bypass, spill, spilled, counters.clone(), losing);
        let collect = stages.spawn(
            "collect",
            collect::run(
                collector,
                inbox,
                in_force.clone(),
                clock.clone(),
                publishing,
                counters.clone(),
                heard.clone(),
            ),
        );
        let (tap, feed) = segment::tap();
        let segment = segment::run(feed, outbox.clone(), facts.clone(), in_force.clone(), clock.clone(), drain.clone());
        let segment = stages.spawn("segment", segment);
        let detect = stages.spawn(
            "detect",
            detect::run(
                install.id,
                detectors,
                broker.consume(Stage::Detect),
                bypassed,
                Arc::clone(&broker),
                facts.clone(),
                in_force.clone(),
                heard_radio,
                tap,
                clock.clone(),
                drained.clone(),
            ),
        );
        let downsample = stages.spawn(
            "downsample",
            downsample::run(
                install.id,
                windows,
                broker.consume(Stage::Downsample),
                Arc::clone(&broker),
                outbox.clone(),
                in_force.clone(),
                Duration::from_secs(config.uplink.live_interval_s.into()),
                online.subscribe(),
                time.clone(),
                drain.clone(),
            ),
        );
        if let Some(sms) = sms {
            let lookup = Lookup::new(client.clone(), online.subscribe());
            let (facts, settings, clock) = (facts.clone(), in_force.clone(), clock.clone());
            let notify = notify::run(sms, install.id, facts, settings, lookup, self_testing, clock, stop.clone());
            stages.spawn("notify", notify);
        }
        let uplink = clients.map(|[client, bulk]| {
            let follow = settings::run(Arc::clone(&settings), client.clone(), clock.clone(), stop.clone());
            stages.spawn("settings", follow);
            let follow = uplink::follow_facts(client.clone(), facts.clone(), clock.clone(), stop.clone());
            stages.spawn("ward", follow);
            let uplink = Uplink {
                client,
                bulk,
                facts: facts.clone(),
                outbox: outbox.clone(),
                broker: Arc::clone(&broker),
                spilled: spilled_now.clone(),
                heard,
                settings: in_force,
                time: time.clone(),
                started_us: clock.mono_us(),
                reference,
                texts,
                modem_only: config.sms.channels() == [Channel::Modem],
                rejected: settings.rejected.subscribe(),
                online,
                urgent: watch::Sender::new(false),
            };
            stages.spawn("uplink", uplink.run(stop.clone(), drained.clone()))
        });
        tokio::spawn(serve_local(config.socket(), local.clone(), stop.clone()));
        if let Some(listener) = telemetry {
            tokio::spawn(telemetry::run(listener, local.clone(), stop.clone()));
        }

        let retention_us = i64::from(config.broker.retention_h) * 3_600_000_000;
        let stopping = stop.clone();
        let finished = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = clock.sleep(HOUSEKEEPING) => {}
                    () = stopping.cancelled() => break,
                }
                // Elsewhere: the emergency does not wait for a disk.
                let (mut times, beside, at, quality) =
                    (install.clone(), folder.clone(), clock.clone(), *time.trust.borrow());
                match tokio::task::spawn_blocking(move || times.keep(&beside, &at, quality).map(|()| times)).await {
                    Ok(Ok(kept)) => install = kept,
                    Ok(Err(error)) => tracing::warn!(%error, "the time could not be written down"),
                    Err(error) => tracing::error!(%error, "the time could not be written down"),
                }
                if let Err(error) = broker.trim(clock.utc_us() - retention_us).await {
                    tracing::warn!(%error, "the broker could not be trimmed");
                }
            }
            // In the order of the data: each stage ends once the one before it has handed everything over.
            let _ = radio.await;
            let _ = collect.await;
            // What was lost at the last moment is written down and travels with the last envelope.
            let _ = tokio::time::timeout(LOSSES, disk_stage).await;
            drain.cancel();
            let _ = downsample.await;
            let _ = segment.await;
            drained.cancel();
            let _ = detect.await;
            if let Some(uplink) = uplink {
                let _ = uplink.await;
            }
            let _ = install.keep(&folder, &clock, *time.trust.borrow());
        });
        Ok(Self { local, failed, stop, finished })
    }

    /// Ends the stages in the order of the data, seals and sends what there is.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.finished.await;
    }
}

async fn serve_local(path: std::path::PathBuf, local: Local, stop: CancellationToken) {
    if let Err(error) = local::run(path.clone(), local, stop).await {
        tracing::warn!(%error, socket = %path.display(), "`medmon local` cannot reach this gateway");
    }
}

async fn open_broker(config: &BrokerConfig, folder: &std::path::Path) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(match config.kind {
        BrokerKind::Embedded => Arc::new(Embedded::open(folder).await?),
        // A gateway must not wait for it: it is reached when it is reached.
        BrokerKind::Rabbitmq => Arc::new(RabbitMq::open(&config.url, config.retention_h).map_err(anyhow::Error::msg)?),
    })
}

/// A client of the cloud, if the gateway has enrolled. A home without one keeps, detects and texts all the same.
fn clients(config: &GatewayConfig) -> Option<[Client; 2]> {
    if config.uplink.url.is_none() {
        tracing::info!("no gateway.uplink.url: everything is kept here");
        return None;
    }
    let path = config.token_file();
    let token = std::fs::read_to_string(&path)
        .inspect_err(|error| {
            tracing::warn!(%error, file = %path.display(), "no token: run `medmon-gatewayd enrol CODE`; everything is kept here");
        })
        .ok()?;
    let client = || client(config, Some(token.trim()));
    client()
        .and_then(|first| Ok([first, client()?]))
        .inspect_err(|error| tracing::error!("the cloud cannot be reached; everything is kept here: {error:#}"))
        .ok()
}

/// A client with connections of its own.
fn client(config: &GatewayConfig, token: Option<&str>) -> anyhow::Result<Client> {
    let url = config.uplink.url.as_deref().context("gateway.uplink.url is not set: say which cloud to enrol at")?;
    let read = |file: &std::path::PathBuf| {
        std::fs::read(file).with_context(|| format!("gateway.uplink.ca_file = \"{}\" cannot be read", file.display()))
    };
    let options = medmon_api::client::Options {
        token: token.map(str::to_owned),
        ca_pem: config.uplink.ca_file.as_ref().map(read).transpose()?,
        user_agent: Some(concat!("medmon-gatewayd/", env!("CARGO_PKG_VERSION")).into()),
        slow_link: true,
    };
    Ok(Client::with(url, &options)?)
}

/// Where telemetry is asked. An address that is taken is no reason to stay deaf.
async fn listen(config: &GatewayConfig) -> Option<tokio::net::TcpListener> {
    let address = config.telemetry.listen?;
    tokio::net::TcpListener::bind(address)
        .await
        .inspect_err(|error| tracing::error!(%error, %address, "no telemetry: gateway.telemetry.listen cannot be had"))
        .ok()
}

/// Trades a one-time code for this gateway's token and keeps it. A box whose install the cloud has frozen, since another
/// has the same one (a card was copied), enrols as a new one; what its old one has sealed is sent as it is.
pub async fn enrol(config: &GatewayConfig, code: &str, clock: &Clock) -> anyhow::Result<uuid::Uuid> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let client = client(config, None)?;
    let folder = &config.data_dir;
    std::fs::create_dir_all(folder).context("gateway.data_dir")?;
    let install = Install::id(folder, clock).context("install.json")?;
    let forked = Outbox::open(folder).context("outbox")?.is_forked(install).await.context("outbox")?;
    let ask = async |install| client.enrol(&medmon_api::gateway::Enrol { code: code.into(), install }).await;
    let first = if forked { None } else { Some(ask(install).await) };
    let enrolled = match first {
        // The cloud may know what this box has not heard yet.
        Some(Err(error)) if error.problem().is_some_and(|problem| uplink::is_forked(&problem.detail)) => None,
        other => other.transpose()?,
    };
    let enrolled = match enrolled {
        Some(enrolled) => enrolled,
        None => {
            let enrolled = ask(Install::another(folder)?).await?;
            Install::renewed(folder)?;
            tracing::warn!("this box is a new install from its next start on: restart medmon-gatewayd");
            enrolled
        }
    };
    let path = config.token_file();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    std::io::Write::write_all(&mut file, enrolled.token.as_bytes())?;
    file.sync_all()?;
    Ok(enrolled.gateway)
}

#[cfg(test)]
mod tests {
    //! Readings that the tests of several stages take.

    use medmon_core::noun::{ClockQuality, Ieee, Quality, Reading, ReadingId, Value, Vital};

    /// 2026-11-24 12:00 UTC.
    const NOON_US: i64 = 1_795_521_600_000_000;

    pub fn reading(sequence: u64) -> Reading {
        let at_us = sequence as i64 * 2_000_000;
        Reading {
            id: ReadingId { boot: 1, sequence },
            epoch: 1,
            device: Ieee(0x0012_4b00_2a5c_0d01),
            endpoint: 1,
            vital: Vital::HEART_RATE,
            value: Value::Scalar(720 + (sequence % 7) as i32 * 10),
            mono_us: at_us,
            utc_us: NOON_US + at_us,
            clock: ClockQuality::Synced,
            quality: Quality::Good,
            link_quality: 200,
        }
    }

    pub fn burst(sequence: u64, xyz: Vec<[i16; 3]>) -> Reading {
        let value = Value::Samples { rate_hz: 50, lost: 0, xyz };
        Reading { vital: Vital::ACCELERATION, value, ..reading(sequence) }
    }
}
