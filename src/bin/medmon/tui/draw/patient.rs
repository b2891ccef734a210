//! One patient: charts of the last day, alerts, feelings, reports.

use medmon_api::alert::Alert;
use medmon_api::board::BoardRow;
use medmon_api::limits::{InForce, LimitValue};
use medmon_api::vitals::{Series, Trend};
use medmon_core::noun::{Binding, Condition};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Widget};
use uuid::Uuid;

use super::chart::Chart;
use super::facts::stars;
use super::style::{PLAIN, Styles, TITLE};
use super::{clock, fit, seconds_since};
use crate::tui::app::{App, Record};
use crate::when::age;

/// Draws the screen of a patient.
pub fn draw(app: &App, patient: Uuid, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let Some(row) = app.row(patient) else {
        return Paragraph::new(format!("\n  {}", words.loading)).render(area, buf);
    };
    let [title, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    head(app, row, styles).render(title, buf);
    let Some(record) = app.record.as_ref().filter(|record| record.patient == patient) else {
        return Paragraph::new(format!("\n  {}", words.loading)).render(rest, buf);
    };
    let [charts, below] = Layout::vertical([Constraint::Percentage(60), Constraint::Min(6)]).areas(rest);
    let lines = Layout::vertical([Constraint::Ratio(1, 2); 2]).split(charts);
    for (line, pair) in lines.iter().zip(record.charts.chunks(2)) {
        let places = Layout::horizontal([Constraint::Ratio(1, 2); 2]).split(*line);
        for (place, series) in places.iter().zip(pair) {
            chart(app, row, record, series, styles, *place, buf);
        }
    }
    let [alerts, said] = Layout::vertical([Constraint::Ratio(1, 2); 2]).areas(below);
    draw_alerts(app, record, styles, alerts, buf);
    let [feelings, reports] = Layout::horizontal([Constraint::Ratio(1, 2); 2]).areas(said);
    let lines = record.feelings.iter().map(|feeling| {
        let pain = feeling.pain.map(|pain| format!(", {} {pain}/10", words.pain)).unwrap_or_default();
        format!("{} {} {}/5{pain} {}", day(app, feeling.at), words.mood, feeling.mood, feeling.text)
    });
    list(words.feelings, lines.collect(), app, styles, feelings, buf);
    let lines =
        record.reports.iter().map(|report| format!("{} {}: {}", day(app, report.at), report.author, report.text));
    list(words.reports, lines.collect(), app, styles, reports, buf);
}

/// Who it is, the worst that is open, and by whose gateway.
fn head<'a>(app: &App, row: &BoardRow, styles: Styles) -> Line<'a> {
    let words = app.look.words;
    let gateway = row.gateway.as_ref().map_or_else(
        || words.no_gateway.to_owned(),
        |gateway| {
            let settings = match (&gateway.settings, gateway.binding) {
                (_, Binding::Pending) | (InForce::Unbound, _) => words.unconfirmed.to_owned(),
                (InForce::InForce, _) => words.in_force.to_owned(),
                (InForce::Pending { since }, _) => format!("{} {}", words.pending_since, clock(app, *since)),
            };
            let since = gateway.since.to_zoned_datetime(app.look.zone.clone()).strftime("%-d %b").to_string();
            format!("{} {} {} {since} · {settings}", words.gateway, gateway.name, words.since)
        },
    );
    let mut spans = vec![
        Span::styled(format!(" {} ", app.name(row)), TITLE),
        Span::raw(format!("· {} {} · ", words.born, row.birth_year)),
    ];
    if let Some(alert) = row.alerts.first() {
        let calm = alert.acknowledged_ward.is_some() || alert.condition == Condition::Drill;
        let style = if calm { styles.calm() } else { styles.high() };
        let mark = if alert.acknowledged_ward.is_some() { "✓" } else { stars(alert.priority) };
        let since = age(seconds_since(app, alert.raised_at));
        spans.push(Span::styled(format!("{mark} {} {since}", words.condition(alert.condition, alert.vital)), style));
        spans.push(Span::raw(" · "));
    }
    spans.push(Span::styled(gateway, styles.quiet()));
    Line::from(spans)
}

fn chart(app: &App, row: &BoardRow, record: &Record, series: &Series, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let latest = row.vitals.iter().find(|latest| latest.vital == series.vital);
    let mut title = format!(" {}", words.vital(series.vital));
    if let Some(latest) = latest {
        let arrow = if latest.stale { "?" } else { latest.trend.map_or("", Trend::arrow) };
        let value = latest.vital.show(latest.value);
        title += &format!(" {value} {} {arrow} {}", latest.unit, age(latest.age_s + app.drift_s()));
    }
    let bounds = urgent(&record.limits, series);
    if let [low, high] = bounds[..]
        && area.width > 50
    {
        title += &format!(" · {} {low}…{high}", words.limits);
    }
    let stale = latest.is_none_or(|latest| latest.stale);
    let style = if stale { styles.old() } else { TITLE };
    let block = Block::bordered().title(Span::styled(format!("{title} "), style)).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    let figures = if stale { styles.old() } else { styles.low() };
    let quiet = styles.quiet();
    Chart { series, limits: &bounds, marks: &[], zone: &app.look.zone, no_data: words.no_data, style: figures, quiet }
        .render(inner, buf);
}

/// The urgent limits of a vital, low before high.
fn urgent(limits: &[LimitValue], series: &Series) -> Vec<f64> {
    let name = series.vital.to_string();
    let of = |side: &str| limits.iter().find(|row| row.key == format!("{name}.{side}_urgent")).map(|row| row.value);
    [of("low"), of("high")].into_iter().flatten().collect()
}

fn draw_alerts(app: &App, record: &Record, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let block = Block::bordered().title(format!(" {} ", words.alerts)).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    if record.alerts.is_empty() {
        return Line::styled(format!(" {}", words.none), styles.quiet()).render(inner, buf);
    }
    let at = record.alerts.iter().position(|alert| Some(alert.id) == app.selected_alert());
    let skip = at.map_or(0, |at| (at + 1).saturating_sub(usize::from(inner.height)));
    for (alert, y) in record.alerts.iter().skip(skip).zip(inner.top()..inner.bottom()) {
        let cursor = if Some(alert.id) == app.selected_alert() { "▌" } else { " " };
        let text = format!("{cursor}{}", alert_line(app, alert));
        let waits = alert.open && alert.acknowledged_ward.is_none() && alert.condition != Condition::Drill;
        let style = if waits { styles.high() } else { PLAIN };
        Line::styled(fit(&text, inner.width.into()), style).render(Rect { y, height: 1, ..inner }, buf);
    }
}

fn alert_line(app: &App, alert: &Alert) -> String {
    let words = app.look.words;
    let over = match alert.cleared_at {
        Some(at) => format!("{} {}", words.cleared, clock(app, at)),
        None => words.active.to_owned(),
    };
    let answered = match (&alert.acknowledged_ward, &alert.acknowledged_family) {
        (Some(ack), _) => format!("✓ {} {}", ack.by, clock(app, ack.at)),
        (None, Some(ack)) => format!("SMS OK {} · {}", ack.by, words.not_acknowledged),
        (None, None) => words.not_acknowledged.to_owned(),
    };
    let explanation = alert.explanation.as_deref().filter(|text| !text.is_empty()).map(|text| format!(": {text}"));
    let pager = alert.taken_over_by.as_deref().filter(|by| *by == "cloud" && alert.open);
    let pager = pager.map(|by| format!(" · {} {}", words.pager(by), words.pages_now));
    format!(
        "{} {:<3} {}{} · {over} · {answered}{}",
        day(app, alert.raised_at),
        stars(alert.priority),
        words.condition(alert.condition, alert.vital),
        explanation.unwrap_or_default(),
        pager.unwrap_or_default(),
    )
}

fn list(title: &str, lines: Vec<String>, app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let block = Block::bordered().title(format!(" {title} ")).border_style(styles.quiet());
    let inner = block.inner(area);
    block.render(area, buf);
    if lines.is_empty() {
        return Line::styled(format!(" {}", app.look.words.none), styles.quiet()).render(inner, buf);
    }
    for (text, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        let text = text.replace('\n', " ");
        Line::raw(fit(&format!(" {text}"), inner.width.into())).render(Rect { y, height: 1, ..inner }, buf);
    }
}

/// The time of day today, the day before that.
fn day(app: &App, at: jiff::Timestamp) -> String {
    let (zone, now) = (app.look.zone.clone(), app.server_now());
    let at = at.to_zoned_datetime(zone.clone());
    let today = at.date() == now.to_zoned_datetime(zone).date();
    at.strftime(if today { "%H:%M" } else { "%-d %b" }).to_string()
}
