//! From the serial line to the broker: what the virtual dongle reports is in the log exactly once, under the right
//! address, and nothing else is.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::collections::BTreeMap;

use medmon_core::noun::{Ieee, Value, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::config::{DeviceConfig, GatewayConfig};
use medmon_gatewayd::radio::RadioState;
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, LineFaults, air};

use common::until;

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
const BELT: u64 = 0x0012_4b00_2a5c_0d02;
const STRANGER: u64 = 0x0012_4b00_dead_beef;

fn config(folder: &std::path::Path, dongle: &Dongle) -> GatewayConfig {
    let mut config = GatewayConfig { data_dir: folder.to_owned(), ..GatewayConfig::default() };
    dongle.port().clone_into(&mut config.radio.port);
    for ieee in [STRAP, BELT] {
        let device = DeviceConfig { label: String::new(), vitals: vec![], place: None };
        config.devices.insert(Ieee(ieee), device);
    }
    config
}

fn sensors() -> [DeviceSpec; 3] {
    let clusters = [air::CLUSTER_HEART_RATE, air::CLUSTER_ACCELERATION];
    [STRAP, BELT, STRANGER].map(|ieee| DeviceSpec::sensor(ieee, "medmon-sensor", &clusters))
}

/// Heart rates (as sent, in order) and acceleration samples by device.
async fn logged(gateway: &Gateway) -> (BTreeMap<Ieee, Vec<i32>>, BTreeMap<Ieee, usize>) {
    let (mut rates, mut samples) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
    for delivery in gateway.local.broker.read(0, 100_000).await.unwrap() {
        let reading = delivery.reading;
        match reading.value {
            Value::Scalar(stored) if reading.vital == Vital::HEART_RATE => {
                rates.entry(reading.device).or_default().push(stored / 10);
            }
            Value::Samples { xyz, .. } => *samples.entry(reading.device).or_default() += xyz.len(),
            Value::Scalar(_) => {}
        }
    }
    (rates, samples)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_is_logged_once_whatever_the_line_does() {
    let clock = Clock::system();
    let faults = LineFaults { seed: 7, duplicate: 0.2, bad_check: 0.0, split: 0.5, garbage: 0.3 };
    let dongle = Dongle::open(DongleOptions { faults, ..DongleOptions::default() }, clock.clone()).unwrap();
    for sensor in sensors() {
        dongle.know(sensor);
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock).await.unwrap();
    dongle.ready().await;

    let mut sent = BTreeMap::<Ieee, Vec<i32>>::new();
    let mut bursts = 0_usize;
    for round in 0..60_u16 {
        for (offset, ieee) in [(0, STRAP), (100, BELT)] {
            let bpm = 60 + offset + round % 40;
            if dongle.report(ieee, 1, &[air::heart_rate(bpm)]).await {
                sent.entry(Ieee(ieee)).or_default().push(i32::from(bpm));
            }
        }
        dongle.report(STRANGER, 1, &[air::heart_rate(99)]).await;
        let burst = [[0, 0, 1000]; 12];
        bursts += usize::from(dongle.report(BELT, 1, &[air::acceleration_burst(round * 12, 50, &burst)]).await);
        match round {
            // The strap comes back under another short address; the belt is given the strap's old one later.
            20 => assert!(dongle.rejoin(STRAP).await),
            30 => assert!(dongle.rejoin(BELT).await),
            // The dongle restarts by itself: the gateway has to register again before anything is heard.
            40 => {
                dongle.reset().await;
                dongle.ready().await;
            }
            _ => {}
        }
    }
    let total: usize = sent.values().map(Vec::len).sum();
    until("everything is in the log", async || {
        let (rates, samples) = logged(&gateway).await;
        rates.values().map(Vec::len).sum::<usize>() >= total && samples.values().sum::<usize>() >= bursts * 12
    })
    .await;
    let (rates, samples) = logged(&gateway).await;
    assert_eq!(rates, sent);
    assert_eq!(samples, BTreeMap::from([(Ieee(BELT), bursts * 12)]));
    assert!(total > 100 && bursts > 50, "{total} {bursts}");
    let counters = gateway.local.counters.snapshot();
    assert!(counters["unlisted_reports"] > 0 && counters["duplicates"] > 0, "{counters:?}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_and_a_vanished_port_are_said_and_waited_for() {
    let clock = Clock::system();
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("ttyZigbee");
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let mut config = config(folder.path(), &dongle);
    config.radio.port.clone_from(&port);
    let gateway = Gateway::start(config, clock).await.unwrap();
    let failed = async || matches!(&*gateway.local.radio.borrow(), RadioState::Failed { .. });
    until("the missing port is said", failed).await;
    // The stick is plugged in, pulled out, and another one is plugged in.
    std::os::unix::fs::symlink(dongle.port(), &port).unwrap();
    let running = async || matches!(*gateway.local.radio.borrow(), RadioState::Running { .. });
    until("the radio runs", running).await;
    drop(dongle);
    until("the vanished port is said", failed).await;
    let dongle = Dongle::open(DongleOptions::default(), Clock::system()).unwrap();
    dongle.know(DeviceSpec::sensor(STRAP, "medmon-sensor", &[air::CLUSTER_HEART_RATE]));
    std::fs::remove_file(&port).unwrap();
    std::os::unix::fs::symlink(dongle.port(), &port).unwrap();
    until("the radio runs again", running).await;
    dongle.ready().await;
    assert!(dongle.report(STRAP, 1, &[air::heart_rate(72)]).await);
    until("the reading is kept", async || !logged(&gateway).await.0.is_empty()).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blank_dongle_is_formed_only_when_told_to() {
    let clock = Clock::system();
    let folder = tempfile::tempdir().unwrap();
    let dongle = Dongle::open(DongleOptions { formed: false, ..DongleOptions::default() }, clock.clone()).unwrap();
    let config = config(folder.path(), &dongle);
    let gateway = Gateway::start(config.clone(), clock.clone()).await.unwrap();
    let refused = async || matches!(&*gateway.local.radio.borrow(), RadioState::Failed { reason } if reason.contains("form_network"));
    until("the remedy is said", refused).await;
    gateway.stop().await;
    let mut config = config;
    config.radio.form_network = true;
    let gateway = Gateway::start(config, clock).await.unwrap();
    until("the network is formed", async || matches!(*gateway.local.radio.borrow(), RadioState::Running { .. })).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_telemetry_address_and_a_bad_token_keep_no_gateway_from_hearing() {
    let clock = Clock::system();
    let folder = tempfile::tempdir().unwrap();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(folder.path(), &dongle);
    config.telemetry.listen = Some(taken.local_addr().unwrap());
    config.uplink.url = Some("http://127.0.0.1:1".into());
    std::fs::write(config.token_file(), "no\u{0}token").unwrap();
    let gateway = Gateway::start(config, clock).await.unwrap();
    until("the radio runs", async || matches!(*gateway.local.radio.borrow(), RadioState::Running { .. })).await;
    gateway.stop().await;
}
