//! Temperature: synthetic traces with fevers, hypothermia, baths and sensors that come off.

use std::fmt::Write as _;
use std::path::Path;

use medmon_core::detect::{Change, Finding};
use medmon_core::noun::{Condition, Vital};
use serde_json::json;

use crate::figures::{maybe, median, table};
use crate::heart_rate::{Event, events};
use crate::home::{Home, SECOND};
use crate::row;
use crate::table::{Table, files};

/// The folder of the traces.
pub const FOLDER: &str = "temperature";
/// An alarm so long after an event's end is still its, min.
const LATE_MIN: f64 = 15.0;
/// A sensor that came off is to be told within so much, min.
const OFF_MIN: f64 = 3.0;

/// Runs all traces: the lines of `temperature.jsonl`, and a table.
pub fn run(folder: &Path) -> anyhow::Result<(String, String)> {
    let truth = events(folder, "min")?;
    let (mut lines, mut notes) = (String::new(), String::new());
    let (mut found, mut expected, mut wrong, mut days, mut waits) = (0, 0, 0, 0.0, Vec::new());
    let (mut off, mut detached, mut off_soon) = (0, 0, 0);
    for (trace, path) in files(folder, ".csv")? {
        let table = Table::read(&path)?;
        let (Some(time), Some(heat)) = (table.find("t_min"), table.find("temp_c")) else { continue };
        let mut home = Home::new(&[Vital::TEMPERATURE], None, &[])?;
        let (mut first, mut last) = (None, 0.0);
        for row in table.rows() {
            let t = row.needed(time)?;
            let at = (t * 60e6).round() as i64;
            first.get_or_insert(t);
            last = t;
            if let Some(heat) = row.number(heat)? {
                home.scalar(Vital::TEMPERATURE, at, heat);
            }
            home.tick(at + SECOND);
        }
        days += (last - first.unwrap_or(last)) / 1440.0;
        let began = |conditions: &[Condition]| -> Vec<(f64, Condition)> {
            let begins = |finding: &&Finding| {
                conditions.contains(&finding.condition)
                    && match finding.change {
                        Change::Onset => true,
                        // A sensor that comes off in hypothermia is another condition of the same vital.
                        Change::Worsened => finding.condition == Condition::SensorOff,
                        Change::Cleared => false,
                    }
            };
            let begun = home.findings.iter().filter(begins);
            begun.map(|finding| (finding.at_mono_us as f64 / 60e6, finding.condition)).collect()
        };
        let (alarms, offs) = (began(&[Condition::Fever, Condition::Hypothermia]), began(&[Condition::SensorOff]));
        for (t, condition) in alarms.iter().chain(&offs) {
            let class = if *condition == Condition::SensorOff { "technical" } else { "physiological" };
            let _ = writeln!(lines, "{}", json!({"trace": trace, "t": t, "kind": condition.name(), "class": class}));
        }
        let known = truth.get(&trace).map_or(&[][..], Vec::as_slice);
        let within = |event: &Event, t: f64| (event.start..=event.end + LATE_MIN).contains(&t);
        let real = |event: &&Event| matches!(&*event.kind, "fever" | "hypothermia");
        for event in known.iter().filter(real) {
            expected += 1;
            match alarms.iter().find(|(t, condition)| within(event, *t) && condition.name() == event.kind) {
                Some((t, _)) => {
                    found += 1;
                    waits.push(t - event.start);
                }
                None => {
                    let _ = writeln!(notes, "{trace}: missed {} from {} min on", event.kind, event.start);
                }
            }
        }
        for (t, condition) in &alarms {
            let is_real = |event: &Event| within(event, *t) && condition.name() == event.kind;
            if !known.iter().any(is_real) {
                wrong += 1;
                let _ = writeln!(notes, "{trace}: {} at {t:.0} min is nothing", condition.name());
            }
        }
        for event in known.iter().filter(|event| event.kind == "artefact_detached") {
            let seen = offs.iter().map(|(t, _)| *t).find(|t| within(event, *t));
            detached += 1;
            off += usize::from(seen.is_some());
            off_soon += usize::from(seen.is_some_and(|t| t - event.start <= OFF_MIN));
            if seen.is_none() {
                let _ = writeln!(notes, "{trace}: detached at {} min and not seen", event.start);
            }
        }
    }
    let each = format!("{:.3}", f64::from(wrong) / days);
    let largest = waits.iter().copied().reduce(f64::max);
    let head = row![
        "found",
        "expected",
        "false",
        "days",
        "false a day",
        "latency median min",
        "largest min",
        "sensor off seen",
        "within 3 min",
        "of"
    ];
    let (days, middle, largest) = (format!("{days:.1}"), maybe(median(&waits), 0), maybe(largest, 0));
    let figures = row![found, expected, wrong, days, each, middle, largest, off, off_soon, detached];
    let text = format!(
        "Temperature, synthetic traces: fever and hypothermia of any priority from the start of an event to {LATE_MIN} min \
         after its end\n{}{notes}\n",
        table(&[head, figures])
    );
    Ok((lines, text))
}
