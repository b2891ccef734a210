//! The dashboard: state (`app`), keys (`input`), the way to the server (`feed`) and drawing (`draw`) apart.
//!
//! Here is only the loop that joins them and the terminal that has to be given back whatever happens.

pub mod app;
pub mod draw;
mod feed;
#[cfg(test)]
mod fixtures;
pub mod input;
pub mod words;

use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use medmon_api::Client;
use medmon_core::noun::Language;
use ratatui::crossterm::event::{Event, EventStream, KeyEventKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::app::{App, Message};
use self::feed::Feed;

/// Half of the faster blinking.
const TICK: Duration = Duration::from_millis(250);

/// A text as a phone shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneLine {
    /// When.
    pub at: Timestamp,
    /// From which number or whom.
    pub from: String,
    /// To which number or whom.
    pub to: String,
    /// What.
    pub text: String,
    /// A reply that comes in, not a text that goes out.
    pub incoming: bool,
}

/// What the dashboard works with.
pub struct DashboardOptions {
    /// The server, with the caller's token.
    pub client: Client,
    /// As shown: "A. Martin, nurse".
    pub user: String,
    /// Texts as they come, for a phone pane; absent = no pane.
    pub phone: Option<mpsc::Receiver<PhoneLine>>,
    /// This ward only.
    pub ward: Option<Uuid>,
    /// Nothing can be changed from here.
    pub read_only: bool,
    /// No family names.
    pub privacy: bool,
    /// The staff's zone.
    pub zone: TimeZone,
    /// Of the screen.
    pub language: Language,
    /// With colours.
    pub colour: bool,
}

/// Shows the dashboard until somebody quits or `shutdown` is cancelled.
pub async fn run(options: DashboardOptions, shutdown: CancellationToken) -> anyhow::Result<()> {
    // `init` also restores the terminal when something panics.
    let mut terminal = ratatui::try_init()?;
    let outcome = watch(&mut terminal, options, &shutdown).await;
    ratatui::restore();
    outcome
}

async fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    options: DashboardOptions,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let (messages, mut inbox) = mpsc::channel(256);
    let feed = Feed::start(options.client.clone(), options.ward, messages);
    let mut phone = options.phone;
    let mut app = App::new(
        app::Look {
            user: options.user,
            read_only: options.read_only,
            privacy: options.privacy,
            zone: options.zone,
            words: words::Words::of(options.language),
            colour: options.colour,
            phone: phone.is_some(),
        },
        Timestamp::now(),
    );
    let mut keys = EventStream::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    loop {
        if app.take_dirty() {
            terminal.draw(|frame| draw::screen(&app, frame.area(), frame.buffer_mut()))?;
        }
        let message = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            Some(message) = inbox.recv() => message,
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => Message::Key(key),
                Some(Ok(Event::Resize(..))) => Message::Resized,
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            Some(line) = next(&mut phone) => Message::Phone(line),
            _ = ticks.tick() => Message::Tick(Timestamp::now()),
        };
        for command in app.update(message) {
            feed.run(command);
        }
        if app.has_quit() {
            return Ok(());
        }
    }
}

/// The next text; never, where there is no phone.
async fn next(phone: &mut Option<mpsc::Receiver<PhoneLine>>) -> Option<PhoneLine> {
    match phone {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}
