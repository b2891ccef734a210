//! The whole cloud with its vitals on a Prometheus that comes and goes.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::time::Duration;

use common::World;
use medmon_cloudd::config::{SmsConfig, VitalsConfig, VitalsKind};
use medmon_core::noun::{Verdict, Vital};
use medmon_testkit::{Prometheus, skip};
use uuid::Uuid;

async fn subject(world: &World, patient: Uuid) -> Uuid {
    let open = move |db: &rusqlite::Connection| medmon_cloudd::records::assignment::open_of_patient(db, patient);
    world.running.cloud.records.read(open).await.unwrap().unwrap().subject
}

/// Waits until the store has `count` windows; without the server it has none to show.
async fn windows(world: &World, subject: Uuid, count: usize) {
    let began = std::time::Instant::now();
    loop {
        let found = world.running.cloud.vitals.range(subject, Vital::HEART_RATE, 0, i64::MAX).await;
        if found.as_ref().is_ok_and(|windows| windows.len() == count) {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{found:?} are not {count} windows");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_are_stored_while_the_server_is_away_and_there_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = match Prometheus::start(folder.path()) {
        Ok(server) => server,
        Err(missing) => return skip("prometheus: envelopes are stored while it is away", &missing),
    };
    let vitals = VitalsConfig {
        kind: VitalsKind::Prometheus,
        write_url: Some(server.write_url()),
        query_url: Some(server.url()),
        settle_s: 1,
        segment_s: 1,
        ..VitalsConfig::default()
    };
    let world = World::on(20.0, SmsConfig::default(), vitals).await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let subject = subject(&world, patient.id).await;
    assert_eq!(home.send(&[home.envelope(1, 0, &[70, 71])]).await, [Verdict::Stored]);
    windows(&world, subject, 2).await;
    server.kill9();
    // Away: taken all the same, shown as the newest, sent when it is back, also by the next start of the cloud.
    assert_eq!(home.send(&[home.envelope(2, 2, &[72])]).await, [Verdict::Stored]);
    assert_eq!(world.running.cloud.vitals.recent(subject)[0].1.last().unwrap().last, 720);
    let world = world.restart().await;
    server.start_again().unwrap();
    windows(&world, subject, 3).await;
    let began = std::time::Instant::now();
    while world.running.cloud.vitals.settled_through() == 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "nothing settles");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    windows(&world, subject, 3).await;
    // For rules on the server: the limits of everybody who is monitored.
    let query = format!("count(last_over_time(medmon_limit{{subject=\"{subject}\"}}[1d]))");
    let ask = async || {
        let at_s = world.clock.utc_us() / 1_000_000;
        let url = format!("{}/api/v1/query?query={query}&time={at_s}", server.url());
        reqwest::get(url).await.unwrap().text().await.unwrap()
    };
    let limits = medmon_core::noun::Limits::default().iter().count();
    while !ask().await.contains(&format!("\"{limits}\"")) {
        assert!(began.elapsed() < Duration::from_secs(90), "{}", ask().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
