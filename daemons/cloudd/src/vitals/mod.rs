//! The vitals store: windows and gaps by subject, the random label of an assignment. No name is ever in it.
//!
//! A seam: the embedded store is one side. Both sides must take the same envelope any number of times and keep it
//! once.

pub mod embedded;
pub mod prometheus;
pub mod recent;
pub mod series;

use async_trait::async_trait;
use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use uuid::Uuid;

use crate::refusal::Refusal;

/// What one envelope brings for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose.
    pub subject: Uuid,
    /// Windows, or parts of windows.
    pub windows: Vec<Window>,
    /// Known holes.
    pub gaps: Vec<Gap>,
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

/// What a store cannot do, so that nobody is surprised: said at the start, held to by the contract tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Caps {
    /// What was taken can be read at once; otherwise within seconds.
    pub reads_own_writes: bool,
    /// Windows that start longer ago than this (s) are kept beside the store, in its archive; none: any age is taken.
    pub late_window_s: Option<u64>,
    /// Two parts of one window whose last readings are of the same millisecond are told apart.
    pub same_instant: bool,
}

/// What a span of one subject and vital amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Smallest stored value; meaningless where `count` is 0.
    pub min: i32,
    /// Largest stored value; meaningless where `count` is 0.
    pub max: i32,
    /// Sum of stored values.
    pub sum: i64,
    /// How many readings.
    pub count: u64,
    /// How many of them were not of good quality.
    pub suspect: u64,
    /// Covered time in thousandths of a second: the windows' spans by their coverage.
    pub covered_ms: u64,
}

impl Total {
    /// Takes a window in.
    pub fn add(&mut self, window: &Window) {
        self.merge(&Self {
            min: window.min,
            max: window.max,
            sum: window.sum,
            count: window.count.into(),
            suspect: window.suspect.into(),
            covered_ms: u64::from(window.span_s) * u64::from(window.coverage.min(1000)),
        });
    }

    /// Takes the total of another part of the span in.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let first = self.count == 0;
        self.min = if first { other.min } else { self.min.min(other.min) };
        self.max = if first { other.max } else { self.max.max(other.max) };
        self.sum = self.sum.saturating_add(other.sum);
        self.count += other.count;
        self.suspect += other.suspect;
        self.covered_ms += other.covered_ms;
    }
}

impl VitalsError {
    /// What a refusal of the records, or of a file like theirs, means here.
    pub fn of(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy(_) => Self::Busy,
            Refusal::Internal(cause) => Self::Store(cause),
            other => Self::Store(Box::new(other)),
        }
    }
}

/// A vitals store. Spans are from a start (included) to an end (excluded), by the windows' starts, µs UTC.
///
/// Behind it stands the journal, whose segments (numbered files) hold every accepted envelope durably before the store
/// sees it. A store may lose what it has not settled: at the next start the journal gives those segments again.
#[async_trait]
pub trait VitalsStore: Send + Sync {
    /// What differs from the others.
    fn caps(&self) -> Caps;
    /// Takes in what the journal has in segment `segment`, which is the newest one or the one before it.
    async fn take(&self, segment: u64, batches: Vec<Batch>) -> Result<(), VitalsError>;
    /// Segment `segment` is closed and all of it was taken: makes it durable here, exactly once, whenever it is killed.
    /// `true`: the journal may let it go; `false`: not yet, ask again. Segments are settled in their order.
    async fn settle(&self, segment: u64) -> Result<bool, VitalsError>;
    /// The newest segment that is settled, 0 = none: those behind it are given again at a start.
    fn settled_through(&self) -> u64;
    /// Windows of a span with their parts merged, by start.
    async fn range(
        &self,
        subject: Uuid,
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Window>, VitalsError>;
    /// What a span amounts to, for each subject in the order given; of whole days without opening a block.
    async fn totals(
        &self,
        subjects: &[Uuid],
        vital: Vital,
        from_us: UtcUs,
        to_us: UtcUs,
    ) -> Result<Vec<Total>, VitalsError>;
    /// Known holes that overlap a span, by start.
    async fn gaps(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Gap>, VitalsError>;
    /// The last windows of each vital, as far back as a trend looks, from memory, by vital and start.
    fn recent(&self, subject: Uuid) -> Vec<(Vital, Vec<Window>)>;
    /// Another number whenever [`recent`](Self::recent) may give something else; 0 = it gives nothing.
    fn recent_version(&self, subject: Uuid) -> u64;
    /// Erases all of one subject: gone from every file when it returns, also after a kill in the middle.
    async fn erase(&self, subject: Uuid) -> Result<(), VitalsError>;
    /// What is due at `now_us`: compaction, thinning, retention. Cheap when nothing is.
    async fn maintain(&self, now_us: UtcUs) -> Result<(), VitalsError>;
}
