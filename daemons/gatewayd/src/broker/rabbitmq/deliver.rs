//! The connection of a stage: one channel consumes all its queues, so that delivery tags grow over them and one
//! acknowledgement settles everything before it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::SelectAll;
use futures_util::{StreamExt as _, stream};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;

use medmon_core::wire;

use super::publish::{self, Publisher};
use super::topology;
use super::{Backoff, Server};
use crate::broker::{BrokerError, Delivery, Stage};

/// Unacknowledged deliveries a queue: more than a second of the fastest sensor, far less than fills a memory.
const PREFETCH: u16 = 4000;
/// An offset is a session's number above a delivery tag.
const TAG_BITS: u32 = 40;

/// Everything handed to the stage: the tags up to `up_to`, and some ahead of it. The consumers of one channel are
/// streams of their own, and which is read first is chance.
#[derive(Default)]
struct Handed {
    up_to: u64,
    ahead: BTreeSet<u64>,
}

impl Handed {
    fn hand(&mut self, tag: u64) -> u64 {
        self.ahead.insert(tag);
        while self.ahead.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
        self.up_to
    }
}

struct Session {
    channel: Channel,
    number: i64,
    handed: Handed,
    acknowledged: u64,
}

/// What one stage is delivered.
pub struct Deliverer {
    stage: Stage,
    sessions: AtomicI64,
    session: Mutex<Option<Session>>,
}

impl Deliverer {
    pub fn new(stage: Stage) -> Self {
        Self { stage, sessions: AtomicI64::new(1), session: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands deliveries to `to` for as long as it lives; tells the publisher when a queue is gone.
    pub async fn keep_delivering(&self, server: &Server, publisher: &Publisher, to: mpsc::Sender<Delivery>) {
        let mut backoff = Backoff::default();
        let mut renewed = publisher.renewed.subscribe();
        loop {
            renewed.mark_unchanged();
            let (ended, told) = tokio::select! {
                ended = self.deliver(server, &to, &mut backoff) => (ended, false),
                _ = renewed.changed() => (Err(BrokerError::QueueDeleted), true),
                () = to.closed() => return,
            };
            let was_up = self.lock().take().is_some();
            match ended {
                Ok(()) => return,
                Err(BrokerError::QueueDeleted) => {
                    if !told {
                        publisher.deleted.notify_one();
                    }
                    tokio::time::sleep(2 * publish::SETTLE).await;
                }
                Err(error) if was_up || backoff.is_first() => {
                    tracing::warn!(%error, stage = self.stage.name(), "nothing is delivered now; connecting again and again");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = backoff.wait() => {}
                () = to.closed() => return,
            }
        }
    }

    async fn deliver(
        &self,
        server: &Server,
        to: &mpsc::Sender<Delivery>,
        backoff: &mut Backoff,
    ) -> Result<(), BrokerError> {
        let connection = server.connect(self.stage.name()).await?;
        server.in_time(topology::declare(&connection, server.retention_h)).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        *self.lock() = Some(Session { channel: channel.clone(), number, handed: Handed::default(), acknowledged: 0 });
        let mut queues = SelectAll::new();
        for key in topology::keys() {
            let name = topology::queue(self.stage, key);
            let options = BasicConsumeOptions::default();
            let consume = async {
                let queue = name.as_str().into();
                Ok(channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?)
            };
            // A queue that has not chosen its leader yet, as after a power cut, would never answer.
            let consumer = server.in_time(consume).await.inspect_err(|_| {
                tracing::warn!(queue = name, "this queue does not answer; if it never does, delete it in RabbitMQ");
            })?;
            // A consumer whose queue is deleted just ends; among others nobody would notice.
            queues.push(consumer.map(Some).chain(stream::once(std::future::ready(None))));
        }
        backoff.reset();
        while let Some(delivery) = queues.next().await {
            let delivery = delivery.ok_or(BrokerError::QueueDeleted)??;
            let tag = delivery.delivery_tag;
            let Some(up_to) = self.lock().as_mut().map(|session| session.handed.hand(tag)) else { break };
            match wire::reading::decode(&delivery.data) {
                Ok(reading) => {
                    let offset = (number << TAG_BITS) | up_to as i64;
                    if to.send(Delivery { offset, reading }).await.is_err() {
                        return Ok(());
                    }
                }
                // One damaged message must not stop the rest; its sequence number shows the hole.
                Err(error) => tracing::error!(%error, "a reading in RabbitMQ is damaged and left out"),
            }
        }
        Err(BrokerError::Unreached(server.place.clone()))
    }

    /// Settles everything up to `offset`, if it is of this session.
    pub async fn acknowledge(&self, offset: i64) -> Result<(), BrokerError> {
        let (number, tag) = (offset >> TAG_BITS, (offset & ((1 << TAG_BITS) - 1)).unsigned_abs());
        let channel = {
            let mut session = self.lock();
            let Some(session) = session.as_mut() else { return Ok(()) };
            if number != session.number || tag <= session.acknowledged {
                return Ok(());
            }
            session.acknowledged = tag;
            session.channel.clone()
        };
        Ok(channel.basic_ack(tag, BasicAckOptions { multiple: true }).await?)
    }

    /// Whether `offset` is the last that was handed over; `None` without a session.
    pub fn has_all(&self, offset: i64) -> Option<bool> {
        let session = self.lock();
        let session = session.as_ref()?;
        let up_to = session.handed.up_to as i64;
        Some(up_to == 0 || offset == (session.number << TAG_BITS) | up_to)
    }

    /// Handed over and not acknowledged.
    pub fn unsettled(&self) -> i64 {
        self.lock().as_ref().map_or(0, |session| session.handed.up_to.saturating_sub(session.acknowledged) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_acknowledged_that_a_stage_was_not_handed() {
        let mut handed = Handed::default();
        assert_eq!(handed.hand(2), 0, "tag 1 is still in another consumer");
        assert_eq!(handed.hand(3), 0);
        assert_eq!(handed.hand(1), 3);
        assert_eq!(handed.hand(4), 4);
    }
}
