//! What there is to read at one moment, in memory. A reading works on one layout from its beginning to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medmon_core::noun::UtcUs;

use super::key::{Day, Month};
use super::memory::Memtable;

/// One segment's rows in the hot file of a day.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub day: Day,
    pub segment: u64,
    /// Where its windows start: from (included) to (excluded).
    pub from_us: UtcUs,
    pub to_us: UtcUs,
    /// Months that have its windows already, while the others do not.
    pub except: Vec<Month>,
}

impl Chunk {
    /// Whether it has windows that start in a span.
    pub fn overlaps(&self, (from_us, to_us): (UtcUs, UtcUs)) -> bool {
        self.from_us < to_us && self.to_us > from_us
    }

    /// Whether a window is to be read from here.
    pub fn has(&self, start_us: UtcUs) -> bool {
        self.except.is_empty() || !self.except.contains(&Month::of(start_us))
    }
}

/// What is where.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// What is not settled, by segment.
    pub segments: BTreeMap<u64, Arc<Memtable>>,
    /// What is settled and hot.
    pub chunks: Vec<Chunk>,
    /// Month files, and whether they were thinned.
    pub months: BTreeMap<Month, bool>,
    /// Those of them that cannot be read at all. What is asked of them is refused, never left out.
    pub damaged: BTreeSet<Month>,
    /// The newest settled segment.
    pub settled: u64,
}

impl Layout {
    /// Days that have a hot file.
    pub fn days(&self) -> Vec<Day> {
        let mut days: Vec<Day> = self.chunks.iter().map(|chunk| chunk.day).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// The months in which windows of a span start.
    pub fn months_of(&self, (from_us, to_us): (UtcUs, UtcUs)) -> impl Iterator<Item = Month> {
        let last = Month::of(to_us.saturating_sub(1));
        // An empty span has no months, and a range must not end before it begins.
        self.months.range(Month::of(from_us).min(last)..=last).map(|(month, _)| *month)
    }
}
