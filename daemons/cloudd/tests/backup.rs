//! Backups: taken beside a running cloud, verified, restored; then every home sends again what is missing.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::path::Path;

use common::{Home, MINUTE, World};
use medmon_api::gateway::Heartbeat;
use medmon_cloudd::backup;
use medmon_cloudd::config::SmsConfig;
use medmon_core::noun::{Envelope, Verdict, Vital};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn now(world: &World) -> jiff::Timestamp {
    medmon_api::time(world.clock.utc_us())
}

async fn readings(cloud: &medmon_cloudd::Cloud, patient: Uuid) -> u64 {
    let list = move |db: &rusqlite::Connection| medmon_cloudd::records::assignment::list(db, patient);
    let mut count = 0;
    for row in cloud.records.read(list).await.unwrap() {
        let windows = cloud.vitals.range(row.subject, Vital::HEART_RATE, 0, i64::MAX).await.unwrap();
        count += windows.iter().map(|window| u64::from(window.count)).sum::<u64>();
    }
    count
}

/// Ends the world's cloud and starts another on `folder`.
async fn move_to(mut world: World, folder: tempfile::TempDir) -> World {
    world.shutdown.cancel();
    world.running.finished().await.unwrap();
    world.shutdown = CancellationToken::new();
    world.running = common::start(folder.path(), &world.clock, &world.shutdown, &SmsConfig::default()).await;
    world.folder = folder;
    world
}

/// What a gateway does with the answer to its heartbeat: what the cloud does not hold is sent again.
async fn send_missing(home: &Home, sealed: &[Envelope]) -> Vec<Verdict> {
    let answer = home.client.heartbeat(&Heartbeat::default()).await.unwrap();
    let held = answer.held.first().cloned().unwrap_or_default();
    let missing: Vec<_> = sealed.iter().filter(|one| !held.holds(one.sequence)).cloned().collect();
    home.send(&missing).await
}

#[tokio::test]
async fn after_a_restore_and_a_resend_nothing_is_missing_and_nothing_is_twice() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(60 * MINUTE);
    let sealed: Vec<_> = (1..=30).map(|number| home.envelope(number, number as i64, &[70, 71])).collect();
    // Some settled in the store, some in the journal only, a hole at 7.
    home.send(&[&sealed[..6], &sealed[7..10]].concat()).await;
    let world = world.restart().await;
    let home = home.at(&world);
    home.send(&sealed[10..15]).await;
    let place = tempfile::tempdir().unwrap();
    let (folder, key) = (place.path().join("backups"), place.path().join("key"));
    let taken = backup::take(world.folder.path(), &folder, &key, None, now(&world)).unwrap();
    assert!(taken.made_key && taken.written > 2);
    let inside = world.folder.path().join("backups");
    assert!(backup::take(world.folder.path(), &inside, &key, None, now(&world)).is_err(), "not into itself");
    let again = backup::take(world.folder.path(), &folder, &key, None, now(&world)).unwrap();
    assert!(again.written <= taken.written && !again.made_key);

    // The rest of the night: more envelopes, another patient in the home.
    home.send(&sealed[6..7]).await;
    home.send(&sealed[15..]).await;
    let next = world.patient("PETIT Rose").await;
    world.doctor.unbind(patient.id).await.unwrap();
    let lost = world.doctor.bind(next.id, home.id).await.unwrap();
    assert_eq!(readings(&world.running.cloud, patient.id).await, 60);

    assert_eq!(backup::verify(&folder, &key, None).unwrap().1, Vec::<String>::new());
    let restored = tempfile::tempdir().unwrap();
    // A restore that broke off: nothing starts on it, and it is done again.
    let object = std::fs::read_dir(folder.join("objects")).unwrap().next().unwrap().unwrap().path();
    let object = std::fs::read_dir(object).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&object).unwrap();
    std::fs::write(&object, &whole[..whole.len() - 1]).unwrap();
    assert!(backup::restore(restored.path(), &folder, &key, None).is_err());
    let config = medmon_cloudd::CloudConfig { data_dir: restored.path().into(), ..Default::default() };
    let refused = medmon_cloudd::Cloud::open(&config, world.clock.clone(), CancellationToken::new()).await;
    assert!(matches!(refused, Err(medmon_cloudd::StartError::HalfRestored { .. })));
    std::fs::write(&object, whole).unwrap();
    backup::restore(restored.path(), &folder, &key, None).unwrap();
    assert!(backup::restore(restored.path(), &folder, &key, None).is_err(), "never over what is there");
    let world = move_to(world, restored).await;
    let home = home.at(&world);
    let answer = home.client.heartbeat(&Heartbeat::default()).await.unwrap();
    assert!(answer.generation > 1);
    assert_eq!(answer.held[0].high, 15);
    assert_eq!(answer.held[0].holes, [(7, 7)]);
    let verdicts = send_missing(&home, &sealed).await;
    assert_eq!(verdicts, vec![Verdict::Stored; 16]);
    assert_eq!(readings(&world.running.cloud, patient.id).await, 60);
    assert!(home.send(&sealed).await.iter().all(|verdict| *verdict == Verdict::AlreadyHeld));
    assert_eq!(readings(&world.running.cloud, patient.id).await, 60);

    // What was sealed for Rose's assignment, which the backup does not know, is nobody's: its number never comes again.
    let of_rose = Envelope { epoch: lost.epoch, ..home.envelope(31, 40, &[99]) };
    assert!(matches!(home.send(std::slice::from_ref(&of_rose)).await[0], Verdict::Quarantined { .. }));
    world.clock.shift_utc(60 * MINUTE);
    let doctor = world.client(medmon_core::noun::Role::Doctor, None, None).await;
    doctor.unbind(patient.id).await.unwrap();
    let bound = doctor.bind(patient.id, home.id).await.unwrap();
    assert!(bound.epoch > lost.epoch, "{} after {}", bound.epoch, lost.epoch);
    assert!(matches!(home.send(&[of_rose]).await[0], Verdict::Quarantined { .. }));
}

/// Taken again and again while envelopes come in: whatever moment a backup is of, it and a resend make the whole.
#[tokio::test]
async fn a_backup_of_any_moment_and_a_resend_make_the_whole() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(300 * MINUTE);
    let sealed: Vec<_> = (1..=200).map(|number| home.envelope(number, number as i64, &[70])).collect();
    let place = tempfile::tempdir().unwrap();
    let (folder, key) = (place.path().join("backups"), place.path().join("key"));
    let cloud = std::sync::Arc::clone(&world.running.cloud);
    let (data, clock) = (world.folder.path().to_owned(), world.clock.clone());
    let (vault, vault_key) = (folder.clone(), key.clone());
    let backups = tokio::task::spawn_blocking(move || {
        for _ in 0..6 {
            let taken_at = medmon_api::time(clock.utc_us());
            backup::take(&data, &vault, &vault_key, None, taken_at).unwrap();
        }
    });
    for (index, group) in sealed.chunks(4).enumerate() {
        home.send(group).await;
        if index % 8 == 7 {
            tend(&cloud, world.folder.path(), &world.clock).await;
        }
    }
    backups.await.unwrap();
    let mut world = world;
    let mut home = home;
    let list = tempfile::tempdir().unwrap();
    for name in names(&folder) {
        let restored = tempfile::tempdir_in(list.path()).unwrap();
        backup::restore(restored.path(), &folder, &key, Some(&name)).unwrap();
        world = move_to(world, restored).await;
        home = home.at(&world);
        send_missing(&home, &sealed).await;
        assert_eq!(readings(&world.running.cloud, patient.id).await, 200, "{name}");
    }
    // Old ones go, and what they alone held.
    let last = backup::take(world.folder.path(), &folder, &key, Some(1), now(&world)).unwrap();
    assert!(last.pruned > 0);
    assert_eq!(names(&folder).len(), 1);
    assert_eq!(backup::verify(&folder, &key, None).unwrap().1, Vec::<String>::new());
}

/// As the cloud does every few seconds: nothing while a backup is taken.
async fn tend(cloud: &medmon_cloudd::Cloud, data: &Path, clock: &medmon_kit::Clock) {
    if let Some(_lock) = backup::tending(data).unwrap() {
        let zero = std::time::Duration::ZERO;
        cloud.journal.tend(&cloud.records, cloud.vitals.as_ref(), zero, clock.mono_us()).await.unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join("snapshots")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
