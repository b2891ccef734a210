//! Heart-rate recordings at their true pace: stretches around labelled events, or around what the definitions call one.
//!
//! Nothing is compressed. A stretch starts 10 s before the event and lasts at most 10 min. Where the trace has a motion
//! level, a belt is played beside it whose mean |norm - 1 g| is that level; without one, motion is unknown to the detector
//! and no tachycardia can be expected within minutes.

use std::f64::consts::{FRAC_PI_2, TAU};
use std::path::Path;

use super::table::Table;
use super::{Part, ReplayError, Trace};
use crate::air;
use crate::patient::Vital;

const LEAD_S: f64 = 10.0;
const LENGTH_S: f64 = 600.0;
const MOTION_RATE: usize = 20;

/// A heart-rate trace.
pub struct HeartTrace {
    t: Vec<f64>,
    bpm: Vec<Option<f64>>,
    motion: Option<Vec<Option<f64>>>,
}

impl HeartTrace {
    pub fn open(file: &Path) -> Result<Self, ReplayError> {
        let table = Table::open(file)?;
        let t = table.times(if table.has("t_s") { "t_s" } else { "time" })?;
        let bpm = table.numbers("hr_bpm", 0.0..=65_534.0)?;
        let motion = if table.has("motion_g") { Some(table.numbers("motion_g", 0.0..=16.0)?) } else { None };
        Ok(Self { t, bpm, motion })
    }

    /// The stretch around an event that begins at `onset` s of the trace; `None` when it never holds an urgent limit long
    /// enough to be expected.
    pub fn around(&self, onset: f64) -> Option<Part> {
        let start = self.t.partition_point(|t| *t < onset - LEAD_S);
        let (condition, reached) = self.held(start)?;
        // Median of 15 s, 60 s of persistence, and some air.
        Some(self.part(start, Some((condition, "high", reached - self.t[start] + 80.0))))
    }

    /// The first stretch of an unlabelled trace that holds an urgent limit, else its beginning with nothing expected.
    pub fn notable(&self) -> Part {
        let urgent = (0..self.t.len()).find(|n| self.holds(*n).is_some());
        match urgent.and_then(|n| self.around(self.t[n])) {
            Some(part) => part,
            None => self.part(0, None),
        }
    }

    /// Which urgent limit is held for a minute, first from where.
    fn held(&self, start: usize) -> Option<(&'static str, f64)> {
        let last = self.t.get(start)? + LENGTH_S / 2.0;
        let mut rows = (start..self.t.len()).take_while(|n| self.t[*n] <= last);
        rows.find_map(|n| self.holds(n).map(|condition| (condition, self.t[n])))
    }

    fn holds(&self, from: usize) -> Option<&'static str> {
        let until = self.t[from] + 75.0;
        let rows = (from..self.t.len()).take_while(|n| self.t[*n] <= until);
        let (mut low, mut high, mut count) = (true, self.motion.is_some(), 0);
        for n in rows {
            let Some(bpm) = self.bpm[n] else { continue };
            // Zero is a sensor without contact.
            low &= bpm <= 40.0 && bpm > 0.0;
            high &= bpm >= 131.0;
            count += 1;
            if !low && !high {
                return None;
            }
        }
        match (count >= 60, low) {
            (false, _) => None,
            (true, true) => Some("bradycardia"),
            (true, false) => Some("tachycardia"),
        }
    }

    fn part(&self, start: usize, expected: Option<(&'static str, &'static str, f64)>) -> Part {
        let origin = self.t.get(start).copied().unwrap_or(0.0);
        let rows: Vec<usize> =
            (start..self.t.len()).take_while(|n| (0.0..=LENGTH_S).contains(&(self.t[*n] - origin))).collect();
        let reports = rows.iter().filter_map(|n| {
            let bpm = self.bpm[*n]?;
            Some((self.t[*n] - origin + 0.5, 1, air::heart_rate(bpm.round() as u16)))
        });
        let length = rows.last().map_or(0.0, |n| self.t[*n] - origin);
        let interval_s = (length / rows.len().max(2) as f64).max(1.0).round();
        let mut traces = vec![Trace {
            label: "heart rate sensor",
            place: None,
            vital: Vital::HeartRate,
            interval_s,
            reports: reports.collect(),
        }];
        if let Some(motion) = &self.motion {
            let mut samples = Vec::new();
            for n in &rows {
                let level = motion[*n].unwrap_or(0.0);
                samples.extend((0..MOTION_RATE).map(|part| {
                    // The mean of |a sin| is a / (pi / 2); no peak may look like an impact.
                    let phase = TAU * 2.0 * part as f64 / MOTION_RATE as f64;
                    let norm = 1.0 + (level * FRAC_PI_2).min(0.5) * (phase + 0.3).sin();
                    [0, (norm * 1000.0).round() as i16, 0]
                }));
            }
            traces.push(super::falls::bursts(&samples));
        }
        Part { traces, expected: expected.into_iter().collect() }
    }
}
