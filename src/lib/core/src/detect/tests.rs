//! Every line of CLINICAL.md's table: it fires at its time and not before, recovers, and survives a restart.

use proptest::prelude::*;

use super::*;
use crate::noun::{ClockQuality, Device, Reason};

mod glucose;
mod limited;
mod silence;

const BAND: Ieee = Ieee(0x0012_4b00_2a5c_0d01);
const OTHER: Ieee = Ieee(0x0012_4b00_2a5c_0d02);
/// 2026-06-01.
const UTC_US: i64 = 1_780_272_000 * SECOND;

fn device(ieee: Ieee, vitals: &[Vital]) -> Device {
    Device { ieee, label: "band".into(), vitals: vitals.to_vec(), place: Some(Place::Waist) }
}

/// A patient of 40 with one band, and the findings so far.
struct Patient {
    settings: Settings,
    detectors: Detectors,
    now: MonoUs,
    device: Ieee,
    sequence: u64,
    quality: Quality,
    findings: Vec<Finding>,
}

impl Patient {
    fn new(vitals: &[Vital]) -> Self {
        let settings = Settings { devices: vec![device(BAND, vitals)], birth_year: Some(1986), ..Settings::default() };
        let detectors = Detectors::new(&settings, 0);
        let (quality, findings) = (Quality::Good, Vec::new());
        Self { settings, detectors, now: 0, device: BAND, sequence: 0, quality, findings }
    }

    fn read(&mut self, vital: Vital, value: Value) {
        let reading = Reading {
            id: ReadingId { boot: 1, sequence: self.sequence },
            epoch: 1,
            device: self.device,
            endpoint: 1,
            vital,
            value,
            mono_us: self.now,
            utc_us: UTC_US + self.now,
            clock: ClockQuality::Synced,
            quality: self.quality,
            link_quality: 200,
        };
        self.sequence += 1;
        self.findings.extend(self.detectors.reading(&reading, &self.settings));
    }

    fn scalar(&mut self, vital: Vital, value: f64) {
        self.read(vital, Value::Scalar(vital.to_stored(value)));
    }

    fn burst(&mut self, xyz: Vec<[i16; 3]>) {
        self.read(Vital::ACCELERATION, Value::Samples { rate_hz: 20, lost: 0, xyz });
    }

    /// `value` every `cadence` s for `seconds`, with a tick at each.
    fn hold(&mut self, vital: Vital, value: f64, cadence: i64, seconds: i64) -> &mut Self {
        for _ in 0..seconds / cadence {
            self.scalar(vital, value);
            self.now += cadence * SECOND;
            self.tick();
        }
        self
    }

    /// A second of acceleration: lying or standing, with so much shaking.
    fn second(&mut self, [x, y, z]: [i16; 3], shake: i16) {
        self.now += SECOND;
        self.burst((0..20).map(|index| [x, y, z + if index % 2 == 0 { shake } else { -shake }]).collect());
        self.tick();
    }

    /// Heart rate and movement together.
    fn moving(&mut self, rate: f64, shake: i16, seconds: i64) -> &mut Self {
        for _ in 0..seconds {
            self.second([0, 0, 1000], shake);
            self.scalar(Vital::HEART_RATE, rate);
        }
        self
    }

    fn tick(&mut self) {
        self.findings.extend(self.detectors.tick(self.now, &self.settings));
    }

    fn pass(&mut self, seconds: i64) -> &mut Self {
        for _ in 0..2 * seconds {
            self.now += SECOND / 2;
            self.tick();
        }
        self
    }

    /// The findings since the last call: change, condition, priority, when in s.
    fn told(&mut self) -> Vec<(Change, Condition, Priority, i64)> {
        std::mem::take(&mut self.findings)
            .into_iter()
            .map(|found| (found.change, found.condition, found.priority, found.at_mono_us / SECOND))
            .collect()
    }

    fn quiet(&mut self) {
        let told = std::mem::take(&mut self.findings);
        assert!(told.is_empty(), "{told:?}");
    }
}

use Change::{Cleared, Onset, Worsened};
use Condition::{
    Bradycardia, Fall as Fell, FallLimited, Fever, GatewayDeaf, Hyperglycaemia, Hypoglycaemia, HypoglycaemiaPredicted,
    Hypothermia, LongLie, NearFall, SensorOff, Silence as Silent, Tachycardia, TachycardiaActivityUnknown,
};
use Priority::{High, Low, Medium};

const HEART: Vital = Vital::HEART_RATE;
const HEAT: Vital = Vital::TEMPERATURE;
const SUGAR: Vital = Vital::GLUCOSE;

#[test]
fn bradycardia_fires_after_its_minute_worsens_and_recovers() {
    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 48.0, 1, 60).quiet();
    patient.hold(HEART, 48.0, 1, 1);
    assert_eq!(patient.told(), [(Onset, Bradycardia, Medium, 60)]);
    // The median of 15 s turns after 8 s: from then on 60 s.
    patient.hold(HEART, 38.0, 1, 67).quiet();
    patient.hold(HEART, 38.0, 1, 1);
    assert_eq!(patient.told(), [(Worsened, Bradycardia, High, 128)]);
    // Within the hysteresis nothing recovers, and what is left of it is a medium one.
    patient.hold(HEART, 52.0, 1, 300).quiet();
    patient.hold(HEART, 38.0, 1, 68);
    assert_eq!(patient.told(), [(Worsened, Bradycardia, High, 496)]);
    patient.hold(HEART, 60.0, 1, 67).quiet();
    patient.hold(HEART, 60.0, 1, 1);
    assert_eq!(patient.told().len(), 1);
    patient.hold(HEART, 60.0, 1, 600).quiet();
}

#[test]
fn a_very_low_rate_needs_ten_seconds_and_an_artefact_never_fires() {
    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 28.0, 1, 11);
    assert_eq!(patient.told(), [(Onset, Bradycardia, High, 10)]);
    let mut patient = Patient::new(&[HEART]);
    for _ in 0..50 {
        patient.hold(HEART, 70.0, 1, 9).hold(HEART, 25.0, 1, 6);
    }
    patient.quiet();
}

#[test]
fn a_slow_sensor_fires_with_the_reading_that_completes_it() {
    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 38.0, 48, 96).quiet();
    patient.hold(HEART, 38.0, 48, 48);
    assert_eq!(patient.told(), [(Onset, Bradycardia, High, 96)]);
}

#[test]
fn tachycardia_at_rest_knows_movement() {
    let mut patient = Patient::new(&[HEART, Vital::ACCELERATION]);
    patient.moving(120.0, 0, 600).quiet();
    patient.moving(120.0, 0, 1);
    assert_eq!(patient.told(), [(Onset, Tachycardia, Medium, 601)]);
    // 8 s for the median, then 60.
    patient.moving(140.0, 0, 67).quiet();
    patient.moving(140.0, 0, 1);
    assert_eq!(patient.findings[0].explanation, "140 bpm for 60 s at rest, motion 0.00 g (limit 131)");
    assert_eq!(patient.told(), [(Worsened, Tachycardia, High, 669)]);
    patient.moving(80.0, 0, 100);
    assert_eq!(patient.told().len(), 1);

    // The fast track.
    let mut patient = Patient::new(&[HEART, Vital::ACCELERATION]);
    patient.moving(155.0, 0, 11);
    assert_eq!(patient.told(), [(Onset, Tachycardia, High, 11)]);

    // Exercise at 40: up to 0.9 x 180 = 162 is no news, for 30 min.
    let mut patient = Patient::new(&[HEART, Vital::ACCELERATION]);
    patient.moving(90.0, 300, 60).moving(158.0, 300, 1500).quiet();
    // Held 5 min after the movement; then the heart has to be down.
    patient.moving(158.0, 0, 180).quiet();
    patient.moving(158.0, 0, 300);
    assert!(matches!(patient.told()[..], [(Onset, Tachycardia, High, _)]));
    // Beyond what exercise explains.
    let mut patient = Patient::new(&[HEART, Vital::ACCELERATION]);
    patient.moving(90.0, 300, 60).moving(170.0, 300, 90);
    assert!(patient.told().contains(&(Onset, Tachycardia, High, 128)));
}

#[test]
fn without_an_accelerometer_tachycardia_waits() {
    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 140.0, 1, 61);
    assert_eq!(patient.told(), [(Onset, TachycardiaActivityUnknown, Medium, 60)]);
    // A dip of 50 s, not 10 below the limit, does not restart the half hour. The medium stage goes on.
    patient.hold(HEART, 140.0, 1, 600).hold(HEART, 128.0, 1, 50).hold(HEART, 140.0, 1, 1089).quiet();
    patient.hold(HEART, 140.0, 1, 1);
    assert_eq!(patient.told(), [(Worsened, TachycardiaActivityUnknown, High, 1800)]);

    let mut patient = Patient::new(&[HEART]);
    patient.hold(HEART, 155.0, 1, 901);
    assert_eq!(patient.told().last(), Some(&(Worsened, TachycardiaActivityUnknown, High, 900)));
}

#[test]
fn fever_has_three_stages() {
    let mut patient = Patient::new(&[HEAT]);
    patient.hold(HEAT, 38.0, 60, 1800).quiet();
    patient.hold(HEAT, 38.0, 60, 60);
    assert_eq!(patient.told(), [(Onset, Fever, Low, 1800)]);
    // 0.05 °C a minute is illness, not a bath.
    for step in 0..22 {
        patient.hold(HEAT, 38.0 + 0.05 * f64::from(step), 60, 60);
    }
    patient.quiet();
    patient.hold(HEAT, 39.1, 60, 360);
    assert!(matches!(patient.told()[..], [(Worsened, Fever, Medium, _)]));
    for step in 0..16 {
        patient.hold(HEAT, 39.2 + 0.05 * f64::from(step), 60, 60);
    }
    patient.hold(HEAT, 40.0, 60, 360);
    assert!(matches!(patient.told()[..], [(Worsened, Fever, High, _)]));
    for step in 0..48 {
        patient.hold(HEAT, 40.0 - 0.05 * f64::from(step), 60, 60);
    }
    patient.hold(HEAT, 37.6, 60, 3600).quiet();
    patient.hold(HEAT, 37.4, 60, 840);
    assert!(matches!(patient.told()[..], [(Cleared, Fever, Low, _)]));
}

#[test]
fn a_bath_delays_and_discards_nothing() {
    let mut patient = Patient::new(&[HEAT]);
    patient.hold(HEAT, 36.8, 60, 900);
    for step in 1..=8 {
        patient.hold(HEAT, 36.8 + 0.3 * f64::from(step), 60, 60);
    }
    let began = patient.now / SECOND;
    patient.hold(HEAT, 39.2, 60, 1740);
    assert!(matches!(patient.told()[..], [(Onset, Fever, Low, at)] if at >= 1800 + 900 + 240));
    patient.hold(HEAT, 39.2, 60, 120);
    let told = patient.told();
    assert!(matches!(told[..], [(Worsened, Fever, Medium, at)] if at - began >= 1740), "{told:?}");
}

#[test]
fn hypothermia_is_raised_and_names_the_loose_sensor() {
    let mut patient = Patient::new(&[HEAT]);
    patient.hold(HEAT, 35.4, 60, 600).quiet();
    patient.hold(HEAT, 35.4, 60, 60);
    assert!(patient.findings[0].explanation.ends_with("or sensor loose"));
    assert_eq!(patient.told(), [(Onset, Hypothermia, Medium, 600)]);
    patient.hold(HEAT, 34.9, 60, 300).quiet();
    patient.hold(HEAT, 34.9, 60, 60);
    assert_eq!(patient.told(), [(Worsened, Hypothermia, High, 960)]);
    patient.hold(HEAT, 35.9, 60, 900);
    assert!(matches!(patient.told()[..], [(Cleared, Hypothermia, Medium, _)]));
}

#[test]
fn a_sensor_taken_off_is_technical_at_any_cadence() {
    for cadence in [5, 60, 240] {
        let mut patient = Patient::new(&[HEAT]);
        patient.hold(HEAT, 36.6, cadence, 1200);
        // It cools towards the room with a time constant of 10 min.
        for step in 1..=3600 / cadence {
            patient.hold(HEAT, 21.0 + 15.6 * (-(step * cadence) as f64 / 600.0).exp(), cadence, cadence);
        }
        let told = patient.told();
        assert!(matches!(told[..], [(Onset, SensorOff, Medium, _)]), "{cadence} s: {told:?}");
        patient.hold(HEAT, 36.5, cadence, 1800);
        let told = patient.told();
        assert!(matches!(told[..], [(Cleared, SensorOff, Medium, _)]), "{cadence} s: {told:?}");
    }
    // A fever is not over because its thermometer lies on the table.
    let mut patient = Patient::new(&[HEAT]);
    patient.hold(HEAT, 39.5, 60, 3600);
    assert_eq!(patient.told(), [(Onset, Fever, Medium, 300)]);
    patient.hold(HEAT, 37.0, 60, 3600);
    assert!(matches!(patient.told()[..], [(Onset, SensorOff, ..), (Cleared, SensorOff, ..), (Cleared, Fever, ..)]));
    let mut patient = Patient::new(&[HEAT]);
    patient.hold(HEAT, 39.5, 60, 3600).hold(HEAT, 22.0, 60, 36_000);
    assert!(!patient.told().iter().any(|row| row.0 == Cleared));
}

#[test]
fn invalid_and_impossible_readings_neither_begin_nor_end() {
    let mut patient = Patient::new(&[]);
    patient.hold(HEART, 38.0, 1, 61);
    assert_eq!(patient.told().len(), 1);
    patient.quality = Quality::Invalid(Reason::Motion);
    patient.hold(HEART, 70.0, 1, 600).quiet();
    patient.quality = Quality::Good;
    patient.hold(HEART, 0.0, 1, 600).quiet();
    // The gap is nobody's minute of recovery.
    patient.hold(HEART, 70.0, 1, 60).quiet();
    patient.hold(HEART, 70.0, 1, 1);
    assert_eq!(patient.told().len(), 1);
}

#[test]
fn a_device_that_died_in_an_episode_hands_over_to_another() {
    let mut patient = Patient::new(&[HEART]);
    patient.settings.devices.push(device(OTHER, &[HEART]));
    patient.hold(HEART, 38.0, 1, 61);
    patient.told();
    patient.device = OTHER;
    patient.hold(HEART, 70.0, 1, 599);
    assert_eq!(patient.told(), [(Onset, Silent, Medium, 180)], "silence ends nothing");
    patient.hold(HEART, 70.0, 1, 10);
    assert!(matches!(patient.told()[..], [(Cleared, Bradycardia, High, _)]));
}

const STANDING: [i16; 3] = [0, 0, 1000];
const LYING: [i16; 3] = [1000, 0, 0];

impl Patient {
    /// Standing, an impact, lying.
    fn fall(&mut self) -> &mut Self {
        (0..10).for_each(|_| self.second(STANDING, 20));
        self.now += SECOND;
        let mut impact = vec![STANDING; 20];
        impact[10..14].copy_from_slice(&[[300, 0, 300], [2400, 900, 2300], [1800, -300, -200], [900, 0, 100]]);
        impact[14..].fill(LYING);
        self.burst(impact);
        self
    }

    fn seconds(&mut self, posture: [i16; 3], shake: i16, count: i64) -> &mut Self {
        (0..count).for_each(|_| self.second(posture, shake));
        self
    }
}

#[test]
fn a_fall_is_urgent_after_its_window_and_a_long_lie_worsens_it() {
    let mut patient = Patient::new(&[]);
    // Who struggles is not upright: movement alone takes nothing back.
    patient.fall().seconds(LYING, 200, 35).quiet();
    patient.seconds(LYING, 200, 1);
    assert_eq!(patient.findings[0].onset_mono_us, 10_600_000);
    let explanation = &patient.findings[0].explanation;
    assert!(explanation.contains("posture 91° and stayed"), "{explanation}");
    assert_eq!(patient.told(), [(Onset, Fell, High, 47)]);
    patient.seconds(LYING, 10, 563).quiet();
    patient.seconds(LYING, 10, 2);
    assert_eq!(patient.told(), [(Worsened, LongLie, High, 611)]);
    // Upright, but somebody only holds the sensor there: no movement.
    patient.seconds(STANDING, 0, 60).quiet();
    patient.seconds(STANDING, 100, 5);
    assert!(matches!(patient.told()[..], [(Cleared, LongLie, High, _)]));
}

#[test]
fn who_stands_up_within_the_window_nearly_fell() {
    let mut patient = Patient::new(&[]);
    patient.fall().seconds(LYING, 50, 15).seconds(STANDING, 150, 20);
    let told = patient.told();
    assert!(matches!(told[..], [(Onset, NearFall, Low, _), (Cleared, NearFall, Low, _)]), "{told:?}");
    patient.seconds(STANDING, 50, 1200).quiet();
}

#[test]
fn a_fall_is_told_when_the_sensor_broke_with_it() {
    let mut patient = Patient::new(&[]);
    patient.fall().seconds(LYING, 50, 8).pass(40);
    assert!(matches!(patient.told()[..], [(Onset, Fell, High, _)]));
    patient.pass(600);
    assert!(matches!(patient.told()[..], [(Worsened, LongLie, High, _)]));
}

#[test]
fn a_second_fall_in_one_episode_pages_again() {
    let mut patient = Patient::new(&[]);
    patient.fall().seconds(LYING, 50, 40).told();
    // Helped up with the sensor turned: never upright as before.
    patient.seconds([0, 1000, 0], 50, 20).seconds(STANDING, 0, 2);
    patient.fall().seconds(LYING, 50, 40);
    assert!(matches!(patient.told()[..], [(Worsened, Fell, High, _)]));
}

#[test]
fn a_band_without_pulse_did_not_fall_with_its_wearer() {
    for (pulse, priority) in [(true, High), (false, Medium)] {
        let mut patient = Patient::new(&[HEART, Vital::ACCELERATION]);
        patient.settings.cadences.insert(HEART, 1);
        patient.hold(HEART, 70.0, 1, 20).fall();
        for _ in 0..40 {
            patient.second(LYING, 20);
            if pulse {
                patient.scalar(HEART, 90.0);
            }
        }
        let told: Vec<_> = patient.told().into_iter().filter(|row| row.1 == Fell).collect();
        assert!(matches!(told[..], [(Onset, Fell, found, _)] if found == priority), "{told:?}");
    }
}

/// What may happen to a patient, in runs, so that waits are reached.
#[derive(Clone, Debug)]
enum Event {
    Hold(Vital, f64, i64, i64),
    Seconds([i16; 3], i16, i64),
    Fall,
    Pass(i64),
    Quality(Quality),
    Device(Ieee),
}

fn event() -> impl Strategy<Value = Event> {
    let one_of = |values: &'static [f64]| prop::sample::select(values);
    let rates = one_of(&[0.0, 28.0, 38.0, 48.0, 72.0, 125.0, 140.0, 155.5]);
    let heats = one_of(&[22.0, 34.8, 35.4, 36.8, 38.2, 39.3, 40.1]);
    let sugars = one_of(&[45.0, 52.5, 66.0, 71.0, 76.0, 84.0, 120.0, 260.0, 310.0]);
    let postures = prop::sample::select(vec![STANDING, LYING, [0, 700, 700]]);
    let qualities = [Quality::Good, Quality::Good, Quality::Suspect(Reason::Jump), Quality::Invalid(Reason::Motion)];
    prop_oneof![
        4 => (rates, 1i64..4, 1i64..90).prop_map(|(rate, cadence, time)| Event::Hold(HEART, rate, cadence, time)),
        2 => (heats, 5i64..200, 100i64..2000).prop_map(|(heat, cadence, time)| Event::Hold(HEAT, heat, cadence, time)),
        4 => (sugars, 60i64..400, 300i64..1300).prop_map(|(sugar, step, time)| Event::Hold(SUGAR, sugar, step, time)),
        2 => (postures, 0i16..300, 1i64..60).prop_map(|(posture, shake, time)| Event::Seconds(posture, shake, time)),
        1 => Just(Event::Fall),
        1 => (1i64..200).prop_map(Event::Pass),
        1 => prop::sample::select(qualities.to_vec()).prop_map(Event::Quality),
        1 => prop::sample::select(vec![BAND, OTHER]).prop_map(Event::Device),
    ]
}

impl Patient {
    fn live(&mut self, event: &Event) {
        match *event {
            Event::Hold(vital, value, cadence, seconds) => {
                self.hold(vital, value, cadence, seconds);
            }
            Event::Seconds(posture, shake, count) => {
                self.seconds(posture, shake, count);
            }
            Event::Fall => {
                self.fall();
            }
            Event::Pass(seconds) => {
                self.pass(seconds);
            }
            Event::Quality(quality) => self.quality = quality,
            Event::Device(device) => self.device = device,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_restart_anywhere_changes_no_finding(events in prop::collection::vec(event(), 1..60)) {
        let mut whole = Patient::new(&[HEART, HEAT, SUGAR]);
        let mut split = Patient::new(&[HEART, HEAT, SUGAR]);
        for event in &events {
            whole.live(event);
            split.live(event);
            let saved = serde_json::to_string(&split.detectors).unwrap();
            split.detectors = serde_json::from_str(&saved).unwrap();
            prop_assert_eq!(&whole.detectors, &split.detectors);
        }
        prop_assert_eq!(&whole.findings, &split.findings);
        // Whatever the order of things: an episode begins once before it ends once.
        let mut open = std::collections::BTreeMap::new();
        for finding in &whole.findings {
            let was_open = open.insert(finding.key, finding.change != Cleared).unwrap_or(false);
            prop_assert_eq!(was_open, finding.change != Onset, "{:?}", finding);
        }
    }
}

/// The radio is lost just after a fall and comes back before the clock has judged it.
#[test]
fn a_gap_after_an_impact_does_not_hide_the_fall() {
    let mut judge = fall::Judge::default();
    let placement = fall::Placement::of(None);
    let axes = |index: i64| match index {
        140 => [0.3, 0.0, 0.3],
        141 => [2.4, 0.9, 2.3],
        142 => [1.8, -0.3, -0.2],
        143.. => [1.0, 0.0, 0.02],
        _ => [0.0, 0.02, 1.0],
    };
    let seen = (0..185).chain([306]);
    let impacts: Vec<_> = seen.flat_map(|index| judge.sample(index * 50_000, axes(index), placement)).collect();
    assert_eq!(impacts.iter().map(|impact| impact.fall).collect::<Vec<_>>(), [true]);
}
