//! Who comes in: join windows by hand and by Settings, against the virtual dongle.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;
#[path = "common/home.rs"]
mod home;

use medmon_core::noun::Ieee;
use medmon_gatewayd::Gateway;
use medmon_gatewayd::radio::pairing::PermitJoin;
use medmon_gatewayd::radio::table::Interview;
use medmon_gatewayd::radio::{Ask, Order};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, air};
use tokio::sync::mpsc;

use common::until;
use home::{STRANGER, STRAP, config, logged, order, sensors};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensor_is_paired_only_while_somebody_pairs_and_a_stranger_is_sent_away() {
    let clock = Clock::scaled(20.0, 1_795_521_600_000_000);
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), &dongle);
    let row = r#"{"model":"MULTI*","cluster":64513,"attribute":1,"type":"uint8","vital":"heart_rate"}"#;
    config.zigbee.map.push(serde_json::from_str(row).unwrap());
    let code = "83FED3407A939723A5C639B26916D505C3B5".parse().unwrap();
    config.radio.install_codes.insert(Ieee(STRAP), code);
    let gateway = Gateway::start(config, clock.clone()).await.unwrap();
    dongle.ready().await;
    let [_, belt, stranger] = sensors();
    let strap = DeviceSpec::sensor(STRAP, "MULTI-7", &[0xFC01]);
    assert!(!dongle.join(strap.clone()).await, "closed by default");

    let (say, mut said) = mpsc::unbounded_channel();
    gateway.local.control.orders.send(Order { ask: Ask::Pair { seconds: 300 }, say }).await.unwrap();
    assert_eq!(said.recv().await.unwrap()["event"], "open");
    assert!((1..=254).contains(&dongle.join_window_s()), "{}", dongle.join_window_s());
    assert_eq!(dongle.counters().install_codes, 1);
    assert!(dongle.join(strap).await);
    assert!(dongle.join(stranger).await);
    let mut events = Vec::new();
    while events.len() < 3 {
        events.push(said.recv().await.unwrap());
    }
    let find = |event: &str| events.iter().find(|row| row["event"] == event).unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!(find("joined")["device"], Ieee(STRAP).to_string());
    assert_eq!(find("interviewed")["model"], "MULTI-7");
    assert_eq!(find("refused")["device"], Ieee(STRANGER).to_string());
    until("the stranger was told to leave", async || dongle.nwk(STRANGER).is_none()).await;
    let counters = dongle.counters();
    assert!(counters.bound >= 2 && counters.configured >= 2, "{counters:?}");
    // The row names a model glob, which is known now.
    let raw = air::AttributeReport { cluster: 0xFC01, mfr_code: None, attribute: 1, kind: 0x20, raw: vec![72] };
    assert!(dongle.report(STRAP, 1, std::slice::from_ref(&raw)).await);
    until("the reading is kept", async || logged(&gateway).await.0.contains_key(&Ieee(STRAP))).await;
    let unknown = air::AttributeReport { attribute: 2, ..raw };
    assert!(dongle.report(STRAP, 1, &[unknown]).await);
    until("it is shown", async || gateway.local.control.unmatched.snapshot().len() == 1).await;

    // Longer than 254 s: renewed, and closed at its end.
    until("the window is closed", async || said.try_recv().is_ok_and(|row| row["event"] == "closed")).await;
    until("in the dongle too", async || dongle.join_window_s() == 0).await;
    assert!(!dongle.join(belt).await);
    gateway.stop().await;
    let kept = std::fs::read_to_string(folder.path().join("radio.json")).unwrap();
    assert!(kept.contains("MULTI-7") && kept.contains("done") && !kept.contains("dead"), "{kept}");
}

/// Whoever ran `pair` is gone: nobody would see who comes in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_nobody_watches_is_closed_and_so_is_one_at_the_stop() {
    let clock = Clock::system();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    dongle.ready().await;
    for stop in [false, true] {
        let (say, mut said) = mpsc::unbounded_channel();
        gateway.local.control.orders.send(Order { ask: Ask::Pair { seconds: 60 }, say }).await.unwrap();
        assert_eq!(said.recv().await.unwrap()["event"], "open");
        assert!(dongle.join_window_s() > 50);
        if stop {
            gateway.stop().await;
            assert_eq!(dongle.join_window_s(), 0);
            return;
        }
        drop(said);
        until("the window is closed", async || dongle.join_window_s() == 0).await;
    }
}

/// `medmon device pair` at the server: Settings say until when, and nobody at the gateway need do anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_open_a_join_window_once_until_their_time_and_close_it_when_they_say_so() {
    use medmon_core::noun::Settings;
    let clock = Clock::scaled(60.0, 1_795_521_600_000_000);
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &dongle);
    let until_us = clock.utc_us() + 3_600_000_000;
    let open = Settings { version: 1, pair_until_us: Some(until_us), ..Settings::default() };
    std::fs::write(folder.path().join("settings.json"), serde_json::to_vec(&open).unwrap()).unwrap();
    let gateway = Gateway::start(config, clock.clone()).await.unwrap();
    dongle.ready().await;
    until("the window is open", async || dongle.join_window_s() > 0).await;
    let opened_us = clock.mono_us();
    let [strap, _, stranger] = sensors();
    assert!(dongle.join(strap).await && dongle.join(stranger).await);
    until("the sensor is known", async || {
        gateway.local.control.table.get(Ieee(STRAP)).is_some_and(|known| known.interview == Interview::Done)
    })
    .await;
    until("the stranger was told to leave", async || dongle.nwk(STRANGER).is_none()).await;
    let rows = order(&gateway, Ask::Pair { seconds: 10 }).await;
    assert!(rows[0].to_string().contains("may join already"), "{rows:?}");
    // However far away that time is: a quarter of an hour.
    until("the window is closed", async || dongle.join_window_s() == 0).await;
    let open_s = (clock.mono_us() - opened_us) / 1_000_000;
    assert!((850..1800).contains(&open_s), "{open_s}");
    let counters = || gateway.local.counters.snapshot();
    assert_eq!((counters()["joins_refused"], counters()["joins"] > 0), (1, true));
    // Once a value: somebody else may pair now.
    until("it is over", async || order(&gateway, Ask::Pair { seconds: 1 }).await[0]["event"] == "open").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_pair_at_once_get_one_window_and_a_lost_dongle_is_no_end_of_one() {
    let clock = Clock::system();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    dongle.ready().await;
    let (say, mut first) = mpsc::unbounded_channel();
    gateway.local.control.orders.send(Order { ask: Ask::Pair { seconds: 60 }, say }).await.unwrap();
    let rows = order(&gateway, Ask::Pair { seconds: 60 }).await;
    assert!(rows[0].to_string().contains("may join already"), "{rows:?}");
    assert_eq!(first.recv().await.unwrap()["event"], "open");
    drop(dongle);
    let last = first.recv().await.unwrap();
    assert!(last["error"].as_str().unwrap().contains("the radio was lost"), "{last}");
    gateway.stop().await;
}

/// Through the socket, as `medmon local pair` does; the dongle itself admits only whom it has an install code of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_install_codes_only_their_devices_join_and_ctrl_c_closes_the_window() {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let clock = Clock::system();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), &dongle);
    config.radio.permit_join = PermitJoin::InstallCode;
    let code = "83FED3407A939723A5C639B26916D505C3B5".parse().unwrap();
    config.radio.install_codes.insert(Ieee(STRAP), code);
    let socket = config.socket();
    let gateway = Gateway::start(config, clock).await.unwrap();
    dongle.ready().await;
    let mut stream = BufReader::new(tokio::net::UnixStream::connect(&socket).await.unwrap());
    stream.write_all(b"{\"command\":\"pair\",\"seconds\":60}\n").await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.contains("install_code") && line.contains("open"), "{line}");
    let [strap, belt, _] = sensors();
    assert!(!dongle.join(belt).await, "no install code");
    assert!(dongle.join(strap).await);
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.contains("joined"), "{line}");
    drop(stream);
    until("the window is closed", async || dongle.join_window_s() == 0).await;
    gateway.stop().await;
}
