//! Ingest: nothing lost, nothing doubled, nothing guessed, in any order and across crashes.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use common::{MINUTE, T0, World, gap};
use medmon_api::gateway::Lane;
use medmon_api::quarantine::{Decision, Release};
use medmon_api::vitals::SeriesQuery;
use medmon_cloudd::vitals::VitalsStore;
use medmon_cloudd::{Cloud, CloudConfig};
use medmon_core::noun::{Envelope, Verdict, Vital, Window};
use medmon_core::wire::envelope;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Windows and readings of a patient's heart rate.
async fn count(world: &World, patient: Uuid) -> (usize, u64) {
    let subject = subject(world, patient).await;
    held(world.running.cloud.vitals.as_ref(), subject).await
}

async fn held(store: &dyn VitalsStore, subject: Uuid) -> (usize, u64) {
    let windows = store.range(subject, Vital::HEART_RATE, 0, i64::MAX).await.unwrap();
    (windows.len(), windows.iter().map(|window| u64::from(window.count)).sum())
}

async fn subject(world: &World, patient: Uuid) -> Uuid {
    let open = move |db: &rusqlite::Connection| medmon_cloudd::records::assignment::open_of_patient(db, patient);
    world.running.cloud.records.read(open).await.unwrap().unwrap().subject
}

fn reason(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Quarantined { reason } => reason,
        other => panic!("{other:?} is no quarantine"),
    }
}

#[tokio::test]
async fn an_envelope_is_stored_once_and_a_forgery_is_set_aside() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let sealed = home.envelope(1, 0, &[70, 71, 72]);
    let forged = home.envelope(1, 0, &[50]);
    let answers = home.send(&[sealed.clone(), sealed.clone(), forged.clone()]).await;
    assert_eq!(answers[..2], [Verdict::Stored, Verdict::AlreadyHeld]);
    assert!(reason(&answers[2]).contains("number 1"), "{answers:?}");
    let again = home.send(&[sealed, forged]).await;
    assert_eq!(again[0], Verdict::AlreadyHeld);
    assert!(reason(&again[1]).contains("another content"));
    assert_eq!(count(&world, patient.id).await, (3, 3));
}

#[tokio::test]
async fn what_is_not_this_homes_or_not_of_this_time_is_set_aside_whole() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let (_, other) = world.home("MOREL André").await;
    let stranger = Envelope { install: Uuid::now_v7(), ..home.envelope(1, 0, &[70]) };
    let foreign = Envelope { epoch: other.epoch, ..home.envelope(2, 0, &[70]) };
    let nobody = Envelope { epoch: 0, ..home.envelope(3, 0, &[70]) };
    let before = home.envelope(4, -2, &[70]);
    let mut future = home.envelope(5, 0, &[70]);
    future.windows.push(Window::of(Vital::HEART_RATE, T0 + 4 * MINUTE, 700, 1000, true));
    let answers = home.send(&[stranger, foreign, nobody, before, future]).await;
    let words = ["install", "unattributed", "unattributed", "unattributed", "future"];
    for (answer, word) in answers.iter().zip(words) {
        assert!(reason(answer).contains(word), "{answer:?} should say {word}");
    }
    let garbage = home.client.ingest(Lane::Live, [&b"MEDM is not enough"[..], b""]).await.unwrap();
    assert!(garbage.iter().all(|answer| reason(answer).contains("envelope")), "{garbage:?}");
    assert_eq!(count(&world, patient.id).await, (0, 0));
    // A home's clock a little behind ours does not make the first reading after the binding nobody's.
    let mut behind = home.envelope(6, 0, &[]);
    behind.windows.push(Window::of(Vital::GLUCOSE, T0 - 3_000_000, 1120, 1000, true));
    assert_eq!(home.send(&[behind]).await, [Verdict::Stored]);
    // None of them stands in the way of what is right.
    assert_eq!(home.send(&[home.envelope(5, 0, &[70])]).await, [Verdict::Stored]);
}

/// Killed after the answer and before anything was settled: the journal gives it again, once.
#[tokio::test]
async fn what_was_answered_is_there_after_a_kill_and_only_once() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let sealed = home.envelope(1, 0, &[70, 71]);
    assert_eq!(home.send(std::slice::from_ref(&sealed)).await, [Verdict::Stored]);
    // The files as a kill leaves them here and now.
    let copy = tempfile::tempdir().unwrap();
    common::copy(world.folder.path(), copy.path());
    let config = CloudConfig { data_dir: copy.path().into(), ..CloudConfig::default() };
    let cloud = Cloud::open(&config, world.clock.clone(), CancellationToken::new()).await.unwrap();
    let subject = subject(&world, patient.id).await;
    assert_eq!(held(cloud.vitals.as_ref(), subject).await, (2, 2));
    assert!(cloud.vitals.recent(subject)[0].1.iter().all(|window| window.count == 1));
    // A stop in order settles it; nothing is given again, nothing is forgotten.
    let world = world.restart().await;
    let home = home.at(&world);
    assert_eq!(home.send(&[sealed]).await, [Verdict::AlreadyHeld]);
    assert_eq!(count(&world, patient.id).await, (2, 2));
    assert_eq!(world.doctor.latest(patient.id).await.unwrap()[0].value, 71.0);
}

/// A card restored from an image counts on from there: its numbers are taken, with other readings in them.
#[tokio::test]
async fn two_boxes_under_one_install_are_frozen_and_the_ward_is_told() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let first = (1..=40).map(|number| Envelope { sealed_us: T0 + MINUTE, ..home.envelope(number, 0, &[70]) });
    let first: Vec<_> = first.collect();
    world.clock.shift_utc(10 * MINUTE);
    assert!(home.send(&first).await.iter().all(|verdict| *verdict == Verdict::Stored));
    assert_eq!(home.send(&first[..3]).await, vec![Verdict::AlreadyHeld; 3], "their hashes are long forgotten");
    let restored = Envelope { sealed_us: T0 + 9 * MINUTE, ..home.envelope(3, 8, &[55]) };
    let next = home.envelope(41, 9, &[71]);
    let answers = home.send(&[restored.clone(), next.clone()]).await;
    assert!(reason(&answers[0]).starts_with("forked: stream 0 number 3"), "{answers:?}");
    assert!(reason(&home.send(&[next]).await[0]).starts_with("forked: two boxes"));
    assert_eq!(count(&world, patient.id).await.1, 40, "what came before stays");
    let board = world.nurse.board(None).await.unwrap();
    let alerts = &board.rows[0].alerts;
    assert_eq!((alerts.len(), alerts[0].condition), (1, medmon_core::noun::Condition::Forked), "{alerts:?}");
    // It is still frozen after a restart, and an install of its own ends it.
    let world = world.restart().await;
    let home = home.at(&world);
    assert!(reason(&home.send(&[home.envelope(42, 9, &[71])]).await[0]).starts_with("forked"));
    let code = world.admin.gateway_code(home.id).await.unwrap().code;
    let install = Uuid::now_v7();
    let nobody = world.admin.with_token(None).unwrap();
    let same = medmon_api::gateway::Enrol { code: code.clone(), install: home.install };
    assert!(nobody.enrol(&same).await.unwrap_err().to_string().contains("forked"), "it stays frozen under its old id");
    let enrolled = nobody.enrol(&medmon_api::gateway::Enrol { code, install }).await.unwrap();
    let home = common::Home { install, token: enrolled.token, ..home }.at(&world);
    assert_eq!(home.send(&[home.envelope(1, 9, &[71])]).await, [Verdict::Stored]);
    assert!(world.nurse.board(None).await.unwrap().rows[0].alerts[0].cleared_at.is_some(), "waits for the ward only");
    // What is held is said with every heartbeat.
    let beat = home.client.heartbeat(&medmon_api::gateway::Heartbeat::default()).await.unwrap();
    assert_eq!((beat.generation, beat.held.len(), beat.held[0].high), (1, 1, 1), "{beat:?}");
}

/// What was set aside is shown, and a person says whose it is; once, whatever is sent again.
#[tokio::test]
async fn what_was_set_aside_is_released_by_a_person_and_once() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(20 * MINUTE);
    let nobody = Envelope { epoch: 0, ..home.envelope(1, 0, &[70, 71]) };
    let garbage = &b"MEDM is not enough"[..];
    assert!(reason(&home.send(std::slice::from_ref(&nobody)).await[0]).contains("unattributed"));
    home.client.ingest(Lane::Live, [garbage]).await.unwrap();
    home.send(&[home.envelope(2, 3, &[72])]).await;
    let restored = Envelope { sealed_us: T0 + 9 * MINUTE, ..home.envelope(2, 8, &[55]) };
    assert!(reason(&home.send(&[restored]).await[0]).starts_with("forked"));
    let shown = world.admin.gateway(home.id).await.unwrap();
    assert_eq!((shown.quarantined, shown.frozen_at.is_some()), (3, true));
    let aside = world.doctor.quarantine(home.id).await.unwrap();
    let readings: Vec<_> = aside.iter().map(|one| one.content.as_ref().map(|content| content.readings)).collect();
    assert_eq!(readings, [Some(2), None, Some(1)]);
    let release = Release { epoch: home.epoch };
    // Whoever keeps the fleet does not say whose readings are.
    assert!(world.admin.release_quarantine(aside[0].id, &release).await.is_err());
    assert_eq!(world.doctor.release_quarantine(aside[0].id, &release).await.unwrap(), Decision::Released);
    assert_eq!(world.doctor.release_quarantine(aside[2].id, &release).await.unwrap(), Decision::Released);
    assert!(world.doctor.release_quarantine(aside[0].id, &release).await.is_err(), "it was decided already");
    assert!(world.doctor.release_quarantine(aside[1].id, &release).await.is_err(), "it cannot be opened");
    assert_eq!(world.admin.dismiss_quarantine(aside[1].id).await.unwrap(), Decision::Dismissed);
    assert_eq!(home.send(&[nobody]).await, [Verdict::AlreadyHeld]);
    assert_eq!(count(&world, patient.id).await, (4, 4));
    let world = world.restart().await;
    assert_eq!(count(&world, patient.id).await, (4, 4));
    assert_eq!(world.admin.gateway(home.id).await.unwrap().quarantined, 0);
}

#[tokio::test]
async fn parts_of_a_window_from_several_envelopes_make_one() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(10 * MINUTE);
    let mut early = home.envelope(1, 0, &[70]);
    early.gaps.push(gap(T0 + 5 * MINUTE, T0 + 6 * MINUTE));
    let late = Envelope { windows: home.envelope(2, 0, &[90]).windows, ..home.envelope(2, 0, &[]) };
    // Across a restart, so that memory and file are asked both.
    assert_eq!(home.send(&[late]).await, [Verdict::Stored]);
    let world = world.restart().await;
    let home = home.at(&world);
    assert_eq!(home.send(&[early]).await, [Verdict::Stored]);
    assert_eq!(count(&world, patient.id).await, (1, 2));
    let query = SeriesQuery { since: Some(medmon_api::time(T0)), ..SeriesQuery::default() };
    let series = world.nurse.vitals(patient.id, Vital::HEART_RATE, &query).await.unwrap();
    let point = &series.points[0];
    assert_eq!((point.count, point.min, point.max, point.mean), (2, 70.0, 90.0, 80.0));
    let lost: Vec<_> = series.gaps.iter().map(|gap| gap.lost).collect();
    assert_eq!(lost, [None, Some(3)], "{:?}", series.gaps);
}

#[tokio::test]
async fn an_ended_assignment_keeps_its_own_time_and_no_more() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(5 * MINUTE);
    world.doctor.unbind(patient.id).await.unwrap();
    world.clock.shift_utc(10 * MINUTE);
    let answers = home.send(&[home.envelope(1, 3, &[70, 71]), home.envelope(2, 7, &[72])]).await;
    assert_eq!(answers[0], Verdict::Stored, "read before the end, sent after it");
    assert!(reason(&answers[1]).contains("unattributed"));
    // The next patient of the same box gets nothing of the one before.
    let next = world.patient("PETIT Rose").await;
    world.doctor.bind(next.id, home.id).await.unwrap();
    assert!(world.doctor.latest(next.id).await.unwrap().is_empty());
    assert!(reason(&home.send(&[home.envelope(3, 11, &[73])]).await[0]).contains("unattributed"));
}

#[tokio::test]
async fn a_full_disk_says_later_and_takes_the_envelope_then() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    // No segment can be begun: a folder is in its place.
    let place = world.folder.path().join("journal").join(format!("{:012}.log", 2));
    std::fs::create_dir(&place).unwrap();
    let cloud = &world.running.cloud;
    let (now, zero) = (world.clock.mono_us(), std::time::Duration::ZERO);
    assert_eq!(home.send(&[home.envelope(1, 0, &[70])]).await, [Verdict::Stored]);
    assert!(cloud.journal.tend(&cloud.records, cloud.vitals.as_ref(), zero, now).await.is_err());
    let sealed = [home.envelope(2, 1, &[70])];
    let answers = home.send(&sealed).await;
    assert!(matches!(answers[..], [Verdict::Later { .. }]), "{answers:?}");
    std::fs::remove_dir(&place).unwrap();
    assert_eq!(home.send(&sealed).await, [Verdict::Stored]);
    assert_eq!(count(&world, patient.id).await, (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever the order, the grouping and the repetition: each window is there once.
    #[test]
    fn any_order_and_any_repetition_give_the_same_counts(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        group in 1usize..8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let (patient, home) = world.home("DOE Jeanne").await;
            world.clock.shift_utc(30 * MINUTE);
            // Neighbours overlap by a minute: that window comes in two parts.
            let envelopes: Vec<_> = (0..6).map(|n| home.envelope(n + 1, n as i64 * 2, &[60, 61, 62])).collect();
            let mut told: Vec<_> = picks.iter().map(|pick| pick.get(&envelopes).clone()).collect();
            told.extend(envelopes.iter().rev().cloned());
            let mut stored = 0;
            for group in told.chunks(group) {
                let answers = home.send(group).await;
                stored += answers.iter().filter(|answer| **answer == Verdict::Stored).count();
                assert!(answers.iter().all(Verdict::frees));
            }
            assert_eq!(stored, envelopes.len());
            assert_eq!(count(&world, patient.id).await, (13, 18));
            let vitals = &world.running.cloud.vitals;
            let subject = subject(&world, patient.id).await;
            let (recent, windows) = (vitals.recent(subject), vitals.range(subject, Vital::HEART_RATE, 0, i64::MAX).await.unwrap());
            assert!(windows.ends_with(&recent[0].1) && recent[0].1.len() > 10, "{recent:?}");
        });
    }
}

#[tokio::test]
async fn a_request_over_its_bounds_is_refused_before_it_is_read() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    let sealed = envelope::encode(&home.envelope(1, 0, &[70]));
    let many = vec![sealed.as_slice(); 257];
    let error = home.client.ingest(Lane::Live, many).await.unwrap_err();
    assert!(error.to_string().contains("256"), "{error}");
    let huge = vec![0; (8 << 20) + 1];
    let error = home.client.ingest(Lane::Live, [huge.as_slice()]).await.unwrap_err();
    assert_eq!(error.problem().map(|problem| problem.status), Some(413), "{error}");
    let wrong = world.nurse.ingest(Lane::Live, [sealed.as_slice()]).await.unwrap_err();
    assert_eq!(wrong.exit_code(), 5, "only a gateway ingests");
    assert_eq!(home.send(&[home.envelope(1, 0, &[70])]).await, [Verdict::Stored]);
}

/// Totals of a ward, and a patient whose vitals are erased: gone from memory, journal and store, for good; nobody else's.
#[tokio::test]
async fn totals_of_a_ward_and_erasing_one_patient() {
    let world = World::new().await;
    let (jeanne, home) = world.home("DOE Jeanne").await;
    let (rose, other) = world.home("PETIT Rose").await;
    world.patient("NOBODY Anne").await;
    world.clock.shift_utc(30 * MINUTE);
    home.send(&[home.envelope(1, 0, &[70, 80]), home.envelope(2, 2, &[90])]).await;
    other.send(&[other.envelope(1, 0, &[60])]).await;
    let query = medmon_api::vitals::TotalsQuery { since: Some(medmon_api::time(T0)), ..Default::default() };
    let totals = world.nurse.totals(Vital::HEART_RATE, &query).await.unwrap();
    let rows: Vec<_> = totals.rows.iter().map(|row| (row.patient, row.mean, row.max, row.count)).collect();
    assert_eq!(rows, [(jeanne.id, Some(80.0), Some(90.0), 3), (rose.id, Some(60.0), Some(60.0), 1)]);
    let nothing = world.nurse.totals(Vital::TEMPERATURE, &query).await.unwrap();
    assert_eq!((nothing.rows[0].mean, nothing.rows[0].count), (None, 0), "no data is no zero");

    assert!(world.doctor.erase_vitals(jeanne.id).await.is_err(), "more would come");
    world.doctor.unbind(jeanne.id).await.unwrap();
    assert!(world.nurse.erase_vitals(jeanne.id).await.is_err(), "a nurse may not");
    let gone = subject_of_last(&world, jeanne.id).await;
    world.doctor.erase_vitals(jeanne.id).await.unwrap();
    assert_eq!(held(world.running.cloud.vitals.as_ref(), gone).await, (0, 0));
    let (segments, active) = world.running.cloud.journal.segments().unwrap();
    assert_eq!(segments, [active], "the journal holds it no more");
    let world = world.restart().await;
    assert_eq!(held(world.running.cloud.vitals.as_ref(), gone).await, (0, 0));
    assert_eq!(count(&world, rose.id).await, (1, 1));
    let home = home.at(&world);
    assert_eq!(home.send(&[home.envelope(1, 0, &[70, 80])]).await, [Verdict::AlreadyHeld], "it does not come back");
    let late = home.send(&[home.envelope(3, 4, &[91])]).await;
    assert!(reason(&late[0]).starts_with("erased"), "{late:?}");
    assert_eq!(world.admin.gateway(home.id).await.unwrap().quarantined, 0, "nor is it kept anywhere else");
    // Set aside before, and said to be hers after.
    let nobody = Envelope { epoch: 0, ..home.envelope(4, 5, &[92]) };
    home.send(&[nobody]).await;
    let aside = world.doctor.quarantine(home.id).await.unwrap()[0].id;
    let refused = world.doctor.release_quarantine(aside, &Release { epoch: home.epoch }).await.unwrap_err();
    assert!(refused.to_string().contains("erased"), "{refused}");
    assert_eq!(held(world.running.cloud.vitals.as_ref(), gone).await, (0, 0));
}

/// Killed after an erasure that the journal had not let go of yet.
#[tokio::test]
async fn a_replay_does_not_bring_an_erased_patient_back() {
    let world = World::new().await;
    let (jeanne, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(30 * MINUTE);
    home.send(&[home.envelope(1, 0, &[70, 80])]).await;
    let gone = subject(&world, jeanne.id).await;
    let copy = tempfile::tempdir().unwrap();
    common::copy(world.folder.path(), copy.path());
    let records = rusqlite::Connection::open(copy.path().join("records.sqlite")).unwrap();
    records.execute("INSERT INTO erasing VALUES (?1, 1, 2)", [gone.as_bytes()]).unwrap();
    drop(records);
    let config = CloudConfig { data_dir: copy.path().into(), ..CloudConfig::default() };
    let cloud = Cloud::open(&config, world.clock.clone(), CancellationToken::new()).await.unwrap();
    assert_eq!(held(cloud.vitals.as_ref(), gone).await, (0, 0));
    assert!(cloud.vitals.recent(gone).is_empty());
}

/// Two people say at once whose a forked envelope is, each of another patient.
#[tokio::test]
async fn what_is_released_is_in_one_record_whatever_two_people_say() {
    let world = World::new().await;
    let (jeanne, home) = world.home("DOE Jeanne").await;
    let (rose, other) = world.home("PETIT Rose").await;
    world.clock.shift_utc(20 * MINUTE);
    home.send(&[home.envelope(1, 0, &[72])]).await;
    home.send(&[Envelope { sealed_us: T0 + 9 * MINUTE, ..home.envelope(1, 8, &[55]) }]).await;
    let aside = world.doctor.quarantine(home.id).await.unwrap()[0].id;
    let release = |epoch| {
        let doctor = &world.doctor;
        async move { doctor.release_quarantine(aside, &Release { epoch }).await }
    };
    let backup = std::fs::File::create(world.folder.path().join("tending.lock")).unwrap();
    backup.lock().unwrap();
    assert!(release(home.epoch).await.is_err(), "a backup would know of it and not have it");
    drop(backup);
    let (first, second) = tokio::join!(release(home.epoch), release(other.epoch));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(count(&world, jeanne.id).await.1 + count(&world, rose.id).await.1, 2);
    // Its bytes would outlive an erasure of the record.
    let kept = |db: &rusqlite::Connection| {
        Ok(db.query_row("SELECT sum(length(envelope)) FROM quarantine", [], |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(world.running.cloud.records.read(kept).await.unwrap(), 0);
}

/// With as much set aside as may be, a fork is told all the same.
#[tokio::test]
async fn a_fork_is_told_although_nothing_more_can_be_set_aside() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    home.send(&[home.envelope(1, 0, &[70])]).await;
    let records = rusqlite::Connection::open(world.folder.path().join("records.sqlite")).unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                INSERT INTO quarantine (id, gateway, hash, reason, received_us, envelope)
                SELECT randomblob(16), ?1, randomblob(32), '', 1, x'' FROM n";
    records.execute(fill, [home.id.as_bytes()]).unwrap();
    let answers = home.send(&[home.envelope(1, 0, &[55])]).await;
    assert!(matches!(answers[..], [Verdict::Later { .. }]), "{answers:?}");
    assert!(world.admin.gateway(home.id).await.unwrap().frozen_at.is_some());
}

async fn subject_of_last(world: &World, patient: Uuid) -> Uuid {
    let list = move |db: &rusqlite::Connection| medmon_cloudd::records::assignment::list(db, patient);
    world.running.cloud.records.read(list).await.unwrap()[0].subject
}
