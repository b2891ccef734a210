//! The urgent detectors on recordings: people who were not there when the rules were written down.
//!
//! The recordings are found by `MEDMON_TEST_DATA` (default `../shared/data` beside the workspace). Where there are
//! none, the tests say so loudly, and fail under `CI=true`.

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use medmon_core::detect::fall::{Judge, Placement};
use medmon_core::detect::{Change, Detectors, Finding};
use medmon_core::noun::{
    ClockQuality, Condition, Device, Ieee, Place, Quality, Reading, ReadingId, Settings, Value, Vital,
};

const SECOND: i64 = 1_000_000;
const DEVICE: Ieee = Ieee(0x0012_4b00_2a5c_0d01);
/// 2026-06-01, for the ages.
const UTC_US: i64 = 1_780_272_000 * SECOND;

/// A folder of recordings; `None` after saying so where there is none.
fn recordings(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("MEDMON_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data"), PathBuf::from);
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: {folder} (no recordings at {})", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no recordings at {}", path.display());
    None
}

/// The rows of a table, gzipped or not, as text.
fn rows(path: &Path) -> Vec<csv::StringRecord> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let plain: Box<dyn std::io::Read> =
        if path.extension().is_some_and(|end| end == "gz") { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    csv::Reader::from_reader(plain).records().collect::<Result<_, _>>().expect("a table")
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn reading(vital: Vital, at_us: i64, value: Value) -> Reading {
    Reading {
        id: ReadingId { boot: 1, sequence: at_us as u64 },
        device: DEVICE,
        endpoint: 1,
        vital,
        value,
        mono_us: at_us,
        utc_us: UTC_US + at_us,
        clock: ClockQuality::Synced,
        quality: Quality::Good,
        link_quality: 200,
        epoch: 1,
    }
}

fn settings(vitals: &[Vital], limits: &[(&str, f64)]) -> Settings {
    let device = Device { ieee: DEVICE, label: "belt".into(), vitals: vitals.to_vec(), place: Some(Place::Waist) };
    let mut settings = Settings { devices: vec![device], birth_year: Some(1986), ..Settings::default() };
    settings.limits.set(limits.iter().copied()).expect("legal limits");
    settings
}

/// Alarms that began: from the findings of physiological conditions, when.
fn onsets(findings: &[Finding], conditions: &[Condition]) -> Vec<(f64, Condition)> {
    findings
        .iter()
        .filter(|finding| finding.change == Change::Onset && conditions.contains(&finding.condition))
        .map(|finding| (finding.at_mono_us as f64 / 1e6, finding.condition))
        .collect()
}

#[test]
fn heart_rate_events_are_all_found_and_nothing_else() {
    let Some(folder) = recordings("heart_rate") else { return };
    let events = rows(&folder.join("synth_events.csv"));
    // The truth of this set: 50 and 120. The lesser limits are kept out of the way.
    let limits = [
        ("heart_rate.low_urgent", 50.0),
        ("heart_rate.low", 50.1),
        ("heart_rate.high", 119.9),
        ("heart_rate.high_urgent", 120.0),
    ];
    let settings = settings(&[Vital::HEART_RATE, Vital::ACCELERATION], &limits);
    let (mut found, mut expected, mut wrong, mut waits) = (0, 0, 0, Vec::new());
    for trace in 1..=6 {
        let name = format!("synth_hr_{trace:02}");
        let mut detectors = Detectors::new(&settings, 0);
        let mut findings = Vec::new();
        for row in rows(&folder.join(format!("{name}.csv.gz"))) {
            let at_us = (number(&row[0]).unwrap() * 1e6) as i64;
            if let Some(motion) = number(&row[2]) {
                let xyz = vec![[0, 0, 1000 + (motion * 1000.0) as i16]];
                let burst = Value::Samples { rate_hz: 0, lost: 0, xyz };
                findings.extend(detectors.reading(&reading(Vital::ACCELERATION, at_us, burst), &settings));
            }
            if let Some(rate) = number(&row[1]) {
                let value = Value::Scalar(Vital::HEART_RATE.to_stored(rate));
                findings.extend(detectors.reading(&reading(Vital::HEART_RATE, at_us, value), &settings));
            }
            findings.extend(detectors.tick(at_us + SECOND / 2, &settings));
        }
        let alarms = onsets(&findings, &[Condition::Bradycardia, Condition::Tachycardia]);
        let within = |row: &csv::StringRecord, at: f64| {
            (number(&row[1]).unwrap()..=number(&row[2]).unwrap() + 30.0).contains(&at)
        };
        let real =
            |row: &&csv::StringRecord| row[0] == *name && matches!(&row[3], "bradycardia" | "tachycardia_at_rest");
        for row in events.iter().filter(real) {
            expected += 1;
            match alarms.iter().find(|(at, _)| within(row, *at)) {
                Some((at, _)) => {
                    found += 1;
                    waits.push(at - number(&row[1]).unwrap());
                }
                None => println!("{name}: missed {row:?}"),
            }
        }
        for (at, condition) in &alarms {
            if !events.iter().filter(real).any(|row| within(row, *at)) {
                wrong += 1;
                println!("{name}: {condition:?} at {at} s is nothing");
            }
        }
    }
    waits.sort_by(f64::total_cmp);
    println!("heart rate: {found} of {expected} events found, {wrong} false, median wait {} s", waits[waits.len() / 2]);
    assert_eq!((found, wrong), (expected, 0));
}

#[test]
fn temperature_events_are_found() {
    let Some(folder) = recordings("temperature") else { return };
    let events = rows(&folder.join("synth_events.csv"));
    let settings = settings(&[Vital::TEMPERATURE], &[]);
    let (mut found, mut expected, mut wrong, mut off, mut detached) = (0, 0, 0, 0, 0);
    for trace in 1..=6 {
        let name = format!("synth_temp_{trace:02}");
        let mut detectors = Detectors::new(&settings, 0);
        let mut findings = Vec::new();
        for row in rows(&folder.join(format!("{name}.csv.gz"))) {
            let at_us = (number(&row[0]).unwrap() * 60e6) as i64;
            if let Some(temperature) = number(&row[1]) {
                let value = Value::Scalar(Vital::TEMPERATURE.to_stored(temperature));
                findings.extend(detectors.reading(&reading(Vital::TEMPERATURE, at_us, value), &settings));
            }
            findings.extend(detectors.tick(at_us + SECOND, &settings));
        }
        let within = |row: &csv::StringRecord, at: f64| {
            (number(&row[1]).unwrap()..=number(&row[2]).unwrap() + 15.0).contains(&(at / 60.0))
        };
        let alarms = onsets(&findings, &[Condition::Fever, Condition::Hypothermia]);
        let detachments = onsets(&findings, &[Condition::SensorOff]);
        let mine = || events.iter().filter(|row| row[0] == *name);
        let real = |row: &&csv::StringRecord| matches!(&row[3], "fever" | "hypothermia");
        for row in mine().filter(real) {
            expected += 1;
            let hit = alarms.iter().any(|(at, condition)| within(row, *at) && condition.name() == row[3]);
            found += usize::from(hit);
            if !hit {
                println!("{name}: missed {row:?}");
            }
        }
        for (at, condition) in &alarms {
            if !mine().filter(real).any(|row| within(row, *at)) {
                wrong += 1;
                println!("{name}: {condition:?} at {} min is nothing", at / 60.0);
            }
        }
        for row in mine().filter(|row| &row[3] == "artefact_detached") {
            detached += 1;
            off += usize::from(detachments.iter().any(|(at, _)| within(row, *at)));
        }
    }
    println!(
        "temperature: {found} of {expected} events found, {wrong} false; {off} of {detached} detached sensors seen"
    );
    assert_eq!(found, expected);
    assert_eq!(off, detached);
    assert!(wrong <= 2, "{wrong} false alarms");
}

#[test]
fn glucose_traces_run() {
    let Some(folder) = recordings("glucose") else { return };
    let settings = settings(&[Vital::GLUCOSE], &[]);
    for row in rows(&folder.join("index.csv")) {
        let mut detectors = Detectors::new(&settings, 0);
        let mut findings = Vec::new();
        let mut first = None;
        for point in rows(&folder.join(format!("{}.csv.gz", &row[0]))) {
            let time: jiff::civil::DateTime = point[0].parse().unwrap();
            let Some(glucose) = number(&point[1]) else { continue };
            let at_us = time.to_zoned_datetime(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
            let at_us = at_us - *first.get_or_insert(at_us);
            let value = Value::Scalar(Vital::GLUCOSE.to_stored(glucose));
            findings.extend(detectors.reading(&reading(Vital::GLUCOSE, at_us, value), &settings));
            findings.extend(detectors.tick(at_us + SECOND, &settings));
        }
        let count = |condition| findings.iter().filter(|finding| finding.condition == condition).count();
        println!(
            "{}: predicted {}, low {}, high {}, two sources {}, silence {}",
            &row[0],
            count(Condition::HypoglycaemiaPredicted),
            count(Condition::Hypoglycaemia),
            count(Condition::Hyperglycaemia),
            count(Condition::TwoSources),
            count(Condition::Silence),
        );
        // The one alternates in threes for days, the other for half an hour at half the usual interval.
        let known = matches!(&row[0], "HUPAUCM_HUPA0001P" | "AZT1D_Subject_16");
        assert_eq!(count(Condition::TwoSources) > 0, known, "two sensors under one identity in {}", &row[0]);
    }
}

/// Samples of one recording: seconds, g.
type Samples = Vec<(f64, [f64; 3])>;
/// Name, whether it is a fall, samples.
type Recording = (String, bool, Samples);

/// The recordings of one placement, each with its name.
fn falls(folder: &Path, place: &str) -> Vec<Recording> {
    let mut all: Vec<Recording> = Vec::new();
    let index = rows(&folder.join("index.csv"));
    let is_fall = |name: &str| index.iter().any(|row| row[0] == *name && &row[6] == "fall");
    let mut subjects: Vec<_> = index.iter().map(|row| row[1].to_owned()).collect();
    subjects.sort();
    subjects.dedup();
    let files = subjects.iter().map(|subject| folder.join(format!("{subject}_{place}.csv.gz")));
    for file in files.filter(|file| file.exists()) {
        for row in rows(&file) {
            if all.last().is_none_or(|last| last.0 != row[0]) {
                all.push((row[0].to_owned(), is_fall(&row[0]), Vec::new()));
            }
            let cell = |column: usize| number(&row[column]);
            if let (Some(t), Some(x), Some(y), Some(z)) = (cell(1), cell(2), cell(3), cell(4)) {
                all.last_mut().expect("one was begun").2.push((t / 1000.0, [x, y, z]));
            }
        }
    }
    all
}

/// Whether a fall is seen, and whether nearly one.
fn judged(samples: &Samples, placement: &Placement) -> (bool, bool) {
    let mut judge = Judge::default();
    let mut impacts = Vec::new();
    let mut end = 0;
    for (t, axes) in samples {
        end = (t * 1e6).round() as i64;
        impacts.extend(judge.sample(end, *axes, placement));
    }
    impacts.extend(judge.ended(end + 60 * SECOND, placement));
    (impacts.iter().any(|impact| impact.fall), impacts.iter().any(|impact| impact.near_fall))
}

fn rates(recordings: &[Recording], placement: &Placement) -> (f64, f64) {
    let share = |which: bool| {
        let of: Vec<_> = recordings.iter().filter(|row| row.1 == which).collect();
        let hit = of.iter().filter(|row| judged(&row.2, placement).0 == which).count();
        hit as f64 / of.len() as f64
    };
    (share(true), share(false))
}

#[test]
fn falls_are_told_from_daily_life() {
    let Some(folder) = recordings("falls_umafall") else { return };
    // What the table reaches, two recordings of slack.
    let goals = [
        ("waist", Place::Waist, 0.98, 0.985),
        ("chest", Place::Chest, 0.96, 0.985),
        ("pocket", Place::Pocket, 0.98, 0.96),
        ("wrist", Place::Wrist, 0.96, 0.96),
    ];
    for (name, place, sensitivity, specificity) in goals {
        let placement = Placement::of(Some(place));
        let recordings = falls(&folder, name);
        let (se, sp) = rates(&recordings, placement);
        let near = recordings.iter().filter(|row| !row.1 && judged(&row.2, placement).1).count();
        println!(
            "{name}: {} recordings, sensitivity {se:.3}, specificity {sp:.3}, near-falls {near}",
            recordings.len()
        );
        assert!(se >= sensitivity && sp >= specificity, "{name}: {se:.3} / {sp:.3}");
    }
}

/// Equal numbers for equal seeds, in 0..1 (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, standard deviation 1: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// What happens to a sensor is done to all recordings.
fn changed(recordings: &[Recording], mut change: impl FnMut(&Recording) -> Samples) -> Vec<Recording> {
    recordings.iter().map(|row| (row.0.clone(), row.1, change(row))).collect()
}

/// Smoothed noise of 0.2 g an axis from 1 s after the strongest sample of a fall.
fn struggling((_, fall, samples): &Recording, chance: &mut Chance) -> Samples {
    let norm = |axes: &[f64; 3]| axes.iter().map(|axis| axis * axis).sum::<f64>();
    let strongest = samples.iter().max_by(|one, two| norm(&one.1).total_cmp(&norm(&two.1)));
    let peak = strongest.map_or(0.0, |sample| sample.0);
    let mut noise = [0.0; 3];
    let mut shake = |(t, axes): &(f64, [f64; 3])| {
        noise = noise.map(|axis| 0.7 * axis + 0.2 * 0.51_f64.sqrt() * chance.normal());
        (*t, if *fall && *t > peak + 1.0 { [0, 1, 2].map(|axis| axes[axis] + noise[axis]) } else { *axes })
    };
    samples.iter().map(&mut shake).collect()
}

#[test]
fn falls_survive_what_happens_to_sensors() {
    let Some(folder) = recordings("falls_umafall") else { return };
    let mut chance = Chance(7);
    let places = [("waist", Place::Waist), ("chest", Place::Chest), ("wrist", Place::Wrist), ("pocket", Place::Pocket)];
    for (name, place) in places {
        let placement = Placement::of(Some(place));
        let plain = falls(&folder, name);
        let (se, sp) = rates(&plain, placement);
        let points = |label: &str, other: &[Recording], most: f64| {
            let (other_se, other_sp) = rates(other, placement);
            println!("{name}, {label}: sensitivity {other_se:.3}, specificity {other_sp:.3}");
            assert!(se - other_se <= most && sp - other_sp <= most, "{name}, {label}: from {se:.3} / {sp:.3}");
        };

        // Worn upside down and turned: the same answer for each recording.
        let (sin, cos) = 1.1_f64.sin_cos();
        let turn = |[x, y, z]: [f64; 3]| [-(cos * x - sin * y), sin * x + cos * y, -z];
        let turned = changed(&plain, |row| row.2.iter().map(|(t, axes)| (*t, turn(*axes))).collect());
        for (one, other) in plain.iter().zip(&turned) {
            assert_eq!(judged(&one.2, placement), judged(&other.2, placement), "{name} {}", one.0);
        }

        // Said twice, and at times that tremble by 10 ms.
        points("each twice", &changed(&plain, |row| row.2.iter().flat_map(|sample| [*sample; 2]).collect()), 0.0);
        let mut tremble = |(t, axes): &(f64, [f64; 3])| (t + 0.02 * (chance.next() - 0.5), *axes);
        points("jitter", &changed(&plain, |row| row.2.iter().map(&mut tremble).collect()), 0.03);

        if place != Place::Wrist {
            let clip = |axis: f64| axis.clamp(-2.0, 2.0);
            let clipped = changed(&plain, |row| row.2.iter().map(|(t, axes)| (*t, axes.map(clip))).collect());
            points("clipped at 2 g", &clipped, 0.02);
        }

        // A tenth lost, half of it in bursts of 0.25 s.
        let mut burst = 0;
        let mut kept = |_: &&(f64, [f64; 3])| {
            burst = if burst > 0 {
                burst - 1
            } else if chance.next() < 0.01 {
                5
            } else {
                0
            };
            burst == 0 && chance.next() >= 0.05
        };
        points("a tenth lost", &changed(&plain, |row| row.2.iter().filter(&mut kept).copied().collect()), 0.06);

        // People who fall struggle.
        let most = if place == Place::Wrist { 0.05 } else { 0.03 };
        points("struggling", &changed(&plain, |row| struggling(row, &mut chance)), most);
    }
}

#[test]
fn what_lies_before_a_long_gap_is_forgotten() {
    let Some(folder) = recordings("falls_umafall") else { return };
    let placement = Placement::of(Some(Place::Waist));
    let recordings = falls(&folder, "waist");
    let seen = |samples: &mut dyn Iterator<Item = &(f64, [f64; 3])>| {
        let mut judge = Judge::default();
        let mut impacts = Vec::new();
        for (t, axes) in samples {
            impacts.extend(judge.sample((t * 1e6).round() as i64, *axes, placement));
        }
        (judge, impacts)
    };
    // Each recording after another one and a gap of 7 s ends as it does alone.
    for pair in recordings.windows(2).take(60) {
        let later = pair[0].2.last().map_or(0.0, |row| row.0) + 7.0;
        let moved: Samples = pair[1].2.iter().map(|(t, axes)| (t + later, *axes)).collect();
        let (alone, alone_impacts) = seen(&mut moved.iter());
        let (after, both) = seen(&mut pair[0].2.iter().chain(&moved));
        assert_eq!(alone, after, "{}", pair[1].0);
        assert!(both.ends_with(&alone_impacts));
    }
}
