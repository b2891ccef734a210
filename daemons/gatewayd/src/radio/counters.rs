//! Counts by kind of what the radio and COLLECT refused or repaired, for `medmon local status` and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared counters, by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    counts: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Counters {
    /// Adds `count` to `name`.
    pub fn add(&self, name: &'static str, count: u64) {
        if count > 0 {
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += count;
        }
    }

    /// All of them now.
    pub fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
