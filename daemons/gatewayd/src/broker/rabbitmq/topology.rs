//! What stands in RabbitMQ: the topic exchange `readings`, a durable quorum queue a stage and vital, and the stream `raw`
//! that keeps everything for `medmon local tap`.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};

use medmon_core::noun::Vital;
use medmon_core::noun::vital::VITALS;

use crate::broker::{BrokerError, Stage};

pub const EXCHANGE: &str = "readings";
pub const RAW: &str = "raw";
/// Where readings of a vital go that this release has no name for.
const OTHER: &str = "other";
/// RabbitMQ 4 drops a message after 20 deliveries unless told otherwise; -1 for "never" is refused by RabbitMQ 3.
const DELIVERY_LIMIT: i32 = i32::MAX;
/// The raw log is a convenience: a full disk must not come of it.
const RAW_MAX_BYTES: i64 = 2 << 30;
/// What is too old goes a segment at a time.
const RAW_SEGMENT_BYTES: i64 = 20 << 20;

/// Routing keys: the names of the vitals.
pub fn keys() -> impl Iterator<Item = &'static str> {
    VITALS.iter().map(|row| row.name).chain([OTHER])
}

pub fn key(vital: Vital) -> &'static str {
    vital.info().map_or(OTHER, |row| row.name)
}

pub fn queue(stage: Stage, key: &str) -> String {
    format!("{}.{key}", stage.name())
}

/// Every stage's queues.
pub fn queues() -> impl Iterator<Item = (Stage, &'static str)> {
    Stage::ALL.into_iter().flat_map(|stage| keys().map(move |key| (stage, key)))
}

/// Whether a queue is missing. Asking for one that is closes the channel, so this takes one of its own.
pub async fn incomplete(connection: &Connection) -> Result<bool, BrokerError> {
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    for (stage, key) in queues() {
        match channel.queue_declare(queue(stage, key).into(), passive, FieldTable::default()).await {
            Ok(_) => {}
            Err(_) if connection.status().connected() => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
    let _ = channel.close(200, "looked".into()).await;
    Ok(false)
}

/// Declares everything; what is there stays as it is.
pub async fn declare(connection: &Connection, retention_h: u32) -> Result<(), BrokerError> {
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    for (stage, key) in queues() {
        let name = queue(stage, key);
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        quorum.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
        channel.queue_declare(name.as_str().into(), QueueDeclareOptions::durable(), quorum).await?;
        bind(&channel, &name, key).await?;
    }
    let mut stream = FieldTable::default();
    stream.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    stream.insert("x-max-age".into(), AMQPValue::LongString(format!("{retention_h}h").into()));
    stream.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(RAW_MAX_BYTES));
    stream.insert("x-stream-max-segment-size-bytes".into(), AMQPValue::LongLongInt(RAW_SEGMENT_BYTES));
    match channel.queue_declare(RAW.into(), QueueDeclareOptions::durable(), stream).await {
        Ok(_) => bind(&channel, RAW, "#").await?,
        // It was declared with another retention. What it keeps is worth more than the new figure.
        Err(error) if connection.status().connected() => {
            tracing::warn!(%error, "the queue `raw` stays as it is; delete it for another gateway.broker.retention_h");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    let _ = channel.close(200, "declared".into()).await;
    Ok(())
}

async fn bind(channel: &Channel, queue: &str, key: &str) -> Result<(), BrokerError> {
    let (queue, key) = (queue.into(), key.into());
    Ok(channel.queue_bind(queue, EXCHANGE.into(), key, QueueBindOptions::default(), FieldTable::default()).await?)
}
