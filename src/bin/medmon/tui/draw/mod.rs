//! Drawing: pure functions from the state to a buffer. Here the frame: header, banner, bottom lines, and what goes where.

mod alert;
mod board;
pub mod chart;
pub mod facts;
mod overlay;
mod patient;
mod phone;
pub mod segment;
mod style;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use self::style::{PLAIN, Styles, TITLE};
use super::app::{App, Overlay, Purpose, Screen};
use super::input::{Action, Binding, KEYS};

/// From this width on, the phone pane stands on the right.
const WIDE: u16 = 150;

/// Lines of the phone pane below: three texts of two lines, which is what a text of 160 letters takes at most.
const PANE: u16 = 7;

/// From this width on, the header says who watches.
const ROOMY: u16 = 110;

/// Draws the whole screen.
pub fn screen(app: &App, area: Rect, buf: &mut Buffer) {
    let styles = Styles { colour: app.look.colour };
    let lost = app.link_lost();
    let [header, banner, middle, hints, command] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(lost.is_some())),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let main = match (app.look.phone, area.width >= WIDE) {
        (false, _) => middle,
        (true, true) => {
            let [main, pane] = Layout::horizontal([Constraint::Min(100), Constraint::Length(50)]).areas(middle);
            phone::side(app, styles, pane, buf);
            main
        }
        (true, false) => {
            // Beside a patient's charts one text is enough; they need their lines.
            let pane = match app.screen() {
                Screen::Board if middle.height >= 20 => PANE,
                _ => 3,
            };
            let [main, pane] = Layout::vertical([Constraint::Min(8), Constraint::Length(pane)]).areas(middle);
            phone::below(app, styles, pane, buf);
            main
        }
    };
    match app.screen() {
        Screen::Board => board::draw(app, styles, main, buf),
        Screen::Patient(patient) => patient::draw(app, patient, styles, main, buf),
        Screen::Alert(alert) => alert::draw(app, alert, styles, main, buf),
    }
    if let Some(lost) = lost {
        // All that is shown is old: it looks so, whatever it says.
        buf.set_style(main, styles.old());
        let words = app.look.words;
        let text = format!(" {} {}: {} ", words.lost, span(lost), words.lost_means);
        buf.set_style(banner, styles.alarm(true));
        Line::styled(text, styles.alarm(true)).render(banner, buf);
    }
    draw_header(app, styles, header, buf);
    draw_hints(app, styles, hints, buf);
    Line::styled(format!(" $ {}", app.command_line()), styles.quiet()).render(command, buf);
    overlay::draw(app, styles, area, buf);
}

fn draw_header(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    let (mut place, mut counts) = (Vec::new(), Vec::new());
    if let Some(board) = app.newest() {
        let of = board.ward.as_ref().unwrap_or(&board.site);
        place.push(Span::raw(format!("· {of} · {} {}  ", board.counts.patients, words.patients)));
        for (mark, count, style) in [
            ("***", board.counts.high, styles.high()),
            ("**", board.counts.medium, styles.medium()),
            ("*", board.counts.low, styles.low()),
            ("?", board.counts.unknown, styles.unknown()),
            ("✓", board.counts.acknowledged, styles.calm()),
        ] {
            if count > 0 {
                counts.push(Span::styled(format!("{mark} {count}  "), style));
            }
        }
    }
    // What is cut on a narrow screen is the name of the ward, never how many wait.
    let left = if area.width >= ROOMY { [place, counts] } else { [counts, place] };
    let left = [Span::styled(" medmon ", TITLE)].into_iter().chain(left.into_iter().flatten());
    let link = app.link_age().map(|age| match age.as_secs_f64().max(0.0) {
        seconds @ 0.0..10.0 => format!("{} {seconds:.1} s  ", words.link),
        _ => format!("{} {}  ", words.link, span(age)),
    });
    let clock = if area.width >= ROOMY { "%a %d %b %H:%M:%S %Z" } else { "%H:%M:%S" };
    let mut right = link.unwrap_or_default();
    right += &app.server_now().to_zoned_datetime(app.look.zone.clone()).strftime(clock).to_string();
    if area.width >= ROOMY {
        right = format!("{right}   {}", app.look.user);
    }
    right.push(' ');
    left.collect::<Line>().render(area, buf);
    // The clock and the age of the link are never cut: they say whether the rest can be believed.
    let width = (columns(&right) as u16).min(area.width);
    let place = Rect { x: area.right() - width, width, ..area };
    buf.set_style(place, PLAIN);
    let gap = Rect { x: place.x.saturating_sub(1).max(area.x), width: 1, ..area };
    Line::raw(" ").render(gap, buf);
    Line::raw(right).render(place, buf);
}

fn draw_hints(app: &App, styles: Styles, area: Rect, buf: &mut Buffer) {
    let words = app.look.words;
    if let Some(Overlay::Line(purpose @ (Purpose::Filter | Purpose::Palette), line)) = &app.overlay {
        let mark = if *purpose == Purpose::Filter { "/" } else { ":" };
        let mut spans = vec![Span::styled(format!(" {mark}"), TITLE)];
        // The end of a line that is longer than the screen: that is where one types.
        let pieces = overlay::typed(line, area.width.saturating_sub(3).into());
        spans.extend(pieces.into_iter().next_back().unwrap_or_default());
        if *purpose == Purpose::Palette && line.value().is_empty() {
            spans.push(Span::styled(format!("  {}", words.palette), styles.quiet()));
        }
        return Line::from(spans).render(area, buf);
    }
    // That rows stand still, or that some are not shown, is said whatever else is to be said.
    let mut spans = Vec::new();
    if let Some(frozen) = app.frozen() {
        let news = if app.hides_news() { format!(": {}", words.new_while_frozen) } else { String::new() };
        spans.push(Span::styled(format!(" {} {}{news} ", words.frozen, span(frozen)), styles.alarm(true)));
    }
    if !app.filter.is_empty() {
        spans.push(Span::styled(format!(" {} \"{}\" ", words.filter, app.filter), TITLE));
    }
    if let Some(note) = app.note() {
        let (mark, style) = if note.bad { ("✗", styles.high()) } else { ("✓", styles.calm()) };
        spans.push(Span::styled(format!(" {mark} {}", note.text), style));
        return Line::from(spans).render(area, buf);
    }
    for binding in KEYS.iter().filter(|binding| hinted(app.screen(), binding)) {
        spans.push(Span::styled(format!(" {}", binding.shown), TITLE));
        spans.push(Span::raw(format!(" {} ", words.action(binding.action))));
    }
    Line::from(spans).render(area, buf);
}

/// Which keys the bottom line names on a screen: those that do something there.
fn hinted(screen: Screen, binding: &Binding) -> bool {
    match (screen, binding.action) {
        (Screen::Board, _) | (_, Action::Acknowledge | Action::Silence) => binding.hint,
        (_, Action::Back) => true,
        (Screen::Patient(_), Action::Filter) | (Screen::Alert(_), Action::Filter | Action::Open) => false,
        _ => binding.hint,
    }
}

/// "42 s", "3 min": a length of time for a sentence.
fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}

/// Seconds since `at` by the server's clock.
fn seconds_since(app: &App, at: Timestamp) -> u64 {
    app.server_now().duration_since(at).as_secs().try_into().unwrap_or(0)
}

/// A time of day on the wall of the staff.
fn clock(app: &App, at: Timestamp) -> String {
    at.to_zoned_datetime(app.look.zone.clone()).strftime("%H:%M").to_string()
}

/// How many columns `text` takes.
fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// `text` in exactly `width` columns.
fn fit(text: &str, width: usize) -> String {
    let whole = columns(text) <= width;
    let room = if whole { width } else { width.saturating_sub(1) };
    let (mut cut, mut used) = (String::new(), 0);
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let wide = columns(letter.encode_utf8(&mut [0; 4]));
        if used + wide > room {
            break;
        }
        cut.push(letter);
        used += wide;
    }
    if !whole && width > 0 {
        cut.push('…');
        used += 1;
    }
    cut + &" ".repeat(width.saturating_sub(used))
}

/// `text` in lines of at most `width` columns, broken between words where that can be.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests;
