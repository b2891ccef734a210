//! A severe hypoglycaemia: what fired it is at the cloud some minutes later, reading by reading, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use medmon_api::assignment::Devices;
use medmon_core::noun::{Condition, Device, Ieee, Role, Vital};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, air};

use common::{Home, STRAP, output, until};

const PATCH: u64 = 0x0012_4b00_2a5c_0d09;
/// Seven minutes pass in twenty seconds.
const SPEED: f64 = 20.0;
const SECOND: i64 = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fired_an_alert_reaches_the_ward_reading_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::scaled(SPEED, Clock::system().utc_us());
    let home = Home::by(folder.path(), clock.clone(), clock.clone()).await;
    home.dongle.know(DeviceSpec::sensor(PATCH, "medmon-sensor", &[air::CLUSTER_GLUCOSE]));
    let device = |ieee, vital| Device { ieee: Ieee(ieee), label: String::new(), vitals: vec![vital], place: None };
    let devices = vec![device(STRAP, Vital::HEART_RATE), device(PATCH, Vital::GLUCOSE)];
    home.doctor.set_devices(home.patient, &Devices { devices, ..Devices::default() }).await.unwrap();
    let gateway = home.start().await;
    home.bound().await;
    until("the patch is listed", async || gateway.local.settings.borrow().devices.len() == 2).await;
    let pass = async |what: &str, seconds: i64| {
        let end = clock.mono_us() + seconds * SECOND;
        until(what, async || clock.mono_us() > end).await;
    };
    let glucose = async |mg_dl: u16| {
        let before = gateway.local.counters.snapshot()["readings_accepted"];
        assert!(home.dongle.report(PATCH, 1, &[air::glucose(mg_dl)]).await);
        let accepted = async || gateway.local.counters.snapshot()["readings_accepted"] > before;
        until("the glucose is accepted", accepted).await;
    };

    // Longer ago than two minutes before the onset.
    home.speak(&gateway, 60..65).await;
    pass("two minutes go by", 125).await;
    home.speak(&gateway, 70..80).await;
    let onset_from = clock.utc_us();
    glucose(45).await;
    glucose(44).await;
    home.speak(&gateway, 81..95).await;
    let alert = async || home.alerts().await.into_iter().find(|alert| alert.condition == Condition::Hypoglycaemia);
    until("the alert is at the cloud", async || alert().await.is_some()).await;
    let alert = alert().await.unwrap();
    assert!((onset_from..clock.utc_us()).contains(&alert.onset_at.as_microsecond()), "{alert:?}");
    assert!(home.doctor.segment(alert.id).await.is_err(), "it is not complete yet");
    pass("five minutes go by", 301).await;
    home.speak(&gateway, 96..99).await;
    until("the segment is at the cloud", async || home.doctor.segment(alert.id).await.is_ok()).await;

    let segment = home.doctor.segment(alert.id).await.unwrap();
    assert!(!segment.cut, "the gateway has run since before it");
    assert_eq!(alert.onset_at.duration_since(segment.from).as_secs(), 120);
    let values = |vital: Vital| {
        let series: Vec<_> = segment.series.iter().filter(|series| series.vital == vital).collect();
        assert_eq!(series.len(), 1, "{segment:?}");
        assert!(series[0].points.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        series[0].points.iter().map(|(_, value)| *value as u16).collect::<Vec<_>>()
    };
    assert_eq!(values(Vital::HEART_RATE), (70..80).chain(81..95).collect::<Vec<_>>());
    assert_eq!(values(Vital::GLUCOSE), [45, 44]);

    let env = home.env(Role::Doctor, folder.path()).await;
    let id = alert.id.to_string();
    let shown = output("medmon", &["alert", "show", &id, "--segment", "-o", "csv"], &env);
    let rows = String::from_utf8(shown.stdout).unwrap();
    assert!(rows.starts_with("at,vital,value,unit,device,x,y,z\n"), "{rows}");
    assert_eq!(rows.lines().filter(|line| line.contains(",heart_rate,")).count(), 24, "{rows}");
    gateway.stop().await;
    home.end().await;
}
