//! Raw segments: whose may be added to what, what comes back, and who sees it.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use common::{Home, MINUTE, SECOND, T0, World};
use medmon_api::ErrorKind;
use medmon_core::noun::{ClockQuality, Ieee, Priority, Quality, Reading, ReadingId, Role, Segment, Value, Vital};
use medmon_core::wire::segment::{MAX_BYTES, seal};
use uuid::Uuid;

fn reading(home: &Home, sequence: u64, at_us: i64, vital: Vital, value: Value) -> Reading {
    Reading {
        id: ReadingId { boot: 1, sequence },
        epoch: home.epoch,
        device: Ieee(1),
        endpoint: 1,
        vital,
        value,
        mono_us: at_us - T0,
        utc_us: at_us,
        clock: ClockQuality::Synced,
        quality: Quality::Good,
        link_quality: 200,
    }
}

/// A heart rate each second from one to another, from [`T0`].
fn segment(home: &Home, alert: Uuid, part: u64, seconds: std::ops::Range<u64>) -> Segment {
    let value = |second| Value::Scalar(1400 + second as i32);
    let rate = |second| reading(home, second, T0 + second as i64 * SECOND, Vital::HEART_RATE, value(second));
    let [from_us, to_us] = [seconds.start, seconds.end].map(|second| T0 + second as i64 * SECOND);
    Segment { alert, part, epoch: home.epoch, from_us, to_us, cut: false, readings: seconds.map(rate).collect() }
}

async fn refused(home: &Home, sealed: Vec<u8>) -> ErrorKind {
    home.client.push_segment(sealed).await.unwrap_err().kind()
}

#[tokio::test]
async fn parts_of_a_segment_are_shown_as_one_to_who_may_see_figures() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let alert = Uuid::now_v7();
    home.client.push_facts(&[home.raised(alert, Priority::High)]).await.unwrap();
    assert_eq!(world.nurse.segment(alert).await.unwrap_err().kind(), ErrorKind::NotFound, "not yet");

    let mut first = segment(&home, alert, 3, 0..40);
    let burst = Value::Samples { rate_hz: 50, lost: 0, xyz: vec![[600, 0, 800], [0, 0, -2000]] };
    first.readings.push(reading(&home, 900, T0 + MINUTE, Vital::ACCELERATION, burst));
    let second = Segment { cut: true, ..segment(&home, alert, 7, 30..50) };
    for part in [&second, &first] {
        assert!(!home.client.push_segment(seal(part.clone(), T0)).await.unwrap().already_held);
    }
    assert!(home.client.push_segment(seal(first, T0)).await.unwrap().already_held, "a lost answer");

    let world = world.restart().await;
    let shown = world.nurse.segment(alert).await.unwrap();
    let at = |second: i64| medmon_api::time(T0 + second * SECOND);
    assert_eq!((shown.from, shown.to, shown.cut, shown.series.len()), (at(0), at(50), true, 2));
    let rates = &shown.series[0];
    assert_eq!((rates.vital, rates.device, rates.unit.as_str()), (Vital::HEART_RATE, Ieee(1), "bpm"));
    let expected: Vec<_> = (0..50).map(|second| (at(second), f64::from(1400 + second as i32) / 10.0)).collect();
    assert_eq!(rates.points, expected, "what both parts have is shown once");
    let norms = &shown.series[1];
    assert_eq!(norms.points, [(medmon_api::time(T0 + MINUTE - 20_000), 1.0), (at(60), 2.0)]);
    assert_eq!(norms.axes, [[0.6, 0.0, 0.8], [0.0, 0.0, -2.0]]);

    assert!(world.doctor.segment(alert).await.is_ok());
    let own = world.client(Role::Patient, None, Some(patient.id)).await;
    assert_eq!(own.segment(alert).await.unwrap(), shown);
    for (role, ward, of) in
        [(Role::Relative, None, Some(patient.id)), (Role::Maintainer, None, None), (Role::Nurse, Some("default"), None)]
    {
        let error = world.client(role, ward, of).await.segment(alert).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{role}");
    }
    assert_eq!(home.at(&world).client.segment(alert).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn what_is_anothers_damaged_or_too_large_is_refused() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    let (_, other) = world.home("MOREL André").await;
    let (mine, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    home.client.push_facts(&[home.raised(mine, Priority::High)]).await.unwrap();
    other.client.push_facts(&[other.raised(theirs, Priority::High)]).await.unwrap();
    let good = segment(&home, mine, 1, 0..30);
    let sealed = seal(good.clone(), T0);

    let foreign = Segment { alert: theirs, ..good.clone() };
    assert_eq!(refused(&home, seal(foreign, T0)).await, ErrorKind::NotFound);
    let unknown = Segment { alert: Uuid::now_v7(), ..good.clone() };
    assert_eq!(refused(&home, seal(unknown, T0)).await, ErrorKind::NotFound);
    let of_epoch = Segment { epoch: other.epoch, ..good.clone() };
    assert_eq!(refused(&home, seal(of_epoch, T0)).await, ErrorKind::Conflict);
    let mut mixed = good.clone();
    mixed.readings[7].epoch = other.epoch;
    assert_eq!(refused(&home, seal(mixed, T0)).await, ErrorKind::Conflict);
    let mut damaged = sealed.clone();
    damaged[20] ^= 1;
    assert_eq!(refused(&home, damaged).await, ErrorKind::Invalid);
    assert_eq!(refused(&home, vec![0; MAX_BYTES + 1]).await, ErrorKind::Invalid);
    assert_eq!(refused(&home, Vec::new()).await, ErrorKind::Invalid);
    let error = world.nurse.push_segment(sealed.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "a person is no gateway");
    for alert in [mine, theirs] {
        assert_eq!(world.nurse.segment(alert).await.unwrap_err().kind(), ErrorKind::NotFound, "nothing was kept");
    }

    home.client.push_segment(sealed).await.unwrap();
    let forged = Segment { cut: true, ..good.clone() };
    assert_eq!(refused(&home, seal(forged, T0)).await, ErrorKind::Conflict, "the first content stays");
    for part in 2..=8 {
        home.client.push_segment(seal(Segment { part, ..good.clone() }, T0)).await.unwrap();
    }
    assert_eq!(refused(&home, seal(Segment { part: 9, ..good }, T0)).await, ErrorKind::Conflict);
    assert!(!world.nurse.segment(mine).await.unwrap().cut);
}
