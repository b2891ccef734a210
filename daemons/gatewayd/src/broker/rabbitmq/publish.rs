//! The connection that publishes: confirms are pipelined, only `Ack(None)` is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Event};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use medmon_core::noun::Reading;
use medmon_core::wire;

use super::topology::{self, EXCHANGE};
use super::{Backoff, Server};
use crate::broker::{BrokerError, BrokerState};

/// A connection that died without a word is found out this soon.
const LOOK: Duration = Duration::from_secs(1);
/// A queue's deletion is noticed within moments, one of a wiped server with the next connection. What was sent so
/// recently is published again then: the deleted queue took it along, confirmed or not.
const RECENT: Duration = Duration::from_mins(1);
const RECENT_MAX: usize = 20_000;
/// From a deletion to the new queues.
pub const SETTLE: Duration = Duration::from_millis(500);
/// Persistent.
const DELIVERY_MODE: u8 = 2;

struct Session {
    connection: Connection,
    channel: Channel,
}

/// Publishes on a connection of its own: RabbitMQ stops reading from one that publishes when it is low on disk, and
/// acknowledgements must still get through.
pub struct Publisher {
    server: Arc<Server>,
    session: watch::Sender<Option<Arc<Session>>>,
    /// Batches go out whole, in the order they came.
    turn: tokio::sync::Mutex<()>,
    recent: Mutex<VecDeque<(Instant, Reading)>>,
    /// A queue was deleted.
    pub deleted: Notify,
    /// Counts how often queues were declared anew: who consumes begins anew with it.
    pub renewed: watch::Sender<u64>,
    pub durable: watch::Sender<i64>,
}

impl Publisher {
    pub fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            session: watch::Sender::new(None),
            turn: tokio::sync::Mutex::new(()),
            recent: Mutex::new(VecDeque::new()),
            deleted: Notify::new(),
            renewed: watch::Sender::new(0),
            durable: watch::Sender::new(0),
        }
    }

    pub fn state(&self) -> BrokerState {
        match &*self.session.borrow() {
            None => BrokerState::Unreached,
            Some(session) if session.connection.status().blocked() => BrokerState::Blocked,
            Some(_) => BrokerState::Up,
        }
    }

    /// Returns once all are durable.
    pub async fn publish(&self, readings: &[Reading]) -> Result<(), BrokerError> {
        let session = self.session.borrow().clone();
        let session = session.ok_or_else(|| BrokerError::Unreached(self.server.place.clone()))?;
        if session.connection.status().blocked() {
            return Err(BrokerError::Blocked(self.server.place.clone()));
        }
        let mut confirms = Vec::with_capacity(readings.len());
        {
            let _turn = self.turn.lock().await;
            // Before it is sent: a confirm that is still on its way may be of a queue that is gone.
            self.remember(readings);
            let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            for reading in readings {
                let (key, body) = (topology::key(reading.vital), wire::reading::encode(reading));
                let properties = BasicProperties::default().with_delivery_mode(DELIVERY_MODE);
                // Awaited once it is sent, twice it is confirmed.
                let sent = session.channel.basic_publish(EXCHANGE.into(), key.into(), mandatory, &body, properties);
                confirms.push(sent.await?);
            }
        }
        let mut unroutable = false;
        for confirm in confirms {
            match confirm.await? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(_)) => unroutable = true,
                Confirmation::Nack(_) | Confirmation::NotRequested => return Err(BrokerError::Refused),
            }
        }
        if unroutable {
            self.deleted.notify_one();
            return Err(BrokerError::Unroutable);
        }
        self.durable.send_modify(|count| *count += readings.len() as i64);
        Ok(())
    }

    fn remember(&self, readings: &[Reading]) {
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.extend(readings.iter().map(|reading| (now, reading.clone())));
        while recent.len() > RECENT_MAX || recent.front().is_some_and(|(at, _)| now - *at > RECENT) {
            recent.pop_front();
        }
    }

    fn recent(&self) -> Vec<Reading> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().map(|(_, reading)| reading.clone()).collect()
    }

    /// Keeps a session open, for ever.
    pub async fn keep_connected(&self) {
        let mut backoff = Backoff::default();
        let mut first = true;
        loop {
            let ended = self.session(first, &mut backoff).await;
            let was_up = self.session.send_replace(None).is_some();
            first &= !was_up;
            if was_up || backoff.is_first() {
                tracing::warn!(error = %ended, "RabbitMQ takes no readings now; connecting again and again");
            }
            backoff.wait().await;
        }
    }

    /// One session, until it ends.
    async fn session(&self, first: bool, backoff: &mut Backoff) -> BrokerError {
        match self.run_session(first, backoff).await {
            Ok(()) => BrokerError::Unreached(self.server.place.clone()),
            Err(error) => error,
        }
    }

    async fn run_session(&self, first: bool, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let connection = self.server.connect("publishes").await?;
        let mut events = Box::pin(connection.events_listener());
        let mut deleted = !first && self.server.in_time(topology::incomplete(&connection)).await?;
        if deleted {
            self.renew(&connection).await?;
        } else {
            self.server.in_time(topology::declare(&connection, self.server.retention_h)).await?;
        }
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let session = Arc::new(Session { connection, channel });
        self.session.send_replace(Some(Arc::clone(&session)));
        tracing::info!(place = self.server.place, "RabbitMQ takes readings");
        backoff.reset();
        loop {
            if deleted {
                let again = self.recent();
                tracing::warn!(
                    readings = again.len(),
                    "what the deleted queues may have taken along is published again"
                );
                self.publish(&again).await?;
                deleted = false;
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::error!(reason, "RabbitMQ takes no readings: free disk or memory there");
                    }
                    Some(Event::ConnectionUnblocked) => tracing::info!("RabbitMQ takes readings again"),
                    Some(Event::Error(error)) => return Err(error.into()),
                    Some(_) => {}
                    None => return Ok(()),
                },
                () = self.deleted.notified() => {
                    self.renew(&session.connection).await?;
                    deleted = true;
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            if !(session.connection.status().connected() && session.channel.status().connected()) {
                return Ok(());
            }
        }
    }

    /// Declares what was deleted. A consumer that is still there when a quorum queue of the same name comes back is never
    /// told that its queue was deleted: the server hands it the new one's readings, and drops them as old on the way
    /// (RabbitMQ 3.10). So consumers go first.
    async fn renew(&self, connection: &Connection) -> Result<(), BrokerError> {
        tracing::error!("queues of RabbitMQ were deleted; they are declared again");
        self.renewed.send_modify(|count| *count += 1);
        tokio::time::sleep(SETTLE).await;
        let _ = self.deleted.notified().now_or_never();
        self.server.in_time(topology::declare(connection, self.server.retention_h)).await
    }
}
