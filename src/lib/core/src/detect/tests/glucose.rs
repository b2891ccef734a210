//! Glucose: low, low ahead, high.

use super::*;

#[test]
fn two_very_low_readings_are_urgent_at_once() {
    for (gap, urgent) in [(20, true), (300, true), (1199, true), (1201, false)] {
        let mut patient = Patient::new(&[]);
        patient.hold(SUGAR, 52.0, gap, gap).quiet();
        patient.scalar(SUGAR, 53.0);
        let told = patient.told();
        assert_eq!(
            told.first().is_some_and(|row| row.1 == Hypoglycaemia && row.2 == High),
            urgent,
            "{gap} s: {told:?}"
        );
    }
    let mut patient = Patient::new(&[SUGAR]);
    patient.hold(SUGAR, 52.0, 300, 300).hold(SUGAR, 60.0, 300, 300).hold(SUGAR, 52.0, 300, 300);
    assert!(!patient.told().iter().any(|row| row.2 == High), "one of them was not below 54");
}

#[test]
fn low_glucose_lasts_and_recovers_a_quarter_of_an_hour() {
    let mut patient = Patient::new(&[SUGAR]);
    patient.hold(SUGAR, 68.0, 300, 900).quiet();
    patient.hold(SUGAR, 68.0, 300, 300);
    assert_eq!(patient.told(), [(Onset, Hypoglycaemia, Medium, 900)]);
    patient.hold(SUGAR, 70.0, 300, 3600).quiet();
    patient.hold(SUGAR, 75.0, 300, 1200);
    assert_eq!(patient.told(), [(Cleared, Hypoglycaemia, Medium, 5700)]);
}

#[test]
fn low_glucose_is_predicted_once_and_again_after_its_pause() {
    let mut patient = Patient::new(&[SUGAR]);
    for value in [100.0, 92.0, 84.0] {
        patient.hold(SUGAR, value, 300, 300);
    }
    patient.quiet();
    patient.hold(SUGAR, 77.0, 300, 300);
    assert_eq!(patient.told(), [(Onset, HypoglycaemiaPredicted, Low, 900)]);
    for value in [71.0, 71.0, 80.0, 76.0, 71.0, 80.0, 73.0, 71.0] {
        patient.hold(SUGAR, value, 300, 300);
    }
    patient.quiet();
    patient.hold(SUGAR, 80.0, 300, 300).hold(SUGAR, 74.0, 300, 300);
    assert_eq!(patient.told(), [(Worsened, HypoglycaemiaPredicted, Low, 3900)]);

    // Level 2 is loud, and the level 2 that then comes is urgent.
    let mut patient = Patient::new(&[SUGAR]);
    for value in [110.0, 97.0, 84.0, 69.0, 53.0, 51.0] {
        patient.hold(SUGAR, value, 300, 300);
    }
    let told: Vec<_> =
        patient.told().into_iter().map(|(change, condition, priority, _)| (change, condition, priority)).collect();
    assert_eq!(
        told,
        [
            (Onset, HypoglycaemiaPredicted, Low),
            (Worsened, HypoglycaemiaPredicted, Medium),
            (Worsened, Hypoglycaemia, High)
        ]
    );
    // A sensor of 20 s steps is fitted, not differenced: 2 mg/dL of noise predict nothing.
    let mut patient = Patient::new(&[SUGAR]);
    for step in 0..600 {
        patient.hold(SUGAR, if step % 2 == 0 { 78.0 } else { 80.0 }, 20, 20);
    }
    patient.quiet();
    for step in 0..30 {
        patient.hold(SUGAR, 80.0 - 0.4 * f64::from(step), 20, 20);
    }
    assert!(matches!(patient.told()[..], [(Onset, HypoglycaemiaPredicted, Low, _)]));
}

#[test]
fn high_glucose_takes_half_an_hour() {
    let mut patient = Patient::new(&[SUGAR]);
    patient.hold(SUGAR, 251.0, 300, 1800).quiet();
    patient.hold(SUGAR, 251.0, 300, 300);
    assert_eq!(patient.told(), [(Onset, Hyperglycaemia, Medium, 1800)]);
    patient.hold(SUGAR, 300.0, 300, 2100);
    assert_eq!(patient.told(), [(Worsened, Hyperglycaemia, High, 3900)]);
    patient.hold(SUGAR, 235.0, 300, 3600).quiet();
    patient.hold(SUGAR, 230.0, 300, 1200);
    assert_eq!(patient.told(), [(Cleared, Hyperglycaemia, Medium, 8700)]);
}

/// Readings 5 min apart.
fn course(values: &[f64]) -> Patient {
    let mut patient = Patient::new(&[SUGAR]);
    for value in values {
        patient.hold(SUGAR, *value, 300, 300);
    }
    patient
}

fn level_2(patient: &mut Patient) -> bool {
    patient.told().iter().any(|row| row.1 == HypoglycaemiaPredicted && row.2 == Medium)
}

#[test]
fn a_drop_no_body_makes_is_followed_no_faster_than_a_body_falls() {
    // A sensor that is lain on; by its own slope it would be at 27.
    assert!(!level_2(&mut course(&[129.0, 130.0, 135.0, 81.0])));
    assert!(level_2(&mut course(&[129.0, 130.0, 135.0, 75.0])), "it may be true, and 55 is near");
}

#[test]
fn a_steady_fall_is_told_a_reading_earlier() {
    let mut patient = course(&[95.0, 83.0, 74.0]);
    let explanation = patient.findings.last().map(|found| found.explanation.clone());
    assert_eq!(explanation.as_deref(), Some("74 mg/dL and falling, about 56 in 10 min"));
    assert!(level_2(&mut patient));
    assert!(!level_2(&mut course(&[84.0, 83.0, 74.0])), "it did not fall before");
    assert!(!level_2(&mut course(&[95.0, 79.0, 74.0])), "it falls more slowly by now");
    // Nothing is known of the time before a gap.
    let mut patient = course(&[95.0]);
    patient.now += 1200 * SECOND;
    patient.hold(SUGAR, 83.0, 300, 300).hold(SUGAR, 74.0, 300, 300);
    assert!(!level_2(&mut patient));
    // A sensor of a minute: 1.6 mg/dL a minute, 10 min ahead.
    let mut patient = Patient::new(&[SUGAR]);
    for minute in 0..20 {
        patient.hold(SUGAR, 95.0 - 1.6 * f64::from(minute), 60, 60);
    }
    assert_eq!(patient.told().iter().find(|row| row.2 == Medium).map(|row| row.3), Some(15 * 60));
}

#[test]
fn half_an_hour_of_falling_is_told_a_quarter_of_an_hour_ahead() {
    let mut patient = course(&[97.0, 94.0, 91.0, 88.0, 85.0, 82.0]);
    patient.quiet();
    patient.hold(SUGAR, 79.0, 300, 300);
    let found = patient.findings.last().map(|found| (found.explanation.as_str(), found.expected_mono_us));
    assert_eq!(found, Some(("79 mg/dL and falling, about 70 in 15 min", Some((1800 + 900) * SECOND))));
    course(&[97.0, 94.0, 91.0, 88.0, 84.0, 80.0, 79.0]).quiet(); // Slower by now.
    course(&[91.0, 91.0, 91.0, 88.0, 85.0, 82.0, 79.0]).quiet(); // Too slow on the whole.
}

#[test]
fn after_an_episode_the_next_prediction_is_news() {
    let mut patient = course(&[80.0, 76.0, 72.0, 69.0, 67.0, 66.0, 65.0, 65.0, 65.0, 66.0, 67.0]);
    assert_eq!(patient.told().last(), Some(&(Worsened, Hypoglycaemia, Medium, 1800)));
    // Ahead again while the episode goes on: nobody is told.
    patient.hold(SUGAR, 80.0, 300, 300).hold(SUGAR, 84.0, 300, 300).hold(SUGAR, 75.0, 300, 300).quiet();
    // The episode is over; the pause of what nobody was told is, too.
    patient.hold(SUGAR, 80.0, 300, 300).hold(SUGAR, 84.0, 300, 300).hold(SUGAR, 74.0, 300, 300);
    assert_eq!(patient.told().last().map(|row| (row.1, row.3)), Some((HypoglycaemiaPredicted, 4800)));
}

#[test]
fn what_lies_ahead_is_no_part_of_the_state() {
    let mut patient = course(&[97.0, 94.0, 91.0, 88.0, 85.0, 82.0]);
    patient.detectors = patient.detectors.looking(Ahead { long_ahead_us: 5 * MINUTE, ..Ahead::default() });
    let saved = serde_json::to_value(&patient.detectors).unwrap();
    assert_eq!(saved.as_object().unwrap().keys().collect::<Vec<_>>(), ["devices", "episodes", "silence"]);
    patient.hold(SUGAR, 79.0, 300, 300).quiet();
    // The state of a release that looked less far ahead: this one goes on from it, and looks as far as it does.
    patient.now -= 300 * SECOND;
    patient.detectors = serde_json::from_value(saved).unwrap();
    patient.hold(SUGAR, 79.0, 300, 300);
    assert_eq!(patient.told(), [(Onset, HypoglycaemiaPredicted, Low, 1800)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_ahead_of_who_does_not_fall(start in 72_u32..100, rises in prop::collection::vec(0_u32..8, 1..40), cadence in 1_i64..16) {
        let mut patient = Patient::new(&[SUGAR]);
        let mut value = start;
        for rise in rises {
            // As slowly as a step of a minute, or 5, or 15.
            patient.hold(SUGAR, f64::from(value), cadence * 60, cadence * 60);
            value += rise;
        }
        prop_assert!(!patient.told().iter().any(|row| row.1 == HypoglycaemiaPredicted));
    }

    #[test]
    fn level_2_is_never_predicted_of_what_a_body_cannot_reach(values in prop::collection::vec(76_u32..300, 1..60)) {
        // The steepest fall to the limit within a step of 5 min, or 10 min at less than that.
        let mut patient = course(&values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>());
        let told = patient.told();
        let steady = values.windows(3).any(|three| three[0] >= three[1] + 7 && three[1] >= three[2] + 7);
        prop_assert!(steady || !told.iter().any(|row| row.1 == HypoglycaemiaPredicted && row.2 == Medium));
    }
}
