//! From the serial line to the broker: what the virtual dongle reports is in the log exactly once, under the right
//! address, and nothing else is.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;
#[path = "common/home.rs"]
mod home;

use std::collections::BTreeMap;

use medmon_core::noun::Ieee;
use medmon_gatewayd::Gateway;
use medmon_gatewayd::radio::table::Interview;
use medmon_gatewayd::radio::{Ask, RadioState};
use medmon_kit::Clock;
use medmon_sim::{Announced, DeviceSpec, Dongle, DongleOptions, LineFaults, air};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use common::until;
use home::{BELT, STRANGER, STRAP, config, logged, order, sensors};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_is_logged_once_whatever_the_line_does() {
    let clock = Clock::system();
    let faults = LineFaults { seed: 7, duplicate: 0.2, split: 0.5, garbage: 0.3, ..LineFaults::default() };
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

/// Everything at once, drawn by a seed (`MEDMON_SEED`): noise, damage, losses, false starts, split reads, duplicates,
/// the long form, sleeping sensors, rejoins, swapped addresses with and without an announcement, a reset every 20 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_a_valid_report_is_logged_once_under_the_right_address_and_nothing_else_is() {
    let seed = std::env::var("MEDMON_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("MEDMON_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let clock = Clock::scaled(20.0, 1_795_521_600_000_000);
    let faults =
        LineFaults { seed, duplicate: 0.2, bad_check: 0.1, lost: 0.05, split: 0.3, garbage: 0.3, false_start: 0.05 };
    let options = DongleOptions { faults, extended: 0.3, asleep: 0.2, ..DongleOptions::default() };
    let dongle = Dongle::open(options, clock.clone()).unwrap();
    for sensor in sensors() {
        dongle.know(sensor);
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    dongle.ready().await;

    let mut sent = BTreeMap::<Ieee, Vec<i32>>::new();
    let mut bursts = BTreeMap::<Ieee, usize>::new();
    let mut bpm = 0_u16;
    let mut reset_us = clock.mono_us() + 20_000_000;
    for _ in 0..40 {
        for _ in 0..rng.random_range(1..4) {
            for ieee in [STRAP, BELT, STRANGER] {
                bpm = (bpm + 1) % 150;
                if dongle.report(ieee, 1, &[air::heart_rate(50 + bpm)]).await && ieee != STRANGER {
                    sent.entry(Ieee(ieee)).or_default().push(i32::from(50 + bpm));
                }
            }
            let burst = air::acceleration_burst(bpm * 12, 50, &[[0, 0, 1000]; 12]);
            if dongle.report(BELT, 1, &[burst]).await {
                *bursts.entry(Ieee(BELT)).or_default() += 12;
            }
            // With right checks and lengths that lie, and commands that do not exist.
            dongle.raw(&[0xFE, 3, 0x44, 0x81, 1, 2, 3, 3 ^ 0x44 ^ 0x81]).await;
            dongle.raw(&[0xFE, 1, 0x5F, 0xEE, rng.random(), 0]).await;
            let command = [0x4481_u16, 0x4482, 0x4480, 0x45CA, 0x45C1, 0x45C9, 0x4581, 0x4582, 0x4584, 0x45A1]
                [rng.random_range(0..10)];
            let short: Vec<u8> = (0..rng.random_range(0..9)).map(|_| rng.random_range(0..0xF0)).collect();
            let mut frame = vec![short.len() as u8, (command >> 8) as u8, command as u8];
            frame.extend(short);
            let check = frame.iter().fold(0, |sum, byte| sum ^ byte);
            dongle.raw(&[&[0xFE], &frame[..], &[check]].concat()).await;
        }
        // An address that is being asked for belongs to nobody when it changes hands meanwhile: those messages would be
        // dropped, rightly.
        let total = sent.values().map(Vec::len).sum::<usize>();
        let samples = bursts.values().sum::<usize>();
        until("everything so far is in the log", async || {
            let (rates, logged) = logged(&gateway).await;
            rates.values().map(Vec::len).sum::<usize>() >= total && logged.values().sum::<usize>() >= samples
        })
        .await;
        match rng.random_range(0..6) {
            0 => assert!(dongle.rejoin(STRAP).await),
            1 => assert!(dongle.rejoin(BELT).await),
            2 => assert!(dongle.swap(STRAP, BELT, Announced::Both).await),
            3 => assert!(dongle.swap(STRAP, BELT, Announced::Joined).await),
            _ => {}
        }
        if clock.mono_us() >= reset_us {
            reset_us = clock.mono_us() + 20_000_000;
            dongle.reset().await;
            // While it restarts nothing is announced.
            dongle.swap(STRAP, BELT, Announced::Nothing).await;
            dongle.ready().await;
        }
    }
    let (rates, samples) = logged(&gateway).await;
    assert_eq!(rates, sent);
    assert_eq!(samples, bursts);
    let counters = gateway.local.counters.snapshot();
    println!("{counters:?}");
    for name in
        ["dongle_resets", "duplicates", "bad_checks", "malformed_messages", "malformed_joins", "unlisted_reports"]
    {
        assert!(counters.get(name).is_some_and(|count| *count > 0), "{name}: {counters:?}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeping_sensor_is_interviewed_when_it_speaks_again_and_its_reports_count_meanwhile() {
    let clock = Clock::scaled(50.0, 1_795_521_600_000_000);
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Expired; then no acknowledgement, a full channel, and sent.
    dongle.confirm_next(&[0xF0, 0xE9, 0xCD, 0xE1, 0x00]);
    // Default Responses are confirmed too.
    dongle.know(DeviceSpec { default_response: false, ..sensors()[0].clone() });
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    dongle.ready().await;
    let mut sent = 0;
    until("it is interviewed", async || {
        sent += usize::from(dongle.report(STRAP, 1, &[air::heart_rate(60 + (sent % 40) as u16)]).await);
        gateway.local.control.table.get(Ieee(STRAP)).is_some_and(|known| known.interview == Interview::Done)
    })
    .await;
    until("every report counts", async || logged(&gateway).await.0.get(&Ieee(STRAP)).map_or(0, Vec::len) == sent).await;
    let counters = gateway.local.counters.snapshot();
    assert!(counters["sends_expired"] >= 1 && counters["interviews_unfinished"] >= 1, "{counters:?}");
    gateway.stop().await;
}

fn failed(gateway: &Gateway) -> String {
    match &*gateway.local.radio.borrow() {
        RadioState::Failed { reason } => reason.clone(),
        _ => String::new(),
    }
}

async fn heard(gateway: &Gateway, dongle: &Dongle) -> bool {
    let before = logged(gateway).await.0.get(&Ieee(STRAP)).map_or(0, Vec::len);
    if !dongle.report(STRAP, 1, &[air::heart_rate(72)]).await {
        return false;
    }
    until("the reading is kept", async || logged(gateway).await.0.get(&Ieee(STRAP)).map_or(0, Vec::len) > before).await;
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_dongle_is_replaced_from_the_backup_and_no_sensor_is_paired_again() {
    let clock = Clock::scaled(5.0, 1_795_521_600_000_000);
    let folder = tempfile::tempdir().unwrap();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    dongle.know(sensors()[0].clone());
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    dongle.ready().await;
    assert!(heard(&gateway, &dongle).await);
    let rows = order(&gateway, Ask::Backup).await;
    assert!(rows[0].to_string().contains("backed_up") || rows[0].to_string().contains("already"), "{rows:?}");
    until("the backup is there", async || folder.path().join("radio.backup").exists()).await;
    gateway.stop().await;
    // The old dongle goes on for a while, and dies.
    dongle.talk(1300);
    let sensors = dongle.paired();
    drop(dongle);

    let options = DongleOptions { ieee: 0x0012_4b00_2900_0099, formed: false, ..DongleOptions::default() };
    let dongle = Dongle::open(options, clock.clone()).unwrap();
    dongle.bring(sensors);
    let mut config = config(folder.path(), &dongle);
    // Not even then: the sensors of this home would be lost.
    config.radio.form_network = true;
    let gateway = Gateway::start(config, clock.clone()).await.unwrap();
    until("a restore is offered", async || failed(&gateway).contains("medmon local radio restore")).await;
    let rows = order(&gateway, Ask::Adopt).await;
    assert!(rows[0]["error"].as_str().unwrap().contains("no network to adopt"), "{rows:?}");
    let rows = order(&gateway, Ask::Restore { overwrite: false }).await;
    assert_eq!(rows[0]["event"], "restored", "{rows:?}");
    dongle.ready().await;
    assert!(heard(&gateway, &dongle).await);

    // Its flash wears out: no new network is begun on it, and the copy of the old one stays.
    dongle.wipe().await;
    until("the loss is said", async || failed(&gateway).contains("medmon local radio restore")).await;
    let rows = order(&gateway, Ask::Restore { overwrite: false }).await;
    assert_eq!(rows[0]["event"], "restored", "{rows:?}");
    dongle.ready().await;
    assert!(heard(&gateway, &dongle).await);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dongle_of_another_home_is_known_by_the_backup_alone() {
    let clock = Clock::scaled(5.0, 1_795_521_600_000_000);
    let folder = tempfile::tempdir().unwrap();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    until("there is a backup", async || folder.path().join("radio.backup").exists()).await;
    gateway.stop().await;
    std::fs::write(folder.path().join("network.json"), "{").unwrap();
    let options = DongleOptions { ieee: 0x0012_4b00_2900_0099, ..DongleOptions::default() };
    let other = Dongle::open(options, clock.clone()).unwrap();
    let gateway = Gateway::start(config(folder.path(), &other), clock.clone()).await.unwrap();
    until("it is refused", async || failed(&gateway).contains("put the right dongle back")).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_network_is_refused_until_somebody_says_what_to_do() {
    let clock = Clock::scaled(5.0, 1_795_521_600_000_000);
    let folder = tempfile::tempdir().unwrap();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    dongle.ready().await;
    until("there is a backup", async || folder.path().join("radio.backup").exists()).await;
    gateway.stop().await;
    let first = std::fs::read(folder.path().join("radio.backup")).unwrap();
    drop(dongle);
    let options = DongleOptions { ieee: 0x0012_4b00_2900_0099, ..DongleOptions::default() };
    let dongle = Dongle::open(options, clock.clone()).unwrap();
    dongle.know(sensors()[0].clone());
    let gateway = Gateway::start(config(folder.path(), &dongle), clock.clone()).await.unwrap();
    until("it is refused", async || failed(&gateway).contains("put the right dongle back")).await;
    assert!(!dongle.report(STRAP, 1, &[air::heart_rate(72)]).await);
    let rows = order(&gateway, Ask::Pair { seconds: 10 }).await;
    assert!(rows[0]["error"].as_str().unwrap().contains("does not run"), "{rows:?}");
    let rows = order(&gateway, Ask::Form { confirmed: false }).await;
    assert!(rows[0]["error"].as_str().unwrap().contains("--yes-all-sensors-must-rejoin"), "{rows:?}");
    let rows = order(&gateway, Ask::Adopt).await;
    assert_eq!(rows[0]["event"], "adopted", "{rows:?}");
    dongle.ready().await;
    assert!(heard(&gateway, &dongle).await);

    let before = std::fs::read_to_string(folder.path().join("network.json")).unwrap();
    let rows = order(&gateway, Ask::Form { confirmed: true }).await;
    assert_eq!(rows[0]["event"], "formed", "{rows:?}");
    dongle.ready().await;
    assert_ne!(std::fs::read_to_string(folder.path().join("network.json")).unwrap(), before);
    assert!(!dongle.report(STRAP, 1, &[air::heart_rate(72)]).await, "it must rejoin");

    // A copy of what this home had once is not put over what it has.
    until("there is a backup of it", async || std::fs::read(folder.path().join("radio.backup")).unwrap() != first)
        .await;
    order(&gateway, Ask::Backup).await;
    std::fs::write(folder.path().join("radio.backup"), first).unwrap();
    let rows = order(&gateway, Ask::Restore { overwrite: true }).await;
    assert!(rows[0]["error"].as_str().unwrap().contains("move network.json"), "{rows:?}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stick_in_its_loader_is_told_to_run() {
    let clock = Clock::scaled(10.0, 1_795_521_600_000_000);
    let dongle = Dongle::open(DongleOptions { loader: true, ..DongleOptions::default() }, clock.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock).await.unwrap();
    dongle.ready().await;
    gateway.stop().await;
}

/// Not even TC_DEV_IND tells of it: found by the audit within seconds, since the dongle itself knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_changed_hands_in_silence_is_noticed() {
    let clock = Clock::scaled(10.0, 1_795_521_600_000_000);
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    for sensor in sensors() {
        dongle.know(sensor);
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock).await.unwrap();
    dongle.ready().await;
    for ieee in [STRAP, BELT] {
        assert!(dongle.report(ieee, 1, &[air::heart_rate(60)]).await);
    }
    until("both are known", async || logged(&gateway).await.0.len() == 2).await;
    assert!(dongle.swap(STRAP, BELT, Announced::Nothing).await);
    let corrected = async || gateway.local.counters.snapshot().contains_key("addresses_corrected");
    until("the swap is noticed", corrected).await;
    for (ieee, bpm) in [(STRAP, 71), (BELT, 82)] {
        assert!(dongle.report(ieee, 1, &[air::heart_rate(bpm)]).await);
    }
    let expected = BTreeMap::from([(Ieee(STRAP), vec![60, 71]), (Ieee(BELT), vec![60, 82])]);
    until("each has its own", async || logged(&gateway).await.0 == expected).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_floods_starves_no_other() {
    let clock = Clock::system();
    let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
    for sensor in sensors() {
        dongle.know(DeviceSpec { default_response: false, ..sensor });
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(config(folder.path(), &dongle), clock).await.unwrap();
    dongle.ready().await;
    let mut sent = Vec::new();
    let mut flooded = 0_u32;
    // Whatever the machine's speed: until the flood is too much.
    while !gateway.local.counters.snapshot().contains_key("floods_dropped") {
        flooded += 1;
        assert!(flooded < 200_000, "the machine is too slow to flood");
        dongle.report(STRANGER, 1, &[air::heart_rate(60 + (flooded % 100) as u16)]).await;
        if flooded.is_multiple_of(500) && dongle.report(STRAP, 1, &[air::heart_rate(60 + (flooded / 500) as u16)]).await
        {
            sent.push(60 + i32::try_from(flooded / 500).unwrap());
        }
    }
    until("the strap is heard", async || logged(&gateway).await.0.get(&Ieee(STRAP)) == Some(&sent)).await;
    gateway.stop().await;
}
