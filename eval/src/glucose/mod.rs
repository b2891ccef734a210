//! Glucose: the figures of courses, and what is predicted of hypoglycaemia.

pub mod course;
pub mod train;

use std::fmt::Write as _;
use std::path::Path;

use medmon_core::analysis::glucose::{self, Figures};
use medmon_core::detect::glucose::Ahead;
use serde_json::{Map, Value, json};

use self::course::{Told, load};
use crate::figures::table;
use crate::row;

/// The folder of the courses.
pub const FOLDER: &str = "glucose";

/// Runs all courses: `glucose.json`, the lines of `hypo_prediction.jsonl`, a table.
pub fn run(folder: &Path) -> anyhow::Result<(String, String, String)> {
    let (mut figures, mut lines) = (Map::new(), String::new());
    let levels = row!["sensitivity", "false a day", "lead min", ">= 15 min"];
    let head =
        [row!["course", "days"], levels.clone(), row!["level 2:"], levels, row!["two < 54, false a day"]].concat();
    let mut rows = vec![head];
    let (mut pooled, mut pooled_days) = (<[Told; 3]>::default(), 0.0);
    for course in load(folder)? {
        let plain: Vec<_> = course.points.iter().map(|point| (point.0, point.2)).collect();
        figures.insert(course.name.clone(), glucose::figures(&plain).map_or(Value::Null, |figures| keys(&figures)));
        let alarms = course.alarms(Ahead::default())?;
        for alarm in alarms.iter().filter(|alarm| alarm.level < 3) {
            let line = json!({
                "trace": course.name,
                "t": course.points[alarm.point].1,
                "predicted_for": text(alarm.expected),
                "level": alarm.level,
                "limit_mg_dl": if alarm.level == 1 { 70.0 } else { 54.0 },
            });
            let _ = writeln!(lines, "{line}");
        }
        let (told, days) = (course.told(&alarms), course.days());
        if course.pooled {
            pooled.iter_mut().zip(&told).for_each(|(pooled, told)| pooled.add(told));
            pooled_days += days;
        }
        rows.push(line(&format!("{}{}", course.name, if course.pooled { "" } else { " *" }), days, &told));
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
