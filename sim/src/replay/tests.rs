//! Recordings made up in a temporary folder in the layout of the development data.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Kind, Replay, ReplayError};
use crate::home::Emission;
use crate::patient::noise::Noise;
use crate::patient::{Scene, Vital, motion, waist};

fn put(dir: &Path, name: &str, text: &str) {
    let file = dir.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    if file.extension().is_some_and(|extension| extension == "gz") {
        GzEncoder::new(File::create(&file).unwrap(), Compression::fast()).write_all(text.as_bytes()).unwrap();
    } else {
        fs::write(file, text).unwrap();
    }
}

/// A synthetic fall at 7 s and a synthetic walk, 15 s each at 20 Hz.
fn falls(dir: &Path) {
    let mut rows = String::from("recording,t_ms,ax_g,ay_g,az_g\n");
    for (name, scenes) in [("S1_F_01", vec![Scene::Fall { at: 7.0 }]), ("S1_D_01", Vec::new())] {
        let body = motion::Motion::new(Noise::new(5, 4), vec![(0.0, motion::Activity::Walking)], &scenes);
        for n in 0..300_u64 {
            let [x, y, z] = body.sample(n * 5 / 2).map(|mg| f64::from(mg) / 1000.0);
            rows.push_str(&format!("{name},{},{x},{y},{z}\n", n * 50));
        }
    }
    put(dir, "falls_umafall/S1_waist.csv.gz", &rows);
    let index = "recording,subject,label,activity,n_waist\nS1_F_01,S1,fall,forward,300\nS1_D_01,S1,adl,Walking,300\n\
        S1_D_02,S1,adl,Walking,0\n";
    put(dir, "falls_umafall/index.csv", index);
}

fn heart(dir: &Path) {
    let mut rows = String::from("t_s,hr_bpm,motion_g\n");
    for t in 0..900 {
        let bpm = if (300..500).contains(&t) { "172" } else { "70" };
        rows.push_str(&format!("{t},{},0.01\n", if t == 294 { "" } else { bpm }));
    }
    put(dir, "heart_rate/synth_hr_01.csv.gz", &rows);
    put(dir, "heart_rate/synth_events.csv", "trace,start_s,end_s,event\nsynth_hr_01,300,500,tachycardia_at_rest\n");
}

fn glucose(dir: &Path) {
    let mut rows = String::from("time,glucose_mgdl\n");
    for n in 0..60 {
        let value = if (30..40).contains(&n) { 50 } else { 100 };
        rows.push_str(&format!("2023-12-08 {:02}:{:02}:00,{value}\n", n / 12, n % 12 * 5));
    }
    put(dir, "glucose/T1.csv.gz", &rows);
    put(dir, "glucose/T0.csv.gz", "time,glucose_mgdl\n2023-12-08 00:04:00,100\n");
}

fn temperature(dir: &Path) {
    let mut rows = String::from("t_min,temp_c\n");
    for t in 0..200 {
        let value = if t < 100 { 36.8 } else { 25.0 + 11.8 * (-f64::from(t - 100) / 8.0).exp() };
        rows.push_str(&format!("{t},{value:.2}\n"));
    }
    put(dir, "temperature/synth_temp_01.csv.gz", &rows);
    put(
        dir,
        "temperature/synth_events.csv",
        "trace,start_min,end_min,event\nsynth_temp_01,100,150,artefact_detached\n",
    );
}

fn samples(emissions: &[Emission]) -> Vec<(f64, [f64; 3])> {
    let bursts = emissions.iter().filter(|emission| emission.vital == Vital::Acceleration);
    let axes = bursts
        .flat_map(|emission| emission.report.raw[4..].chunks_exact(6))
        .map(|bytes| [0, 2, 4].map(|k| f64::from(i16::from_le_bytes([bytes[k], bytes[k + 1]])) / 1000.0));
    axes.enumerate().map(|(n, axes)| (n as f64 / 20.0, axes)).collect()
}

#[test]
fn each_kind_becomes_a_home_that_expects_what_its_labels_say() {
    let dir = tempfile::tempdir().unwrap();
    falls(dir.path());
    heart(dir.path());
    glucose(dir.path());
    temperature(dir.path());
    let replay = Replay::open(dir.path()).unwrap();
    let kinds: Vec<Kind> = replay.recordings().iter().map(|recording| recording.kind).collect();
    assert_eq!(kinds, [Kind::Fall, Kind::Fall, Kind::HeartRate, Kind::Glucose, Kind::Glucose, Kind::Temperature]);
    let homes = replay.homes(10).unwrap();
    let expected: Vec<(&str, f64)> =
        homes.iter().flat_map(|home| &home.expected).map(|expected| (expected.condition, expected.by_s)).collect();
    let conditions: Vec<&str> = expected.iter().map(|(condition, _)| *condition).collect();
    assert_eq!(conditions, ["fall", "tachycardia", "hypoglycaemia", "sensor_off"]);
    assert!(expected.iter().all(|(_, by)| *by < 115.0), "{expected:?}");
    assert_eq!(replay.homes(2).unwrap().len(), 2);

    let fall: Vec<Emission> = homes[0].emissions().collect();
    let judged = waist::falls(&samples(&fall));
    assert_eq!(judged.len(), 1, "{judged:?}");
    assert!((judged[0].0 - 11.0).abs() < 0.2, "4 s are held before the recording");

    let heart: Vec<Emission> = homes[1].emissions().filter(|emission| emission.vital == Vital::HeartRate).collect();
    assert_eq!(heart[0].at_s, 0.5);
    assert!(!heart.iter().any(|emission| emission.at_s == 4.5), "a missing sample is not sent");
    assert_eq!(heart.iter().position(|emission| emission.report.raw == [172, 0]), Some(9));
    let glucose: Vec<f64> = homes[2].emissions().map(|emission| emission.at_s).collect();
    assert_eq!(glucose[..3], [2.0, 12.0, 22.0]);
}

/// The first fall of a subject of UMAFall ends upright: it was expected as a fall and the demo called it missed.
#[test]
fn a_fall_after_which_the_person_stands_again_is_not_expected_as_a_fall() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = String::from("recording,t_ms,ax_g,ay_g,az_g\n");
    for (name, lies) in [("S1_F_01", false), ("S1_F_02", true)] {
        for n in 0..300 {
            let [x, y] = match n {
                140 => [3.0, 3.0],
                141..200 => [1.0, 0.0],
                200.. if lies => [1.0, 0.0],
                _ => [0.0, 1.0],
            };
            rows.push_str(&format!("{name},{},{x},{y},0\n", n * 50));
        }
    }
    put(dir.path(), "falls_umafall/S1_waist.csv.gz", &rows);
    let index = "recording,subject,label,activity,n_waist\nS1_F_01,S1,fall,forward,300\nS1_F_02,S1,fall,forward,300\n";
    put(dir.path(), "falls_umafall/index.csv", index);
    let home = Replay::open(dir.path()).unwrap().homes(1).unwrap().remove(0);
    // 59 s of the first, 4 s of holding, 7 s to the impact, 45 s.
    assert_eq!(home.expected.iter().map(|expected| expected.by_s).collect::<Vec<_>>(), [115.0]);
}

#[test]
fn errors_name_file_line_and_value() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Replay::open(dir.path()), Err(ReplayError::Nothing { .. })));
    put(dir.path(), "glucose/T1.csv.gz", "time,glucose_mgdl\n2023-12-08 00:04:00,151\n2023-12-08 00:09:00,NaN\n");
    let error = Replay::open(dir.path()).unwrap().homes(1).unwrap_err().to_string();
    assert!(error.contains("T1.csv.gz, line 3: `NaN` is no glucose_mgdl"), "{error}");
    put(dir.path(), "glucose/T1.csv.gz", "time,mmol\n2023-12-08 00:04:00,8\n");
    let error = Replay::open(dir.path()).unwrap().homes(1).unwrap_err().to_string();
    assert!(error.contains("no column `glucose_mgdl`"), "{error}");
    fs::write(dir.path().join("glucose/T1.csv.gz"), b"no gzip").unwrap();
    assert!(matches!(Replay::open(dir.path()).unwrap().homes(1), Err(ReplayError::Table { .. })));
    put(dir.path(), "falls_umafall/index.csv", "recording,subject,label,n_waist\nR,../etc,fall,3\n");
    let error = Replay::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("line 2: `../etc` is no subject"), "{error}");
}
