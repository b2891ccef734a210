//! What lies over a screen: the keys, the question before an acknowledgement, a line being typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Widget};
use tui_input::Input;

use super::facts::stars;
use super::style::{PLAIN, Styles, TITLE};
use super::{fit, wrapped};
use crate::tui::app::{App, Overlay, Purpose};
use crate::tui::input::{Binding, KEYS};

/// A window is as wide, where the screen is.
const WIDTH: u16 = 76;

/// Draws what lies over the screen, if anything does.
pub fn draw(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    match &app.overlay {
        None | Some(Overlay::Line(Purpose::Filter | Purpose::Palette, _)) => {}
        Some(Overlay::Help) => {
            // Two columns, down the first and then down the second: what the marks mean needs room as well.
            let key = |key: &Binding| format!("{}  {}", fit(key.shown, 8), words.action(key.action));
            let (left, right) = KEYS.split_at(KEYS.len().div_ceil(2));
            let pairs = left.iter().enumerate().map(|(index, binding)| {
                let other = right.get(index).map(key).unwrap_or_default();
                Line::raw(fit(&key(binding), 34) + &other)
            });
            let mut lines: Vec<_> = pairs.collect();
            lines.extend(text(&format!(": {}", words.palette), area));
            lines.push(Line::raw(""));
            lines.extend(text(words.help_marks, area));
            lines.push(Line::raw(""));
            lines.extend(text(words.help_note, area));
            window(words.help, lines, area, buf);
        }
        Some(Overlay::Confirm { alert, who, cancel }) => {
            let button = |text: &str, marked: bool| {
                let style = if marked { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
                Span::styled(format!("[ {text} ]"), style)
            };
            let condition = words.condition(alert.condition, alert.vital);
            let mut lines = vec![
                Line::styled(who.clone(), TITLE),
                Line::styled(format!("{} {condition}", stars(alert.priority)), styles.high()),
            ];
            lines.extend(text(alert.explanation.as_deref().unwrap_or_default(), area));
            lines.extend(text(words.acknowledge_question, area));
            lines.push(Line::raw(""));
            lines.push(Line::from(vec![
                button(words.acknowledge, !cancel),
                Span::raw("  "),
                button(words.cancel, *cancel),
            ]));
            window(words.acknowledge, lines, area, buf);
        }
        Some(Overlay::Line(purpose, line)) => {
            let (title, how) = match purpose {
                Purpose::Silence(_) => (words.silence, words.silence_how),
                _ => (words.report, words.report_how),
            };
            let who = app.subject().map(|row| format!("{}, {} {}", app.name(row), words.born, row.birth_year));
            let mut lines = vec![Line::styled(who.unwrap_or_default(), TITLE)];
            lines.extend(typed(line, room(area)));
            lines.push(Line::styled(how, styles.quiet()));
            window(title, lines, area, buf);
        }
    }
}

/// A text in the lines of a window.
fn text<'a>(text: &str, area: Rect) -> impl Iterator<Item = Line<'a>> {
    wrapped(text, room(area)).into_iter().map(Line::raw)
}

/// Columns for text inside a window.
fn room(area: Rect) -> usize {
    area.width.saturating_sub(4).min(WIDTH).saturating_sub(4).into()
}

/// A line being typed, with its cursor, in pieces of `width` letters.
pub fn typed<'a>(line: &Input, width: usize) -> Vec<Line<'a>> {
    let mut letters: Vec<_> = line.value().chars().collect();
    let at = line.cursor().min(letters.len());
    letters.push(' ');
    let cursor = PLAIN.add_modifier(Modifier::REVERSED);
    let span =
        |(index, letter): (usize, &char)| Span::styled(letter.to_string(), if index == at { cursor } else { PLAIN });
    let spans: Vec<_> = letters.iter().enumerate().map(span).collect();
    spans.chunks(width.max(1)).map(|piece| Line::from(piece.to_vec())).collect()
}

/// A window in the middle, as large as its text.
fn window(title: &str, lines: Vec<Line<'_>>, area: Rect, buf: &mut Buffer) {
    let width = area.width.saturating_sub(4).min(WIDTH);
    let height = (lines.len() as u16 + 2).min(area.height);
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 2);
    let place = Rect { x, y, width, height };
    Clear.render(place, buf);
    let block = Block::bordered()
        .title(Span::styled(format!(" {title} "), TITLE))
        .padding(ratatui::widgets::Padding::horizontal(1));
    Paragraph::new(Text::from(lines)).block(block).render(place, buf);
}
