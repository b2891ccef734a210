//! Glucose and temperature recordings, compressed: minutes between readings become seconds.
//!
//! Values are as recorded; only the time between them shrinks. Slopes are therefore too steep by the same factor (30 for
//! glucose at 5 min played every 10 s), so whatever a detector predicts from a slope means nothing here.

use std::path::Path;

use super::table::Table;
use super::{Part, ReplayError, Trace};
use crate::air;
use crate::patient::Vital;

/// The stretch of a glucose trace around its first two readings below 54 mg/dL in a row, one reading every `step_s`;
/// `None` when it has none. A gap of the recording is kept, shrunk as well, up to 20 steps.
pub fn glucose(file: &Path, step_s: f64) -> Result<Option<Part>, ReplayError> {
    const STEP: f64 = 300.0;
    let table = Table::open(file)?;
    let times = table.times("time")?;
    let values = table.numbers("glucose_mgdl", 0.0..=65_534.0)?;
    let readings: Vec<(f64, f64)> =
        times.into_iter().zip(values).filter_map(|(time, value)| Some((time, value?))).collect();
    let low =
        |pair: &[(f64, f64)]| pair[0].1 < 54.0 && pair[1].1 < 54.0 && (0.0..=1200.0).contains(&(pair[1].0 - pair[0].0));
    let Some(first) = readings.windows(2).position(low) else { return Ok(None) };
    let start = first.saturating_sub(5);
    let mut at = 2.0;
    let mut by = 0.0;
    let mut reports = Vec::new();
    for (index, (time, value)) in readings.iter().enumerate().skip(start).take(80) {
        if index > start {
            at += step_s * ((time - readings[index - 1].0) / STEP).clamp(0.2, 20.0);
        }
        if index == first + 1 {
            by = at + 15.0;
        }
        reports.push((at, 1, air::glucose(value.round() as u16)));
    }
    let trace = Trace { label: "glucose sensor", place: None, vital: Vital::Glucose, interval_s: step_s, reports };
    Ok(Some(Part { traces: vec![trace], expected: vec![("hypoglycaemia", "high", by)] }))
}

/// The stretch of a temperature trace around the moment `onset_min` when the thermometer came off, one reading (of one a
/// minute) every `step_s`. It ends before the detachment has lasted 5 min as played, so that no wait for hypothermia ends.
pub fn thermometer_off(file: &Path, onset_min: f64, step_s: f64) -> Result<Option<Part>, ReplayError> {
    const FALL: f64 = 1.2;
    let table = Table::open(file)?;
    let times = table.times("t_min")?;
    let values = table.numbers("temp_c", -50.0..=100.0)?;
    let start = times.partition_point(|t| *t < onset_min - 6.0);
    let length = 6 + (240.0 / step_s) as usize;
    let mut highest = f64::MIN;
    let mut by = None;
    let mut reports = Vec::new();
    for (index, value) in values.iter().enumerate().skip(start).take(length) {
        let Some(celsius) = value else { continue };
        let at = 1.0 + (times[index] - times[start]) * step_s;
        highest = highest.max(*celsius);
        if highest - celsius >= FALL && by.is_none() {
            by = Some(at + 15.0);
        }
        reports.push((at, 1, air::temperature((celsius * 100.0).round() as i16)));
    }
    let trace =
        Trace { label: "thermometer patch", place: None, vital: Vital::Temperature, interval_s: step_s, reports };
    Ok(by.map(|by| Part { traces: vec![trace], expected: vec![("sensor_off", "technical", by)] }))
}
