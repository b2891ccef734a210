//! Heart rate: synthetic traces with events, wrist traces of healthy people, electrocardiograms.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use medmon_core::detect::Change;
use medmon_core::noun::{Condition, Priority, Vital};
use serde_json::{Value, json};

use crate::figures::{maybe, median, table};
use crate::home::{Home, SECOND, micros};
use crate::row;
use crate::table::{Table, files};

/// The folder of the traces.
pub const FOLDER: &str = "heart_rate";
/// An alarm so long after an event's end is still its, s: the medians look back.
const LATE_S: f64 = 30.0;
/// The truth of the synthetic set: 50 and 120. The lesser limits are kept out of the way.
const SYNTHETIC: [(&str, f64); 4] = [
    ("heart_rate.low_urgent", 50.0),
    ("heart_rate.low", 50.1),
    ("heart_rate.high", 119.9),
    ("heart_rate.high_urgent", 120.0),
];

/// An event that is known to be in a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// In the trace's own unit.
    pub start: f64,
    /// Likewise.
    pub end: f64,
    /// As in the file.
    pub kind: String,
}

/// The events of all traces in a folder, by trace; none where nobody wrote them down.
pub fn events(folder: &Path, unit: &str) -> anyhow::Result<BTreeMap<String, Vec<Event>>> {
    let path = folder.join("synth_events.csv");
    let mut all: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    if !path.exists() {
        return Ok(all);
    }
    let table = Table::read(&path)?;
    let (trace, kind) = (table.column("trace")?, table.column("event")?);
    let (start, end) = (table.column(&format!("start_{unit}"))?, table.column(&format!("end_{unit}"))?);
    for row in table.rows() {
        let event = Event { start: row.needed(start)?, end: row.needed(end)?, kind: row.text(kind).to_owned() };
        all.entry(row.text(trace).to_owned()).or_default().push(event);
    }
    Ok(all)
}

/// An alarm that began.
#[derive(Clone, Debug)]
struct Alarm {
    at_s: f64,
    /// As in the trace.
    t: Value,
    condition: Condition,
}

/// One trace: the alarms in it, whether its sensor knows about movement, and how long it is, s.
struct Trace {
    alarms: Vec<Alarm>,
    motion: bool,
    seconds: f64,
}

fn run_trace(path: &Path, synthetic: bool) -> anyhow::Result<Option<Trace>> {
    let table = Table::read(path)?;
    let (Some(rate), Some(time)) = (table.find("hr_bpm"), table.find("t_s").or_else(|| table.find("time"))) else {
        return Ok(None);
    };
    let motion = table.find("motion_g");
    let vitals: &[Vital] =
        if motion.is_some() { &[Vital::HEART_RATE, Vital::ACCELERATION] } else { &[Vital::HEART_RATE] };
    let mut home = Home::new(vitals, None, if synthetic { &SYNTHETIC } else { &[] })?;
    let (mut alarms, mut first, mut last) = (Vec::new(), None, 0);
    for row in table.rows() {
        let at = micros(row, time)?;
        // Of dates only what has passed; seconds stay as they are, since events are told in them.
        let began = *first.get_or_insert(at);
        let at = if row.text(time).parse::<f64>().is_ok() { at } else { at - began };
        let seen = home.findings.len();
        if let Some(motion) = motion.map(|column| row.number(column)).transpose()?.flatten() {
            home.acceleration(at, [0.0, 0.0, 1.0 + motion]);
        }
        if let Some(rate) = row.number(rate)? {
            home.scalar(Vital::HEART_RATE, at, rate);
        }
        home.tick(at + SECOND / 2);
        last = at;
        let urgent = home.findings[seen..].iter();
        let urgent = urgent.filter(|found| found.priority == Priority::High && found.change != Change::Cleared);
        let t = row.text(time);
        let t = t.parse::<f64>().map_or_else(|_| json!(t), |t| json!(t));
        alarms.extend(urgent.map(|found| Alarm { at_s: at as f64 / 1e6, t: t.clone(), condition: found.condition }));
    }
    Ok(Some(Trace { alarms, motion: motion.is_some(), seconds: last as f64 / 1e6 }))
}

fn name(condition: Condition) -> &'static str {
    if condition == Condition::Bradycardia { "bradycardia" } else { "tachycardia" }
}

/// Runs all traces: the lines of `heart_rate.jsonl`, and tables.
pub fn run(folder: &Path) -> anyhow::Result<(String, String)> {
    let truth = events(folder, "s")?;
    let mut lines = String::new();
    let mut plain =
        vec![row!["trace", "limits", "motion", "days", "urgent alarms", "a day", "bradycardia", "tachycardia"]];
    let (mut found, mut expected, mut wrong, mut days, mut waits) = (0, 0, 0, 0.0, Vec::new());
    let mut notes = String::new();
    for (trace, path) in files(folder, ".csv")? {
        let known = truth.get(&trace);
        let synthetic = known.is_some() || trace.starts_with("synth_hr");
        let Some(Trace { alarms, motion, seconds }) = run_trace(&path, synthetic)? else { continue };
        for alarm in &alarms {
            let _ = writeln!(lines, "{}", json!({"trace": trace, "t": alarm.t, "kind": name(alarm.condition)}));
        }
        let count = |kind: &str| alarms.iter().filter(|alarm| name(alarm.condition) == kind).count();
        if !synthetic {
            let (limits, motion) = ("default", if motion { "known" } else { "unknown" });
            let (each, long) = (alarms.len() as f64 / (seconds / 86_400.0), format!("{:.2}", seconds / 86_400.0));
            let kinds = [count("bradycardia"), count("tachycardia")];
            plain.push(row![trace, limits, motion, long, alarms.len(), format!("{each:.2}"), kinds[0], kinds[1]]);
            continue;
        }
        days += seconds / 86_400.0;
        let known = known.map_or(&[][..], Vec::as_slice);
        let real = |event: &&Event| matches!(&*event.kind, "bradycardia" | "tachycardia_at_rest");
        let hits = |event: &Event, alarm: &Alarm| {
            event.kind.starts_with(name(alarm.condition)) && (event.start..=event.end + LATE_S).contains(&alarm.at_s)
        };
        for event in known.iter().filter(real) {
            expected += 1;
            match alarms.iter().find(|alarm| hits(event, alarm)) {
                Some(alarm) => {
                    found += 1;
                    waits.push(alarm.at_s - event.start);
                }
                None => {
                    let _ = writeln!(notes, "{trace}: missed {} from {} s on", event.kind, event.start);
                }
            }
        }
        for alarm in alarms.iter().filter(|alarm| !known.iter().filter(real).any(|event| hits(event, alarm))) {
            wrong += 1;
            let _ = writeln!(notes, "{trace}: {} at {} s is nothing", name(alarm.condition), alarm.at_s);
        }
    }
    let head = row!["found", "expected", "false", "days", "false a day", "latency median s", "largest s"];
    let each = format!("{:.2}", f64::from(wrong) / days);
    let largest = waits.iter().copied().reduce(f64::max);
    let figures = row![found, expected, wrong, format!("{days:.1}"), each, maybe(median(&waits), 0), maybe(largest, 0)];
    let text = format!(
        "Heart rate, synthetic traces with limits 50 and 120: urgent alarms of the right kind from the start of an event \
         to {LATE_S} s after its end\n{}{notes}\nHeart rate, people: urgent alarms\n{}\n",
        table(&[head, figures]),
        table(&plain)
    );
    Ok((lines, text))
}
