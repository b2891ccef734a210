//! The way to the server: tasks that turn its answers into messages. Knows nothing of screens.
//!
//! The board is asked for when a hint says that something changed, and every few seconds even if none does: that is
//! also how the dashboard knows that its link is alive.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use medmon_api::alert::{Ack, AlertQuery, Silence};
use medmon_api::event::EventKind;
use medmon_api::report::NewReport;
use medmon_api::vitals::SeriesQuery;
use medmon_api::{Client, ErrorKind, PageQuery};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::app::{CHARTS, Command, Message, Record};
use crate::find;

/// The board is asked for at least so often.
const EVERY: Duration = Duration::from_secs(5);
/// And at most so often: a burst of hints is one question.
const AT_MOST: Duration = Duration::from_millis(400);
/// An answer that takes longer is no answer for somebody who waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between tries.
const BACK_OFF: Duration = Duration::from_secs(8);

/// The tasks behind a dashboard. They end when it is dropped.
pub struct Feed {
    client: Client,
    messages: mpsc::Sender<Message>,
    ward: watch::Sender<Option<Uuid>>,
    wake: Arc<Notify>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Feed {
    /// Starts asking.
    pub fn start(client: Client, ward: Option<Uuid>, messages: mpsc::Sender<Message>) -> Self {
        let (ward, wards) = watch::channel(ward);
        let wake = Arc::new(Notify::new());
        let tasks = vec![
            tokio::spawn(board(client.clone(), wards, Arc::clone(&wake), messages.clone())),
            tokio::spawn(events(client.clone(), Arc::clone(&wake), messages.clone())),
        ];
        Self { client, messages, ward, wake, tasks }
    }

    /// Carries a command out; its outcome comes as a message.
    pub fn run(&self, command: Command) {
        let (client, messages, wake) = (self.client.clone(), self.messages.clone(), Arc::clone(&self.wake));
        match command {
            Command::Refresh => self.wake.notify_one(),
            Command::Ward(id) => {
                self.ward.send_replace(id);
            }
            command => {
                tokio::spawn(async move {
                    let message = carry_out(&client, command).await;
                    // What was just changed is to be seen at once.
                    wake.notify_one();
                    let _ = messages.send(message).await;
                });
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn board(
    client: Client,
    mut ward: watch::Receiver<Option<Uuid>>,
    wake: Arc<Notify>,
    messages: mpsc::Sender<Message>,
) {
    let mut pause = EVERY;
    loop {
        let asked = Instant::now();
        let of = *ward.borrow_and_update();
        let message = match timeout(PATIENCE, client.board(of)).await {
            Ok(Ok(board)) => {
                pause = EVERY;
                Message::Board { of, board: Box::new(board) }
            }
            failed => {
                pause = if pause >= EVERY { Duration::from_secs(1) } else { (pause * 2).min(BACK_OFF) };
                let late = || format!("{} takes longer than {} s", client.url(), PATIENCE.as_secs());
                Message::Unanswered(
                    failed.map_or_else(|_| late(), |answer| answer.map_or_else(|error| error.to_string(), |_| late())),
                )
            }
        };
        if messages.send(message).await.is_err() {
            return;
        }
        tokio::select! {
            () = wake.notified() => {}
            () = sleep(pause) => {}
            changed = ward.changed() => if changed.is_err() { return },
        }
        sleep_until(asked + AT_MOST).await;
    }
}

async fn events(client: Client, wake: Arc<Notify>, messages: mpsc::Sender<Message>) {
    let (mut last, mut pause) = (None, Duration::from_secs(1));
    loop {
        if let Ok(mut stream) = client.events(last).await {
            pause = Duration::from_secs(1);
            // What happened while nobody listened is on the board, not in the stream.
            wake.notify_one();
            while let Some(Ok(event)) = stream.next().await {
                last = if event.kind == EventKind::Resync { None } else { Some(event.id) };
                wake.notify_one();
                if messages.send(Message::Hint(event)).await.is_err() {
                    return;
                }
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(BACK_OFF);
    }
}

async fn carry_out(client: &Client, command: Command) -> Message {
    let failed = |error: &dyn std::fmt::Display| Message::Failed(error.to_string());
    match command {
        Command::LoadRecord(patient) => match record(client, patient).await {
            Ok(record) => Message::Record(Box::new(record)),
            Err(error) => failed(&error),
        },
        Command::LoadAlert(alert) => match client.alert(alert).await {
            Ok(alert) => Message::Alert(Box::new(alert)),
            Err(error) => failed(&error),
        },
        Command::LoadSegment(alert) => match client.segment(alert).await {
            Ok(segment) => Message::Segment(alert, Some(Box::new(segment))),
            Err(error) if error.kind() == ErrorKind::NotFound => Message::Segment(alert, None),
            Err(error) => failed(&error),
        },
        Command::Acknowledge(alert) => match client.acknowledge(alert, &Ack::default()).await {
            Ok(alert) => Message::Acknowledged(Box::new(alert)),
            Err(error) => failed(&error),
        },
        Command::Silence { alert, for_s, reason } => match client.silence(alert, &Silence { for_s, reason }).await {
            Ok(alert) => Message::Silenced(Box::new(alert)),
            Err(error) => failed(&error),
        },
        Command::Report { patient, text } => {
            let new = NewReport { kind: "note".to_owned(), text: text.clone() };
            match client.add_report(patient, &new).await {
                Ok(_) => Message::Reported(patient),
                Err(error) => Message::NotReported { patient, text, error: error.to_string() },
            }
        }
        Command::FindWard(name) => match find::ward(client, &name).await {
            Ok(ward) => Message::WardFound(ward.id),
            Err(error) => failed(&error),
        },
        // Done where they are.
        Command::Refresh | Command::Ward(_) => Message::Resized,
    }
}

/// All of a patient's screen. Limits are a help in reading the charts: without them the charts are still shown.
async fn record(client: &Client, patient: Uuid) -> Result<Record, medmon_api::Error> {
    let page = PageQuery { limit: Some(20), cursor: None };
    let mut charts = Vec::with_capacity(CHARTS.len());
    for vital in CHARTS {
        charts.push(client.vitals(patient, vital, &SeriesQuery::default()).await?);
    }
    Ok(Record {
        patient,
        charts,
        limits: client.limits(patient).await.map(|limits| limits.limits).unwrap_or_default(),
        alerts: client.patient_alerts(patient, &AlertQuery::default(), &page).await?.items,
        feelings: client.feelings(patient, &page).await?.items,
        reports: client.reports(patient, &page).await?.items,
    })
}
