//! Keys: one table, from which the help is made; and what a typed line means.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The next row.
    Down,
    /// The row before.
    Up,
    /// The first row.
    First,
    /// The last row.
    Last,
    /// One level in.
    Open,
    /// One level out.
    Back,
    /// The ward takes care of the selected alert.
    Acknowledge,
    /// No paging for it for a time.
    Silence,
    /// Write about the selected patient.
    Report,
    /// Rows by name or condition.
    Filter,
    /// A command by name.
    Palette,
    /// Rows stay as they are.
    Freeze,
    /// Ask the server anew.
    Refresh,
    /// All keys.
    Help,
    /// Leave.
    Quit,
}

/// A line of the table.
pub struct Binding {
    /// The keys.
    pub keys: &'static [KeyCode],
    /// As shown.
    pub shown: &'static str,
    /// What they ask for.
    pub action: Action,
    /// Whether the bottom line shows it.
    pub hint: bool,
}

const fn binding(keys: &'static [KeyCode], shown: &'static str, action: Action, hint: bool) -> Binding {
    Binding { keys, shown, action, hint }
}

/// All keys outside of a line being typed.
pub const KEYS: [Binding; 15] = [
    binding(&[KeyCode::Char('a')], "a", Action::Acknowledge, true),
    binding(&[KeyCode::Char('s')], "s", Action::Silence, true),
    binding(&[KeyCode::Enter], "enter", Action::Open, true),
    binding(&[KeyCode::Char('r')], "r", Action::Report, true),
    binding(&[KeyCode::Char('/')], "/", Action::Filter, true),
    binding(&[KeyCode::Char(':')], ":", Action::Palette, true),
    binding(&[KeyCode::Char('?')], "?", Action::Help, true),
    binding(&[KeyCode::Esc], "esc", Action::Back, false),
    binding(&[KeyCode::Down, KeyCode::Char('j')], "↓ j", Action::Down, false),
    binding(&[KeyCode::Up, KeyCode::Char('k')], "↑ k", Action::Up, false),
    binding(&[KeyCode::Home, KeyCode::Char('g')], "home g", Action::First, false),
    binding(&[KeyCode::End, KeyCode::Char('G')], "end G", Action::Last, false),
    binding(&[KeyCode::Char('f')], "f", Action::Freeze, false),
    binding(&[KeyCode::Char('R')], "R", Action::Refresh, false),
    binding(&[KeyCode::Char('q')], "q", Action::Quit, false),
];

/// What a key asks for outside of a line being typed.
pub fn action(key: KeyEvent) -> Option<Action> {
    if is_interrupt(key) {
        return Some(Action::Quit);
    }
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return None;
    }
    KEYS.iter().find(|binding| binding.keys.contains(&key.code)).map(|binding| binding.action)
}

/// Ctrl-C leaves from everywhere.
pub fn is_interrupt(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// Takes a key into a line being typed.
pub fn edit(input: &mut Input, key: KeyEvent) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match key.code {
        KeyCode::Char('u') if control => InputRequest::DeleteLine,
        KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
        KeyCode::Char('a') if control => InputRequest::GoToStart,
        KeyCode::Char('e') if control => InputRequest::GoToEnd,
        KeyCode::Char(letter) if !control => InputRequest::InsertChar(letter),
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return,
    };
    input.handle(request);
}

/// A command of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Something that a key does, too.
    Action(Action),
    /// Open the patient whose name begins so.
    Open(String),
    /// Another ward; `None` = all.
    Ward(Option<String>),
    /// Filter by this.
    Filter(String),
}

/// Takes a line of the palette apart.
pub fn palette(line: &str) -> Result<Typed, String> {
    let (verb, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    Ok(match (verb, rest) {
        ("open" | "o", "") => Typed::Action(Action::Open),
        ("open" | "o", name) => Typed::Open(name.to_owned()),
        ("ack" | "a", "") => Typed::Action(Action::Acknowledge),
        ("silence" | "s", "") => Typed::Action(Action::Silence),
        ("report" | "r", "") => Typed::Action(Action::Report),
        ("ward" | "w", name) => Typed::Ward((!name.is_empty()).then(|| name.to_owned())),
        ("filter", text) => Typed::Filter(text.to_owned()),
        ("freeze" | "f", "") => Typed::Action(Action::Freeze),
        ("help", "") => Typed::Action(Action::Help),
        ("quit" | "q", "") => Typed::Action(Action::Quit),
        _ => return Err(line.trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_asks_for_two_things() {
        let all: Vec<_> = KEYS.iter().flat_map(|binding| binding.keys).collect();
        for (index, key) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(key), "{key:?}");
        }
    }

    #[test]
    fn the_palette_knows_its_verbs() {
        for (line, typed) in [
            ("q", Typed::Action(Action::Quit)),
            (" open doe ", Typed::Open("doe".to_owned())),
            ("ward", Typed::Ward(None)),
            ("ward Les Tilleuls", Typed::Ward(Some("Les Tilleuls".to_owned()))),
            ("filter fever", Typed::Filter("fever".to_owned())),
        ] {
            assert_eq!(palette(line), Ok(typed), "{line}");
        }
        assert!(palette("dance").is_err() && palette("ack all").is_err());
    }
}
