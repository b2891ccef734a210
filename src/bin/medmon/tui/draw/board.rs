//! The ward board: groups, worst and unacknowledged first; a row answers who, since when, what, how it is, who was told.

use medmon_api::alert::Alert;
use medmon_api::board::{BoardRow, Section};
use medmon_api::vitals::{Latest, Trend};
use medmon_core::ladder::LEASE_US;
use medmon_core::noun::{Class, Condition, Priority, Vital};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::style::{PLAIN, Styles, TITLE};
use super::{clock, columns, fit, seconds_since};
use crate::tui::app::{App, lit, urgency};
use crate::when::age;

/// The vitals with a column of their own, where there is room.
const COLUMNS: [Vital; 4] = [Vital::HEART_RATE, Vital::TEMPERATURE, Vital::GLUCOSE, Vital::ACTIVITY];
/// "HR  118 ↗  3s" and a space.
const VALUE: usize = 14;

/// From this width on, what is the matter is said at length.
const ROOMY: usize = 40;

/// How wide what is.
struct Widths {
    name: usize,
    what: usize,
    values: usize,
    told: usize,
}

impl Widths {
    fn of(width: usize) -> Self {
        let (name, values, told) = match width {
            0..100 => (21, 1, 11),
            100..150 => (23, 3, 18),
            150..180 => (26, 4, 22),
            _ => (28, 4, 32),
        };
        let fixed = 16 + name + 1 + values * VALUE + told;
        Self { name, what: width.saturating_sub(fixed + 1), values, told }
    }
}

/// Draws the board.
pub fn draw(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let rows = app.rows();
    if rows.is_empty() {
        let text = match (app.board(), &app.unanswered) {
            (Some(board), _) if board.rows.is_empty() => words.no_patients,
            (Some(_), _) => words.nobody_matches,
            (None, Some(why)) => why,
            (None, None) => words.connecting,
        };
        return Paragraph::new(format!("\n  {text}")).render(area, buf);
    }
    let widths = Widths::of(area.width.into());
    let selected = app.selected().map(|row| row.patient);
    let (mut lines, mut last_of_selected) = (Vec::new(), 0);
    let mut section = None;
    for row in rows {
        if section != Some(row.section) {
            section = Some(row.section);
            let title = format!("─ {} ", words.section(row.section));
            let rest = "─".repeat(usize::from(area.width).saturating_sub(title.chars().count()));
            lines.push(Line::styled(title + &rest, styles.quiet()));
        }
        let is_selected = selected == Some(row.patient);
        lines.push(line(app, styles, row, is_selected, &widths));
        if is_selected {
            lines.push(more(app, styles, row, &widths, area.width.into()));
            last_of_selected = lines.len();
        }
    }
    // As little scrolled as the selection needs.
    let skip = last_of_selected.saturating_sub(usize::from(area.height));
    for (line, y) in lines.into_iter().skip(skip).zip(area.top()..area.bottom()) {
        line.render(Rect { y, height: 1, ..area }, buf);
    }
}

/// The mark of a row. It says priority and answer without colour.
fn mark(row: &BoardRow) -> &'static str {
    match (row.section, row.alerts.first().map(|alert| alert.priority)) {
        (Section::NeedsAnswer, Some(Priority::High)) => "***",
        (Section::NeedsAnswer, Some(Priority::Medium)) => "**",
        (Section::NeedsAnswer, _) => "*",
        (Section::NotHeard, _) => "?",
        (Section::Answered, _) => "✓",
        (Section::Calm, _) => "",
    }
}

fn mark_style(styles: Styles, row: &BoardRow) -> Style {
    match (row.section, row.alerts.first().map(|alert| alert.priority)) {
        (Section::NeedsAnswer, Some(Priority::High)) => styles.high(),
        (Section::NeedsAnswer, Some(Priority::Medium)) => styles.medium(),
        (Section::NeedsAnswer, _) => styles.low(),
        (Section::NotHeard, _) => styles.unknown(),
        (Section::Answered, _) => styles.calm(),
        (Section::Calm, _) => PLAIN,
    }
}

fn line<'a>(app: &App, styles: Styles, row: &BoardRow, selected: bool, widths: &Widths) -> Line<'a> {
    let alert = row.alerts.first();
    let style = mark_style(styles, row);
    let blinking = match urgency(row) {
        Some(priority) if lit(app.now, priority) => style.add_modifier(ratatui::style::Modifier::REVERSED),
        _ => style,
    };
    let (time, old) = match alert {
        Some(alert) => (clock(app, alert.raised_at), age(seconds_since(app, alert.raised_at))),
        None => ("–".to_owned(), String::new()),
    };
    let name = format!("{} {}", fit(&app.name(row), widths.name - 5).trim_end(), row.birth_year);
    // High blinks as a whole name, medium by its mark: nothing else on the board moves.
    let name_style = if urgency(row) == Some(Priority::High) { blinking } else { TITLE };
    let mut spans = vec![
        Span::styled(if selected { "▌" } else { " " }, TITLE),
        Span::styled(fit(mark(row), 3), blinking),
        Span::raw(format!(" {time:<5} {old:>3}  ")),
        Span::styled(fit(&name, widths.name), name_style),
        Span::raw(" "),
        Span::styled(fit(&what(app, row, widths), widths.what), if alert.is_some() { style } else { styles.quiet() }),
        Span::raw(" "),
    ];
    let shown = if widths.values == 1 { vec![leading(row)] } else { COLUMNS[..widths.values].to_vec() };
    for vital in shown {
        let latest = row.vitals.iter().find(|latest| latest.vital == vital);
        let alarmed = alert.is_some_and(|alert| alert.vital == vital && alert.cleared_at.is_none());
        let (text, stale) = value(app, vital, latest);
        let style = match (stale, alarmed) {
            (true, _) => styles.old(),
            (false, true) => style,
            (false, false) => PLAIN,
        };
        spans.push(Span::styled(fit(&text, VALUE), style));
    }
    spans.push(Span::styled(fit(&told(app, row, widths.told), widths.told), PLAIN));
    Line::from(spans)
}

/// The vital that matters most on a narrow row: the one in alarm, else the heart rate, else what there is.
fn leading(row: &BoardRow) -> Vital {
    let has = |vital: Vital| row.vitals.iter().any(|latest| latest.vital == vital);
    let alarmed = row.alerts.first().map(|alert| alert.vital).filter(|vital| has(*vital));
    let first = || row.vitals.iter().map(|latest| latest.vital).find(|vital| COLUMNS.contains(vital));
    alarmed.or_else(|| has(Vital::HEART_RATE).then_some(Vital::HEART_RATE)).or_else(first).unwrap_or(Vital::HEART_RATE)
}

/// "HR  118 ↗  3s", and whether it is too old to be believed: then a `?` stands for the arrow.
fn value(app: &App, vital: Vital, latest: Option<&Latest>) -> (String, bool) {
    let label = app.look.words.short(vital);
    let Some(latest) = latest else { return (format!("{label:<2}    –"), true) };
    let seconds = latest.age_s + app.drift_s();
    let arrow = match (latest.stale, latest.suspect, latest.trend) {
        (true, _, _) => "?",
        (false, true, _) => "~",
        (false, false, trend) => trend.map_or(" ", Trend::arrow),
    };
    (format!("{label:<2} {:>4} {arrow} {:>3}", vital.show(latest.value), age(seconds)), latest.stale)
}

/// What is the matter. The explanation comes along where there is room for it.
fn what(app: &App, row: &BoardRow, widths: &Widths) -> String {
    let words = app.look.words;
    // A row that is not heard says so, even where an alert that is answered stands first.
    let equipment = |alert: &&Alert| alert.class == Class::Technical && alert.condition != Condition::Drill;
    let reason = row.alerts.first().filter(|alert| row.section != Section::NotHeard || equipment(alert));
    let Some(alert) = reason else {
        return match (&row.gateway, row.section) {
            (None, _) => words.no_gateway.to_owned(),
            (Some(_), Section::NotHeard) => silent(app, row),
            // Nothing was ever measured: an empty row must not look like a well patient.
            (Some(_), _) if row.vitals.is_empty() => words.never_heard.to_owned(),
            (Some(_), _) => String::new(),
        };
    };
    let mut text = words.condition(alert.condition, alert.vital);
    if alert.class == Class::Technical
        && widths.what > ROOMY
        && let Some(latest) = row.vitals.iter().find(|latest| latest.vital == alert.vital)
    {
        text += &format!(" ({})", latest.vital.show(latest.value));
    }
    if row.alerts.len() > 1 {
        text += &format!(" +{}", row.alerts.len() - 1);
    }
    match &alert.explanation {
        Some(explanation) if widths.what > ROOMY && !explanation.is_empty() => format!("{text}: {explanation}"),
        _ => text,
    }
}

/// Which vitals are too old.
fn silent(app: &App, row: &BoardRow) -> String {
    let silent = |seconds| seconds + app.drift_s() >= LEASE_US.unsigned_abs() / 1_000_000;
    if let Some(gateway) = row.gateway.as_ref().filter(|gateway| gateway.heard_age_s.is_some_and(silent))
        && let Some(at) = gateway.last_heard_at
    {
        return format!("{} {}", app.look.words.silent_since, clock(app, at));
    }
    let old: Vec<_> = row.vitals.iter().filter(|latest| latest.stale).map(|latest| latest.vital).collect();
    let names: Vec<_> = old.iter().map(|vital| app.look.words.vital(*vital)).collect();
    if names.is_empty() { app.look.words.never_heard.to_owned() } else { format!("? {}", names.join(", ")) }
}

/// Who was told, and who answered.
fn told(app: &App, row: &BoardRow, width: usize) -> String {
    let words = app.look.words;
    let Some(alert) = row.alerts.first() else {
        return row
            .feeling
            .as_ref()
            .map_or_else(|| "–".to_owned(), |feeling| format!("{} {}/5", words.feels, feeling.mood));
    };
    let at = |at| if width > 12 { format!(" {}", clock(app, at)) } else { String::new() };
    if let Some(ack) = &alert.acknowledged_ward {
        return format!("{}{}", ack.by, at(ack.at));
    }
    if let Some(ack) = &alert.acknowledged_family {
        return format!("OK {}{}", ack.by, at(ack.at));
    }
    if let Some(until) = alert.silenced_until.filter(|until| *until > app.server_now()) {
        return format!("{} {}", if width > 20 { words.silenced_until } else { "zz" }, clock(app, until));
    }
    sms(app, alert, width).unwrap_or_else(|| "–".to_owned())
}

/// The newest text of an alert.
fn sms(app: &App, alert: &Alert, width: usize) -> Option<String> {
    let notice = alert.notices.iter().max_by_key(|notice| notice.notified_at.max(notice.delivered_at))?;
    let name = notice.name.as_deref().unwrap_or_default();
    let mark = match notice.delivered_at {
        Some(_) if width > 20 => format!("✓ {}", app.look.words.delivered),
        Some(_) => "✓".to_owned(),
        None => "…".to_owned(),
    };
    // Of a long name and the mark, the name is cut.
    let name = fit(name, width.saturating_sub(5 + columns(&mark)));
    Some(format!("SMS {} {mark}", name.trim_end()))
}

/// The second line of the selected row: the other values, then what fired.
fn more<'a>(app: &App, styles: Styles, row: &BoardRow, widths: &Widths, width: usize) -> Line<'a> {
    let mut spans = vec![Span::styled("▌", TITLE), Span::raw("     ")];
    let shown = if widths.values == 1 { vec![leading(row)] } else { COLUMNS[..widths.values].to_vec() };
    let others = row.vitals.iter().filter(|latest| COLUMNS.contains(&latest.vital) && !shown.contains(&latest.vital));
    for latest in others {
        let (text, stale) = value(app, latest.vital, Some(latest));
        // Closer together than in columns.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        spans.push(Span::styled(format!("{text}   "), if stale { styles.old() } else { PLAIN }));
    }
    let explanation = row.alerts.first().and_then(|alert| alert.explanation.clone()).unwrap_or_default();
    let gateway = row.gateway.as_ref().map(|gateway| match gateway.heard_age_s {
        Some(seconds) => format!("{} {} {}", gateway.name, app.look.words.heard, age(seconds + app.drift_s())),
        None => format!("{} {}", gateway.name, app.look.words.never_heard),
    });
    let taken = row.alerts.iter().find_map(|alert| alert.taken_over_by.as_deref());
    let pager = taken.filter(|by| *by == "cloud").map(|by| {
        let words = app.look.words;
        format!("{} {}", words.pager(by), words.pages_now)
    });
    let feeling =
        row.feeling.as_ref().map(|feeling| format!("{} {}/5 {}", app.look.words.feels, feeling.mood, feeling.text));
    let parts: Vec<_> =
        [pager, Some(explanation), feeling, gateway].into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::styled(fit(&parts.join(" · "), width.saturating_sub(used + 1)), styles.quiet()));
    Line::from(spans)
}
