//! Fall recordings of the UMAFall layout as acceleration at the waist.
//!
//! Per subject, a fall and an activity of daily living in turn. Before each recording the mean of its first second is held
//! for 4 s, so that there is a posture to compare with; after it the mean of its last second, 8 s after an activity and
//! 40 s after a fall, so that the judgement and the cancel window pass before the patient stands again. Recordings are
//! sampled at about 20.1 Hz and played sample by sample at 20 Hz: nothing is interpolated, time stretches by under 1 %.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::Table;
use super::{Kind, Part, Recording, ReplayError, Trace};
use crate::air;
use crate::home::BURST;
use crate::patient::Vital;

const RATE: u8 = 20;
const BEFORE_S: usize = 4;
const AFTER_ADL_S: usize = 8;
const AFTER_FALL_S: usize = 40;
/// Within this angle the posture is what it was; as at the gateway, degrees.
const SAME_POSTURE: f64 = 35.0;

/// The recordings with a waist stream that the index names.
pub fn list(folder: &Path) -> Result<Vec<Recording>, ReplayError> {
    let index = Table::open(&folder.join("index.csv"))?;
    let (names, subjects) = (index.texts("recording")?, index.texts("subject")?);
    let (labels, samples) = (index.texts("label")?, index.numbers("n_waist", 0.0..=1e6)?);
    let mut recordings = Vec::new();
    for row in 0..names.len() {
        if !matches!(labels[row], "fall" | "adl") {
            return Err(index.bad(row, "label", labels[row]));
        }
        // The subject becomes part of a file name.
        if subjects[row].is_empty() || !subjects[row].bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(index.bad(row, "subject", subjects[row]));
        }
        if samples[row].unwrap_or(0.0) > 0.0 {
            recordings.push(Recording {
                kind: Kind::Fall,
                name: names[row].into(),
                file: folder.join(format!("{}_waist.csv.gz", subjects[row])),
                label: labels[row].into(),
            });
        }
    }
    Ok(recordings)
}

/// The recordings of one subject's file, one after another.
pub fn part(file: &Path, recordings: &[&Recording]) -> Result<Part, ReplayError> {
    let streams = read(file)?;
    let (falls, others): (Vec<&Recording>, Vec<&Recording>) =
        recordings.iter().copied().partition(|recording| recording.label == "fall");
    let mut samples = Vec::new();
    let mut first_fall = None;
    for turn in 0..falls.len().max(others.len()) {
        for recording in [falls.get(turn), others.get(turn)].into_iter().flatten() {
            let Some(stream) = streams.get(&recording.name).filter(|stream| !stream.is_empty()) else { continue };
            let fall = recording.label == "fall";
            let second = stream.len().min(RATE.into());
            let (before, after) = (mean(&stream[..second]), mean(&stream[stream.len() - second..]));
            samples.extend(vec![before; BEFORE_S * usize::from(RATE)]);
            // Who stands again at the end of a recording had a near-fall, whatever it is labelled (CLINICAL.md).
            if fall && first_fall.is_none() && degrees(before, after) > SAME_POSTURE {
                let strongest =
                    (0..stream.len()).max_by_key(|n| stream[*n].map(|mg| i64::from(mg).pow(2)).iter().sum::<i64>());
                first_fall = Some((samples.len() + strongest.unwrap_or(0)) as f64 / f64::from(RATE));
            }
            samples.extend(stream);
            let held_s = if fall { AFTER_FALL_S } else { AFTER_ADL_S };
            samples.extend(vec![after; held_s * usize::from(RATE)]);
        }
    }
    // Later falls come while the first is still on the board: they belong to its episode.
    let expected = first_fall.map(|at| ("fall", "high", at + 45.0)).into_iter().collect();
    Ok(Part { traces: vec![bursts(&samples)], expected })
}

/// Samples at 20 Hz as reports of a belt.
pub fn bursts(samples: &[[i16; 3]]) -> Trace {
    let interval_s = BURST as f64 / f64::from(RATE);
    let reports = samples.chunks(BURST as usize).enumerate().map(|(number, chunk)| {
        let report = air::acceleration_burst((number as u64 * BURST) as u16, RATE, chunk);
        ((number + 1) as f64 * interval_s, chunk.len() as u64, report)
    });
    Trace { label: "belt", place: Some("waist"), vital: Vital::Acceleration, interval_s, reports: reports.collect() }
}

fn mean(samples: &[[i16; 3]]) -> [i16; 3] {
    [0, 1, 2].map(|axis| {
        let sum: i64 = samples.iter().map(|sample| i64::from(sample[axis])).sum();
        (sum / samples.len().max(1) as i64) as i16
    })
}

/// The angle between two postures.
fn degrees(one: [i16; 3], other: [i16; 3]) -> f64 {
    let dot = |a: [i16; 3], b: [i16; 3]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(b)).sum::<f64>();
    let lengths = (dot(one, one) * dot(other, other)).sqrt();
    (dot(one, other) / lengths.max(1.0)).clamp(-1.0, 1.0).acos().to_degrees()
}

/// Samples in mg by recording; a missing sample repeats the one before.
fn read(file: &Path) -> Result<BTreeMap<String, Vec<[i16; 3]>>, ReplayError> {
    let table = Table::open(file)?;
    let names = table.texts("recording")?;
    let range = || -32.0..=32.0;
    let (x, y, z) = (table.numbers("ax_g", range())?, table.numbers("ay_g", range())?, table.numbers("az_g", range())?);
    let mut streams: BTreeMap<String, Vec<[i16; 3]>> = BTreeMap::new();
    for row in 0..names.len() {
        let stream = streams.entry(names[row].to_owned()).or_default();
        if let (Some(x), Some(y), Some(z)) = (x[row], y[row], z[row]) {
            stream.push([x, y, z].map(|g| (g * 1000.0).round() as i16));
        } else if let Some(&last) = stream.last() {
            stream.push(last);
        }
    }
    Ok(streams)
}
