//! Windows into points of a chart: steps, coverage, holes. Pure.

use medmon_api::time;
use medmon_api::vitals::{Hole, Point};
use medmon_core::noun::{Gap, Settings, UtcUs, Vital, Window};

use super::recent::last_us;

/// Windows, by start, gathered into steps of `step_s`, aligned to UTC; without a step, each window is a point.
pub fn points(vital: Vital, windows: &[Window], step_s: Option<u32>, settings: &Settings) -> Vec<Point> {
    let Some(step_s) = step_s else {
        let alone =
            |window: &Window| point(vital, window.start_us, window.span_s, std::slice::from_ref(window), settings);
        return windows.iter().map(alone).collect();
    };
    let step_us = i64::from(step_s.max(1)) * 1_000_000;
    let mut points = Vec::new();
    let mut rest = windows;
    while let Some(first) = rest.first() {
        let start_us = first.start_us.div_euclid(step_us) * step_us;
        let (step, after) = rest.split_at(rest.partition_point(|window| window.start_us - start_us < step_us));
        points.push(point(vital, start_us, step_s, step, settings));
        rest = after;
    }
    points
}

fn point(vital: Vital, start_us: UtcUs, span_s: u32, windows: &[Window], settings: &Settings) -> Point {
    let sum: f64 = windows.iter().map(|window| window.sum as f64).sum();
    let count: u64 = windows.iter().map(|window| u64::from(window.count)).sum();
    let newest = windows.iter().max_by_key(|window| (last_us(window), window.last));
    Point {
        at: time(start_us),
        span_s,
        min: vital.to_value(windows.iter().map(|window| window.min).min().unwrap_or(0)),
        max: vital.to_value(windows.iter().map(|window| window.max).max().unwrap_or(0)),
        mean: sum / count.max(1) as f64 / vital.scale(),
        count,
        last: vital.to_value(newest.map_or(0, |window| window.last)),
        last_at: time(newest.map_or(start_us, last_us)),
        coverage: (covered_s(vital, windows, settings) / f64::from(span_s.max(1))).min(1.0),
        suspect: windows.iter().map(|window| u64::from(window.suspect)).sum(),
    }
}

/// Seconds that windows cover; a single reading covers until the next is due.
fn covered_s(vital: Vital, windows: &[Window], settings: &Settings) -> f64 {
    let of = |window: &Window| {
        let span_s = if window.span_s == 0 { settings.cadence_s(vital) } else { window.span_s };
        f64::from(span_s) * f64::from(window.coverage.min(1000)) / 1000.0
    };
    // From 0.0: the sum of nothing is -0.0, and nobody wants to read a coverage of -0.
    windows.iter().map(of).fold(0.0, |sum, covered| sum + covered)
}

/// Share of a span that windows cover, 0-1.
pub fn coverage(vital: Vital, windows: &[Window], from_us: UtcUs, to_us: UtcUs, settings: &Settings) -> f64 {
    let span_s = (to_us - from_us).max(1) as f64 / 1e6;
    (covered_s(vital, windows, settings) / span_s).min(1.0)
}

/// What is missing in a span: what the gateway reported, and silences longer than the vital may keep.
pub fn holes(windows: &[Window], reported: &[Gap], from_us: UtcUs, to_us: UtcUs, silence_us: i64) -> Vec<Hole> {
    let mut holes: Vec<Hole> = reported
        .iter()
        .map(|gap| Hole { from_at: time(gap.from_us), to_at: time(gap.to_us), lost: Some(gap.lost) })
        .collect();
    let mut heard_us = from_us;
    let spans = windows.iter().map(|window| (window.start_us, window.end_us().max(last_us(window))));
    for (start_us, end_us) in spans.chain([(to_us, to_us)]) {
        if start_us - heard_us > silence_us {
            holes.push(Hole { from_at: time(heard_us), to_at: time(start_us), lost: None });
        }
        heard_us = heard_us.max(end_us);
    }
    holes.sort_by_key(|hole| (hole.from_at, hole.to_at));
    holes
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::Ieee;

    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    fn minute(index: i64, bpm: i32) -> Window {
        Window::of(Vital::HEART_RATE, index * MINUTE_US, bpm * 10, 500, true)
    }

    #[test]
    fn steps_keep_extremes_sums_and_the_newest() {
        let windows = [minute(0, 70), minute(1, 90), minute(5, 60)];
        let settings = Settings::default();
        let points = points(Vital::HEART_RATE, &windows, Some(300), &settings);
        let seen: Vec<_> = points.iter().map(|p| (p.min, p.max, p.mean, p.count, p.last, p.coverage)).collect();
        assert_eq!(seen, [(70.0, 90.0, 80.0, 2, 90.0, 0.2), (60.0, 60.0, 60.0, 1, 60.0, 0.1)]);
        assert_eq!(super::points(Vital::HEART_RATE, &windows, None, &settings).len(), 3);
        let share = coverage(Vital::HEART_RATE, &windows, 0, 10 * MINUTE_US, &settings);
        assert!((share - 0.15).abs() < 1e-9, "{share}");
        let nothing = coverage(Vital::HEART_RATE, &[], 0, 10 * MINUTE_US, &settings);
        assert!(nothing == 0.0 && nothing.is_sign_positive(), "{nothing}");
    }

    #[test]
    fn holes_are_what_was_reported_and_what_is_too_long_a_silence() {
        let windows = [minute(0, 70), minute(1, 90), minute(10, 60)];
        let gap =
            Gap { vital: Vital::HEART_RATE, device: Ieee(0), from_us: 30 * MINUTE_US, to_us: 31 * MINUTE_US, lost: 7 };
        let holes = holes(&windows, &[gap], 0, 12 * MINUTE_US, 2 * MINUTE_US);
        let seen: Vec<_> = holes.iter().map(|h| (h.from_at.as_microsecond() / MINUTE_US, h.lost)).collect();
        assert_eq!(seen, [(2, None), (30, Some(7))]);
        assert_eq!(super::holes(&[], &[], 0, 10 * MINUTE_US, MINUTE_US).len(), 1, "nothing at all is one hole");
    }
}
