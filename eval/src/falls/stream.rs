//! Continuous streams of acceleration: what a home would be told in them, the cancel window included.
//!
//! Where nobody recorded any, recordings of daily life are strung together, a person's after another.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use medmon_core::detect::{Change, Finding};
use medmon_core::noun::{Condition, Place, Vital};
use serde_json::json;

use super::change::{mean, turned};
use super::report::Placed;
use super::{PLACES, Recording, Samples};
use crate::figures::{rate, table};
use crate::home::{Home, SECOND};
use crate::row;
use crate::table::{Table, files};

/// The posture of a recording's end is that of its last second, and so at its beginning.
const POSTURE_S: f64 = 1.0;

/// What one person's sensor saw without a break.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Whose.
    pub owner: String,
    /// What the sensor saw.
    pub samples: Samples,
}

/// Runs the streams in a folder: the lines of `streams.jsonl` and a table.
pub fn run(folder: &Path) -> anyhow::Result<(String, String)> {
    let mut lines = String::new();
    let mut placed = Vec::new();
    for (name, place) in PLACES {
        let mut streams = Vec::new();
        for (owner, path) in files(folder, &format!("_{name}.csv"))? {
            let samples = load(&path)?;
            for t in told(&samples, place)? {
                let _ = writeln!(lines, "{}", json!({"stream": format!("{owner}_{name}"), "t": t}));
            }
            streams.push(Stream { owner, samples });
        }
        placed.push((name, place, streams));
    }
    let head = "Continuous streams: falls told, after the 30 s in which a fall can be taken back";
    Ok((lines, format!("{head}\n{}\n", rows(&placed)?)))
}

fn load(path: &Path) -> anyhow::Result<Samples> {
    let table = Table::read(path)?;
    let time = table.column("t_s")?;
    let axes = [table.column("ax_g")?, table.column("ay_g")?, table.column("az_g")?];
    let mut samples = Samples::new();
    for row in table.rows() {
        let cells = [row.number(axes[0])?, row.number(axes[1])?, row.number(axes[2])?];
        let [Some(x), Some(y), Some(z)] = cells else { continue };
        samples.push((row.needed(time).with_context(|| "the time of a sample")?, [x, y, z]));
    }
    Ok(samples)
}

/// The table of daily life strung together; empty where nobody recorded any.
pub fn daily_life(all: &[Placed]) -> anyhow::Result<String> {
    let placed: Vec<_> = all.iter().map(|(name, place, recordings)| (*name, *place, strung(recordings))).collect();
    if placed.iter().all(|(.., streams)| streams.is_empty()) {
        return Ok(String::new());
    }
    let head = "Daily life strung together: falls told, after the 30 s in which a fall can be taken back. Each person's \
                recordings one after another, each turned into the posture the one before ended in, so that nothing \
                jumps. Staged and dense (no sitting for an hour, no night), told by the detector that was fitted to \
                these people: a bound for activity like this, not a figure of days at home";
    Ok(format!("{head}\n{}\n", rows(&placed)?))
}

/// A stream of each person's daily life, in the order of the recordings, by person.
pub fn strung(recordings: &[Recording]) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for recording in recordings.iter().filter(|recording| recording.fall == Some(false)) {
        match streams.iter_mut().find(|stream| stream.owner == recording.subject) {
            Some(stream) => append(&mut stream.samples, &recording.samples),
            None => {
                let (owner, samples) = (recording.subject.clone(), recording.samples.clone());
                streams.push(Stream { owner, samples });
            }
        }
    }
    streams
}

/// What follows begins a usual step later, turned as a whole: the detector does not care which way is up.
fn append(stream: &mut Samples, next: &Samples) {
    let (Some(&(end, _)), Some(&(begin, _)), Some(&(last, _))) = (stream.last(), next.first(), next.last()) else {
        return;
    };
    let step = (last - begin) / (next.len().max(2) - 1) as f64;
    let before = mean(stream.iter().rev().take_while(|sample| sample.0 >= end - POSTURE_S).map(|sample| sample.1));
    let after = mean(next.iter().take_while(|sample| sample.0 <= begin + POSTURE_S).map(|sample| sample.1));
    stream.extend(next.iter().map(|(t, axes)| (end + step + t - begin, turned(*axes, after, before))));
}

/// When a home is told of a fall, s as in the stream.
fn told(samples: &Samples, place: Place) -> anyhow::Result<Vec<f64>> {
    let mut home = Home::new(&[Vital::ACCELERATION], Some(place), &[])?;
    let (mut ticked, mut now) = (0, 0);
    for (t, axes) in samples {
        now = (t * 1e6).round() as i64;
        home.acceleration(now, *axes);
        if now - ticked >= SECOND / 2 {
            ticked = now;
            home.tick(now);
        }
    }
    // What lies near the end has its time too.
    (1..=120).for_each(|half| home.tick(now + half * SECOND / 2));
    let fell = |finding: &&Finding| finding.condition == Condition::Fall && finding.change != Change::Cleared;
    Ok(home.findings.iter().filter(fell).map(|finding| finding.onset_mono_us as f64 / 1e6).collect())
}

fn rows(placed: &[(&str, Place, Vec<Stream>)]) -> anyhow::Result<String> {
    let mut rows = vec![row!["place", "streams", "hours", "falls told", "an hour (95 %)", "of whom"]];
    for (name, place, streams) in placed.iter().filter(|(.., streams)| !streams.is_empty()) {
        let (mut seconds, mut count, mut whom) = (0.0, 0, String::new());
        for Stream { owner, samples } in streams {
            let told = told(samples, *place)?.len();
            if let (Some(first), Some(last)) = (samples.first(), samples.last()) {
                seconds += last.0 - first.0;
            }
            count += told;
            if told > 0 {
                let _ = write!(whom, "{owner} {told} ");
            }
        }
        let hours = seconds / 3600.0;
        rows.push(row![name, streams.len(), format!("{hours:.2}"), count, rate(count, hours), whom.trim_end()]);
    }
    Ok(table(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 15 s at 20 Hz in a posture, into another one from 7 s on.
    fn recording(name: &str, fall: bool, first: [f64; 3], then: [f64; 3]) -> Recording {
        let samples = (0..300).map(|index| (f64::from(index) / 20.0, if index < 140 { first } else { then })).collect();
        Recording { name: name.into(), subject: name[..3].into(), fall: Some(fall), samples }
    }

    #[test]
    fn what_is_strung_together_goes_on_without_a_jump() {
        let (up, forward, aside) = ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]);
        let all = [
            recording("U01_D_a", false, up, forward),
            recording("U02_D_b", false, aside, up),
            recording("U01_F_c", true, up, aside),
            recording("U01_D_d", false, aside, up),
        ];
        let streams = strung(&all);
        let owners: Vec<_> = streams.iter().map(|stream| (stream.owner.as_str(), stream.samples.len())).collect();
        assert_eq!(owners, [("U01", 600), ("U02", 300)], "daily life only, each person's own");
        let stream = &streams[0].samples;
        assert!(stream.windows(2).all(|pair| (pair[1].0 - pair[0].0 - 0.05).abs() < 1e-9));
        let moved =
            |pair: &[(f64, [f64; 3])]| (0..3).map(|axis| (pair[1].1[axis] - pair[0].1[axis]).abs()).sum::<f64>();
        let jumps: Vec<_> = (1..600).filter(|&index| moved(&stream[index - 1..=index]) > 1e-9).collect();
        assert_eq!(jumps, [140, 440], "only those that were recorded");
    }
}
