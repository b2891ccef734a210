//! The vitals store: windows and gaps by subject, the random label of an assignment. No name is ever in it.
//!
//! A seam: the embedded store is one side. Both sides must take the same envelope any number of times and keep it
//! once.

pub mod embedded;
pub mod recent;
pub mod series;

use async_trait::async_trait;
use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use uuid::Uuid;

/// Where windows come from: with it, parts of one window from two envelopes are told from one part told twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The install that sealed the envelope.
    pub install: Uuid,
    /// Its stream.
    pub stream: u8,
    /// The envelope's number in it.
    pub sequence: u64,
}

/// What one envelope brings for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose.
    pub subject: Uuid,
    /// From where.
    pub source: Source,
    /// Windows, or parts of windows.
    pub windows: Vec<Window>,
    /// Known holes.
    pub gaps: Vec<Gap>,
}

/// How much is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Whole windows, their parts merged.
    pub windows: u64,
    /// Parts as they came.
    pub parts: u64,
    /// Readings in them.
    pub readings: u64,
}

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum VitalsError {
    /// No room, or too much at once: the same again later.
    #[error("the vitals store is full or busy")]
    Busy,
    /// It is broken.
    #[error("vitals store")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A vitals store. Spans are from a start (included) to an end (excluded), by the windows' starts, µs UTC.
#[async_trait]
pub trait VitalsStore: Send + Sync {
    /// Keeps batches. When it returns, they are durable; what was there already changes nothing.
    async fn append(&self, batches: Vec<Batch>) -> Result<(), VitalsError>;
    /// Windows of a span with their parts merged, by start.
    async fn range(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Window>, VitalsError>;
    /// Known holes that overlap a span, by start.
    async fn gaps(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Gap>, VitalsError>;
    /// How much a span holds.
    async fn count(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Count, VitalsError>;
    /// The windows of the last hour before each vital's newest, from memory, by vital and start.
    fn recent(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)>;
}
