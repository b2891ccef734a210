//! The broker: every reading that COLLECT accepts, durable, until each stage has made something durable of it.
//!
//! A stage has a cursor of its own; readings are delivered at least once, in order; stages drop what they had by id.

mod embedded;
mod rabbitmq;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use medmon_core::noun::Reading;
use medmon_kit::sqlite;

use crate::outbox::Lost;

pub use embedded::Embedded;
pub use rabbitmq::{RabbitMq, RabbitUrl};

/// Why the broker did not do what it was asked to. Nothing it has confirmed is touched by any of these.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BrokerError {
    /// The embedded broker's file.
    #[error(transparent)]
    Disk(#[from] sqlite::Error),
    /// No connection.
    #[error("RabbitMQ at {0} is not reached: is it running, and is gateway.broker.url right?")]
    Unreached(String),
    /// RabbitMQ is low on disk or memory; it says so to those who listen, and stops reading.
    #[error("RabbitMQ at {0} takes nothing: it is low on disk or memory, free some there")]
    Blocked(String),
    /// Acknowledged, but kept by no queue.
    #[error("RabbitMQ found no queue for a reading; the queues are declared again")]
    Unroutable,
    /// Refused by a queue.
    #[error("RabbitMQ refused a reading; its log says why")]
    Refused,
    /// No durable confirm in time.
    #[error("no durable confirm within {0:?}")]
    Late(Duration),
    /// A queue is gone, and its consumer with it.
    #[error("a queue of RabbitMQ was deleted; the queues are declared again")]
    QueueDeleted,
    /// What RabbitMQ says.
    #[error("RabbitMQ: {0}")]
    Amqp(#[from] lapin::Error),
}

impl From<rusqlite::Error> for BrokerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Disk(error.into())
    }
}

/// Who reads from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Sees a reading at once, before it is durable.
    Detect,
    /// Sees a reading once it is durable.
    Downsample,
}

impl Stage {
    /// Every stage: a reading is kept until each has acknowledged it.
    pub const ALL: [Self; 2] = [Self::Detect, Self::Downsample];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Downsample => "downsample",
        }
    }
}

/// What may be given up when the disk is nearly full, in the order of its worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Acceleration that every stage has had: its windows are in the record.
    Bursts,
    /// Any readings that every stage has had.
    Taken,
    /// Anything: a loss.
    Any,
}

/// A reading on its way to a stage.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Acknowledging it acknowledges every delivery up to this one. 0: a reading that was shown before it was kept;
    /// there is nothing to acknowledge yet.
    pub offset: i64,
    /// The reading.
    pub reading: Reading,
}

/// Whether the broker can be worked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerState {
    /// Yes.
    #[default]
    Up,
    /// There is no connection; it is tried again and again.
    Unreached,
    /// It takes no readings: low on disk or memory.
    Blocked,
}

/// What the broker holds now; while it is not reached, what it held when last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// Readings kept.
    pub kept: i64,
    /// Not yet acknowledged by DETECT.
    pub detect_behind: i64,
    /// Not yet acknowledged by DOWNSAMPLE.
    pub downsample_behind: i64,
    /// Can it be worked with?
    pub state: BrokerState,
}

/// The seam between the embedded broker and others.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Returns once `readings` are durable for every stage. DETECT sees them at once, whatever becomes of that. After an
    /// error they may be durable all the same: published again they are there twice, and every reader drops what it had
    /// by id. To be driven to its end, by whomever.
    async fn publish(&self, readings: Vec<Reading>) -> Result<(), BrokerError>;

    /// Deliveries for `stage` from its cursor on, for as long as the receiver lives.
    fn consume(&self, stage: Stage) -> mpsc::Receiver<Delivery>;

    /// All up to `offset` have become something durable. An offset of an earlier session acknowledges nothing; what it
    /// stood for is delivered again.
    async fn acknowledge(&self, stage: Stage, offset: i64) -> Result<(), BrokerError>;

    /// How often a stage makes its state durable and acknowledges while nothing urgent happens. What came since is
    /// delivered again after a crash; flash wears with every write.
    fn commit_every(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Whether everything durable was delivered to `stage`, `offset` being the last it took in. When that cannot be
    /// known, nothing more is to be expected now.
    async fn drained(&self, stage: Stage, offset: i64) -> bool;

    /// Durable readings after `offset`, at most `limit`, for `medmon local tap`. None = none now. These offsets are the
    /// log's, not the stages'.
    async fn read(&self, offset: i64, limit: u32) -> Result<Vec<Delivery>, BrokerError>;

    /// The offset of the newest durable reading in the log.
    async fn newest(&self) -> Result<i64, BrokerError>;

    /// Changes whenever more is durable.
    fn durable(&self) -> watch::Receiver<i64>;

    /// Gives up what every stage has had and is older than the retention.
    async fn trim(&self, older_than_utc_us: i64) -> Result<u64, BrokerError>;

    /// Gives up the oldest readings of a worth, a number at a time; says how many, and what was lost with them. A broker
    /// that keeps its own quota gives up nothing here.
    async fn give_up(&self, _worth: Worth, _limit: u32) -> Result<(u64, Vec<Lost>), BrokerError> {
        Ok((0, Vec::new()))
    }

    /// Gives freed room back to the disk.
    async fn give_back(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    /// What is held.
    async fn depth(&self) -> Result<Depth, BrokerError>;
}
