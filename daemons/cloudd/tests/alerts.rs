//! Facts up and down, what the ward is shown, hints; and that all of it survives an end in the middle.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use common::{MINUTE, SECOND, T0, World, fact};
use futures_util::StreamExt;
use medmon_api::alert::{Ack, AlertQuery, Silence};
use medmon_api::board::Section;
use medmon_api::event::EventKind;
use medmon_api::{ErrorKind, PageQuery};
use medmon_core::noun::{Audience, FactKind, Priority, Role, TextReason};
use uuid::Uuid;

#[tokio::test]
async fn an_alert_goes_up_to_the_board_and_the_wards_answer_comes_down() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let new = medmon_api::contact::NewContact {
        name: "Paul".into(),
        phone: "+33612345678".into(),
        relation: String::new(),
        language: medmon_core::noun::Language::Fr,
        position: None,
    };
    let paul = world.doctor.add_contact(patient.id, &new).await.unwrap();
    let alert = Uuid::now_v7();
    let notified =
        FactKind::Notified { contact: paul.id, channel: "modem".into(), reason: TextReason::Raised, step: 0 };
    let facts = [
        home.raised(alert, Priority::High),
        fact(alert, T0 + 2 * SECOND, notified),
        fact(alert, T0 + 5 * SECOND, FactKind::Delivered { contact: paul.id, reason: TextReason::Raised, step: 0 }),
    ];
    // Any order, several times.
    home.client.push_facts(&[facts[2].clone(), facts[0].clone()]).await.unwrap();
    let down = home.client.push_facts(&facts).await.unwrap();
    assert!(down.facts.is_empty() && down.refused.is_empty());

    let board = world.nurse.board(None).await.unwrap();
    let row = &board.rows[0];
    assert_eq!(
        (row.section, board.counts.high, board.ward.as_deref()),
        (Section::NeedsAnswer, 1, Some("Les Tilleuls"))
    );
    let shown = &row.alerts[0];
    assert_eq!(shown.explanation.as_deref(), Some("142 bpm for 60 s at rest"));
    let notice = &shown.notices[0];
    assert_eq!((notice.name.as_deref(), notice.texts, notice.delivered_at.is_some()), (Some("Paul"), 1, true));

    let waiting = tokio::spawn({
        let client = home.client.clone();
        async move { client.pull_facts(0, 30).await }
    });
    let ack = Ack { reason: Some("seen".into()) };
    let answered = world.nurse.acknowledge(alert, &ack).await.unwrap();
    assert_eq!(answered.acknowledged_ward.unwrap().by, "A. nurse");
    let down = waiting.await.unwrap().unwrap();
    let FactKind::Acknowledged { audience, name, .. } = &down.facts[0].kind else { panic!("{down:?}") };
    assert_eq!((*audience, name.as_str()), (Audience::Ward, "A. nurse"));
    assert!(home.client.pull_facts(down.cursor, 0).await.unwrap().facts.is_empty());
    // A cursor of before the cloud was restored from a backup hides nothing that is said after it.
    assert_eq!(home.client.pull_facts(down.cursor + 1000, 0).await.unwrap().facts, down.facts);
    assert_eq!(world.nurse.board(None).await.unwrap().rows[0].section, Section::Answered);

    // Told back it changes nothing; a worsening asks again; cleared and acknowledged it leaves the board.
    assert!(home.client.push_facts(&down.facts).await.unwrap().refused.is_empty());
    let worse = FactKind::Worsened {
        priority: Priority::High,
        condition: medmon_core::noun::Condition::Tachycardia,
        explanation: "155 bpm".into(),
    };
    let pushed = home.client.push_facts(&[fact(alert, T0 + MINUTE, worse)]).await.unwrap();
    assert_eq!(pushed.facts, down.facts, "an open alert's answers come with every push");
    assert_eq!(world.nurse.board(None).await.unwrap().rows[0].section, Section::NeedsAnswer);
    home.client.push_facts(&[fact(alert, T0 + 2 * MINUTE, FactKind::Cleared)]).await.unwrap();
    let closed = world.nurse.acknowledge(alert, &Ack::default()).await.unwrap();
    assert!(!closed.open);
    assert_eq!(world.nurse.board(None).await.unwrap().rows[0].section, Section::Calm);
    assert_eq!(world.nurse.alert(alert).await.unwrap().facts.len(), 7);
}

#[tokio::test]
async fn who_may_not_answer_or_see_figures_does_not() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let alert = Uuid::now_v7();
    home.client.push_facts(&[home.raised(alert, Priority::High)]).await.unwrap();
    let relative = world.client(Role::Relative, None, Some(patient.id)).await;
    let seen = relative.alert(alert).await.unwrap();
    assert_eq!(seen.alert.explanation, None);
    assert!(!format!("{seen:?}").contains("bpm"), "no figures for a relative");
    let error = relative.acknowledge(alert, &Ack::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    let elsewhere = world.client(Role::Nurse, Some("default"), None).await;
    assert_eq!(elsewhere.alert(alert).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert!(elsewhere.alerts(&AlertQuery::default(), &PageQuery::default()).await.unwrap().items.is_empty());
    assert!(elsewhere.board(None).await.unwrap().rows.is_empty());
    assert_eq!(world.nurse.alert(Uuid::now_v7()).await.unwrap_err().kind(), ErrorKind::NotFound);

    let silence = |for_s, reason: &str| Silence { for_s, reason: reason.into() };
    let until = world.nurse.silence(alert, &silence(600, "physiotherapy")).await.unwrap();
    assert_eq!(until.silence_reason.as_deref(), Some("physiotherapy"));
    world.nurse.silence(alert, &silence(900, "155 bpm after the stairs")).await.unwrap();
    let seen = relative.alert(alert).await.unwrap();
    assert!(!format!("{seen:?}").contains("155"), "no figures by way of a nurse's words");
    for bad in [silence(600, ""), silence(0, "x"), silence(90_000, "x")] {
        assert_eq!(world.nurse.silence(alert, &bad).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_bad_fact_is_named_and_holds_back_none_of_the_others() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    let (_, other) = world.home("MOREL André").await;
    let (mine, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    other.client.push_facts(&[other.raised(theirs, Priority::High)]).await.unwrap();
    let first = home.raised(mine, Priority::Low);
    let changed = medmon_core::noun::Fact { at_us: first.at_us + 1, ..first.clone() };
    let foreign = fact(theirs, T0 + 9 * SECOND, FactKind::Cleared);
    let answer = home.client.push_facts(&[foreign, first, changed]).await.unwrap();
    assert_eq!(answer.refused.iter().map(|row| row.index).collect::<Vec<_>>(), [0, 2], "{answer:?}");
    assert!(world.nurse.alert(theirs).await.unwrap().alert.cleared_at.is_none());
    assert!(world.nurse.alert(mine).await.unwrap().alert.open);
    // Another gateway's epoch makes it nobody's; nobody's is on no ward's board.
    let lost = Uuid::now_v7();
    let stranger = common::Home { epoch: other.epoch, ..home };
    stranger.client.push_facts(&[stranger.raised(lost, Priority::High)]).await.unwrap();
    assert_eq!(world.doctor.alert(lost).await.unwrap().alert.patient, None);
    let open = AlertQuery { open: Some(true), priority: Some(Priority::High), ward: Some(world.ward.id) };
    let listed = world.nurse.alerts(&open, &PageQuery::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [theirs]);
}

#[tokio::test]
async fn the_board_is_sorted_worst_and_unanswered_first_and_silence_is_not_calm() {
    let world = World::new().await;
    let mut homes = Vec::new();
    for name in ["A high answered", "B low", "C high", "D calm", "E silent", "F medium"] {
        homes.push(world.home(name).await);
    }
    let alert = |n: u128| Uuid::from_u128(n);
    for (index, priority) in [(0, Priority::High), (1, Priority::Low), (2, Priority::High), (5, Priority::Medium)] {
        let home = &homes[index].1;
        home.client.push_facts(&[home.raised(alert(index as u128), priority)]).await.unwrap();
    }
    world.nurse.acknowledge(alert(0), &Ack::default()).await.unwrap();
    world.clock.shift_utc(10 * MINUTE);
    for (index, (_, home)) in homes.iter().enumerate().filter(|(index, _)| *index != 4) {
        home.beat().await;
        home.send(&[home.envelope(1, 9, &[70 + index as i32])]).await;
    }
    let board = world.nurse.board(Some(world.ward.id)).await.unwrap();
    let names: Vec<_> = board.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["C high", "F medium", "B low", "E silent", "A high answered", "D calm"]);
    let counts = board.counts;
    let seen = (counts.patients, counts.high, counts.medium, counts.low, counts.unknown, counts.acknowledged);
    assert_eq!(seen, (6, 1, 1, 1, 1, 1));
    assert_eq!(board.rows[0].vitals[0].value, 72.0);
}

/// An acknowledgement was dated by the cloud's clock: it also covered what a cut-off home told only afterwards.
#[tokio::test]
async fn a_worsening_that_the_ward_could_not_know_of_asks_again() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    let alert = Uuid::now_v7();
    home.client.push_facts(&[home.raised(alert, Priority::Medium)]).await.unwrap();
    world.clock.shift_utc(10 * MINUTE);
    let answered = world.nurse.acknowledge(alert, &Ack::default()).await.unwrap();
    let said = answered.acknowledged_ward.unwrap().at;
    assert!(said.as_microsecond() >= T0 + 10 * MINUTE, "shown when it was said");
    let worse = FactKind::Worsened {
        priority: Priority::High,
        condition: medmon_core::noun::Condition::Tachycardia,
        explanation: "155 bpm".into(),
    };
    let late = [fact(alert, T0 + MINUTE, worse), fact(alert, T0 + 5 * MINUTE, FactKind::Cleared)];
    home.client.push_facts(&late).await.unwrap();
    let row = world.nurse.board(None).await.unwrap().rows.remove(0);
    assert_eq!((row.section, row.alerts[0].open), (Section::NeedsAnswer, true));
    let shown = world.nurse.alert(alert).await.unwrap();
    let ack = shown.facts.iter().find(|fact| matches!(fact.kind, FactKind::Acknowledged { .. })).unwrap();
    assert_eq!(ack.at_us, said.as_microsecond());
    assert!(!world.nurse.acknowledge(alert, &Ack::default()).await.unwrap().open, "answered again");
}

#[tokio::test]
async fn a_silent_sensor_does_not_put_a_low_alarm_before_a_medium_one() {
    let world = World::new().await;
    let (_, low) = world.home("A low, sensor silent").await;
    let (_, medium) = world.home("B medium").await;
    let mut technical = low.raised(Uuid::from_u128(1), Priority::Medium);
    if let FactKind::Raised(raised) = &mut technical.kind {
        raised.class = medmon_core::noun::Class::Technical;
    }
    low.client.push_facts(&[technical, low.raised(Uuid::from_u128(2), Priority::Low)]).await.unwrap();
    medium.client.push_facts(&[medium.raised(Uuid::from_u128(3), Priority::Medium)]).await.unwrap();
    let board = world.nurse.board(None).await.unwrap();
    let names: Vec<_> = board.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["B medium", "A low, sensor silent"]);
    assert_eq!(board.rows[1].alerts[0].priority, Priority::Low);
}

#[tokio::test]
async fn hints_come_in_order_are_resumed_and_say_when_too_much_was_missed() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let start = world.nurse.board(None).await.unwrap().last_event_id;
    let mut hints = world.nurse.events(Some(start)).await.unwrap();
    home.send(&[home.envelope(1, 0, &[70])]).await;
    let alert = Uuid::now_v7();
    home.client.push_facts(&[home.raised(alert, Priority::High)]).await.unwrap();
    let first = hints.next().await.unwrap().unwrap();
    let second = hints.next().await.unwrap().unwrap();
    assert_eq!((first.kind, first.patient), (EventKind::Vitals, Some(patient.id)));
    assert_eq!((second.kind, second.alert), (EventKind::Alert, Some(alert)));
    assert!(second.id > first.id);
    drop(hints);
    let mut resumed = world.nurse.events(Some(first.id)).await.unwrap();
    assert_eq!(resumed.next().await.unwrap().unwrap(), second);
    let mut lost = world.nurse.events(Some(7)).await.unwrap();
    assert_eq!(lost.next().await.unwrap().unwrap().kind, EventKind::Resync);
    // Another ward hears nothing of it: its next hint is of its own.
    let elsewhere = world.client(Role::Nurse, Some("default"), None).await;
    let mut hints = elsewhere.events(Some(start)).await.unwrap();
    let wards = world.admin.wards().await.unwrap();
    let other = wards.iter().find(|ward| ward.name == "default").unwrap();
    let new = world.doctor.add_patient(&common::new_patient("ROUX Lise", other.id)).await.unwrap();
    assert_eq!(hints.next().await.unwrap().unwrap().patient, Some(new.id));
}

#[tokio::test]
async fn all_that_was_answered_is_there_after_a_restart() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let alert = Uuid::now_v7();
    home.client.push_facts(&[home.raised(alert, Priority::High)]).await.unwrap();
    home.send(&[home.envelope(1, 0, &[70, 71])]).await;
    world.nurse.acknowledge(alert, &Ack::default()).await.unwrap();
    let before = world.nurse.board(None).await.unwrap();
    let world = world.restart().await;
    let after = world.nurse.board(None).await.unwrap();
    assert_eq!(after.rows[0].alerts, before.rows[0].alerts);
    let values = |board: &medmon_api::board::Board| {
        board.rows[0].vitals.iter().map(|latest| (latest.value, latest.at)).collect::<Vec<_>>()
    };
    assert_eq!(values(&after), values(&before));
    assert!(after.last_event_id > before.last_event_id, "ids grow across a restart");
    let mut hints = world.nurse.events(Some(before.last_event_id)).await.unwrap();
    assert_eq!(hints.next().await.unwrap().unwrap().kind, EventKind::Resync);
    assert_eq!(home.at(&world).client.pull_facts(0, 0).await.unwrap().facts.len(), 1);
    assert!(world.doctor.patient(patient.id).await.unwrap().assignment.is_some());
}

#[tokio::test]
async fn a_shutdown_ends_long_polls_and_streams() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    let version = home.client.settings(None, 0).await.unwrap().unwrap().version;
    let mut hints = world.nurse.events(None).await.unwrap();
    let waiting = tokio::spawn(async move { home.client.settings(Some(version), 60).await });
    world.shutdown.cancel();
    world.running.finished().await.unwrap();
    assert!(!matches!(hints.next().await, Some(Ok(_))));
    // Answered 304 or cut before it was taken: either way at once.
    assert!(!matches!(waiting.await.unwrap(), Ok(Some(_))));
}
