//! What is taken and not yet settled: a table for each segment of the journal, in memory.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use uuid::Uuid;

use super::key::Series;
use super::parts::Parts;
use crate::vitals::Batch;

/// What one segment brought.
#[derive(Debug, Default)]
pub struct Memtable(RwLock<Taken>);

#[derive(Debug, Default)]
pub struct Taken {
    /// By span; most series have one.
    series: HashMap<(Uuid, Vital), Vec<(u32, Parts)>>,
    /// Holes, as they came.
    pub gaps: Vec<(Uuid, Gap)>,
}

impl Memtable {
    pub fn take(&self, batches: &[Batch]) {
        let mut taken = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for batch in batches {
            for part in &batch.windows {
                let spans = taken.series.entry((batch.subject, part.vital)).or_insert_with(|| Vec::with_capacity(1));
                match spans.iter_mut().find(|(span_s, _)| *span_s == part.span_s) {
                    Some((_, parts)) => parts.push(part),
                    None => {
                        let mut parts = Parts::default();
                        parts.push(part);
                        spans.push((part.span_s, parts));
                    }
                }
            }
            taken.gaps.extend(batch.gaps.iter().map(|gap| (batch.subject, gap.clone())));
        }
    }

    /// Appends the parts that start in a span to `windows`.
    pub fn windows(&self, subject: Uuid, vital: Vital, (from_us, to_us): (UtcUs, UtcUs), windows: &mut Vec<Window>) {
        let taken = self.read();
        for (span_s, parts) in taken.series.get(&(subject, vital)).into_iter().flatten() {
            // What is in memory was written by `push`.
            let _ = parts.each(vital, *span_s, |part| {
                if part.start_us >= from_us && part.start_us < to_us {
                    windows.push(part);
                }
            });
        }
    }

    pub fn erase(&self, subject: Uuid) {
        let mut taken = self.0.write().unwrap_or_else(PoisonError::into_inner);
        taken.series.retain(|(whose, _), _| *whose != subject);
        taken.gaps.retain(|(whose, _)| *whose != subject);
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Taken> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// All series, sorted.
    pub fn sorted(&self) -> Vec<(Series, &Parts)> {
        let spans = self.series.iter().flat_map(|((subject, vital), spans)| {
            spans.iter().map(|(span_s, parts)| (Series { subject: *subject, vital: *vital, span_s: *span_s }, parts))
        });
        let mut all: Vec<_> = spans.collect();
        all.sort_unstable_by_key(|(series, _)| *series);
        all
    }
}
