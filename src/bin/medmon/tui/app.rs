//! The dashboard's state and what changes it: `update(message)` gives the commands that follow. Pure: no clock, no
//! network, no terminal. What a key means on which screen is in `act.rs`.

mod act;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use medmon_api::alert::{Alert, AlertDetail, AlertSegment};
use medmon_api::board::{Board, BoardRow, Section};
use medmon_api::event::{Event, EventKind};
use medmon_api::feeling::Feeling;
use medmon_api::limits::LimitValue;
use medmon_api::report::Report;
use medmon_api::vitals::Series;
use medmon_core::noun::{Class, Priority, Vital};
use ratatui::crossterm::event::KeyEvent;
use tui_input::Input;
use uuid::Uuid;

use super::PhoneLine;
use super::draw::segment;
use super::words::Words;

/// Older than this, what the board shows is not how it is.
const LINK_LOST: SignedDuration = SignedDuration::from_secs(15);
/// How long a note stays.
const NOTE: SignedDuration = SignedDuration::from_secs(8);
/// Texts kept for the phone pane.
const PHONE_LINES: usize = 100;
/// The vitals of a patient's charts.
pub const CHARTS: [Vital; 4] = [Vital::HEART_RATE, Vital::TEMPERATURE, Vital::GLUCOSE, Vital::ACTIVITY];

/// What does not change while the dashboard runs.
#[derive(Clone, Debug)]
pub struct Look {
    /// "A. Martin, nurse".
    pub user: String,
    /// Nothing can be changed from here.
    pub read_only: bool,
    /// No family names.
    pub privacy: bool,
    /// The staff's zone.
    pub zone: TimeZone,
    /// The language.
    pub words: &'static Words,
    /// With colours.
    pub colour: bool,
    /// With a phone pane.
    pub phone: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// Time goes on.
    Tick(Timestamp),
    /// A new board, of the ward it was asked for.
    Board { of: Option<Uuid>, board: Box<Board> },
    /// The board was asked for in vain.
    Unanswered(String),
    /// Something changed at the server.
    Hint(Event),
    /// A patient's screen.
    Record(Box<Record>),
    /// An alert's screen.
    Alert(Box<AlertDetail>),
    /// The raw readings around an alert; `None` = not uploaded yet.
    Segment(Uuid, Option<Box<AlertSegment>>),
    /// An alert was acknowledged.
    Acknowledged(Box<Alert>),
    /// An alert was silenced.
    Silenced(Box<Alert>),
    /// A report was added.
    Reported(Uuid),
    /// A report was not added: its text is not to be lost.
    NotReported { patient: Uuid, text: String, error: String },
    /// The ward that was asked for.
    WardFound(Uuid),
    /// A command failed.
    Failed(String),
    /// A text came or went.
    Phone(PhoneLine),
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask for the board now.
    Refresh,
    /// Show another ward; `None` = all.
    Ward(Option<Uuid>),
    /// Find a ward by name.
    FindWard(String),
    /// Ask for a patient's screen.
    LoadRecord(Uuid),
    /// Ask for an alert's screen.
    LoadAlert(Uuid),
    /// Ask for the raw readings around it.
    LoadSegment(Uuid),
    /// Acknowledge for the ward.
    Acknowledge(Uuid),
    /// Silence.
    Silence { alert: Uuid, for_s: u32, reason: String },
    /// Add a report.
    Report { patient: Uuid, text: String },
}

/// What a patient's screen shows beside the board's row.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose.
    pub patient: Uuid,
    /// In the order of [`CHARTS`].
    pub charts: Vec<Series>,
    /// The limits, as far as the caller may see them.
    pub limits: Vec<LimitValue>,
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// Newest first.
    pub feelings: Vec<Feeling>,
    /// Newest first.
    pub reports: Vec<Report>,
}

/// Where one is. `esc` leads one level out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The ward.
    Board,
    /// One patient.
    Patient(Uuid),
    /// One alert.
    Alert(Uuid),
}

/// What lies over the screen.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// All keys.
    Help,
    /// Acknowledge this alert?
    Confirm {
        /// Which.
        alert: Box<Alert>,
        /// With two identifiers.
        who: String,
        /// Whether Cancel is marked. Acknowledge is, at first: one `enter` has to do at 3 a.m.
        cancel: bool,
    },
    /// A line being typed.
    Line(Purpose, Input),
}

/// What a line is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Rows by name or condition.
    Filter,
    /// A command.
    Palette,
    /// How long and why to silence this alert.
    Silence(Uuid),
    /// A report about this patient.
    Report(Uuid),
}

/// A line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What.
    pub text: String,
    /// Something went wrong.
    pub bad: bool,
    at: Timestamp,
}

/// A board and when it came.
#[derive(Clone, Debug)]
pub struct Held {
    /// The board.
    pub board: Board,
    at: Timestamp,
}

/// The state.
#[derive(Debug)]
pub struct App {
    /// What does not change.
    pub look: Look,
    /// The machine's time as of the last tick.
    pub now: Timestamp,
    held: Option<Held>,
    /// The newest board while rows are frozen.
    behind: Option<Held>,
    frozen: bool,
    heard_at: Option<Timestamp>,
    /// Why the last question was not answered.
    pub unanswered: Option<String>,
    ward: Option<Uuid>,
    screens: Vec<Screen>,
    selected: Option<Uuid>,
    /// Whether somebody chose the row. Until then, and after `esc`, it is the first: the worst.
    chosen: bool,
    selected_alert: Option<Uuid>,
    /// Rows by name or condition.
    pub filter: String,
    /// Over the screen.
    pub overlay: Option<Overlay>,
    /// The newest patient's screen.
    pub record: Option<Record>,
    /// The newest alert's screen.
    pub detail: Option<AlertDetail>,
    segment: Option<(Uuid, Option<Box<AlertSegment>>)>,
    note: Option<Note>,
    /// Texts, oldest first.
    pub phone: Vec<PhoneLine>,
    quit: bool,
    dirty: bool,
}

impl App {
    /// Nothing known yet.
    pub fn new(look: Look, now: Timestamp) -> Self {
        Self {
            look,
            now,
            held: None,
            behind: None,
            frozen: false,
            heard_at: None,
            unanswered: None,
            ward: None,
            screens: vec![Screen::Board],
            selected: None,
            chosen: false,
            selected_alert: None,
            filter: String::new(),
            overlay: None,
            record: None,
            detail: None,
            segment: None,
            note: None,
            phone: Vec::new(),
            quit: false,
            dirty: true,
        }
    }

    /// Takes a message in.
    pub fn update(&mut self, message: Message) -> Vec<Command> {
        let mut commands = Vec::new();
        self.dirty |= !matches!(message, Message::Tick(_) | Message::Hint(_));
        match message {
            Message::Key(key) => return self.key(key),
            Message::Resized => {}
            Message::Tick(now) => self.tick(now),
            Message::Board { of, board } => self.take_board(of, *board),
            Message::Unanswered(why) => self.unanswered = Some(why),
            Message::Hint(event) => commands.extend(self.hint(event)),
            Message::Record(record) => self.record = Some(*record),
            Message::Alert(detail) => {
                let alert = &detail.alert;
                commands.extend(segment::has(alert).then_some(Command::LoadSegment(alert.id)));
                self.detail = Some(*detail);
            }
            Message::Segment(alert, segment) => self.segment = Some((alert, segment)),
            Message::Acknowledged(alert) => {
                self.say(self.look.words.done_acknowledged, false);
                commands.extend(self.reload(alert.id));
            }
            Message::Silenced(alert) => {
                self.say(self.look.words.done_silenced, false);
                commands.extend(self.reload(alert.id));
            }
            Message::Reported(patient) => {
                self.say(self.look.words.done_report, false);
                commands.push(Command::LoadRecord(patient));
            }
            Message::NotReported { patient, text, error } => {
                self.say(&error, true);
                if self.overlay.is_none() {
                    self.overlay = Some(Overlay::Line(Purpose::Report(patient), text.into()));
                }
            }
            Message::WardFound(ward) => {
                self.ward = Some(ward);
                commands.push(Command::Ward(self.ward));
            }
            Message::Failed(error) => self.say(&error, true),
            Message::Phone(line) => {
                self.phone.push(line);
                let over = self.phone.len().saturating_sub(PHONE_LINES);
                self.phone.drain(..over);
            }
        }
        commands
    }

    /// Whether there is something new to draw; asked once a drawing.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Whether somebody quit.
    pub fn has_quit(&self) -> bool {
        self.quit
    }

    fn tick(&mut self, now: Timestamp) {
        let phases = |now: Timestamp| (blink(now, HIGH_MS), blink(now, MEDIUM_MS));
        let blinked = phases(self.now) != phases(now) && self.rows().iter().any(|row| urgency(row).is_some());
        self.dirty |= self.now.as_second() != now.as_second() || blinked;
        self.now = now;
        if self.note.as_ref().is_some_and(|note| now.duration_since(note.at) > NOTE) {
            self.note = None;
        }
    }

    fn take_board(&mut self, of: Option<Uuid>, board: Board) {
        self.heard_at = Some(self.now);
        self.unanswered = None;
        let held = Held { board, at: self.now };
        // A late answer about another ward is a sign of life, and no more.
        if self.ward.is_some() && of != self.ward {
            return;
        }
        if self.frozen {
            self.behind = Some(held);
        } else {
            self.held = Some(held);
        }
        self.keep_selection();
    }

    /// A row that somebody chose stays selected wherever it moves: `a` acknowledges what was looked at. Where nobody
    /// chose, the worst is selected, and a question on the screen keeps the patient that it is about.
    fn keep_selection(&mut self) {
        let rows = self.rows();
        let asks = matches!(
            self.overlay,
            Some(Overlay::Confirm { .. } | Overlay::Line(Purpose::Silence(_) | Purpose::Report(_), _))
        );
        let stays = self.chosen || asks || self.screen() != Screen::Board;
        if !stays || !rows.iter().any(|row| Some(row.patient) == self.selected) {
            self.selected = rows.first().map(|row| row.patient);
            self.chosen &= stays && self.selected.is_some();
        }
    }

    fn hint(&self, event: Event) -> Option<Command> {
        let everything = event.kind == EventKind::Resync;
        match self.screen() {
            Screen::Patient(patient) if everything || event.patient == Some(patient) => {
                Some(Command::LoadRecord(patient))
            }
            Screen::Alert(alert) if everything || event.alert == Some(alert) => Some(Command::LoadAlert(alert)),
            _ => None,
        }
    }

    /// What is on the screen and shows this alert.
    fn reload(&self, alert: Uuid) -> Option<Command> {
        match self.screen() {
            Screen::Patient(patient) => Some(Command::LoadRecord(patient)),
            Screen::Alert(shown) if shown == alert => Some(Command::LoadAlert(alert)),
            _ => None,
        }
    }

    fn say(&mut self, text: &str, bad: bool) {
        self.note = Some(Note { text: text.to_owned(), bad, at: self.now });
    }

    /// The line for the user, while it is fresh.
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// The raw readings around an alert, if they came.
    pub fn segment(&self, alert: Uuid) -> Option<&AlertSegment> {
        let (_, segment) = self.segment.as_ref().filter(|(of, _)| *of == alert)?;
        segment.as_deref()
    }

    /// Whether they were asked for and are not uploaded yet.
    pub fn has_no_segment(&self, alert: Uuid) -> bool {
        matches!(self.segment, Some((of, None)) if of == alert)
    }

    /// Where one is.
    pub fn screen(&self) -> Screen {
        self.screens.last().copied().unwrap_or(Screen::Board)
    }

    /// The board on the screen.
    pub fn board(&self) -> Option<&Board> {
        self.held.as_ref().map(|held| &held.board)
    }

    /// The newest board, which frozen rows do not show.
    pub fn newest(&self) -> Option<&Board> {
        self.behind.as_ref().or(self.held.as_ref()).map(|held| &held.board)
    }

    /// How long rows have been frozen.
    pub fn frozen(&self) -> Option<SignedDuration> {
        let held = self.held.as_ref().filter(|_| self.frozen)?;
        Some(self.now.duration_since(held.at))
    }

    /// Whether the frozen rows hide a change of the counts.
    pub fn hides_news(&self) -> bool {
        self.frozen && self.newest().map(|board| board.counts) != self.board().map(|board| board.counts)
    }

    /// Seconds by which what is shown is older than when the server said it.
    pub fn drift_s(&self) -> u64 {
        let drift = self.held.as_ref().map_or(SignedDuration::ZERO, |held| self.now.duration_since(held.at));
        drift.as_secs().try_into().unwrap_or(0)
    }

    /// The server's time now: ages and the clock on the screen do not depend on this machine's clock.
    pub fn server_now(&self) -> Timestamp {
        let newest = self.behind.as_ref().or(self.held.as_ref());
        newest.map_or(self.now, |held| held.board.at.checked_add(self.now.duration_since(held.at)).unwrap_or(self.now))
    }

    /// How old the last answer is; `None` = there was none yet.
    pub fn link_age(&self) -> Option<SignedDuration> {
        self.heard_at.map(|heard| self.now.duration_since(heard))
    }

    /// Whether the link has been silent for too long, and for how long.
    pub fn link_lost(&self) -> Option<SignedDuration> {
        self.link_age().filter(|age| *age > LINK_LOST)
    }

    /// The rows that the filter lets through, in the board's order.
    pub fn rows(&self) -> Vec<&BoardRow> {
        let wanted = self.filter.to_lowercase();
        let rows = self.board().map(|board| board.rows.as_slice()).unwrap_or_default();
        rows.iter().filter(|row| wanted.is_empty() || self.matches(row, &wanted)).collect()
    }

    fn matches(&self, row: &BoardRow, wanted: &str) -> bool {
        let words = self.look.words;
        let conditions = row.alerts.iter().map(|alert| words.condition(alert.condition, alert.vital));
        let texts = [self.name(row), words.section(row.section).to_owned()];
        conditions.chain(texts).any(|text| text.to_lowercase().contains(wanted))
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&BoardRow> {
        self.row(self.selected?)
    }

    /// The row of a patient, whatever the filter.
    pub fn row(&self, patient: Uuid) -> Option<&BoardRow> {
        self.board()?.rows.iter().find(|row| row.patient == patient)
    }

    /// The selected alert of a patient's screen.
    pub fn selected_alert(&self) -> Option<Uuid> {
        self.selected_alert
    }

    /// A patient's name as this screen may show it.
    pub fn name(&self, row: &BoardRow) -> String {
        if self.look.privacy { without_family_name(&row.name) } else { row.name.clone() }
    }

    /// The patient that a key is about.
    pub fn subject(&self) -> Option<&BoardRow> {
        match self.screen() {
            Screen::Board => self.selected(),
            Screen::Patient(patient) => self.row(patient),
            Screen::Alert(alert) => {
                self.board()?.rows.iter().find(|row| row.alerts.iter().any(|open| open.id == alert))
            }
        }
    }

    /// The open alert that a key is about: the one on the screen, the selected one, else the worst that waits.
    pub fn subject_alert(&self) -> Option<&Alert> {
        let row = self.subject()?;
        let by_id = |id: Uuid| row.alerts.iter().find(|alert| alert.id == id);
        match self.screen() {
            Screen::Alert(alert) => by_id(alert),
            Screen::Patient(_) => self.selected_alert.and_then(by_id).or_else(|| waiting(row)),
            Screen::Board => waiting(row).or_else(|| row.alerts.first()),
        }
    }
}

/// The worst open alert that the ward has not acknowledged; the board puts it first.
fn waiting(row: &BoardRow) -> Option<&Alert> {
    row.alerts.iter().find(|alert| alert.acknowledged_ward.is_none())
}

/// Period of a high alert's blinking (IEC 60601-1-8: 1.4 to 2.8 Hz).
const HIGH_MS: i64 = 500;
/// Period of a medium one's (0.4 to 0.8 Hz).
const MEDIUM_MS: i64 = 1500;

fn blink(now: Timestamp, period_ms: i64) -> bool {
    now.as_millisecond().rem_euclid(period_ms) < period_ms / 2
}

/// The priority that blinks on a row, if one does.
pub fn urgency(row: &BoardRow) -> Option<Priority> {
    let waits = |alert: &&Alert| alert.class == Class::Physiological && alert.acknowledged_ward.is_none();
    let worst = row.alerts.iter().filter(waits).map(|alert| alert.priority).max()?;
    (row.section == Section::NeedsAnswer && worst > Priority::Low).then_some(worst)
}

/// Whether a row of this priority is in the lit half of its blinking.
pub fn lit(now: Timestamp, priority: Priority) -> bool {
    match priority {
        Priority::High => blink(now, HIGH_MS),
        Priority::Medium => blink(now, MEDIUM_MS),
        Priority::Low => false,
    }
}

/// "DOE Jeanne" without the family name, which is written in capitals, or else comes first: "D. Jeanne".
fn without_family_name(name: &str) -> String {
    let is_family = |word: &str| word.chars().count() > 1 && word.chars().all(|letter| !letter.is_lowercase());
    let capitals = name.split_whitespace().any(is_family);
    let initial = |word: &str| word.chars().next().map_or_else(String::new, |letter| format!("{letter}."));
    let shown = name.split_whitespace().enumerate().map(|(index, word)| {
        if if capitals { is_family(word) } else { index == 0 } { initial(word) } else { word.to_owned() }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
