//! Fall detection limited: when it is told, that it clears, and that it leaves silence alone.

use super::*;

impl Patient {
    /// So many seconds of bursts at `rate`, each with `highest` once.
    fn sampled(&mut self, rate: usize, highest: i16, seconds: i64) -> &mut Self {
        for _ in 0..seconds {
            self.now += SECOND;
            let mut xyz = vec![STANDING; rate];
            xyz[0] = [highest, 0, 0];
            // It may say of itself what it likes.
            self.read(Vital::ACCELERATION, Value::Samples { rate_hz: 50, lost: 0, xyz });
            self.tick();
        }
        self
    }
}

#[test]
fn a_slow_accelerometer_is_told_and_clears_by_itself() {
    let mut patient = Patient::new(&[Vital::ACCELERATION]);
    patient.sampled(13, 1000, 300).sampled(2, 1000, 5).sampled(13, 1000, 300).quiet();
    patient.sampled(10, 1000, 100).quiet();
    patient.sampled(10, 1000, 100);
    assert!(
        patient.findings[0].explanation.starts_with("10.0 samples a second"),
        "{}",
        patient.findings[0].explanation
    );
    assert_eq!(patient.findings[0].key.direction, Direction::Absent);
    assert!(matches!(patient.told()[..], [(Onset, FallLimited, Medium, _)]));
    patient.sampled(10, 1000, 600).quiet();
    patient.sampled(25, 1000, 200);
    assert!(matches!(patient.told()[..], [(Cleared, FallLimited, Medium, _)]));

    // Silence has the key for itself: the lesser one is gone before, and what is heard again is not half an alert.
    patient.sampled(10, 1000, 200).told();
    patient.pass(150);
    assert!(matches!(patient.told()[..], [(Cleared, FallLimited, ..), (Onset, Silent, ..)]));
    patient.sampled(10, 1000, 100);
    assert!(matches!(patient.told()[..], [(Cleared, Silent, ..)]));
    patient.sampled(10, 1000, 200);
    assert!(matches!(patient.told()[..], [(Onset, FallLimited, Medium, _)]));
}

#[test]
fn a_wrist_sensor_cut_off_at_two_g_is_told_and_no_other() {
    for (place, highest, limited) in [
        (Place::Wrist, 2000, true),
        (Place::Wrist, -2000, true),
        (Place::Wrist, 1700, false),
        (Place::Wrist, 7990, false),
        (Place::Waist, 2000, false),
    ] {
        let mut patient = Patient::new(&[Vital::ACCELERATION]);
        patient.settings.devices[0].place = Some(place);
        patient.sampled(25, highest, 400);
        let told = patient.told();
        assert_eq!(told.iter().any(|row| row.1 == FallLimited), limited, "{place:?} {highest}: {told:?}");
        // Another one that goes higher.
        patient.sampled(25, 5000, 400);
        let told: Vec<_> = patient.told().into_iter().filter(|row| row.1 == FallLimited).collect();
        assert_eq!(told.len(), usize::from(limited), "{told:?}");
    }
}
