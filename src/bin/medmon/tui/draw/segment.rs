//! The raw readings around an alert: a chart for each series, with the onset and the raising. The command line prints
//! them on one line each.

use jiff::{SignedDuration, Timestamp};
use medmon_api::alert::{Alert, AlertSegment, RawSeries};
use medmon_api::vitals::{Hole, Point, Series};
use medmon_core::noun::{Class, Condition};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget};
use uuid::Uuid;

use super::chart::Chart;
use super::style::{Styles, TITLE};
use crate::tui::app::App;

/// Points of a chart at most, about: two of each group, so that no peak is lost.
const POINTS: usize = 1000;
/// No point for so many of a sensor's usual steps, and so long at least, is a hole.
const STEPS: i32 = 5;
const HOLE: SignedDuration = SignedDuration::from_secs(5);

/// Whether a segment is to be expected: of the body, and for who sees figures.
pub fn has(alert: &Alert) -> bool {
    alert.class == Class::Physiological && alert.condition != Condition::Drill && alert.explanation.is_some()
}

/// Draws them side by side, the alert's own vital first.
pub fn draw(app: &App, alert: &Alert, segment: &AlertSegment, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let count = segment.series.len().max(1) as u32;
    let places = Layout::horizontal(vec![Constraint::Ratio(1, count); count as usize]).split(area);
    for (raw, place) in ordered(segment, alert).zip(places.iter()) {
        let time = |at: Timestamp| at.to_zoned_datetime(app.look.zone.clone()).strftime("%H:%M:%S").to_string();
        let cut = if segment.cut { format!(" · {}", words.incomplete) } else { String::new() };
        let title = format!(" {} {}", words.vital(raw.vital), raw.unit);
        let onset = time(alert.onset_at);
        let marks = format!("{cut} · ┊ {} {onset} · ┊ {} ", words.onset, words.raised);
        let title = Line::from(vec![Span::styled(title, TITLE), Span::raw(marks)]);
        let block = Block::bordered().title(title).border_style(styles.quiet());
        let inner = block.inner(*place);
        block.render(*place, buf);
        let (series, quiet) = (series(raw, segment), styles.quiet());
        let (zone, no_data, style) = (&app.look.zone, words.no_data, styles.low());
        let marks = &[alert.onset_at, alert.raised_at];
        Chart { series: &series, limits: &[], marks, zone, no_data, style, quiet }.render(inner, buf);
    }
}

/// The alert's own vital before the others.
fn ordered<'a>(segment: &'a AlertSegment, alert: &Alert) -> impl Iterator<Item = &'a RawSeries> {
    let mut series: Vec<_> = segment.series.iter().collect();
    series.sort_by_key(|raw| raw.vital != alert.vital);
    series.into_iter()
}

/// As the charts take it.
fn series(raw: &RawSeries, segment: &AlertSegment) -> Series {
    let point = |&(at, value): &(Timestamp, f64)| Point {
        at,
        span_s: 0,
        min: value,
        mean: value,
        max: value,
        last: value,
        last_at: at,
        count: 1,
        coverage: 1.0,
        suspect: 0,
    };
    let by_value = |a: &&(Timestamp, f64), b: &&(Timestamp, f64)| a.1.total_cmp(&b.1);
    let ends = |group: &[(Timestamp, f64)]| {
        let mut ends: Vec<_> = group.iter().min_by(by_value).into_iter().chain(group.iter().max_by(by_value)).collect();
        ends.sort_by_key(|(at, _)| *at);
        ends.dedup();
        ends.into_iter().map(point).collect::<Vec<_>>()
    };
    let step = |pair: &[(Timestamp, f64)]| pair[1].0.duration_since(pair[0].0);
    let mut steps: Vec<_> = raw.points.windows(2).map(step).collect();
    steps.sort_unstable();
    let longest = steps.get(steps.len() / 2).map_or(HOLE, |usual| (*usual * STEPS).max(HOLE));
    let hole = |pair: &[(Timestamp, f64)]| {
        (step(pair) > longest).then_some(Hole { from_at: pair[0].0, to_at: pair[1].0, lost: None })
    };
    Series {
        patient: Uuid::nil(),
        vital: raw.vital,
        unit: raw.unit.clone(),
        since: segment.from,
        until: segment.to,
        step_s: None,
        coverage: 1.0,
        points: raw.points.chunks(raw.points.len().div_ceil(POINTS).max(1)).flat_map(ends).collect(),
        gaps: raw.points.windows(2).filter_map(hole).collect(),
    }
}

/// Lines for a terminal, `width` letters wide: each series, and below where the onset (`o`) and the raising (`r`) are.
/// Of the points that share a letter the one farthest from the mean counts.
pub fn to_text(segment: &AlertSegment, alert: &Alert, width: usize) -> String {
    let at = |time: Timestamp| {
        let (from, to) =
            (segment.from.as_microsecond(), segment.to.as_microsecond().max(segment.from.as_microsecond() + 1));
        let share = (time.as_microsecond() - from) as f64 / (to - from) as f64;
        (share.clamp(0.0, 1.0) * (width.max(1) - 1) as f64) as usize
    };
    let mut text = String::new();
    for raw in ordered(segment, alert) {
        let values = raw.points.iter().map(|(_, value)| *value);
        let mean = values.clone().sum::<f64>() / raw.points.len().max(1) as f64;
        let (low, high) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
        let mut letters = vec![None::<f64>; width.max(1)];
        for &(time, value) in &raw.points {
            let letter = &mut letters[at(time)];
            if letter.is_none_or(|before| (value - mean).abs() > (before - mean).abs()) {
                *letter = Some(value);
            }
        }
        let bar = |value: f64| {
            let share = if high > low { (value - low) / (high - low) } else { 0.0 };
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][((share * 7.0).round() as usize).min(7)]
        };
        let line: String = letters.into_iter().map(|value| value.map_or(' ', bar)).collect();
        let (show, count) = (|value: f64| raw.vital.show(value), raw.points.len());
        text += &format!("{} {} {} to {} {}, {count} points\n", raw.vital, raw.device, show(low), show(high), raw.unit);
        text += &format!("{}\n", line.trim_end());
    }
    let mut marks = vec![' '; width.max(1)];
    marks[at(alert.onset_at)] = 'o';
    marks[at(alert.raised_at)] = 'r';
    text += &format!("{}\n", marks.into_iter().collect::<String>().trim_end());
    text
}
