//! The broker: every reading that COLLECT accepts, durable, until each stage has made something durable of it.
//!
//! A stage has a cursor of its own; readings are delivered at least once, in order; stages drop what they had by id.

mod embedded;

use async_trait::async_trait;
use tokio::sync::mpsc;

use medmon_core::noun::Reading;
use medmon_kit::sqlite;

use crate::outbox::Lost;

pub use embedded::Embedded;

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

    fn name(self) -> &'static str {
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
    /// Grows; acknowledging one acknowledges all before it.
    pub offset: i64,
    /// The reading.
    pub reading: Reading,
}

/// What the broker holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// Readings kept.
    pub kept: i64,
    /// Not yet acknowledged by DETECT.
    pub detect_behind: i64,
    /// Not yet acknowledged by DOWNSAMPLE.
    pub downsample_behind: i64,
}

/// The seam between the embedded broker and others.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Returns once `readings` are durable. DETECT sees them at once, whatever becomes of that.
    async fn publish(&self, readings: Vec<Reading>) -> Result<(), sqlite::Error>;

    /// Deliveries for `stage` from its cursor on, for as long as the receiver lives.
    fn consume(&self, stage: Stage) -> mpsc::Receiver<Delivery>;

    /// All up to `offset` have become something durable.
    async fn acknowledge(&self, stage: Stage, offset: i64) -> Result<(), sqlite::Error>;

    /// Durable readings after `offset`, at most `limit`; for `medmon local tap`.
    async fn read(&self, offset: i64, limit: u32) -> Result<Vec<Delivery>, sqlite::Error>;

    /// The newest durable offset; changes are told.
    fn durable(&self) -> tokio::sync::watch::Receiver<i64>;

    /// Gives up what every stage has had and is older than the retention.
    async fn trim(&self, older_than_utc_us: i64) -> Result<u64, sqlite::Error>;

    /// Gives up the oldest readings of a worth, a number at a time; says how many, and what was lost with them. A broker
    /// that keeps its own quota gives up nothing here.
    async fn give_up(&self, _worth: Worth, _limit: u32) -> Result<(u64, Vec<Lost>), sqlite::Error> {
        Ok((0, Vec::new()))
    }

    /// Gives freed room back to the disk.
    async fn give_back(&self) -> Result<(), sqlite::Error> {
        Ok(())
    }

    /// What is held.
    async fn depth(&self) -> Result<Depth, sqlite::Error>;
}
