//! A home whose machine does not know the time: unset at the boot, jumping by hours and years. Nothing is lost, nothing
//! is dated wrongly once somebody has said what time it is, and no alert comes of it.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::path::Path;

use medmon_core::noun::ClockQuality;

use common::{Home, counted, until};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const YEAR: i64 = 365 * 24 * HOUR;

/// Another start of the machine: its monotonic scale begins anew, and its clock has to prove itself.
fn reboot(data: &Path) {
    let path = data.join("install.json");
    let mut install: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    install["machine_boot"] = "another".into();
    std::fs::write(&path, install.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_unset_or_jumps_loses_and_misdates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path()).await;
    let gateway = home.start().await;
    home.bound().await;
    gateway.stop().await;

    // A board without a battery boots in 1970, and the internet is away.
    let began_us = home.real.utc_us();
    reboot(&home.config.data_dir);
    home.machine.shift_utc(-home.real.utc_us());
    home.link.cut();
    let gateway = home.start().await;
    home.speak(&gateway, 60..80).await;
    let tapped = gateway.local.broker.read(0, 1000).await.unwrap();
    assert!(tapped.iter().all(|delivery| delivery.reading.clock == ClockQuality::Unset), "it says so");
    let held = async || gateway.local.outbox.held(0, 1000).await.unwrap().0.len() == 20;
    until("they are held", held).await;
    // Stopped and started again, still without the time.
    gateway.stop().await;
    let gateway = home.start().await;
    home.speak(&gateway, 60..80).await;
    home.link.heal();
    let trust = || *gateway.local.time.trust.borrow();
    until("the cloud has said the time", async || trust() == ClockQuality::Synced).await;
    let off_us = gateway.local.time.clock.utc_us() - home.real.utc_us();
    assert!(off_us.abs() < SECOND, "{off_us}");
    home.speak(&gateway, 60..80).await;
    for jump in [HOUR, -HOUR, YEAR, -YEAR] {
        home.machine.shift_utc(jump);
        home.speak(&gateway, 60..80).await;
        // A second later it has looked.
        until("the jump is seen", async || trust() == ClockQuality::Holdover).await;
        home.speak(&gateway, 60..80).await;
        home.machine.shift_utc(0);
        until("the machine is right again", async || trust() == ClockQuality::Synced).await;
    }
    gateway.stop().await;

    let ended_us = home.real.utc_us();
    until("all are in the cloud", async || counted(&home.series().await) >= 220).await;
    let series = home.series().await;
    assert_eq!(counted(&series), 220);
    for point in &series.points {
        assert!((began_us - 60 * SECOND..=ended_us).contains(&point.at.as_microsecond()), "{point:?}");
    }
    let alerts = home.alerts().await;
    assert!(alerts.is_empty(), "{alerts:?}");
    home.end().await;
}
