//! Snapshots of the screens at the sizes of a laptop's corner, a laptop and a wall.

use jiff::SignedDuration;
use medmon_core::noun::Language;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Modifier;

use super::*;
use crate::tui::PhoneLine;
use crate::tui::app::{Command, Message};
use crate::tui::fixtures::{app, blank, detail, now, record};
use crate::tui::words::Words;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

fn buffer(app: &App, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen(app, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

fn drawn(app: &App, (width, height): (u16, u16)) -> String {
    let buffer = buffer(app, (width, height));
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

fn press(app: &mut App, keys: &str) {
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

fn texts(app: &mut App) {
    let text = "medmon 4821: Jeanne may need help (14:31). Reply OK 4821 if you take care of it.";
    for (seconds, incoming, text) in
        [(65, false, text), (20, true, "OK 4821"), (19, false, "medmon 4821: Paul takes care of it.")]
    {
        let at = now() - SignedDuration::from_secs(seconds);
        let (from, to) = if incoming { ("+33612345678", "medmon") } else { ("medmon", "+33612345678") };
        let line = PhoneLine { at, from: from.into(), to: to.into(), text: text.into(), incoming };
        app.update(Message::Phone(line));
    }
}

#[test]
fn the_board_at_three_sizes() {
    for size in SIZES {
        insta::assert_snapshot!(format!("board_{}x{}", size.0, size.1), drawn(&app(), size));
    }
}

#[test]
fn a_patient_at_three_sizes() {
    for size in SIZES {
        let mut app = app();
        press(&mut app, "\n");
        app.update(Message::Record(Box::new(record())));
        insta::assert_snapshot!(format!("patient_{}x{}", size.0, size.1), drawn(&app, size));
    }
}

#[test]
fn an_alert_is_a_time_line() {
    let mut app = app();
    press(&mut app, "\n\n");
    app.update(Message::Alert(Box::new(detail())));
    insta::assert_snapshot!(drawn(&app, SIZES[0]));
}

#[test]
fn an_alert_shows_what_fired_it_once_it_is_there() {
    let mut app = app();
    press(&mut app, "\n\n");
    let commands = app.update(Message::Alert(Box::new(detail())));
    let (id, segment) = (detail().alert.id, crate::tui::fixtures::segment());
    assert_eq!(commands, [Command::LoadSegment(id)]);
    app.update(Message::Segment(id, None));
    assert!(drawn(&app, SIZES[0]).contains("not uploaded yet"));
    app.update(Message::Segment(id, Some(Box::new(segment.clone()))));
    insta::assert_snapshot!("segment", drawn(&app, SIZES[1]));
    insta::assert_snapshot!("segment_text", segment::to_text(&segment, &detail().alert, 60));
    for size in [(1, 1), (10, 3), (20, 5), (40, 10), (79, 23)] {
        drawn(&app, size);
    }
    app.update(Message::Segment(uuid::Uuid::nil(), None));
    assert_eq!(app.segment(id), None, "another alert's is not shown here");
}

#[test]
fn the_phone_is_below_or_beside() {
    for size in [SIZES[0], SIZES[2]] {
        let mut app = app();
        app.look.phone = true;
        texts(&mut app);
        insta::assert_snapshot!(format!("phone_{}x{}", size.0, size.1), drawn(&app, size));
    }
}

#[test]
fn of_a_long_name_and_the_mark_of_a_delivery_the_name_is_cut() {
    let mut board = crate::tui::fixtures::board();
    board.rows[0].alerts[0].notices[0].name = Some("Maximilienne".into());
    let mut app = blank();
    app.update(Message::Board { of: None, board: Box::new(board) });
    let text = drawn(&app, SIZES[0]);
    assert!(text.lines().nth(2).unwrap().ends_with("… ✓"), "{text}");
}

#[test]
fn a_patient_of_whom_nothing_was_ever_measured_does_not_look_well() {
    let mut board = crate::tui::fixtures::board();
    board.rows[4].vitals.clear();
    let mut app = blank();
    app.update(Message::Board { of: None, board: Box::new(board) });
    let text = drawn(&app, SIZES[0]);
    assert!(text.lines().any(|line| line.contains("BERNARD Luc") && line.contains("not heard yet")), "{text}");
}

#[test]
fn what_lies_over_a_screen() {
    for (name, keys) in
        [("acknowledge", "a"), ("silence", "s"), ("help", "?"), ("palette", ":"), ("report", "rshe is well")]
    {
        let mut app = app();
        press(&mut app, keys);
        insta::assert_snapshot!(format!("over_{name}"), drawn(&app, SIZES[0]));
    }
}

#[test]
fn a_lost_link_is_said_and_everything_goes_grey() {
    let mut app = app();
    app.update(Message::Tick(now() + SignedDuration::from_secs(42)));
    insta::assert_snapshot!("link_lost", drawn(&app, SIZES[0]));
    let buffer = buffer(&app, SIZES[0]);
    for y in 2..22 {
        for x in 0..80 {
            let cell = &buffer[(x, y)];
            assert!(cell.symbol() == " " || cell.style().fg == Some(ratatui::style::Color::DarkGray), "{x} {y}");
            assert!(!cell.modifier.contains(Modifier::REVERSED), "nothing blinks that is old");
        }
    }
}

#[test]
fn without_colour_nothing_is_lost() {
    let mut grey = app();
    grey.look.colour = false;
    assert_eq!(drawn(&grey, SIZES[1]), drawn(&app(), SIZES[1]));
    let cells = buffer(&grey, SIZES[1]);
    assert!(cells.content().iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
}

#[test]
fn privacy_shows_no_family_name_on_any_screen() {
    let mut app = app();
    app.look.privacy = true;
    for keys in ["", "a", "\u{1b}", "\n", "\n"] {
        press(&mut app, keys);
        app.update(Message::Record(Box::new(record())));
        app.update(Message::Alert(Box::new(detail())));
        let drawn = drawn(&app, SIZES[0]);
        assert!(!drawn.contains("DOE") && !drawn.contains("García"), "{drawn}");
        assert!(drawn.contains("D. Jeanne"), "{drawn}");
        app.overlay = None;
    }
}

#[test]
fn the_board_speaks_french() {
    let mut app = app();
    app.look.words = Words::of(Language::Fr);
    insta::assert_snapshot!(drawn(&app, SIZES[0]));
}

#[test]
fn no_size_is_too_small_to_draw() {
    let mut app = app();
    app.look.phone = true;
    texts(&mut app);
    for (width, height) in [(1, 1), (10, 3), (20, 5), (40, 10), (79, 23)] {
        for keys in ["", "?", "x", "a", "\u{1b}", "\n"] {
            press(&mut app, keys);
            drawn(&app, (width, height));
        }
    }
    drawn(&blank(), SIZES[0]);
}
