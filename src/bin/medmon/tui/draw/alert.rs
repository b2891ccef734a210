//! One alert: what fired, how it stands, its facts as a time line, and the raw readings around it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Widget, Wrap};
use uuid::Uuid;

use super::facts::{self, stars};
use super::style::{Styles, TITLE};
use super::{clock, fit, segment};
use crate::tui::app::App;

/// Draws the screen of an alert.
pub fn draw(app: &App, alert: Uuid, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let Some(detail) = app.detail.as_ref().filter(|detail| detail.alert.id == alert) else {
        return Paragraph::new(format!("\n  {}", words.loading)).render(area, buf);
    };
    let alert = &detail.alert;
    let [title, state, why, line] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Length(2), Constraint::Min(3)])
            .areas(area);
    let who = alert.patient.and_then(|patient| app.row(patient));
    let who = who.map_or_else(String::new, |row| format!(" · {} · {} {}", app.name(row), words.born, row.birth_year));
    let condition = words.condition(alert.condition, alert.vital);
    Line::from(vec![
        Span::styled(format!(" {} {condition}", stars(alert.priority)), styles.high()),
        Span::styled(who, TITLE),
    ])
    .render(title, buf);
    let answered = match &alert.acknowledged_ward {
        Some(ack) => format!("{} {} {}", words.acknowledged, ack.by, clock(app, ack.at)),
        None => words.not_acknowledged.to_owned(),
    };
    let over = match alert.cleared_at {
        Some(at) => format!("{} {}", words.cleared, clock(app, at)),
        None => words.active.to_owned(),
    };
    let silenced = alert.silenced_until.filter(|until| *until > app.server_now()).map(|until| {
        let reason = alert.silence_reason.as_deref().unwrap_or_default();
        format!(" · {} {} {reason}", words.silenced_until, clock(app, until))
    });
    Line::raw(format!(" {over} · {answered}{}", silenced.unwrap_or_default())).render(state, buf);
    let explanation = alert.explanation.clone().unwrap_or_default();
    Paragraph::new(format!(" {explanation}")).wrap(Wrap { trim: false }).render(why, buf);

    let raw = app.segment(alert.id);
    let height = match raw {
        Some(_) => Constraint::Percentage(50),
        None => Constraint::Length(app.has_no_segment(alert.id).into()),
    };
    let [line, below] = Layout::vertical([Constraint::Min(3), height]).areas(line);
    match raw {
        Some(raw) => segment::draw(app, alert, raw, styles, below, buf),
        None => Line::styled(format!(" {}", words.no_segment), styles.quiet()).render(below, buf),
    }
    let block = Block::bordered().border_style(styles.quiet());
    let inner = block.inner(line);
    block.render(line, buf);
    // The newest facts are those that count: they stay when there is too little room.
    let skip = detail.facts.len().saturating_sub(inner.height.into());
    for (fact, y) in detail.facts.iter().skip(skip).zip(inner.top()..inner.bottom()) {
        let at = medmon_api::time(fact.at_us);
        let after = at.duration_since(alert.raised_at).as_secs();
        let at = at.to_zoned_datetime(app.look.zone.clone()).strftime("%H:%M:%S").to_string();
        let said = facts::words(fact, alert, words, &app.look.zone);
        let text = format!(" {at} {:>7}  {said}  ({})", format!("+{after} s"), fact.author);
        Line::raw(fit(&text, inner.width.into())).render(Rect { y, height: 1, ..inner }, buf);
    }
}
