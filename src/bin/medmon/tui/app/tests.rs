//! What keys and answers do, without a terminal and without a server.

use jiff::SignedDuration;
use medmon_api::board::Section;
use medmon_core::noun::{Condition, Priority, Vital};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::tui::fixtures::{alert, app, blank, board, now};

fn code(app: &mut App, code: KeyCode) -> Vec<Command> {
    app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn press(app: &mut App, keys: &str) -> Vec<Command> {
    keys.chars()
        .flat_map(|letter| code(app, if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) }))
        .collect()
}

fn shows(app: &mut App, board: Board) {
    app.update(Message::Board { of: None, board: Box::new(board) });
}

#[test]
fn one_key_and_enter_acknowledge_what_was_looked_at() {
    let mut app = app();
    let fall = board().rows[0].alerts[0].id;
    assert!(press(&mut app, "a").is_empty(), "never without a question");
    // Something worse comes up while the question is on the screen.
    let mut newer = board();
    let mut worse = newer.rows[1].clone();
    worse.alerts = vec![alert(9, Condition::Bradycardia, Vital::HEART_RATE, Priority::High, 1)];
    newer.rows[1] = worse;
    newer.rows.swap(0, 1);
    shows(&mut app, newer);
    assert_eq!(press(&mut app, "\n"), [Command::Acknowledge(fall)]);
    assert_eq!(app.selected().map(|row| row.name.as_str()), Some("DOE Jeanne"), "the selection stays with the patient");
}

#[test]
fn until_somebody_chooses_a_row_the_worst_is_selected() {
    let mut app = blank();
    let selected = |app: &App| app.selected().map(|row| row.name.clone()).unwrap_or_default();
    let calm_then_fall = |app: &mut App| {
        let mut calm = board();
        calm.rows.drain(..4);
        shows(app, calm);
        shows(app, board());
    };
    calm_then_fall(&mut app);
    assert_eq!(selected(&app), "DOE Jeanne", "nobody has touched a key");
    press(&mut app, "j");
    let chosen = selected(&app);
    let mut other = board();
    other.rows.swap(0, 2);
    shows(&mut app, other);
    assert_eq!(selected(&app), chosen, "a row that was chosen stays selected");
    code(&mut app, KeyCode::Esc);
    assert_eq!(selected(&app), "ROUX Lise", "esc gives the choice up");
    // Reports are written about somebody: what comes up meanwhile does not change whom.
    press(&mut app, "rshe");
    shows(&mut app, board());
    assert_eq!(selected(&app), "ROUX Lise");
}

#[test]
fn once_the_worst_is_acknowledged_the_next_one_is_selected() {
    let mut app = app();
    press(&mut app, "a\n");
    let mut newer = board();
    newer.rows[0].section = Section::Answered;
    newer.rows.swap(0, 1);
    shows(&mut app, newer);
    assert_eq!(app.selected().map(|row| row.name.as_str()), Some("PETIT Rose"));
}

#[test]
fn cancel_and_read_only_acknowledge_nothing() {
    let mut app = app();
    press(&mut app, "a");
    code(&mut app, KeyCode::Tab);
    assert!(press(&mut app, "\n").is_empty() && app.overlay.is_none());
    press(&mut app, "a");
    assert!(code(&mut app, KeyCode::Esc).is_empty() && app.overlay.is_none());
    app.look.read_only = true;
    for key in ["a", "s", "r"] {
        press(&mut app, key);
        assert!(app.overlay.is_none() && app.note().is_some_and(|note| note.bad), "{key}");
    }
}

#[test]
fn what_is_answered_is_not_asked_again() {
    let mut app = app();
    press(&mut app, "jjj");
    assert_eq!(app.selected().map(|row| row.section), Some(Section::Answered));
    press(&mut app, "a");
    assert!(app.overlay.is_none());
    assert!(app.command_line().starts_with("medmon patient show"));
}

#[test]
fn a_silence_has_a_length_and_a_reason() {
    let mut app = app();
    let fall = board().rows[0].alerts[0].id;
    assert!(press(&mut app, "s\n").is_empty(), "no reason yet");
    let silence = Command::Silence { alert: fall, for_s: 1800, reason: "wound care".into() };
    assert_eq!(press(&mut app, "wound care\n"), [silence]);
}

#[test]
fn the_filter_finds_names_and_conditions_and_escape_clears_it() {
    let mut app = app();
    press(&mut app, "/fever\n");
    assert_eq!(app.rows().iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["LEROY Max"]);
    assert_eq!(app.selected().map(|row| row.name.as_str()), Some("LEROY Max"));
    code(&mut app, KeyCode::Esc);
    assert_eq!(app.rows().len(), 6);
}

#[test]
fn escape_leads_one_level_out_and_never_out_of_the_dashboard() {
    let mut app = app();
    let patient = app.selected().map(|row| row.patient).unwrap();
    assert_eq!(press(&mut app, "\n"), [Command::LoadRecord(patient)]);
    assert!(matches!(press(&mut app, "\n")[..], [Command::LoadAlert(_)]));
    for screen in [Screen::Patient(patient), Screen::Board, Screen::Board] {
        code(&mut app, KeyCode::Esc);
        assert_eq!(app.screen(), screen);
    }
    assert!(!app.has_quit());
    press(&mut app, "q");
    assert!(app.has_quit());
}

#[test]
fn a_silent_link_is_lost_and_comes_back() {
    let mut app = app();
    for seconds in 0..20 {
        app.update(Message::Tick(now() + SignedDuration::from_secs(seconds)));
        assert_eq!(app.link_lost().is_some(), seconds > 15, "{seconds}");
    }
    app.update(Message::Unanswered("refused".into()));
    assert!(app.link_lost().is_some(), "a refusal is no sign of life");
    shows(&mut app, board());
    assert_eq!(app.link_lost(), None);
}

#[test]
fn frozen_rows_stay_and_say_what_they_hide() {
    let mut app = app();
    press(&mut app, "f");
    let mut newer = board();
    newer.rows.truncate(1);
    newer.counts.high = 2;
    shows(&mut app, newer);
    assert_eq!(app.rows().len(), 6);
    assert!(app.hides_news() && app.link_lost().is_none());
    press(&mut app, "f");
    assert_eq!(app.rows().len(), 1);
}

#[test]
fn a_report_that_was_not_added_is_not_lost() {
    let mut app = app();
    let patient = app.selected().map(|row| row.patient).unwrap();
    assert_eq!(press(&mut app, "rshe is well\n"), [Command::Report { patient, text: "she is well".into() }]);
    app.update(Message::NotReported { patient, text: "she is well".into(), error: "no answer".into() });
    assert!(matches!(&app.overlay, Some(Overlay::Line(Purpose::Report(_), line)) if line.value() == "she is well"));
}

#[test]
fn a_hint_asks_only_for_what_is_on_the_screen() {
    let mut app = app();
    let event = |patient| Event { id: 1, kind: EventKind::Patient, patient, alert: None };
    let patient = app.selected().map(|row| row.patient);
    assert!(app.update(Message::Hint(event(patient))).is_empty());
    press(&mut app, "\n");
    assert_eq!(app.update(Message::Hint(event(patient))), [Command::LoadRecord(patient.unwrap())]);
    assert!(app.update(Message::Hint(event(None))).is_empty());
}

#[test]
fn nothing_is_drawn_anew_unless_something_changed() {
    let mut app = app();
    assert!(app.take_dirty() && !app.take_dirty());
    // A second later the clock has changed, a quarter of a second later only what blinks.
    app.update(Message::Tick(now() + SignedDuration::from_millis(100)));
    assert!(!app.take_dirty());
    app.update(Message::Tick(now() + SignedDuration::from_millis(300)));
    assert!(app.take_dirty());
    press(&mut app, "x");
    app.take_dirty();
    app.update(Message::Tick(now() + SignedDuration::from_millis(400)));
    assert!(!app.take_dirty());
}

#[test]
fn family_names_are_hidden_however_they_are_written() {
    for (name, shown) in
        [("DOE Jeanne", "D. Jeanne"), ("García María", "G. María"), ("DE LA TOUR Anne", "D. L. T. Anne")]
    {
        assert_eq!(without_family_name(name), shown);
    }
}
