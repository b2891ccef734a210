//! A vital over time in braille, with its limits. Holes stay holes: nothing is drawn where nothing was measured.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use medmon_api::vitals::{Point, Series};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Context, Line as Stroke, Points};

/// What a chart needs beside the figures.
pub struct Chart<'a> {
    /// The figures.
    pub series: &'a Series,
    /// Lines to draw, in the vital's unit.
    pub limits: &'a [f64],
    /// Moments to draw.
    pub marks: &'a [Timestamp],
    /// The zone of the times below.
    pub zone: &'a TimeZone,
    /// What to write where there is nothing.
    pub no_data: &'a str,
    /// Of the figures.
    pub style: Style,
    /// Of scales, limits and holes.
    pub quiet: Style,
}

impl Chart<'_> {
    /// The span shown: all that was asked for, or less where the figures begin later.
    fn span(&self) -> (f64, f64) {
        let (since, until) = (seconds(self.series.since), seconds(self.series.until));
        let first = self.series.points.first().map_or(since, |point| seconds(point.at));
        // At least ten minutes, so that two points are no mountain range; but not more than was asked for.
        let from = first.max(since).min((until - 600.0).max(since));
        (from, until)
    }

    /// The values shown: those measured and the limits near them.
    fn values(&self) -> (f64, f64) {
        let points = &self.series.points;
        let low = points.iter().map(|point| point.mean).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(|point| point.mean).fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return (0.0, 1.0);
        }
        let margin = ((high - low) * 0.1).max(0.5);
        // No scale below what the vital can be: no activity is none.
        let floor = self.series.vital.info().map_or(f64::NEG_INFINITY, |row| row.min);
        ((low - margin).max(floor.min(low)), high + margin)
    }
}

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let (low, high) = self.values();
        let (from, to) = self.span();
        if area.height < 3 || area.width < 16 {
            return;
        }
        if self.series.points.is_empty() {
            let middle = Rect { y: area.y + area.height / 2, height: 1, ..area };
            return Line::styled(self.no_data, self.quiet).centered().render(middle, buf);
        }
        let [body, below] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(area);
        let [scale, plot] = Layout::horizontal([Constraint::Length(7), Constraint::Min(1)]).areas(body);
        for y in body.top()..body.bottom() {
            buf.set_string(scale.right() - 1, y, "┤", self.quiet);
        }
        for (value, y) in [(high, body.top()), (low, body.bottom() - 1)] {
            buf.set_string(scale.x, y, format!("{:>6}", self.series.vital.show(value)), self.quiet);
        }
        let row = |value: f64| {
            let share = (high - value) / (high - low);
            (0.0..=1.0).contains(&share).then(|| plot.y + (share * f64::from(plot.height - 1)).round() as u16)
        };
        for y in self.limits.iter().filter_map(|limit| row(*limit)) {
            for x in (plot.left()..plot.right()).step_by(2) {
                buf.set_string(x, y, "-", self.quiet);
            }
        }
        let column = |at: f64| {
            let share = ((at - from) / (to - from)).clamp(0.0, 1.0);
            plot.x + (share * f64::from(plot.width - 1)).round() as u16
        };
        for x in self.marks.iter().map(|at| column(seconds(*at))) {
            for y in plot.top()..plot.bottom() {
                buf.set_string(x, y, "┊", self.quiet);
            }
        }
        for gap in &self.series.gaps {
            let (left, right) = (column(seconds(gap.from_at)), column(seconds(gap.to_at)));
            draw_hole(left + 1, right, plot, &self, buf);
        }
        let style = self.style;
        let runs = runs(self.series);
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([from, to])
            .y_bounds([low, high])
            .paint(move |canvas| runs.iter().for_each(|run| draw_run(run, style, canvas)))
            .render(plot, buf);
        let times = [0.0, 0.25, 0.5, 0.75].map(|share| {
            let at = Timestamp::from_second((from + share * (to - from)) as i64).unwrap_or(self.series.since);
            (
                plot.x + (share * f64::from(plot.width)) as u16,
                at.to_zoned_datetime(self.zone.clone()).strftime("%H:%M").to_string(),
            )
        });
        let step = if plot.width < 32 { 2 } else { 1 };
        for (x, text) in times.into_iter().step_by(step) {
            buf.set_stringn(x, below.y, text, usize::from(below.right().saturating_sub(x)), self.quiet);
        }
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}

/// Where a point stands: in the middle of its step.
fn place(point: &Point) -> (f64, f64) {
    (seconds(point.at) + f64::from(point.span_s) / 2.0, point.mean)
}

/// Points without a hole between them.
fn runs(series: &Series) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut before: Option<&Point> = None;
    for point in &series.points {
        let hole = before.is_none_or(|before| {
            series
                .gaps
                .iter()
                .any(|gap| gap.from_at >= before.at && gap.from_at <= point.at && gap.to_at <= point.last_at)
        });
        match runs.last_mut().filter(|_| !hole) {
            Some(run) => run.push(place(point)),
            None => runs.push(vec![place(point)]),
        }
        before = Some(point);
    }
    runs
}

fn draw_run(run: &[(f64, f64)], style: Style, canvas: &mut Context<'_>) {
    let color = style.fg.unwrap_or_default();
    for pair in run.windows(2) {
        canvas.draw(&Stroke { x1: pair[0].0, y1: pair[0].1, x2: pair[1].0, y2: pair[1].1, color });
    }
    canvas.draw(&Points { coords: run, color });
}

fn draw_hole(left: u16, right: u16, plot: Rect, chart: &Chart<'_>, buf: &mut Buffer) {
    let width = usize::from(right.saturating_sub(left));
    if width == 0 {
        return;
    }
    let text = format!(" {} ", chart.no_data);
    let free = width.saturating_sub(text.chars().count());
    let line = if free >= 2 {
        format!("{}{text}{}", "░".repeat(free / 2), "░".repeat(free - free / 2))
    } else {
        "░".repeat(width)
    };
    buf.set_stringn(left, plot.y + plot.height / 2, line, width, chart.quiet);
}

/// The same as plain text, for the command line.
pub fn to_text(series: &Series, zone: &TimeZone, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    let style = Style::new();
    Chart { series, limits: &[], marks: &[], zone, no_data: "no data", style, quiet: style }.render(area, &mut buf);
    let mut text = format!("{} in {}, coverage {:.0} %\n", series.vital, series.unit, series.coverage.abs() * 100.0);
    for y in 0..height {
        let line: String = (0..width).map(|x| buf[(x, y)].symbol()).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}
