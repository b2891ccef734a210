//! Recordings as homes: real falls, heart rates, glucose and temperature traces, played through the serial line.
//!
//! The folder is laid out like the project's development data: `falls_umafall/`, `heart_rate/`, `glucose/`,
//! `temperature/`, any of which may be missing. Falls and heart rates keep their true pace; glucose and temperature are
//! compressed (slow.rs). Each home carries what its labels say ought to be noticed. Not for: scoring detectors (xtask).

mod falls;
mod heart;
mod slow;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::air::AttributeReport;
use crate::home::Emission;
use crate::patient::Vital;
use crate::patient::noise::Noise;
use crate::scenario::{Device, Expected, Home, Source, ieee, person, relatives};
use heart::HeartTrace;
pub use table::Table;

/// A recording cannot be played.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A file or folder cannot be read.
    #[error("cannot open {}", file.display())]
    Open {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not a table.
    #[error("{} is not a CSV table", file.display())]
    Table {
        /// Which.
        file: PathBuf,
        /// Where and why.
        #[source]
        source: csv::Error,
    },
    /// A table lacks a column.
    #[error("{} has no column `{column}`", file.display())]
    Column {
        /// Which table.
        file: PathBuf,
        /// Which column.
        column: &'static str,
    },
    /// A field cannot be used.
    #[error("{}, line {line}: `{value}` is no {column}", file.display())]
    Value {
        /// Which table.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Which column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
    /// The folder has no recordings.
    #[error("no recordings in {}: expected falls_umafall, heart_rate, glucose or temperature in it", dir.display())]
    Nothing {
        /// Which folder.
        dir: PathBuf,
    },
}

/// What a recording is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Acceleration with or without a fall.
    Fall,
    /// Heart rate.
    HeartRate,
    /// Glucose.
    Glucose,
    /// Temperature.
    Temperature,
}

/// A recording that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What of.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub file: PathBuf,
    /// What it is labelled: `fall`, `adl`, an event such as `bradycardia@8024`, or nothing.
    pub label: String,
}

/// A home's recording, ready to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// In order of time.
    pub emissions: Vec<Emission>,
}

/// A folder of recordings.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Seconds between two glucose readings as played; 10 unless changed.
    pub glucose_step_s: f64,
    /// Seconds between two temperature readings as played; 5 unless changed.
    pub temperature_step_s: f64,
    recordings: Vec<Recording>,
}

/// What a home is made of before it has people.
#[derive(Debug)]
struct Part {
    traces: Vec<Trace>,
    expected: Vec<(&'static str, &'static str, f64)>,
}

/// The reports of one sensor: due time, readings in it, attribute.
#[derive(Debug)]
struct Trace {
    label: &'static str,
    place: Option<&'static str>,
    vital: Vital,
    interval_s: f64,
    reports: Vec<(f64, u64, AttributeReport)>,
}

impl Replay {
    /// Reads the indices of a folder, not yet the recordings.
    pub fn open(dir: &Path) -> Result<Self, ReplayError> {
        let mut recordings = Vec::new();
        let folder = dir.join("falls_umafall");
        if folder.is_dir() {
            recordings.extend(falls::list(&folder)?);
        }
        let heart_rate = |name: &str| !name.ends_with("_beats") && !name.ends_with("_temp");
        recordings.extend(events(&dir.join("heart_rate"), Kind::HeartRate, "start_s", |event| {
            matches!(event, "tachycardia_at_rest" | "bradycardia")
        })?);
        let labelled: Vec<PathBuf> = recordings.iter().map(|recording| recording.file.clone()).collect();
        let unlabelled = traces(&dir.join("heart_rate"), Kind::HeartRate, heart_rate)?;
        recordings.extend(unlabelled.into_iter().filter(|recording| !labelled.contains(&recording.file)));
        recordings.extend(traces(&dir.join("glucose"), Kind::Glucose, |_| true)?);
        recordings.extend(events(&dir.join("temperature"), Kind::Temperature, "start_min", |event| {
            event == "artefact_detached"
        })?);
        if recordings.is_empty() {
            return Err(ReplayError::Nothing { dir: dir.to_owned() });
        }
        Ok(Self { glucose_step_s: 10.0, temperature_step_s: 5.0, recordings })
    }

    /// What can be played.
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// At most `limit` homes, the kinds in turn: falls (a home per subject), heart rate (per event or trace), glucose and
    /// temperature (per trace or event in which something ought to be noticed).
    pub fn homes(&self, limit: usize) -> Result<Vec<Home>, ReplayError> {
        let mut queues = [Kind::Fall, Kind::HeartRate, Kind::Glucose, Kind::Temperature].map(|kind| self.groups(kind));
        let mut homes = Vec::new();
        while homes.len() < limit && queues.iter().any(|queue| !queue.is_empty()) {
            for queue in &mut queues {
                while homes.len() < limit
                    && let Some(group) = queue.pop()
                {
                    if let Some(part) = self.part(&group)? {
                        homes.push(part.home(homes.len()));
                        break;
                    }
                }
            }
        }
        Ok(homes)
    }

    /// What makes up one home each, the first last.
    fn groups(&self, kind: Kind) -> Vec<Vec<&Recording>> {
        let of_kind = self.recordings.iter().filter(|recording| recording.kind == kind);
        let mut groups: Vec<Vec<&Recording>> = if kind == Kind::Fall {
            let mut subjects: BTreeMap<&Path, Vec<&Recording>> = BTreeMap::new();
            for recording in of_kind {
                subjects.entry(&recording.file).or_default().push(recording);
            }
            let mut subjects: Vec<Vec<&Recording>> = subjects.into_values().collect();
            // Some subjects only walked and sat: those who fell come first.
            subjects.sort_by_key(|group| !group.iter().any(|recording| recording.label == "fall"));
            subjects
        } else {
            of_kind.map(|recording| vec![recording]).collect()
        };
        groups.reverse();
        groups
    }

    fn part(&self, group: &[&Recording]) -> Result<Option<Part>, ReplayError> {
        let Some(first) = group.first() else { return Ok(None) };
        let onset = first.label.split_once('@').and_then(|(_, onset)| onset.parse::<f64>().ok());
        match (first.kind, onset) {
            (Kind::Fall, _) => falls::part(&first.file, group).map(Some),
            (Kind::HeartRate, Some(onset)) => Ok(HeartTrace::open(&first.file)?.around(onset)),
            (Kind::HeartRate, None) => Ok(Some(HeartTrace::open(&first.file)?.notable())),
            (Kind::Glucose, _) => slow::glucose(&first.file, self.glucose_step_s),
            (Kind::Temperature, Some(onset)) => slow::thermometer_off(&first.file, onset, self.temperature_step_s),
            (Kind::Temperature, None) => Ok(None),
        }
    }
}

impl Part {
    fn home(self, index: usize) -> Home {
        let patient = person(index, Noise::new(0, 1000 + index as u64));
        let mut devices = Vec::new();
        let mut emissions = Vec::new();
        for (number, trace) in self.traces.into_iter().enumerate() {
            let (ieee, vital) = (ieee(index, number as u64 + 1), trace.vital);
            devices.push(Device {
                ieee,
                label: trace.label.into(),
                place: trace.place,
                vitals: vec![(vital, trace.interval_s)],
            });
            let reports = trace.reports.into_iter();
            emissions.extend(reports.map(|(at_s, readings, report)| Emission { at_s, ieee, vital, readings, report }));
        }
        emissions.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let expected = self.expected.into_iter().map(|(condition, priority, by_s)| Expected {
            patient: patient.name(),
            condition,
            priority,
            by_s,
        });
        Home {
            expected: expected.collect(),
            relatives: relatives(index),
            patient,
            devices,
            scenes: Vec::new(),
            source: Source::Recording(Arc::new(Recorded { emissions })),
        }
    }
}

/// Every `.csv.gz` of a folder whose name passes, in order of name; none when there is no such folder.
fn traces(folder: &Path, kind: Kind, wanted: impl Fn(&str) -> bool) -> Result<Vec<Recording>, ReplayError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let broken = |source| ReplayError::Open { file: folder.to_owned(), source };
    let mut recordings = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(broken)? {
        let file = entry.map_err(broken)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".csv.gz"));
        if let Some(name) = name.filter(|name| wanted(name)) {
            recordings.push(Recording { kind, name: name.into(), label: String::new(), file: file.clone() });
        }
    }
    recordings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(recordings)
}

/// A recording per labelled event of the wanted kinds; none when there is no table of events.
fn events(
    folder: &Path,
    kind: Kind,
    start: &'static str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Recording>, ReplayError> {
    let file = folder.join("synth_events.csv");
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let table = Table::open(&file)?;
    let (names, events, starts) = (table.texts("trace")?, table.texts("event")?, table.times(start)?);
    let mut recordings = Vec::new();
    for row in 0..names.len() {
        // The name becomes part of a file name.
        if names[row].is_empty() || !names[row].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(table.bad(row, "trace", names[row]));
        }
        if wanted(events[row]) {
            recordings.push(Recording {
                kind,
                name: names[row].into(),
                file: folder.join(format!("{}.csv.gz", names[row])),
                label: format!("{}@{}", events[row], starts[row]),
            });
        }
    }
    Ok(recordings)
}

#[cfg(test)]
mod tests;
