//! Continuous streams of acceleration: what a home would be told in them, the cancel window included.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use medmon_core::detect::Change;
use medmon_core::noun::{Condition, Vital};
use serde_json::json;

use super::PLACES;
use crate::figures::table;
use crate::home::{Home, SECOND};
use crate::row;
use crate::table::{Table, files};

/// Runs the streams in a folder: the lines of `streams.jsonl` and a table.
pub fn run(folder: &Path) -> anyhow::Result<(String, String)> {
    let mut lines = String::new();
    let mut rows = vec![row!["place", "streams", "hours", "falls told", "an hour"]];
    for (name, place) in PLACES {
        let (mut streams, mut seconds, mut told) = (0, 0.0, 0);
        for (owner, path) in files(folder, &format!("_{name}.csv"))? {
            let table = Table::read(&path)?;
            let time = table.column("t_s")?;
            let axes = [table.column("ax_g")?, table.column("ay_g")?, table.column("az_g")?];
            let mut home = Home::new(&[Vital::ACCELERATION], Some(place), &[])?;
            let (mut first, mut ticked, mut now) = (None, 0, 0);
            for row in table.rows() {
                let cells = [row.number(axes[0])?, row.number(axes[1])?, row.number(axes[2])?];
                let [Some(x), Some(y), Some(z)] = cells else { continue };
                let t = row.needed(time).with_context(|| "the time of a sample")?;
                now = (t * 1e6).round() as i64;
                first.get_or_insert(t);
                home.acceleration(now, [x, y, z]);
                if now - ticked >= SECOND / 2 {
                    ticked = now;
                    home.tick(now);
                }
            }
            seconds += now as f64 / 1e6 - first.unwrap_or(0.0);
            // What lies near the end has its time too.
            (1..=120).for_each(|half| home.tick(now + half * SECOND / 2));
            streams += 1;
            let fell = |finding: &&medmon_core::detect::Finding| {
                finding.condition == Condition::Fall && finding.change != Change::Cleared
            };
            for finding in home.findings.iter().filter(fell) {
                let t = finding.onset_mono_us as f64 / 1e6;
                told += 1;
                let _ = writeln!(lines, "{}", json!({"stream": format!("{owner}_{name}"), "t": t}));
            }
        }
        if streams > 0 {
            let hours = seconds / 3600.0;
            rows.push(row![name, streams, format!("{hours:.2}"), told, format!("{:.1}", f64::from(told) / hours)]);
        }
    }
    let head = "Continuous streams: falls told, after the 30 s in which a fall can be taken back";
    Ok((lines, format!("{head}\n{}\n", table(&rows))))
}
