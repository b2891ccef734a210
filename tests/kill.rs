//! `kill -9` of a gateway at random moments under load, with either broker: whatever `medmon local tap` ever showed is counted at the
//! cloud, once; no alert is doubled.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use medmon_api::alert::AlertQuery;
use medmon_api::assignment::Devices;
use medmon_api::gateway::NewGateway;
use medmon_api::page::PageQuery;
use medmon_api::patient::NewPatient;
use medmon_api::vitals::SeriesQuery;
use medmon_core::noun::{Binding, Condition, Device, Ieee, Language, Place, Vital};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, air};
use medmon_testkit::{RabbitMq, skip};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use common::{Cloud, Process, output, until};

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
const BELT: u64 = 0x0012_4b00_2a5c_0d02;

/// Ids that `tap` showed, by vital.
type Shown = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

/// Reads `tap` from `cursor` on until the gateway is killed, or to the end of the log.
async fn tap(socket: PathBuf, follow: bool, shown: Shown) {
    let Ok(mut stream) = UnixStream::connect(&socket).await else { return };
    let question = format!("{{\"command\":\"tap\",\"from_start\":true,\"follow\":{follow}}}\n");
    if stream.write_all(question.as_bytes()).await.is_err() {
        return;
    }
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // The last line of a killed gateway may be cut.
        let Ok(row) = serde_json::from_str::<Value>(&line) else { return };
        let (Some(vital), Some(id)) = (row["vital"].as_str(), row["id"].as_str()) else { continue };
        shown.lock().unwrap().entry(vital.to_owned()).or_default().insert(id.to_owned());
    }
}

/// Readings that wait for the broker.
async fn spilled(socket: &Path) -> Option<u64> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    stream.write_all(b"{\"command\":\"status\"}\n").await.ok()?;
    let line = BufReader::new(stream).lines().next_line().await.ok()??;
    serde_json::from_str::<Value>(&line).ok()?["spilled"].as_u64()
}

/// A fast heart at rest, 20 times a second, and a still belt.
async fn load(dongle: Arc<Dongle>, stop: CancellationToken) {
    let mut counter = 0_u16;
    while !stop.is_cancelled() {
        dongle.report(STRAP, 1, &[air::heart_rate(155 + counter / 12 % 3)]).await;
        dongle.report(BELT, 1, &[air::acceleration_burst(counter, 50, &[[0, 0, 1000]; 12])]).await;
        counter = counter.wrapping_add(12);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn environment(folder: &Path, cloud: &Cloud, dongle: &Dongle) -> Vec<(&'static str, String)> {
    vec![
        ("MEDMON_CONFIG", common::empty_config(folder)),
        ("MEDMON_GATEWAY__DATA_DIR", folder.join("gateway").display().to_string()),
        ("MEDMON_GATEWAY__RADIO__PORT", dongle.port().display().to_string()),
        ("MEDMON_GATEWAY__UPLINK__URL", cloud.url.clone()),
        ("MEDMON_GATEWAY__UPLINK__LIVE_INTERVAL_S", "1".into()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_fifty_random_moments_a_gateway_loses_and_doubles_nothing() {
    killed_again_and_again(50, Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_beside_its_rabbitmq_a_gateway_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = match RabbitMq::start(folder.path(), 1) {
        Ok(server) => server,
        Err(missing) => return skip("killed_beside_its_rabbitmq_a_gateway_loses_and_doubles_nothing", &missing),
    };
    let broker =
        vec![("MEDMON_GATEWAY__BROKER__KIND", "rabbitmq".into()), ("MEDMON_GATEWAY__BROKER__URL", server.url(0))];
    killed_again_and_again(20, broker).await;
}

async fn killed_again_and_again(rounds: u32, broker: Vec<(&'static str, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path()).await;
    let (doctor, admin) = (cloud.client("doctor"), cloud.client("admin"));
    let clock = Clock::system();
    let dongle = Arc::new(Dongle::open(DongleOptions::default(), clock.clone()).unwrap());
    for (ieee, cluster) in [(STRAP, air::CLUSTER_HEART_RATE), (BELT, air::CLUSTER_ACCELERATION)] {
        dongle.know(DeviceSpec::sensor(ieee, "medmon-sensor", &[cluster]));
    }
    let patient = NewPatient {
        name: "DOE Jeanne".into(),
        nickname: "Jeanne".into(),
        birth_year: 1941,
        ward: None,
        language: Language::Fr,
        time_zone: None,
        phone: None,
    };
    let patient = doctor.add_patient(&patient).await.unwrap().id;
    let device = |ieee, vital, place| Device { ieee: Ieee(ieee), label: String::new(), vitals: vec![vital], place };
    let devices = vec![device(STRAP, Vital::HEART_RATE, None), device(BELT, Vital::ACCELERATION, Some(Place::Waist))];
    doctor.set_devices(patient, &Devices { devices, ..Devices::default() }).await.unwrap();
    let gateway = admin.add_gateway(&NewGateway { name: "gw-0001".into() }).await.unwrap();
    let mut env = environment(folder.path(), &cloud, &dongle);
    env.extend(broker);
    let enrolled = output("medmon-gatewayd", &["enrol", &gateway.code], &env);
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    doctor.bind(patient, gateway.gateway.id).await.unwrap();

    let (log, socket) = (folder.path().join("gatewayd.log"), folder.path().join("gateway/gatewayd.sock"));
    let start = || Process::start("medmon-gatewayd", &env, &log);
    let mut process = start();
    until("the gateway is bound", async || {
        doctor.assignments(patient).await.unwrap().iter().any(|assignment| assignment.binding == Binding::Confirmed)
    })
    .await;
    dongle.ready().await;
    let stop = CancellationToken::new();
    let loading = tokio::spawn(load(Arc::clone(&dongle), stop.clone()));

    let shown = Shown::default();
    let seed = clock.utc_us() as u64;
    println!("seed {seed}");
    for round in 0..rounds {
        // SplitMix64 of seed and round: 0.05 to 0.85 s of life.
        let mut draw = seed.wrapping_add(u64::from(round + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        draw = (draw ^ (draw >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let life = Duration::from_millis(50 + (draw >> 40) % 800);
        until("the socket answers", async || UnixStream::connect(&socket).await.is_ok()).await;
        let tapping = tokio::spawn(tap(socket.clone(), true, Arc::clone(&shown)));
        clock.sleep(life).await;
        process.kill();
        tapping.await.unwrap();
        process = start();
    }
    // A fast heart for ten seconds raises the alert, should no life have been long enough to finish it.
    until("the alert is at the cloud", async || {
        !doctor.patient_alerts(patient, &AlertQuery::default(), &PageQuery::default()).await.unwrap().items.is_empty()
    })
    .await;
    stop.cancel();
    loading.await.unwrap();

    until("nothing is spilled", async || spilled(&socket).await == Some(0)).await;
    let before = shown.lock().unwrap().clone();
    let all = Shown::default();
    let complete = async || {
        tap(socket.clone(), false, Arc::clone(&all)).await;
        let all = all.lock().unwrap();
        before.iter().all(|(vital, ids)| all.get(vital).is_some_and(|all| ids.is_subset(all)))
    };
    until("the log holds all that was ever shown", complete).await;
    process.terminate().await;

    let all = all.lock().unwrap().clone();
    assert!(all["heart_rate"].len() > 200, "hardly any load: {}", all["heart_rate"].len());
    for (vital, logged) in [(Vital::HEART_RATE, "heart_rate"), (Vital::ACTIVITY, "acceleration")] {
        let since = Some(medmon_api::time(clock.utc_us() - 3_600_000_000));
        let query = SeriesQuery { since, ..SeriesQuery::default() };
        let series = doctor.vitals(patient, vital, &query).await.unwrap();
        let counted: u64 = series.points.iter().map(|point| point.count).sum();
        assert_eq!(counted, all[logged].len() as u64, "{vital}");
    }
    let alerts = doctor.patient_alerts(patient, &AlertQuery::default(), &PageQuery::default()).await.unwrap().items;
    let fast = alerts.iter().filter(|alert| alert.condition == Condition::Tachycardia).count();
    assert_eq!((fast, alerts.len()), (1, 1), "{alerts:?}");
}
