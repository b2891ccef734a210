//! Days of people as recorded: hearts at the wrist, glucose under the skin. What nobody recorded for so long (temperature,
//! motion) is synthetic or of a virtual body, as `wire::day` has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use medmon_core::noun::{Vital, Window};
use medmon_sim::replay::Table;

use crate::wire;

const DAY_S: f64 = 86_400.0;
/// A day with fewer readings is not one.
const LEAST: usize = 200;

/// Days of windows, each sorted by vital and start. Recordings lie in `MEDMON_TEST_DATA`, by default `../shared/data`.
pub fn days() -> anyhow::Result<Vec<Vec<Window>>> {
    let data = std::env::var_os("MEDMON_TEST_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let mut hearts = Vec::new();
    for file in files(&data.join("heart_rate"), "fitbit_")? {
        hearts.extend(split(&Table::open(&file)?, ("time", 1.0), "hr_bpm", Vital::HEART_RATE)?);
    }
    // Its readings are 5 to 15 s apart: a day that was worn through.
    hearts.retain(|day| day.iter().map(|window| window.count).sum::<u32>() > 5000);
    let mut glucose = Vec::new();
    for file in files(&data.join("glucose"), "AZT1D_")? {
        glucose.extend(split(&Table::open(&file)?, ("time", 1.0), "glucose_mgdl", Vital::GLUCOSE)?);
    }
    let mut temperature = Vec::new();
    for file in files(&data.join("temperature"), "synth_temp_")? {
        temperature.extend(split(&Table::open(&file)?, ("t_min", 60.0), "temp_c", Vital::TEMPERATURE)?);
    }
    anyhow::ensure!(!hearts.is_empty() && !glucose.is_empty() && !temperature.is_empty(), "{}", data.display());
    let virtual_day = wire::day(0);
    let mixed = hearts.iter().enumerate().map(|(number, heart)| {
        let others = [heart, &glucose[number * 7 % glucose.len()], &temperature[number * 5 % temperature.len()]];
        let of = |window: &&Window| others.iter().all(|day| day[0].vital != window.vital);
        let mut all: Vec<Window> = virtual_day.iter().filter(of).cloned().collect();
        all.extend(others.into_iter().flatten().cloned());
        all.sort_by_key(|window| (window.vital, window.start_us));
        all
    });
    Ok(mixed.collect())
}

fn files(folder: &Path, begins: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let named = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(begins) && name.ends_with(".csv.gz")
    };
    let mut files: Vec<_> = paths.into_iter().filter(named).collect();
    files.sort();
    Ok(files)
}

/// A recording by days, as windows; its times are in steps of `unit_s`.
fn split(
    table: &Table,
    (time, unit_s): (&'static str, f64),
    column: &'static str,
    vital: Vital,
) -> anyhow::Result<Vec<Vec<Window>>> {
    let (times, values) = (table.times(time)?, table.numbers(column, -1e6..=1e6)?);
    let mut days: BTreeMap<i64, Vec<Window>> = BTreeMap::new();
    let mut readings: BTreeMap<i64, usize> = BTreeMap::new();
    for (time, value) in times.into_iter().zip(values) {
        let Some(value) = value else { continue };
        let time = time * unit_s;
        let day = (time / DAY_S).floor();
        let at_us = wire::MIDNIGHT_US + ((time - day * DAY_S) * 1e6) as i64;
        let part = Window::of(vital, at_us, vital.to_stored(value), 1000, true);
        let windows = days.entry(day as i64).or_default();
        *readings.entry(day as i64).or_default() += 1;
        match windows.last_mut() {
            Some(whole) if whole.start_us == part.start_us && part.span_s > 0 => whole.merge(&part),
            _ => windows.push(part),
        }
    }
    days.retain(|day, _| readings[day] >= LEAST);
    Ok(days.into_values().collect())
}
