//! A course of glucose: what happens in it, and what is predicted of that.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::ensure;
use medmon_core::detect::Change;
use medmon_core::detect::glucose::Ahead;
use medmon_core::noun::{Condition, Priority, Vital};

use crate::figures::{Share, maybe, median};
use crate::home::{Home, SECOND, micros};
use crate::row;
use crate::table::{Table, files};

const MINUTE: i64 = 60 * SECOND;
/// An alarm is right if an event begins within so long after it.
const AHEAD: i64 = 60 * MINUTE;
/// An event lasts so long, and is over after so long.
const LASTS: i64 = 15 * MINUTE;
/// Nobody knows what lies in a longer gap.
const GAP: i64 = 20 * MINUTE;
/// Data sets whose courses are as the sensor gave them, people with diabetes; others were smoothed or have no events.
const POOLED: [&str; 2] = ["AZT1D", "PhysioCGM"];

/// What one person's sensor said.
#[derive(Clone, Debug)]
pub struct Course {
    /// As in the files.
    pub name: String,
    /// Whether it counts in what is said of all together.
    pub pooled: bool,
    /// When (local, µs), the time as in the file, mg/dL.
    pub points: Vec<(i64, String, f64)>,
}

/// A prediction, or the urgent alarm.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// The reading that led to it.
    pub point: usize,
    /// 1 or 2; 3: the urgent alarm.
    pub level: usize,
    /// When the limit is expected to be reached, µs as in the course.
    pub expected: i64,
}

/// The courses in a folder, by name.
pub fn load(folder: &Path) -> anyhow::Result<Vec<Course>> {
    let index = folder.join("index.csv");
    let mut sets: BTreeMap<String, String> = BTreeMap::new();
    if index.exists() {
        let index = Table::read(&index)?;
        if let (Some(trace), Some(set)) = (index.find("trace"), index.find("dataset")) {
            sets.extend(index.rows().map(|row| (row.text(trace).to_owned(), row.text(set).to_owned())));
        }
    }
    let mut all = Vec::new();
    for (name, path) in files(folder, ".csv")? {
        let table = Table::read(&path)?;
        let (Some(time), Some(value)) = (table.find("time"), table.find("glucose_mgdl")) else { continue };
        let mut points: Vec<(i64, String, f64)> = Vec::new();
        for row in table.rows() {
            let Some(value) = row.number(value)? else { continue };
            let at = micros(row, time)?;
            ensure!(points.last().is_none_or(|last| last.0 <= at), "{}: time runs backwards", row.place());
            points.push((at, row.text(time).to_owned(), value));
        }
        let set = sets.get(&name).unwrap_or(&name);
        let pooled = POOLED.iter().any(|pooled| set.starts_with(pooled));
        all.push(Course { name, pooled, points });
    }
    Ok(all)
}

impl Course {
    /// Days with readings.
    pub fn days(&self) -> f64 {
        let covered = self.points.windows(2).map(|pair| (pair[1].0 - pair[0].0).min(GAP) as f64);
        covered.sum::<f64>() / (1440 * MINUTE) as f64
    }

    /// What a home would be told.
    pub fn alarms(&self, ahead: Ahead) -> anyhow::Result<Vec<Alarm>> {
        let mut home = Home::new(&[Vital::GLUCOSE], None, &[])?.looking(ahead);
        let mut alarms = Vec::new();
        let since = self.points.first().map_or(0, |first| first.0);
        for (point, (at, _, value)) in self.points.iter().enumerate() {
            let seen = home.findings.len();
            home.scalar(Vital::GLUCOSE, at - since, *value);
            for found in home.findings[seen..].iter().filter(|found| found.change != Change::Cleared) {
                match found.condition {
                    Condition::HypoglycaemiaPredicted => {
                        let level = if found.priority == Priority::Low { 1 } else { 2 };
                        let expected = found.expected_mono_us.map_or(*at, |expected| expected + since);
                        // Who will be below 54 will be below 70 before: told once, as the graver.
                        if level == 2 && *value >= 70.0 {
                            let share = (value - 70.0) / (value - 54.0);
                            let expected = at + (share * (expected - at) as f64) as i64;
                            alarms.push(Alarm { point, level: 1, expected });
                        }
                        alarms.push(Alarm { point, level, expected });
                    }
                    Condition::Hypoglycaemia if found.priority == Priority::High => {
                        alarms.push(Alarm { point, level: 3, expected: *at });
                    }
                    _ => {}
                }
            }
            home.tick(at - since + SECOND);
        }
        Ok(alarms)
    }

    /// Of level 1, of level 2, and of the urgent alarm.
    pub fn told(&self, alarms: &[Alarm]) -> [Told; 3] {
        let (level_1, level_2) = (events(&self.points, 70.0), events(&self.points, 54.0));
        let of = |level: usize, events: &[(i64, i64)]| {
            let mine = alarms.iter().filter(|alarm| alarm.level == level);
            Told::judge(&mine.map(|alarm| self.points[alarm.point].0).collect::<Vec<_>>(), events)
        };
        [of(1, &level_1), of(2, &level_2), of(3, &level_2)]
    }
}

/// What is told of one level in one course.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// With an alarm in the hour before.
    pub events: Share,
    /// Minutes from the first right alarm to its event.
    pub leads: Vec<f64>,
    /// No event begins within the hour after them, nor is one going on.
    pub wrong: usize,
}

impl Told {
    /// `alarms`: when; `events`: when they begin and end.
    fn judge(alarms: &[i64], events: &[(i64, i64)]) -> Self {
        let mut told = Self::default();
        let warns = |alarm: i64, begin: i64| alarm <= begin && begin - alarm <= AHEAD;
        for &(begin, _) in events {
            let first = alarms.iter().find(|alarm| warns(**alarm, begin));
            told.events.count(first.is_some());
            told.leads.extend(first.map(|alarm| (begin - alarm) as f64 / MINUTE as f64));
        }
        // Within an event an alarm is neither right nor wrong.
        let neither = |alarm: i64| events.iter().any(|event| (event.0..=event.1).contains(&alarm));
        let right = |alarm: i64| events.iter().any(|event| warns(alarm, event.0));
        told.wrong = alarms.iter().filter(|alarm| !right(**alarm) && !neither(**alarm)).count();
        told
    }

    /// Adds another course's.
    pub fn add(&mut self, other: &Self) {
        self.events.hits += other.events.hits;
        self.events.of += other.events.of;
        self.leads.extend(&other.leads);
        self.wrong += other.wrong;
    }

    /// The events told at least 15 min before.
    pub fn early(&self) -> Share {
        Share { hits: self.leads.iter().filter(|lead| **lead >= 15.0).count(), of: self.events.of }
    }

    /// Sensitivity, false alarms a day, minutes before (median), the share told 15 min before.
    pub fn cells(&self, days: f64) -> Vec<String> {
        let each = format!("{:.2}", self.wrong as f64 / days);
        row![
            format!("{} {}/{}", self.events.short(), self.events.hits, self.events.of),
            each,
            maybe(median(&self.leads), 0),
            self.early().short()
        ]
    }
}

/// Stretches below `limit` of at least 15 min, and nobody's for as long afterwards. Those that begin after a gap cannot
/// be predicted and do not count.
fn events(points: &[(i64, String, f64)], limit: f64) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64, bool)> = Vec::new();
    for (index, (at, _, value)) in points.iter().enumerate() {
        if *value >= limit {
            continue;
        }
        let gap = index == 0 || at - points[index - 1].0 > GAP;
        // A reading holds until the next one, 5 min at most.
        let end = points.get(index + 1).map_or(*at, |next| next.0.min(at + 5 * MINUTE));
        match runs.last_mut() {
            Some(run) if at - run.1 < LASTS => run.1 = end,
            _ => runs.push((*at, end, gap)),
        }
    }
    runs.into_iter().filter(|run| run.1 - run.0 >= LASTS && !run.2).map(|run| (run.0, run.1)).collect()
}
