//! What keys and typed commands do, by screen, and the command line that would do the same.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;
use uuid::Uuid;

use super::{App, Command, Overlay, Purpose, Screen};
use crate::tui::input::{self, Action, Typed};
use crate::when;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Command> {
        if input::is_interrupt(key) {
            self.quit = true;
            return Vec::new();
        }
        match self.overlay.take() {
            None => input::action(key).map(|action| self.act(action)).unwrap_or_default(),
            // Any key leads out of the help.
            Some(Overlay::Help) => Vec::new(),
            Some(Overlay::Confirm { alert, who, cancel }) => match key.code {
                KeyCode::Enter if !cancel => vec![Command::Acknowledge(alert.id)],
                KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q') => Vec::new(),
                KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right => {
                    self.overlay = Some(Overlay::Confirm { alert, who, cancel: !cancel });
                    Vec::new()
                }
                _ => {
                    self.overlay = Some(Overlay::Confirm { alert, who, cancel });
                    Vec::new()
                }
            },
            Some(Overlay::Line(purpose, mut line)) => match key.code {
                KeyCode::Enter => self.entered(purpose, &line),
                KeyCode::Esc => {
                    if purpose == Purpose::Filter {
                        self.filter.clear();
                        self.keep_selection();
                    }
                    Vec::new()
                }
                _ => {
                    input::edit(&mut line, key);
                    if purpose == Purpose::Filter {
                        line.value().clone_into(&mut self.filter);
                        self.keep_selection();
                    }
                    self.overlay = Some(Overlay::Line(purpose, line));
                    Vec::new()
                }
            },
        }
    }

    fn act(&mut self, action: Action) -> Vec<Command> {
        match action {
            Action::Down => self.step(|index, _| index + 1),
            Action::Up => self.step(|index, _| index.saturating_sub(1)),
            Action::First => self.step(|_, _| 0),
            Action::Last => self.step(|_, last| last),
            Action::Open => return self.open(),
            Action::Back => self.back(),
            Action::Acknowledge => self.ask_to_acknowledge(),
            Action::Silence => self.ask_for_silence(),
            Action::Report => self.ask_for_report(),
            Action::Filter => self.overlay = Some(Overlay::Line(Purpose::Filter, self.filter.clone().into())),
            Action::Palette => self.overlay = Some(Overlay::Line(Purpose::Palette, Input::default())),
            Action::Freeze => self.freeze(),
            Action::Refresh => {
                let here = match self.screen() {
                    Screen::Board => None,
                    Screen::Patient(patient) => Some(Command::LoadRecord(patient)),
                    Screen::Alert(alert) => Some(Command::LoadAlert(alert)),
                };
                return [Command::Refresh].into_iter().chain(here).collect();
            }
            Action::Help => self.overlay = Some(Overlay::Help),
            Action::Quit => self.quit = true,
        }
        Vec::new()
    }

    /// Moves the selection of the screen; `to` gives the new index from the old and the last one.
    fn step(&mut self, to: impl Fn(usize, usize) -> usize) {
        let moved = |ids: &[Uuid], at: Option<Uuid>| {
            let last = ids.len().checked_sub(1)?;
            let index = ids.iter().position(|id| Some(*id) == at);
            Some(ids[index.map_or(0, |index| to(index, last).min(last))])
        };
        match self.screen() {
            Screen::Board => {
                let ids: Vec<_> = self.rows().iter().map(|row| row.patient).collect();
                self.selected = moved(&ids, self.selected);
                self.chosen = true;
            }
            Screen::Patient(_) => {
                let ids: Vec<_> = self.record.iter().flat_map(|record| &record.alerts).map(|alert| alert.id).collect();
                self.selected_alert = moved(&ids, self.selected_alert);
            }
            Screen::Alert(_) => {}
        }
    }

    fn open(&mut self) -> Vec<Command> {
        match self.screen() {
            Screen::Board => self.selected.map(|patient| self.open_patient(patient)).unwrap_or_default(),
            Screen::Patient(_) => {
                let Some(alert) = self.selected_alert.or_else(|| self.subject_alert().map(|alert| alert.id)) else {
                    return Vec::new();
                };
                self.screens.push(Screen::Alert(alert));
                self.detail = None;
                vec![Command::LoadAlert(alert)]
            }
            Screen::Alert(_) => Vec::new(),
        }
    }

    fn open_patient(&mut self, patient: Uuid) -> Vec<Command> {
        self.selected = Some(patient);
        self.chosen = true;
        self.selected_alert = None;
        self.screens.truncate(1);
        self.screens.push(Screen::Patient(patient));
        self.record = None;
        vec![Command::LoadRecord(patient)]
    }

    /// One level out, and never out of the dashboard.
    fn back(&mut self) {
        if self.screens.len() > 1 {
            self.screens.pop();
        } else {
            self.filter.clear();
            self.note = None;
            self.chosen = false;
        }
        self.keep_selection();
    }

    fn freeze(&mut self) {
        self.frozen = !self.frozen && self.held.is_some();
        if !self.frozen
            && let Some(newest) = self.behind.take()
        {
            self.held = Some(newest);
            self.keep_selection();
        }
    }

    fn may_write(&mut self) -> bool {
        if self.look.read_only {
            self.say(self.look.words.read_only, true);
        }
        !self.look.read_only
    }

    fn ask_to_acknowledge(&mut self) {
        if !self.may_write() {
            return;
        }
        let waits = self.subject_alert().filter(|alert| alert.acknowledged_ward.is_none()).cloned();
        match (waits, self.subject().map(|row| (self.name(row), row.birth_year))) {
            (Some(alert), Some((name, year))) => {
                let who = format!("{name}, {} {year}", self.look.words.born);
                self.overlay = Some(Overlay::Confirm { alert: Box::new(alert), who, cancel: false });
            }
            _ => self.say(self.look.words.nothing_to_acknowledge, false),
        }
    }

    fn ask_for_silence(&mut self) {
        if !self.may_write() {
            return;
        }
        match self.subject_alert().map(|alert| alert.id) {
            Some(alert) => self.overlay = Some(Overlay::Line(Purpose::Silence(alert), "30m ".into())),
            None => self.say(self.look.words.nothing_to_silence, false),
        }
    }

    fn ask_for_report(&mut self) {
        if !self.may_write() {
            return;
        }
        if let Some(patient) = self.subject().map(|row| row.patient) {
            self.overlay = Some(Overlay::Line(Purpose::Report(patient), Input::default()));
        }
    }

    fn entered(&mut self, purpose: Purpose, line: &Input) -> Vec<Command> {
        let text = line.value().trim();
        match purpose {
            Purpose::Filter => Vec::new(),
            Purpose::Palette => match input::palette(text) {
                Ok(Typed::Action(action)) => self.act(action),
                Ok(Typed::Open(name)) => self.open_named(&name),
                Ok(Typed::Ward(Some(name))) => vec![Command::FindWard(name)],
                Ok(Typed::Ward(None)) => {
                    self.ward = None;
                    vec![Command::Ward(None)]
                }
                Ok(Typed::Filter(text)) => {
                    self.filter = text;
                    self.keep_selection();
                    Vec::new()
                }
                Err(unknown) if unknown.is_empty() => Vec::new(),
                Err(unknown) => {
                    self.say(&format!("`{unknown}`? {}", self.look.words.palette), true);
                    Vec::new()
                }
            },
            Purpose::Silence(alert) => {
                let (length, reason) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
                let for_s = when::duration(length).ok().map(|length: Duration| length.as_secs());
                match for_s.and_then(|for_s| u32::try_from(for_s).ok()).filter(|s| (60..=86_400).contains(s)) {
                    Some(for_s) if !reason.trim().is_empty() => {
                        vec![Command::Silence { alert, for_s, reason: reason.trim().to_owned() }]
                    }
                    _ => {
                        self.say(self.look.words.silence_how, true);
                        self.overlay = Some(Overlay::Line(purpose, line.clone()));
                        Vec::new()
                    }
                }
            }
            Purpose::Report(_) if text.is_empty() => Vec::new(),
            Purpose::Report(patient) => vec![Command::Report { patient, text: text.to_owned() }],
        }
    }

    fn open_named(&mut self, name: &str) -> Vec<Command> {
        let wanted = name.to_lowercase();
        let rows = self.board().map(|board| board.rows.as_slice()).unwrap_or_default();
        let named: Vec<_> = rows.iter().filter(|row| row.name.to_lowercase().starts_with(&wanted)).collect();
        match named[..] {
            [row] => self.open_patient(row.patient),
            // None or several: the filter shows which.
            _ => {
                self.screens.truncate(1);
                name.clone_into(&mut self.filter);
                self.keep_selection();
                Vec::new()
            }
        }
    }

    /// The command line that does what the screen offers.
    pub fn command_line(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        match &self.overlay {
            Some(Overlay::Confirm { alert, .. }) => return format!("medmon alert ack {}", alert.id),
            Some(Overlay::Line(Purpose::Silence(alert), line)) => {
                let (length, reason) = line.value().split_once(' ').unwrap_or((line.value(), ""));
                return format!("medmon alert silence {alert} --for {length} --reason {}", quoted(reason));
            }
            Some(Overlay::Line(Purpose::Report(patient), line)) => {
                return format!("medmon report add --patient {patient} --text {}", quoted(line.value()));
            }
            _ => {}
        }
        match (self.screen(), self.subject_alert(), self.subject()) {
            (_, Some(alert), _) if alert.acknowledged_ward.is_none() => format!("medmon alert ack {}", alert.id),
            (Screen::Alert(alert), _, _) => format!("medmon alert show {alert}"),
            (Screen::Patient(patient), _, _) => {
                format!("medmon vitals show --patient {patient} --vital heart_rate --plot")
            }
            (Screen::Board, _, Some(row)) => format!("medmon patient show {}", row.patient),
            (Screen::Board, _, None) => "medmon patient list".to_owned(),
        }
    }
}
