//! A connection for questions: how full the queues are, what the stream `raw` has kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};

use medmon_core::wire;

use super::Server;
use super::topology::{self, RAW};
use crate::broker::{BrokerError, Delivery, Stage};

/// Nothing within these, and the stream has no more.
const FIRST: Duration = Duration::from_secs(1);
const NEXT: Duration = Duration::from_millis(200);

pub struct Asker {
    server: Arc<Server>,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Asker {
    pub fn new(server: Arc<Server>) -> Self {
        Self { server, connection: Mutex::new(None) }
    }

    async fn channel(&self) -> Result<Channel, BrokerError> {
        let open = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let connection = match open.filter(|open| open.status().connected()) {
            Some(open) => open,
            None => {
                let fresh = Arc::new(self.server.connect("asks").await?);
                *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fresh));
                fresh
            }
        };
        Ok(connection.create_channel().await?)
    }

    /// Readings that wait in the queues of `stage`, without those it was handed.
    pub async fn waiting(&self, stage: Stage) -> Result<i64, BrokerError> {
        self.server
            .in_time(async {
                let channel = self.channel().await?;
                let mut sum = 0;
                for key in topology::keys() {
                    sum += count(&channel, &topology::queue(stage, key)).await?;
                }
                close(&channel).await;
                Ok(sum)
            })
            .await
    }

    /// Readings in the raw log.
    pub async fn kept(&self) -> Result<i64, BrokerError> {
        self.server
            .in_time(async {
                let channel = self.channel().await?;
                let kept = count(&channel, RAW).await?;
                close(&channel).await;
                Ok(kept)
            })
            .await
    }

    /// The offset of the newest reading in the raw log.
    pub async fn newest(&self) -> Result<i64, BrokerError> {
        let mut newest = 0;
        self.stream(AMQPValue::LongString("last".into()), 1000, |offset, _| {
            newest = offset;
            true
        })
        .await?;
        Ok(newest)
    }

    /// At most `limit` readings after `offset`.
    pub async fn read(&self, offset: i64, limit: u32) -> Result<Vec<Delivery>, BrokerError> {
        let mut found = Vec::new();
        self.stream(AMQPValue::LongLongInt(offset), u16::try_from(limit).unwrap_or(u16::MAX), |at, body| {
            // A stream's reader may be given what lies before the offset it asked for, in the same chunk.
            if at > offset {
                match wire::reading::decode(body) {
                    Ok(reading) => found.push(Delivery { offset: at, reading }),
                    Err(error) => tracing::error!(at, %error, "a reading in RabbitMQ is damaged and left out"),
                }
            }
            found.len() < limit as usize
        })
        .await?;
        Ok(found)
    }

    /// Reads the stream from `from` until `more` says no or nothing more comes: a stream has no end to be asked for, and
    /// its count is five seconds old. Streams count from 0, our offsets from 1.
    async fn stream(
        &self,
        from: AMQPValue,
        prefetch: u16,
        mut more: impl FnMut(i64, &[u8]) -> bool,
    ) -> Result<(), BrokerError> {
        let channel = self.server.in_time(self.channel()).await?;
        let consume = async {
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let mut arguments = FieldTable::default();
            arguments.insert("x-stream-offset".into(), from);
            let options = BasicConsumeOptions::default();
            Ok(channel.basic_consume(RAW.into(), "".into(), options, arguments).await?)
        };
        let mut consumer = self.server.in_time(consume).await?;
        let mut patience = FIRST;
        while let Ok(Some(delivery)) = tokio::time::timeout(patience, consumer.next()).await {
            let delivery = delivery?;
            patience = NEXT;
            let headers = delivery.properties.headers().as_ref();
            let at = headers.and_then(|headers| headers.inner().get("x-stream-offset")).and_then(as_int);
            if at.is_some_and(|at| !more(at + 1, &delivery.data)) {
                break;
            }
            // A credit for the next one.
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
        }
        close(&channel).await;
        Ok(())
    }
}

async fn count(channel: &Channel, queue: &str) -> Result<i64, BrokerError> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(queue.into(), passive, FieldTable::default()).await?.message_count().into())
}

async fn close(channel: &Channel) {
    let _ = channel.close(200, "asked".into()).await;
}

fn as_int(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        _ => None,
    }
}
