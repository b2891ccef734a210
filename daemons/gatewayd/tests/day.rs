//! A day and a night of a quiet home, 600 times as fast: every reading is kept and counted once, nobody is alarmed, and
//! nothing grows that should not.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use medmon_core::noun::{Condition, Ieee, Place, Vital};
use medmon_core::wire;
use medmon_gatewayd::Gateway;
use medmon_gatewayd::config::{DeviceConfig, GatewayConfig, ModemConfig};
use medmon_kit::Clock;
use medmon_sim::air::AttributeReport;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Modem, ModemOptions, air};

use common::until;

const SPEED: f64 = 600.0;
const DAY_S: i64 = 24 * 3600;
const BAND: u64 = 0x0012_4b00_2a5c_0d01;
const BELT: u64 = 0x0012_4b00_2a5c_0d02;
const METER: u64 = 0x0012_4b00_2a5c_0d03;

/// What the home says at a second of the day, with the vital it becomes and how many values that are.
fn said(second: i64) -> Vec<(u64, AttributeReport, Vital, u64)> {
    // Slow at night, quicker in the afternoon.
    let swing = (second as f64 / DAY_S as f64 * std::f64::consts::TAU).sin();
    let mut said = Vec::new();
    let mut every = |seconds: i64, device, report: AttributeReport, vital, values| {
        if second % seconds == 0 {
            said.push((device, report, vital, values));
        }
    };
    every(20, BAND, air::heart_rate((70.0 + 12.0 * swing) as u16), Vital::HEART_RATE, 1);
    every(120, BAND, air::temperature((3680.0 + 40.0 * swing) as i16), Vital::TEMPERATURE, 1);
    every(3600, BAND, air::battery_percent(190), Vital::BATTERY, 1);
    let burst = air::acceleration_burst(second as u16, 1, &[[0, (second % 40) as i16, 1000]; 20]);
    every(20, BELT, burst, Vital::ACTIVITY, 20);
    every(300, METER, air::glucose((110.0 + 30.0 * swing) as u16), Vital::GLUCOSE, 1);
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_day_is_kept_whole_and_alarms_nobody() {
    let clock = Clock::scaled(SPEED, Clock::system().utc_us());
    let folder = tempfile::tempdir().unwrap();
    let dongle = Arc::new(Dongle::open(DongleOptions::default(), clock.clone()).unwrap());
    let modem = Modem::open(ModemOptions::default(), clock.clone()).unwrap();
    let mut config = GatewayConfig { data_dir: folder.path().to_owned(), ..GatewayConfig::default() };
    dongle.port().clone_into(&mut config.radio.port);
    config.sms.fallback_phone = Some("+33639981001".into());
    config.sms.modem = Some(ModemConfig { port: modem.port().to_owned(), baud: 115_200, pin_file: None, number: None });
    let clusters = [air::CLUSTER_HEART_RATE, air::CLUSTER_TEMPERATURE, air::CLUSTER_ACCELERATION, air::CLUSTER_GLUCOSE];
    // Silence is judged by the table's own times; a stall of this machine for some tenths of a second must not look like
    // it, so only the slowest vital is expected.
    for (ieee, vitals, place) in
        [(BAND, vec![], None), (BELT, vec![], Some(Place::Waist)), (METER, vec![Vital::GLUCOSE], None)]
    {
        dongle.know(DeviceSpec::sensor(ieee, "medmon-sensor", &clusters));
        config.devices.insert(Ieee(ieee), DeviceConfig { vitals, place, ..DeviceConfig::default() });
    }
    let gateway = Gateway::start(config, clock.clone()).await.unwrap();
    dongle.ready().await;

    let began_us = clock.mono_us();
    let (mut reports, mut values) = (0, BTreeMap::<Vital, u64>::new());
    for second in (0..DAY_S).step_by(20) {
        clock.sleep_until(began_us + second * 1_000_000).await;
        for (device, report, vital, count) in said(second) {
            assert!(dongle.report(device, 1, &[report]).await);
            reports += 1;
            *values.entry(vital).or_default() += count;
        }
    }
    let counter = |name: &str| gateway.local.counters.snapshot().get(name).copied().unwrap_or(0);
    until("every report is a reading", async || counter("readings_accepted") == reports).await;
    let local = gateway.local.clone();
    gateway.stop().await;

    // A belt that gives one sample a second is too slow for falls: that is said once, and nothing else is.
    let alerts = local.facts.alerts();
    let told: Vec<_> = alerts.iter().map(medmon_core::noun::Alert::condition).collect();
    assert_eq!(told, [Some(Condition::FallLimited)], "{alerts:?}");
    assert!(modem.history().is_empty());
    let lost = ["dropped_bytes", "bad_checks", "readings_lost", "publishes_failed", "duplicates", "radio_restarts"];
    let counters = local.counters.snapshot();
    assert!(lost.iter().all(|name| !counters.contains_key(name)), "{counters:?}");
    assert!(local.outbox.lost(false).await.unwrap().is_empty());
    let mut kept = BTreeMap::<Vital, u64>::new();
    let sealed = local.outbox.waiting(medmon_gatewayd::outbox::Pick::default()).await.unwrap();
    for envelope in sealed.iter().map(|sealed| wire::envelope::decode(&sealed.body).unwrap()) {
        assert!(envelope.gaps.is_empty(), "{:?}", envelope.gaps);
        for window in envelope.windows.iter().filter(|window| window.vital != Vital::POSTURE) {
            *kept.entry(window.vital).or_default() += u64::from(window.count);
            assert_eq!(window.suspect, 0, "{window:?}");
        }
    }
    assert_eq!(kept, values);
    // A day of a home without a cloud: a few megabytes, an envelope an hour and one at the stop.
    assert!(sealed.len() <= 24 + 2, "{}", sealed.len());
    let size: u64 = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 64 << 20, "{size}");
}
