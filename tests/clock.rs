//! A home whose machine does not know the time: unset at the boot, jumping by hours and years. Nothing is lost, nothing
//! is dated wrongly once somebody has said what time it is, and no alert comes of it.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use medmon_api::Client;
use medmon_api::alert::AlertQuery;
use medmon_api::assignment::Devices;
use medmon_api::gateway::NewGateway;
use medmon_api::page::PageQuery;
use medmon_api::patient::NewPatient;
use medmon_api::vitals::SeriesQuery;
use medmon_cloudd::CloudConfig;
use medmon_core::noun::{Binding, ClockQuality, Device, Ieee, Language, Role, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::config::GatewayConfig;
use medmon_gatewayd::radio::RadioState;
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Link, air};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const YEAR: i64 = 365 * 24 * HOUR;

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn patient(doctor: &Client) -> Uuid {
    let patient = NewPatient {
        name: "DOE Jeanne".into(),
        nickname: "Jeanne".into(),
        birth_year: 1941,
        ward: None,
        language: Language::Fr,
        time_zone: None,
    };
    let patient = doctor.add_patient(&patient).await.unwrap().id;
    let strap = Device { ieee: Ieee(STRAP), label: String::new(), vitals: vec![Vital::HEART_RATE], place: None };
    doctor.set_devices(patient, &Devices { devices: vec![strap], cadences: BTreeMap::new() }).await.unwrap();
    patient
}

/// Another start of the machine: its monotonic scale begins anew, and its clock has to prove itself.
fn reboot(data: &Path) {
    let path = data.join("install.json");
    let mut install: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    install["machine_boot"] = "another".into();
    std::fs::write(&path, install.to_string()).unwrap();
}

async fn listening(gateway: &Gateway) {
    until("the radio runs", async || matches!(*gateway.local.radio.borrow(), RadioState::Running { .. })).await;
}

/// Twenty heart rates, and all of them accepted.
async fn speak(dongle: &Dongle, gateway: &Gateway) {
    let accepted = || gateway.local.counters.snapshot().get("readings_accepted").copied().unwrap_or(0);
    let before = accepted();
    for bpm in 60..80 {
        assert!(dongle.report(STRAP, 1, &[air::heart_rate(bpm)]).await);
    }
    until("the readings are accepted", async || accepted() == before + 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_unset_or_jumps_loses_and_misdates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let (real, machine) = (Clock::system(), Clock::system());
    let data_dir = folder.path().join("cloud");
    let cloud = CloudConfig { listen: "127.0.0.1:0".into(), data_dir, ..CloudConfig::default() };
    let cloud = medmon_cloudd::run(cloud, real.clone(), stop.clone()).await.unwrap();
    let token = async |role, name: &'static str| {
        Client::new(&cloud.url(), Some(&cloud.cloud.create_token(role, name, None, None, None).await.unwrap().token))
            .unwrap()
    };
    let (admin, doctor) = (token(Role::Admin, "admin").await, token(Role::Doctor, "A. Blanc").await);
    let patient = patient(&doctor).await;
    let link = Link::open(cloud.address).unwrap();
    let dongle = Dongle::open(DongleOptions::default(), real.clone()).unwrap();
    dongle.know(DeviceSpec::sensor(STRAP, "medmon-sensor", &[air::CLUSTER_HEART_RATE]));
    let data = folder.path().join("gateway");
    let mut config = GatewayConfig { data_dir: data.clone(), ..GatewayConfig::default() };
    config.radio.port = dongle.port().to_owned();
    config.uplink.url = Some(format!("http://{}", link.addr()));
    config.uplink.live_interval_s = 1;
    let added = admin.add_gateway(&NewGateway { name: "gw-0001".into() }).await.unwrap();
    medmon_gatewayd::enrol(&config, &added.code, &machine).await.unwrap();
    doctor.bind(patient, added.gateway.id).await.unwrap();
    let gateway = Gateway::start(config.clone(), machine.clone()).await.unwrap();
    let bound = async || doctor.assignments(patient).await.unwrap()[0].binding == Binding::Confirmed;
    until("the gateway is bound", bound).await;
    gateway.stop().await;

    // A board without a battery boots in 1970, and the internet is away.
    let began_us = real.utc_us();
    reboot(&data);
    machine.shift_utc(-real.utc_us());
    link.cut();
    let gateway = Gateway::start(config.clone(), machine.clone()).await.unwrap();
    listening(&gateway).await;
    speak(&dongle, &gateway).await;
    let tapped = gateway.local.broker.read(0, 1000).await.unwrap();
    assert!(tapped.iter().all(|delivery| delivery.reading.clock == ClockQuality::Unset), "it says so");
    let held = async || gateway.local.outbox.held(0, 1000).await.unwrap().0.len() == 20;
    until("they are held", held).await;
    // Stopped and started again, still without the time.
    gateway.stop().await;
    let gateway = Gateway::start(config.clone(), machine.clone()).await.unwrap();
    listening(&gateway).await;
    speak(&dongle, &gateway).await;
    link.heal();
    let trust = || *gateway.local.time.trust.borrow();
    until("the cloud has said the time", async || trust() == ClockQuality::Synced).await;
    let off_us = gateway.local.time.clock.utc_us() - real.utc_us();
    assert!(off_us.abs() < SECOND, "{off_us}");
    speak(&dongle, &gateway).await;
    for jump in [HOUR, -HOUR, YEAR, -YEAR] {
        machine.shift_utc(jump);
        speak(&dongle, &gateway).await;
        // A second later it has looked.
        until("the jump is seen", async || trust() == ClockQuality::Holdover).await;
        speak(&dongle, &gateway).await;
        machine.shift_utc(0);
        until("the machine is right again", async || trust() == ClockQuality::Synced).await;
    }
    gateway.stop().await;

    let ended_us = real.utc_us();
    let query = SeriesQuery { since: Some(medmon_api::time(began_us - HOUR)), ..SeriesQuery::default() };
    let counted = async || {
        let series = doctor.vitals(patient, Vital::HEART_RATE, &query).await.unwrap();
        (series.points.iter().map(|point| point.count).sum::<u64>(), series)
    };
    until("all are in the cloud", async || counted().await.0 >= 220).await;
    let (count, series) = counted().await;
    assert_eq!(count, 220);
    for point in &series.points {
        let at_us = point.at.as_microsecond();
        assert!((began_us - 60 * SECOND..=ended_us).contains(&at_us), "{point:?}");
    }
    let alerts = doctor.patient_alerts(patient, &AlertQuery::default(), &PageQuery::default()).await.unwrap().items;
    assert!(alerts.is_empty(), "{alerts:?}");
    stop.cancel();
    cloud.finished().await.unwrap();
}
