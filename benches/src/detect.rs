//! The detectors: how many readings they take, and what one accelerometer costs.

use medmon_core::detect::Detectors;
use medmon_core::noun::{
    ClockQuality, Device, Ieee, MonoUs, Place, Quality, Reading, ReadingId, Settings, Value, Vital,
};

use crate::Bench;
use crate::figure::{Figure, Goal};
use crate::measure::{self, Stopwatch};

/// The benches of this area.
pub const BENCHES: &[Bench] = &[
    (&["detect/readings_per_s", "detect/samples_per_s", "detect/heart_rates_per_s"], readings),
    (&["detect/fall_core_percent"], fall),
];

const SECOND: MonoUs = 1_000_000;
/// What the accelerometer of the mix and of the fall bench samples at, and how many samples a burst has: what fits one
/// radio frame.
const RATE_HZ: usize = 50;
const BURST: usize = 10;

fn settings() -> Settings {
    let device = |number: u64, vitals: &[Vital], place| Device {
        ieee: Ieee(number),
        label: format!("sensor {number}"),
        vitals: vitals.to_vec(),
        place,
    };
    let devices = vec![
        device(1, &[Vital::HEART_RATE], None),
        device(2, &[Vital::ACCELERATION], Some(Place::Waist)),
        device(3, &[Vital::TEMPERATURE], None),
        device(4, &[Vital::GLUCOSE], None),
    ];
    Settings { devices, birth_year: Some(1950), ..Settings::default() }
}

fn reading(device: u64, vital: Vital, at: MonoUs, value: Value) -> Reading {
    Reading {
        id: ReadingId { boot: 1, sequence: at as u64 },
        epoch: 1,
        device: Ieee(device),
        endpoint: 1,
        vital,
        value,
        mono_us: at,
        utc_us: 1_780_272_000 * SECOND + at,
        clock: ClockQuality::Synced,
        quality: Quality::Good,
        link_quality: 200,
    }
}

/// A burst of somebody who walks one minute of ten and sits the others: 0.5 g at two steps a second, seldom a bump.
fn burst(at: MonoUs) -> Reading {
    let sample = |index: usize| {
        let t = (at - ((BURST - 1 - index) as i64 * SECOND / RATE_HZ as i64)) as f64 / SECOND as f64;
        let walks = (t / 60.0) as i64 % 10 == 0;
        let bump = if t % 100.0 < 0.05 { 900.0 } else { 0.0 };
        let step = if walks { 500.0 * (t * std::f64::consts::TAU * 2.0).sin() } else { 5.0 * (t * 37.0).sin() };
        [20, (t * 13.0).sin().mul_add(10.0, 30.0) as i16, (1000.0 + step + bump) as i16]
    };
    let xyz = (0..BURST).map(sample).collect();
    reading(2, Vital::ACCELERATION, at, Value::Samples { rate_hz: RATE_HZ as u8, lost: 0, xyz })
}

fn scalar(device: u64, vital: Vital, at: MonoUs, value: f64) -> Reading {
    reading(device, vital, at, Value::Scalar(vital.to_stored(value)))
}

/// What a home sends in `seconds`: five bursts and a heart rate each second, a temperature each minute, a glucose every
/// 5 min; all of it unremarkable.
fn home(seconds: i64) -> Vec<Reading> {
    let mut readings = Vec::new();
    for second in 1..=seconds {
        let at = second * SECOND;
        let bursts = (RATE_HZ / BURST) as i64;
        readings.extend((0..bursts).map(|part| burst(at + part * SECOND / bursts)));
        readings.push(scalar(1, Vital::HEART_RATE, at + 1, 72.0 + (second as f64 * 0.1).sin() * 6.0));
        if second % 60 == 0 {
            readings.push(scalar(3, Vital::TEMPERATURE, at + 2, 36.8 + (second as f64 * 0.001).sin() * 0.3));
        }
        if second % 300 == 0 {
            readings.push(scalar(4, Vital::GLUCOSE, at + 3, 120.0 + (second as f64 * 0.0005).sin() * 30.0));
        }
    }
    readings
}

/// CPU seconds that the detectors need for `readings`, ticked twice a second of their time as the gateway does.
fn spent(readings: &[Reading], settings: &Settings) -> f64 {
    let mut detectors = Detectors::new(settings, 0);
    let (mut ticked, mut found) = (0, 0);
    let clock = Stopwatch::start();
    for reading in readings {
        if reading.mono_us - ticked >= SECOND / 2 {
            ticked = reading.mono_us;
            found += detectors.tick(ticked, settings).len();
        }
        found += detectors.reading(reading, settings).len();
    }
    let cpu_s = clock.spent().cpu_s;
    std::hint::black_box(found);
    cpu_s
}

/// Timed: `Detectors::reading` with its `tick`s, on one core, readings made before. A reading of the mix is what one
/// radio message carries: a figure, or a burst of 10 samples, five of six readings; `samples_per_s` counts each sample
/// of a burst and each figure as one. `heart_rates_per_s` is heart rate alone, one a second.
fn readings(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let settings = settings();
    let mix = home(if quick { 600 } else { 6 * 3600 });
    let count = if quick { 10_000 } else { 1_000_000 };
    let rate = |at: i64| 72.0 + (at as f64 * 0.1).sin() * 6.0;
    let hearts: Vec<_> = (1..=count).map(|at| scalar(1, Vital::HEART_RATE, at * SECOND, rate(at))).collect();
    let samples: u32 = mix.iter().map(Reading::count).sum();
    let mut settings_of_one = settings.clone();
    settings_of_one.devices.truncate(1);
    let (mut mixes, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..measure::runs(quick) {
        mixes.push(spent(&mix, &settings));
        alone.push(spent(&hearts, &settings_of_one));
    }
    let (mixed, alone) = (measure::best(mixes, |cpu_s| *cpu_s)?, measure::best(alone, |cpu_s| *cpu_s)?);
    let goal = Goal::AtLeast(2e6);
    Ok(vec![
        Figure::new("detect/readings_per_s", mix.len() as f64 / mixed, "readings/s").goal(goal),
        Figure::new("detect/samples_per_s", f64::from(samples) / mixed, "samples/s"),
        Figure::new("detect/heart_rates_per_s", hearts.len() as f64 / alone, "readings/s").goal(goal),
    ])
}

/// Timed: one accelerometer at 50 Hz in bursts of 10, with the ticks; CPU time over the time that its samples span.
fn fall(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let mut settings = settings();
    settings.devices.retain(|device| device.vitals.contains(&Vital::ACCELERATION));
    let seconds = if quick { 600 } else { 6 * 3600 };
    let parts = (RATE_HZ / BURST) as i64;
    let bursts: Vec<_> = (1..=seconds * parts).map(|part| burst(part * SECOND / parts)).collect();
    let runs = (0..measure::runs(quick)).map(|_| spent(&bursts, &settings)).collect();
    let value = 100.0 * measure::best(runs, |cpu_s| *cpu_s)? / seconds as f64;
    Ok(vec![Figure::new("detect/fall_core_percent", value, "%").goal(Goal::AtMost(0.2))])
}
