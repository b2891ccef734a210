//! The last windows of every subject in memory: the newest value and which way it goes, without touching the disk.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use medmon_api::time;
use medmon_api::vitals::{Latest, Trend};
use medmon_core::noun::{Settings, UtcUs, Vital, Window};
use uuid::Uuid;

/// Windows of one vital at most: a sensor of one reading a second would otherwise keep 3600.
const MAX: usize = 240;

/// The last windows of one vital, by start and span: as many as its trend is judged by, at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail(Vec<Window>);

impl Tail {
    /// Takes a part in. Parts come in any order, each once.
    pub fn take(&mut self, part: &Window) {
        let kept_us = trend_rule(part.vital).map_or(0, |(over_s, _)| over_s * 1_000_000);
        let newest = self.0.last().map_or(part.start_us, |window| window.start_us).max(part.start_us);
        let since = newest.saturating_sub(kept_us);
        // What was let go, or would be at once, must not come back as a part of itself.
        let let_go = self.0.len() >= MAX && self.0.first().is_some_and(|oldest| part.start_us < oldest.start_us);
        if part.start_us < since || let_go {
            return;
        }
        match self.0.binary_search_by_key(&(part.start_us, part.span_s), |window| (window.start_us, window.span_s)) {
            Ok(at) => self.0[at].merge(part),
            Err(at) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(2);
                }
                self.0.insert(at, part.clone());
            }
        }
        let old = self.0.partition_point(|window| window.start_us < since).max(self.0.len().saturating_sub(MAX));
        self.0.drain(..old);
    }

    /// The windows, by start.
    pub fn windows(&self) -> &[Window] {
        &self.0
    }
}

/// The last windows of every subject: of a hundred thousand patients within 150 MiB.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// How often anything was taken in.
    changes: u64,
    subjects: HashMap<Uuid, Vitals>,
}

/// By vital.
#[derive(Debug, Default)]
struct Vitals {
    /// Which change was the last of theirs.
    version: u64,
    tails: Vec<(Vital, Tail)>,
}

impl Memory {
    fn change(&mut self, subject: Uuid) -> &mut Vec<(Vital, Tail)> {
        self.changes += 1;
        let vitals = self.subjects.entry(subject).or_default();
        vitals.version = self.changes;
        &mut vitals.tails
    }
}

impl Recent {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a part in that is new to the store. Parts come in any order, each once.
    pub fn take(&self, subject: Uuid, part: &Window) {
        let mut memory = self.memory();
        let vitals = memory.change(subject);
        let at = vitals.binary_search_by_key(&part.vital, |(vital, _)| *vital).unwrap_or_else(|at| {
            vitals.reserve_exact(1);
            vitals.insert(at, (part.vital, Tail::default()));
            at
        });
        vitals[at].1.take(part);
    }

    /// Puts what is known of a vital at a start.
    pub fn put(&self, subject: Uuid, vital: Vital, tail: Tail) {
        let mut memory = self.memory();
        let vitals = memory.change(subject);
        match vitals.binary_search_by_key(&vital, |(vital, _)| *vital) {
            Ok(at) => vitals[at].1 = tail,
            Err(at) => vitals.insert(at, (vital, tail)),
        }
    }

    /// Forgets a subject.
    pub fn erase(&self, subject: Uuid) {
        self.memory().subjects.remove(&subject);
    }

    /// The windows of a subject, by vital and start.
    pub fn of(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)> {
        let memory = self.memory();
        let rows = memory.subjects.get(&subject).into_iter().flat_map(|vitals| &vitals.tails);
        rows.map(|(vital, tail)| (*vital, tail.0.clone())).collect()
    }

    /// Another number whenever they may be others; 0 = there are none.
    pub fn version(&self, subject: Uuid) -> u64 {
        self.memory().subjects.get(&subject).map_or(0, |vitals| vitals.version)
    }
}

/// The newest value of a vital as shown at `now_us`.
pub fn latest(vital: Vital, windows: &[Window], settings: &Settings, now_us: UtcUs) -> Option<Latest> {
    let newest = windows.iter().max_by_key(|window| last_us(window))?;
    let at_us = last_us(newest);
    let age_s = (now_us - at_us).max(0) as u64 / 1_000_000;
    Some(Latest {
        vital,
        value: vital.to_value(newest.last),
        unit: vital.unit().into(),
        at: time(at_us),
        age_s,
        stale: age_s > stale_after_s(vital, settings),
        suspect: newest.suspect > 0,
        trend: trend(vital, windows),
    })
}

/// A value is old here once it would be at home, plus the window it travels in.
pub fn stale_after_s(vital: Vital, settings: &Settings) -> u64 {
    u64::from(settings.silence_s(vital)) + u64::from(vital.info().map_or(0, |row| row.window_s))
}

/// When the newest value of a window was read.
pub fn last_us(window: &Window) -> UtcUs {
    window.start_us.saturating_add(i64::from(window.last_ms) * 1000)
}

/// Over how long a trend is judged, in s, and how much in that time is one, in the vital's unit.
///
/// Heart rate: half the step between two NEWS2 bands; temperature: the hysteresis of CLINICAL.md; glucose: the flat
/// arrow of continuous sensors ends at 1 mg/dL/min.
fn trend_rule(vital: Vital) -> Option<(i64, f64)> {
    Some(match vital {
        Vital::HEART_RATE => (600, 10.0),
        Vital::TEMPERATURE => (1800, 0.3),
        Vital::GLUCOSE => (1200, 20.0),
        Vital::BATTERY_VOLTAGE => (3600, 0.1),
        _ => return None,
    })
}

/// Which way a vital goes: the least-squares line through its last means.
pub fn trend(vital: Vital, windows: &[Window]) -> Option<Trend> {
    let (over_s, enough) = trend_rule(vital)?;
    let newest = windows.last()?;
    let since = newest.start_us - over_s * 1_000_000;
    let points: Vec<(f64, f64)> = windows
        .iter()
        .filter(|window| window.start_us >= since && window.count > 0)
        .map(|window| ((window.start_us - newest.start_us) as f64 / 1e6, window.mean()))
        .collect();
    let spread_s = points.last()?.0 - points.first()?.0;
    // Three points over a third of the time at least: two neighbours are noise.
    if points.len() < 3 || spread_s * 3.0 < over_s as f64 {
        return None;
    }
    let n = points.len() as f64;
    let (mean_t, mean_v) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let covariance: f64 = points.iter().map(|p| (p.0 - mean_t) * (p.1 - mean_v)).sum();
    let variance: f64 = points.iter().map(|p| (p.0 - mean_t).powi(2)).sum();
    let change = covariance / variance * spread_s;
    // A short look back has to show as steep a line, not as large a change.
    let threshold = enough * spread_s / over_s as f64;
    Some(match change {
        change if change >= threshold => Trend::Rising,
        change if change <= -threshold => Trend::Falling,
        _ => Trend::Steady,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(values: &[i32]) -> Vec<Window> {
        let part = |(index, value): (usize, &i32)| {
            Window::of(Vital::HEART_RATE, index as i64 * 60_000_000 + 30_000_000, value * 10, 1000, true)
        };
        values.iter().enumerate().map(part).collect()
    }

    #[test]
    fn arrows_follow_the_line_not_the_last_beat() {
        let of = |values: &[i32]| trend(Vital::HEART_RATE, &minutes(values));
        assert_eq!(of(&[70, 72, 75, 78, 80, 83, 85]), Some(Trend::Rising));
        assert_eq!(of(&[85, 83, 80, 78, 75, 72, 70]), Some(Trend::Falling));
        assert_eq!(of(&[70, 71, 70, 69, 70, 70, 74]), Some(Trend::Steady));
        assert_eq!(of(&[70, 90]), None, "two points are noise");
        assert_eq!(trend(Vital::POSTURE, &minutes(&[1, 2, 3, 4, 5])), None);
    }

    #[test]
    fn parts_merge_once_and_old_ones_are_let_go_for_good() {
        let recent = Recent::default();
        let subject = Uuid::from_u128(1);
        let parts = minutes(&[70, 80]);
        let late = Window::of(Vital::HEART_RATE, 45_000_000, 900, 1000, true);
        for part in parts.iter().chain([&late]) {
            recent.take(subject, part);
        }
        let windows = recent.of(subject).remove(0).1;
        assert_eq!(windows.iter().map(|window| (window.count, window.max)).collect::<Vec<_>>(), [(2, 900), (1, 800)]);
        recent.take(subject, &Window::of(Vital::HEART_RATE, 660_000_000, 600, 1000, true));
        recent.take(subject, &late);
        let starts = recent.of(subject).remove(0).1.iter().map(|window| window.start_us).collect::<Vec<_>>();
        assert_eq!(starts, [60_000_000, 660_000_000], "ten minutes, as the trend of a heart asks");
    }

    #[test]
    fn a_value_says_its_age_and_when_it_is_too_old() {
        let windows = minutes(&[70]);
        let settings = Settings::default();
        let fresh = latest(Vital::HEART_RATE, &windows, &settings, 33_000_000).unwrap();
        assert_eq!((fresh.value, fresh.age_s, fresh.stale), (70.0, 3, false));
        let old = latest(Vital::HEART_RATE, &windows, &settings, 30_000_000 + 181_000_000).unwrap();
        assert!(old.stale);
    }
}
