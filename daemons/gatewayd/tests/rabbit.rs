//! A gateway whose RabbitMQ is killed, stopped, blocked, frozen and robbed of its queues while sensors report: an emergency is
//! seen all the same, and nothing that was accepted is lost or counted twice.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lapin::options::QueueDeleteOptions;
use medmon_core::noun::{Ieee, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::broker::RabbitUrl;
use medmon_gatewayd::config::{BrokerKind, DeviceConfig, GatewayConfig};
use medmon_gatewayd::outbox::{Outbox, Pick};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, air};
use medmon_testkit::{RabbitMq, skip};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use common::until;

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
const PATCH: u64 = 0x0012_4b00_2a5c_0d02;
/// Readings of one.
const EMERGENCY: u64 = 2;
/// From the reading that completes an emergency to its alert, whatever is broken.
const REACTION: Duration = Duration::from_secs(2);

/// A home whose chest strap reports twenty times a second.
struct Home {
    gateway: Gateway,
    dongle: Arc<Dongle>,
    folder: tempfile::TempDir,
    url: String,
    quiet: Arc<AtomicBool>,
    /// How often it has reported.
    strap: JoinHandle<u64>,
}

impl Home {
    async fn new(url: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dongle = Arc::new(Dongle::open(DongleOptions::default(), Clock::system()).unwrap());
        let mut config = GatewayConfig { data_dir: folder.path().to_owned(), ..GatewayConfig::default() };
        dongle.port().clone_into(&mut config.radio.port);
        (config.broker.kind, config.broker.url) = (BrokerKind::Rabbitmq, RabbitUrl::new(&url));
        for (ieee, vital, cluster) in
            [(STRAP, Vital::HEART_RATE, air::CLUSTER_HEART_RATE), (PATCH, Vital::GLUCOSE, air::CLUSTER_GLUCOSE)]
        {
            dongle.know(DeviceSpec::sensor(ieee, "medmon-sensor", &[cluster]));
            config
                .devices
                .insert(Ieee(ieee), DeviceConfig { vitals: vec![vital], place: None, ..DeviceConfig::default() });
        }
        let gateway = Gateway::start(config, Clock::system()).await.unwrap();
        dongle.ready().await;
        let (quiet, sensor) = (Arc::new(AtomicBool::new(false)), Arc::clone(&dongle));
        let stop = Arc::clone(&quiet);
        let strap = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                pace.tick().await;
                sent += u64::from(sensor.report(STRAP, 1, &[air::heart_rate(72)]).await);
            }
            sent
        });
        Self { gateway, dongle, folder, url, quiet, strap }
    }

    fn counted(&self, name: &str) -> u64 {
        self.gateway.local.counters.snapshot().get(name).copied().unwrap_or(0)
    }

    /// Life goes on for so many readings.
    async fn readings(&self, count: u64) {
        let before = self.counted("readings_accepted");
        until("readings are accepted", async || self.counted("readings_accepted") >= before + count).await;
    }

    fn spilled(&self) -> u64 {
        *self.gateway.local.spilled.borrow()
    }

    /// Two readings below 54 mg/dL are an emergency; it must not wait for the broker.
    async fn emergency(&self) {
        assert!(self.dongle.report(PATCH, 1, &[air::glucose(45)]).await);
        self.readings(5).await;
        let before = Instant::now();
        assert!(self.dongle.report(PATCH, 1, &[air::glucose(45)]).await);
        until("the alert is raised", async || !self.gateway.local.facts.alerts().is_empty()).await;
        assert!(before.elapsed() < REACTION, "{:?}", before.elapsed());
        println!("raised after {:?}", before.elapsed());
    }

    /// Every accepted reading is in the log, is in exactly one window, and one alert was raised about it.
    async fn has_everything(self) {
        until("the spill is drained", async || self.spilled() == 0).await;
        self.readings(20).await;
        self.quiet.store(true, Ordering::Relaxed);
        let sent = self.strap.await.unwrap() + EMERGENCY;
        let counters = self.gateway.local.counters.clone();
        let count = |name: &str| counters.snapshot().get(name).copied().unwrap_or(0);
        until("all that was sent is accepted", async || count("readings_accepted") == sent).await;
        let all = async || tap(self.folder.path()).await.len() as u64 == sent;
        until("the log has all of it", all).await;
        let shown = tap(self.folder.path()).await;
        assert_eq!(BTreeSet::from_iter(&shown).len(), shown.len(), "a reading is shown once");
        assert_eq!(self.gateway.local.facts.alerts().len(), 1);
        self.gateway.stop().await;
        assert_eq!(count("readings_lost"), 0);
        let outbox = Outbox::open(self.folder.path()).unwrap();
        let sealed = outbox.waiting(Pick::default()).await.unwrap();
        let windows =
            sealed.iter().flat_map(|sealed| medmon_core::wire::envelope::decode(&sealed.body).unwrap().windows);
        assert_eq!(windows.map(|window| u64::from(window.count)).sum::<u64>(), sent);
        println!("{sent} readings, {:?}", counters.snapshot());
    }
}

/// The ids that `medmon local tap --from start` shows.
async fn tap(folder: &Path) -> Vec<String> {
    let mut stream = UnixStream::connect(folder.join("gatewayd.sock")).await.unwrap();
    stream.write_all(b"{\"command\":\"tap\",\"from_start\":true}\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut ids = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        ids.push(row["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn killed(server: &mut RabbitMq) {
    let home = Home::new(server.url(0)).await;
    home.readings(40).await;
    server.kill9();
    home.readings(40).await;
    home.emergency().await;
    assert!(home.spilled() > 0);
    server.start_again().unwrap();
    home.has_everything().await;
}

async fn stopped(server: &mut RabbitMq) {
    let home = Home::new(server.url(1)).await;
    home.readings(40).await;
    server.stop();
    home.emergency().await;
    // A minute, at twenty a second.
    for _ in 0..3 {
        home.readings(400).await;
    }
    assert!(home.spilled() >= 1000, "{}", home.spilled());
    server.start_again().unwrap();
    home.has_everything().await;
}

/// Low on disk RabbitMQ says nothing to who is in the middle of publishing; it stops reading.
async fn blocked(server: &RabbitMq) {
    let home = Home::new(server.url(2)).await;
    home.readings(40).await;
    server.set_disk_alarm(true).unwrap();
    home.emergency().await;
    until("readings are spilled", async || home.spilled() > 20).await;
    server.set_disk_alarm(false).unwrap();
    home.has_everything().await;
}

/// Connections stay, and nothing answers.
async fn frozen(server: &RabbitMq) {
    let home = Home::new(server.url(3)).await;
    home.readings(40).await;
    server.freeze(true);
    home.emergency().await;
    until("readings are spilled", async || home.spilled() > 20).await;
    home.gateway.local.broker.depth().await.unwrap();
    server.freeze(false);
    home.has_everything().await;
}

async fn robbed(server: &RabbitMq) {
    let home = Home::new(server.url(4)).await;
    home.readings(40).await;
    let admin = lapin::Connection::connect(&home.url, lapin::ConnectionProperties::default()).await.unwrap();
    let channel = admin.create_channel().await.unwrap();
    for stage in ["downsample", "detect"] {
        for vital in ["heart_rate", "glucose", "temperature"] {
            channel.queue_delete(format!("{stage}.{vital}").into(), QueueDeleteOptions::default()).await.unwrap();
        }
    }
    home.emergency().await;
    home.readings(40).await;
    home.has_everything().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_an_emergency_is_seen_while_rabbitmq_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = match RabbitMq::start(folder.path(), 5) {
        Ok(server) => server,
        Err(missing) => return skip("nothing_is_lost_and_an_emergency_is_seen_while_rabbitmq_fails", &missing),
    };
    killed(&mut server).await;
    stopped(&mut server).await;
    blocked(&server).await;
    frozen(&server).await;
    robbed(&server).await;
}

/// A gateway that is switched on before its broker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_without_its_rabbitmq_and_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = match RabbitMq::start(folder.path(), 1) {
        Ok(server) => server,
        Err(missing) => return skip("a_gateway_starts_without_its_rabbitmq_and_catches_up", &missing),
    };
    server.stop();
    let home = Home::new(server.url(0)).await;
    home.emergency().await;
    assert!(home.spilled() > 0);
    server.start_again().unwrap();
    home.has_everything().await;
}
