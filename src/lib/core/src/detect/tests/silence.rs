//! Who is silent: a sensor, or the gateway.

use super::*;

#[test]
fn silence_is_told_once_and_ends_with_the_next_usable_reading() {
    let mut patient = Patient::new(&[HEART, HEAT]);
    patient.hold(HEART, 72.0, 1, 10);
    patient.pass(118).quiet();
    patient.pass(2);
    assert_eq!(patient.findings[0].explanation, "no heart rate from band for 2 min, the last was 72 bpm");
    assert_eq!(patient.findings[0].reading.sequence, 9);
    assert_eq!(patient.told(), [(Onset, Silent, Medium, 129)]);
    // The thermometer was never heard at all.
    patient.pass(470);
    assert_eq!(patient.told(), [(Onset, Silent, Medium, 600)]);
    patient.quality = Quality::Invalid(Reason::Detached);
    patient.hold(HEART, 72.0, 1, 60).quiet();
    patient.quality = Quality::Suspect(Reason::Jump);
    patient.scalar(HEART, 72.0);
    assert_eq!(patient.told().len(), 1);
    // Taken from the allow-list.
    patient.settings.devices[0].vitals = vec![HEART];
    patient.tick();
    assert!(matches!(patient.told()[..], [(Cleared, Silent, Medium, _)]));
}

#[test]
fn two_that_stop_together_are_one_alert_about_the_gateway() {
    let mut patient = Patient::new(&[HEART]);
    patient.settings.devices.push(device(OTHER, &[Vital::ACCELERATION]));
    patient.hold(HEART, 72.0, 1, 10);
    patient.pass(118).quiet();
    patient.pass(2);
    assert_eq!(patient.told(), [(Onset, GatewayDeaf, Medium, 129)]);
    patient.pass(3600).quiet();
    // The strap comes back: the gateway hears; the belt has its own two minutes from here.
    patient.hold(HEART, 72.0, 1, 119);
    assert_eq!(patient.told().len(), 1);
    patient.hold(HEART, 72.0, 1, 2);
    assert!(matches!(patient.told()[..], [(Onset, Silent, Medium, _)]));
}

#[test]
fn a_slow_sensor_that_goes_on_does_not_hide_that_two_quick_ones_stopped() {
    let mut patient = Patient::new(&[HEART]);
    patient.settings.devices.push(device(OTHER, &[Vital::ACCELERATION]));
    patient.settings.devices.push(device(Ieee(9), &[SUGAR]));
    patient.hold(HEART, 72.0, 1, 10);
    patient.burst(vec![STANDING; 20]);
    patient.device = Ieee(9);
    patient.pass(400);
    let mut told = Vec::new();
    for _ in 0..10 {
        patient.scalar(SUGAR, 100.0);
        patient.pass(480);
        told.extend(patient.told().into_iter().map(|(change, condition, ..)| (change, condition)));
    }
    // Until the patch is heard it may be the gateway; then the strap and the belt have their own time.
    let all = [(Onset, GatewayDeaf), (Cleared, GatewayDeaf), (Onset, Silent), (Onset, Silent)];
    assert_eq!(told, all);
}

#[test]
fn a_radio_that_is_lost_is_the_cause_of_every_silence() {
    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 72.0, 1, 10);
    patient.detectors.radio(patient.now, Some("the port is gone"));
    patient.pass(59).quiet();
    patient.pass(2);
    assert!(patient.findings[0].explanation.ends_with(": the port is gone"), "{}", patient.findings[0].explanation);
    assert!(matches!(patient.told()[..], [(Onset, GatewayDeaf, Medium, _)]));
    patient.pass(600).quiet();
    patient.detectors.radio(patient.now, None);
    patient.hold(HEART, 72.0, 1, 2);
    assert!(matches!(patient.told()[..], [(Cleared, GatewayDeaf, Medium, _)]));
}

#[test]
fn silence_while_nobody_listened_is_nobodys() {
    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 72.0, 1, 10);
    patient.now += 3600 * SECOND;
    patient.pass(119).quiet();
    patient.pass(2);
    assert!(patient.findings[0].explanation.contains("for 62 min"), "{}", patient.findings[0].explanation);
}
