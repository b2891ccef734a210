//! Glucose: the figures of courses, and what is predicted of hypoglycaemia.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::ensure;
use medmon_core::analysis::glucose::{self, Figures};
use medmon_core::detect::Change;
use medmon_core::noun::{Condition, Priority, Vital};
use serde_json::{Map, Value, json};

use crate::figures::{Share, maybe, median, table};
use crate::home::{Home, SECOND, micros};
use crate::row;
use crate::table::{Table, files};

/// The folder of the courses.
pub const FOLDER: &str = "glucose";
const MINUTE: i64 = 60 * SECOND;
/// An alarm is right if an event begins within so long after it.
const AHEAD: i64 = 60 * MINUTE;
/// An event lasts so long, and is over after so long.
const LASTS: i64 = 15 * MINUTE;
/// Nobody knows what lies in a longer gap.
const GAP: i64 = 20 * MINUTE;
/// Data sets whose courses are as the sensor gave them, people with diabetes; others were smoothed or have no events.
const POOLED: [&str; 2] = ["AZT1D", "PhysioCGM"];

/// One course: when (local, µs), the time as in the file, mg/dL.
struct Course {
    name: String,
    points: Vec<(i64, String, f64)>,
}

fn load(folder: &Path) -> anyhow::Result<Vec<Course>> {
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
        all.push(Course { name, points });
    }
    Ok(all)
}

/// What is told of one level in one course.
#[derive(Clone, Debug, Default)]
struct Told {
    events: Share,
    /// Minutes from the first right alarm to its event.
    leads: Vec<f64>,
    alarms: usize,
    wrong: usize,
}

impl Told {
    /// `alarms`: when; `events`: when they begin and end.
    fn judge(alarms: &[i64], events: &[(i64, i64)]) -> Self {
        let mut told = Self { alarms: alarms.len(), ..Self::default() };
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

    fn add(&mut self, other: &Self) {
        self.events.hits += other.events.hits;
        self.events.of += other.events.of;
        self.leads.extend(&other.leads);
        self.alarms += other.alarms;
        self.wrong += other.wrong;
    }

    fn cells(&self, days: f64) -> Vec<String> {
        let early = self.leads.iter().filter(|lead| **lead >= 15.0).count();
        let early = Share { hits: early, of: self.events.of };
        let each = format!("{:.2}", self.wrong as f64 / days);
        row![
            format!("{} {}/{}", self.events.short(), self.events.hits, self.events.of),
            each,
            maybe(median(&self.leads), 0),
            early.short()
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

/// Runs all courses: `glucose.json`, the lines of `hypo_prediction.jsonl`, a table.
pub fn run(folder: &Path) -> anyhow::Result<(String, String, String)> {
    let index = folder.join("index.csv");
    let mut sets: BTreeMap<String, String> = BTreeMap::new();
    if index.exists() {
        let index = Table::read(&index)?;
        if let (Some(trace), Some(set)) = (index.find("trace"), index.find("dataset")) {
            sets.extend(index.rows().map(|row| (row.text(trace).to_owned(), row.text(set).to_owned())));
        }
    }
    let (mut figures, mut lines) = (Map::new(), String::new());
    let levels = row!["sensitivity", "false a day", "lead min", ">= 15 min"];
    let head =
        [row!["course", "days"], levels.clone(), row!["level 2:"], levels, row!["two < 54, false a day"]].concat();
    let mut rows = vec![head];
    let (mut pooled, mut pooled_days) = ([Told::default(), Told::default(), Told::default()], 0.0);
    for Course { name, points } in load(folder)? {
        let plain: Vec<_> = points.iter().map(|point| (point.0, point.2)).collect();
        figures.insert(name.clone(), glucose::figures(&plain).map_or(Value::Null, |figures| keys(&figures)));

        let mut home = Home::new(&[Vital::GLUCOSE], None, &[])?;
        let mut alarms: [Vec<i64>; 3] = Default::default();
        for (at, time, value) in &points {
            let (seen, since) = (home.findings.len(), points[0].0);
            home.scalar(Vital::GLUCOSE, at - since, *value);
            for found in home.findings[seen..].iter().filter(|found| found.change != Change::Cleared) {
                match found.condition {
                    Condition::HypoglycaemiaPredicted => {
                        let level = if found.priority == Priority::Low { 1 } else { 2 };
                        let expected = found.expected_mono_us.unwrap_or(at - since) + since;
                        let mut predicts = |level: usize, limit: f64, expected: i64| {
                            let line = json!({
                                "trace": name,
                                "t": time,
                                "predicted_for": text(expected),
                                "level": level,
                                "limit_mg_dl": limit,
                            });
                            let _ = writeln!(lines, "{line}");
                            alarms[level - 1].push(*at);
                        };
                        // Who will be below 54 will be below 70 before: told once, as the graver.
                        if level == 2 && *value >= 70.0 {
                            let share = (value - 70.0) / (value - 54.0);
                            predicts(1, 70.0, at + (share * (expected - at) as f64) as i64);
                        }
                        predicts(level, if level == 1 { 70.0 } else { 54.0 }, expected);
                    }
                    Condition::Hypoglycaemia if found.priority == Priority::High => alarms[2].push(*at),
                    _ => {}
                }
            }
            home.tick(at - since + SECOND);
        }
        let days: f64 =
            plain.windows(2).map(|pair| (pair[1].0 - pair[0].0).min(GAP) as f64).sum::<f64>() / (1440 * MINUTE) as f64;
        let (level_1, level_2) = (events(&points, 70.0), events(&points, 54.0));
        let told =
            [Told::judge(&alarms[0], &level_1), Told::judge(&alarms[1], &level_2), Told::judge(&alarms[2], &level_2)];
        let set = sets.get(&name).map_or(name.as_str(), String::as_str);
        let counts = POOLED.iter().any(|pooled| set.starts_with(pooled));
        if counts {
            pooled.iter_mut().zip(&told).for_each(|(pooled, told)| pooled.add(told));
            pooled_days += days;
        }
        rows.push(line(&format!("{name}{}", if counts { "" } else { " *" }), days, &told));
    }
    if pooled_days > 0.0 {
        rows.push(line("together", pooled_days, &pooled));
    }
    let text = format!(
        "Hypoglycaemia ahead: of the events (15 min below 70 or 54, not after a gap) those with a prediction in the hour \
         before (one of 54 made at 70 or above is one of 70 too); false: no event begins within an hour, nor is one going on; lead: from the first prediction in that hour\n\
         {}* not in `together`: smoothed by others, or hardly an event\n\n",
        table(&rows)
    );
    Ok((serde_json::to_string_pretty(&json!({"traces": figures}))?, lines, text))
}

fn line(name: &str, days: f64, told: &[Told; 3]) -> Vec<String> {
    let urgent = format!("{:.3}", told[2].wrong as f64 / days);
    let days_text = format!("{days:.1}");
    [row![name, days_text], told[0].cells(days), row![""], told[1].cells(days), row![urgent]].concat()
}

/// A time as in the files.
fn text(at: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(at).ok().map(|time| jiff::tz::TimeZone::UTC.to_datetime(time));
    time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

/// The keys of `glucose.json`.
fn keys(figures: &Figures) -> Value {
    let shares = figures.shares;
    json!({
        "mean": figures.mean,
        "sd": figures.sd,
        "cv": figures.cv,
        "gmi": figures.gmi,
        "tir": shares.target,
        "tbr70": shares.very_low + shares.low,
        "tbr54": shares.very_low,
        "tar180": shares.high + shares.very_high,
        "tar250": shares.very_high,
        "lbgi": figures.lbgi,
        "hbgi": figures.hbgi,
        "mage": figures.mage,
        "episodes_hypo": figures.hypo,
        "episodes_hypo_l2": figures.hypo_level_2,
        "episodes_hyper": figures.hyper,
        "episodes_hyper_l2": figures.hyper_level_2,
    })
}
